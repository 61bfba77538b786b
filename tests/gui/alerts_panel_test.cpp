// SPDX-License-Identifier: GPL-3.0-or-later
// The alerts of a run in the window: list, autopsy, what can be done, the way there from the loss chart.
#include "engine/base/atomic_file.h"
#include "engine/run/metrics.h"
#include "fake_engine.h"
#include "patience.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/alerts/alerts_panel.h"
#include "ui/alerts/gradient_table.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/run_math.h"
#include "ui/charts/time_plot.h"
#include "ui/config_form/config_panel.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QComboBox>
#include <QContextMenuEvent>
#include <QDockWidget>
#include <QLabel>
#include <QPushButton>
#include <QSignalSpy>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTableWidget>
#include <QTest>

using namespace pha;
using namespace pha::ui;

namespace {

AlertEvent alertAt(std::int64_t step)
{
    AlertEvent alert { step, "spike", "a spike: loss 9 stands 12 deviations above the 3 before it", 9, 20.5, 3, 12,
        0.75, step - 1 };
    alert.texts = { { 5, "tokens 7 to 9 of the training text, epoch 1", 9.25, 2, 0, 3,
                        { { "The", {} }, { " <b>", 0.125 }, { "qx", 12.5 } } },
        { 1, "tokens 40 to 42 of the training text, epoch 1", 3, 2, 0, 3, { { "a", {} }, { " cat", 3 } } } };
    alert.gradients = { { -1, "embedding", 2.5, 2.0 }, { 0, "gss", 20, 0.5 }, { 0, "attention", 0.5, 0.5 },
        { 1, "gss", std::nan(""), 0.5 } };
    return alert;
}

/// A finished run of 100 updates with a checkpoint at 50.
fs::path makeRun(const fs::path& root, const std::vector<Event>& events)
{
    RunFile file;
    file.name = "first";
    file.config = findPreset("pha-tiny").config;
    file.config.preset = "pha-tiny";
    file.config.training.steps = 100;
    const RunDirectory run(root);
    run.create(file);
    publishCheckpoint(run, checkpointName(50), [&](const fs::path& to) {
        const Json state { { "step", 50 }, { "learning_rate", 0.002 } };
        writeFileAtomically(to / "state.json", state.dump());
    });
    run.setPointer("latest", checkpointName(50));
    MetricsWriter metrics(run.metricsFile());
    for (const auto& event : events) metrics.append(event);
    return root;
}

struct AlertsFixture {
    test::TestHome home;
    RunSession session { makeRun(home.runs() / "first", {}) };
    AlertsPanel panel;
    AlertsFixture()
    {
        panel.resize(760, 560);
        panel.show();
        panel.setSession(&session);
    }
    template <class T> T* find(const char* name) const { return panel.findChild<T*>(QLatin1String(name)); }
};

} // namespace

class AlertsPanelTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void saysWhatWouldAppear()
    {
        AlertsFixture f;
        QVERIFY(f.find<QLabel>("alertsEmpty")->isVisible());
        QVERIFY(f.find<QLabel>("alertsEmpty")->text().contains("not finite"));
        f.panel.setSession(nullptr);
        QVERIFY(f.find<QLabel>("alertsEmpty")->text().startsWith("Select a run"));
    }

    void newAlertsAreAddedAboveTheOthers()
    {
        AlertsFixture f;
        auto* list = f.find<QTableWidget>("alertsList");
        f.session.receive({ alertAt(60), alertAt(70) });
        QCOMPARE(list->rowCount(), 2);
        const auto* known = list->item(0, 0);
        QCOMPARE(known->text(), "70");
        f.session.receive({ alertAt(80) });
        QCOMPARE(list->rowCount(), 3);
        QCOMPARE(list->item(0, 0)->text(), "80");
        QVERIFY(list->item(1, 0) == known); // no row is made anew
        f.panel.hide();
        QSignalSpy counts(&f.panel, &AlertsPanel::countChanged);
        f.session.receive({ alertAt(90) });
        QCOMPARE(list->rowCount(), 3); // nobody sees it
        QCOMPARE(f.panel.count(), 4);
        QCOMPARE(counts.count(), 1);
        f.panel.show();
        QCOMPARE(list->rowCount(), 4);
        QCOMPARE(list->item(0, 0)->text(), "90");
        QCOMPARE(f.panel.current()->step, std::int64_t(70)); // what is read stays
    }

    void explainsTheNewestFirst()
    {
        AlertsFixture f;
        f.session.receive({ alertAt(60) });
        f.session.receive({ MixingEvent { 60, { { { { "gss", 1, 0, 1, 1, 0.6 }, { "ffn", 1, 0, 1, 1, 0.4 } }, 1 } } },
            MixingEvent { 75, { { { { "gss", 1, 0, 1, 1, 0.5 }, { "ffn", 1, 0, 1, 1, 0.5 } }, 1 } } }, alertAt(70) });
        auto* list = f.find<QTableWidget>("alertsList");
        QCOMPARE(list->rowCount(), 2);
        QCOMPARE(list->item(0, 0)->text(), "70");
        QCOMPARE(f.panel.current()->step, std::int64_t(60)); // what is read stays
        f.panel.showAlert(70);
        QCOMPARE(f.panel.current()->step, std::int64_t(70));
        QVERIFY(f.find<QLabel>("alertMessage")->text().startsWith("Step 70: a spike"));
        QVERIFY(f.find<QLabel>("alertMixing")->text().contains("step 60 \u2192 75"));
        QVERIFY(f.find<QLabel>("alertMixing")->text().contains("60.0 % \u2192 50.0 %"));
        auto* text = f.find<TokenView>("alertText");
        QCOMPARE(text->text(), "The <b>qx");
        QVERIFY(!text->colourOf(0).isValid());
        QVERIFY(text->colourOf(2) != text->colourOf(1));
        f.find<QComboBox>("alertTexts")->setCurrentIndex(1);
        QCOMPARE(text->text(), "a cat");
        auto* gradients = f.find<GradientTable>("alertGradients");
        QCOMPARE(gradients->rowCount(), 4);
        QCOMPARE(gradients->item(1, 1)->text(), "\u00d7 40");
        QCOMPARE(gradients->item(1, 0)->text(), "L0 GSS"); // after the one that is worse than any number
        QCOMPARE(gradients->item(0, 0)->text(), "L1 GSS");
        QCOMPARE(gradients->item(0, 2)->text(), "not finite");
        QTest::keyClick(list, Qt::Key_Down);
        QCOMPARE(f.panel.current()->step, std::int64_t(60));
    }

    void showsWhatWasKnownWhenARunIsPlayedBack()
    {
        AlertsFixture f;
        const auto mixing = [](std::int64_t step, double share) {
            return MixingEvent { step, { { { { "gss", 1, 0, 1, 1, share }, { "ffn", 1, 0, 1, 1, 1 - share } }, 1 } } };
        };
        f.session.receive({ mixing(50, 0.6), StepEvent { 60, 1, 1, 9 }, alertAt(60), StepEvent { 70, 1, 1, 9 },
            alertAt(70), mixing(75, 0.5), StepEvent { 80, 1, 1, 3 } });
        const auto recording = RunSession::recordingOf(f.session);
        f.panel.setSession(recording.get());
        QVERIFY(f.panel.count() == 0 && f.find<QLabel>("alertsEmpty")->isVisible());
        auto* list = f.find<QTableWidget>("alertsList");
        auto* words = f.find<QLabel>("alertMixing");
        for (int again = 0; again < 2; ++again) {
            recording->showMoment(f.session, 1);
            QCOMPARE(list->rowCount(), 1);
            QCOMPARE(f.panel.current()->step, std::int64_t(60));
            QVERIFY2(words->text().startsWith("No mixing weights"), qPrintable(words->text()));
            recording->showMoment(f.session, 2);
            QCOMPARE(list->rowCount(), 2);
            QCOMPARE(f.panel.current()->step, std::int64_t(60)); // what is read stays
            QVERIFY2(words->text().contains("step 50 \u2192 75"), qPrintable(words->text()));
        }
        f.panel.showAlert(70);
        recording->showMoment(f.session, 1);
        QCOMPARE(f.panel.current()->step, std::int64_t(60));
        recording->showMoment(f.session, 0);
        QVERIFY(!f.panel.current() && f.find<QLabel>("alertsEmpty")->isVisible());
        f.panel.setSession(&f.session);
        QCOMPARE(list->rowCount(), 2);
    }

    void whatWasNotExaminedSaysWhy()
    {
        AlertsFixture f;
        AlertEvent alert { 9, "not_finite", "the loss is not finite", std::nan(""), 1 };
        alert.note = "not examined: at most 20";
        f.session.receive({ alert });
        QVERIFY(f.find<QLabel>("alertNote")->isVisible());
        QCOMPARE(f.find<QLabel>("alertNote")->text(), "not examined: at most 20");
        QVERIFY(!f.find<QPushButton>("alertForkAround")->isEnabled()); // no checkpoint before step 9
        QVERIFY(!f.find<QPushButton>("alertHalve")->isEnabled()); // it trains no more
    }

    void theChartShowsTheWay()
    {
        const test::TestHome home;
        RunSession session(makeRun(home.runs() / "first", {}));
        session.receive({ StepEvent { 60, 1, 1, 9 }, alertAt(60), alertAt(70) });
        const auto markers = runMarkers(session.history(), XAxis::Step);
        QVERIFY(std::any_of(markers.begin(), markers.end(),
            [](const PlotMarker& m) { return m.kind == PlotMarker::Kind::Trouble && m.text.contains("a spike"); }));
        MonitorPanel monitor;
        monitor.resize(900, 600);
        monitor.setSessions({ &session }, &session);
        monitor.show();
        std::int64_t asked = -1;
        connect(&monitor, &MonitorPanel::alertRequested, this, [&](std::int64_t step) { asked = step; });
        auto* chart = monitor.findChild<TimePlot*>("lossChart");
        chart->setBoundsSource({});
        chart->showRange(0, 130);
        QContextMenuEvent event(QContextMenuEvent::Keyboard, {}, {});
        QCoreApplication::sendEvent(chart, &event);
        auto* action = chart->findChild<QAction*>("alertHere");
        QVERIFY(action);
        action->trigger();
        QVERIFY(asked == 60 || asked == 70);
    }

    void theWindowFillsTheForm()
    {
        const test::TestHome home;
        makeRun(home.runs() / "first", { StepEvent { 60, 1, 1, 9 }, alertAt(60) });
        test::FakeEngine engine { {} };
        WindowParts parts;
        parts.engine = [&]() -> Engine& { return engine; };
        parts.runsFolder = home.runs();
        const auto made = test::makeWindow(std::move(parts));
        auto& window = *made;
        window.show();
        QTRY_VERIFY(window.currentSession() && window.currentSession()->history().alerts.size() == 1);
        window.findChild<QAction*>("showAlerts")->trigger();
        QTRY_COMPARE(window.findChild<QDockWidget*>("alertsDock")->windowTitle(), "Alerts (1)");
        auto* panel = window.findChild<AlertsPanel*>();
        QTRY_VERIFY(panel->isVisible());
        auto* around = panel->findChild<QPushButton*>("alertForkAround");
        QTRY_VERIFY(around->isEnabled());
        panel->findChild<QSpinBox*>("alertUpdates")->setValue(3);
        around->click();
        auto* draft = window.findChild<ConfigPanel*>()->draft();
        QCOMPARE(draft->text("skip_data"), "60+3");
        QCOMPARE(draft->text("learning_rate"), "0.002");
        QVERIFY(draft->errors().isEmpty());
        QVERIFY2(draft->command().endsWith("/step-00000050 --set skip_data=60+3"), qPrintable(draft->command()));
        panel->findChild<QPushButton*>("alertForkSlower")->click();
        QCOMPARE(draft->text("skip_data"), "");
        QCOMPARE(draft->text("learning_rate"), "0.001");
        QCOMPARE(draft->text("muon_learning_rate"), "0.005"); // that of its hidden matrices
        window.quitNow();
        QTRY_VERIFY(!window.isVisible());
    }

    void halvingReachesAllWeights()
    {
        test::WindowFixture f;
        f.startLong();
        auto* session = f.window->currentSession();
        QCOMPARE(session, f.session("long"));
        const auto before = session->file().config.training;
        QCOMPARE(before.optimizer, "muon");
        auto* halve = f.find<QPushButton>("alertHalve");
        QTRY_VERIFY(halve->isEnabled());
        halve->click();
        QTRY_COMPARE(session->file().config.training.muonLearningRate, before.muonLearningRate / 2);
        QCOMPARE(session->file().config.training.learningRate, before.learningRate / 2);
        f.action("stopRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
    }
};

PHA_TEST(AlertsPanelTest)
#include "alerts_panel_test.moc"
