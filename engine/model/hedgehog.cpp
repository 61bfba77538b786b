// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/hedgehog.h"

#include "engine/model/device_cache.h"
#include "engine/model/linear_attention.h"
#include "engine/model/watch.h"

#include <cmath>

namespace pha {

HedgehogBranch::HedgehogBranch(const ModelConfig& config)
    : config_(config)
{
    const auto D = config.width, dh = config.headWidth(), Hq = config.queryHeads, Hkv = config.kvHeads;
    const auto matrix = [&](const char* name, std::int64_t out, std::int64_t in) {
        return register_parameter(name, torch::empty({ out, in }));
    };
    const auto bias = [&](const char* name, std::int64_t out) {
        return config.biases ? register_parameter(name, torch::empty({ out })) : Tensor();
    };
    query_ = matrix("query", Hq * dh, D);
    key_ = matrix("key", Hkv * dh, D);
    value_ = matrix("value", Hkv * dh, D);
    output_ = matrix("output", D, Hq * dh);
    queryBias_ = bias("query_bias", Hq * dh);
    keyBias_ = bias("key_bias", Hkv * dh);
    valueBias_ = bias("value_bias", Hkv * dh);
    outputBias_ = bias("output_bias", D);
    featureQuery_ = register_parameter("feature_query", torch::empty({ Hq, dh, dh }));
    featureKey_ = register_parameter("feature_key", torch::empty({ Hq, dh, dh }));
}

bool HedgehogBranch::draw(const std::string& name, Tensor& p, Initialiser&) const
{
    if (!name.starts_with("feature_")) return false;
    p.copy_(torch::eye(p.size(1)).expand_as(p));
    return true;
}

Tensor HedgehogBranch::forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state)
{
    const auto B = u.size(0), T = u.size(1), dh = config_.headWidth(), Hq = config_.queryHeads, Hkv = config_.kvHeads;
    const auto read = [&](const Tensor& w, const Tensor& bias, std::int64_t heads) {
        return project(u, w, bias, pass).view({ B, T, heads, dh });
    };
    auto q = read(query_, queryBias_, Hq), k = read(key_, keyBias_, Hkv);
    const auto type = q.scalar_type(), wide = featureQuery_.scalar_type();
    if (config_.qkMode == "qknorm") {
        q = rmsNorm(q, {}, type);
        k = rmsNorm(k, {}, type);
    }
    if (config_.positions == "rope") {
        const auto rope = pass.step               ? pass.step->rope
            : pass.cache && wide == torch::kFloat ? pass.cache->rope(position, T, dh, config_.ropeBase, u.device())
                                                  : ropeTables(position, T, dh, config_.ropeBase, u.device(), wide);
        q = applyRope(q, rope);
        k = applyRope(k, rope);
    }
    // dh^-1/4 on both sides gives z the scale of the softmax's logits (models.md 19.16).
    const double scale = std::pow(double(dh), -0.25);
    const auto byHead = [&](const Tensor& x) { // (B,T,H,dh) -> (Hq,B*T,dh): heads that share a key repeat it
        return x.permute({ 2, 0, 1, 3 }).repeat_interleave(Hq / x.size(2), 0).reshape({ Hq, B * T, dh });
    };
    q = byHead(q * scale);
    k = byHead(k * scale);
    const auto v = byHead(read(value_, valueBias_, Hkv)).to(wide).view({ Hq * B, T, dh });
    Tensor y;
    if (pass.distil) {
        y = teach(q, k, v, B, pass);
    } else {
        const auto fq = features(q, featureQuery_, B, pass.matrix), fk = features(k, featureKey_, B, pass.matrix);
        if (pass.watch) pass.watch->features(fq, fk);
        y = linearAttention(fq, fk, v, state ? &state->featureSums : nullptr);
    }
    const auto o = y.view({ Hq, B, T, dh }).permute({ 1, 2, 0, 3 }).reshape({ B, T, Hq * dh });
    return project(o, output_, outputBias_, pass);
}

Tensor HedgehogBranch::features(const Tensor& x, const Tensor& w, std::int64_t batch, torch::Dtype matrix) const
{
    const auto type = w.scalar_type() == torch::kDouble ? torch::kDouble : matrix;
    const auto z = torch::bmm(x.to(type), w.transpose(1, 2).to(type));
    return featureMap(z.to(w.scalar_type()), config_.featureMap == "exp")
        .view({ w.size(0) * batch, x.size(1) / batch, 2 * w.size(1) });
}

/// Mean over heads, sequences and queries of -sum_j A_ij log a_ij (models.md 9), where A are softmax weights and a
/// ours.
Tensor HedgehogBranch::teach(
    const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t batch, const Pass& pass) const
{
    const auto P = v.size(0), T = v.size(1), dh = v.size(2);
    const auto future = torch::ones({ T, T }, v.options().dtype(torch::kBool)).triu(1);
    const auto rows = [&](const Tensor& x) { return x.to(v.scalar_type()).view({ P, T, dh }); };
    const auto scores = torch::bmm(rows(q), rows(k).transpose(1, 2)); // both carry dh^-1/4
    const auto weights = torch::softmax(scores.masked_fill_(future, -INFINITY), -1).detach(); // (P,T,T)
    {
        const torch::AutoGradMode on(true); // the rest of the network is a given
        const auto own = torch::bmm(features(q.detach(), featureQuery_, batch, pass.matrix),
            features(k.detach(), featureKey_, batch, pass.matrix).transpose(1, 2)); // positive
        const auto sums = own.tril().sum(-1); // (P,T)
        const auto crossEntropy = (sums.log().sum() - (weights * own.log()).sum()) / double(P * T);
        const auto entropy = -torch::xlogy(weights, weights).sum() / double(P * T);
        (*pass.distil)(crossEntropy, entropy);
    }
    return torch::bmm(weights, v);
}

} // namespace pha
