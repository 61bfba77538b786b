// SPDX-License-Identifier: GPL-3.0-or-later
// The H3 mixer against sums written out, and its three ways of reading a text against each other.
#include "engine/model/h3.h"
#include "tests/model/numbers.h"
#include "tests/suite.h"

#include <QtTest>

#include <numbers>

using namespace pha;
using test::largest;

namespace {

ModelConfig shape(std::int64_t headWidth, bool biases = true)
{
    ModelConfig c;
    c.family = "h3";
    c.width = 16;
    c.h3State = 12;
    c.h3HeadWidth = headWidth;
    c.biases = biases;
    return c;
}

/// Weights as they might be after some training: nothing at a special value.
std::shared_ptr<H3Branch> drawn(const ModelConfig& config, torch::Dtype type)
{
    torch::manual_seed(5);
    auto branch = std::make_shared<H3Branch>(config);
    const torch::NoGradGuard guard;
    for (auto& item : branch->named_parameters()) {
        auto& p = item.value();
        p.set_data(torch::randn(p.sizes(), torch::kDouble) * (item.key() == "a_im" ? 3 : 0.4));
        if (item.key() == "log_dt") p.sub_(1.5);
        p.set_data(p.to(type));
    }
    return branch;
}

Tensor input(std::int64_t T, torch::Dtype type)
{
    torch::manual_seed(6);
    return torch::randn({ 2, T, 16 }, torch::kDouble).to(type);
}

/// Reads u in pieces of these lengths, the last one repeated until all is read.
Tensor inPieces(H3Branch& branch, const Tensor& u, std::vector<std::int64_t> lengths)
{
    BlockState state;
    std::vector<Tensor> parts;
    for (std::int64_t at = 0, i = 0; at < u.size(1); ++i) {
        const auto n = std::min(lengths[std::min<std::size_t>(std::size_t(i), lengths.size() - 1)], u.size(1) - at);
        parts.push_back(branch.forward(u.narrow(1, at, n), {}, at, &state));
        at += n;
    }
    return torch::cat(parts, 1);
}

} // namespace

class H3Test : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void filterEqualsTheDirectSum_data()
    {
        QTest::addColumn<int>("taps");
        QTest::addColumn<int>("length");
        for (const int taps : { 1, 2, 7, 16 })
            for (const int length : { 1, 2, 7, 16, 17, 50 })
                QTest::addRow("%d taps, %d tokens", taps, length) << taps << length;
    }
    void filterEqualsTheDirectSum()
    {
        QFETCH(int, taps);
        QFETCH(int, length);
        const auto kernel = torch::randn({ 3, taps }, torch::kDouble),
                   u = torch::randn({ 2, length, 3 }, torch::kDouble);
        auto direct = torch::zeros_like(u);
        for (int t = 0; t < length; ++t)
            for (int i = 0; i < taps && i <= t; ++i) direct.select(1, t).add_(kernel.select(1, i) * u.select(1, t - i));
        QVERIFY(largest(causalFir(kernel, u, nullptr) - direct) < 1e-12);
        Tensor past; // again in two pieces
        const auto cut = length / 3;
        auto y = cut > 0 ? causalFir(kernel, u.narrow(1, 0, cut), &past) : u.narrow(1, 0, 0);
        y = torch::cat({ y, causalFir(kernel, u.narrow(1, cut, length - cut), &past) }, 1);
        QVERIFY(largest(y - direct) < 1e-12);
        QCOMPARE(past.size(1), std::int64_t(taps));
    }

    /// x_t = shift(x_{t-1}) + B k_t, y_t = C x_t + D k_t, one token after the other.
    void shiftKernelIsTheStateMachines()
    {
        const auto branch = drawn(shape(1), torch::kDouble);
        const auto weights = branch->named_parameters();
        const auto B = weights["shift_b"], C = weights["shift_c"], D = weights["shift_skip"];
        const torch::NoGradGuard guard;
        const auto k = torch::randn({ 30, 16 }, torch::kDouble);
        auto x = torch::zeros_like(B);
        std::vector<Tensor> y;
        for (std::int64_t t = 0; t < 30; ++t) {
            x = torch::constant_pad_nd(x, { 1, -1 }) + B * k[t].unsqueeze(1);
            y.push_back((C * x).sum(1) + D * k[t]);
        }
        QVERIFY(largest(causalFir(branch->shiftKernel(), k.unsqueeze(0), nullptr)[0] - torch::stack(y)) < 1e-12);
    }

    /// The whole mixer from its definition (models.md 8), with loops over tokens, heads and states.
    void forwardEqualsTheDefinition_data()
    {
        QTest::addColumn<int>("headWidth");
        for (const int d : { 1, 2, 4 }) QTest::addRow("d1 = %d", d) << d;
    }
    void forwardEqualsTheDefinition()
    {
        QFETCH(int, headWidth);
        const torch::NoGradGuard guard;
        const auto branch = drawn(shape(headWidth), torch::kDouble);
        const auto w = branch->named_parameters();
        const auto u = input(9, torch::kDouble)[0];
        const auto linear = [&](const char* name, const Tensor& x) {
            return at::linear(x, w[name], w[std::string(name) + "_bias"]);
        };
        const auto q = linear("query", u), k = linear("key", u), v = linear("value", u);
        const auto filter = branch->shiftKernel();
        auto o = torch::zeros_like(u);
        for (std::int64_t head = 0; head < 16 / headWidth; ++head) {
            const auto dt = w["log_dt"][head].exp().item<double>();
            for (int i = 0; i < headWidth; ++i)
                for (int j = 0; j < headWidth; ++j) {
                    std::vector<c10::complex<double>> x(6, 0.0);
                    for (std::int64_t t = 0; t < 9; ++t) {
                        const auto row = head * headWidth + i, column = head * headWidth + j;
                        double m = 0;
                        for (std::int64_t lag = 0; lag <= t && lag < 12; ++lag)
                            m += (filter[row][lag] * k[t - lag][row]).item<double>();
                        m *= v[t][column].item<double>();
                        double y = w["skip"][head].item<double>() * m;
                        for (std::size_t n = 0; n < 6; ++n) {
                            const auto at = [&](const char* name) {
                                return w[name][head][std::int64_t(n)].item<double>();
                            };
                            const c10::complex<double> a(-std::exp(at("log_a_re")), at("a_im"));
                            const auto below = 1.0 - dt / 2 * a;
                            x[n] = (1.0 + dt / 2 * a) / below * x[n]
                                + dt * c10::complex<double>(at("b_re"), at("b_im")) / below * m;
                            y += 2 * (c10::complex<double>(at("c_re"), at("c_im")) * x[n]).real();
                        }
                        o[t][column].add_(q[t][row].item<double>() * y);
                    }
                }
        }
        QVERIFY(largest(branch->forward(u.unsqueeze(0), {}, 0, nullptr)[0] - linear("output", o)) < 1e-11);
    }

    void everyWayOfReadingIsTheSame_data()
    {
        QTest::addColumn<int>("headWidth");
        QTest::addColumn<bool>("exact");
        for (const int d : { 1, 2, 4 })
            for (const bool exact : { true, false })
                QTest::addRow("d1 = %d, %s", d, exact ? "fp64" : "fp32") << d << exact;
    }
    void everyWayOfReadingIsTheSame()
    {
        QFETCH(int, headWidth);
        QFETCH(bool, exact);
        const torch::NoGradGuard guard;
        const auto type = exact ? torch::kDouble : torch::kFloat;
        const auto branch = drawn(shape(headWidth), type);
        const auto u = input(150, type);
        const auto whole = branch->forward(u, {}, 0, nullptr);
        const double tolerance = (exact ? 1e-11 : 1e-4) * largest(whole);
        QVERIFY(largest(whole - inPieces(*branch, u, { 1 })) < tolerance);
        QVERIFY(largest(whole - inPieces(*branch, u, { 7, 13, 1, 200 })) < tolerance);
        QVERIFY(largest(whole - inPieces(*branch, u, { 100, 1 })) < tolerance);
    }

    void theFutureDoesNotReachThePast()
    {
        const torch::NoGradGuard guard;
        for (const std::int64_t d : { 1, 4 }) {
            const auto branch = drawn(shape(d, false), torch::kFloat);
            auto u = input(90, torch::kFloat);
            const auto before = branch->forward(u, {}, 0, nullptr).narrow(1, 0, 70);
            u.narrow(1, 70, 20).mul_(-3);
            QVERIFY(torch::equal(before, branch->forward(u, {}, 0, nullptr).narrow(1, 0, 70)));
        }
    }

    void gradientsEqualDifferences_data() { forwardEqualsTheDefinition_data(); }
    void gradientsEqualDifferences()
    {
        QFETCH(int, headWidth);
        const auto branch = drawn(shape(headWidth), torch::kDouble);
        auto u = input(15, torch::kDouble).requires_grad_();
        const auto weights = torch::randn({ 2, 15, 16 }, torch::kDouble);
        const auto value = [&] { return (branch->forward(u, {}, 0, nullptr) * weights).sum(); };
        std::vector<Tensor> inputs { u };
        for (const auto& p : branch->parameters()) inputs.push_back(p);
        const auto gradients = torch::autograd::grad({ value() }, inputs);
        const torch::NoGradGuard guard;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            auto flat = inputs[i].detach().view(-1);
            const auto j = gradients[i].reshape(-1).abs().argmax().item<std::int64_t>();
            const double h = 1e-6, x = flat[j].item<double>();
            flat[j] = x + h;
            const double up = value().item<double>();
            flat[j] = x - h;
            const double down = value().item<double>();
            flat[j] = x;
            const double expected = (up - down) / (2 * h), got = gradients[i].reshape(-1)[j].item<double>();
            QVERIFY2(std::abs(expected - got) <= 1e-6 * std::max(1.0, std::abs(expected)), std::to_string(i).c_str());
        }
    }
};

PHA_TEST(H3Test)
#include "h3_test.moc"
