// SPDX-License-Identifier: GPL-3.0-or-later
// Runs from start to end: learning, exact resume, commands, divergence.
#include "engine/base/error.h"
#include "engine/eval/evaluator.h"
#include "engine/eval/head_figures.h"
#include "engine/eval/loaded_model.h"
#include "engine/model/weights.h"
#include "engine/run/metrics.h"
#include "engine/torch/cpu_allocator.h"
#include "engine/torch/device.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

#include <QElapsedTimer>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <thread>

using namespace pha;
using namespace pha::test;

namespace {

RunConfig tinyRun()
{
    auto c = smallRun();
    c.training.evalEvery = 5;
    c.training.evalTokens = 600;
    return c;
}

} // namespace

class TrainingTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

private Q_SLOTS:
    void initTestCase() { installCpuAllocator(); } // which counts

    void aRunWritesWhatTheContractSays()
    {
        Recorder recorder;
        const auto run = runs_.folder("plain");
        QElapsedTimer watch;
        watch.start();
        QCOMPARE(runs_.train("plain", tinyRun(), &recorder).state, RunState::Finished);
        const double took = double(watch.nsecsElapsed()) / 1e9;
        QCOMPARE(recorder.all<StepEvent>().size(), std::size_t(12));
        QVERIFY(fs::exists(run / "tokenizer.model"));
        QVERIFY(fs::exists(run / "checkpoints" / "step-00000012" / "optimizer.safetensors"));
        QCOMPARE(RunDirectory(run).pointer("latest").value_or(""), std::string("step-00000012"));
        QVERIFY(RunDirectory(run).pointer("best").has_value());
        const auto evals = recorder.all<EvalEvent>();
        QCOMPARE(evals.back().step, std::int64_t(12));
        QVERIFY(evals.back().floorNll.has_value() && *evals.back().floorNll < evals.back().nll);
        QVERIFY(evals.back().nll < std::log(1024.0) + 0.5);
        QVERIFY(!recorder.all<RecallEvent>().empty());
        QVERIFY(!recorder.all<MixingEvent>().empty());
        const auto heads =
            recorder.all<HeadsEvent>(); // after 5, 10 and 12 updates; the last as its checkpoint has them
        QCOMPARE(heads.size(), std::size_t(3));
        const auto last = headsEvent(loadNetwork(run / "checkpoints" / "step-00000012", "cpu", {})->testHeads({}));
        QCOMPARE(eventToJson(last).dump(), eventToJson(heads.back()).dump());
        QCOMPARE(last.strongest.size(), headKinds.size());
        const auto time = recorder.all<TimeEvent>().back();
        QCOMPARE(time.step, std::int64_t(12));
        for (const double part : { time.updates, time.evaluation, time.samples, time.checkpoints, time.monitoring })
            QVERIFY(part > 0);
        QVERIFY2(time.total() <= took, qPrintable(QString("%1 of %2 s").arg(time.total()).arg(took)));
        QVERIFY(std::abs(time.updates + time.data - recorder.all<StepEvent>().back().seconds) < 0.1 * time.total());
        QVERIFY_EXCEPTION_THROWN(runs_.train("plain", tinyRun(), &recorder), CheckpointError); // a run is there already
    }

    /// Neither of a run before it in the same process nor of an evaluation.
    void memoryIsThatOfTheUpdate()
    {
        auto config = tinyRun();
        config.training.steps = 7;
        Recorder narrow;
        auto wide = config;
        wide.model.width = 256;
        wide.model.mainWidth = 512;
        wide.training.steps = 2;
        Recorder before;
        QCOMPARE(runs_.train("wide", wide, &before).state, RunState::Finished);
        QCOMPARE(runs_.train("narrow", config, &narrow).state, RunState::Finished);
        const auto steps = narrow.all<StepEvent>();
        QVERIFY(steps[0].deviceBytes > 0);
        QVERIFY(2 * steps[0].deviceBytes < before.all<StepEvent>().back().deviceBytes);
        QVERIFY(std::abs(double(steps[5].deviceBytes) / double(steps[4].deviceBytes) - 1) < 0.1); // evaluated after 5
    }

    /// Too few positions for the test of the heads, and for nothing else.
    void aRunWithThreeLearnedPositionsFinishes()
    {
        auto config = tinyRun();
        config.model.positions = "learned";
        config.model.maxPositions = config.training.context = 3;
        config.training.steps = 2;
        config.training.sampleEvery = 1;
        Recorder recorder;
        const auto run = runs_.folder("positions");
        QCOMPARE(runs_.train("positions", config, &recorder).state, RunState::Finished);
        QVERIFY(fs::exists(run / "checkpoints" / "step-00000002" / "model.safetensors"));
        QCOMPARE(recorder.all<EvalEvent>().back().step, std::int64_t(2));
        QVERIFY(recorder.all<HeadsEvent>().empty());
        QVERIFY(!recorder.all<SampleEvent>().empty());
    }

    void resumeIsExact_data()
    {
        QTest::addColumn<int>("stopAfter");
        for (const int n : { 1, 4, 5, 11 }) QTest::newRow(QByteArray::number(n).constData()) << n;
    }
    void resumeIsExact()
    {
        QFETCH(int, stopAfter);
        const auto name = "parts" + std::to_string(stopAfter);
        const auto whole = runs_.folder("whole"), parts = runs_.folder(name);
        Recorder reference, first, second;
        if (!fs::exists(whole))
            runs_.train("whole", tinyRun(), &reference);
        else
            for (MetricsReader reader(whole / "metrics.jsonl"); auto event : reader.poll())
                reference.events.push_back(event);
        auto config = tinyRun();
        config.training.stopAfter = stopAfter;
        QCOMPARE(runs_.train(name, config, &first).state, RunState::Stopped);
        config.training.stopAfter = 0;
        QCOMPARE(runs_.resume(name, config, { "stop_after" }, &second).state, RunState::Finished);
        QCOMPARE(weightsOf(parts, "step-00000012"), weightsOf(whole, "step-00000012"));

        MetricsReader reader(parts / "metrics.jsonl");
        std::vector<StepEvent> steps;
        for (const auto& event : reader.poll())
            if (const auto* step = std::get_if<StepEvent>(&event)) steps.push_back(*step);
        const auto expected = reference.all<StepEvent>();
        QCOMPARE(steps.size(), expected.size());
        for (std::size_t i = 0; i < steps.size(); ++i) {
            QCOMPARE(steps[i].step, expected[i].step);
            QCOMPARE(steps[i].tokens, expected[i].tokens);
            QCOMPARE(steps[i].loss, expected[i].loss);
            QCOMPARE(steps[i].gradNorm, expected[i].gradNorm);
        }
    }

    void aNameThatIsGivenWhileAResumePreparesStays()
    {
        const auto run = runs_.folder("renamed");
        auto config = tinyRun();
        config.training.stopAfter = 4;
        Recorder first, second;
        QCOMPARE(runs_.train("renamed", config, &first).state, RunState::Stopped);
        config.training.stopAfter = 0;
        config.training.threads = 2; // which is told before run.json is written
        bool renamed = false;
        second.react = [&](const Event& event) {
            const auto* status = std::get_if<StatusEvent>(&event);
            if (renamed || !status || status->state != RunState::Preparing) return;
            auto file = RunDirectory(run).read();
            file.name = "another name";
            RunDirectory(run).write(file);
            renamed = true;
        };
        QCOMPARE(runs_.resume("renamed", config, { "stop_after", "threads" }, &second).state, RunState::Finished);
        QVERIFY(renamed);
        QCOMPARE(RunDirectory(run).read().name, std::string("another name"));
        QCOMPARE(RunDirectory(run).read().config.training.threads, std::int64_t(2));
    }

    void theRecordSaysWhatItGoesOnWith()
    {
        const auto run = runs_.folder("moved");
        auto config = tinyRun();
        config.training.stopAfter = 4;
        Recorder first, second, third;
        QCOMPARE(runs_.train("moved", config, &first).state, RunState::Stopped);
        const auto said = [&] {
            std::vector<std::string> all;
            for (const auto& event : readMetrics(run / "metrics.jsonl"))
                if (const auto* status = std::get_if<StatusEvent>(&event);
                    status && status->state == RunState::Preparing)
                    all.push_back(std::to_string(status->step) + " " + status->detail);
            return all;
        };
        QCOMPARE(runs_.resume("moved", config, { "stop_after" }, &second).state, RunState::Stopped);
        QVERIFY(said().empty()); // all is as it was
        const auto folderOf8 = run / "checkpoints" / checkpointName(8);
        auto state = Json::parse(readFile(folderOf8 / "state.json"));
        const auto libtorch = state.at("libtorch").get<std::string>();
        state["libtorch"] = "0.4.1";
        publishCheckpoint(RunDirectory(run), checkpointName(8), [&](const fs::path& to) {
            for (const char* file : { "model.safetensors", "optimizer.safetensors" })
                fs::copy_file(folderOf8 / file, to / file);
            writeFileAtomically(to / "state.json", state.dump());
        });
        config.training.stopAfter = 0;
        config.training.threads = 2;
        config.training.precision = "bf16";
        QCOMPARE(
            runs_.resume("moved", config, { "stop_after", "threads", "precision" }, &third).state, RunState::Finished);
        QCOMPARE(said(),
            (std::vector<std::string> { "8 on 2 threads instead of 1 thread, in bf16 instead of fp32, with LibTorch "
                + libtorch + " instead of 0.4.1, so sums are rounded differently from here on" }));
    }

    void aRunThatDiedBeforeItsFirstCheckpointStartsOver()
    {
        Recorder recorder;
        const auto run = runs_.folder("early");
        auto config = tinyRun();
        config.training.saveEvery = 0;
        config.training.stopAfter = 3;
        runs_.train("early", config, &recorder);
        fs::remove_all(run / "checkpoints");
        config.training.stopAfter = 0;
        Recorder again;
        QCOMPARE(runs_.resume("early", config, { "stop_after" }, &again).state, RunState::Finished);
        QCOMPARE(again.all<StepEvent>().front().step, std::int64_t(1));
    }

    void aRunWhoseLastSaveFailsHasNotFinished()
    {
        Recorder recorder, again;
        const auto run = runs_.folder("unsaved");
        auto config = tinyRun();
        config.training.saveEvery = 0;
        recorder.react = [&](const Event& event) {
            const auto* step = std::get_if<StepEvent>(&event);
            if (!step || step->step != 3) return;
            fs::remove_all(run / "checkpoints");
            writeFileAtomically(run / "checkpoints", "no folder");
        };
        QCOMPARE(runs_.train("unsaved", config, &recorder).state, RunState::Failed);
        const auto problem = recorder.all<CheckpointEvent>().back().problem;
        QVERIFY(!problem.empty());
        const auto last = recorder.all<StatusEvent>().back();
        QCOMPARE(last.state, RunState::Failed);
        QCOMPARE(last.step, config.training.steps);
        QCOMPARE(last.detail, "the weights of the last update are not saved: " + problem);
        fs::remove(run / "checkpoints");
        QCOMPARE(runs_.resume("unsaved", config, {}, &again).state, RunState::Finished);
        QCOMPARE(again.all<StatusEvent>().back().state, RunState::Finished);
        QVERIFY(fs::exists(run / "checkpoints" / "step-00000012" / "model.safetensors"));
    }

    void aFullDiskCostsOlderCheckpoints()
    {
        static fs::path first;
        first = runs_.folder("crowded") / "checkpoints" / checkpointName(4);
        faultHook = [](const char* operation, const fs::path& path) {
            const bool last = path.parent_path().filename().string().starts_with(".tmp-" + checkpointName(12));
            return last && std::string(operation) == "write" && fs::exists(first) ? ENOSPC : 0;
        };
        Recorder recorder;
        const auto state = runs_.train("crowded", tinyRun(), &recorder).state;
        faultHook = nullptr;
        QCOMPARE(state, RunState::Finished);
        for (const auto& event : recorder.all<CheckpointEvent>()) QCOMPARE(event.problem, std::string());
        QVERIFY(!fs::exists(first));
        QVERIFY(checkpointComplete(runs_.folder("crowded") / "checkpoints" / checkpointName(12), true));
        const auto told = recorder.all<StatusEvent>();
        QVERIFY(std::any_of(told.begin(), told.end(), [](const StatusEvent& status) {
            return status.detail == "the disk is full: older checkpoints were removed to make room for step-00000012";
        }));
    }

    void aFinishedRunNeedsMoreSteps()
    {
        Recorder recorder;
        auto config = tinyRun();
        config.training.steps = 4;
        runs_.train("finished", config, &recorder);
        QVERIFY_EXCEPTION_THROWN(runs_.resume("finished", config, {}, &recorder), ConfigError);
        config.training.steps = 6;
        QCOMPARE(runs_.resume("finished", config, { "steps" }, &recorder).state, RunState::Finished);
    }

    void samplesAreOfOnePromptAndSeedAndChangeNothing_data()
    {
        QTest::addColumn<QString>("precision");
        QTest::addColumn<QString>("optimizer");
        QTest::newRow("fp32") << "fp32"
                              << "adamw";
        QTest::newRow("bf16, AdamW") << "bf16" // reads copies of the weights, which must not be of an earlier sample
                                     << "adamw";
        QTest::newRow("bf16, Muon") << "bf16"
                                    << "muon";
    }
    void samplesAreOfOnePromptAndSeedAndChangeNothing()
    {
        QFETCH(QString, precision);
        QFETCH(QString, optimizer);
        auto config = tinyRun();
        config.training.precision = precision.toStdString();
        config.training.optimizer = optimizer.toStdString();
        config.training.learningRate = 0.01;
        for (const auto* name : { "sampled", "unsampled" }) fs::remove_all(runs_.folder(name));
        Recorder without, with;
        runs_.train("unsampled", config, &without);
        config.training.sampleEvery = 5;
        runs_.train("sampled", config, &with);
        QCOMPARE(
            weightsOf(runs_.folder("sampled"), "step-00000012"), weightsOf(runs_.folder("unsampled"), "step-00000012"));
        const auto a = without.all<StepEvent>(), b = with.all<StepEvent>();
        QCOMPARE(a.size(), b.size());
        for (std::size_t i = 0; i < a.size(); ++i) QCOMPARE(a[i].loss, b[i].loss);

        const auto samples = with.all<SampleEvent>();
        QCOMPARE(without.all<SampleEvent>().size(), std::size_t(1)); // the last weights are always sampled
        QCOMPARE(samples.size(), std::size_t(4));
        for (std::size_t i = 0; i < samples.size(); ++i) {
            const auto& sample = samples[i];
            QCOMPARE(sample.step, std::int64_t(std::min<std::size_t>(5 * i, 12)));
            QVERIFY(sample.prompt == samples[0].prompt && sample.seed == config.training.seed);
            std::string text;
            for (const auto& token : sample.tokens) {
                text += token.text;
                QVERIFY(token.probability > 0 && token.probability <= 1 && token.entropy >= 0);
            }
            QCOMPARE(text, sample.text);
            QVERIFY(eventToJson(sample).dump().size() < 8000);
        }
        QVERIFY(samples[0].text != samples[3].text);
        QCOMPARE(without.all<SampleEvent>()[0].text, samples[3].text);
    }

    void commandsAreAnsweredBetweenSteps()
    {
        auto config = tinyRun();
        config.training.steps = 8;
        const auto request = runs_.request("commands", config);
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        std::shared_ptr<LoadedModel> copy;
        std::thread other;
        recorder.react = [&](const Event& event) {
            const auto* step = std::get_if<StepEvent>(&event);
            if (step && step->step == 3) {
                trainer.post({ Command::Kind::Change, "learning_rate", 1e-4 });
                trainer.post({ Command::Kind::Change, "learning_rate", -1 });
                trainer.post({ Command::Kind::Sample, "Once", {} });
                trainer.post({ Command::Kind::Pause, {}, {} });
            }
            const auto* status = std::get_if<StatusEvent>(&event);
            if (status && status->state == RunState::Paused)
                other = std::thread([&] { // works on a copy while the run is paused, then lets it go on
                    copy = trainer.snapshot(std::chrono::minutes(4));
                    trainer.post({ Command::Kind::Resume, {}, {} });
                });
        };
        QCOMPARE(trainer.run(recorder, {}), RunState::Finished);
        other.join();
        QVERIFY(copy);
        QCOMPARE(copy->step(), std::int64_t(3));
        const auto commands = recorder.all<CommandEvent>();
        QCOMPARE(commands.size(), std::size_t(5));
        QCOMPARE(commands[0].value, std::string("0.0001"));
        QCOMPARE(commands[1].value, std::string("refused"));
        QCOMPARE(commands[3].name, std::string("pause"));
        QCOMPARE(recorder.all<StepEvent>()[3].learningRate < 1.1e-4, true);
        QVERIFY(!trainer.snapshot(std::chrono::milliseconds(1))); // the run has ended

        Recorder silent;
        EvaluateOptions options;
        options.maxTokens = 100;
        const auto evaluation = copy->evaluate(options, silent, {});
        QCOMPARE(evaluation.figures.tokens, std::int64_t(100));
        GenerateOptions generate;
        generate.prompt = "Once";
        generate.sampling.maxTokens = 5;
        QCOMPARE(copy->generate(generate, [](const GeneratedToken&) {}, {}).tokens.size(), std::size_t(5));
    }

    void whatIsAskedOfAPausedRunIsKeptByAStop_data()
    {
        QTest::addColumn<int>("asked");
        QTest::newRow("a change") << int(Command::Kind::Change);
        QTest::newRow("an evaluation") << int(Command::Kind::Evaluate);
        QTest::newRow("a sample") << int(Command::Kind::Sample);
    }
    void whatIsAskedOfAPausedRunIsKeptByAStop()
    {
        QFETCH(int, asked);
        const auto kind = Command::Kind(asked);
        const auto name = "paused" + std::to_string(asked);
        const auto run = runs_.folder(name);
        constexpr std::int64_t pausedAt = 6; // where nothing else is due
        {
            const auto request = runs_.request(name, tinyRun());
            Recorder recorder;
            Trainer trainer(request, recorder, {});
            std::stop_source stop;
            recorder.react = [&](const Event& event) {
                if (const auto* step = std::get_if<StepEvent>(&event); step && step->step == pausedAt)
                    trainer.post({ Command::Kind::Pause, {}, {} });
                if (const auto* status = std::get_if<StatusEvent>(&event);
                    status && status->state == RunState::Paused) {
                    const bool change = kind == Command::Kind::Change;
                    trainer.post({ kind, change ? "learning_rate" : "", change ? Json(1e-4) : Json() });
                }
                const auto* command = std::get_if<CommandEvent>(&event);
                const auto* eval = std::get_if<EvalEvent>(&event);
                const auto* sample = std::get_if<SampleEvent>(&event);
                if ((command && command->name == "learning_rate") || (eval && eval->step == pausedAt)
                    || (sample && sample->step == pausedAt))
                    stop.request_stop();
            };
            QCOMPARE(trainer.run(recorder, stop.get_token()), RunState::Stopped);
        }
        const double rate = kind == Command::Kind::Change ? 1e-4 : tinyRun().training.learningRate;
        QCOMPARE(readToResume(run).config.training.learningRate, rate);
        Recorder rest;
        QCOMPARE(runs_.resume(name, tinyRun(), {}, &rest).state, RunState::Finished);
        QCOMPARE(RunDirectory(run).read().config.training.learningRate, rate);
        QCOMPARE(rest.all<StepEvent>().front().step, pausedAt + 1);
        QCOMPARE(rest.all<StepEvent>().front().learningRate <= 1e-4, kind == Command::Kind::Change);
        const auto changes = settingChanges(run);
        QCOMPARE(changes.size(), std::size_t(kind == Command::Kind::Change));
        std::size_t evaluations = 0, samples = 0;
        for (const auto& event : readMetrics(run / "metrics.jsonl")) {
            if (const auto* eval = std::get_if<EvalEvent>(&event)) evaluations += eval->step == pausedAt;
            if (const auto* sample = std::get_if<SampleEvent>(&event)) samples += sample->step == pausedAt;
        }
        QCOMPARE(evaluations, std::size_t(kind == Command::Kind::Evaluate));
        QCOMPARE(samples, std::size_t(kind == Command::Kind::Sample));
    }

    void measuringTheMachineDrawsNoRandomNumbers()
    {
        const auto generator = at::globalContext().defaultGenerator(torch::kCPU);
        const auto before = generator.get_state();
        QVERIFY(measureGemm(torch::kCPU, torch::kFloat, 64, 64, 64) > 0);
        QVERIFY(torch::equal(generator.get_state(), before));
    }

    void aFailureIsSaidInOneLine()
    {
        const auto request = runs_.request("no memory", tinyRun());
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        recorder.react = [](const Event& event) { // what LibTorch throws, with its stack trace
            const auto* step = std::get_if<StepEvent>(&event);
            TORCH_CHECK(!step || step->step < 3, "[enforce fail at alloc_cpu.cpp:83] not enough memory: you tried");
        };
        QVERIFY_EXCEPTION_THROWN(trainer.run(recorder, {}), Error);
        const auto last = recorder.all<StatusEvent>().back();
        QCOMPARE(last.state, RunState::Failed);
        QCOMPARE(last.detail, std::string("there is not enough memory for this batch; lower batch_size or context"));
    }

    void aCopyThatCannotBeMadeEndsNoTraining()
    {
        const auto request = runs_.request("no copy", tinyRun());
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        std::shared_ptr<LoadedModel> failed, copy;
        bool late = true;
        std::thread other;
        recorder.react = [&](const Event& event) {
            const auto* step = std::get_if<StepEvent>(&event);
            if (step && step->step == 3) {
                late = trainer.snapshot(std::chrono::milliseconds(1)) == nullptr; // nobody serves meanwhile
                trainer.post({ Command::Kind::Pause, {}, {} });
            }
            const auto* status = std::get_if<StatusEvent>(&event);
            if (!status || status->state != RunState::Paused) return;
            auto weight = namedWeights(trainer.model()).front().second;
            const auto whole = weight.detach();
            weight.set_data(torch::zeros({ 7 })); // which no copy can take
            other = std::thread([&, weight, whole]() mutable {
                failed = trainer.snapshot(std::chrono::minutes(4));
                weight.set_data(whole);
                copy = trainer.snapshot(std::chrono::minutes(4));
                trainer.post({ Command::Kind::Resume, {}, {} });
            });
        };
        QCOMPARE(trainer.run(recorder, {}), RunState::Finished);
        other.join();
        QVERIFY(late);
        QVERIFY(!failed);
        QVERIFY(copy);
        QCOMPARE(copy->step(), std::int64_t(3));
    }

    void nonFiniteUpdatesAreNotAppliedAndTenEndTheRun()
    {
        auto config = tinyRun();
        config.training.steps = 30;
        config.training.saveEvery = 3;
        const auto request = runs_.request("diverged", config);
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        trainer.failLossForTest(7, 30);
        QCOMPARE(trainer.run(recorder, {}), RunState::Diverged);
        const auto steps = recorder.all<StepEvent>();
        QCOMPARE(steps.size(), std::size_t(17));
        QVERIFY(steps[6].applied && !steps[7].applied && std::isnan(steps[16].loss));
        for (const auto& [name, weight] : namedWeights(trainer.model())) QVERIFY(weight.isfinite().all().item<bool>());
        const auto latest =
            RunDirectory(runs_.folder("diverged")).pointer("latest"); // saved meanwhile, but never with a bad update
        QVERIFY(latest.has_value());
        for (const auto& [name, weight] :
            namedWeights(*readModel(runs_.folder("diverged") / "checkpoints" / *latest / "model.safetensors")))
            QVERIFY(weight.isfinite().all().item<bool>());
        QCOMPARE(recorder.all<StatusEvent>().back().state, RunState::Diverged);
    }

    void anExplosionIsToldAtOnceAndEndsTheRun()
    {
        auto config = tinyRun();
        config.training.steps = 400;
        config.training.evalEvery = config.training.saveEvery = 0;
        config.training.optimizer = "adamw";
        config.training.learningRate = 10;
        config.training.clip = 0;
        Recorder recorder;
        QCOMPARE(runs_.train("exploded", config, &recorder).state, RunState::Diverged);
        QVERIFY(recorder.all<StepEvent>().size() < 200);
        const auto alerts = recorder.all<AlertEvent>();
        QVERIFY(!alerts.empty());
        QVERIFY2(alerts.front().step < 20, std::to_string(alerts.front().step).c_str());
    }

    /// models.md 5.4.
    void regularisersMoveTheMixingWeights()
    {
        const auto mixAfter = [&](const char* name, const std::vector<std::pair<std::string, std::string>>& settings) {
            auto config = tinyRun();
            config.training.steps = 40;
            config.training.evalEvery = config.training.saveEvery = 0;
            config.training.learningRate = 0.02;
            config.training.mixLearningRate = 5;
            config.training.mixEvery = 20;
            for (const auto& [field, value] : settings) config.set(field, value);
            Recorder recorder;
            [&] { QCOMPARE(runs_.train(name, config, &recorder).state, RunState::Finished); }();
            return recorder.all<MixingEvent>().at(1).layers.at(0); // half-way, where the entropy bonus ends
        };
        const auto share = [](const LayerMix& mix, std::size_t branch) { return mix.branches.at(branch).normalised; };
        constexpr std::size_t gss = 0, attention = 1;
        const auto free = mixAfter("free", {});
        const auto costly = mixAfter("costly", { { "attention_cost", "5" } });
        QVERIFY(share(costly, attention) < 0.7 * share(free, attention));
        const auto even = mixAfter("even", { { "entropy_bonus", "5" } });
        QVERIFY(1 - even.entropy < (1 - free.entropy) / 2);
        const auto prior = mixAfter("prior", { { "prior_weight", "5" }, { "prior", "0.2,0.7,0.1" } });
        QVERIFY(std::abs(share(prior, attention) - 0.7) < 0.1 && std::abs(share(prior, gss) - 0.2) < 0.1);
    }

    void everyMixingModeLearnsOneBatch_data()
    {
        QTest::addColumn<QString>("mode");
        for (const char* mode : { "softplus", "token", "channel_sigmoid" }) QTest::newRow(mode) << mode;
    }
    void everyMixingModeLearnsOneBatch()
    {
        QFETCH(QString, mode);
        auto config = tinyRun();
        config.model.mixMode = mode.toStdString();
        config.model.vocabulary = 200;
        config.training.learningRate = 1e-2;
        config.training.weightDecay = 0;
        torch::manual_seed(3);
        LanguageModel model(config.model, 1);
        AdamW optimizer(model, config.training);
        const auto ids = torch::randint(200, { 8, 129 }, torch::kLong);
        double loss = 0;
        for (int i = 0; i < 400 && (i == 0 || loss > 0.1); ++i) {
            optimizer.zeroGrad();
            auto part = model.lossSum(ids.narrow(1, 0, 128), ids.narrow(1, 1, 128), {}) / 1024;
            part.backward();
            loss = part.item<double>();
            const double norm = optimizer.gradNorm();
            optimizer.step(1e-2, norm > 1 ? 1 / norm : 1);
        }
        QVERIFY2(loss < 0.1, std::to_string(loss).c_str());
    }

    void evaluationCountsEveryTokenOnce()
    {
        auto config = tinyRun().model;
        config.vocabulary = 50;
        LanguageModel model(config, 1);
        Split split;
        split.name = "test";
        for (int i = 0; i < 333; ++i) {
            split.tokens.push_back((i * 7) % 50);
            split.words.push_back(i / 2);
            split.bytes.push_back(i * 3);
        }
        Recorder silent;
        const auto score = [&](std::int64_t context, std::int64_t stride) {
            EvaluateOptions options;
            options.context = context;
            options.stride = stride;
            return evaluateSplit(model, {}, split, options, silent, {}).figures;
        };
        const auto disjoint = score(64, 64), strided = score(64, 16), whole = score(1000, 1000);
        for (const auto& e : { disjoint, strided, whole }) {
            QCOMPARE(e.tokens, std::int64_t(332));
            QCOMPARE(e.words, std::int64_t(166));
            QCOMPARE(e.bytes, std::int64_t(996));
            QVERIFY(std::abs(e.perplexity - std::exp(e.totalNll / 332)) < 1e-9);
            QVERIFY(std::abs(e.wordPerplexity - std::pow(e.perplexity, 332.0 / 166)) < 1e-6 * e.wordPerplexity);
            QVERIFY(std::abs(e.bitsPerByte - e.totalNll / std::log(2.0) / 996) < 1e-12);
        }
        QVERIFY(disjoint.totalNll != strided.totalNll);
        {
            const torch::NoGradGuard guard; // a uniform model has perplexity V
            for (auto& [name, weight] : namedWeights(model))
                if (name == "embedding") weight.detach().zero_();
        }
        QVERIFY(std::abs(score(64, 64).perplexity - 50) < 1e-3);
        QVERIFY_EXCEPTION_THROWN(score(64, 65), ConfigError);
    }
};

PHA_TEST(TrainingTest)
#include "training_test.moc"
