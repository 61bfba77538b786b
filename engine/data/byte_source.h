// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// Bytes that are read once, from front to back, in bounded memory: a file, a member of an archive, what a packed
/// stream unpacks to. Everything throws DataError; FileError if this machine is at fault (openInput).
class ByteSource {
public:
    virtual ~ByteSource() = default;
    /// Up to `size` bytes; 0 only at the end.
    virtual std::size_t read(char* out, std::size_t size) = 0;
    /// Leaves out that many bytes. Throws if there are fewer.
    virtual void skip(std::uint64_t bytes);
    /// "corpus.zip: wiki.train.raw": what errors name.
    virtual const std::string& where() const = 0;
};

/// A regular file. `taken` (if not null) counts the bytes read, for progress.
std::unique_ptr<ByteSource> openFileBytes(const std::filesystem::path& file, std::atomic<std::uint64_t>* taken);

/// A source whose first bytes can be looked at.
class PeekedSource final : public ByteSource {
public:
    explicit PeekedSource(std::unique_ptr<ByteSource> source);
    std::string_view head() const { return head_; } ///< the first 512 bytes, fewer if there are fewer
    std::size_t read(char* out, std::size_t size) override;
    void skip(std::uint64_t bytes) override;
    const std::string& where() const override { return source_->where(); }

private:
    std::unique_ptr<ByteSource> source_;
    std::string head_;
    std::size_t at_ = 0;
};

/// What gzip, zstd or xz packed, told by the first bytes; other bytes come as they are. Refuses what unpacks to more
/// than 200 times its size (beyond 64 MiB), ends too early, or needs a library that this build lacks.
std::unique_ptr<PeekedSource> unpack(std::unique_ptr<ByteSource> packed);

/// For the unpackers: how much may come out of `in` bytes. Throws beyond it.
void checkExpansion(const std::string& where, std::uint64_t in, std::uint64_t out);
[[noreturn]] void throwDamaged(const std::string& where, const std::string& reason);
/// `kind`: "field" or "column"; `there`: those that there are, of which the first are named.
constexpr std::size_t maxNamedFields = 8;
[[noreturn]] void throwWithoutField(
    const std::string& where, const std::string& kind, const std::string& wanted, std::vector<std::string> there);

} // namespace pha
