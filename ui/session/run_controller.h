// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/event_bridge.h"
#include "ui/session/run_session.h"
#include "ui/work/worker_thread.h"

#include <QPointer>

#include <chrono>
#include <optional>
#include <stop_token>

namespace pha::ui {

/// Trains: owns the thread on which the engine is opened and runs work. One run at a time. GUI thread only; no function
/// waits for the engine except `shutDown()` and the destructor.
class RunController : public QObject {
    Q_OBJECT

public:
    using OpenEngine = std::function<Engine&()>;
    explicit RunController(OpenEngine openEngine = loadEngine, QObject* parent = nullptr);
    ~RunController() override; ///< as shutDown()

    void warmUp(); ///< opens the engine library on the worker, so that the first start does not wait for it
    const std::optional<EngineInfo>& engineInfo() const { return info_; }

    /// Starts or resumes a run in its session. False, and nothing happens, if another one is not over yet.
    bool start(RunSession* session, const TrainingRequest& request);
    bool busy() const { return busy_; } ///< from start() until the worker has let go of the run
    bool stopping() const { return busy_ && stop_.stop_requested(); }
    RunSession* session() const { return session_; } ///< the run of that time, else null

    void pause();
    void resume();
    void stop(); ///< finishes the update, writes a checkpoint
    void evaluateNow();
    void sampleNow();
    void checkpointNow();
    /// A setting, from the next update on. False: nothing trains, or it is being stopped.
    bool change(const std::string& key, const Json& value);

    /// Stops, waits at most `patience`, and starts nothing any more. False: the worker hangs; the process should then
    /// leave by std::_Exit, since the engine is still at work.
    bool shutDown(std::chrono::milliseconds patience = std::chrono::seconds(5));

Q_SIGNALS:
    void engineReady();
    void busyChanged();
    void learning(); ///< the first updates of a run are done
    void finished(pha::ui::RunSession* session, pha::RunState state); ///< ended without an error
    void failed(const QString& message); ///< one line: what; what to do

private:
    void opened(std::shared_ptr<TrainingJob> job, const std::vector<Event>& past, bool resumed);
    void ended(RunState state, const QString& error);
    bool post(Command command); ///< false: nobody is there to obey it

    OpenEngine openEngine_;
    EventBridge bridge_;
    WorkerThread worker_;
    QPointer<RunSession> session_;
    std::shared_ptr<TrainingJob> job_;
    std::stop_source stop_;
    std::optional<EngineInfo> info_;
    bool busy_ = false, learning_ = false;
};

} // namespace pha::ui
