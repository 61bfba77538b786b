// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/main_window.h"

#include "ui/alerts/alerts_panel.h"
#include "ui/bench/bench_panel.h"
#include "ui/charts/monitor_panel.h"
#include "ui/compare/compare_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/data/data_panel.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/film/film_panel.h"
#include "ui/focus_order.h"
#include "ui/format.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/look/theme.h"
#include "ui/playground/playground_panel.h"
#include "ui/runs/run_panel.h"
#include "ui/session/playback.h"
#include "ui/session/run_queue.h"
#include "ui/window/command_palette.h"
#include "ui/window/error_banner.h"
#include "ui/window/shortcuts.h"
#include "ui/window/window_actions.h"
#include "ui/work/capsule_work.h"
#include "ui/work/replay_work.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QApplication>
#include <QCloseEvent>
#include <QComboBox>
#include <QDockWidget>
#include <QMenuBar>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QToolBar>

#include <algorithm>
#include <utility>

namespace pha::ui {

namespace {

/// Milliseconds that a stopping run may take before the window goes anyway: a large model needs many for an update and
/// its checkpoint. Who does not want to wait closes the window again.
constexpr int closePatience = 60000;
constexpr int hintTime = 6000; ///< milliseconds that the status bar says what a command is for

constexpr int keysTogether = 80; ///< milliseconds in which keys for another size of the text are one: each costs much
constexpr double presentedScale = 1.35; ///< of the text, to be read from afar

} // namespace

MainWindow::MainWindow(WindowParts parts, QWidget* parent)
    : QMainWindow(parent)
    , parts_(std::move(parts))
    , runs_(new RunListModel(this))
    , controller_(new RunController(parts_.engine, this))
    , queue_(new RunQueue(runs_, controller_, this))
    , capsules_(new CapsuleWork(this))
    , replays_(new ReplayWork(this))
    , playback_(new Playback(this))
    , actions_(std::make_unique<WindowActions>(this))
{
    setObjectName(QStringLiteral("mainWindow"));
    setWindowTitle(QStringLiteral("PHA Studio"));
    setDockNestingEnabled(true);
    setTabPosition(Qt::AllDockWidgetAreas, QTabWidget::North);
    setContentsMargins(6, 0, 6, 0);
    setContextMenuPolicy(Qt::NoContextMenu); // Qt's own would offer to hide the run bar
    makePanels();
    makeStatusBar();
    QList<QAction*> toggles { runsDock_->toggleViewAction(), configDock_->toggleViewAction() };
    for (auto* dock : centre()) toggles << dock->toggleViewAction();
    actions_->fillMenus(menuBar(), toggles << logDock_->toggleViewAction());
    QList<QAction*> commands;
    for (auto* action : actions())
        if (action != actions_->palette) commands << action;
    palette_ = new CommandPalette(commands, this);
    shortcuts::restore(actions());
    connectAll();
    connectView();
    connectRun();
    connectAlerts();
    connectCosts();
    connectQueue();
    connectCapsules();
    connectReplay();
    connectPlayback();
    arrange();
    restoreLayout();
    if (!arranged_) arrange();

    const auto stored = QSettings().value(QStringLiteral("runs/folder")).toString();
    runs_->setFolder(!parts_.runsFolder.empty() ? parts_.runsFolder
            : stored.isEmpty()                  ? defaultRunsFolder()
                                                : toPath(stored));
    queue_->setFolder(runs_->folder());
    judgeTimes();
    updateActions();
    updateWelcome();
    qApp->installEventFilter(this);
}

MainWindow::~MainWindow()
{
    qApp->removeEventFilter(this);
    // Sessions must outlive the panels that point at them, and the controller's thread must be over before they go.
    controller_->disconnect(this);
    runs_->disconnect(this);
    capsules_->disconnect(this);
    playback_->disconnect(this);
    queue_->disconnect(this);
    queue_->end();
    controller_->shutDown();
    qDeleteAll(centre());
    qDeleteAll(QList { configDock_, logDock_, runsDock_ });
}

void MainWindow::paintEvent(QPaintEvent* event)
{
    QMainWindow::paintEvent(event);
    if (painted_) return;
    painted_ = true;
    // Opening LibTorch takes half a second of one core: only once the window can be seen.
    QTimer::singleShot(0, this, [this] {
        // A run that has begun already opens it, and the answer to warmUp() comes after the run.
        if (!controller_->busy() && statusBar()->currentMessage().isEmpty()) statusBar()->showMessage(openingEngine());
        controller_->warmUp();
        // They were shown before the window, which came to lie over them.
        for (auto* dock : findChildren<QDockWidget*>())
            if (dock->isFloating() && dock->isVisible()) dock->raise();
    });
}

QString MainWindow::openingEngine() { return tr("Opening the engine\u2026"); }

bool MainWindow::eventFilter(QObject* watched, QEvent* event)
{
    // Space presses a button, opens a box, ticks a row when one has the focus; elsewhere it pauses the run.
    if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Space
        && static_cast<QKeyEvent*>(event)->modifiers() == Qt::NoModifier) {
        auto* focus = QApplication::focusWidget();
        if (watched == focus
            && (qobject_cast<QAbstractButton*>(focus) || qobject_cast<QComboBox*>(focus)
                || qobject_cast<QAbstractItemView*>(focus))) {
            event->accept();
            return true;
        }
    }
    return QMainWindow::eventFilter(watched, event);
}

bool MainWindow::focusNextPrevChild(bool next)
{
    return focusNeighbour(this, next) || QMainWindow::focusNextPrevChild(next);
}

void MainWindow::bringForward(QDockWidget* dock)
{
    dock->show();
    dock->raise();
    // Keys go to the window that is active, and a panel may float: from one window of the program to the other.
    if (QApplication::activeWindow()) dock->activateWindow();
}

void MainWindow::showPanel(const QString& id)
{
    auto* dock = findChild<QDockWidget*>(id);
    if (!dock) return;
    bringForward(dock);
    // To a part of it that shows the focus; the frame around them does not.
    if (dock->widget() && !focusInside(dock->widget())) dock->widget()->setFocus(Qt::ShortcutFocusReason);
}

void MainWindow::showError(const QString& message)
{
    banner_->showError(message);
    statusBar()->clearMessage();
}

bool MainWindow::shutDown(std::chrono::milliseconds patience)
{
    bool clean = controller_->shutDown(patience);
    clean = bench_->shutDown(patience) && clean;
    return data_->shutDown(patience) && clean;
}

void MainWindow::scaleText()
{
    textTimer_.stop();
    auto& theme = Theme::instance();
    setTextScale(theme.textScale() * std::exchange(textFactor_, 1));
    if (!everyday_) theme.keepTextScale();
}

void MainWindow::present(bool on)
{
    auto& theme = Theme::instance();
    if (on == everyday_.has_value()) return;
    if (textTimer_.isActive()) scaleText(); // what was pressed before belongs to what was before
    if (on) {
        saveLayout(); // the one to keep, also if the window is closed as it is now
        everyday_ = Everyday { theme.textScale(), windowState(), {} };
        for (auto* dock : { configDock_, logDock_ })
            if (!dock->isHidden()) everyday_->open << dock;
        for (auto* dock : everyday_->open) dock->hide();
        setTextScale(std::max(presentedScale, theme.textScale()));
        showFullScreen();
        return;
    }
    const auto before = *std::exchange(everyday_, std::nullopt);
    setTextScale(before.textScale);
    for (auto* dock : before.open) dock->show();
    setWindowState(before.states & ~Qt::WindowMinimized);
}

void MainWindow::connectView()
{
    const auto& a = *actions_;
    const std::pair<QAction*, QDockWidget*> panels[] = { { a.showMonitor, monitorDock_ },
        { a.showCompare, compareDock_ }, { a.showPlayground, playgroundDock_ }, { a.showInspect, inspectDock_ },
        { a.showEvaluate, evaluateDock_ }, { a.showData, dataDock_ }, { a.showBench, benchDock_ } };
    for (const auto& [action, dock] : panels)
        connect(action, &QAction::triggered, this, [this, dock = dock] { showPanel(dock->objectName()); });
    connect(a.showFilm, &QAction::triggered, this, [this] {
        showPanel(filmDock_->objectName());
        film_->focusSlider();
    });
    connect(a.showAlerts, &QAction::triggered, this, [this] {
        showPanel(alertsDock_->objectName());
        alerts_->focusList();
    });
    connect(a.searchRuns, &QAction::triggered, this, [this] {
        showPanel(runsDock_->objectName());
        runPanel_->focusSearch();
    });
    connect(a.runPanelCommand, &QAction::triggered, this, [this] {
        if (inspect_->isVisible()) return inspect_->look();
        if (evaluate_->isVisible()) return evaluate_->run();
        if (bench_->isVisible()) return bench_->run();
        if (data_->isVisible()) return data_->run();
        showPanel(playgroundDock_->objectName());
        playground_->generate();
    });
    connect(a.stopPanelCommand, &QAction::triggered, this, [this] {
        const auto works = [](const auto* panel) { return panel->isVisible() && panel->busy(); };
        const bool inFront = works(evaluate_) || works(playground_) || works(inspect_) || works(bench_) || works(data_);
        if (playback_->active() && !inFront) return playback_->leave();
        capsules_->stop();
        evaluate_->stop();
        playground_->stop();
        inspect_->stop();
        bench_->stop();
        if (data_->isVisible()) data_->stop(); // a download in the background goes on
    });
    connect(a.exportImage, &QAction::triggered, this, [this] {
        if (compare_->isVisible()) return compare_->exportImage();
        if (inspect_->isVisible()) return inspect_->exportImage();
        if (bench_->isVisible()) return bench_->exportImage();
        if (film_->isVisible()) return film_->save();
        if (monitor_->isVisible()) return monitor_->exportImage();
        statusBar()->showMessage(
            tr("No chart to save here: open Monitor, Compare, Inspect, Benchmark or Film first"), hintTime);
    });
    // Charts that are not shown stay as they are. Of two panels side by side the one with the focus answers.
    const auto toCurves = [this](void (MonitorPanel::*monitored)(), void (ComparePanel::*compared)()) {
        return [this, monitored, compared] {
            const bool monitor = monitor_->isVisible();
            if (compare_->isVisible() && !(monitor && monitor_->isAncestorOf(QApplication::focusWidget())))
                (compare_->*compared)();
            else if (monitor)
                (monitor_->*monitored)();
        };
    };
    connect(a.logAxis, &QAction::triggered, this, toCurves(&MonitorPanel::toggleLogAxis, &ComparePanel::toggleLogAxis));
    connect(a.cycleXAxis, &QAction::triggered, this, toCurves(&MonitorPanel::cycleXAxis, &ComparePanel::cycleXAxis));
    connect(
        a.fitAndFollow, &QAction::triggered, this, toCurves(&MonitorPanel::fitAndFollow, &ComparePanel::fitAndFollow));
    const auto smooth = [this](double delta) {
        if (monitor_->isVisible()) monitor_->changeSmoothing(delta);
    };
    connect(a.smoothMore, &QAction::triggered, this, [smooth] { smooth(0.1); });
    connect(a.smoothLess, &QAction::triggered, this, [smooth] { smooth(-0.1); });
    connect(a.groupSeeds, &QAction::triggered, compare_, &ComparePanel::toggleGroups);
    auto& theme = Theme::instance();
    connect(a.themeSystem, &QAction::triggered, &theme, [&theme] { theme.setMode(Theme::Mode::System); });
    connect(a.themeLight, &QAction::triggered, &theme, [&theme] { theme.setMode(Theme::Mode::Light); });
    connect(a.themeDark, &QAction::triggered, &theme, [&theme] { theme.setMode(Theme::Mode::Dark); });
    textTimer_.setSingleShot(true);
    textTimer_.setInterval(keysTogether);
    connect(&textTimer_, &QTimer::timeout, this, &MainWindow::scaleText);
    const auto askForText = [this](double factor) {
        textFactor_ *= factor;
        textTimer_.start();
    };
    connect(a.textLarger, &QAction::triggered, this, [askForText] { askForText(1.1); });
    connect(a.textSmaller, &QAction::triggered, this, [askForText] { askForText(1 / 1.1); });
    connect(a.presentation, &QAction::toggled, this, &MainWindow::present);
    connect(a.resetLayout, &QAction::triggered, this, &MainWindow::arrange);
    connect(a.palette, &QAction::triggered, palette_, &CommandPalette::open);
    connect(a.shortcuts, &QAction::triggered, this, &MainWindow::showShortcuts);
    connect(a.systemInformation, &QAction::triggered, this, &MainWindow::showSystemInformation);
    connect(a.about, &QAction::triggered, this, &MainWindow::showAbout);
    connect(a.quit, &QAction::triggered, this, &QWidget::close);
}

void MainWindow::quitNow()
{
    if (closing_) return;
    closing_ = true;
    queue_->end();
    close();
}

QString MainWindow::whatQuittingStops() const
{
    QStringList all;
    if (controller_->busy()) {
        const auto* session = controller_->session();
        const auto name = session ? session->name() : QString();
        if (!session || session->job())
            all << tr("%1 is training. It will be stopped after this update with a checkpoint, from which it can be "
                      "resumed.")
                       .arg(name);
        else if (queue_->begins(session->directory()))
            all << tr("%1 is being prepared. It will be stopped, and is the first one in the queue at the next start "
                      "of the window.")
                       .arg(name);
        else if (RunDirectory(session->directory()).exists())
            all << tr("%1 is being prepared. It will be stopped, and can be resumed as before.").arg(name);
        else
            all << tr("%1 is being prepared. It will be stopped, and nothing of it is left.").arg(name);
        if (queue_->size() > 0) all << tr("The runs in the queue wait, on hold, for the next start of the window.");
    }
    if (capsules_->busy())
        all << tr("%1 is not finished. It will be stopped, and nothing of it is left.").arg(capsules_->doing());
    if (bench_->busy()) all << tr("The benchmark is not finished. It will be stopped, and its complete rows are kept.");
    return all.join(QLatin1Char(' '));
}

void MainWindow::closeEvent(QCloseEvent* event)
{
    QString asked;
    while (!closing_) {
        const auto losses = whatQuittingStops();
        if (losses.isEmpty() || losses == asked) break;
        // Runs and the queue go on behind the question: an answer is for what it named, and for nothing else. A session
        // that ends meanwhile waits for none.
        asked = losses;
        if (!parts_.dialogs.confirm(this, tr("Quit PHA Studio"), losses, tr("Stop and quit")) && !closing_) {
            event->ignore();
            return;
        }
    }
    closing_ = true;
    if (closeTimer_.isActive()) closeTimer_.setProperty("over", true); // asked again
    if (controller_->busy() && !closeTimer_.property("over").toBool()) {
        // Comes back here when the run has let go, or when its time is over. Nobody waits in this thread.
        event->ignore();
        setEnabled(false);
        statusBar()->showMessage(tr("Saving a checkpoint before leaving\u2026 Close again to leave without it."));
        queue_->end();
        controller_->stop();
        closeTimer_.setSingleShot(true);
        connect(&closeTimer_, &QTimer::timeout, this, [this] {
            closeTimer_.setProperty("over", true);
            close();
        });
        closeTimer_.start(closePatience);
        return;
    }
    queue_->end();
    closeTimer_.stop();
    if (actions_->presentation->isChecked())
        actions_->presentation->setChecked(false); // its layout is not one to keep; the one before it is kept already
    else
        saveLayout();
    event->accept();
    Q_EMIT closed();
}

} // namespace pha::ui
