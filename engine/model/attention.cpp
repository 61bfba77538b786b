// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/branches.h"

#include <cmath>

namespace pha {

AttentionBranch::AttentionBranch(const ModelConfig& config)
    : config_(config)
{
    const auto D = config.width, dh = config.headWidth();
    query_ = register_parameter("query", torch::empty({ config.queryHeads * dh, D }));
    key_ = register_parameter("key", torch::empty({ config.kvHeads * dh, D }));
    value_ = register_parameter("value", torch::empty({ config.kvHeads * dh, D }));
    output_ = register_parameter("output", torch::empty({ D, config.queryHeads * dh }));
    if (config.qkMode == "cosine")
        temperature_ = register_parameter("temperature", torch::empty({ config.queryHeads }));
}

Tensor AttentionBranch::forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state)
{
    const auto B = u.size(0), T = u.size(1), dh = config_.headWidth(), Hq = config_.queryHeads, Hkv = config_.kvHeads;
    auto q = project(u, query_, pass.matrix).view({ B, T, Hq, dh });
    auto k = project(u, key_, pass.matrix).view({ B, T, Hkv, dh });
    auto v = project(u, value_, pass.matrix).view({ B, T, Hkv, dh });
    const auto type = q.scalar_type();

    // x / |x| = rms-normalised x / sqrt(dh): one fused norm serves both modes. The temperature and the scale of the
    // scores go to the query, so that attention itself works with scale 1.
    const double rootWidth = std::sqrt(double(dh));
    if (config_.qkMode == "dot") {
        q = q * (1 / rootWidth);
    } else {
        // cosine: x / max(|x|, 1e-6), models.md 19.17; the same floor under the root differs by 1e-12 relative.
        const double eps = config_.qkMode == "cosine" ? 1e-12 / double(dh) : normEps;
        k = rmsNorm(k, {}, type, eps);
        q = rmsNorm(q, {}, type, eps);
        if (config_.qkMode == "cosine") {
            const auto tau = torch::exp(temperature_.clamp_max(std::log(100.0))); // (Hq)
            q = q * (tau / double(dh)).view({ Hq, 1 }).to(type); // q^ k^ = (normed q)(normed k) / dh
        } else {
            q = q * (1 / rootWidth);
        }
    }
    const auto rope =
        ropeTables(position, T, dh, config_.ropeBase, u.device(), type == torch::kBFloat16 ? torch::kFloat : type);
    q = applyRope(q, rope);
    k = applyRope(k, rope);

    if (state) {
        const auto needed = position + T;
        if (!state->keys.defined()
            || state->keys.size(1) < needed) { // grow by doubling: appending stays O(1) on average
            const auto room = std::max<std::int64_t>(needed, state->keys.defined() ? 2 * state->keys.size(1) : 64);
            const auto grow = [&](const Tensor& old) {
                auto larger = torch::zeros({ B, room, Hkv, dh }, k.options());
                if (old.defined()) larger.narrow(1, 0, position).copy_(old.narrow(1, 0, position));
                return larger;
            };
            state->keys = grow(state->keys);
            state->values = grow(state->values);
        }
        state->keys.narrow(1, position, T).copy_(k);
        state->values.narrow(1, position, T).copy_(v);
        k = state->keys.narrow(1, 0, needed);
        v = state->values.narrow(1, 0, needed);
    }
    return project(causalAttention(q, k, v).reshape({ B, T, Hq * dh }), output_, pass.matrix);
}

} // namespace pha
