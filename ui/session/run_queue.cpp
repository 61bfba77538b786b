// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/run_queue.h"

#include "engine/run/fork_point.h"
#include "engine/run/sweep_state.h"
#include "ui/format.h"

#include <QDateTime>
#include <QTimer>

#include <algorithm>
#include <utility>

namespace pha::ui {

namespace {

/// What the list shows of a run that is not on the disk yet.
RunFile plannedFile(const WaitingRun& run)
{
    RunFile file;
    file.name = run.name;
    file.config = run.config;
    file.created = QDateTime::currentDateTimeUtc().toString(Qt::ISODate).toStdString();
    if (!run.replay.is_null()) file.environment["replay"] = run.replay;
    if (run.forkFrom.empty()) return file;
    try {
        file.environment["parent"] = readForkPoint(run.forkFrom).parent.toJson();
    } catch (const std::exception&) {
        // The run says what is wrong with its parent when its turn has come.
    }
    return file;
}

} // namespace

RunQueue::RunQueue(RunListModel* runs, RunController* controller, QObject* parent)
    : QObject(parent)
    , runs_(runs)
    , controller_(controller)
{
    writer_.setMaxThreadCount(1);
    // After everybody has heard that the one before has ended, and how.
    connect(controller_, &RunController::busyChanged, this, &RunQueue::advance, Qt::QueuedConnection);
}

RunQueue::~RunQueue() { writer_.waitForDone(); }

void RunQueue::setFolder(const fs::path& folder)
{
    if (folder == folder_) return;
    for (const auto& run : waiting_) runs_->forget(directoryOf(run));
    waiting_.clear();
    begun_.reset();
    writer_.waitForDone(); // a change of the folder is rare, and the lock must not go before what it guards is written
    lock_.reset();
    held_ = false;
    folder_ = folder;
    std::error_code error;
    try {
        if (fs::exists(queueFile(folder_), error)) own();
    } catch (const QueueTaken&) {
        // The other window shows what waits. Who adds a run to it here is told.
    } catch (const std::exception& problem) {
        Q_EMIT failed(errorLine(problem));
    }
    Q_EMIT changed();
}

void RunQueue::own()
{
    if (lock_) return;
    fs::create_directories(folder_);
    auto lock = std::make_shared<QueueLock>(folder_);
    auto kept = readQueue(folder_);
    lock_ = std::move(lock);
    // One that has been trained since, by `pha sweep` or by a window that could not say so, waits no longer.
    std::vector<std::pair<fs::path, fs::path>> taken;
    std::erase_if(kept, [&](const WaitingRun& run) {
        const auto* session = runs_->session(directoryOf(run)); // began here, before another folder was looked at
        if (!trained(run) && !(session && session->active())) return false;
        taken.emplace_back(directoryOf(run), fs::path());
        return true;
    });
    for (const auto& run : kept)
        if (!RunDirectory(directoryOf(run)).exists()) show(run);
    for (auto& run : kept) // now that the list knows which folders are waited for
        if (const auto before = directoryOf(run); giveFolder(run)) {
            show(run);
            taken.emplace_back(before, directoryOf(run));
        }
    waiting_ = std::move(kept);
    if (!taken.empty()) store();
    for (const auto& [directory, now] : taken) Q_EMIT folderTaken(directory, now);
    if (waiting_.empty()) return;
    held_ = true;
    number();
    Q_EMIT found(size());
}

bool RunQueue::trained(const WaitingRun& run) const
{
    try {
        const RunDirectory there(directoryOf(run));
        return there.exists() && otherSettings(run.config, there.read(RunUse::View).config).empty();
    } catch (const std::exception&) {
        return false; // whatever it is
    }
}

bool RunQueue::giveFolder(WaitingRun& run)
{
    if (!RunDirectory(directoryOf(run)).exists()) return false;
    run.folder = runs_->freeDirectory(folder_, run.folder).filename().string();
    return true;
}

void RunQueue::show(const WaitingRun& run) { runs_->plan(directoryOf(run), plannedFile(run)); }

QString RunQueue::add(const std::vector<WaitingRun>& runs)
{
    try {
        own();
    } catch (const std::exception& error) {
        return errorLine(error);
    }
    for (auto run : runs) {
        if (!run.forkFrom.empty()) run.forkMark = checkpointMark(run.forkFrom);
        show(run);
        waiting_.push_back(std::move(run));
    }
    store();
    QTimer::singleShot(0, this, &RunQueue::advance);
    return {};
}

void RunQueue::takeOut(const fs::path& directory)
{
    if (placeOf(directory) == 0) return;
    std::erase_if(waiting_, [&](const WaitingRun& run) { return directoryOf(run) == directory; });
    runs_->forget(directory);
    store();
}

void RunQueue::move(const fs::path& directory, int by)
{
    const int at = placeOf(directory) - 1, to = at + by;
    if (at < 0 || to < 0 || to >= size()) return;
    const auto first = waiting_.begin();
    if (to < at)
        std::rotate(first + to, first + at, first + at + 1);
    else
        std::rotate(first + at, first + at + 1, first + to + 1);
    store();
}

int RunQueue::placeOf(const fs::path& directory) const
{
    for (int i = 0; i < size(); ++i)
        if (directoryOf(waiting_[std::size_t(i)]) == directory) return i + 1;
    return 0;
}

void RunQueue::setHeld(bool held)
{
    if (held == held_) return;
    held_ = held;
    number();
    Q_EMIT changed();
    advance();
}

void RunQueue::end() { ended_ = true; }

void RunQueue::advance()
{
    if (ended_ || controller_->busy()) return;
    if (begun_) { // stopped or failed before there was anything of it
        begun_.reset();
        store();
    }
    if (held_ || waiting_.empty()) return;
    auto next = waiting_.front();
    const auto planned = directoryOf(next);
    waiting_.erase(waiting_.begin());
    if (const bool done = trained(next); done || giveFolder(next)) {
        if (!done) {
            show(next);
            waiting_.insert(waiting_.begin(), next);
        }
        runs_->reopen(planned);
        store();
        QTimer::singleShot(0, this, &RunQueue::advance);
        Q_EMIT folderTaken(planned, done ? fs::path() : directoryOf(next));
        return;
    }
    const auto directory = directoryOf(next);
    auto* session = runs_->session(directory);
    if (session) begun_ = next;
    store();
    if (!session) {
        QTimer::singleShot(0, this, &RunQueue::advance);
        return;
    }
    session->setPlace(0);
    TrainingRequest request;
    request.config = next.config;
    request.directory = directory;
    request.name = next.name;
    request.forkFrom = next.forkFrom;
    request.forkMark = next.forkMark;
    request.initFrom = next.initFrom;
    request.convertFrom = next.convertFrom;
    if (!next.replay.is_null()) request.replayOf = next.replay.at("path").get<std::string>();
    keepUntilMade(session);
    if (!next.tags.empty()) {
        AboutChange change;
        change.addTags = next.tags;
        runs_->changeAbout(directory, change); // written when its folder is there
    }
    controller_->start(session, request);
    Q_EMIT starting(directory);
}

void RunQueue::keepUntilMade(RunSession* session)
{
    auto* once = new QObject(session);
    connect(session, &RunSession::stateChanged, once, [this, once, session] {
        if (!session->job()) return; // its folder is not there yet
        once->deleteLater();
        if (!begins(session->directory())) return;
        begun_.reset();
        store();
    });
}

void RunQueue::number()
{
    for (int i = 0; i < size(); ++i)
        if (auto* session = runs_->session(directoryOf(waiting_[std::size_t(i)]))) session->setPlace(i + 1, held_);
}

void RunQueue::store()
{
    number();
    Q_EMIT changed();
    auto kept = waiting_;
    if (begun_) kept.insert(kept.begin(), *begun_);
    writer_.start([folder = folder_, runs = std::move(kept), lock = lock_, this] {
        QString problem;
        try {
            writeQueue(folder, runs);
        } catch (const std::exception& error) {
            problem = errorLine(error);
        }
        // The destructor waits for this, so the object is there; what it is told is told on its own thread.
        if (!problem.isEmpty())
            QMetaObject::invokeMethod(
                this, [this, problem] { Q_EMIT failed(problem); }, Qt::QueuedConnection);
    });
}

} // namespace pha::ui
