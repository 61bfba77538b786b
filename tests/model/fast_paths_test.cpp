// SPDX-License-Identifier: GPL-3.0-or-later
// What a processor computes by loops of its own against the readable form in tensor operations: values and gradients.
#include "engine/model/fused_cpu.h"
#include "engine/model/fused_ops.h"
#include "engine/model/weights.h"
#include "engine/train/optimizer.h"
#include "tests/model/numbers.h"
#include "tests/suite.h"

#include <QtTest>

#include <functional>

using namespace pha;
using test::distance, test::largest;

namespace {

ModelConfig medium()
{
    ModelConfig c;
    c.vocabulary = 101;
    c.layers = 2;
    c.width = 64;
    c.queryHeads = 4;
    c.kvHeads = 2;
    c.gssExpand = 96;
    c.gssWidth = 16;
    c.gssState = 12; // six states: a group of four and two
    c.auxWidth = 40;
    c.mainWidth = 72;
    return c;
}

struct Plain {
    Plain() { useFusedKernels(false); }
    ~Plain() { useFusedKernels(true); }
};

struct Outcome {
    Tensor logits;
    std::vector<std::pair<std::string, Tensor>> gradients;
};

/// One pass in training, in `type`; double always takes the readable form.
Outcome train(const ModelConfig& config, torch::Dtype type, std::int64_t length, const Pass& pass = {})
{
    LanguageModel model(config, 7);
    model.to(type);
    const auto ids = torch::arange(3 * length, torch::kLong).mul(31).remainder(config.vocabulary).view({ 3, length });
    (model.lossSum(ids, ids.roll(-1, 1), pass) / double(3 * length)).backward();
    Outcome outcome;
    for (const auto& [name, weight] : namedWeights(model))
        if (weight.grad().defined()) outcome.gradients.emplace_back(name, weight.grad().to(torch::kDouble));
    const torch::NoGradGuard off;
    outcome.logits = model.logits(model.forward(ids, pass), pass).to(torch::kDouble);
    return outcome;
}

} // namespace

class FastPathsTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    /// Operands as they stand, turned, as parts of larger matrices and as none of these; results that are a part, set
    /// or added to; sizes of none and of one.
    void productsOfEveryLayout()
    {
        const torch::NoGradGuard off;
        const std::function<Tensor(std::int64_t, std::int64_t)> forms[] = {
            [](auto rows, auto columns) {
                return torch::randn({ rows, columns });
            },
            [](auto rows, auto columns) {
                return torch::randn({ columns, rows }).t();
            },
            [](auto rows, auto columns) {
                return torch::randn({ rows + 3, columns + 5 }).narrow(0, 2, rows).narrow(1, 4, columns);
            },
            [](auto rows, auto columns) {
                return torch::randn({ rows, 2 * columns + 1 }).slice(1, 0, 2 * columns, 2);
            },
            [](auto rows, auto columns) {
                return torch::randn({ 1, columns }).expand({ rows, columns });
            },
        };
        struct Shape {
            std::int64_t rows, columns, inner;
        };
        for (const auto [rows, columns, inner] : { Shape { 1, 1, 1 }, { 7, 5, 1 }, { 1, 33, 40 }, { 65, 1, 9 },
                 { 300, 130, 257 }, { 0, 4, 3 }, { 4, 3, 0 } })
            for (const auto& left : forms)
                for (const auto& right : forms) {
                    const auto a = left(rows, inner), b = right(inner, columns);
                    const auto exact = a.to(torch::kDouble).mm(b.to(torch::kDouble));
                    const auto near = [&](const Tensor& got, const Tensor& wanted) {
                        return got.sizes() == wanted.sizes()
                            && (!wanted.numel() || largest(got - wanted) <= 1e-5 * (1 + largest(wanted)));
                    };
                    QVERIFY(near(cpu::productOf(a, b), exact));
                    const auto whole = torch::randn({ rows + 2, columns + 3 }), before = whole.clone();
                    const auto part = whole.narrow(0, 1, rows).narrow(1, 2, columns), old = part.clone();
                    cpu::productInto(part, a, b, true);
                    QVERIFY(near(part, exact + old));
                    cpu::productInto(part, a, b);
                    QVERIFY(near(part, exact));
                    part.copy_(old);
                    QVERIFY(torch::equal(whole, before)); // nothing around it
                }
    }

    void networksEqualTheReadableForm_data();
    void networksEqualTheReadableForm();
    void threadsDoNotMatter();
    void textsAreReadOnFromAState();
    void muonEqualsItsFormula_data();
    void muonEqualsItsFormula();
};

void FastPathsTest::networksEqualTheReadableForm_data()
{
    QTest::addColumn<ModelConfig>("config");
    QTest::addColumn<int>("length");
    const auto row = [](const char* name, int length, auto&& change) {
        auto config = medium();
        change(config);
        QTest::newRow(name) << config << length;
    };
    row("pha", 70, [](auto&) {});
    row("a span of the state space and more", 150, [](auto&) {});
    row("one token", 1, [](auto&) {});
    row("odd widths", 45, [](auto& c) {
        c.width = 66; // heads of 22
        c.queryHeads = c.kvHeads = 3;
        c.gssExpand = 51;
        c.gssWidth = 24;
        c.auxWidth = 27;
        c.mainWidth = 35;
    });
    row("channels that are no multiple of 8", 45, [](auto& c) { c.gssWidth = 20; });
    row("token", 40, [](auto& c) { c.mixMode = "token"; });
    row("sigmoid, scaled residual", 40, [](auto& c) {
        c.mixMode = "sigmoid";
        c.residualMode = "prenorm_scaled";
    });
    row("literal residual", 40, [](auto& c) { c.residualMode = "prenorm_alpha_literal"; });
    row("channel weights", 40, [](auto& c) { c.mixMode = "channel_softmax"; });
    row("norm after", 40, [](auto& c) { c.residualMode = "deepnorm_post"; });
    row("lean", 40, [](auto& c) {
        c.family = "pha-lean";
        c.branches = "gss,attention";
        c.qkMode = "qknorm";
    });
    row("dss", 40, [](auto& c) { c.gssKernel = "dss"; });
    row("transformer", 40, [](auto& c) {
        c.family = "transformer";
        c.qkMode = "dot";
        c.ffnKind = "gelu";
        c.kvHeads = 4;
    });
    row("gelu_tanh", 40, [](auto& c) { c.ffnKind = "gelu_tanh"; });
    row("relu2", 40, [](auto& c) { c.ffnKind = "relu2"; });
}

void FastPathsTest::networksEqualTheReadableForm()
{
    QFETCH(ModelConfig, config);
    QFETCH(int, length);
    const auto exact = train(config, torch::kDouble, length), fast = train(config, torch::kFloat, length);
    const auto plain = [&] {
        const Plain readable;
        return train(config, torch::kFloat, length);
    }();
    QCOMPARE(fast.gradients.size(), exact.gradients.size());
    // As exact as the readable form in the same precision, or nearly.
    const auto close = [&](const std::string& what, const Tensor& f, const Tensor& p, const Tensor& e) {
        const double own = distance(f, e), allowed = std::max(3e-5, 4 * distance(p, e));
        QVERIFY2(own < allowed, (what + ": " + std::to_string(own) + " > " + std::to_string(allowed)).c_str());
    };
    close("logits", fast.logits, plain.logits, exact.logits);
    for (std::size_t i = 0; i < exact.gradients.size(); ++i)
        close(exact.gradients[i].first, fast.gradients[i].second, plain.gradients[i].second, exact.gradients[i].second);
}

void FastPathsTest::threadsDoNotMatter()
{
    const int before = at::get_num_threads();
    auto config = medium();
    config.kvHeads = 1;
    config.gssExpand = 512; // enough numbers for several threads
    at::set_num_threads(1);
    const auto one = train(config, torch::kFloat, 96);
    at::set_num_threads(3);
    const auto three = train(config, torch::kFloat, 96);
    at::set_num_threads(before);
    QVERIFY(test::sameForThreads(one.logits, three.logits));
    for (std::size_t i = 0; i < one.gradients.size(); ++i)
        QVERIFY2(
            test::sameForThreads(one.gradients[i].second, three.gradients[i].second), one.gradients[i].first.c_str());
}

void FastPathsTest::textsAreReadOnFromAState()
{
    const torch::NoGradGuard off;
    LanguageModel model(medium(), 3);
    const auto ids = torch::arange(2 * 160, torch::kLong).mul(17).remainder(101).view({ 2, 160 });
    const auto whole = model.forward(ids, {});
    auto state = model.freshState();
    std::vector<Tensor> pieces;
    for (std::int64_t at = 0, n = 0; at < 160; at += n) {
        n = at == 0 ? 7 : at == 7 ? 140 : 1; // uneven pieces, across a span, then single tokens
        pieces.push_back(model.forward(ids.narrow(1, at, n), {}, &state));
    }
    const double error = largest(torch::cat(pieces, 1) - whole);
    QVERIFY2(error < 2e-4, std::to_string(error).c_str());
}

void FastPathsTest::muonEqualsItsFormula_data()
{
    QTest::addColumn<int>("rows");
    QTest::addColumn<int>("columns");
    QTest::newRow("square") << 48 << 48;
    QTest::newRow("tall") << 96 << 24;
    QTest::newRow("wide, not a multiple of 8") << 19 << 83;
    QTest::newRow("one row") << 1 << 40;
}
void FastPathsTest::muonEqualsItsFormula()
{
    QFETCH(int, rows);
    QFETCH(int, columns);
    torch::manual_seed(3);
    const auto g = torch::randn({ rows, columns });
    TrainingConfig training;
    training.optimizer = "muon";
    training.muonWeightDecay = 0.1;
    LanguageModel model(medium(), 1);
    // Any matrix of a layer will do: it takes the shape that is wanted.
    auto weight = model.named_parameters()["layers_0.main.up"];
    weight.set_data(torch::randn({ rows, columns }));
    Muon muon(model, training);
    weight.mutable_grad() = g;
    const auto before = weight.detach().clone();
    muon.step(0.02, 0.5);
    const auto m = 0.5 * g * (1 - training.muonMomentum);
    const auto update = orthogonalise(torch::lerp(0.5 * g, m, training.muonMomentum));
    const double shape = std::sqrt(std::max(1.0, double(rows) / double(columns)));
    const auto expected = before * (1 - 0.02 * 0.1) - 0.02 * shape * update;
    QVERIFY(distance(weight.detach() - before, expected - before) < 1e-4);
    for (const auto& [name, momentum] : muon.state())
        if (name.ends_with("layers.0.main.up")) QVERIFY(distance(momentum, m) < 1e-6);
}

PHA_TEST(FastPathsTest)
#include "fast_paths_test.moc"
