// SPDX-License-Identifier: GPL-3.0-or-later
// What a row of logits says, against its softmax in double and against all tokens sorted; how a token is drawn from it
// and what text it is.
#include "engine/base/error.h"
#include "engine/data/byte_tokenizer.h"
#include "engine/eval/loaded_model.h"
#include "engine/eval/sampler.h"
#include "engine/model/weights.h"
#include "tests/suite.h"

#include <QtTest>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

using namespace pha;

namespace {

std::vector<float> randomLogits(std::size_t count, float width)
{
    std::mt19937 random(unsigned(count) + 3);
    std::normal_distribution<float> normal;
    std::vector<float> logits(count);
    for (auto& z : logits) z = 40 + std::round(8 * width * normal(random)) / 8; // many are equal
    return logits;
}

/// Softmax in double; a NaN counts as -inf.
std::vector<double> exactly(const std::vector<float>& logits, double temperature)
{
    double highest = -INFINITY, sum = 0;
    for (const float z : logits) highest = std::max(highest, std::isnan(z) ? -INFINITY : double(z));
    std::vector<double> p;
    for (const float z : logits) p.push_back(std::isnan(z) ? 0 : std::exp((double(z) - highest) / temperature));
    for (const double w : p) sum += w;
    for (double& w : p) w /= sum;
    return p;
}

std::vector<std::int32_t> ranking(const TokenDistribution& d, std::size_t count)
{
    std::vector<std::int32_t> order(count);
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) { return d.probability(a) > d.probability(b); });
    return order;
}

} // namespace

class SamplerTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void probabilitiesAreTheSoftmax()
    {
        for (const std::size_t count : { 1, 7, 8, 255, 256, 257, 1009, 20000 })
            for (const float width : { 0.F, 0.3F, 3.F, 30.F })
                for (const double temperature : { 1.0, 0.1, 7.0 }) {
                    auto logits = randomLogits(count, width);
                    if (count > 9) logits[3] = -INFINITY, logits[9] = NAN, logits.back() = NAN;
                    TokenDistribution d;
                    d.read(logits, temperature);
                    const auto p = exactly(logits, temperature);
                    double sum = 0, entropy = 0;
                    for (std::size_t i = 0; i < count; ++i) {
                        const double got = d.probability(std::int64_t(i));
                        QVERIFY(std::abs(got - p[i]) <= 1e-5 * p[i] + 1e-35);
                        sum += got;
                        if (p[i] > 0) entropy -= p[i] * std::log(p[i]);
                    }
                    QVERIFY(std::abs(sum - 1) < 1e-6);
                    if (temperature == 1) QVERIFY(std::abs(d.entropy() - entropy) < 1e-5);
                }
    }

    void whatHasNoDistribution()
    {
        TokenDistribution d;
        for (const std::vector<float>& logits :
            { std::vector<float> {}, { -INFINITY, NAN }, { NAN, NAN, NAN }, { 1, INFINITY } }) {
            d.read(logits);
            QVERIFY(d.empty());
            QVERIFY(d.largest(3).empty() && d.head(3, 0.5).empty());
            QCOMPARE(d.entropy(), 0.0);
        }
        d.read(std::vector<float> { 1 });
        QCOMPARE(d.probability(0), 1.0);
    }

    void theLargestAndTheHead()
    {
        for (const float width : { 0.F, 0.1F, 3.F, 12.F }) {
            const auto logits = randomLogits(20000, width);
            TokenDistribution d;
            d.read(logits);
            const auto order = ranking(d, logits.size());
            for (const std::size_t count : { 0, 1, 10, 79, 80, 2500, 20000, 30000 }) {
                const auto last = order.begin() + std::ptrdiff_t(std::min(count, order.size()));
                QCOMPARE(d.largest(count), std::vector(order.begin(), last));
                if (count == 0) continue;
                std::vector expected(order.begin(), last);
                std::sort(expected.begin(), expected.end());
                QCOMPARE(d.head(count, 1), expected);
            }
            for (const double share : { 0.001, 0.5, 0.95, 0.9999 })
                for (const std::size_t most : { 0, 7, 3000 }) {
                    const auto kept = d.head(most, share);
                    const auto n = kept.size();
                    std::vector expected(order.begin(), order.begin() + std::ptrdiff_t(n));
                    const double sum = d.share(expected), least = d.probability(expected.back());
                    QVERIFY(n > 0 && sum - least < share + 1e-9);
                    QVERIFY(n == most || sum > share - 1e-9);
                    QVERIFY(most == 0 || n <= most);
                    std::sort(expected.begin(), expected.end());
                    QCOMPARE(kept, expected);
                }
        }
    }

    // A number in [0, 1) takes the token at which the running sum of probabilities passes it.
    void drawingInvertsTheRunningSum()
    {
        for (const std::size_t count : { 1, 200, 257, 5000 }) {
            const auto logits = randomLogits(count, 4);
            TokenDistribution d;
            d.read(logits);
            std::vector<std::int32_t> all(count);
            std::iota(all.begin(), all.end(), 0);
            for (const auto& kept : { all, d.head(20, 0.9) }) {
                const double whole = d.share(kept);
                for (int i = 0; i <= 1000; ++i) {
                    const double x = std::min(i / 1000.0, std::nextafter(1.0, 0.0));
                    const auto id = kept.size() == count ? d.at(x) : d.at(x * whole, kept);
                    double below = 0;
                    for (const auto other : kept)
                        if (other < id) below += d.probability(other);
                    QVERIFY(below <= x * whole + 1e-6 && x * whole <= below + d.probability(id) + 1e-6);
                    QVERIFY(d.probability(id) > 0);
                }
            }
        }
    }

    void samplingFollowsItsSettings()
    {
        const std::vector<float> logits { 1, 3, 2, -INFINITY, NAN };
        const auto draw = [&](Sampling s) { return Sampler(s).draw(logits, { 1 }); };
        Sampling s;
        s.temperature = 0;
        QCOMPARE(draw(s).first, std::int64_t(1));
        s.temperature = 1e-30;
        QCOMPARE(draw(s).first, std::int64_t(1));
        s.temperature = 1;
        s.topK = 1;
        QCOMPARE(draw(s).first, std::int64_t(1));
        s.topK = 0;
        s.topP = 0.01;
        QCOMPARE(draw(s).second, 1.0);
        s.topP = 1;
        s.repetitionPenalty = 50;
        s.topK = 1;
        QCOMPARE(draw(s).first, std::int64_t(2));
        for (const std::int64_t topK : { 0, 2 }) {
            s = {};
            s.temperature = 1;
            s.topK = topK;
            std::vector<int> counts(5);
            Sampler sampler(s);
            for (int i = 0; i < 20000; ++i) ++counts[std::size_t(sampler.draw(logits, {}).first)];
            const double sum = (topK ? 0 : std::exp(1.)) + std::exp(2.) + std::exp(3.);
            QVERIFY(std::abs(counts[1] / 20000.0 - std::exp(3.) / sum) < 0.02);
            QCOMPARE(counts[0] == 0, topK == 2);
            QCOMPARE(counts[3] + counts[4], 0);
            const auto [id, probability] = sampler.draw(std::vector<float> { 1, 3 }, {});
            QVERIFY(std::abs(probability - std::exp(id ? 3. : 1.) / (std::exp(1.) + std::exp(3.))) < 1e-6);
        }
        QVERIFY_EXCEPTION_THROWN(Sampler(s).draw(std::vector<float> { -INFINITY, NAN }, {}), Error);
        s.temperature = -1;
        QVERIFY_EXCEPTION_THROWN(Sampler { s }, ConfigError);
    }

    /// Writing goes on inside a character: together with the bytes of the prompt those that are drawn make it whole.
    void aCharacterThatThePromptBegan()
    {
        ModelConfig config;
        config.family = "transformer";
        config.vocabulary = 256;
        config.layers = 1;
        config.width = 32;
        config.queryHeads = 4;
        config.kvHeads = 2;
        config.qkMode = "dot";
        config.mainWidth = 64;
        LanguageModel model(config, 1);
        constexpr std::int64_t first = 0xC3, second = 0xA9; // of e with an acute accent
        {
            const torch::NoGradGuard guard; // a network whose layers add nothing, and that always says the second byte
            const auto row = torch::arange(32, torch::kFloat).remainder(2) * 2 - 1;
            for (auto& [name, weight] : namedWeights(model))
                if (weight.dim() > 1) weight.detach().zero_();
            for (auto& [name, weight] : namedWeights(model))
                if (name == "embedding") {
                    weight.detach().copy_(row.expand({ 256, 32 }));
                    weight.detach().select(0, second).mul_(2);
                }
        }
        const auto tokenizer = byteTokenizer();
        for (const bool told : { false, true }) {
            GenerateOptions options;
            options.sampling.temperature = 0;
            options.sampling.maxTokens = 1;
            options.promptProbabilities = told;
            std::string all;
            const auto written = generateText(
                model, *tokenizer, {}, { 'a', first }, options, [&](const GeneratedToken& t) { all += t.text; }, {});
            QCOMPARE(written.tokens.size(), std::size_t(1));
            QCOMPARE(written.tokens[0].id, second);
            QCOMPARE(written.text, std::string("\u00e9"));
            QCOMPARE(all, std::string(told ? "a\u00e9" : "\u00e9"));
        }
    }
};

PHA_TEST(SamplerTest)
#include "sampler_test.moc"
