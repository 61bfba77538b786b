// SPDX-License-Identifier: GPL-3.0-or-later
// A run that is played back: at every moment all that watches it shows what it showed while the run trained.
#include "engine/run/metrics.h"
#include "tests/gui/chart_helpers.h"
#include "tests/gui/test_home.h"
#include "tests/suite.h"
#include "ui/charts/mixing_bars.h"
#include "ui/charts/monitor_panel.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/session/playback.h"
#include "ui/window/log_panel.h"

#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QTest>
#include <QTextEdit>
#include <QThreadPool>

using namespace pha;
using namespace pha::test;

namespace {

constexpr std::int64_t updates = 1200;

/// A session with the panels that watch it.
struct Watched {
    RunSession* session;
    MonitorPanel monitor;
    LogPanel log;

    explicit Watched(RunSession* of)
        : session(of)
    {
        monitor.resize(1100, 700);
        monitor.show();
        monitor.setSessions({ session }, session);
        log.setSession(session);
    }
    bool drawn() const
    {
        const auto* loss = monitor.findChild<TimePlot*>(QStringLiteral("lossChart"));
        const int rows = int(session->history().step.size());
        return rowsOf(loss, QStringLiteral("train")) == rows
            && monitor.findChild<QLabel*>(QStringLiteral("runStep"))->text().startsWith(formatCount(rows) + " / ");
    }
    /// All that can be read from the panels.
    QStringList state() const
    {
        QStringList all;
        for (const auto* plot : monitor.findChildren<TimePlot*>()) {
            for (const auto& sheet : plot->sheets()) {
                all << QStringLiteral("%1 %2: %3 rows").arg(plot->objectName(), sheet.name).arg(sheet.rows());
                for (int row = 0; row < sheet.rows(); ++row)
                    for (int column = 0; column < sheet.columns.size(); ++column)
                        all << sheet.cell(row, column).toString();
            }
            for (const auto& step : { 0., 400., 800., 1200. }) all << plot->markersNear(step);
        }
        const auto* bars = monitor.findChild<MixingBars*>();
        for (int row = 0; row < bars->rows(); ++row) all << bars->describe(row);
        for (const auto* label : monitor.findChildren<QLabel*>())
            if (label->isVisible()) all << label->text().remove(QStringLiteral("recording, "));
        return all << log.findChild<QTextEdit*>(QStringLiteral("runLog"))->toPlainText();
    }
};

/// A run on disk, what its file says, and the session that has read it.
struct Recorded {
    TestHome home;
    std::vector<Event> events;
    std::unique_ptr<RunSession> whole;

    explicit Recorded(std::int64_t steps = updates)
    {
        const auto run = home.train("a", steps);
        events = MetricsReader(RunDirectory(run).metricsFile()).poll();
        whole = std::make_unique<RunSession>(run);
        QTRY_COMPARE(whole->step(), steps);
    }
    /// What had been reported when the next update was on its way.
    std::vector<Event> until(std::int64_t update) const
    {
        const auto end = std::find_if(events.begin(), events.end(), [update](const Event& event) {
            const auto* step = std::get_if<StepEvent>(&event);
            return step && step->step > update;
        });
        return { events.begin(), end };
    }
    std::unique_ptr<RunSession> live(std::int64_t update) const
    {
        auto session = std::make_unique<RunSession>(fs::path("/nonexistent/a"), whole->file());
        FakeOptions options;
        options.writeFiles = false;
        session->prepare();
        session->attach(makeFakeJob(home.request("live", updates), options, nullptr));
        session->receive(until(update));
        return session;
    }
};

template <class Row> std::vector<std::string> texts(const std::vector<Row>& rows)
{
    std::vector<std::string> all;
    for (const auto& row : rows) all.push_back(eventToJson(row).dump());
    return all;
}

void compare(const RunHistory& a, const RunHistory& b)
{
    QCOMPARE(a.step, b.step);
    QCOMPARE(a.loss, b.loss);
    QCOMPARE(a.seconds, b.seconds);
    QCOMPARE(a.tokens, b.tokens);
    QCOMPARE(texts(a.mixing), texts(b.mixing));
    QCOMPARE(texts(a.evals), texts(b.evals));
    QCOMPARE(texts(a.recalls), texts(b.recalls));
    QCOMPARE(texts(a.heads), texts(b.heads));
    QCOMPARE(texts(a.samples), texts(b.samples));
    QCOMPARE(texts(a.checkpoints), texts(b.checkpoints));
    QCOMPARE(texts(a.commands), texts(b.commands));
    QCOMPARE(texts(a.statuses), texts(b.statuses));
    QCOMPARE(texts(a.alerts), texts(b.alerts));
    QCOMPARE(a.references.has_value(), b.references.has_value());
}

void compare(const QStringList& a, const QStringList& b)
{
    for (int i = 0; i < std::min(a.size(), b.size()); ++i) QCOMPARE(a[i], b[i]);
    QCOMPARE(a.size(), b.size());
}

void begin(Playback& playback, RunSession* run)
{
    playback.start(run);
    QTRY_VERIFY(playback.recording());
    playback.setPlaying(false);
    playback.seek(0);
}

} // namespace

class PlaybackTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void aMomentIsWhatHadBeenReported()
    {
        const Recorded r;
        RunHistory moment;
        // Back and forth, by little and by much.
        for (const std::int64_t update : { 0, 1, 19, 20, 21, 1200, 1199, 400, 401, 399, 0, 777, 1200 }) {
            moment.showMoment(r.whole->history(), std::size_t(update));
            compare(moment, r.live(update)->history());
        }
    }

    void panelsShowWhatTheyShowedThen()
    {
        const Recorded r;
        Playback playback;
        begin(playback, r.whole.get());
        Watched recording(playback.recording());
        for (const std::size_t update : { 300, 1200, 1030, 1023, 40, 700, 699, 1 }) {
            playback.seek(update);
            const auto live = r.live(std::int64_t(update));
            Watched then(live.get());
            QTRY_VERIFY(recording.drawn() && then.drawn());
            compare(recording.state(), then.state());
        }
        playback.seek(0);
        QTRY_VERIFY(recording.drawn());
        playback.seek(updates);
        QTRY_VERIFY(recording.drawn());
        QCOMPARE(playback.recording()->state(), RunState::Finished);
        QCOMPARE(playback.recording()->stateText(), QStringLiteral("recording, finished"));
    }

    void otherAxesAndQuantitiesGoBackAsWell()
    {
        const Recorded r;
        Playback playback;
        begin(playback, r.whole.get());
        Watched recording(playback.recording());
        recording.monitor.cycleXAxis(); // tokens
        recording.monitor.changeSmoothing(0.2);
        playback.seek(1100);
        QTRY_VERIFY(recording.drawn());
        auto* layer = recording.monitor.findChild<QComboBox*>(QStringLiteral("mixingLayer"));
        QTest::keyClick(layer, Qt::Key_Down);
        QTest::keyClick(layer, Qt::Key_Down);
        const auto before = recording.state();
        playback.seek(1199);
        QTRY_VERIFY(recording.drawn());
        playback.seek(0); // no layers there
        QTRY_COMPARE(layer->count(), 0);
        playback.seek(150);
        QTRY_VERIFY(recording.drawn());
        QCOMPARE(layer->currentIndex(), 2);
        playback.seek(1100);
        QTRY_VERIFY(recording.drawn());
        compare(recording.state(), before);
    }

    void theClockGoesByTheTimesThatWereRecorded()
    {
        const Recorded r; // 0.11 s for each update
        Playback playback;
        begin(playback, r.whole.get());
        QSignalSpy moved(&playback, &Playback::moved);
        playback.setPlaying(true);
        playback.hold(true); // no timer between these lines
        const auto reaches = [&](const char* speed, double seconds, std::size_t update) {
            playback.setSpeed(Playback::speedNamed(QLatin1String(speed)));
            playback.seek(0);
            playback.advance(seconds);
            QCOMPARE(playback.update(), update);
        };
        reaches("1", 0.1, 0);
        reaches("1", 0.12, 1);
        reaches("10", 1.2, 109);
        reaches("100x", 1.2, 1090);
        reaches("30s", 15.01, 600);
        reaches("2min", 60.1, 601);
        QVERIFY(moved.size() > 4);
        QVERIFY(playback.playing());
        playback.advance(100);
        QVERIFY(playback.atEnd() && !playback.playing());
        playback.setPlaying(true); // again from the start
        QCOMPARE(playback.update(), std::size_t(0));
        for (const char* unknown : { "", "3", "5s", "xx", "-1" })
            QCOMPARE(Playback::speedNamed(QLatin1String(unknown)), -1);
        playback.setSpeed(-1);
        QCOMPARE(playback.speed(), Playback::speedNamed("2min"));
    }

    void goesFromEvaluationToEvaluation()
    {
        const Recorded r;
        Playback playback;
        begin(playback, r.whole.get());
        const auto& evals = r.whole->history().evals;
        QVERIFY(evals.size() > 1);
        playback.seek(std::size_t(evals[0].step) - 1);
        playback.seekEvent(1);
        QCOMPARE(playback.update(), std::size_t(evals[0].step));
        playback.seekEvent(1);
        const auto next = playback.update();
        QVERIFY(next > std::size_t(evals[0].step));
        QVERIFY(!playback.recording()->history().evals.empty());
        playback.seekEvent(-1);
        QCOMPARE(playback.update(), std::size_t(evals[0].step));
        playback.seek(0);
        playback.seekEvent(-1);
        QCOMPARE(playback.update(), std::size_t(0));
    }

    void aRunThatTrainsIsPlayedBackUpToWhereItStood()
    {
        auto run = session("a");
        run->receive({ StatusEvent { 0, RunState::Running, {} } });
        run->receive(steps(1, 100));
        Playback playback;
        begin(playback, run.get());
        run->receive(steps(101, 150));
        QCOMPARE(playback.updates(), std::size_t(100));
        playback.seek(1000);
        QCOMPARE(playback.recording()->step(), std::int64_t(100));
        QCOMPARE(playback.recording()->state(), RunState::Running);
        QCOMPARE(run->step(), std::int64_t(150));
        // Continued from an earlier checkpoint: what is being played back is no longer what happened.
        QSignalSpy failed(&playback, &Playback::failed);
        run->restore(steps(1, 50));
        QVERIFY(!playback.active() && !playback.recording());
        QCOMPARE(failed.size(), 1);
    }

    void whatHasNoUpdatesOrNoTimes()
    {
        auto run = session("a");
        Playback playback;
        QSignalSpy failed(&playback, &Playback::failed);
        playback.start(run.get());
        QTRY_COMPARE(failed.size(), 1);
        QVERIFY(!playback.active());
        auto all = steps(1, 5);
        for (auto& event : all) std::get<StepEvent>(event).seconds = 0;
        run->receive(all);
        begin(playback, run.get());
        playback.setPlaying(true);
        playback.hold(true);
        playback.setSpeed(Playback::speedNamed("1"));
        playback.advance(3.5); // an update a second
        QCOMPARE(playback.update(), std::size_t(3));
        run.reset();
        QVERIFY(!playback.active() && !playback.recording());
    }

    void aNewNameReachesTheRecording()
    {
        const Recorded r(40);
        Playback playback;
        begin(playback, r.whole.get());
        r.whole->rename(QStringLiteral("another"));
        QCOMPARE(playback.recording()->name(), QStringLiteral("another"));
        QThreadPool::globalInstance()->waitForDone(); // run.json is written
    }
};

PHA_TEST(PlaybackTest)
#include "playback_test.moc"
