// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/byte_source.h"

#include "engine/base/error.h"
#include "engine/base/posix_file.h"
#include "engine/base/text.h"
#include "engine/data/input_file.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>
#include <vector>

namespace pha {

namespace {

constexpr std::size_t headBytes = 512; // one tar header

class FileBytes final : public ByteSource {
public:
    FileBytes(const std::filesystem::path& path, std::atomic<std::uint64_t>* taken)
        : where_(path.string())
        , file_(openInput(path))
        , taken_(taken)
    {
        posix_fadvise(file_.descriptor(), 0, 0, POSIX_FADV_SEQUENTIAL);
    }

    std::size_t read(char* out, std::size_t size) override
    {
        try {
            const auto got = file_.readAt(out, size, std::int64_t(at_));
            advance(got);
            return got;
        } catch (const FileError& error) {
            throwUnreadable(where_, error);
        }
    }

    void skip(std::uint64_t bytes) override
    {
        const auto size = std::uint64_t(std::max<off_t>(file_.status().st_size, 0));
        if (bytes > size - std::min(at_, size)) throwDamaged(where_, "is shorter than it was");
        advance(bytes);
    }

    const std::string& where() const override { return where_; }

private:
    void advance(std::uint64_t bytes)
    {
        at_ += bytes;
        if (taken_) *taken_ += bytes;
    }

    std::string where_;
    PosixFile file_;
    std::atomic<std::uint64_t>* taken_;
    std::uint64_t at_ = 0;
};

} // namespace

void ByteSource::skip(std::uint64_t bytes)
{
    std::vector<char> part(std::size_t(std::min<std::uint64_t>(bytes, 1 << 18)));
    while (bytes > 0) {
        const auto got = read(part.data(), std::size_t(std::min<std::uint64_t>(bytes, part.size())));
        if (got == 0) throwDamaged(where(), "is shorter than it was");
        bytes -= got;
    }
}

std::unique_ptr<ByteSource> openFileBytes(const std::filesystem::path& file, std::atomic<std::uint64_t>* taken)
{
    return std::make_unique<FileBytes>(file, taken);
}

PeekedSource::PeekedSource(std::unique_ptr<ByteSource> source)
    : source_(std::move(source))
    , head_(headBytes, '\0')
{
    std::size_t filled = 0;
    for (std::size_t got = 1; got > 0 && filled < head_.size(); filled += got)
        got = source_->read(head_.data() + filled, head_.size() - filled);
    head_.resize(filled);
}

std::size_t PeekedSource::read(char* out, std::size_t size)
{
    if (at_ == head_.size()) return source_->read(out, size);
    const auto taken = std::min(size, head_.size() - at_);
    std::memcpy(out, head_.data() + at_, taken);
    at_ += taken;
    return taken;
}

void PeekedSource::skip(std::uint64_t bytes)
{
    const auto held = std::min<std::uint64_t>(bytes, head_.size() - at_);
    at_ += std::size_t(held);
    if (bytes > held) source_->skip(bytes - held);
}

void checkExpansion(const std::string& where, std::uint64_t in, std::uint64_t out)
{
    constexpr std::uint64_t harmless = std::uint64_t(64) << 20, factor = 200;
    if (out > harmless && out / factor > in)
        throw DataError(where, "unpacks to more than 200 times its size",
            "it is no ordinary text; unpack it yourself if you trust it");
}

void throwDamaged(const std::string& where, const std::string& reason)
{
    throw DataError(where, reason, "copy or download the file again");
}

void throwWithoutField(
    const std::string& where, const std::string& kind, const std::string& wanted, std::vector<std::string> there)
{
    const bool all = there.size() <= maxNamedFields;
    if (!all) there.resize(maxNamedFields);
    for (auto& name : there) name = inQuotes(name);
    const auto known = there.empty() ? "" : "; it has " + joinList(there) + (all ? "" : ", ...");
    throw DataError(where, "has no " + kind + " " + inQuotes(wanted) + known,
        "name the one that holds the texts: --text-field NAME, of a run --set text_field=NAME");
}

} // namespace pha
