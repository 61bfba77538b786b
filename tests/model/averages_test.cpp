// SPDX-License-Identifier: GPL-3.0-or-later
// Averages of weights, resumes that keep them exact, initial weights from a file, runs that go back.
#include "engine/base/error.h"
#include "engine/eval/evaluator.h"
#include "engine/eval/loaded_model.h"
#include "engine/eval/model_file.h"
#include "engine/run/capsule.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

#include <QtTest>

#include <algorithm>
#include <cerrno>
#include <map>
#include <set>
#include <utility>

using namespace pha;
using namespace pha::test;

namespace {

RunConfig averagedRun()
{
    auto config = smallRun();
    config.training.optimizer = "muon";
    config.training.saveEvery = 1;
    config.training.keepCheckpoints = 100;
    config.training.averageKeep = 3;
    config.training.averageTake = 2;
    config.training.emaDecay = 0.8;
    config.training.emaStart = 0.25; // from update 3
    config.training.lawaCount = 3;
    config.training.lawaEvery = 2;
    return config;
}

std::map<std::string, Tensor> weightsIn(const fs::path& file)
{
    std::map<std::string, Tensor> all;
    const auto model = readModel(file);
    for (const auto& [name, weight] : namedWeights(*model)) all[name] = weight.detach().clone();
    return all;
}

double largestDifference(const std::map<std::string, Tensor>& a, const std::map<std::string, Tensor>& b)
{
    double largest = 0;
    for (const auto& [name, weight] : a) largest = std::max(largest, (weight - b.at(name)).abs().max().item<double>());
    return largest;
}

} // namespace

class AveragesTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;
    Recorder recorder_;
    fs::path run_;

    fs::path checkpoint(std::int64_t step) const { return run_ / "checkpoints" / checkpointName(step); }
    std::map<std::string, Tensor> at(std::int64_t step) const
    {
        return weightsIn(checkpoint(step) / "model.safetensors");
    }
    std::map<std::string, Tensor> meanOf(const std::vector<std::int64_t>& steps) const
    {
        auto mean = at(steps[0]);
        for (std::size_t i = 1; i < steps.size(); ++i)
            for (auto& [name, weight] : mean) weight += at(steps[i]).at(name);
        for (auto& [name, weight] : mean) weight /= double(steps.size());
        return mean;
    }

private Q_SLOTS:
    void initTestCase() { run_ = runs_.train("whole", averagedRun(), &recorder_); }

    void theMovingAverageFollowsItsFormula()
    {
        auto mean = at(3);
        for (std::int64_t step = 4; step <= 12; ++step) {
            const auto next = at(step);
            for (auto& [name, weight] : mean) weight = 0.8 * weight + 0.2 * next.at(name);
        }
        // The largest weights are near ten, where two roundings make 2e-6.
        QVERIFY(largestDifference(mean, weightsIn(run_ / "averages" / "ema.safetensors")) < 4e-6);
        QVERIFY(largestDifference(at(12), mean) > 1e-4);
        QVERIFY(!fs::exists(checkpoint(2) / "ema.safetensors"));
        QVERIFY(fs::exists(checkpoint(3) / "ema.safetensors"));
    }

    void lawaIsTheMeanOfTheLastOnes()
    {
        QVERIFY(largestDifference(meanOf({ 8, 10, 12 }), weightsIn(run_ / "averages" / "lawa.safetensors")) < 1e-6);
    }

    void theBestOnesAreAveraged()
    {
        std::vector<std::pair<double, std::int64_t>> plain;
        for (const auto& e : recorder_.all<EvalEvent>())
            if (e.note.empty()) plain.emplace_back(e.nll, e.step);
        QCOMPARE(plain.size(), std::size_t(6));
        std::sort(plain.begin(), plain.end());
        QVERIFY(largestDifference(
                    meanOf({ plain[0].second, plain[1].second }), weightsIn(run_ / "averages" / "best.safetensors"))
            < 1e-6);
    }

    void eachIsEvaluatedAtTheEnd()
    {
        std::map<std::string, double> notes;
        for (const auto& e : recorder_.all<EvalEvent>())
            if (!e.note.empty()) {
                QCOMPARE(e.step, std::int64_t(12));
                QCOMPARE(e.split, std::string("valid"));
                notes[e.note] = e.nll;
            }
        QCOMPARE(notes.size(), std::size_t(3));
        QVERIFY(notes.count("mean of the best 2 of 3 weights"));
        QVERIFY(notes.count("moving average of the weights, decay 0.8"));
        EvaluateOptions options;
        options.maxTokens = 300;
        Recorder silent;
        const auto again = loadNetwork(run_ / "averages" / "lawa.safetensors", "cpu", "fp32");
        QCOMPARE(again->step(), std::int64_t(12));
        QCOMPARE(
            again->evaluate(options, silent, {}).figures.nll, notes["mean of the last 3 weights, 2 updates apart"]);
    }

    void onlyNeededWeightsWait()
    {
        std::set<std::string> parts;
        for (const auto& entry : fs::directory_iterator(run_ / "averages" / "parts"))
            parts.insert(entry.path().stem().string());
        for (const std::int64_t step : { 8, 10, 12 }) QVERIFY(parts.count(checkpointName(step)));
        QVERIFY(parts.size() <= 6);
    }

    /// What is asked of the disk before a run is what its settings keep there.
    void theDiskIsAskedForAllThatIsKept()
    {
        auto config = averagedRun();
        config.training.optimizer = "adamw";
        config.training.saveEvery = 4;
        config.training.keepCheckpoints = 3;
        std::uintmax_t most = 0;
        Recorder recorder;
        recorder.react = [&](const Event& event) {
            if (!std::holds_alternative<CheckpointEvent>(event)) return;
            std::uintmax_t bytes = 0;
            for (const auto& entry : fs::recursive_directory_iterator(runs_.folder("kept")))
                if (entry.path().extension() == ".safetensors") bytes += entry.file_size();
            most = std::max(most, bytes);
        };
        const auto run = runs_.train("kept", config, &recorder);
        const auto asked = diskBytes(RunDirectory(run).read().config);
        QVERIFY2(double(most) > 0.4 * asked && double(most) < 1.1 * asked,
            qPrintable(QString("%1 of %2").arg(double(most)).arg(asked)));
        const auto three = diskBytes(config);
        config.training.keepCheckpoints = 100; // of three saves
        QCOMPARE(diskBytes(config), three);
    }

    void resumeKeepsThemExact_data()
    {
        QTest::addColumn<int>("stopAfter");
        for (const int n : { 2, 7 }) QTest::newRow(QByteArray::number(n).constData()) << n;
    }
    void resumeKeepsThemExact()
    {
        QFETCH(int, stopAfter);
        auto config = averagedRun();
        config.training.saveEvery = 5;
        config.training.stopAfter = stopAfter;
        const auto name = "parts" + std::to_string(stopAfter);
        const auto parts = runs_.train(name, config);
        config.training.stopAfter = 0;
        runs_.resume(name, config, { "stop_after" });
        for (const char* file : { "best", "ema", "lawa" })
            QCOMPARE(largestDifference(weightsIn(parts / "averages" / (std::string(file) + ".safetensors")),
                         weightsIn(run_ / "averages" / (std::string(file) + ".safetensors"))),
                0.0);
        const auto end = parts / "checkpoints" / checkpointName(12);
        QCOMPARE(readFile(end / "model.safetensors"), readFile(checkpoint(12) / "model.safetensors"));
        QCOMPARE(readFile(end / "optimizer.safetensors"), readFile(checkpoint(12) / "optimizer.safetensors"));
        QCOMPARE(readFile(end / "ema.safetensors"), readFile(checkpoint(12) / "ema.safetensors"));
    }

    void aResumeMayKeepFewerWeights()
    {
        auto config = averagedRun();
        config.training.stopAfter = 9; // three of both are kept
        const fs::path fewer = runs_.train("fewer", config), none = runs_.folder("none");
        fs::copy(fewer, none, fs::copy_options::recursive);
        const auto notes = [](const Recorder& recorder) {
            std::set<std::string> all;
            for (const auto& e : recorder.all<EvalEvent>())
                if (!e.note.empty() && e.note.find("moving") == std::string::npos) all.insert(e.note);
            return all;
        };
        config.training.stopAfter = 0;
        config.training.averageKeep = config.training.averageTake = config.training.lawaCount = 1;
        Recorder one, nobody;
        runs_.resume("fewer", config, { "stop_after", "average_keep", "average_take", "lawa_count" }, &one);
        QCOMPARE(notes(one),
            (std::set<std::string> {
                "mean of the best 1 of 1 weights", "mean of the last 1 weights, 2 updates apart" }));
        QCOMPARE(largestDifference(at(12), weightsIn(fewer / "averages" / "lawa.safetensors")), 0.0);

        config.training.averageKeep = config.training.lawaCount = 0;
        runs_.resume("none", config, { "stop_after", "average_keep", "lawa_count" }, &nobody);
        QVERIFY(notes(nobody).empty());
        for (const char* file : { "best", "lawa" })
            QVERIFY(!fs::exists(none / "averages" / (std::string(file) + ".safetensors")));
    }

    void aRunThatIsHandedOnKeepsThem()
    {
        auto config = averagedRun();
        config.training.stopAfter = 8;
        const auto run = runs_.train("handed on", config);
        config.training.stopAfter = 0;
        Recorder nobody;
        const auto file = runs_.folder("handed on.pha");
        writeCapsule(run, file, {}, nobody, {});
        const auto goesOn = [&](const std::string& name) {
            Recorder recorder;
            runs_.resume(name, config, { "stop_after" }, &recorder);
            std::map<std::string, double> means;
            for (const auto& e : recorder.all<EvalEvent>())
                if (!e.note.empty()) means[e.note] = e.nll;
            return means;
        };
        const auto missing = [](const fs::path& folder) {
            std::string said;
            for (const auto& event : readMetrics(folder / "metrics.jsonl"))
                if (const auto* status = std::get_if<StatusEvent>(&event);
                    status && status->detail.find("kept for averages") != std::string::npos)
                    said = status->detail;
            return said;
        };
        const auto there = importCapsule(file, runs_.folder("there"), nobody, {});
        const auto bare = importCapsule(file, runs_.folder("bare"), nobody, {});
        fs::remove_all(bare / "averages");
        const auto expected = goesOn("handed on");
        QCOMPARE(expected.size(), std::size_t(3));
        QVERIFY(goesOn("there/" + there.filename().string()) == expected);
        QCOMPARE(missing(there), std::string());
        QVERIFY(goesOn("bare/" + bare.filename().string()) != expected);
        const auto said = missing(bare);
        QVERIFY2(said.starts_with("the weights of ") && said.ends_with(" are gone, so averages are of the others"),
            said.c_str());
    }

    void theMovingAverageOfALengthenedRunGoesOn()
    {
        auto config = smallRun();
        config.training.saveEvery = 1;
        config.training.keepCheckpoints = 100;
        config.training.emaDecay = 0.8;
        config.training.emaStart = 0.5; // from update 2 of 4; of 12 it would be 6
        config.training.steps = 4;
        const auto run = runs_.train("longer", config);
        config.training.steps = 12;
        runs_.resume("longer", config, { "steps" });
        const auto weightsAt = [&](std::int64_t step) {
            return weightsIn(run / "checkpoints" / checkpointName(step) / "model.safetensors");
        };
        auto mean = weightsAt(2);
        for (std::int64_t step = 3; step <= 12; ++step) {
            const auto next = weightsAt(step);
            for (auto& [name, weight] : mean) weight = 0.8 * weight + 0.2 * next.at(name);
        }
        QVERIFY(largestDifference(mean, weightsIn(run / "averages" / "ema.safetensors")) < 4e-6);
    }

    void theMovingAverageAloneIsWritten()
    {
        auto config = smallRun();
        config.training.emaDecay = 0.8;
        Recorder recorder;
        const auto alone = runs_.train("ema alone", config, &recorder);
        QCOMPARE(recorder.all<StatusEvent>().back().state, RunState::Finished);
        for (const auto& status : recorder.all<StatusEvent>())
            QVERIFY2(status.detail.find("average") == std::string::npos, status.detail.c_str());
        QVERIFY(fs::exists(alone / "averages" / "ema.safetensors"));
        QVERIFY(loadNetwork(alone / "averages" / "ema.safetensors", "cpu", "fp32"));
    }

    void anEvaluationThatIsStoppedIsDoneByTheResume_data()
    {
        QTest::addColumn<int>("step");
        QTest::addColumn<bool>("atSample");
        QTest::newRow("evaluation and no save") << 6 << false;
        QTest::newRow("evaluation and save") << 8 << false;
        QTest::newRow("sample") << 8 << true;
    }
    void anEvaluationThatIsStoppedIsDoneByTheResume()
    {
        QFETCH(int, step);
        QFETCH(bool, atSample);
        auto config = averagedRun();
        config.training.schedule = "plateau";
        config.training.plateauPatience = 0;
        config.training.saveEvery = 4;
        config.training.sampleEvery = 4;
        const RunDirectory whole(runs_.folder("not stopped"));
        if (!whole.exists()) runs_.train("not stopped", config);

        const auto name = "stopped" + std::to_string(step) + (atSample ? "s" : "e");
        TrainingRequest request;
        request.config = config;
        request.directory = runs_.folder(name);
        Recorder recorder;
        std::stop_source stop;
        recorder.react = [&](const Event& event) {
            const auto* heads = std::get_if<HeadsEvent>(&event);
            const auto* update = std::get_if<StepEvent>(&event);
            if (atSample ? heads && heads->step == step : update && update->step == step) stop.request_stop();
        };
        {
            Trainer trainer(request, recorder, {});
            QCOMPARE(trainer.run(recorder, stop.get_token()), RunState::Stopped);
        }
        const RunDirectory parts(request.directory);
        QCOMPARE(parts.pointer("latest").value_or(""), checkpointName(step));
        QCOMPARE(recorder.all<EvalEvent>().back().step, std::int64_t(atSample ? step : step - 2));
        for (const auto& sample : recorder.all<SampleEvent>()) QVERIFY(sample.step < step);
        runs_.resume(name, config, {});

        const auto course = [](const RunDirectory& run) { // all that is said of a step beside its time
            std::string text;
            for (const auto& event : readMetrics(run.metricsFile())) {
                if (const auto* e = std::get_if<EvalEvent>(&event))
                    text += std::to_string(e->step) + " eval " + std::to_string(e->nll) + " " + e->note + "\n";
                if (const auto* e = std::get_if<StepEvent>(&event))
                    text += std::to_string(e->step) + " step " + std::to_string(e->learningRate) + "\n";
                if (const auto* e = std::get_if<SampleEvent>(&event))
                    text += std::to_string(e->step) + " sample " + e->text + "\n";
                if (const auto* e = std::get_if<HeadsEvent>(&event)) text += std::to_string(e->step) + " heads\n";
                if (const auto* e = std::get_if<MixingEvent>(&event)) text += std::to_string(e->step) + " mix\n";
            }
            return text;
        };
        QCOMPARE(course(parts), course(whole));
        QCOMPARE(parts.pointer("best").value_or(""), whole.pointer("best").value_or(""));
        for (const char* file : { "model.safetensors", "optimizer.safetensors", "ema.safetensors" })
            QCOMPARE(readFile(parts.checkpoints() / checkpointName(12) / file),
                readFile(whole.checkpoints() / checkpointName(12) / file));
        for (const char* file : { "best", "ema", "lawa" })
            QCOMPARE(largestDifference(weightsIn(parts.root() / "averages" / (std::string(file) + ".safetensors")),
                         weightsIn(whole.root() / "averages" / (std::string(file) + ".safetensors"))),
                0.0);
    }

    void averagesAreWrittenWithoutFiguresAfterAStop()
    {
        TrainingRequest request;
        request.config = averagedRun();
        request.directory = runs_.folder("stopped at the end");
        Recorder recorder;
        std::stop_source stop;
        recorder.react = [&](const Event& event) {
            const auto* update = std::get_if<StepEvent>(&event);
            if (update && update->step == 12) stop.request_stop();
        };
        Trainer trainer(request, recorder, {});
        QCOMPARE(trainer.run(recorder, stop.get_token()), RunState::Finished);
        QCOMPARE(recorder.all<EvalEvent>().back().step, std::int64_t(12));
        for (const auto& evaluation : recorder.all<EvalEvent>()) QVERIFY(evaluation.note.empty());
        for (const char* file : { "best", "ema", "lawa" })
            QCOMPARE(largestDifference(weightsIn(request.directory / "averages" / (std::string(file) + ".safetensors")),
                         weightsIn(run_ / "averages" / (std::string(file) + ".safetensors"))),
                0.0);
    }

    void averagingIdenticalCheckpointsIsTheIdentity()
    {
        const auto out = runs_.folder("same.safetensors");
        averageCheckpoints({ checkpoint(6), checkpoint(6), checkpoint(6) / "model.safetensors" }, out);
        QCOMPARE(largestDifference(weightsIn(out), at(6)), 0.0);
        averageCheckpoints({ out, checkpoint(6) }, out); // model files are averaged like checkpoints
        QCOMPARE(largestDifference(weightsIn(out), at(6)), 0.0);
        averageCheckpoints({ checkpoint(4), checkpoint(8) }, out);
        QVERIFY(largestDifference(weightsIn(out), meanOf({ 4, 8 })) < 1e-6);
        const auto file = readModelFile(out);
        QCOMPARE(file.step, std::int64_t(8));
        QCOMPARE(file.note, std::string("mean of 2 checkpoints"));
        QCOMPARE(file.config.training.emaDecay, 0.8);
    }

    /// Its trainer finds a better one and keeps that alone.
    void aCheckpointIsReplacedBeforeItIsAveraged()
    {
        static std::string newer;
        newer = checkpointName(13);
        const RunDirectory run(runs_.train("averaged as it trains", smallRun()));
        const auto expected = weightsIn(run.checkpoints() / run.pointer("best").value() / "model.safetensors");
        faultHook = [](const char* operation, const fs::path& path) {
            if (std::string(operation) != "open" || path.filename() != "run.json") return 0; // the checkpoint is chosen
            faultHook = nullptr;
            const RunDirectory trained(path.parent_path());
            fs::rename(trained.checkpoints() / trained.pointer("best").value(), trained.checkpoints() / newer);
            for (const char* pointer : { "latest", "best" }) trained.setPointer(pointer, newer);
            return 0;
        };
        const auto out = runs_.folder("replaced.safetensors");
        std::string problem;
        try {
            averageCheckpoints({ run.root() }, out);
        } catch (const std::exception& error) {
            problem = error.what();
        }
        QVERIFY(!std::exchange(faultHook, nullptr)); // it was called
        QVERIFY2(problem.empty(), problem.c_str());
        QCOMPARE(readModelFile(out).step, std::int64_t(13));
        QCOMPARE(largestDifference(weightsIn(out), expected), 0.0);
    }

    void whatCannotBeAveragedIsRefused()
    {
        auto config = smallRun();
        config.model.mainWidth = 48;
        config.training.steps = 1;
        const auto other = runs_.train("other", config);
        const auto out = runs_.folder("refused.safetensors");
        QVERIFY_EXCEPTION_THROWN(averageCheckpoints({ checkpoint(6), other }, out), CheckpointError);
        writeTensors(out, { { "embedding", torch::zeros({ 2, 2 }) } }, {});
        QVERIFY_EXCEPTION_THROWN(loadNetwork(out, "cpu", "fp32"), CheckpointError);
        fs::remove(out);
        QVERIFY_EXCEPTION_THROWN(averageCheckpoints({ out }, out), CheckpointError);
        QVERIFY(!fs::exists(out));
    }

    void damagedWeightsAreNotLoaded()
    {
        const auto copy = runs_.folder("damaged");
        fs::copy(run_, copy, fs::copy_options::recursive);
        const auto file = copy / "checkpoints" / checkpointName(12) / "model.safetensors";
        auto content = readFile(file);
        content[content.size() - 5] = char(content[content.size() - 5] ^ 1); // one bit of one weight
        writeFileAtomically(file, content);
        QVERIFY_EXCEPTION_THROWN(loadNetwork(file.parent_path(), "cpu", "fp32"), CheckpointError);
        QVERIFY(loadNetwork(copy / "checkpoints" / checkpointName(11), "cpu", "fp32"));
    }

    void initialWeightsComeFromAFile()
    {
        auto config = smallRun();
        config.training.steps = 1;
        config.training.learningRate = 0;
        config.model.mainWidth = 48; // these matrices have another shape
        TrainingRequest request;
        request.config = config;
        request.directory = runs_.folder("started");
        request.initFrom = checkpoint(12);
        Recorder recorder;
        runs_.run(request, &recorder);
        const auto fresh = weightsIn(request.directory / "checkpoints" / checkpointName(1) / "model.safetensors");
        const auto source = at(12);
        QCOMPARE((fresh.at("embedding") - source.at("embedding")).abs().max().item<double>(), 0.0);
        QVERIFY(fresh.at("layers.0.main.up").size(0) == 48);
        const auto said = recorder.all<StatusEvent>().front();
        QCOMPARE(said.state, RunState::Preparing);
        QVERIFY2(said.detail.find("another shape or type: layers.0.main.") != std::string::npos, said.detail.c_str());
        QVERIFY(RunDirectory(request.directory).read().environment.contains("init_from"));

        request.directory = runs_.folder("not started");
        request.initFrom = runs_.folder("foreign.safetensors");
        writeTensors(request.initFrom, { { "wte.weight", torch::zeros({ 4, 4 }) } }, {});
        QVERIFY_EXCEPTION_THROWN(runs_.run(request), CheckpointError);
        QVERIFY(!fs::exists(request.directory));
    }

    void aRefusedResumeChangesNothing()
    {
        const auto metrics = readFile(run_ / "metrics.jsonl"), file = readFile(run_ / "run.json");
        auto config = averagedRun();
        config.training.steps = 10;
        QVERIFY_EXCEPTION_THROWN(runs_.resume("whole", config, { "steps" }), ConfigError);
        QCOMPARE(readFile(run_ / "metrics.jsonl"), metrics);
        QCOMPARE(readFile(run_ / "run.json"), file);
        QVERIFY(fs::exists(checkpoint(12)));
    }

    void aFolderThatIsTakenMeanwhileIsPassedOver()
    {
        TrainingRequest request;
        request.config = smallRun();
        request.config.training.steps = 1;
        request.folderName = "same";
        request.directory = freshRunDirectory(runs_.folder(""), request.folderName);
        Recorder recorder;
        const Trainer first(request, recorder, {}), second(request, recorder, {});
        QCOMPARE(first.directory(), runs_.folder("same"));
        QCOMPARE(second.directory(), runs_.folder("same-2"));
        QCOMPARE(RunDirectory(second.directory()).read().name, std::string("same-2"));
    }

    void goingBackSetsLaterCheckpointsAside()
    {
        const auto copy = runs_.folder("back");
        fs::copy(run_, copy, fs::copy_options::recursive);
        auto config = averagedRun();
        config.training.stopAfter = 1;
        runs_.resume("back", config, { "stop_after" }, nullptr, checkpointName(6));
        const RunDirectory run(copy);
        QCOMPARE(run.pointer("latest").value_or(""), checkpointName(7));
        QCOMPARE(run.list().back(), checkpointName(7));
        QVERIFY(checkpointStep(run.pointer("best").value_or(checkpointName(0))).value() <= 7);
        QVERIFY(fs::exists(run.checkpoints() / (checkpointName(12) + ".rewound-1") / "model.safetensors"));
        std::int64_t last = 0;
        for (const auto& event : readMetrics(run.metricsFile()))
            if (const auto* step = std::get_if<StepEvent>(&event)) last = step->step;
        QCOMPARE(last, std::int64_t(7));
    }

    void goingBackBeforeTheBestBeginsTheSearchAnew()
    {
        auto config = smallRun();
        config.training.saveEvery = 2;
        config.training.keepCheckpoints = 100;
        const RunDirectory run(runs_.train("best", config));
        run.setPointer("best", checkpointName(12));
        const auto sixth = run.checkpoints() / checkpointName(6);
        auto state = Json::parse(readFile(sixth / "state.json"));
        QCOMPARE(state.value("best", false), true);
        state.erase("best"); // as an earlier program wrote it
        publishCheckpoint(run, checkpointName(6), [&](const fs::path& to) {
            for (const char* file : { "model.safetensors", "optimizer.safetensors" })
                fs::copy_file(sixth / file, to / file);
            writeFileAtomically(to / "state.json", state.dump());
        });
        config.training.learningRate = 0; // no weight moves any more, so no loss is lower than the last one
        config.training.stopAfter = 2;
        runs_.resume("best", config, { "learning_rate", "stop_after" }, nullptr, checkpointName(6));
        QCOMPARE(run.pointer("best").value_or(""), checkpointName(8));
    }

    void goingBackToWhatWasTheBestFindsItAgain()
    {
        auto config = smallRun();
        config.training.saveEvery = 2;
        config.training.keepCheckpoints = 100;
        const RunDirectory run(runs_.train("best again", config));
        run.setPointer("best", checkpointName(12));
        config.training.learningRate = 0;
        config.training.stopAfter = 2;
        runs_.resume("best again", config, { "learning_rate", "stop_after" }, nullptr, checkpointName(6));
        QCOMPARE(run.pointer("best").value_or(""), checkpointName(6));
        QCOMPARE(run.pointer("latest").value_or(""), checkpointName(8));
    }

    /// No pointer moves before the checkpoint stands, and a kill may come in between.
    void pointersThatAKillLeftBehindArePutRight()
    {
        const auto train = [&](const std::string& name, bool killed) {
            auto config = smallRun();
            config.training.saveEvery = 2;
            config.training.keepCheckpoints = 2;
            config.training.stopAfter = 4;
            const RunDirectory run(runs_.train(name, config));
            if (killed)
                for (const char* pointer : { "latest", "best" }) run.setPointer(pointer, checkpointName(2));
            config.training.learningRate = 0; // no loss is lower any more: the best one is not the last
            config.training.stopAfter = 2;
            runs_.resume(name, config, { "learning_rate", "stop_after" });
            if (killed) run.setPointer("latest", checkpointName(4)); // this one is not the best
            config.training.stopAfter = 0;
            runs_.resume(name, config, { "stop_after" });
            return run;
        };
        const auto whole = train("undisturbed", false), killed = train("killed at a checkpoint", true);
        QCOMPARE(whole.pointer("best").value_or(""), checkpointName(4));
        QCOMPARE(killed.pointer("best").value_or(""), checkpointName(4));
        QCOMPARE(killed.pointer("latest").value_or(""), checkpointName(12));
        QCOMPARE(killed.list(), whole.list());
        QCOMPARE(readFile(killed.checkpoints() / checkpointName(12) / "model.safetensors"),
            readFile(whole.checkpoints() / checkpointName(12) / "model.safetensors"));
    }

    /// Another process trains the run on, with other settings, right before this one has its lock.
    void aResumeReadsWhatStandsUnderItsLock()
    {
        auto config = smallRun();
        config.training.stopAfter = 4;
        const auto run = runs_.train("raced", config);
        static std::function<void()> other;
        other = [&] {
            config.training.learningRate = 2e-4;
            runs_.resume("raced", config, { "learning_rate" }); // four more
        };
        faultHook = [](const char* operation, const fs::path& path) {
            if (std::string(operation) != "open" || path.filename() != ".lock") return 0;
            faultHook = nullptr;
            other();
            return 0;
        };
        auto rest = config;
        rest.training.stopAfter = 0;
        Recorder recorder;
        std::string problem;
        try {
            runs_.resume("raced", rest, { "stop_after" }, &recorder);
        } catch (const std::exception& error) {
            problem = error.what();
        }
        QVERIFY(!std::exchange(faultHook, nullptr)); // it was called
        QVERIFY2(problem.empty(), problem.c_str());
        QCOMPARE(recorder.all<StepEvent>().front().step, std::int64_t(9));
        QCOMPARE(RunDirectory(run).read().config.training.learningRate, 2e-4);
    }

    void anOldCheckpointThatStaysCostsNoSave()
    {
        auto config = smallRun();
        config.training.saveEvery = 2;
        config.training.keepCheckpoints = 1;
        config.training.steps = 8;
        Recorder recorder;
        faultHook = [](const char* operation, const fs::path& path) {
            const bool old = path.filename().string().find("old-") != std::string::npos;
            return old && std::string(operation) == "rename" ? EACCES : 0;
        };
        fs::path run;
        try {
            run = runs_.train("old stays", config, &recorder);
        } catch (const std::exception&) {
        }
        faultHook = nullptr;
        for (const auto& save : recorder.all<CheckpointEvent>()) QVERIFY2(save.problem.empty(), save.problem.c_str());
        std::size_t said = 0;
        for (const auto& status : recorder.all<StatusEvent>())
            said += status.detail.find("an old checkpoint could not be removed: ") == 0;
        QVERIFY(said > 0);
        QCOMPARE(recorder.all<StatusEvent>().back().state, RunState::Finished);
        QCOMPARE(RunDirectory(run).list().size(), std::size_t(4));
    }

    void aSaveThatFailsIsNotTheBest()
    {
        auto config = smallRun();
        config.training.learningRate = 0; // every evaluation says the same
        config.training.saveEvery = 2;
        config.training.steps = 4;
        Recorder recorder;
        faultHook = [](const char* operation, const fs::path& path) {
            const bool first = path.filename().string().find(checkpointName(2)) != std::string::npos;
            return first && std::string(operation) == "mkdir" ? ENOSPC : 0;
        };
        fs::path run;
        try {
            run = runs_.train("failed save", config, &recorder);
        } catch (const std::exception&) {
        }
        faultHook = nullptr;
        const auto saves = recorder.all<CheckpointEvent>();
        QCOMPARE(saves.size(), std::size_t(2));
        QVERIFY(!saves[0].problem.empty() && !saves[0].best);
        QVERIFY2(saves[1].problem.empty() && saves[1].best, saves[1].problem.c_str());
        QCOMPARE(RunDirectory(run).pointer("best").value_or(""), checkpointName(4));
    }
};

PHA_TEST(AveragesTest)
#include "averages_test.moc"
