// SPDX-License-Identifier: GPL-3.0-or-later
// "Replay": a run is done once more from the window, which says whether it came out the same.
#include "engine/run/metrics.h"
#include "tests/suite.h"
#include "ui/look/theme.h"
#include "ui/window/error_banner.h"
#include "window_fixture.h"

#include <QLabel>

using namespace pha;
using namespace pha::ui;
using Fixture = test::WindowFixture;

class ReplayWindowTest : public QObject {
    Q_OBJECT

private:
    static QString said(const Fixture& f) { return f.find<QLabel>("runBarState")->text(); }
    static void ask(Fixture& f, const char* name)
    {
        f.window->openRun(f.home.runs() / name);
        QTRY_VERIFY(f.action("replayRun")->isEnabled());
        f.action("replayRun")->trigger();
    }
    static void replay(Fixture& f, const char* name)
    {
        ask(f, name);
        const auto copy = QByteArray(name) + "-replay";
        QTRY_VERIFY(f.session(copy) && f.session(copy)->state() == RunState::Finished);
    }

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void theWindowSaysThatEveryLossIsTheSame()
    {
        Fixture f;
        f.home.train("a", 60);
        replay(f, "a");
        auto* again = f.session("a-replay");
        QCOMPARE(f.window->currentSession(), again);
        QTRY_VERIFY2(said(f).contains("60 updates, every loss the same (replay of a)"), qPrintable(said(f)));
        QCOMPARE(again->file().environment["replay"]["name"].get<std::string>(), std::string("a"));
        QCOMPARE(f.window->runs().shown().size(), 2);
        f.window->openRun(f.home.runs() / "a");
        QVERIFY2(!said(f).contains("replay of"), qPrintable(said(f)));
        f.window->openRun(f.home.runs() / "a-replay"); // what was found out is found out again
        QTRY_VERIFY2(said(f).contains("every loss the same"), qPrintable(said(f)));
    }

    void theWindowSaysWhereTheCoursesPart()
    {
        Fixture f;
        f.home.train("a", 60);
        replay(f, "a");
        auto step = test::fakeStep(17, f.session("a")->file().config);
        step.loss += 0.5;
        MetricsWriter(RunDirectory(f.home.runs() / "a").metricsFile()).append(step); // the last word on a step counts
        f.window->openRun(f.home.runs() / "a");
        f.window->openRun(f.home.runs() / "a-replay");
        QTRY_VERIFY2(said(f).contains("from number 17 on other losses, at most 0.5 nats"), qPrintable(said(f)));
        fs::remove_all(f.home.runs() / "a");
        f.open();
        f.window->openRun(f.home.runs() / "a-replay");
        QTRY_VERIFY2(said(f).contains("is not there any more"), qPrintable(said(f)));
    }

    void whatCannotBeReplayedSaysSo()
    {
        Fixture f;
        const auto run = f.home.train("a", 60);
        CommandEvent change { 20, "width", "96", "64" }; // no run can have done that
        MetricsWriter(RunDirectory(run).metricsFile()).append(change);
        ask(f, "a");
        auto* banner = f.window->findChild<ErrorBanner*>();
        QTRY_VERIFY(banner->isVisible());
        QVERIFY(!f.session("a-replay"));
    }

    void whileAnotherRunTrainsAReplayWaits()
    {
        Fixture f;
        f.home.train("a", 60);
        f.startLong();
        ask(f, "a");
        QTRY_VERIFY(f.session("a-replay"));
        QCOMPARE(f.session("a-replay")->stateText(), QStringLiteral("waiting, next"));
        QVERIFY(!f.find("errorBanner")->isVisible());
        f.action("stopRun")->trigger();
        QTRY_COMPARE(f.session("a-replay")->state(), RunState::Finished);
        QCOMPARE(f.session("a-replay")->file().environment["replay"]["name"].get<std::string>(), std::string("a"));
        f.window->openRun(f.home.runs() / "a-replay");
        QTRY_VERIFY2(said(f).contains("60 updates, every loss the same (replay of a)"), qPrintable(said(f)));
    }

    void pressedTwiceItIsOneReplay()
    {
        Fixture f;
        f.home.train("a", 60);
        f.startLong();
        f.window->openRun(f.home.runs() / "a");
        auto* command = f.action("replayRun");
        QTRY_VERIFY(command->isEnabled());
        QVERIFY(!command->autoRepeat() && f.action("smoothMore")->autoRepeat());
        command->trigger();
        command->trigger(); // while the first one is read
        QTRY_VERIFY(f.session("a-replay"));
        f.window->controller().stop();
        QTRY_COMPARE(f.session("a-replay")->state(), RunState::Finished);
        QTRY_VERIFY(!f.window->controller().busy());
        QVERIFY(!f.session("a-replay-2"));
        command->trigger(); // another time it is another one
        QTRY_VERIFY(f.session("a-replay-2"));
        QTRY_VERIFY(!f.window->controller().busy());
    }

    void aReplayThatWaitsOutlivesTheWindow()
    {
        Fixture f;
        f.home.train("a", 60);
        f.startLong();
        ask(f, "a");
        QTRY_VERIFY(f.session("a-replay"));
        f.open(); // another window: what waits is on hold
        QTRY_VERIFY(f.session("a-replay"));
        f.action("holdQueue")->trigger();
        QTRY_COMPARE(f.session("a-replay")->state(), RunState::Finished);
        QCOMPARE(f.session("a-replay")->file().environment["replay"]["name"].get<std::string>(), std::string("a"));
    }

    void onlyWhatHasTrainedAndEndedIsOffered()
    {
        Fixture f;
        const auto* action = f.action("replayRun");
        QVERIFY(!action->isEnabled());
        f.home.train("a", 60);
        f.startLong();
        f.window->openRun(f.home.runs() / "a");
        QTRY_VERIFY(action->isEnabled());
        f.window->openRun(f.home.runs() / "long");
        QVERIFY(!action->isEnabled());
        QVERIFY(!action->toolTip().isEmpty() && !action->shortcut().isEmpty());
    }
};

PHA_TEST(ReplayWindowTest)
#include "replay_window_test.moc"
