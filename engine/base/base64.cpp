// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/base64.h"

#include <algorithm>
#include <cstdint>

namespace pha {

namespace {
constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

std::string toBase64(std::string_view bytes)
{
    std::string text;
    text.reserve((bytes.size() + 2) / 3 * 4);
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const auto taken = std::min<std::size_t>(3, bytes.size() - i);
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 3; ++k) group = group << 8 | (k < taken ? std::uint8_t(bytes[i + k]) : 0u);
        for (std::size_t k = 0; k < 4; ++k) text += k <= taken ? digits[group >> (18 - 6 * k) & 63] : '=';
    }
    return text;
}

std::optional<std::string> fromBase64(std::string_view text)
{
    std::string bytes;
    bytes.reserve(text.size() / 4 * 3);
    for (std::size_t i = 0; i < text.size(); i += 4) {
        std::uint32_t group = 0;
        for (std::size_t k = 0; k < 4; ++k) {
            const auto digit = i + k < text.size() ? digits.find(text[i + k]) : std::string_view::npos;
            group = group << 6 | (digit == std::string_view::npos ? 0u : std::uint32_t(digit));
        }
        for (int shift = 16; shift >= 0; shift -= 8) bytes += char(group >> shift & 255);
    }
    if (text.ends_with("=")) bytes.pop_back();
    if (text.ends_with("==")) bytes.pop_back();
    if (toBase64(bytes) != text) return std::nullopt; // foreign characters, wrong length, stray bits
    return bytes;
}

} // namespace pha
