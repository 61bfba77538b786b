// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/language_model.h"
#include "engine/model/weights.h"
#include "engine/torch/torch_version.h"
#include "tests/suite.h"

#include <ATen/CPUGeneratorImpl.h>

#include <QtTest>

using namespace pha;

namespace {

ModelConfig smallModel()
{
    ModelConfig c;
    c.vocabulary = 97;
    c.layers = 3;
    c.width = 32;
    c.queryHeads = 4;
    c.kvHeads = 2;
    c.gssExpand = 64;
    c.gssWidth = 8;
    c.gssState = 16;
    c.auxWidth = 24;
    c.mainWidth = 64;
    return c;
}

/// Loss and all gradients of one training pass with dropout.
std::pair<double, std::vector<Tensor>> train(bool recompute, std::vector<Tensor>* meanWeights = nullptr)
{
    LanguageModel model(smallModel(), 7);
    const auto ids = torch::arange(2 * 40, torch::kLong).mul(31).remainder(97).view({ 2, 40 });
    Pass pass;
    pass.training = true;
    pass.dropout = 0.2;
    pass.generator = at::detail::createCPUGenerator(5);
    pass.recompute = recompute;
    pass.meanWeights = meanWeights;
    auto loss = model.lossSum(ids, ids.roll(-1, 1), pass);
    if (meanWeights)
        for (const auto& w : *meanWeights) loss = loss + w.square().sum();
    loss.backward();
    std::vector<Tensor> gradients;
    for (const auto& [name, weight] : namedWeights(model))
        if (weight.requires_grad()) gradients.push_back(weight.grad());
    return { loss.item<double>(), gradients };
}

} // namespace

class RecomputeTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void gradientsAreTheSame();
    void regularisersKeepTheirGradients();
    void copiesFollowTheirWeights();
    void memoryIsNoReasonToGiveUpKernels();
};

void RecomputeTest::gradientsAreTheSame()
{
    const auto [keptLoss, kept] = train(false);
    const auto [againLoss, again] = train(true);
    QCOMPARE(againLoss, keptLoss); // the same dropout masks, too
    QCOMPARE(again.size(), kept.size());
    for (std::size_t i = 0; i < kept.size(); ++i) QVERIFY(torch::equal(again[i], kept[i]));
}

void RecomputeTest::regularisersKeepTheirGradients()
{
    std::vector<Tensor> some, same;
    const auto kept = train(false, &some), again = train(true, &same);
    QCOMPARE(same.size(), std::size_t(3)); // one a layer, not two
    for (std::size_t i = 0; i < kept.second.size(); ++i) QVERIFY(torch::equal(again.second[i], kept.second[i]));
}

void RecomputeTest::copiesFollowTheirWeights()
{
    DeviceCache cache;
    auto a = torch::randn({ 5, 4 }), b = torch::randn({ 3, 4 });
    const auto first = cache.stacked({ a, b }, 4);
    QCOMPARE(first.sizes().vec(), (std::vector<std::int64_t> { 8, 4 }));
    QVERIFY(torch::equal(first, torch::cat({ a, b }).to(torch::kBFloat16)));
    QVERIFY(cache.stacked({ a, b }, 4).is_same(first)); // nothing has changed

    b.add_(1);
    const auto second = cache.stacked({ a, b }, 4);
    QVERIFY(torch::equal(second.narrow(0, 5, 3), b.to(torch::kBFloat16)));
    QVERIFY(!second.is_same(first)); // a pass that holds the old copy keeps it
    a.set_data(torch::ones({ 5, 4 }));
    QVERIFY(torch::equal(cache.stacked({ a, b }, 4).narrow(0, 0, 5), torch::ones({ 5, 4 }, torch::kBFloat16)));

    const auto padded = cache.stacked({ a }, 8);
    QVERIFY(torch::equal(padded.narrow(0, 5, 3), torch::zeros({ 3, 4 }, torch::kBFloat16)));
}

/// Whoever runs out of memory may go on with less, and then finds cuDNN's attention as it was.
void RecomputeTest::memoryIsNoReasonToGiveUpKernels()
{
    const bool before = cudnnAttentionWorks;
    cudnnAttentionWorks = true;
    const auto full = [](bool really) {
        if (really) C10_THROW_ERROR(OutOfMemoryError, "no room");
        return 3;
    };
    QCOMPARE(unlessCudnnLacks([&] { return full(false); }).value_or(0), 3);
    QVERIFY_THROWS_EXCEPTION(c10::OutOfMemoryError, unlessCudnnLacks([&] { return full(true); }));
    QVERIFY(cudnnAttentionWorks.load());
    const auto lacking = [](bool really) {
        if (really) C10_THROW_ERROR(Error, "no such kernel");
        return 3;
    };
    QVERIFY(!unlessCudnnLacks([&] { return lacking(true); }).has_value());
    QVERIFY(!cudnnAttentionWorks.load());
    cudnnAttentionWorks = before;
}

PHA_TEST(RecomputeTest)
#include "recompute_test.moc"
