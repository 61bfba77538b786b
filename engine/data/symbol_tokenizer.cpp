// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/symbol_tokenizer.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/data/word_tokenizer.h"

#include <algorithm>
#include <unordered_map>

namespace pha {

namespace {

constexpr std::size_t mostSymbols = std::size_t(1) << 20, longestName = 64;

class SymbolTokenizer final : public WordTokenizer {
public:
    SymbolTokenizer(std::string model, const std::string& where)
        : WordTokenizer(" \t\r\n\v\f")
        , model_(std::move(model))
        , fingerprint_(sha256Hex(model_))
    {
        for (auto rest = std::string_view(model_).substr(symbolsMark.size()); !rest.empty();) {
            const auto end = rest.find('\n');
            add(rest.substr(0, end), where);
            if (end == std::string_view::npos) fail(where, "ends in the middle of a line");
            rest.remove_prefix(end + 1);
        }
        if (names_.size() < 2) fail(where, "needs at least two symbols");
    }

    Kind kind() const override { return Kind::Symbols; }
    std::string description() const override { return std::to_string(size()) + " symbols of a task"; }
    std::int64_t size() const override { return std::int64_t(names_.size()); }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return fingerprint_; }

private:
    std::int32_t idOf(std::string_view word) const override
    {
        const auto known = ids_.find(std::string(word));
        return known == ids_.end() ? 0 : known->second;
    }
    std::string wordOf(std::int32_t id) const override { return names_[std::size_t(id)]; }

    [[noreturn]] static void fail(const std::string& where, const std::string& reason)
    {
        throw DataError(where, "the list of symbols " + reason, "restore the run's own tokenizer.model");
    }
    void add(std::string_view name, const std::string& where)
    {
        const bool plain =
            std::all_of(name.begin(), name.end(), [](char c) { return static_cast<unsigned char>(c) > ' '; });
        if (name.empty() || name.size() > longestName || !plain || !validUtf8(name)) fail(where, "has a malformed one");
        if (names_.size() == mostSymbols) fail(where, "is too long");
        if (!ids_.emplace(name, std::int32_t(names_.size())).second) fail(where, "has one twice");
        names_.emplace_back(name);
    }

    std::string model_, fingerprint_;
    std::vector<std::string> names_;
    std::unordered_map<std::string, std::int32_t> ids_;
};

} // namespace

std::string symbolModel(const std::vector<std::string>& names)
{
    std::string model(symbolsMark);
    for (const auto& name : names) model += name + '\n';
    return model;
}

std::unique_ptr<Tokenizer> symbolTokenizer(std::string model, const std::string& where)
{
    return std::make_unique<SymbolTokenizer>(std::move(model), where);
}

} // namespace pha
