// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/language_model.h"

#include <ATen/CPUGeneratorImpl.h>

#include <cmath>
#include <numbers>

namespace pha {

std::int64_t ModelState::bytes() const
{
    std::int64_t sum = 0;
    for (const auto& block : blocks) {
        if (block.keys.defined())
            sum +=
                2 * block.keys.size(0) * length * block.keys.size(2) * block.keys.size(3) * block.keys.element_size();
        for (const auto& t : { block.ssm.re, block.ssm.im, block.recurrent })
            if (t.defined()) sum += t.numel() * t.element_size();
    }
    return sum;
}

ModelState ModelState::clone() const
{
    const auto copy = [](const Tensor& t) { return t.defined() ? t.clone() : t; };
    ModelState other { {}, length };
    for (const auto& b : blocks)
        other.blocks.push_back({ copy(b.keys), copy(b.values), { copy(b.ssm.re), copy(b.ssm.im) }, copy(b.recurrent) });
    return other;
}

LanguageModel::LanguageModel(const ModelConfig& config, std::optional<std::uint64_t> seed)
    : config_(config)
{
    config.validate();
    embedding_ = register_parameter("embedding", torch::empty({ config.vocabulary, config.width }));
    for (std::int64_t i = 0; i < config.layers; ++i)
        blocks_.push_back(register_module("layers_" + std::to_string(i), std::make_shared<Block>(config, i)));
    normOut_ = register_parameter("norm_out", torch::empty({ config.width }));
    if (seed) initialise(*seed);
}

Tensor LanguageModel::forward(const Tensor& ids, const Pass& pass, ModelState* state)
{
    auto x = at::embedding(embedding_, ids);
    if (x.scalar_type() != torch::kDouble) x = x.to(torch::kFloat);
    if (config_.embeddingScale == "sqrt_width") x = x * std::sqrt(double(config_.width));
    x = dropout(x, pass.training ? pass.embeddingDropout : 0, pass.generator);
    const auto position = state ? state->length : 0;
    for (std::size_t i = 0; i < blocks_.size(); ++i)
        x = blocks_[i]->forward(x, pass, position, state ? &state->blocks[i] : nullptr);
    if (state) state->length += ids.size(1);
    return rmsNorm(x, normOut_, x.scalar_type());
}

Tensor LanguageModel::logits(const Tensor& hidden, const Pass& pass) const
{
    const auto z = project(hidden, embedding_, pass.matrix);
    return z.scalar_type() == torch::kDouble ? z : z.to(torch::kFloat);
}

Tensor LanguageModel::lossSum(const Tensor& ids, const Tensor& targets, const Pass& pass)
{
    const auto h = forward(ids, pass);
    return crossEntropySum(h.reshape({ -1, h.size(-1) }), embedding_, targets.reshape(-1), pass.matrix);
}

ModelState LanguageModel::freshState() const { return { std::vector<BlockState>(blocks_.size()), 0 }; }

namespace {

bool endsWith(const std::string& text, const char* end) { return text.ends_with(end); }

/// Draws what models.md 2.6, 3.2, 3.3, 3.6 and 19.7 say for each parameter, told apart by name.
class Initialiser {
public:
    Initialiser(const ModelConfig& config, std::uint64_t seed)
        : config_(config)
        , generator_(at::detail::createCPUGenerator(seed))
    {
    }

    void operator()(const std::string& name, Tensor& p)
    {
        if (name == "embedding") return normal(p, 0.02);
        if (name.find(".mixing.") != std::string::npos) return mixing(name, p);
        if (name.find("norm") != std::string::npos) return fill(p, 1); // every norm's gain
        if (endsWith(name, ".temperature")) return fill(p, std::log(10.0));
        if (endsWith(name, ".gss.skip")) return normal(p, 1);
        if (endsWith(name, ".gss.a") || endsWith(name, ".gss.b")) return normal(p, 1);
        if (endsWith(name, ".c_re") || endsWith(name, ".c_im"))
            return normal(p, config_.gssKernel == "dss" ? 1 / std::sqrt(double(config_.gssState)) : std::sqrt(0.5));
        if (endsWith(name, ".log_dt")) return uniform(p, std::log(1e-3), std::log(1e-1));
        if (endsWith(name, ".log_a_re")) return fill(p, std::log(0.5));
        if (endsWith(name, ".a_im")) return spectrum(p);
        if (endsWith(name, ".gate_bias")) {
            uniform(p, 0.9, 0.999);
            p.logit_();
            return;
        }
        if (endsWith(name, ".rho")) return uniform(p, -std::log(1000.0), 0); // -ln tau, tau log-uniform in [1, 1000]
        matrix(name, p);
    }

private:
    void fill(Tensor& p, double value) { p.fill_(value); }
    void normal(Tensor& p, double deviation) { p.normal_(0, deviation, generator_); }
    void uniform(Tensor& p, double low, double high) { p.uniform_(low, high, generator_); }

    void mixing(const std::string& name, Tensor& p)
    {
        if (name.find("norm_") != std::string::npos) return fill(p, 1);
        if (endsWith(name, ".token")) return fill(p, 0);
        const auto K = double(p.size(0));
        // A sigmoid starts at 1/K too; a single branch starts (almost) fully open.
        fill(p, config_.mixMode.find("sigmoid") == std::string::npos ? 0 : K > 1 ? -std::log(K - 1) : std::log(999.0));
    }

    void spectrum(Tensor& p)
    {
        const auto N = double(config_.gssState), pi = std::numbers::pi;
        const auto n = torch::arange(p.size(1), torch::dtype(torch::kDouble));
        p.copy_((config_.gssInit == "inv" ? N / pi * (N / (2 * n + 1) - 1) : pi * n).unsqueeze(0).expand_as(p));
    }

    void matrix(const std::string& name, Tensor& p)
    {
        const bool main = name.find(".main.") != std::string::npos;
        const bool writes = endsWith(name, ".output") || endsWith(name, ".down"); // to the residual stream
        if (main && writes && config_.zeroInit) return fill(p, 0);
        const auto L = double(config_.layers);
        if (config_.residualMode == "deepnorm_post") {
            const bool feedForward = main || name.find(".ffn.") != std::string::npos;
            const bool scaled = writes || feedForward || endsWith(name, ".attention.value");
            return normal(p, 0.02 * (scaled ? std::pow(8 * L, -0.25) : 1));
        }
        normal(p, writes ? 0.02 / std::sqrt(2 * L) : 0.02);
    }

    const ModelConfig& config_;
    at::Generator generator_;
};

} // namespace

void LanguageModel::initialise(std::uint64_t seed)
{
    const torch::NoGradGuard guard;
    Initialiser draw(config_, seed);
    for (auto& item : named_parameters()) draw(item.key(), item.value());
}

ParameterKind parameterKind(const std::string& name, const Tensor& parameter)
{
    if (name.find(".mixing.") != std::string::npos) return ParameterKind::Mixing;
    for (const char* end : { ".gss.a", ".gss.b", ".log_dt", ".log_a_re", ".a_im", ".rho" })
        if (endsWith(name, end)) return ParameterKind::Ssm;
    if (parameter.dim() < 2 || endsWith(name, ".c_re") || endsWith(name, ".c_im")) return ParameterKind::Vector;
    return ParameterKind::Matrix;
}

std::string parameterPart(const std::string& name)
{
    if (name == "embedding") return "embedding";
    if (name.find(".mixing.") != std::string::npos) return name.find("norm_") == std::string::npos ? "mixing" : "norms";
    if (name.find(".attention.") != std::string::npos) return "attention";
    if (name.find(".gss.") != std::string::npos) return "gss";
    if (name.find(".ffn.") != std::string::npos) return "ffn_aux";
    if (name.find(".main.") != std::string::npos) return "ffn_main";
    return "norms";
}

} // namespace pha
