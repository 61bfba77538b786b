// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

/// Taking things off the front of foreign bytes: null, and nothing else, where they are too few.
namespace pha {

inline std::optional<std::string_view> takeBytes(std::string_view& bytes, std::uint64_t size)
{
    if (size > bytes.size()) return {};
    const auto taken = bytes.substr(0, std::size_t(size));
    bytes.remove_prefix(std::size_t(size));
    return taken;
}

/// ULEB128 of at most 64 bits: seven bits a byte, the lowest first.
inline std::optional<std::uint64_t> takeVarint(std::string_view& bytes)
{
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        const auto byte = takeBytes(bytes, 1);
        if (!byte) return {};
        value |= std::uint64_t(byte->front() & 127) << shift;
        if (!(byte->front() & 128)) return value;
    }
    return {};
}

/// The number whose sign was put into its lowest bit.
inline std::int64_t zigzag(std::uint64_t value) { return std::int64_t(value >> 1) ^ -std::int64_t(value & 1); }

inline std::uint32_t littleEndian(std::string_view bytes) ///< of at most four
{
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) value |= std::uint32_t(std::uint8_t(bytes[i])) << (8 * i);
    return value;
}

} // namespace pha
