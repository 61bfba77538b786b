// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/character_tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/base/utf8.h"

#include <unordered_map>

namespace pha {

namespace {

constexpr std::size_t mostCharacters = std::size_t(1) << 20;

[[noreturn]] void failList(const std::string& where, const std::string& reason)
{
    throw DataError(where, "the list of characters " + reason, "restore the tokenizer, or make the tokens again");
}

class CharacterTokenizer final : public Tokenizer {
public:
    CharacterTokenizer(std::vector<std::string> characters, const std::string& where)
        : characters_(std::move(characters))
    {
        if (characters_.size() < 2 || characters_.size() > mostCharacters) failList(where, "is too short or too long");
        for (const auto& character : characters_) {
            const auto step = character.empty() ? Utf8Step() : stepUtf8(character);
            if (!step.valid || step.length != character.size())
                failList(where, "has " + inQuotes(character) + ", which is not one character");
            if (!ids_.emplace(character, std::int32_t(ids_.size())).second)
                failList(where, "has " + inQuotes(character) + " twice");
        }
        if (const auto space = ids_.find(" "); space != ids_.end()) unknown_ = space->second;
        model_ = std::string(charactersMark) + Json(characters_).dump() + "\n";
        fingerprint_ = sha256Hex(model_);
    }

    Kind kind() const override { return Kind::Characters; }
    std::string description() const override { return std::to_string(size()) + " characters"; }
    std::int64_t size() const override { return std::int64_t(characters_.size()); }
    std::vector<std::int32_t> encode(std::string_view text) const override
    {
        std::vector<std::int32_t> ids;
        ids.reserve(text.size());
        while (!text.empty()) {
            const auto length = stepUtf8(text).length;
            const auto known = ids_.find(std::string(text.substr(0, length)));
            ids.push_back(known == ids_.end() ? unknown_ : known->second);
            text.remove_prefix(length);
        }
        return ids;
    }
    std::string piece(std::int32_t id) const override
    {
        return id >= 0 && id < size() ? characters_[std::size_t(id)] : std::string(replacementCharacter);
    }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return fingerprint_; }

private:
    std::vector<std::string> characters_; ///< of each id
    std::unordered_map<std::string, std::int32_t> ids_;
    std::int32_t unknown_ = 0;
    std::string model_, fingerprint_;
};

} // namespace

std::unique_ptr<Tokenizer> characterTokenizer(std::vector<std::string> characters, const std::string& where)
{
    return std::make_unique<CharacterTokenizer>(std::move(characters), where);
}

std::unique_ptr<Tokenizer> readCharacterTokenizer(std::string_view model, const std::string& where)
{
    const auto list = parseJsonStrict(std::string(model.substr(charactersMark.size())), where);
    if (!list.is_array()) failList(where, "is none");
    std::vector<std::string> characters;
    for (const auto& each : list) {
        if (!each.is_string()) failList(where, "has something that is no text");
        characters.push_back(each.get<std::string>());
    }
    return characterTokenizer(std::move(characters), where);
}

} // namespace pha
