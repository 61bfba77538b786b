// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that wait for their turn, from the form and from the dialog "Several runs" to the end of the last one.
#include "tests/suite.h"
#include "ui/config_form/config_panel.h"
#include "ui/look/theme.h"
#include "ui/session/run_queue.h"
#include "ui/window/error_banner.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QAction>
#include <QClipboard>
#include <QComboBox>
#include <QDialog>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QStatusBar>
#include <QTest>
#include <QToolButton>

using namespace pha;
using namespace pha::ui;
using pha::test::FakeOptions;

class RunQueueTest : public QObject {
    Q_OBJECT

private:
    struct Fixture : test::WindowFixture {
        using test::WindowFixture::WindowFixture;
        RunQueue& queue() const { return *window->findChild<RunQueue*>(); }
        RunController& controller() const { return window->controller(); }
        ConfigDraft& draft() const { return *window->findChild<ConfigPanel*>()->draft(); }
        QString training() const { return controller().session() ? controller().session()->name() : QString(); }

        /// What stands in the place of the curves.
        QString emptyWord() const { return find("lossChartPlot")->findChild<QLabel*>()->text(); }
        /// As the user does it: the form, then its button.
        void queueRun(const char* name, int steps = 20)
        {
            draft().setText("steps", QString::number(steps));
            draft().setName(QLatin1String(name));
            find<QPushButton>("queueButton")->click();
        }
        void select(const char* name)
        {
            window->openRun(home.runs() / name);
            QCOMPARE(window->currentSession()->name(), QString::fromLatin1(name));
        }
        /// As `pha train` or `pha sweep` would beside the window.
        void trainElsewhere(const RunConfig& config, const char* name) const
        {
            auto request = home.request(name, config.training.steps);
            request.config = config;
            FakeOptions fast;
            fast.stepsPerSecond = 0;
            test::FakeEngine other(fast);
            SilentSink sink;
            other.openTraining(request, sink, {})->run(sink, {});
        }
        QStringList done; ///< names of the runs that have finished, the first one first
        void listen()
        {
            QObject::connect(
                &controller(), &RunController::finished, window.get(), [this](RunSession* run, RunState state) {
                    if (state == RunState::Finished) done << run->name();
                });
        }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void withoutAnythingElseARunStartsAtOnce()
    {
        Fixture f;
        f.listen();
        f.queueRun("one");
        QTRY_COMPARE(f.done, QStringList({ "one" }));
        QCOMPARE(f.queue().size(), 0);
        QVERIFY(!f.find("queueBar")->isVisible());
    }

    void waitingRunsStartInTheirOrderWhateverBecameOfTheOneBefore()
    {
        Fixture f;
        f.listen();
        f.startLong();
        QVERIFY(!f.find<QPushButton>("startButton")->isEnabled());
        for (const auto* name : { "a", "b", "c" }) f.queueRun(name);
        QCOMPARE(f.session("a")->stateText(), QStringLiteral("waiting, next"));
        QCOMPARE(f.session("c")->stateText(), QStringLiteral("waiting, number 3"));
        f.select("c");
        QTRY_COMPARE(f.emptyWord(), QStringLiteral("This run waits in the queue, and starts when its turn has come."));
        f.select("long");
        QCOMPARE(f.find<QLabel>("queueLabel")->text(), QStringLiteral("3 waiting"));
        QVERIFY(f.find("queueBar")->isVisible());
        // Below what trains and above the rest, in their order.
        const auto* list = f.find<QListView>("runList");
        QStringList rows;
        for (int row = 0; row < list->model()->rowCount(); ++row)
            rows << list->model()->index(row, 0).data().toString();
        QCOMPARE(rows, QStringList({ "long", "a", "b", "c" }));
        f.find<QLineEdit>("runSearch")->setText(QStringLiteral("state:waiting"));
        QCOMPARE(list->model()->rowCount(), 3);
        f.find<QLineEdit>("runSearch")->clear();
        f.controller().stop(); // this one alone
        QTRY_COMPARE(f.done, QStringList({ "a", "b", "c" }));
        QCOMPARE(f.engine.counters->mostRunning.load(), 1);
        QCOMPARE(f.session("long")->state(), RunState::Stopped);
        QVERIFY(!f.find("queueBar")->isVisible());
        QTRY_VERIFY(!fs::exists(queueFile(f.home.runs())));
    }

    void theRunBarShowsAClockForWhatWaits()
    {
        Fixture f;
        f.home.train("ended", 20);
        f.startLong();
        f.queueRun("a");
        const auto sign = [&](const char* name) {
            f.select(name);
            return f.find("runBarGlyph")->grab().toImage();
        };
        const auto waiting = sign("a");
        QVERIFY(waiting != sign("long") && waiting != sign("ended"));
        f.action("stopRun")->trigger(); // "a" trains and ends
        QTRY_COMPARE(f.session("a")->state(), RunState::Finished);
        QVERIFY(waiting != sign("long")); // which has been stopped
        QCOMPARE(sign("a"), sign("ended"));
    }

    void aSettingIsForTheRunThatItWasTypedFor()
    {
        Fixture f;
        f.startLong();
        f.queueRun("next", 100000000);
        auto* banner = f.find<ErrorBanner>("errorBanner");
        f.number = 0.00075;
        f.whileAsked = [&] {
            f.controller().stop();
            QTRY_COMPARE(f.training(), QStringLiteral("next"));
            QTRY_COMPARE(f.session("next")->state(), RunState::Running);
        };
        f.action("changeLearningRate")->trigger();
        QVERIFY2(f.words.join(QLatin1Char('\n')).contains(QStringLiteral("of long,")), qPrintable(f.words.join(u'\n')));
        QVERIFY2(banner->message().contains(QStringLiteral("long no longer trains")), qPrintable(banner->message()));
        f.controller().pause(); // what was posted before it has been obeyed by then
        QTRY_COMPARE(f.session("next")->state(), RunState::Paused);
        for (const auto& command : f.session("next")->history().commands) QCOMPARE(command.name, std::string("pause"));
        f.whileAsked = [&] {
            f.controller().stop();
            QTRY_VERIFY(!f.controller().busy());
        };
        f.action("changeLearningRate")->trigger(); // and with nothing behind it
        QVERIFY2(banner->message().contains(QStringLiteral("next no longer trains")), qPrintable(banner->message()));
        f.select("next");
        Q_EMIT f.window->findChild<ConfigPanel*>()->changeRequested("clip", 0.5); // typed when it had just ended
        QVERIFY2(banner->message().contains(QStringLiteral("clip stays")), qPrintable(banner->message()));
    }

    void aRunThatFailsOrDivergesDoesNotStopTheNext()
    {
        FakeOptions options;
        options.failAt = 5;
        Fixture f(options);
        f.queue().setHeld(true);
        f.queueRun("a");
        f.queueRun("b");
        f.queue().setHeld(false);
        QTRY_VERIFY(f.session("b")->state() == RunState::Failed);
        QCOMPARE(f.session("a")->state(), RunState::Failed);
        QVERIFY(f.find<ErrorBanner>("errorBanner")->isVisible());
        f.engine.options.failAt = 0;
        f.engine.options.divergeAt = 5;
        f.queue().setHeld(true);
        f.queueRun("c");
        f.queueRun("d");
        f.queue().setHeld(false);
        QTRY_VERIFY(f.session("d")->state() == RunState::Diverged);
        QCOMPARE(f.session("c")->state(), RunState::Diverged);
    }

    void onHoldNothingStarts()
    {
        Fixture f;
        f.listen();
        f.startLong();
        f.queueRun("a");
        auto* hold = f.action("holdQueue");
        QVERIFY(hold->isEnabled());
        f.find<QToolButton>("holdQueueButton")->click();
        QVERIFY(hold->isChecked() && f.queue().held());
        QVERIFY(f.find<QLabel>("queueLabel")->text().contains(QStringLiteral("on hold")));
        f.controller().stop();
        QTRY_VERIFY(!f.controller().busy());
        QTest::qWait(50);
        QVERIFY(!f.controller().busy());
        QCOMPARE(f.queue().size(), 1);
        f.find<QToolButton>("holdQueueButton")->click();
        QTRY_COMPARE(f.done, QStringList({ "a" }));
    }

    void placesChangeAndRunsAreTakenOut()
    {
        Fixture f;
        f.listen();
        f.startLong();
        for (const auto* name : { "a", "b", "c", "d" }) f.queueRun(name);
        f.select("c");
        QVERIFY(f.action("moveUp")->isEnabled() && f.action("moveDown")->isEnabled());
        f.action("moveUp")->trigger();
        f.action("moveUp")->trigger();
        QVERIFY(!f.action("moveUp")->isEnabled()); // it is the next one
        QCOMPARE(f.queue().placeOf(f.home.runs() / "c"), 1);
        f.select("a");
        f.action("moveDown")->trigger();
        QCOMPARE(f.queue().placeOf(f.home.runs() / "a"), 3);
        for (const auto* other : { "renameRun", "archiveRun", "deleteRun", "resumeRun" })
            QVERIFY2(!f.action(other)->isEnabled(), other);
        f.select("b");
        f.action("leaveQueue")->trigger();
        QVERIFY(!f.session("b"));
        QCOMPARE(f.queue().size(), 3);
        f.select("long");
        QVERIFY(!f.action("moveUp")->isEnabled() && !f.action("leaveQueue")->isEnabled());
        f.controller().stop();
        QTRY_COMPARE(f.done, QStringList({ "c", "a", "d" }));
        QVERIFY(!fs::exists(f.home.runs() / "b"));
    }

    void twoRunsOfOneNameGetFoldersOfTheirOwn()
    {
        Fixture f;
        f.listen();
        f.startLong();
        f.queueRun("same");
        f.queueRun("same");
        QCOMPARE(f.queue().size(), 2);
        f.controller().stop();
        QTRY_COMPARE(f.done.size(), 2);
        QVERIFY(fs::exists(f.home.runs() / "same" / "run.json") && fs::exists(f.home.runs() / "same-2" / "run.json"));
        QCOMPARE(f.done, QStringList({ "same", "same-2" }));
    }

    void theNameInTheListHasTheNumberOfTheFolder()
    {
        Fixture f;
        f.startLong();
        for (int n = 0; n < 3; ++n) f.queueRun("small copy");
        f.queueRun("small-copy"); // its folder has a number, its name needs none
        const auto name = [&f](const char* folder) {
            const auto* session = f.session(folder);
            return session ? session->name() : QString();
        };
        QCOMPARE(name("small-copy"), QStringLiteral("small copy"));
        QCOMPARE(name("small-copy-2"), QStringLiteral("small copy 2"));
        QCOMPARE(name("small-copy-3"), QStringLiteral("small copy 3"));
        QCOMPARE(name("small-copy-4"), QStringLiteral("small-copy"));
    }

    void whatWaitsIsThereAgainAfterTheWindowWasClosed()
    {
        Fixture f;
        f.startLong();
        f.queueRun("a");
        f.queueRun("b", 30);
        f.answer = false;
        f.window->close();
        QVERIFY(f.questions.back().contains(QStringLiteral("wait, on hold, for the next start")));
        QVERIFY(f.window->isVisible());
        f.answer = true;
        f.window->close();
        QTRY_VERIFY(!f.window->isVisible());
        QVERIFY(!fs::exists(f.home.runs() / "a"));
        f.open();
        f.listen();
        QCOMPARE(f.queue().size(), 2);
        QVERIFY(f.queue().held());
        QVERIFY(f.find<QLabel>("queueLabel")->text().contains(QStringLiteral("2 on hold")));
        QCOMPARE(f.session("b")->file().config.training.steps, std::int64_t(30));
        QCOMPARE(f.session("b")->stateText(), QStringLiteral("waiting, on hold"));
        QTRY_VERIFY(f.controller().engineInfo()); // which has its own words for the status bar
        const auto told = f.window->statusBar()->currentMessage();
        QVERIFY2(told.contains(QStringLiteral("on hold")), qPrintable(told));
        f.action("holdQueue")->setShortcut(QKeySequence(QStringLiteral("Ctrl+Shift+K")));
        f.select("long");
        f.select("b");
        QTRY_COMPARE(f.emptyWord(),
            QStringLiteral("This run waits in the queue, which is on hold: Ctrl+Shift+K lets it start."));
        QTest::qWait(50);
        QVERIFY(!f.controller().busy()); // not without a word
        f.action("holdQueue")->trigger();
        QTRY_COMPARE(f.done, QStringList({ "a", "b" }));
        QTRY_VERIFY(!fs::exists(queueFile(f.home.runs())));
    }

    void onlyWhatTheQuestionNamedIsStopped()
    {
        Fixture f;
        f.startLong();
        f.queueRun("next", 100000000);
        f.whileAsked = [&] {
            f.answer = f.questions.empty();
            if (!f.answer) return;
            f.controller().stop();
            QTRY_COMPARE(f.training(), QStringLiteral("next"));
            QTRY_COMPARE(f.session("next")->state(), RunState::Running);
        };
        f.window->close();
        QCOMPARE(f.questions.size(), std::size_t(2));
        QVERIFY2(f.questions[0].startsWith(QStringLiteral("long is training")), qPrintable(f.questions[0]));
        QVERIFY2(f.questions[1].startsWith(QStringLiteral("next is training")), qPrintable(f.questions[1]));
        QVERIFY(f.window->isVisible() && f.window->isEnabled());
        QVERIFY(!f.controller().stopping());
        QCOMPARE(f.session("next")->state(), RunState::Running);
        f.whileAsked = {};
        f.answer = true;
        f.window->close();
        QTRY_VERIFY(!f.window->isVisible());
        QCOMPARE(f.questions.size(), std::size_t(3));
    }

    /// A checkpoint of its name may be of another course by the time a fork begins.
    void aForkThatWaitsKnowsItsCheckpoint()
    {
        Fixture f;
        const auto parent = f.home.train("parent", 50);
        const auto checkpoint = parent / "checkpoints" / checkpointName(50);
        f.startLong();
        QCOMPARE(
            f.queue().add({ { "forked", "forked", RunDirectory(parent).read().config, checkpoint, {} } }), QString());
        QTRY_COMPARE(readQueue(f.home.runs()).size(), std::size_t(1));
        QVERIFY(!checkpointMark(checkpoint).empty());
        QCOMPARE(readQueue(f.home.runs()).front().forkMark, checkpointMark(checkpoint));
    }

    void aRunThatIsStillPreparedWaitsAgainAfterTheWindowWasClosed()
    {
        Fixture f(FakeOptions::slowToPrepare());
        f.queueRun("a");
        QTRY_VERIFY(f.controller().busy());
        f.queueRun("b");
        QCOMPARE(f.queue().size(), 1);
        f.window->close();
        QVERIFY2(f.questions.back().contains(QStringLiteral("first one in the queue")), qPrintable(f.questions.back()));
        QTRY_VERIFY(!f.window->isVisible());
        QVERIFY(!fs::exists(f.home.runs() / "a"));
        f.window.reset();
        f.engine.options = {};
        f.open();
        f.listen();
        QCOMPARE(f.queue().size(), 2);
        QCOMPARE(f.queue().placeOf(f.home.runs() / "a"), 1);
        f.queue().setHeld(false);
        QTRY_COMPARE(f.done, QStringList({ "a", "b" }));
        QTRY_VERIFY(!fs::exists(queueFile(f.home.runs())));
    }

    void aRunThatIsStoppedWhileItIsPreparedWaitsNoMore()
    {
        Fixture f(FakeOptions::slowToPrepare());
        f.queueRun("a");
        QTRY_VERIFY(f.controller().busy());
        QTRY_VERIFY(fs::exists(queueFile(f.home.runs())));
        f.controller().stop();
        QTRY_VERIFY(!f.controller().busy());
        QTRY_VERIFY(!fs::exists(queueFile(f.home.runs())));
        QCOMPARE(f.queue().size(), 0);
    }

    void aSecondWindowDoesNotTakeTheQueue()
    {
        Fixture f;
        f.startLong();
        f.queueRun("a");
        f.action("holdQueue")->trigger();
        {
            const auto file = queueFile(f.home.runs());
            QTRY_VERIFY(fs::exists(file));
            RunListModel runs;
            RunController controller([&]() -> Engine& { return f.engine; });
            RunQueue other(&runs, &controller);
            QString said;
            connect(&other, &RunQueue::failed, this, [&](const QString& text) { said = text; });
            other.setFolder(f.home.runs());
            QCOMPARE(other.size(), 0);
            QVERIFY(said.isEmpty());
            const auto problem = other.add({ { "x", "x", presets().front().config, {}, {} } });
            QVERIFY2(problem.contains(QStringLiteral("another window")), qPrintable(problem));
        }
        QCOMPARE(f.queue().size(), 1);
    }

    void anotherRunInItsFolderDoesNotThrowAWaitingRunAway()
    {
        Fixture f;
        f.listen();
        f.startLong();
        f.queueRun("a");
        f.queueRun("b");
        f.select("a");
        f.home.train("a", 30); // by another program, with other settings
        f.controller().stop();
        QTRY_COMPARE(f.done, QStringList({ "a", "b" }));
        QCOMPARE(RunDirectory(f.home.runs() / "a").read().config.training.steps, std::int64_t(30));
        QCOMPARE(RunDirectory(f.home.runs() / "a-2").read().config.training.steps, std::int64_t(20));
        QCOMPARE(f.window->currentSession()->directory(), f.home.runs() / "a-2"); // whoever looked at it still does
        f.select("a");
        QCOMPARE(f.session("a")->placeInQueue(), 0);
        QCOMPARE(f.session("a")->file().config.training.steps, std::int64_t(30));
        for (const auto* command : { "renameRun", "archiveRun", "deleteRun" })
            QVERIFY2(f.action(command)->isEnabled(), command);
    }

    void whatAnotherProgramHasTrainedWaitsNoLonger()
    {
        Fixture f;
        f.listen();
        f.startLong();
        f.queueRun("a");
        f.queueRun("b");
        f.select("a");
        f.trainElsewhere(f.session("a")->file().config, "a");
        f.controller().stop();
        QTRY_COMPARE(f.done, QStringList({ "b" }));
        QVERIFY(!fs::exists(f.home.runs() / "a-2"));
        QCOMPARE(f.window->currentSession(), f.session("a"));
        QTRY_COMPARE(f.session("a")->state(), RunState::Finished);
        QTRY_VERIFY(f.action("renameRun")->isEnabled() && f.action("deleteRun")->isEnabled());
    }

    void aFolderThatWasTakenMeanwhileLosesNothingAtTheStart()
    {
        Fixture f;
        f.startLong();
        for (const auto* name : { "a", "b", "c" }) f.queueRun(name);
        const auto config = f.session("b")->file().config;
        f.window->close();
        QTRY_VERIFY(!f.window->isVisible());
        f.home.train("a", 30);
        f.trainElsewhere(config, "b");
        f.open();
        f.listen();
        QCOMPARE(f.queue().size(), 2);
        QCOMPARE(f.queue().placeOf(f.home.runs() / "a-2"), 1);
        QCOMPARE(f.queue().placeOf(f.home.runs() / "c"), 2);
        f.queue().setHeld(false);
        QTRY_COMPARE(f.done, QStringList({ "a", "c" }));
        QCOMPARE(RunDirectory(f.home.runs() / "a-2").read().config.training.steps, std::int64_t(20));
    }

    void aDamagedFileIsToldAndStays()
    {
        Fixture f;
        f.window.reset();
        const auto file = queueFile(f.home.runs());
        QFile damaged(QString::fromStdString(file.string()));
        QVERIFY(damaged.open(QIODevice::WriteOnly));
        damaged.write("{\"schema\":1,");
        damaged.close();
        f.open();
        QVERIFY(f.find<ErrorBanner>("errorBanner")->isVisible());
        f.queueRun("a");
        QCOMPARE(f.queue().size(), 0);
        QCOMPARE(fs::file_size(file), std::uintmax_t(12));
    }

    void severalRunsAreQueuedFromOneDialog()
    {
        Fixture f;
        f.listen();
        f.startLong();
        f.draft().setText("steps", QStringLiteral("10"));
        f.draft().setName(QStringLiteral("rates"));
        f.find<QPushButton>("severalButton")->click();
        auto* dialog = f.find<QDialog>("severalRuns");
        QVERIFY(dialog && dialog->isVisible());
        auto* queue = dialog->findChild<QPushButton*>(QStringLiteral("queueRuns"));
        auto* values = dialog->findChild<QLineEdit*>(QStringLiteral("severalValues1"));
        auto* message = dialog->findChild<QLabel*>(QStringLiteral("severalMessage"));
        QVERIFY(!values->text().isEmpty()); // what the form has
        values->setText(QStringLiteral("0.001, 20"));
        QTRY_VERIFY2(message->text().contains(QStringLiteral("learning_rate is 20")), qPrintable(message->text()));
        QVERIFY(!queue->isEnabled());
        values->setText(QStringLiteral("0.001, 0.002"));
        auto* second = dialog->findChild<QComboBox*>(QStringLiteral("severalKey2"));
        second->setCurrentIndex(second->findData(QStringLiteral("preset")));
        dialog->findChild<QLineEdit*>(QStringLiteral("severalValues2"))
            ->setText(QStringLiteral("pha-tiny, transformer-tiny"));
        dialog->findChild<QSpinBox*>(QStringLiteral("severalSeeds"))->setValue(2);
        QTRY_COMPARE(queue->text(), QStringLiteral("Queue 8 runs"));
        const auto names = dialog->findChild<QPlainTextEdit*>(QStringLiteral("severalList"))->toPlainText();
        QVERIFY2(names.startsWith(QStringLiteral("rates-lr0.001-pha-tiny-s1\n")), qPrintable(names));
        dialog->findChild<QPushButton*>(QStringLiteral("copySweep"))->click();
        const auto command = QGuiApplication::clipboard()->text();
        QVERIFY2(command.startsWith(QStringLiteral("pha sweep --name rates --preset")), qPrintable(command));
        QVERIFY2(command.contains(QStringLiteral("--grid 'learning_rate=0.001, 0.002'")), qPrintable(command));
        QGuiApplication::clipboard()->setText(QStringLiteral("kept"));
        QTest::keyClick(values, Qt::Key_Return);
        QCOMPARE(QGuiApplication::clipboard()->text(), QStringLiteral("kept"));
        QVERIFY(!dialog->isVisible());
        QCOMPARE(f.queue().size(), 8);
        f.controller().stop();
        QTRY_COMPARE(f.done.size(), 8);
        QCOMPARE(f.done.first(), QStringLiteral("rates-lr0.001-pha-tiny-s1"));
        const auto run = f.home.runs() / "rates-lr0.002-transformer-tiny-s2";
        const auto config = RunDirectory(run).read().config;
        QCOMPARE(config.training.learningRate, 0.002);
        QCOMPARE(config.training.steps, std::int64_t(10));
        QCOMPARE(config.training.seed, std::int64_t(2));
        QCOMPARE(config.preset, std::string("transformer-tiny"));
        QTRY_VERIFY(readAbout(run).tags == std::vector<std::string> { "rates" });
    }

    /// Which is the tag of the runs, too, and a tag is shorter than the name of a run may be.
    void aLongNameIsCutToWhatASweepMayBeCalled()
    {
        Fixture f;
        f.draft().setName(QString(90, QLatin1Char('n')));
        f.action("severalRuns")->trigger();
        auto* dialog = f.find<QDialog>("severalRuns");
        auto* name = dialog->findChild<QLineEdit*>(QStringLiteral("severalName"));
        const auto* message = dialog->findChild<QLabel*>(QStringLiteral("severalMessage"));
        QCOMPARE(name->text(), QString(60, QLatin1Char('n')));
        QVERIFY2(
            dialog->findChild<QPushButton*>(QStringLiteral("queueRuns"))->isEnabled(), qPrintable(message->text()));
        name->setText(QString(61, QLatin1Char('n')));
        QTRY_VERIFY2(
            message->text().startsWith(QStringLiteral("the name of the sweep is")), qPrintable(message->text()));
    }

    void theDialogIsReadInOrderAndLeftByEscape()
    {
        Fixture f;
        f.action("severalRuns")->trigger();
        auto* dialog = f.find<QDialog>("severalRuns");
        QVERIFY(QTest::qWaitForWindowActive(dialog));
        dialog->findChild<QLineEdit*>(QStringLiteral("severalName"))->setFocus();
        auto* second = dialog->findChild<QComboBox*>(QStringLiteral("severalKey2"));
        second->setCurrentIndex(second->findData(QStringLiteral("layers")));
        QTRY_VERIFY(dialog->findChild<QPushButton*>(QStringLiteral("queueRuns"))->isEnabled());
        QStringList order;
        for (int i = 0; i < 10; ++i) {
            auto* focus = dialog->focusWidget();
            QVERIFY(focus);
            QVERIFY2(!focus->accessibleName().isEmpty() || qobject_cast<QPushButton*>(focus),
                qPrintable(focus->objectName()));
            QVERIFY2(!focus->toolTip().isEmpty(), qPrintable(focus->objectName()));
            order << focus->objectName();
            QTest::keyClick(focus, Qt::Key_Tab);
        }
        QCOMPARE(order,
            QStringList({ "severalName", "severalKey1", "severalValues1", "severalKey2", "severalValues2",
                "severalSeeds", "severalList", "copySweep", "queueRuns", "severalCancel" }));
        QTest::keyClick(dialog, Qt::Key_Escape);
        QTRY_VERIFY(!f.find<QDialog>("severalRuns"));
        QCOMPARE(f.queue().size(), 0);
    }

    void theSameNamesWithOtherSettingsAreTold()
    {
        Fixture f;
        f.startLong();
        f.draft().setName(QStringLiteral("seeds"));
        const auto plan = [&](const char* steps) -> QDialog* {
            f.draft().setText("steps", QLatin1String(steps));
            f.action("severalRuns")->trigger();
            auto* dialog = f.window->findChildren<QDialog*>(QStringLiteral("severalRuns")).last();
            dialog->findChild<QComboBox*>(QStringLiteral("severalKey1"))->setCurrentIndex(0);
            dialog->findChild<QSpinBox*>(QStringLiteral("severalSeeds"))->setValue(2);
            auto* queue = dialog->findChild<QPushButton*>(QStringLiteral("queueRuns"));
            if (!QTest::qWaitFor([&] { return queue->text() == QStringLiteral("Queue 2 runs"); }, test::patience))
                qFatal("the dialog does not offer two runs");
            queue->click();
            return dialog;
        };
        plan("10");
        QCOMPARE(f.queue().size(), 2);
        const auto* banner = f.find<ErrorBanner>("errorBanner");
        plan("10"); // once more, which adds nothing
        QCOMPARE(f.queue().size(), 2);
        QVERIFY(!banner->isVisible());
        QVERIFY(f.window->statusBar()->currentMessage().contains(QStringLiteral("Nothing was added")));
        auto* dialog = plan("30");
        QCOMPARE(f.queue().size(), 2);
        QVERIFY(dialog->isVisible()); // with all that was typed, which is mended there
        const auto text = dialog->findChild<QLabel*>(QStringLiteral("severalMessage"))->text();
        QVERIFY2(text.contains(QStringLiteral("steps 10 instead of 30")), qPrintable(text));
        QVERIFY(!banner->isVisible());
        QCOMPARE(dialog->findChild<QSpinBox*>(QStringLiteral("severalSeeds"))->value(), 2);
        dialog->findChild<QLineEdit*>(QStringLiteral("severalName"))->setText(QStringLiteral("longer"));
        dialog->findChild<QPushButton*>(QStringLiteral("queueRuns"))->click();
        QVERIFY(!dialog->isVisible());
        QCOMPARE(f.queue().size(), 4);
    }

    void runsThatAreThereArePassedOver()
    {
        Fixture f;
        f.listen();
        f.draft().setText("steps", QStringLiteral("10"));
        f.draft().setName(QStringLiteral("seeds"));
        const auto open = [&](int seeds) {
            f.action("severalRuns")->trigger();
            auto* dialog = f.window->findChildren<QDialog*>(QStringLiteral("severalRuns")).last();
            dialog->findChild<QComboBox*>(QStringLiteral("severalKey1"))->setCurrentIndex(0);
            dialog->findChild<QSpinBox*>(QStringLiteral("severalSeeds"))->setValue(seeds);
            return dialog;
        };
        auto* first = open(2);
        auto* queue = first->findChild<QPushButton*>(QStringLiteral("queueRuns"));
        QTRY_COMPARE(queue->text(), QStringLiteral("Queue 2 runs"));
        queue->click();
        QTRY_COMPARE(f.done, QStringList({ "seeds-s1", "seeds-s2" }));
        QTRY_VERIFY(!f.controller().busy());
        auto* more = open(3);
        auto* again = more->findChild<QPushButton*>(QStringLiteral("queueRuns"));
        const auto* message = more->findChild<QLabel*>(QStringLiteral("severalMessage"));
        QTRY_VERIFY2(
            message->text().contains(QStringLiteral("2 of 3 runs are there already")), qPrintable(message->text()));
        QCOMPARE(again->text(), QStringLiteral("Queue 1 run"));
        again->click();
        QTRY_COMPARE(f.done.last(), QStringLiteral("seeds-s3"));
    }
};

PHA_TEST(RunQueueTest)
#include "run_queue_test.moc"
