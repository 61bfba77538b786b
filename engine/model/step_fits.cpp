// SPDX-License-Identifier: GPL-3.0-or-later
// What the kernel of cuda/step.h has been built for.
#include "engine/model/cuda/step.h"

#include <algorithm>

namespace pha::kernels {

namespace {

bool fits(const StepAttention& a)
{
    const bool heads = a.kvHeads > 0 && a.queryHeads % a.kvHeads == 0 && a.queryHeads / a.kvHeads <= mostGroup;
    return heads && a.headWidth % 8 == 0 && a.headWidth <= 128;
}
bool fitsInner(int width) { return width % 8 == 0 && width <= stepMostInner; }
bool fits(const StepGss& g) { return g.channels % 8 == 0 && g.channels <= 1024 && fitsInner(g.expandWidth); }
bool fits(const StepFeedForward& f) { return fitsInner(f.hidden); }

} // namespace

bool stepFits(const StepModel& m)
{
    const bool parts = std::all_of(m.stages.begin(), m.stages.end(), [](const StepStage& stage) {
        return stage.parts.size() <= mostBranches
            && std::all_of(stage.parts.begin(), stage.parts.end(),
                [](const auto& part) { return std::visit([](const auto& p) { return fits(p); }, part); });
    });
    return parts && m.batch <= mostStepBatch && m.width % 8 == 0 && m.width <= 1024;
}

} // namespace pha::kernels
