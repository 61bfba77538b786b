// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/context.h"
#include "engine/model/ops.h"

#include <string>
#include <vector>

/// Parts of the network as single functions with their own backward pass. On a card over the CUDA kernels
/// (engine/model/cuda): bf16 matrices, fp32 residual stream, gradients of weights formed in fp32. On a processor over
/// the loops of engine/model/cpu, all fp32. Each has a plain form in the branch that calls it, which `pha selftest` and
/// the tests hold it to. Other precisions, and a card in a build without these kernels, take the plain form.
namespace pha {

/// True if a pass over `x` takes the fused functions: bf16 on a card with kernels in this build, or fp32 on a
/// processor, and a model with its cache.
bool fusedPass(const Tensor& x, const Pass& pass);
bool fusedStream(const Tensor& x, const Pass& pass); ///< fusedNorm() too: on a processor not with dropout
bool hasFusedKernels(); ///< this build has those for a card
void useFusedKernels(bool on); ///< tests: false makes every pass take the plain form
bool fusedWanted();

/// y = x W^T (+ bias) with the cached copy of W.
Tensor fusedProject(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass);

/// The same as the pass does its products: fusedProject() where it is fused.
Tensor project(const Tensor& x, const Tensor& w, const Tensor& bias, const Pass& pass);

/// logits (...,V) fp32 of hidden (...,D) without gradients.
Tensor fusedLogits(const Tensor& hidden, const Tensor& embedding, const Pass& pass);

/// What the residual stream has still to be given: x <- alpha x + beta dropout(sum_k w_k n_k(z_k)). Held back so that
/// it is added in the same pass over memory that takes the next norm.
struct Update {
    std::vector<Tensor> z; ///< (B,T,D) each, in the precision of the matrices; empty: nothing to add
    Tensor weights; ///< (K) or (B,T,K) fp32; undefined: 1
    bool normed = false; ///< n_k is the branch norm
    double alpha = 1, beta = 1;
};
bool fusedUpdateFits(const torch::Device& device, std::int64_t width, std::size_t branches);
/// Adds `update` to the stream x (B,T,D) fp32 and returns the norm of the result, the same tensor for each of its
/// `readers`; the update is empty afterwards. Without a gain the norm is left out and nothing returned. The stream is
/// not kept for the backward pass.
std::vector<Tensor> fusedNorm(Tensor& x, Update& update, const Tensor& gain, const Pass& pass, std::size_t readers = 1);
/// Weights (K) of a mix in mode softplus | softmax | sigmoid from its logits (K) on a card.
bool mixWeightsFit(const torch::Device& device, const std::string& mode);
Tensor fusedMixWeights(const std::string& mode, const Tensor& logits);

/// Queries, keys and values (B,T,H,dh) from one product; q and k normalised, scaled and rotated.
struct QueryKeyValue {
    Tensor q, k, v; ///< parts of one memory (B, T, Hq + 2 Hkv, dh), in this order
};
struct HeadOptions {
    std::int64_t queryHeads, kvHeads, headWidth;
    bool normed; ///< over the head's width, with `eps`
    double eps, queryScale;
};
bool queryKeysFit(const torch::Device& device, std::int64_t headWidth);
/// `headScale` (Hq) multiplies queries on top of queryScale, may be undefined; `rope` undefined tensors: no rotation.
QueryKeyValue fusedQueryKeyValue(const Tensor& u, const Tensor& query, const Tensor& key, const Tensor& value,
    const Tensor& headScale, const Rope& rope, const HeadOptions& options, const Pass& pass);

/// One new token a text, whose position is read on the card, so that the launches can be captured and replayed.
struct CardStep {
    Tensor position; ///< (1) int64: tokens read before this one, the same for all texts
    Rope rope; ///< (1, dh/2) at that position
};
/// Attention of the projection `qkv` (B, Hq + 2 Hkv, dh) over caches (B,Tmax,Hkv,dh) of `place` (1) tokens, to which it
/// appends. -> (B,1,Hq,dh).
Tensor fusedDecodeAttention(
    const Tensor& qkv, std::int64_t queryHeads, Tensor& keys, Tensor& values, const Tensor& place);

/// down(activation(u)), kind swiglu | gelu | gelu_tanh | relu2; `gate` is undefined unless swiglu.
Tensor fusedFeedForward(const std::string& kind, const Tensor& u, const Tensor& gate, const Tensor& up,
    const Tensor& down, const Pass& pass);

/// The whole GSS branch with an s4d state space of at most 64 states a channel, as a recurrence (models.md 3.5, 4).
struct GssWeights {
    Tensor value, input, expand, output, normGain, skip;
};
bool fusedGssFits(const torch::Device& device, const ModelConfig& config);
/// The s4d discretisation (models.md 3.3): log_dt (h), the others (h,P). lambda comes in fp32.
DiagonalSsm fusedSpectrum(
    const Tensor& logDt, const Tensor& logARe, const Tensor& aIm, const Tensor& cRe, const Tensor& cIm);
Tensor fusedGss(const Tensor& u, const GssWeights& w, const DiagonalSsm& ssm, SsmState* state, const Pass& pass);
/// The same with dss, whose many states all channels share (models.md 3.2): a convolution of whole texts with its
/// kernel. On a card only.
struct SharedStates {
    Tensor a, b, cRe, cIm; ///< (P), (h,P)
    bool held = false; ///< scaled by the zero-order hold
};
bool fusedLongGssFits(const torch::Device& device, const ModelConfig& config);
Tensor fusedLongGss(const Tensor& u, const GssWeights& w, const SharedStates& states, const Pass& pass);

void readAll(const Tensor& memory); ///< reads all of it and does nothing with it: measureRead()

bool fusedLossFits(const Tensor& h, std::int64_t vocabulary, torch::Dtype matrix, const DeviceCache* cache);
/// The rows' -ln p and, if `gradient`, softmax - onehot in place of the logits (R, padded V) bf16.
Tensor fusedRowLosses(
    Tensor& logits, const Tensor& targets, std::int64_t vocabulary, bool gradient, const Tensor& correct);

} // namespace pha
