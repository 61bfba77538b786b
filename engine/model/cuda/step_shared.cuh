// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step.cuh"

/// What the warps of a multiprocessor share in a step, and the one that fetches.
namespace pha::kernels {

constexpr int mostWidth = 4 * workerThreads, mostInner = stepMostInner, mostHead = 128, descriptions = 8,
              mostSlots = 16, warpKeys = 16;

/// StepLaunch and StepModel as the kernel needs them.
struct Card {
    const StepTask* tasks;
    const int* begin;
    Word* words;
    StepControl* control;
    std::int64_t* ids;
    float* logits;
    const void* embedding;
    const float *cosine, *sine;
    int batch, width, vocabulary, slots;
    float embeddingScale, eps, share; ///< share: 1 / width
    bool embeddingWide;
};

/// NB: tiles of 8 texts.
template <int NB, bool Alone> struct Sizes {
    static constexpr int column = 20, ///< floats; no two lanes meet in a bank
        part = Alone ? 8 * mostEights + 4 : 8 * NB * column + 16;
    static constexpr int together = 3; ///< chunks of 32 inputs that a warp multiplies
    static_assert(32 * together * workers == stepHeld);
    static constexpr int buffers = NB > 2 ? 1 : 2, sums = workers * part;
    static constexpr int floats = buffers * sums > 4096 ? buffers* sums : 4096; ///< attention uses more
};

template <int NB, bool Alone> struct Shared {
    alignas(128) StepTask task[descriptions], coming[descriptions];
    alignas(16) bf16 normed[Alone ? mostWidth : 8], staged[Alone ? mostInner : 8]; ///< inputs of one text: putInputs
    alignas(16) float sums[Sizes<NB, Alone>::floats];
    alignas(16) float query[mostGroup][mostHead], key[mostHead], value[mostHead];
    alignas(16) float channels[mostWidth]; ///< of a state space
    float4 stream[workerThreads]; ///< the residual stream, four channels a thread
    Word best[workerThreads]; ///< largest logit of a thread's text, and which
    alignas(16) float met[2][mostBranches][workers];
    Word full[mostSlots], empty[mostSlots];
};

/// x / by for small numbers without the long way of an integer division.
__device__ inline int quotient(int x, int by) { return int(__fdividef(float(x) + 0.5f, float(by))); }

/// Where a row of eight stands in a slot of one text: the odd ones, which are the second half, 64 bytes further modulo
/// 128, so that no two lanes meet in a bank.
__device__ inline int placeAlone(int inner, int row)
{
    const int stride = 2 * min(inner, stepSlotDepth);
    return row / 2 * stride + row % 2 * (4 * stride + 64);
}

/// Keys of the cache that a task reads, and where the new one goes.
struct KeyRange {
    int first, last;
};
__device__ inline int placeOf(const StepAttend& t, int position) { return t.span > 0 ? position % t.span : position; }
__device__ inline KeyRange keysOf(const StepAttend& t, int position)
{
    const int kept = placeOf(t, position), each = (quotient(kept, t.splits) + 8) / 8 * 8;
    return { min(t.split * each, kept), min((t.split + 1) * each, kept) };
}

/// Begins to copy a task's description; one group of copies each time. One warp.
__device__ inline void copyTask(StepTask* to, const StepTask* from, bool there, int lane)
{
    if (there && lane < int(sizeof(StepTask) / 16))
        asm volatile(
            "cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(inShared(reinterpret_cast<char*>(to) + 16 * lane)),
            "l"(reinterpret_cast<const char*>(from) + 16 * lane)
            : "memory");
    asm volatile("cp.async.commit_group;" ::: "memory");
}

/// The warp that fills the ring: rows of matrices and cached keys of all tasks, as far ahead as there is room.
struct Fetcher {
    Ring ring;
    int lane, position;
    Word policy;

    __device__ void begin(unsigned bytes)
    {
        awaitBarrier(ring.empty + ring.at, ring.turn ^ 1);
        if (lane == 0) arriveWithBytes(ring.full + ring.at, bytes);
        __syncwarp();
    }
    __device__ void product(const StepProduct& t)
    {
        const auto* from = static_cast<const bf16*>(t.second && lane % 2 ? t.second : t.first)
            + std::int64_t(t.second ? lane / 2 : lane) * t.inner + t.begin;
        const auto tile = std::int64_t(t.second ? 8 : 16) * t.inner;
#pragma unroll 1
        for (int k = 0; k < t.count; k += slotInner) {
            const unsigned bytes = unsigned(min(slotInner, t.count - k)) * 2;
            const auto* at = from + k;
#pragma unroll 1
            for (int left = t.rows; left > 0; left -= 16, at += tile, ring.pass()) {
                begin(bytes * min(left, 16));
                if (lane < min(left, 16))
                    fetch(ring.slot() + lane * slotStride, at, bytes, ring.full + ring.at, policy);
            }
        }
    }
    /// One text: eight rows a slot, four and four (of both matrices, or of one) as they stand in memory: a copy for
    /// each row would take this warp longer than the memory.
    __device__ void productAlone(const StepProduct& t)
    {
        const int half = lane / 4 % 2;
        const auto* from = static_cast<const bf16*>(half && t.second ? t.second : t.first);
        const bool whole = t.inner <= stepSlotDepth; // then rows follow each other
#pragma unroll 1
        for (int k = 0; k < t.inner; k += stepSlotDepth)
#pragma unroll 1
            for (int row = 0; row < t.rows; row += 8, ring.pass()) {
                const int rows = min(8, t.rows - row), first = t.second ? row / 2 : row + 4 * half;
                const int own = min(rows - 4 * half, 4); // of this lane's half
                const unsigned bytes = unsigned(min(stepSlotDepth, t.inner - k)) * 2;
                begin(bytes * rows);
                if (lane < 8 && lane % 4 < (whole ? min(own, 1) : own))
                    fetch(ring.slot() + placeAlone(t.inner, 2 * (lane % 4) + half),
                        from + std::int64_t(first + lane % 4) * t.inner + k, whole ? bytes * own : bytes,
                        ring.full + ring.at, policy);
            }
    }
    __device__ void attend(const StepAttend& t)
    {
        const auto range = keysOf(t, position);
        const int most = t.slotKeys, row = 2 * t.headWidth;
#pragma unroll 1
        for (int at = range.first; at < range.last; at += most) {
            const unsigned bytes = unsigned(min(most, range.last - at) * row);
            begin(2 * bytes);
            if (lane < 2)
                fetch(ring.slot() + lane * most * row,
                    static_cast<const char*>(lane ? t.values : t.keys) + std::int64_t(at) * row, bytes,
                    ring.full + ring.at, policy);
            ring.pass();
        }
    }
    /// What the others will want beside the slots.
    __device__ void prefetchFor(const StepTask& t, const Card& p) const
    {
        if (t.kind == StepKind::Norm) {
            prefetch(t.norm.gain, p.width * 4, lane);
            prefetch(t.norm.logits, 4, lane);
            prefetch(t.norm.given, 4, lane);
        } else if (t.kind == StepKind::Scan) {
            const auto& s = t.scan;
            const int own = s.count * s.states * 4;
#pragma unroll 1
            for (int i = 0; i < 6; ++i)
                prefetch(i < 4 ? s.from[i] : s.state[i - 4], i < 2 && s.sharedLambda ? s.states * 4 : own, lane);
        }
    }
    __device__ void run(const StepTask* tasks, int count, StepTask* coming, const Card& p)
    {
#pragma unroll 1
        for (int i = 1 - descriptions; i < count; ++i) {
            const int next = i + descriptions - 1;
            copyTask(coming + next % descriptions, tasks + next, next < count, lane);
            if (i < 0) continue;
            asm volatile("cp.async.wait_group %0;" ::"n"(descriptions - 1) : "memory");
            __syncwarp();
            const auto& t = coming[i % descriptions];
            if (t.kind == StepKind::Product && p.batch == 1) productAlone(t.product);
            if (t.kind == StepKind::Product && p.batch > 1) product(t.product);
            prefetchFor(t, p);
            if (t.kind == StepKind::Attend) attend(t.attend);
            __syncwarp();
        }
    }
};

/// The last multiprocessor to come leaves everything ready for the next step.
__device__ inline void leave(const Card& p)
{
    auto& control = *p.control;
    __threadfence();
    if (atomicAdd(&control.done, 1u) + 1 < gridDim.x) return;
    __threadfence();
#pragma unroll 1
    for (int b = 0; b < p.batch; ++b) {
        p.ids[b] = std::int64_t(0xffffffffu - unsigned(__ldcg(control.best + b)));
        control.best[b] = 0;
    }
    control.done = 0;
    ++control.step;
    ++control.position;
}

} // namespace pha::kernels
