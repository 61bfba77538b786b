// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/step.h"

/// Loops of the network for processors, fp32, on plain pointers. Each works on a range of its tasks, so that the caller
/// decides about threads; results do not depend on how the tasks are split. Every one has a form in plain tensor
/// operations that a test holds it to.
namespace pha::cpu {

/// Causal attention with grouped heads; scores are q k as they stand. Query t sees keys up to keys - queries + t.
struct Attention {
    std::int64_t batch, queries, keys, queryHeads, kvHeads, headWidth;
    const float *q, *k, *v; ///< heads of one token lie side by side
    std::int64_t qToken, kToken, vToken, qText, kText, vText; ///< distances between tokens and between texts
    float* out; ///< (B,Tq,Hq,dh)
    float* lse; ///< (B,Hq,Tq): the logarithms of the sums; null if there will be no backward pass
    const float* dout;
    float *dq, *dk, *dv; ///< (B,Tq,Hq,dh), and (B,Tk,parts,Hkv,dh) twice
    std::int64_t parts; ///< in which a group's heads are split in the backward pass, for more tasks
};
std::int64_t attentionTasks(const Attention& p);
std::int64_t attentionBackwardTasks(const Attention& p);
std::int64_t attentionScratch(const Attention& p, bool backward); ///< floats that a range of tasks works in

/// y_t = Re sum_p c_p x_t,p + skip u_t, x_t = lambda x_t-1 + u_t: a diagonal state space a channel. Tasks are (text,
/// eight channels); channels are a multiple of 8.
struct Scan {
    std::int64_t batch, length, channels, states;
    const float *u, *skip; ///< (B,T,h), (h)
    const float *lambdaRe, *lambdaIm, *cRe, *cIm; ///< (P,h)
    const float *startRe, *startIm; ///< (B,P,h) or null: zero
    float *endRe, *endIm; ///< (B,P,h) or null
    float* spans; ///< states at the start of each span, for the backward pass; null if there will be none
    float* y; ///< (B,T,h)
    const float* dy;
    float *du, *dskip; ///< (B,T,h), (B,h)
    float *dlambdaRe, *dlambdaIm, *dcRe, *dcIm; ///< (B,P,h)
};
inline constexpr std::int64_t scanSpan = 128; ///< steps whose states the backward pass forms again at a time
std::int64_t scanTasks(const Scan& p);
std::int64_t scanSpans(const Scan& p); ///< floats of `spans`

/// x1 = alpha x + beta sum_k w_k n_k(z_k), y = norm(x1) gain: the residual stream between two parts of a layer.
struct ResidualNorm {
    std::int64_t rows, width;
    int branches;
    bool normed, tokenWeights; ///< n_k is the norm; weights are (R,K) instead of (K)
    float alpha, beta, eps, branchEps;
    const float *x, *z[3], *weights, *gain; ///< weights null: 1; gain null: no y
    float *x1, *y, *inverse, *branchInverse; ///< x1 may be x if there are no branches; (R), (R,K)
    const float *dx1, *dy; ///< either may be null
    float *dx, *dz[3], *dgain, *dweights; ///< dgain (parts,D), dweights (R,K) or null
};
inline constexpr std::int64_t normParts = 16; ///< blocks of rows, so that sums over rows have one order

enum class Activation { SwiGlu, Gelu, GeluTanh, Relu2 };

/// Queries and keys (R, Hq + 2 Hkv, dh) normalised, scaled and rotated in place; values stay.
struct Heads {
    std::int64_t rows, context, queryHeads, kvHeads, headWidth;
    bool normed;
    float eps, queryScale;
    float* qkv;
    const float *headScale, *cosine, *sine; ///< (Hq) or null, (T, dh/2) or null
    float* inverse; ///< (R, Hq + Hkv)
    const float *dq, *dk, *dv; ///< (R,H,dh)
    float *dqkv, *dheadScale; ///< (R, Hq + 2 Hkv, dh), (R, Hq) or null
};

/// The s4d discretisation (models.md 3.3): log_dt (h), the others (h,P); out and its gradients (P,h): lambda, c.
struct Spectrum {
    std::int64_t channels, states;
    const float *logDt, *logARe, *aIm, *cRe, *cIm;
    float* out[4];
    const float* dout[4];
    float *dlogDt, *dlogARe, *daIm, *dcRe, *dcIm;
};

/// Muon's update of one matrix (models.md 14.5): w <- keep w - rate u, u the orthogonalised momentum.
struct Muon {
    std::int64_t rows, columns;
    float *weight, *moment;
    const float* gradient; ///< is multiplied by `scale`
    float scale, momentum, keep, rate;
};
std::int64_t muonScratch(const Muon& p);

/// Softmax of a row of logits, as weights relative to the largest: w = exp((z - highest) scale). A NaN counts as -inf.
struct SoftmaxRow {
    struct Block {
        float sum, product, largest; ///< of w, of w (z - highest)
    };
    std::int64_t count;
    float scale; ///< 1 / temperature
    const float* z;
    float* weights; ///< (count)
    Block* blocks; ///< of softmaxBlock tokens each
};
inline constexpr std::int64_t softmaxBlock = 256;

struct Kernels {
    void (*attentionForward)(const Attention&, std::int64_t from, std::int64_t to, float* scratch);
    void (*attentionBackward)(const Attention&, std::int64_t from, std::int64_t to, float* scratch);
    void (*scanForward)(const Scan&, std::int64_t from, std::int64_t to);
    void (*scanBackward)(const Scan&, std::int64_t from, std::int64_t to);
    void (*residualNormForward)(const ResidualNorm&, std::int64_t from, std::int64_t to); ///< rows
    void (*residualNormBackward)(const ResidualNorm&, std::int64_t from, std::int64_t to); ///< parts
    void (*headsForward)(const Heads&, std::int64_t from, std::int64_t to); ///< rows
    void (*headsBackward)(const Heads&, std::int64_t from, std::int64_t to);
    void (*spectrumForward)(const Spectrum&, std::int64_t from, std::int64_t to); ///< channels
    void (*spectrumBackward)(const Spectrum&, std::int64_t from, std::int64_t to);
    /// y = activation(a, b); b is the factor of SwiGlu.
    void (*activationForward)(Activation, const float* a, const float* b, float* y, std::int64_t count);
    /// From dy: da, db (SwiGlu), and y again.
    void (*activationBackward)(Activation, const float* dy, const float* a, const float* b, float* da, float* db,
        float* y, std::int64_t count);
    void (*gateForward)(const float* a, const float* e, float* y, std::int64_t count); ///< y = gelu(a) e
    /// dy -> da, de; y again.
    void (*gateBackward)(
        const float* dy, const float* a, const float* e, float* da, float* de, float* y, std::int64_t count);
    /// x = norm(gelu(a)) gain over rows of `width`.
    void (*geluNormForward)(
        const float* a, const float* gain, float* x, float* inverse, std::int64_t rows, std::int64_t width, float eps);
    void (*geluNormBackward)(const float* dx, const float* a, const float* gain, const float* inverse, float* da,
        float* dgain, std::int64_t rows, std::int64_t width); ///< dgain (width) is added to
    /// y (rows,out) = x (rows,in) w[from..to)^T for a few rows; yRow = distance of rows of y.
    void (*fewRows)(const float* x, const float* w, float* y, std::int64_t rows, std::int64_t in, std::int64_t yRow,
        std::int64_t from, std::int64_t to);
    /// -ln softmax[target] of a row of logits; with `gradient` they become softmax - onehot. `correct` may be null.
    float (*lossRow)(float* z, std::int64_t target, bool gradient, bool* correct, std::int64_t width);
    float (*softmaxRow)(const SoftmaxRow&); ///< -> highest; if that is not finite nothing is written
    void (*muonUpdate)(const Muon&, float* scratch);
    void (*stepRows)(const StepRows&, const float* x, float* y, std::int64_t from, std::int64_t to, float* scratch);
    void (*stepAttention)(const StepAttention&, std::int64_t position, std::int64_t task, float* scratch);
    void (*stepJoin)(const StepAttention&, std::int64_t pieces, std::int64_t task);
    void (*stepScan)(const StepScan&, std::int64_t task);
    void (*stepNorm)(const StepNorm&, std::int64_t task);
};

/// The fastest ones that this processor can run.
const Kernels& kernels();

} // namespace pha::cpu
