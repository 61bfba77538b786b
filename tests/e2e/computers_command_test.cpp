// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that several computers share, as processes that speak over the loopback.
#include "engine/base/connection.h"
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <functional>

using namespace pha::e2e;

namespace {

QString freePort() { return QString::fromStdString(pha::Listener({ "127.0.0.1", "0" }).port()); }

QByteArray lastLine(const QByteArray& text) { return text.trimmed().split('\n').last(); }

/// Until a file of a run says so.
bool becomes(const std::function<bool()>& what)
{
    for (int i = 0; i < 600 && !what(); ++i) QTest::qWait(100);
    return what();
}

} // namespace

class ComputersCommandTest : public QObject {
    Q_OBJECT

    Home home_;

    struct Pair {
        std::unique_ptr<QProcess> leads, joins;
    };
    Pair start(const QString& run, const QStringList& more)
    {
        const auto at = "127.0.0.1:" + freePort();
        return { home_.start(smallRun(
                     QStringList { "--run", home_.path(run), "--nodes", "2", "--listen", at, "--key", "word" } + more)),
            home_.start({ "join", at, "--key", "word", "--threads", "1" }) };
    }
    bool begun(const QString& run) { return !metrics(home_.path(run), "step").isEmpty(); }

private Q_SLOTS:
    void twoProcessesTrainOneRun()
    {
        const auto pair = start("two", { "--steps", "8" });
        const auto led = Home::finish(*pair.leads), joined = Home::finish(*pair.joins);
        QCOMPARE(led.code, 0);
        QCOMPARE(joined.code, 0);
        QVERIFY2(led.err.contains("on the other computer: pha join 127.0.0.1:"), led.err);
        QVERIFY2(led.err.contains("--key 'word'"), led.err);
        QVERIFY2(joined.err.contains("as device 2 of 2"), joined.err);
        QVERIFY2(lastLine(joined.err).startsWith("finished at step 8"), joined.err);
        QCOMPARE(metrics(home_.path("two"), "step").size(), 8);
        const auto about = QJsonDocument::fromJson(content(home_.path("two") + "/run.json")).object();
        QCOMPARE(about["environment"].toObject()["computers"].toArray().size(), 1);
    }

    /// What torchrun gives its processes is enough: they are all started by one command.
    void oneCommandForAll()
    {
        qputenv("WORLD_SIZE", "2"), qputenv("MASTER_ADDR", "127.0.0.1"), qputenv("MASTER_PORT", freePort().toUtf8());
        const auto command = smallRun({ "--run", home_.path("launched"), "--steps", "4" });
        qputenv("RANK", "1"), qputenv("LOCAL_RANK", "1"), qputenv("LOCAL_WORLD_SIZE", "2");
        const auto planned = home_.run(command + QStringList { "--dry-run" }); // joins nobody
        const auto second = home_.start(command);
        qputenv("RANK", "0"), qputenv("LOCAL_RANK", "0");
        const auto first = home_.start(command);
        const auto refused = home_.run(command + QStringList { "--nodes", "2" });
        qputenv("RANK", "5");
        const auto wrong = home_.run(command);
        for (const auto* name :
            { "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE" })
            qunsetenv(name);
        QCOMPARE(Home::finish(*first).code, 0);
        QCOMPARE(Home::finish(*second).code, 0);
        QCOMPARE(metrics(home_.path("launched"), "step").size(), 4);
        QCOMPARE(planned.code, 0);
        QCOMPARE(planned.out + planned.err, QByteArray()); // the plan is printed by the first
        QCOMPARE(refused.code, 2);
        QVERIFY2(isOneErrorLine(refused.err), refused.err);
        QCOMPARE(wrong.code, 2);
        QVERIFY2(wrong.err.contains("RANK"), wrong.err);
    }

    void aSignalAnywhereSavesTheRun()
    {
        const auto pair = start("signal", { "--steps", "1000000", "--set", "save_every=0" });
        QVERIFY(becomes([&] { return begun("signal"); }));
        pair.joins->terminate();
        const auto joined = Home::finish(*pair.joins), led = Home::finish(*pair.leads);
        QCOMPARE(joined.code, 143);
        QCOMPARE(led.code, 130);
        QVERIFY2(lastLine(led.err).startsWith("pha: stopped at step"), led.err);
        const auto done = metrics(home_.path("signal"), "step").size();
        const auto alone = home_.run({ "train", "--resume", home_.path("signal"), "--set", "stop_after=2" });
        QCOMPARE(alone.code, 130);
        QCOMPARE(metrics(home_.path("signal"), "step").size(), done + 2);
    }

    void aKilledComputerIsNamed()
    {
        const auto pair = start("killed", { "--steps", "1000000", "--set", "save_every=1" });
        QVERIFY(becomes([&] { return begun("killed"); }));
        pair.joins->kill();
        Home::finish(*pair.joins);
        const auto led = Home::finish(*pair.leads);
        QCOMPARE(led.code, 1);
        QVERIFY2(lastLine(led.err).startsWith("pha: error: the connection to "), led.err);
        QVERIFY2(lastLine(led.err).contains("--resume"), led.err);
    }

    /// One that is frozen keeps its connection: nothing but its silence tells.
    void aFrozenComputerIsNamedAndDoesNotKeepARunFromStopping()
    {
        const auto pair = start("frozen", { "--steps", "1000000", "--set", "save_every=1" });
        QVERIFY(becomes([&] { return metrics(home_.path("frozen"), "step").size() > 2; }));
        ::kill(pid_t(pair.joins->processId()), SIGSTOP);
        pair.leads->setReadChannel(QProcess::StandardError);
        QByteArray said;
        while (!said.contains(", and is waited for\n")) {
            QVERIFY2(pair.leads->waitForReadyRead(120'000), said);
            said += pair.leads->readAllStandardError();
        }
        QVERIFY2(said.contains(" has said nothing for "), said);
        pair.leads->terminate();
        const auto led = Home::finish(*pair.leads);
        ::kill(pid_t(pair.joins->processId()), SIGCONT);
        QCOMPARE(Home::finish(*pair.joins).code, 1);
        QCOMPARE(led.code, 1);
        QVERIFY2(lastLine(led.err).startsWith("pha: error: the weights of the last update are not saved: "), led.err);
        QVERIFY2(lastLine(led.err).contains("go on from the last checkpoint, step-0"), led.err);
        const auto alone = home_.run({ "train", "--resume", home_.path("frozen"), "--set", "stop_after=2" });
        QCOMPARE(alone.code, 130);
    }

    void badUse()
    {
        const QList<QStringList> commands {
            smallRun({ "--nodes", "0" }),
            smallRun({ "--nodes", "two" }),
            smallRun({ "--listen", "29400" }),
            smallRun({ "--key", "word" }),
            smallRun({ "--nodes", "2", "--listen", "here:there" }),
            { "join" },
            { "join", "leader" },
            { "join", "leader:0" },
            { "join", "127.0.0.1:29400", "--devices", "0" },
        };
        for (const auto& command : commands) {
            const auto result = home_.run(command);
            QVERIFY2(result.code == 2, qPrintable(command.join(' ')));
            QVERIFY2(isOneErrorLine(result.err), result.err);
        }
        const auto nobody = home_.run({ "join", "127.0.0.1:" + freePort(), "--wait", "0" });
        QCOMPARE(nobody.code, 1);
        QVERIFY2(isOneErrorLine(nobody.err), nobody.err);
        const auto taken = pha::Listener({ "127.0.0.1", "0" });
        const auto busy =
            home_.run(smallRun({ "--nodes", "2", "--listen", "127.0.0.1:" + QString::fromStdString(taken.port()) }));
        QCOMPARE(busy.code, 1);
        QVERIFY2(lastLine(busy.err).startsWith("pha: error: cannot listen at "), busy.err);
    }
};

PHA_TEST(ComputersCommandTest)
#include "computers_command_test.moc"
