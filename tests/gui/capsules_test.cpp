// SPDX-License-Identifier: GPL-3.0-or-later
// Runs as single files in the window: written, opened from the menu, by a drop and by their name.
#include "engine/run/capsule.h"
#include "run_sketch.h"
#include "tests/suite.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/window/main_window.h"
#include "ui/work/capsule_work.h"
#include "window_fixture.h"

#include <QAction>
#include <QDropEvent>
#include <QLabel>
#include <QMimeData>
#include <QSignalSpy>
#include <QTest>

using namespace pha;
using namespace pha::ui;
using pha::test::sketch;

class CapsulesTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        test::FakeEngine engine;
        QString opened, saved;
        QStringList questions;
        bool answer = false;
        std::unique_ptr<MainWindow> window;

        Fixture()
        {
            sketch(home.runs(), "first", "2026-01-01T00:00:00Z", 10);
            WindowParts parts;
            parts.engine = [this]() -> Engine& { return engine; };
            parts.runsFolder = home.runs();
            parts.dialogs.confirm = [this](QWidget*, const QString&, const QString& text, const QString&) {
                return questions << text, answer;
            };
            parts.dialogs.openFile = [this](QWidget*, const QString&, const QString&) { return opened; };
            parts.dialogs.saveFile = [this](QWidget*, const QString&, const QString&, const QString& suggestion) {
                return saved.isEmpty() ? suggestion : saved;
            };
            window = test::makeWindow(std::move(parts));
            window->show();
            QTRY_VERIFY(window->currentSession());
        }
        fs::path capsule(const std::string& name = "given.pha")
        {
            auto file = home.path() / name;
            SilentSink nobody;
            writeCapsule(home.runs() / "first", file, {}, nobody, {});
            return file;
        }
        QString current() const { return fromPath(window->currentSession()->directory().filename()); }
        QAction* action(const char* name) const { return window->findChild<QAction*>(QLatin1String(name)); }
        QString error() const
        {
            const auto* banner = window->findChild<QWidget*>(QStringLiteral("errorBanner"));
            return banner->isVisible() ? window->findChild<QLabel*>(QStringLiteral("errorText"))->text() : QString();
        }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void aRunIsWrittenAndOpenedAgain()
    {
        Fixture f;
        f.saved = fromPath(f.home.path() / "mine"); // without the ending
        QSignalSpy packed(f.window->findChild<CapsuleWork*>(), &CapsuleWork::packed);
        f.action("exportCapsule")->trigger();
        QTRY_COMPARE(packed.count(), 1);
        const auto file = f.home.path() / "mine.pha";
        QCOMPARE(readCapsule(file).name, std::string("first"));
        // A name that the dialog did not ask about is not replaced.
        f.action("exportCapsule")->trigger();
        QTRY_VERIFY(f.error().contains(QStringLiteral("exists")));
        f.saved = fromPath(file);
        f.action("exportCapsule")->trigger();
        QTRY_COMPARE(packed.count(), 2);
        f.opened = fromPath(file);
        f.action("openCapsule")->trigger();
        QTRY_COMPARE(f.current(), QStringLiteral("first-2"));
        QCOMPARE(f.window->currentSession()->directory().parent_path(), f.home.runs());
        QTRY_COMPARE(f.window->currentSession()->step(), 10);
    }

    void itOpensByNameAsARunDoes()
    {
        Fixture f;
        f.window->openRun(f.capsule()); // as from the command line or the file manager
        QTRY_COMPARE(f.current(), QStringLiteral("first-2"));
    }

    void itOpensWhereItIsDropped()
    {
        Fixture f;
        QMimeData data;
        data.setUrls({ QUrl::fromLocalFile(fromPath(f.capsule())) });
        QDragEnterEvent enter(QPoint(200, 200), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(f.window.get(), &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent drop(QPointF(200, 200), Qt::CopyAction, &data, Qt::LeftButton, Qt::NoModifier);
        QCoreApplication::sendEvent(f.window.get(), &drop);
        QTRY_COMPARE(f.current(), QStringLiteral("first-2"));
        QMimeData other;
        other.setUrls({ QUrl::fromLocalFile(fromPath(f.home.path())) });
        QDragEnterEvent foreign(QPoint(200, 200), Qt::CopyAction, &other, Qt::LeftButton, Qt::NoModifier);
        foreign.ignore();
        QCoreApplication::sendEvent(f.window.get(), &foreign);
        QVERIFY(!foreign.isAccepted());
    }

    void aDamagedOneIsToldAndLeavesNothing()
    {
        Fixture f;
        const auto file = f.capsule();
        fs::resize_file(file, 3000);
        f.window->openRun(file);
        QTRY_VERIFY(f.error().contains(QStringLiteral("is cut off")));
        QCOMPARE(f.current(), QStringLiteral("first"));
        QCOMPARE(std::distance(fs::directory_iterator(f.home.runs()), fs::directory_iterator()), 1);
    }

    void closingAsksBeforeItStopsOne()
    {
        Fixture f;
        std::ofstream(f.home.runs() / "first" / "tokenizer.model") << std::string(40 << 20, 't');
        f.window->openRun(f.capsule());
        f.window->close();
        QVERIFY(f.window->isVisible());
        QCOMPARE(f.questions.size(), 1);
        QVERIFY2(
            f.questions.first().startsWith(QStringLiteral("Unpacking given.pha")), qPrintable(f.questions.first()));
        QTRY_COMPARE(f.current(), QStringLiteral("first-2")); // the answer was no
        f.window->close();
        QCOMPARE(f.questions.size(), 1);
        QVERIFY(!f.window->isVisible());
    }

    void theWindowMayGoMeanwhile()
    {
        Fixture f;
        std::ofstream(f.home.runs() / "first" / "tokenizer.model") << std::string(40 << 20, 't');
        const auto file = f.capsule();
        f.window->openRun(file);
        f.window.reset();
        for (const auto& entry : fs::directory_iterator(f.home.runs()))
            QVERIFY(RunDirectory(entry.path()).exists() && !entry.path().filename().string().starts_with('.'));
    }
};

PHA_TEST(CapsulesTest)
#include "capsules_test.moc"
