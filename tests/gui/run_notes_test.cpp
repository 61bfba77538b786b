// SPDX-License-Identifier: GPL-3.0-or-later
// Notes, tags, the archive and the search of the run list.
#include "engine/run/run_about.h"
#include "run_sketch.h"
#include "tests/suite.h"
#include "ui/look/theme.h"
#include "ui/runs/run_about_editor.h"
#include "ui/runs/run_list_model.h"
#include "ui/runs/run_panel.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QAbstractItemModelTester>
#include <QAction>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

using namespace pha;
using namespace pha::ui;
using pha::test::sketch;

namespace {

void tag(const fs::path& run, const std::string& name)
{
    AboutChange change;
    change.addTags = { name };
    changeAbout(run, change);
}
void archive(const fs::path& run)
{
    AboutChange change;
    change.archived = true;
    changeAbout(run, change);
}

} // namespace

class RunNotesTest : public QObject {
    Q_OBJECT

private:
    /// A list of runs "a" (the oldest), "b" and "c".
    struct Fixture {
        test::TestHome home;
        fs::path a, b, c;
        RunListModel model;
        RunPanel panel { &model };
        QAbstractItemModelTester tester { &model, QAbstractItemModelTester::FailureReportingMode::QtTest };
        QListView* list = panel.findChild<QListView*>(QStringLiteral("runList"));
        QLineEdit* search = panel.findChild<QLineEdit*>(QStringLiteral("runSearch"));
        QPushButton* fold = panel.findChild<QPushButton*>(QStringLiteral("runArchive"));
        QPlainTextEdit* notes = panel.findChild<QPlainTextEdit*>(QStringLiteral("aboutNotes"));
        QLineEdit* tags = panel.findChild<QLineEdit*>(QStringLiteral("aboutTags"));

        explicit Fixture(const std::function<void(Fixture&)>& before = {})
        {
            a = sketch(home.runs(), "a", "2026-01-01T00:00:00Z", 10);
            b = sketch(home.runs(), "b", "2026-01-02T00:00:00Z", 200);
            c = sketch(home.runs(), "c", "2026-01-03T00:00:00Z", 3000);
            if (before) before(*this);
            panel.resize(260, 500);
            panel.show();
            QVERIFY(QTest::qWaitForWindowExposed(&panel, test::patience));
            model.setFolder(home.runs());
            QTRY_COMPARE(model.rowCount(), 3);
            QTRY_VERIFY(model.scanned());
        }
        QString listed() const
        {
            QStringList names;
            for (int row = 0; row < list->model()->rowCount(); ++row)
                names << list->model()->index(row, 0).data().toString();
            return names.join(QLatin1Char(' '));
        }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void theSearchTakesWordsAndTerms()
    {
        Fixture f([](Fixture& x) { tag(x.b, "wt2"); });
        QCOMPARE(f.listed(), QStringLiteral("c b a"));
        f.search->setText(QStringLiteral("tag:wt2"));
        QCOMPARE(f.listed(), QStringLiteral("b"));
        f.search->setText(QStringLiteral("step>=200 -tag:wt2"));
        QCOMPARE(f.listed(), QStringLiteral("c"));
        f.search->setText(QStringLiteral("WT2"));
        QCOMPARE(f.listed(), QStringLiteral("b"));
        tag(f.a, "wt2"); // by another program
        QTRY_COMPARE((f.model.rescan(), f.listed()), QStringLiteral("b a"));
    }

    void aBadSearchSaysWhatIsWrongAndHidesNothing()
    {
        Fixture f;
        auto* problem = f.panel.findChild<QLabel*>(QStringLiteral("runSearchProblem"));
        QVERIFY(!problem->isVisible());
        f.search->setText(QStringLiteral("b loss<"));
        QVERIFY(problem->isVisible());
        QVERIFY(problem->text().contains(QStringLiteral("nothing stands after loss<")));
        QCOMPARE(f.listed(), QStringLiteral("c b a"));
        f.search->setText(QStringLiteral("b loss<99"));
        QVERIFY(!problem->isVisible());
        QCOMPARE(f.listed(), QStringLiteral("b"));
    }

    void theArchiveIsFoldedAway()
    {
        Fixture f([](Fixture& x) { archive(x.c); });
        QCOMPARE(f.listed(), QStringLiteral("b a"));
        QVERIFY(f.fold->isVisible());
        QCOMPARE(f.fold->text(), QStringLiteral("Archive (1)"));
        f.fold->click();
        QCOMPARE(f.listed(), QStringLiteral("b a c")); // at the end, though it is the newest
        f.fold->click();
        QCOMPARE(f.listed(), QStringLiteral("b a"));
        f.search->setText(QStringLiteral("a"));
        QCOMPARE(f.fold->text(), QStringLiteral("Archive (1 of 1)")); // its preset has one
        f.panel.select(f.c); // asked for by name: search and archive give way
        QCOMPARE(f.panel.current(), std::optional(f.c));
        QVERIFY(f.fold->isChecked());
        AboutChange back;
        back.archived = false;
        f.model.changeAbout(f.c, back);
        QVERIFY(!f.fold->isVisible());
        QTRY_VERIFY(!readAbout(f.c).archived);
    }

    void whatIsTypedIsKept()
    {
        Fixture f;
        f.panel.select(f.b);
        f.panel.editAbout();
        QVERIFY(f.notes->hasFocus());
        QTest::keyClicks(f.notes, QStringLiteral("lr too high?"));
        QTRY_COMPARE(readAbout(f.b).notes, std::string("lr too high?")); // nothing was confirmed
        QTest::keyClick(f.notes, Qt::Key_Z, Qt::ControlModifier);
        QVERIFY(f.notes->toPlainText() != QStringLiteral("lr too high?"));
        QTRY_VERIFY(readAbout(f.b).notes != "lr too high?");
        QTest::keyClick(f.notes, Qt::Key_Z, Qt::ControlModifier | Qt::ShiftModifier);
        QTest::keyClicks(f.notes, QStringLiteral(" Yes."));
        QTest::keyClicks(f.tags, QStringLiteral("wt2, paper"));
        f.panel.select(f.a); // at once, before any timer
        QCOMPARE(f.model.summary(f.model.rowOf(f.b)).about.tags, (std::vector<std::string> { "wt2", "paper" }));
        QVERIFY(f.notes->toPlainText().isEmpty());
        QTRY_COMPARE(readAbout(f.b).tags.size(), std::size_t(2));
        QTRY_COMPARE(readAbout(f.b).notes, std::string("lr too high? Yes."));
        QVERIFY(!fs::exists(aboutFile(f.a))); // looking is not writing
        f.panel.select(f.b);
        QCOMPARE(f.tags->text(), QStringLiteral("wt2, paper"));
        f.tags->setText(QStringLiteral("paper new"));
        QTest::keyClick(f.tags, Qt::Key_Return);
        QTRY_COMPARE(readAbout(f.b).tags, (std::vector<std::string> { "paper", "new" }));
        QTest::keyClicks(f.notes, QStringLiteral("!"));
        QTest::keyClick(f.notes, Qt::Key_Escape);
        QVERIFY(!f.notes->isVisible());
        QTRY_VERIFY(readAbout(f.b).notes.find('!') != std::string::npos);
    }

    void aTagThatCannotBeOneIsToldAndNothingIsLost()
    {
        Fixture f;
        f.panel.select(f.b);
        f.panel.editAbout();
        auto* problem = f.panel.findChild<QLabel*>(QStringLiteral("aboutProblem"));
        f.tags->setText(QStringLiteral("-bad"));
        QTest::keyClick(f.tags, Qt::Key_Return);
        QVERIFY(problem->isVisible());
        QCOMPARE(f.tags->text(), QStringLiteral("-bad"));
        f.tags->setText(QStringLiteral("good"));
        QTest::keyClick(f.tags, Qt::Key_Return);
        QVERIFY(!problem->isVisible());
        QTRY_COMPARE(readAbout(f.b).tags, (std::vector<std::string> { "good" }));
        QTest::keyClicks(f.notes, QStringLiteral("why"));
        f.tags->setText(QStringLiteral("+wt2"));
        f.panel.select(f.a); // the notes are kept without the tag
        QTRY_COMPARE(readAbout(f.b).notes, std::string("why"));
        QCOMPARE(readAbout(f.b).tags, (std::vector<std::string> { "good" }));
    }

    void anotherProgramsNotesAreShownUnlessSomebodyTypes()
    {
        Fixture f;
        f.panel.select(f.b);
        f.panel.editAbout();
        tag(f.b, "fromOutside");
        QTRY_COMPARE((f.model.rescan(), f.tags->text()), QStringLiteral("fromOutside"));
        f.tags->setText(QStringLiteral("fromOutside, mine"));
        tag(f.b, "another");
        QTRY_VERIFY((f.model.rescan(), f.model.summary(f.model.rowOf(f.b)).about.tags.size() == 2));
        QCOMPARE(f.tags->text(), QStringLiteral("fromOutside, mine"));
        QTest::keyClick(f.tags, Qt::Key_Return);
        QTRY_COMPARE(readAbout(f.b).tags, (std::vector<std::string> { "fromOutside", "another", "mine" }));
    }

    void whatCannotBeWrittenIsTold()
    {
        Fixture f;
        QSignalSpy failed(&f.model, &RunListModel::failed);
        fs::create_directories(aboutFile(f.b) / "a folder where the file should be");
        f.panel.select(f.b);
        f.panel.editAbout();
        QTest::keyClicks(f.notes, QStringLiteral("lost?"));
        f.panel.select(f.a);
        QTRY_COMPARE(failed.count(), 1);
        QVERIFY(failed[0][0].toString().contains(QStringLiteral("about.json")));
    }

    void whatCannotBeWrittenStaysInTheField()
    {
        Fixture f;
        QSignalSpy failed(&f.model, &RunListModel::failed);
        const auto obstacle = aboutFile(f.b) / "a folder where the file should be";
        fs::create_directories(obstacle);
        f.panel.select(f.b);
        f.panel.editAbout();
        QTest::keyClicks(f.notes, QStringLiteral("lost?"));
        QTRY_COMPARE(failed.count(), 1);
        QCOMPARE(f.notes->toPlainText(), QStringLiteral("lost?"));
        f.model.rescan();
        QCOMPARE(f.notes->toPlainText(), QStringLiteral("lost?"));
        fs::remove_all(aboutFile(f.b));
        f.panel.select(f.a); // kept once more
        QTRY_COMPARE(readAbout(f.b).notes, std::string("lost?"));
    }

    void notesOfARunThatIsBeingPreparedAreKept()
    {
        Fixture f;
        QSignalSpy failed(&f.model, &RunListModel::failed);
        const auto request = f.home.request("new", 20);
        const RunFile file { "new", "2026-01-04T00:00:00Z", request.config, Json::object() };
        auto* session = f.model.plan(request.directory, file);
        session->setPlace(1);
        f.panel.select(request.directory);
        f.panel.editAbout();
        QVERIFY(!f.notes->isEnabled() && !f.tags->isEnabled()); // it may wait longer than this window is open
        session->setPlace(0);
        session->prepare();
        QVERIFY(f.notes->isEnabled() && f.tags->isEnabled());
        f.notes->setPlainText(QStringLiteral("why"));
        f.notes->document()->setModified(true);
        f.tags->setText(QStringLiteral("wt2"));
        f.panel.select(f.a);
        f.panel.select(request.directory);
        QCOMPARE(f.notes->toPlainText(), QStringLiteral("why"));
        QCOMPARE(f.tags->text(), QStringLiteral("wt2"));
        RunDirectory(request.directory).create(file);
        test::FakeOptions options;
        options.writeFiles = false;
        session->attach(test::makeFakeJob(request, options, std::make_shared<test::FakeCounters>()));
        QTRY_COMPARE(readAbout(request.directory).notes, std::string("why"));
        QTRY_COMPARE(readAbout(request.directory).tags, (std::vector<std::string> { "wt2" }));
        QCOMPARE(failed.count(), 0);
        QCOMPARE(f.notes->toPlainText(), QStringLiteral("why"));
        session->detach();
    }

    void theWindowArchivesAndTakesBack()
    {
        test::TestHome home;
        test::FakeEngine engine;
        const auto a = sketch(home.runs(), "a", "2026-01-01T00:00:00Z", 10),
                   b = sketch(home.runs(), "b", "2026-01-02T00:00:00Z", 20);
        WindowParts parts;
        parts.engine = [&]() -> Engine& { return engine; };
        parts.runsFolder = home.runs();
        const auto made = test::makeWindow(std::move(parts));
        auto& window = *made;
        window.show();
        QTRY_VERIFY(window.currentSession() && window.currentSession()->directory() == b);
        window.runs().setShown(b, true);
        auto* archiving = window.findChild<QAction*>(QStringLiteral("archiveRun"));
        auto* back = window.findChild<QAction*>(QStringLiteral("putBackRun"));
        QVERIFY(!back->isEnabled());
        archiving->trigger();
        QTRY_COMPARE(window.currentSession()->directory(), a); // the next one
        QTRY_VERIFY(readAbout(b).archived);
        QVERIFY(window.runs().shown().isEmpty());
        QVERIFY(fs::exists(b / "run.json"));
        back->trigger();
        QTRY_VERIFY(!readAbout(b).archived);
        QCOMPARE(window.currentSession()->directory(), b);
        QCOMPARE(window.runs().shown().size(), 1);
        QVERIFY(!back->isEnabled());
        archiving->trigger();
        window.openRun(b);
        QVERIFY(archiving->text().contains(QStringLiteral("out of")));
        archiving->trigger();
        QTRY_VERIFY(!readAbout(b).archived);
        window.findChild<QAction*>(QStringLiteral("editAbout"))->trigger();
        QVERIFY(window.findChild<RunAboutEditor*>()->isVisible());
        window.findChild<QAction*>(QStringLiteral("editAbout"))->trigger();
        QVERIFY(!window.findChild<RunAboutEditor*>()->isVisible());
    }

    void closingTheWindowKeepsWhatIsTyped()
    {
        test::TestHome home;
        test::FakeEngine engine;
        const auto a = sketch(home.runs(), "a", "2026-01-01T00:00:00Z", 10);
        {
            WindowParts parts;
            parts.engine = [&]() -> Engine& { return engine; };
            parts.runsFolder = home.runs();
            const auto made = test::makeWindow(std::move(parts));
            auto& window = *made;
            window.show();
            QTRY_VERIFY(window.currentSession());
            window.findChild<QAction*>(QStringLiteral("editAbout"))->trigger();
            QTest::keyClicks(
                window.findChild<QPlainTextEdit*>(QStringLiteral("aboutNotes")), QStringLiteral("last words"));
            window.close();
        }
        QCOMPARE(readAbout(a).notes, std::string("last words"));
    }
};

PHA_TEST(RunNotesTest)
#include "run_notes_test.moc"
