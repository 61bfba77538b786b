// SPDX-License-Identifier: GPL-3.0-or-later
// From a trained softmax Transformer to Hedgehog attention: what is taken over, what learns, and that a run can stop
// anywhere.
#include "engine/base/error.h"
#include "engine/config/conversion.h"
#include "engine/model/weights.h"
#include "engine/train/conversion.h"
#include "tests/model/family_variants.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

#include <cmath>

using namespace pha;
using test::largest;
using test::Recorder;

namespace {

ModelConfig teacherShape()
{
    ModelConfig c;
    c.family = "transformer";
    c.vocabulary = 61;
    c.layers = 2;
    c.width = 32;
    c.queryHeads = 4;
    c.kvHeads = 2;
    c.qkMode = "dot";
    c.ffnKind = "gelu";
    c.mainWidth = 64;
    c.embeddingScale = "one";
    return c;
}

RunConfig teacherRun()
{
    RunConfig c;
    c.data.tokenizer = test::runTokenizer;
    c.model = teacherShape();
    c.training.steps = 250;
    c.training.batchSize = 4;
    c.training.context = 64;
    c.training.learningRate = 1e-2;
    c.training.warmupSteps = 10;
    c.training.evalEvery = 0;
    c.training.evalTokens = 4000;
    c.training.saveEvery = 0;
    c.training.sampleEvery = 0;
    c.training.mixEvery = 1000;
    c.training.precision = "fp32";
    c.training.threads = 1;
    return c;
}

RunConfig studentRun()
{
    auto c = teacherRun();
    c.model = convertedModel(c.model);
    c.training.steps = 180;
    c.training.distillSteps = 60;
    c.training.distillLearningRate = 3e-2;
    c.training.learningRate = 3e-3;
    return c;
}

Tensor ids(std::int64_t shift)
{
    return torch::arange(2 * 40, torch::kLong).mul(17).add(shift).remainder(61).view({ 2, 40 });
}

} // namespace

class ConversionTest : public QObject {
    Q_OBJECT

    test::SmallRuns runs_;

    RunState train(const std::string& name, const RunConfig& config, Recorder& recorder, const fs::path& from = {})
    {
        auto request = runs_.request(name, config);
        request.convertFrom = from;
        return runs_.run(request, &recorder).state;
    }

private Q_SLOTS:
    void initTestCase()
    {
        Recorder recorder;
        QCOMPARE(train("teacher", teacherRun(), recorder), RunState::Finished);
    }

    void whatCannotBeConvertedIsNamed()
    {
        const auto refuses = [](const char* key, auto&& change) {
            auto teacher = teacherShape();
            change(teacher);
            try {
                convertedModel(teacher);
            } catch (const ConfigError& error) {
                return QString::fromStdString(error.field()).startsWith(QLatin1String(key));
            }
            return false;
        };
        QVERIFY(refuses("family", [](auto& c) { c.family = "pha"; }));
        QVERIFY(refuses("family", [](auto& c) { c.family = "h3"; }));
        QVERIFY(refuses("qk_mode", [](auto& c) { c.qkMode = "cosine"; }));
        QVERIFY(refuses("attention_span", [](auto& c) { c.attentionSpan = 16; }));
        auto other = convertedModel(teacherShape());
        other.featureMap = "exp";
        checkConversion(teacherShape(), other);
        other.layers = 3;
        QVERIFY_EXCEPTION_THROWN(checkConversion(teacherShape(), other), ConfigError);
        auto pruned = teacherShape();
        pruned.prunedBranches = "1:main";
        checkConversion(pruned, convertedModel(pruned));
        QVERIFY_EXCEPTION_THROWN(checkConversion(pruned, convertedModel(teacherShape())), ConfigError);
    }

    void theStudentActsAsItsTeacherAndOnlyItsFeaturesLearn_data()
    {
        QTest::addColumn<bool>("layerNorms");
        QTest::addColumn<QString>("residualMode");
        QTest::newRow("as it is") << false << "prenorm";
        QTest::newRow("layernorm and biases") << true << "prenorm";
        QTest::newRow("norms after the sum") << false << "deepnorm_post";
        QTest::newRow("layernorm after the sum, biases") << true << "deepnorm_post";
    }
    void theStudentActsAsItsTeacherAndOnlyItsFeaturesLearn()
    {
        QFETCH(bool, layerNorms);
        QFETCH(QString, residualMode);
        auto shape = teacherShape();
        shape.residualMode = residualMode.toStdString();
        shape.biases = layerNorms;
        if (layerNorms) shape.normKind = "layernorm";
        LanguageModel teacher(shape, 3), student(convertedModel(shape), 4);
        test::disturb(teacher);
        takeOverWeights(teacher, student);
        Distillation means;
        distil(student, ids(0), ids(1), {}, 1, means);
        QVERIFY(std::abs(means.loss - teacher.lossSum(ids(0), ids(1), {}).item<double>() / 80) < 1e-5);
        QVERIFY(*means.crossEntropy > *means.entropy && *means.entropy > 0);
        for (const auto& [name, weight] : namedWeights(student)) {
            const bool feature = name.find(".feature_") != std::string::npos;
            QVERIFY2(weight.grad().defined() == feature, name.c_str());
            if (feature) QVERIFY2(largest(weight.grad()) > 0, name.c_str());
        }
    }

    void whatTheTeacherCannotGiveIsNamed()
    {
        auto shape = convertedModel(teacherShape());
        shape.normKind = "layernorm";
        LanguageModel teacher(teacherShape(), 3), student(shape, 4);
        try {
            takeOverWeights(teacher, student);
            QFAIL("biases of norms came from nowhere");
        } catch (const Error& error) {
            QVERIFY2(QString::fromStdString(error.problem()).endsWith("norm_hedgehog_bias")
                    || QString::fromStdString(error.problem()).endsWith("norm_out_bias"),
                error.what());
        }
    }

    void longTextsWhoseTargetsLieBehindWhatIsRead()
    {
        LanguageModel student(convertedModel(teacherShape()), 4);
        const auto text = torch::arange(1100, torch::kLong).mul(17).remainder(61).view({ 1, 1100 });
        auto targets = torch::full({ 1, 1100 }, -1, torch::kLong);
        targets.narrow(1, 1050, 50).copy_(text.narrow(1, 1050, 50));
        Distillation means;
        std::vector<Tensor> losses;
        Pass pass;
        pass.tokenLosses = &losses;
        distil(student, text, targets, pass, 1, means);
        QCOMPARE(means.loss, 0.0);
        QVERIFY(std::isfinite(*means.crossEntropy) && *means.crossEntropy > 0);
        QVERIFY(losses.empty());
    }

    void gradientsOfTheDistillation()
    {
        for (const char* map : { "softmax", "exp" }) {
            auto shape = convertedModel(teacherShape());
            shape.featureMap = map;
            LanguageModel student(shape, 4);
            student.to(torch::kDouble);
            const auto value = [&] {
                Distillation means;
                distil(student, ids(0), ids(1), {}, 1, means);
                return *means.crossEntropy;
            };
            {
                const torch::NoGradGuard guard; // attention weights that are worth learning
                for (const auto& [name, weight] : namedWeights(student))
                    if (name.ends_with(".query") || name.ends_with(".key")) weight.detach().mul_(20);
            }
            value();
            std::map<std::string, Tensor> gradients; // copies: every call of value() adds to the weights' own
            for (const auto& [name, weight] : namedWeights(student))
                if (name.find(".feature_") != std::string::npos) gradients[name] = weight.grad().clone().view(-1);
            QCOMPARE(gradients.size(), std::size_t(4));
            for (const auto& [name, weight] : namedWeights(student)) {
                if (!gradients.count(name)) continue;
                const auto gradient = gradients[name];
                auto flat = weight.detach().view(-1);
                const auto j = gradient.abs().argmax().item<std::int64_t>();
                const double h = 1e-6, x = flat[j].item<double>();
                flat[j] = x + h;
                const double up = value();
                flat[j] = x - h;
                const double down = value();
                flat[j] = x;
                const double expected = (up - down) / (2 * h), got = gradient[j].item<double>();
                QVERIFY2(std::abs(expected - got) <= 1e-6 * std::max(1e-2, std::abs(expected)), name.c_str());
            }
        }
    }

    void aConvertedModelComesCloseToItsTeacher()
    {
        Recorder teacher, student;
        for (MetricsReader reader(runs_.folder("teacher") / "metrics.jsonl"); auto event : reader.poll())
            teacher.events.push_back(event);
        QCOMPARE(train("student", studentRun(), student, runs_.folder("teacher")), RunState::Finished);
        const auto steps = student.all<StepEvent>();
        QCOMPARE(steps.size(), std::size_t(180));
        QVERIFY(steps[59].distillation.has_value() && !steps[60].distillation.has_value());
        const auto gap = [&](std::size_t i) { return *steps[i].distillation - *steps[i].distillationFloor; };
        QVERIFY2(gap(59) < 0.7 * gap(0), qPrintable(QString("%1 -> %2").arg(gap(0)).arg(gap(59))));
        QVERIFY(gap(59) > 0);
        const double before = teacher.all<EvalEvent>().back().nll, after = student.all<EvalEvent>().back().nll;
        QVERIFY2(after < before + 0.1, qPrintable(QString("%1 -> %2").arg(before).arg(after)));
        QVERIFY(before < std::log(1024.0) - 1.5); // the teacher had something to teach
        const auto file = RunDirectory(runs_.folder("student")).read();
        QCOMPARE(file.config.model.family, std::string("hedgehog"));
        QVERIFY(file.environment.value("converted_from", "").find("teacher") != std::string::npos);
    }

    void resumeIsExactInBothPhases_data()
    {
        QTest::addColumn<int>("stopAfter");
        for (const int n : { 5, 12, 19 }) QTest::addRow("after %d", n) << n;
    }
    void resumeIsExactInBothPhases()
    {
        QFETCH(int, stopAfter);
        const auto name = "parts" + std::to_string(stopAfter);
        Recorder recorder;
        auto config = studentRun();
        config.training.steps = 24;
        config.training.distillSteps = 12;
        if (!fs::exists(runs_.folder("whole"))) train("whole", config, recorder, runs_.folder("teacher"));
        config.training.stopAfter = stopAfter;
        QCOMPARE(train(name, config, recorder, runs_.folder("teacher")), RunState::Stopped);
        config.training.stopAfter = 0;
        QCOMPARE(runs_.resume(name, config, { "stop_after" }, &recorder).state, RunState::Finished);
        QCOMPARE(test::weightsOf(runs_.folder(name), "step-00000024"),
            test::weightsOf(runs_.folder("whole"), "step-00000024"));
    }

    void aPlateauBeginsWhenAllWeightsLearn()
    {
        auto config = studentRun();
        config.training.steps = 20;
        config.training.distillSteps = 12;
        config.training.distillLearningRate = 0; // no loss becomes lower
        config.training.warmupSteps = 0;
        config.training.schedule = "plateau";
        config.training.plateauPatience = 0;
        config.training.evalEvery = 2;
        Recorder recorder;
        QCOMPARE(train("plateau", config, recorder, runs_.folder("teacher")), RunState::Finished);
        const auto steps = recorder.all<StepEvent>();
        QCOMPARE(steps.at(12).learningRate, config.training.learningRate);
        QCOMPARE(steps.at(13).learningRate, config.training.learningRate);
    }

    void wrongInputLeavesNothingBehind()
    {
        Recorder recorder;
        auto config = studentRun();
        config.model.width = 48;
        QVERIFY_EXCEPTION_THROWN(train("wide", config, recorder, runs_.folder("teacher")), ConfigError);
        QVERIFY_EXCEPTION_THROWN(train("none", studentRun(), recorder, runs_.folder("nothing")), CheckpointError);
        QVERIFY_EXCEPTION_THROWN(train("scratch", studentRun(), recorder), ConfigError); // nothing to distil from
        config = studentRun();
        config.training.distillSteps = 181;
        QVERIFY_EXCEPTION_THROWN(train("long", config, recorder, runs_.folder("teacher")), ConfigError);
        for (const char* name : { "wide", "none", "scratch", "long" }) QVERIFY(!fs::exists(runs_.folder(name)));
    }
};

PHA_TEST(ConversionTest)
#include "conversion_test.moc"
