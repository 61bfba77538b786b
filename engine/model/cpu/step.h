// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

/// Reading one token of each text (processor_step.h). Values of all texts lie (features, columns): one column for one
/// text, else the texts and zeros up to a whole vector. Matrices, keys and values are fp32, or bf16 if `narrow`.
namespace pha::cpu {

enum class Activation;

/// y (outer,columns) = finish(W x), x (inner,columns); inner is a multiple of 8. A task is a range of rows.
enum class StepFinish { Plain, Activate, Gate, Logits };
struct StepRows {
    const void *first, *second; ///< (outer,inner); second: the other factor of a SwiGLU
    bool narrow;
    std::int64_t inner, outer, columns, texts;
    StepFinish finish; ///< Logits: y is (texts,outer)
    Activation activation; ///< Activate
    const float* gate; ///< Gate: (outer,columns), y = gelu(gate) W x
};
std::int64_t stepRowsScratch(const StepRows& p, std::int64_t rows); ///< floats that a range of so many rows works in

/// Attention over the cache in pieces of keys. Norm, scale and rotation of queries and the new key happen here; the
/// last piece adds the new key and value to the cache. Tasks are (text, key head, piece), to join pieces (text, head).
struct StepAttention {
    bool narrow, normed;
    std::int64_t columns, kvHeads, group, headWidth, room, span; ///< span: of chunks, 0: none
    float eps, queryScale;
    const float* temperature; ///< (Hq), logarithms; null: none
    const float *cosine, *sine; ///< (room,dh/2); null: no rotation
    void *keys, *values; ///< (B,Hkv,room,dh)
    const float* qkv; ///< ((Hq + 2 Hkv) dh, columns)
    float* out; ///< (Hq dh, columns)
    float* parts; ///< (B,Hkv,pieces,group,dh + 2): sums, the sum of weights and the largest score, if pieces > 1
};
inline constexpr std::int64_t stepPiece = 256; ///< keys
inline std::int64_t stepPieces(std::int64_t keys) { return (keys + stepPiece - 1) / stepPiece; }
/// Keys that the token after `position` others looks at, its own among them.
inline std::int64_t stepKeys(const StepAttention& p, std::int64_t position)
{
    return (p.span > 0 ? position % p.span : position) + 1;
}
std::int64_t stepAttentionScratch(const StepAttention& p);

/// u = norm(in) gain, x <- lambda x + u, y = Re(c x) + skip u: a state space a channel. Tasks are (text, some
/// channels).
struct StepScan {
    std::int64_t columns, channels, states;
    bool sharedLambda; ///< (P) in place of (h,P)
    const float *lambdaRe, *lambdaIm, *cRe, *cIm, *gain, *skip;
    float *stateRe, *stateIm; ///< (B,h,P)
    const float* in; ///< (h,columns)
    float* out; ///< (h,columns)
    float eps;
};
inline constexpr std::int64_t stepChannels = 32; ///< of a task
inline std::int64_t stepScanTasks(const StepScan& p) { return (p.channels + stepChannels - 1) / stepChannels; }

/// x <- alpha x + beta sum_k weight_k n_k(z_k), y = norm(x) gain, all (width,columns). Tasks are eight columns.
struct StepNorm {
    std::int64_t width, columns;
    int branches;
    bool normed; ///< n_k is the norm
    float weights[3], alpha, beta, eps;
    const float *z[3], *gain;
    float *x, *y;
};
inline std::int64_t stepNormTasks(const StepNorm& p) { return (p.columns + 7) / 8; }

} // namespace pha::cpu
