// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/weight_figures.h"
#include "ui/session/event_bridge.h"
#include "ui/work/worker_thread.h"

#include <QObject>

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

namespace pha::ui {

/// The weights of a run as one checkpoint holds them.
struct WeightMoment {
    std::int64_t step = 0;
    std::optional<std::int64_t> since; ///< step of the checkpoint that changes are counted from; none: it is the first
    std::filesystem::file_time_type written;
    std::shared_ptr<const WeightFigures> figures;
    const TensorFigures* find(const std::string& tensor) const; ///< null: it has none of that name
};

/// Figures of the checkpoints of a run, read on a thread of its own, each once. What was read stays when a trainer
/// deletes the checkpoint, so that a run that is watched leaves more of a history than its folder holds; checkpoints
/// that a run went back behind are forgotten. GUI thread only; nothing waits but the destructor, for a fraction of a
/// second.
class WeightHistory : public QObject {
    Q_OBJECT

public:
    /// Of a run with more checkpoints every second, fourth, ... is read, and the newest.
    static constexpr std::size_t mostRead = 64;

    explicit WeightHistory(QObject* parent = nullptr);
    ~WeightHistory() override;

    /// Empty: none. `created` tells it from a deleted run that had the folder before. What is being read for another
    /// run is dropped. False: it is this run already.
    bool setRun(const std::filesystem::path& run, const std::string& created = {});
    void refresh(); ///< reads what has come; the newest first
    bool busy() const { return busy_; }
    const std::vector<WeightMoment>& moments() const { return moments_; } ///< oldest first

Q_SIGNALS:
    void changed(); ///< moments
    void busyChanged();
    void reading(qint64 step, int number, int count); ///< a checkpoint is begun, the first one being number 1
    void failed(const QString& message); ///< a checkpoint could not be read; the others are

private:
    struct Known {
        std::int64_t step = 0;
        std::filesystem::file_time_type written;
    };
    class Reader;
    void keep(const WeightMoment& moment);
    void forget(const std::vector<std::int64_t>& saved); ///< moments that the run went back behind
    void ended(const QString& problem);

    EventBridge bridge_; ///< carries calls from the worker to this thread; drops them once this object is gone
    std::filesystem::path run_;
    std::string created_;
    std::vector<WeightMoment> moments_;
    /// Of runs that were shown before, by folder and time.
    std::map<std::pair<std::filesystem::path, std::string>, std::vector<WeightMoment>> others_;
    std::stop_source stop_;
    bool busy_ = false, again_ = false;
    WorkerThread worker_; ///< last: its task ends before the rest goes
};

} // namespace pha::ui
