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
    __device__ void stage(int source, int inner)
    {
        constexpr int N = 4;
#pragma unroll 1
        for (int base = 0; 2 * base < inner; base += 2 * N * workerThreads) {
            uint2 got[N];
            const auto place = [&](int i) -> const Word* {
                const int at = base + 2 * (thread + i * workerThreads);
                return 2 * at < inner ? words(source + at) : nullptr;
            };
            awaitWords(tag, got, place);
#pragma unroll
            for (int i = 0; i < N; ++i)
                if (place(i)) reinterpret_cast<uint2*>(shared.staged)[base / 2 + thread + i * workerThreads] = got[i];
        }
        meet();
    }
    /// One text: each warp takes every eighth chunk of 32 inputs, of up to mostEights times eight rows. Few branches
    /// and places that need no arithmetic: what a product costs is its instructions.
    __device__ void multiplyAlone(float (&acc)[mostEights][4], const bf16* from, int inner, int eights) const
    {
        constexpr int next = 32 * workers; // inputs to the warp's next chunk; four to a slot
        static_assert(4 * next == stepSlotDepth);
        const int column = 32 * w + 8 * (lane % 4), place = placeAlone(inner, lane / 4) + 2 * column;
        const uint4 none {};
        int slot = 0, offset = 0;
#pragma unroll 2
        for (int k = column; k - column < inner; k += 2 * next) {
            const bool low = k < inner, high = k + next < inner;
            const auto x = pick(low && lane < 8 ? *reinterpret_cast<const uint4*>(from + k) : none);
            const auto y = pick(high && lane < 8 ? *reinterpret_cast<const uint4*>(from + k + next) : none);
#pragma unroll
            for (int e = 0; e < mostEights; e += 2) { // of an odd number one is multiplied for nothing
                if (e >= eights) break;
                const auto *a = ring.slot(slot + e) + place + offset, *b = ring.slot(slot + e + 1) + place + offset;
                const auto load = [&](bool real, const unsigned char* at) {
                    return real ? *reinterpret_cast<const uint4*>(at) : none;
                };
                const auto a0 = load(low, a), b0 = load(low, b), a1 = load(high, a + 2 * next),
                           b1 = load(high, b + 2 * next);
                multiplyEight(acc[e], a0, x), multiplyEight(acc[e + 1], b0, x);
                multiplyEight(acc[e], a1, y), multiplyEight(acc[e + 1], b1, y);
            }
            offset ^= 4 * next;
            if (!offset) slot += eights;
        }
    }
    /// The half of eight channels that a lane gives multiplyEight.
    __device__ uint2 pick(uint4 x) const { return lane / 4 % 2 ? uint2 { x.y, x.w } : uint2 { x.x, x.z }; }
    /// One text: warp i finishes 16 rows, lanes r and r + 16 one of them.
    __device__ void productAlone(const StepProduct t, StepFinish finishing)
    {
        const int inner = uniform(t.inner), source = uniform(t.source), rows = uniform(t.rows);
        const auto how = StepFinish(uniform(int(finishing)));
        const int eights = (rows + 7) / 8, slots = (inner + stepSlotDepth - 1) / stepSlotDepth * eights;
        if (source > 0 && resident != source) {
            stage(source, inner);
            resident = source;
        }
        const int row = 16 * w + lane % 16;
        const bool writes = lane < 16 && row < rows;
        const Word* gate = how == StepFinish::Gate && writes ? words(t.gate + row / 2 * 2) : nullptr;
        Word gates[2] {}; // asked for early; they have been there for long
        if (gate) loadWords(gate, gates[0], gates[1]);
        ring.awaitMany(slots, lane);
        float acc[mostEights][4] = {};
        multiplyAlone(acc, source == -1 ? shared.normed : shared.staged, inner, eights);
        auto* sums = shared.sums + parity * S::sums;
        parity ^= 1;
        const int own = t.second ? lane / 4 : lane / 4 % 2 * 4 + lane / 8; // placeAlone's row
#pragma unroll
        for (int e = 0; e < mostEights; ++e)
            if (lane % 4 == 0 && e < eights) sums[w * S::part + 8 * e + own] = sumOfEight(acc[e]);
        meet();
        if (w == workers - 1 && lane < slots) ring.release(lane, workers);
        ring.pass(slots);
        if (16 * w >= rows) return;
        float y = 0;
#pragma unroll
        for (int v = 0; v < workers / 2; ++v) y += sums[(lane / 16 * (workers / 2) + v) * S::part + row];
        y += __shfl_xor_sync(0xffffffffu, y, 16);
        if (source == -1) y *= inverse;
        if (how == StepFinish::Gate) {
            auto v = asFloats({ unsigned(gates[0]), unsigned(gates[1]) });
            if (!__all_sync(0xffffffffu, !gate || (gates[0] >> 32 == tag && gates[1] >> 32 == tag)))
                v = awaitPair(gate, tag);
            y *= row % 2 ? v.y : v.x;
        }
        finishRow(t, how, row, writes, y);
    }
    __device__ void finishRow(const StepProduct& t, StepFinish how, int row, bool writes, float y)
    {
        auto* to = words(t.out);
        if (how == StepFinish::Wide) {
            if (writes) storeWord(to + row, tag, __float_as_uint(y));
        } else if (how == StepFinish::Logits) {
            if (!writes) return;
            p.logits[t.row + row] = y;
            see(y, t.row + row);
        } else if (how == StepFinish::SwiGlu) {
            const float h = y * sigmoid(y) * __shfl_down_sync(0xffffffffu, y, 1);
            const float next = __shfl_down_sync(0xffffffffu, h, 2);
            if (writes && row % 4 == 0) storeWord(to + row / 4, tag, packed(h, next));
        } else {
            if (how != StepFinish::Gate) y = activated(how, y);
            const float next = __shfl_down_sync(0xffffffffu, y, 1);
            if (how == StepFinish::WideGelu) {
                if (writes) storeWord(to + row, tag, __float_as_uint(y));
            } else if (writes && row % 2 == 0) {
                storeWord(to + row / 2, tag, packed(y, next));
            }
        }
    }
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
    template <int Tiles> __device__ void loadInput(const StepProduct& t, int source, int first)
    {
        constexpr int tiles = Tiles < NB ? Tiles : NB,
                      each = 2 * tiles; // asked for at once: the way there and back is long
        const int k = 32 * first + 4 * (lane % 4);
#pragma unroll
        for (int n0 = 0; n0 < NB; n0 += tiles) {
            const int text = lane / 4 + 8 * n0;
            const auto* from = words(source + (text * t.inner + k) / 2);
            uint2 got[S::together * each];
            awaitWords(tag, got, [&](int i) -> const Word* {
                const int chunk = i / each, n = i % each / 2, half = i % 2;
                const bool real = text + 8 * n < p.batch && k + 32 * chunk + 16 * half < t.count;
                return real ? from + 4 * n * t.inner + 16 * chunk + 8 * half : nullptr;
            });
#pragma unroll
            for (int i = 0; i < S::together * each; i += 2)
                input[i / each][n0 + i % each / 2] = { got[i].x, got[i].y, got[i + 1].x, got[i + 1].y };
        }
    }
    /// This warp's chunks, begin ... end - 1, of 16 rows. A lane has channels 4 (lane % 4) ... + 3 of each half chunk.
    __device__ void multiplyRows(float (&acc)[NB][4], const StepProduct& t, int source, int begin, int end)
    {
        constexpr int N = S::together;
        const bool fits = end - begin <= N;
        if (fits && resident != source) loadInput<2>(t, source, begin);
        resident = fits ? source : 0;
#pragma unroll
        for (auto& tile : acc)
#pragma unroll
            for (auto& x : tile) x = 0;
        const int place = lane / 4 * slotStride + lane % 4 * 8;
        const unsigned char* slot = nullptr;
#pragma unroll 1
        for (int first = begin; first < end; first += N) {
            if (!fits) loadInput<1>(t, source, first);
            uint2 top[N][2], bottom[N][2];
#pragma unroll
            for (int i = 0; i < N; ++i) {
                const int chunk = first + i;
                if (chunk >= end) break;
                if (chunk == begin || chunk % slotChunks == 0) slot = ring.await(chunk / slotChunks);
#pragma unroll
                for (int half = 0; half < 2; ++half) {
                    const auto* at = slot + place + chunk % slotChunks * 64 + 32 * half;
                    const bool real = chunk * 32 + 16 * half + 4 * (lane % 4) < t.count;
                    top[i][half] = real ? *reinterpret_cast<const uint2*>(at) : uint2 {};
                    bottom[i][half] = real ? *reinterpret_cast<const uint2*>(at + 8 * slotStride) : uint2 {};
                }
            }
#pragma unroll
            for (int i = 0; i < N; ++i) {
                if (first + i >= end) break;
#pragma unroll
                for (int n = 0; n < NB; ++n) {
                    const auto x = input[i][n];
                    multiply(acc[n], top[i][0].x, bottom[i][0].x, top[i][0].y, bottom[i][0].y, x.x, x.y);
                    multiply(acc[n], top[i][1].x, bottom[i][1].x, top[i][1].y, bottom[i][1].y, x.z, x.w);
                }
            }
        }
    }
    __device__ void product(const StepProduct t, StepFinish finishing)
    {
        if constexpr (Alone)
            productAlone(t, finishing);
        else
            productTogether(t, finishing);
    }
    __device__ void productTogether(const StepProduct t, StepFinish finishing)
    {
        const int count = uniform(t.count), source = uniform(t.source + t.begin / 2);
        const auto how = StepFinish(uniform(int(finishing)));
        const int chunks = (count + 31) / 32, each = (chunks + workers - 1) / workers, begin = w * each;
        const int slots = (count + slotInner - 1) / slotInner, pair = lane / 4, share = lane % 4;
        float acc[NB][4];
        multiplyRows(acc, t, source, begin, min(begin + each, chunks));
        auto* sums = shared.sums + parity * S::sums;
        if (S::buffers == 2) parity ^= 1;
        if (begin < chunks) {
#pragma unroll
            for (int n = 0; n < NB; ++n) {
                auto* at = sums + w * S::part + (8 * n + 2 * share) * S::column + pair;
                at[0] = acc[n][0], at[8] = acc[n][2];
                at[S::column] = acc[n][1], at[S::column + 8] = acc[n][3];
            }
        }
        meet();
        if (w == workers - 1 && lane < slots) ring.release(lane, workers);
        ring.pass(slots);
        const int text = thread / 8, rows = 2 * (thread % 8);
        float2 y { 0, 0 };
#pragma unroll
        for (int v = 0; v < workers; ++v) {
            const auto part = *reinterpret_cast<const float2*>(sums + v * S::part + text * S::column + rows);
            if (v * each < chunks) y.x += part.x, y.y += part.y;
        }
        if (4 * w < p.batch) finish(t, how, text, rows, text < p.batch, y);
        if (S::buffers == 1) meet();
    }
    /// Rows `row` and row + 1 of a tile, of one text; eight lanes hold all of them.
    __device__ void finish(const StepProduct& t, StepFinish how, int text, int row, bool writes, float2 y)
    {
        auto* to = words(t.out + text * t.outStride);
        writes &= row < t.rows;
        if (how == StepFinish::Wide) {
            if (writes) storeWords(to + row, tag, y.x, y.y);
            return;
        }
        if (how == StepFinish::Logits) {
            if (!writes) return;
            const int n = t.row + row;
            auto* at = p.logits + std::int64_t(text) * p.vocabulary + n;
            at[0] = y.x, see(y.x, n);
            if (row + 1 < t.rows) at[1] = y.y, see(y.y, n + 1);
            return;
        }
        if (how == StepFinish::SwiGlu) {
            const float h = y.x * sigmoid(y.x) * y.y, next = __shfl_down_sync(0xffffffffu, h, 1);
            if (writes && row % 4 == 0) storeWord(to + row / 4, tag, packed(h, next));
            return;
        }
        if (how == StepFinish::Gate) {
            const auto v = awaitPair(writes ? words(t.gate + text * t.gateStride + row) : nullptr, tag);
            y.x *= v.x, y.y *= v.y;
        } else {
            y = { activated(how, y.x), activated(how, y.y) };
        }
        if (!writes) return;
        if (how == StepFinish::WideGelu)
            storeWords(to + row, tag, y.x, y.y);
        else
            storeWord(to + row / 2, tag, packed(y.x, y.y));
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
    /// Channels c ... c + 3 of each branch. One text: a branch has one part.
    __device__ void awaitBranches(const StepNorm& t, int c, float4 (&to)[mostBranches])
    {
        const int branches = uniform(t.branches);
        uint2 got[2 * mostBranches];
        awaitWords(tag, got, [&](int i) -> const Word* {
            return c < p.width && i / 2 < branches ? words(t.z[i / 2] + c + i % 2 * 2) : nullptr;
        });
#pragma unroll
        for (int k = 0; k < mostBranches; ++k) to[k] = asFour(got[2 * k], got[2 * k + 1]);
    }
    /// Several texts: the sums of all parts of the branches.
    __device__ void awaitParts(const StepNorm& t, int c, float4 (&to)[mostBranches])
    {
        constexpr int together = 6;
        const int second = t.parts[0], third = second + t.parts[1], all = third + t.parts[2];
        const auto branch = [&](int i) { return (i >= second) + (i >= third); };
#pragma unroll 1
        for (int first = 0; first < all; first += together) {
            uint2 got[2 * together];
            awaitWords(tag, got, [&](int i) -> const Word* {
                const int at = first + i / 2, k = branch(at), part = at - (k == 2 ? third : k == 1 ? second : 0);
                const int z = k == 2 ? t.z[2] : k == 1 ? t.z[1] : t.z[0];
                return c < p.width && at < all ? words(z + (part * p.batch + t.row) * p.width + c + i % 2 * 2)
                                               : nullptr;
            });
#pragma unroll
            for (int i = 0; i < together; ++i) {
                const auto x = asFour(got[2 * i], got[2 * i + 1]);
#pragma unroll
                for (int k = 0; k < mostBranches; ++k) to[k] = sum(to[k], branch(first + i) == k ? x : float4 {});
            }
        }
    }
    __device__ void norm(const StepNorm t)
    {
        const int c = 4 * thread;
        const auto mix = StepMix(uniform(int(t.mix)));
        const bool mine = c < p.width;
        float4 gain { 0, 0, 0, 0 }, stream { 0, 0, 0, 0 };
        auto& kept = shared.stream[thread]; // this thread's channels
        if (mine) gain = *reinterpret_cast<const float4*>(t.gain + c);
        if (uniform(t.begins)) {
            const auto at = (p.ids[t.row] * p.width + c) / 4;
            if (mine && p.embeddingWide) stream = static_cast<const float4*>(p.embedding)[at];
            if (mine && !p.embeddingWide) stream = unpackedFour(static_cast<const uint2*>(p.embedding)[at]);
            stream = scaled(stream, p.embeddingScale);
        } else {
            float scale[mostBranches] { 1, 1, 1 }, squares[mostBranches];
            if (mix != StepMix::Plain || uniform(t.given != nullptr)) weightsOf(t, scale);
            float4 branch[mostBranches] {};
            if constexpr (Alone)
                awaitBranches(t, c, branch);
            else
                awaitParts(t, c, branch);
            if (mix != StepMix::Plain) {
#pragma unroll
                for (int k = 0; k < mostBranches; ++k) squares[k] = square(branch[k]);
                sumWorkers(squares, shared.met[0]);
#pragma unroll
                for (int k = 0; k < mostBranches; ++k) scale[k] *= rsqrtf(squares[k] / p.width + p.eps);
            }
            stream = scaled(kept, t.alpha);
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) {
                stream = sum(stream, scaled(branch[k], t.beta * scale[k]));
            }
        }
        kept = stream;
        float squares[1] { square(stream) };
        auto x = stream;
        if constexpr (Alone) {
            squares[0] = sumLanes(squares[0]);
            if (lane == 0) shared.met[1][0][w] = squares[0];
        } else {
            sumWorkers(squares, shared.met[1]);
            x = scaled(stream, rsqrtf(squares[0] / p.width + p.eps));
        }
        hand(shared.normed, c, mine, { packed(x.x * gain.x, x.y * gain.y), packed(x.z * gain.z, x.w * gain.w) }, t.out);
        if constexpr (Alone) inverse = rsqrtf(sumLanes<workers>(shared.met[1][0][lane % workers]) / p.width + p.eps);
    }
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
