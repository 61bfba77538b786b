// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/run_controller.h"

#include "engine/run/metrics.h"

#include <algorithm>

namespace pha::ui {

RunController::RunController(OpenEngine openEngine, QObject* parent)
    : QObject(parent)
    , openEngine_(std::move(openEngine))
{
    connect(&bridge_, &EventBridge::batchReady, this, [this](const std::vector<Event>& batch) {
        const auto isStep = [](const Event& event) { return std::holds_alternative<StepEvent>(event); };
        if (!learning_ && std::any_of(batch.begin(), batch.end(), isStep)) {
            learning_ = true;
            Q_EMIT learning();
        }
        if (session_) session_->receive(batch);
    });
}

RunController::~RunController() { shutDown(); }

void RunController::warmUp()
{
    worker_.post([open = openEngine_, mailbox = bridge_.mailbox(), this] {
        EngineInfo info;
        const auto error = failureOf([&] { info = open().info(); });
        mailbox->call([this, info, error] {
            if (!error.isEmpty()) {
                Q_EMIT failed(error);
                return;
            }
            info_ = info;
            Q_EMIT engineReady();
        });
    });
}

bool RunController::start(RunSession* session, const TrainingRequest& request)
{
    if (busy_ || worker_.down() || !session) return false;
    busy_ = true;
    learning_ = false;
    session_ = session;
    stop_ = {};
    session->prepare();
    Q_EMIT busyChanged();
    // `this` is only touched inside mailbox calls, which the mailbox drops once the bridge, and so the controller, is
    // gone.
    worker_.post([open = openEngine_, mailbox = bridge_.mailbox(), stop = stop_.get_token(), request, this] {
        auto state = RunState::Failed;
        const auto error = failureOf([&] {
            std::shared_ptr<TrainingJob> job = open().openTraining(request, *mailbox, stop);
            std::vector<Event> past;
            if (request.resume) past = readMetrics(RunDirectory(request.directory).metricsFile());
            mailbox->call(
                [this, job, past = std::move(past), resumed = request.resume] { opened(job, past, resumed); });
            state = job->run(*mailbox, stop);
        });
        if (stop.stop_requested() && !error.isEmpty() && state == RunState::Failed) {
            // Stopped while it prepared: that is what was asked for, not a failure.
            mailbox->call(
                [this, error] { ended(job_ ? RunState::Failed : RunState::Stopped, job_ ? error : QString()); });
        } else {
            mailbox->call([this, state, error] { ended(state, error); });
        }
    });
    return true;
}

void RunController::opened(std::shared_ptr<TrainingJob> job, const std::vector<Event>& past, bool resumed)
{
    job_ = std::move(job);
    if (!session_) return;
    session_->attach(job_);
    if (resumed) session_->restore(past);
}

void RunController::ended(RunState state, const QString& error)
{
    const QPointer<RunSession> session = session_;
    if (session) {
        if (error.isEmpty()) {
            session->detach();
        } else {
            session->fail(error);
        }
    }
    session_.clear();
    // The last reference goes where the work was done: freeing a network takes time and belongs to the engine's thread.
    worker_.post([job = std::move(job_)]() mutable { job.reset(); });
    job_.reset();
    busy_ = false;
    Q_EMIT busyChanged();
    if (!error.isEmpty()) {
        Q_EMIT failed(error);
    } else if (session) {
        Q_EMIT finished(session, state);
    }
}

bool RunController::post(Command command)
{
    if (!job_ || stop_.stop_requested()) return false;
    job_->post(std::move(command));
    return true;
}

void RunController::pause() { post({ Command::Kind::Pause, {}, {} }); }
void RunController::resume() { post({ Command::Kind::Resume, {}, {} }); }
void RunController::evaluateNow() { post({ Command::Kind::Evaluate, {}, {} }); }
void RunController::sampleNow() { post({ Command::Kind::Sample, {}, {} }); }
void RunController::checkpointNow() { post({ Command::Kind::Checkpoint, {}, {} }); }
bool RunController::change(const std::string& key, const Json& value)
{
    return post({ Command::Kind::Change, key, value });
}

void RunController::stop()
{
    if (!busy_ || stop_.stop_requested()) return;
    stop_.request_stop();
    Q_EMIT busyChanged();
}

bool RunController::shutDown(std::chrono::milliseconds patience)
{
    stop_.request_stop();
    return worker_.end(patience);
}

} // namespace pha::ui
