// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/text_input.h"

#include "engine/base/error.h"
#include "engine/data/record_reader.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>
#include <sys/stat.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t maxFiles = 100'000, maxArchives = 4; ///< archives inside archives
constexpr int maxDepth = 16;

bool isTable(const std::string& name, std::string_view head) { return isTableName(name) || looksLikeParquet(head); }

int rank(std::optional<TextSplit> given) { return given == TextSplit::Valid ? 0 : given == TextSplit::Test ? 1 : 2; }

void addFolder(const fs::path& folder, std::vector<fs::path>& found)
{
    const auto before = found.size();
    std::error_code problem;
    if (fs::exists(folder / "run.json", problem))
        throw DataError(folder.string(), "is a run, not a text",
            "give the text that it was trained on, or look at the run with pha inspect");
    fs::recursive_directory_iterator entries;
    if (fs::directory_iterator(folder, problem); !problem) // folders below this one may be closed to us
        entries = fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied, problem);
    for (; !problem && entries != fs::recursive_directory_iterator(); entries.increment(problem)) {
        std::error_code unreadable;
        if (entries.depth() >= maxDepth) entries.disable_recursion_pending();
        // A link is followed only where it stands for one of a set of splits; folders full of links are not walked.
        const auto& path = entries->path();
        const bool link = entries->is_symlink(unreadable) && !isWikiTextName(path.string());
        if (link || !isTextName(path.string()) || !entries->is_regular_file(unreadable)) continue;
        if (found.size() == maxFiles)
            throw DataError(folder.string(), "holds more than 100000 text files", "join them into fewer files");
        found.push_back(path);
    }
    if (problem)
        throw DataError(folder.string(), "cannot be read: " + problem.message(), "check the permissions of the folder");
    if (found.size() == before)
        throw DataError(
            folder.string(), "holds no texts", "give a text file or a folder with .txt, .jsonl or .parquet files");
    std::sort(found.begin() + std::ptrdiff_t(before), found.end());
}

/// The other splits of one of WikiText's files (or of a train file of any name) beside it.
void addSisters(const fs::path& file, std::vector<fs::path>& found)
{
    const auto own = familyOfName(file.string());
    found.push_back(file);
    if (own.second != TextSplit::Train && !isWikiTextName(file.string())) return;
    std::error_code problem;
    const auto folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    for (const auto& entry : fs::directory_iterator(folder, problem)) {
        std::error_code unreadable;
        if (entry.path().filename() == file.filename() || !entry.is_regular_file(unreadable)) continue;
        const auto other = familyOfName(entry.path().string());
        if (other.first == own.first && other.second && other.second != own.second)
            found.push_back(file.parent_path() / entry.path().filename());
    }
}

/// Of the names in a tar archive that is not packed: what lies between them is passed over, not read.
TextFamilies familiesOfTar(const fs::path& file)
{
    TextFamilies families;
    try {
        const auto archive = readTar(openFileBytes(file, nullptr));
        while (archive->next())
            if (isTextName(archive->name())) families.add(archive->name());
    } catch (const DataError&) {
        // Reading the texts comes there too, and says what is wrong.
    }
    return families;
}

/// True if a table is the next shard of the same split.
bool goesOn(const TextFile& before, const TextFile& after)
{
    const auto left = before.path.string(), right = after.path.string();
    return isTableName(left) && isTableName(right) && isShardName(left) && isShardName(right)
        && before.given == after.given && before.path.parent_path() == after.path.parent_path()
        && familyOfName(left) == familyOfName(right) && left < right;
}

/// How many tables from that one on are shards of one text, cut anywhere; 1 if it stands alone.
std::size_t shardsFrom(const std::vector<TextFile>& files, std::size_t at)
{
    std::size_t count = 1;
    while (at + count < files.size() && goesOn(files[at + count - 1], files[at + count])) ++count;
    return count;
}

bool isWikiTextTable(const TextFile& file)
{
    return beginsWithTitle(PeekedSource(parquetLines({ file.path }, file.textField, nullptr)).head());
}

} // namespace

bool joinsShards(const std::vector<TextFile>& files)
{
    for (std::size_t at = 0; at < files.size();) {
        const auto count = shardsFrom(files, at);
        if (count > 1 && isWikiTextTable(files[at])) return true;
        at += count;
    }
    return false;
}

TextFile statFile(const fs::path& path)
{
    struct stat status { };
    if (::stat(path.c_str(), &status) != 0)
        throw DataError(path.string(),
            errno == ENOENT ? "no such file or folder" : std::string("cannot be read: ") + std::strerror(errno),
            "check the path and its permissions");
    if (!S_ISREG(status.st_mode))
        throw DataError(path.string(), "is not a regular file", "give a text file or a folder with text files");
    const auto nanoseconds = [](const timespec& time) {
        return std::int64_t(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
    };
    return { path, std::uint64_t(std::max<off_t>(status.st_size, 0)), nanoseconds(status.st_mtim),
        nanoseconds(status.st_ctim), {} };
}

std::vector<TextFile> findTexts(const std::vector<fs::path>& paths, const std::string& textField)
{
    std::vector<fs::path> found;
    for (const auto& path : paths) {
        std::error_code problem;
        if (fs::is_directory(path, problem))
            addFolder(path, found);
        else
            addSisters(path, found);
    }
    TextFamilies families;
    for (const auto& path : found) families.add(path.string());
    std::vector<TextFile> files;
    std::set<fs::path> seen; // a sister may also have been named
    for (const auto& path : found) {
        if (!seen.insert(path).second) continue;
        files.push_back(statFile(path));
        files.back().given = families.given(path.string());
        files.back().textField = textField;
    }
    std::stable_sort(
        files.begin(), files.end(), [](const TextFile& a, const TextFile& b) { return rank(a.given) < rank(b.given); });
    std::uint64_t bytes = 0;
    for (const auto& file : files) bytes += file.size;
    if (bytes == 0)
        throw DataError(paths.empty() ? "data" : paths.front().string(), "is empty",
            "give a text: some words to evaluate, a few kilobytes to train on");
    return files;
}

TextWalker::TextWalker(const std::vector<TextFile>& files, std::atomic<std::uint64_t>* taken)
    : files_(files)
    , taken_(taken)
{
}

bool TextWalker::next()
{
    bytes_.reset();
    rows_.reset();
    for (;;) {
        if (opened_ > 0 && nextMember()) return ++text_, true;
        if (opened_ == files_.size()) return false;
        file_ = opened_++;
        text_ = 0;
        if (openFile()) return true;
        text_ = std::size_t(-1); // the first member becomes 0
    }
}

bool TextWalker::seek(std::size_t file, std::size_t text)
{
    archives_.clear();
    entries_.clear();
    entry_ = 0;
    opened_ = file;
    // What is passed over is not unpacked, but for what lies in tar archives.
    bool there = next();
    while (there && file_ == file && text_ != text) there = next();
    return there && file_ == file;
}

/// Opens the file `file_`. True if it is a text itself.
bool TextWalker::openFile()
{
    const auto& file = files_[file_];
    entries_.clear();
    entry_ = 0;
    auto raw = std::make_unique<PeekedSource>(openFileBytes(file.path, taken_));
    if (looksLikeZip(raw->head())) return openZip(file), false;
    given_ = file.given;
    if (isTable(file.path.string(), raw->head())) return openTable(), true;
    const bool plain = looksLikeTar(raw->head());
    auto bytes = unpack(std::move(raw));
    if (looksLikeTar(bytes->head())) {
        archives_.push_back(
            { readTar(std::move(bytes)), plain ? familiesOfTar(file.path) : TextFamilies(), plain, {} });
        return false;
    }
    open(std::move(bytes), file.path.string());
    return true;
}

/// A table of texts; or one whose rows are the lines of WikiText, which is then read as what it was, with its further
/// shards: they may begin inside an article.
void TextWalker::openTable()
{
    const auto& file = files_[file_];
    kind_ = TextKind::Rows;
    if (isWikiTextTable(file)) {
        kind_ = TextKind::WikiText;
        std::vector<fs::path> shards;
        for (auto left = shardsFrom(files_, file_); left > 0; --left)
            shards.push_back(files_[file_ + shards.size()].path);
        opened_ = file_ + shards.size();
        bytes_ = std::make_unique<PeekedSource>(parquetLines(std::move(shards), file.textField, taken_));
    } else {
        rows_ = std::make_unique<ParquetRows>(file.path, file.textField, taken_);
    }
}

void TextWalker::openZip(const TextFile& file)
{
    TextFamilies families;
    for (auto& entry : readZipDirectory(file.path)) {
        if (!isTextName(entry.name)) continue;
        families.add(entry.name);
        entries_.emplace_back(std::move(entry), std::nullopt);
    }
    if (entries_.empty())
        throw DataError(file.path.string(), "holds no texts", "give an archive with .txt or .jsonl files");
    for (auto& [entry, given] : entries_) given = file.given ? file.given : families.given(entry.name);
    std::sort(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
        return std::pair(rank(a.second), std::string_view(a.first.name))
            < std::pair(rank(b.second), std::string_view(b.first.name));
    });
}

/// The split of a member of a tar archive. If its other names are not known yet, only those that need no others give
/// one.
void TextWalker::decide(Tar& tar, const std::string& name)
{
    given_ = files_[file_].given;
    if (!given_ && (isWikiTextName(name) || isShardName(name))) given_ = familyOfName(name).second;
    if (!tar.known) tar.families.add(name);
    if (given_) return;
    if (tar.known)
        given_ = tar.families.given(name);
    else if (familyOfName(name).second)
        tar.undecided.push_back(name);
}

void TextWalker::checkSplits(const Tar& tar) const
{
    for (const auto& name : tar.undecided)
        if (tar.families.given(name))
            throw DataError(files_[file_].path.string() + ": " + name,
                "belongs to a split, which the packed archive tells only at its end",
                "unpack the archive, or pack its files as one .zip or .tar");
}

bool TextWalker::nextMember()
{
    for (;;) {
        std::unique_ptr<ByteSource> member;
        std::string name;
        if (!archives_.empty()) {
            auto& tar = archives_.back();
            member = tar.archive->next();
            if (!member) {
                checkSplits(tar);
                archives_.pop_back();
                continue;
            }
            name = tar.archive->name();
            if (!isTextName(name)) continue;
            decide(tar, name);
        } else {
            if (entry_ == entries_.size()) return false;
            const auto& [entry, given] = entries_[entry_++];
            name = entry.name;
            given_ = given;
            member = openZipEntry(files_[file_].path, entry, taken_);
        }
        auto bytes = unpack(std::move(member));
        if (looksLikeTar(bytes->head())) {
            if (archives_.size() == maxArchives)
                throw DataError(bytes->where(), "is an archive in too many archives", "unpack it first");
            archives_.push_back({ readTar(std::move(bytes)), {}, false, {} });
            continue;
        }
        open(std::move(bytes), name);
        return true;
    }
}

void TextWalker::open(std::unique_ptr<PeekedSource> bytes, const std::string& name)
{
    const auto head = bytes->head();
    const auto inner = unpackedName(name);
    if (head.starts_with("\xFF\xFE") || head.starts_with("\xFE\xFF"))
        throw DataError(bytes->where(), "is UTF-16", "convert it to UTF-8: iconv -f UTF-16 -t UTF-8 FILE");
    if (const char* kind = isTable(inner, head) ? "Parquet" : looksLikeZip(head) ? "zip" : nullptr)
        throw DataError(bytes->where(), std::string("is a ") + kind + " file in a packed one",
            "unpack it first: it cannot be read from front to back");
    const bool lines = inner.ends_with(".jsonl") || inner.ends_with(".ndjson");
    kind_ = lines ? TextKind::Lines : beginsWithTitle(head) ? TextKind::WikiText : TextKind::Plain;
    bytes_ = std::move(bytes);
}

} // namespace pha
