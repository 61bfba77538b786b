// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/dialogs.h"
#include "ui/runs/run_list_model.h"
#include "ui/session/run_controller.h"

#include <QMainWindow>
#include <QPointer>

#include <array>
#include <functional>
#include <memory>
#include <optional>

class QDockWidget;
class QStackedWidget;
class QToolBar;

namespace pha {
struct Replay;
struct WaitingRun;
} // namespace pha

namespace pha::ui {

class AlertsPanel;
class BenchPanel;
class CapsuleWork;
class CommandPalette;
class ComparePanel;
class ConfigPanel;
class DataPanel;
class ErrorBanner;
class EvaluatePanel;
class FilmPanel;
class InspectPanel;
class LogPanel;
class MonitorPanel;
class Playback;
class PlaybackBar;
class PlaygroundPanel;
class ReplayWork;
class RunBar;
class RunPanel;
class RunQueue;
class StatusMeters;
struct WindowActions;

/// What the window works with; tests put in their own.
struct WindowParts {
    RunController::OpenEngine engine = loadEngine;
    Dialogs dialogs = Dialogs::real();
    fs::path runsFolder; ///< empty: that of the settings
    std::function<double()> longestTask; ///< for the meter of the GUI thread, may be empty
};

/// Lays out the panels and connects them: each knows sessions, none knows another.
class MainWindow : public QMainWindow {
    Q_OBJECT

public:
    explicit MainWindow(WindowParts parts = {}, QWidget* parent = nullptr);
    ~MainWindow() override;

    static bool remembered(); ///< size and layout are those of an earlier window of this user

    RunController& controller() { return *controller_; }
    RunListModel& runs() { return *runs_; }
    RunSession* currentSession() const { return current_; }
    /// Selects it; a capsule is unpacked into the runs folder first.
    void openRun(const fs::path& directory, bool shown = false);
    void startDemo();
    /// A run that is recorded, from its start; `speed` as in Playback::speedNamed(), empty: as last time.
    void playBack(const fs::path& run, const QString& speed = {});
    Playback& playback() { return *playback_; }
    void showError(const QString& message);
    /// Closes without a question: stops what trains, waits at most a minute in the event loop, then goes.
    void quitNow();
    void showPanel(const QString& dock); ///< "monitorDock", "evaluateDock", "playgroundDock", "logDock", ...
    /// Ends all workers; as RunController::shutDown().
    bool shutDown(std::chrono::milliseconds patience);

Q_SIGNALS:
    void closed();

protected:
    void closeEvent(QCloseEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override; ///< run directories and capsules
    void dropEvent(QDropEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    bool focusNextPrevChild(bool next) override; ///< in reading order

private:
    // main_window_layout.cpp: the panels and where they are
    QDockWidget* addDock(const QString& id, const QString& title, QWidget* body, bool inCentre);
    void makePanels();
    void makeDocks();
    QList<QDockWidget*> centre() const; ///< the docks that share the middle, in the order of their tabs
    void arrange(); ///< puts all panels where they are at first
    void setTextScale(double scale); ///< and lets the side panels be as wide as they were
    void restoreLayout();
    void saveLayout() const;
    void makeStatusBar();

    // main_window.cpp: how it looks and how it is closed
    void giveSides(int tries);
    static void bringForward(QDockWidget* dock);
    void connectView();
    static QString openingEngine(); ///< in the status bar until it is open
    QString whatQuittingStops() const; ///< as a question; empty: nothing
    void scaleText(); ///< by what keys have asked for
    void present(bool on);

    // main_window_runs.cpp: what the commands do
    void connectAll();
    void connectRun();
    void start(const RunConfig& config, QString name, const QString& fork = {});
    /// For a new run; a name that is in the list gets the number of the folder. Empty, and an error is shown: none can
    /// be made.
    fs::path freeFolder(QString& name);
    void fork(const fs::path& checkpoint); ///< into the form
    void connectAlerts();
    void connectCosts(); ///< the tab of the panel Inspect
    void resume();
    void useData(const QString& text, int vocabulary, const QString& textField);
    void changeLearningRate();
    /// Of the run that trains. False, and an error is shown, if `session`, which is called `name`, is that no longer.
    bool changeSetting(const RunSession* session, const QString& name, const std::string& key, const Json& value);
    void chooseFolder();

    // main_window_put_away.cpp: the archive and the trash
    void connectPutAway();
    bool isArchived(const RunSession* session) const;
    void setArchived(const fs::path& directory, bool archived);
    void archiveCurrent(); ///< or takes it out again
    void deleteCurrent();
    void putBack(); ///< what was put away last

    // main_window_queue.cpp: runs that wait for their turn
    void connectQueue();
    void enqueue(WaitingRun run); ///< into a folder of its name; the status bar says so
    void planSeveral();
    void updateQueueActions(bool waiting); ///< the selected run waits

    // main_window_replay.cpp: runs that are done once more
    void connectReplay();
    void startReplay(const Replay& replay);
    void compareReplay(const RunSession* session); ///< if it is one; the result stands in the run bar

    // main_window_playback.cpp: runs that are watched once more
    void connectPlayback();
    void watchCurrent();
    void updatePlayback(); ///< which commands make sense meanwhile
    bool refuseWhilePlaying(); ///< what would change a run, and says so

    // main_window_capsules.cpp: runs as single files
    void connectCapsules();
    void exportCapsule();

    // main_window_state.cpp: what the window shows of the runs
    void selectCurrent();
    void updateSessions();
    void updateActions();
    QString resumeText() const;
    void updateWelcome();
    void judgeTimes(); ///< of new runs, by those that there are

    // main_window_help.cpp
    void showShortcuts();
    void showSystemInformation();
    void showAbout();

    WindowParts parts_;
    RunListModel* runs_;
    RunController* controller_;
    RunQueue* queue_;
    CapsuleWork* capsules_;
    ReplayWork* replays_;
    Playback* playback_;
    std::unique_ptr<WindowActions> actions_;
    QPointer<RunSession> current_;
    struct PutAway {
        QString name, inTrash, path; ///< inTrash: empty if it is in the archive
        bool shown = false; ///< it was ticked
    };
    std::vector<PutAway> putAway_; ///< of this session, the last one at the end
    QTimer timesTimer_, closeTimer_, textTimer_;
    double textFactor_ = 1; ///< that keys have asked for since the text got its size
    bool timesChanged_ = false; ///< of the runs in the list

    RunBar* runBar_ = nullptr;
    ErrorBanner* banner_ = nullptr;
    QToolBar* bannerBar_ = nullptr;
    PlaybackBar* playbackBar_ = nullptr;
    QToolBar* playbackToolBar_ = nullptr;
    RunPanel* runPanel_ = nullptr;
    LogPanel* logPanel_ = nullptr;
    ConfigPanel* configPanel_ = nullptr;
    QStackedWidget* monitorStack_ = nullptr; ///< welcome page or charts
    MonitorPanel* monitor_ = nullptr;
    ComparePanel* compare_ = nullptr;
    EvaluatePanel* evaluate_ = nullptr;
    PlaygroundPanel* playground_ = nullptr;
    InspectPanel* inspect_ = nullptr;
    DataPanel* data_ = nullptr;
    BenchPanel* bench_ = nullptr;
    FilmPanel* film_ = nullptr;
    AlertsPanel* alerts_ = nullptr;
    StatusMeters* meters_ = nullptr;
    CommandPalette* palette_ = nullptr;
    QDockWidget *runsDock_ = nullptr, *logDock_ = nullptr, *configDock_ = nullptr;
    QDockWidget *monitorDock_ = nullptr, *compareDock_ = nullptr, *playgroundDock_ = nullptr, *inspectDock_ = nullptr,
                *evaluateDock_ = nullptr, *dataDock_ = nullptr, *benchDock_ = nullptr, *filmDock_ = nullptr,
                *alertsDock_ = nullptr;
    struct Side {
        QDockWidget* dock = nullptr;
        int wanted = 0, given = 0; ///< widths: of the user, and what the text made of it
    };
    std::array<Side, 2> sides_;
    struct Everyday {
        double textScale = 1;
        Qt::WindowStates states;
        QList<QDockWidget*> open; ///< of those that make room
    };
    std::optional<Everyday> everyday_; ///< how the window was before it is presented
    bool arranged_ = false, painted_ = false, closing_ = false;
    bool playUnpacked_ = false; ///< the run that is being unpacked is played back at once
};

} // namespace pha::ui
