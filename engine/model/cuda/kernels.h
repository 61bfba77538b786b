// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

/// Fused CUDA kernels on plain pointers, so that neither LibTorch nor CUDA headers meet here. All tensors are dense and
/// row-major unless strides are given; "bf16" pointers are void, fp32 ones float. Each kernel runs on `stream`, a
/// cudaStream_t, and throws std::runtime_error if it could not be launched. fused_ops.cpp gives them gradients.
namespace pha::kernels {

using Stream = void*;

/// Up to three branch outputs are added to the residual stream in one pass.
inline constexpr int mostBranches = 3;

/// x1 = alpha x + beta drop(sum_k w_k n_k(z_k)), y = x1 / rms(x1) gain (models.md 2.1, 5.1, 5.2). n_k is the branch
/// norm if `normed`, else z_k itself. branches = 0: x1 is x. Rows R of width D, D a multiple of 4 and at most 1024.
struct ResidualNorm {
    std::int64_t rows = 0;
    int width = 0, branches = 0;
    bool normed = false;
    float alpha = 1, beta = 1, keep = 1; ///< keep: probability that an element is not dropped
    std::uint64_t seed = 0, offset = 0; ///< of the dropout mask, which is drawn again in the backward pass
    const std::int64_t *seedAt = nullptr, *offsetAt = nullptr; ///< captured launches read the seed and add the offset
    float eps = 0, branchEps = 0;
    const float* x = nullptr; ///< (R,D)
    const void* z[mostBranches] = {}; ///< bf16 (R,D) each
    const float* weights = nullptr; ///< (K), or (R,K) if `tokenWeights`; null: all 1
    bool tokenWeights = false;
    const float* gain = nullptr; ///< (D); null: y is not wanted
    float* x1 = nullptr; ///< (R,D)
    void* y = nullptr; ///< bf16 (R,D); backward: as forward left it, or null if nothing came back from it
    float *inverse = nullptr, *branchInverse = nullptr; ///< 1/rms of x1 (R) and of the z_k (R,K)
    // Backward only
    const float* dx1 = nullptr; ///< (R,D), may be null
    const void* dy[mostBranches] = {}; ///< bf16 (R,D) each, null or to be summed: one of each reader of y
    float* dx = nullptr; ///< (R,D)
    void* dz[mostBranches] = {}; ///< bf16 (R,D) each
    float* dgain = nullptr; ///< (residualNormBlocks(), D): partial sums
    float* dweights = nullptr; ///< (R,K) if `tokenWeights`, else (residualNormBlocks(), K): partial sums
};
int residualNormBlocks(); ///< rows of partial sums
bool residualNormFits(std::int64_t width);
void residualNormForward(const ResidualNorm& p, Stream stream);
void residualNormBackward(const ResidualNorm& p, Stream stream);

/// Normalises, scales and rotates queries and keys in place inside the fused projection (R, Hq + 2 Hkv, dh), R = B T
/// (models.md 2.3, 2.4). Values are left alone.
struct QueryKey {
    std::int64_t rows = 0, context = 1; ///< context: T, to find a row's position
    int queryHeads = 0, kvHeads = 0, headWidth = 0;
    bool normed = false;
    float eps = 0, queryScale = 1;
    const float *cosine = nullptr, *sine = nullptr; ///< (T, dh/2); null: no rotation
    const float* headScale = nullptr; ///< (Hq), on top of queryScale; may be null
    void* qkv = nullptr; ///< bf16, in place; forward: raw in, final out. backward: as forward left it
    float* inverse = nullptr; ///< (R, Hq + Hkv) if `normed`
    // Backward only: gradients (R,H,dh) of q, k, v -> dqkv of the projection, and of headScale per row (R,Hq)
    const void *dq = nullptr, *dk = nullptr, *dv = nullptr;
    void* dqkv = nullptr;
    float* dheadScale = nullptr;
};
bool queryKeyFits(std::int64_t headWidth);
void queryKeyForward(const QueryKey& p, Stream stream);
void queryKeyBackward(const QueryKey& p, Stream stream);

/// Attention of one new token a text over its cache, whose length is read on the card: a captured graph of launches
/// serves every position. Appends the new key and value. Heads of at most 128 channels, at most 8 queries a key head.
struct DecodeAttention {
    std::int64_t batch = 0, room = 0; ///< room: Tmax of the caches
    int queryHeads = 0, kvHeads = 0, headWidth = 0;
    const std::int64_t* position = nullptr; ///< tokens in the cache before this one, < room
    const void* qkv = nullptr; ///< bf16 (B, Hq + 2 Hkv, dh)
    void *keys = nullptr, *values = nullptr; ///< bf16 (B,Tmax,Hkv,dh)
    void* out = nullptr; ///< bf16 (B,Hq,dh)
    float* partial = nullptr; ///< (B, Hq, decodeSplits, dh + 2)
};
inline constexpr int decodeSplits = 16, mostGroup = 8;
void decodeAttention(const DecodeAttention& p, Stream stream);

/// y (R,N) = x (R,K) w (N,K)^T for at most mostFewRows rows, bf16: bound by reading w once. K a multiple of 8.
inline constexpr std::int64_t mostFewRows = 4;
void fewRows(
    const void* x, const void* w, void* y, std::int64_t rows, std::int64_t inner, std::int64_t outer, Stream stream);

/// Hidden layers of feed-forward networks: bf16. SwiGLU reads (R,2F), gate then up; GELU (erf form) and the others
/// (R,F).
enum class Activation { SwiGlu, Gelu, GeluTanh, Relu2 };
void activationForward(
    Activation kind, const void* in, void* out, std::int64_t rows, std::int64_t hidden, Stream stream);
/// Also writes the activation itself again, which the weight's gradient needs and nobody had to keep.
void activationBackward(Activation kind, const void* dout, const void* in, void* din, void* out, std::int64_t rows,
    std::int64_t hidden, Stream stream);

/// GSS gate: out = expanded gelu(v), v the first `expand` of the columns (R, E + h) of the input projection. bf16.
void gateForward(const void* expanded, const void* projected, void* out, std::int64_t rows, std::int64_t expand,
    std::int64_t channels, Stream stream);
/// expanded becomes its own gradient in place; dprojected (R, E + h) gets its first E columns; out is written again.
void gateBackward(const void* dout, void* expanded, const void* projected, void* dprojected, void* out,
    std::int64_t rows, std::int64_t expand, std::int64_t channels, Stream stream);
/// inverse (R) = 1 / rms of gelu(v), v the last h columns of (R, E + h), h at most mostGssChannels: the state space's
/// input is gain gelu(v) inverse.
inline constexpr std::int64_t mostGssChannels = 512;
void gssInputForward(const void* projected, float* inverse, std::int64_t rows, std::int64_t expand,
    std::int64_t channels, float eps, Stream stream);
/// Its gradient dx (R,h) fp32 -> the last h columns of dprojected, and partial sums (residualNormBlocks(), h) of the
/// gain's.
void gssInputBackward(const float* dx, const void* projected, const float* gain, const float* inverse, void* dprojected,
    float* dgain, std::int64_t rows, std::int64_t expand, std::int64_t channels, Stream stream);

/// s4d parameters to lambda and c (h,P) of models.md 3.3 in one launch, fp64 inside; backward adds nothing, it writes.
struct Spectrum {
    int channels = 0, states = 0;
    const float *logDt = nullptr, *logARe = nullptr, *aIm = nullptr, *cRe = nullptr, *cIm = nullptr; ///< (h), (h,P)
    float* out[4] = {}; ///< lambda re, im, c re, im (h,P)
    const float* dout[4] = {}; ///< their gradients
    float *dlogDt = nullptr, *dlogARe = nullptr, *daIm = nullptr, *dcRe = nullptr, *dcIm = nullptr;
};
void spectrumForward(const Spectrum& p, Stream stream);
void spectrumBackward(const Spectrum& p, Stream stream);

/// Texts laid out for Fourier transforms: (B,h,size) fp32, zeros behind the first `length` numbers.
struct Signal {
    std::int64_t batch = 0, length = 0, size = 0, channels = 0;
};
/// The state space's input: gain gelu(v) inverse, v the last h columns of (R, E + h) bf16.
void signalOfInput(const Signal& s, const void* projected, std::int64_t expand, const float* inverse, const float* gain,
    float* signal, Stream stream);
void signalOfRows(const Signal& s, const void* rows, float* signal, Stream stream); ///< rows (R,h) bf16
/// rows (R,h) = a + skip b, fp32 if `wide`, else bf16.
void rowsOfSignal(
    const Signal& s, const float* a, const float* skip, const float* b, void* rows, bool wide, Stream stream);
/// Transforms: of the output's gradient g and of the input x (B,each), of the kernel (each); complex fp32. g becomes
/// the input's gradient, dkernel the kernel's.
void convolutionBackward(
    std::int64_t batch, std::int64_t each, void* g, const void* x, const void* kernel, void* dkernel, Stream stream);

/// scale_n lambda_n^l of dss (models.md 3.2): lambda = exp(-exp(a) + i exp(b)), scale the zero-order hold or 1. fp64
/// inside.
struct SharedPowers {
    int states = 0;
    std::int64_t length = 0;
    bool held = false;
    const float *a = nullptr, *b = nullptr; ///< (P)
    float *re = nullptr, *im = nullptr; ///< (P,length)
    const float *dre = nullptr, *dim = nullptr;
    float *da = nullptr, *db = nullptr;
};
void sharedPowers(const SharedPowers& p, Stream stream);
void sharedPowersBackward(const SharedPowers& p, Stream stream);

/// Diagonal state space as a recurrence (models.md 3.1, 3.5): one warp a channel, one lane a complex state. Long
/// sequences are cut into scanSegments() segments, whose states are formed from zero first and then joined. The input
/// is formed where it is read: u_t = gain gelu(v_t) inverse_t, v the last h columns of the projection.
struct Scan {
    std::int64_t batch = 0, length = 0;
    int channels = 0, states = 0; ///< states: complex ones a channel, at most 64
    const void* projected = nullptr; ///< bf16, v of row r = b T + t at r projectedStride
    std::int64_t projectedStride = 0;
    const float *gain = nullptr, *inverse = nullptr; ///< (h), (B T)
    const float *lambdaRe = nullptr, *lambdaIm = nullptr, *cRe = nullptr, *cIm = nullptr; ///< (h,P)
    const float* skip = nullptr; ///< (h)
    const float *startRe = nullptr, *startIm = nullptr; ///< (B,h,P); null: zero
    float *endRe = nullptr, *endIm = nullptr; ///< (B,h,P); null: not wanted. May be the start itself
    float* savedRe = nullptr; ///< (B, ceil(T / scanSpan), h, P): states at the start of each span; null: not wanted
    float* savedIm = nullptr;
    float *joinRe = nullptr, *joinIm = nullptr; ///< (B, segments, h, P): room to join them; null for one segment
    void* y = nullptr; ///< bf16 (B,T,h)
    // Backward only
    const void* dy = nullptr; ///< bf16 (B,T,h)
    float* du = nullptr; ///< (B,T,h)
    float *dlambdaRe = nullptr, *dlambdaIm = nullptr, *dcRe = nullptr, *dcIm = nullptr; ///< (B, segments, h, P): parts
    float* dskip = nullptr; ///< (B, segments, h)
};
inline constexpr std::int64_t scanSpan = 128;
bool scanFits(std::int64_t channels, std::int64_t states);
std::int64_t scanSegments(std::int64_t batch, std::int64_t length, std::int64_t channels);
void scanForward(const Scan& p, Stream stream);
void scanBackward(const Scan& p, Stream stream);

/// Sums over the rows of `matrices` matrices (rows, columns) one after the other.
void columnSums(
    const float* x, float* out, std::int64_t matrices, std::int64_t rows, std::int64_t columns, Stream stream);

/// Weights of at most 32 branches from their logits (models.md 5.3) or, given their gradient `dw`, the logits'
/// gradient.
enum class MixWeights { Softplus, Softmax, Sigmoid };
void mixWeights(MixWeights kind, const float* logits, const float* dw, float* out, int count, Stream stream);

std::int64_t mostColumns(); ///< of softmaxLoss on this card: a row has to fit a block's shared memory
/// Cross entropy of rows of bf16 logits (R, stride), V of them real: nll (R) fp32, 0 for targets of -100. With
/// `gradient` the logits become scale (softmax - onehot) in place, 0 in padded columns and unscored rows. `correct` may
/// be null.
void softmaxLoss(void* logits, const std::int64_t* targets, float* nll, bool* correct, std::int64_t rows,
    std::int64_t vocabulary, std::int64_t stride, bool gradient, Stream stream);

/// Draws a token from a row of logits (V) as Sampler does (engine/eval/sampler.h), with weights in fp32 and sums in
/// double: `x` in [0, 1) takes the token at which the running sum of probabilities passes it. Tokens whose weights are
/// the same but for rounding are equal: of these the first rank higher.
struct DrawnToken {
    std::int64_t id = -1; ///< -1: no token has a finite logit, or one has an infinite one
    double probability = 0; ///< after all cuts
};
struct Draw {
    int vocabulary = 0;
    const float* logits = nullptr;
    float* copy = nullptr; ///< (V): the logits again, which the next step writes over
    float scale = 1; ///< 1 / temperature; 0: the first of the largest is taken
    std::int64_t most = 0; ///< tokens that are kept; 0: all
    double share = 1; ///< of all probability that is kept
    double x = 0;
    std::int64_t* id = nullptr; ///< for the next step: never -1
    DrawnToken* drawn = nullptr;
    void* room = nullptr; ///< drawRoom bytes to work in, zeros at first
};
inline constexpr std::int64_t mostDrawn = 1 << 20, drawRoom = 16400; ///< mostDrawn: V
bool drawFits(std::int64_t vocabulary); ///< the current card has the kernel
void draw(const Draw& p, Stream stream);

/// Reads `bytes` of memory and does nothing with them: for the rate that a card's memory gives. `word`: 4 bytes.
void readMemory(const void* from, std::int64_t bytes, void* word, Stream stream);

} // namespace pha::kernels
