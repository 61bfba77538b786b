// SPDX-License-Identifier: GPL-3.0-or-later
// Forks: another run's course, taken over where a checkpoint of it stands.
#include "engine/base/error.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

#include <set>
#include <utility>

using namespace pha;
using namespace pha::test;

class ForkTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

    fs::path checkpoint(const char* step) const { return runs_.folder("parent") / "checkpoints" / step; }
    fs::path fork(const std::string& name, const fs::path& from,
        const std::vector<std::pair<std::string, std::string>>& settings = {}, Recorder* recorder = nullptr)
    {
        TrainingRequest request;
        request.config = readForkPoint(from).config;
        for (const auto& [key, value] : settings) request.config.set(key, value);
        request.directory = runs_.folder(name);
        request.forkFrom = from;
        return runs_.run(request, recorder);
    }
    static std::vector<StepEvent> steps(const fs::path& run, std::int64_t after)
    {
        std::vector<StepEvent> found;
        for (const auto& event : readMetrics(run / "metrics.jsonl"))
            if (const auto* step = std::get_if<StepEvent>(&event); step && step->step > after) found.push_back(*step);
        return found;
    }
    static QString anew(const Recorder& recorder)
    {
        for (const auto& status : recorder.all<StatusEvent>())
            if (status.detail.find(" begin anew ") != std::string::npos) return QString::fromStdString(status.detail);
        return {};
    }

private Q_SLOTS:
    void initTestCase()
    {
        auto config = smallRun();
        config.training.keepCheckpoints = 10;
        config.training.averageKeep = 3;
        config.training.emaDecay = 0.9;
        config.training.lawaCount = 3;
        config.training.lawaEvery = 2;
        runs_.train("parent", config);
    }

    void withNothingChangedItIsTheSameCourse()
    {
        Recorder recorder;
        const auto parent = runs_.folder("parent"), same = fork("same", checkpoint("step-00000004"), {}, &recorder);
        const auto expected = steps(parent, 4), found = steps(same, 0);
        QCOMPARE(found.size(), std::size_t(8));
        for (std::size_t i = 0; i < found.size(); ++i) {
            QCOMPARE(found[i].step, expected[i].step);
            QCOMPARE(found[i].tokens, expected[i].tokens);
            QCOMPARE(found[i].loss, expected[i].loss);
            QCOMPARE(found[i].gradNorm, expected[i].gradNorm);
        }
        QCOMPARE(weightsOf(same, "step-00000012"), weightsOf(parent, "step-00000012"));
        for (const char* file : { "optimizer.safetensors", "ema.safetensors" })
            QCOMPARE(readFile(same / "checkpoints/step-00000012" / file),
                readFile(parent / "checkpoints/step-00000012" / file));
        const auto means = [](const fs::path& run) { // evaluations of the averages: of kept weights, too
            std::vector<double> losses;
            for (const auto& event : readMetrics(run / "metrics.jsonl"))
                if (const auto* eval = std::get_if<EvalEvent>(&event); eval && !eval->note.empty())
                    losses.push_back(eval->nll);
            return losses;
        };
        QCOMPARE(means(same).size(), std::size_t(3));
        QCOMPARE(means(same), means(parent));
        QVERIFY(anew(recorder).isEmpty());
    }

    void itSaysWhereItComesFrom()
    {
        const auto file = RunDirectory(runs_.folder("same")).read();
        const auto parent = RunParent::of(file);
        QVERIFY(parent.has_value());
        QCOMPARE(parent->text(), std::string("parent at step 4"));
        QCOMPARE(parent->path, fs::canonical(runs_.folder("parent")));
        const auto events = readMetrics(runs_.folder("same") / "metrics.jsonl");
        const auto* first = std::get_if<CommandEvent>(&events.front());
        QVERIFY(first && first->name == "fork" && first->step == 4);
        QCOMPARE(first->value, std::string("of parent at step 4"));
        QVERIFY(!RunParent::of(RunDirectory(runs_.folder("parent")).read()));
    }

    void settingsMayChange()
    {
        Recorder recorder;
        const auto slow = fork("slow", checkpoint("step-00000008"),
            { { "learning_rate", "0.0015" }, { "steps", "14" }, { "accumulate", "2" }, { "clip", "0.5" } }, &recorder);
        QVERIFY(anew(recorder).isEmpty());
        QCOMPARE(recorder.all<StepEvent>().front().step, std::int64_t(9));
        QCOMPARE(recorder.all<StepEvent>().back().step, std::int64_t(14));
        QVERIFY(recorder.all<CommandEvent>().front().value.ends_with(
            "with steps=14 accumulate=2 learning_rate=0.0015 clip=0.5"));
        QCOMPARE(RunDirectory(slow).read().config.training.learningRate, 0.0015);
        QVERIFY(weightsOf(slow, "step-00000012") != weightsOf(runs_.folder("parent"), "step-00000012"));
    }

    /// The run that is forked is trained: its newest checkpoint is another one by the time it is read.
    void aRunThatIsForkedMayGoOn()
    {
        const auto parent = runs_.folder("trained");
        fs::copy(runs_.folder("parent"), parent, fs::copy_options::recursive);
        faultHook = [](const char* operation, const fs::path& path) {
            const auto run = path.parent_path();
            if (std::string(operation) != "open" || path.filename() != "tokenizer.model" || run.filename() != "trained")
                return 0; // the point is chosen
            faultHook = nullptr;
            const auto all = run / "checkpoints";
            fs::rename(all / checkpointName(12), all / checkpointName(13));
            RunDirectory(run).setPointer("latest", checkpointName(13));
            return 0;
        };
        Recorder recorder;
        std::string problem;
        fs::path forked;
        try {
            forked = fork("of the trained", parent, { { "steps", "14" } }, &recorder);
        } catch (const std::exception& error) {
            problem = error.what();
        }
        QVERIFY(!std::exchange(faultHook, nullptr)); // it was called
        QVERIFY2(problem.empty(), problem.c_str());
        QCOMPARE(recorder.all<StepEvent>().front().step, std::int64_t(13));
        QVERIFY(fs::exists(forked / "checkpoints" / checkpointName(14) / "ema.safetensors"));
    }

    /// What waited in a queue begins from the checkpoint that was chosen, or not at all.
    void aCheckpointOfAnotherCourseIsRefused()
    {
        TrainingRequest request;
        request.forkFrom = checkpoint("step-00000008");
        request.config = readForkPoint(request.forkFrom).config;
        request.config.training.stopAfter = 1;
        request.directory = runs_.folder("marked");
        request.forkMark = checkpointMark(checkpoint("step-00000004")); // as if that had been there
        QVERIFY(!request.forkMark.empty());
        QVERIFY_EXCEPTION_THROWN(runs_.run(request), CheckpointError);
        QVERIFY(!fs::exists(request.directory));
        request.forkMark = checkpointMark(request.forkFrom);
        runs_.run(request);
        QVERIFY(fs::exists(request.directory));
    }

    void otherDataBeginAnewAndSayWhy()
    {
        const auto why = [&](const char* name, const std::vector<std::pair<std::string, std::string>>& settings) {
            Recorder recorder;
            fork(name, checkpoint("step-00000008"), settings, &recorder);
            [&] { QCOMPARE(recorder.all<StepEvent>().size(), std::size_t(4)); }();
            return anew(recorder);
        };
        const QString words = "the training data begin anew with another ";
        QCOMPARE(why("batch", { { "batch_size", "3" }, { "context", "32" } }), words + "batch_size, context");
        QCOMPARE(why("seed", { { "seed", "9" } }), words + "seed");
        QCOMPARE(why("text", { { "data_seed", "9" } }), words + "data");
    }

    /// What a run has on record of its text is not counted again, by its resume or by a fork that keeps the text.
    void referencesAreThoseOnRecord()
    {
        const auto noted = runs_.folder("noted");
        fs::copy(runs_.folder("parent"), noted, fs::copy_options::recursive);
        auto record = readFile(noted / "metrics.jsonl");
        const std::string before = "\"bigram\":";
        const auto digit = record.find(before) + before.size();
        QVERIFY(digit > before.size() && digit < record.size());
        record[digit] = '9'; // no count gives it: it is more than ln V
        writeFileAtomically(noted / "metrics.jsonl", record);
        const auto told = [](const Recorder& recorder) {
            const auto all = recorder.all<ReferenceEvent>();
            return all.size() == 1 ? eventToJson(all.front()).dump() : std::to_string(all.size()) + " of them";
        };
        const auto onRecord = [](const fs::path& run) {
            Recorder all;
            all.events = readMetrics(run / "metrics.jsonl");
            return all;
        };
        const auto known = told(onRecord(noted));
        QVERIFY(known != told(onRecord(runs_.folder("parent"))));
        auto config = smallRun();
        config.training.steps = 13;
        Recorder resumed, same, other;
        runs_.resume("noted", config, { "steps" }, &resumed);
        QCOMPARE(told(resumed), known);
        QCOMPARE(told(onRecord(noted)), known);
        const auto child = fork("noted, forked", noted / "checkpoints/step-00000008", {}, &same);
        QCOMPARE(told(same), known);
        QCOMPARE(told(onRecord(child)), known);
        fork("noted, of another text", noted / "checkpoints/step-00000008", { { "data_seed", "9" } }, &other);
        const auto counted = other.all<ReferenceEvent>();
        QCOMPARE(counted.size(), std::size_t(1));
        QVERIFY(counted.front().bigram < counted.front().unigram);
    }

    void averagesAreOfOneNetwork_data()
    {
        QTest::addColumn<QString>("setting");
        QTest::addColumn<bool>("anew");
        QTest::newRow("another result") << "rope_base=5000" << true;
        QTest::newRow("another scale") << "embedding_scale=one" << true;
        QTest::newRow("the same result") << "gss_convolution=fft" << false;
    }
    void averagesAreOfOneNetwork()
    {
        QFETCH(QString, setting);
        QFETCH(bool, anew);
        const auto key = setting.section('=', 0, 0).toStdString();
        const auto child = fork("average " + key, checkpoint("step-00000008"),
            { { key, setting.section('=', 1).toStdString() }, { "keep_checkpoints", "10" } });
        const auto kept = [&](const char* step) {
            const auto state = Json::parse(readFile(child / "checkpoints" / step / "state.json")).at("averages");
            std::set<std::int64_t> best, last;
            for (const auto& item : state.at("best")) best.insert(item.at("step").get<std::int64_t>());
            for (const auto& item : state.at("last")) last.insert(item.get<std::int64_t>());
            return std::pair(best, last);
        };
        QCOMPARE(kept("step-00000008").first.empty(), anew);
        QCOMPARE(kept("step-00000008").second.empty(), anew);
        QCOMPARE(fs::exists(child / "checkpoints/step-00000008/ema.safetensors"), !anew);
        const std::set<std::int64_t> own { 10, 12 };
        QCOMPARE(kept("step-00000012").first == own, anew);
        QCOMPARE(kept("step-00000012").second == own, anew);
    }

    void theFactorOfAPlateauEndsWithIt()
    {
        auto config = smallRun();
        config.training.schedule = "plateau";
        config.training.plateauPatience = 0;
        config.training.plateauFactor = 0.5;
        config.training.learningRate = 1e-9; // no loss becomes lower
        config.training.keepCheckpoints = 10;
        const auto low = runs_.train("plateau", config);
        QVERIFY(steps(low, 11).at(0).learningRate < 0.2e-9);
        const auto from = low / "checkpoints" / "step-00000008";
        QCOMPARE(steps(fork("plateau on", from), 0).at(0).learningRate, steps(low, 8).at(0).learningRate);
        for (const auto& step : steps(fork("constant", from, { { "schedule", "constant" } }), 0))
            QCOMPARE(step.learningRate, 1e-9);
    }

    void whatCannotChangeIsRefusedAndLeavesNothing()
    {
        const std::vector<std::pair<std::string, std::string>> refused[] { { { "width", "64" } },
            { { "optimizer", "muon" } }, { { "tokenizer", "bpe" } }, { { "steps", "8" } } };
        for (const auto& settings : refused) {
            try {
                fork("refused", checkpoint("step-00000008"), settings);
                QFAIL(settings.front().first.c_str());
            } catch (const ConfigError& error) {
                QCOMPARE(error.field(), settings.front().first);
            }
            QVERIFY(!fs::exists(runs_.folder("refused")));
        }
        QVERIFY_EXCEPTION_THROWN(fork("refused", checkpoint("step-00000008"), { { "data", "mqar" } }), DataError);
        QVERIFY_EXCEPTION_THROWN(fork("refused", runs_.folder("nowhere")), CheckpointError);
        QVERIFY(!fs::exists(runs_.folder("refused")));
    }

    void itIsResumedExactlyAlsoWithoutItsParent()
    {
        fork("stopped", checkpoint("step-00000004"), { { "stop_after", "3" }, { "save_every", "0" } });
        fs::rename(runs_.folder("parent"), runs_.folder("gone"));
        runs_.resume("stopped", smallRun(), { "stop_after" });
        QCOMPARE(weightsOf(runs_.folder("stopped"), "step-00000012"), weightsOf(runs_.folder("gone"), "step-00000012"));
        // Also from where it began, and a fork of a fork.
        runs_.resume("stopped", smallRun(), { "stop_after" }, nullptr, "step-00000004");
        QCOMPARE(weightsOf(runs_.folder("stopped"), "step-00000012"), weightsOf(runs_.folder("gone"), "step-00000012"));
        const auto again = fork("again", runs_.folder("stopped") / "checkpoints/step-00000004");
        QCOMPARE(weightsOf(again, "step-00000012"), weightsOf(runs_.folder("gone"), "step-00000012"));
        QCOMPARE(RunParent::of(RunDirectory(again).read())->name, std::string("stopped"));
        fs::rename(runs_.folder("gone"), runs_.folder("parent"));
    }

    void aRunMeansItsNewestCheckpointWithTheRateItHadComeTo()
    {
        TrainingRequest request;
        request.config = smallRun();
        request.directory = runs_.folder("changed");
        Recorder recorder;
        Trainer trainer(request, recorder, {});
        recorder.react = [&](const Event& event) {
            const auto* step = std::get_if<StepEvent>(&event);
            if (step && step->step == 6) trainer.post({ Command::Kind::Change, "learning_rate", 0.001 });
        };
        trainer.run(recorder, {});
        const auto point = readForkPoint(request.directory);
        QCOMPARE(point.parent.step, std::int64_t(12));
        QCOMPARE(point.config.training.learningRate, 0.001);
        QCOMPARE(readForkPoint(request.directory / "checkpoints/step-00000004").config.training.learningRate, 3e-3);
    }
};

PHA_TEST(ForkTest)
#include "fork_test.moc"
