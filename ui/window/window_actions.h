// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QAction>
#include <QMenu>

class QMainWindow;
class QMenuBar;

namespace pha::ui {

/// Every command of the window as an action: menus, buttons, shortcuts and the command palette share them. Who does
/// what is connected by MainWindow. Each action's objectName is its member name.
struct WindowActions {
    explicit WindowActions(QMainWindow* window);
    void fillMenus(QMenuBar* bar, const QList<QAction*>& panels);
    QList<QAction*> ofRun() const; ///< what can be done with the selected run: its context menu
    /// Says something else of a command than what it usually does, such as why it is off; empty: as usual.
    static void retell(QAction* action, const QString& tip);
    /// Pause, of a run or a recording that `goes`; else what lets it go on, called `goOn`.
    void setPause(bool enabled, bool goes, const QString& goOn) const;

    // File
    QAction *newRun, *openRun, *openCapsule, *chooseFolder, *exportImage, *quit;
    // Run
    QAction *startRun, *runDemo, *pauseRun, *stopRun, *resumeRun, *evaluateNow, *sampleNow, *checkpointNow,
        *changeLearningRate, *changeSettings;
    QAction *queueRun, *severalRuns, *moveUp, *moveDown, *leaveQueue, *holdQueue;
    QAction *cloneRun, *forkRun, *replayRun, *playBack, *renameRun, *editAbout, *toggleShown, *setBaseline,
        *exportCapsule, *copyPath, *openFolder, *archiveRun, *deleteRun, *putBackRun, *searchRuns;
    // View
    QAction *showMonitor, *showCompare, *showPlayground, *showInspect, *showEvaluate, *showData, *showBench, *showFilm,
        *showAlerts, *runPanelCommand, *stopPanelCommand;
    QAction *playNext, *playPrevious;
    QAction *logAxis, *cycleXAxis, *smoothMore, *smoothLess, *fitAndFollow, *groupSeeds;
    QAction *themeSystem, *themeLight, *themeDark, *textLarger, *textSmaller, *presentation, *resetLayout;
    // Help
    QAction *palette, *shortcuts, *systemInformation, *about;

private:
    QAction* make(const char* id, const QString& text, const QString& tip, const QList<QKeySequence>& keys = {},
        const char* sign = nullptr);
    void makeFile();
    void makeTraining();
    void makeOfRun();
    void makePanels();
    void makeCharts();
    void makeAppearance();
    void makeHelp();
    QMainWindow* window_;
};

} // namespace pha::ui
