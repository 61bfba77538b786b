// SPDX-License-Identifier: GPL-3.0-or-later
// The network against independent forms of itself. The identities over every variant are runSelftest's, which users run
// too.
#include "engine/model/cpu_kernels.h"
#include "engine/model/weights.h"
#include "engine/torch/cpu_allocator.h"
#include "tests/model/numbers.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>

using namespace pha;
using test::largest;

namespace {

ModelConfig small()
{
    ModelConfig c;
    c.vocabulary = 61;
    c.layers = 2;
    c.width = 24;
    c.queryHeads = 3;
    c.kvHeads = 3;
    c.gssExpand = 48;
    c.gssWidth = 6;
    c.gssState = 8;
    c.gssHidden = 20;
    c.auxWidth = 16;
    c.mainWidth = 32;
    return c;
}

Tensor idsOf(std::int64_t rows, std::int64_t length)
{
    return torch::arange(rows * length, torch::kLong).mul(17).remainder(61).view({ rows, length });
}

/// Naive attention of (B,T,H,dh) with repeated key heads.
Tensor naiveAttention(const Tensor& q, const Tensor& k, const Tensor& v)
{
    const auto G = q.size(2) / k.size(2);
    const auto kk = k.repeat_interleave(G, 2).transpose(1, 2), vv = v.repeat_interleave(G, 2).transpose(1, 2);
    const auto s = torch::matmul(q.transpose(1, 2), kk.transpose(2, 3));
    const auto hidden = torch::ones({ q.size(1), k.size(1) }, torch::kBool).triu(k.size(1) - q.size(1) + 1);
    return torch::matmul(torch::softmax(s.masked_fill(hidden, -INFINITY), -1), vv).transpose(1, 2);
}

} // namespace

class ModelTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        installCpuAllocator();
        torch::manual_seed(11);
        at::set_num_threads(1);
    }

    void attentionEqualsNaive_data()
    {
        QTest::addColumn<int>("queries");
        QTest::addColumn<int>("keys");
        QTest::addColumn<int>("kvHeads");
        QTest::newRow("one block") << 40 << 40 << 4;
        QTest::newRow("several blocks, grouped") << 300 << 300 << 2;
        QTest::newRow("after a cache") << 5 << 140 << 1;
        QTest::newRow("one query") << 1 << 33 << 2;
    }
    void attentionEqualsNaive()
    {
        QFETCH(int, queries);
        QFETCH(int, keys);
        QFETCH(int, kvHeads);
        for (const auto type : { torch::kFloat, torch::kDouble }) {
            const auto make = [&](int T, int H) {
                return torch::randn({ 2, T, H, 8 }, torch::kDouble).to(type).requires_grad_();
            };
            const auto q = make(queries, 4), k = make(keys, kvHeads), v = make(keys, kvHeads);
            const auto own = causalAttention(q, k, v), plain = naiveAttention(q, k, v);
            const double tolerance = type == torch::kFloat ? 2e-5 : 1e-12;
            QVERIFY(largest(own - plain) < tolerance);
            const auto weights = torch::randn_like(own);
            const auto a = torch::autograd::grad({ (own * weights).sum() }, { q, k, v });
            const auto b = torch::autograd::grad({ (plain * weights).sum() }, { q, k, v });
            for (std::size_t i = 0; i < 3; ++i) QVERIFY(largest(a[i] - b[i]) < tolerance * 20);
        }
    }

    void sharedHeadsEqualRepeatedOnes()
    {
        auto grouped = small();
        grouped.queryHeads = 4;
        grouped.kvHeads = 2;
        auto full = grouped;
        full.kvHeads = 4;
        LanguageModel a(grouped, 5), b(full, 5);
        const torch::NoGradGuard guard;
        const auto wa = namedWeights(a), wb = namedWeights(b);
        for (std::size_t i = 0; i < wa.size(); ++i) {
            auto value = wa[i].second;
            if (wa[i].first.ends_with("attention.key") || wa[i].first.ends_with("attention.value"))
                value = value.view({ 2, 6, 24 }).repeat_interleave(2, 0).reshape({ 24, 24 });
            wb[i].second.detach().copy_(value);
        }
        QVERIFY(largest(a.forward(idsOf(2, 20), {}) - b.forward(idsOf(2, 20), {})) < 1e-5);
    }

    void ropeDependsOnDistanceOnly()
    {
        const auto q = torch::randn({ 1, 1, 1, 16 }, torch::kDouble), k = torch::randn({ 1, 1, 1, 16 }, torch::kDouble);
        const auto score = [&](std::int64_t at, std::int64_t from) {
            const auto turn = [](const Tensor& x, std::int64_t p) {
                return applyRope(x, ropeTables(p, 1, 16, 10000, torch::kCPU, torch::kDouble));
            };
            return (turn(q, at) * turn(k, from)).sum().item<double>();
        };
        QVERIFY(std::abs(score(9, 4) - score(5009, 5004)) < 1e-9);
        QVERIFY(std::abs(score(9, 4) - score(9, 3)) > 1e-6);
    }

    void ropeIsRoundedOnce()
    {
        const auto x = torch::randn({ 1, 40, 2, 16 }).to(torch::kBFloat16);
        const auto rope = ropeTables(3, 40, 16, 10000, torch::kCPU, torch::kFloat);
        QVERIFY(torch::equal(applyRope(x, rope), applyRope(x.to(torch::kFloat), rope).to(torch::kBFloat16)));
    }

    /// Of several highest logits one is the answer, in every form of the loss the first.
    void tiesHaveOneWinner()
    {
        for (const auto type : { torch::kFloat, torch::kBFloat16 }) {
            auto logits = torch::zeros({ 21, 21 }).to(type);
            logits.narrow(0, 0, 10).narrow(1, 5, 9).fill_(2); // nine share the top
            auto correct = torch::empty({ 21 }, torch::kBool);
            const auto targets = torch::arange(21);
            const auto wanted = logits.argmax(1) == targets;
            softmaxLossCpu(logits, targets, false, correct);
            QVERIFY(torch::equal(correct, wanted));
            QCOMPARE(correct.sum().item<std::int64_t>(), std::int64_t(1)); // row 5
        }
    }

    void branchesAreDroppedInEveryMode_data()
    {
        QTest::addColumn<QString>("mode");
        for (const char* mode : { "softplus", "softmax", "fixed", "sigmoid", "channel_sigmoid", "token_sigmoid" })
            QTest::newRow(mode) << mode;
    }
    void branchesAreDroppedInEveryMode()
    {
        QFETCH(QString, mode);
        auto config = small();
        config.mixMode = mode.toStdString();
        LanguageModel model(config, 3);
        const auto ids = idsOf(2, 10);
        Pass kept, dropped;
        kept.training = dropped.training = true;
        dropped.branchDropout = 1;
        const torch::NoGradGuard guard;
        QVERIFY(largest(model.forward(ids, kept) - model.forward(ids, dropped)) > 1e-3);
    }

    void cosineScoresAreBoundedByTheTemperature()
    {
        // With values that are one-hot per key the attention weights themselves come out; tau bounds their logits.
        const auto q = rmsNorm(torch::randn({ 1, 12, 2, 8 }) * 50, {}, torch::kFloat, 1e-12 / 8) * (10.0 / 8);
        const auto k = rmsNorm(torch::randn({ 1, 12, 2, 8 }) * 1e-3, {}, torch::kFloat, 1e-12 / 8);
        const auto scores = torch::matmul(q.transpose(1, 2), k.transpose(1, 2).transpose(2, 3));
        QVERIFY(largest(scores) <= 10.0 + 1e-4);
        QVERIFY(largest(scores) > 3);
    }

    void fusedKernelsEqualPlainOperations()
    {
        for (const auto type : { torch::kFloat, torch::kBFloat16 }) {
            const double tolerance = type == torch::kFloat ? 1e-5 : 0.05;
            const auto x = torch::randn({ 37, 45 }).to(type).requires_grad_();
            const auto gain = (torch::rand({ 45 }) + 0.5).requires_grad_();
            const auto plainX = x.detach().to(torch::kFloat).requires_grad_();
            const auto own = rmsNorm(x, gain, type);
            const auto plain = plainX * (plainX.square().mean(-1, true) + normEps).rsqrt() * gain;
            QVERIFY(largest(own.to(torch::kFloat) - plain) < tolerance);
            const auto weights = torch::randn({ 37, 45 });
            const auto a = torch::autograd::grad({ (own.to(torch::kFloat) * weights).sum() }, { x, gain });
            const auto b = torch::autograd::grad({ (plain * weights).sum() }, { plainX, gain });
            QVERIFY(largest(a[0].to(torch::kFloat) - b[0]) < tolerance * 2);
            QVERIFY(largest(a[1] - b[1]) < tolerance * 20);

            const auto g = torch::randn({ 37, 45 }).mul(4).to(type).requires_grad_(),
                       u = torch::randn({ 37, 45 }).to(type).requires_grad_();
            const auto fused = swiglu(g, u), parts = torch::silu(g) * u;
            QVERIFY(largest((fused - parts).to(torch::kFloat)) < tolerance * 4);
            const auto c = torch::autograd::grad({ (fused * weights.to(type)).sum() }, { g, u });
            const auto d = torch::autograd::grad({ (parts * weights.to(type)).sum() }, { g, u });
            for (std::size_t i = 0; i < 2; ++i) QVERIFY(largest((c[i] - d[i]).to(torch::kFloat)) < tolerance * 8);
        }
    }

    void gatedScanGradients()
    {
        auto a = torch::rand({ 2, 9, 5 }, torch::kDouble).requires_grad_(),
             b = torch::randn({ 2, 9, 5 }, torch::kDouble).requires_grad_();
        auto start = torch::randn({ 2, 5 }, torch::kDouble).requires_grad_();
        const auto weights = torch::randn({ 2, 9, 5 }, torch::kDouble);
        const auto value = [&] { return (gatedScan(a, b, start) * weights).sum(); };
        const auto gradients = torch::autograd::grad({ value() }, { a, b, start });
        std::vector<Tensor> inputs { a, b, start };
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            const torch::NoGradGuard guard;
            auto flat = inputs[i].detach().view(-1);
            for (std::int64_t j = 0; j < flat.numel(); j += 7) {
                const double h = 1e-6, x = flat[j].item<double>();
                flat[j] = x + h;
                const double up = value().item<double>();
                flat[j] = x - h;
                const double down = value().item<double>();
                flat[j] = x;
                const double expected = (up - down) / (2 * h), got = gradients[i].reshape(-1)[j].item<double>();
                QVERIFY(std::abs(expected - got) <= 1e-6 * std::max(1.0, std::abs(expected)));
            }
        }
    }

    /// The whole network in double against finite differences, every parameter tensor once: mixing gradients included.
    void gradientsOfTheWholeNetwork_data()
    {
        QTest::addColumn<QString>("change");
        for (const char* change :
            { "softplus s4d", "token dss", "channel_sigmoid gated_rec", "sigmoid deepnorm_post", "softmax qknorm" })
            QTest::newRow(change) << change;
    }
    void gradientsOfTheWholeNetwork()
    {
        QFETCH(QString, change);
        auto config = small();
        config.layers = 1;
        const auto words = change.split(' ');
        config.mixMode = words[0].toStdString();
        if (words[1] == "dss") config.gssKernel = "dss";
        if (words[1] == "gated_rec") config.gssKind = "gated_rec";
        if (words[1] == "deepnorm_post") config.residualMode = "deepnorm_post";
        if (words[1] == "qknorm") config.qkMode = "qknorm";
        LanguageModel model(config, 3);
        model.to(torch::kDouble);
        const auto ids = idsOf(2, 11), targets = ids.roll(-1, 1);
        const auto loss = [&] { return model.lossSum(ids, targets, {}); };
        model.zero_grad();
        loss().backward();
        for (const auto& [name, weight] : namedWeights(model)) {
            if (!weight.requires_grad()) continue;
            const auto gradient = weight.grad().detach().clone().view(-1);
            const torch::NoGradGuard guard;
            auto flat = weight.detach().view(-1);
            const auto j = gradient.abs().argmax().item<std::int64_t>(); // the entry that matters most
            const double h = 1e-5, x = flat[j].item<double>();
            flat[j] = x + h;
            const double up = loss().item<double>();
            flat[j] = x - h;
            const double down = loss().item<double>();
            flat[j] = x;
            const double expected = (up - down) / (2 * h), got = gradient[j].item<double>();
            QVERIFY2(std::abs(expected - got) <= 1e-5 * std::max(1e-2, std::abs(expected)),
                (name + " " + std::to_string(expected) + " " + std::to_string(got)).c_str());
            if (name.find("mixing.logits") != std::string::npos) QVERIFY(std::abs(got) > 0);
        }
    }

    void mixingStartsEvenAndSumsToOne()
    {
        for (const std::string mode : { "softplus", "softmax", "fixed", "channel_softmax", "sigmoid", "channel_sigmoid",
                 "token", "token_sigmoid" }) {
            auto config = small();
            config.mixMode = mode;
            LanguageModel model(config, 1);
            std::vector<LayerMix> mix;
            Pass pass;
            pass.record = &mix;
            model.forward(idsOf(1, 16), pass);
            QCOMPARE(mix.size(), std::size_t(2));
            for (const auto& layer : mix) {
                QCOMPARE(layer.branches.size(), std::size_t(3));
                for (const auto& b : layer.branches) QVERIFY2(std::abs(b.mean - 1.0 / 3) < 1e-6, mode.c_str());
                QVERIFY(std::abs(layer.entropy - 1) < 1e-6);
            }
        }
    }

    /// A gain of the branch's norm scales the weight that is shown and its spread alike.
    void gainsScaleWeightAndSpread()
    {
        for (const std::string mode : { "channel_softmax", "softmax" }) {
            auto config = small();
            config.mixMode = mode;
            config.branchNormAffine = true;
            LanguageModel model(config, 1);
            const auto shown = [&](double gain) {
                const torch::NoGradGuard guard;
                for (const auto& [name, weight] : namedWeights(model))
                    if (name.find(".mixing.norm_") != std::string::npos) weight.detach().fill_(gain);
                std::vector<LayerMix> mix;
                Pass pass;
                pass.record = &mix;
                model.forward(idsOf(1, 16), pass);
                return mix;
            };
            {
                const torch::NoGradGuard guard;
                for (const auto& [name, weight] : namedWeights(model))
                    if (name.ends_with(".mixing.logits"))
                        weight.detach().copy_(torch::linspace(-1, 1, weight.numel()).view(weight.sizes()));
            }
            const auto plain = shown(1), scaled = shown(3);
            QCOMPARE(scaled.size(), std::size_t(2));
            for (std::size_t layer = 0; layer < scaled.size(); ++layer)
                for (std::size_t k = 0; k < 3; ++k) {
                    const auto &a = plain[layer].branches.at(k), &b = scaled[layer].branches.at(k);
                    QCOMPARE(b.mean, 3 * a.mean);
                    QCOMPARE(b.deviation, 3 * a.deviation);
                    QCOMPARE(b.minimum, 3 * a.minimum);
                    QCOMPARE(b.maximum, 3 * a.maximum);
                    QVERIFY(b.minimum <= b.mean * (1 + 1e-9) && b.mean <= b.maximum * (1 + 1e-9));
                    QCOMPARE(b.normalised, a.normalised);
                    QCOMPARE(b.deviation > 0, mode == "channel_softmax");
                }
        }
    }

    void mutingEqualsAWeightOfZeroAndFixedEqualsTheMean()
    {
        auto config = small();
        LanguageModel model(config, 1);
        auto fixed = config;
        fixed.mixMode = "fixed";
        LanguageModel same(fixed, 1);
        {
            const torch::NoGradGuard guard;
            const auto from = namedWeights(model);
            for (const auto& [name, weight] : namedWeights(same))
                for (const auto& [other, value] : from)
                    if (name == other) weight.detach().copy_(value);
        }
        const auto plain = model.forward(idsOf(1, 16), {});
        QVERIFY(largest(plain - same.forward(idsOf(1, 16), {})) < 1e-6); // softplus starts at 1/3 each
        std::vector<MixOverride> given;
        for (const char* branch : { "gss", "attention", "ffn" }) given.push_back({ -1, branch, 1.0 / 3 });
        Pass pass;
        pass.mix = &given;
        QVERIFY(largest(plain - model.forward(idsOf(1, 16), pass)) < 1e-6);
        given = { { 1, "gss", 0 } };
        QVERIFY(largest(plain - model.forward(idsOf(1, 16), pass)) > 1e-3);
    }

    void stateForksAreIndependent()
    {
        LanguageModel model(small(), 2);
        const torch::NoGradGuard guard;
        auto state = model.freshState();
        model.forward(idsOf(1, 10), {}, &state);
        auto fork = state.clone();
        const auto one = torch::full({ 1, 1 }, 3, torch::kLong);
        const auto first = model.forward(one, {}, &fork);
        model.forward(torch::full({ 1, 1 }, 9, torch::kLong), {}, &fork);
        QVERIFY(largest(model.forward(one, {}, &state) - first) == 0);
        QCOMPARE(state.length, std::int64_t(11));
        QVERIFY(state.bytes() > 0);
    }

    void memoryOfTheStateSpaceGrowsLinearly_data()
    {
        QTest::addColumn<QString>("kernel");
        QTest::addColumn<QString>("convolution");
        QTest::newRow("s4d") << "s4d"
                             << "auto";
        QTest::newRow("dss by FFT") << "dss"
                                    << "fft";
        QTest::newRow("dss in chunks") << "dss"
                                       << "chunked";
    }
    void memoryOfTheStateSpaceGrowsLinearly()
    {
        QFETCH(QString, kernel);
        QFETCH(QString, convolution);
        auto config = small();
        config.gssKernel = kernel.toStdString();
        config.gssConvolution = convolution.toStdString();
        config.gssWidth = 16;
        config.gssState = 64;
        const auto branch = makeBranch("gss", config);
        {
            const torch::NoGradGuard guard;
            for (auto& p : branch->parameters()) p.normal_(0, 0.1);
        }
        // Everything that backward needs, and the most that ever lives at once.
        const auto cost = [&](std::int64_t T) {
            const auto u = torch::randn({ 1, T, 24 }).requires_grad_();
            resetCpuPeakBytes();
            const auto before = cpuLiveBytes();
            branch->forward(u, {}, 0, nullptr).sum().backward();
            return double(cpuPeakBytes() - before);
        };
        cost(2048);
        const double small = cost(4096), large = cost(16384);
        QVERIFY2(large / small < 4.3, std::to_string(large / small).c_str());
        // A kernel tensor [h,N,T] alone would be 16 * 64 * 4 = 4096 bytes a token.
        QVERIFY2(large / 16384 < 4096, std::to_string(large / 16384).c_str());
    }
};

PHA_TEST(ModelTest)
#include "model_test.moc"
