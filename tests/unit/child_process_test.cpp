// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/child_process.h"
#include "tests/suite.h"

#include <QTest>

#include <atomic>
#include <csignal>
#include <unistd.h>

using namespace pha;
using End = ChildOutcome::End;

class ChildProcessTest : public QObject {
    Q_OBJECT

private:
    static bool always() { return true; }

private Q_SLOTS:
    void whatItWritesAndReturns()
    {
        const std::string text(300'000, 'x'); // more than a pipe holds
        std::string log;
        const auto outcome = runInChild(
            {},
            [&](std::string& output) {
                output = text;
                return write(STDERR_FILENO, "said", 4) == 4 ? 7 : 8;
            },
            always, [&](std::string_view part) { log += part; });
        QVERIFY(outcome.end == End::Returned);
        QCOMPARE(outcome.code, 7);
        QVERIFY(outcome.output == text);
        QCOMPARE(log, std::string("said"));
    }

    void crashes()
    {
        const auto thrown = [](std::string&) -> int { throw 1; };
        QVERIFY(runInChild({}, thrown, always).end == End::Crashed);
        const auto killed = [](std::string&) { return std::raise(SIGKILL); };
        QVERIFY(runInChild({}, killed, always).end == End::Crashed);
    }

    /// Seconds of work are counted and not seconds on the clock, so that a busy machine refuses nothing.
    void onlyWorkTakesTime()
    {
        const auto works = [](std::string&) {
            for (std::atomic<unsigned> n = 0;;) ++n;
            return 0;
        };
        QVERIFY(runInChild({ 0, 1 }, works, always).end == End::OutOfTime);
        const auto waits = [](std::string&) { return usleep(1'500'000); };
        const auto waited = runInChild({ 0, 1 }, waits, always);
        QVERIFY(waited.end == End::Returned);
        QCOMPARE(waited.code, 0);
    }

    void isLeftWhenAsked()
    {
        int asked = 0;
        const auto never = [](std::string&) {
            for (;;) pause();
            return 0;
        };
        QVERIFY(runInChild({}, never, [&] { return ++asked < 3; }).end == End::Abandoned);
        QCOMPARE(asked, 3);
    }
};

PHA_TEST(ChildProcessTest)
#include "child_process_test.moc"
