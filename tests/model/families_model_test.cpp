// SPDX-License-Identifier: GPL-3.0-or-later
// Every family: the identities of models.md 15 in single and double precision, counts, overrides, and that it learns.
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/parts.h"
#include "engine/model/weights.h"
#include "engine/torch/cpu_allocator.h"
#include "tests/model/drawn_network.h"
#include "tests/suite.h"

#include <QtTest>
#include <torch/nn/utils/clip_grad.h>
#include <torch/optim/adam.h>

#include <cmath>
#include <map>

using namespace pha;
using namespace pha::test;

namespace {

Tensor inPieces(LanguageModel& model, const Tensor& ids, const std::vector<std::int64_t>& lengths)
{
    auto state = model.freshState();
    std::vector<Tensor> parts;
    std::int64_t at = 0;
    for (const auto n : lengths) {
        parts.push_back(model.logits(model.forward(ids.narrow(1, at, n), {}, &state), {}));
        at += n;
    }
    return torch::cat(parts, 1);
}

void addFamilies()
{
    QTest::addColumn<QString>("family");
    for (const auto& family : families()) QTest::newRow(family.name.c_str()) << QString::fromStdString(family.name);
}

} // namespace

class FamiliesModelTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        installCpuAllocator();
        torch::manual_seed(5);
        at::set_num_threads(1);
    }

    /// Full pass = token by token = a prompt in uneven pieces, then single steps (models.md 15.3, 15.4).
    void parallelEqualsRecurrent_data() { addVariants(); }
    void parallelEqualsRecurrent()
    {
        const torch::NoGradGuard guard;
        LanguageModel model(chosen(), 7);
        disturb(model);
        const auto ids = someIds(2, 37);
        for (const auto type : { torch::kFloat, torch::kDouble }) {
            model.to(type);
            const double tolerance = type == torch::kFloat ? 1e-4 : 1e-10;
            const auto whole = model.logits(model.forward(ids, {}), {});
            QVERIFY(largest(whole - inPieces(model, ids, std::vector<std::int64_t>(37, 1))) < tolerance);
            QVERIFY(largest(whole - inPieces(model, ids, { 7, 13, 11, 1, 1, 4 })) < tolerance);
        }
    }

    /// Changing a token changes nothing before it, bit for bit, and something after it (models.md 15.2).
    void theFutureDoesNotReachThePast_data() { addVariants(); }
    void theFutureDoesNotReachThePast()
    {
        const torch::NoGradGuard guard;
        LanguageModel model(chosen(), 7);
        disturb(model);
        const auto ids = someIds(2, 40);
        auto changed = ids.clone();
        changed.select(1, 21).fill_(5);
        const auto a = model.forward(ids, {}), b = model.forward(changed, {});
        QCOMPARE(largest(a.narrow(1, 0, 21) - b.narrow(1, 0, 21)), 0.0);
        QVERIFY(largest(a.select(1, 21) - b.select(1, 21)) > 1e-3);
    }

    void countsAgree_data() { addVariants(); }
    void countsAgree()
    {
        const auto config = chosen();
        const auto costs = modelCosts(config, 64);
        std::map<std::string, std::int64_t> stored;
        std::int64_t total = 0, trainable = 0;
        LanguageModel model(config, std::nullopt);
        for (const auto& [name, weight] : namedWeights(model)) {
            stored[parameterPart(name)] += weight.numel();
            total += weight.numel();
            if (weight.requires_grad()) trainable += weight.numel();
        }
        QCOMPARE(costs.parameters, total);
        QCOMPARE(costs.trainable, trainable);
        for (const auto& part : costs.parts) QCOMPARE(part.count, stored[part.part]);
    }

    /// What a state weighs is what the formula says: the cache grows, the rest stays (models.md 11.3).
    void stateBytesAreTheFormula_data() { addVariants(); }
    void stateBytesAreTheFormula()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        LanguageModel model(config, 7);
        auto state = model.freshState();
        const auto costs = modelCosts(config, 64);
        for (std::int64_t at = 0; at < 19; ++at) {
            model.forward(someIds(1, 40).narrow(1, at, 1), {}, &state);
            // A chunk that is full has been dropped already.
            const auto kept = config.attentionSpan > 0 ? (at + 1) % config.attentionSpan : at + 1;
            QCOMPARE(double(state.bytes()), costs.cacheElementsPerToken * double(kept) * 4 + costs.fixedStateReals * 4);
        }
    }

    void lossStartsAtUniform_data() { addFamilies(); }
    void lossStartsAtUniform()
    {
        QFETCH(QString, family);
        const torch::NoGradGuard guard;
        auto config = findPreset(family.toStdString() + "-tiny").config.model; // the shape that is trained
        config.vocabulary = 1024;
        LanguageModel model(config, 3);
        const auto ids = torch::arange(128, torch::kLong).mul(37).remainder(1024).view({ 2, 64 });
        const double loss = model.lossSum(ids, ids.roll(-1, 1), {}).item<double>() / 128;
        QVERIFY2(std::abs(loss - std::log(1024)) < 0.3, std::to_string(loss).c_str());
    }

    /// One batch of random tokens by heart: every part carries gradients to where they are needed (models.md 15.10).
    void learnsABatchByHeart_data() { addFamilies(); }
    void learnsABatchByHeart()
    {
        QFETCH(QString, family);
        auto config = small(family.toStdString());
        config.width = 48;
        config.mainWidth = 96;
        config.gssExpand = 96;
        config.gssWidth = 24;
        config.gssState = 16;
        LanguageModel model(config, 3);
        torch::optim::Adam adam(model.parameters(), torch::optim::AdamOptions(1e-2));
        const auto ids = torch::randint(vocabulary, { 4, 25 }, torch::kLong);
        const auto input = ids.narrow(1, 0, 24), targets = ids.narrow(1, 1, 24);
        double loss = 10;
        int steps = 0;
        for (; steps < 400 && loss >= 0.1; ++steps) {
            adam.zero_grad();
            const auto mean = model.lossSum(input, targets, {}) / 96;
            mean.backward();
            torch::nn::utils::clip_grad_norm_(model.parameters(), 1);
            adam.step();
            loss = mean.item<double>();
        }
        QVERIFY2(loss < 0.1, qPrintable(QStringLiteral("%1 after %2 steps").arg(loss).arg(steps)));
    }

    void everyPartCanBeMutedAndWeighted_data() { addFamilies(); }
    void everyPartCanBeMutedAndWeighted()
    {
        QFETCH(QString, family);
        const torch::NoGradGuard guard;
        const auto config = small(family.toStdString());
        LanguageModel model(config, 7);
        const auto ids = someIds(1, 20);
        const auto plain = model.forward(ids, {});
        std::vector<MixOverride> mix;
        Pass pass;
        pass.mix = &mix;
        for (std::int64_t layer = 0; layer < config.layers; ++layer)
            for (const auto& part : layerParts(config, layer)) {
                mix = { { layer, part, 0 } };
                QVERIFY2(largest(model.forward(ids, pass) - plain) > 1e-5, part.c_str());
            }
        if (!config.branchList().empty()) return;
        mix.clear();
        for (const auto& part : modelParts(config)) mix.push_back({ -1, part, 1 }); // what it is anyway
        QCOMPARE(largest(model.forward(ids, pass) - plain), 0.0);
        for (auto& change : mix) change.weight = 0; // nothing is written: the embedding alone remains
        const auto silent = model.forward(ids, pass);
        const auto alone = rmsNorm(at::embedding(model.embedding(), ids), {}, torch::kFloat);
        if (config.normKind == "rmsnorm") QVERIFY(largest(silent - alone) < 1e-5);
    }

    void layersAreDescribed_data() { addFamilies(); }
    void layersAreDescribed()
    {
        QFETCH(QString, family);
        const torch::NoGradGuard guard;
        const auto config = small(family.toStdString());
        LanguageModel model(config, 7);
        std::vector<LayerMix> mix;
        Pass pass;
        pass.record = &mix;
        model.forward(someIds(1, 20), pass);
        QCOMPARE(mix.size(), std::size_t(config.layers));
        for (std::int64_t layer = 0; layer < config.layers; ++layer) {
            const auto& shown = mix[std::size_t(layer)];
            std::vector<std::string> names;
            for (const auto& b : shown.branches) {
                names.push_back(b.branch);
                QVERIFY(b.contribution > 0 && std::isfinite(b.contribution) && b.outputRms > 0);
                if (!shown.mixed) QVERIFY(b.mean == 0 && b.normalised == 0); // no invented weights
            }
            QCOMPARE(joinList(names), joinList(shownParts(config, layer)));
            QCOMPARE(shown.mixed, !config.branchList().empty());
        }
    }

    /// The share that a plain part writes, against the same thing by hand: alpha is (2 layers)^(1/4).
    void contributionIsMeasuredOnTheStream_data()
    {
        QTest::addColumn<double>("kept");
        QTest::addColumn<double>("added");
        const double alpha = std::pow(2, 0.25);
        QTest::newRow("prenorm") << 1.0 << 1.0;
        QTest::newRow("prenorm_scaled") << 1.0 << 1 / alpha;
        QTest::newRow("deepnorm_post") << alpha << 1.0;
        QTest::newRow("prenorm_alpha_literal") << alpha << 1.0;
    }
    void contributionIsMeasuredOnTheStream()
    {
        QFETCH(double, kept);
        QFETCH(double, added);
        const torch::NoGradGuard guard;
        auto config = small("attention");
        config.layers = 1;
        config.mainWidth = 0;
        config.residualMode = QTest::currentDataTag();
        LanguageModel model(config, 7);
        std::vector<LayerMix> mix;
        std::vector<MixOverride> off { { 0, "attention", 0 } };
        Pass pass;
        pass.record = &mix;
        const auto ids = someIds(1, 20);
        model.forward(ids, pass);
        const auto before = at::embedding(model.embedding(), ids);
        // norm_out has gain 1, so that the direction of the stream after the layer is known but not its length:
        // ask the branch itself.
        const auto branch = makeBranch("attention", config);
        const auto from = namedWeights(model);
        for (auto& p : branch->named_parameters())
            for (const auto& [name, weight] : from)
                if (name == "layers.0.attention." + p.key()) p.value().copy_(weight);
        const bool post = config.residualMode == "deepnorm_post";
        const auto u = post ? before : rmsNorm(before, {}, torch::kFloat);
        const auto written = branch->forward(u, {}, 0, nullptr) * added;
        const double expected = (written.norm() / (before * kept + written).norm()).item<double>();
        QVERIFY(std::abs(mix[0].branches[0].contribution / expected - 1) < 1e-3);
    }

    void learnedPositionsEnd()
    {
        const torch::NoGradGuard guard;
        auto config = small("transformer");
        config.positions = "learned";
        config.maxPositions = 16;
        LanguageModel model(config, 7);
        auto state = model.freshState();
        model.forward(someIds(1, 16), {}, &state);
        QVERIFY_THROWS_EXCEPTION(ConfigError, model.forward(someIds(1, 1), {}, &state));
        QVERIFY_THROWS_EXCEPTION(ConfigError, model.forward(someIds(1, 17), {}));
    }

    /// A prompt that is longer than the learned positions makes room for the text that is asked for; one that fits
    /// stays.
    void longPromptsMakeRoom()
    {
        auto config = small("transformer");
        config.positions = "learned";
        config.maxPositions = 64;
        auto writer = network(drawn(config));
        const auto written = [&](std::int64_t given, std::int64_t wanted) {
            GenerateOptions options;
            for (std::int64_t i = 200 - given; i < 200; ++i) options.promptIds.push_back(i * 23 % vocabulary);
            options.sampling.maxTokens = wanted;
            options.sampling.seed = 3;
            return writer.generate(options, [](const GeneratedToken&) {}, {});
        };
        const auto whole = written(200, 20), end = written(45, 20);
        QCOMPARE(whole.tokens.size(), std::size_t(20));
        QVERIFY(whole.promptIds == end.promptIds); // the last 45
        QCOMPARE(whole.text, end.text);
        QCOMPARE(whole.note,
            std::string("the prompt was cut to its last 45 tokens; "
                        "the text ends at the 64 positions that this model has learned"));
        QCOMPARE(end.note, std::string());
        const auto more = written(200, 100);
        QCOMPARE(more.tokens.size(), std::size_t(33)); // no more than there are positions
        QCOMPARE(more.promptIds.size(), std::size_t(32)); // half of them
        QCOMPARE(more.note,
            std::string("the prompt was cut to its last 32 tokens; "
                        "the text ends at the 64 positions that this model has learned"));
        const auto full = written(64, 20);
        QCOMPARE(full.tokens.size(), std::size_t(1));
        QCOMPARE(full.promptIds.size(), std::size_t(64));
        QCOMPARE(full.note, std::string("the text ends at the 64 positions that this model has learned"));
    }

    /// Attention inside chunks = full attention on each chunk by itself, and the cache never holds more than a chunk.
    void chunksAreIndependent()
    {
        const torch::NoGradGuard guard;
        auto config = small("attention");
        config.layers = 1;
        config.attentionSpan = 8;
        config.positions = "none";
        LanguageModel chunked(config, 7);
        config.attentionSpan = 0;
        LanguageModel full(config, 7);
        const auto ids = someIds(2, 27);
        const auto together = chunked.forward(ids, {});
        for (std::int64_t at = 0; at < 27; at += 8) {
            const auto n = std::min<std::int64_t>(8, 27 - at);
            QVERIFY(largest(together.narrow(1, at, n) - full.forward(ids.narrow(1, at, n), {})) < 1e-5);
        }
        auto state = chunked.freshState();
        for (std::int64_t at = 0; at < 27; ++at) {
            chunked.forward(ids.narrow(1, at, 1), {}, &state);
            QVERIFY(state.layers[0][0].filled < 8);
        }
    }

    /// Attention of width-one heads as its definition says, biases and all: LayerNorm and GELU too.
    void classicBlockByHand()
    {
        const torch::NoGradGuard guard;
        auto config = small("transformer");
        config.layers = 1;
        config.normKind = "layernorm";
        config.biases = true;
        config.positions = "learned";
        config.ffnKind = "gelu_tanh";
        LanguageModel model(config, 7);
        disturb(model);
        std::map<std::string, Tensor> w;
        for (const auto& [name, weight] : namedWeights(model)) w[name] = weight;
        const auto ids = someIds(1, 9);
        const auto norm = [&](const Tensor& x, const std::string& name) {
            return at::layer_norm(x, { 24 }, w[name], w[name + "_bias"], 1e-5);
        };
        const auto linear = [&](const Tensor& x, const std::string& name) {
            return at::linear(x, w["layers.0." + name], w["layers.0." + name + "_bias"]);
        };
        auto x = at::embedding(w["embedding"], ids) + w["positions"].narrow(0, 0, 9);
        const auto u = norm(x, "layers.0.norm_attention");
        const auto heads = [&](const char* name) { return linear(u, name).view({ 9, 4, 6 }).transpose(0, 1); };
        const auto hidden = torch::ones({ 9, 9 }, torch::kBool).triu(1);
        const auto scores =
            torch::matmul(heads("attention.query"), heads("attention.key").transpose(1, 2)) / std::sqrt(6);
        const auto mixed =
            torch::matmul(torch::softmax(scores.masked_fill(hidden, -INFINITY), -1), heads("attention.value"));
        x = x + linear(mixed.transpose(0, 1).reshape({ 1, 9, 24 }), "attention.output");
        const auto z = linear(norm(x, "layers.0.norm_mid"), "main.up");
        const auto gelu = 0.5 * z * (1 + torch::tanh(std::sqrt(2 / M_PI) * (z + 0.044715 * z.pow(3))));
        x = x + linear(gelu, "main.down");
        QVERIFY(largest(norm(x, "norm_out") - model.forward(ids, {})) < 1e-5);
    }

    /// Names in files are a promise: old checkpoints must read.
    void namesInFiles()
    {
        const auto names = [](const ModelConfig& config) {
            QStringList all;
            LanguageModel model(config, std::nullopt);
            for (const auto& [name, weight] : namedWeights(model))
                if (name.starts_with("layers.1.") || !name.starts_with("layers.")) all << QString::fromStdString(name);
            all.sort();
            return all.join(QLatin1Char(' '));
        };
        auto config = small("attention");
        QCOMPARE(names(config),
            QString("embedding layers.1.attention.key layers.1.attention.output layers.1.attention.query "
                    "layers.1.attention.temperature layers.1.attention.value layers.1.main.down layers.1.main.gate "
                    "layers.1.main.up layers.1.norm_attention layers.1.norm_mid norm_out"));
        config = small("pha");
        config.branches = "attention,ffn";
        QCOMPARE(names(config),
            QString("embedding layers.1.attention.key layers.1.attention.output layers.1.attention.query "
                    "layers.1.attention.temperature layers.1.attention.value layers.1.ffn.down layers.1.ffn.gate "
                    "layers.1.ffn.up layers.1.main.down layers.1.main.gate layers.1.main.up layers.1.mixing.logits "
                    "layers.1.mixing.norm_attention layers.1.mixing.norm_ffn layers.1.norm_in layers.1.norm_mid "
                    "norm_out"));
        config.residualMode = "deepnorm_post";
        QVERIFY(names(config).contains("layers.1.norm_post_main layers.1.norm_post_mix"));
    }

    /// models.md 5.2: values, outputs and feed-forward networks begin smaller, in whatever family.
    void deepNormScalesValues()
    {
        for (const char* family : { "transformer", "hedgehog" }) {
            auto config = small(family);
            config.width = 64;
            config.residualMode = "deepnorm_post";
            const LanguageModel model(config, 1);
            int found = 0;
            for (const auto& [name, weight] : namedWeights(model)) {
                const bool query = name.ends_with(".query"), value = name.ends_with(".value");
                if (!query && !value) continue;
                const double wanted = 0.02 * (value ? std::pow(8.0 * double(config.layers), -0.25) : 1);
                QVERIFY2(std::abs(weight.std().item<double>() / wanted - 1) < 0.1, name.c_str());
                ++found;
            }
            QCOMPARE(found, int(2 * config.layers));
        }
    }
};

PHA_TEST(FamiliesModelTest)
#include "families_model_test.moc"
