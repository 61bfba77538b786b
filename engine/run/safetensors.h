// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace pha {

/// The safetensors format, strictly: a u64 little-endian header length, a JSON header, the data without gaps or
/// overlaps. Nothing in a file is trusted before the sizes agree with the file's own size; nothing is allocated from
/// claimed sizes.
struct TensorEntry {
    std::string dtype; ///< "F32", "F64", "BF16", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL"
    std::vector<std::int64_t> shape;
    std::int64_t begin = 0, end = 0; ///< bytes in the data section
};
std::int64_t dtypeBytes(const std::string& dtype); ///< 0: unknown

/// Limits of a header. The first is the format's own, the others are far beyond any model and keep hostile files cheap.
struct SafetensorsLimits {
    static constexpr std::uint64_t headerBytes = 100'000'000;
    static constexpr std::size_t tensors = 65536, nameBytes = 1024, dimensions = 32,
                                 metadataBytes = std::size_t(8) << 20;
};

class SafetensorsReader {
public:
    /// Reads and checks the header. Throws CheckpointError with one distinct sentence per kind of defect.
    explicit SafetensorsReader(const std::filesystem::path& file);

    const std::map<std::string, TensorEntry>& tensors() const { return tensors_; }
    const std::map<std::string, std::string>& metadata() const { return metadata_; }
    /// Copies one tensor's bytes to `out`, which has room for entry.end - entry.begin. Throws CheckpointError if the
    /// file changed since it was opened, or if a BOOL is neither 0 nor 1.
    void read(const TensorEntry& entry, void* out) const { read(entry, 0, entry.end - entry.begin, out); }
    /// The same for `bytes` of them from the tensor's byte `from` on, which it must have.
    void read(const TensorEntry& entry, std::int64_t from, std::int64_t bytes, void* out) const;

    /// The header check alone, on bytes in memory: `fileSize` is the size of the whole file. For tests and fuzzing.
    static void parseHeader(const std::string& header, std::uint64_t fileSize,
        std::map<std::string, TensorEntry>& tensors, std::map<std::string, std::string>& metadata);

private:
    PosixFile file_;
    std::int64_t size_ = 0, dataStart_ = 0;
    std::int64_t modifiedSeconds_ = 0, modifiedNanoseconds_ = 0;
    std::map<std::string, TensorEntry> tensors_;
    std::map<std::string, std::string> metadata_;
};

/// Writes tensors in the order given. `data` points at contiguous little-endian bytes that outlive the call.
struct TensorToWrite {
    std::string name, dtype;
    std::vector<std::int64_t> shape;
    const void* data = nullptr;
};
/// Atomically and durably, metadata first, data aligned to 8 bytes. Throws IoError.
void writeSafetensors(const std::filesystem::path& file, const std::vector<TensorToWrite>& tensors,
    const std::map<std::string, std::string>& metadata);

} // namespace pha
