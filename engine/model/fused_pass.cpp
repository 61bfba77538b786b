// SPDX-License-Identifier: GPL-3.0-or-later
// Which of the two sets of fused functions a pass takes.
#include "engine/model/fused_card.h"
#include "engine/model/fused_cpu.h"

#include <atomic>

namespace pha {

namespace {

std::atomic<bool> wanted { true };

bool onProcessor(const Tensor& x, const Pass& pass)
{
    return wanted && pass.cache && x.is_cpu() && x.scalar_type() == torch::kFloat && pass.matrix == torch::kFloat;
}

} // namespace

void useFusedKernels(bool on) { wanted = on; }
bool fusedWanted() { return wanted; }

bool fusedPass(const Tensor& x, const Pass& pass) { return onProcessor(x, pass) || card::fusedPass(x, pass); }

bool fusedStream(const Tensor& x, const Pass& pass)
{
    return onProcessor(x, pass) ? !pass.training || pass.dropout <= 0 : card::fusedPass(x, pass);
}

Tensor fusedProject(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass)
{
    return x.is_cpu() ? (bias.defined() ? project(x, w, pass.matrix, bias) : cpu::project(x, w))
                      : card::fusedProject(x, w, bias, pass);
}

Tensor project(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass)
{
    return fusedPass(x, pass) ? fusedProject(x, w, bias, pass) : project(x, w, pass.matrix, bias);
}

Tensor fusedLogits(const Tensor& hidden, const Tensor& embedding, const Pass& pass)
{
    return hidden.is_cpu() ? cpu::project(hidden, embedding) : card::fusedLogits(hidden, embedding, pass);
}

bool fusedUpdateFits(const torch::Device& device, std::int64_t width, std::size_t branches)
{
    return device.is_cpu() ? branches <= 3 : card::fusedUpdateFits(width, branches);
}

std::vector<Tensor> fusedNorm(Tensor& x, Update& update, const Tensor& gain, const Pass& pass, std::size_t readers)
{
    if (!x.is_cpu()) return card::fusedNorm(x, update, gain, pass, readers);
    const auto y = cpu::norm(x, update, gain);
    return std::vector<Tensor>(y.defined() ? readers : 0, y);
}

bool mixWeightsFit(const torch::Device& device, const std::string& mode)
{
    return device.is_cuda() && hasFusedKernels() && (mode == "softplus" || mode == "softmax" || mode == "sigmoid");
}

Tensor fusedMixWeights(const std::string& mode, const Tensor& logits) { return card::fusedMixWeights(mode, logits); }

bool queryKeysFit(const torch::Device& device, std::int64_t headWidth)
{
    return device.is_cpu() ? headWidth % 2 == 0 : card::queryKeysFit(headWidth);
}

QueryKeyValue fusedQueryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options, const Pass& pass)
{
    return u.is_cpu() ? cpu::queryKeyValue(u, query, key, value, headScale, rope, options)
                      : card::fusedQueryKeyValue(u, query, key, value, headScale, rope, options, pass);
}

Tensor fusedFeedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up,
    const Tensor& down, const Pass& pass)
{
    return u.is_cpu() ? cpu::feedForward(kind, u, gate, up, down)
                      : card::fusedFeedForward(kind, u, gate, up, down, pass);
}

bool fusedGssFits(const torch::Device& device, const ModelConfig& config)
{
    return device.is_cpu() ? cpu::gssFits(config) : card::fusedGssFits(config);
}

DiagonalSsm fusedSpectrum(
    const Tensor& logDt, const Tensor& logARe, const Tensor& aIm, const Tensor& cRe, const Tensor& cIm)
{
    return logDt.is_cpu() ? cpu::spectrum(logDt, logARe, aIm, cRe, cIm)
                          : card::fusedSpectrum(logDt, logARe, aIm, cRe, cIm);
}

Tensor fusedGss(const Tensor& u, const GssWeights& w, const DiagonalSsm& ssm, SsmState* state, const Pass& pass)
{
    return u.is_cpu() ? cpu::gss(u, w, ssm, state) : card::fusedGss(u, w, ssm, state, pass);
}

bool fusedLongGssFits(const torch::Device& device, const ModelConfig& config)
{
    return !device.is_cpu() && card::fusedLongGssFits(config);
}

Tensor fusedLongGss(const Tensor& u, const GssWeights& w, const SharedStates& states, const Pass& pass)
{
    return card::fusedLongGss(u, w, states, pass);
}

void readAll(const Tensor& memory)
{
    if (memory.is_cuda() && hasFusedKernels()) return card::readAll(memory);
    memory.sum();
}

} // namespace pha
