// SPDX-License-Identifier: GPL-3.0-or-later
// Builds without CUDA kernels: nothing fits, so nothing of the rest is ever called.
#include "engine/model/fused_card.h"
#include "engine/model/step_runner.h"

#if !PHA_HAS_KERNELS

namespace pha {

namespace {
[[noreturn]] void absent() { TORCH_CHECK(false, "this build has no CUDA kernels"); }
} // namespace

bool hasFusedKernels() { return false; }

namespace card {

StepDevice stepDevice() { return {}; }
bool fusedPass(const Tensor&, const Pass&) { return false; }
void readAll(const Tensor&) { absent(); }
bool fusedUpdateFits(std::int64_t, std::size_t) { return false; }
Tensor fusedMixWeights(const std::string&, const Tensor&) { absent(); }
bool queryKeysFit(std::int64_t) { return false; }
bool fusedGssFits(const ModelConfig&) { return false; }
bool fusedLongGssFits(const ModelConfig&) { return false; }
Tensor fusedProject(const Tensor&, const Tensor&, const Tensor&, const Pass&) { absent(); }
Tensor fusedLogits(const Tensor&, const Tensor&, const Pass&) { absent(); }
std::vector<Tensor> fusedNorm(Tensor&, Update&, const Tensor&, const Pass&, std::size_t) { absent(); }
QueryKeyValue fusedQueryKeyValue(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Rope&,
    const HeadOptions&, const Pass&)
{
    absent();
}
Tensor fusedFeedForward(const std::string&, const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Pass&)
{
    absent();
}
DiagonalSsm fusedSpectrum(const Tensor&, const Tensor&, const Tensor&, const Tensor&, const Tensor&) { absent(); }
Tensor fusedGss(const Tensor&, const GssWeights&, const DiagonalSsm&, SsmState*, const Pass&) { absent(); }
Tensor fusedLongGss(const Tensor&, const GssWeights&, const SharedStates&, const Pass&) { absent(); }

} // namespace card

bool fusedLossFits(const Tensor&, std::int64_t, torch::Dtype, const DeviceCache*) { return false; }
Tensor fusedDecodeAttention(const Tensor&, std::int64_t, Tensor&, Tensor&, const Tensor&) { absent(); }
Tensor fusedRowLosses(Tensor&, const Tensor&, std::int64_t, bool, const Tensor&) { absent(); }

} // namespace pha

#endif
