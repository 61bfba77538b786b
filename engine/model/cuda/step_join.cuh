// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step_attention.cuh"

namespace pha::kernels {

/// Parts of attention over keys that were split, of all heads of one text.
template <class W> __device__ void join(W& w, StepJoin t)
{
    constexpr int together = 8;
    t.splits = uniform(t.splits), t.headWidth = uniform(t.headWidth);
    const int c = 4 * w.thread, part = (t.headWidth + 4) / 2, which = quotient(c, t.headWidth);
    const bool mine = c < t.width;
    const auto* from = w.words(t.in) + which * t.splits * part;
    const int channel = c - which * t.headWidth;
    float most = lowest, sum = 0;
    float4 y { 0, 0, 0, 0 };
#pragma unroll 1
    for (int first = 0; first < t.splits; first += together) {
        float4 got[2 * together]; // values; highest score and sum
        const auto wanted = [&](int i) { return mine && first + i < t.splits; };
        awaitFloats(w.tag, got, [&](int i) {
            return wanted(i / 2) ? from + (first + i / 2) * part + (i % 2 ? t.headWidth : channel) / 2 : nullptr;
        });
        float top = most;
#pragma unroll
        for (int i = 0; i < together; ++i)
            if (wanted(i)) top = fmaxf(top, got[2 * i + 1].x);
        const float kept = power(most - top);
        y = W::scaled(y, kept), sum *= kept, most = top;
#pragma unroll
        for (int i = 0; i < together; ++i) {
            const auto &v = got[2 * i], &s = got[2 * i + 1];
            const float u = wanted(i) ? power(s.x - top) : 0;
            y = { y.x + u * v.x, y.y + u * v.y, y.z + u * v.z, y.w + u * v.w };
            sum += u * s.y;
        }
    }
    const auto x = W::scaled(y, __fdividef(1, sum));
    w.hand(w.shared.staged, c, mine, { packed(x.x, x.y), packed(x.z, x.w) }, t.out);
}

} // namespace pha::kernels
