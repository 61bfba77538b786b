// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu_kernels.h"
#include "engine/model/device_cache.h"
#include "engine/model/fused_cpu.h"
#include "engine/model/ops.h"
#include "engine/torch/torch_version.h"

namespace pha {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

/// Rows whose logits exist at the same time: at most 32 M numbers.
std::int64_t chunkRows(std::int64_t vocabulary)
{
    return std::clamp<std::int64_t>((std::int64_t(1) << 25) / vocabulary, 64, 8192);
}

/// -ln p of each row; with `gradient` the logits become softmax - onehot.
Tensor rowLosses(Tensor& logits, const Tensor& targets, bool gradient, Tensor& correct)
{
    if (logits.is_cpu() && logits.scalar_type() != torch::kDouble)
        return softmaxLossCpu(logits, targets, gradient, correct);
    const auto wide = logits.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
    const auto scored = targets >= 0;
    const auto safe = targets.clamp_min(0).unsqueeze(1);
    const auto logp = torch::log_softmax(logits.to(wide), 1);
    const auto nll = (-logp.gather(1, safe).squeeze(1)).masked_fill(scored.logical_not(), 0);
    if (correct.defined()) correct.copy_(torch::logical_and(scored, logits.argmax(1) == targets));
    if (gradient) {
        auto p = logp.exp();
        p.scatter_add_(1, safe, torch::full_like(safe, -1, p.options()));
        logits = p.masked_fill(scored.logical_not().unsqueeze(1), 0).to(logits.scalar_type());
    }
    return nll;
}

Tensor product(const Tensor& a, const Tensor& b)
{
    const bool own = fusedWanted() && a.is_cpu() && a.scalar_type() == torch::kFloat;
    return own ? cpu::productOf(a, b) : torch::mm(a, b);
}

struct CrossEntropyFunction : torch::autograd::Function<CrossEntropyFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& h, const Tensor& w, const Tensor& targets,
        torch::Dtype matrix, bool gradient, std::vector<Tensor>* losses)
    {
        const auto wm = w.to(matrix);
        const auto rows = h.size(0), chunk = chunkRows(w.size(0));
        const auto wide = w.scalar_type() == torch::kDouble ? torch::kDouble : torch::kFloat;
        Tensor dh, dw, none, total = torch::zeros({}, h.options().dtype(torch::kDouble));
        if (gradient) dh = torch::empty_like(h);
        for (std::int64_t first = 0; first < rows; first += chunk) {
            const auto n = std::min(chunk, rows - first);
            const auto hm = h.narrow(0, first, n).to(matrix);
            auto logits = product(hm, wm.t());
            const auto nll = rowLosses(logits, targets.narrow(0, first, n), gradient, none);
            if (losses) losses->push_back(nll);
            total += nll.sum(torch::kDouble);
            if (!gradient) continue;
            dh.narrow(0, first, n).copy_(product(logits, wm));
            const auto part = product(logits.t(), hm);
            dw = dw.defined() ? dw.add_(part) : part.to(wide);
        }
        if (gradient && !dw.defined()) dw = torch::zeros(w.sizes(), w.options().dtype(wide).requires_grad(false));
        if (gradient) ctx->save_for_backward({ dh, dw });
        return total.to(wide);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        return { saved[0] * gradients[0].to(saved[0].scalar_type()), saved[1] * gradients[0], Tensor(), Tensor(),
            Tensor(), Tensor() };
    }
};

constexpr std::int64_t fusedRows = 8192; ///< rows of logits that exist at the same time on a card

/// The same on a card: logits are read once and become their gradient in place; the gradient of W is summed in fp32.
struct FusedCrossEntropyFunction : torch::autograd::Function<FusedCrossEntropyFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& h, const Tensor& w, const Tensor& targets,
        const Tensor& copy, bool gradient, std::vector<Tensor>* losses)
    {
        const auto hm = h.to(torch::kBFloat16);
        Tensor dh, dw, total = torch::zeros({}, h.options().dtype(torch::kDouble));
        if (gradient) dh = torch::empty_like(hm);
        for (std::int64_t first = 0; first < h.size(0); first += fusedRows) {
            const auto n = std::min(fusedRows, h.size(0) - first);
            const auto part = hm.narrow(0, first, n);
            auto logits = torch::mm(part, copy.t());
            const auto nll = fusedRowLosses(logits, targets.narrow(0, first, n), w.size(0), gradient, {});
            if (losses) losses->push_back(nll);
            total += nll.sum(torch::kDouble);
            if (!gradient) continue;
            auto out = dh.narrow(0, first, n);
            torch::mm_out(out, logits, copy);
            if (dw.defined())
                addProduct(dw, logits.t(), part);
            else
                dw = multiplyToFloat(logits.t(), part);
        }
        if (gradient) ctx->save_for_backward({ dh.to(h.scalar_type()), dw.narrow(0, 0, w.size(0)) });
        return total.to(torch::kFloat);
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        return { saved[0] * gradients[0].to(saved[0].scalar_type()), saved[1] * gradients[0], Tensor(), Tensor(),
            Tensor(), Tensor() };
    }
};

torch::Dtype matrixType(const Tensor& w, torch::Dtype matrix)
{
    return w.scalar_type() == torch::kDouble ? torch::kDouble : matrix;
}

} // namespace

Tensor crossEntropySum(const Tensor& h, const Tensor& w, const Tensor& targets, torch::Dtype matrix, DeviceCache* cache,
    std::vector<Tensor>* losses)
{
    const bool gradient = torch::GradMode::is_enabled() && (h.requires_grad() || w.requires_grad());
    if (fusedLossFits(h, w.size(0), matrix, cache))
        return FusedCrossEntropyFunction::apply(h, w, targets, cache->stacked({ w }, vocabularyTile), gradient, losses);
    return CrossEntropyFunction::apply(h, w, targets, matrixType(w, matrix), gradient, losses);
}

TokenScores scoreTokens(
    const Tensor& h, const Tensor& w, const Tensor& targets, torch::Dtype matrix, DeviceCache* cache)
{
    const torch::NoGradGuard guard;
    const bool fused = fusedLossFits(h, w.size(0), matrix, cache);
    const auto wm = fused ? cache->stacked({ w }, vocabularyTile) : w.to(matrixType(w, matrix));
    const auto rows = h.size(0), chunk = chunkRows(w.size(0));
    TokenScores scores { torch::empty({ rows }, torch::dtype(torch::kFloat)),
        torch::empty({ rows }, torch::dtype(torch::kBool)) };
    for (std::int64_t first = 0; first < rows; first += chunk) {
        const auto n = std::min(chunk, rows - first);
        auto logits = product(h.narrow(0, first, n).to(wm.scalar_type()), wm.t());
        auto correct = torch::empty({ n }, h.options().dtype(torch::kBool));
        const auto wanted = targets.narrow(0, first, n);
        const auto nll = fused ? fusedRowLosses(logits, wanted, w.size(0), false, correct)
                               : rowLosses(logits, wanted, false, correct);
        scores.nll.narrow(0, first, n).copy_(nll);
        scores.correct.narrow(0, first, n).copy_(correct);
    }
    return scores;
}

} // namespace pha
