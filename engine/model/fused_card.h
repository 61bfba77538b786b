// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/fused_ops.h"

/// fused_ops.h as done by the CUDA kernels; without them in this build nothing fits.
namespace pha {
struct StepDevice;
}
namespace pha::card {

StepDevice stepDevice(); ///< what runs cuda/step.h on the current stream; none: no such card

bool fusedPass(const Tensor& x, const Pass& pass);
void readAll(const Tensor& memory);
Tensor fusedProject(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass);
Tensor fusedLogits(const Tensor& hidden, const Tensor& embedding, const Pass& pass);
bool fusedUpdateFits(std::int64_t width, std::size_t branches);
std::vector<Tensor> fusedNorm(Tensor& x, Update& update, const Tensor& gain, const Pass& pass, std::size_t readers);
Tensor fusedMixWeights(const std::string& mode, const Tensor& logits);
bool queryKeysFit(std::int64_t headWidth);
QueryKeyValue fusedQueryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options, const Pass& pass);
Tensor fusedFeedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up,
    const Tensor& down, const Pass& pass);
bool fusedGssFits(const ModelConfig& config);
bool fusedLongGssFits(const ModelConfig& config);
DiagonalSsm fusedSpectrum(
    const Tensor& logDt, const Tensor& logARe, const Tensor& aIm, const Tensor& cRe, const Tensor& cIm);
Tensor fusedGss(const Tensor& u, const GssWeights& w, const DiagonalSsm& ssm, SsmState* state, const Pass& pass);
Tensor fusedLongGss(const Tensor& u, const GssWeights& w, const SharedStates& states, const Pass& pass);

} // namespace pha::card
