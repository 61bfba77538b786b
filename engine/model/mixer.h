// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/model/context.h"
#include "engine/model/cuda/step.h"
#include "engine/model/fused_ops.h"
#include "engine/model/ops.h"

namespace pha {

/// Fuses the branches of a block: y = sum_k w_k * RMSNorm_k(z_k) (models.md 5.1, 5.3). K branches, any of eight ways to
/// form w.
class Mixer : public torch::nn::Module {
public:
    Mixer(const ModelConfig& config, const Stage& stage);
    /// u (B,T,D) is the block's normalised input, z the K branch outputs (B,T,D). -> (B,T,D) fp32. `layer` is for
    /// overrides.
    Tensor forward(const Tensor& u, const std::vector<Tensor>& z, const Pass& pass, std::int64_t layer);
    /// The same, left to fusedNorm() to be computed. Weights of channels and learned gains have no such form.
    Update update(const Tensor& u, std::vector<Tensor> z, const Pass& pass, std::int64_t layer) const;
    bool fusable() const;
    /// For cuda/step.h; `held` keeps what it points at. False: it has no such form.
    bool describe(kernels::StepStage& stage, std::vector<Tensor>& held) const;

private:
    /// One weight for each branch, also those that were pruned, broadcastable to (B,T,D): () for scalar, (D) for
    /// channel, (B,T,1) for token modes.
    std::vector<Tensor> weights(const Tensor& u) const;
    std::vector<Tensor> present(const std::vector<Tensor>& w) const; ///< of those that are there
    bool whole() const { return place_.size() == sharers_; }
    /// weights() of those that are there after branch dropout and the user's own.
    std::vector<Tensor> passWeights(const Tensor& u, const Pass& pass, std::int64_t layer) const;
    void dropBranches(std::vector<Tensor>& w, const Tensor& u, const Pass& pass) const;
    LayerMix describe(const std::vector<Tensor>& w, const std::vector<Tensor>& z, const std::vector<Tensor>& n,
        const Tensor& y) const;

    std::vector<std::string> names_; ///< of the branches that are there
    std::vector<std::size_t> place_; ///< of each of them among those that share the weights
    std::size_t sharers_; ///< K
    std::string mode_;
    bool affine_;
    Tensor logits_, tokenWeight_;
    std::vector<Tensor> gains_;
};

/// The modes whose weights sum to one.
bool normalisedMix(const std::string& mode);

} // namespace pha
