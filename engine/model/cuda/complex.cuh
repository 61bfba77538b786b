// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// Complex numbers in fp64, for the few places where parameters become states.
namespace pha::kernels {

struct Z {
    double re, im;
};
__device__ inline Z operator*(Z a, Z b) { return { a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re }; }
__device__ inline Z operator*(double a, Z b) { return { a * b.re, a * b.im }; }
__device__ inline Z operator+(Z a, Z b) { return { a.re + b.re, a.im + b.im }; }
__device__ inline Z conj(Z a) { return { a.re, -a.im }; }
__device__ inline Z inverse(Z a)
{
    const double size = a.re * a.re + a.im * a.im;
    return { a.re / size, -a.im / size };
}
__device__ inline Z exponential(Z a)
{
    const double size = exp(a.re);
    return { size * cos(a.im), size * sin(a.im) };
}

} // namespace pha::kernels
