// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string_view>

namespace pha {

/// One step of SplitMix64: a good mixer of 64 bits, and the seeder of `Random`.
constexpr std::uint64_t mixBits(std::uint64_t x)
{
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

/// 64-bit FNV-1a followed by a mixer. For streams and shuffles, not for security.
constexpr std::uint64_t hashText(std::string_view text, std::uint64_t seed = 0)
{
    std::uint64_t hash = 0xcbf29ce484222325u ^ mixBits(seed);
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
    return mixBits(hash);
}

/// xoshiro256**. The standard library's distributions differ between implementations; texts must not.
class Random {
public:
    explicit constexpr Random(std::uint64_t seed)
    {
        for (auto& word : state_) word = seed = mixBits(seed);
    }
    constexpr std::uint64_t next()
    {
        const auto result = rotate(state_[1] * 5, 7) * 9;
        const auto shifted = state_[1] << 17;
        state_[2] ^= state_[0];
        state_[3] ^= state_[1];
        state_[1] ^= state_[2];
        state_[0] ^= state_[3];
        state_[2] ^= shifted;
        state_[3] = rotate(state_[3], 45);
        return result;
    }
    /// Uniform on [0, bound), without bias; bound > 0 (Lemire's multiplication with rejection).
    constexpr std::uint64_t below(std::uint64_t bound)
    {
        auto product = static_cast<unsigned __int128>(next()) * bound;
        if (static_cast<std::uint64_t>(product) < bound) {
            const std::uint64_t unfair = (0 - bound) % bound;
            while (static_cast<std::uint64_t>(product) < unfair)
                product = static_cast<unsigned __int128>(next()) * bound;
        }
        return static_cast<std::uint64_t>(product >> 64);
    }

private:
    static constexpr std::uint64_t rotate(std::uint64_t x, int k) { return (x << k) | (x >> (64 - k)); }
    std::uint64_t state_[4] {};
};

} // namespace pha
