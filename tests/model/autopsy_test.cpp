// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts: an update that is not like the others is noticed, and its autopsy names the text that was behind it.
#include "engine/base/error.h"
#include "engine/model/weights.h"
#include "engine/run/alerts.h"
#include "tests/model/small_run.h"
#include "tests/poisoned_text.h"
#include "tests/suite.h"

using namespace pha;
using namespace pha::test;

class AutopsyTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;
    PoisonedText poisoned_;
    Recorder examined_, plain_;

    RunConfig onPoison(std::int64_t autopsies)
    {
        const auto file = runs_.folder("poisoned.txt");
        writeFileAtomically(file, poisoned_.text);
        auto config = smallRun();
        config.data.data = file.string();
        config.data.tokenizer = "bytes";
        config.training.autopsies = autopsies;
        config.training.steps = 520; // two epochs: in the second the watch is awake
        config.training.accumulate = 2;
        config.training.evalEvery = config.training.saveEvery = 0;
        config.training.saveEvery = 100;
        config.training.keepCheckpoints = 1;
        config.training.mixEvery = 10;
        return config;
    }
    static const AlertEvent* worst(const std::vector<AlertEvent>& alerts, const std::string& poison)
    {
        for (const auto& alert : alerts) {
            if (alert.texts.empty()) continue;
            std::string excerpt;
            for (const auto& token : alert.texts.front().excerpt) excerpt += token.text;
            if (poison.find(excerpt.substr(20, 20)) != std::string::npos) return &alert;
        }
        return nullptr;
    }

private Q_SLOTS:
    void initTestCase()
    {
        runs_.train("examined", onPoison(20), &examined_);
        runs_.train("plain", onPoison(0), &plain_);
    }

    void aFirstLossFarFromUniformIsSaid()
    {
        auto config = smallRun();
        config.data.tokenizer = "bytes";
        config.model.family = "gss";
        config.model.width = 4096; // the embedding is the head: its numbers are too large for so many of them
        config.model.gssExpand = 16;
        config.training.steps = 2;
        Recorder recorder;
        runs_.train("wide", config, &recorder);
        const auto alerts = recorder.all<AlertEvent>();
        QCOMPARE(alerts.size(), std::size_t(1));
        QCOMPARE(alerts[0].kind, std::string("start"));
        QCOMPARE(alerts[0].step, std::int64_t(1));
        QVERIFY(alerts[0].message.find("ln V = 5.545") != std::string::npos);
        QVERIFY(alerts[0].message.ends_with("begin too large"));
        QVERIFY(alerts[0].examined());
    }

    void thePoisonedTextIsFound()
    {
        const auto alerts = examined_.all<AlertEvent>();
        const auto* alert = worst(alerts, poisoned_.poison);
        QVERIFY2(alert, std::to_string(alerts.size()).c_str());
        QVERIFY(alert->kind == "spike" || alert->kind == "gradient");
        QVERIFY(alert->median && *alert->deviations > 6);
        const auto& text = alert->texts.front();
        QVERIFY(text.loss > 2 * alert->texts[1].loss);
        std::int64_t from = 0, to = 0;
        QCOMPARE(std::sscanf(text.place.c_str(), "tokens %ld to %ld of the training text", &from, &to), 2);
        QCOMPARE(to - from, std::int64_t(47));
        QVERIFY(costliestTokens(text, 3).front().nats > 4.0);
    }

    void itsFiguresAreThoseOfTheUpdate()
    {
        const auto alerts = examined_.all<AlertEvent>();
        const auto& alert = *worst(alerts, poisoned_.poison);
        QCOMPARE(alert.texts.size(), std::size_t(4)); // all rows of two micro-batches
        double sum = 0, squares = 0;
        for (const auto& text : alert.texts) sum += text.loss / 4;
        QVERIFY(std::abs(sum - alert.loss) < 1e-4);
        for (const auto& gradient : alert.gradients) squares += gradient.norm * gradient.norm;
        QVERIFY(std::abs(std::sqrt(squares) - alert.gradNorm) < 1e-6 * alert.gradNorm);
        for (const auto& step : examined_.all<StepEvent>())
            if (step.step == alert.step) QVERIFY(step.loss == alert.loss && step.gradNorm == alert.gradNorm);
        const auto part = [&](std::int64_t layer, const char* name) {
            return std::find_if(alert.gradients.begin(), alert.gradients.end(),
                [&](const PartGradient& one) { return one.layer == layer && one.part == name; });
        };
        for (const char* name : { "gss", "attention", "ffn", "mixing" }) {
            QVERIFY2(part(0, name) != alert.gradients.end(), name);
            QVERIFY(part(0, name)->usual.has_value());
        }
        QVERIFY(part(-1, "embedding") != alert.gradients.end());
        QCOMPARE(alert.usualStep.value_or(-1), (alert.step - 1) / 10 * 10);
    }

    void theCourseIsTheSameWithoutAutopsies()
    {
        const auto with = examined_.all<StepEvent>(), without = plain_.all<StepEvent>();
        QCOMPARE(with.size(), without.size());
        for (std::size_t i = 0; i < with.size(); ++i) QCOMPARE(with[i].loss, without[i].loss);
        const auto weights = [&](const char* run) {
            return readFile(runs_.folder(run) / "checkpoints/step-00000520/model.safetensors");
        };
        QCOMPARE(weights("examined"), weights("plain"));
        QCOMPARE(plain_.all<AlertEvent>().size(), examined_.all<AlertEvent>().size());
        for (const auto& alert : plain_.all<AlertEvent>()) QVERIFY(!alert.examined());
    }

    void theCheckpointBeforeItStays()
    {
        const auto step = examined_.all<AlertEvent>().back().step;
        const RunDirectory run(runs_.folder("examined"));
        const auto kept = run.pointer("before_alert");
        QVERIFY(kept);
        QCOMPARE(*kept, checkpointName((step - 1) / 100 * 100));
        QCOMPARE(checkpointBefore(run, step), *kept);
    }

    void aLossThatIsNotFiniteIsToldOnce()
    {
        TrainingRequest request;
        request.config = smallRun();
        request.directory = runs_.folder("nan");
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        trainer.failLossForTest(5, 8);
        trainer.run(recorder, {});
        const auto alerts = recorder.all<AlertEvent>();
        QCOMPARE(alerts.size(), std::size_t(1));
        QCOMPARE(alerts[0].kind, std::string("not_finite"));
        QCOMPARE(alerts[0].step, std::int64_t(6));
        QCOMPARE(alerts[0].texts.size(), std::size_t(2));
        QVERIFY(QByteArray::fromStdString(alerts[0].cause).contains("finite numbers only"));
        for (const auto& event : readMetrics(request.directory / "metrics.jsonl"))
            if (const auto* read = std::get_if<AlertEvent>(&event))
                QCOMPARE(read->texts[0].place, alerts[0].texts[0].place);
    }

    /// What the next alert stands beside, and the row of updates that end a run, go on after a resume.
    void aResumeKnowsWhatWasBefore()
    {
        TrainingRequest request;
        request.config = smallRun();
        request.config.training.steps = 30;
        request.config.training.mixEvery = 3;
        request.config.training.stopAfter = 7;
        request.directory = runs_.folder("row");
        Recorder first, second, third;
        const auto go = [&](Recorder& recorder) {
            Trainer trainer(request, recorder, {});
            trainer.failLossForTest(7, 40);
            return trainer.run(recorder, {});
        };
        QCOMPARE(go(first), RunState::Stopped);
        request.resume = true;
        request.config.training.stopAfter = 5;
        request.overrides = { "stop_after" };
        QCOMPARE(go(second), RunState::Stopped);
        QCOMPARE(go(third), RunState::Diverged);
        QCOMPARE(third.all<StepEvent>().back().step, std::int64_t(17));
        const auto alerts = second.all<AlertEvent>();
        QCOMPARE(alerts.size(), std::size_t(1));
        QVERIFY(third.all<AlertEvent>().empty()); // the first of the row has told it
        QCOMPARE(alerts[0].step, std::int64_t(8));
        QCOMPARE(alerts[0].gradNormBefore, std::optional(first.all<StepEvent>().back().gradNorm));
        QCOMPARE(alerts[0].usualStep, std::optional(std::int64_t(6)));
        QVERIFY(!alerts[0].gradients.empty());
        for (const auto& gradient : alerts[0].gradients) QVERIFY2(gradient.usual, gradient.part.c_str());
    }

    void weightsThatAreNotFiniteAreNamed()
    {
        TrainingRequest request;
        request.config = smallRun();
        request.config.training.evalEvery = request.config.training.saveEvery = 0;
        request.config.training.steps = 20;
        request.directory = runs_.folder("broken");
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        recorder.react = [&](const Event& event) {
            const auto* step = std::get_if<StepEvent>(&event);
            if (!step || step->step != 3) return;
            const torch::NoGradGuard guard;
            for (auto& [name, weight] : namedWeights(trainer.model()))
                if (name.find(".gss.") != std::string::npos) weight.detach().fill_(NAN);
        };
        QCOMPARE(trainer.run(recorder, {}), RunState::Diverged);
        const auto alerts = recorder.all<AlertEvent>();
        QCOMPARE(alerts.size(), std::size_t(1));
        QCOMPARE(alerts[0].cause, std::string("the weights of gss of layer 0 are not finite themselves"));
    }

    void dataThatArePassedOverAreExactlyThose()
    {
        auto config = smallRun();
        config.training.learningRate = config.training.dropout = 0; // so that a loss tells which data were read
        config.training.embeddingDropout = 0;
        Recorder parent, fork, resumed;
        runs_.train("parent", config, &parent);
        TrainingRequest request;
        request.forkFrom = runs_.folder("parent") / "checkpoints/step-00000004";
        request.config = readForkPoint(request.forkFrom).config;
        request.config.training.skipData = "7+2";
        request.directory = runs_.folder("fork");
        runs_.run(request, &fork);
        const auto before = parent.all<StepEvent>(), after = fork.all<StepEvent>();
        QCOMPARE(after.size(), std::size_t(8));
        for (std::int64_t update = 5; update <= 10; ++update) {
            const auto data = update < 7 ? update : update + 2;
            QCOMPARE(after[std::size_t(update - 5)].loss, before[std::size_t(data - 1)].loss);
        }
        for (const char* stop : { "2", "3" }) { // right before the place, and behind it
            request.directory = runs_.folder(std::string("stopped") + stop);
            request.config.set("stop_after", stop);
            runs_.run(request);
            Recorder recorder;
            runs_.resume(std::string("stopped") + stop, smallRun(), { "stop_after" }, &recorder);
            QCOMPARE(recorder.all<StepEvent>().back().loss, after.back().loss);
        }
        request.directory = runs_.folder("refused");
        request.config.training.skipData = "3+2";
        QVERIFY_EXCEPTION_THROWN(runs_.run(request), ConfigError);
        QVERIFY(!fs::exists(request.directory));
    }
};

PHA_TEST(AutopsyTest)
#include "autopsy_test.moc"
