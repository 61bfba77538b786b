// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/byte_source.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// Files inside a file, read where they lie: nothing is ever extracted, so no name in an archive can reach a path of
/// this machine. One member is open at a time.
class Archive {
public:
    virtual ~Archive() = default;
    /// The next regular file; null at the end. The previous member must not be used any more.
    virtual std::unique_ptr<ByteSource> next() = 0;
    virtual const std::string& name() const = 0; ///< of the member that `next` returned, as the archive spells it
};

/// True if a stream that begins so is a tar archive (its first header has a right sum).
bool looksLikeTar(std::string_view head);
/// ustar, GNU and pax headers. Links, folders, devices and sparse files are passed over.
std::unique_ptr<Archive> readTar(std::unique_ptr<ByteSource> source);

/// A member of a zip file.
struct ZipEntry {
    std::string name;
    std::uint64_t packed = 0, size = 0, offset = 0; ///< offset: of the local header
    std::uint32_t crc = 0;
    std::uint16_t method = 0, flags = 0;
};
bool looksLikeZip(std::string_view head);
/// The central directory (also zip64's), folders left out. At most 100,000 entries. Throws DataError.
std::vector<ZipEntry> readZipDirectory(const std::filesystem::path& file);
/// Stored and deflated members; size and CRC-32 are checked at the end. Throws DataError.
std::unique_ptr<ByteSource> openZipEntry(
    const std::filesystem::path& file, const ZipEntry& entry, std::atomic<std::uint64_t>* taken);

} // namespace pha
