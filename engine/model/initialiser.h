// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/torch/torch.h"

#include <string>

namespace pha {

using torch::Tensor;

/// Draws initial weights from a generator of its own, so that building a model never disturbs another one's randomness.
/// The common rules of models.md 2.6 go by the name of a parameter: `*_bias` is 0, `*norm*` is 1, matrices are
/// N(0, 0.02^2), narrower if they write to the residual stream (`output`, `down`). `Branch::draw` says what is
/// particular to a part.
class Initialiser {
public:
    Initialiser(const ModelConfig& config, std::uint64_t seed);

    void common(const std::string& name, Tensor& parameter); ///< `name` in full: "layers_3.gss.output"
    void fill(Tensor& p, double value) { p.fill_(value); }
    void normal(Tensor& p, double deviation) { p.normal_(0, deviation, generator_); }
    void uniform(Tensor& p, double low, double high) { p.uniform_(low, high, generator_); }

private:
    void mixing(const std::string& name, Tensor& parameter);
    void matrix(const std::string& name, Tensor& parameter);

    const ModelConfig& config_;
    at::Generator generator_;
};

} // namespace pha
