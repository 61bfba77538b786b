// SPDX-License-Identifier: GPL-3.0-or-later
// Settings that change while a run goes on: written down, kept by checkpoints, and repeated by a replay.
#include "engine/base/error.h"
#include "engine/run/course.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

#include <QDir>
#include <QScopeGuard>

using namespace pha;
using namespace pha::test;

class ReplayTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

    using Changes = std::vector<std::tuple<std::int64_t, std::string, Json>>;

    /// Trains, with settings changed as soon as so many updates are reported.
    fs::path train(const TrainingRequest& request, const Changes& changes, Recorder& recorder)
    {
        Trainer trainer(request, recorder, {});
        recorder.react = [&](const Event& event) {
            const auto* done = std::get_if<StepEvent>(&event);
            for (const auto& [step, key, value] : changes)
                if (done && done->step == step) trainer.post({ Command::Kind::Change, key, value });
        };
        trainer.run(recorder, {});
        recorder.react = {}; // the next one may be given the same recorder
        return request.directory;
    }
    TrainingRequest replayOf(const fs::path& run, const std::string& name) const
    {
        const auto replay = readReplay(run);
        auto request = runs_.request(name, replay.config);
        request.replayOf = run;
        request.forkFrom = replay.forkFrom;
        request.initFrom = replay.initFrom;
        return request;
    }
    static std::vector<std::string> journal(const fs::path& run)
    {
        std::vector<std::string> lines;
        for (const auto& event : readMetrics(run / "metrics.jsonl"))
            if (const auto* command = std::get_if<CommandEvent>(&event))
                if (const auto c = settingChange(*command))
                    lines.push_back(std::to_string(c->step) + " " + c->key + " " + c->was + " -> " + c->value);
        return lines;
    }

private Q_SLOTS:
    void initTestCase()
    {
        auto config = smallRun();
        config.training.keepCheckpoints = 10;
        Recorder recorder;
        train(runs_.request("changed", config),
            { { 2, "learning_rate", 0.0012345678901234567 }, { 2, "clip", 0.25 }, { 5, "steps", 14 },
                { 5, "sample_prompt", "Tom had" }, { 6, "eval_every", 3 }, { 7, "learning_rate", 0.002 },
                { 9, "weight_decay", 0.3 } },
            recorder);
        QCOMPARE(recorder.all<StepEvent>().back().step, std::int64_t(14));
        QCOMPARE(recorder.all<StepEvent>()[6].learningRate < 0.0013, true);
        std::vector<std::int64_t> evaluated;
        for (const auto& eval : recorder.all<EvalEvent>()) evaluated.push_back(eval.step);
        QCOMPARE(evaluated, (std::vector<std::int64_t> { 2, 4, 6, 9, 12, 14 }));
    }

    void theJournalSaysWhatStoodBefore()
    {
        QCOMPARE(journal(runs_.folder("changed")),
            (std::vector<std::string> { "2 learning_rate 0.003 -> 0.0012345678901234567", "2 clip 1 -> 0.25",
                "5 steps 12 -> 14", "5 sample_prompt  -> Tom had", "6 eval_every 2 -> 3",
                "7 learning_rate 0.0012345678901234567 -> 0.002", "9 weight_decay 0.1 -> 0.3" }));
        QCOMPARE(RunDirectory(runs_.folder("changed")).read().config.training.clip, 0.25);
    }

    void aCheckpointKeepsTheSettingsOfItsTime()
    {
        const auto at = [&](const char* step) {
            return readForkPoint(runs_.folder("changed") / "checkpoints" / step).config.training;
        };
        QCOMPARE(at("step-00000004").learningRate, 0.0012345678901234567);
        QCOMPARE(at("step-00000004").steps, std::int64_t(12));
        QCOMPARE(at("step-00000004").weightDecay, 0.1);
        QCOMPARE(at("step-00000012").learningRate, 0.002);
        QCOMPARE(at("step-00000012").weightDecay, 0.3);
        // A checkpoint of an earlier version knows its learning rate alone.
        const auto old = runs_.folder("old");
        fs::create_directories(old);
        writeFileAtomically(old / "state.json", R"({"step":4,"learning_rate":0.005})");
        auto config = smallRun();
        takeSettings(old, config);
        QCOMPARE(config.training.learningRate, 0.005);
    }

    void aReplayIsTheSameCourse()
    {
        const auto of = runs_.folder("changed");
        QCOMPARE(readReplay(of).config.training.learningRate, 3e-3);
        QCOMPARE(readReplay(of).config.training.samplePrompt, std::string());
        Recorder recorder;
        const auto again = train(replayOf(of, "again"), {}, recorder);
        const auto compared = compareCourses(of, again);
        QCOMPARE(compared.updates, std::int64_t(14));
        QCOMPARE(compared.first, std::int64_t(-1));
        QCOMPARE(compared.text(), std::string("14 updates, every loss the same"));
        QCOMPARE(weightsOf(again, "step-00000014"), weightsOf(of, "step-00000014"));
        QCOMPARE(journal(again), journal(of));
        QCOMPARE(RunDirectory(again).read().environment.at("replay").at("name"), Json("changed"));
        // A replay of a replay; with one thing changed it is another course, and the comparison says from where on.
        QCOMPARE(compareCourses(of, train(replayOf(again, "twice"), {}, recorder)).first, std::int64_t(-1));
        auto other = replayOf(of, "other");
        other.config.training.minLearningRate = 0.5;
        QCOMPARE(compareCourses(of, train(other, {}, recorder)).first,
            std::int64_t(5)); // the fourth update has another rate
    }

    void itMayBeStoppedAndResumed()
    {
        Recorder recorder;
        auto request = replayOf(runs_.folder("changed"), "stopped");
        request.config.training.stopAfter = 7;
        train(request, {}, recorder);
        runs_.resume("stopped", smallRun(), { "stop_after" });
        QCOMPARE(compareCourses(runs_.folder("changed"), runs_.folder("stopped")).first, std::int64_t(-1));
        QCOMPARE(
            weightsOf(runs_.folder("stopped"), "step-00000014"), weightsOf(runs_.folder("changed"), "step-00000014"));
    }

    void whatAResumeChangesIsRepeatedToo()
    {
        auto config = smallRun();
        config.training.stopAfter = 6;
        config.training.keepCheckpoints = 10;
        Recorder recorder;
        train(runs_.request("resumed", config), { { 3, "clip", 0.5 } }, recorder);
        config.training.stopAfter = 0;
        config.training.steps = 10;
        config.training.warmupSteps = 8;
        runs_.resume("resumed", config, { "stop_after", "steps", "warmup_steps" });
        QCOMPARE(journal(runs_.folder("resumed")),
            (std::vector<std::string> { "3 clip 1 -> 0.5", "6 steps 12 -> 10", "6 warmup_steps 2 -> 8" }));
        const auto again = train(replayOf(runs_.folder("resumed"), "resumed-again"), {}, recorder);
        QCOMPARE(compareCourses(runs_.folder("resumed"), again).updates, std::int64_t(10));
        QCOMPARE(compareCourses(runs_.folder("resumed"), again).first, std::int64_t(-1));

        // From an earlier checkpoint with what stood then, not with what came later.
        runs_.resume("resumed", config, {}, nullptr, "step-00000004");
        QCOMPARE(RunDirectory(runs_.folder("resumed")).read().config.training.steps, std::int64_t(12));
        QCOMPARE(journal(runs_.folder("resumed")), (std::vector<std::string> { "3 clip 1 -> 0.5" }));
    }

    void dataThatWerePassedOverBeforeAResumeAreSoAgain()
    {
        auto config = smallRun();
        config.training.skipData = "3+2,9+1";
        config.training.stopAfter = 6;
        const auto run = runs_.train("skips", config);
        config.training.stopAfter = 0;
        config.training.skipData = "8+1"; // says nothing of the place that is done
        config.training.steps = 10;
        runs_.resume("skips", config, { "stop_after", "steps", "skip_data" });
        QCOMPARE(readReplay(run).config.training.skipData, std::string("3+2,8+1"));
        Recorder recorder;
        const auto again = train(replayOf(run, "skips-again"), {}, recorder);
        QCOMPARE(compareCourses(run, again).text(), std::string("10 updates, every loss the same"));
        QCOMPARE(journal(again), (std::vector<std::string> { "6 steps 12 -> 10" }));
    }

    /// Each of them alone is refused: the schedule wants evaluations.
    void whatIsValidTogetherOnlyIsRepeated()
    {
        auto config = smallRun();
        config.training.evalEvery = 0;
        config.training.stopAfter = 6;
        const auto run = runs_.train("together", config);
        config.training.stopAfter = 0;
        config.training.steps = 14;
        config.training.schedule = "plateau";
        config.training.plateauPatience = 0;
        config.training.evalEvery = 2;
        runs_.resume("together", config, { "stop_after", "steps", "schedule", "plateau_patience", "eval_every" });
        Recorder recorder;
        const auto again = train(replayOf(run, "together-again"), {}, recorder);
        QCOMPARE(journal(again),
            (std::vector<std::string> { "6 steps 12 -> 14", "6 schedule cosine -> plateau", "6 plateau_patience 3 -> 0",
                "6 eval_every 0 -> 2" }));
        QCOMPARE(compareCourses(run, again).text(), std::string("14 updates, every loss the same"));
    }

    void ofThoseChangedTogetherWhatGoesIsTaken()
    {
        auto config = smallRun();
        config.training.stopAfter = 6;
        const auto run = runs_.train("apart", config);
        config.training.stopAfter = 0;
        config.training.schedule = "plateau";
        config.training.clip = 0.5;
        runs_.resume("apart", config, { "stop_after", "schedule", "clip" });
        auto other = replayOf(run, "apart-again");
        other.config.training.evalEvery = 0; // with which the schedule does not go
        Recorder recorder;
        const auto again = train(other, {}, recorder);
        QCOMPARE(journal(again), (std::vector<std::string> { "6 clip 1 -> 0.5" }));
        QCOMPARE(recorder.all<StepEvent>().size(), std::size_t(12));
    }

    /// The checkpoint that it goes on from has other settings, and another resume goes by the newest checkpoint.
    void whatAResumeChangesStaysWhateverEndsIt()
    {
        auto config = smallRun();
        config.training.steps = 6;
        config.training.saveEvery = 0;
        Recorder nobody;
        auto request = runs_.request("kept", config);
        const auto run = train(request, {}, nobody);
        const auto settings = [&] { return readToResume(run).config.training; };
        request.resume = true;
        request.config.training.steps = 9;
        request.config.training.learningRate = 0.0005;
        request.overrides = { "steps", "learning_rate" };
        std::stop_source stop;
        stop.request_stop();
        {
            Trainer trainer(request, nobody, {});
            QCOMPARE(trainer.run(nobody, stop.get_token()), RunState::Stopped); // before its first update
        }
        QCOMPARE(RunDirectory(run).list(), std::vector<std::string> { checkpointName(6) });
        QCOMPARE(settings().steps, std::int64_t(9));
        QCOMPARE(settings().learningRate, 0.0005);

        request.config.training.clip = 0.5;
        request.overrides = { "clip" };
        Recorder recorder;
        double clip = 0;
        recorder.react = [&](const Event& event) {
            const auto* update = std::get_if<StepEvent>(&event);
            if (update && update->step == 7) clip = settings().clip; // as after a kill right here
        };
        runs_.run(request, &recorder);
        QCOMPARE(clip, 0.5);
        QCOMPARE(recorder.all<StepEvent>().size(), std::size_t(3));
        QCOMPARE(recorder.all<StepEvent>().front().step, std::int64_t(7));
        QCOMPARE(journal(run),
            (std::vector<std::string> { "6 steps 6 -> 9", "6 learning_rate 0.003 -> 0.0005", "6 clip 1 -> 0.5" }));
    }

    void aRunThatWasTrainedLongerIsRepeatedToItsEnd()
    {
        auto config = smallRun();
        config.training.steps = 4;
        Recorder recorder;
        const auto run = train(runs_.request("longer", config), {}, recorder);
        for (const std::int64_t steps : { 7, 9 }) {
            config.training.steps = steps;
            runs_.resume("longer", config, { "steps" });
        }
        const auto again = train(replayOf(run, "longer-again"), {}, recorder);
        QCOMPARE(journal(again), (std::vector<std::string> { "4 steps 4 -> 7", "7 steps 7 -> 9" }));
        QCOMPARE(compareCourses(run, again).text(), std::string("9 updates, every loss the same"));
    }

    void groupsOfThreadsStayAsLarge()
    {
        auto config = smallRun();
        config.training.steps = 2;
        config.training.devices = 2;
        config.training.threads = 4;
        const auto run = runs_.train("groups", config);
        QCOMPARE(RunDirectory(run).read().environment.at("threads"), Json(2)); // of each
        QCOMPARE(readReplay(run).config.training.threads, std::int64_t(4));
        Recorder recorder;
        const auto again = train(replayOf(run, "groups-again"), {}, recorder);
        QCOMPARE(RunDirectory(again).read().environment.at("threads"), Json(2));
    }

    void aResumeElsewhereDoesNotSayWhereItBegan()
    {
        auto config = smallRun();
        config.training.steps = 2;
        config.training.device = "cpu";
        config.training.devices = 2; // with masks of their own
        config.training.threads = 2;
        const auto run = runs_.train("moved", config);
        config.training.devices = 1;
        config.training.threads = 1;
        config.training.steps = 4;
        runs_.resume("moved", config, { "devices", "threads", "steps" });
        auto file = RunDirectory(run).read();
        QCOMPARE(file.config.training.devices, std::int64_t(1));
        file.config.training.device = "cuda"; // as on another computer
        RunDirectory(run).write(file);
        const auto began = readReplay(run).config.training;
        QCOMPARE(began.device, std::string("cpu"));
        QCOMPARE(began.devices, std::int64_t(2));
        QCOMPARE(began.threads, std::int64_t(2));
        Recorder recorder;
        const auto compared = compareCourses(run, train(replayOf(run, "moved-again"), {}, recorder));
        QCOMPARE(compared.updates, std::int64_t(4));
        QVERIFY(compared.first < 0 || compared.first > 2); // the two updates before it are the same
    }

    void aForkIsRepeatedFromItsParent()
    {
        Recorder recorder;
        auto request =
            runs_.request("fork", readForkPoint(runs_.folder("changed") / "checkpoints/step-00000008").config);
        request.forkFrom = runs_.folder("changed") / "checkpoints/step-00000008";
        train(request, { { 10, "learning_rate", 1e-4 } }, recorder);
        const auto compared =
            compareCourses(runs_.folder("fork"), train(replayOf(runs_.folder("fork"), "fork-again"), {}, recorder));
        QCOMPARE(compared.updates, std::int64_t(6));
        QCOMPARE(compared.first, std::int64_t(-1));
    }

    void givenWeightsAreFoundFromAnotherFolder()
    {
        const auto home = runs_.folder({});
        const auto newest = runs_.folder("changed") / "checkpoints/step-00000014";
        fs::create_directories(home / "shards");
        for (const auto* name : { "model.safetensors", "optimizer.safetensors" })
            fs::copy_file(newest / name, home / "shards" / name);
        const auto before = QDir::currentPath();
        const auto back = qScopeGuard([&] { QDir::setCurrent(before); });
        for (const char* weights : { "shards/model.safetensors", "shards" }) {
            QVERIFY(QDir::setCurrent(QString::fromStdString(home.string())));
            auto config = smallRun();
            config.training.steps = 2;
            const auto name = "given-" + fs::path(weights).stem().string();
            auto request = runs_.request(name, config);
            request.initFrom = weights;
            Recorder recorder;
            const auto run = train(request, {}, recorder);
            const auto said = RunDirectory(run).read().environment.at("init_from");
            QCOMPARE(said.value("files", 1), fs::path(weights).has_extension() ? 1 : 2);
            QVERIFY(QDir::setCurrent(before));
            QVERIFY(readReplay(run).initFrom.is_absolute());
            const auto again = train(replayOf(run, name + "-again"), {}, recorder);
            QCOMPARE(compareCourses(run, again).text(), std::string("2 updates, every loss the same"));
        }
    }

    void whatCannotBeIsRefused()
    {
        const auto config = smallRun();
        QCOMPARE(withChange(config, "clip", 2, 0).training.clip, 2.0);
        for (const auto& [key, value] : std::vector<std::pair<std::string, Json>> { { "clip", -1 }, { "steps", 4 },
                 { "width", 64 }, { "dropout", 0.5 }, { "schedule", "zigzag" }, { "no_such", 1 } })
            QVERIFY_THROWS_EXCEPTION(ConfigError, withChange(config, key, value, 4));
        const WantedSettings together { { "schedule", "plateau" }, { "eval_every", 2 } };
        auto blind = config;
        blind.training.evalEvery = 0;
        QVERIFY_THROWS_EXCEPTION(ConfigError, withChange(blind, "schedule", "plateau", 4));
        QCOMPARE(withChanges(blind, together, 4).training.schedule, std::string("plateau"));
        const WantedSettings oneOfThemNot { { "clip", 2 }, { "width", 64 } };
        QVERIFY_THROWS_EXCEPTION(ConfigError, withChanges(blind, oneOfThemNot, 4));
        Recorder recorder;
        train(runs_.request("refused", config), { { 3, "clip", -1 }, { 3, "width", 64 }, { 4, "steps", 2 } }, recorder);
        QCOMPARE(recorder.all<StepEvent>().size(), std::size_t(12));
        QVERIFY(journal(runs_.folder("refused")).empty());
        for (const auto& command : recorder.all<CommandEvent>()) QCOMPARE(command.value, std::string("refused"));

        auto longer = smallRun();
        longer.training.steps = 16;
        longer.training.dropout = 0.2;
        runs_.resume("refused", longer, { "steps", "dropout" });
        QVERIFY_THROWS_EXCEPTION(Error, readReplay(runs_.folder("refused")));
        auto text = replayOf(runs_.folder("changed"), "text");
        text.config.data.dataSeed = 5;
        QVERIFY_THROWS_EXCEPTION(DataError, train(text, {}, recorder));
        QVERIFY(!fs::exists(runs_.folder("text")));
    }
};

PHA_TEST(ReplayTest)
#include "replay_test.moc"
