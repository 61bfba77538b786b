// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_worker.cuh"

/// What a worker does for the residual stream between two stages.
namespace pha::kernels {

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::weightsOf(const StepNorm& t, float (&weight)[mostBranches]) const
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
        : t.mix == StepMix::Weights  ? z
                                     : 1;
    if (t.mix == StepMix::Softplus || t.mix == StepMix::Softmax) own = __fdividef(own, sumLanes<4>(own));
    if (given == given) own = given;
#pragma unroll
    for (int k = 0; k < mostBranches; ++k) weight[k] = __shfl_sync(0xffffffffu, own, k);
}

template <int NB, bool Alone>
template <int Branches>
inline __device__ void Worker<NB, Alone>::awaitBranches(const StepNorm& t, int c, float4 (&to)[mostBranches])
{
    float4 got[Branches];
    awaitResults(got, [&](int i) { return c < p.width && i < t.branches ? results(t.z[i], c) : nullptr; });
#pragma unroll
    for (int k = 0; k < Branches; ++k) to[k] = c < p.width && k < t.branches ? got[k] : float4 {};
}

template <int NB, bool Alone>
inline __device__ void Worker<NB, Alone>::awaitParts(const StepNorm& t, int c, float4 (&to)[mostBranches])
{
    constexpr int together = 6;
    const int second = t.parts[0], third = second + t.parts[1], all = c < p.width ? third + t.parts[2] : 0;
    const int stride = p.batch * p.width, own = t.row * p.width + c; // all parts of all branches, one after the other
    const int z0 = t.z[0] + own, z1 = t.z[1] + own - second * stride, z2 = t.z[2] + own - third * stride;
    const auto branch = [&](int i) { return (i >= second) + (i >= third); };
#pragma unroll 1
    for (int first = 0; first < third + t.parts[2]; first += together) {
        uint2 got[2 * together];
        awaitWords(tag, got, [&](int i) -> const Word* {
            const int at = first + i / 2, z = at < second ? z0 : at < third ? z1 : z2;
            return at < all ? words(z + at * stride + i % 2 * 2) : nullptr;
        });
#pragma unroll
        for (int i = 0; i < together; ++i) {
            const auto x = asFour(got[2 * i], got[2 * i + 1]);
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) to[k] = sum(to[k], branch(first + i) == k ? x : float4 {});
        }
    }
}

template <int NB, bool Alone> inline __device__ void Worker<NB, Alone>::norm(const StepNorm t)
{
    const int c = channel();
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
        float scale[mostBranches] { 1, 1, 1 }, each[mostBranches];
        if (mix != StepMix::Plain || uniform(t.given != nullptr)) weightsOf(t, scale);
        float4 branch[mostBranches] {};
        if constexpr (!Alone)
            awaitParts(t, c, branch);
        else if (uniform(t.branches) == 1)
            awaitBranches<1>(t, c, branch);
        else
            awaitBranches<mostBranches>(t, c, branch);
        if (mix != StepMix::Plain) {
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) each[k] = square(branch[k]);
            sumWorkers(each, shared.met[0]);
#pragma unroll
            for (int k = 0; k < mostBranches; ++k) scale[k] *= rsqrtf(each[k] / p.width + p.eps);
        }
        stream = scaled(kept, t.alpha);
#pragma unroll
        for (int k = 0; k < mostBranches; ++k) {
            stream = sum(stream, scaled(branch[k], t.beta * scale[k]));
        }
    }
    kept = stream;
    auto x = stream;
    if constexpr (Alone) {
        fresh = true; // the products will scale what comes out
    } else {
        float all[1] { square(stream) };
        sumWorkers(all, shared.met[1]);
        x = scaled(stream, rsqrtf(all[0] / p.width + p.eps));
    }
    hand(shared.normed, c, mine, { packed(x.x * gain.x, x.y * gain.y), packed(x.z * gain.z, x.w * gain.w) }, t.out);
}

} // namespace pha::kernels
