// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/parquet_rows.h"

#include "engine/base/error.h"
#include "engine/data/input_file.h"
#include "engine/data/parquet_codecs.h"
#include "engine/data/take_bytes.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace pha {

namespace {

constexpr std::string_view parquetMark = "PAR1", encryptedMark = "PARE";
constexpr std::uint64_t tailBytes = 8, maxFooter = std::uint64_t(32) << 20, maxPage = std::uint64_t(256) << 20;
constexpr int runLengths = 3; ///< Encoding RLE
constexpr int maxEmpty = 1000; ///< pages without rows in a row, while nobody hears who wants to stop
constexpr std::uint64_t usualHeader = 4 << 10, maxHeader = 16 << 20; ///< statistics may hold whole texts

} // namespace

bool looksLikeParquet(std::string_view head)
{
    return head.starts_with("PAR1\x15"); // and the first field of a page, so that a text may begin like it
}

ParquetRows::ParquetRows(
    const std::filesystem::path& file, const std::string& column, std::atomic<std::uint64_t>* taken)
    : where_(file.string())
    , file_(openInput(file))
    , taken_(taken)
    , size_(std::uint64_t(std::max<off_t>(file_.status().st_size, 0)))
{
    readFooter(column);
}

void ParquetRows::readFooter(const std::string& column)
{
    const auto head = read(0, std::min<std::uint64_t>(size_, 64));
    if (head.starts_with("version https://git-lfs"))
        throw DataError(where_, "only points to a file of Git LFS", "fetch the file itself with: git lfs pull");
    if (head.starts_with(encryptedMark)) throw DataError(where_, "is encrypted", "write it again without encryption");
    if (!head.starts_with(parquetMark)) throw DataError(where_, "is no Parquet file", "give a text under its own name");
    if (size_ < parquetMark.size() + tailBytes) damaged("it ends too early");
    const auto tail = read(size_ - tailBytes, tailBytes);
    if (tail.substr(4) == encryptedMark) throw DataError(where_, "is encrypted", "write it again without encryption");
    if (tail.substr(4) != parquetMark) damaged("it ends too early");
    const std::uint64_t footer = littleEndian(std::string_view(tail).substr(0, 4)),
                        room = size_ - tailBytes - parquetMark.size();
    if (footer > room) damaged("its footer is wrong");
    if (footer > maxFooter)
        throw DataError(where_, "has a footer of more than 32 MiB", "write it again with larger row groups");
    const auto dataEnd = size_ - tailBytes - footer;
    column_ = readParquetFooter(read(dataEnd, footer), dataEnd, column, where_);
}

bool ParquetRows::next(std::optional<std::string_view>& text)
{
    std::uint64_t none = 0;
    if (pageLeft_ == 0 && !toPage(none)) return false;
    --pageLeft_;
    text.reset();
    std::uint32_t level = 1;
    if (column_.optional) level = levels_.next().value_or(2);
    if (level == 1) text = texts_->next();
    if (level > 1 || (level == 1 && !text)) damaged("a page has fewer texts than it says");
    madeBytes_ += 1 + (text ? text->size() : 0);
    checkBytes(madeBytes_);
    return true;
}

void ParquetRows::skip(std::uint64_t rows)
{
    std::optional<std::string_view> text;
    while (rows > 0) {
        if (pageLeft_ == 0 && !toPage(rows) && rows > 0) throwDamaged(where_, "is shorter than it was");
        for (; rows > 0 && pageLeft_ > 0; --rows) next(text);
    }
}

/// Goes to the next page with rows, past those that have no more than are to be skipped. False at the end.
bool ParquetRows::toPage(std::uint64_t& skipped)
{
    for (int empty = 0;;) {
        if (chunkLeft_ == 0) {
            if (!toChunk(skipped)) return false;
            continue;
        }
        const auto page = readHeader();
        const auto body = at_ + page.headerBytes;
        if (page.packed > chunkEnd_ - body) damaged("a page is longer than its place");
        if (page.values == 0 && ++empty > maxEmpty) damaged("it has nothing but empty pages");
        if (std::max(page.packed, page.size) > maxPage)
            throw DataError(where_, "has a page of more than 256 MiB", "write it again with smaller pages");
        if (page.type == ParquetPage::Type::Dictionary) {
            at_ = body;
            readDictionary(page);
        } else if (page.type != ParquetPage::Type::Index) {
            if (page.values > chunkLeft_) damaged("a page has more rows than its row group");
            chunkLeft_ -= page.values;
            const bool over = page.values <= skipped;
            if (over) skipped -= page.values;
            at_ = body;
            if (!over) readData(page);
        }
        at_ = body + page.packed;
        pass(at_);
        if (pageLeft_ > 0) return true;
    }
}

bool ParquetRows::toChunk(std::uint64_t& skipped)
{
    if (chunk_ == column_.chunks.size()) return pass(size_), false;
    const auto& chunk = column_.chunks[chunk_++];
    pass(chunk.begin);
    dictionary_ = {};
    if (chunk.rows <= skipped) {
        skipped -= chunk.rows;
        return true;
    }
    at_ = chunk.begin;
    chunkEnd_ = chunk.end;
    codec_ = chunk.codec;
    chunkLeft_ = chunk.rows;
    return true;
}

/// Headers are short but have no known length.
ParquetPage ParquetRows::readHeader()
{
    const auto left = chunkEnd_ - at_;
    if (left == 0) damaged("it has fewer rows than it says");
    for (auto size = usualHeader;; size *= 16) {
        if (const auto page = readParquetPage(read(at_, std::min(size, left)))) return *page;
        if (size >= std::min(left, maxHeader)) damaged("a page's header is wrong");
    }
}

std::string ParquetRows::readBody(const ParquetPage& page) const
{
    auto body = read(at_, page.packed);
    const auto sum = page.sum ? pageSum(body) : std::nullopt;
    if (sum && *sum != *page.sum) damaged("a page's checksum is wrong");
    return body;
}

void ParquetRows::readDictionary(const ParquetPage& page)
{
    auto values = unpacked(page, readBody(page), 0);
    const bool plain = page.encoding == 0 || page.encoding == 2;
    if (!plain || !dictionary_.assign(std::move(values), page.values)) damaged("its dictionary is wrong");
}

void ParquetRows::readData(const ParquetPage& page)
{
    auto body = readBody(page);
    std::size_t levels = 0;
    levelBytes_.clear();
    if (page.type == ParquetPage::Type::DataV2) { // levels stand before what is packed
        levels = std::size_t(page.repetitionBytes + page.definitionBytes);
        if (levels > page.packed || levels > page.size) damaged("a page's levels are wrong");
        levelBytes_ = body.substr(std::size_t(page.repetitionBytes), std::size_t(page.definitionBytes));
    }
    page_ = unpacked(page, std::move(body), levels);
    std::string_view values = page_;
    if (page.type == ParquetPage::Type::Data && column_.optional) {
        const auto length = takeBytes(values, 4);
        const auto taken = length ? takeBytes(values, littleEndian(*length)) : std::nullopt;
        if (page.levelEncoding != runLengths || !length || !taken) damaged("a page's levels are wrong");
        levelBytes_ = *taken;
    }
    levels_ = { levelBytes_, 1 };
    texts_ = parquetTexts(page.encoding, values, dictionary_);
    if (!texts_)
        throw DataError(where_, "has texts in an encoding that is none of texts",
            "write it again with plain or dictionary encoding");
    pageLeft_ = page.values;
}

/// What is packed in a page behind `from` bytes that are not.
std::string ParquetRows::unpacked(const ParquetPage& page, std::string body, std::size_t from)
{
    packedBytes_ += page.packed;
    unpackedBytes_ += page.size;
    checkBytes(unpackedBytes_);
    const auto size = std::size_t(page.size) - from;
    const auto codec = page.compressed ? codec_ : ParquetCodec::None;
    if (codec == ParquetCodec::None && body.size() - from == size) return body.erase(0, from), body;
    std::string out(size, '\0');
    unpackPage(codec, std::string_view(body).substr(from), out, where_);
    return out;
}

std::string ParquetRows::read(std::uint64_t at, std::uint64_t size) const
{
    std::string bytes(std::size_t(size), '\0');
    try {
        if (file_.readAt(bytes.data(), bytes.size(), std::int64_t(at)) == bytes.size()) return bytes;
    } catch (const FileError& error) {
        throwUnreadable(where_, error);
    }
    throwDamaged(where_, "is shorter than it was");
}

/// Row groups that name the same pages again and again make much of a small file, too.
void ParquetRows::checkBytes(std::uint64_t made) const { checkExpansion(where_, std::min(packedBytes_, size_), made); }

/// Everything before that place lies behind.
void ParquetRows::pass(std::uint64_t at)
{
    if (taken_ && at > passed_) *taken_ += at - passed_;
    passed_ = std::max(passed_, at);
}

void ParquetRows::damaged(const std::string& how) const { throwDamaged(where_, "is a damaged Parquet file: " + how); }

namespace {

class Lines final : public ByteSource {
public:
    Lines(std::vector<std::filesystem::path> shards, std::string column, std::atomic<std::uint64_t>* taken)
        : shards_(std::move(shards))
        , column_(std::move(column))
        , taken_(taken)
    {
        open();
    }
    std::size_t read(char* out, std::size_t size) override
    {
        std::optional<std::string_view> row;
        while (at_ == line_.size()) {
            if (!rows_->next(row)) {
                if (shard_ + 1 == shards_.size()) return 0;
                ++shard_;
                open();
                continue;
            }
            line_ = row.value_or(std::string_view());
            if (line_.empty()) line_ = " ";
            if (line_.back() != '\n') line_ += '\n';
            at_ = 0;
        }
        const auto taken = std::min(size, line_.size() - at_);
        std::memcpy(out, line_.data() + at_, taken);
        at_ += taken;
        return taken;
    }
    const std::string& where() const override { return where_; }

private:
    void open()
    {
        where_ = shards_[shard_].string();
        rows_ = std::make_unique<ParquetRows>(shards_[shard_], column_, taken_);
    }

    std::vector<std::filesystem::path> shards_;
    std::string column_;
    std::atomic<std::uint64_t>* taken_;
    std::string where_, line_;
    std::unique_ptr<ParquetRows> rows_;
    std::size_t shard_ = 0, at_ = 0; ///< at_: in the line
};

} // namespace

std::unique_ptr<ByteSource> parquetLines(
    std::vector<std::filesystem::path> shards, const std::string& column, std::atomic<std::uint64_t>* taken)
{
    return std::make_unique<Lines>(std::move(shards), column, taken);
}

} // namespace pha
