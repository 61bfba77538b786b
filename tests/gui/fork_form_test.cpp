// SPDX-License-Identifier: GPL-3.0-or-later
// A fork in the window: the form, the menu of the loss chart, the command of the run menu.
#include "engine/base/atomic_file.h"
#include "fake_engine.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/time_plot.h"
#include "ui/config_form/config_panel.h"
#include "ui/config_form/form_section.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QAbstractItemView>
#include <QContextMenuEvent>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTest>

using namespace pha;
using namespace pha::ui;

class ForkFormTest : public QObject {
    Q_OBJECT

    /// A finished run of 100 updates with checkpoints at 50 and 100, as far as a fork looks at it.
    static fs::path makeRun(const fs::path& root, const std::string& name = "first")
    {
        RunFile file;
        file.name = name;
        file.config = findPreset("pha-tiny").config;
        file.config.preset = "pha-tiny";
        file.config.training.steps = 100;
        file.config.training.seed = 7;
        const RunDirectory run(root);
        run.create(file);
        for (const int step : { 50, 100 })
            publishCheckpoint(run, checkpointName(step), [&](const fs::path& to) {
                const Json state { { "step", step }, { "learning_rate", 0.002 } };
                writeFileAtomically(to / "state.json", state.dump());
            });
        run.setPointer("latest", checkpointName(100));
        return root;
    }
    static QString at(const fs::path& run, int step)
    {
        return fromPath(fs::canonical(run / "checkpoints" / checkpointName(step)));
    }

    struct Fixture {
        test::TestHome home;
        fs::path run = makeRun(home.runs() / "first");
        Dialogs dialogs;
        std::unique_ptr<ConfigPanel> panel;
        Fixture() { open(); }
        void open()
        {
            panel.reset(); // its draft is written when it goes
            panel = std::make_unique<ConfigPanel>(&dialogs);
            panel->show();
            for (auto* section : panel->findChildren<FormSection*>()) section->setOpen(true);
        }
        template <class T> T* find(const char* name) const { return panel->findChild<T*>(QLatin1String(name)); }
        ConfigDraft& draft() const { return *panel->draft(); }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void theFormHasTheSettingsOfTheRun()
    {
        const Fixture f;
        QVERIFY(f.find<QWidget>("forkLine")->isHidden());
        f.panel->forkSession(f.run / "checkpoints" / checkpointName(50));
        QCOMPARE(f.find<QLabel>("forkLabel")->text(), "Forks first at step 50");
        QVERIFY(f.find<QWidget>("forkLine")->isVisible());
        QCOMPARE(f.find<QPushButton>("startButton")->text(), "Start fork");
        QCOMPARE(f.draft().text("seed"), "7");
        QCOMPARE(f.draft().text("learning_rate"), "0.002"); // which the run had come to
        QVERIFY(!f.draft().changed("learning_rate"));
        QCOMPARE(f.panel->form()->runName(), "first-from-50");
        QCOMPARE(f.draft().command(), "pha train --fork " + shellQuoted(at(f.run, 50)));
        f.draft().setText("learning_rate", "0.001");
        QVERIFY(f.draft().command().endsWith(" --set learning_rate=0.001"));
        QVERIFY(f.find<QPushButton>("startButton")->isEnabled());
        QString started;
        connect(f.panel->form(), &ConfigForm::startRequested, this,
            [&](const RunConfig&, const QString&, const QString& fork) { started = fork; });
        f.panel->form()->requestStart();
        QCOMPARE(started, at(f.run, 50));
    }

    void longNamesLeaveTheFormWhole()
    {
        const Fixture f;
        std::string name = "a-name-that-says-all";
        while (name.size() < 80) name += "-of-it";
        const auto whole = QString::fromStdString(name);
        const auto run = makeRun(f.home.runs() / "long", name);
        f.panel->forkSession(run / "checkpoints" / checkpointName(50));
        auto* form = f.panel->form();
        const auto blocked = QStringLiteral("%1 is training. Stop it, or queue this run.");
        form->setBlocked(blocked.arg(shortened(whole)), blocked.arg(whole));
        const auto* fork = f.find<QLabel>("forkLabel");
        const auto* reason = f.find<QLabel>("formError");
        QVERIFY2(fork->text().endsWith(" at step 50") && !fork->text().contains(whole), qPrintable(fork->text()));
        QVERIFY(fork->toolTip().contains(whole) && reason->toolTip().contains(whole));
        QTest::qWait(50); // the form lays itself out
        f.panel->resize(300, 1); // which the layout makes as high as it has to be
        const auto* settings = f.find<QWidget>("configScroll");
        QString cut;
        const auto none = [&] {
            cut.clear();
            for (const auto* label : form->findChildren<QLabel*>())
                if (label->isVisible() && !settings->isAncestorOf(label)
                    && label->height() < label->heightForWidth(label->width()))
                    cut += label->text() + QLatin1Char('\n');
            return reason->isVisible() && cut.isEmpty();
        };
        QVERIFY2(QTest::qWaitFor(none, test::patience), qPrintable(cut));
        const auto high = f.panel->height();
        form->setBlocked({});
        f.find<QPushButton>("dropFork")->click();
        const auto lower = [&] { // the room is given back
            f.panel->resize(300, 1);
            return f.panel->height() < high;
        };
        QVERIFY(QTest::qWaitFor(lower, test::patience));
    }

    void whatAForkCannotChangeIsSaidBesideTheField()
    {
        const Fixture f;
        f.panel->forkSession(f.run / "checkpoints" / checkpointName(50));
        for (const char* key : { "width", "optimizer", "tokenizer" }) {
            f.draft().setText(key,
                key == std::string("width")           ? "64"
                    : key == std::string("optimizer") ? "adamw"
                                                      : "bytes");
            QVERIFY2(f.draft().error(key).contains("stays " + f.draft().presetText(key)), key);
            QVERIFY(!f.find<QPushButton>("startButton")->isEnabled());
            f.draft().resetField(key);
        }
        f.draft().setText("steps", "50");
        QVERIFY(f.draft().error("steps").contains("50 steps"));
        f.draft().resetField("steps");
        QVERIFY(f.draft().errors().isEmpty());
    }

    void aFinishedRunIsForkedToTwiceItsLength()
    {
        const Fixture f;
        f.panel->forkSession(f.run);
        QCOMPARE(f.find<QLabel>("forkLabel")->text(), "Forks first at step 100");
        QCOMPARE(f.draft().text("steps"), "200");
        const auto count = f.find<QLabel>("parameterCount")->text();
        QVERIFY2(!count.startsWith("at most"), qPrintable(count)); // its vocabulary is that of the run
        f.draft().setText("steps", "300");
        f.draft().reset();
        QCOMPARE(f.draft().text("steps"), "200");
        QVERIFY(f.draft().errors().isEmpty());
    }

    void itCanBeDroppedAndUndone()
    {
        Fixture f;
        f.panel->forkSession(f.run / "checkpoints" / checkpointName(50));
        f.open(); // an unfinished fork survives the end of the program
        QCOMPARE(f.find<QLabel>("forkLabel")->text(), "Forks first at step 50");
        f.find<QPushButton>("dropFork")->click();
        QVERIFY(f.find<QWidget>("forkLine")->isHidden());
        QCOMPARE(f.draft().text("seed"), "7");
        QVERIFY(f.draft().command().startsWith("pha train --preset pha-tiny"));
        f.draft().undoStack().undo();
        QVERIFY(f.find<QWidget>("forkLine")->isVisible());
        f.draft().setPreset("transformer-tiny");
        QVERIFY(f.find<QWidget>("forkLine")->isHidden());
    }

    void aRunThatHasGoneIsSaid()
    {
        Fixture f;
        f.panel->forkSession(f.run);
        fs::remove_all(f.run);
        f.open();
        QVERIFY(f.find<QLabel>("forkLabel")->text().contains("cannot be read"));
        QVERIFY(!f.find<QPushButton>("startButton")->isEnabled());
        f.find<QPushButton>("dropFork")->click();
        QVERIFY(f.find<QPushButton>("startButton")->isEnabled());
    }

    void theLossChartOffersIt()
    {
        const Fixture f;
        RunSession session(f.run);
        MonitorPanel monitor;
        monitor.resize(900, 600);
        monitor.setSessions({ &session }, &session);
        monitor.show();
        fs::path asked;
        connect(&monitor, &MonitorPanel::forkRequested, this, [&](const fs::path& checkpoint) { asked = checkpoint; });
        auto* chart = monitor.findChild<TimePlot*>("lossChart");
        chart->setBoundsSource({});
        chart->showRange(0, 70);
        QContextMenuEvent event(QContextMenuEvent::Keyboard, {}, {});
        QCoreApplication::sendEvent(chart, &event);
        auto* action = chart->findChild<QAction*>("forkHere");
        QVERIFY(action);
        QCOMPARE(QString(action->text()).remove('&'), QStringLiteral("Fork from step 50\u2026"));
        action->trigger();
        QCOMPARE(asked, f.run / "checkpoints" / checkpointName(50));
        delete chart->findChild<QMenu*>("chartMenu");
        const QPoint middle = chart->plot()->rect().center(); // with the mouse, over the curves themselves
        QContextMenuEvent click(QContextMenuEvent::Mouse, middle, chart->plot()->mapToGlobal(middle));
        QCoreApplication::sendEvent(chart->plot(), &click);
        QVERIFY(chart->findChild<QMenu*>("chartMenu") && chart->findChild<QAction*>("forkHere"));
    }

    void theRunMenuForksTheSelectedRun()
    {
        const test::TestHome home;
        makeRun(home.runs() / "first");
        test::FakeEngine engine { {} };
        WindowParts parts;
        parts.engine = [&]() -> Engine& { return engine; };
        parts.runsFolder = home.runs();
        const auto made = test::makeWindow(std::move(parts));
        auto& window = *made;
        window.show();
        QTRY_VERIFY(window.currentSession() && window.currentSession()->savedStep() == 100);
        auto* fork = window.findChild<QAction*>("forkRun");
        QTRY_VERIFY(fork->isEnabled());
        fork->trigger();
        QCOMPARE(window.findChild<QLabel*>("forkLabel")->text(), "Forks first at step 100");
        window.findChild<QAction*>("startRun")->trigger();
        QTRY_COMPARE(window.currentSession()->name(), "first-from-100");
        // The charts show both: the fork goes on where the curve of its parent stands.
        const auto* list = window.findChild<QAbstractItemView*>("runList")->model();
        QCOMPARE(list->rowCount(), 2);
        for (int row = 0; row < 2; ++row)
            QCOMPARE(list->index(row, 0).data(Qt::CheckStateRole).toInt(), int(Qt::Checked));
        window.quitNow();
        QTRY_VERIFY(!window.isVisible());
    }
};

PHA_TEST(ForkFormTest)
#include "fork_form_test.moc"
