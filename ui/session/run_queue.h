// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_queue_file.h"
#include "ui/runs/run_list_model.h"
#include "ui/session/run_controller.h"

#include <QThreadPool>

#include <memory>
#include <optional>

namespace pha::ui {

/// Runs that wait for their turn. When nothing trains the first of them starts by itself, whatever became of the one
/// before it; only a queue on hold waits for its user. What waits is kept in the runs folder, and is on hold when the
/// next window finds it there. GUI thread only.
class RunQueue : public QObject {
    Q_OBJECT

public:
    RunQueue(RunListModel* runs, RunController* controller, QObject* parent = nullptr);
    ~RunQueue() override; ///< waits until what is to be kept is written

    void setFolder(const fs::path& folder); ///< takes up what was left there
    /// To the end. Empty, or in one line why they could not be kept: another window works at this folder.
    QString add(const std::vector<WaitingRun>& runs);
    void takeOut(const fs::path& directory);
    void move(const fs::path& directory, int by); ///< -1: one place forward

    int size() const { return int(waiting_.size()); }
    int placeOf(const fs::path& directory) const; ///< 1 is the next one; 0: it does not wait
    /// Its turn has come, and its folder is not there yet: if the window closes now it is the first one to wait again.
    bool begins(const fs::path& directory) const { return begun_ && directoryOf(*begun_) == directory; }
    bool held() const { return held_; }
    void setHeld(bool held);
    void end(); ///< starts nothing any more; what waits is kept

Q_SIGNALS:
    void changed(); ///< what waits, or whether it is on hold
    void starting(const fs::path& directory); ///< its turn has come
    void found(int runs); ///< left by an earlier window, now on hold
    /// A folder that was meant for a run that waits holds one already. `now` is where it waits instead; empty: it is
    /// that run, trained by another program, and waits no longer.
    void folderTaken(const fs::path& directory, const fs::path& now);
    void failed(const QString& message);

private:
    void own(); ///< of the folder's queue, from here on; what is kept there is read. Throws Error
    void advance();
    void store();
    void show(const WaitingRun& run);
    bool trained(const WaitingRun& run) const; ///< by another program: what is in its folder has its settings
    bool giveFolder(WaitingRun& run); ///< a free one if another run has taken its own; true if it is another now
    void number(); ///< every row says its place, or that it is on hold
    fs::path directoryOf(const WaitingRun& run) const { return folder_ / run.folder; }
    void keepUntilMade(RunSession* session);

    RunListModel* runs_;
    RunController* controller_;
    fs::path folder_;
    std::shared_ptr<QueueLock> lock_; ///< null: nothing has been kept yet, or another window has the queue
    std::vector<WaitingRun> waiting_;
    std::optional<WaitingRun> begun_; ///< waits no longer, and is kept until its folder is there
    bool held_ = false, ended_ = false;
    QThreadPool writer_; ///< of one thread: one state after the other
};

} // namespace pha::ui
