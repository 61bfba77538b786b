// SPDX-License-Identifier: GPL-3.0-or-later
// Linear attention against its definition, and the ways of reading a text against each other.
#include "engine/model/hedgehog.h"
#include "engine/model/linear_attention.h"
#include "engine/torch/cpu_allocator.h"
#include "tests/model/numbers.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>

using namespace pha;
using test::largest;

namespace {

/// a_ij = phi(q_i) . phi(k_j) / (sum_{m<=i} phi(q_i) . phi(k_m)), as whole matrices.
Tensor definition(const Tensor& q, const Tensor& k, const Tensor& v)
{
    const auto scores = torch::bmm(q, k.transpose(1, 2)).tril();
    return torch::bmm(scores / (scores.sum(-1, true) + 1e-12), v);
}

struct Inputs {
    Tensor q, k, v;
};
Inputs features(std::int64_t T, const std::string& map, torch::Dtype type)
{
    torch::manual_seed(8);
    const auto phi = [&] {
        return featureMap(torch::randn({ 3, T, 5 }, torch::kDouble).to(type) * 2, map == "exp").requires_grad_();
    };
    const auto q = phi(), k = phi();
    return { q, k, torch::randn({ 3, T, 4 }, torch::kDouble).to(type).requires_grad_() };
}

ModelConfig shape(const std::string& map, std::int64_t kvHeads)
{
    ModelConfig c;
    c.family = "hedgehog";
    c.width = 24;
    c.queryHeads = 4;
    c.kvHeads = kvHeads;
    c.qkMode = "dot";
    c.featureMap = map;
    c.biases = true;
    return c;
}

std::shared_ptr<HedgehogBranch> drawnBranch(const ModelConfig& config, torch::Dtype type)
{
    torch::manual_seed(5);
    auto branch = std::make_shared<HedgehogBranch>(config);
    for (auto& p : branch->parameters()) p.set_data(torch::randn(p.sizes(), torch::kDouble).mul(0.4).to(type));
    return branch;
}

Tensor drawnInput(std::int64_t T, torch::Dtype type)
{
    torch::manual_seed(6);
    return torch::randn({ 2, T, 24 }, torch::kDouble).to(type);
}

/// Compares one entry of each gradient, the largest, with differences of `value`.
template <class Value> void compareWithDifferences(const Value& value, const std::vector<Tensor>& inputs)
{
    const auto gradients = torch::autograd::grad({ value() }, inputs);
    const torch::NoGradGuard guard;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        auto flat = inputs[i].detach().view(-1);
        const auto j = gradients[i].reshape(-1).abs().argmax().template item<std::int64_t>();
        const double h = 1e-6, x = flat[j].template item<double>();
        flat[j] = x + h;
        const double up = value().template item<double>();
        flat[j] = x - h;
        const double down = value().template item<double>();
        flat[j] = x;
        const double expected = (up - down) / (2 * h), got = gradients[i].reshape(-1)[j].template item<double>();
        QVERIFY2(std::abs(expected - got) <= 1e-6 * std::max(1.0, std::abs(expected)), std::to_string(i).c_str());
    }
}

} // namespace

class HedgehogTest : public QObject {
    Q_OBJECT

    static void mapsAndTypes()
    {
        QTest::addColumn<QString>("map");
        QTest::addColumn<bool>("exact");
        for (const char* map : { "softmax", "exp" })
            for (const bool exact : { true, false })
                QTest::newRow(QByteArray(map) + (exact ? ", fp64" : ", fp32")) << QString(map) << exact;
    }

private Q_SLOTS:
    void initTestCase() { installCpuAllocator(); }

    void featuresArePositiveAndBounded()
    {
        const auto z = torch::tensor({ { -500.0, 0.0, 500.0 } }, torch::kFloat);
        const auto soft = featureMap(z, false), exponential = featureMap(z, true);
        QVERIFY(soft.isfinite().all().item<bool>() && exponential.isfinite().all().item<bool>());
        QVERIFY(soft.min().item<double>() >= 0.99e-12 && largest(soft) <= 1);
        QVERIFY(std::abs(largest(exponential) / std::exp(12.0) - 1) < 1e-6);
        QCOMPARE(soft.size(-1), std::int64_t(6));
    }

    void gradientsOfTheFeatureMaps()
    {
        for (const bool exponential : { false, true }) {
            torch::manual_seed(2);
            const auto z = torch::randn({ 4, 6 }, torch::kDouble).mul(2).requires_grad_();
            const auto weights = torch::randn({ 4, 12 }, torch::kDouble);
            compareWithDifferences([&] { return (featureMap(z, exponential) * weights).sum(); }, { z });
        }
        const auto far = torch::full({ 1, 2 }, 20.0).requires_grad_(); // beyond the clamp nothing moves
        QCOMPARE(largest(torch::autograd::grad({ featureMap(far, true).sum() }, { far })[0]), 0.0);
    }

    void chunksEqualTheDefinition_data() { mapsAndTypes(); }
    void chunksEqualTheDefinition()
    {
        QFETCH(QString, map);
        QFETCH(bool, exact);
        const std::int64_t T = 53;
        const auto x = features(T, map.toStdString(), exact ? torch::kDouble : torch::kFloat);
        const auto expected = definition(x.q, x.k, x.v);
        const auto weights = torch::randn_like(expected);
        const auto g = torch::autograd::grad({ (expected * weights).sum() }, { x.q, x.k, x.v });
        const double tolerance = exact ? 1e-10 : 1e-4;
        for (const auto C : std::vector<std::int64_t> { 1, 16, T, 64 }) {
            const auto own = linearAttention(x.q, x.k, x.v, nullptr, C);
            QVERIFY(largest(own - expected) < tolerance);
            const auto gradients = torch::autograd::grad({ (own * weights).sum() }, { x.q, x.k, x.v });
            for (std::size_t i = 0; i < 3; ++i)
                QVERIFY(largest(gradients[i] - g[i]) < tolerance * std::max(1.0, largest(g[i])));
        }
    }

    /// S_t = S_{t-1} + phi(k_t) v_t^T and z_t likewise, token after token.
    void recurrenceEqualsTheDefinition_data() { mapsAndTypes(); }
    void recurrenceEqualsTheDefinition()
    {
        QFETCH(QString, map);
        QFETCH(bool, exact);
        const torch::NoGradGuard guard;
        const auto x = features(40, map.toStdString(), exact ? torch::kDouble : torch::kFloat);
        const auto expected = definition(x.q, x.k, x.v);
        for (const auto& lengths :
            std::vector<std::vector<std::int64_t>> { std::vector<std::int64_t>(40, 1), { 7, 13, 20 }, { 39, 1 } }) {
            Tensor sums;
            std::vector<Tensor> parts;
            std::int64_t at = 0;
            for (const auto n : lengths) {
                const auto part = [&](const Tensor& t) { return t.narrow(1, at, n); };
                parts.push_back(linearAttention(part(x.q), part(x.k), part(x.v), &sums, 8));
                at += n;
            }
            QVERIFY(largest(torch::cat(parts, 1) - expected) < (exact ? 1e-10 : 1e-4));
            QVERIFY(largest(sums.select(2, 4) - x.k.sum(1)) < 1e-4 * largest(x.k) * 40); // the column of ones
        }
    }

    /// Projections, rotation, repeated heads, features: the whole part from its definition.
    void forwardEqualsTheDefinition_data()
    {
        QTest::addColumn<QString>("map");
        QTest::addColumn<int>("kvHeads");
        for (const char* map : { "softmax", "exp" })
            for (const int kv : { 1, 2, 4 })
                QTest::newRow(QByteArray(map) + ", " + QByteArray::number(kv) + " key heads") << QString(map) << kv;
    }
    void forwardEqualsTheDefinition()
    {
        QFETCH(QString, map);
        QFETCH(int, kvHeads);
        const torch::NoGradGuard guard;
        const auto config = shape(map.toStdString(), kvHeads);
        const auto branch = drawnBranch(config, torch::kDouble);
        const auto w = branch->named_parameters();
        const auto u = drawnInput(21, torch::kDouble);
        const auto rope = ropeTables(0, 21, 6, config.ropeBase, torch::kCPU, torch::kDouble);
        const auto linear = [&](const std::string& name, const Tensor& x) {
            return at::linear(x, w[name], w[name + "_bias"]);
        };
        const auto heads = [&](const std::string& name, std::int64_t count) {
            return linear(name, u).view({ 2, 21, count, 6 });
        };
        const auto q = applyRope(heads("query", 4), rope), k = applyRope(heads("key", kvHeads), rope);
        const auto v = heads("value", kvHeads);
        std::vector<Tensor> parts;
        for (std::int64_t head = 0; head < 4; ++head) {
            const auto own = head / (4 / kvHeads);
            const auto phi = [&](const Tensor& x, const char* name) {
                const auto z = at::linear(x * std::pow(6.0, -0.25), w[name][head]);
                if (map == "exp") return torch::cat({ z.exp(), (-z).exp() }, -1);
                return torch::cat({ torch::softmax(z, -1), torch::softmax(-z, -1) }, -1);
            };
            parts.push_back(definition(
                phi(q.select(2, head), "feature_query"), phi(k.select(2, own), "feature_key"), v.select(2, own)));
        }
        QVERIFY(largest(branch->forward(u, {}, 0, nullptr) - linear("output", torch::cat(parts, -1))) < 1e-10);
    }

    void everyWayOfReadingIsTheSame_data() { mapsAndTypes(); }
    void everyWayOfReadingIsTheSame()
    {
        QFETCH(QString, map);
        QFETCH(bool, exact);
        const torch::NoGradGuard guard;
        const auto type = exact ? torch::kDouble : torch::kFloat;
        const auto branch = drawnBranch(shape(map.toStdString(), 2), type);
        const auto u = drawnInput(150, type);
        const auto whole = branch->forward(u, {}, 0, nullptr);
        for (const auto& lengths :
            std::vector<std::vector<std::int64_t>> { std::vector<std::int64_t>(150, 1), { 7, 13, 130 }, { 149, 1 } }) {
            BlockState state;
            std::vector<Tensor> parts;
            std::int64_t at = 0;
            for (const auto n : lengths) {
                parts.push_back(branch->forward(u.narrow(1, at, n), {}, at, &state));
                at += n;
            }
            QVERIFY(largest(whole - torch::cat(parts, 1)) < (exact ? 1e-10 : 1e-4));
        }
    }

    void theFutureDoesNotReachThePast()
    {
        const torch::NoGradGuard guard;
        const auto branch = drawnBranch(shape("softmax", 2), torch::kFloat);
        auto u = drawnInput(150, torch::kFloat);
        const auto before = branch->forward(u, {}, 0, nullptr).narrow(1, 0, 70);
        u.narrow(1, 70, 80).mul_(-3);
        QVERIFY(torch::equal(before, branch->forward(u, {}, 0, nullptr).narrow(1, 0, 70)));
    }

    void gradientsEqualDifferences()
    {
        for (const char* map : { "softmax", "exp" }) {
            const auto branch = drawnBranch(shape(map, 2), torch::kDouble);
            const auto u = drawnInput(9, torch::kDouble).requires_grad_();
            const auto weights = torch::randn({ 2, 9, 24 }, torch::kDouble);
            std::vector<Tensor> inputs { u };
            for (const auto& p : branch->parameters()) inputs.push_back(p);
            compareWithDifferences([&] { return (branch->forward(u, {}, 0, nullptr) * weights).sum(); }, inputs);
        }
    }

    /// A long text costs what its features cost: no matrix over pairs of tokens, no list of states is kept.
    void memoryGrowsLinearly()
    {
        const auto branch = drawnBranch(shape("softmax", 2), torch::kFloat);
        const auto kept = [&](std::int64_t T) {
            const auto u = drawnInput(T, torch::kFloat).narrow(0, 0, 1).requires_grad_();
            const auto before = cpuLiveBytes();
            const auto y = branch->forward(u, {}, 0, nullptr);
            return double(cpuLiveBytes() - before);
        };
        kept(1024);
        const double small = kept(1024), large = kept(4096);
        QVERIFY2(large / small < 4.1, std::to_string(large / small).c_str());
        // Per token and head: features of query and key (2 * 2 dh), their inputs (2 dh), values, outputs and the rest.
        QVERIFY2(large / 4096 < 4 * 4 * 6 * 20, std::to_string(large / 4096).c_str());
    }
};

PHA_TEST(HedgehogTest)
#include "hedgehog_test.moc"
