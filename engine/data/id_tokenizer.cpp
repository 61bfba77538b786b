// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/id_tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/utf8.h"

namespace pha {

namespace {

constexpr std::int64_t mostIds = std::int64_t(1) << 20;

class IdTokenizer final : public Tokenizer {
public:
    explicit IdTokenizer(std::int64_t size)
        : size_(size)
        , model_(std::string(idsMark) + std::to_string(size) + "\n")
    {
    }

    Kind kind() const override { return Kind::Ids; }
    std::string description() const override { return std::to_string(size_) + " token numbers without a text"; }
    std::int64_t size() const override { return size_; }

    /// What is no number of the vocabulary becomes 0.
    std::vector<std::int32_t> encode(std::string_view text) const override
    {
        constexpr std::string_view blanks = " \t\r\n\v\f,";
        std::vector<std::int32_t> ids;
        for (std::size_t at = 0;;) {
            at = text.find_first_not_of(blanks, at);
            if (at == std::string_view::npos) return ids;
            const auto end = std::min(text.find_first_of(blanks, at), text.size());
            const auto id = parseInteger(text.substr(at, end - at));
            ids.push_back(id && *id >= 0 && *id < size_ ? std::int32_t(*id) : 0);
            at = end;
        }
    }
    std::string decode(const std::vector<std::int32_t>& ids) const override
    {
        std::string text;
        for (const auto id : ids) text += piece(id);
        return text.substr(text.starts_with(' '));
    }
    std::string piece(std::int32_t id) const override
    {
        return id >= 0 && id < size_ ? ' ' + std::to_string(id) : std::string(replacementCharacter);
    }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return sha256Hex(model_); }

private:
    std::int64_t size_;
    std::string model_;
};

} // namespace

std::unique_ptr<Tokenizer> idTokenizer(std::int64_t size) { return std::make_unique<IdTokenizer>(size); }

std::unique_ptr<Tokenizer> readIdTokenizer(std::string_view model, const std::string& where)
{
    model.remove_prefix(idsMark.size());
    const auto size = model.ends_with('\n') ? parseInteger(model.substr(0, model.size() - 1)) : std::nullopt;
    if (!size || *size < 2 || *size > mostIds)
        throw DataError(where, "has no size of the vocabulary", "restore the run's own tokenizer.model");
    return idTokenizer(*size);
}

} // namespace pha
