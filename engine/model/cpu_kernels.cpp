// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu_kernels.h"

#include "engine/model/cpu/kernels.h"

#include <ATen/Parallel.h>

#include <cmath>
#include <cstring>
#include <vector>

// One build serves every x86-64: the loader picks the clone that the processor has. Elsewhere the plain form is used.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_ADDRESS__)                  \
    && !defined(__SANITIZE_THREAD__)
#define PHA_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PHA_CLONES
#endif

namespace pha {

namespace {

using bf16 = std::uint16_t; // bits; converted by hand so that the loops vectorise

inline float load(const float& x) { return x; }
inline float load(const bf16& x)
{
    const std::uint32_t bits = std::uint32_t(x) << 16;
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}
inline void store(float& to, float value) { to = value; }
inline void store(bf16& to, float value)
{
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    // Round to nearest even; a NaN stays one because its quiet bit is set.
    const std::uint32_t rounded = bits + 0x7fff + ((bits >> 16) & 1);
    to = bf16((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded >> 16);
}

template <class X, class Y>
inline void normRow(const X* x, const float* gain, Y* y, float* inverse, std::int64_t width, float eps)
{
    float sum = 0;
#pragma GCC ivdep
    for (std::int64_t i = 0; i < width; ++i) {
        const float v = load(x[i]);
        sum += v * v;
    }
    const float scale = 1 / std::sqrt(sum / float(width) + eps);
    *inverse = scale;
    if (gain) {
        for (std::int64_t i = 0; i < width; ++i) store(y[i], load(x[i]) * scale * gain[i]);
    } else {
        for (std::int64_t i = 0; i < width; ++i) store(y[i], load(x[i]) * scale);
    }
}

template <class X, class G>
inline void normRowBackward(
    const G* dy, const X* x, const float* gain, float inverse, X* dx, float* dgain, std::int64_t width)
{
    float dot = 0;
    if (gain) {
        for (std::int64_t i = 0; i < width; ++i) dot += load(dy[i]) * gain[i] * load(x[i]);
        for (std::int64_t i = 0; i < width; ++i) dgain[i] += load(dy[i]) * load(x[i]) * inverse;
    } else {
        for (std::int64_t i = 0; i < width; ++i) dot += load(dy[i]) * load(x[i]);
    }
    const float correction = dot * inverse * inverse * inverse / float(width);
    if (gain) {
        for (std::int64_t i = 0; i < width; ++i)
            store(dx[i], load(dy[i]) * gain[i] * inverse - load(x[i]) * correction);
    } else {
        for (std::int64_t i = 0; i < width; ++i) store(dx[i], load(dy[i]) * inverse - load(x[i]) * correction);
    }
}

// exp with a relative error below 2e-7 for |x| <= 87, written so that it vectorises.
inline float fastExp(float x)
{
    x = x < -87.F ? -87.F : (x > 87.F ? 87.F : x);
    const float scaled = x * 1.44269504F;
    const float whole = std::floor(scaled + 0.5F);
    const float r = (x - whole * 0.693359375F) + whole * 2.12194440e-4F;
    float p = 1.9875691500e-4F;
    p = p * r + 1.3981999507e-3F;
    p = p * r + 8.3334519073e-3F;
    p = p * r + 4.1665795894e-2F;
    p = p * r + 1.6666665459e-1F;
    p = p * r + 5.0000001201e-1F;
    p = p * r * r + r + 1.F;
    const std::int32_t bits = (std::int32_t(whole) + 127) << 23;
    float power;
    __builtin_memcpy(&power, &bits, 4);
    return p * power;
}

inline float sigmoid(float x) { return 1 / (1 + fastExp(-x)); }

#define PHA_NORM(NAME, X, Y)                                                                                           \
    PHA_CLONES void NAME(                                                                                              \
        const X* x, const float* gain, Y* y, float* inverse, std::int64_t rows, std::int64_t width, float eps)         \
    {                                                                                                                  \
        for (std::int64_t r = 0; r < rows; ++r) normRow(x + r * width, gain, y + r * width, inverse + r, width, eps);  \
    }
PHA_NORM(normFF, float, float)
PHA_NORM(normFB, float, bf16)
PHA_NORM(normBF, bf16, float)
PHA_NORM(normBB, bf16, bf16)
#undef PHA_NORM

#define PHA_NORM_BACK(NAME, X, G)                                                                                      \
    PHA_CLONES void NAME(const G* dy, const X* x, const float* gain, const float* inverse, X* dx, float* dgain,        \
        std::int64_t rows, std::int64_t width)                                                                         \
    {                                                                                                                  \
        for (std::int64_t r = 0; r < rows; ++r)                                                                        \
            normRowBackward(dy + r * width, x + r * width, gain, inverse[r], dx + r * width, dgain, width);            \
    }
PHA_NORM_BACK(normBackFF, float, float)
PHA_NORM_BACK(normBackFB, float, bf16)
PHA_NORM_BACK(normBackBF, bf16, float)
PHA_NORM_BACK(normBackBB, bf16, bf16)
#undef PHA_NORM_BACK

#define PHA_SWIGLU(NAME, X)                                                                                            \
    PHA_CLONES void NAME(const X* gate, const X* up, X* y, std::int64_t count)                                         \
    {                                                                                                                  \
        for (std::int64_t i = 0; i < count; ++i) {                                                                     \
            const float g = load(gate[i]);                                                                             \
            store(y[i], g* sigmoid(g) * load(up[i]));                                                                  \
        }                                                                                                              \
    }                                                                                                                  \
    PHA_CLONES void NAME##Back(const X* dy, const X* gate, const X* up, X* dgate, X* dup, std::int64_t count)          \
    {                                                                                                                  \
        for (std::int64_t i = 0; i < count; ++i) {                                                                     \
            const float g = load(gate[i]), s = sigmoid(g), d = load(dy[i]);                                            \
            store(dup[i], d* g* s);                                                                                    \
            store(dgate[i], d* load(up[i]) * s * (1 + g * (1 - s)));                                                   \
        }                                                                                                              \
    }
PHA_SWIGLU(swigluF, float)
PHA_SWIGLU(swigluB, bf16)
#undef PHA_SWIGLU

#define PHA_ROWS(NAME, X)                                                                                              \
    /* Softmax over the first `seen` of `keys` entries; the rest become 0. Returns ln of the sum. */                   \
    PHA_CLONES float NAME##Softmax(X* s, std::int64_t seen, std::int64_t keys)                                         \
    {                                                                                                                  \
        float highest = load(s[0]), sum = 0;                                                                           \
        for (std::int64_t i = 1; i < seen; ++i) highest = std::max(highest, load(s[i]));                               \
        for (std::int64_t i = 0; i < seen; ++i) sum += fastExp(load(s[i]) - highest);                                  \
        const float scale = 1 / sum;                                                                                   \
        for (std::int64_t i = 0; i < seen; ++i) store(s[i], fastExp(load(s[i]) - highest) * scale);                    \
        for (std::int64_t i = seen; i < keys; ++i) s[i] = 0;                                                           \
        return highest + std::log(sum);                                                                                \
    }                                                                                                                  \
    PHA_CLONES void NAME##SoftmaxBack(X* s, X* dp, float lse, float delta, std::int64_t seen, std::int64_t keys)       \
    {                                                                                                                  \
        for (std::int64_t i = 0; i < seen; ++i) {                                                                      \
            const float p = fastExp(load(s[i]) - lse);                                                                 \
            store(dp[i], p*(load(dp[i]) - delta));                                                                     \
            store(s[i], p);                                                                                            \
        }                                                                                                              \
        for (std::int64_t i = seen; i < keys; ++i) s[i] = dp[i] = 0;                                                   \
    }
PHA_ROWS(rowsF, float)
PHA_ROWS(rowsB, bf16)
#undef PHA_ROWS

PHA_CLONES float rowsBLoss(bf16* z, std::int64_t target, bool gradient, bool* correct, std::int64_t width)
{
    float highest = load(z[0]), sum = 0;
    for (std::int64_t i = 1; i < width; ++i) highest = std::max(highest, load(z[i]));
    for (std::int64_t i = 0; i < width; ++i) sum += fastExp(load(z[i]) - highest);
    const float own = load(z[target]), scale = 1 / sum;
    if (correct) { // of several highest logits the first is the answer, as with argmax
        *correct = own >= highest;
        for (std::int64_t i = 0; *correct && i < target; ++i) *correct = load(z[i]) < highest;
    }
    if (gradient) {
        for (std::int64_t i = 0; i < width; ++i) store(z[i], fastExp(load(z[i]) - highest) * scale);
        store(z[target], fastExp(own - highest) * scale - 1);
    }
    return highest + std::log(sum) - own;
}

PHA_CLONES void adamwRange(float* w, float* m, float* v, const float* g, std::int64_t count, float rate, float beta1,
    float beta2, float epsilon, float keep, float correction1, float correction2, float scale)
{
    for (std::int64_t i = 0; i < count; ++i) {
        const float gi = g[i] * scale;
        m[i] = beta1 * m[i] + (1 - beta1) * gi;
        v[i] = beta2 * v[i] + (1 - beta2) * gi * gi;
        w[i] = w[i] * keep - rate * (m[i] / correction1) / (std::sqrt(v[i] / correction2) + epsilon);
    }
}

PHA_CLONES double sumSquaresRange(const float* x, std::int64_t count)
{
    double sum = 0;
    for (std::int64_t i = 0; i < count; i += 1024) {
        float part = 0;
        const auto end = std::min(count, i + 1024);
        for (std::int64_t j = i; j < end; ++j) part += x[j] * x[j];
        sum += double(part);
    }
    return sum;
}

template <class T>
void scanRange(const T* a, const T* b, const T* start, T* h, std::int64_t steps, std::int64_t channels,
    std::int64_t from, std::int64_t to)
{
    std::vector<T> state(start + from, start + to);
    for (std::int64_t t = 0; t < steps; ++t) {
        const auto row = t * channels;
        for (std::int64_t c = from; c < to; ++c) {
            state[std::size_t(c - from)] = a[row + c] * state[std::size_t(c - from)] + b[row + c];
            h[row + c] = state[std::size_t(c - from)];
        }
    }
}

template <class T>
void scanBackRange(
    const T* a, const T* g, T* out, std::int64_t steps, std::int64_t channels, std::int64_t from, std::int64_t to)
{
    std::vector<T> state(std::size_t(to - from), T(0));
    for (std::int64_t t = steps; t-- > 0;) {
        const auto row = t * channels;
        for (std::int64_t c = from; c < to; ++c) {
            auto& s = state[std::size_t(c - from)];
            s = g[row + c] + (t + 1 < steps ? a[row + channels + c] * s : T(0));
            out[row + c] = s;
        }
    }
}

template <class T> T* data(const Tensor& x) { return reinterpret_cast<T*>(x.data_ptr()); }
bool isBf16(const Tensor& x) { return x.scalar_type() == torch::kBFloat16; }

constexpr std::int64_t grain = 16384; // elements a thread should have to be worth waking

/// Rows are split in a fixed number of parts, whatever the thread count, so that gain gradients sum in the same order.
constexpr std::int64_t gainParts = 16;

} // namespace

std::pair<Tensor, Tensor> rmsNormForwardCpu(const Tensor& x, const Tensor& gain, torch::Dtype out, double eps)
{
    const auto width = x.size(-1), rows = x.numel() / width;
    auto y = torch::empty(x.sizes(), x.options().dtype(out).requires_grad(false));
    auto inverse = torch::empty({ rows }, torch::dtype(torch::kFloat));
    const float* g = gain.defined() ? gain.data_ptr<float>() : nullptr;
    at::parallel_for(0, rows, std::max<std::int64_t>(1, grain / width), [&](std::int64_t from, std::int64_t to) {
        const auto at = from * width;
        auto* inv = inverse.data_ptr<float>() + from;
        if (isBf16(x) && isBf16(y))
            normBB(data<bf16>(x) + at, g, data<bf16>(y) + at, inv, to - from, width, float(eps));
        else if (isBf16(x))
            normBF(data<bf16>(x) + at, g, data<float>(y) + at, inv, to - from, width, float(eps));
        else if (isBf16(y))
            normFB(data<float>(x) + at, g, data<bf16>(y) + at, inv, to - from, width, float(eps));
        else
            normFF(data<float>(x) + at, g, data<float>(y) + at, inv, to - from, width, float(eps));
    });
    return { y, inverse };
}

std::pair<Tensor, Tensor> rmsNormBackwardCpu(
    const Tensor& dy, const Tensor& x, const Tensor& gain, const Tensor& inverse)
{
    const auto width = x.size(-1), rows = x.numel() / width;
    auto dx = torch::empty_like(x);
    const float* g = gain.defined() ? gain.data_ptr<float>() : nullptr;
    auto parts = torch::zeros({ gainParts, width }, torch::dtype(torch::kFloat));
    const auto perPart = (rows + gainParts - 1) / gainParts;
    at::parallel_for(0, gainParts, 1, [&](std::int64_t fromPart, std::int64_t toPart) {
        for (auto part = fromPart; part < toPart; ++part) {
            const auto from = std::min(rows, part * perPart), to = std::min(rows, from + perPart), at = from * width;
            const auto* inv = inverse.data_ptr<float>() + from;
            auto* dg = parts.data_ptr<float>() + part * width;
            if (isBf16(x) && isBf16(dy))
                normBackBB(data<bf16>(dy) + at, data<bf16>(x) + at, g, inv, data<bf16>(dx) + at, dg, to - from, width);
            else if (isBf16(x))
                normBackBF(data<float>(dy) + at, data<bf16>(x) + at, g, inv, data<bf16>(dx) + at, dg, to - from, width);
            else if (isBf16(dy))
                normBackFB(
                    data<bf16>(dy) + at, data<float>(x) + at, g, inv, data<float>(dx) + at, dg, to - from, width);
            else
                normBackFF(
                    data<float>(dy) + at, data<float>(x) + at, g, inv, data<float>(dx) + at, dg, to - from, width);
        }
    });
    return { dx, gain.defined() ? parts.sum(0) : Tensor() };
}

Tensor swigluForwardCpu(const Tensor& gate, const Tensor& up)
{
    auto y = torch::empty(gate.sizes(), gate.options().requires_grad(false));
    at::parallel_for(0, gate.numel(), grain, [&](std::int64_t from, std::int64_t to) {
        if (isBf16(gate))
            swigluB(data<bf16>(gate) + from, data<bf16>(up) + from, data<bf16>(y) + from, to - from);
        else
            swigluF(data<float>(gate) + from, data<float>(up) + from, data<float>(y) + from, to - from);
    });
    return y;
}

std::pair<Tensor, Tensor> swigluBackwardCpu(const Tensor& dy, const Tensor& gate, const Tensor& up)
{
    auto dgate = torch::empty_like(gate), dup = torch::empty_like(up);
    at::parallel_for(0, gate.numel(), grain, [&](std::int64_t from, std::int64_t to) {
        if (isBf16(gate))
            swigluBBack(data<bf16>(dy) + from, data<bf16>(gate) + from, data<bf16>(up) + from, data<bf16>(dgate) + from,
                data<bf16>(dup) + from, to - from);
        else
            swigluFBack(data<float>(dy) + from, data<float>(gate) + from, data<float>(up) + from,
                data<float>(dgate) + from, data<float>(dup) + from, to - from);
    });
    return { dgate, dup };
}

namespace {
/// Calls `range(T, batch, fromChannel, toChannel)` over all (batch, channel block) pairs.
template <class Range> void overChannels(const Tensor& x, Range&& range)
{
    const auto batch = x.size(0), channels = x.size(2), block = std::int64_t(64),
               blocks = (channels + block - 1) / block;
    at::parallel_for(0, batch * blocks, 1, [&](std::int64_t from, std::int64_t to) {
        for (auto i = from; i < to; ++i)
            range(i / blocks, i % blocks * block, std::min(channels, i % blocks * block + block));
    });
}
} // namespace

Tensor scanForwardCpu(const Tensor& a, const Tensor& b, const Tensor& start)
{
    auto h = torch::empty_like(b);
    const auto steps = a.size(1), channels = a.size(2);
    overChannels(a, [&](std::int64_t n, std::int64_t from, std::int64_t to) {
        const auto at = n * steps * channels;
        if (a.scalar_type() == torch::kDouble)
            scanRange(data<double>(a) + at, data<double>(b) + at, data<double>(start) + n * channels,
                data<double>(h) + at, steps, channels, from, to);
        else
            scanRange(data<float>(a) + at, data<float>(b) + at, data<float>(start) + n * channels, data<float>(h) + at,
                steps, channels, from, to);
    });
    return h;
}

Tensor scanBackwardCpu(const Tensor& a, const Tensor& g)
{
    auto out = torch::empty_like(g);
    const auto steps = a.size(1), channels = a.size(2);
    overChannels(a, [&](std::int64_t n, std::int64_t from, std::int64_t to) {
        const auto at = n * steps * channels;
        if (a.scalar_type() == torch::kDouble)
            scanBackRange(
                data<double>(a) + at, data<double>(g) + at, data<double>(out) + at, steps, channels, from, to);
        else
            scanBackRange(data<float>(a) + at, data<float>(g) + at, data<float>(out) + at, steps, channels, from, to);
    });
    return out;
}

Tensor causalSoftmaxCpu(Tensor& s, std::int64_t queries, std::int64_t first, std::int64_t offset)
{
    const auto keys = s.size(2), rows = s.size(0) * s.size(1), perGroup = s.size(1);
    auto lse = torch::empty({ s.size(0), s.size(1) }, torch::dtype(torch::kFloat));
    auto* l = lse.data_ptr<float>();
    at::parallel_for(0, rows, std::max<std::int64_t>(1, grain / keys), [&](std::int64_t from, std::int64_t to) {
        for (auto r = from; r < to; ++r) {
            const auto seen = std::min(keys, offset + first + r % perGroup % queries + 1);
            l[r] = isBf16(s) ? rowsBSoftmax(data<bf16>(s) + r * keys, seen, keys)
                             : rowsFSoftmax(data<float>(s) + r * keys, seen, keys);
        }
    });
    return lse;
}

void causalSoftmaxBackwardCpu(Tensor& s, Tensor& dp, const Tensor& lse, const Tensor& delta, std::int64_t queries,
    std::int64_t first, std::int64_t offset)
{
    const auto keys = s.size(2), rows = s.size(0) * s.size(1), perGroup = s.size(1);
    const auto *l = lse.data_ptr<float>(), *d = delta.data_ptr<float>();
    at::parallel_for(0, rows, std::max<std::int64_t>(1, grain / keys), [&](std::int64_t from, std::int64_t to) {
        for (auto r = from; r < to; ++r) {
            const auto seen = std::min(keys, offset + first + r % perGroup % queries + 1), at = r * keys;
            if (isBf16(s))
                rowsBSoftmaxBack(data<bf16>(s) + at, data<bf16>(dp) + at, l[r], d[r], seen, keys);
            else
                rowsFSoftmaxBack(data<float>(s) + at, data<float>(dp) + at, l[r], d[r], seen, keys);
        }
    });
}

Tensor softmaxLossCpu(Tensor& logits, const Tensor& targets, bool gradient, Tensor& correct)
{
    const auto rows = logits.size(0), width = logits.size(1);
    auto nll = torch::zeros({ rows }, torch::dtype(torch::kFloat));
    auto* n = nll.data_ptr<float>();
    const auto* t = targets.data_ptr<std::int64_t>();
    bool* c = correct.defined() ? correct.data_ptr<bool>() : nullptr;
    const auto bytes = width * logits.element_size();
    at::parallel_for(0, rows, std::max<std::int64_t>(1, grain / width), [&](std::int64_t from, std::int64_t to) {
        for (auto r = from; r < to; ++r) {
            if (t[r] < 0) {
                if (gradient) std::memset(static_cast<char*>(logits.data_ptr()) + r * bytes, 0, std::size_t(bytes));
                if (c) c[r] = false;
                continue;
            }
            auto* flag = c ? c + r : nullptr;
            n[r] = isBf16(logits)
                ? rowsBLoss(data<bf16>(logits) + r * width, t[r], gradient, flag, width)
                : cpu::kernels().lossRow(data<float>(logits) + r * width, t[r], gradient, flag, width);
        }
    });
    return nll;
}

void adamwCpu(Tensor& w, Tensor& m, Tensor& v, const Tensor& g, double rate, double beta1, double beta2, double epsilon,
    double decay, double correction1, double correction2, double scale)
{
    auto *wp = w.data_ptr<float>(), *mp = m.data_ptr<float>(), *vp = v.data_ptr<float>();
    const auto* gp = g.data_ptr<float>();
    at::parallel_for(0, w.numel(), grain, [&](std::int64_t from, std::int64_t to) {
        adamwRange(wp + from, mp + from, vp + from, gp + from, to - from, float(rate), float(beta1), float(beta2),
            float(epsilon), float(1 - rate * decay), float(correction1), float(correction2), float(scale));
    });
}

double sumSquaresCpu(const Tensor& x) { return sumSquaresRange(x.data_ptr<float>(), x.numel()); }

} // namespace pha
