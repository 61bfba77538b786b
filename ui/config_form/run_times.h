// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/time_estimate.h"

#include <QObject>

#include <memory>

namespace pha::ui {

/// What a planned run's time can be judged by, as `pha train --dry-run` does: the runs of a folder are read on the
/// thread pool. Lives on the GUI thread; so does its signal.
class RunTimes : public QObject {
    Q_OBJECT

public:
    explicit RunTimes(QObject* parent = nullptr);
    void look(const fs::path& folder); ///< anew: its runs have changed
    void ask(const RunConfig& config); ///< of several questions while one is answered the last one counts

Q_SIGNALS:
    void answered(const std::optional<pha::TimeEstimate::Basis>& basis);

private:
    void answer();

    std::shared_ptr<std::optional<TimeEstimate>> estimate_; ///< touched by the task only while one runs
    fs::path folder_;
    std::optional<RunConfig> config_; ///< that was asked for last
    bool stale_ = false, asked_ = false, busy_ = false;
};

} // namespace pha::ui
