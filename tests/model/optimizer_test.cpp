// SPDX-License-Identifier: GPL-3.0-or-later
// Muon, schedules and the growth of the batch.
#include "engine/base/error.h"
#include "engine/train/optimizer.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>
#include <map>
#include <set>

using namespace pha;
using namespace pha::test;

class OptimizerTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

private Q_SLOTS:
    void orthogonalisedMatricesHaveSingularValuesNearOne_data()
    {
        QTest::addColumn<int>("rows");
        QTest::addColumn<int>("columns");
        QTest::newRow("square") << 48 << 48;
        QTest::newRow("tall") << 96 << 24;
        QTest::newRow("wide") << 16 << 80;
    }
    void orthogonalisedMatricesHaveSingularValuesNearOne()
    {
        QFETCH(int, rows);
        QFETCH(int, columns);
        torch::manual_seed(1);
        // Singular values from 1 down to 0.05, times 300: the scale must not matter.
        const auto random = torch::randn({ rows, columns });
        const auto [u, s, v] = torch::linalg_svd(random, false);
        const auto spread = torch::linspace(1, 0.05, s.size(0));
        const auto matrix = torch::mm(u * spread, v) * 300;
        const auto result = orthogonalise(matrix);
        QCOMPARE(result.sizes().vec(), matrix.sizes().vec());
        const auto values = torch::linalg_svdvals(result);
        QVERIFY2(values.max().item<double>() < 1.25, std::to_string(values.max().item<double>()).c_str());
        QVERIFY2(values.min().item<double>() > 0.6, std::to_string(values.min().item<double>()).c_str());
        // The singular vectors stay: the result is u v with other values.
        const auto inside = torch::mm(torch::mm(u.t(), result), v.t());
        QVERIFY((inside - inside.diagonal().diag()).abs().max().item<double>() < 1e-3);
    }

    void matricesTogetherAreOrthogonalisedAsEachAlone()
    {
        torch::manual_seed(2);
        const auto matrices = torch::randn({ 3, 40, 16 });
        const auto together = orthogonalise(matrices);
        for (std::int64_t i = 0; i < 3; ++i)
            QVERIFY((together[i] - orthogonalise(matrices[i])).abs().max().item<double>() < 1e-5);
    }

    void muonTakesTheMatricesOfTheLayersAlone()
    {
        auto config = smallRun();
        config.training.optimizer = "muon";
        LanguageModel model(config.model, 1);
        std::set<std::string> muon;
        for (const auto& [name, state] : Muon(model, config.training).state()) muon.insert(name.substr(5));
        for (const auto& [name, weight] : namedWeights(model)) {
            const bool expected = weight.dim() == 2 && name != "embedding" && name.find(".c_") == name.npos
                && name.find("a_im") == name.npos && name.find("log_a_re") == name.npos;
            QVERIFY2((muon.count(name) > 0) == expected, name.c_str());
        }
        for (const auto& [name, state] : AdamW(model, config.training).state())
            QVERIFY2(!muon.count(name.substr(2)), name.c_str());
        config.training.optimizer = "adamw";
        QVERIFY(Muon(model, config.training).state().empty());
    }

    void theMixingRateIsNotThatOfTheBranchNorms()
    {
        auto config = smallRun();
        config.model.branchNormAffine = true;
        config.training.optimizer = "adamw";
        config.training.mixLearningRate = 10;
        LanguageModel model(config.model, 1);
        const AdamW optimizer(model, config.training);
        int weights = 0, gains = 0;
        for (const auto& [name, weight] : namedWeights(model)) {
            if (name.find(".mixing.") == name.npos) continue;
            const bool gain = name.find("norm_") != name.npos;
            const double rate = optimizer.rateOf(parameterKind(name, weight), 0.25);
            QVERIFY2(rate == (gain ? 0.25 : 2.5), name.c_str());
            ++(gain ? gains : weights);
        }
        QVERIFY(weights > 0 && gains > 0);
    }

    void oneMuonStepIsTheFormula()
    {
        auto config = smallRun();
        config.training.optimizer = "muon";
        config.training.muonWeightDecay = 0.1;
        LanguageModel model(config.model, 1);
        Optimizer optimizer(model, config.training);
        const auto ids = torch::randint(config.model.vocabulary, { 2, 33 }, torch::kLong);
        std::map<std::string, Tensor> expected, momentum;
        for (int step = 0; step < 2; ++step) {
            optimizer.zeroGrad();
            model.lossSum(ids.narrow(1, 0, 32), ids.narrow(1, 1, 32), {}).backward();
            const torch::NoGradGuard guard;
            for (const auto& [name, weight] : namedWeights(model)) {
                if (!takenByMuon(name, weight)) continue;
                const auto g = weight.grad() * 0.5; // the scale of the clip
                auto& m = momentum[name];
                if (!m.defined()) m = torch::zeros_like(g);
                m = 0.95 * m + 0.05 * g;
                const auto update = orthogonalise(0.05 * g + 0.95 * m);
                const double rate = 0.02 * 0.25, rows = double(weight.size(0)), columns = double(weight.size(1));
                expected[name] = weight * (1 - rate * 0.1) - rate * std::sqrt(std::max(1.0, rows / columns)) * update;
            }
            optimizer.step(1e-3, 0.25, 0.5);
            for (const auto& [name, weight] : namedWeights(model))
                if (expected.count(name))
                    QVERIFY2((weight - expected[name]).abs().max().item<double>() < 1e-5, name.c_str());
        }
    }

    /// Numbers that are read where the weights are: the form that cards take works anywhere.
    void muonWithNumbersOfTheDeviceIsTheSame()
    {
        auto config = smallRun();
        config.training.optimizer = "muon";
        config.training.muonWeightDecay = 0.1;
        LanguageModel one(config.model, 1), other(config.model, 1);
        Muon plain(one, config.training), onCard(other, config.training);
        const auto ids = torch::randint(config.model.vocabulary, { 2, 33 }, torch::kLong);
        const auto number = [](double x) { return torch::tensor(x, torch::kFloat); };
        for (int step = 0; step < 3; ++step) {
            const bool broken = step == 1; // an update that is left out leaves momentum as it was, too
            for (auto* model : { &one, &other }) {
                for (auto& p : model->parameters()) p.mutable_grad() = Tensor();
                model->lossSum(ids.narrow(1, 0, 32), ids.narrow(1, 1, 32), {}).backward();
            }
            if (broken)
                for (const auto& g : onCard.gradients()) g.fill_(NAN);
            else
                plain.step(0.01, 0.5);
            onCard.stepOnCard(number(0.01), number(2), number(broken));
            const auto weights = namedWeights(one), others = namedWeights(other);
            for (std::size_t i = 0; i < weights.size(); ++i)
                QVERIFY2(
                    (weights[i].second - others[i].second).abs().max().item<double>() < 1e-5, weights[i].first.c_str());
        }
    }

    void anUpdateIsClippedOrLeftOut()
    {
        auto config = smallRun();
        config.training.clip = 0.25;
        LanguageModel model(config.model, 1), same(config.model, 1);
        Optimizer optimizer(model, config.training), by(same, config.training);
        const auto ids = torch::randint(config.model.vocabulary, { 2, 33 }, torch::kLong);
        const auto lossOf = [&](LanguageModel& m) { return m.lossSum(ids.narrow(1, 0, 32), ids.narrow(1, 1, 32), {}); };
        const auto apply = [&](const Tensor& loss, double allowed) {
            return optimizer.read(optimizer.apply(loss, optimizer.numbers({ 64, allowed, 1e-2, 1 })));
        };
        const auto differs = [&] {
            double most = 0;
            for (std::size_t i = 0; i < model.parameters().size(); ++i)
                most = std::max(most, (model.parameters()[i] - same.parameters()[i]).abs().max().item<double>());
            return most;
        };
        const auto loss = lossOf(model);
        loss.backward();
        for (const auto& [value, allowed] : { std::pair(NAN, 1.0), std::pair(1.0F, 0.0) }) {
            const auto result = apply(torch::tensor(value), allowed);
            QVERIFY(!result.finite() && std::isnan(result.loss));
            QCOMPARE(optimizer.updates(), std::int64_t(0));
            QCOMPARE(differs(), 0.0);
        }
        const auto result = apply(loss.detach(), 1);
        QCOMPARE(result.loss, loss.item<double>());
        QVERIFY(result.norm > 0.25);
        QCOMPARE(optimizer.updates(), std::int64_t(1));
        lossOf(same).backward();
        by.step(1e-2, 1, 0.25 / by.gradNorm());
        QVERIFY(differs() < 1e-6);
        model.parameters()[0].mutable_grad()[0][0] = INFINITY;
        QVERIFY(!apply(loss.detach(), 1).finite());
        QVERIFY(differs() < 1e-6);
    }

    void muonLearnsABatch()
    {
        auto config = smallRun();
        config.model.vocabulary = 100;
        config.training.optimizer = "muon";
        LanguageModel model(config.model, 1);
        Optimizer optimizer(model, config.training);
        torch::manual_seed(2);
        const auto ids = torch::randint(100, { 4, 65 }, torch::kLong);
        double loss = 0;
        for (int i = 0; i < 300 && (i == 0 || loss > 0.1); ++i) {
            optimizer.zeroGrad();
            auto part = model.lossSum(ids.narrow(1, 0, 64), ids.narrow(1, 1, 64), {}) / 256;
            part.backward();
            loss = part.item<double>();
            optimizer.step(1e-2, 1, std::min(1.0, 1 / optimizer.gradNorm()));
        }
        QVERIFY2(loss < 0.1, std::to_string(loss).c_str());
    }

    void thePlateauCountsEvaluationsThatDoNotImprove()
    {
        TrainingConfig config; // factor 0.75, patience 3
        Plateau plateau;
        plateau.observe(3, config);
        for (const double nll : { 3.0, 3.1, 2.9999 }) plateau.observe(nll, config); // one part in 30,000 is no progress
        QCOMPARE(plateau.factor, 1.0);
        plateau.observe(3.05, config); // the fourth
        QCOMPARE(plateau.factor, 0.75);
        plateau.observe(2.9, config);
        QCOMPARE(plateau.best, 2.9);
        for (int i = 0; i < 3; ++i) plateau.observe(2.9, config);
        QCOMPARE(plateau.factor, 0.75);
        plateau.observe(2.9, config);
        QCOMPARE(plateau.factor, 0.5625);
    }

    void theBatchGrowsOverTheRamp()
    {
        auto config = smallRun();
        config.training.steps = 6;
        config.training.accumulate = 3;
        config.training.batchRamp = 4;
        Recorder recorder;
        runs_.train("ramp", config, &recorder);
        std::vector<std::int64_t> micro;
        std::int64_t before = 0;
        for (const auto& step : recorder.all<StepEvent>()) {
            micro.push_back((step.tokens - before) / (2 * 48));
            before = step.tokens;
        }
        QCOMPARE(micro, (std::vector<std::int64_t> { 1, 1, 2, 2, 3, 3 }));
        QCOMPARE(double(before), config.training.totalTokens());
        config.training.accumulate = 1;
        QVERIFY_EXCEPTION_THROWN(config.validate(), ConfigError);
    }

    void embeddingDropoutIsByItself()
    {
        auto config = smallRun();
        config.training.steps = 1;
        config.training.dropout = 0;
        const auto firstLoss = [&](const std::string& name) {
            Recorder recorder;
            runs_.train(name, config, &recorder);
            return recorder.all<StepEvent>().front().loss;
        };
        const auto none = firstLoss("none");
        config.training.embeddingDropout = 0.3;
        QVERIFY(firstLoss("embedding") != none);
        config.training.embeddingDropout = 0;
        config.training.dropout = 0.3;
        const auto residual = firstLoss("residual");
        config.training.embeddingDropout = -1;
        QVERIFY(residual != none && firstLoss("both") != residual);
        config.training.embeddingDropout = -0.5;
        QVERIFY_EXCEPTION_THROWN(config.validate(), ConfigError);
    }
};

PHA_TEST(OptimizerTest)
#include "optimizer_test.moc"
