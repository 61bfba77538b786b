// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu/kernels.h"

namespace pha::cpu {

namespace baseline {
extern const Kernels table;
}
#if PHA_HAS_AVX2_KERNELS
namespace avx2 {
extern const Kernels table;
}
#endif

const Kernels& kernels()
{
#if PHA_HAS_AVX2_KERNELS
    static const bool fast = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (fast) return avx2::table;
#endif
    return baseline::table;
}

namespace {
std::int64_t wholeLanes(std::int64_t n) { return (n + 7) / 8 * 8; }
constexpr std::int64_t attentionQueries = 32, apart = 16; // as in cpu/attention.cpp and cpu/muon.cpp
} // namespace

std::int64_t attentionTasks(const Attention& p)
{
    return p.batch * p.kvHeads * ((p.queries + attentionQueries - 1) / attentionQueries);
}

std::int64_t attentionBackwardTasks(const Attention& p) { return p.batch * p.kvHeads * p.parts; }

std::int64_t attentionScratch(const Attention& p, bool backward)
{
    if (p.queries == 1 && !backward) return p.queryHeads * wholeLanes(p.keys); // scores
    const auto keys = wholeLanes(p.keys) + apart, width = wholeLanes(p.headWidth);
    if (!backward) return keys * (p.headWidth + width + attentionQueries) + 2 * attentionQueries * width;
    return keys * (2 * p.headWidth + 3 * width + 2 * attentionQueries) + 3 * attentionQueries * width;
}

std::int64_t muonScratch(const Muon& p)
{
    const auto n = wholeLanes(p.rows < p.columns ? p.rows : p.columns),
               longer = p.rows < p.columns ? p.columns : p.rows;
    return (2 * longer + 4 * n) * (n + apart);
}

std::int64_t stepRowsScratch(const StepRows& p, std::int64_t rows) { return 2 * rows * p.columns + 8 * p.inner; }

std::int64_t stepAttentionScratch(const StepAttention& p) { return p.group * (2 * p.headWidth + 2 + stepPiece); }

std::int64_t scanTasks(const Scan& p) { return p.batch * p.channels / 8; }

std::int64_t scanSpans(const Scan& p)
{
    return p.batch * ((p.length + scanSpan - 1) / scanSpan) * p.channels * p.states * 2;
}

} // namespace pha::cpu
