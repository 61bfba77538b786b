// SPDX-License-Identifier: GPL-3.0-or-later
// Matrix products on a processor: oneDNN's, which comes with LibTorch, where its symbols are to be had, else those of
// the BLAS. Many a BLAS that divides one product of a small network among threads gains little from the second: there
// the result is cut into blocks, each of which is one thread's.
#include "engine/model/fused_cpu.h"
#include "engine/torch/device.h"

#include <bit>
#include <dlfcn.h>

namespace pha::cpu {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr std::int64_t mostFewRows = 8;

/// Blocks of a product, by its shape alone: results must not depend on the number of threads.
std::int64_t blocksOf(std::int64_t m, std::int64_t n, std::int64_t k)
{
    constexpr double worthCutting = 4e6, each = 32e6; // multiplications
    const double work = double(m) * double(n) * double(k);
    if (work < worthCutting) return 1;
    const auto longer = std::max(m, n);
    const auto wanted = std::int64_t(std::bit_ceil(std::uint64_t(std::max(2.0, std::min(64.0, work / each)))));
    return std::clamp<std::int64_t>(wanted, 1, std::max<std::int64_t>(1, longer / 32));
}

/// oneDNN's product of row-major matrices (its C interface since version 1); null where LibTorch keeps it to itself.
using OneDnnProduct = int(char transA, char transB, std::int64_t m, std::int64_t n, std::int64_t k, float alpha,
    const float* a, std::int64_t aRow, const float* b, std::int64_t bRow, float beta, float* c, std::int64_t cRow);
OneDnnProduct* oneDnn()
{
    static auto* const found = reinterpret_cast<OneDnnProduct*>(dlsym(RTLD_DEFAULT, "dnnl_sgemm"));
    return found;
}

/// A matrix as libraries take it: rows of `row` numbers, to be read as they stand or turned.
struct Operand {
    char turned = 'N';
    std::int64_t row = 0; ///< 0: neither way fits
    explicit Operand(const Tensor& x)
    {
        const auto fits = [&](std::int64_t across, std::int64_t along) {
            return x.stride(along) == 1 && x.stride(across) >= std::max<std::int64_t>(1, x.size(along));
        };
        if (fits(0, 1))
            row = x.stride(0);
        else if (fits(1, 0))
            turned = 'T', row = x.stride(1);
    }
};

bool byOneDnn(const Tensor& out, const Tensor& a, const Tensor& b, bool add)
{
    const Operand left(a), right(b), result(out);
    if (!oneDnn() || !left.row || !right.row || !result.row || result.turned == 'T') return false;
    return oneDnn()(left.turned, right.turned, a.size(0), b.size(1), a.size(1), 1, a.data_ptr<float>(), left.row,
               b.data_ptr<float>(), right.row, add ? 1.F : 0.F, out.data_ptr<float>(), result.row)
        == 0;
}

void one(const Tensor& out, const Tensor& a, const Tensor& b, bool add)
{
    auto to = out;
    if (add)
        at::addmm_out(to, to, a, b);
    else
        at::mm_out(to, a, b);
}

struct ProjectFunction : torch::autograd::Function<ProjectFunction> {
    static Tensor forward(AutogradContext* ctx, const Tensor& x, const Tensor& w)
    {
        const auto rows = rowsOf(x);
        ctx->save_for_backward({ rows, w });
        return matrixProduct(rows, w).view(withLast(x, w.size(0)));
    }
    static variable_list backward(AutogradContext* ctx, variable_list gradients)
    {
        const auto saved = ctx->get_saved_variables();
        const auto dy = rowsOf(gradients[0]);
        return { productOf(dy, saved[1]).view(withLast(gradients[0], saved[1].size(1))), productOf(dy.t(), saved[0]) };
    }
};

} // namespace

void productInto(const Tensor& out, const Tensor& a, const Tensor& b, bool add)
{
    const torch::NoGradGuard guard;
    if (out.numel() && a.size(1) && byOneDnn(out, a, b, add)) return;
    // A library with threads of its own would set them against the ones that call it.
    const auto m = a.size(0), n = b.size(1), blocks = blasHasOwnThreads() ? 1 : blocksOf(m, n, a.size(1));
    if (blocks == 1) return one(out, a, b, add);
    const bool byRows = m >= n;
    // Whole groups of 16 in a block, which the inner loops of libraries like.
    const auto longer = byRows ? m : n, each = ((longer + blocks - 1) / blocks + 15) / 16 * 16;
    at::parallel_for(0, (longer + each - 1) / each, 1, [&](std::int64_t from, std::int64_t to) {
        const torch::NoGradGuard own; // a matter of each thread
        for (auto block = from; block < to; ++block) {
            const auto first = block * each, count = std::min(each, longer - first);
            if (byRows)
                one(out.narrow(0, first, count), a.narrow(0, first, count), b, add);
            else
                one(out.narrow(1, first, count), a, b.narrow(1, first, count), add);
        }
    });
}

Tensor productOf(const Tensor& a, const Tensor& b)
{
    const auto out = torch::empty({ a.size(0), b.size(1) });
    productInto(out, a, b);
    return out;
}

bool fewRowsFit(const Tensor& x, const Tensor& w)
{
    return x.numel() / x.size(-1) <= mostFewRows && x.is_cpu() && x.scalar_type() == torch::kFloat && w.is_contiguous()
        && w.scalar_type() == torch::kFloat;
}

Tensor matrixProduct(const Tensor& x, const Tensor& w)
{
    if (!fewRowsFit(x, w)) return productOf(x, w.t());
    const auto rows = x.contiguous();
    const auto y = torch::empty({ x.size(0), w.size(0) });
    constexpr std::int64_t cachedRows = 8; // a core reads so much more in the time that waking another takes
    inParallel(w.size(0), w.size(1) / cachedRows, [&](std::int64_t from, std::int64_t to) {
        kernels().fewRows(floats(rows), floats(w), floats(y), x.size(0), x.size(1), w.size(0), from, to);
    });
    return y;
}

Tensor project(const Tensor& x, const Tensor& w) { return ProjectFunction::apply(x, w); }

} // namespace pha::cpu
