// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"
#include "engine/base/posix_file.h"
#include "engine/run/metrics.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/session/run_controller.h"
#include "ui/session/run_session.h"

#include <QSignalSpy>
#include <QTest>
#include <QThreadPool>

#include <atomic>
#include <fstream>
#include <string_view>
#include <sys/wait.h>
#include <unistd.h>

using namespace pha;
using namespace pha::ui;
using pha::test::FakeEngine;
using pha::test::FakeOptions;

/// Holds a run's lock in another process for as long as it lives.
class OtherProcess {
public:
    explicit OtherProcess(const fs::path& run)
    {
        int ready[2];
        if (pipe(ready) != 0) qFatal("no pipe");
        child_ = fork();
        if (child_ == 0) {
            const RunLock lock(run);
            [[maybe_unused]] const auto told = write(ready[1], "x", 1);
            for (;;) pause();
        }
        char byte = 0;
        [[maybe_unused]] const auto heard = read(ready[0], &byte, 1);
        close(ready[0]), close(ready[1]);
    }
    ~OtherProcess()
    {
        kill(child_, SIGKILL);
        waitpid(child_, nullptr, 0);
    }
    OtherProcess(const OtherProcess&) = delete;
    OtherProcess& operator=(const OtherProcess&) = delete;

private:
    pid_t child_ = 0;
};

namespace {

/// How often a metrics file was opened: once for each part of it.
std::atomic<int> metricsOpened { 0 };

int countOpening(const char* operation, const fs::path& path)
{
    if (std::string_view(operation) == "open" && path.filename() == "metrics.jsonl") ++metricsOpened;
    return 0;
}

} // namespace

class RunSessionTest : public QObject {
    Q_OBJECT

private:
    /// Plans a session for a request and starts it.
    static std::unique_ptr<RunSession> start(RunController& controller, const TrainingRequest& request)
    {
        auto session = std::make_unique<RunSession>(
            request.directory, RunFile { request.name, {}, request.config, Json::object() });
        if (!controller.start(session.get(), request)) qFatal("busy");
        return session;
    }
    static RunController::OpenEngine opener(FakeEngine& engine)
    {
        return [&engine]() -> Engine& { return engine; };
    }

private Q_SLOTS:
    void historyFilesEveryKindOfEvent()
    {
        RunHistory h;
        StepEvent skipped;
        skipped.step = 2;
        skipped.loss = std::nan("");
        skipped.applied = false;
        for (const Event& e : { Event(test::fakeStep(1, {})), Event(skipped), Event(test::fakeMixing(1, {})),
                 Event(test::fakeEval(1, {})), Event(test::fakeRecall(1)), Event(test::fakeHeads(1)),
                 Event(SampleEvent {}), Event(CheckpointEvent {}), Event(CommandEvent {}), Event(StatusEvent {}),
                 Event(ReferenceEvent {}), Event(ProgressEvent {}) })
            h.append(e);
        QCOMPARE(h.step.size(), std::size_t(2));
        for (const auto* column : { &h.tokens, &h.seconds, &h.loss, &h.learningRate, &h.gradNorm, &h.tokensPerSecond,
                 &h.processBytes, &h.deviceBytes })
            QCOMPARE(column->size(), h.step.size());
        QCOMPARE(h.skippedUpdates, std::int64_t(1));
        QVERIFY(std::isnan(h.loss[1]));
        QVERIFY(h.references.has_value());
        QCOMPARE(h.mixing.size() + h.evals.size() + h.recalls.size() + h.heads.size() + h.samples.size()
                + h.checkpoints.size() + h.commands.size() + h.statuses.size(),
            std::size_t(8));
        const auto generation = h.generation;
        h.clear();
        QVERIFY(h.step.empty() && h.evals.empty() && !h.references);
        QVERIFY(h.generation != generation);
    }

    void finishedRunIsReadInFull()
    {
        const test::TestHome home;
        RunSession session(home.train("done", 3000));
        QSignalSpy changed(&session, &RunSession::changed);
        QTRY_COMPARE(session.history().step.size(), std::size_t(3000));
        QTRY_COMPARE(session.state(), RunState::Finished);
        QCOMPARE(session.updatesReported(), std::int64_t(3000));
        QCOMPARE(session.place(), RunSession::Place::Disk);
        QVERIFY(session.modelSource().available);
        QVERIFY(!session.modelSource().job);
        QVERIFY(changed.count() < 100); // slices, not lines
        QCOMPARE(session.name(), QStringLiteral("done"));
    }

    void divergedRunSaysSo()
    {
        const test::TestHome home;
        FakeOptions options;
        options.divergeAt = 50;
        RunSession session(home.train("bad", 100, options));
        QTRY_COMPARE(session.state(), RunState::Diverged);
        QVERIFY(session.stateText().contains(QStringLiteral("lower learning rate")));
        QVERIFY(std::isnan(session.history().loss.back()));
    }

    void crashedRunIsInterrupted()
    {
        const test::TestHome home;
        FakeOptions options;
        options.failAt = 40; // leaves "running" as the last word
        RunSession session(home.train("crashed", 100, options));
        QTRY_VERIFY(session.interrupted());
        QCOMPARE(session.state(), RunState::Stopped);
        QVERIFY(session.stateText().contains(QStringLiteral("39")));
    }

    void runOfAnotherProcessIsFollowed()
    {
        const test::TestHome home;
        FakeOptions options;
        options.failAt = 40;
        const auto run = home.train("elsewhere", 100, options);
        auto other = std::make_unique<OtherProcess>(run);
        RunSession session(run);
        QTRY_COMPARE(session.place(), RunSession::Place::Elsewhere);
        QTRY_COMPARE(session.state(), RunState::Running);
        QCOMPARE(session.history().step.size(), std::size_t(39));
        {
            MetricsWriter writer(RunDirectory(run).metricsFile());
            for (int step = 40; step <= 60; ++step) writer.append(test::fakeStep(step, session.file().config));
        }
        session.poll();
        QTRY_COMPARE(session.history().step.size(), std::size_t(60));
        QCOMPARE(session.history().generation, std::int64_t(0)); // nothing was drawn anew
        auto longer = session.file();
        longer.config.training.steps = 12345;
        RunDirectory(run).write(longer);
        session.poll();
        QTRY_COMPARE(session.file().config.training.steps, std::int64_t(12345));
        QCOMPARE(session.savedStep(), std::int64_t(-1));
        other.reset(); // killed
        session.poll();
        QTRY_VERIFY(session.interrupted());
        QCOMPARE(session.place(), RunSession::Place::Disk);
    }

    void aRunThatFailedHereAndGoesOnElsewhereIsTraining()
    {
        const test::TestHome home;
        FakeOptions options;
        options.failAt = 40;
        const auto run = home.train("elsewhere", 100, options);
        RunSession session(run);
        QTRY_VERIFY(session.interrupted());
        session.prepare(); // as a resume does that fails at once
        session.fail(QStringLiteral("no memory"));
        session.poll();
        QTRY_VERIFY(!session.loading());
        QCoreApplication::processEvents();
        QCOMPARE(session.state(), RunState::Failed);
        QVERIFY(session.stateText().contains(QStringLiteral("no memory")));
        auto other = std::make_unique<OtherProcess>(run);
        QTRY_VERIFY((session.poll(), session.place() == RunSession::Place::Elsewhere));
        QCOMPARE(session.state(), RunState::Running);
        QVERIFY2(!session.stateText().contains(QStringLiteral("no memory")), qPrintable(session.stateText()));
        {
            MetricsWriter writer(RunDirectory(run).metricsFile());
            for (int step = 40; step <= 60; ++step) writer.append(test::fakeStep(step, session.file().config));
        }
        QTRY_VERIFY((session.poll(), session.history().step.size() == 60));
        other.reset(); // killed
        QTRY_VERIFY((session.poll(), session.interrupted()));
        QCOMPARE(session.state(), RunState::Stopped);
    }

    /// It may have begun and ended between two looks.
    void aRunThatFailedHereAndWasTrainedElsewhereHasItsNewState()
    {
        const test::TestHome home;
        const auto run = home.train("elsewhere", 50);
        RunSession session(run);
        QTRY_COMPARE(session.state(), RunState::Finished);
        session.prepare();
        session.fail(QStringLiteral("no memory"));
        QCOMPARE(session.state(), RunState::Failed);
        home.train("elsewhere", 80, {}, true);
        QTRY_VERIFY((session.poll(), session.step() == 80));
        QTRY_COMPARE(session.state(), RunState::Finished);
        QVERIFY2(!session.stateText().contains(QStringLiteral("no memory")), qPrintable(session.stateText()));
    }

    /// The application waits for its tasks when it ends: one that reads a long file must not go on to its end.
    void aReaderStopsWhenItsSessionIsGone()
    {
        const test::TestHome home;
        const RunDirectory run(home.train("long", 20));
        constexpr int lines = 800'000; // four parts
        std::string text;
        for (int i = 0; i < lines; ++i) text += "{\"type\":\"status\",\"step\":1,\"state\":\"running\"}\n";
        writeFileAtomically(run.metricsFile(), text);
        QVERIFY(QThreadPool::globalInstance()->waitForDone(test::patience));
        metricsOpened = 0;
        faultHook = countOpening;
        std::make_unique<RunSession>(run.root()).reset();
        const bool done = QThreadPool::globalInstance()->waitForDone(test::patience);
        faultHook = nullptr;
        QVERIFY(done);
        QVERIFY2(metricsOpened <= 2, qPrintable(QString::number(metricsOpened)));
    }

    void aNewNameLeavesSettingsAloneThatAreNewerThanWhatIsKnown()
    {
        const test::TestHome home;
        const RunDirectory run(home.train("renamed", 50));
        RunSession session(run.root());
        QTRY_COMPARE(session.state(), RunState::Finished);
        auto longer = run.read();
        longer.config.training.steps = 12345; // as "Train longer" writes it
        run.write(longer);
        session.rename(QStringLiteral("another"));
        QCOMPARE(session.name(), QStringLiteral("another"));
        QVERIFY(QThreadPool::globalInstance()->waitForDone(test::patience));
        QCOMPARE(run.read().name, std::string("another"));
        QCOMPARE(run.read().config.training.steps, std::int64_t(12345));
    }

    /// Whoever resumes a long run while it is still being read, in vain, sees all of it afterwards.
    void aRunThatCouldNotBeResumedIsReadToItsEnd()
    {
        const test::TestHome home;
        constexpr std::size_t rows = 300000;
        const auto run = home.train("long", 1);
        {
            const auto config = RunDirectory(run).read().config;
            std::string lines;
            for (std::size_t step = 1; step <= rows; ++step)
                lines += eventToJson(test::fakeStep(std::int64_t(step), config)).dump() + "\n";
            writeFileAtomically(RunDirectory(run).metricsFile(), lines);
        }
        RunSession session(run);
        QSignalSpy changed(&session, &RunSession::changed);
        QTRY_VERIFY(!changed.empty());
        session.prepare();
        session.fail(QStringLiteral("x"));
        QTRY_VERIFY_WITH_TIMEOUT((session.poll(), session.history().step.size() == rows), 60000);
        QCOMPARE(session.updatesReported(), std::int64_t(rows));
        QCOMPARE(session.state(), RunState::Failed);
    }

    /// A resumed run's figures end before the line that told of the checkpoint.
    void newestCheckpointIsKnownWithoutItsLine()
    {
        const test::TestHome home;
        const auto run = home.train("short", 50);
        const auto file = RunDirectory(run).metricsFile();
        std::string kept, line;
        for (std::ifstream in(file); std::getline(in, line);)
            if (line.find("\"checkpoint\"") == std::string::npos) kept += line + "\n";
        writeFileAtomically(file, kept);
        const RunSession session(run);
        QTRY_COMPARE(session.savedStep(), std::int64_t(50));
        QVERIFY(session.history().checkpoints.empty());
    }

    void unreadableRunHasAProblem()
    {
        const test::TestHome home;
        fs::create_directories(home.runs() / "broken");
        writeFileAtomically(home.runs() / "broken" / "run.json", "{ no json");
        RunSession session(home.runs() / "broken");
        QVERIFY(!session.problem().isEmpty());
        QVERIFY(!session.problem().contains(QLatin1Char('\n')));
        QCOMPARE(session.state(), RunState::Failed);
        session.poll();
    }

    void trainingArrivesCompleteAndInFrames()
    {
        const test::TestHome home;
        FakeEngine engine;
        RunController controller(opener(engine));
        const auto request = home.request("live", 2000);
        auto session = start(controller, request);
        QSignalSpy changed(session.get(), &RunSession::changed);
        QSignalSpy finished(&controller, &RunController::finished);
        QCOMPARE(session->state(), RunState::Preparing);
        QTRY_COMPARE(finished.count(), 1);
        QCOMPARE(session->state(), RunState::Finished);
        QCOMPARE(session->history().step.size(), std::size_t(2000));
        QVERIFY(std::is_sorted(session->history().step.begin(), session->history().step.end()));
        QCOMPARE(session->history().evals.size(), std::size_t(2000 / request.config.training.evalEvery));
        QVERIFY(changed.count() < 500); // never one per step
        QVERIFY(!controller.busy());
        // Its own file does not come in a second time.
        session->poll();
        QTest::qWait(0);
        QTRY_VERIFY(!session->loading());
        QCOMPARE(session->history().step.size(), std::size_t(2000));
    }

    void pauseResumeStop()
    {
        const test::TestHome home;
        FakeEngine engine;
        RunController controller(opener(engine));
        auto session = start(controller, home.request("steered", 1000000));
        QTRY_COMPARE(session->state(), RunState::Running);
        QTRY_VERIFY(session->step() > 5);
        QVERIFY(session->job() && session->modelSource().job);
        controller.pause();
        QTRY_COMPARE(session->state(), RunState::Paused);
        QVERIFY(session->active());
        controller.evaluateNow();
        QTRY_COMPARE(session->history().evals.empty(), false);
        controller.resume();
        QTRY_COMPARE(session->state(), RunState::Running);
        controller.change("learning_rate", 0.002);
        QTRY_VERIFY(!session->history().commands.empty() && session->history().commands.back().name == "learning_rate");
        controller.stop();
        QVERIFY(controller.stopping());
        QTRY_VERIFY(!controller.busy());
        QCOMPARE(session->state(), RunState::Stopped);
        QVERIFY(!session->job());
        QVERIFY(session->modelSource().available);
    }

    void resumedRunContinuesItsCurve()
    {
        const test::TestHome home;
        FakeEngine engine;
        RunController controller(opener(engine));
        auto session = start(controller, home.request("again", 300));
        QTRY_VERIFY(!controller.busy());
        QCOMPARE(session->history().step.size(), std::size_t(300));
        const auto generation = session->history().generation;
        auto longer = home.request("again", 500, true);
        longer.overrides = { "steps" };
        QVERIFY(controller.start(session.get(), longer));
        QTRY_VERIFY(!controller.busy());
        QCOMPARE(session->history().step.size(), std::size_t(500));
        QVERIFY(
            std::adjacent_find(session->history().step.begin(), session->history().step.end(), std::greater_equal<>())
            == session->history().step.end());
        QVERIFY(session->history().generation != generation);
    }

    void aResumedLongRunHasItsWholeHistory()
    {
        constexpr std::int64_t before = 250'000; // more than one look at the file takes
        const test::TestHome home;
        const auto request = home.request("long", before + 10, true);
        const RunDirectory run(request.directory);
        run.create({ "long", "2026-01-01T12:00:00Z", request.config, Json::object() });
        {
            std::ofstream out(run.metricsFile());
            out << eventToJson(StatusEvent { 0, RunState::Running, {} }).dump() << '\n';
            for (std::int64_t step = 1; step <= before; ++step)
                out << eventToJson(test::fakeStep(step, request.config)).dump() << '\n';
            out << eventToJson(StatusEvent { before, RunState::Stopped, {} }).dump() << '\n';
        }
        const auto name = checkpointName(before);
        publishCheckpoint(run, name, [](const fs::path& folder) { writeFileAtomically(folder / "state.json", "{}"); });
        run.setPointer("latest", name);
        FakeEngine engine;
        RunController controller(opener(engine));
        RunSession session(request.directory);
        QVERIFY(controller.start(&session, request));
        QTRY_VERIFY_WITH_TIMEOUT(!controller.busy(), 120000);
        const auto& steps = session.history().step;
        QCOMPARE(steps.size(), std::size_t(before + 10));
        for (std::size_t i = 0; i < steps.size(); ++i)
            if (steps[i] != double(i + 1)) QFAIL(qPrintable(QStringLiteral("%1 at %2").arg(steps[i]).arg(i)));
    }

    void oneRunAtATime()
    {
        const test::TestHome home;
        FakeEngine engine;
        RunController controller(opener(engine));
        auto session = start(controller, home.request("first", 1000000));
        RunSession second(home.runs() / "second", RunFile {});
        QVERIFY(!controller.start(&second, home.request("second", 10)));
        QCOMPARE(second.state(), RunState::Stopped);
        controller.stop();
        controller.stop();
        QTRY_VERIFY(!controller.busy());
    }

    void startAndStopManyTimes()
    {
        const test::TestHome home;
        FakeOptions options;
        options.writeFiles = false;
        FakeEngine engine(options);
        RunController controller(opener(engine));
        std::vector<std::unique_ptr<RunSession>> sessions;
        for (int n = 0; n < 200; ++n) {
            sessions.push_back(start(controller, home.request(std::to_string(n), 1000000)));
            if (n % 3 == 0) QTRY_VERIFY(sessions.back()->step() > 0); // otherwise while it prepares
            controller.pause();
            controller.stop();
            QTRY_VERIFY(!controller.busy());
            QVERIFY(!sessions.back()->active());
        }
        QCOMPARE(engine.counters->mostRunning.load(), 1);
        QCOMPARE(engine.counters->running.load(), 0);
    }

    void errorsAreOneLine()
    {
        const test::TestHome home;
        FakeEngine engine;
        engine.options.openError = "stories.txt: no such file";
        RunController controller(opener(engine));
        QSignalSpy failed(&controller, &RunController::failed);
        auto session = start(controller, home.request("nodata", 10));
        QTRY_COMPARE(failed.count(), 1);
        QCOMPARE(failed[0][0].toString(), QStringLiteral("stories.txt: no such file; check the data"));
        QCOMPARE(session->state(), RunState::Failed);
        engine.options.openError.clear();
        engine.options.failAt = 20;
        auto next = start(controller, home.request("oom", 100));
        QTRY_COMPARE(failed.count(), 2);
        QCOMPARE(next->state(), RunState::Failed);
        QVERIFY(next->stateText().contains(QStringLiteral("smaller batch")));
        QCOMPARE(next->history().step.size(), std::size_t(19)); // what came before it is kept
        next->poll();
        QTRY_VERIFY(!next->loading());
        QCOMPARE(next->state(), RunState::Failed);
    }

    void engineThatCannotBeOpened()
    {
        const test::TestHome home;
        RunController controller(
            []() -> Engine& { throw Error("libpha_engine.so cannot be opened", "reinstall PHA Studio"); });
        QSignalSpy failed(&controller, &RunController::failed);
        controller.warmUp();
        QTRY_COMPARE(failed.count(), 1);
        auto session = start(controller, home.request("none", 10));
        QTRY_COMPARE(failed.count(), 2);
        QVERIFY(!controller.busy());
    }

    void windowNeverWaitsForTheEngine()
    {
        const test::TestHome home;
        FakeEngine engine;
        std::atomic<bool> open { false };
        RunController controller([&]() -> Engine& {
            while (!open) std::this_thread::yield();
            return engine;
        });
        controller.warmUp();
        auto session = start(controller, home.request("slow", 20)); // returns although the engine is not there
        QVERIFY(controller.busy());
        QVERIFY(!controller.engineInfo());
        open = true;
        QTRY_VERIFY(!controller.busy());
        QVERIFY(controller.engineInfo());
        QCOMPARE(session->state(), RunState::Finished);
    }

    void hangingWorkerIsLeftBehind()
    {
        const test::TestHome home;
        FakeOptions options;
        options.ignoreStop = true;
        options.writeFiles = false;
        FakeEngine engine(options);
        auto controller = std::make_unique<RunController>(opener(engine));
        auto session = start(*controller, home.request("hangs", 100000000));
        QTRY_VERIFY(session->step() > 0);
        QVERIFY(!controller->shutDown(std::chrono::milliseconds(50)));
        QVERIFY(!controller->start(session.get(), home.request("hangs", 10)));
        controller.reset(); // nothing arrives any more, and nothing is touched that is gone
        session.reset();
        engine.counters->release = true;
        QTRY_COMPARE(engine.counters->ended.load(), 1);
    }

    void sessionMayGoWhileItIsRead()
    {
        const test::TestHome home;
        const auto run = home.train("gone", 2000);
        for (int n = 0; n < 20; ++n) {
            RunSession session(run);
            if (n % 2) QTest::qWait(0);
        }
        QCoreApplication::processEvents();
    }
};

PHA_TEST(RunSessionTest)
#include "run_session_test.moc"
