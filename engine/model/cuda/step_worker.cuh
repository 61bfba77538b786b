// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_shared.cuh"

namespace pha::kernels {

/// The warps that compute. Alone: one text, whose stream every multiprocessor keeps for itself; otherwise
/// multiprocessor b keeps text b's.
template <int NB, bool Alone> struct Worker {
    using S = Sizes<NB, Alone>;
    static constexpr int ranks = NB; // texts w, w + workers, ... that a warp finishes

    const Card& p;
    Shared<NB, Alone>& shared;
    Ring ring;
    int thread, w, lane, position;
    unsigned tag; // of this step
    int parity = 0, resident = 0; // source of what `input` holds; 0: nothing
    uint4 input[S::together][NB];
    float4 stream { 0, 0, 0, 0 }; // this thread's four channels of the residual stream
    Word best[ranks] {};

    __device__ Word* words(int at) const { return p.words + at; }
    /// All workers; the next task's description has arrived by then.
    __device__ void meet()
    {
        if (w == workers - 1) asm volatile("cp.async.wait_group %0;" ::"n"(descriptions - 3) : "memory");
        asm volatile("bar.sync 1, %0;" ::"n"(workerThreads) : "memory");
    }
    /// Alone: packed words to shared memory, by all.
    __device__ void stage(int source, int inner)
    {
        constexpr int N = 4;
#pragma unroll 1
        for (int base = 0; 2 * base < inner; base += 2 * N * workerThreads) {
            const Word* from[N];
            uint2 got[N];
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const int at = base + 2 * (thread + i * workerThreads);
                from[i] = 2 * at < inner ? words(source + at) : nullptr;
            }
            awaitWords(from, tag, got);
#pragma unroll
            for (int i = 0; i < N; ++i)
                if (from[i]) reinterpret_cast<uint2*>(shared.staged)[base / 2 + thread + i * workerThreads] = got[i];
        }
        meet();
    }
    /// Chunks first, first + 1, ... of 32 inputs of all texts, as the tensor cores want them.
    __device__ void loadInput(int source, int inner, int first)
    {
#pragma unroll
        for (int i = 0; i < S::together; ++i) {
            const int k = (first + i) * 32 + 8 * (lane % 4);
            if constexpr (Alone) {
                const auto* from = source == -1 ? shared.normed : shared.staged;
                input[i][0] = lane < 4 && k < inner ? *reinterpret_cast<const uint4*>(from + k) : uint4 {};
            } else {
                const Word* from[2 * NB];
                uint2 got[2 * NB];
#pragma unroll
                for (int n = 0; n < NB; ++n) {
                    const int text = lane / 4 + 8 * n;
                    from[2 * n] = text < p.batch && k < inner ? words(source + (text * inner + k) / 2) : nullptr;
                    from[2 * n + 1] = from[2 * n] ? from[2 * n] + 2 : nullptr;
                }
                awaitWords(from, tag, got);
#pragma unroll
                for (int n = 0; n < NB; ++n)
                    input[i][n] = { got[2 * n].x, got[2 * n].y, got[2 * n + 1].x, got[2 * n + 1].y };
            }
        }
    }
    /// This warp's chunks, begin ... end - 1, of 16 rows.
    __device__ void multiplyRows(float (&acc)[NB][4], int source, int inner, int begin, int end)
    {
        constexpr int N = S::together;
        const bool fits = end - begin <= N, held = !Alone && fits && resident == source;
        float other[NB][4] = {}; // two sums at a time: one would wait for itself
        const int place = lane / 4 * slotStride + lane % 4 * 16;
        const unsigned char* slot = nullptr;
#pragma unroll 1
        for (int first = begin; first < end; first += N) {
            if (!held) loadInput(source, inner, first);
            uint4 top[N], bottom[N];
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const int chunk = first + i;
                if (chunk >= end) break;
                if (chunk == begin || chunk % slotChunks == 0) slot = ring.await(chunk / slotChunks);
                const auto* at = slot + place + chunk % slotChunks * 64;
                const bool real = chunk * 32 + 8 * (lane % 4) < inner;
                top[i] = real ? *reinterpret_cast<const uint4*>(at) : uint4 {};
                bottom[i] = real ? *reinterpret_cast<const uint4*>(at + 8 * slotStride) : uint4 {};
            }
#pragma unroll
            for (int i = 0; i < N; ++i) {
                if (first + i >= end) break;
#pragma unroll
                for (int n = 0; n < NB; ++n) {
                    const auto x = input[i][n];
                    multiply(acc[n], top[i].x, bottom[i].x, top[i].y, bottom[i].y, x.x, x.y);
                    multiply(other[n], top[i].z, bottom[i].z, top[i].w, bottom[i].w, x.z, x.w);
                }
            }
        }
#pragma unroll
        for (int n = 0; n < NB; ++n)
#pragma unroll
            for (int e = 0; e < 4; ++e) acc[n][e] += other[n][e];
        if (!Alone) resident = fits ? source : 0;
    }
    __device__ void product(const StepProduct t, StepFinish finishing)
    {
        const int inner = uniform(t.inner), source = uniform(t.source);
        const auto how = StepFinish(uniform(int(finishing)));
        const int chunks = (inner + 31) / 32, each = (chunks + workers - 1) / workers, begin = w * each;
        const int slots = (inner + slotInner - 1) / slotInner, pair = lane / 4, share = lane % 4;
        if (Alone && source > 0 && resident != source) {
            stage(source, inner);
            resident = source;
        }
        float acc[NB][4] = {};
        multiplyRows(acc, source, inner, begin, min(begin + each, chunks));
        auto* sums = shared.sums + parity * S::sums;
        if (S::buffers == 2) parity ^= 1;
        if (begin < chunks) {
#pragma unroll
            for (int n = 0; n < NB; ++n) {
                auto* at = sums + w * S::part + (8 * n + 2 * share) * S::column + pair;
                if (Alone && share > 0) break;
                at[0] = acc[n][0], at[8] = acc[n][2];
                if (!Alone) at[S::column] = acc[n][1], at[S::column + 8] = acc[n][3];
            }
        }
        meet();
        if (w == workers - 1 && lane < slots) ring.release(lane, workers);
        ring.pass(slots);
#pragma unroll 1
        for (int i = 0; i < ranks; ++i) {
            const int text = w + i * workers;
            if (text >= p.batch) break;
            float2 y { 0, 0 };
#pragma unroll 4
            for (int v = share; v * each < chunks && v < workers; v += 4) {
                const auto part = *reinterpret_cast<const float2*>(sums + v * S::part + text * S::column + 2 * pair);
                y.x += part.x, y.y += part.y;
            }
            y = { sumLanes<4>(y.x), sumLanes<4>(y.y) };
            const auto top = finish(t, how, text, pair, share == 0, y);
#pragma unroll
            for (int k = 0; k < ranks; ++k)
                if (k == i) best[k] = max(best[k], top);
        }
        if (S::buffers == 1) meet();
    }
    /// Rows 2 pair and 2 pair + 1 of a tile; all lanes of a warp hold the same text. Returns the larger logit, ranked.
    __device__ Word finish(const StepProduct& t, StepFinish how, int text, int pair, bool writes, float2 y) const
    {
        auto* to = words(t.out + text * t.outStride);
        writes &= 2 * pair < t.rows;
        if (how == StepFinish::Wide) {
            if (writes) storeWords(to + 2 * pair, tag, y.x, y.y);
            return 0;
        }
        if (how == StepFinish::Logits) {
            if (!writes) return 0;
            const int n = t.row + 2 * pair;
            auto* at = p.logits + std::int64_t(text) * p.vocabulary + n;
            at[0] = y.x;
            if (2 * pair + 1 == t.rows) return ranked(y.x, n);
            at[1] = y.y;
            return y.y > y.x ? ranked(y.y, n + 1) : ranked(y.x, n);
        }
        if (how == StepFinish::SwiGlu) {
            const float h = y.x * sigmoid(y.x) * y.y, next = __shfl_down_sync(0xffffffffu, h, 4);
            if (writes && pair % 2 == 0) storeWord(to + pair / 2, tag, packed(h, next));
            return 0;
        }
        if (how == StepFinish::Gate) {
            const auto v = awaitPair(writes ? words(t.gate + text * t.gateStride + 2 * pair) : nullptr, tag);
            y.x *= v.x, y.y *= v.y;
        } else if (how == StepFinish::Relu2) {
            y = { y.x * fmaxf(y.x, 0.0f), y.y * fmaxf(y.y, 0.0f) };
        } else if (how == StepFinish::GeluTanh) {
            y = { geluTanh(y.x), geluTanh(y.y) };
        } else {
            y = { gelu(y.x), gelu(y.y) };
        }
        if (!writes) return 0;
        if (how == StepFinish::WideGelu)
            storeWords(to + 2 * pair, tag, y.x, y.y);
        else
            storeWord(to + pair, tag, packed(y.x, y.y));
        return 0;
    }
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
    __device__ void weightsOf(const StepNorm& t, float (&weight)[mostBranches]) const
    {
        const bool mine = lane < t.branches;
        const float z = mine && t.logits ? t.logits[lane] : 0, given = mine && t.given ? t.given[lane] : NAN;
        const float grown = __expf(z);
        float own = !mine                ? 0
            : t.mix == StepMix::Fixed    ? __fdividef(1, float(t.branches))
            : t.mix == StepMix::Softplus ? (z > 15 ? z
                      : grown > 1e-3f              ? __logf(1 + grown)
                                                   : grown)
            : t.mix == StepMix::Softmax  ? grown
            : t.mix == StepMix::Sigmoid  ? sigmoid(z)
                                         : 1;
        if (t.mix == StepMix::Softplus || t.mix == StepMix::Softmax) own = __fdividef(own, sumLanes<4>(own));
        if (given == given) own = given;
#pragma unroll
        for (int k = 0; k < mostBranches; ++k) weight[k] = __shfl_sync(0xffffffffu, own, k);
    }
    __device__ void norm(const StepNorm t)
    {
        const int c = 4 * thread, branches = uniform(t.branches);
        const auto mix = StepMix(uniform(int(t.mix)));
        const bool mine = c < p.width;
        float4 gain { 0, 0, 0, 0 };
        if (mine) gain = *reinterpret_cast<const float4*>(t.gain + c);
        if (uniform(t.begins)) {
            const auto at = (p.ids[t.row] * p.width + c) / 4;
            if (mine && p.embeddingWide) stream = static_cast<const float4*>(p.embedding)[at];
            if (mine && !p.embeddingWide) stream = unpackedFour(static_cast<const uint2*>(p.embedding)[at]);
            stream = scaled(stream, p.embeddingScale);
        } else {
            float scale[mostBranches] { 1, 1, 1 }, squares[mostBranches];
            if (mix != StepMix::Plain || uniform(t.given != nullptr)) weightsOf(t, scale);
            const Word* from[2 * mostBranches];
            uint2 got[2 * mostBranches];
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) {
                from[2 * k] = mine && k < branches ? words(t.z[k] + t.row * p.width + c) : nullptr;
                from[2 * k + 1] = from[2 * k] ? from[2 * k] + 2 : nullptr;
            }
            awaitWords(from, tag, got);
            if (mix != StepMix::Plain) {
#pragma unroll
                for (int k = 0; k < mostBranches; ++k) squares[k] = square(asFour(got[2 * k], got[2 * k + 1]));
                sumWorkers(squares, shared.met[0]);
#pragma unroll
                for (int k = 0; k < mostBranches; ++k) scale[k] *= rsqrtf(squares[k] / p.width + p.eps);
            }
            stream = scaled(stream, t.alpha);
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) {
                const auto z = scaled(asFour(got[2 * k], got[2 * k + 1]), t.beta * scale[k]);
                stream = { stream.x + z.x, stream.y + z.y, stream.z + z.z, stream.w + z.w };
            }
        }
        float squares[1] { square(stream) };
        sumWorkers(squares, shared.met[1]);
        const auto x = scaled(stream, rsqrtf(squares[0] / p.width + p.eps));
        hand(shared.normed, c, mine, { packed(x.x * gain.x, x.y * gain.y), packed(x.z * gain.z, x.w * gain.w) }, t.out);
    }
    __device__ static float square(float4 x) { return (x.x * x.x + x.y * x.y) + (x.z * x.z + x.w * x.w); }
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
