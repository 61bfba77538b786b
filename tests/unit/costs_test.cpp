// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/config/config.h"
#include "tests/suite.h"

#include <QTest>

#include <cmath>
#include <numeric>
#include <utility>

using namespace pha;

namespace {

std::int64_t partOf(const ModelCosts& costs, const std::string& name)
{
    for (const auto& part : costs.parts)
        if (part.part == name) return part.count;
    return -1;
}

ModelConfig shape(const char* preset) { return findPreset(preset).config.model; }

} // namespace

class CostsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void publishedCounts_data();
    void publishedCounts();
    void publishedWork_data();
    void publishedWork();
    void workOfAWrittenToken_data();
    void workOfAWrittenToken();
    void otherRowsOfTheTable_data();
    void otherRowsOfTheTable();
    void everySizeHasOneRecipe();
    void everyFamilyHasEverySize();
    void chunkedAttentionCostsLess();
    void leanSistersAreNear_data();
    void leanSistersAreNear();
    void everyPresetIsWhole();
    void smallModelByHand();
    void frozenGains();
    void mixingCounts_data();
    void mixingCounts();
    void gssForms();
    void normsOfResidualForms();
    void cacheBytes();
    void trainingMemory();
    void refusesContext();
};

void CostsTest::publishedCounts_data()
{
    QTest::addColumn<double>("millions"); ///< models.md section 10 and 19.12, to 0.01
    QTest::newRow("pha-tiny") << 1.85;
    QTest::newRow("pha-small") << 24.00;
    QTest::newRow("pha-90m") << 89.62;
    QTest::newRow("pha-125m") << 125.20;
    QTest::newRow("pha-180m") << 180.37;
    QTest::newRow("pha-125m-s4d") << 126.78;
    QTest::newRow("pha-180m-s4d") << 178.07;
    QTest::newRow("pha-125m-32k") << 125.96;
    QTest::newRow("pha-180m-32k") << 178.00;
    QTest::newRow("pha-125m-r") << 124.88;
    QTest::newRow("pha-180m-r") << 179.74;
    QTest::newRow("pha-lean-125m") << 124.01;
    QTest::newRow("pha-lean-180m") << 181.09;
    QTest::newRow("attention-180m") << 182.55;
    QTest::newRow("transformer-tiny") << 1.31;
    QTest::newRow("transformer-small") << 20.45;
    QTest::newRow("transformer-125m") << 123.55;
    QTest::newRow("transformer-125m-32k") << 123.69;
    QTest::newRow("transformer-180m") << 179.93;
    QTest::newRow("transformer-180m-32k") << 182.84;
    QTest::newRow("transformer-125m-classic") << 124.44; // 19.24
    QTest::newRow("gss-125m") << 128.09;
    QTest::newRow("gss-hybrid-tiny") << 1.49;
    QTest::newRow("gss-hybrid-small") << 20.85;
    QTest::newRow("gss-hybrid-125m") << 124.35;
    QTest::newRow("gss-hybrid-125m-4") << 126.58;
    QTest::newRow("gss-hybrid-125m-32k") << 122.26;
    QTest::newRow("gss-hybrid-180m") << 181.81;
    QTest::newRow("gss-hybrid-180m-4") << 177.58;
    QTest::newRow("gss-hybrid-180m-32k") << 181.12;
    QTest::newRow("sequential-180m") << 185.71;
    QTest::newRow("h3-tiny") << 1.38;
    QTest::newRow("h3-small") << 21.23;
    QTest::newRow("h3-125m") << 126.13;
    QTest::newRow("h3-125m-32k") << 126.78;
    QTest::newRow("h3-180m") << 183.54;
    QTest::newRow("h3-180m-32k") << 187.05;
    QTest::newRow("hedgehog-tiny") << 1.34;
    QTest::newRow("hedgehog-small") << 20.85;
    QTest::newRow("hedgehog-125m") << 124.73;
    QTest::newRow("hedgehog-125m-32k") << 125.06;
    QTest::newRow("hedgehog-180m") << 181.53;
    QTest::newRow("hedgehog-180m-32k") << 184.68;
}

void CostsTest::publishedCounts()
{
    QFETCH(double, millions);
    const double ours = double(modelCosts(shape(QTest::currentDataTag()), 1024).parameters) / 1e6;
    QVERIFY2(std::abs(std::round(ours * 100) - millions * 100) < 0.5, qPrintable(QString::number(ours, 'f', 4)));
}

void CostsTest::otherRowsOfTheTable_data()
{
    QTest::addColumn<int>("vocabulary");
    QTest::addColumn<double>("millions");
    QTest::newRow("pha-tiny") << 256 << 1.35;
    QTest::newRow("transformer-tiny") << 256 << 0.82;
    QTest::newRow("small-PHA-GPT2vocab") << 50257 << 20.79;
    QTest::newRow("small-Transformer-GPT2vocab") << 50257 << 17.59;
}

void CostsTest::otherRowsOfTheTable()
{
    QFETCH(int, vocabulary);
    QFETCH(double, millions);
    const std::string row = QTest::currentDataTag();
    auto m = shape(vocabulary == 256 ? row.c_str() : row == "small-PHA-GPT2vocab" ? "pha-small" : "transformer-small");
    if (vocabulary > 256) {
        m.width = 256;
        m.queryHeads = 4;
        m.layers = 6;
        m.kvHeads = m.family == "pha" ? 1 : 4;
        m.mainWidth = m.family == "pha" ? 512 : 1024;
        m.auxWidth = 192;
        m.gssExpand = 1024;
        m.gssWidth = 64;
    }
    m.vocabulary = vocabulary;
    const double ours = double(modelCosts(m, 1024).parameters) / 1e6;
    QVERIFY2(std::abs(std::round(ours * 100) - millions * 100) < 0.5, qPrintable(QString::number(ours, 'f', 4)));
}

void CostsTest::publishedWork_data()
{
    QTest::addColumn<double>("forwardMega"); ///< models.md 11.2
    QTest::addColumn<double>("cache");
    QTest::addColumn<double>("fixed");
    QTest::newRow("pha-125m") << 259.8 << 3648.0 << 3145728.0;
    QTest::newRow("pha-125m-s4d") << 269.0 << 3072.0 << 98304.0;
    QTest::newRow("pha-180m") << 371.9 << 5120.0 << 2621440.0;
    QTest::newRow("pha-180m-s4d") << 371.5 << 5120.0 << 163840.0;
    QTest::newRow("transformer-125m") << 265.9 << 18432.0 << 0.0;
    QTest::newRow("h3-125m") << 251.9 << 3072.0 << 983040.0; // 19.6
    QTest::newRow("hedgehog-125m") << 255.9 << 0.0 << 1198080.0;
    QTest::newRow("transformer-180m") << 385.5 << 25088.0 << 0.0;
    QTest::newRow("gss-hybrid-125m") << 246.4 << 3072.0 << 3145728.0;
}

void CostsTest::publishedWork()
{
    QFETCH(double, forwardMega);
    QFETCH(double, cache);
    QFETCH(double, fixed);
    const auto costs = modelCosts(shape(QTest::currentDataTag()), 1024);
    const double mega = costs.forwardFlopsPerToken / 1e6;
    QVERIFY2(std::abs(mega - forwardMega) < 0.05, qPrintable(QString::number(mega, 'f', 3)));
    QCOMPARE(costs.cacheElementsPerToken, cache);
    QCOMPARE(costs.fixedStateReals, fixed);
}

void CostsTest::workOfAWrittenToken_data()
{
    QTest::addColumn<double>("after1024"); ///< MFLOP, by the formulas of models.md 11.2 for decode
    QTest::addColumn<double>("after4096");
    QTest::newRow("pha-125m") << 292.753 << 382.406;
    QTest::newRow("pha-125m-s4d") << 285.120 << 379.492;
    QTest::newRow("pha-125m-r") << 279.599 << 369.253;
    QTest::newRow("pha-lean-125m") << 295.466 << 437.024;
    QTest::newRow("attention-180m") << 440.526 << 667.019;
    QTest::newRow("transformer-125m") << 284.813 << 398.059;
    QTest::newRow("gss-125m") << 271.837 << 271.837;
    QTest::newRow("gss-hybrid-125m") << 267.511 << 286.386;
    QTest::newRow("gss-hybrid-125m-4") << 266.725 << 266.725; // on average half a chunk of 512 is seen
    QTest::newRow("h3-125m") << 255.045 << 274.227; // convolutions as in training: 11.2 names nothing else
    QTest::newRow("hedgehog-125m") << 254.142 << 254.142;
    QTest::newRow("sequential-125m") << 292.665 << 382.319;
}

void CostsTest::workOfAWrittenToken()
{
    QFETCH(double, after1024);
    QFETCH(double, after4096);
    const auto m = shape(QTest::currentDataTag());
    for (const auto& [seen, expected] : { std::pair(1024, after1024), std::pair(4096, after4096) }) {
        const double mega = modelCosts(m, seen).decodeFlopsPerToken / 1e6;
        QVERIFY2(std::abs(mega - expected) < 0.001, qPrintable(QString::number(mega, 'f', 4)));
    }
}

void CostsTest::everySizeHasOneRecipe()
{
    // Runs of one size are compared, so that nothing but the network may differ.
    for (const char* size : { "-tiny", "-small", "-125m", "-180m" }) {
        for (const auto& preset : presets()) {
            if (!preset.name.ends_with(size)) continue;
            auto json = preset.config.toJson()["training"];
            auto reference = findPreset("pha" + std::string(size)).config.toJson()["training"];
            json.erase("prior"), reference.erase("prior"); // one number for each branch
            QCOMPARE(json.dump(), reference.dump());
        }
    }
}

void CostsTest::everyFamilyHasEverySize()
{
    for (const auto& family : families())
        for (const char* size : { "-tiny", "-small", "-125m", "-180m" }) {
            const auto& preset = findPreset(family.name + size);
            QCOMPARE(preset.config.model.family, family.name);
            // Ours stay within 10 % of the nominal size, as the published rows do.
            const double millions = double(modelCosts(preset.config.model, 1024).parameters) / 1e6;
            if (size == std::string("-125m")) QVERIFY2(std::abs(millions / 125 - 1) < 0.03, preset.name.c_str());
            if (size == std::string("-180m")) QVERIFY2(std::abs(millions / 180 - 1) < 0.04, preset.name.c_str());
        }
}

void CostsTest::chunkedAttentionCostsLess()
{
    auto m = shape("gss-hybrid-125m-4");
    const auto chunked = modelCosts(m, 4096);
    m.attentionSpan = 0;
    const auto full = modelCosts(m, 4096);
    QCOMPARE(full.forwardFlopsPerToken - chunked.forwardFlopsPerToken, 4 * 2.0 * (4096 - 512) * 768);
}

void CostsTest::leanSistersAreNear_data()
{
    QTest::addColumn<double>("tolerance");
    QTest::newRow("tiny") << 0.08;
    QTest::newRow("small") << 0.08;
    QTest::newRow("125m") << 0.015;
    QTest::newRow("180m") << 0.015;
}

void CostsTest::leanSistersAreNear()
{
    QFETCH(double, tolerance);
    const std::string size = QTest::currentDataTag();
    auto lean = shape(("pha-lean-" + size).c_str());
    const double sister = double(modelCosts(shape(("pha-" + size).c_str()), 512).parameters);
    const auto away = [&](std::int64_t layers) {
        auto m = lean;
        m.layers = layers;
        return std::abs(double(modelCosts(m, 512).parameters) / sister - 1);
    };
    QVERIFY2(away(lean.layers) < tolerance, qPrintable(QString::number(away(lean.layers))));
    if (tolerance < 0.05) return; // 19.12 gives these depths
    QVERIFY(away(lean.layers) <= away(lean.layers - 1) && away(lean.layers) <= away(lean.layers + 1));
}

void CostsTest::everyPresetIsWhole()
{
    for (const auto& preset : presets()) {
        preset.config.validate();
        const auto costs = modelCosts(preset.config.model, preset.config.training.context);
        const auto sum = std::accumulate(costs.parts.begin(), costs.parts.end(), std::int64_t(0),
            [](std::int64_t total, const ParameterPart& part) { return total + part.count; });
        QCOMPARE(sum, costs.parameters);
        QCOMPARE(preset.config.preset, preset.name);
        QVERIFY2(preset.summary.ends_with('.'), preset.name.c_str());
        QVERIFY2(preset.name.starts_with(preset.config.model.family + "-"), preset.name.c_str());
        QCOMPARE(preset.config.model.embeddingScale,
            std::string(preset.name.starts_with("pha") ? "sqrt_width" : "one")); // 19.2
        // With the prior switched on it must still fit the branches; without a mix it is refused.
        auto withPrior = preset.config;
        if (preset.config.model.branchList().empty()) {
            withPrior.training.priorWeight = 0.1;
            QVERIFY_THROWS_EXCEPTION(ConfigError, withPrior.validate());
            continue;
        }
        withPrior.training.priorWeight = 0.1;
        withPrior.validate();
    }
}

void CostsTest::smallModelByHand()
{
    ModelConfig m; // one layer, every part countable on paper
    m.vocabulary = 10;
    m.layers = 1;
    m.width = 8;
    m.queryHeads = 2;
    m.kvHeads = 1;
    m.gssExpand = 6;
    m.gssWidth = 3;
    m.gssState = 4;
    m.auxWidth = 5;
    m.mainWidth = 7;
    const auto costs = modelCosts(m, 16);
    QCOMPARE(partOf(costs, "embedding"), 80);
    QCOMPARE(partOf(costs, "attention"), 64 + 32 + 32 + 64 + 2); // q, k, v, out, temperatures
    // W_v and W_out, W_u, W_uc, log_dt, A and C of 2 pairs, inner norm and skip
    QCOMPARE(partOf(costs, "gss"), 96 + 24 + 18 + 3 + 12 + 12 + 6);
    QCOMPARE(partOf(costs, "ffn_aux"), 120);
    QCOMPARE(partOf(costs, "ffn_main"), 168);
    QCOMPARE(partOf(costs, "norms"), 6 * 8);
    QCOMPARE(partOf(costs, "mixing"), 3);
    QCOMPARE(costs.cacheElementsPerToken, 8.0);
    QCOMPARE(costs.fixedStateReals, 12.0);
    m.branches = "attention";
    m.mainWidth = 0;
    m.qkMode = "dot";
    const auto bare = modelCosts(m, 16);
    QCOMPARE(bare.parameters, 80 + 192 + 3 * 8 + 1);
    QCOMPARE(bare.fixedStateReals, 0.0);
    // projections 2*(64+32+32+64), causal core 2*16*8, head 2*10*8
    QCOMPARE(bare.forwardFlopsPerToken, 384.0 + 256.0 + 160.0);
    QCOMPARE(bare.decodeFlopsPerToken, 384.0 + 512.0 + 160.0); // the last token sees all 16
    m.branches = "gss";
    QCOMPARE(modelCosts(m, 16).cacheElementsPerToken, 0.0);
}

void CostsTest::frozenGains()
{
    auto m = shape("pha-tiny");
    const auto frozen = modelCosts(m, 256);
    QCOMPARE(frozen.parameters - frozen.trainable, 4 * 3 * 128);
    m.branchNormAffine = true;
    const auto learned = modelCosts(m, 256);
    QCOMPARE(learned.parameters, frozen.parameters);
    QCOMPARE(learned.trainable, learned.parameters);
}

void CostsTest::mixingCounts_data()
{
    QTest::addColumn<QString>("branches");
    QTest::addColumn<int>("perLayer"); ///< at D = 128
    QTest::newRow("softplus") << "gss,attention,ffn" << 3;
    QTest::newRow("softmax") << "gss,attention" << 2;
    QTest::newRow("fixed") << "gss,attention,ffn" << 0;
    QTest::newRow("sigmoid") << "gss" << 1;
    QTest::newRow("channel_softmax") << "gss,attention,ffn" << 384;
    QTest::newRow("channel_sigmoid") << "gss,attention" << 256;
    QTest::newRow("token") << "gss,attention,ffn" << 387;
    QTest::newRow("token_sigmoid") << "gss,attention" << 258;
}

void CostsTest::mixingCounts()
{
    QFETCH(QString, branches);
    QFETCH(int, perLayer);
    auto m = shape("pha-tiny");
    m.branches = branches.toStdString();
    m.mixMode = QTest::currentDataTag();
    QCOMPARE(partOf(modelCosts(m, 256), "mixing"), 4 * perLayer);
}

void CostsTest::gssForms()
{
    auto m = shape("pha-tiny"); // D 128, E 512, h 32, N 32
    m.layers = 1;
    const std::int64_t matrices = 2 * 128 * 512 + 128 * 32 + 32 * 512;
    QCOMPARE(partOf(modelCosts(m, 256), "gss"), matrices + 32 + 2 * 32 * 32 + 64);
    m.gssKernel = "dss";
    const auto dss = modelCosts(m, 256);
    QCOMPARE(partOf(dss, "gss"), matrices + 2 * 32 + 2 * 32 * 32 + 64);
    QCOMPARE(dss.fixedStateReals, 2.0 * 32 * 32);
    m.gssKind = "gated_rec";
    m.gssHidden = 340;
    const auto filtered = modelCosts(m, 256);
    QCOMPARE(partOf(filtered, "gss"), 4 * 128 * 340 + 2 * 340);
    QCOMPARE(filtered.fixedStateReals, 340.0);
    m.gssFilter = false;
    const auto plain = modelCosts(m, 256);
    QCOMPARE(partOf(plain, "gss"), 3 * 128 * 340 + 2 * 340);
    QCOMPARE(filtered.forwardFlopsPerToken - plain.forwardFlopsPerToken, 2.0 * 128 * 340);
}

void CostsTest::normsOfResidualForms()
{
    auto m = shape("pha-tiny");
    const auto norms = [&] { return partOf(modelCosts(m, 256), "norms"); };
    QCOMPARE(norms(), 4 * 5 * 128 + 128);
    m.residualMode = "deepnorm_post"; // two norms after instead of two before
    QCOMPARE(norms(), 4 * 5 * 128 + 128);
    m.mainWidth = 0;
    QCOMPARE(norms(), 4 * 4 * 128 + 128);
    m.residualMode = "prenorm";
    QCOMPARE(norms(), 4 * 4 * 128 + 128);
}

void CostsTest::cacheBytes()
{
    // models.md 11.3: PHA-125M-H at 8192 tokens in bf16 is 48 MiB + 0.4 MiB.
    const auto costs = modelCosts(shape("pha-125m-s4d"), 1024);
    QCOMPARE(costs.cacheElementsPerToken * 8192 * 2, 48.0 * 1048576);
    QCOMPARE(costs.fixedStateReals, 98304.0);
}

void CostsTest::trainingMemory()
{
    // models.md 11.4: activations per token in bf16, from the difference of two batch sizes that both fill a loss
    // chunk.
    const auto perToken = [](const char* preset, const char* precision) {
        auto config = findPreset(preset).config;
        config.training.precision = precision;
        const double large = trainingBytes(config);
        config.training.batchSize -= 1;
        return (large - trainingBytes(config)) / double(config.training.context);
    };
    const auto near = [](double ours, double published) { return std::abs(ours - published) < 500; };
    QVERIFY2(near(perToken("pha-125m", "bf16"), 635e3), qPrintable(QString::number(perToken("pha-125m", "bf16"))));
    QVERIFY2(near(perToken("pha-180m", "bf16"), 703e3), qPrintable(QString::number(perToken("pha-180m", "bf16"))));
    const double wide = perToken("pha-125m", "fp32") / perToken("pha-125m", "bf16");
    QVERIFY2(wide > 1.8 && wide < 2, qPrintable(QString::number(wide))); // spectra are fp32 in both
    QCOMPARE(perToken("pha-125m", "auto"), perToken("pha-125m", "fp32"));
    auto config = findPreset("pha-125m").config;
    config.training.precision = "bf16";
    const double total = trainingBytes(config) / 1e9; // 15.6 of activations, 2.0 of states, one loss chunk
    QVERIFY2(total > 17.6 && total < 18.1, qPrintable(QString::number(total)));
    // Recomputed, a layer of twelve is whole, and of each its input and what attention wrote: 1/12 of 15.6 + 2 x 0.36.
    config.training.recompute = true;
    const double little = trainingBytes(config) / 1e9;
    QVERIFY2(little > 4.1 && little < 4.6, qPrintable(QString::number(little)));
}

void CostsTest::refusesContext() { QVERIFY_THROWS_EXCEPTION(ConfigError, (void)modelCosts(ModelConfig(), 0)); }

PHA_TEST(CostsTest)
#include "costs_test.moc"
