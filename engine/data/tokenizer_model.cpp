// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer_model.h"

#include "engine/base/error.h"
#include "engine/data/tokenizer.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <unordered_set>

namespace pha {

namespace {

constexpr std::size_t maxModelBytes = std::size_t(32) << 20, maxPieces = 1'000'000, maxPieceBytes = 1024;

/// Reads protobuf's wire format. Every length is checked against what is left.
class WireReader {
public:
    WireReader(std::string_view bytes, const std::string& where)
        : bytes_(bytes)
        , where_(where)
    {
    }

    struct Field {
        std::uint64_t number = 0;
        int wire = 0;
        std::uint64_t integer = 0; ///< varint, or the bits of a fixed field
        std::string_view bytes;
    };

    bool next(Field& field)
    {
        if (bytes_.empty()) return false;
        const auto tag = varint();
        field = { tag >> 3, int(tag & 7), 0, {} };
        if (field.number == 0 || field.number > (1u << 29) - 1) fail("has a field without a number");
        switch (field.wire) {
        case 0:
            field.integer = varint();
            break;
        case 1:
            field.integer = fixed(8);
            break;
        case 2:
            field.bytes = take(varint());
            break;
        case 5:
            field.integer = fixed(4);
            break;
        default:
            fail("has a field of an unknown kind");
        }
        return true;
    }
    std::string_view text(const Field& field) const { return field.wire == 2 ? field.bytes : wrongKind(); }
    std::uint64_t integer(const Field& field) const
    {
        if (field.wire != 0) wrongKind();
        return field.integer;
    }
    float number(const Field& field) const
    {
        if (field.wire != 5) wrongKind();
        return std::bit_cast<float>(std::uint32_t(field.integer));
    }
    [[noreturn]] void fail(const std::string& reason) const
    {
        throw DataError(where_, "the tokenizer model " + reason, "choose a sentencepiece model file (.model)");
    }

private:
    [[noreturn]] std::string_view wrongKind() const { fail("has a field of the wrong kind"); }
    std::string_view take(std::uint64_t count)
    {
        if (count > bytes_.size()) fail("ends in the middle of a field");
        const auto taken = bytes_.substr(0, std::size_t(count));
        bytes_.remove_prefix(std::size_t(count));
        return taken;
    }
    std::uint64_t varint()
    {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1)[0]);
            value |= std::uint64_t(byte & 0x7F) << shift;
            if (byte < 0x80) return value;
        }
        fail("has an endless number");
    }
    std::uint64_t fixed(std::size_t count)
    {
        std::uint64_t value = 0;
        const auto taken = take(count);
        for (std::size_t i = 0; i < count; ++i) value |= std::uint64_t(static_cast<unsigned char>(taken[i])) << (8 * i);
        return value;
    }

    std::string_view bytes_;
    const std::string& where_;
};

/// A normaliser's map: length of a double-array trie, the trie, NUL-terminated replacements. Every unit's children and
/// every leaf's replacement must exist, because the library follows them unchecked.
void checkCharacterMap(std::string_view map, const WireReader& reader)
{
    const auto unitAt = [&](std::size_t byte) {
        std::uint32_t unit = 0;
        for (std::size_t i = 0; i < 4; ++i) unit |= std::uint32_t(static_cast<unsigned char>(map[byte + i])) << (8 * i);
        return unit;
    };
    if (map.size() < 4) reader.fail("has a normaliser that is too short");
    const std::size_t trieBytes = unitAt(0), units = trieBytes / 4;
    if (trieBytes % 4 != 0 || units == 0 || trieBytes > map.size() - 4)
        reader.fail("has a normaliser whose table does not fit into it");
    const auto replacements = map.substr(4 + trieBytes);
    if (replacements.empty() || replacements.back() != '\0') reader.fail("has a normaliser without an end");
    for (std::size_t i = 0; i < units; ++i) {
        const auto unit = unitAt(4 + 4 * i);
        if (unit >> 31) {
            if (i == 0 || (unit & 0x7FFFFFFF) >= replacements.size())
                reader.fail("has a normaliser that points outside itself");
            continue;
        }
        const std::size_t offset = std::size_t(unit >> 10) << ((unit & 0x200) >> 6);
        if (((i ^ offset) | 0xFF) >= units) reader.fail("has a normaliser that points outside itself");
    }
}

void scanNormaliser(std::string_view bytes, const std::string& where, TokenizerModel* model)
{
    WireReader reader(bytes, where);
    WireReader::Field field;
    while (reader.next(field)) {
        if (field.number == 2) {
            if (!reader.text(field).empty()) checkCharacterMap(field.bytes, reader);
            if (model && !field.bytes.empty()) model->normalises = true;
        } else if (model && field.number == 3)
            model->addDummyPrefix = reader.integer(field) != 0;
        else if (model && field.number == 4)
            model->removeExtraWhitespaces = reader.integer(field) != 0;
        else if (model && field.number == 5)
            model->escapeWhitespaces = reader.integer(field) != 0;
    }
}

void scanTrainer(std::string_view bytes, const std::string& where, TokenizerModel& model)
{
    WireReader reader(bytes, where);
    WireReader::Field field;
    while (reader.next(field)) {
        if (field.number == 3) {
            const auto type = reader.integer(field);
            if (type < 1 || type > 4) reader.fail("is of an unknown type");
            model.modelType = int(type);
        } else if (field.number == 24)
            model.whitespaceSuffix = reader.integer(field) != 0;
        else if (field.number == 35)
            model.byteFallback = reader.integer(field) != 0;
    }
}

TokenizerModel::Piece scanPiece(std::string_view bytes, const std::string& where)
{
    WireReader reader(bytes, where);
    WireReader::Field field;
    TokenizerModel::Piece piece;
    while (reader.next(field)) {
        if (field.number == 1)
            piece.text = reader.text(field);
        else if (field.number == 2)
            piece.score = reader.number(field);
        else if (field.number == 3) {
            const auto type = reader.integer(field);
            if (type < 1 || type > 6) reader.fail("has a piece of an unknown type");
            piece.type = TokenizerModel::Type(type);
        }
    }
    if (piece.text.empty() || piece.text.size() > maxPieceBytes) reader.fail("has a piece that is empty or too long");
    if (!validUtf8(piece.text)) reader.fail("has a piece that is not UTF-8");
    if (!std::isfinite(piece.score)) reader.fail("has a piece whose score is not a number");
    return piece;
}

bool isBytePiece(std::string_view text)
{
    const auto digit = [&](char c) { return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'F'); };
    return text.size() == 6 && text.starts_with("<0x") && digit(text[3]) && digit(text[4]) && text[5] == '>';
}

void checkPieces(const TokenizerModel& model, const WireReader& reader)
{
    std::unordered_set<std::string_view> seen;
    std::size_t unknown = 0, bytes = 0;
    for (const auto& piece : model.pieces) {
        if (!seen.insert(piece.text).second) reader.fail("has a piece twice");
        unknown += piece.type == TokenizerModel::Type::Unknown;
        bytes += piece.type == TokenizerModel::Type::Byte;
        if (piece.type == TokenizerModel::Type::Byte && !isBytePiece(piece.text))
            reader.fail("has a malformed byte piece");
        // The unigram trie takes NUL for an end and throws; other types may hold one, the child process decides.
        if (model.modelType == 1 && piece.text.find('\0') != std::string_view::npos)
            reader.fail("has a piece with a NUL character");
    }
    if (unknown != 1) reader.fail("needs exactly one piece for unknown text");
    if (model.byteFallback && bytes != 256) reader.fail("falls back to bytes but has not all 256 of them");
    if (!model.byteFallback && bytes != 0) reader.fail("has byte pieces without falling back to bytes");
}

} // namespace

bool TokenizerModel::lossless() const
{
    if (normalises || addDummyPrefix || removeExtraWhitespaces || !escapeWhitespaces || whitespaceSuffix
        || !byteFallback)
        return false;
    for (const auto& piece : pieces) {
        if (piece.type != Type::Normal && piece.type != Type::UserDefined) continue;
        if (piece.text.find(spaceMark, 1) != std::string_view::npos) return false;
        if (piece.type == Type::UserDefined && piece.text != "\n") return false;
        if (piece.text != "\n" && piece.text.find('\n') != std::string_view::npos) return false;
    }
    return true;
}

TokenizerModel scanTokenizerModel(std::string_view model, const std::string& where)
{
    WireReader reader(model, where);
    if (model.empty()) reader.fail("is empty");
    if (model.size() > maxModelBytes) reader.fail("is larger than 32 MB");
    TokenizerModel found;
    int trainers = 0, normalisers = 0, denormalisers = 0;
    WireReader::Field field;
    while (reader.next(field)) {
        if (field.number == 1) {
            if (found.pieces.size() == maxPieces) reader.fail("has more than a million pieces");
            found.pieces.push_back(scanPiece(reader.text(field), where));
        } else if (field.number == 2) {
            scanTrainer(reader.text(field), where, found);
            ++trainers;
        } else if (field.number == 3) {
            scanNormaliser(reader.text(field), where, &found);
            ++normalisers;
        } else if (field.number == 5) {
            scanNormaliser(reader.text(field), where, nullptr);
            ++denormalisers;
        }
    }
    // The library would merge several of these into one that nobody has checked.
    if (trainers > 1 || normalisers > 1 || denormalisers > 1) reader.fail("describes itself twice");
    checkPieces(found, reader);
    return found;
}

} // namespace pha
