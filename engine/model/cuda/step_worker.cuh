// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_shared.cuh"

namespace pha::kernels {

/// The warps that compute. Alone: one text, whose stream every multiprocessor keeps for itself; otherwise
/// multiprocessor b keeps text b's.
template <int NB, bool Alone> struct Worker {
    using S = Sizes<NB, Alone>;
    static constexpr bool alone = Alone;
    static constexpr int scanned = Alone ? 2 : 4; ///< channels of a state space, by a warp

    const Card& p;
    Shared<NB, Alone>& shared;
    Ring ring;
    int thread, w, lane, position;
    unsigned tag; // of this step
    int parity = 0, resident = 0; // source of what `input` holds; 0: nothing
    uint4 input[S::together][NB];
    float inverse = 1; // Alone: what the normed stream has still to be multiplied by

    /// What was multiplied last; a task between that does something else has the registers for itself.
    __device__ void forget()
    {
        resident = 0;
        for (auto& chunk : input)
            for (auto& x : chunk) x = {};
    }
    /// Several texts leave no registers for what a compiler would find once from the lane and keep for all tasks; in
    /// memory it costs more than to find it again.
    __device__ void forgetPlaces()
    {
        if constexpr (!Alone) asm volatile("" : "+r"(lane), "+r"(w), "+r"(thread));
    }
    __device__ Word* words(int at) const { return p.words + at; }
    /// All workers; the next task's description has arrived by then.
    __device__ void meet()
    {
        if (w == workers - 1) asm volatile("cp.async.wait_group %0;" ::"n"(descriptions - 3) : "memory");
        asm volatile("bar.sync 1, %0;" ::"n"(workerThreads) : "memory");
    }
    /// Alone: packed words to shared memory, by all.
    __device__ void stage(int source, int inner);
    /// One text: each warp takes every eighth chunk of 32 inputs, of up to mostEights times eight rows. Few branches
    /// and places that need no arithmetic: what a product costs is its instructions.
    __device__ void multiplyAlone(float (&acc)[mostEights][4], const bf16* from, int inner, int eights) const;
    /// The half of eight channels that a lane gives multiplyEight.
    __device__ uint2 pick(uint4 x) const { return lane / 4 % 2 ? uint2 { x.y, x.w } : uint2 { x.x, x.z }; }
    /// One text: warp i finishes 16 rows, lanes r and r + 16 one of them.
    __device__ void productAlone(const StepProduct t, StepFinish finishing);
    __device__ void finishRow(const StepProduct& t, StepFinish how, int row, bool writes, float y);
    __device__ void see(float logit, int index)
    {
        auto& best = shared.best[thread];
        best = max(best, ranked(logit, index));
    }
    __device__ static float activated(StepFinish how, float x)
    {
        if (how == StepFinish::Relu2) return x * fmaxf(x, 0.0f);
        return how == StepFinish::GeluTanh ? geluTanh(x) : gelu(x);
    }
    /// Several texts: chunks first, first + 1, ... of 32 inputs, as the tensor cores want them.
    template <int Tiles> __device__ void loadInput(const StepProduct& t, int source, int first);
    /// This warp's chunks, begin ... end - 1, of 16 rows. A lane has channels 4 (lane % 4) ... + 3 of each half chunk.
    __device__ void multiplyRows(float (&acc)[NB][4], const StepProduct& t, int source, int begin, int end);
    __device__ void product(const StepProduct t, StepFinish finishing)
    {
        if constexpr (Alone)
            productAlone(t, finishing);
        else
            productTogether(t, finishing);
    }
    __device__ void productTogether(const StepProduct t, StepFinish finishing);
    /// Rows `row` and row + 1 of a tile, of one text; eight lanes hold all of them.
    __device__ void finish(const StepProduct& t, StepFinish how, int text, int row, bool writes, float2 y);
    __device__ static float geluTanh(float x)
    {
        return x * sigmoid(1.5957691216f * (x + 0.044715f * x * x * x)); // (1 + tanh(z)) / 2 = sigmoid(2 z)
    }

    template <int N> __device__ void sumWorkers(float (&x)[N], float (*met)[workers])
    {
#pragma unroll
        for (int n = 0; n < N; ++n) {
            x[n] = sumLanes(x[n]);
            if (lane == 0) met[n][w] = x[n];
        }
        meet();
#pragma unroll
        for (int n = 0; n < N; ++n) x[n] = sumLanes<workers>(met[n][lane % workers]);
    }
    /// Lane k of each warp finds the weight of branch k and tells the others.
    __device__ void weightsOf(const StepNorm& t, float (&weight)[mostBranches]) const;
    /// Channels c ... c + 3 of each branch. One text: a branch has one part.
    __device__ void awaitBranches(const StepNorm& t, int c, float4 (&to)[mostBranches]);
    /// Several texts: the sums of all parts of the branches.
    __device__ void awaitParts(const StepNorm& t, int c, float4 (&to)[mostBranches]);
    __device__ void norm(const StepNorm t);
    __device__ static float square(float4 x) { return (x.x * x.x + x.y * x.y) + (x.z * x.z + x.w * x.w); }
    __device__ static float4 sum(float4 a, float4 b) { return { a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w }; }
    __device__ static float4 scaled(float4 x, float s) { return { x.x * s, x.y * s, x.z * s, x.w * s }; }
    __device__ static float4 asFour(uint2 a, uint2 b)
    {
        return { __uint_as_float(a.x), __uint_as_float(a.y), __uint_as_float(b.x), __uint_as_float(b.y) };
    }
    __device__ static float4 unpackedFour(uint2 p)
    {
        const auto a = unpacked(p.x), b = unpacked(p.y);
        return { a.x, a.y, b.x, b.y };
    }
    /// Channels c ... c + 3 to whoever multiplies them.
    __device__ void hand(bf16* place, int c, bool mine, uint2 value, int out)
    {
        if (Alone && mine) *reinterpret_cast<uint2*>(place + c) = value;
        if (!Alone && mine) storeWords(words(out + c / 2), tag, __uint_as_float(value.x), __uint_as_float(value.y));
        if (Alone) resident = 0;
        meet();
    }
};

} // namespace pha::kernels
