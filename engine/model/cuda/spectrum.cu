// SPDX-License-Identifier: GPL-3.0-or-later
// The s4d discretisation: a dozen operations on small tensors, in fp64, as one launch each way.
#include "engine/model/cuda/common.cuh"
#include "engine/model/cuda/complex.cuh"

namespace pha::kernels {

namespace {

struct Values {
    double dt;
    Z a, lambda, hold, c;
};
__device__ Values evaluate(const Spectrum& p, int channel, int at)
{
    Values v;
    v.dt = exp(double(p.logDt[channel]));
    v.a = { -exp(double(p.logARe[at])), double(p.aIm[at]) };
    v.lambda = exponential(v.dt * v.a);
    v.hold = Z { v.lambda.re - 1, v.lambda.im } * inverse(v.a); // a is never 0: its real part is negative
    v.c = { p.cRe[at], p.cIm[at] };
    return v;
}

__global__ void forward(Spectrum p)
{
    const int channel = blockIdx.x;
    for (int n = threadIdx.x; n < p.states; n += warp) {
        const int at = channel * p.states + n;
        const auto v = evaluate(p, channel, at);
        const Z c = 2 * (v.c * v.hold); // 2: each state stands for a conjugate pair
        p.out[0][at] = float(v.lambda.re);
        p.out[1][at] = float(v.lambda.im);
        p.out[2][at] = float(c.re);
        p.out[3][at] = float(c.im);
    }
}

/// The gradient of z is that of w = f(z) times the conjugate of f'.
__global__ void backward(Spectrum p)
{
    const int channel = blockIdx.x;
    double ddt = 0;
    for (int n = threadIdx.x; n < p.states; n += warp) {
        const int at = channel * p.states + n;
        const auto v = evaluate(p, channel, at);
        const Z dc { p.dout[2][at], p.dout[3][at] };
        const Z dhold = 2 * (dc * conj(v.c)), own = 2 * (dc * conj(v.hold));
        const Z dlambda = Z { p.dout[0][at], p.dout[1][at] } + dhold * conj(inverse(v.a));
        const Z da = -1 * (dhold * conj(v.hold * inverse(v.a))) + dlambda * conj(v.dt * v.lambda);
        ddt += (dlambda * conj(v.a * v.lambda)).re;
        p.dcRe[at] = float(own.re);
        p.dcIm[at] = float(own.im);
        p.dlogARe[at] = float(da.re * v.a.re);
        p.daIm[at] = float(da.im);
    }
    for (int d = warp / 2; d > 0; d /= 2) ddt += __shfl_xor_sync(0xffffffffu, ddt, d);
    if (threadIdx.x == 0) p.dlogDt[channel] = float(ddt * exp(double(p.logDt[channel])));
}

} // namespace

void spectrumForward(const Spectrum& p, Stream stream)
{
    forward<<<unsigned(p.channels), warp, 0, on(stream)>>>(p);
    checkLaunch("spectrum");
}
void spectrumBackward(const Spectrum& p, Stream stream)
{
    backward<<<unsigned(p.channels), warp, 0, on(stream)>>>(p);
    checkLaunch("spectrum, backward");
}

} // namespace pha::kernels
