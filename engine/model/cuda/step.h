// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/kernels.h"

#include <variant>
#include <vector>

/// Reading one token a text as one kernel. A step is a table of tasks that every multiprocessor works off in its own
/// order: weights and cached keys stream into shared memory far ahead of their use, so that the memory never waits for
/// the chain of small results that a step is. Results travel as words of 8 bytes that carry the number of the step
/// beside the value: a reader polls the value itself, and no barrier of the grid is needed.
namespace pha::kernels {

/// What a step does, layer by layer. Matrices (out,in) and caches are of one type, everything else fp32; pointers stay
/// the caller's.
struct StepAttention {
    const void *query = nullptr, *key = nullptr, *value = nullptr, *output = nullptr;
    int queryHeads = 0, kvHeads = 0, headWidth = 0;
    bool normed = false, rotated = false;
    float eps = 0, queryScale = 1;
    const float* temperature = nullptr; ///< (Hq), logarithms; null: none
    void *keys = nullptr, *values = nullptr; ///< bf16 (B,Hkv,room,dh)
    std::int64_t room = 0, span = 0; ///< span: of chunks, after each of which the cache begins anew; 0: none
};
struct StepGss {
    const void *value = nullptr, *input = nullptr, *expand = nullptr, *output = nullptr;
    const float *normGain = nullptr, *skip = nullptr; ///< (h)
    const float *lambdaRe = nullptr, *lambdaIm = nullptr; ///< (h,P), or (1,P) if `sharedLambda`
    const float *cRe = nullptr, *cIm = nullptr; ///< (h,P)
    bool sharedLambda = false;
    float *stateRe = nullptr, *stateIm = nullptr; ///< (B,h,P)
    int expandWidth = 0, channels = 0, states = 0; ///< E, h, P
};
struct StepFeedForward {
    Activation kind = Activation::SwiGlu;
    const void *gate = nullptr, *up = nullptr, *down = nullptr;
    int hidden = 0;
};
using StepPart = std::variant<StepAttention, StepGss, StepFeedForward>;

/// How the parts of a stage are weighted, Weights: as they were formed before. All but Plain also norm each part.
enum class StepMix { Plain, Fixed, Softplus, Softmax, Sigmoid, Weights };
struct StepStage {
    const float* gain = nullptr; ///< (D) of the norm before
    std::vector<StepPart> parts; ///< at most mostBranches
    StepMix mix = StepMix::Plain;
    const float* logits = nullptr; ///< (K); mix Weights: the weights themselves
    const float* given = nullptr; ///< (K) weights that stand instead; NaN: none
    float alpha = 1, beta = 1; ///< x <- alpha x + beta sum
};
struct StepModel {
    int batch = 0, width = 0, vocabulary = 0;
    std::int64_t room = 0, length = 0; ///< tokens that there is room for; tokens read, for an even share of work
    bool narrow = true; ///< matrices, keys and values are bf16, as the card's kernel wants them; else fp32
    const void* embedding = nullptr; ///< (V,D)
    bool embeddingWide = false; ///< it is fp32
    float embeddingScale = 1, eps = 0;
    const void* head = nullptr; ///< bf16 (V,D)
    const float* outGain = nullptr; ///< (D)
    const float *cosine = nullptr, *sine = nullptr; ///< (room, dh/2)
    std::vector<StepStage> stages;
};
inline constexpr int mostStepBatch = 32, mostEights = 6, ///< of rows, in a product of one text
    stepSlotInner = 512, stepSlotDepth = 1024,
                     stepSlotBytes =
                         16 * (2 * stepSlotInner + 32), ///< 16 rows of bf16 and a gap; one text: 8 rows of the depth
    stepHeld = 768, ///< inputs of a product of several texts: more are parts of their own
    stepMostInner = 4096, fewestSlots = 9; ///< that the kernel has
bool stepFits(const StepModel& model); ///< the kernel has these shapes

/// What the tasks of one step share. Lives on the card; begins as zeros but for `position`.
struct StepControl {
    std::int64_t position = 0; ///< tokens read before; the kernel moves it on
    unsigned step = 0, done = 0;
    unsigned long long best[mostStepBatch] = {}; ///< largest logit so far and where
};
/// One piece of work of one multiprocessor. Places are offsets in words of the exchange, each of which is written once
/// a step.
struct StepProduct {
    const void *first = nullptr, *second = nullptr; ///< rows; of both: they alternate
    int inner = 0, begin = 0, count = 0; ///< inputs of a row; those of this task
    int rows = 0;
    int source = 0; ///< words of packed input; < 0: -1 - place in shared memory
    int out = 0, outStride = 0; ///< stride: from text to text
    int row = 0; ///< Logits: the first row's index
    int gate = 0, gateStride = 0; ///< Gate: words of gelu(v)
};
/// Attention of one text and some query heads of a key head, over `split` of its keys.
struct StepAttend {
    void *keys = nullptr, *values = nullptr; ///< of this text and head
    const float* temperature = nullptr; ///< of the first query head
    int query = 0, key = 0, value = 0; ///< words, as projected
    int group = 0, headWidth = 0, slotKeys = 0, split = 0, splits = 0, out = 0,
        outStride = 0; ///< of the head; stride: from head to head
    int span = 0; ///< as in StepAttention
    float eps = 0, queryScale = 1;
    bool normed = false, rotated = false, keeps = false; ///< keeps: writes the new key and value
};
/// Words of a head whose keys are split: values of all parts, then each one's highest score and sum.
constexpr int stepPartWords(int headWidth, int splits) { return splits * headWidth / 2 + (splits + 1) / 2 * 2; }
struct StepScan {
    const float* from[4] = {}; ///< lambda re, im, c re, im of the first channel
    float* state[2] = {}; ///< re, im
    const float *gain = nullptr, *skip = nullptr; ///< of all channels
    int in = 0, out = 0, first = 0, count = 0; ///< channels of this task
    int channels = 0, states = 0;
    bool sharedLambda = false;
};
struct StepNorm {
    const float *gain = nullptr, *logits = nullptr, *given = nullptr;
    int branches = 0, z[mostBranches] = {}; ///< words, of text 0
    int parts[mostBranches] = {}; ///< that a branch is the sum of, one after the other
    StepMix mix = StepMix::Plain;
    int row = 0, out = 0; ///< out: words of packed output of this row
    float alpha = 1, beta = 1;
    bool begins = false; ///< the stream begins as the embedding
};
struct StepJoin {
    int in = 0, stride = 0, splits = 0, headWidth = 0, width = 0, out = 0; ///< of one text; stride: from head to head
};
enum class StepKind { Product, Attend, Scan, Norm, Join };
enum class StepFinish { Wide, WideGelu, Gelu, GeluTanh, Relu2, SwiGlu, Gate, Logits };
struct alignas(128) StepTask {
    StepKind kind = StepKind::Product;
    StepFinish finish = StepFinish::Wide;
    union {
        StepProduct product;
        StepAttend attend;
        StepScan scan;
        StepNorm norm;
        StepJoin join;
    };
    StepTask()
        : norm()
    {
    }
};
static_assert(sizeof(StepTask) == 128, "a task is fetched as 8 times 16 bytes");

/// The table, for a card of so many multiprocessors.
struct StepPlan {
    StepPlan(const StepModel& model, int multiprocessors);
    std::vector<StepTask> tasks; ///< of multiprocessor 0, 1, ...
    std::vector<int> begin; ///< (multiprocessors + 1)
    std::int64_t words = 0; ///< of the exchange, zeros at first
    int group = 1, headWidth = 0; ///< most query heads a key head, widest head
};
struct StepLaunch {
    const StepModel* model = nullptr;
    const StepPlan* plan = nullptr;
    // Memory of the card:
    const StepTask* tasks = nullptr;
    const int* begin = nullptr;
    void* words = nullptr;
    StepControl* control = nullptr;
    std::int64_t* ids = nullptr; ///< (B): the tokens to read, afterwards the most probable ones
    float* logits = nullptr; ///< (B,V)
};
int stepProcessors(); ///< multiprocessors of the current card, 0 if it cannot run the kernel
void step(const StepLaunch& p, Stream stream);

} // namespace pha::kernels
