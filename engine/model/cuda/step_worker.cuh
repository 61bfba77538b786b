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
    static constexpr int chunks = Alone ? 3 : 1, deepChunks = 12; ///< of 32 inputs, that a warp holds of a matrix
    uint4 held[chunks][Alone ? mostEights : 1]; // one text: 8 rows of each, loaded before the inputs are there
    struct { // one text: of the product that comes, the same in all lanes
        int inner, source, rows, out, row, gate;
        __device__ int eights() const { return (rows + 7) / 8; }
        __device__ int slots() const { return (inner + stepSlotDepth - 1) / stepSlotDepth * eights(); }
        bool both; // first and second
        StepFinish how;
    } coming;
    float inverse = 1; // one text: what the normed stream has still to be multiplied by
    bool fresh = false; // `inverse` is not yet that of the stream

    /// What was multiplied last; a task between that does something else has the registers for itself.
    __device__ void forget()
    {
        resident = 0;
        for (auto& chunk : input)
            for (auto& x : chunk) x = {};
    }
    /// There are no registers for what a compiler would find once from the lane and keep for all tasks; in memory it
    /// costs more than to find it again.
    __device__ void forgetPlaces() { asm volatile("" : "+r"(lane), "+r"(w), "+r"(thread)); }
    __device__ Word* words(int at) const { return p.words + at; }
    /// All workers; the descriptions of the next two tasks have arrived by then.
    __device__ void meet()
    {
        if (w == workers - 1) asm volatile("cp.async.wait_group %0;" ::"n"(descriptions - 4) : "memory");
        asm volatile("bar.sync 1, %0;" ::"n"(workerThreads) : "memory");
    }
    /// The first of four channels that a thread has. One text: warp i has every eighth chunk of 32 from chunk i, which
    /// are the inputs that it multiplies, so that it needs to wait for no other.
    __device__ int channel() const { return Alone ? 32 * (workers * (lane / 8) + w) + 4 * (lane % 8) : 4 * thread; }
    /// One text: inputs c ... c + 3, in the order in which multiplyEight takes them from inputsOf.
    __device__ static void putInputs(bf16* place, int c, uint2 pairs)
    {
        auto* at = reinterpret_cast<unsigned*>(place + c / 8 * 8) + c / 4 % 2;
        at[0] = pairs.x, at[2] = pairs.y;
    }
    /// Of this warp's n-th chunk; all four vectors of multiplyEight are the same one.
    __device__ uint2 inputsOf(const bf16* place, int n) const
    {
        return *reinterpret_cast<const uint2*>(place + 32 * (w + workers * n) + 8 * (lane % 4) + lane / 4 % 2 * 4);
    }
    /// One text: this warp's words of packed inputs, to shared memory.
    __device__ void stage(int source, int inner);
    /// One text: this warp's part of a matrix, which has been there for long. Not of a deep one.
    __device__ void hold(const StepTask& t);
    template <int N, int E> __device__ void holdPieces(uint4 (&to)[N][E]) const;
    __device__ uint4 piece(int n, int e) const;
    /// Meanwhile `all` becomes its sum over the lanes.
    template <int E> __device__ void multiplyWide(float (&acc)[mostEights][4], const bf16* from, float& all) const;
    __device__ void multiplyDeep(float (&acc)[mostEights][4]);
    /// One text, of `coming`: a lane finishes one row.
    __device__ void productAlone();
    __device__ void finishRow(int row, bool writes, float y);
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
            productAlone();
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
    /// Results of fp32: words of their own, or, of one text, two in a word.
    __device__ const Word* results(int at, int c) const { return words(Alone ? at + c / 2 : at + c); }
    /// Waits for N times four results, the i-th at place(i), or null.
    template <int N, class Place> __device__ void awaitResults(float4 (&to)[N], const Place& place) const
    {
        if constexpr (Alone) {
            awaitFloats(tag, to, place);
        } else {
            uint2 got[2 * N];
            awaitWords(tag, got, [&](int i) { return place(i / 2) ? place(i / 2) + i % 2 * 2 : nullptr; });
#pragma unroll
            for (int i = 0; i < N; ++i) to[i] = asFour(got[2 * i], got[2 * i + 1]);
        }
    }
    template <int Branches> __device__ void awaitBranches(const StepNorm& t, int c, float4 (&to)[mostBranches]);
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
        if constexpr (Alone) {
            if (mine) putInputs(place, c, value);
            resident = 0;
            __syncwarp();
        } else {
            if (mine) storeWords(words(out + c / 2), tag, __uint_as_float(value.x), __uint_as_float(value.y));
            meet();
        }
    }
};

} // namespace pha::kernels
