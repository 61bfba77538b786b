// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/branches.h"
#include "engine/model/mixer.h"

#include "engine/model/device_cache.h"

namespace pha {

/// A norm of the residual stream (models.md 2.1): RMSNorm, or LayerNorm if it has a bias. Without a gain: nothing.
struct StreamNorm {
    Tensor gain, bias;
    StreamNorm() = default;
    /// Registers `name` and, for LayerNorm, `name`_bias.
    StreamNorm(torch::nn::Module& owner, const std::string& name, const ModelConfig& config);
    Tensor operator()(const Tensor& x, torch::Dtype out) const;
    /// What becomes of each summand of x (1,T,D): with the scale that x has, a norm is linear.
    void split(const Tensor& x, Watch& watch) const;
};

/// One layer: the stages of its family (engine/config/families.h) one after the other, each with a norm and a residual.
class Block : public torch::nn::Module {
public:
    Block(const ModelConfig& config, std::int64_t layer);
    /// (B,T,D) -> (B,T,D), fp32. `state` has one entry for each part, or is null.
    Tensor forward(const Tensor& x, const Pass& pass, std::int64_t position, std::vector<BlockState>* state);
    /// The same by fused_ops.h: `pending` is what x has still to be given, before and after this layer.
    void forwardFused(
        Tensor& x, Update& pending, const Pass& pass, std::int64_t position, std::vector<BlockState>* state);
    bool fusable(const torch::Device& device) const;
    bool stepsOnCard() const;
    /// Appends this layer's stages for cuda/step.h, as Branch::describe() does.
    bool describe(std::vector<kernels::StepStage>& stages, StepSource& source, std::vector<BlockState>& state) const;
    std::vector<std::vector<std::string>> stageNames() const; ///< parts of each stage
    std::size_t partCount() const;

private:
    struct Step {
        std::vector<std::string> names;
        std::vector<std::shared_ptr<Branch>> parts;
        std::shared_ptr<Mixer> mixer; ///< null: one plain part
        StreamNorm before, after;
    };
    void addStep(const ModelConfig& config, const Stage& stage);
    /// What a stage without a mix writes: its output, weighted as the user asks.
    Tensor plain(const Step& step, const Tensor& z, const Pass& pass) const;
    double plainWeight(const Step& step, const Pass& pass) const;
    Tensor compute(const Step& step, std::size_t part, const Tensor& u, const Pass& pass, std::int64_t position,
        BlockState* state) const;
    Tensor join(const Tensor& x, const Tensor& update, const StreamNorm& after, const Pass& pass) const;

    bool postNorm_;
    double kept_ = 1, added_ = 1; ///< x <- kept x + added update, normed if postNorm_ (models.md 5.2)
    std::int64_t layer_;
    bool mixes_ = false;
    std::vector<Step> steps_;
};

/// ids -> embedding (and positions, where a table holds them) -> blocks -> norm; the head is the embedding again
/// (models.md 2.2).
class LanguageModel : public torch::nn::Module {
public:
    /// Weights drawn from `seed` with a generator of their own: building a model never disturbs another one's
    /// randomness. Without a seed the weights are left undrawn, for a model that is about to be filled.
    LanguageModel(const ModelConfig& config, std::optional<std::uint64_t> seed);

    /// ids (B,T) int64 -> hidden (B,T,D) after the last norm. With a state it reads on from where the state is. Throws
    /// ConfigError beyond the last learned position.
    Tensor forward(const Tensor& ids, const Pass& pass, ModelState* state = nullptr);
    Tensor logits(const Tensor& hidden, const Pass& pass) const; ///< (...,D) -> (...,V) fp32 (fp64 weights: fp64)
    /// Sum of cross entropies in nats over targets that are not -100.
    Tensor lossSum(const Tensor& ids, const Tensor& targets, const Pass& pass);

    const ModelConfig& config() const { return config_; }
    const Tensor& embedding() const { return embedding_; }
    DeviceCache& cache() const { return cache_; }
    ModelState freshState() const;
    bool stepsOnCard(const Pass& pass) const; ///< every part can read a token under Pass::step
    /// Fills in all of `step` but the texts and their positions; `held` keeps what it points at. False: the model has
    /// no such form.
    bool describe(kernels::StepModel& step, torch::Dtype matrix, std::vector<Tensor>& held, ModelState& state) const;
    struct StageNames {
        std::int64_t layer = 0;
        std::vector<std::string> parts;
    };
    std::vector<StageNames> stageNames() const; ///< in the order of describe()

private:
    void initialise(std::uint64_t seed);
    Tensor embed(const Tensor& ids, const Pass& pass, std::int64_t position) const;
    Tensor recomputedLayer(Block& block, const Tensor& x, const Pass& pass, bool fused) const;
    bool takesFused(const Tensor& x, const Pass& pass) const;
    ModelConfig config_;
    Tensor embedding_, positions_; ///< (V,D); (max_positions,D) or undefined
    StreamNorm normOut_;
    std::vector<std::shared_ptr<Block>> blocks_;
    mutable DeviceCache cache_;
};

/// How the optimiser treats a parameter (models.md 3.3, 5.3, 14.1), told from its name.
enum class ParameterKind { Matrix, Vector, Ssm, Mixing };
ParameterKind parameterKind(const std::string& name, const Tensor& parameter);
/// The part that a parameter is counted under: "embedding", "positions", `PartInfo::countedAs`, "norms", "mixing".
std::string parameterPart(const std::string& name);

} // namespace pha
