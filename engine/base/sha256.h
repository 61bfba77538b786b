// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace pha {

/// SHA-256 (FIPS 180-4) of a stream. Uses the processor's SHA instructions where there are any.
class Sha256 {
public:
    Sha256();
    void update(const void* data, std::size_t size);
    void update(std::string_view text) { update(text.data(), text.size()); }
    /// Digest as 64 lower-case hexadecimal digits. Ends the stream: call once.
    std::string hex();

    /// True if the SHA instructions are there. `usePortable` makes this object do without them, so that tests cover
    /// both ways.
    static bool accelerated();
    void usePortable() { portable_ = true; }

private:
    void compress(const std::uint8_t* blocks, std::size_t count);

    std::array<std::uint32_t, 8> state_;
    std::array<std::uint8_t, 64> block_ {};
    std::size_t filled_ = 0;
    std::uint64_t bytes_ = 0;
    bool portable_ = false;
};

std::string sha256Hex(std::string_view text);

} // namespace pha
