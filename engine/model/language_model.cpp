// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/language_model.h"

#include "engine/base/error.h"
#include "engine/config/parts.h"
#include "engine/model/recompute.h"
#include "engine/model/watch.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace pha {

std::int64_t BlockState::bytes() const
{
    std::int64_t sum = 0;
    for (const auto& t : { keys, values })
        if (t.defined()) sum += t.size(0) * filled * t.size(2) * t.size(3) * t.element_size();
    for (const auto& t : { ssm.re, ssm.im, recurrent, shift, featureSums })
        if (t.defined()) sum += t.numel() * t.element_size();
    return sum;
}

BlockState BlockState::clone() const
{
    const auto copy = [](const Tensor& t) { return t.defined() ? t.clone() : t; };
    return { copy(keys), copy(values), filled, { copy(ssm.re), copy(ssm.im) }, copy(recurrent), copy(shift),
        copy(featureSums), space, shiftKernel };
}

std::int64_t ModelState::bytes() const
{
    std::int64_t sum = 0;
    for (const auto& layer : layers)
        for (const auto& part : layer) sum += part.bytes();
    return sum;
}

ModelState ModelState::clone() const
{
    ModelState other { {}, length };
    for (const auto& layer : layers) {
        auto& copy = other.layers.emplace_back();
        for (const auto& part : layer) copy.push_back(part.clone());
    }
    return other;
}

LanguageModel::LanguageModel(const ModelConfig& config, std::optional<std::uint64_t> seed)
    : config_(config)
{
    config.validate();
    embedding_ = register_parameter("embedding", torch::empty({ config.vocabulary, config.width }));
    if (config.positions == "learned")
        positions_ = register_parameter("positions", torch::empty({ config.maxPositions, config.width }));
    for (std::int64_t i = 0; i < config.layers; ++i)
        blocks_.push_back(register_module("layers_" + std::to_string(i), std::make_shared<Block>(config, i)));
    normOut_ = StreamNorm(*this, "norm_out", config);
    if (seed) initialise(*seed);
}

Tensor LanguageModel::embed(const Tensor& ids, const Pass& pass, std::int64_t position) const
{
    const auto T = ids.size(1);
    auto x = at::embedding(embedding_, ids);
    if (x.scalar_type() != torch::kDouble) x = x.to(torch::kFloat);
    if (config_.embeddingScale == "sqrt_width") x = x * std::sqrt(double(config_.width));
    if (positions_.defined()) {
        if (position + T > config_.maxPositions)
            throw ConfigError("the length of the text", std::to_string(position + T) + " tokens",
                "at most the model's " + std::to_string(config_.maxPositions) + " learned positions");
        x = x + positions_.narrow(0, position, T).to(x.scalar_type());
    }
    return dropout(x, pass.training ? pass.embeddingDropout : 0, pass.generator);
}

Tensor LanguageModel::recomputedLayer(Block& block, const Tensor& x, const Pass& pass, bool fused) const
{
    const auto own = std::make_shared<Pass>(pass);
    const auto kept = std::make_shared<KeptAttention>();
    own->kept = kept.get();
    const auto layer = [&block, own, fused, kept](const Tensor& in) {
        kept->rewind();
        if (!fused) return block.forward(in, *own, 0, nullptr);
        auto out = in;
        Update pending;
        block.forwardFused(out, pending, *own, 0, nullptr);
        fusedNorm(out, pending, {}, *own);
        return out;
    };
    return recomputed(layer, x, pass.generator);
}

bool LanguageModel::takesFused(const Tensor& x, const Pass& pass) const
{
    return fusedStream(x, pass) && !pass.record && !pass.watch
        && std::all_of(blocks_.begin(), blocks_.end(), [&](const auto& block) { return block->fusable(x.device()); });
}

Tensor LanguageModel::forward(const Tensor& ids, const Pass& given, ModelState* state)
{
    auto pass = given;
    pass.cache = &cache_;
    const auto position = state ? state->length : 0;
    auto x = embed(ids, pass, position);
    const auto watchDepth = [&](std::int64_t layer) {
        if (pass.watch) pass.watch->depth(layer, x, normOut_(x, x.scalar_type()));
    };
    if (pass.watch) pass.watch->begin(x);
    watchDepth(-1);
    if (state) state->length += ids.size(1);
    const auto stateOf = [&](std::size_t i) { return state ? &state->layers[i] : nullptr; };
    const bool fused = takesFused(x, pass);
    // The regularisers read weights that a recomputed layer would not give gradients to.
    const bool again = pass.recompute && !state && !pass.meanWeights && torch::GradMode::is_enabled();
    Update pending;
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        if (again)
            x = recomputedLayer(*blocks_[i], x, pass, fused);
        else if (fused)
            blocks_[i]->forwardFused(x, pending, pass, position, stateOf(i));
        else
            x = blocks_[i]->forward(x, pass, position, stateOf(i));
        watchDepth(std::int64_t(i));
    }
    if (pass.watch) normOut_.split(x, *pass.watch);
    return fused ? fusedNorm(x, pending, normOut_.gain, pass)[0] : normOut_(x, x.scalar_type());
}

Tensor LanguageModel::logits(const Tensor& hidden, const Pass& pass) const
{
    if (!torch::GradMode::is_enabled()) {
        auto own = pass;
        own.cache = &cache_;
        if (fusedPass(hidden, own)) return fusedLogits(hidden, embedding_, own);
    }
    const auto z = project(hidden, embedding_, pass.matrix);
    return z.scalar_type() == torch::kDouble ? z : z.to(torch::kFloat);
}

Tensor LanguageModel::lossSum(const Tensor& ids, const Tensor& targets, const Pass& pass)
{
    const auto h = forward(ids, pass);
    return crossEntropySum(
        h.reshape({ -1, h.size(-1) }), embedding_, targets.reshape(-1), pass.matrix, &cache_, pass.tokenLosses);
}

bool LanguageModel::stepsOnCard(const Pass& pass) const
{
    return embedding_.is_cuda() && fusedStream(embedding_, pass) && !pass.record && !pass.watch && !positions_.defined()
        && std::all_of(blocks_.begin(), blocks_.end(), [](const auto& block) { return block->stepsOnCard(); });
}

bool LanguageModel::describe(
    kernels::StepModel& step, torch::Dtype matrix, std::vector<Tensor>& held, ModelState& state) const
{
    StepSource source { cache_, matrix, held };
    if (positions_.defined() || normOut_.bias.defined()) return false;
    step.width = int(config_.width);
    step.vocabulary = int(config_.vocabulary);
    step.embedding = embedding_.data_ptr();
    step.embeddingWide = embedding_.scalar_type() == torch::kFloat;
    step.embeddingScale = config_.embeddingScale == "sqrt_width" ? float(std::sqrt(double(config_.width))) : 1.0f;
    step.eps = float(normEps);
    step.narrow = matrix == torch::kBFloat16;
    step.head = step.embeddingWide || !step.narrow ? source.matrix(embedding_, vocabularyTile) : embedding_.data_ptr();
    step.outGain = normOut_.gain.data_ptr<float>();
    for (std::size_t i = 0; i < blocks_.size(); ++i)
        if (!blocks_[i]->describe(step.stages, source, state.layers.at(i))) return false;
    return true;
}

std::vector<LanguageModel::StageNames> LanguageModel::stageNames() const
{
    std::vector<StageNames> all;
    for (std::size_t i = 0; i < blocks_.size(); ++i)
        for (auto& names : blocks_[i]->stageNames()) all.push_back({ std::int64_t(i), std::move(names) });
    return all;
}

ModelState LanguageModel::freshState() const
{
    ModelState state;
    for (const auto& block : blocks_) state.layers.emplace_back(block->partCount());
    return state;
}

void LanguageModel::initialise(std::uint64_t seed)
{
    const torch::NoGradGuard guard;
    std::map<std::string, const Branch*> owners; // "layers_3.gss"
    for (const auto& module : named_modules({}, false))
        if (const auto* branch = dynamic_cast<const Branch*>(module.value().get())) owners[module.key()] = branch;
    Initialiser random(config_, seed);
    for (auto& item : named_parameters()) {
        const auto& name = item.key();
        const auto dot = name.rfind('.');
        const auto owner = owners.find(name.substr(0, dot));
        if (owner != owners.end() && owner->second->draw(name.substr(dot + 1), item.value(), random)) continue;
        random.common(name, item.value());
    }
}

ParameterKind parameterKind(const std::string& name, const Tensor& parameter)
{
    const bool gain = name.find(".mixing.norm_") != std::string::npos; // of a branch norm, a gain as any other
    if (!gain && name.find(".mixing.") != std::string::npos) return ParameterKind::Mixing;
    const auto endsWithOneOf = [&](std::initializer_list<const char*> ends) {
        return std::any_of(ends.begin(), ends.end(), [&](const char* end) { return name.ends_with(end); });
    };
    if (endsWithOneOf({ ".gss.a", ".gss.b", ".log_dt", ".log_a_re", ".a_im", ".b_re", ".b_im", ".shift_b", ".rho" }))
        return ParameterKind::Ssm;
    const bool plain = endsWithOneOf({ ".c_re", ".c_im", ".shift_c", ".feature_query", ".feature_key" });
    return plain || parameter.dim() < 2 ? ParameterKind::Vector : ParameterKind::Matrix;
}

std::string parameterPart(const std::string& name)
{
    if (name == "embedding" || name == "positions") return name;
    if (name.find(".mixing.") != std::string::npos) return name.find("norm_") == std::string::npos ? "mixing" : "norms";
    for (const auto& part : parts())
        if (name.find("." + part.name + ".") != std::string::npos) return part.countedAs;
    return "norms";
}

} // namespace pha
