// SPDX-License-Identifier: GPL-3.0-or-later
// The window without a mouse: Tab goes through every panel and dialog, reaches all that can be acted on, in reading
// order, and is never caught.
#include "test_home.h"
#include "tests/suite.h"
#include "ui/charts/chart_frame.h"
#include "ui/charts/chart_table.h"
#include "ui/data/data_panel.h"
#include "ui/look/theme.h"
#include "ui/window/error_banner.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QAbstractSlider>
#include <QAbstractSpinBox>
#include <QAction>
#include <QApplication>
#include <QButtonGroup>
#include <QComboBox>
#include <QDialog>
#include <QDockWidget>
#include <QLineEdit>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QScrollBar>
#include <QTabBar>
#include <QTabWidget>
#include <QTest>
#include <QTextEdit>
#include <QTimer>
#include <QToolBar>

using namespace pha;
using namespace pha::ui;
using pha::test::FakeEngine;

namespace {

QString named(const QWidget* widget)
{
    return QStringLiteral("%1 (%2)").arg(widget->objectName(), QLatin1String(widget->metaObject()->className()));
}

/// Parts that Qt makes for itself inside a control: whoever reaches the control reaches them.
bool partOfAControl(const QWidget* widget)
{
    if (qobject_cast<const QScrollBar*>(widget) || widget->objectName().startsWith(QStringLiteral("qt_"))) return true;
    for (const auto* up = widget->parentWidget(); up; up = up->parentWidget())
        if (qobject_cast<const QAbstractSpinBox*>(up) || qobject_cast<const QComboBox*>(up)
            || qobject_cast<const QLineEdit*>(up) || qobject_cast<const QTabBar*>(up)
            || qobject_cast<const QAbstractItemView*>(up) || up->inherits("QMenuBar"))
            return true;
    return false;
}

bool isControl(const QWidget* widget)
{
    return qobject_cast<const QAbstractButton*>(widget) || qobject_cast<const QLineEdit*>(widget)
        || qobject_cast<const QComboBox*>(widget) || qobject_cast<const QAbstractSpinBox*>(widget)
        || qobject_cast<const QAbstractSlider*>(widget) || qobject_cast<const QAbstractItemView*>(widget)
        || qobject_cast<const QTextEdit*>(widget) || qobject_cast<const QPlainTextEdit*>(widget)
        || (qobject_cast<const QTabBar*>(widget) && !widget->inherits("QMainWindowTabBar"))
        || (widget->focusPolicy() & Qt::TabFocus);
}

/// What has another way, said where it is made: arrow keys inside the mixer and between buttons of which one is down,
/// the View menu, the search's own keys.
bool hasAnotherWay(const QWidget* widget)
{
    const auto name = widget->objectName();
    const auto* button = qobject_cast<const QAbstractButton*>(widget);
    if (button && button->group() && button->group()->exclusive() && !button->isChecked()) return true;
    return name.endsWith(QStringLiteral("DockClose")) || name == QStringLiteral("paletteList")
        || name.startsWith(QStringLiteral("mixRow_")) || widget->inherits("pha::ui::MixCell");
}

/// True if somebody who reads the window meets `b` before `a`: above it in one column, or left of it in one line.
bool standsBefore(const QRect& b, const QRect& a)
{
    constexpr int overlap = 4; // frames touch
    const bool above = b.bottom() < a.top() + overlap, left = b.right() < a.left() + overlap;
    const bool oneColumn =
        b.left()<a.right() - overlap, oneLine = b.bottom()> a.top() + overlap && b.top() < a.bottom() - overlap;
    return (above && oneColumn) || (left && oneLine);
}

/// Where somebody who looks for `other` sees `widget`: what scrolls is in its frame, however long it is.
QRect placeBeside(const QWidget* other, const QWidget* widget, const QRect& own)
{
    QRect place = own;
    for (auto* up = widget->parentWidget(); up; up = up->parentWidget())
        if (qobject_cast<const QScrollArea*>(up) && !up->isAncestorOf(other))
            place = QRect(up->mapTo(up->window(), QPoint()), up->size());
    return place;
}

/// All that Tab visits from `first` on, until it is back. Empty if it is caught somewhere.
QList<QWidget*> walk(QWidget* first, QString& problem)
{
    first->setFocus(Qt::TabFocusReason);
    QList<QWidget*> visited;
    for (auto* at = QApplication::focusWidget(); at && !visited.contains(at); at = QApplication::focusWidget()) {
        visited << at;
        QTest::keyClick(at, Qt::Key_Tab);
        if (QApplication::focusWidget() == at && visited.size() > 1) {
            problem = QStringLiteral("Tab does not leave ") + named(at);
            return {};
        }
    }
    return visited;
}

/// Everything wrong with Tab inside `area`, one line each.
QStringList problems(QWidget* area)
{
    for (auto* scrolled : area->findChildren<QScrollArea*>()) scrolled->verticalScrollBar()->setValue(0);
    QMap<QWidget*, QRect> places; // before the walk: it scrolls
    QList<QWidget*> expected;
    for (auto* widget : area->findChildren<QWidget*>()) {
        if (!widget->isVisible() || !widget->isEnabled() || partOfAControl(widget) || !isControl(widget)) continue;
        places[widget] = QRect(widget->mapTo(area->window(), QPoint()), widget->size());
        if (!hasAnotherWay(widget)) expected << widget;
    }
    const auto start = std::find_if(expected.begin(), expected.end(),
        [](const QWidget* widget) { return bool(widget->focusPolicy() & Qt::TabFocus); });
    if (start == expected.end()) return { QStringLiteral("nothing takes the focus in ") + named(area) };
    QString caught;
    auto visited = walk(*start, caught);
    if (!caught.isEmpty()) return { caught };
    QStringList list;
    for (const auto* widget : visited) {
        const QLatin1String kind(widget->metaObject()->className());
        if (kind == QLatin1String("QScrollArea") || kind == QLatin1String("QFrame"))
            list << QStringLiteral("takes the focus and does not show it: ") + named(widget);
    }
    for (auto* widget : expected) {
        const auto* proxy = widget->focusProxy();
        if (!visited.contains(widget) && !(proxy && visited.contains(proxy)))
            list << QStringLiteral("not reached: ") + named(widget);
    }
    // The walk is a ring; where it enters the area is where reading begins.
    QList<QWidget*> inside;
    const auto outside = std::find_if(
        visited.begin(), visited.end(), [&](const QWidget* widget) { return !area->isAncestorOf(widget); });
    std::rotate(visited.begin(), outside == visited.end() ? visited.begin() : outside, visited.end());
    for (auto* widget : visited)
        if (places.contains(widget)) inside << widget;
    for (qsizetype i = 0; i < inside.size(); ++i)
        for (qsizetype j = i + 1; j < inside.size(); ++j)
            if (standsBefore(placeBeside(inside[i], inside[j], places[inside[j]]),
                    placeBeside(inside[j], inside[i], places[inside[i]])))
                list << QStringLiteral("%1 comes before %2").arg(named(inside[i]), named(inside[j]));
    return list;
}

} // namespace

class TabOrderTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        FakeEngine engine;
        std::unique_ptr<MainWindow> window;

        Fixture()
        {
            for (const auto* name : { "a", "b" }) home.train(name, 40);
            WindowParts parts;
            parts.engine = [this]() -> Engine& { return engine; };
            parts.runsFolder = home.runs();
            window = test::makeWindow(std::move(parts));
            window->show();
            window->activateWindow();
            if (!QTest::qWaitForWindowActive(window.get(), test::patience)) qFatal("the window does not become active");
            window->openRun(home.runs() / "b", true);
            window->openRun(home.runs() / "a", true);
        }
        template <class T = QWidget> T* find(const char* name) const
        {
            return window->findChild<T*>(QLatin1String(name));
        }
    };

    static void verify(QWidget* area, int page = 0)
    {
        // A panel lays itself out in several turns of the event loop, and a busy machine takes few turns in a while.
        QStringList list;
        const auto none = [&] { return (list = problems(area)).isEmpty(); };
        QVERIFY2(QTest::qWaitFor(none, test::patience),
            qPrintable(
                QStringLiteral("%1, page %2:\n").arg(area->objectName()).arg(page) + list.join(QLatin1Char('\n'))));
    }

    /// Asks `question`, walks through the dialog that it opens, and closes that.
    static void verifyModal(const char* name, const std::function<void()>& question)
    {
        bool seen = false;
        QTimer::singleShot(0, qApp, [&] {
            auto* dialog = QApplication::activeModalWidget();
            const auto close = qScopeGuard([dialog] {
                if (auto* modal = qobject_cast<QDialog*>(dialog)) modal->reject();
            });
            QVERIFY(dialog);
            QCOMPARE(dialog->objectName(), QLatin1String(name));
            dialog->activateWindow(); // Qt Test takes a dialog for active as soon as its parent is
            QTRY_COMPARE(QApplication::activeWindow(), dialog);
            seen = true;
            verify(dialog);
        });
        question();
        QVERIFY(seen);
    }

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    /// In one window: what a panel needs is brought about beside it, and Tab begins inside of it.
    void panels()
    {
        Fixture f;
        const auto shown = [&f](const char* dock, const char* tabs = nullptr, int page = 0) {
            f.window->showPanel(QLatin1String(dock));
            if (tabs) {
                auto* widget = f.find<QTabWidget>(tabs);
                QVERIFY(widget);
                widget->setCurrentIndex(page);
            }
            QTest::qWait(50); // the panels lay themselves out
            verify(f.find<QDockWidget>(dock), page);
        };
        shown("monitorDock");
        shown("compareDock");
        shown("playgroundDock", "playgroundTabs", 0);
        shown("playgroundDock", "playgroundTabs", 1);
        f.window->showPanel(QStringLiteral("inspectDock"));
        f.find<QPlainTextEdit>("inspectPrompt")->setPlainText(QStringLiteral("Mara took the key"));
        QTRY_VERIFY(f.find<QPushButton>("inspectLook")->isEnabled());
        f.find<QPushButton>("inspectLook")->click();
        QTRY_VERIFY(f.find("inspectMap") && f.find("inspectMap")->isVisible());
        for (const int page : { 0, 1, 2 }) shown("inspectDock", "inspectTabs", page);
        for (const int page : { 0, 1 }) shown("evaluateDock", "evaluateAnalysis", page);
        for (const char* dock : { "dataDock", "benchDock" }) shown(dock);
    }

    /// The key of a panel leads to something in it that shows the focus, from where Page Down scrolls.
    void keysOfPanels()
    {
        Fixture f;
        f.window->resize(f.window->minimumSizeHint());
        for (const char* show : { "showCompare", "showPlayground", "showInspect", "showEvaluate", "showData",
                 "showBench", "showFilm", "showAlerts", "showMonitor" }) {
            const auto* dock = f.window->findChild<QDockWidget*>(
                QString(QLatin1String(show)).mid(4).toLower() + QStringLiteral("Dock"));
            QVERIFY2(dock, show);
            const auto shown = [&] { // a run that was just opened may have nothing to show yet
                f.find<QAction>(show)->trigger();
                const auto* focus = QApplication::focusWidget();
                return dock->isAncestorOf(focus) && (focus->focusPolicy() & Qt::TabFocus);
            };
            QVERIFY2(QTest::qWaitFor(shown, test::patience), show);
        }
        QCOMPARE(QApplication::focusWidget()->objectName(), "lossChart"); // where Space pauses the run
        f.find<QAction>("showPlayground")->trigger();
        auto* generate = f.find<QPushButton>("playgroundGenerate");
        QTRY_VERIFY(generate->isEnabled());
        generate->setFocus();
        auto* bar = f.find<QScrollArea>("playgroundDockScroll")->verticalScrollBar();
        QTRY_VERIFY(bar->maximum() > 0);
        bar->setValue(0);
        QTest::keyClick(generate, Qt::Key_PageDown);
        QVERIFY(bar->value() > 0);
    }

    void download()
    {
        Fixture f;
        f.window->showPanel(QStringLiteral("dataDock"));
        f.window->findChild<DataPanel*>()->choose(QStringLiteral("wikitext-2-raw"));
        QTest::qWait(50);
        verify(f.find<QDockWidget>("dataDock"));
    }

    void sides()
    {
        Fixture f;
        QTRY_VERIFY(f.find("runLog")->isVisible());
        verify(f.find<QDockWidget>("runsDock"));
        verify(f.find<QDockWidget>("logDock"));
        verify(f.find<QDockWidget>("configDock"));
        f.find<QTabWidget>("configTabs")->setCurrentIndex(1);
        QTest::qWait(50);
        verify(f.find<QDockWidget>("configDock"));
        f.window->findChild<ErrorBanner*>()->showError(QStringLiteral("No room; delete something"));
        f.find("errorToolBar")->show();
        verify(f.find("errorToolBar"));
        verify(f.find("runToolBar"));
    }

    void welcome()
    {
        test::TestHome home;
        FakeEngine engine;
        fs::create_directories(home.runs());
        WindowParts parts;
        parts.engine = [&]() -> Engine& { return engine; };
        parts.runsFolder = home.runs();
        const auto made = test::makeWindow(std::move(parts));
        auto& window = *made;
        window.show();
        window.activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(&window, test::patience));
        QTRY_VERIFY(window.findChild<QWidget*>(QStringLiteral("demoButton"))->isVisible());
        verify(window.findChild<QDockWidget*>(QStringLiteral("monitorDock")));
    }

    /// Once round the window meets everything in it.
    void theWholeWindow()
    {
        Fixture f;
        QStringList missing;
        for (const auto& line : problems(f.window.get()))
            if (line.startsWith(QStringLiteral("not reached")) || line.startsWith(QStringLiteral("Tab")))
                missing << line;
        QVERIFY2(missing.isEmpty(), qPrintable(missing.join(QLatin1Char('\n'))));
    }

    void dialogs()
    {
        Fixture f;
        const auto real = Dialogs::real();
        auto* window = f.window.get();
        verifyModal("confirmDialog", [&] {
            QVERIFY(!real.confirm(
                window, QStringLiteral("Delete"), QStringLiteral("Delete the run?"), QStringLiteral("Delete")));
        });
        verifyModal("informDialog", [&] { real.inform(window, QStringLiteral("About"), QStringLiteral("Text")); });
        verifyModal("numberDialog",
            [&] { QVERIFY(!real.number(window, QStringLiteral("Rate"), QStringLiteral("Learning rate"), 0.001)); });
        f.find<ChartFrame>("lossChart")->showTable();
        auto* table = window->findChild<ChartTableDialog*>();
        QVERIFY(table);
        table->activateWindow();
        QTRY_COMPARE(QApplication::activeWindow(), static_cast<QWidget*>(table));
        verify(table);
    }
};

PHA_TEST(TabOrderTest)
#include "tab_order_test.moc"
