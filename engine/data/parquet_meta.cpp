// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/parquet_meta.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/byte_source.h"
#include "engine/data/thrift.h"

#include <algorithm>
#include <initializer_list>
#include <limits>
#include <utility>

namespace pha {

namespace {

constexpr std::int64_t byteArray = 6, repeated = 2; ///< Type, FieldRepetitionType

/// Takes the fields that are integers to where they belong, and leaves the others to `visit`.
template <class Visit>
void readFields(ThriftReader& in, std::initializer_list<std::pair<int, std::int64_t*>> integers, Visit&& visit)
{
    in.structure([&](int id) {
        const auto* const found =
            std::find_if(integers.begin(), integers.end(), [id](const auto& each) { return each.first == id; });
        if (found == integers.end())
            visit(id);
        else
            *found->second = in.integer();
    });
}

struct SchemaElement {
    std::int64_t type = -1, repetition = 0, children = 0;
    std::string_view name;
};

SchemaElement readElement(ThriftReader& in)
{
    SchemaElement element;
    readFields(in, { { 1, &element.type }, { 3, &element.repetition }, { 5, &element.children } },
        [&](int id) { id == 4 ? void(element.name = in.binary()) : in.skip(); });
    return element;
}

/// Walks the schema, a tree that is written depth first: the root, its children, each with its own behind it.
class SchemaWalk {
public:
    explicit SchemaWalk(const std::string& wanted)
        : wanted_(wanted)
    {
    }
    void add(const SchemaElement& element)
    {
        if (!std::exchange(rootSeen_, true)) return;
        if (below_ > 0) { // in a group
            --below_;
        } else {
            if (names_.size() <= maxNamedFields) names_.emplace_back(element.name);
            if (element.name == wanted_ && !found_) found_ = element;
        }
        if (element.children > 0) below_ += std::int32_t(element.children);
    }
    const std::optional<SchemaElement>& found() const { return found_; }
    const std::vector<std::string>& names() const { return names_; }

private:
    const std::string& wanted_;
    bool rootSeen_ = false;
    std::int64_t below_ = 0; ///< elements left in the group
    std::optional<SchemaElement> found_;
    std::vector<std::string> names_;
};

/// ColumnChunk with its ColumnMetaData, unchecked.
struct ChunkData {
    bool ours = false, elsewhere = false, encrypted = false, described = false;
    std::int64_t type = -1, codec = -1, rows = -1, bytes = -1, pages = -1, dictionary = 0;
};

/// path_in_schema: true if it is the column of that name.
bool isOurPath(ThriftReader& in, std::string_view name)
{
    std::size_t parts = 0;
    bool named = false;
    in.list([&] {
        named = in.binary() == name && parts == 0;
        ++parts;
    });
    return named && parts == 1;
}

void readColumnMetaData(ThriftReader& in, std::string_view name, ChunkData& chunk)
{
    chunk.described = true;
    readFields(in,
        { { 1, &chunk.type }, { 4, &chunk.codec }, { 5, &chunk.rows }, { 7, &chunk.bytes }, { 9, &chunk.pages },
            { 11, &chunk.dictionary } },
        [&](int id) { id == 3 ? void(chunk.ours = isOurPath(in, name)) : in.skip(); });
}

ChunkData readColumnChunk(ThriftReader& in, std::string_view name)
{
    ChunkData chunk;
    in.structure([&](int id) {
        if (id == 1)
            chunk.elsewhere = !in.binary().empty(); // file_path
        else if (id == 3)
            readColumnMetaData(in, name, chunk);
        else
            in.skip();
        chunk.encrypted |= id == 8; // crypto_metadata
    });
    return chunk;
}

class Footer {
public:
    Footer(std::uint64_t dataEnd, const std::string& name, const std::string& where)
        : dataEnd_(dataEnd)
        , name_(name)
        , where_(where)
        , schema_(name)
    {
    }

    ParquetColumn read(std::string_view bytes)
    {
        ThriftReader in(bytes);
        in.structure([&](int id) {
            if (id == 2)
                in.list([&] { schema_.add(readElement(in)); });
            else if (id == 4)
                in.list([&] { readRowGroup(in); });
            else
                in.skip();
        });
        if (in.failed()) damaged();
        checkSchema();
        return std::move(column_);
    }

private:
    void readRowGroup(ThriftReader& in)
    {
        ChunkData ours;
        std::int64_t rows = -1;
        const auto readChunk = [&] {
            const auto chunk = readColumnChunk(in, name_);
            if (chunk.ours && !ours.ours) ours = chunk;
            if (!chunk.described && !ours.ours) ours.encrypted = true; // who knows which column it is
        };
        readFields(in, { { 3, &rows } }, [&](int id) { id == 1 ? in.list(readChunk) : in.skip(); });
        if (in.failed()) damaged();
        checkSchema();
        addChunk(ours, rows);
    }

    void checkSchema()
    {
        const auto& found = schema_.found();
        if (!found) throwWithoutField(where_, "column", name_, schema_.names());
        if (found->children > 0 || found->repetition == repeated)
            throw DataError(where_, column() + " holds lists or structures", otherColumn);
        if (found->type != byteArray) throw DataError(where_, column() + " holds numbers", otherColumn);
        column_.optional = found->repetition != 0;
    }

    void addChunk(const ChunkData& chunk, std::int64_t rows)
    {
        if (chunk.encrypted) throw DataError(where_, column() + " is encrypted", "write it again without encryption");
        if (!chunk.ours || chunk.type != byteArray || chunk.rows < 0 || chunk.rows != rows) damaged();
        if (chunk.elsewhere)
            throw DataError(where_, "keeps its texts in another file", "give the file that holds them");
        const bool before = chunk.dictionary > 0 && chunk.dictionary < chunk.pages; // else there is no dictionary
        const auto begin = std::uint64_t(before ? chunk.dictionary : chunk.pages); // a negative number is a large one
        const auto bytes = std::uint64_t(chunk.bytes);
        if (begin > dataEnd_ || bytes > dataEnd_ - begin) damaged();
        if (chunk.codec < 0 || chunk.codec > int(ParquetCodec::Lz4Raw)) damaged();
        column_.chunks.push_back({ begin, begin + bytes, std::uint64_t(rows), ParquetCodec(chunk.codec) });
    }

    static constexpr const char* otherColumn = "name another column, or write it again with one text a row";

    std::string column() const { return "its column " + inQuotes(name_); }
    [[noreturn]] void damaged() const { throwDamaged(where_, "is a damaged Parquet file: its footer is wrong"); }

    std::uint64_t dataEnd_;
    const std::string &name_, &where_;
    SchemaWalk schema_;
    ParquetColumn column_;
};

} // namespace

ParquetColumn readParquetFooter(
    std::string_view footer, std::uint64_t dataEnd, const std::string& name, const std::string& where)
{
    return Footer(dataEnd, name, where).read(footer);
}

std::optional<ParquetPage> readParquetPage(std::string_view bytes)
{
    ThriftReader in(bytes);
    std::int64_t type = -1, packed = -1, size = -1, values = 0, encoding = 0, levels = 0, repetition = 0,
                 definition = 0;
    constexpr auto noSum = std::numeric_limits<std::int64_t>::max();
    std::int64_t sum = noSum;
    bool compressed = true;
    const auto other = [&](int) { in.skip(); };
    readFields(in, { { 1, &type }, { 2, &size }, { 3, &packed }, { 4, &sum } }, [&](int id) {
        if (id == 5) // DataPageHeader
            readFields(in, { { 1, &values }, { 2, &encoding }, { 3, &levels } }, other);
        else if (id == 7) // DictionaryPageHeader
            readFields(in, { { 1, &values }, { 2, &encoding } }, other);
        else if (id == 8) // DataPageHeaderV2
            readFields(in, { { 1, &values }, { 4, &encoding }, { 5, &definition }, { 6, &repetition } },
                [&](int field) { field == 7 ? void(compressed = in.boolean()) : in.skip(); });
        else
            in.skip();
    });
    if (in.failed()) return {};
    for (const auto number : { type, size, packed, values, encoding, levels, repetition, definition })
        if (number < 0 || number > std::numeric_limits<std::int32_t>::max()) return {};
    const auto kind = type > 3 ? ParquetPage::Type::Index : ParquetPage::Type(type); // what is to come is passed over
    return ParquetPage { kind, bytes.size() - in.rest().size(), std::uint64_t(packed), std::uint64_t(size),
        std::uint64_t(values), int(encoding), int(levels), std::uint64_t(repetition), std::uint64_t(definition),
        compressed, sum == noSum ? std::nullopt : std::optional(std::uint32_t(sum)) };
}

} // namespace pha
