// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/token_file.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/data/input_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

static_assert(std::endian::native == std::endian::little, "token files are little endian, as they lie in memory");
static_assert(sizeof(CountedToken) == 12);

constexpr std::uint64_t keptPages = std::uint64_t(64) << 20; ///< bytes of the mapping that may stay resident

struct Header {
    std::array<char, 8> magic { 'P', 'H', 'A', 'T', 'O', 'K', '0', '2' };
    std::uint32_t rowBytes = 0, reserved = 0;
    std::uint64_t rows = 0;
    std::array<char, 64> text {}, tokenizer {}; ///< fingerprints
    std::array<char, 64> digest {}; ///< SHA-256 of the header before and of all rows
    std::array<char, 40> rest {};
};
static_assert(sizeof(Header) == 256, "the header is written as it lies in memory");

void copyDigest(std::array<char, 64>& out, const std::string& hex)
{
    std::memcpy(out.data(), hex.data(), std::min<std::size_t>(hex.size(), 64));
}

[[noreturn]] void refuseFile(const fs::path& file, const std::string& reason)
{
    throw DataError(file.string(), reason, "prepare the corpus again");
}

/// Reads rather than maps, so that a large file is not resident afterwards.
std::array<char, 64> digestOf(
    const PosixFile& file, const Header& header, const std::function<void(std::uint64_t)>& read = {})
{
    Sha256 hash;
    hash.update(&header, offsetof(Header, digest));
    std::vector<char> part(std::size_t(1) << 20);
    auto left = header.rows * header.rowBytes;
    for (auto at = std::int64_t(sizeof header); left > 0;) {
        const auto got = file.readAt(part.data(), std::size_t(std::min<std::uint64_t>(part.size(), left)), at);
        if (got == 0) break;
        hash.update(part.data(), got);
        at += std::int64_t(got);
        left -= got;
        if (read) read(got);
    }
    std::array<char, 64> digest {};
    copyDigest(digest, hash.hex());
    return digest;
}

} // namespace

void TokenFile::map(const fs::path& path)
{
    file_ = openInput(path, "prepare the corpus again");
    mapped_ = std::uint64_t(std::max<off_t>(file_.status().st_size, 0));
    if (mapped_ == 0) refuseFile(path, "is empty");
    void* data = mmap(nullptr, std::size_t(mapped_), PROT_READ, MAP_SHARED, file_.descriptor(), 0);
    if (data == MAP_FAILED) refuseFile(path, std::string("cannot be mapped: ") + std::strerror(errno));
    data_ = static_cast<const char*>(data);
    // Windows are read at random: reading ahead would fetch what nobody asked for.
    madvise(data, std::size_t(mapped_), MADV_RANDOM);
}

TokenFile::~TokenFile()
{
    if (data_) munmap(const_cast<char*>(data_), std::size_t(mapped_));
}

std::shared_ptr<const TokenFile> TokenFile::open(const fs::path& path, const TokenFileKey& key, bool check)
{
    std::shared_ptr<TokenFile> file(new TokenFile);
    file->map(path);
    Header header, wanted;
    if (file->mapped_ < sizeof header) refuseFile(path, "is no token file");
    std::memcpy(&header, file->data_, sizeof header);
    copyDigest(wanted.text, key.text);
    copyDigest(wanted.tokenizer, key.tokenizer);
    if (header.magic != wanted.magic) refuseFile(path, "is no token file of this version");
    if (header.text != wanted.text) refuseFile(path, "belongs to another text");
    if (header.tokenizer != wanted.tokenizer) refuseFile(path, "was made with another tokenizer");
    file->row_ = TokenRow(header.rowBytes);
    if (file->row_ != TokenRow::Short && file->row_ != TokenRow::Long && file->row_ != TokenRow::Counted)
        refuseFile(path, "has an unknown kind of rows");
    const auto rowBytes = file->mapped_ - sizeof header;
    if (header.rows != rowBytes / header.rowBytes || rowBytes % header.rowBytes != 0) refuseFile(path, "is cut short");
    if (check && header.digest != digestOf(file->file_, header)) refuseFile(path, "is damaged: its checksum is wrong");
    file->first_ = file->data_ + sizeof header;
    file->rows_ = header.rows;
    return file;
}

std::shared_ptr<const TokenFile> TokenFile::openForeign(
    const fs::path& path, TokenRow row, std::uint64_t offset, std::uint64_t rows)
{
    std::shared_ptr<TokenFile> file(new TokenFile);
    file->map(path);
    file->row_ = row;
    const auto room = offset <= file->mapped_ ? (file->mapped_ - offset) / std::uint64_t(row) : 0;
    if (rows > room) throw DataError(path.string(), "is cut short", "copy or make the file again");
    file->first_ = file->data_ + offset;
    file->rows_ = rows;
    return file;
}

void TokenFile::checkStillThere() const
{
    // Touching a mapping behind the end of its file kills the process.
    if (std::uint64_t(file_.status().st_size) < mapped_)
        throw DataError(file_.path().string(), "was cut while it was in use", "prepare the corpus again");
}

void TokenFile::releaseNowAndThen(std::uint64_t bytes) const
{
    const std::lock_guard lock(mutex_);
    touched_ += std::max<std::uint64_t>(bytes, 4096) + 4096; // whole pages
    if (touched_ < keptPages) return;
    touched_ = 0;
    madvise(const_cast<char*>(data_), std::size_t(mapped_), MADV_DONTNEED); // the page cache keeps them
}

template <class Id> void TokenFile::copy(std::uint64_t begin, std::span<Id> out) const
{
    checkStillThere();
    const auto width = std::size_t(row_);
    const char* at = first_ + begin * width;
    for (auto& id : out) {
        if (row_ == TokenRow::Short) {
            std::uint16_t value = 0;
            std::memcpy(&value, at, sizeof value);
            id = Id(value);
        } else {
            std::int32_t value = 0;
            std::memcpy(&value, at, sizeof value);
            id = Id(value);
        }
        at += width;
    }
    releaseNowAndThen(out.size() * width);
}

template void TokenFile::copy(std::uint64_t, std::span<std::int32_t>) const;
template void TokenFile::copy(std::uint64_t, std::span<std::int64_t>) const;

std::span<const CountedToken> TokenFile::counted() const
{
    checkStillThere();
    return { reinterpret_cast<const CountedToken*>(first_), std::size_t(rows_) };
}

TokenFileWriter::TokenFileWriter(const fs::path& path, TokenRow row, std::uint64_t rows)
    : row_(row)
    , file_(path, rows > 0 ? O_WRONLY | O_APPEND | O_NOFOLLOW : O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_NOFOLLOW)
    , rows_(rows)
{
    const auto size = std::uint64_t(sizeof(Header)) + rows * std::uint64_t(row);
    if (rows == 0) {
        const Header empty;
        file_.write(&empty, sizeof empty);
    } else if (std::uint64_t(file_.status().st_size) < size) {
        throw IoError(path.string(), "is shorter than it was");
    } else {
        file_.truncate(std::int64_t(size));
    }
}

void TokenFileWriter::add(const std::vector<std::int32_t>& tokens)
{
    rows_ += tokens.size();
    if (row_ == TokenRow::Long) {
        file_.write(tokens.data(), tokens.size() * 4);
    } else {
        const std::vector<std::uint16_t> narrow(tokens.begin(), tokens.end());
        file_.write(narrow.data(), narrow.size() * 2);
    }
}

void TokenFileWriter::add(const std::vector<CountedToken>& tokens)
{
    rows_ += tokens.size();
    file_.write(tokens.data(), tokens.size() * sizeof(CountedToken));
}

void TokenFileWriter::sync() { file_.syncData(); }

void TokenFileWriter::finish(const TokenFileKey& key, const std::function<void(std::uint64_t)>& read)
{
    file_.close();
    Header header;
    header.rowBytes = std::uint32_t(row_);
    header.rows = rows_;
    copyDigest(header.text, key.text);
    copyDigest(header.tokenizer, key.tokenizer);
    header.digest = digestOf(PosixFile(file_.path(), O_RDONLY), header, read);
    PosixFile out(file_.path(), O_WRONLY | O_NOFOLLOW);
    out.write(&header, sizeof header);
    out.sync();
    out.close();
}

} // namespace pha
