// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/window_actions.h"

#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"
#include "ui/window/shortcuts.h"

#include <QActionGroup>
#include <QCoreApplication>
#include <QMainWindow>
#include <QMenuBar>

namespace pha::ui {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("pha::ui::WindowActions", text); }

} // namespace

QAction* WindowActions::make(
    const char* id, const QString& text, const QString& tip, const QList<QKeySequence>& keys, const char* sign)
{
    auto* action = new QAction(text, window_);
    action->setObjectName(QLatin1String(id));
    shortcuts::setUsual(action, keys);
    action->setProperty("usualTip", tip);
    retell(action, {});
    action->setAutoRepeat(false); // a key that is held down starts one run, not ten
    if (sign) action->setIcon(icon(QLatin1String(sign)));
    window_->addAction(action); // shortcuts work even where no menu bar is shown
    return action;
}

void WindowActions::retell(QAction* action, const QString& tip)
{
    const auto text = tip.isEmpty() ? action->property("usualTip").toString() : tip;
    action->setProperty("told", tip);
    const auto keys = action->shortcut().toString(QKeySequence::NativeText);
    action->setToolTip(plainToolTip(keys.isEmpty() ? text : QStringLiteral("%1 (%2)").arg(text, keys)));
    action->setStatusTip(text);
}

void WindowActions::setPause(bool enabled, bool goes, const QString& goOn) const
{
    pauseRun->setEnabled(enabled);
    pauseRun->setText(goes ? tr("&Pause") : goOn);
    pauseRun->setIcon(icon(goes ? QStringLiteral("pause") : QStringLiteral("play")));
}

WindowActions::WindowActions(QMainWindow* window)
    : window_(window)
{
    makeFile();
    makeTraining();
    makeOfRun();
    makePanels();
    makeCharts();
    makeAppearance();
    makeHelp();
    for (auto* little : { textLarger, textSmaller, smoothMore, smoothLess, playNext, playPrevious, moveUp, moveDown })
        little->setAutoRepeat(true);
}

void WindowActions::makeFile()
{
    using K = QKeySequence;
    newRun = make("newRun", tr("&New run"), tr("Sets up a new run in the form"), { K::New }, "plus");
    openRun = make("openRun", tr("&Open run\u2026"),
        tr("Opens a run directory, also one that another process is writing"), { K::Open }, "folder");
    openCapsule = make("openCapsule", tr("Open r&un file\u2026"),
        tr("Unpacks a run that somebody exported as one file (.pha) into the runs folder"),
        { K(QStringLiteral("Ctrl+Shift+O")) });
    chooseFolder = make("chooseFolder", tr("Choose runs &folder\u2026"), tr("Where runs are kept"));
    exportImage = make("exportImage", tr("&Export chart\u2026"), tr("Saves the chart as a picture"),
        { K(QStringLiteral("Ctrl+Shift+S")) }, "image");
    quit = make(
        "quit", tr("&Quit"), tr("Saves a checkpoint of what trains, then leaves"), { K(QStringLiteral("Ctrl+Q")) });
    quit->setMenuRole(QAction::QuitRole);
}

void WindowActions::makeTraining()
{
    using K = QKeySequence;
    startRun = make("startRun", tr("&Start new run"), tr("Trains a new run with the settings of the form"),
        { K(QStringLiteral("Ctrl+R")) }, "play");
    queueRun =
        make("queueRun", tr("&Queue new run"), tr("Puts a run with the settings of the form at the end of the queue"),
            { K(QStringLiteral("Ctrl+Shift+Q")) }, "list");
    severalRuns = make("severalRuns", tr("Se&veral runs\u2026"),
        tr("Queues runs that differ in one or two settings, each with several seeds"),
        { K(QStringLiteral("Ctrl+Alt+R")) }, "sliders");
    moveUp = make("moveUp", tr("Move &up in the queue"), tr("Lets the selected run start one place earlier"),
        { K(QStringLiteral("Ctrl+Shift+Up")) }, "arrow-up");
    moveDown = make("moveDown", tr("Move do&wn in the queue"), tr("Lets the selected run start one place later"),
        { K(QStringLiteral("Ctrl+Shift+Down")) }, "arrow-down");
    leaveQueue = make("leaveQueue", tr("Take out of the que&ue"), tr("The selected run waits no longer, and is gone"),
        { K(QStringLiteral("Ctrl+Shift+X")) }, "close");
    holdQueue = make("holdQueue", tr("&Hold the queue"),
        tr("No waiting run starts by itself until the hold is released; what trains goes on"),
        { K(QStringLiteral("Ctrl+Shift+H")) }, "pause");
    holdQueue->setCheckable(true);
    runDemo = make("runDemo", tr("Run the &demo"), tr("Trains a small network on built-in stories"),
        { K(QStringLiteral("Ctrl+Shift+D")) });
    pauseRun = make("pauseRun", tr("&Pause"), tr("Pauses the training after this update, or goes on"),
        { K(Qt::Key_Space) }, "pause");
    stopRun = make("stopRun", tr("S&top"), tr("Finishes this update, writes a checkpoint and stops"),
        { K(QStringLiteral("Ctrl+.")) }, "stop");
    resumeRun = make("resumeRun", tr("&Resume"), tr("Continues the selected run from its latest checkpoint"),
        { K(QStringLiteral("Ctrl+Shift+P")) }, "play");
    evaluateNow = make("evaluateNow", tr("&Evaluate now"), tr("Measures the perplexity between two updates"),
        { K(QStringLiteral("Ctrl+Shift+E")) }, "gauge");
    sampleNow = make("sampleNow", tr("S&ample now"), tr("Writes a sample between two updates"),
        { K(QStringLiteral("Ctrl+Shift+T")) }, "sample");
    checkpointNow = make("checkpointNow", tr("&Checkpoint"), tr("Saves a checkpoint now"), { K::Save }, "save");
    changeLearningRate = make("changeLearningRate", tr("Change &learning rate\u2026"),
        tr("Sets a new learning_rate, which is the peak; recorded and marked on the charts. Muon's own rate stays"),
        { K(QStringLiteral("Ctrl+L")) }, "sliders");
    changeSettings = make("changeSettings", tr("Change &settings\u2026"),
        tr("Shows the settings that the running run takes over: rates, clip, number of steps, intervals, sample "
           "prompt"),
        { K(QStringLiteral("Ctrl+Shift+L")) }, "sliders");
}

void WindowActions::makeOfRun()
{
    using K = QKeySequence;
    cloneRun = make("cloneRun", tr("Cl&one"), tr("Copies the settings of the selected run into the form"),
        { K(QStringLiteral("Ctrl+Shift+R")) }, "clone");
    forkRun = make("forkRun", tr("&Fork\u2026"),
        tr("Sets up a run that goes on from the newest checkpoint of the selected one with other settings"),
        { K(QStringLiteral("Ctrl+Shift+F")) }, "fork");
    replayRun = make("replayRun", tr("Repla&y"),
        tr("Trains the selected run once more, with the settings that were changed while it trained changed at the "
           "same updates, and says whether every loss is the same; while another run trains it waits in the queue"),
        { K(QStringLiteral("Ctrl+Shift+Y")) }, "play");
    playBack = make("playBack", tr("Play &back"),
        tr("Shows the selected run once more as it was while it trained, at any speed, and the ticked ones after as "
           "much time of training; nothing is trained"),
        { K(Qt::Key_P) }, "play");
    renameRun = make("renameRun", tr("Re&name"), tr("Gives the selected run another name"),
        { K(QStringLiteral("Shift+F2")) }, "pen");
    editAbout = make("editAbout", tr("Notes and ta&gs"), tr("Writes down why the selected run was made, and tags it"),
        { K(QStringLiteral("Ctrl+Shift+N")) }, "sample");
    toggleShown = make("toggleShown", tr("S&how in charts"),
        tr("Draws the selected run beside the current one, or no longer"), { K(Qt::Key_H) }, "chart");
    toggleShown->setCheckable(true);
    setBaseline = make("setBaseline", tr("Set as &baseline"),
        tr("Measures the other runs of the comparison against the selected one"), { K(Qt::Key_B) });
    exportCapsule = make("exportCapsule", tr("E&xport as one file\u2026"),
        tr("Writes settings, metrics, notes, tokenizer and checkpoints of the selected run into one file (.pha)"), {},
        "save");
    copyPath = make("copyPath", tr("Copy pa&th"), tr("Copies the path of the run directory"), {}, "copy");
    openFolder =
        make("openFolder", tr("Open fol&der"), tr("Shows the run directory in the file manager"), {}, "folder");
    archiveRun = make("archiveRun", tr("&Archive"),
        tr("Puts the selected run away without deleting anything, or takes it out of the archive"),
        { K(QStringLiteral("Ctrl+Shift+A")) }, "archive");
    deleteRun = make("deleteRun", tr("Delete\u2026"), tr("Moves the run directory to the trash"),
        { K(QStringLiteral("Ctrl+Del")) }, "trash");
    putBackRun = make("putBackRun", tr("P&ut back"), tr("Takes the run that was deleted or archived last back"),
        { K(QStringLiteral("Ctrl+Shift+Del")) }, "undo");
    searchRuns =
        make("searchRuns", tr("Search runs"), tr("Goes to the search field of the run list"), { K::Find }, "search");
}

void WindowActions::makePanels()
{
    using K = QKeySequence;
    showMonitor = make("showMonitor", tr("&Monitor"), tr("Curves of the runs"), { K(Qt::Key_F1) });
    showCompare =
        make("showCompare", tr("Co&mpare"), tr("Curves, figures and settings of runs side by side"), { K(Qt::Key_F2) });
    showPlayground = make("showPlayground", tr("&Playground"), tr("Text from the selected run"), { K(Qt::Key_F3) });
    showInspect = make("showInspect", tr("&Inspect"),
        tr("Where each part of the network looks, what it adds, and how its weights move"), { K(Qt::Key_F4) });
    showEvaluate = make("showEvaluate", tr("&Evaluate"), tr("Perplexity with branches muted"), { K(Qt::Key_F5) });
    showData = make("showData", tr("&Data"), tr("Texts and their tokenizers"), { K(Qt::Key_F6) });
    showBench = make("showBench", tr("&Benchmark"), tr("Speed and memory of this machine"), { K(Qt::Key_F7) });
    showFilm = make("showFilm", tr("&Film"), tr("Samples of the selected run, from its first update to its last"),
        { K(Qt::Key_F8) });
    showAlerts = make("showAlerts", tr("Ale&rts"),
        tr("Updates of the selected run that were not like the others, and why"), { K(Qt::Key_F9) });
    runPanelCommand = make("runPanelCommand", tr("&Generate, look inside, evaluate or measure"),
        tr("Does what the panel in front is for"),
        { K(QStringLiteral("Ctrl+Return")), K(QStringLiteral("Ctrl+Enter")) });
    stopPanelCommand = make("stopPanelCommand", tr("Stop generating"),
        tr("Ends the generation, evaluation or measurement that is going on"), { K(Qt::Key_Escape) });
    playNext = make("playNext", tr("Next evaluation or sample"),
        tr("Goes on to the next evaluation or sample of the recording"), { K(Qt::Key_Period) }, "next");
    playPrevious = make("playPrevious", tr("Previous evaluation or sample"),
        tr("Goes back to the evaluation or sample before in the recording"), { K(Qt::Key_Comma) }, "previous");
}

void WindowActions::makeCharts()
{
    using K = QKeySequence;
    logAxis = make("logAxis", tr("&Logarithmic axis"), tr("Switches the loss axis between linear and logarithmic"),
        { K(Qt::Key_L) });
    cycleXAxis = make("cycleXAxis", tr("Next &x axis"), tr("Steps, tokens, or time"), { K(Qt::Key_X) });
    smoothMore = make("smoothMore", tr("Smooth m&ore"), tr("Smooths the curves more"), { K(Qt::Key_BracketRight) });
    smoothLess = make("smoothLess", tr("Smooth l&ess"), tr("Smooths the curves less"), { K(Qt::Key_BracketLeft) });
    fitAndFollow =
        make("fitAndFollow", tr("&Fit and follow"), tr("Shows everything and keeps up with the run"), { K(Qt::Key_F) });
    groupSeeds = make("groupSeeds", tr("&Group seeds"),
        tr("Compares runs that differ in nothing but the seed as one curve with a band, or each for itself"),
        { K(Qt::Key_G) });
}

void WindowActions::makeAppearance()
{
    using K = QKeySequence;
    themeSystem = make("themeSystem", tr("&System"), tr("Light or dark as the desktop is"));
    themeLight = make("themeLight", tr("&Light"), tr("Dark text on light ground"));
    themeDark = make("themeDark", tr("&Dark"), tr("Light text on dark ground"), {}, "moon");
    textLarger =
        make("textLarger", tr("Lar&ger text"), tr("Makes all text larger"), { K::ZoomIn, K(QStringLiteral("Ctrl+=")) });
    textSmaller = make("textSmaller", tr("S&maller text"), tr("Makes all text smaller"), { K::ZoomOut });
    presentation = make("presentation", tr("P&resentation"), tr("Full screen with large text"), { K(Qt::Key_F11) });
    presentation->setCheckable(true);
    resetLayout = make("resetLayout", tr("Reset la&yout"), tr("Puts all panels back where they were at first"));

    auto* themes = new QActionGroup(window_);
    for (auto* action : { themeSystem, themeLight, themeDark }) {
        action->setCheckable(true);
        themes->addAction(action);
    }
    const auto checkTheme = [this] {
        const auto mode = Theme::instance().mode();
        (mode == Theme::Mode::Dark           ? themeDark
                : mode == Theme::Mode::Light ? themeLight
                                             : themeSystem)
            ->setChecked(true);
    };
    checkTheme();
    QObject::connect(&Theme::instance(), &Theme::changed, themeSystem, checkTheme);
}

void WindowActions::makeHelp()
{
    using K = QKeySequence;
    palette = make("palette", tr("&Command palette"), tr("Finds any command by its name"),
        { K(QStringLiteral("Ctrl+K")) }, "search");
    shortcuts = make("shortcuts", tr("&Keyboard shortcuts"),
        tr("All commands with their keys, which can be changed there"), { K(QStringLiteral("Ctrl+/")) });
    systemInformation = make("systemInformation", tr("&System information"), tr("LibTorch, BLAS, devices and threads"));
    about = make("about", tr("&About PHA Studio"), tr("Version and licence"));
    about->setMenuRole(QAction::AboutRole);
}

QList<QAction*> WindowActions::ofRun() const
{
    QList<QAction*> list;
    const auto separator = [&] {
        auto* line = new QAction(window_);
        line->setSeparator(true);
        list << line;
    };
    list << resumeRun << pauseRun << stopRun;
    separator();
    list << moveUp << moveDown << leaveQueue;
    separator();
    list << toggleShown << setBaseline << cloneRun << forkRun << replayRun << playBack << renameRun << editAbout;
    separator();
    list << exportCapsule << copyPath << openFolder;
    separator();
    list << archiveRun << deleteRun;
    return list;
}

void WindowActions::fillMenus(QMenuBar* bar, const QList<QAction*>& panels)
{
    const auto menu = [&](const char* id, const QString& title) {
        auto* m = bar->addMenu(title);
        m->setObjectName(QLatin1String(id));
        m->setToolTipsVisible(false);
        return m;
    };
    auto* file = menu("fileMenu", tr("&File"));
    file->addActions({ newRun, openRun, openCapsule, chooseFolder });
    file->addSeparator();
    file->addAction(exportImage);
    file->addSeparator();
    file->addAction(quit);

    auto* run = menu("runMenu", tr("&Run"));
    run->addActions({ startRun, queueRun, severalRuns, runDemo });
    run->addSeparator();
    run->addActions({ holdQueue, moveUp, moveDown, leaveQueue });
    run->addSeparator();
    run->addActions({ pauseRun, stopRun, resumeRun });
    run->addSeparator();
    run->addActions({ playBack, playPrevious, playNext });
    run->addSeparator();
    run->addActions({ evaluateNow, sampleNow, checkpointNow, changeLearningRate, changeSettings });
    run->addSeparator();
    run->addActions({ toggleShown, setBaseline, cloneRun, forkRun, replayRun, renameRun, editAbout });
    run->addSeparator();
    run->addActions({ exportCapsule, copyPath, openFolder, archiveRun, deleteRun, putBackRun });

    auto* view = menu("viewMenu", tr("&View"));
    view->addActions({ showMonitor, showCompare, showPlayground, showInspect, showEvaluate, showData, showBench,
        showFilm, showAlerts, searchRuns });
    view->addSeparator();
    view->addActions({ logAxis, cycleXAxis, smoothMore, smoothLess, fitAndFollow, groupSeeds });
    view->addSeparator();
    view->addActions({ runPanelCommand, stopPanelCommand });
    view->addSeparator();
    auto* docks = view->addMenu(tr("&Panels"));
    docks->setObjectName(QStringLiteral("panelsMenu"));
    docks->addActions(panels);
    auto* theme = view->addMenu(tr("&Theme"));
    theme->setObjectName(QStringLiteral("themeMenu"));
    theme->addActions({ themeSystem, themeLight, themeDark });
    view->addActions({ textLarger, textSmaller, presentation, resetLayout });

    auto* help = menu("helpMenu", tr("&Help"));
    help->addActions({ palette, shortcuts, systemInformation });
    help->addSeparator();
    help->addAction(about);
}

} // namespace pha::ui
