// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/branches.h"
#include "engine/model/mixer.h"

namespace pha {

/// One block (models.md 5.1): the branches read the same normalised input, the mixer fuses them, a feed-forward network
/// follows.
class Block : public torch::nn::Module {
public:
    Block(const ModelConfig& config, std::int64_t layer);
    Tensor forward(
        const Tensor& x, const Pass& pass, std::int64_t position, BlockState* state); // (B,T,D) -> (B,T,D), fp32

private:
    Tensor join(
        const Tensor& x, const Tensor& update, const Tensor& postGain, const Pass& pass) const; ///< models.md 5.2

    std::string residualMode_;
    double alpha_;
    std::int64_t layer_;
    std::vector<std::shared_ptr<Branch>> branches_;
    std::shared_ptr<Mixer> mixer_;
    std::shared_ptr<FeedForward> main_; ///< null: main_width = 0
    Tensor normIn_, normMid_, postMix_, postMain_;
};

/// ids -> embedding -> blocks -> norm; the head is the embedding again (models.md 2.2).
class LanguageModel : public torch::nn::Module {
public:
    /// Weights drawn from `seed` with a generator of their own: building a model never disturbs another one's
    /// randomness. Without a seed the weights are left undrawn, for a model that is about to be filled.
    LanguageModel(const ModelConfig& config, std::optional<std::uint64_t> seed);

    /// ids (B,T) int64 -> hidden (B,T,D) after the last norm. With a state it reads on from where the state is.
    Tensor forward(const Tensor& ids, const Pass& pass, ModelState* state = nullptr);
    Tensor logits(const Tensor& hidden, const Pass& pass) const; ///< (...,D) -> (...,V) fp32 (fp64 weights: fp64)
    /// Sum of cross entropies in nats over targets that are not -100.
    Tensor lossSum(const Tensor& ids, const Tensor& targets, const Pass& pass);

    const ModelConfig& config() const { return config_; }
    const Tensor& embedding() const { return embedding_; }
    ModelState freshState() const;

private:
    void initialise(std::uint64_t seed);
    ModelConfig config_;
    Tensor embedding_, normOut_;
    std::vector<std::shared_ptr<Block>> blocks_;
};

/// How the optimiser treats a parameter (models.md 3.3, 5.3, 14.1), told from its name.
enum class ParameterKind { Matrix, Vector, Ssm, Mixing };
ParameterKind parameterKind(const std::string& name, const Tensor& parameter);
/// The part that a parameter is counted under: "embedding", "attention", "gss", "ffn_aux", "ffn_main", "norms",
/// "mixing".
std::string parameterPart(const std::string& name);

} // namespace pha
