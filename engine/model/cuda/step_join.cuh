// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_attention.cuh"

namespace pha::kernels {

/// Parts of attention over keys that were split, of all heads of one text.
template <class W> __device__ void join(W& w, StepJoin t)
{
    constexpr int together = 6; // asked for at once: values, and highest scores and sums of two parts
    t.splits = uniform(t.splits), t.headWidth = uniform(t.headWidth);
    const int c = w.channel(), which = quotient(c, t.headWidth), part = t.headWidth / 2;
    const bool mine = c < t.width;
    const auto* head = w.words(t.in) + which * t.stride;
    const auto *from = head + (c - which * t.headWidth) / 2, *scales = head + t.splits * part;
    float most = lowest, sum = 0;
    float4 y { 0, 0, 0, 0 };
#pragma unroll 1
    for (int first = 0; first < t.splits; first += together) {
        float4 got[together + together / 2];
        const auto wanted = [&](int i) { return mine && first + i < t.splits; };
        awaitFloats(w.tag, got, [&](int i) -> const Word* {
            if (i < together) return wanted(i) ? from + (first + i) * part : nullptr;
            const int pair = 2 * (i - together);
            return wanted(pair) ? scales + first + pair : nullptr;
        });
        const auto scale = [&](int i) {
            const auto& both = got[together + i / 2];
            return i % 2 ? float2 { both.z, both.w } : float2 { both.x, both.y };
        };
        float top = most;
#pragma unroll
        for (int i = 0; i < together; ++i)
            if (wanted(i)) top = fmaxf(top, scale(i).x);
        const float kept = power(most - top);
        y = W::scaled(y, kept), sum *= kept, most = top;
#pragma unroll
        for (int i = 0; i < together; ++i) {
            const float u = wanted(i) ? power(scale(i).x - top) : 0;
            y = W::sum(y, W::scaled(got[i], u)), sum += u * scale(i).y;
        }
    }
    const auto x = W::scaled(y, __fdividef(1, sum));
    w.hand(w.shared.staged, c, mine, { packed(x.x, x.y), packed(x.z, x.w) }, t.out);
}

} // namespace pha::kernels
