// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/model/context.h"
#include "engine/model/cuda/step.h"
#include "engine/model/fused_ops.h"
#include "engine/model/initialiser.h"
#include "engine/model/ops.h"

#include <algorithm>
#include <memory>
#include <string>

namespace pha {

/// Memory that describe() points at: matrices of one type, everything else fp32.
struct StepSource {
    DeviceCache& cache;
    torch::Dtype type;
    std::vector<Tensor>& held;
    const void* matrix(const Tensor& matrix, std::int64_t rows = 1); ///< bf16: padded to a multiple of `rows`
    const float* numbers(const Tensor& numbers);
};

/// One part of a layer: a way of carrying information along a text, or a network applied at each position. Reads the
/// normalised input u (B,T,D) and returns (B,T,D). With a state it continues from what it has read before, for any
/// T >= 1: the same function trains, reads a prompt in pieces and generates, so that the three cannot drift apart.
class Branch : public torch::nn::Module {
public:
    /// `position` = tokens read before u; `state` null while training.
    virtual Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) = 0;
    /// With a state that has been filled, this part can read one token whose position only the card knows (Pass::step),
    /// and writes its state where it lies: such a step is captured and replayed.
    virtual bool stepsOnCard() const { return false; }
    /// This part as one kernel for a whole step has it (cuda/step.h), reading and writing `state`. False: it has no
    /// such form.
    virtual bool describe(kernels::StepPart& part, StepSource& source, BlockState& state) const;
    /// Draws a parameter of its own that the common rules (initialiser.h) do not fit; false leaves it to them.
    virtual bool draw(const std::string& name, Tensor& parameter, Initialiser& random) const;
};

/// Tokens whose keys attention keeps after `length` tokens: all, or those of the chunk that has begun.
inline std::int64_t keptKeys(const ModelConfig& config, std::int64_t length)
{
    return config.attentionSpan > 0 ? length % config.attentionSpan : length;
}
/// Tokens that its cache needs room for, for texts of `length` tokens.
inline std::int64_t keyRoom(const ModelConfig& config, std::int64_t length)
{
    return config.attentionSpan > 0 ? std::min(config.attentionSpan, length) : length;
}

/// Grouped query attention with normalised, rotated keys (models.md 2.4), over the whole past or inside chunks (6).
/// The cache is O(T) or O(chunk).
class AttentionBranch final : public Branch {
public:
    explicit AttentionBranch(const ModelConfig& config);
    bool stepsOnCard() const override;
    bool describe(kernels::StepPart& part, StepSource& source, BlockState& state) const override;
    Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) override;
    bool draw(const std::string& name, Tensor& parameter, Initialiser& random) const override;

private:
    struct Heads {
        Tensor q, k, v; ///< (B,T,Hq,dh), (B,T,Hkv,dh) twice; scores are q k as they stand
    };
    HeadOptions headOptions() const;
    Heads heads(const Tensor& u, const Pass& pass, std::int64_t position) const;
    Heads fusedHeads(const Tensor& u, const Pass& pass, std::int64_t position) const; ///< the same by fused_ops.h

    ModelConfig config_;
    Tensor query_, key_, value_, output_, temperature_;
    Tensor queryBias_, keyBias_, valueBias_, outputBias_;
};

/// Gated state space layer after Mehta et al. without its outer norm and residual (models.md 4). O(1) state.
class GssBranch final : public Branch {
public:
    explicit GssBranch(const ModelConfig& config);
    bool stepsOnCard() const override
    {
        return config_.gssConvolution == "auto" && fusedGssFits(torch::kCUDA, config_);
    }
    bool describe(kernels::StepPart& part, StepSource& source, BlockState& state) const override;
    Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) override;
    bool draw(const std::string& name, Tensor& parameter, Initialiser& random) const override;
    DiagonalSsm ssm() const; ///< discretised from the parameters

private:
    ModelConfig config_;
    Tensor value_, input_, expand_, output_, normGain_, skip_, cRe_, cIm_;
    Tensor a_, b_; ///< dss
    Tensor logDt_, logARe_, aIm_; ///< s4d
};

/// Equation 2 of the PHA paper read literally (models.md 3.6): h_t = g_t (a h_{t-1} + v_t). O(1) state.
class GatedRecurrenceBranch final : public Branch {
public:
    explicit GatedRecurrenceBranch(const ModelConfig& config);
    bool stepsOnCard() const override { return true; }
    Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) override;
    bool draw(const std::string& name, Tensor& parameter, Initialiser& random) const override;

private:
    Tensor gate_, gateBias_, input_, filter_, output_, rho_;
};

/// Network of one hidden layer (models.md 2.5): swiglu, gelu, gelu_tanh or relu2. No state.
class FeedForward final : public Branch {
public:
    FeedForward(const std::string& kind, std::int64_t width, std::int64_t hidden, bool biases);
    bool stepsOnCard() const override { return true; }
    bool describe(kernels::StepPart& part, StepSource& source, BlockState& state) const override;
    Tensor forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state) override;

private:
    std::string kind_;
    Tensor gate_, up_, down_, gateBias_, upBias_, downBias_;
};

/// Builds a part by its name in engine/config/parts.h: the one list of what there is (parts.cpp).
std::shared_ptr<Branch> makeBranch(const std::string& name, const ModelConfig& config);

/// Linear recurrence h_t = a_t h_{t-1} + b_t over axis 1 of (B,T,C) from `start` (B,C), with its own backward
/// (models.md 3.6).
Tensor gatedScan(const Tensor& a, const Tensor& b, const Tensor& start);

} // namespace pha
