// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "ui/session/event_bridge.h"
#include "ui/work/worker_thread.h"

#include <QObject>

#include <chrono>
#include <stop_token>

namespace pha::ui {

/// Measures on a thread of its own, one order at a time. GUI thread only; no function waits for the engine except
/// `shutDown()` and the destructor. After `stop()` no row of the old order arrives.
class BenchWorker : public QObject {
    Q_OBJECT

public:
    using OpenEngine = std::function<Engine&()>; ///< called on the worker's thread; may take long and may throw
    explicit BenchWorker(OpenEngine engine, QObject* parent = nullptr);
    ~BenchWorker() override; ///< as shutDown()

    bool busy() const { return busy_; }
    bool start(const BenchRequest& request); ///< false: another order is not over yet
    void stop(); ///< ends after the repeat at hand; `busy()` stays true until then
    bool stopping() const { return busy_ && stop_.stop_requested(); }
    /// Stops and waits at most `patience`. False: the engine is still at work; see RunController::shutDown().
    bool shutDown(std::chrono::milliseconds patience = std::chrono::seconds(5));

Q_SIGNALS:
    void busyChanged();
    void measured(const pha::BenchRow& row);
    void finished(bool stopped, const pha::EngineInfo& machine);
    void failed(const QString& message); ///< one line: what; what to do

private:
    void ended();

    OpenEngine engine_;
    EventBridge bridge_; ///< carries calls from the worker to this thread; drops them once this object is gone
    WorkerThread worker_;
    std::stop_source stop_;
    bool busy_ = false;
};

} // namespace pha::ui
