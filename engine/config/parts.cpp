// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/parts.h"

#include "engine/config/config.h"

#include <algorithm>
#include <cmath>

/// Counting one part. Section numbers are those of models.md; letters are its symbols.
namespace pha {

namespace {

/// Sequences over which the generation of a state-space kernel is spread in the FLOP counts [19.6].
constexpr double kernelBatch = 24;

double stages(const CostBasis& basis) { return std::log2(2 * basis.context); } // of a Fourier transform of 2T
double bias(const ModelConfig& m) { return m.biases ? 1 : 0; }

// Attention [2.4]. ----------------------------------------------------------------------------------------------------

struct Heads {
    double D, dh, q, kv;
    explicit Heads(const ModelConfig& m)
        : D(double(m.width))
        , dh(double(m.headWidth()))
        , q(double(m.queryHeads))
        , kv(double(m.kvHeads))
    {
    }
    double projections() const { return 2 * D * q * dh + 2 * D * kv * dh; }
    double biases() const { return q * dh + 2 * kv * dh + D; }
    double activations() const { return 2 * (q + 2 * kv) * dh + 2 * q * dh; }
};

PartCosts attentionCosts(const ModelConfig& m, const CostBasis& basis)
{
    const Heads h(m);
    const double seen = m.attentionSpan > 0 ? std::min(basis.context, double(m.attentionSpan)) : basis.context;
    PartCosts c;
    c.parameters = std::int64_t(h.projections() + bias(m) * h.biases() + (m.qkMode == "cosine" ? h.q : 0));
    c.flops = 2 * h.projections() + 2 * seen * h.q * h.dh;
    // The last token sees all, twice the average; in chunks it stands anywhere in one.
    c.decodeFlops = 2 * h.projections() + (seen < basis.context ? 2 : 4) * seen * h.q * h.dh;
    c.cacheElements = 2 * h.kv * h.dh;
    c.activationBytes = basis.wide * h.activations() + 4 * h.q;
    return c;
}

// Gated state space [4, 3.6]. -----------------------------------------------------------------------------------------

PartCosts gatedRecurrenceCosts(const ModelConfig& m, const CostBasis& basis)
{
    const double D = double(m.width), Hs = double(m.gssHidden), matrices = m.gssFilter ? 4 : 3;
    PartCosts c;
    c.parameters = std::int64_t(matrices * D * Hs + 2 * Hs); // the gate's bias and the decay
    c.flops = c.decodeFlops = (2 * matrices * D + 6) * Hs;
    c.stateReals = Hs;
    // Our count: gate, input, filter before and after SiLU and the product; decay and state in fp32.
    c.activationBytes = (basis.wide * (m.gssFilter ? 10 : 4) + 8) * Hs;
    return c;
}

PartCosts gssCosts(const ModelConfig& m, const CostBasis& basis)
{
    if (m.gssKind == "gated_rec") return gatedRecurrenceCosts(m, basis);
    const bool dss = m.gssKernel == "dss"; // shares its frequencies; s4d keeps conjugate pairs for each channel
    const double D = double(m.width), E = double(m.gssExpand), h = double(m.gssWidth), N = double(m.gssState);
    const double complexStates = dss ? N : N / 2;
    const double spectrum = dss ? 2 * N : h + h * N; // a, b; or log_dt and A
    const double readout = 2 * h * complexStates; // C
    PartCosts c;
    c.parameters = std::int64_t(2 * D * E + D * h + h * E + spectrum + readout + 2 * h); // inner norm and skip
    const double convolution = 10 * h * stages(basis) + 6 * h;
    const double kernel = (8 * h * complexStates + 5 * h * stages(basis)) / kernelBatch;
    const double products = 4 * D * E + 2 * D * h + 2 * h * E;
    c.flops = products + convolution + kernel;
    c.decodeFlops = products + 12 * h * complexStates;
    c.stateReals = 2 * h * complexStates;
    c.activationBytes = basis.wide * 8 * E + 26 * h; // u, y and the spectra are fp32
    return c;
}

// H3 [8] and Hedgehog [9]. --------------------------------------------------------------------------------------------

PartCosts h3Costs(const ModelConfig& m, const CostBasis& basis)
{
    const double D = double(m.width), N = double(m.h3State), d = double(m.h3HeadWidth), heads = D / d;
    const double pairs = D * d; // sequences that the diagonal state space reads: d x d a head
    PartCosts c;
    c.parameters = std::int64_t(4 * D * D + bias(m) * 4 * D); // projections
    c.parameters += std::int64_t(2 * D * N + D); // B, C and skip of the shift
    c.parameters += std::int64_t(heads * (3 * N + 2)); // A, B, C, step and skip
    c.flops = c.decodeFlops = 8 * D * D + 10 * (D + pairs) * stages(basis); // 11.2 has no other count for writing
    c.stateReals = D * N + pairs * N;
    c.activationBytes = basis.wide * 6 * D + 4 * D + 24 * pairs; // filtered keys, products and their spectra in fp32
    return c;
}

PartCosts hedgehogCosts(const ModelConfig& m, const CostBasis& basis)
{
    const Heads h(m);
    constexpr double chunk = 64; // of the FLOP counts [19.6]
    const double F = 2 * h.dh;
    PartCosts c;
    c.parameters = std::int64_t(h.projections() + bias(m) * h.biases() + 2 * h.q * h.dh * h.dh);
    c.decodeFlops = 2 * h.projections() + h.q * (4 * F * h.dh + 4 * h.dh * h.dh);
    c.flops = c.decodeFlops + h.q * chunk * (F + h.dh);
    c.stateReals = h.q * (F * h.dh + F);
    c.activationBytes = basis.wide * h.activations() + 20 * h.q * h.dh; // features in fp32; scores are formed again
    return c;
}

// Feed-forward [2.5]. -------------------------------------------------------------------------------------------------

PartCosts feedForward(const ModelConfig& m, double F, bool gated, const CostBasis& basis)
{
    const double D = double(m.width), matrices = gated ? 3 : 2;
    PartCosts c;
    c.parameters = std::int64_t(matrices * D * F + bias(m) * ((matrices - 1) * F + D));
    c.flops = c.decodeFlops = 2 * matrices * D * F;
    c.activationBytes = basis.wide * 2 * matrices * F;
    return c;
}

PartCosts auxiliaryCosts(const ModelConfig& m, const CostBasis& basis)
{
    return feedForward(m, double(m.auxWidth), true, basis);
}
PartCosts mainCosts(const ModelConfig& m, const CostBasis& basis)
{
    return feedForward(m, double(m.mainWidth), m.ffnKind == "swiglu", basis);
}

} // namespace

const std::vector<PartInfo>& parts()
{
    static const std::vector<PartInfo> all {
        { "gss", "gss", "GSS", true, gssCosts },
        { "attention", "attention", "Attention", true, attentionCosts },
        { "h3", "h3", "H3", true, h3Costs },
        { "hedgehog", "hedgehog", "Hedgehog", true, hedgehogCosts },
        { "ffn", "ffn_aux", "FFN", true, auxiliaryCosts },
        { "main", "ffn_main", "Main FFN", false, mainCosts },
    };
    return all;
}

const PartInfo* findPart(const std::string& name)
{
    for (const auto& part : parts())
        if (part.name == name) return &part;
    return nullptr;
}

std::vector<std::string> branchNames()
{
    std::vector<std::string> names;
    for (const auto& part : parts())
        if (part.branch) names.push_back(part.name);
    return names;
}

} // namespace pha
