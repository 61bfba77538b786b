// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/fused_cpu.h"

#include <ATen/Parallel.h>

#include <utility>

namespace pha::test {

inline double largest(const torch::Tensor& x) { return x.abs().max().item<double>(); }

/// |a - exact| / |exact|
inline double distance(const torch::Tensor& a, const torch::Tensor& exact)
{
    return ((a - exact).norm() / exact.norm().clamp_min(1e-30)).item<double>();
}

/// Whether two results that differ in the number of threads alone are the same. Exactly, if this machine's libraries
/// give the same products whatever the number (OpenBLAS's kernels for Haswell and Zen and oneDNN's sums over many
/// numbers do not); else but for rounding.
inline bool sameForThreads(const torch::Tensor& a, const torch::Tensor& b)
{
    static const bool exact = [] {
        const int before = at::get_num_threads();
        bool same = true;
        for (const auto& [rows, columns] : { std::pair(96, 128), std::pair(96, 512), std::pair(300, 256) }) {
            const auto x = torch::randn({ rows, 256 }), w = torch::randn({ columns, 256 });
            at::set_num_threads(1);
            const auto one = at::linear(x, w), own = cpu::productOf(x, w.t()), deep = cpu::productOf(w.t(), w);
            for (const int threads : { 2, 3 }) {
                at::set_num_threads(threads);
                same &= torch::equal(one, at::linear(x, w)) && torch::equal(own, cpu::productOf(x, w.t()))
                    && torch::equal(deep, cpu::productOf(w.t(), w));
            }
        }
        at::set_num_threads(before);
        return same;
    }();
    return exact ? torch::equal(a, b) : distance(a, b) < 1e-5;
}

} // namespace pha::test
