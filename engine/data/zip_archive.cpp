// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/posix_file.h"
#include "engine/data/archive.h"
#include "engine/data/input_file.h"

#include <algorithm>
#include <fcntl.h>
#include <sys/stat.h>

#ifdef PHA_HAS_ZLIB
#include <zlib.h>
#endif

namespace pha {

namespace fs = std::filesystem;

namespace {

// Signatures and sizes of PKWARE's APPNOTE 6.3: end of the central directory, its zip64 forms, headers of members.
constexpr std::uint32_t endMark = 0x06054b50, end64Mark = 0x06064b50, locator64Mark = 0x07064b50;
constexpr std::uint32_t centralMark = 0x02014b50, localMark = 0x04034b50;
constexpr std::size_t endBytes = 22, locator64Bytes = 20, end64Bytes = 56, centralBytes = 46, localBytes = 30;
constexpr std::uint64_t maxEntries = 100'000, maxDirectory = std::uint64_t(64) << 20;

template <class T> T little(std::string_view bytes, std::size_t at)
{
    std::uint64_t value = 0;
    for (std::size_t i = sizeof(T); i-- > 0;) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return T(value);
}

class ZipFile {
public:
    explicit ZipFile(const fs::path& path)
        : where_(path.string())
        , file_(openInput(path))
    {
        size_ = std::uint64_t(std::max<off_t>(file_.status().st_size, 0));
    }

    std::string read(std::uint64_t offset, std::uint64_t size) const
    {
        std::string bytes;
        if (offset > size_ || size > size_ - offset) damaged();
        bytes.resize(std::size_t(size));
        if (readAt(bytes.data(), bytes.size(), offset) != bytes.size()) damaged();
        return bytes;
    }
    std::size_t readAt(char* out, std::size_t size, std::uint64_t offset) const
    {
        try {
            return file_.readAt(out, size, std::int64_t(offset));
        } catch (const FileError& error) {
            throwUnreadable(where_, error);
        }
    }

    struct Directory {
        std::uint64_t entries = 0, size = 0, offset = 0;
    };
    /// From the last record that looks like the end of the directory.
    Directory directory() const
    {
        const auto tailSize = std::min<std::uint64_t>(size_, endBytes + 65535);
        const auto tail = read(size_ - tailSize, tailSize);
        for (std::size_t at = tail.size() < endBytes ? 0 : tail.size() - endBytes + 1; at-- > 0;) {
            if (little<std::uint32_t>(tail, at) != endMark) continue;
            const Directory found { little<std::uint16_t>(tail, at + 10), little<std::uint32_t>(tail, at + 12),
                little<std::uint32_t>(tail, at + 16) };
            const bool big = found.entries == 0xFFFF || found.size == 0xFFFFFFFF || found.offset == 0xFFFFFFFF;
            return big ? directory64(size_ - tailSize + at) : found;
        }
        damaged();
    }

    [[noreturn]] void damaged() const { throwDamaged(where_, "is a damaged zip file"); }
    const std::string& where() const { return where_; }
    std::uint64_t size() const { return size_; }

private:
    Directory directory64(std::uint64_t end) const
    {
        if (end < locator64Bytes) damaged();
        const auto locator = read(end - locator64Bytes, locator64Bytes);
        if (little<std::uint32_t>(locator, 0) != locator64Mark) damaged();
        const auto record = read(little<std::uint64_t>(locator, 8), end64Bytes);
        if (little<std::uint32_t>(record, 0) != end64Mark) damaged();
        return { little<std::uint64_t>(record, 32), little<std::uint64_t>(record, 40),
            little<std::uint64_t>(record, 48) };
    }

    std::string where_;
    PosixFile file_;
    std::uint64_t size_ = 0;
};

/// Sizes and offset that did not fit into 32 bits stand in an extra field, in this order, only where needed.
bool readExtra64(std::string_view extra, ZipEntry& entry)
{
    while (extra.size() >= 4) {
        const auto kind = little<std::uint16_t>(extra, 0), length = little<std::uint16_t>(extra, 2);
        if (std::size_t(length) + 4 > extra.size()) return false;
        auto field = extra.substr(4, length);
        extra.remove_prefix(std::size_t(length) + 4);
        if (kind != 1) continue;
        for (auto* value : { &entry.size, &entry.packed, &entry.offset }) {
            if (*value != 0xFFFFFFFF) continue;
            if (field.size() < 8) return false;
            *value = little<std::uint64_t>(field, 0);
            field.remove_prefix(8);
        }
        return true;
    }
    return true;
}

/// The bytes of one member.
class ZipBytes final : public ByteSource {
public:
    ZipBytes(const fs::path& path, const ZipEntry& entry, std::atomic<std::uint64_t>* taken)
        : file_(path)
        , entry_(entry)
        , where_(path.string() + ": " + entry.name)
        , taken_(taken)
    {
        const auto header = file_.read(entry.offset, localBytes);
        if (little<std::uint32_t>(header, 0) != localMark) file_.damaged();
        at_ = entry.offset + localBytes + little<std::uint16_t>(header, 26) + little<std::uint16_t>(header, 28);
        if (at_ > file_.size() || entry.packed > file_.size() - at_) file_.damaged();
        end_ = at_ + entry.packed;
    }

    std::size_t read(char* out, std::size_t size) override
    {
        const auto got = file_.readAt(out, std::size_t(std::min<std::uint64_t>(size, end_ - at_)), at_);
        if (got == 0 && at_ < end_) file_.damaged();
        at_ += got;
        if (taken_) *taken_ += got;
        return got;
    }
    const std::string& where() const override { return where_; }
    const ZipEntry& entry() const { return entry_; }

private:
    ZipFile file_;
    ZipEntry entry_;
    std::string where_;
    std::atomic<std::uint64_t>* taken_;
    std::uint64_t at_ = 0, end_ = 0;
};

#ifdef PHA_HAS_ZLIB
/// Stored or deflated bytes, checked against the size and the sum in the directory.
class CheckedMember final : public ByteSource {
public:
    explicit CheckedMember(std::unique_ptr<ZipBytes> bytes)
        : bytes_(std::move(bytes))
        , deflated_(bytes_->entry().method == 8)
        , buffer_(std::size_t(1) << 17)
    {
        if (deflated_ && inflateInit2(&stream_, -15) != Z_OK) throw std::bad_alloc();
    }
    ~CheckedMember() override
    {
        if (deflated_) inflateEnd(&stream_);
    }

    std::size_t read(char* out, std::size_t size) override
    {
        const auto got = deflated_ ? inflateSome(out, size) : bytes_->read(out, size);
        made_ += got;
        crc_ = crc32(crc_, reinterpret_cast<const Bytef*>(out), uInt(got));
        checkExpansion(where(), bytes_->entry().packed, made_);
        const bool wrong = got == 0 && size > 0 && (made_ != bytes_->entry().size || crc_ != bytes_->entry().crc);
        if (wrong || made_ > bytes_->entry().size) throwDamaged(where(), "is damaged: size or checksum is wrong");
        return got;
    }
    const std::string& where() const override { return bytes_->where(); }

private:
    std::size_t inflateSome(char* out, std::size_t size)
    {
        stream_.next_out = reinterpret_cast<Bytef*>(out);
        stream_.avail_out = uInt(std::min<std::size_t>(size, std::size_t(1) << 30));
        const auto room = stream_.avail_out;
        while (!ended_ && stream_.avail_out == room) {
            if (stream_.avail_in == 0) {
                stream_.next_in = reinterpret_cast<Bytef*>(buffer_.data());
                stream_.avail_in = uInt(bytes_->read(buffer_.data(), buffer_.size()));
                if (stream_.avail_in == 0) throwDamaged(where(), "ends in the middle of its packed data");
            }
            const int result = inflate(&stream_, Z_NO_FLUSH);
            ended_ = result == Z_STREAM_END;
            if (result != Z_OK && !ended_) throwDamaged(where(), "is damaged: it does not unpack");
        }
        return room - stream_.avail_out;
    }

    std::unique_ptr<ZipBytes> bytes_;
    bool deflated_ = false, ended_ = false;
    std::vector<char> buffer_;
    z_stream stream_ {};
    std::uint64_t made_ = 0;
    uLong crc_ = 0;
};
#endif

} // namespace

bool looksLikeZip(std::string_view head) { return head.starts_with("PK\x03\x04") || head.starts_with("PK\x05\x06"); }

std::vector<ZipEntry> readZipDirectory(const fs::path& path)
{
    const ZipFile file(path);
    const auto directory = file.directory();
    if (directory.entries > maxEntries || directory.size > maxDirectory)
        throw DataError(file.where(), "holds more than 100000 files", "unpack it, and join its texts into fewer files");
    const auto bytes = file.read(directory.offset, directory.size);
    std::vector<ZipEntry> entries;
    std::string_view rest = bytes;
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
        if (rest.size() < centralBytes || little<std::uint32_t>(rest, 0) != centralMark) file.damaged();
        const std::size_t name = little<std::uint16_t>(rest, 28), extra = little<std::uint16_t>(rest, 30);
        const auto whole = centralBytes + name + extra + little<std::uint16_t>(rest, 32);
        if (whole > rest.size()) file.damaged();
        ZipEntry entry { std::string(rest.substr(centralBytes, name)), little<std::uint32_t>(rest, 20),
            little<std::uint32_t>(rest, 24), little<std::uint32_t>(rest, 42), little<std::uint32_t>(rest, 16),
            little<std::uint16_t>(rest, 10), little<std::uint16_t>(rest, 8) };
        if (!readExtra64(rest.substr(centralBytes + name, extra), entry)) file.damaged();
        if (!entry.name.empty() && !entry.name.ends_with('/')) entries.push_back(std::move(entry));
        rest.remove_prefix(whole);
    }
    return entries;
}

std::unique_ptr<ByteSource> openZipEntry(const fs::path& file, const ZipEntry& entry, std::atomic<std::uint64_t>* taken)
{
    const auto where = file.string() + ": " + entry.name;
    if (entry.flags & 1) throw DataError(where, "is encrypted", "unpack the archive with its password first");
    if (entry.method != 0 && entry.method != 8)
        throw DataError(where, "is packed by a rare method", "unpack the archive, or pack it with 'deflate'");
    auto bytes = std::make_unique<ZipBytes>(file, entry, taken);
#ifdef PHA_HAS_ZLIB
    return std::make_unique<CheckedMember>(std::move(bytes));
#else
    throw DataError(where, "is in a zip file, and this build has no zlib", "unpack it first");
#endif
}

} // namespace pha
