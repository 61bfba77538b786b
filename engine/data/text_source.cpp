// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/text_source.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/random.h"
#include "engine/data/tokenizer.h"
#include "engine/data/utf8.h"
#include "engine/run/posix_file.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t chunkBytes = std::size_t(1) << 20;
constexpr std::uint64_t minBlock = 256, maxBlock = 64 << 10, longestLine = 16; ///< a line may have this many blocks
constexpr std::uint64_t maxEvaluation = std::uint64_t(4) << 20, maxGivenEvaluation = std::uint64_t(256) << 20;
constexpr std::uint64_t maxTotal = std::uint64_t(64) << 30;
constexpr std::size_t maxFiles = 100'000;
constexpr int maxDepth = 16;

PosixFile openRegular(const fs::path& path)
{
    try {
        PosixFile file(path, O_RDONLY);
        if (!S_ISREG(file.status().st_mode))
            throw DataError(path.string(), "is not a regular file", "give a text file or a folder with text files");
        return file;
    } catch (const FileError& error) {
        throw DataError(path.string(), std::string("cannot be read: ") + std::strerror(error.number()),
            "check the path and its permissions");
    }
}

std::size_t readSome(const PosixFile& file, void* out, std::size_t size, std::uint64_t offset)
{
    try {
        return file.readAt(out, size, std::int64_t(offset));
    } catch (const FileError& error) {
        throw DataError(file.path().string(), std::string("cannot be read: ") + std::strerror(error.number()),
            "check the disk, or copy the file");
    }
}

} // namespace

/// Finds the ends of blocks in a stream of bytes, and notes what kind of bytes they are.
class BlockCutter {
public:
    BlockCutter(std::uint64_t target, std::vector<TextBlock>& blocks)
        : target_(target)
        , blocks_(blocks)
    {
    }

    void begin(std::uint32_t file, TextSplit split)
    {
        block_ = { file, 0, 0, split };
        lineEmpty_ = true;
    }
    void feed(const char* data, std::size_t size, std::uint64_t offset)
    {
        for (std::size_t i = 0; i < size; ++i) {
            const auto byte = static_cast<unsigned char>(data[i]);
            const std::uint64_t at = offset + i, length = at - block_.begin;
            ++counts_[byte];
            if (byte == '\n') {
                if (length + 1 >= target_ && (lineEmpty_ || length + 1 >= 4 * target_)) cut(at + 1);
                lineEmpty_ = true;
            } else {
                const bool space = byte == ' ', within = (byte & 0xC0) == 0x80;
                if (length >= longestLine * target_ && (space || (length >= (longestLine + 1) * target_ && !within)))
                    cut(at);
                if (byte != '\r') lineEmpty_ = false;
            }
        }
    }
    void end(std::uint64_t size)
    {
        if (size > block_.begin) cut(size);
    }
    std::uint64_t count(unsigned char byte) const { return counts_[byte]; }

private:
    void cut(std::uint64_t end)
    {
        block_.end = end;
        blocks_.push_back(block_);
        block_.begin = end;
    }

    std::uint64_t target_;
    std::vector<TextBlock>& blocks_;
    TextBlock block_;
    bool lineEmpty_ = true;
    std::array<std::uint64_t, 256> counts_ {};
};

TextSource::TextSource(fs::path path)
    : path_(std::move(path))
{
    std::error_code problem;
    if (fs::is_directory(path_, problem)) {
        if (!addWikiText()) addFolder();
        if (files_.empty())
            throw DataError(path_.string(), "holds no .txt files", "give a text file or a folder with .txt files");
    } else {
        addFile(path_);
    }
    for (const auto& file : files_) bytes_ += std::int64_t(file.size);
    if (bytes_ == 0) throw DataError(path_.string(), "is empty", "give a longer text, at least a few kilobytes");
    if (std::uint64_t(bytes_) > maxTotal)
        throw DataError(path_.string(), "has " + formatBytes(double(bytes_)), "use at most 64 GiB of text");
}

void TextSource::addFile(const fs::path& file)
{
    const auto size = openRegular(file).status().st_size;
    files_.push_back({ file, std::uint64_t(std::max<off_t>(size, 0)) });
}

bool TextSource::addWikiText()
{
    for (const char* ending : { ".raw", ".tokens", ".txt" }) {
        const std::array<std::pair<const char*, TextSplit>, 3> parts { { { "wiki.train", TextSplit::Train },
            { "wiki.valid", TextSplit::Valid }, { "wiki.test", TextSplit::Test } } };
        const auto exists = [&](const auto& part) {
            std::error_code problem;
            return fs::is_regular_file(path_ / (std::string(part.first) + ending), problem);
        };
        if (!std::all_of(parts.begin(), parts.end(), exists)) continue;
        for (const auto& [name, split] : parts) {
            addFile(path_ / (std::string(name) + ending));
            files_.back().assigned = true;
            files_.back().split = split;
            if (split != TextSplit::Train && files_.back().size > maxGivenEvaluation)
                throw DataError(
                    files_.back().path.string(), "is larger than 256 MiB", "shorten the validation and test texts");
        }
        return true;
    }
    return false;
}

void TextSource::addFolder()
{
    std::vector<fs::path> found;
    std::error_code problem;
    fs::recursive_directory_iterator entries(path_, fs::directory_options::skip_permission_denied, problem);
    for (; !problem && entries != fs::recursive_directory_iterator(); entries.increment(problem)) {
        std::error_code unreadable;
        if (entries.depth() >= maxDepth) entries.disable_recursion_pending();
        auto ending = entries->path().extension().string();
        std::transform(ending.begin(), ending.end(), ending.begin(),
            [](unsigned char c) { return char(c >= 'A' && c <= 'Z' ? c + 32 : c); });
        if (ending != ".txt" || !entries->is_regular_file(unreadable)) continue;
        if (found.size() == maxFiles)
            throw DataError(path_.string(), "holds more than 100000 text files", "join them into fewer files");
        found.push_back(entries->path());
    }
    if (problem)
        throw DataError(path_.string(), "cannot be read: " + problem.message(), "check the permissions of the folder");
    std::sort(found.begin(), found.end());
    for (const auto& file : found) addFile(file);
}

void TextSource::scan(EventSink& progress, const std::stop_token& stop)
{
    blocks_.clear();
    BlockCutter cutter(std::clamp<std::uint64_t>(std::uint64_t(bytes_) / 400, minBlock, maxBlock), blocks_);
    Sha256 hash;
    hash.update(header());
    std::vector<char> chunk(chunkBytes);
    double done = 0;
    for (std::uint32_t i = 0; i < files_.size(); ++i) {
        const auto& file = files_[i];
        const auto in = openRegular(file.path);
        cutter.begin(i, file.split);
        for (std::uint64_t at = 0; at < file.size;) {
            if (stop.stop_requested())
                throw Error("reading " + path_.string() + " was stopped", "start again when you like");
            const auto wanted = std::min<std::uint64_t>(chunk.size(), file.size - at);
            const auto size = readSome(in, chunk.data(), std::size_t(wanted), at);
            if (size == 0) throwTextChanged(*this);
            if (at == 0 && size >= 2
                && (std::memcmp(chunk.data(), "\xFF\xFE", 2) == 0 || std::memcmp(chunk.data(), "\xFE\xFF", 2) == 0))
                throw DataError(file.path.string(), "is UTF-16", "convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE");
            hash.update(chunk.data(), size);
            cutter.feed(chunk.data(), size, at);
            at += size;
            progress.publish(ProgressEvent { "reading text", done += double(size), double(bytes_), "bytes" });
        }
        cutter.end(file.size);
    }
    std::uint64_t odd = 0, blank = 0;
    for (int byte = 0; byte <= ' '; ++byte) {
        const auto count = cutter.count(static_cast<unsigned char>(byte));
        if (byte == ' ' || (byte >= '\t' && byte <= '\r'))
            blank += count;
        else
            odd += count;
    }
    if (odd > std::uint64_t(bytes_) / 50)
        throw DataError(path_.string(), "does not look like text", "unpack or convert it to plain UTF-8 text first");
    if (blank == std::uint64_t(bytes_))
        throw DataError(path_.string(), "has nothing but blanks and line ends", "give a text with words");
    fingerprint_ = hash.hex();
    assign();
}

std::string TextSource::header() const
{
    std::string text;
    for (const auto& file : files_) text += std::to_string(file.size) + (file.assigned ? " given\n" : "\n");
    return text;
}

void TextSource::assign()
{
    if (files_.front().assigned) return;
    const std::uint64_t count = blocks_.size();
    if (count < 3)
        throw DataError(path_.string(), "is too short to keep a part for validation and one for test",
            "give a longer text: several paragraphs or lines, at least 2 KB");
    const auto target = std::clamp<std::uint64_t>(std::uint64_t(bytes_) / 400, minBlock, maxBlock);
    const auto strata = std::clamp<std::uint64_t>(count / 20, 1, maxEvaluation / target);
    Random random(hashText(fingerprint_));
    for (std::uint64_t i = 0; i < strata; ++i) {
        const auto begin = count * i / strata, length = count * (i + 1) / strata - begin;
        const auto valid = random.below(length), step = 1 + random.below(length - 1);
        blocks_[begin + valid].split = TextSplit::Valid;
        blocks_[begin + (valid + step) % length].split = TextSplit::Test;
    }
}

std::string TextSource::raw(const TextBlock& block) const
{
    const auto in = openRegular(files_[block.file].path);
    std::string text(std::size_t(block.end - block.begin), '\0');
    for (std::size_t at = 0; at < text.size();) {
        const auto size = readSome(in, text.data() + at, text.size() - at, block.begin + at);
        if (size == 0) throwTextChanged(*this);
        at += size;
    }
    return text;
}

std::string TextSource::clean(const TextBlock& block, std::string raw, std::int64_t& repairs) const
{
    std::string_view rest = raw;
    if (block.begin == 0 && rest.starts_with("\xEF\xBB\xBF")) rest.remove_prefix(3);
    std::string lines;
    lines.reserve(rest.size() + 1);
    for (std::size_t i = 0; i < rest.size(); ++i) {
        if (rest[i] == '\r') {
            if (i + 1 == rest.size() || rest[i + 1] != '\n') lines += '\n';
        } else if (rest[i] == '\0') {
            lines += replacementCharacter;
            ++repairs;
        } else {
            lines += rest[i];
        }
    }
    if (block.end == files_[block.file].size && !lines.empty() && lines.back() != '\n') lines += '\n';
    return validUtf8(lines) ? lines : repairUtf8(lines, repairs);
}

void throwTextChanged(const TextSource& source)
{
    throw DataError(source.path().string(), "changed while it was read", "wait until it is complete and try again");
}

} // namespace pha
