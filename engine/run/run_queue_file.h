// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/error.h"
#include "engine/base/posix_file.h"
#include "engine/config/config.h"

#include <filesystem>
#include <string>
#include <vector>

namespace pha {

/// A run that waits for its turn: nothing of it is on the disk but this.
struct WaitingRun {
    std::string folder; ///< name of its directory below the runs folder
    std::string name;
    RunConfig config;
    std::filesystem::path forkFrom; ///< checkpoint of a fork, else empty
    std::vector<std::string> tags; ///< that it gets when it starts
    /// Of a replay: what its run.json will say of the run that it repeats, and what that one began from.
    Json replay = {};
    std::filesystem::path initFrom = {}, convertFrom = {};
    std::string forkMark = {}; ///< checkpointMark() of forkFrom as it was chosen; empty: not known

    Json toJson() const;
    static WaitingRun fromJson(const Json& json); ///< throws Error
    bool operator==(const WaitingRun& other) const { return toJson() == other.toJson(); }
};

/// queue.json of a runs folder: what a window had still to train, so that its end loses nothing.
std::filesystem::path queueFile(const std::filesystem::path& runsFolder);
/// In their order; none where there is no file. Throws DataError if it is damaged.
std::vector<WaitingRun> readQueue(const std::filesystem::path& runsFolder);
/// Atomically; without runs the file is removed. Throws IoError.
void writeQueue(const std::filesystem::path& runsFolder, const std::vector<WaitingRun>& runs);

class QueueTaken : public DataError {
public:
    using DataError::DataError;
};

/// Held by the window that works through the queue of a folder: two would train everything twice. Goes with the
/// process. Throws QueueTaken if another one holds it.
class QueueLock {
public:
    explicit QueueLock(const std::filesystem::path& runsFolder);

private:
    PosixFile file_;
};

} // namespace pha
