// SPDX-License-Identifier: GPL-3.0-or-later
// What the commands of the window do with runs.
#include "engine/run/course.h"
#include "ui/alerts/alerts_panel.h"
#include "ui/charts/monitor_panel.h"
#include "ui/compare/compare_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/data/data_panel.h"
#include "ui/format.h"
#include "ui/window/main_window.h"
#include "ui/work/capsule_work.h"

#include "ui/inspect/inspect_panel.h"
#include "ui/playground/playground_panel.h"
#include "ui/runs/run_panel.h"
#include "ui/session/playback.h"
#include "ui/session/run_queue.h"
#include "ui/window/error_banner.h"
#include "ui/window/window_actions.h"

#include <QApplication>
#include <QClipboard>
#include <QDateTime>
#include <QDesktopServices>
#include <QDockWidget>
#include <QGuiApplication>
#include <QSettings>
#include <QStatusBar>
#include <QToolBar>
#include <QUrl>

#include <algorithm>

namespace pha::ui {

namespace {

constexpr int messageTime = 6000; ///< milliseconds that a word in the status bar stays

/// Which keys make a run of the form, as it is now: while another one trains it can only wait.
QString keysForTheForm(const WindowActions& actions, bool busy)
{
    const auto* action = busy ? actions.queueRun : actions.startRun;
    const auto keys = action->shortcut().toString(QKeySequence::NativeText);
    const auto way = keys.isEmpty() ? action->text().remove(QLatin1Char('&')) : keys;
    return busy ? MainWindow::tr("%1 queues the run").arg(way) : MainWindow::tr("%1 starts the run").arg(way);
}

} // namespace

void MainWindow::connectAll()
{
    connect(banner_, &ErrorBanner::shown, bannerBar_, &QWidget::show);
    connect(banner_, &ErrorBanner::closed, bannerBar_, &QWidget::hide);
    connect(runPanel_, &RunPanel::currentChanged, this, &MainWindow::selectCurrent);
    connect(runPanel_, &RunPanel::activated, this, [this] { configPanel_->showRun(); });
    connect(runs_, &RunListModel::shownChanged, this, &MainWindow::updateSessions);
    connect(runs_, &RunListModel::failed, this, &MainWindow::showError);
    runs_->setInUse([this](const RunSession* session) {
        return session == current_ || session == controller_->session() || session == playback_->run()
            || session == playground_->rival();
    });
    connect(runs_, &RunListModel::scanFinished, this, &MainWindow::updateWelcome);
    connect(runs_, &QAbstractItemModel::rowsInserted, this, &MainWindow::updateWelcome);
    connect(runs_, &QAbstractItemModel::rowsRemoved, this, &MainWindow::updateWelcome);
    const auto goTo = [this](RunSession* session) { runPanel_->select(session->directory()); };
    connect(monitor_, &MonitorPanel::runClicked, this, goTo);
    connect(compare_, &ComparePanel::runClicked, this, goTo);
    connect(
        compare_, &ComparePanel::coloursChanged, runs_, [this] { runs_->setSharedColours(compare_->sharedColours()); });
    connect(data_, &DataPanel::useRequested, this, &MainWindow::useData);
    connect(controller_, &RunController::failed, this, &MainWindow::showError);
    connect(controller_, &RunController::engineReady, this, [this] {
        const auto& info = *controller_->engineInfo();
        configPanel_->form()->setEngineInfo(info);
        // What waits since the last time is worth more than this.
        if (const auto said = statusBar()->currentMessage(); said.isEmpty() || said == openingEngine())
            statusBar()->showMessage(counted(info.threads, tr("Engine ready: LibTorch %1, %2 thread"),
                                         tr("Engine ready: LibTorch %1, %2 threads"))
                                         .arg(fromUtf8(info.libtorch))
                                         .arg(info.threads),
                messageTime);
        if (!info.warning.empty()) showError(fromUtf8(info.warning));
    });
    connect(controller_, &RunController::busyChanged, this, [this] {
        updateActions();
        if (closing_ && !controller_->busy()) close();
    });
    connect(controller_, &RunController::finished, this, [this](RunSession* session) {
        judgeTimes();
        statusBar()->showMessage(tr("%1: %2").arg(session->name(), session->stateText()), messageTime);
    });
    connect(configPanel_->form(), &ConfigForm::startRequested, this, &MainWindow::start);
    connect(configPanel_->form(), &ConfigForm::refused, this, [this] {
        const auto* focus = QApplication::focusWidget();
        if (focus && configPanel_->form()->isAncestorOf(focus)) return; // it is seen, and somebody types there
        showPanel(configDock_->objectName());
        configPanel_->showForm();
    });
    connect(configPanel_->form(), &ConfigForm::commandCopied, this,
        [this] { statusBar()->showMessage(tr("Command copied"), messageTime); });
    connect(&timesTimer_, &QTimer::timeout, this, [this] {
        if (timesChanged_ || controller_->busy()) judgeTimes(); // by the run that has just begun, too
        timesChanged_ = false;
    });
    timesTimer_.start(10000);
    connect(runs_, &RunListModel::rowsInserted, this, &MainWindow::judgeTimes);
    connect(runs_, &RunListModel::rowsRemoved, this, &MainWindow::judgeTimes);
    connect(runs_, &RunListModel::dataChanged, this, [this] { timesChanged_ = true; }); // other processes train too
}

void MainWindow::connectRun()
{
    const auto& a = *actions_;
    connect(a.newRun, &QAction::triggered, this, [this] {
        showPanel(configDock_->objectName());
        configPanel_->showForm();
    });
    connect(a.openRun, &QAction::triggered, this, [this] {
        if (const auto path = parts_.dialogs.openFolder(this, tr("Open a run directory")); !path.isEmpty())
            openRun(toPath(path), true);
    });
    connect(a.chooseFolder, &QAction::triggered, this, &MainWindow::chooseFolder);
    connect(a.startRun, &QAction::triggered, configPanel_->form(), &ConfigForm::requestStart);
    connect(a.runDemo, &QAction::triggered, this, &MainWindow::startDemo);
    connect(a.pauseRun, &QAction::triggered, this, [this] {
        if (playback_->active()) return playback_->setPlaying(!playback_->playing());
        const auto* session = controller_->session();
        if (!session) return;
        if (session->state() == RunState::Paused) {
            controller_->resume();
        } else {
            controller_->pause();
        }
    });
    connect(a.stopRun, &QAction::triggered, controller_, &RunController::stop);
    connect(a.resumeRun, &QAction::triggered, this, &MainWindow::resume);
    connect(a.evaluateNow, &QAction::triggered, controller_, &RunController::evaluateNow);
    connect(a.sampleNow, &QAction::triggered, controller_, &RunController::sampleNow);
    connect(a.checkpointNow, &QAction::triggered, controller_, &RunController::checkpointNow);
    connect(a.changeLearningRate, &QAction::triggered, this, &MainWindow::changeLearningRate);
    connect(a.changeSettings, &QAction::triggered, this, [this] {
        if (auto* session = controller_->session()) runPanel_->select(session->directory());
        showPanel(configDock_->objectName());
        configPanel_->editRun();
    });
    connect(configPanel_, &ConfigPanel::changeRequested, this, [this](const std::string& key, const Json& value) {
        if (!current_ || refuseWhilePlaying() || !changeSetting(current_, current_->name(), key, value)) return;
        statusBar()->showMessage(
            tr("%1: %2 from the next update on").arg(fromUtf8(key), fromUtf8(settingText(value))), messageTime);
    });
    connect(configPanel_, &ConfigPanel::refused, this, &MainWindow::showError);
    connect(a.cloneRun, &QAction::triggered, this, [this] {
        showPanel(configDock_->objectName());
        configPanel_->cloneSession();
    });
    connect(a.forkRun, &QAction::triggered, this, [this] {
        if (current_) fork(current_->directory());
    });
    connect(monitor_, &MonitorPanel::forkRequested, this, &MainWindow::fork);
    connect(a.setBaseline, &QAction::triggered, this, [this] {
        if (!current_) return;
        compare_->setBaseline(current_->directory());
        statusBar()->showMessage(tr("%1 is the baseline").arg(current_->name()), messageTime);
    });
    connect(a.renameRun, &QAction::triggered, runPanel_, &RunPanel::renameCurrent);
    connect(a.editAbout, &QAction::triggered, this, [this] {
        bringForward(runsDock_); // where the focus is says whether the notes open or close
        runPanel_->editAbout();
    });
    connect(a.toggleShown, &QAction::triggered, this, [this](bool on) {
        if (current_) runs_->setShown(current_->directory(), on);
    });
    connect(a.copyPath, &QAction::triggered, this, [this] {
        if (current_) QGuiApplication::clipboard()->setText(fromPath(current_->directory()));
    });
    connect(a.openFolder, &QAction::triggered, this, [this] {
        if (current_) QDesktopServices::openUrl(QUrl::fromLocalFile(fromPath(current_->directory())));
    });
    connectPutAway();
}

void MainWindow::connectAlerts()
{
    connect(alerts_, &AlertsPanel::countChanged, this,
        [this](int alerts) { alertsDock_->setWindowTitle(alerts > 0 ? tr("Alerts (%1)").arg(alerts) : tr("Alerts")); });
    connect(monitor_, &MonitorPanel::alertRequested, this, [this](std::int64_t step) {
        showPanel(alertsDock_->objectName());
        alerts_->showAlert(step);
        alerts_->focusList();
    });
    connect(alerts_, &AlertsPanel::forkRequested, this,
        [this](const fs::path& checkpoint, const QString& skipData, bool halfRate) {
            fork(checkpoint);
            auto* draft = configPanel_->draft();
            const auto config = draft->config();
            draft->endOfTyping();
            if (!skipData.isEmpty()) draft->setText("skip_data", skipData);
            if (halfRate && config)
                for (const auto& key : peakRates(config->training))
                    draft->setText(key, formatNumber(config->get(key).get<double>() / 2, 6));
            draft->endOfTyping();
        });
    connect(alerts_, &AlertsPanel::halveRequested, this, [this] {
        const auto* session = controller_->session();
        if (!session || session != current_ || refuseWhilePlaying()) return;
        const auto config = session->file().config;
        QStringList halved;
        for (const auto& key : peakRates(config.training)) {
            const double rate = config.get(key).get<double>() / 2;
            if (!changeSetting(session, session->name(), key, rate)) return;
            halved << fromUtf8(key) + QLatin1Char(' ') + formatNumber(rate);
        }
        statusBar()->showMessage(tr("From the next update on: %1").arg(halved.join(QStringLiteral(", "))), messageTime);
    });
}

void MainWindow::connectCosts()
{
    connect(inspect_, &InspectPanel::pruneRequested, this, [this](const fs::path& checkpoint, const QString& pruned) {
        fork(checkpoint);
        auto* draft = configPanel_->draft();
        draft->endOfTyping();
        draft->setText("pruned_branches", pruned);
        draft->endOfTyping();
        statusBar()->showMessage(
            tr("A fork without %1; %2").arg(pruned, keysForTheForm(*actions_, controller_->busy())), messageTime);
    });
}

void MainWindow::openRun(const fs::path& given, bool shown)
{
    if (given.empty()) return showError(tr("no run is named; give the folder of one"));
    fs::path directory;
    try {
        directory = wholePath(given);
    } catch (const std::exception& error) {
        return showError(errorLine(error));
    }
    if (CapsuleWork::isCapsule(directory)) return capsules_->unpack(directory, runs_->folder());
    auto* session = runs_->open(directory);
    if (!session->problem().isEmpty()) {
        showError(session->problem());
        runs_->forget(directory);
        return;
    }
    if (shown) runs_->setShown(directory, true);
    runPanel_->select(directory);
}

void MainWindow::fork(const fs::path& checkpoint)
{
    showPanel(configDock_->objectName());
    configPanel_->forkSession(checkpoint);
    statusBar()->showMessage(
        tr("Change what you want to try in the fork; %1").arg(keysForTheForm(*actions_, controller_->busy())),
        messageTime);
}

fs::path MainWindow::freeFolder(QString& name)
{
    auto folder = slug(name);
    if (folder.isEmpty()) folder = QStringLiteral("run");
    fs::path directory;
    try {
        fs::create_directories(runs_->folder());
        directory = runs_->freeDirectory(runs_->folder(), folder.toStdString());
    } catch (const std::exception& error) {
        showError(errorLine(error));
        return {};
    }
    const auto number = fromPath(directory.filename()).mid(folder.size() + 1); // "small-2"
    for (int row = 0; !number.isEmpty() && row < runs_->rowCount(); ++row)
        if (runs_->summary(row).name == singleLine(name)) {
            name += QLatin1Char(name.contains(QLatin1Char(' ')) ? ' ' : '-');
            name += number;
            break;
        }
    return directory;
}

void MainWindow::start(const RunConfig& config, QString name, const QString& fork)
{
    TrainingRequest request;
    request.config = config;
    request.forkFrom = toPath(fork);
    request.directory = freeFolder(name);
    if (request.directory.empty()) return;
    request.name = name.toStdString();
    if (controller_->busy())
        return showError(tr("another run is training; stop it first, or wait until it has finished"));
    RunFile planned;
    planned.name = request.name;
    planned.config = config;
    fs::path parent;
    if (const auto& point = configPanel_->draft()->forkPoint(); point && !fork.isEmpty()) {
        planned.environment["parent"] = point->parent.toJson();
        parent = point->parent.path;
    }
    planned.created = QDateTime::currentDateTimeUtc().toString(Qt::ISODate).toStdString();
    auto* session = runs_->plan(request.directory, planned);
    controller_->start(session, request);
    if (!parent.empty()) // its curve goes on in another direction
        for (const auto& run : { parent, request.directory }) runs_->setShown(run, true);
    runPanel_->select(request.directory);
    bannerBar_->hide();
}

void MainWindow::startDemo()
{
    auto config = findPreset("pha-tiny").config;
    config.preset = "pha-tiny";
    showPanel(monitorDock_->objectName());
    monitorDock_->widget()->setFocus(Qt::OtherFocusReason); // the page with the button goes; Space pauses the run
    start(config, QStringLiteral("demo"));
}

void MainWindow::resume()
{
    if (!current_ || current_->active() || controller_->busy() || !current_->problem().isEmpty()) return;
    const QPointer<RunSession> session = current_; // while the dialog is open another run may be selected
    std::optional<double> wanted;
    if (session->complete()) {
        const auto steps = session->file().config.training.steps;
        const auto name = session->name(); // it goes on from what it has saved, whatever the metrics say
        wanted = parts_.dialogs.number(
            this, tr("Train longer"), tr("%1 has finished. Train until step:").arg(name), double(steps) * 2);
        if (!wanted) return;
        // The question may have stood for long.
        if (!session) return showError(tr("%1 is no longer open; select it, then train it longer").arg(name));
        if (session->active())
            return showError(
                tr("%1 is being trained already; wait until it has ended, then train it longer").arg(name));
        if (!(*wanted > double(session->step())))
            return showError(tr("steps is %1; expected more than the %2 that %3 has done")
                                 .arg(formatNumber(*wanted), formatCount(session->step()), name));
    }
    TrainingRequest request;
    request.config = session->file().config;
    request.directory = session->directory();
    request.name = session->file().name;
    request.resume = true;
    if (auto& stopAfter = request.config.training.stopAfter; stopAfter != 0) {
        stopAfter = 0; // was asked of an earlier process, not of this one
        request.overrides.push_back("stop_after");
    }
    if (wanted) {
        request.config.training.steps = std::int64_t(std::min(*wanted, 9e15));
        request.overrides.push_back("steps");
    }
    if (!controller_->start(session, request))
        return showError(tr("another run is training; stop it first, or wait until it has finished"));
    bannerBar_->hide();
}

void MainWindow::useData(const QString& text, int vocabulary, const QString& textField)
{
    auto* draft = configPanel_->draft();
    draft->endOfTyping();
    draft->dropFork(); // it would go on with the tokenizer of its run
    draft->setText("data", text);
    const RunConfig plain; // what the panel trains its tokenizer with
    for (const char* key : { "tokenizer", "byte_fallback" }) draft->setText(key, fromUtf8(settingText(plain.get(key))));
    draft->setText("vocab_size", QString::number(vocabulary));
    draft->setText("text_field", textField);
    draft->endOfTyping();
    showPanel(configDock_->objectName());
    configPanel_->showForm();
    statusBar()->showMessage(
        tr("The form has the text and the vocabulary; %1").arg(keysForTheForm(*actions_, controller_->busy())),
        messageTime);
}

void MainWindow::changeLearningRate()
{
    const QPointer<RunSession> session = controller_->session();
    if (!session) return;
    const auto name = session->name(); // while the dialog is open it may end, and another one may begin
    const auto training = session->file().config.training;
    const auto rate = parts_.dialogs.number(this, tr("Learning rate"),
        (peakRates(training).size() > 1 ? tr("New peak learning rate of %1, from the next update on\n"
                                             "(muon_learning_rate of the hidden matrices stays):")
                                        : tr("New peak learning rate of %1, from the next update on:"))
            .arg(name),
        training.learningRate);
    if (!rate) return;
    if (!(*rate >= 0 && *rate <= 10))
        return showError(tr("learning_rate is %1; expected a number from 0 to 10").arg(formatNumber(*rate)));
    changeSetting(session, name, "learning_rate", *rate);
}

bool MainWindow::changeSetting(
    const RunSession* session, const QString& name, const std::string& key, const Json& value)
{
    if (session && controller_->session() == session && controller_->change(key, value)) return true;
    showError(tr("%1 no longer trains, so %2 stays as it is; resume the run, then change it").arg(name, fromUtf8(key)));
    return false;
}

void MainWindow::chooseFolder()
{
    const auto path = parts_.dialogs.openFolder(this, tr("Folder of the runs"));
    if (path.isEmpty()) return;
    QSettings().setValue(QStringLiteral("runs/folder"), path);
    runs_->setFolder(toPath(path));
    queue_->setFolder(runs_->folder());
    judgeTimes();
}

} // namespace pha::ui
