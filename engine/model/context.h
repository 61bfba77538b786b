// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "engine/model/ssm.h"
#include "engine/torch/torch.h"

#include <functional>
#include <vector>

namespace pha {

class DeviceCache;
class KeptAttention;
class Watch;
struct CardStep;

/// What a forward pass needs to know beside its input.
struct Pass {
    torch::Dtype matrix = torch::kFloat; ///< precision of matrix products; everything else is fp32
    DeviceCache* cache = nullptr; ///< bf16 copies of the model's matrices; set by the model itself
    bool recompute = false; ///< training keeps what enters each layer and forms the rest again (recompute.h)
    KeptAttention* kept = nullptr; ///< inside a recomputed layer
    const CardStep* step = nullptr; ///< one token, its position known to the card only (token_reader.h)
    bool training = false; ///< dropout and branch dropout are on
    double dropout = 0, embeddingDropout = 0, branchDropout = 0;
    c10::optional<at::Generator> generator; ///< of the dropout masks
    const std::vector<MixOverride>* mix = nullptr; ///< weights set by the user, applied as given
    std::vector<LayerMix>* record = nullptr; ///< filled with one entry a layer
    /// Told when each part begins to compute and when it has: for passes that are timed.
    const std::function<void(std::int64_t layer, const std::string& part, bool begins)>* clock = nullptr;
    Watch* watch = nullptr; ///< filled with where every part reads and what it writes
    /// Conversion: Hedgehog layers act as softmax attention and report the cross entropy of their weights, which trains
    /// their features, and the entropy of the softmax's, which it cannot fall below.
    const std::function<void(const Tensor& crossEntropy, const Tensor& entropy)>* distil = nullptr;
    std::vector<Tensor>* tokenLosses =
        nullptr; ///< lossSum() appends the losses of its targets, piece by piece, 0 for -100
    std::vector<Tensor>* meanWeights = nullptr; ///< (K) a layer, differentiable: for the regularisers
};

/// Memory of one part of one layer while generating; a part uses the members that it needs. Undefined tensors mean an
/// empty past.
struct BlockState {
    Tensor keys, values; ///< attention: (B,Tmax,Hkv,dh), of which the first `filled` tokens count
    std::int64_t filled = 0;
    SsmState ssm; ///< gss: (B,h,P)
    Tensor recurrent; ///< gated_rec: (B,Hs)
    Tensor shift; ///< h3: (B,N,D), the last N keys
    Tensor featureSums; ///< hedgehog: (Hq*B,F,dh+1), sums of phi(k) [v, 1]^T
    /// gss, h3: as formed when the text began, since weights stay as they are while one is read.
    DiagonalSsm space;
    Tensor shiftKernel; ///< h3: (D,N)
    std::int64_t bytes() const; ///< of what is filled
    BlockState clone() const;
};
struct ModelState {
    std::vector<std::vector<BlockState>> layers; ///< one for each part, in the order of the stages
    std::int64_t length = 0; ///< tokens read so far
    std::int64_t bytes() const; ///< of all tensors, as filled
    ModelState clone() const; ///< an independent copy, to fork a text
};

} // namespace pha
