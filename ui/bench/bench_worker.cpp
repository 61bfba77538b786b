// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/bench/bench_worker.h"

namespace pha::ui {

BenchWorker::BenchWorker(OpenEngine engine, QObject* parent)
    : QObject(parent)
    , engine_(std::move(engine))
{
}

BenchWorker::~BenchWorker() { shutDown(); }

bool BenchWorker::start(const BenchRequest& request)
{
    if (busy_ || worker_.down()) return false;
    busy_ = true;
    stop_ = {};
    Q_EMIT busyChanged();
    // `this` is only touched inside mailbox calls, which the mailbox drops once the bridge, and so this object, is
    // gone.
    worker_.post([open = engine_, mailbox = bridge_.mailbox(), stop = stop_.get_token(), request, this] {
        EngineInfo machine;
        const auto measure = [&] {
            auto& engine = open();
            machine = engine.info();
            engine.bench(
                request,
                [&](const BenchRow& row) {
                    mailbox->call([this, row, stop] {
                        if (!stop.stop_requested()) Q_EMIT measured(row);
                    });
                },
                stop);
        };
        const auto error = failureOf(
            measure, tr("there is not enough memory for this network; choose a smaller preset or a shorter context"));
        mailbox->call([this, error, machine, stop] {
            ended();
            if (error.isEmpty() || stop.stop_requested())
                Q_EMIT finished(stop.stop_requested(), machine);
            else
                Q_EMIT failed(error);
        });
    });
    return true;
}

void BenchWorker::ended()
{
    busy_ = false;
    Q_EMIT busyChanged();
}

void BenchWorker::stop()
{
    if (!busy_ || stop_.stop_requested()) return;
    stop_.request_stop();
    Q_EMIT busyChanged();
}

bool BenchWorker::shutDown(std::chrono::milliseconds patience)
{
    stop_.request_stop();
    return worker_.end(patience);
}

} // namespace pha::ui
