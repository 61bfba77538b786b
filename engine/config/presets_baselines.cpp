// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/preset_shapes.h"

/// The families that PHA is compared with, in the shapes of models.md section 10. Those of attention, sequential and
/// gss at other sizes are ours: proportions of the published row, the depth nearest to PHA's count.
namespace pha {

namespace {

struct Stack {
    std::int64_t vocabulary, width, layers, heads;
};

/// What every baseline has: one part after the other and the embedding as it is (models.md 19.2).
ModelConfig plainShape(const char* family, const Stack& stack)
{
    ModelConfig m;
    m.family = family;
    m.vocabulary = stack.vocabulary;
    m.width = stack.width;
    m.layers = stack.layers;
    m.queryHeads = stack.heads;
    m.kvHeads = stack.heads;
    m.qkMode = "dot";
    m.ffnKind = "gelu";
    m.mainWidth = 4 * stack.width;
    m.auxWidth = stack.width / 2;
    m.embeddingScale = "one";
    return m;
}

/// Scores, shared heads and networks of PHA.
ModelConfig twinShape(const char* family, const Stack& stack, std::int64_t kvHeads, std::int64_t mainWidth)
{
    auto m = plainShape(family, stack);
    m.kvHeads = kvHeads;
    m.qkMode = "cosine";
    m.ffnKind = "swiglu";
    m.mainWidth = mainWidth;
    return m;
}

ModelConfig withGss(ModelConfig m, std::int64_t channels, std::int64_t state, const char* kernel)
{
    m.gssExpand = 4 * m.width;
    m.gssWidth = channels;
    m.gssState = state;
    m.gssKernel = kernel;
    return m;
}

/// The largest GSS of the papers: 256 channels with 512 shared complex states.
ModelConfig withLargeGss(const ModelConfig& m) { return withGss(m, 256, 512, "dss"); }

/// The GSS paper's hybrid: one layer in four, attention inside chunks of 512, positions told by the GSS layers.
ModelConfig oneInFour(ModelConfig m)
{
    m.attentionLayers = "1,5,9,13";
    m.attentionSpan = 512;
    m.positions = "none";
    return m;
}

ModelConfig classic(ModelConfig m)
{
    m.normKind = "layernorm";
    m.biases = true;
    m.positions = "learned";
    m.ffnKind = "gelu_tanh";
    return m;
}

using Presets = std::vector<Preset>;

Presets attentionPresets()
{
    const char* what = "Attention and SwiGLU alone, with PHA's scores and shared heads: what PHA must be measured with";
    const auto make = [&](const char* name, const Stack& stack, std::int64_t kvHeads, const TrainingConfig& recipe) {
        return preset(name, twinShape("attention", stack, kvHeads, stack.width * 5 / 2), recipe,
            std::string(what) + (stack.width == 768 ? " (the paper's ablation)." : "."));
    };
    return {
        make("attention-tiny", { 4096, 128, 8, 4 }, 1, tinyRecipe()),
        make("attention-small", { 16384, 384, 12, 6 }, 2, smallRecipe()),
        make("attention-125m", { gpt2Vocabulary, 640, 23, 10 }, 2, paperRecipe(rate125m)),
        make("attention-180m", { gpt2Vocabulary, 768, 24, 12 }, 4, paperRecipe(rate180m)),
    };
}

Presets transformerPresets()
{
    const char* what = "The Transformer of GPT-2's class with RMSNorm, rotary positions and GELU";
    const auto make = [&](const char* name, const Stack& stack, const TrainingConfig& recipe, const char* more = ".") {
        return preset(name, plainShape("transformer", stack), recipe, std::string(what) + more);
    };
    return {
        make("transformer-tiny", { 4096, 128, 4, 4 }, tinyRecipe()),
        make("transformer-small", { 16384, 384, 8, 6 }, smallRecipe()),
        make("transformer-125m", { gpt2Vocabulary, 768, 12, 12 }, paperRecipe(rate125m)),
        make("transformer-180m", { gpt2Vocabulary, 896, 14, 14 }, paperRecipe(rate180m)),
        make("transformer-125m-32k", { 32000, 768, 14, 12 }, paperRecipe(rate125m), ", for 32,000 pieces."),
        make("transformer-180m-32k", { 32000, 896, 16, 14 }, paperRecipe(rate180m), ", for 32,000 pieces."),
        preset("transformer-125m-classic", classic(plainShape("transformer", { gpt2Vocabulary, 768, 12, 12 })),
            paperRecipe(rate125m), "GPT-2 small as published: LayerNorm, biases and 1024 learned positions."),
    };
}

Presets gssPresets()
{
    const char* what = "Gated state space layers alone: no attention, a state of fixed size.";
    return {
        preset("gss-tiny", withGss(plainShape("gss", { 4096, 128, 6, 4 }), 32, 32, "s4d"), tinyRecipe(), what),
        preset("gss-small", withGss(plainShape("gss", { 16384, 384, 10, 6 }), 96, 64, "s4d"), smallRecipe(), what),
        preset(
            "gss-125m", withLargeGss(plainShape("gss", { gpt2Vocabulary, 768, 15, 12 })), paperRecipe(rate125m), what),
        preset(
            "gss-180m", withLargeGss(plainShape("gss", { gpt2Vocabulary, 896, 17, 14 })), paperRecipe(rate180m), what),
    };
}

Presets gssHybridPresets()
{
    const std::string two = "GSS layers with two layers of full attention, as in the H3 paper's baseline";
    const std::string four = "GSS layers with attention in one of four, inside chunks of 512, as in the GSS paper.";
    const auto shape = [](const Stack& stack) { return plainShape("gss-hybrid", stack); };
    const auto make = [&](const char* name, const Stack& stack, double rate, const std::string& summary) {
        return preset(name, withLargeGss(shape(stack)), paperRecipe(rate), summary);
    };
    auto tiny = withGss(shape({ 4096, 128, 6, 4 }), 32, 32, "s4d");
    tiny.attentionLayers = "1";
    return {
        preset("gss-hybrid-tiny", tiny, tinyRecipe(), "GSS layers with one layer of full attention."),
        preset("gss-hybrid-small", withGss(shape({ 16384, 384, 10, 6 }), 96, 64, "s4d"), smallRecipe(), two + "."),
        make("gss-hybrid-125m", { gpt2Vocabulary, 768, 14, 12 }, rate125m, two + "."),
        make("gss-hybrid-180m", { gpt2Vocabulary, 896, 17, 14 }, rate180m, two + "."),
        make("gss-hybrid-125m-32k", { 32000, 768, 16, 12 }, rate125m, two + ", for 32,000 pieces."),
        make("gss-hybrid-180m-32k", { 32000, 896, 19, 14 }, rate180m, two + ", for 32,000 pieces."),
        preset("gss-hybrid-125m-4", oneInFour(withLargeGss(shape({ gpt2Vocabulary, 768, 14, 12 }))),
            paperRecipe(rate125m), four),
        preset("gss-hybrid-180m-4", oneInFour(withLargeGss(shape({ gpt2Vocabulary, 896, 16, 14 }))),
            paperRecipe(rate180m), four),
    };
}

Presets sequentialPresets()
{
    const char* what =
        "PHA's parts one after the other in every layer: what mixing them side by side is measured with.";
    const auto shape = [](const Stack& stack, std::int64_t kvHeads) {
        return twinShape("sequential", stack, kvHeads, (8 * stack.width + 1) / 3); // 8/3 D to the nearest
    };
    return {
        preset("sequential-tiny", withGss(shape({ 4096, 128, 4, 4 }, 1), 32, 32, "s4d"), tinyRecipe(), what),
        preset("sequential-small", withGss(shape({ 16384, 384, 6, 6 }, 2), 96, 64, "s4d"), smallRecipe(), what),
        preset("sequential-125m", withLargeGss(shape({ gpt2Vocabulary, 608, 12, 8 }, 2)), paperRecipe(rate125m), what),
        preset("sequential-180m", withLargeGss(shape({ gpt2Vocabulary, 768, 12, 12 }, 4)), paperRecipe(rate180m), what),
    };
}

Presets h3Presets()
{
    const std::string what = "H3: shift and diagonal state spaces with gates, and ";
    const std::string two = what + "two layers of attention";
    const auto shape = [](const Stack& stack, std::int64_t state) {
        auto m = classic(plainShape("h3", stack));
        m.positions = "none";
        m.h3State = state;
        return m;
    };
    auto tiny = shape({ 4096, 128, 4, 4 }, 32);
    tiny.attentionLayers = "1";
    auto published = shape({ gpt2Vocabulary, 768, 12, 12 }, 64);
    published.attentionLayers = "1,8";
    return {
        preset("h3-tiny", tiny, tinyRecipe(), what + "one layer of attention."),
        preset("h3-small", shape({ 16384, 384, 8, 6 }, 64), smallRecipe(), two + "."),
        preset("h3-125m", published, paperRecipe(rate125m), two + " where the released configuration has them."),
        preset("h3-180m", shape({ gpt2Vocabulary, 896, 14, 14 }, 64), paperRecipe(rate180m), two + "."),
        preset("h3-125m-32k", shape({ 32000, 768, 14, 12 }, 64), paperRecipe(rate125m), two + ", for 32,000 pieces."),
        preset("h3-180m-32k", shape({ 32000, 896, 16, 14 }, 64), paperRecipe(rate180m), two + ", for 32,000 pieces."),
    };
}

Presets hedgehogPresets()
{
    const std::string what = "The Transformer with linear attention and learned features in place of the softmax";
    const auto make = [&](const char* name, const Stack& stack, const TrainingConfig& recipe, const char* more = ".") {
        return preset(name, plainShape("hedgehog", stack), recipe, what + more);
    };
    return {
        make("hedgehog-tiny", { 4096, 128, 4, 4 }, tinyRecipe()),
        make("hedgehog-small", { 16384, 384, 8, 6 }, smallRecipe()),
        make("hedgehog-125m", { gpt2Vocabulary, 768, 12, 12 }, paperRecipe(rate125m)),
        make("hedgehog-180m", { gpt2Vocabulary, 896, 14, 14 }, paperRecipe(rate180m)),
        make("hedgehog-125m-32k", { 32000, 768, 14, 12 }, paperRecipe(rate125m), ", for 32,000 pieces."),
        make("hedgehog-180m-32k", { 32000, 896, 16, 14 }, paperRecipe(rate180m), ", for 32,000 pieces."),
    };
}

} // namespace

std::vector<Preset> baselinePresets()
{
    Presets all;
    for (const auto& family : { attentionPresets(), transformerPresets(), gssPresets(), gssHybridPresets(),
             sequentialPresets(), h3Presets(), hedgehogPresets() })
        all.insert(all.end(), family.begin(), family.end());
    return all;
}

} // namespace pha
