// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics.h"
#include "tests/suite.h"
#include "ui/bench/bench_panel.h"
#include "ui/charts/chart_frame.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/config_form/setting_delegate.h"
#include "ui/data/data_panel.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/look/theme.h"
#include "ui/session/run_queue.h"
#include "ui/window/error_banner.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QAbstractSpinBox>
#include <QAction>
#include <QApplication>
#include <QComboBox>
#include <QDialog>
#include <QDockWidget>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QMenuBar>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRandomGenerator>
#include <QSettings>
#include <QSignalSpy>
#include <QSlider>
#include <QStackedWidget>
#include <QStatusBar>
#include <QTableView>
#include <QTest>
#include <QTextBlock>
#include <QTextEdit>
#include <QTimer>
#include <QTreeView>

#include <map>

using namespace pha;
using namespace pha::ui;
using pha::test::FakeEngine;
using pha::test::FakeOptions;

class MainWindowTest : public QObject {
    Q_OBJECT

private:
    using Fixture = test::WindowFixture;

    /// As Ctrl+Shift+L, Enter, typing and Enter do it.
    static void changeInPlace(Fixture& f, const char* key, const QString& text)
    {
        f.action("changeSettings")->trigger();
        auto* tree = f.find<QTreeView>("frozenTree");
        QCOMPARE(tree->currentIndex().data(SettingDelegate::Key).toString(), QStringLiteral("learning_rate"));
        const auto found = tree->model()->match(tree->model()->index(0, 0), SettingDelegate::Key, QLatin1String(key), 1,
            Qt::MatchExactly | Qt::MatchRecursive);
        QCOMPARE(found.size(), 1);
        const auto value = found.front().siblingAtColumn(1);
        QVERIFY(!(tree->model()->flags(value.siblingAtColumn(0)) & Qt::ItemIsEditable));
        tree->setCurrentIndex(value);
        tree->setFocus();
        QTest::keyClick(tree, Qt::Key_Return);
        auto* editor = tree->findChild<QLineEdit*>(QStringLiteral("settingEditor"));
        QVERIFY(editor && !editor->toolTip().isEmpty() && !editor->accessibleName().isEmpty());
        editor->setText(text);
        QTest::keyClick(editor, Qt::Key_Return);
        QTRY_VERIFY(!tree->findChild<QLineEdit*>(QStringLiteral("settingEditor")));
    }

private Q_SLOTS:
    void initTestCase()
    {
        Theme::instance().apply();
        ChartFrame::setFileChooser([](QWidget*, const QString&, const QString&) { return QString(); });
    }

    void enterRunsTheDemoInAnEmptyWindow()
    {
        Fixture f;
        auto* demo = f.find<QPushButton>("demoButton");
        QTRY_VERIFY(demo->hasFocus());
        QTest::keyClick(demo, Qt::Key_Return);
        QTRY_VERIFY(f.window->currentSession());
    }

    void emptyWindowSaysWhatToDo()
    {
        Fixture f;
        auto* demo = f.find<QPushButton>("demoButton");
        QTRY_VERIFY(demo->isVisible());
        QVERIFY(f.find("runsEmpty")->isVisible());
        demo->click();
        QTRY_VERIFY(f.window->currentSession());
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QVERIFY(!demo->isVisible());
        QVERIFY(f.questions.empty()); // not one dialog
        QTRY_VERIFY(f.find<QLabel>("perplexityFigure")->text().toDouble() > 1);
        QVERIFY(f.find<QTextEdit>("runLog")->toPlainText().contains(QStringLiteral("checkpoint")));
        QVERIFY(fs::exists(f.home.runs() / "demo" / "run.json"));
    }

    void windowPaintsBeforeTheEngineIsOpened()
    {
        test::TestHome home;
        std::atomic<int> opened { 0 };
        FakeEngine engine;
        WindowParts parts;
        parts.runsFolder = home.runs();
        parts.engine = [&]() -> Engine& { return ++opened, engine; };
        const auto made = test::makeWindow(std::move(parts));
        auto& window = *made;
        QCOMPARE(opened.load(), 0);
        window.show();
        QCOMPARE(opened.load(), 0);
        QTRY_VERIFY(opened > 0);
        QTRY_VERIFY(window.controller().engineInfo());
    }

    void fitsASmallScreen()
    {
        Fixture f;
        f.window->resize(1280, 800);
        QVERIFY2(f.window->minimumSizeHint().width() <= 1280,
            qPrintable(QString::number(f.window->minimumSizeHint().width())));
        QVERIFY(f.window->minimumSizeHint().height() <= 800);
        QCOMPARE(f.window->size(), QSize(1280, 800));
    }

    void everyControlIsNamed()
    {
        Fixture f;
        QStringList nameless;
        for (auto* widget : f.window->findChildren<QWidget*>()) {
            const bool control = qobject_cast<QAbstractButton*>(widget) || qobject_cast<QLineEdit*>(widget)
                || qobject_cast<QComboBox*>(widget) || qobject_cast<QAbstractItemView*>(widget)
                || qobject_cast<QDockWidget*>(widget);
            if (!control) continue;
            bool ofQt = false; // parts that Qt makes for itself inside a control
            for (auto* up = widget; up && up != f.window.get(); up = up->parentWidget())
                ofQt |= up->objectName().startsWith(QStringLiteral("qt_")) || up->inherits("QComboBoxPrivateContainer")
                    || up->inherits("QLineEditIconButton") || up->inherits("QHeaderView") || up->inherits("QTabBar")
                    || up->inherits("QTableCornerButton") || up->inherits("QToolBarExtension")
                    || up->inherits("QMenuBar");
            if (ofQt || widget->inherits("QTableCornerButton")) continue;
            if (widget->objectName().isEmpty())
                nameless << QStringLiteral("%1 in %2")
                                .arg(QLatin1String(widget->metaObject()->className()),
                                    widget->parentWidget()->objectName());
        }
        QVERIFY2(nameless.isEmpty(), qPrintable(nameless.join(QLatin1Char('\n'))));
        for (const auto* action : f.window->actions()) {
            QVERIFY(!action->objectName().isEmpty());
            QVERIFY2(!action->toolTip().isEmpty() && !action->text().isEmpty(), qPrintable(action->objectName()));
        }
        QSet<QKeySequence> keys;
        for (const auto* action : f.window->actions())
            for (const auto& key : action->shortcuts()) {
                QVERIFY2(!keys.contains(key), qPrintable(key.toString()));
                keys << key;
            }
    }

    void spacePausesAndCtrlPeriodStops()
    {
        Fixture f;
        f.startLong();
        auto* session = f.window->currentSession();
        f.window->setFocus();
        QTest::keyClick(f.window.get(), Qt::Key_Space);
        QTRY_COMPARE(session->state(), RunState::Paused);
        QVERIFY(f.action("pauseRun")->text().contains(QStringLiteral("ontinue")));
        QVERIFY(f.find<QLabel>("benchWarning")->text().isEmpty());
        QTest::keyClick(f.window.get(), Qt::Key_Space);
        QTRY_COMPARE(session->state(), RunState::Running);
        QTest::keyClick(f.window.get(), Qt::Key_S, Qt::ControlModifier);
        QTRY_VERIFY(!session->history().checkpoints.empty());
        f.number = 0.002;
        f.action("changeLearningRate")->trigger();
        QTRY_VERIFY(!session->history().commands.empty() && session->history().commands.back().name == "learning_rate");
        QCOMPARE(f.offered, presets().front().config.training.learningRate);
        f.number = std::numeric_limits<double>::quiet_NaN();
        f.action("changeLearningRate")->trigger();
        QCOMPARE(f.offered, 0.002);
        QVERIFY(f.find<ErrorBanner>("errorBanner")->message().startsWith("learning_rate is"));
        changeInPlace(f, "clip", QStringLiteral("0.25"));
        QTRY_COMPARE(session->file().config.training.clip, 0.25);
        QCOMPARE(session->history().commands.back().was, std::optional<std::string>("1"));
        changeInPlace(f, "steps", QStringLiteral("1"));
        QVERIFY(f.find<ErrorBanner>("errorBanner")->message().startsWith("steps is 1"));
        QTest::keyClick(f.window.get(), Qt::Key_Period, Qt::ControlModifier);
        QTRY_COMPARE(session->state(), RunState::Stopped);
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        f.action("resumeRun")->trigger();
        const auto before = session->step();
        QTRY_VERIFY(session->step() > before);
        f.action("stopRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
    }

    void closingWhileTrainingAsksOnceAndSaves()
    {
        Fixture f;
        f.startLong();
        const auto run = f.window->currentSession()->directory();
        f.answer = false;
        f.window->close();
        QCOMPARE(f.questions.size(), std::size_t(1));
        QVERIFY(f.window->isVisible());
        QVERIFY(f.window->controller().busy());
        f.answer = true;
        QSignalSpy closed(f.window.get(), &MainWindow::closed);
        f.window->close();
        QTRY_COMPARE(closed.count(), 1);
        QCOMPARE(f.questions.size(), std::size_t(2));
        QVERIFY(!f.window->controller().busy());
        QVERIFY(RunDirectory(run).pointer("latest").has_value());
    }

    void aSessionThatEndsDoesNotWaitForTheAnswer()
    {
        Fixture f;
        f.startLong();
        f.answer = false;
        f.whileAsked = [&] { f.window->quitNow(); };
        QSignalSpy closed(f.window.get(), &MainWindow::closed);
        f.window->close();
        QTRY_COMPARE(closed.count(), 1);
        QCOMPARE(f.questions.size(), std::size_t(1));
        QVERIFY(!f.window->controller().busy());
    }

    void whatHasEndedBehindTheQuestionIsNoReasonToStay()
    {
        Fixture f;
        f.startLong();
        f.whileAsked = [&] {
            f.window->controller().stop();
            QTRY_VERIFY(!f.window->controller().busy());
        };
        f.window->close();
        QCOMPARE(f.questions.size(), std::size_t(1));
        QVERIFY(!f.window->isVisible());
    }

    void closingWhileABenchmarkMeasuresAsks()
    {
        FakeOptions options;
        options.benchRows = 1; // the next one waits for a stop
        Fixture f(options);
        auto* bench = f.find<BenchPanel>("benchPanel");
        bench->run();
        QVERIFY(bench->busy());
        f.answer = false;
        f.window->close();
        QCOMPARE(f.questions.size(), std::size_t(1));
        QVERIFY2(f.questions[0].contains("benchmark"), qPrintable(f.questions[0]));
        QVERIFY(f.window->isVisible() && bench->busy());
        f.answer = true;
        f.window->close();
        QVERIFY(!f.window->isVisible());
    }

    void closingAgainDoesNotWaitForTheCheckpoint()
    {
        FakeOptions options;
        options.ignoreStop = true;
        Fixture f(options);
        f.startLong();
        QSignalSpy closed(f.window.get(), &MainWindow::closed);
        f.window->close();
        QVERIFY(f.window->isVisible());
        QCOMPARE(closed.count(), 0);
        f.window->close();
        QCOMPARE(closed.count(), 1);
        QCOMPARE(f.questions.size(), std::size_t(1));
        f.engine.counters->release = true;
        QTRY_VERIFY(!f.window->controller().busy());
    }

    void windowMayGoInTheMiddleOfAnything()
    {
        for (const bool preparing : { true, false }) {
            FakeOptions options;
            options.prepareEvents = preparing ? 1'000'000 : 1000; // the former last until the window goes
            options.prepareTime = std::chrono::milliseconds(preparing ? 2 : 0);
            Fixture f(options);
            if (preparing) {
                f.window->startDemo();
                QTRY_VERIFY(!f.window->currentSession()->progress().what.empty());
                QVERIFY(f.find<QLabel>("runBarState")->text().contains(QStringLiteral("tokenizer")));
            } else {
                f.startLong();
            }
            f.window.reset();
            QCOMPARE(f.engine.counters->running.load(), 0);
        }
    }

    void errorsAppearInTheBanner()
    {
        Fixture f;
        f.engine.options.openError = "<b>stories.txt</b>: no such file";
        f.window->startDemo();
        QTRY_VERIFY(f.find("errorBanner")->isVisible());
        auto* text = f.find<QLabel>("errorText");
        QCOMPARE(text->textFormat(), Qt::PlainText);
        QCOMPARE(text->text(), QStringLiteral("<b>stories.txt</b>: no such file; check the data"));
        f.find<QAbstractButton>("closeError")->click();
        QVERIFY(!f.find("errorBanner")->isVisible());
        QCOMPARE(f.window->currentSession()->state(), RunState::Failed);
        f.window->openRun(f.home.path() / "nowhere");
        QVERIFY(f.find("errorBanner")->isVisible());
        f.find<QAbstractButton>("closeError")->click();
        f.window->openRun({}); // as by pha-studio ""
        QVERIFY(f.find("errorBanner")->isVisible());
    }

    void isItBetter()
    {
        Fixture f;
        f.home.train("base", 300);
        f.window->runs().rescan();
        QTRY_COMPARE(f.window->runs().rowCount(), 1);
        QTRY_VERIFY(f.window->currentSession()); // the newest run is selected by itself
        f.action("cloneRun")->trigger();
        auto* steps = f.find<QLineEdit>("field_steps");
        QCOMPARE(steps->text(), QStringLiteral("300"));
        steps->selectAll();
        QTest::keyClicks(steps, QStringLiteral("200"));
        QTest::keyClick(f.window.get(), Qt::Key_R, Qt::ControlModifier);
        QTRY_COMPARE(f.window->runs().rowCount(), 2);
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QCOMPARE(f.window->currentSession()->history().step.size(), std::size_t(200));
        f.action("toggleShown")->trigger();
        QCOMPARE(f.window->runs().shown().size(), 1);
    }

    void deletingAsksAndGoesToTheTrash()
    {
        Fixture f;
        const auto run = f.home.train("old", 20);
        f.window->openRun(run);
        f.answer = false;
        f.action("deleteRun")->trigger();
        QVERIFY(fs::exists(run));
        f.answer = true;
        f.action("deleteRun")->trigger();
        QCOMPARE(f.questions.size(), std::size_t(2));
        QVERIFY(f.questions[0].contains(QStringLiteral("old")));
        QVERIFY(!fs::exists(run));
        QCOMPARE(f.window->runs().rowCount(), 0);
        QVERIFY(!f.window->currentSession());
    }

    void whatIsTrainedWhileTheQuestionStandsIsNotDeleted()
    {
        Fixture f;
        const auto run = f.home.train("old", 20);
        f.window->openRun(run);
        std::optional<RunLock> other; // as `pha train --resume` has it
        f.whileAsked = [&] { other.emplace(run); };
        f.action("deleteRun")->trigger();
        QCOMPARE(f.questions.size(), std::size_t(1));
        QVERIFY(fs::exists(run));
        QVERIFY(f.find<ErrorBanner>("errorBanner")->isVisible());
        QVERIFY(f.window->currentSession());
        f.whileAsked = {};
        other.reset();
        f.action("deleteRun")->trigger();
        QVERIFY(!fs::exists(run));
    }

    /// A replay or an import that ends while the question stands selects another run.
    void theRunThatWasAskedForIsDeleted()
    {
        Fixture f;
        const auto run = f.home.train("old", 20), other = f.home.train("other", 20);
        f.window->openRun(run, true);
        f.whileAsked = [&] { f.window->openRun(other); };
        f.action("deleteRun")->trigger();
        f.whileAsked = {};
        QVERIFY(!fs::exists(run) && fs::exists(other));
        QVERIFY(f.window->currentSession() && f.window->currentSession()->directory() == other);
        QVERIFY(f.window->statusBar()->currentMessage().startsWith(QStringLiteral("old is in the trash")));
        QVERIFY(f.action("putBackRun")->text().contains(QStringLiteral("old")));
        f.action("putBackRun")->trigger();
        QVERIFY(fs::exists(run / "run.json"));
        QCOMPARE(f.window->runs().shown(), QVector<RunSession*> { f.session("old") }); // ticked, as it was
    }

    void whatWasDeletedCanBePutBack()
    {
        Fixture f;
        QVERIFY(!f.action("putBackRun")->isEnabled());
        const auto run = f.home.train("old", 20);
        f.window->openRun(run);
        f.action("deleteRun")->trigger();
        QVERIFY(!fs::exists(run));
        QVERIFY(f.action("putBackRun")->text().contains(QStringLiteral("old")));
        f.action("putBackRun")->trigger();
        QVERIFY(fs::exists(run / "run.json"));
        QCOMPARE(f.window->runs().rowCount(), 1);
        QVERIFY(f.window->currentSession() && f.window->currentSession()->directory() == run);
        QTRY_COMPARE(f.window->currentSession()->step(), 20);
        QVERIFY(f.window->runs().shown().empty());
        f.action("toggleShown")->trigger();
        f.action("deleteRun")->trigger();
        QVERIFY(f.window->runs().shown().empty());
        f.action("putBackRun")->trigger();
        QCOMPARE(f.window->runs().shown(), QVector<RunSession*> { f.window->currentSession() }); // ticked, as it was
        // Somebody else took the place meanwhile: nothing is overwritten, and the window says so.
        f.action("deleteRun")->trigger();
        fs::create_directories(run / "other");
        f.action("putBackRun")->trigger();
        QVERIFY(fs::exists(run / "other") && !fs::exists(run / "run.json"));
        QVERIFY(f.find<ErrorBanner>("errorBanner")->isVisible());
        QVERIFY(!f.action("putBackRun")->isEnabled());
    }

    void aFolderThatGoesTakesItsRunAlong()
    {
        Fixture f;
        const auto kept = f.home.train("kept", 20), gone = f.home.train("gone", 20);
        auto& runs = f.window->runs();
        QTRY_COMPARE((runs.rescan(), runs.rowCount()), 2);
        f.window->openRun(kept, true);
        f.window->openRun(gone);
        fs::remove_all(gone);
        QTRY_COMPARE((runs.rescan(), runs.rowCount()), 1);
        QVERIFY(f.window->currentSession() && f.window->currentSession()->directory() == kept);
        fs::remove_all(kept);
        QTest::qWait(100);
        QCOMPARE((runs.rescan(), runs.rowCount()), 1); // its curves are in the charts
        runs.setShown(kept, false);
        QTRY_COMPARE((runs.rescan(), runs.rowCount()), 0);
        QVERIFY(!f.window->currentSession());
    }

    void finishedRunCanTrainLonger()
    {
        Fixture f;
        f.window->openRun(f.home.train("short", 50));
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        f.number = 80;
        f.action("resumeRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
        QTRY_COMPARE(f.window->currentSession()->step(), std::int64_t(80));
    }

    void killedBeforeItsLastCheckpointItIsResumed()
    {
        Fixture f;
        const auto run = f.home.train("killed", 40);
        auto file = RunDirectory(run).read();
        file.config.training.steps = 50;
        RunDirectory(run).write(file);
        {
            MetricsWriter metrics(RunDirectory(run).metricsFile());
            metrics.append(StatusEvent { 40, RunState::Running, {} });
            for (std::int64_t step = 41; step <= 50; ++step) metrics.append(test::fakeStep(step, file.config));
        }
        f.window->openRun(run);
        QTRY_COMPARE(f.window->currentSession()->step(), std::int64_t(50));
        QTRY_COMPARE(f.window->currentSession()->savedStep(), std::int64_t(40));
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        QTRY_COMPARE(f.action("resumeRun")->text(), QStringLiteral("&Resume from 40"));
        f.action("resumeRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
        QVERIFY2(f.words.isEmpty(), qPrintable(f.words.join(QLatin1Char('\n')))); // no dialog asked for more updates
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QCOMPARE(f.window->currentSession()->savedStep(), std::int64_t(50));
    }

    void killedBehindItsLastCheckpointItIsFinishedWithoutAQuestion()
    {
        Fixture f;
        const auto run = f.home.train("wordless", 40);
        MetricsWriter(RunDirectory(run).metricsFile()).append(StatusEvent { 40, RunState::Running, {} });
        f.window->openRun(run);
        QTRY_VERIFY(f.window->currentSession()->interrupted());
        QCOMPARE(f.window->currentSession()->savedStep(), std::int64_t(40));
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        QTRY_COMPARE(f.action("resumeRun")->text(), QStringLiteral("&Resume from 40"));
        f.action("resumeRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
        QVERIFY2(f.words.isEmpty(), qPrintable(f.words.join(QLatin1Char('\n'))));
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QTRY_COMPARE(f.action("resumeRun")->text(), QStringLiteral("Train longer\u2026"));
    }

    void aRunWithoutAFolderCannotBeRenamed()
    {
        Fixture f(FakeOptions::slowToPrepare());
        f.window->startDemo();
        QTRY_VERIFY(f.window->currentSession() && f.window->currentSession()->active());
        QVERIFY(!f.action("renameRun")->isEnabled());
        f.window->controller().stop();
        QTRY_VERIFY(!f.window->controller().busy());
        f.engine.options = {};
        f.startLong();
        f.window->openRun(f.home.runs() / "long");
        QVERIFY(f.action("renameRun")->isEnabled());
    }

    void stopAfterIsNotAskedOfARunThatGoesOn()
    {
        Fixture f;
        auto request = f.home.request("stopped", 20);
        request.config.training.stopAfter = 5;
        SilentSink sink;
        f.engine.openTraining(request, sink, {})->run(sink, {});
        f.window->openRun(request.directory);
        QTRY_COMPARE(f.window->currentSession()->step(), std::int64_t(5));
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        f.action("resumeRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QCOMPARE(f.window->currentSession()->step(), std::int64_t(20));
    }

    void aValueThatIsBeingTypedSurvivesAChange()
    {
        Fixture f;
        f.startLong();
        f.action("changeSettings")->trigger(); // goes to the learning rate
        auto* tree = f.find<QTreeView>("frozenTree");
        QTest::keyClick(tree, Qt::Key_Return);
        QPointer<QLineEdit> editor = tree->findChild<QLineEdit*>(QStringLiteral("settingEditor"));
        QVERIFY(editor);
        editor->setText(QStringLiteral("0.0007"));
        f.window->controller().change("eval_every", 77);
        QTRY_COMPARE(f.session("long")->file().config.training.evalEvery, std::int64_t(77));
        QVERIFY(editor && !editor->isHidden());
        QCOMPARE(editor->text(), QStringLiteral("0.0007"));
        QTest::keyClick(editor, Qt::Key_Return);
        QTRY_COMPARE(f.session("long")->file().config.training.learningRate, 0.0007);
        const auto shown = [&](const char* key) {
            const auto found = tree->model()->match(tree->model()->index(0, 0), SettingDelegate::Key,
                QLatin1String(key), 1, Qt::MatchExactly | Qt::MatchRecursive);
            return found.isEmpty() ? QString() : found.front().siblingAtColumn(1).data().toString();
        };
        QTRY_COMPARE(shown("eval_every"), QStringLiteral("77 (changed)"));
        QTRY_COMPARE(shown("learning_rate"), QStringLiteral("0.0007 (changed)"));
    }

    void trainLongerIsAboutTheRunThatItWasAskedOf()
    {
        Fixture f;
        const auto first = f.home.train("first", 50), second = f.home.train("second", 40);
        f.window->openRun(second);
        f.window->openRun(first);
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        f.whileAsked = [&] { f.window->openRun(second); }; // as the import of a run that is one file does
        f.number = 80;
        f.action("resumeRun")->trigger();
        QTRY_VERIFY(!f.window->controller().busy());
        QTRY_COMPARE(f.session("first")->step(), std::int64_t(80));
        QTRY_COMPARE(f.session("second")->step(), std::int64_t(40));
        QVERIFY2(f.words.contains(QStringLiteral("first has finished. Train until step:")),
            qPrintable(f.words.join(QLatin1Char('\n'))));
        f.whileAsked = {};
        f.number = 40;
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        f.action("resumeRun")->trigger();
        QVERIFY(f.find<QLabel>("errorText")->text().contains(QStringLiteral("more than the 40")));
        QVERIFY(!f.window->controller().busy());
    }

    void aRunInACurrentFolderThatIsGoneIsRefused()
    {
        Fixture f;
        const auto before = fs::current_path();
        fs::create_directory(f.home.path() / "gone");
        fs::current_path(f.home.path() / "gone");
        fs::remove(f.home.path() / "gone");
        f.window->openRun("run");
        fs::current_path(before);
        QVERIFY(f.find<QLabel>("errorText")->text().contains(QStringLiteral("the current folder is gone")));
    }

    void whatIsTrainedBehindTheQuestionIsNotTrainedLonger()
    {
        Fixture f;
        f.window->openRun(f.home.train("first", 50));
        QTRY_VERIFY(f.action("resumeRun")->isEnabled());
        f.number = 80;
        f.whileAsked = [&] {
            auto request = f.home.request("first", 100000000, true);
            request.overrides = { "steps" };
            QVERIFY(f.window->controller().start(f.session("first"), request));
            QTRY_COMPARE(f.session("first")->state(), RunState::Running);
        };
        f.action("resumeRun")->trigger();
        const auto said = f.find<ErrorBanner>("errorBanner")->message();
        QVERIFY2(said.startsWith(QStringLiteral("first is being trained already")), qPrintable(said));
        QCOMPARE(f.session("first")->state(), RunState::Running);
    }

    void aNumberIsProposedWithAllItsDigits_data()
    {
        QTest::addColumn<double>("number");
        QTest::addColumn<QString>("text");
        QTest::newRow("steps") << 2469134.0 << "2469134";
        QTest::newRow("a rate") << 0.0015 << "0.0015";
        QTest::newRow("a small rate") << 1e-8 << "1e-08";
    }
    void aNumberIsProposedWithAllItsDigits()
    {
        QFETCH(double, number);
        QFETCH(QString, text);
        Fixture f;
        QString proposed;
        QTimer::singleShot(0, qApp, [&] {
            auto* dialog = qobject_cast<QDialog*>(QApplication::activeModalWidget());
            QVERIFY(dialog);
            proposed = dialog->findChild<QLineEdit*>(QStringLiteral("numberEdit"))->text();
            dialog->accept();
        });
        const auto given =
            Dialogs::real().number(f.window.get(), QStringLiteral("Title"), QStringLiteral("Label"), number);
        QCOMPARE(proposed, text);
        QVERIFY(given);
        QCOMPARE(*given, number);
    }

    void layoutIsKept()
    {
        Fixture f;
        f.find<QDockWidget>("logDock")->hide();
        f.window->resize(1300, 820);
        f.window->close();
        f.open();
        QVERIFY(!f.find<QDockWidget>("logDock")->isVisible());
        f.action("resetLayout")->trigger();
        QVERIFY(f.find<QDockWidget>("logDock")->isVisible());
        QSettings().setValue(QStringLiteral("window/state"), QByteArray("garbage"));
        f.window->close();
        QSettings().setValue(QStringLiteral("window/state"), QByteArray("garbage"));
        f.open(); // falls back to the first layout
        QVERIFY(f.find<QDockWidget>("runsDock")->isVisible());
    }

    void keysGoToAPanelThatFloats()
    {
        Fixture f;
        auto* dock = f.find<QDockWidget>("configDock");
        dock->setFloating(true);
        QVERIFY(QTest::qWaitForWindowExposed(dock, test::patience));
        f.window->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(f.window.get(), test::patience));
        f.action("newRun")->trigger();
        QTRY_COMPARE(QApplication::activeWindow(), static_cast<QWidget*>(dock));
        QTRY_VERIFY(dock->isAncestorOf(QApplication::focusWidget()));
        f.action("showMonitor")->trigger(); // and back to the window
        QTRY_COMPARE(QApplication::activeWindow(), static_cast<QWidget*>(f.window.get()));
    }

    void aPanelThatFloatsLiesOverTheNextWindow()
    {
        struct Raised : QObject {
            int count = 0;
            bool eventFilter(QObject*, QEvent* event) override
            {
                count += event->type() == QEvent::ZOrderChange;
                return false;
            }
        };
        Fixture f;
        f.find<QDockWidget>("configDock")->setFloating(true);
        f.window->close();
        f.window.reset();
        WindowParts parts;
        parts.runsFolder = f.home.runs();
        parts.engine = [&f]() -> Engine& { return f.engine; };
        f.window = test::makeWindow(std::move(parts));
        auto* dock = f.find<QDockWidget>("configDock");
        QVERIFY(dock->isFloating() && dock->isVisible()); // before the window is
        Raised raised;
        dock->installEventFilter(&raised);
        f.window->show();
        QTRY_COMPARE(raised.count, 1);
    }

    void aPanelThatFloatsIsDockedByResetLayout()
    {
        Fixture f;
        auto* dock = f.find<QDockWidget>("configDock");
        dock->setFloating(true);
        f.action("resetLayout")->trigger();
        QVERIFY(!dock->isFloating() && dock->isVisible());
        QCOMPARE(dock->window(), static_cast<QWidget*>(f.window.get()));
    }

    void presentingLeavesTheLayoutAsItWas()
    {
        Fixture f;
        auto& theme = Theme::instance();
        const auto open = [&f](const char* dock) { return !f.find<QDockWidget>(dock)->isHidden(); };
        f.find<QDockWidget>("logDock")->hide();
        f.window->showMaximized();
        QVERIFY(f.window->isMaximized());
        f.action("textLarger")->trigger();
        QTRY_VERIFY(theme.textScale() > 1);
        const double scale = theme.textScale();
        QCOMPARE(QSettings().value(QStringLiteral("theme/textScale")).toDouble(), scale); // for the next start
        f.action("presentation")->trigger();
        QVERIFY(f.window->isFullScreen() && !open("configDock") && !open("logDock"));
        QVERIFY(theme.textScale() > scale);
        f.action("textLarger")->trigger(); // of this presentation
        f.action("presentation")->trigger();
        QVERIFY(f.window->isMaximized() && !f.window->isFullScreen());
        QVERIFY(open("configDock") && !open("logDock"));
        QCOMPARE(theme.textScale(), scale);
        f.action("presentation")->trigger();
        f.window->close();
        QCOMPARE(theme.textScale(), scale);
        QCOMPARE(QSettings().value(QStringLiteral("theme/textScale")).toDouble(), scale);
        f.open();
        QVERIFY(open("configDock") && !open("logDock") && !f.window->isFullScreen());
        theme.setTextScale(1);
    }

    void themesHaveContrast()
    {
        const auto luminance = [](const QColor& c) {
            const auto linear = [](double v) { return v <= 0.03928 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
            return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF());
        };
        const auto contrast = [&](const QColor& a, const QColor& b) {
            const double x = luminance(a), y = luminance(b);
            return (std::max(x, y) + 0.05) / (std::min(x, y) + 0.05);
        };
        for (const auto& c : { Theme::lightColours(), Theme::darkColours() }) {
            for (const auto& ground : { c.window, c.surface, c.raised })
                for (const auto& text : { c.text, c.muted, c.accent, c.good, c.warning, c.error })
                    QVERIFY(contrast(text, ground) >= 4.5);
            QVERIFY(contrast(c.onAccent, c.accent) >= 4.5);
            for (const auto& line : { c.train, c.valid, c.floor, c.reference, c.marker, c.gss, c.attention, c.ffn })
                QVERIFY(contrast(line, c.plot) >= 3);
            for (int n = 0; n < 10; ++n) QVERIFY(contrast(c.run(n), c.plot) >= 3);
        }
        Fixture f;
        QSignalSpy changed(&Theme::instance(), &Theme::changed);
        f.action("themeDark")->trigger();
        QVERIFY(Theme::instance().colours().dark);
        f.action("themeLight")->trigger();
        QVERIFY(!Theme::instance().colours().dark);
        QCOMPARE(changed.count(), 2);
    }

    void largerTextIsLargerEverywhere()
    {
        Fixture f;
        f.window->openRun(f.home.train("a", 20));
        QTRY_VERIFY(!f.find<QTextEdit>("runLog")->toPlainText().isEmpty());
        const auto sizes = [&f] {
            std::map<QString, double> all;
            for (const char* name : { "filmText", "playgroundText", "rivalText", "blindLeftText", "inspectText" }) {
                const auto* text = f.find<QPlainTextEdit>(name);
                all[QLatin1String(name)] = text ? text->font().pointSizeF() : 0;
            }
            auto* log = f.find<QTextEdit>("runLog");
            all["runLog"] = log->document()->begin().begin().fragment().charFormat().font().pointSizeF();
            for (const char* name : { "inspectFigures", "costsReadout", "weightsReadout" })
                all[QLatin1String(name)] = f.find(name)->minimumHeight();
            all["smoothingValue"] = f.find("smoothingValue")->minimumWidth();
            all["compareTable"] = f.find<QTableView>("compareTable")->verticalHeader()->defaultSectionSize();
            return all;
        };
        auto& theme = Theme::instance();
        const auto before = sizes();
        theme.setTextScale(2);
        const auto after = sizes();
        theme.setTextScale(1);
        for (const auto& [name, size] : before) {
            QVERIFY2(size > 0 && after.at(name) > size * 1.4,
                qPrintable(QStringLiteral("%1: %2, %3").arg(name).arg(size).arg(after.at(name))));
            if (name.endsWith("Text") || name == "runLog") QCOMPARE(after.at(name), 2 * size);
        }
        for (const auto& [name, size] : sizes())
            if (name.endsWith("Text") || name == "runLog") QCOMPARE(size, before.at(name));
    }

    void aKeyThatIsHeldChangesTheTextOnce()
    {
        Fixture f;
        auto& theme = Theme::instance();
        QSignalSpy changed(&theme, &Theme::changed);
        for (int i = 0; i < 3; ++i) f.action("textLarger")->trigger();
        QTRY_COMPARE(theme.textScale(), 1.33);
        for (int i = 0; i < 3; ++i) f.action("textSmaller")->trigger();
        QTRY_COMPARE(theme.textScale(), 1.0);
        QCOMPARE(changed.count(), 2);
    }

    void panelsGetTheirWidthsBackWithSmallerText()
    {
        Fixture f;
        const QList panels { f.find<QDockWidget>("runsDock"), f.find<QDockWidget>("configDock") };
        const auto widths = [&panels] { return QList { panels[0]->width(), panels[1]->width() }; };
        const auto least = [&panels] {
            return QList { panels[0]->minimumSizeHint().width(), panels[1]->minimumSizeHint().width() };
        };
        f.window->resize(1280, 800);
        f.window->resizeDocks(panels, { 1, 1 }, Qt::Horizontal);
        QTRY_COMPARE(widths(), least());
        const auto before = least();
        for (int i = 0; i < 4; ++i) f.action("textLarger")->trigger();
        QTRY_COMPARE(Theme::instance().textScale(), 1.46);
        QTRY_VERIFY(least()[1] > before[1] + 20 && widths()[1] >= least()[1]);
        for (int i = 0; i < 4; ++i) f.action("textSmaller")->trigger();
        QTRY_COMPARE(Theme::instance().textScale(), 1.0);
        QCOMPARE(QSettings().value(QStringLiteral("theme/textScale")).toDouble(), 1.0);
        QTRY_COMPARE(least(), before);
        for (int i = 0; i < 2; ++i)
            QTRY_VERIFY2(std::abs(widths()[i] - before[i]) <= 8,
                qPrintable(QStringLiteral("%1, %2").arg(widths()[i]).arg(before[i])));
    }

    void paletteFindsCommands()
    {
        Fixture f;
        QTest::keyClick(f.window.get(), Qt::Key_K, Qt::ControlModifier);
        auto* search = f.find<QLineEdit>("paletteSearch");
        QTRY_VERIFY(search->isVisible());
        QTest::keyClicks(search, QStringLiteral("system info"));
        QCOMPARE(f.find<QListWidget>("paletteList")->count(), 1);
        QTest::keyClick(search, Qt::Key_Return);
        QCOMPARE(f.questions.size(), std::size_t(1));
        QVERIFY(!search->isVisible());
    }

    void exceptionsOfTheEngineDoNotEndTheWindow()
    {
        FakeOptions options;
        options.failAt = 30;
        Fixture f(options);
        f.window->startDemo();
        QTRY_VERIFY(f.find("errorBanner")->isVisible());
        f.engine.options.failAt = 0;
        f.window->startDemo();
        QTRY_COMPARE(f.window->currentSession()->state(), RunState::Finished);
    }

    /// Journey "is it better?": clone, change a field, start, tick the other one.
    void cloneAndCompareIsFourClicks()
    {
        Fixture f;
        const auto first = f.home.train("first", 60);
        f.open();
        QTRY_VERIFY(f.window->currentSession() && !f.window->currentSession()->history().step.empty());
        f.action("cloneRun")->trigger();
        f.find<ConfigPanel>("configPanel")->draft()->setText("learning_rate", "0.001");
        f.find<QPushButton>("startButton")->click();
        QTRY_VERIFY(f.window->currentSession()->directory() != first);
        f.window->runs().setShown(first, true);
        f.action("showCompare")->trigger();
        auto* compare = f.window->findChild<ComparePanel*>();
        auto* model = compare->findChild<CompareModel*>();
        QTRY_COMPARE(model->columnCount({}), 4);
        QCOMPARE(compare->baseline()->directory(), first);
        QCOMPARE(model->differences(), 1);
        QTRY_VERIFY(!f.window->controller().busy());
        f.action("setBaseline")->trigger();
        QVERIFY(compare->baseline()->directory() != first);
    }

    void onlyThePanelInFrontAnswers()
    {
        Fixture f;
        f.window->openRun(f.home.train("a", 20));
        QTRY_COMPARE(f.window->currentSession()->step(), 20);
        f.window->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(f.window.get(), test::patience));
        f.action("showPlayground")->trigger();
        f.find<QPlainTextEdit>("playgroundPrompt")->setPlainText(QStringLiteral("Once"));
        auto* focus = QApplication::focusWidget();
        QTest::keyClick(focus ? focus : f.window.get(), Qt::Key_Return, Qt::ControlModifier);
        QTRY_VERIFY(f.find<QPushButton>("playgroundCopy")->isEnabled());
        for (const auto* behind :
            { "monitorPanel", "comparePanel", "inspectPanel", "evaluatePanel", "dataPanel", "benchPanel" })
            QVERIFY2(!f.find(behind)->isVisible(), behind);
    }

    void chartsThatAreNotShownAreNotSaved()
    {
        Fixture f;
        f.window->openRun(f.home.train("a", 20));
        QTRY_COMPARE(f.window->currentSession()->step(), 20);
        QStringList asked; // the charts that would have been saved
        ChartFrame::setFileChooser([&asked](QWidget* chart, const QString&, const QString&) {
            asked << chart->objectName();
            return QString();
        });
        f.action("showMonitor")->trigger();
        QTRY_VERIFY(f.find("monitorPanel")->isVisible());
        f.action("exportImage")->trigger();
        QCOMPARE(asked, QStringList { "lossChart" });
        f.action("showPlayground")->trigger();
        QTRY_VERIFY(!f.find("monitorPanel")->isVisible());
        f.action("exportImage")->trigger();
        ChartFrame::setFileChooser([](QWidget*, const QString&, const QString&) { return QString(); }); // as before
        QCOMPARE(asked.size(), 1);
        QVERIFY2(f.window->statusBar()->currentMessage().startsWith("No chart to save here"),
            qPrintable(f.window->statusBar()->currentMessage()));
    }

    void keysOfChartsGoToThoseThatAreShown()
    {
        Fixture f;
        f.window->openRun(f.home.train("a", 20));
        QTRY_COMPARE(f.window->currentSession()->step(), 20);
        struct State {
            int monitorAxis, smoothing, compareAxis;
            bool compareLog;
            bool operator==(const State&) const = default;
        };
        const auto state = [&f] {
            const auto* monitor = f.find("monitorPanel");
            return State { monitor->findChild<QComboBox*>("xAxis")->currentIndex(),
                monitor->findChild<QSlider*>("smoothing")->value(), f.find<QComboBox>("compareAxis")->currentIndex(),
                f.find<QAbstractButton>("compareLog")->isChecked() };
        };
        const auto triggerAll = [&f] {
            for (const char* name : { "logAxis", "cycleXAxis", "smoothMore", "fitAndFollow" })
                f.action(name)->trigger();
        };
        f.action("showCompare")->trigger();
        QTRY_VERIFY(f.find("comparePanel")->isVisible() && !f.find("monitorPanel")->isVisible());
        auto wanted = state();
        triggerAll();
        wanted.compareAxis = (wanted.compareAxis + 1) % 3;
        wanted.compareLog = !wanted.compareLog;
        QVERIFY(state() == wanted);
        f.action("showPlayground")->trigger();
        QTRY_VERIFY(!f.find("comparePanel")->isVisible());
        triggerAll();
        QVERIFY(state() == wanted);
        f.action("showMonitor")->trigger();
        QTRY_VERIFY(f.find("monitorPanel")->isVisible());
        triggerAll();
        wanted.monitorAxis = (wanted.monitorAxis + 1) % 3;
        wanted.smoothing += 10;
        QVERIFY(state() == wanted);
    }

    void inspectLooksAtWhatThePlaygroundWrote()
    {
        Fixture f;
        f.window->openRun(f.home.train("a", 20));
        QTRY_COMPARE(f.window->currentSession()->step(), 20);
        f.window->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(f.window.get(), test::patience));
        f.action("showPlayground")->trigger();
        f.find<QPlainTextEdit>("playgroundPrompt")->setPlainText(QStringLiteral("Once"));
        f.action("runPanelCommand")->trigger();
        QTRY_VERIFY(f.find<QPushButton>("playgroundCopy")->isEnabled());
        QTRY_VERIFY(!f.find<QPushButton>("playgroundStop")->isEnabled());
        const auto written = f.find<QPlainTextEdit>("playgroundText")->toPlainText();
        QTest::keyClick(f.window.get(), Qt::Key_F4);
        QTRY_VERIFY(f.find("inspectPanel")->isVisible());
        f.find<QPushButton>("inspectTake")->click();
        QCOMPARE(f.find<QPlainTextEdit>("inspectPrompt")->toPlainText(), written);
        QTRY_COMPARE(f.find<QPlainTextEdit>("inspectText")->toPlainText(), written);
        f.action("runPanelCommand")->trigger(); // the panel in front answers
        QVERIFY(f.find("inspectPanel")->isVisible());
        QTRY_VERIFY(!f.find<QPushButton>("inspectStop")->isEnabled());
    }

    void whyNoRunCanStartIsShownWhereverTheFormWas()
    {
        Fixture f;
        f.startLong();
        auto* panel = f.find<ConfigPanel>("configPanel");
        auto* dock = f.find<QDockWidget>("configDock");
        const auto* reason = f.find<QLabel>("formError");
        panel->showRun();
        QVERIFY(!reason->isVisible());
        f.action("startRun")->trigger();
        QVERIFY(reason->isVisible());
        QVERIFY2(reason->text().contains(QStringLiteral("long is training")), qPrintable(reason->text()));
        dock->hide();
        f.action("startRun")->trigger();
        QVERIFY(dock->isVisible() && reason->isVisible());
        // A setting that is wrong, and that the search leaves out.
        panel->draft()->setText("threads", QStringLiteral("many"));
        auto* field = f.find("field_threads");
        QVERIFY(field);
        f.find<QLineEdit>("settingSearch")->setText(QStringLiteral("learning_rate"));
        QVERIFY(!field->isVisible());
        panel->showRun();
        dock->hide();
        f.action("queueRun")->trigger();
        QVERIFY(dock->isVisible() && field->isVisible());
        QCOMPARE(f.window->focusWidget(), field);
        QVERIFY2(reason->text().contains(QStringLiteral("marked")), qPrintable(reason->text()));
    }

    void dataGoesIntoTheForm()
    {
        Fixture f;
        auto* draft = f.find<ConfigPanel>("configPanel")->draft();
        const auto use = [&] {
            Q_EMIT f.window->findChild<DataPanel*>()->useRequested(
                QStringLiteral("/tmp/text.txt"), 2048, QStringLiteral("body"));
            QCOMPARE(draft->text("data"), "/tmp/text.txt");
            QCOMPARE(draft->text("vocab_size"), "2048");
            QCOMPARE(draft->text("text_field"), "body");
            QCOMPARE(draft->text("tokenizer"), "auto"); // as it was trained in the panel
            QCOMPARE(draft->text("byte_fallback"), "true");
        };
        use();
        draft->fork(QString::fromStdString(f.home.train("parent", 20).string()));
        QVERIFY(draft->forkPoint().has_value());
        use();
        QVERIFY(draft->values().fork.isEmpty() && !draft->forkPoint());
        auto config = presets().front().config;
        config.data.tokenizer = "bytes";
        config.data.byteFallback = false;
        draft->clone(config, QStringLiteral("copy"));
        QCOMPARE(draft->text("tokenizer"), "bytes");
        use();
        // What makes a run of it: while another one trains, it can only wait.
        const auto said = [&] { return f.window->statusBar()->currentMessage(); };
        QVERIFY2(said().endsWith(QStringLiteral("; Ctrl+R starts the run")), qPrintable(said()));
        f.startLong();
        use();
        QVERIFY2(said().endsWith(QStringLiteral("; Ctrl+Shift+Q queues the run")), qPrintable(said()));
        f.action("queueRun")->setShortcut(QKeySequence(QStringLiteral("Ctrl+Shift+K")));
        use();
        QVERIFY2(said().endsWith(QStringLiteral("; Ctrl+Shift+K queues the run")), qPrintable(said()));
    }

    void benchmarkWarnsWhileARunTrains()
    {
        Fixture f;
        f.action("showBench")->trigger();
        auto* warning = f.find<QLabel>("benchWarning");
        QVERIFY(!warning->isVisible());
        f.startLong();
        QVERIFY(warning->isVisible());
        f.window->controller().stop();
        QTRY_VERIFY(!warning->isVisible());
    }

    /// Whoever sees nothing, or has no pointer, or writes a test, finds every control.
    void everyControlHasANameATipAndAKey()
    {
        Fixture f;
        f.window->openRun(f.home.train("a", 20)); // fills the panels that are empty without a run
        for (const auto* show : { "showCompare", "showPlayground", "showInspect", "showEvaluate", "showData",
                 "showBench", "newRun", "showMonitor", "palette" }) {
            f.action(show)->trigger();
            QCoreApplication::processEvents();
        }
        f.find<ChartFrame>("lossChart")->showTable();
        QStringList missing;
        for (auto* widget : f.window->findChildren<QWidget*>()) {
            const bool control = qobject_cast<QAbstractButton*>(widget) || qobject_cast<QComboBox*>(widget)
                || qobject_cast<QLineEdit*>(widget) || qobject_cast<QPlainTextEdit*>(widget)
                || qobject_cast<QAbstractSpinBox*>(widget) || qobject_cast<QAbstractSlider*>(widget)
                || qobject_cast<QAbstractItemView*>(widget);
            bool inner = false; // parts that Qt made: of a spin box, a combo box, a tab bar, a scroll area, a header
            for (auto* p = widget->parentWidget(); p; p = p->parentWidget())
                inner |= qobject_cast<QAbstractSpinBox*>(p) || qobject_cast<QComboBox*>(p) || p->inherits("QTabBar")
                    || qobject_cast<QAbstractItemView*>(p) || qobject_cast<QLineEdit*>(p) || qobject_cast<QMenuBar*>(p);
            if (!control || inner || widget->inherits("QScrollBar") || widget->objectName().startsWith("qt_")) continue;
            const auto* where = widget->parentWidget();
            const auto what = widget->objectName() + QStringLiteral(" (") + widget->metaObject()->className()
                + QStringLiteral(" in ") + (where ? where->objectName() : QString()) + QLatin1Char(')');
            const auto* button = qobject_cast<QAbstractButton*>(widget);
            if (widget->objectName().isEmpty()) missing << tr("object name: ") + what;
            if (widget->accessibleName().isEmpty() && !(button && !button->text().isEmpty()))
                missing << tr("name: ") + what;
            // A text of tokens tells of each token beside the pointer: a tip would cover that.
            const bool tells = widget->inherits("pha::ui::TokenView");
            if (widget->toolTip().isEmpty() && !tells) missing << tr("tip: ") + what;
            if (!(widget->focusPolicy() & Qt::TabFocus) && !button
                && widget->objectName() != "paletteList") // its search field has the keys
                missing << tr("key: ") + what;
        }
        QVERIFY2(missing.isEmpty(), qPrintable(missing.join(QLatin1Char('\n'))));
    }

    void monkey()
    {
        FakeOptions options;
        options.stepsPerSecond = 2000;
        Fixture f(options);
        f.home.train("a", 50);
        f.home.train("b", 50);
        f.startLong();
        bool given = false;
        const int seed = qEnvironmentVariableIntValue("PHA_MONKEY_SEED", &given); // other ways than the usual one
        QRandomGenerator random(given ? quint32(seed) : 42);
        const QSet<QString> leave { QStringLiteral("quit"), QStringLiteral("openFolder"),
            QStringLiteral("presentation"), QStringLiteral("exportImage"), QStringLiteral("deleteRun"),
            QStringLiteral("chooseFolder") };
        QList<QAction*> actions, looks; // looks: polish every widget anew, which a few times are enough for
        for (auto* action : f.window->actions()) {
            const auto name = action->objectName();
            if (name.startsWith("theme") || name.startsWith("text"))
                looks << action;
            else if (!leave.contains(name))
                actions << action;
        }
        const QList<int> keys { Qt::Key_Tab, Qt::Key_Space, Qt::Key_Down, Qt::Key_Up, Qt::Key_Escape, Qt::Key_5,
            Qt::Key_X, Qt::Key_L, Qt::Key_Backspace, Qt::Key_Return };
        for (int n = 0; n < 150; ++n) {
            if (random.bounded(2)) {
                actions[random.bounded(int(actions.size()))]->trigger();
            } else {
                QWidget* target = QApplication::focusWidget();
                QTest::keyClick(target ? target : f.window.get(), Qt::Key(keys[random.bounded(int(keys.size()))]));
            }
            if (n % 30 == 0) looks[random.bounded(int(looks.size()))]->trigger();
            if (n % 10 == 0) QCoreApplication::processEvents();
        }
        f.window->findChild<RunQueue*>()->setHeld(true); // or the next of the many that wait now would start
        f.window->controller().stop();
        QTRY_VERIFY(!f.window->controller().busy());
        QCOMPARE(f.engine.counters->mostRunning.load(), 1);
    }
};

PHA_TEST(MainWindowTest)
#include "main_window_test.moc"
