// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/common.cuh"
#include "engine/model/cuda/step.h"

/// What step.cu is written in: Hopper's copies into shared memory with their barriers, words that carry their step,
/// the ring of slots, tensor cores.
namespace pha::kernels {

constexpr int workers = 8, workerThreads = workers * warp, stepThreads = workerThreads + warp; ///< and one that fetches
constexpr int slotInner = stepSlotInner, slotChunks = slotInner / 32,
              slotStride = slotInner * 2 + 32; ///< rows 32 bytes apart modulo 128: no bank conflicts
constexpr int slotBytes = 16 * slotStride;
static_assert(slotBytes == stepSlotBytes);
using Word = unsigned long long;

__device__ inline unsigned inShared(const void* p) { return unsigned(__cvta_generic_to_shared(p)); }
__device__ inline void initBarrier(Word* b, unsigned count)
{
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(inShared(b)), "r"(count) : "memory");
}
__device__ inline void arrive(Word* b, unsigned count)
{
    asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0], %1;" ::"r"(inShared(b)), "r"(count) : "memory");
}
__device__ inline void arriveWithBytes(Word* b, unsigned bytes)
{
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(inShared(b)), "r"(bytes) : "memory");
}
__device__ inline void awaitBarrier(Word* b, unsigned parity)
{
    unsigned passed = 0;
#pragma unroll 1
    while (!__all_sync(0xffffffffu, passed))
        asm volatile("{ .reg .pred p; mbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2; selp.u32 %0, 1, 0, p; }"
                     : "=r"(passed)
                     : "r"(inShared(b)), "r"(parity)
                     : "memory");
}
/// For what is read once a step: it leaves the second cache first, where the small results stay.
__device__ inline Word readOnce()
{
    Word policy;
    asm volatile("createpolicy.fractional.L2::evict_first.b64 %0, 1.0;" : "=l"(policy));
    return policy;
}
/// Bytes, both addresses: multiples of 16.
__device__ inline void fetch(void* to, const void* from, unsigned bytes, Word* b, Word policy)
{
    asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes.L2::cache_hint [%0], [%1], %2, "
                 "[%3], %4;" ::"r"(inShared(to)),
                 "l"(from), "r"(bytes), "r"(inShared(b)), "l"(policy)
                 : "memory");
}

/// A ring of slots, filled by one warp and read by all others, which pass the slots in the same order.
struct Ring {
    unsigned char* slots;
    Word *full, *empty;
    int count, at = 0;
    unsigned turn = 0;
    __device__ void pass(int n = 1)
    {
        at += n;
        if (at >= count) at -= count, turn ^= 1;
    }
    __device__ int ahead(int n) const { return at + n < count ? at + n : at + n - count; }
    __device__ unsigned char* slot(int n = 0) const { return slots + ahead(n) * slotBytes; }
    /// The n-th slot from here, n < count.
    __device__ const unsigned char* await(int n = 0) const
    {
        awaitBarrier(full + ahead(n), at + n < count ? turn : turn ^ 1);
        return slot(n);
    }
    /// The next `n`, each lane one. A warp.
    __device__ void awaitMany(int n, int lane) const
    {
        const int i = min(lane, n - 1);
        awaitBarrier(full + ahead(i), at + i < count ? turn : turn ^ 1);
    }
    __device__ void release(int n, unsigned warps) const { arrive(empty + ahead(n), warps); }
};
/// Into the second cache: what is read once a step would otherwise be waited for all the way from memory.
__device__ inline void prefetch(const void* from, int bytes, int lane)
{
    if (!from) return;
#pragma unroll 1
    for (int at = lane * 128; at < bytes; at += warp * 128)
        asm volatile("prefetch.global.L2 [%0];" ::"l"(static_cast<const char*>(from) + at));
}

/// Two words of a step: values arrive together with their tag, so that nothing else needs to be waited for.
__device__ inline void loadWords(const Word* p, Word& a, Word& b)
{
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];" : "=l"(a), "=l"(b) : "l"(p) : "memory");
}
__device__ inline Word word(unsigned tag, unsigned value) { return Word(tag) << 32 | value; }
__device__ inline void storeWord(Word* p, unsigned tag, unsigned value)
{
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(p), "l"(word(tag, value)) : "memory");
}
__device__ inline void storeWords(Word* p, unsigned tag, float a, float b)
{
    asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(p), "l"(word(tag, __float_as_uint(a))),
                 "l"(word(tag, __float_as_uint(b)))
                 : "memory");
}
/// A value that is the same in all lanes, told to the compiler: what depends on it needs no code for lanes apart.
__device__ inline int uniform(int x) { return __shfl_sync(0xffffffffu, x, 0); }
constexpr int mostPolls = 1 << 23; ///< seconds: better an error than a card that hangs
/// Waits until the first lane's pair of words that is missing is there: all of them, asked for all the time, would take
/// the second cache's time from those who write them. A word is there if its bits in `mask` are `want`. A warp; apart,
/// as every wait needs it.
__device__ __noinline__ void awaitOne(const Word* missing, Word mask, Word want)
{
    const unsigned who = __ballot_sync(0xffffffffu, missing != nullptr);
    const bool asks = threadIdx.x % warp == __ffs(int(who)) - 1;
    Word a = want, b = want;
    int polls = 0;
#pragma unroll 1
    do {
        if (asks) loadWords(missing, a, b);
        if (++polls > mostPolls) __trap();
    } while (!__all_sync(0xffffffffu, (a & mask) == want && (b & mask) == want));
}
/// Waits for N pairs of words, the i-th at place(i), which are there if their bits in `mask` are `want`; a null place
/// is taken for words of `want` alone. InTurn: the first that was missing is waited for, then the others are asked for
/// until they are there, which is better where many are asked for. A warp.
template <bool InTurn, int N, class Place>
__device__ void awaitPairs(Word mask, Word want, Word (&a)[N], Word (&b)[N], const Place& place)
{
    const auto missing = [&](int i) { return (a[i] & mask) != want || (b[i] & mask) != want; };
#pragma unroll
    for (int i = 0; i < N; ++i) a[i] = b[i] = place(i) ? ~want : want;
    int polls = 0;
#pragma unroll 1
    while (true) {
        const Word* first = nullptr;
#pragma unroll
        for (int i = 0; i < N; ++i)
            if (missing(i)) loadWords(place(i), a[i], b[i]);
#pragma unroll
        for (int i = 0; i < N; ++i)
            if (missing(i)) first = place(i);
        if (__all_sync(0xffffffffu, !first)) return;
        if (InTurn && polls == 0) awaitOne(first, mask, want);
        if (++polls > mostPolls) __trap();
    }
}
template <bool InTurn = true, int N, class Place>
__device__ void awaitWords(unsigned tag, uint2 (&to)[N], const Place& place)
{
    Word a[N], b[N];
    awaitPairs<InTurn>(~Word(0) << 32, word(tag, 0), a, b, place);
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = { unsigned(a[i]), unsigned(b[i]) };
}
__device__ inline float2 asFloats(uint2 w) { return { __uint_as_float(w.x), __uint_as_float(w.y) }; }
__device__ inline float2 awaitPair(const Word* from, unsigned tag)
{
    uint2 got[1];
    awaitWords(tag, got, [&](int) { return from; });
    return asFloats(got[0]);
}

/// Two floats in a word; the last bit of the first is the step's: a word is written once a step.
__device__ inline void storeFloats(Word* p, unsigned tag, float2 x)
{
    const unsigned first = (__float_as_uint(x.x) & ~1u) | (tag & 1u);
    asm volatile("st.relaxed.gpu.global.u64 [%0], %1;" ::"l"(p), "l"(word(__float_as_uint(x.y), first)) : "memory");
}
__device__ inline float4 fourOf(Word a, Word b)
{
    return { __uint_as_float(unsigned(a)), __uint_as_float(unsigned(a >> 32)), __uint_as_float(unsigned(b)),
        __uint_as_float(unsigned(b >> 32)) };
}
/// Waits for N times two such words.
template <int N, class Place> __device__ void awaitFloats(unsigned tag, float4 (&to)[N], const Place& place)
{
    Word a[N], b[N];
    awaitPairs<(N > 4)>(1, tag % 2, a, b, place);
#pragma unroll
    for (int i = 0; i < N; ++i) to[i] = fourOf(a[i], b[i]);
}

/// Over the lanes whose number has the same remainder by 4.
__device__ inline float sumEighths(float x)
{
#pragma unroll
    for (int d = warp / 2; d > 2; d /= 2) x += __shfl_xor_sync(0xffffffffu, x, d);
    return x;
}

__device__ inline unsigned packed(float a, float b)
{
    const __nv_bfloat162 both = __floats2bfloat162_rn(a, b);
    return *reinterpret_cast<const unsigned*>(&both);
}
__device__ inline float2 unpacked(unsigned p) { return { __uint_as_float(p << 16), __uint_as_float(p & 0xffff0000u) }; }

/// acc (16,8) += A (16,16) B (16,8).
__device__ inline void multiply(
    float (&acc)[4], unsigned a0, unsigned a1, unsigned a2, unsigned a3, unsigned b0, unsigned b1)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(acc[0]), "+f"(acc[1]), "+f"(acc[2]), "+f"(acc[3])
        : "r"(a0), "r"(a1), "r"(a2), "r"(a3), "r"(b0), "r"(b1));
}

/// acc += 8 rows of 32 channels times up to four vectors, without moving what was loaded. A lane has channels
/// 8 (lane % 4) ... + 7 of row lane / 4 in `a` and, in `x`, half of those of vector lane / 8: pairs 0 and 2, or 1 and 3
/// where lane / 4 is odd. The tensor cores see 16 rows, of which the second 8 are the odd pairs.
__device__ inline void multiplyEight(float (&acc)[4], uint4 a, uint2 x) { multiply(acc, a.x, a.y, a.z, a.w, x.x, x.y); }
/// Row lane / 4 times vector lane % 4.
__device__ inline float sumOfEight(const float (&acc)[4]) { return acc[0] + acc[3]; }

__device__ inline float power(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
/// A number that grows with the logit and, among equal ones, with a smaller index.
__device__ inline Word ranked(float x, int index)
{
    const unsigned bits = __float_as_uint(x), rising = bits & 0x80000000u ? ~bits : bits | 0x80000000u;
    return Word(rising) << 32 | (0xffffffffu - unsigned(index));
}

} // namespace pha::kernels
