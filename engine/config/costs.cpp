// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/config.h"

#include "engine/base/error.h"

#include <algorithm>
#include <cmath>

/// Counting without building a network. Section numbers are those of models.md.
namespace pha {

namespace {

/// Sequences over which the generation of the GSS kernel is spread in the FLOP counts [19.6].
constexpr double kernelBatch = 24;
/// Rows times vocabulary of the logits that the loss holds at one time.
constexpr std::int64_t logitsAtOnce = std::int64_t(1) << 25;

struct BranchSet {
    std::int64_t count = 0; ///< K
    bool gss = false, attention = false, ffn = false;
};

BranchSet branchesOf(const ModelConfig& m)
{
    BranchSet set;
    for (const auto& branch : m.branchList()) {
        ++set.count;
        set.gss |= branch == "gss";
        set.attention |= branch == "attention";
        set.ffn |= branch == "ffn";
    }
    return set;
}

bool gated(const ModelConfig& m) { return m.gssKind == "gated_rec"; }

/// Complex states that a channel has. dss shares their frequencies, s4d keeps conjugate pairs.
std::int64_t complexStates(const ModelConfig& m) { return m.gssKernel == "dss" ? m.gssState : m.gssState / 2; }

// Parameters of one layer [11.1]. ------------------------------------------------------------------------------------

std::int64_t attentionParameters(const ModelConfig& m)
{
    const auto D = m.width, dh = m.headWidth();
    return 2 * D * m.queryHeads * dh + 2 * D * m.kvHeads * dh + (m.qkMode == "cosine" ? m.queryHeads : 0);
}

std::int64_t gssParameters(const ModelConfig& m)
{
    const auto D = m.width, E = m.gssExpand, h = m.gssWidth, N = m.gssState, Hs = m.gssHidden;
    if (gated(m)) return (m.gssFilter ? 4 : 3) * D * Hs + 2 * Hs; // the gate's bias and the decay
    const auto spectrum = m.gssKernel == "dss" ? 2 * N : h + h * N; // a, b shared; or log_dt and A per channel
    const auto readout = m.gssKernel == "dss" ? 2 * h * N : h * N; // C, complex
    return 2 * D * E + D * h + h * E + spectrum + readout + 2 * h; // the inner norm's gain and the skip
}

std::int64_t mixingParameters(const ModelConfig& m, std::int64_t K)
{
    if (m.mixMode == "fixed") return 0;
    if (m.mixMode.starts_with("channel")) return K * m.width;
    if (m.mixMode.starts_with("token")) return K * m.width + K;
    return K;
}

/// Norms of the residual stream: before the mix and before the main FFN, or after each of them.
std::int64_t streamNorms(const ModelConfig& m) { return m.mainWidth > 0 ? 2 : 1; }

// Work and memory of one layer and token [11.2, 11.4]. ---------------------------------------------------------------

/// Forward FLOPs, a multiply-add counting 2. Norms and activations are left out as in the literature.
double layerFlops(const ModelConfig& m, const BranchSet& has, double context)
{
    const double D = double(m.width), dh = double(m.headWidth()), Hq = double(m.queryHeads), Hkv = double(m.kvHeads);
    double flops = 6 * D * double(m.mainWidth);
    if (has.ffn) flops += 6 * D * double(m.auxWidth);
    if (has.attention) flops += 4 * D * (Hq + Hkv) * dh + 2 * context * Hq * dh;
    if (m.mixMode.starts_with("token")) flops += 2 * D * double(has.count);
    if (!has.gss) return flops;
    if (gated(m)) return flops + ((m.gssFilter ? 8 : 6) * D + 6) * double(m.gssHidden);
    const double E = double(m.gssExpand), h = double(m.gssWidth), stages = std::log2(2 * context);
    const double convolution = 10 * h * stages + 6 * h;
    const double kernel = (8 * h * double(complexStates(m)) + 5 * h * stages) / kernelBatch;
    return flops + 4 * D * E + 2 * D * h + 2 * h * E + convolution + kernel;
}

/// Bytes of activations that backward needs. `wide` is 1 for bf16, 2 for fp32; what is fp32 or one byte anyway stays.
double layerActivationBytes(const ModelConfig& m, const BranchSet& has, double wide)
{
    const double D = double(m.width), dh = double(m.headWidth()), Hq = double(m.queryHeads), Hkv = double(m.kvHeads);
    double bytes = wide * (4 * D + 4 * D + 4 * D * double(has.count) + 6 * double(m.mainWidth)) + 3 * D;
    if (has.ffn) bytes += wide * 6 * double(m.auxWidth);
    if (has.attention) bytes += wide * (2 * (Hq + 2 * Hkv) * dh + 2 * Hq * dh) + 4 * Hq;
    if (!has.gss) return bytes;
    // gated_rec (our count): gate, input, filter before and after SiLU and the product; decay and state in fp32.
    if (gated(m)) return bytes + (wide * (m.gssFilter ? 10 : 4) + 8) * double(m.gssHidden);
    return bytes + wide * 8 * double(m.gssExpand) + 26 * double(m.gssWidth); // u, y and the spectra are fp32
}

double stateReals(const ModelConfig& m)
{
    if (gated(m)) return double(m.gssHidden);
    return 2 * double(m.gssWidth) * double(complexStates(m));
}

} // namespace

ModelCosts modelCosts(const ModelConfig& m, std::int64_t context)
{
    m.validate();
    if (context < 1) throw ConfigError("context", std::to_string(context), "an integer of at least 1");
    const auto has = branchesOf(m);
    const auto D = m.width, L = m.layers, gains = L * has.count * D;
    ModelCosts costs;
    const auto add = [&](const char* part, std::int64_t count) {
        costs.parts.push_back({ part, count });
        costs.parameters += count;
    };
    add("embedding", m.vocabulary * D);
    add("attention", has.attention ? L * attentionParameters(m) : 0);
    add("gss", has.gss ? L * gssParameters(m) : 0);
    add("ffn_aux", has.ffn ? L * 3 * D * m.auxWidth : 0);
    add("ffn_main", L * 3 * D * m.mainWidth);
    add("norms", L * streamNorms(m) * D + gains + D);
    add("mixing", L * mixingParameters(m, has.count));
    costs.trainable = costs.parameters - (m.branchNormAffine ? 0 : gains);
    costs.forwardFlopsPerToken = double(L) * layerFlops(m, has, double(context)) + 2 * double(m.vocabulary) * double(D);
    if (has.attention) costs.cacheElementsPerToken = double(L * 2 * m.kvHeads * m.headWidth());
    if (has.gss) costs.fixedStateReals = double(L) * stateReals(m);
    return costs;
}

double trainingBytes(const RunConfig& config)
{
    config.validate();
    const auto& m = config.model;
    const auto& t = config.training;
    const auto has = branchesOf(m);
    const double wide = t.precision == "bf16" ? 1 : 2; // auto may end in fp32: count the larger
    const double tokens = double(t.batchSize) * double(t.context);
    const double states = 16 * double(modelCosts(m, t.context).parameters);
    const double activations = tokens * double(m.layers) * layerActivationBytes(m, has, wide);
    // The loss holds one chunk of logits twice (as log-probabilities and as gradient) and the embedding's gradient in
    // fp32.
    const auto rows = std::clamp<std::int64_t>(logitsAtOnce / m.vocabulary, 64, 8192);
    const double logits = 8 * std::min(double(rows), tokens) * double(m.vocabulary);
    return states + activations + logits + 4 * double(m.vocabulary) * double(m.width);
}

} // namespace pha
