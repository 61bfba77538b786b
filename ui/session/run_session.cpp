// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/run_session.h"

#include "engine/run/course.h"
#include "ui/format.h"
#include "ui/session/run_follower.h"

#include <QCoreApplication>
#include <QPointer>
#include <QThreadPool>
#include <QTimer>

#include <algorithm>
#include <iterator>
#include <unistd.h>
#include <utility>

namespace pha::ui {

namespace {

constexpr int frame = 33; ///< milliseconds between two signals while a long file is read
constexpr int slice = 4; ///< milliseconds of GUI time that one slice of a long file may take

} // namespace

bool isActive(RunState state)
{
    return state == RunState::Preparing || state == RunState::Running || state == RunState::Paused;
}

RunSession::RunSession(fs::path directory, QObject* parent)
    : QObject(parent)
    , directory_(std::move(directory))
{
    try {
        file_ = RunDirectory(directory_).read(RunUse::View);
    } catch (const std::exception& error) {
        problem_ = errorLine(error);
        detail_ = problem_;
        state_ = RunState::Failed;
    }
    if (problem_.isEmpty()) poll();
}

RunSession::RunSession(fs::path directory, RunFile planned, QObject* parent)
    : QObject(parent)
    , directory_(std::move(directory))
    , file_(std::move(planned))
    , started_(false)
{
    settle();
}

RunSession::~RunSession()
{
    if (follower_) follower_->leave();
}

QString RunSession::name() const
{
    const auto given = singleLine(fromUtf8(file_.name));
    return given.isEmpty() ? singleLine(fromPath(directory_.filename())) : given;
}

QString RunSession::identity() const { return fromPath(directory_) + QLatin1Char('\n') + fromUtf8(file_.created); }

std::int64_t RunSession::step() const { return history_.step.empty() ? 0 : std::int64_t(history_.step.back()); }

bool RunSession::active() const { return isActive(state_); }

bool RunSession::loading() const
{
    return absorbing_ || !backlog_.empty() || (!job_ && follower_ && follower_->busy());
}

QString RunSession::stateText() const
{
    if (!started_ && heldInQueue_) return tr("waiting, on hold");
    if (!started_ && placeInQueue_ == 1) return tr("waiting, next");
    if (!started_ && placeInQueue_ > 1) return tr("waiting, number %1").arg(placeInQueue_);
    if (!started_) return tr("not started");
    if (state_ != RunState::Preparing || progress_.what.empty()) {
        const auto text = describe(state_, place_, step(), interrupted_, detail_);
        return place_ == Place::Recording ? tr("recording, %1").arg(text) : text;
    }
    const auto what = fromUtf8(progress_.what);
    return progress_.total > 0 ? tr("%1, %2").arg(what, formatPercent(progress_.done / progress_.total)) : what;
}

QString RunSession::describe(RunState state, Place place, std::int64_t step, bool interrupted, const QString& detail)
{
    const auto at = formatCount(step);
    const auto why = detail.isEmpty() ? QString() : tr(": %1").arg(detail);
    switch (state) {
    case RunState::Preparing:
        return tr("preparing");
    case RunState::Running:
        return place == Place::Elsewhere ? tr("training in another process") : tr("training");
    case RunState::Paused:
        return tr("paused at %1").arg(at);
    case RunState::Finished:
        return tr("finished");
    case RunState::Stopped:
        if (interrupted) return tr("interrupted at %1").arg(at);
        // "stopped at 12: by the user", not stopped twice
        return tr("stopped at %1").arg(at) + QString(why).replace(QStringLiteral(": stopped "), QStringLiteral(": "));
    case RunState::Diverged:
        return tr("diverged at %1").arg(at) + why;
    case RunState::Failed:
        return tr("failed") + why;
    }
    return {};
}

double RunSession::secondsLeft() const
{
    const auto n = history_.step.size();
    if (state_ != RunState::Running || n < 2) return -1;
    // The last hundred updates: recent enough to follow a change of speed, long enough not to jitter.
    const auto back = n - 1 - std::min<std::size_t>(100, n - 1);
    const double steps = history_.step[n - 1] - history_.step[back],
                 seconds = history_.seconds[n - 1] - history_.seconds[back];
    if (steps <= 0 || seconds < 0) return -1;
    return std::max(0.0, double(file_.config.training.steps) - history_.step[n - 1]) * seconds / steps;
}

ModelSource RunSession::modelSource() const { return { job_, directory_, job_ || savedStep_ >= 0 }; }

void RunSession::setPlace(int place, bool held)
{
    const bool otherPlace = std::exchange(placeInQueue_, place) != place;
    if (std::exchange(heldInQueue_, held) != held || otherPlace) Q_EMIT stateChanged();
}

void RunSession::prepare()
{
    if (follower_) follower_->leave();
    follower_.reset();
    preparing_ = started_ = true;
    place_ = Place::Here;
    detail_.clear();
    failure_.clear();
    progress_ = {};
    settle();
    Q_EMIT changed();
}

void RunSession::attach(std::shared_ptr<TrainingJob> job)
{
    job_ = std::move(job);
    preparing_ = false;
    place_ = Place::Here;
    progress_ = {};
    readAgain(); // the engine may have filled in what the form left open
    state_ = RunState::Running;
    interrupted_ = false;
    Q_EMIT stateChanged();
    Q_EMIT changed();
}

void RunSession::readAgain()
{
    try {
        file_ = RunDirectory(directory_).read(RunUse::View);
        problem_.clear();
    } catch (const std::exception&) {
        // Keeps the configuration that it knows: the job was opened with it.
    }
}

void RunSession::restore(const std::vector<Event>& past)
{
    backlog_.clear();
    history_.clear();
    updatesReported_ = 0;
    receive(past);
}

void RunSession::detach()
{
    const bool told = job_ != nullptr; // by its job: all that the file holds
    job_.reset();
    preparing_ = false;
    progress_ = {};
    holder_ = 0;
    place_ = Place::Disk;
    if (RunDirectory(directory_).exists()) {
        follower_ = std::make_shared<Follower>(directory_, this);
        if (told)
            follower_->skipWhatIsThere();
        else // prepare() may have cut the reading of it off
            follower_->startOver();
    }
    settle();
    Q_EMIT changed();
}

void RunSession::fail(const QString& message)
{
    failure_ = message;
    detach();
}

void RunSession::take(const Event& event)
{
    history_.append(event);
    if (const auto* checkpoint = std::get_if<CheckpointEvent>(&event); checkpoint && checkpoint->problem.empty())
        savedStep_ = std::max(savedStep_, checkpoint->step);
}

void RunSession::receive(const std::vector<Event>& batch)
{
    bool stateMayHaveChanged = false, settingsChanged = false;
    for (const auto& event : batch) {
        if (const auto* command = std::get_if<CommandEvent>(&event))
            settingsChanged |= settingChange(*command).has_value();
        if (const auto* progress = std::get_if<ProgressEvent>(&event)) progress_ = *progress;
        if (std::holds_alternative<StepEvent>(event)) ++updatesReported_;
        stateMayHaveChanged |= std::holds_alternative<StatusEvent>(event);
        take(event);
    }
    if (stateMayHaveChanged) settle();
    if (settingsChanged) {
        readAgain();
        Q_EMIT stateChanged();
    }
    Q_EMIT changed();
}

void RunSession::poll()
{
    if (job_ || preparing_ || !started_ || !problem_.isEmpty() || place_ == Place::Recording) return;
    if (!follower_) follower_ = std::make_shared<Follower>(directory_, this);
    if (backlog_.empty()) follower_->look();
}

void RunSession::digest(Reading&& reading)
{
    // A task that was still under way when the run was started here.
    if (job_ || preparing_ || reading.from != follower_) return;
    if (reading.restarted) {
        backlog_.clear();
        history_.clear();
        updatesReported_ = 0;
    }
    for (const auto& event : reading.events) updatesReported_ += std::holds_alternative<StepEvent>(event);
    std::move(reading.events.begin(), reading.events.end(), std::back_inserter(backlog_)); // there may be 100,000s
    if (reading.last) {
        holder_ = reading.holder;
        savedStep_ = reading.savedStep;
    }
    const bool elsewhere = holder_ != 0 && holder_ != int(getpid());
    if (!failure_.isEmpty() && (elsewhere || reading.news)) {
        failure_.clear(); // it went on in another process since
        detail_.clear();
    }
    if (reading.file && reading.file->toJson() != file_.toJson()) {
        file_ = *reading.file;
        Q_EMIT stateChanged();
    }
    if (reading.restarted && backlog_.empty()) Q_EMIT changed();
    if (!absorbing_) absorbSlice();
}

void RunSession::absorbSlice()
{
    absorbing_ = true;
    const bool any = !backlog_.empty();
    QElapsedTimer clock;
    clock.start();
    while (!backlog_.empty() && clock.elapsed() < slice) {
        for (int n = 0; n < 512 && !backlog_.empty(); ++n) {
            take(backlog_.front());
            backlog_.pop_front();
        }
    }
    absorbing_ = !backlog_.empty();
    if (absorbing_) {
        QTimer::singleShot(slice * 2, this, &RunSession::absorbSlice);
    } else {
        settle();
    }
    if (any && (!absorbing_ || !sinceChanged_.isValid() || sinceChanged_.elapsed() >= frame)) {
        sinceChanged_.restart();
        Q_EMIT changed();
    }
}

/// Works out state and place from what is known.
void RunSession::settle()
{
    const bool has = savedStep_ >= 0, had = std::exchange(hadCheckpoint_, has);
    const auto before = std::tuple(state_, place_, interrupted_, detail_, had);
    const auto* last = history_.statuses.empty() ? nullptr : &history_.statuses.back();
    const bool here = job_ || preparing_;
    if (!here) place_ = holder_ != 0 && holder_ != int(getpid()) ? Place::Elsewhere : Place::Disk;
    interrupted_ = false;
    if (preparing_ || (!last && place_ == Place::Elsewhere)) {
        state_ = RunState::Preparing;
    } else if (!here && !failure_.isEmpty()) {
        state_ = RunState::Failed;
        detail_ = failure_;
    } else if (last) {
        state_ = last->state;
        detail_ = singleLine(fromUtf8(last->detail));
        if (isActive(state_) && place_ == Place::Disk) {
            // Its process is gone and never said goodbye.
            state_ = RunState::Stopped;
            interrupted_ = true;
        }
    } else if (!here && problem_.isEmpty()) {
        state_ = RunState::Stopped;
    }
    if (before != std::tuple(state_, place_, interrupted_, detail_, has)) Q_EMIT stateChanged();
}

void RunSession::rename(const QString& name)
{
    const auto wanted = singleLine(name);
    if (wanted.isEmpty() || wanted == this->name()) return;
    file_.name = wanted.toStdString();
    Q_EMIT stateChanged();
    const auto given = file_.name;
    QThreadPool::globalInstance()->start([directory = directory_, given, session = QPointer<RunSession>(this)] {
        QString error;
        try {
            const RunDirectory run(directory);
            auto file = run.read(RunUse::View); // its settings may be others by now
            file.name = given;
            run.write(file);
        } catch (const std::exception& e) {
            error = errorLine(e);
        }
        if (error.isEmpty()) return;
        // The session may be gone: only the GUI thread can tell.
        QMetaObject::invokeMethod(
            qApp,
            [session, error] {
                if (session) Q_EMIT session->failed(error);
            },
            Qt::QueuedConnection);
    });
}

} // namespace pha::ui
