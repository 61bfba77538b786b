// SPDX-License-Identifier: GPL-3.0-or-later
// "Play back" in the window: what the panels show, keys, which commands are off and say why, how it ends.
#include "engine/run/capsule.h"
#include "tests/suite.h"
#include "ui/bench/bench_panel.h"
#include "ui/charts/time_plot.h"
#include "ui/config_form/config_panel.h"
#include "ui/data/data_panel.h"
#include "ui/film/film_panel.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/session/playback.h"
#include "ui/window/error_banner.h"
#include "window_fixture.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QSlider>
#include <QTextEdit>
#include <QToolButton>

using namespace pha;
using namespace pha::ui;
using pha::test::FakeOptions;
using Fixture = test::WindowFixture;

class PlaybackWindowTest : public QObject {
    Q_OBJECT

private:
    static Playback& begin(Fixture& f, const char* name)
    {
        f.window->openRun(f.home.runs() / name);
        auto& playback = f.window->playback();
        f.action("playBack")->trigger();
        [&] { QTRY_VERIFY(playback.recording()); }();
        playback.setPlaying(false);
        playback.seek(0);
        return playback;
    }
    static QString text(const Fixture& f, const char* label) { return f.find<QLabel>(label)->text(); }
    static int logLines(const Fixture& f)
    {
        return int(f.find<QTextEdit>("runLog")->toPlainText().count(QLatin1Char('\n'))) + 1;
    }

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void theWindowShowsTheRunAsItWas()
    {
        Fixture f;
        f.home.train("a", 1000);
        f.window->openRun(f.home.runs() / "a");
        QTRY_VERIFY(text(f, "runBarState").startsWith("finished"));
        const int allLines = logLines(f);
        const auto* film = f.find<FilmPanel>("filmPanel");
        const int allFrames = film->frames();
        f.window->resize(1000, 650);
        const int width = f.window->width();
        auto& playback = begin(f, "a");
        auto* bar = f.find<>("playbackBar");
        QVERIFY(bar->isVisible());
        playback.seek(500);
        QCOMPARE(text(f, "playbackWords"), QStringLiteral("Recording of a, update 500 of 1,000"));
        QCOMPARE(text(f, "runBarSteps"), QStringLiteral("500 / 1,000 steps"));
        QVERIFY2(text(f, "runBarState").startsWith("recording, training"), qPrintable(text(f, "runBarState")));
        QVERIFY(text(f, "timeLeftFigure") != formatDuration(-1));
        QVERIFY(logLines(f) < allLines);
        QVERIFY(film->frames() > 0 && film->frames() < allFrames);
        QCOMPARE(f.find<QSlider>("playbackSlider")->value(), 500);
        QCOMPARE(f.window->currentSession()->step(), std::int64_t(1000)); // all else sees the whole run
        auto* loss = f.find<TimePlot>("lossChart");
        const auto drawn = [&] { return loss->sheets().isEmpty() ? 0 : loss->sheets().first().rows(); };
        QTRY_COMPARE(drawn(), 500);
        f.action("playBack")->trigger();
        QVERIFY(!playback.active() && !bar->isVisible());
        QCOMPARE(f.window->width(), width);
        QVERIFY(text(f, "runBarState").startsWith("finished"));
        QCOMPARE(logLines(f), allLines);
        QCOMPARE(film->frames(), allFrames);
        QTRY_COMPARE(drawn(), 1000);
    }

    void keysPlayItAndLeaveIt()
    {
        Fixture f;
        f.home.train("a", 1000);
        f.window->openRun(f.home.runs() / "a");
        QTest::keyClick(f.window.get(), Qt::Key_P);
        auto& playback = f.window->playback();
        QTRY_VERIFY(playback.recording());
        auto* slider = f.find<QSlider>("playbackSlider");
        QTRY_VERIFY(slider->hasFocus());
        QVERIFY(playback.playing());
        QTest::keyClick(slider, Qt::Key_Space);
        QVERIFY(!playback.playing());
        QVERIFY(f.action("pauseRun")->text().contains("ontinue"));
        QTest::keyClick(slider, Qt::Key_Home);
        QCOMPARE(playback.update(), std::size_t(0));
        QTest::keyClick(slider, Qt::Key_Right);
        QCOMPARE(playback.update(), std::size_t(5));
        QTest::keyClick(slider, Qt::Key_PageUp);
        QCOMPARE(playback.update(), std::size_t(55));
        QTest::keyClick(slider, Qt::Key_Period);
        const auto event = playback.update();
        QVERIFY(event > 55);
        QTest::keyClick(slider, Qt::Key_Period);
        QVERIFY(playback.update() > event);
        QTest::keyClick(slider, Qt::Key_Comma);
        QCOMPARE(playback.update(), event);
        QTest::keyClick(slider, Qt::Key_End);
        QVERIFY(playback.atEnd());
        QVERIFY(f.action("pauseRun")->text().contains("again"));
        QTest::keyClick(slider, Qt::Key_Space);
        QVERIFY(playback.playing() && !playback.atEnd());
        QTest::mouseClick(slider, Qt::LeftButton, {}, QPoint(slider->width() / 2, slider->height() / 2));
        QVERIFY(playback.update() > 400 && playback.update() < 700);
        QTest::keyClick(slider, Qt::Key_Escape);
        QVERIFY(!playback.active());
    }

    void escapeDropsTheCursorOfAChartBeforeItLeaves()
    {
        Fixture f;
        f.home.train("a", 200);
        auto& playback = begin(f, "a");
        playback.seek(150);
        auto* loss = f.find<TimePlot>("lossChart");
        QTRY_VERIFY(loss->isVisible() && !loss->sheets().isEmpty() && loss->sheets().first().rows() == 150);
        loss->setFocus();
        QTRY_VERIFY(loss->hasFocus());
        QSignalSpy left(loss, &TimePlot::cursorLeft);
        QTest::keyClick(loss, Qt::Key_Right);
        QTest::keyClick(loss, Qt::Key_Escape);
        QCOMPARE(left.count(), 1);
        QVERIFY(playback.active());
        QTest::keyClick(loss, Qt::Key_Escape);
        QVERIFY(!playback.active());
    }

    void escapeLeavesItFromEveryPanelThatDoesNothing()
    {
        FakeOptions options;
        options.benchRows = 1; // the next one waits for a stop
        Fixture f(options);
        f.home.train("a", 60);
        const auto escape = [&f] {
            auto* focus = QApplication::focusWidget();
            QTest::keyClick(focus ? focus : f.window.get(), Qt::Key_Escape);
        };
        for (const char* panel : { "showMonitor", "showCompare", "showPlayground", "showInspect", "showEvaluate",
                 "showData", "showBench", "showFilm", "showAlerts" }) {
            auto& playback = begin(f, "a");
            f.action(panel)->trigger();
            QTRY_VERIFY(!f.find<DataPanel>("dataPanel")->busy()); // it may look at a text first
            escape();
            QVERIFY2(!playback.active(), panel);
        }
        auto& playback = begin(f, "a");
        f.action("showBench")->trigger();
        auto* bench = f.find<BenchPanel>("benchPanel");
        bench->run();
        QVERIFY(bench->busy());
        escape(); // that first
        QVERIFY(playback.active());
        QTRY_VERIFY(!bench->busy());
        escape();
        QVERIFY(!playback.active());
    }

    void commandsThatChangeARunAreOffAndSayWhy()
    {
        Fixture f;
        f.startLong();
        auto* session = f.window->currentSession();
        auto& playback = begin(f, "long");
        for (const char* name : { "stopRun", "resumeRun", "evaluateNow", "sampleNow", "checkpointNow",
                 "changeLearningRate", "changeSettings" }) {
            QVERIFY2(!f.action(name)->isEnabled(), name);
            QVERIFY2(f.action(name)->toolTip().contains("recording is played back"), name);
        }
        QVERIFY(f.find<QToolButton>("checkpointNowButton")->isVisible());
        const auto before = session->step();
        f.window->setFocus();
        QTest::keyClick(f.window.get(), Qt::Key_Space); // the recording, not the run
        QVERIFY(playback.playing());
        QTRY_VERIFY(session->step() > before + 10);
        QVERIFY(session->history().commands.empty());
        QVERIFY(playback.updates() < std::size_t(session->step()));
        QCOMPARE(session->state(), RunState::Running);
        Q_EMIT f.find<ConfigPanel>("configPanel")->changeRequested("clip", 0.5);
        QVERIFY(f.find<ErrorBanner>("errorBanner")->message().contains("recording"));
        playback.leave();
        QVERIFY(session->history().commands.empty());
        QVERIFY(f.action("checkpointNow")->isEnabled());
        QVERIFY(f.action("checkpointNow")->toolTip().contains("Saves a checkpoint"));
        QVERIFY(f.action("pauseRun")->toolTip().contains("training"));
        QVERIFY(!f.action("playNext")->isEnabled());
    }

    void anotherRunEndsIt()
    {
        Fixture f;
        f.home.train("a", 60);
        f.home.train("b", 60);
        f.window->runs().rescan();
        auto& playback = begin(f, "a");
        playback.seek(30);
        f.window->openRun(f.home.runs() / "b");
        QVERIFY(!playback.active());
        QTRY_COMPARE(text(f, "runBarSteps"), QStringLiteral("60 / 60 steps"));
        begin(f, "a");
        f.startLong(); // what trains now is what one wants to see
        QVERIFY(!playback.active());
        QCOMPARE(text(f, "runBarName"), QStringLiteral("long"));
        begin(f, "a"); // beside it
        QVERIFY(playback.active() && f.window->controller().busy());
        f.window->openRun(f.home.runs() / "b");
        begin(f, "b");
        f.action("deleteRun")->trigger();
        QVERIFY(!playback.active());
    }

    void whatIsTickedIsShownAtTheSameTime()
    {
        Fixture f;
        f.home.train("a", 1000);
        f.home.train("b", 400);
        f.window->runs().rescan();
        QTRY_COMPARE(f.window->runs().rowCount(), 2);
        auto& playback = begin(f, "a");
        f.window->runs().setShown(f.home.runs() / "a", true);
        f.window->runs().setShown(f.home.runs() / "b", true);
        QTRY_COMPARE(f.session("b")->step(), std::int64_t(400));
        f.action("showCompare")->trigger();
        auto* loss = f.find<TimePlot>("compareLossChart");
        const auto rows = [&] {
            QMap<QString, int> of;
            for (const auto& sheet : loss->sheets()) of[sheet.name] = sheet.rows();
            return of;
        };
        const auto steps = [&] { return playback.shown(f.session("b"))->step(); };
        const auto drawn = [&](int a, int b) { return QMap<QString, int> { { "a", a }, { "b", b } } == rows(); };
        playback.seek(300);
        QCOMPARE(steps(), std::int64_t(300));
        QTRY_VERIFY(drawn(300, 300));
        playback.seek(700);
        QCOMPARE(steps(), std::int64_t(400));
        QCOMPARE(playback.shown(f.session("b"))->state(), RunState::Finished);
        QTRY_VERIFY(drawn(700, 400));
        playback.seek(100); // back
        QCOMPARE(steps(), std::int64_t(100));
        QTRY_VERIFY(drawn(100, 100));
        QCOMPARE(f.session("b")->step(), std::int64_t(400)); // the run itself stays whole
        f.window->runs().setShown(f.home.runs() / "b", false);
        QCOMPARE(playback.shown(f.session("b")), f.session("b"));
        QTRY_VERIFY(rows().keys() == QStringList { "a" });
        f.window->runs().setShown(f.home.runs() / "b", true);
        QTRY_VERIFY(drawn(100, 100));
        f.home.train("c", 200);
        f.window->runs().rescan();
        QTRY_COMPARE(f.window->runs().rowCount(), 3);
        f.window->runs().setShown(f.home.runs() / "c", true); // its file is read while the clock stands still
        QTRY_COMPARE(rows().value("c"), 100);
        f.window->runs().setShown(f.home.runs() / "c", false);
        f.action("playBack")->trigger();
        QTRY_VERIFY(drawn(1000, 400));
    }

    void theWindowClosesInTheMiddle()
    {
        Fixture f;
        f.home.train("a", 200);
        begin(f, "a").setPlaying(true);
        f.window->close();
        f.open();
        begin(f, "a").setPlaying(true);
        f.window.reset();
    }

    void aRunFileWithoutCheckpoints()
    {
        Fixture f;
        const auto run = f.home.train("a", 100);
        const auto file = f.home.path() / "talk.pha";
        fs::remove_all(run / "checkpoints");
        SilentSink nobody;
        writeCapsule(run, file, {}, nobody, {});
        f.window->playBack(file, QStringLiteral("1"));
        auto& playback = f.window->playback();
        QTRY_VERIFY(playback.recording());
        QCOMPARE(playback.updates(), std::size_t(100));
        QVERIFY(playback.run()->directory() != run); // unpacked beside it
        playback.leave();
        f.window->openRun(file); // opened as any other
        QTRY_COMPARE(f.window->runs().rowCount(), 3);
        QVERIFY(!playback.active());
    }

    void onTheCommandLine()
    {
        Fixture f;
        f.home.train("a", 200);
        auto& playback = f.window->playback();
        f.window->playBack(f.home.runs() / "nothing", {});
        QVERIFY(!playback.active());
        QVERIFY(!f.find<ErrorBanner>("errorBanner")->message().isEmpty());
        f.window->playBack(f.home.runs() / "a" / "", QStringLiteral("50x"));
        QVERIFY(playback.active());
        QTRY_VERIFY(playback.recording() && playback.playing());
        QCOMPARE(f.find<QComboBox>("playbackSpeed")->currentText(), QStringLiteral("50\u00d7"));
        f.find<QComboBox>("playbackSpeed")->setCurrentIndex(Playback::speedNamed("2min"));
        f.open(); // remembers what was chosen in the window
        QCOMPARE(f.window->playback().speed(), Playback::speedNamed("2min"));
    }
};

PHA_TEST(PlaybackWindowTest)
#include "playback_window_test.moc"
