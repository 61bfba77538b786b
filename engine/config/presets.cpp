// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/preset_shapes.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

namespace pha {

// Recipes. ------------------------------------------------------------------------------------------------------------

TrainingConfig tinyRecipe()
{
    TrainingConfig t;
    t.steps = 380; // two minutes on two cores
    t.batchSize = 8;
    t.context = 256;
    t.optimizer = "muon"; // recall begins in half the updates that AdamW alone takes
    t.muonLearningRate = 0.01;
    t.muonMomentum = 0.9;
    t.learningRate = 0.016; // of the embeddings, which meet each word seldom
    t.weightDecay = 0;
    t.beta2 = 0.99;
    t.warmupSteps = 15;
    t.evalEvery = 60;
    t.saveEvery = 100;
    t.sampleEvery = 100;
    t.mixEvery = 10;
    return t;
}

TrainingConfig smallRecipe()
{
    TrainingConfig t;
    t.steps = 2000;
    t.batchSize = 8;
    t.context = 512;
    t.learningRate = 1e-3;
    t.warmupSteps = 100;
    t.evalEvery = 250;
    t.evalTokens = 32768;
    t.saveEvery = 500;
    t.sampleEvery = 500;
    return t;
}

TrainingConfig paperRecipe(double learningRate)
{
    TrainingConfig t;
    t.steps = 57576;
    t.batchSize = 24;
    t.context = 1024;
    t.learningRate = learningRate;
    t.warmupSteps = 1000;
    t.schedule = "plateau";
    t.plateauFactor = 0.75;
    t.plateauPatience = 3;
    t.weightDecay = 0.1;
    t.dropout = 0.1;
    t.clip = 1;
    t.precision = "auto";
    t.evalEvery = 2399; // twice an epoch
    t.evalTokens = 0;
    t.saveEvery = 2399;
    t.keepCheckpoints = 5;
    t.sampleEvery = 2399;
    t.mixEvery = 100;
    return t;
}

Preset preset(
    const std::string& name, const ModelConfig& model, const TrainingConfig& training, const std::string& summary)
{
    Preset p { name, summary, {} };
    p.config.model = model;
    p.config.training = training;
    p.config.preset = name;
    // The tiny ones learn the built-in stories, whose lexicon fills no more than a thousand pieces.
    if (model.vocabulary > 4096) p.config.data.vocabSize = model.vocabulary;
    if (model.branches == "gss,attention") p.config.training.prior = "0.6,0.4"; // the paper's means without the ffn
    return p;
}

// Shapes. -------------------------------------------------------------------------------------------------------------

namespace {

struct Shape {
    std::int64_t vocabulary, width, layers, queryHeads, kvHeads, mainWidth, auxWidth;
};
struct Gss {
    std::int64_t expand, width, state;
    const char* kernel;
};

ModelConfig phaShape(const Shape& shape, const Gss& gss)
{
    ModelConfig m;
    m.vocabulary = shape.vocabulary;
    m.width = shape.width;
    m.layers = shape.layers;
    m.queryHeads = shape.queryHeads;
    m.kvHeads = shape.kvHeads;
    m.mainWidth = shape.mainWidth;
    m.auxWidth = shape.auxWidth;
    m.gssExpand = gss.expand;
    m.gssWidth = gss.width;
    m.gssState = gss.state;
    m.gssKernel = gss.kernel;
    return m;
}

/// Equation 2 of the paper as the GSS branch.
ModelConfig gatedShape(const Shape& shape, std::int64_t hidden)
{
    auto m = phaShape(shape, { 4 * shape.width, 256, 512, "dss" }); // kept for whoever switches gss_kind back
    m.gssKind = "gated_rec";
    m.gssHidden = hidden;
    return m;
}

/// GSS with E = D and h = D/4 beside attention, main SwiGLU of 2.5 D, no auxiliary one: the parameters go into depth.
ModelConfig leanShape(std::int64_t vocabulary, std::int64_t width, std::int64_t layers, std::int64_t queryHeads,
    std::int64_t kvHeads, std::int64_t state)
{
    auto m = phaShape({ vocabulary, width, layers, queryHeads, kvHeads, width * 5 / 2, width / 2 },
        { width, width / 4, state, "s4d" });
    m.family = "pha-lean";
    m.branches = "gss,attention";
    return m;
}

std::vector<Preset> phaPresets()
{
    const Shape shape90 { gpt2Vocabulary, 480, 14, 8, 2, 960, 321 };
    const Shape shape125 { gpt2Vocabulary, 608, 12, 8, 2, 1216, 407 };
    const Shape shape180 { gpt2Vocabulary, 768, 10, 12, 4, 1920, 960 };
    const auto recipe90 = paperRecipe(rate90m), recipe125 = paperRecipe(rate125m), recipe180 = paperRecipe(rate180m);
    return {
        preset("pha-tiny", phaShape({ 4096, 128, 4, 4, 1, 256, 96 }, { 512, 32, 32, "s4d" }), tinyRecipe(),
            "PHA small enough to train on a laptop's processor in minutes."),
        preset("pha-small", phaShape({ 16384, 384, 6, 6, 2, 768, 256 }, { 1536, 96, 64, "s4d" }), smallRecipe(),
            "PHA for real text on one small GPU, or on a processor with patience."),
        preset("pha-90m", phaShape(shape90, { 1920, 120, 512, "dss" }), recipe90,
            "The paper's PHA-90M; the paper leaves the inside of the GSS branch open, and this reading fits its "
            "count."),
        preset("pha-125m", phaShape(shape125, { 2432, 256, 512, "dss" }), recipe125,
            "The paper's PHA-125M with the public GSS layer, which fits its parameter count."),
        preset("pha-180m", phaShape(shape180, { 3072, 256, 512, "dss" }), recipe180,
            "The paper's PHA-180M with the public GSS layer, which fits its parameter count."),
        preset("pha-125m-s4d", phaShape({ gpt2Vocabulary, 640, 12, 10, 2, 1280, 384 }, { 2560, 128, 64, "s4d" }),
            recipe125,
            "PHA-125M in a shape of ours for hardware: heads of 64 channels and a GSS state 32 times smaller."),
        preset("pha-180m-s4d", phaShape(shape180, { 3072, 256, 64, "s4d" }), recipe180,
            "PHA-180M with the s4d kernel, whose GSS state is 16 times smaller than the paper shape's."),
        preset("pha-125m-32k", phaShape({ 32000, 640, 13, 10, 2, 1280, 448 }, { 2560, 160, 64, "s4d" }), recipe125,
            "The hardware shape of PHA-125M for a vocabulary of 32,000 pieces."),
        preset("pha-180m-32k", phaShape({ 32000, 768, 11, 12, 4, 1920, 960 }, { 3072, 256, 64, "s4d" }), recipe180,
            "The hardware shape of PHA-180M for a vocabulary of 32,000 pieces."),
        preset("pha-125m-r", gatedShape(shape125, 1632), recipe125,
            "PHA-125M with the paper's equation 2 read literally: a gated recurrence as the GSS branch."),
        preset("pha-180m-r", gatedShape(shape180, 1920), recipe180,
            "PHA-180M with the paper's equation 2 read literally: a gated recurrence as the GSS branch."),
    };
}

std::vector<Preset> leanPresets()
{
    return {
        preset("pha-lean-tiny", leanShape(4096, 128, 6, 4, 1, 32), tinyRecipe(),
            "Our leaner PHA (GSS and attention, no auxiliary FFN, more layers) at the size of pha-tiny."),
        preset("pha-lean-small", leanShape(16384, 384, 9, 6, 2, 64), smallRecipe(),
            "Our leaner PHA (GSS and attention, no auxiliary FFN, more layers) at the size of pha-small."),
        preset("pha-lean-125m", leanShape(gpt2Vocabulary, 640, 18, 10, 2, 64), paperRecipe(rate125m),
            "Our leaner PHA at 124 M parameters. At 42 M it was level with attention alone and behind the paper's "
            "shape."),
        preset("pha-lean-180m", leanShape(gpt2Vocabulary, 768, 19, 12, 4, 64), paperRecipe(rate180m),
            "Our leaner PHA at 181 M parameters. At 42 M it was level with attention alone and behind the paper's "
            "shape."),
    };
}

} // namespace

const std::vector<Preset>& presets()
{
    static const auto all = [] {
        auto list = phaPresets();
        for (auto& lean : leanPresets()) list.push_back(std::move(lean));
        for (auto& baseline : baselinePresets()) list.push_back(std::move(baseline));
        return list;
    }();
    return all;
}

const Preset& findPreset(const std::string& name)
{
    std::vector<std::string> names;
    for (const auto& candidate : presets()) {
        if (candidate.name == name) return candidate;
        names.push_back(candidate.name);
    }
    const auto nearest = nearestName(name, names);
    throw ConfigError("preset", inQuotes(name),
        "one of the " + std::to_string(names.size()) + " names that `pha presets` lists"
            + (nearest.empty() ? "" : " (the nearest is " + nearest + ")"));
}

} // namespace pha
