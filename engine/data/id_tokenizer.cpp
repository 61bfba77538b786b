// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/id_tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/word_tokenizer.h"

namespace pha {

namespace {

constexpr std::int64_t mostIds = std::int64_t(1) << 20;

class IdTokenizer final : public WordTokenizer {
public:
    explicit IdTokenizer(std::int64_t size)
        : WordTokenizer(" \t\r\n\v\f,")
        , size_(size)
        , model_(std::string(idsMark) + std::to_string(size) + "\n")
    {
    }

    Kind kind() const override { return Kind::Ids; }
    std::string description() const override { return std::to_string(size_) + " token numbers without a text"; }
    std::int64_t size() const override { return size_; }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return sha256Hex(model_); }

private:
    std::int32_t idOf(std::string_view word) const override
    {
        const auto id = parseInteger(word);
        return id && *id >= 0 && *id < size_ ? std::int32_t(*id) : 0;
    }
    std::string wordOf(std::int32_t id) const override { return std::to_string(id); }

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
