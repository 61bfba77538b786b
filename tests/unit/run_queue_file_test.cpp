// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_queue_file.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTemporaryDir>
#include <QTest>

using namespace pha;
using namespace pha::test;

class RunQueueFileTest : public QObject {
    Q_OBJECT

private:
    static WaitingRun waiting(const std::string& name)
    {
        WaitingRun run { name, "Run " + name, findPreset("pha-tiny").config, {}, { "rates" } };
        run.config.preset = "pha-tiny";
        run.config.training.learningRate = 0.0015;
        return run;
    }

private Q_SLOTS:
    void whatWaitsIsReadAsItWasWritten()
    {
        QTemporaryDir folder;
        QVERIFY(readQueue(pathOf(folder)).empty());
        auto fork = waiting("fork");
        fork.forkFrom = "/runs/a/checkpoints/step-00000010";
        fork.forkMark = "abc";
        auto replay = waiting("replay");
        replay.replay = { { "path", "/runs/a" }, { "name", "a" }, { "changes", Json::array() } };
        replay.initFrom = "/weights.safetensors";
        const std::vector<WaitingRun> runs { waiting("b"), fork, replay, waiting("a") };
        writeQueue(pathOf(folder), runs);
        const auto read = readQueue(pathOf(folder));
        QVERIFY(read == runs);
        QCOMPARE(read.front().config.preset, std::string("pha-tiny"));
        QCOMPARE(read[1].forkMark, std::string("abc"));
        QVERIFY(read[3].forkMark.empty());
        QVERIFY(read[2].replay == replay.replay && read[2].initFrom == replay.initFrom);
        writeQueue(pathOf(folder), {});
        QVERIFY(!fs::exists(queueFile(pathOf(folder))));
        writeQueue(pathOf(folder), {}); // none to remove
    }

    void refusesWhatItCannotTrust_data()
    {
        QTest::addColumn<QByteArray>("text");
        const auto good = QByteArray::fromStdString(waiting("a").toJson().dump());
        const auto around = [](const QByteArray& run) { return "{\"schema\":1,\"runs\":[" + run + "]}"; };
        QTest::newRow("half a file") << around(good).left(80);
        QTest::newRow("no object") << QByteArray("[]");
        QTest::newRow("newer") << QByteArray("{\"schema\":2,\"runs\":[]}");
        QTest::newRow("no runs") << QByteArray("{\"schema\":1}");
        QTest::newRow("no run") << around("3");
        QTest::newRow("other folder") << around(QByteArray(good).replace("\"folder\":\"a\"", "\"folder\":\"../a\""));
        QTest::newRow("hidden") << around(QByteArray(good).replace("\"folder\":\"a\"", "\"folder\":\".a\""));
        QTest::newRow("no folder") << around(QByteArray(good).replace("\"folder\":\"a\"", "\"folder\":\"\""));
        QTest::newRow("tags") << around(QByteArray(good).replace("[\"rates\"]", "[1]"));
        QTest::newRow("settings") << around(
            QByteArray(good).replace("\"learning_rate\":0.0015", "\"learning_rate\":-1"));
        QTest::newRow("replay of nothing")
            << around(QByteArray(good).replace("\"folder\":", "\"replay\":{\"name\":\"a\"},\"folder\":"));
        QTest::newRow("unknown") << around(QByteArray(good).replace("\"learning_rate\"", "\"learning_rat\""));
    }

    void refusesWhatItCannotTrust()
    {
        QFETCH(QByteArray, text);
        QTemporaryDir folder;
        writeRaw(queueFile(pathOf(folder)), text.toStdString());
        QVERIFY_THROWS_EXCEPTION(DataError, (void)readQueue(pathOf(folder)));
    }

    void onlyOneWorksThroughIt()
    {
        QTemporaryDir folder;
        {
            const QueueLock lock(pathOf(folder));
            QVERIFY_THROWS_EXCEPTION(QueueTaken, QueueLock(pathOf(folder)));
        }
        const QueueLock again(pathOf(folder));
    }
};

PHA_TEST(RunQueueFileTest)
#include "run_queue_file_test.moc"
