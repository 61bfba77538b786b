// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_sketch.h"
#include "tests/suite.h"
#include "ui/look/theme.h"
#include "ui/runs/run_delegate.h"
#include "ui/runs/run_list_model.h"
#include "ui/runs/run_panel.h"

#include <QAbstractItemModelTester>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QSignalSpy>
#include <QTest>

#include <algorithm>
#include <fstream>

using namespace pha;
using namespace pha::ui;
using pha::test::sketch;

namespace {

/// A panel over a folder with two runs, which it has not been told of yet.
struct TwoRuns {
    const test::TestHome home;
    const fs::path old = sketch(home.runs(), "old one", "2026-01-01", 10),
                   fresh = sketch(home.runs(), "fresh one", "2026-02-01", 20);
    RunListModel model;
    RunPanel panel { &model };
    QListView* list = panel.findChild<QListView*>(QStringLiteral("runList"));
    QLineEdit* search = panel.findChild<QLineEdit*>(QStringLiteral("runSearch"));
    const QAbstractItemModelTester tester { list->model(), QAbstractItemModelTester::FailureReportingMode::QtTest };

    TwoRuns()
    {
        panel.resize(300, 500);
        panel.show();
    }
};

} // namespace

class RunListTest : public QObject {
    Q_OBJECT

private:
    static QModelIndex indexOf(const RunListModel& model, const fs::path& run) { return model.index(model.rowOf(run)); }

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void fiveHundredRunsAreListedWithoutOpeningThem()
    {
        const test::TestHome home;
        for (int n = 0; n < 500; ++n) sketch(home.runs(), std::to_string(n), "2026-01-01T00:00:00Z", n + 1);
        RunListModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        QSignalSpy done(&model, &RunListModel::scanFinished);
        QElapsedTimer clock;
        clock.start();
        model.setFolder(home.runs());
        QTRY_COMPARE(done.count(), 1);
        qInfo("500 runs listed in %lld ms", clock.elapsed());
        QCOMPARE(model.rowCount(), 500);
        const auto& s = model.summary(model.rowOf(home.runs() / "41"));
        QCOMPARE(s.step, std::int64_t(42));
        QCOMPARE(s.state, RunState::Finished);
        QVERIFY(s.text().contains(QStringLiteral("ppl")));
        QVERIFY(!model.session(home.runs() / "41"));
    }

    void aFolderIsTheSameHoweverItIsWritten()
    {
        const test::TestHome home;
        const auto a = sketch(home.runs(), "a", "2026-01-01T00:00:00Z", 10);
        for (const auto& folder : { home.runs() / "", home.path() / "." / "runs", home.runs() / ".." / "runs" }) {
            RunListModel model;
            model.setFolder(folder);
            model.open(a);
            QTRY_VERIFY(model.scanned());
            QTRY_COMPARE((model.rescan(), model.rowCount()), 1);
            QCOMPARE(model.folder(), home.runs());
        }
    }

    void newGoneAndChangedRunsAreNoticed()
    {
        const test::TestHome home;
        const auto a = sketch(home.runs(), "a", "2026-01-01T00:00:00Z", 10);
        RunListModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 1);
        const auto b = sketch(home.runs(), "b", "2026-01-02T00:00:00Z", 20);
        fs::create_directories(home.runs() / "not a run");
        QTRY_COMPARE((model.rescan(), model.rowCount()), 2);
        sketch(home.runs(), "a", "2026-01-01T00:00:00Z", 77777);
        QTRY_COMPARE((model.rescan(), model.summary(model.rowOf(a)).step), std::int64_t(77777));
        fs::remove_all(b);
        QTRY_COMPARE((model.rescan(), model.rowCount()), 1);
    }

    void hostileFilesAreRows()
    {
        const test::TestHome home;
        sketch(home.runs(), "good", "", 5);
        const auto bad = sketch(home.runs(), "bad\n<b>name<b>", "", 5);
        std::ofstream(bad / "run.json") << "[1,2";
        const auto torn = sketch(home.runs(), "torn", "", 5);
        std::ofstream(torn / "metrics.jsonl")
            << "garbage\n{\"type\":\"step\"}\n{\"type\":5}\n[]\n{\"type\":\"step\",\"st";
        RunListModel model;
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 3);
        QCOMPARE(model.summary(model.rowOf(bad)).state, RunState::Failed);
        QVERIFY(!model.summary(model.rowOf(bad)).name.contains(QLatin1Char('\n')));
        const auto tip = indexOf(model, bad).data(Qt::ToolTipRole).toString();
        QVERIFY(!tip.contains(QStringLiteral("<b>"))); // shown as it is, not as markup
    }

    void ticksChooseWhatIsShown()
    {
        const test::TestHome home;
        const auto a = sketch(home.runs(), "a", "1", 10), b = sketch(home.runs(), "b", "2", 20);
        RunListModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 2);
        QSignalSpy shown(&model, &RunListModel::shownChanged);
        QVERIFY(model.setData(indexOf(model, b), Qt::Checked, Qt::CheckStateRole));
        QVERIFY(model.setData(indexOf(model, a), Qt::Checked, Qt::CheckStateRole));
        QCOMPARE(shown.count(), 2);
        QCOMPARE(model.shown(), (QVector<RunSession*> { model.session(b), model.session(a) }));
        QCOMPARE(indexOf(model, b).data(RunListModel::ColourRole).toInt(), 0);
        QCOMPARE(indexOf(model, a).data(RunListModel::ColourRole).toInt(), 1);
        model.setSharedColours({ { a, 0 } }); // one curve with b
        QCOMPARE(indexOf(model, a).data(RunListModel::ColourRole).toInt(), 0);
        model.setSharedColours({});
        QCOMPARE(indexOf(model, a).data(RunListModel::ColourRole).toInt(), 1);
        QSignalSpy closing(&model, &RunListModel::sessionClosing);
        model.forget(b);
        QCOMPARE(closing.count(), 1);
        QCOMPARE(model.shown().size(), 1);
    }

    void longSessionsAreClosedEarlier()
    {
        const test::TestHome home;
        std::vector<fs::path> all;
        for (int n = 0; n < 4; ++n) all.push_back(sketch(home.runs(), std::to_string(n), "2026-01-01", n + 1));
        RunListModel model;
        model.setMostRows(2); // there is one update in each of them
        model.setFolder(home.runs());
        QTRY_VERIFY(model.scanned());
        model.setShown(all[0], true);
        for (const auto& run : all) model.open(run);
        QTRY_VERIFY(!model.session(all[1]));
        QVERIFY(model.session(all[0])); // it is ticked
        QVERIFY(model.session(all[2]) && model.session(all[3]));
        QTRY_VERIFY(!model.session(all[2])->loading() && !model.session(all[3])->loading());
        QVERIFY(model.session(all[2]) && model.session(all[3]));
        QTRY_COMPARE(model.open(all[1])->step(), std::int64_t(2)); // and read once more
        QTRY_VERIFY(!model.session(all[2]));
    }

    void sessionsOfLongAgoAreClosed()
    {
        const test::TestHome home;
        std::vector<fs::path> all;
        for (int n = 0; n < 24; ++n) all.push_back(sketch(home.runs(), std::to_string(n), "2026-01-01", n + 1));
        RunListModel model;
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        model.setFolder(home.runs());
        QTRY_VERIFY(model.scanned());
        QCOMPARE(model.rowCount(), 24);
        model.setInUse([&](const RunSession* session) { return session->directory() == all[1]; });
        model.setShown(all[0], true);
        for (const auto& run : all) model.open(run);
        const auto* first = model.open(all[2]); // asked for again: not one of the oldest
        const auto open = [&] {
            return std::count_if(all.begin(), all.end(), [&](const auto& run) { return model.session(run); });
        };
        QTRY_COMPARE(open(), std::ptrdiff_t(18)); // the last 16, the ticked one, the one in use
        QVERIFY(model.session(all[0]) && model.session(all[1]) && model.session(all.back()));
        QCOMPARE(model.session(all[2]), first);
        QVERIFY(!model.session(all[3]));
        QCOMPARE(model.rowCount(), 24);
        QCOMPARE(model.summary(model.rowOf(all[3])).step, std::int64_t(4));
        QTRY_COMPARE(model.open(all[3])->step(), std::int64_t(4)); // and read once more
        QVERIFY(model.session(all[3]));
    }

    void renameIsWritten()
    {
        const test::TestHome home;
        const auto a = sketch(home.runs(), "a", "1", 10);
        RunListModel model;
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 1);
        QVERIFY(!model.setData(indexOf(model, a), QStringLiteral("  \n "), Qt::EditRole));
        QVERIFY(model.setData(indexOf(model, a), QStringLiteral("Größer & besser"), Qt::EditRole));
        QTRY_COMPARE(indexOf(model, a).data().toString(), QStringLiteral("Größer & besser"));
        QTRY_COMPARE(QString::fromStdString(RunDirectory(a).read().name), QStringLiteral("Größer & besser"));
    }

    void panelSearchesSortsAndSelects()
    {
        TwoRuns two;
        auto& [home, old, fresh, model, panel, list, search, tester] = two;
        QVERIFY(panel.findChild<QWidget*>(QStringLiteral("runsEmpty"))->isVisible());
        model.setFolder(home.runs());
        QTRY_COMPARE(list->model()->rowCount(), 2);
        QCOMPARE(list->model()->index(0, 0).data().toString(), QStringLiteral("fresh one")); // newest first
        QSignalSpy current(&panel, &RunPanel::currentChanged);
        panel.select(old);
        QCOMPARE(panel.current(), std::optional(old));
        QVERIFY(current.count() > 0);
        QTest::keyClicks(search, QStringLiteral("one FRESH"));
        QCOMPARE(list->model()->rowCount(), 1);
        QTest::keyClicks(search, QStringLiteral(" zzz"));
        QVERIFY(panel.findChild<QWidget*>(QStringLiteral("runsEmpty"))->isVisible());
        panel.select(old); // asked for by name: the search gives way
        QCOMPARE(search->text(), QString());
        QCOMPARE(panel.current(), std::optional(old));
    }

    void aFolderThatCannotBeListedIsNotAnEmptyOne()
    {
        TwoRuns two;
        auto& [home, old, fresh, model, panel, list, search, tester] = two;
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 2);
        const auto aside = home.path() / "aside", runs = home.runs();
        fs::rename(runs, aside);
        std::ofstream(runs) << "a file";
        QTRY_VERIFY((model.rescan(), !model.folderProblem().isEmpty()));
        QCOMPARE(model.rowCount(), 2); // they may still be there
        model.setFolder(home.path());
        model.setFolder(runs);
        QTRY_VERIFY(model.scanned());
        const auto* words = panel.findChild<QLabel*>(QStringLiteral("runsEmpty"));
        QTRY_VERIFY2(words->text().contains(QStringLiteral("cannot be listed")), qPrintable(words->text()));
        fs::remove(runs);
        fs::rename(aside, runs);
        QTRY_COMPARE((model.rescan(), model.rowCount()), 2);
        QVERIFY(model.folderProblem().isEmpty());
    }

    void theRunThatGoesIsCountedNoMore()
    {
        TwoRuns two;
        auto& [home, old, fresh, model, panel, list, search, tester] = two;
        model.setFolder(home.runs());
        QTRY_COMPARE(list->model()->rowCount(), 2);
        const auto* words = panel.findChild<QLabel*>(QStringLiteral("runsEmpty"));
        const auto* count = panel.findChild<QLabel*>(QStringLiteral("runCount"));
        QVERIFY2(count->text().startsWith(QStringLiteral("2 runs")), qPrintable(count->text()));
        model.forget(old);
        QVERIFY2(count->text().startsWith(QStringLiteral("1 run;")), qPrintable(count->text()));
        model.forget(fresh);
        QVERIFY2(words->text().startsWith(QStringLiteral("No runs yet")), qPrintable(words->text()));
        QVERIFY(words->isVisible());
        QVERIFY(!count->isVisible());
    }

    void searchingLeavesTheSelectedRunSelected()
    {
        TwoRuns two;
        auto& [home, old, fresh, model, panel, list, search, tester] = two;
        model.setFolder(home.runs());
        QTRY_COMPARE(list->model()->rowCount(), 2);
        panel.select(old);
        QSignalSpy current(&panel, &RunPanel::currentChanged);
        search->setText(QStringLiteral("fresh"));
        QCOMPARE(list->model()->rowCount(), 1);
        QCOMPARE(current.count(), 0);
        QCOMPARE(panel.current(), std::optional(old));
        QVERIFY(!list->currentIndex().isValid()); // no other row looks selected
        search->setText(QStringLiteral("zzz"));
        QCOMPARE(list->model()->rowCount(), 0);
        QCOMPARE(panel.current(), std::optional(old));
        QCOMPARE(current.count(), 0);
        search->clear();
        QCOMPARE(list->currentIndex().data().toString(), QStringLiteral("old one"));
        QCOMPARE(panel.current(), std::optional(old));
        // What is clicked meanwhile is selected, and stays so.
        search->setText(QStringLiteral("fresh"));
        const auto row = list->visualRect(list->model()->index(0, 0));
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, row.center());
        QCOMPARE(panel.current(), std::optional(fresh));
        search->clear();
        QCOMPARE(panel.current(), std::optional(fresh));
        // One that is hidden and then goes altogether is no longer selected.
        search->setText(QStringLiteral("old"));
        QCOMPARE(panel.current(), std::optional(fresh));
        current.clear();
        model.forget(fresh);
        QCOMPARE(panel.current(), std::nullopt);
        QCOMPARE(current.count(), 1);
    }

    void rowsAreTickedAndRenamedInPlace()
    {
        const test::TestHome home;
        const auto a = sketch(home.runs(), "a", "1", 10);
        RunListModel model;
        RunPanel panel(&model);
        panel.resize(300, 500);
        panel.show();
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 1);
        auto* list = panel.findChild<QListView*>(QStringLiteral("runList"));
        QVERIFY(list->grab().width() > 0); // the delegate paints
        const auto row = list->visualRect(list->model()->index(0, 0));
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, row.topLeft() + QPoint(16, 14));
        QCOMPARE(model.shown().size(), 1);
        panel.select(a);
        QTest::keyClick(list, Qt::Key_Space);
        QCOMPARE(model.shown().size(), 0);
        panel.renameCurrent();
        auto* editor = list->findChild<QLineEdit*>(QStringLiteral("runNameEdit"));
        QVERIFY(editor);
        editor->selectAll();
        QTest::keyClicks(editor, QStringLiteral("better name"));
        Q_EMIT model.dataChanged(model.index(0), model.index(0)); // as a run that trains does all the time
        QTest::keyClick(editor, Qt::Key_Return);
        QTRY_COMPARE(list->model()->index(0, 0).data().toString(), QStringLiteral("better name"));
    }

    void theTimeThatIsLeftNeverCutsTheName()
    {
        RunSummary run;
        run.name = QStringLiteral("demo");
        run.state = RunState::Running;
        run.step = 20, run.steps = 380;
        run.secondsLeft = 23 * 60 + 25;
        QStyleOptionViewItem option;
        option.fontMetrics = QFontMetrics(option.font);
        QStringList times;
        for (int width = 600; width > 0; width -= 4) {
            option.rect = QRect(0, 0, width, 50);
            const auto words = RunDelegate::words(run, option);
            const auto time =
                words.time.isEmpty() ? words.figures.section(QStringLiteral(" \u00b7 "), 0, 0) : words.time;
            if (times.isEmpty() || times.back() != time) times << time;
            if (words.time.isEmpty()) {
                QCOMPARE(words.figures, QStringLiteral("23 min left \u00b7 20/380"));
                QCOMPARE(words.name, run.name); // there is more room for it than before
                break;
            }
            QCOMPARE(words.name, run.name);
            QCOMPARE(words.figures, QStringLiteral("20/380"));
        }
        QCOMPARE(times, (QStringList { QStringLiteral("23 min 25 s left"), QStringLiteral("23 min left") }));
    }

    /// The editor of a row that goes hands its text over while the filter is at work on that row.
    void aRunWhoseNameIsBeingEditedMayBePutAway()
    {
        const test::TestHome home;
        RunListModel model;
        RunPanel panel(&model);
        panel.resize(300, 500);
        panel.show();
        QVERIFY(QTest::qWaitForWindowExposed(&panel));
        std::vector<fs::path> runs;
        for (int n = 0; n < 5; ++n) runs.push_back(sketch(home.runs(), std::to_string(n), std::to_string(n), 10));
        model.setFolder(home.runs());
        QTRY_COMPARE(model.rowCount(), 5);
        auto* list = panel.findChild<QListView*>(QStringLiteral("runList"));
        AboutChange away;
        away.archived = true;
        for (const auto& run : runs) {
            panel.select(run);
            panel.renameCurrent();
            auto* editor = list->findChild<QLineEdit*>(QStringLiteral("runNameEdit"));
            QVERIFY(editor);
            editor->setFocus();
            QTest::keyClicks(editor, QStringLiteral("new name"));
            model.changeAbout(run, away);
            QCoreApplication::processEvents();
            QCoreApplication::sendPostedEvents(nullptr, QEvent::DeferredDelete);
        }
        QCOMPARE(list->model()->rowCount(), 0);
    }

    void rowsComeAndGoWhileTheListIsSearchedAndSorted()
    {
        const test::TestHome home;
        RunListModel model;
        RunPanel panel(&model);
        const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
        auto* list = panel.findChild<QListView*>(QStringLiteral("runList"));
        const QAbstractItemModelTester proxy(list->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        auto* search = panel.findChild<QLineEdit*>(QStringLiteral("runSearch"));
        for (int n = 0; n < 60; ++n) {
            const auto run = home.runs() / (std::to_string(n) + "r");
            RunFile file { run.filename().string(), std::to_string(n), {}, Json::object() };
            auto* session = model.plan(run, file);
            session->receive(
                { StatusEvent { 0, n % 2 ? RunState::Running : RunState::Finished, {} }, test::fakeStep(n, {}) });
            search->setText(n % 5 ? QStringLiteral("r") : QStringLiteral("1"));
            if (n % 4 == 0) model.setShown(run, true);
            if (n % 3 == 0) model.forget(run);
        }
        QCOMPARE(model.rowCount(), 40);
        QCoreApplication::processEvents();
    }
};

PHA_TEST(RunListTest)
#include "run_list_test.moc"
