// SPDX-License-Identifier: GPL-3.0-or-later
// Signals, kills and resumes: no way to end a run may cost more than the steps since its last checkpoint, and none
// changes what is trained in the end.
#include "engine/base/stop_signals.h"
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <QRandomGenerator>

#include <memory>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

using namespace pha::e2e;

class InterruptionTest : public QObject {
    Q_OBJECT

private:
    static constexpr int allSteps_ = 120;
    Home home_;
    QByteArray uninterrupted_;
    const QStringList settings_ { "--set", "save_every=4", "--set", "eval_every=10", "--set", "sample_every=15",
        "--json" };

    QStringList newRun(const QString& run, int steps = allSteps_) const
    {
        return smallTextRun(home_, { "--run", run, "--steps", QString::number(steps) }) + settings_;
    }
    QString latest(const QString& run) const { return QString(content(run + "/checkpoints/latest")).trimmed(); }
    static QString folder(qint64 step) { return QString("step-%1").arg(step, 8, 10, QChar('0')); }
    static QByteArray weights(const QString& run)
    {
        return content(run + "/checkpoints/" + folder(allSteps_) + "/model.safetensors");
    }

    /// Waits until `count` updates are reported, or until the process ends. True if they were.
    static bool waitForSteps(QProcess& process, int count)
    {
        QByteArray seen;
        while (seen.count("\"type\":\"step\"") < count) {
            if (!process.waitForReadyRead(60'000)) return false;
            seen += process.readAllStandardOutput();
        }
        return true;
    }
    static void signal(const QProcess& process, int number) { ::kill(pid_t(process.processId()), number); }

    /// Every update once, in order, none missing: what a chart of the run shows.
    static void verifyMetrics(const QString& run, int steps)
    {
        qint64 expected = 0;
        for (const auto& step : metrics(run, "step")) QCOMPARE(step["step"].toInteger(), ++expected);
        QCOMPARE(expected, steps);
    }

    /// It told that the last weights are nowhere, and did not end as one that was stopped in order.
    static void verifyUnsaved(const Result& result)
    {
        QCOMPARE(result.code, 1);
        QVERIFY2(
            result.err.contains("pha: error: the weights of the last update are not saved: "), result.err.constData());
        QVERIFY2(!result.err.contains("pha: stopped"), result.err.constData());
    }

    /// Seconds of processor time that it has taken in its own code.
    static double taken(const QProcess& process)
    {
        const auto stat = content(QString("/proc/%1/stat").arg(process.processId()));
        return stat.mid(stat.lastIndexOf(')')).split(' ').value(12).toDouble() / double(sysconf(_SC_CLK_TCK));
    }

private Q_SLOTS:
    void initTestCase()
    {
        const auto run = home_.path("uninterrupted");
        const auto result = home_.run(newRun(run));
        QVERIFY2(result.code == 0, result.err.constData());
        uninterrupted_ = weights(run);
        QVERIFY(uninterrupted_.size() > 10'000);
        verifyMetrics(run, allSteps_);
    }

    /// One thread takes stop signals, and it computes nothing: stop_signals.h says what a handler would break. That
    /// they were blocked where the process was started changes nothing.
    void signalsFindAThreadThatDoesNotCompute()
    {
        auto arguments = newRun(home_.path("masks"), 1'000'000);
        arguments.replace(arguments.indexOf("--threads") + 1, "2");
        const auto set = pha::stopSignalSet();
        sigset_t before;
        pthread_sigmask(SIG_BLOCK, &set, &before);
        const auto process = home_.start(arguments);
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        QVERIFY(waitForSteps(*process, 2));
        const QDir tasks(QString("/proc/%1/task").arg(process->processId()));
        const auto threads = tasks.entryList(QDir::Dirs | QDir::NoDotAndDotDot);
        QVERIFY(threads.size() > 2);
        QStringList taking;
        for (const auto& thread : threads) {
            const auto status = content(tasks.filePath(thread + "/status"));
            const auto blocked = status.mid(status.indexOf("SigBlk:") + 7, 18).trimmed().toULongLong(nullptr, 16);
            for (const int number : { SIGINT, SIGTERM, SIGHUP })
                if ((blocked >> (number - 1) & 1) == 0) taking += thread;
        }
        QCOMPARE(taking.size(), 3);
        taking.removeDuplicates();
        QCOMPARE(taking.size(), 1);
        QVERIFY(taking.first() != QString::number(process->processId())); // the main thread trains
        signal(*process, SIGTERM);
        QCOMPARE(Home::finish(*process).code, 128 + SIGTERM);
    }

    void aSignalStopsWithACheckpoint_data()
    {
        QTest::addColumn<int>("number");
        QTest::newRow("SIGINT") << SIGINT;
        QTest::newRow("SIGTERM") << SIGTERM;
        QTest::newRow("SIGHUP") << SIGHUP;
    }

    void aSignalStopsWithACheckpoint()
    {
        QFETCH(int, number);
        const auto run = home_.path(QString("signal-%1").arg(number));
        const auto process = home_.start(newRun(run, 1'000'000));
        QVERIFY(waitForSteps(*process, 6));
        signal(*process, number);
        const auto result = Home::finish(*process);
        QCOMPARE(result.code, 128 + number);
        QVERIFY2(result.err.contains("--resume"), result.err.constData());
        QVERIFY(!result.err.contains("pha: error"));
        const auto last = metrics(run, "step").last()["step"].toInteger();
        QVERIFY(last >= 6);
        QCOMPARE(latest(run), folder(last));
        QCOMPARE(metrics(run, "status").last()["state"].toString(), "stopped");
        QCOMPARE(home_.run({ "inspect", run, "--json" }).code, 0);
    }

    /// 143 would say that a checkpoint stands.
    void aStopWhoseCheckpointFailsIsAFailure()
    {
        const auto run = home_.path("unsaved");
        const auto process =
            home_.start(smallTextRun(home_, { "--run", run, "--steps", "1000000", "--json", "--set", "save_every=0" }));
        QVERIFY(waitForSteps(*process, 6));
        QVERIFY(QDir().rename(run + "/checkpoints", run + "/away"));
        home_.write("unsaved/checkpoints", "no folder");
        signal(*process, SIGTERM);
        verifyUnsaved(Home::finish(*process));
    }

    void aRunWhoseFolderGoesSaysWhatIsLost_data()
    {
        QTest::addColumn<bool>("json");
        QTest::newRow("JSON") << true;
        QTest::newRow("text, with a summary at the end") << false;
    }

    void aRunWhoseFolderGoesSaysWhatIsLost()
    {
        QFETCH(bool, json);
        const auto run = home_.path(json ? "moved-json" : "moved-text");
        auto arguments = smallRun({ "--run", run, "--steps", "1000000", "--set", "save_every=0" });
        if (json) arguments << "--json";
        const auto process = home_.start(arguments);
        QTRY_VERIFY_WITH_TIMEOUT(metrics(run, "step").size() >= 6, 60'000);
        QVERIFY(QDir().rename(run, run + "-away"));
        signal(*process, SIGTERM);
        verifyUnsaved(Home::finish(*process));
    }

    /// Its reader is there, but reads nothing: the pipe is full, and the training waits.
    void aReaderThatSleepsKeepsNoTrainingFromItsCheckpoint()
    {
        const auto run = home_.path("unread"), fifo = home_.path("fifo");
        QCOMPARE(mkfifo(fifo.toLocal8Bit().constData(), 0600), 0);
        const int reader = ::open(fifo.toLocal8Bit().constData(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
        QVERIFY(reader >= 0);
        const QStringList shell { "-c", R"(fifo="$1"; shift; exec "$0" "$@" > "$fifo")", PHA_BIN_DIR "/pha", fifo };
        const auto process = home_.start(shell
                + smallTextRun(home_,
                    { "--run", run, "--steps", "1000000", "--json", "--set", "save_every=0", "--set", "eval_every=0",
                        "--set", "sample_every=0" }),
            {}, "sh");
        const auto full = [&] {
            int bytes = 0;
            return ::ioctl(reader, FIONREAD, &bytes) == 0 && bytes > ::fcntl(reader, F_GETPIPE_SZ) * 3 / 4;
        };
        qint64 size = 0, before = 0;
        do {
            QVERIFY(process->state() == QProcess::Running);
            QTest::qWait(500);
            before = std::exchange(size, QFileInfo(run + "/metrics.jsonl").size());
        } while (size != before || !full());
        signal(*process, SIGTERM);
        const auto result = Home::finish(*process);
        ::close(reader);
        QCOMPARE(result.code, 128 + SIGTERM);
        QVERIFY2(result.err.contains("--resume"), result.err.constData());
        QCOMPARE(latest(run), folder(metrics(run, "step").last()["step"].toInteger()));
        QCOMPARE(metrics(run, "status").last()["state"].toString(), "stopped");
    }

    /// The text comes from a pipe that nobody closes.
    void waitingForStandardInputEndsAtOnce()
    {
        const auto process = home_.start({ "inspect", home_.path("uninterrupted"), "--text-file", "-" });
        process->write(QByteArray(300'000, 'a')); // more than a pipe holds: once it is gone, the program reads
        while (process->bytesToWrite() > 0) QVERIFY(process->waitForBytesWritten(60'000));
        signal(*process, SIGTERM);
        QCOMPARE(Home::finish(*process).code, 128 + SIGTERM);
    }

    /// As Ctrl+Z and fg do. However busy the machine is: of what has passed the run counts none of the time without it.
    void stoppedTimeIsNoTraining()
    {
        const auto run = home_.path("stopped");
        const auto process = home_.start(smallTextRun(home_,
            { "--run", run, "--steps", "1000000", "--json", "--set", "batch_size=64", "--set", "context=128", "--set",
                "eval_every=0", "--set", "save_every=0", "--set", "sample_every=0" }));
        QVERIFY(waitForSteps(*process, 6));
        const auto before = metrics(run, "step").last()["seconds"].toDouble();
        QElapsedTimer all;
        all.start();
        signal(*process, SIGSTOP);
        QTest::qSleep(3000);
        signal(*process, SIGCONT);
        QVERIFY(waitForSteps(*process, 6));
        signal(*process, SIGINT);
        QCOMPARE(Home::finish(*process).code, 128 + SIGINT);
        const auto counted = metrics(run, "step").last()["seconds"].toDouble() - before;
        const auto passed = double(all.elapsed()) / 1000;
        QVERIFY2(counted <= passed - 1.5, qPrintable(QString("%1 of %2 s").arg(counted).arg(passed)));
    }

    void aSecondSignalLeavesTheRunIntact()
    {
        const auto run = home_.path("twice");
        const auto process = home_.start(newRun(run, 1'000'000));
        QVERIFY(waitForSteps(*process, 6));
        signal(*process, SIGTERM);
        signal(*process, SIGINT);
        const auto code = Home::finish(*process).code;
        QVERIFY2(code == 128 + SIGINT || code == 128 + SIGTERM, QByteArray::number(code));
        QCOMPARE(home_.run({ "inspect", run, "--json" }).code, 0);
        const auto resumed = home_.run({ "train", "--resume", run, "--set", "stop_after=2", "--json" });
        QVERIFY2(resumed.code == 130, resumed.err.constData());
    }

    /// One measurement of this context takes minutes, and nothing of it is kept.
    void aBenchmarkIsNotWaitedFor()
    {
        const auto process = home_.start({ "bench", "--presets", "pha-tiny", "--contexts", "131072", "--batch-tokens",
            "131072", "--mode", "forward", "--threads", "1" });
        QTRY_VERIFY_WITH_TIMEOUT(taken(*process) > 4, 240'000); // it is loaded, and measures
        signal(*process, SIGINT);
        const auto result = Home::finish(*process);
        QCOMPARE(result.code, 128 + SIGINT);
        QCOMPARE(result.err, QByteArray("pha: stopped; start it again\n"));
    }

    void stopAfterLeavesAsASignalWould()
    {
        const auto run = home_.path("stop-after");
        const auto first = home_.run(newRun(run) + QStringList { "--set", "stop_after=7" });
        QCOMPARE(first.code, 130);
        QCOMPARE(latest(run), folder(7));
        // The rest in one go: stopping early was meant for the first process only.
        const auto second = home_.run({ "train", "--resume", run, "--json" });
        QVERIFY2(second.code == 0, second.err.constData());
        verifyMetrics(run, allSteps_);
        QCOMPARE(weights(run), uninterrupted_);
    }

    /// The evaluation that the first stop cut short takes its time again.
    void aStopBeforeTheFirstUpdateSaysWhereTheRunStands()
    {
        const auto run = home_.path("again");
        const auto first = home_.start(smallTextRun(home_,
            { "--run", run, "--steps", "1000000", "--json", "--set", "save_every=0", "--set", "sample_every=0", "--set",
                "eval_every=2", "--set", "eval_tokens=0" }));
        QVERIFY(waitForSteps(*first, 2));
        signal(*first, SIGINT);
        QCOMPARE(Home::finish(*first).code, 130);
        const auto step = metrics(run, "status").last()["step"].toInteger();
        const auto second = home_.start({ "train", "--resume", run, "--json" });
        QByteArray out;
        while (!out.contains("\"type\":\"run\"")) {
            QVERIFY(second->waitForReadyRead(60'000));
            out += second->readAllStandardOutput();
        }
        signal(*second, SIGINT);
        const auto result = Home::finish(*second);
        QCOMPARE(result.code, 130);
        QVERIFY(metrics(run, "status").last()["step"].toInteger() >= step);
        const auto said = QString("pha: stopped at step %1;").arg(metrics(run, "status").last()["step"].toInteger());
        QVERIFY2(result.err.contains(said.toUtf8()), result.err.constData());
    }

    void aFinishedRunCanBeExtended()
    {
        const auto run = home_.path("extended");
        QCOMPARE(home_.run(newRun(run, 8)).code, 0);
        const auto again = home_.run({ "train", "--resume", run, "--json" });
        QCOMPARE(again.code, 2);
        QVERIFY2(isOneErrorLine(again.err) && again.err.contains("--steps"), again.err.constData());
        const auto longer = home_.run({ "train", "--resume", run, "--steps", "12", "--json" });
        QVERIFY2(longer.code == 0, longer.err.constData());
        QCOMPARE(latest(run), folder(12));
        verifyMetrics(run, 12);
    }

    void aRunKilledBeforeItsLastWordIsFinishedByAResume()
    {
        const auto run = home_.path("wordless");
        QCOMPARE(home_.run(newRun(run, 8)).code, 0);
        const auto before = content(run + "/checkpoints/" + folder(8) + "/model.safetensors");
        cutLastMetric(run);
        QVERIFY(metrics(run, "status").last()["state"] != "finished");
        home_.write("wordless/checkpoints/latest", folder(4).toUtf8() + "\n");
        const auto lowered = home_.run({ "train", "--resume", run, "--steps", "7", "--json" });
        QCOMPARE(lowered.code, 2);
        const auto again = home_.run({ "train", "--resume", run, "--json" });
        QVERIFY2(again.code == 0, again.err.constData());
        QCOMPARE(metrics(run, "status").last()["state"].toString(), "finished");
        QCOMPARE(latest(run), folder(8));
        verifyMetrics(run, 8);
        QCOMPARE(content(run + "/checkpoints/" + folder(8) + "/model.safetensors"), before);
        QCOMPARE(home_.run({ "train", "--resume", run, "--json" }).code, 2); // now only more steps are left
    }

    void anEarlierCheckpointCanBeContinued()
    {
        const auto run = home_.path("rewound");
        QCOMPARE(home_.run(newRun(run, 12) + QStringList { "--set", "keep_checkpoints=10" }).code, 0);
        const auto before = content(run + "/checkpoints/" + folder(12) + "/model.safetensors");
        const auto result = home_.run({ "train", "--resume", run + "/checkpoints/" + folder(4), "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        verifyMetrics(run, 12);
        QCOMPARE(content(run + "/checkpoints/" + folder(12) + "/model.safetensors"), before);
    }

    void runsThatBeginAtOnceTakeFoldersOfTheirOwn()
    {
        std::vector<std::unique_ptr<QProcess>> processes;
        for (int i = 0; i < 4; ++i) processes.push_back(home_.start(smallTextRun(home_, { "--steps", "2", "--json" })));
        QStringList folders;
        for (const auto& process : processes) {
            const auto result = Home::finish(*process);
            QVERIFY2(result.code == 0, result.err.constData());
            for (const auto& event : result.jsonLines())
                if (event["type"] == "run") folders << event["directory"].toString();
        }
        QCOMPARE(folders.size(), 4);
        folders.removeDuplicates();
        QCOMPARE(folders.size(), 4);
        for (const auto& folder : folders) verifyMetrics(folder, 2);
    }

    void aRunInUseIsRefused()
    {
        const auto run = home_.path("in-use");
        const auto process = home_.start(newRun(run, 1'000'000));
        QVERIFY(waitForSteps(*process, 5));
        const auto second = home_.run({ "train", "--resume", run });
        QCOMPARE(second.code, 2);
        QVERIFY2(isOneErrorLine(second.err), second.err.constData());
        QVERIFY2(second.err.contains(QByteArray::number(process->processId())), second.err.constData());
        QCOMPARE(home_.run({ "inspect", run, "--json" }).code, 0); // looking is allowed
        signal(*process, SIGTERM);
        QCOMPARE(Home::finish(*process).code, 143);
    }

    void nothingIsPrintedIntoARunWithoutStreams()
    {
        const auto run = home_.path("closed");
        const QStringList shell { "-c", R"(exec "$0" "$@" <&- >&- 2>&-)", PHA_BIN_DIR "/pha" };
        const auto process = home_.start(shell + newRun(run), {}, "sh");
        QCOMPARE(Home::finish(*process).code, 1); // the events that were asked for could not be written
        QCOMPARE(metrics(run, "status").last()["state"].toString(), "finished");
        verifyMetrics(run, allSteps_);
        QCOMPARE(weights(run), uninterrupted_);
    }

    void resumeIsExactAfterKillsAtAnyMoment()
    {
        bool given = false;
        const int asked = qEnvironmentVariableIntValue("PHA_KILLS", &given); // 20 find more, in twice the time
        const int kills = given ? asked : 12;
        const auto run = home_.path("killed");
        QRandomGenerator random(20250117);
        int started = 0;
        for (int i = 0; i < kills; ++i) {
            const bool exists = QFile::exists(run + "/run.json");
            const auto process = home_.start(exists ? QStringList { "train", "--resume", run, "--json" } : newRun(run));
            // A few updates on average between two kills; now and then while the run is still being opened.
            const int steps = random.bounded(8);
            const bool running = steps == 0 || waitForSteps(*process, steps);
            if (!running)
                QVERIFY2(process->waitForFinished() && process->exitCode() == 0,
                    process->readAllStandardError().constData());
            QTest::qWait(random.bounded(steps == 0 ? 400 : 15));
            process->kill();
            process->waitForFinished();
            const auto err = process->readAllStandardError();
            QVERIFY2(!err.contains("pha: error"), err.constData());
            started += steps > 0;
            if (QFile::exists(run + "/checkpoints/" + folder(allSteps_))) break;
        }
        QVERIFY(started >= kills / 2);
        if (!QFile::exists(run + "/checkpoints/" + folder(allSteps_))) {
            const auto result = home_.run({ "train", "--resume", run, "--json" });
            QVERIFY2(result.code == 0, result.err.constData());
        }
        verifyMetrics(run, allSteps_);
        QVERIFY2(weights(run) == uninterrupted_, "the weights differ from those of the uninterrupted run");
        for (const auto& name : tree(run + "/checkpoints")) QVERIFY2(!name.contains("tmp"), qPrintable(name));
    }
};

PHA_TEST(InterruptionTest)
#include "interruption_test.moc"
