// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "engine/run/run_directory.h"
#include "ui/session/run_history.h"

#include <QElapsedTimer>
#include <QObject>
#include <QString>

#include <deque>
#include <memory>

namespace pha::ui {

/// Where a panel gets a network from: the live weights of a job in this process, or a checkpoint on disk.
struct ModelSource {
    std::shared_ptr<TrainingJob> job; ///< set while the run trains in this process
    fs::path run; ///< run directory (or checkpoint folder) otherwise
    bool available = false; ///< false: no checkpoint yet and not training
};

bool isActive(RunState state); ///< preparing, running or paused

/// One run as the window sees it: trained here, followed while `pha train` writes it elsewhere, or finished long ago.
/// Lives on the GUI thread. Panels read `history()` when `changed()` is emitted, at most once a frame (33 ms).
class RunSession : public QObject {
    Q_OBJECT

public:
    /// Trained by this process, by another one, by nobody now; or what is shown is a recording.
    enum class Place { Here, Elsewhere, Disk, Recording };

    /// Opens RUN/run.json and reads metrics.jsonl lazily, in slices, so that a list of hundreds opens at once.
    explicit RunSession(fs::path directory, QObject* parent = nullptr);
    /// A run that is about to start: nothing of it is on disk yet.
    RunSession(fs::path directory, RunFile planned, QObject* parent = nullptr);
    ~RunSession() override;

    // run_recording.cpp: a run as it was at a moment of its course, for the same panels
    /// Of a run that has been read; shows its first moment.
    static std::unique_ptr<RunSession> recordingOf(const RunSession& whole);
    /// After so many updates; with all of them it ends as the run did.
    void showMoment(const RunSession& whole, std::size_t updates);
    void takeFile(const RunSession& whole); ///< its name and settings

    const fs::path& directory() const { return directory_; }
    QString name() const;
    /// Tells it from every other run, also from a deleted one that had its folder before. A run that is about to start
    /// has another one until its job has written run.json.
    QString identity() const;
    const RunFile& file() const { return file_; } ///< its settings as they stand now
    const RunHistory& history() const { return history_; }
    Place place() const { return place_; }
    RunState state() const { return state_; }
    QString stateText() const; ///< "training", "paused", "stopped at 1,200", "diverged: ..."
    double secondsLeft() const; ///< estimate, negative if unknown
    ModelSource modelSource() const;
    std::shared_ptr<TrainingJob> job() const { return job_; }
    ProgressEvent progress() const { return progress_; } ///< while the run prepares its data

    /// What a state is called in lists: the same words for open sessions and for runs that were only looked at.
    static QString describe(RunState state, Place place, std::int64_t step, bool interrupted, const QString& detail);

    /// Waits in the queue: 1 is the next one to start, 0 none of it; `held`: the queue is on hold. Called by
    /// RunQueue.
    void setPlace(int place, bool held = false);
    int placeInQueue() const { return placeInQueue_; }
    bool heldInQueue() const { return heldInQueue_; } ///< it waits, and the queue is on hold

    std::int64_t step() const; ///< the last update known
    std::int64_t savedStep() const { return savedStep_; } ///< of the newest checkpoint, -1 without one
    /// All its steps are saved: it can only be trained longer. If it was killed right then, a resume says its end.
    bool complete() const
    {
        const auto steps = file_.config.training.steps;
        return savedStep_ > steps || (savedStep_ == steps && !interrupted_);
    }
    bool active() const; ///< prepares, trains or is paused, here or elsewhere
    bool interrupted() const { return interrupted_; } ///< its process ended without a word; the last checkpoint stands
    bool loading() const; ///< rows of the file are still on their way
    std::int64_t updatesReported() const { return updatesReported_; } ///< rows received; the history keeps every one
    QString problem() const { return problem_; } ///< why run.json cannot be read, empty if it can

    // Called by RunController, which owns the training thread.
    void prepare(); ///< a job for this run is being opened here
    void attach(std::shared_ptr<TrainingJob> job);
    void detach(); ///< the job has ended
    void fail(const QString& message); ///< the job ended with an error
    void receive(const std::vector<Event>& batch); ///< events of the attached job, once a frame
    /// What the file held before the attached job began; replaces the history.
    void restore(const std::vector<Event>& past);
    /// Reads what another process (or an earlier one) wrote. Called by a timer for sessions that are not attached.
    void poll();
    /// Shows the new name at once and writes it into run.json on another thread.
    void rename(const QString& name);

Q_SIGNALS:
    void changed(); ///< history or progress grew
    void stateChanged(); ///< state, place or name
    void failed(const QString& message); ///< the new name could not be written

private:
    class Follower;
    struct Reading;
    void digest(Reading&& reading);
    void absorbSlice();
    void settle();
    void readAgain(); ///< run.json
    void take(const Event& event);

    fs::path directory_;
    RunFile file_;
    RunHistory history_;
    RunState state_ = RunState::Stopped;
    Place place_ = Place::Disk;
    QString detail_, problem_, failure_; ///< failure_: how the last job here ended, if in an error
    ProgressEvent progress_;
    std::shared_ptr<TrainingJob> job_;
    std::shared_ptr<Follower> follower_;
    std::deque<Event> backlog_; ///< read but not yet in the history
    QElapsedTimer sinceChanged_;
    std::int64_t updatesReported_ = 0;
    int placeInQueue_ = 0;
    int holder_ = 0; ///< process that holds the run's lock, 0 if none
    bool preparing_ = false, started_ = true, heldInQueue_ = false, interrupted_ = false, absorbing_ = false;
    std::int64_t savedStep_ = -1;
    bool hadCheckpoint_ = false; ///< when the state was told last
};

} // namespace pha::ui
