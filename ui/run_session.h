// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "engine/run/run_directory.h"
#include "ui/run_history.h"

#include <QObject>
#include <QString>

#include <memory>

namespace pha::ui {

/// Where a panel gets a network from: the live weights of a job in this process, or a checkpoint on disk.
struct ModelSource {
    std::shared_ptr<TrainingJob> job; ///< set while the run trains in this process
    fs::path run; ///< run directory (or checkpoint folder) otherwise
    bool available = false; ///< false: no checkpoint yet and not training
};

/// One run as the window sees it: trained here, followed while `pha train` writes it elsewhere, or finished long ago.
/// Lives on the GUI thread. Panels read `history()` when `changed()` is emitted, at most once a frame (33 ms).
class RunSession : public QObject {
    Q_OBJECT

public:
    enum class Place { Here, Elsewhere, Disk }; ///< trained by this process, by another one, by nobody now

    /// Opens RUN/run.json and reads metrics.jsonl lazily, in slices, so that a list of hundreds opens at once.
    explicit RunSession(fs::path directory, QObject* parent = nullptr);
    ~RunSession() override;

    const fs::path& directory() const { return directory_; }
    QString name() const;
    const RunFile& file() const { return file_; } ///< the frozen configuration of the run
    const RunHistory& history() const { return history_; }
    Place place() const { return place_; }
    RunState state() const { return state_; }
    QString stateText() const; ///< "training", "paused", "stopped at 1,200", "diverged: ..."
    double secondsLeft() const; ///< estimate, negative if unknown
    ModelSource modelSource() const;
    std::shared_ptr<TrainingJob> job() const { return job_; }
    ProgressEvent progress() const { return progress_; } ///< while the run prepares its data

    // Called by RunController, which owns the training thread.
    void attach(std::shared_ptr<TrainingJob> job);
    void detach(); ///< the job has ended
    void receive(const std::vector<Event>& batch); ///< events of the attached job, once a frame
    /// Reads what another process (or an earlier one) wrote. Called by a timer for sessions that are not attached.
    void poll();

Q_SIGNALS:
    void changed(); ///< history or progress grew
    void stateChanged(); ///< state, place or name

private:
    class Follower;
    fs::path directory_;
    RunFile file_;
    RunHistory history_;
    RunState state_ = RunState::Stopped;
    Place place_ = Place::Disk;
    QString detail_;
    ProgressEvent progress_;
    std::shared_ptr<TrainingJob> job_;
    std::unique_ptr<Follower> follower_;
};

} // namespace pha::ui
