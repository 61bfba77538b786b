// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/branches.h"
#include "engine/model/device_cache.h"
#include "engine/model/fused_ops.h"
#include "engine/model/recompute.h"
#include "engine/model/watch.h"

#include <cmath>

namespace pha {

AttentionBranch::AttentionBranch(const ModelConfig& config)
    : config_(config)
{
    const auto D = config.width, q = config.queryHeads * config.headWidth(), kv = config.kvHeads * config.headWidth();
    query_ = register_parameter("query", torch::empty({ q, D }));
    key_ = register_parameter("key", torch::empty({ kv, D }));
    value_ = register_parameter("value", torch::empty({ kv, D }));
    output_ = register_parameter("output", torch::empty({ D, q }));
    if (config.qkMode == "cosine")
        temperature_ = register_parameter("temperature", torch::empty({ config.queryHeads }));
    if (!config.biases) return;
    queryBias_ = register_parameter("query_bias", torch::empty({ q }));
    keyBias_ = register_parameter("key_bias", torch::empty({ kv }));
    valueBias_ = register_parameter("value_bias", torch::empty({ kv }));
    outputBias_ = register_parameter("output_bias", torch::empty({ D }));
}

bool AttentionBranch::draw(const std::string& name, Tensor& p, Initialiser& random) const
{
    if (name != "temperature") return false;
    random.fill(p, std::log(10.0));
    return true;
}

AttentionBranch::Heads AttentionBranch::heads(const Tensor& u, const Pass& pass, std::int64_t position) const
{
    const auto B = u.size(0), T = u.size(1), dh = config_.headWidth(), Hq = config_.queryHeads, Hkv = config_.kvHeads;
    if (fusedPass(u, pass) && !queryBias_.defined() && queryKeysFit(u.device(), dh))
        return fusedHeads(u, pass, position);
    auto q = project(u, query_, queryBias_, pass).view({ B, T, Hq, dh });
    auto k = project(u, key_, keyBias_, pass).view({ B, T, Hkv, dh });
    const auto v = project(u, value_, valueBias_, pass).view({ B, T, Hkv, dh });
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
    if (config_.positions != "rope") return { q, k, v };
    const auto rope = pass.step
        ? pass.step->rope
        : ropeTables(position, T, dh, config_.ropeBase, u.device(), type == torch::kBFloat16 ? torch::kFloat : type);
    return { applyRope(q, rope), applyRope(k, rope), v };
}

HeadOptions AttentionBranch::headOptions() const
{
    const auto dh = config_.headWidth();
    const bool cosine = config_.qkMode == "cosine";
    return { config_.queryHeads, config_.kvHeads, dh, config_.qkMode != "dot", cosine ? 1e-12 / double(dh) : normEps,
        cosine ? 1 / double(dh) : 1 / std::sqrt(double(dh)) };
}

AttentionBranch::Heads AttentionBranch::fusedHeads(const Tensor& u, const Pass& pass, std::int64_t position) const
{
    const auto dh = config_.headWidth();
    const bool cosine = config_.qkMode == "cosine";
    const auto tau = cosine ? torch::exp(temperature_.clamp_max(std::log(100.0))) : Tensor();
    const auto rope = config_.positions != "rope" ? Rope {}
        : pass.step                               ? pass.step->rope
                    : pass.cache->rope(position, u.size(1), dh, config_.ropeBase, u.device());
    const auto [q, k, v] = fusedQueryKeyValue(u, query_, key_, value_, tau, rope, headOptions(), pass);
    return { q, k, v };
}

namespace {

/// Room for `needed` tokens like those of k (B,T,Hkv,dh); what is kept stays.
void reserve(BlockState& state, const Tensor& k, std::int64_t needed)
{
    if (state.keys.defined() && state.keys.size(1) >= needed) return;
    // Doubling: appending stays O(1) on average.
    const auto room = std::max<std::int64_t>(needed, state.keys.defined() ? 2 * state.keys.size(1) : 64);
    const auto grow = [&](const Tensor& old) {
        auto larger = torch::zeros({ k.size(0), room, k.size(2), k.size(3) }, k.options());
        if (old.defined()) larger.narrow(1, 0, state.filled).copy_(old.narrow(1, 0, state.filled));
        return larger;
    };
    state.keys = grow(state.keys);
    state.values = grow(state.values);
}

/// Appends keys and values and lets the queries see all that are kept.
Tensor overCache(const Tensor& q, const Tensor& k, const Tensor& v, BlockState& state)
{
    const auto T = k.size(1), needed = state.filled + T;
    reserve(state, k, needed);
    state.keys.narrow(1, state.filled, T).copy_(k);
    state.values.narrow(1, state.filled, T).copy_(v);
    state.filled = needed;
    return causalAttention(q, state.keys.narrow(1, 0, needed), state.values.narrow(1, 0, needed));
}

/// Token i sees j <= i of its own chunk of `span` tokens. Whole chunks are worked on at once, as sequences of a batch;
/// the cache holds the chunk that has begun and is empty at its end (models.md 6).
Tensor insideChunks(
    const Tensor& q, const Tensor& k, const Tensor& v, std::int64_t span, std::int64_t position, BlockState* state)
{
    const auto B = q.size(0), T = q.size(1);
    if (state) reserve(*state, k, 1); // also after whole chunks, whose keys nobody needs: a captured step writes there
    std::vector<Tensor> pieces;
    for (std::int64_t at = 0, n = 0; at < T; at += n) {
        const auto begun = (position + at) % span, whole = begun == 0 ? (T - at) / span : 0;
        n = whole > 0 ? whole * span : std::min(T - at, span - begun);
        const auto part = [&](const Tensor& x) { return x.narrow(1, at, n); };
        if (whole > 0) {
            const auto split = [&](const Tensor& x) {
                return part(x).reshape({ B * whole, span, x.size(2), x.size(3) });
            };
            pieces.push_back(causalAttention(split(q), split(k), split(v)).reshape({ B, n, q.size(2), q.size(3) }));
        } else if (state) {
            pieces.push_back(overCache(part(q), part(k), part(v), *state));
            if (begun + n == span) state->filled = 0;
        } else {
            pieces.push_back(causalAttention(part(q), part(k), part(v)));
        }
    }
    return pieces.size() == 1 ? pieces[0] : torch::cat(pieces, 1);
}

} // namespace

bool AttentionBranch::stepsOnCard() const
{
    return config_.queryHeads / config_.kvHeads <= 8 && queryKeysFit(torch::kCUDA, config_.headWidth());
}

bool AttentionBranch::describe(kernels::StepPart& part, StepSource& source, BlockState& state) const
{
    if (queryBias_.defined() || !state.keys.defined()) return false;
    const auto dh = config_.headWidth();
    const auto options = headOptions();
    kernels::StepAttention a;
    a.query = source.matrix(query_);
    a.key = source.matrix(key_);
    a.value = source.matrix(value_);
    a.output = source.matrix(output_);
    a.queryHeads = int(config_.queryHeads), a.kvHeads = int(config_.kvHeads), a.headWidth = int(dh);
    a.normed = options.normed, a.rotated = config_.positions == "rope";
    a.eps = float(options.eps), a.queryScale = float(options.queryScale);
    if (temperature_.defined()) a.temperature = temperature_.data_ptr<float>();
    a.keys = state.keys.data_ptr(), a.values = state.values.data_ptr();
    a.room = state.keys.size(1), a.span = config_.attentionSpan;
    part = a;
    return state.keys.stride(1) == dh && state.keys.scalar_type() == source.type;
}

Tensor AttentionBranch::forward(const Tensor& u, const Pass& pass, std::int64_t position, BlockState* state)
{
    const auto [q, k, v] = heads(u, pass, position);
    const auto span = config_.attentionSpan;
    if (pass.step) {
        // The fused projection has left all heads side by side.
        const auto all = queryBias_.defined() ? torch::cat({ q, k, v }, 2) : q;
        const auto place = span > 0 ? pass.step->position.remainder(span) : pass.step->position;
        const auto out = fusedDecodeAttention(all, config_.queryHeads, state->keys, state->values, place);
        return fusedProject(out.reshape({ u.size(0), 1, -1 }), output_, outputBias_, pass);
    }
    if (pass.watch) pass.watch->softmax(q, k, span);
    const auto mixed = span > 0 ? insideChunks(q, k, v, span, position, state)
        : state                 ? overCache(q, k, v, *state)
        : pass.kept             ? (*pass.kept)(q, k, v)
                                : causalAttention(q, k, v); // (B,T,Hq,dh)
    const auto joined = mixed.reshape({ u.size(0), u.size(1), -1 });
    return project(joined, output_, outputBias_, pass);
}

} // namespace pha
