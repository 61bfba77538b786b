// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/metrics.h"
#include "ui/session/run_session.h"

#include <atomic>
#include <mutex>
#include <optional>

namespace pha::ui {

/// What one look at a run directory found.
struct RunSession::Reading {
    std::shared_ptr<Follower> from; ///< who read it
    std::vector<Event> events;
    bool restarted = false; ///< `events` begin at the start of the file again
    bool news = false; ///< the file is another than where startOver() or skipWhatIsThere() was asked for
    bool last = false; ///< nothing more to read for now
    std::int64_t savedStep = -1; ///< of the checkpoint that `latest` names
    int holder = 0;
    std::optional<RunFile> file; ///< run.json, if it has changed
};

/// Reads one run's metrics file on the thread pool. Shared with the reading task, so a session may go away meanwhile.
class RunSession::Follower : public std::enable_shared_from_this<Follower> {
public:
    Follower(fs::path directory, RunSession* receiver);

    void look(); ///< one reading task at a time; a second call meanwhile does nothing
    bool busy() const { return busy_; }
    void leave(); ///< no call to the receiver after this; a task ends with the part that it reads
    /// What is in the file now is known already: report only what is written from here on, by starting over.
    void skipWhatIsThere();
    void startOver(); ///< what the receiver has of the file may be a part only

private:
    struct Stamp {
        std::uintmax_t size = 0;
        fs::file_time_type time;
        bool operator==(const Stamp&) const = default;
    };
    static Stamp stampOf(const fs::path& file);
    Stamp stamp() const { return stampOf(RunDirectory(directory_).metricsFile()); }
    void read();
    void readFile(Reading& into);
    void deliver(Reading reading);

    const fs::path directory_;
    MetricsReader reader_; ///< touched by the reading task only
    std::optional<Stamp> known_, fileKnown_;
    std::optional<Stamp> begun_; ///< what startOver() found
    bool startOver_ = false;
    std::atomic<bool> busy_ { false }, left_ { false };
    std::mutex mutex_; ///< guards `receiver_` while a task delivers
    RunSession* receiver_;
};

} // namespace pha::ui
