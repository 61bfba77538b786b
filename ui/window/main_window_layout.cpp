// SPDX-License-Identifier: GPL-3.0-or-later
// Which panels the window has and where they are.
#include "ui/alerts/alerts_panel.h"
#include "ui/bench/bench_panel.h"
#include "ui/charts/monitor_panel.h"
#include "ui/compare/compare_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/data/data_panel.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/film/film_panel.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/look/theme.h"
#include "ui/playground/playground_panel.h"
#include "ui/runs/run_panel.h"
#include "ui/window/dock_title.h"
#include "ui/window/error_banner.h"
#include "ui/window/log_panel.h"
#include "ui/window/main_window.h"
#include "ui/window/playback_bar.h"
#include "ui/window/run_bar.h"
#include "ui/window/status_meters.h"
#include "ui/window/welcome_page.h"
#include "ui/window/window_actions.h"

#include <QDockWidget>
#include <QScrollArea>
#include <QSettings>
#include <QStackedWidget>
#include <QStatusBar>
#include <QStyle>
#include <QTimer>
#include <QToolBar>
#include <QVBoxLayout>

#include <algorithm>
#include <cstdlib>

namespace pha::ui {

namespace {

constexpr int layoutVersion = 5; ///< raise it when docks come or go: old layouts are then left alone
constexpr QSize leastRoom(480, 340); ///< of a panel in the centre
bool inPlace(const QDockWidget& dock) { return dock.isVisible() && !dock.isFloating(); }

constexpr int sameWidth = 8; ///< pixels that resizing leaves a panel wider or narrower than it was told
const QString geometryKey = QStringLiteral("window/geometry");

} // namespace

QDockWidget* MainWindow::addDock(const QString& id, const QString& title, QWidget* body, bool inCentre)
{
    auto* dock = new QDockWidget(title, this);
    dock->setObjectName(id);
    dock->setAccessibleName(title);
    dock->toggleViewAction()->setObjectName(id + QStringLiteral("Toggle"));
    // A frame of its own: the style sheet rounds and borders every panel alike.
    auto* frame = new QFrame;
    frame->setObjectName(QStringLiteral("dockBody"));
    auto* layout = new QVBoxLayout(frame);
    layout->setContentsMargins(1, 1, 1, 1);
    if (inCentre) {
        // The largest of the panels in the centre must not decide how small the window can be: 1000 x 650 is enough.
        frame->setMinimumSize(leastRoom + QSize(2, 2));
        auto* scroll = new QScrollArea;
        scroll->setObjectName(id + QStringLiteral("Scroll"));
        scroll->setFrameShape(QFrame::NoFrame);
        scroll->setWidgetResizable(true);
        // Tab passes it by: it does not show the focus. Page Down reaches it from what is inside, or after a click.
        scroll->setFocusPolicy(Qt::ClickFocus);
        scroll->setWidget(body);
        layout->addWidget(scroll);
        // Qt only moves a dock whose tab is behind out of sight; to itself it would be visible, and draw and answer
        // keys.
        body->hide();
        connect(dock, &QDockWidget::visibilityChanged, body, &QWidget::setVisible);
    } else {
        layout->addWidget(body);
    }
    dock->setWidget(frame);
    // In the centre the tab says the title; a title bar below it would say it again.
    dock->setTitleBarWidget(inCentre ? new QWidget(dock) : new DockTitle(dock));
    return dock;
}

void MainWindow::makePanels()
{
    runBar_ = new RunBar(*actions_);
    auto* bar = addToolBar(tr("Selected run"));
    bar->setObjectName(QStringLiteral("runToolBar"));
    bar->setMovable(false);
    bar->addWidget(runBar_);
    addToolBarBreak();
    playbackBar_ = new PlaybackBar(playback_, *actions_);
    playbackToolBar_ = addToolBar(tr("Recording"));
    playbackToolBar_->setObjectName(QStringLiteral("playbackToolBar"));
    playbackToolBar_->setMovable(false);
    playbackToolBar_->addWidget(playbackBar_);
    playbackToolBar_->hide();
    addToolBarBreak();
    banner_ = new ErrorBanner;
    bannerBar_ = addToolBar(tr("Error"));
    bannerBar_->setObjectName(QStringLiteral("errorToolBar"));
    bannerBar_->setMovable(false);
    bannerBar_->addWidget(banner_);
    bannerBar_->hide();

    runPanel_ = new RunPanel(runs_);
    runPanel_->setContextActions(actions_->ofRun());
    logPanel_ = new LogPanel;
    configPanel_ = new ConfigPanel(&parts_.dialogs);
    monitor_ = new MonitorPanel;
    // The run bar shows the same above all panels.
    if (auto* header = monitor_->findChild<QWidget*>(QStringLiteral("runHeader"))) header->hide();
    evaluate_ = new EvaluatePanel(nullptr, parts_.engine);
    playground_ = new PlaygroundPanel(nullptr, parts_.engine);
    playground_->setRuns(runs_);
    inspect_ = new InspectPanel(nullptr, parts_.engine);
    inspect_->setOtherText([this] { return playground_->text(); });
    compare_ = new ComparePanel;
    data_ = new DataPanel(&parts_.dialogs);
    // Beside the runs' usual place, wherever those of this window are: figures of the machine, not of a folder.
    bench_ = new BenchPanel(defaultRunsFolder().parent_path() / "benchmarks.json", parts_.engine);
    film_ = new FilmPanel;
    alerts_ = new AlertsPanel;
    monitorStack_ = new QStackedWidget;
    monitorStack_->setObjectName(QStringLiteral("monitorStack"));
    monitorStack_->addWidget(new WelcomePage(actions_->runDemo, actions_->newRun, actions_->openRun));
    monitorStack_->addWidget(monitor_);
    monitorStack_->setCurrentWidget(monitor_);
    // Charts arrange themselves in little width; what lacks height scrolls, as the other panels do.
    for (auto* charts : { static_cast<QWidget*>(monitorStack_), static_cast<QWidget*>(compare_) })
        charts->setMinimumWidth(leastRoom.width() - charts->style()->pixelMetric(QStyle::PM_ScrollBarExtent));
    makeDocks();
}

void MainWindow::makeDocks()
{
    runsDock_ = addDock(QStringLiteral("runsDock"), tr("Runs"), runPanel_, false);
    logDock_ = addDock(QStringLiteral("logDock"), tr("Log"), logPanel_, false);
    configDock_ = addDock(QStringLiteral("configDock"), tr("Configuration"), configPanel_, false);
    monitorDock_ = addDock(QStringLiteral("monitorDock"), tr("Monitor"), monitorStack_, true);
    compareDock_ = addDock(QStringLiteral("compareDock"), tr("Compare"), compare_, true);
    playgroundDock_ = addDock(QStringLiteral("playgroundDock"), tr("Playground"), playground_, true);
    inspectDock_ = addDock(QStringLiteral("inspectDock"), tr("Inspect"), inspect_, true);
    evaluateDock_ = addDock(QStringLiteral("evaluateDock"), tr("Evaluate"), evaluate_, true);
    dataDock_ = addDock(QStringLiteral("dataDock"), tr("Data"), data_, true);
    benchDock_ = addDock(QStringLiteral("benchDock"), tr("Benchmark"), bench_, true);
    filmDock_ = addDock(QStringLiteral("filmDock"), tr("Film"), film_, true);
    alertsDock_ = addDock(QStringLiteral("alertsDock"), tr("Alerts"), alerts_, true);
    const auto leastWidth = [](QDockWidget* dock, int width) {
        // Not of the dock itself: one that was told a least width keeps whatever more it needed once.
        auto* inside = static_cast<QBoxLayout*>(dock->widget()->layout());
        inside->addStrut(width - inside->contentsMargins().left() - inside->contentsMargins().right());
    };
    leastWidth(runsDock_, fontMetrics().averageCharWidth() * 32);
    leastWidth(configDock_, 290);
    sides_ = { Side { runsDock_, 0, 0 }, Side { configDock_, 0, 0 } };
}

QList<QDockWidget*> MainWindow::centre() const
{
    return { monitorDock_, compareDock_, playgroundDock_, inspectDock_, evaluateDock_, dataDock_, benchDock_, filmDock_,
        alertsDock_ };
}

void MainWindow::arrange()
{
    const auto all = centre() + QList { runsDock_, configDock_, logDock_ };
    for (auto* dock : all) {
        if (dock->isFloating()) dock->setFloating(false); // once removed it would go on floating
        removeDockWidget(dock);
    }
    addDockWidget(Qt::LeftDockWidgetArea, runsDock_);
    splitDockWidget(runsDock_, monitorDock_, Qt::Horizontal);
    splitDockWidget(monitorDock_, configDock_, Qt::Horizontal);
    splitDockWidget(runsDock_, logDock_, Qt::Vertical);
    const auto tabs = centre();
    for (int i = 1; i < tabs.size(); ++i) tabifyDockWidget(tabs[i - 1], tabs[i]);
    for (auto* dock : all) dock->show();
    monitorDock_->raise();
    const int side = fontMetrics().averageCharWidth() * 34;
    resizeDocks({ runsDock_, monitorDock_, configDock_ }, { side, std::max(400, width() - 2 * side - 60), side + 40 },
        Qt::Horizontal);
    resizeDocks({ runsDock_, logDock_ }, { 3, 2 }, Qt::Vertical);
}

/// Larger text may need wider side panels, and Qt leaves them so: with smaller text they get back what they had.
void MainWindow::setTextScale(double scale)
{
    for (auto& side : sides_)
        if (inPlace(*side.dock) && std::abs(side.dock->width() - side.given) > sameWidth)
            side.wanted = side.dock->width();
    Theme::instance().setTextScale(scale);
    giveSides(5);
}

/// Layouts learn in several steps how wide panels must be at least: asked for again until they are as wide as they
/// were.
void MainWindow::giveSides(int tries)
{
    QTimer::singleShot(20, this, [this, tries] {
        QList<QDockWidget*> docks;
        QList<int> widths;
        for (const auto& side : sides_)
            if (inPlace(*side.dock) && side.wanted > 0) docks << side.dock, widths << side.wanted;
        resizeDocks(docks, widths, Qt::Horizontal);
        bool again = false;
        for (auto& side : sides_) {
            side.given = std::max(side.wanted, side.dock->minimumSizeHint().width());
            again |= docks.contains(side.dock) && std::abs(side.dock->width() - side.wanted) > sameWidth;
        }
        if (again && tries > 1) giveSides(tries - 1);
    });
}

bool MainWindow::remembered() { return QSettings().contains(geometryKey); }

void MainWindow::restoreLayout()
{
    resize(1280, 800);
    QSettings settings;
    restoreGeometry(settings.value(geometryKey).toByteArray());
    arranged_ = restoreState(settings.value(QStringLiteral("window/state")).toByteArray(), layoutVersion);
    bannerBar_->hide(); // an error of the last session is not one of this
    playbackToolBar_->hide();
}

void MainWindow::saveLayout() const
{
    QSettings settings;
    settings.setValue(geometryKey, saveGeometry());
    settings.setValue(QStringLiteral("window/state"), saveState(layoutVersion));
}

void MainWindow::makeStatusBar()
{
    statusBar()->setObjectName(QStringLiteral("statusBar"));
    statusBar()->setSizeGripEnabled(false);
    meters_ = new StatusMeters(parts_.longestTask);
    statusBar()->addPermanentWidget(meters_);
}

void MainWindow::showEvent(QShowEvent* event)
{
    QMainWindow::showEvent(event);
    // Widths only hold once the window has its size.
    if (!arranged_) arrange();
    arranged_ = true;
}

} // namespace pha::ui
