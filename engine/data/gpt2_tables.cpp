// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/gpt2_tables.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/utf8.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

namespace pha {

namespace {

constexpr std::size_t maxFileBytes = std::size_t(32) << 20, maxPieces = 1'000'000, maxPieceBytes = 1024;

[[noreturn]] void failTables(const std::string& where, const std::string& reason)
{
    throw DataError(where, reason, "give a folder with GPT-2's own vocab.json and merges.txt");
}

/// GPT-2 writes each byte as one printable character: those of Latin-1 that can be seen as themselves, the others as
/// U+0100, U+0101, ... in order.
class Alphabet {
public:
    static const Alphabet& instance()
    {
        static const Alphabet alphabet;
        return alphabet;
    }
    const std::string& character(unsigned char byte) const { return characters_[byte]; }
    /// False if `text` has a character that stands for no byte.
    bool read(std::string_view text, std::string& bytes) const
    {
        bytes.clear();
        while (!text.empty()) {
            const auto known = bytes_.find(text.substr(0, stepUtf8(text).length));
            if (known == bytes_.end()) return false;
            bytes += known->second;
            text.remove_prefix(known->first.size());
        }
        return true;
    }
    std::string write(std::string_view bytes) const
    {
        std::string text;
        for (const char byte : bytes) text += character(static_cast<unsigned char>(byte));
        return text;
    }

private:
    Alphabet()
    {
        unsigned next = 0x100;
        for (unsigned byte = 0; byte < 256; ++byte) {
            const bool seen = (byte > ' ' && byte < 0x7F) || (byte > 0xA0 && byte != 0xAD);
            const auto code = seen ? byte : next++;
            auto& text = characters_[byte];
            if (code < 0x80)
                text = char(code);
            else
                text = { char(0xC0 | code >> 6), char(0x80 | (code & 0x3F)) };
        }
        for (unsigned byte = 0; byte < 256; ++byte) bytes_.emplace(characters_[byte], char(byte));
    }
    std::array<std::string, 256> characters_;
    std::unordered_map<std::string_view, char> bytes_; ///< views into `characters_`
};

/// {"piece": id, ...} and nothing else, without a tree of the document.
class VocabularyReader final : public nlohmann::json_sax<nlohmann::json> {
public:
    std::map<std::int64_t, std::string> pieces;
    std::string problem;

    bool start_object(std::size_t) override { return ++depth_ == 1 || refuse(); }
    bool end_object() override { return true; }
    bool key(string_t& text) override
    {
        key_ = text;
        return true;
    }
    bool number_unsigned(number_unsigned_t id) override
    {
        if (depth_ != 1) return refuse();
        if (id >= maxPieces) return refuse("has an id of a million or more");
        return pieces.emplace(std::int64_t(id), key_).second || refuse("gives an id to two pieces");
    }
    bool null() override { return refuse(); }
    bool boolean(bool) override { return refuse(); }
    bool number_integer(number_integer_t) override { return refuse(); }
    bool number_float(number_float_t, const string_t&) override { return refuse(); }
    bool string(string_t&) override { return refuse(); }
    bool binary(binary_t&) override { return refuse(); }
    bool start_array(std::size_t) override { return refuse(); }
    bool end_array() override { return refuse(); }
    bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) override
    {
        return refuse("is not JSON at byte " + std::to_string(at));
    }

private:
    bool refuse(const std::string& why = "must be one object of pieces and their ids") { return problem = why, false; }

    std::string key_;
    int depth_ = 0;
};

std::vector<std::string> readVocabulary(std::string_view text, const std::string& where)
{
    VocabularyReader reader;
    if (text.size() > maxFileBytes) failTables(where, "its vocabulary is larger than 32 MB");
    if (!nlohmann::json::sax_parse(text.begin(), text.end(), &reader))
        failTables(where, "its vocabulary " + reader.problem);
    std::vector<std::string> pieces;
    for (auto& [id, piece] : reader.pieces) {
        if (id != std::int64_t(pieces.size()))
            failTables(where, "its vocabulary has no piece " + std::to_string(pieces.size()));
        pieces.push_back(std::move(piece));
    }
    return pieces;
}

/// The next line without its end; false after the last one.
bool nextLine(std::string_view& text, std::string_view& line)
{
    if (text.empty()) return false;
    const auto end = std::min(text.find('\n'), text.size());
    line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    return true;
}

/// Fills a table, piece by piece and merge by merge, in the alphabet's characters.
class Builder {
public:
    Builder(const std::vector<std::string>& pieces, const std::string& where)
        : where_(where)
    {
        if (pieces.size() > maxPieces) failTables(where, "it has more than a million pieces");
        std::string bytes;
        for (const auto& piece : pieces) {
            if (piece.empty() || piece.size() > 2 * maxPieceBytes)
                failTables(where, "it has a piece that is empty or too long");
            if (!Alphabet::instance().read(piece, bytes))
                failTables(where, "its piece " + inQuotes(piece) + " is not written in GPT-2's alphabet of bytes");
            if (!ids_.emplace(bytes, std::int32_t(tables_.pieces.size())).second)
                failTables(where, "it has the piece " + inQuotes(piece) + " twice");
            tables_.pieces.push_back(bytes);
        }
        made_.resize(pieces.size(), false);
        for (int byte = 0; byte < 256; ++byte) {
            const auto known = ids_.find(std::string(1, char(byte)));
            if (known == ids_.end()) failTables(where, "it has no piece for the byte " + std::to_string(byte));
            tables_.bytes[std::size_t(byte)] = known->second;
            made_[std::size_t(known->second)] = true;
        }
    }

    void add(std::string_view line)
    {
        const auto space = line.find(' ');
        if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
            failTables(where_, "its merge " + inQuotes(line) + " is not two pieces with a space between them");
        const auto left = idOf(line.substr(0, space)), right = idOf(line.substr(space + 1));
        const auto result = ids_.find(tables_.pieces[std::size_t(left)] + tables_.pieces[std::size_t(right)]);
        if (result == ids_.end())
            failTables(where_, "its merge " + inQuotes(line) + " makes no piece of the vocabulary");
        if (!pairs_.insert(std::uint64_t(left) << 32 | std::uint32_t(right)).second)
            failTables(where_, "it has the merge " + inQuotes(line) + " twice");
        tables_.merges.push_back({ left, right, result->second });
        made_[std::size_t(result->second)] = true;
    }

    Gpt2Tables finish()
    {
        for (std::size_t id = 0; id < made_.size(); ++id) {
            const auto& piece = tables_.pieces[id];
            if (!made_[id] && piece.starts_with("<|") && piece.ends_with("|>"))
                tables_.marks.push_back(std::int32_t(id));
        }
        return std::move(tables_);
    }

private:
    std::int32_t idOf(std::string_view piece) const
    {
        std::string bytes;
        const bool readable = Alphabet::instance().read(piece, bytes);
        const auto known = ids_.find(bytes);
        if (!readable || known == ids_.end())
            failTables(where_, "its merges name " + inQuotes(piece) + ", which is no piece of the vocabulary");
        return known->second;
    }

    const std::string& where_;
    Gpt2Tables tables_;
    std::unordered_map<std::string, std::int32_t> ids_; ///< by bytes
    std::unordered_set<std::uint64_t> pairs_;
    std::vector<bool> made_; ///< pieces that are a byte or come from a merge
};

} // namespace

Gpt2Tables readGpt2Files(std::string_view vocab, std::string_view merges, const std::string& where)
{
    Builder builder(readVocabulary(vocab, where), where);
    if (merges.size() > maxFileBytes) failTables(where, "its merges are larger than 32 MB");
    std::string_view line;
    for (bool first = true; nextLine(merges, line); first = false)
        if (!line.empty() && !(first && line.starts_with("#version"))) builder.add(line);
    return builder.finish();
}

std::string gpt2Letters(std::string_view bytes) { return Alphabet::instance().write(bytes); }

std::string Gpt2Tables::model() const
{
    std::string text(gpt2Mark);
    text += std::to_string(pieces.size()) + '\n';
    for (const auto& piece : pieces) text += gpt2Letters(piece) + '\n';
    for (const auto& merge : merges)
        text +=
            gpt2Letters(pieces[std::size_t(merge.left)]) + ' ' + gpt2Letters(pieces[std::size_t(merge.right)]) + '\n';
    return text;
}

Gpt2Tables readGpt2Model(std::string_view model, const std::string& where)
{
    if (model.size() > maxFileBytes) failTables(where, "it is larger than 32 MB");
    if (!model.starts_with(gpt2Mark)) failTables(where, "it is not a GPT-2 tokenizer");
    model.remove_prefix(gpt2Mark.size());
    std::string_view line;
    const auto count = nextLine(model, line) ? parseInteger(line) : std::nullopt;
    if (!count || *count < 0 || *count > std::int64_t(maxPieces)) failTables(where, "it has no number of pieces");
    std::vector<std::string> pieces;
    while (std::int64_t(pieces.size()) < *count) {
        if (!nextLine(model, line)) failTables(where, "it ends in the middle of its pieces");
        pieces.emplace_back(line);
    }
    Builder builder(pieces, where);
    while (nextLine(model, line)) builder.add(line);
    return builder.finish();
}

} // namespace pha
