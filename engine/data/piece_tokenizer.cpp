// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/piece_tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/utf8.h"
#include "engine/data/piece_library.h"
#include "engine/data/word_cache.h"

#include <array>
#include <charconv>
#include <mutex>

namespace pha {

namespace {

constexpr std::size_t maxChunk = 512; ///< bytes: longer words are cut, so that no input makes encoding slow

class SentencePieceTokenizer final : public Tokenizer {
public:
    SentencePieceTokenizer(std::string model, const TokenizerModel& scanned, const std::string& where)
        : model_(std::move(model))
        , fingerprint_(sha256Hex(model_))
        , processor_(pieceLibrary().load(model_))
        , type_(scanned.modelType)
        , lossless_(scanned.lossless())
        , dummyPrefix_(scanned.addDummyPrefix)
    {
        if (!processor_)
            throw DataError(where, "sentencepiece cannot read the tokenizer model", "choose another model");
        bytes_.fill(-1);
        for (std::size_t id = 0; id < scanned.pieces.size(); ++id) {
            const auto& piece = scanned.pieces[id];
            texts_.push_back(bytesOf(piece));
            if (piece.type == TokenizerModel::Type::Byte)
                bytes_[static_cast<unsigned char>(texts_.back()[0])] = std::int32_t(id);
            if (piece.text == spaceMark) space_ = std::int32_t(id);
            if (piece.text == "\n") newline_ = std::int32_t(id);
        }
        if (newline_ < 0) newline_ = bytes_['\n'];
        if (space_ < 0) space_ = bytes_[' '];
    }

    Kind kind() const override { return Kind::SentencePiece; }
    std::string description() const override
    {
        static constexpr const char* types[] = { "unigram", "BPE", "words", "characters" };
        return std::string("sentencepiece ") + types[type_ - 1] + ", " + std::to_string(size()) + " pieces";
    }
    std::int64_t size() const override { return std::int64_t(texts_.size()); }

    std::vector<std::int32_t> encode(std::string_view text) const override
    {
        std::vector<std::int32_t> ids;
        if (!lossless_) {
            std::int64_t repairs = 0;
            append(repairUtf8(text, repairs), ids);
            return ids;
        }
        ids.reserve(text.size() / 3);
        // One thread at a time has the shared cache; another one works with its own rather than wait.
        const std::unique_lock lock(mutex_, std::try_to_lock);
        WordCache own;
        auto& cache = lock.owns_lock() ? cache_ : own;
        for (std::size_t at = 0; at < text.size();) at += encodeChunk(text.substr(at), cache, ids);
        return ids;
    }

    std::string decode(const std::vector<std::int32_t>& ids) const override
    {
        std::string text;
        for (const auto id : ids) text += pieceText(id);
        if (dummyPrefix_ && text.starts_with(' ')) text.erase(0, 1); // encoding put it there
        return text;
    }

    std::string piece(std::int32_t id) const override { return std::string(pieceText(id)); }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return fingerprint_; }

private:
    static std::string bytesOf(const TokenizerModel::Piece& piece)
    {
        switch (piece.type) {
        case TokenizerModel::Type::Control:
            return {};
        case TokenizerModel::Type::Unknown:
            return std::string(replacementCharacter);
        case TokenizerModel::Type::Byte: {
            unsigned value = 0;
            std::from_chars(piece.text.data() + 3, piece.text.data() + 5, value, 16);
            return std::string(1, char(value));
        }
        default:
            break;
        }
        std::string text;
        for (auto rest = piece.text; !rest.empty();) {
            const bool space = rest.starts_with(spaceMark);
            text += space ? ' ' : rest[0];
            rest.remove_prefix(space ? spaceMark.size() : 1);
        }
        return text;
    }

    std::string_view pieceText(std::int32_t id) const
    {
        return id >= 0 && std::size_t(id) < texts_.size() ? std::string_view(texts_[std::size_t(id)])
                                                          : replacementCharacter;
    }

    void append(std::string_view text, std::vector<std::int32_t>& ids) const
    {
        std::vector<int> found;
        if (!processor_->encode(text, found)) throw Error("a text could not be encoded", "check the tokenizer");
        ids.insert(ids.end(), found.begin(), found.end());
    }

    /// Encodes a word with the space before it, a line end, or bytes that sentencepiece would change. Returns the bytes
    /// used.
    std::size_t encodeChunk(std::string_view text, WordCache& cache, std::vector<std::int32_t>& ids) const
    {
        if (text[0] == '\n') return ids.push_back(newline_), 1;
        std::size_t end = text[0] == ' ';
        while (end < text.size() && end < maxChunk) {
            const auto c = static_cast<unsigned char>(text[end]);
            if (c <= ' ') break;
            std::size_t length = 1;
            if (c >= 0x80) {
                const auto step = stepUtf8(text.substr(end));
                if (!step.valid || text.substr(end).starts_with(spaceMark)) break;
                length = step.length;
            }
            end += length;
        }
        if (end == 0) {
            // Control characters, invalid bytes and U+2581 itself, which would come back as a space.
            const std::size_t length = text.starts_with(spaceMark) ? spaceMark.size() : 1;
            for (std::size_t i = 0; i < length; ++i) ids.push_back(bytes_[static_cast<unsigned char>(text[i])]);
            return length;
        }
        auto word = text.substr(0, end);
        if (word[0] == ' ' && (space_ == bytes_[' '] || word.size() == 1)) {
            // Without a piece for the space sentencepiece would spell its mark, not the space.
            ids.push_back(space_);
            return 1;
        }
        if (const auto* known = cache.find(word)) {
            ids.insert(ids.end(), known->begin(), known->end());
            return end;
        }
        std::vector<std::int32_t> found;
        append(word, found);
        ids.insert(ids.end(), found.begin(), found.end());
        cache.keep(word, std::move(found));
        return end;
    }

    std::string model_, fingerprint_;
    std::unique_ptr<PieceLibrary::Model> processor_;
    int type_ = 1; ///< as in TokenizerModel
    bool lossless_ = false, dummyPrefix_ = false;
    std::vector<std::string> texts_; ///< bytes of each piece
    std::array<std::int32_t, 256> bytes_ {}; ///< ids of the byte pieces
    std::int32_t space_ = -1, newline_ = -1;
    mutable std::mutex mutex_;
    mutable WordCache cache_;
};

} // namespace

std::unique_ptr<Tokenizer> pieceTokenizer(std::string model, const TokenizerModel& scanned, const std::string& where)
{
    return std::make_unique<SentencePieceTokenizer>(std::move(model), scanned, where);
}

} // namespace pha
