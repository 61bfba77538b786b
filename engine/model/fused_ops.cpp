// SPDX-License-Identifier: GPL-3.0-or-later
// The residual stream, plain projections and the loss.
#if PHA_HAS_KERNELS

#include "engine/model/fused_detail.h"

#include <ATen/cuda/CUDAGeneratorImpl.h>

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

bool fusable(const Tensor& x, torch::Dtype matrix, const DeviceCache* cache)
{
    return fusedWanted() && cache && x.is_cuda() && matrix == torch::kBFloat16 && x.scalar_type() != torch::kDouble;
}

struct ProjectFunction : torch::autograd::Function<ProjectFunction> {
    static Tensor forward(
        AutogradContext* ctx, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& copy)
    {
        const auto rows = bf16Rows(x);
        ctx->save_for_backward({ rows, copy });
        ctx->saved_data["bias"] = bias.numel() > 0;
        ctx->saved_data["wide"] = x.scalar_type() == torch::kFloat;
        auto y = bias.numel() ? torch::addmm(bias.to(torch::kBFloat16), rows, copy.t()) : matrixProduct(rows, copy);
        return y.view(withLast(x, w.size(0)));
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto dy = bf16Rows(gradients[0]);
        auto dx = torch::mm(dy, saved[1]).view(withLast(gradients[0], saved[1].size(1)));
        if (ctx->saved_data["wide"].toBool()) dx = dx.to(torch::kFloat);
        const auto dbias = ctx->saved_data["bias"].toBool() ? dy.sum(0, false, torch::kFloat) : Tensor();
        return { dx, weightGradient(dy, saved[0]), dbias, Tensor() };
    }
};

/// Seed and offset of four random numbers per element, as LibTorch's own kernels take them.
at::PhiloxCudaState drawSeed(const c10::optional<at::Generator>& generator)
{
    auto* own =
        at::get_generator_or_default<at::CUDAGeneratorImpl>(generator, at::cuda::detail::getDefaultCUDAGenerator());
    const std::lock_guard lock(own->mutex_);
    return own->philox_cuda_state(4);
}

void keepSeed(decltype(AutogradContext::saved_data)& kept, const at::PhiloxCudaState& drawn)
{
    const auto address = [](const std::int64_t* at) { return std::int64_t(reinterpret_cast<std::intptr_t>(at)); };
    if (drawn.captured_) { // the rest of its numbers is on the card
        kept["seedAt"] = address(drawn.seed_.ptr), kept["offsetAt"] = address(drawn.offset_.ptr);
        kept["offset"] = std::int64_t(drawn.offset_intragraph_);
    } else {
        kept["seed"] = std::int64_t(drawn.seed_.val), kept["offset"] = std::int64_t(drawn.offset_.val);
    }
}

/// (stream x, K branches, weights, gain) -> x1 unless there are no branches; then, unless there is no gain, y once for
/// each of its `readers`, so that their gradients meet inside the kernel. Of the stream nothing is kept: y, which its
/// readers keep anyway, gives the normalised row again.
struct NormFunction : torch::autograd::Function<NormFunction> {
    static kernels::ResidualNorm shape(AutogradContext* ctx)
    {
        auto& d = ctx->saved_data;
        kernels::ResidualNorm p;
        p.rows = d["rows"].toInt();
        p.width = int(d["width"].toInt());
        p.branches = int(d["branches"].toInt());
        p.normed = d["normed"].toBool();
        p.alpha = float(d["alpha"].toDouble());
        p.beta = float(d["beta"].toDouble());
        p.keep = float(d["keep"].toDouble());
        p.seed = std::uint64_t(d["seed"].toInt());
        p.offset = std::uint64_t(d["offset"].toInt());
        p.seedAt = reinterpret_cast<const std::int64_t*>(d["seedAt"].toInt());
        p.offsetAt = reinterpret_cast<const std::int64_t*>(d["offsetAt"].toInt());
        p.tokenWeights = d["token"].toBool();
        p.eps = p.branchEps = float(normEps);
        return p;
    }

    static variable_list forward(AutogradContext* ctx, const Tensor& x, const Tensor& z0, const Tensor& z1,
        const Tensor& z2, const Tensor& weights, const Tensor& gain, bool normed, double alpha, double beta,
        double dropout, c10::optional<at::Generator> generator, std::int64_t readers)
    {
        const std::vector<Tensor> given { z0, z1, z2 };
        std::vector<Tensor> z;
        for (const auto& t : given)
            if (t.numel()) z.push_back(t.contiguous());
        const auto rows = x.numel() / x.size(-1), K = std::int64_t(z.size());
        auto& d = ctx->saved_data;
        d["rows"] = rows, d["width"] = x.size(-1), d["branches"] = K, d["normed"] = normed;
        d["alpha"] = alpha, d["beta"] = beta, d["keep"] = 1 - dropout, d["token"] = weights.dim() > 1;
        d["seed"] = d["offset"] = d["seedAt"] = d["offsetAt"] = std::int64_t(0);
        if (dropout > 0) keepSeed(d, drawSeed(generator));

        auto p = shape(ctx);
        const auto in = x.contiguous();
        const auto fp32 = x.options().dtype(torch::kFloat);
        const auto x1 = K ? torch::empty_like(in) : in;
        const bool normal = gain.numel() > 0;
        const auto y = normal ? torch::empty(x.sizes(), x.options().dtype(torch::kBFloat16)) : Tensor();
        const auto inverse = torch::empty({ normal ? rows : 0 }, fp32),
                   branchInverse = torch::empty({ normed ? rows * K : 0 }, fp32);
        const auto scales = weights.contiguous();
        p.x = floats(in), p.x1 = floats(x1), p.y = raw(y), p.gain = floats(gain), p.weights = floats(scales);
        p.inverse = floats(inverse), p.branchInverse = floats(branchInverse);
        for (std::size_t k = 0; k < z.size(); ++k) p.z[k] = raw(z[k]);
        kernels::residualNormForward(p, stream());
        variable_list saved { normal ? y : orEmpty({}, x), gain, inverse, branchInverse, scales };
        const bool needed = normed || (weights.numel() && weights.requires_grad());
        for (const auto& t : z) saved.push_back(needed ? t : orEmpty({}, x));
        d["dweights"] = weights.numel() > 0 && weights.requires_grad();
        ctx->save_for_backward(saved);
        d["sizes"] = x.sizes().vec();
        variable_list out;
        if (K) out.push_back(x1);
        const at::AutoDispatchBelowADInplaceOrView guard; // tensors of their own on one memory, not views
        for (std::int64_t i = 0; normal && i < readers; ++i) out.push_back(i ? y.alias() : y);
        return out;
    }

    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto &y = saved[0], &gain = saved[1];
        auto p = shape(ctx);
        const auto K = std::size_t(p.branches);
        const auto dx1 = K && gradients[0].defined() ? gradients[0].contiguous() : Tensor();
        std::vector<Tensor> dy;
        for (std::size_t i = K ? 1 : 0; i < gradients.size(); ++i) {
            if (!gradients[i].defined()) continue;
            dy.push_back(gradients[i].contiguous());
            p.dy[dy.size() - 1] = raw(dy.back());
        }
        const auto fp32 = gain.options().dtype(torch::kFloat).requires_grad(false);
        const auto sizes = ctx->saved_data["sizes"].toIntVector();
        const auto dx = torch::empty(sizes, fp32);
        const auto dgain = dy.empty() ? Tensor() : partials(gain, p.width);
        const bool wantsWeights = ctx->saved_data["dweights"].toBool();
        const auto dweights = wantsWeights
            ? torch::empty({ p.tokenWeights ? p.rows : kernels::residualNormBlocks(), p.branches }, fp32)
            : Tensor();
        std::vector<Tensor> dz;
        for (std::size_t k = 0; k < K; ++k) {
            dz.push_back(torch::empty(sizes, fp32.dtype(torch::kBFloat16)));
            p.z[k] = raw(saved[5 + k]);
            p.dz[k] = raw(dz[k]);
        }
        p.y = dy.empty() ? nullptr : raw(y);
        p.gain = floats(gain), p.inverse = floats(saved[2]), p.branchInverse = floats(saved[3]);
        p.weights = floats(saved[4]), p.dx1 = floats(dx1), p.dx = floats(dx);
        p.dgain = floats(dgain), p.dweights = floats(dweights);
        kernels::residualNormBackward(p, stream());
        dz.resize(kernels::mostBranches);
        Tensor dw;
        if (wantsWeights) dw = p.tokenWeights ? dweights.view(saved[4].sizes()) : columnSums(dweights);
        return { dx, dz[0], dz[1], dz[2], dw, dgain.defined() ? columnSums(dgain) : Tensor(), Tensor(), Tensor(),
            Tensor(), Tensor(), Tensor(), Tensor() };
    }
};

struct MixWeightsFunction : torch::autograd::Function<MixWeightsFunction> {
    static Tensor run(const Tensor& logits, const Tensor& dw, std::int64_t kind)
    {
        const auto out = torch::empty_like(logits);
        kernels::mixWeights(
            kernels::MixWeights(kind), floats(logits), floats(dw), floats(out), int(logits.numel()), stream());
        return out;
    }
    static Tensor forward(AutogradContext* ctx, const Tensor& logits, std::int64_t kind)
    {
        ctx->save_for_backward({ logits });
        ctx->saved_data["kind"] = kind;
        return run(logits, {}, kind);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        return { run(ctx->get_saved_variables()[0], gradients[0].contiguous(), ctx->saved_data["kind"].toInt()),
            Tensor() };
    }
};

} // namespace

bool hasFusedKernels() { return true; }

namespace card {

bool fusedPass(const Tensor& x, const Pass& pass) { return fusable(x, pass.matrix, pass.cache); }

void readAll(const Tensor& memory)
{
    const auto word = torch::empty({ 1 }, memory.options().dtype(torch::kInt));
    kernels::readMemory(memory.data_ptr(), memory.numel() * memory.element_size(), word.data_ptr(), stream());
}

Tensor fusedProject(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass)
{
    return ProjectFunction::apply(x, w, orEmpty(bias, x), pass.cache->stacked({ w }));
}

Tensor fusedLogits(const Tensor& hidden, const Tensor& embedding, const Pass& pass)
{
    const auto z = matrixProduct(bf16Rows(hidden), pass.cache->stacked({ embedding }, vocabularyTile));
    return z.narrow(1, 0, embedding.size(0)).to(torch::kFloat).view(withLast(hidden, embedding.size(0)));
}

bool fusedUpdateFits(std::int64_t width, std::size_t branches)
{
    return kernels::residualNormFits(width) && branches <= kernels::mostBranches;
}

std::vector<Tensor> fusedNorm(Tensor& x, Update& update, const Tensor& gain, const Pass& pass, std::size_t readers)
{
    const auto none = orEmpty({}, x);
    const auto z = [&](std::size_t k) { return k < update.z.size() ? update.z[k].to(torch::kBFloat16) : none; };
    auto out = NormFunction::apply(x, z(0), z(1), z(2), orEmpty(update.weights, x), orEmpty(gain, x), update.normed,
        update.alpha, update.beta, pass.training && !update.z.empty() ? pass.dropout : 0.0, pass.generator,
        std::int64_t(readers));
    if (!update.z.empty()) {
        x = out.front();
        out.erase(out.begin());
    }
    update = {};
    return out;
}

Tensor fusedMixWeights(const std::string& mode, const Tensor& logits)
{
    const auto kind = mode == "softplus" ? kernels::MixWeights::Softplus
        : mode == "softmax"              ? kernels::MixWeights::Softmax
                                         : kernels::MixWeights::Sigmoid;
    return MixWeightsFunction::apply(logits, std::int64_t(kind));
}

} // namespace card

bool fusedLossFits(const Tensor& h, std::int64_t vocabulary, torch::Dtype matrix, const DeviceCache* cache)
{
    const auto padded = (vocabulary + vocabularyTile - 1) / vocabularyTile * vocabularyTile;
    return fusable(h, matrix, cache) && padded <= kernels::mostColumns();
}

Tensor fusedRowLosses(
    Tensor& logits, const Tensor& targets, std::int64_t vocabulary, bool gradient, const Tensor& correct)
{
    const auto nll = torch::empty({ logits.size(0) }, logits.options().dtype(torch::kFloat));
    kernels::softmaxLoss(logits.data_ptr(), targets.data_ptr<std::int64_t>(), nll.data_ptr<float>(),
        correct.defined() ? correct.data_ptr<bool>() : nullptr, logits.size(0), vocabulary, logits.size(1), gradient,
        stream());
    return nll;
}

} // namespace pha

#endif
