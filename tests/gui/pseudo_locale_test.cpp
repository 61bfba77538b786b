// SPDX-License-Identifier: GPL-3.0-or-later
// The window in a language whose words are longer: nothing is left in English, nothing is cut.
#include "engine/run/safetensors.h"
#include "tests/suite.h"
#include "ui/bench/bench_panel.h"
#include "ui/config_form/form_section.h"
#include "ui/data/data_panel.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/weight_pane.h"
#include "ui/look/theme.h"
#include "ui/playground/blind_vote.h"
#include "ui/playground/playground_panel.h"
#include "ui/playground/rival_view.h"
#include "ui/session/playback.h"
#include "ui/window/command_palette.h"
#include "ui/window/error_banner.h"
#include "window_reader.h"

using namespace pha;
using namespace pha::ui;
using Fixture = test::WindowFixture;

class PseudoLocaleTest : public QObject {
    Q_OBJECT

    test::PseudoLocale language_;
    test::WindowReader reader_;

    void look(const Fixture& f, const QString& stage) { reader_.look(f, stage); }

    /// With two finished runs.
    static void open(Fixture& f)
    {
        for (const char* name : { "rn1", "rn2" }) f.home.train(name, 600);
        f.window->resize(1280, 800);
        for (const char* name : { "rn2", "rn1" }) f.window->openRun(f.home.runs() / name, true);
        QTRY_VERIFY(f.window->currentSession() && !f.window->currentSession()->loading());
    }
    static void press(const Fixture& f, const char* button)
    {
        QTRY_VERIFY2(f.find<QAbstractButton>(button)->isEnabled(), button);
        f.find<QAbstractButton>(button)->click();
    }

private Q_SLOTS:
    void initTestCase()
    {
        QVERIFY(QCoreApplication::installTranslator(&language_));
        Theme::instance().apply();
    }
    void cleanup()
    {
        const auto found = reader_.takeProblems();
        QVERIFY2(found.isEmpty(), qPrintable(QStringLiteral("\n") + found.join(QLatin1Char('\n'))));
    }
    void cleanupTestCase() { qInfo("%d different texts", reader_.texts()); }

    void theLanguageKeepsWhatCodeNeeds()
    {
        QCOMPARE(test::pseudo(QStringLiteral("&Save %1 of %L2 in <b>%n</b> &amp; go")),
            QStringLiteral(u"\u27e6&Såvē %1 øf %L2 īn <b>%n</b> &amp; gø") + QString(12, QChar(0xb7)) + QChar(0x27e7));
    }

    void emptyWindow()
    {
        Fixture f;
        f.window->resize(1280, 800);
        QTRY_VERIFY(f.find("demoButton")->isVisible());
        look(f, "empty");
        QVERIFY(reader_.texts() > 1000); // else the walk has lost its way
    }

    void training()
    {
        Fixture f;
        f.window->resize(1280, 800);
        f.startLong();
        look(f, "training");
        f.action("pauseRun")->trigger();
        QTRY_COMPARE(f.session("long")->state(), RunState::Paused);
        for (const char* name : { "changeSettings", "changeLearningRate" }) f.action(name)->trigger();
        look(f, "paused");
        f.window->close();
        f.action("stopRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
        look(f, "stopped");
    }

    void panels()
    {
        Fixture f;
        open(f);
        for (auto* section : f.window->findChildren<FormSection*>()) section->setOpen(true);
        for (auto* dock : f.window->findChildren<QDockWidget*>()) {
            f.window->showPanel(dock->objectName());
            look(f, dock->objectName());
        }
    }

    void inspect()
    {
        Fixture f;
        open(f);
        const std::vector<float> numbers(512, 0.5F);
        for (const auto& step : fs::directory_iterator(f.home.runs() / "rn1" / "checkpoints"))
            if (step.is_directory())
                writeSafetensors(step.path() / "model.safetensors",
                    { { "embedding", "F32", { 32, 16 }, numbers.data() },
                        { "layers.0.gss.value", "F32", { 32, 16 }, numbers.data() } },
                    {});
        f.window->showPanel("inspectDock");
        f.find<QPlainTextEdit>("inspectPrompt")->setPlainText("Mara took the key");
        press(f, "inspectLook");
        QTRY_VERIFY(f.window->findChild<MapGrid*>()->complete());
        auto* tabs = f.find<QTabWidget>("inspectTabs");
        for (int page = 0; page < tabs->count(); ++page) {
            tabs->setCurrentIndex(page);
            QTRY_VERIFY(!f.window->findChild<WeightPane*>()->busy());
            look(f, tabs->tabText(page));
            for (int of = 1; page == 2 && of < 4; ++of) {
                f.find<QComboBox>("inspectReachOf")->setCurrentIndex(of);
                if (of == 2) press(f, "inspectNameHeads");
                QTRY_VERIFY(!f.find<QAbstractButton>("inspectStop")->isEnabled());
                look(f, "reach");
            }
            if (page == 3) {
                f.find<QComboBox>("inspectLensOf")->setCurrentIndex(3);
                f.window->findChild<ActivationTable*>()->selectRow(2);
                look(f, "activations");
            }
        }
        auto* costs = f.window->findChild<CostPane*>();
        press(f, "costsMeasure");
        QTRY_VERIFY(!costs->busy());
        auto* chart = f.window->findChild<CostChart*>();
        chart->setFocus();
        for (const auto key : { Qt::Key_Right, Qt::Key_Space }) QTest::keyClick(chart, key);
        QTRY_VERIFY(costs->settled());
        look(f, "costs");
    }

    void evaluate()
    {
        Fixture f;
        open(f);
        f.window->showPanel("evaluateDock");
        for (const char* button : { "evaluateRun", "evaluateAblation" }) {
            press(f, button);
            look(f, "evaluating");
            QTRY_VERIFY(!f.find<QAbstractButton>("evaluateStop")->isEnabled());
            look(f, "evaluated");
        }
        f.find<QTabWidget>("evaluateAnalysis")->setCurrentIndex(1);
        look(f, "recall");
    }

    void playground()
    {
        Fixture f;
        open(f);
        f.window->showPanel("playgroundDock");
        auto* rival = f.window->findChild<RivalView*>();
        auto* vote = f.window->findChild<BlindVote*>();
        const auto write = [&] {
            press(f, "playgroundGenerate");
            QTRY_VERIFY(
                !f.find<QAbstractButton>("playgroundStop")->isEnabled() && !rival->writing() && !vote->waiting());
            look(f, "written");
        };
        write();
        f.find<QTabWidget>("playgroundTabs")->setCurrentIndex(1);
        look(f, "mixer");
        press(f, "playgroundCompare");
        QTRY_VERIFY(rival->canWrite());
        write();
        press(f, "rivalBlind");
        write(); // the same: there is no vote
    }

    void otherPanels()
    {
        Fixture f;
        open(f);
        f.window->showPanel("dataDock");
        f.window->findChild<DataPanel*>()->choose("wikitext-2-raw");
        look(f, "download");
        f.window->showPanel("benchDock");
        press(f, "benchRun");
        QTRY_VERIFY(!f.window->findChild<BenchPanel*>()->busy());
        look(f, "measured");
        f.window->showPanel("compareDock");
        f.find<QComboBox>("compareShow")->setCurrentIndex(1);
        look(f, "scaling");
        AlertEvent alert { 300, "spike", "embedding", 9, 20.5, 3, 12, 0.75, 299 };
        alert.texts = { { 5, "windows", 9.25, 2, 0, 3, { { "The", {} }, { "qx", 12.5 } } } };
        alert.gradients = { { -1, "embedding", 2.5, 2.0 }, { 0, "gss", 20, 0.5 } };
        f.window->currentSession()->receive({ alert });
        f.window->showPanel("alertsDock");
        look(f, "alerts");
        f.action("playBack")->trigger();
        QTRY_VERIFY(f.window->playback().recording());
        f.window->playback().setPlaying(false);
        look(f, "playback");
    }

    void menusAndDialogs()
    {
        Fixture f;
        open(f);
        for (const char* name : { "lossChart", "mixingPanel" }) {
            auto* chart = f.find(name);
            QContextMenuEvent event(QContextMenuEvent::Keyboard, chart->rect().center(), chart->mapToGlobal(QPoint()));
            QCoreApplication::sendEvent(chart, &event);
            QVERIFY(QApplication::activePopupWidget());
            look(f, "menu");
            QApplication::activePopupWidget()->close();
        }
        f.find<ChartFrame>("lossChart")->showTable();
        for (const char* name : { "shortcuts", "severalRuns", "forkRun", "palette" }) {
            f.action(name)->trigger();
            look(f, name);
        }
        f.window->findChild<CommandPalette*>()->hide();
        f.window->findChild<ErrorBanner*>()->showError("rn1; rn2");
        for (const char* name : { "systemInformation", "about", "openRun", "openCapsule", "chooseFolder",
                 "exportCapsule", "resumeRun", "editAbout", "archiveRun", "putBackRun", "deleteRun" }) {
            f.action(name)->trigger();
            look(f, name);
        }
        QVERIFY(f.words.size() > 10);
    }
};

PHA_TEST(PseudoLocaleTest)
#include "pseudo_locale_test.moc"
