// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pha {

/// Encodings of words that have been seen, looked up without making a string.
class WordCache {
public:
    const std::vector<std::int32_t>* find(std::string_view word) const
    {
        const auto known = words_.find(word);
        return known == words_.end() ? nullptr : &known->second;
    }
    void keep(std::string_view word, std::vector<std::int32_t> ids)
    {
        if (word.size() <= longest && words_.size() < most) words_.emplace(word, std::move(ids));
    }

private:
    struct Hash {
        using is_transparent = void;
        std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
    };
    static constexpr std::size_t most = std::size_t(1) << 16, longest = 48;
    std::unordered_map<std::string, std::vector<std::int32_t>, Hash, std::equal_to<>> words_;
};

} // namespace pha
