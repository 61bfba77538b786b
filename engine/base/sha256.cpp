// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace pha {
namespace {

using Hash = std::array<std::uint32_t, 8>;

alignas(16) constexpr std::uint32_t roundConstants[64] = { 0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b,
    0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc,
    0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1,
    0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814,
    0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2 };

std::uint32_t bigEndian(const std::uint8_t* p)
{
    return std::uint32_t(p[0]) << 24 | std::uint32_t(p[1]) << 16 | std::uint32_t(p[2]) << 8 | p[3];
}

void compressPortable(Hash& state, const std::uint8_t* block)
{
    std::uint32_t w[64];
    for (int i = 0; i < 16; ++i) w[i] = bigEndian(block + std::ptrdiff_t(4) * i);
    for (int i = 16; i < 64; ++i) {
        const auto s0 = std::rotr(w[i - 15], 7) ^ std::rotr(w[i - 15], 18) ^ (w[i - 15] >> 3);
        const auto s1 = std::rotr(w[i - 2], 17) ^ std::rotr(w[i - 2], 19) ^ (w[i - 2] >> 10);
        w[i] = w[i - 16] + s0 + w[i - 7] + s1;
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (int i = 0; i < 64; ++i) {
        const auto sum1 = std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25);
        const auto t1 = h + sum1 + ((e & f) ^ (~e & g)) + roundConstants[i] + w[i];
        const auto sum0 = std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22);
        const auto t2 = sum0 + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + t1, d = c, c = b, b = a, a = t1 + t2;
    }
    const Hash sum { a, b, c, d, e, f, g, h };
    for (std::size_t i = 0; i < 8; ++i) state[i] += sum[i];
}

#if defined(__x86_64__)
bool hasShaInstructions()
{
    unsigned a = 0, b = 0, c = 0, d = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3)) return false;
    return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

// The instructions keep the state as the pairs ABEF and CDGH and do two rounds each.
__attribute__((target("sha,sse4.1,ssse3"))) void compressAccelerated(
    Hash& state, const std::uint8_t* blocks, std::size_t count)
{
    const auto swapBytes = _mm_set_epi64x(0x0c0d0e0f08090a0bLL, 0x0405060700010203LL);
    auto low = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data())), 0xb1);
    auto high = _mm_shuffle_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(state.data() + 4)), 0x1b);
    auto abef = _mm_alignr_epi8(low, high, 8);
    auto cdgh = _mm_blend_epi16(high, low, 0xf0);

    for (; count > 0; --count, blocks += 64) {
        const auto abefBefore = abef, cdghBefore = cdgh;
        __m128i w[4];
        for (int i = 0; i < 4; ++i)
            w[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(blocks) + i), swapBytes);
        for (int i = 0; i < 16; ++i) {
            const auto now = w[i & 3];
            auto sum = _mm_add_epi32(now, _mm_load_si128(reinterpret_cast<const __m128i*>(roundConstants) + i));
            cdgh = _mm_sha256rnds2_epu32(cdgh, abef, sum);
            abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(sum, 0x0e));
            if (i >= 12) continue;
            // Schedule of the words four groups ahead: w[i+4] from w[i], w[i+1], w[i+2], w[i+3].
            const auto seven = _mm_alignr_epi8(w[(i + 3) & 3], w[(i + 2) & 3], 4);
            const auto next = _mm_add_epi32(_mm_sha256msg1_epu32(now, w[(i + 1) & 3]), seven);
            w[i & 3] = _mm_sha256msg2_epu32(next, w[(i + 3) & 3]);
        }
        abef = _mm_add_epi32(abef, abefBefore);
        cdgh = _mm_add_epi32(cdgh, cdghBefore);
    }
    low = _mm_shuffle_epi32(abef, 0x1b);
    high = _mm_shuffle_epi32(cdgh, 0xb1);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data()), _mm_blend_epi16(low, high, 0xf0));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(state.data() + 4), _mm_alignr_epi8(high, low, 8));
}
#else
bool hasShaInstructions() { return false; }
void compressAccelerated(Hash& state, const std::uint8_t* blocks, std::size_t count)
{
    for (; count > 0; --count, blocks += 64) compressPortable(state, blocks);
}
#endif

} // namespace

Sha256::Sha256()
    : state_ { 0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19 }
{
}

bool Sha256::accelerated()
{
    static const bool there = hasShaInstructions();
    return there;
}

void Sha256::compress(const std::uint8_t* blocks, std::size_t count)
{
    if (!portable_ && accelerated()) return compressAccelerated(state_, blocks, count);
    for (; count > 0; --count, blocks += 64) compressPortable(state_, blocks);
}

void Sha256::update(const void* data, std::size_t size)
{
    if (size == 0) return;
    const auto* p = static_cast<const std::uint8_t*>(data);
    bytes_ += size;
    if (filled_ > 0) {
        const auto take = std::min(size, block_.size() - filled_);
        std::memcpy(block_.data() + filled_, p, take);
        filled_ += take, p += take, size -= take;
        if (filled_ < block_.size()) return;
        compress(block_.data(), 1);
        filled_ = 0;
    }
    compress(p, size / 64);
    filled_ = size % 64;
    std::memcpy(block_.data(), p + (size - filled_), filled_);
}

std::string Sha256::hex()
{
    const auto bits = bytes_ * 8;
    std::uint8_t padding[72] = { 0x80 };
    // One bit, zeros up to eight bytes before a block's end, then the length in bits.
    const auto zeros = (filled_ < 56 ? 56 : 120) - filled_;
    for (int i = 0; i < 8; ++i) padding[zeros + std::size_t(i)] = std::uint8_t(bits >> (56 - 8 * i));
    update(padding, zeros + 8);

    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    text.reserve(64);
    for (const auto word : state_)
        for (int shift = 28; shift >= 0; shift -= 4) text += digits[(word >> shift) & 15];
    return text;
}

std::string sha256Hex(std::string_view text)
{
    Sha256 hash;
    hash.update(text);
    return hash.hex();
}

} // namespace pha
