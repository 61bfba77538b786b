// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/time_estimate.h"

#include <QObject>

#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>

namespace pha::ui {

/// What files say of a run that is planned.
struct RunOutlook {
    DataConfig data; ///< that it was asked for
    std::optional<std::int64_t> vocabulary; ///< nothing: a tokenizer has to be trained, or its data are not there
    std::optional<TimeEstimate::Basis> basis; ///< of its time
};

/// The vocabulary of a planned run and what its time can be judged by, as `pha train --dry-run` has them: tokenizers
/// and the runs of a folder are read on the thread pool. Lives on the GUI thread; so does its signal.
class RunTimes : public QObject {
    Q_OBJECT

public:
    explicit RunTimes(QObject* parent = nullptr);
    ~RunTimes() override;
    void look(const fs::path& folder); ///< anew: its runs have changed
    void ask(const RunConfig& config); ///< of several questions while one is answered the last one counts

Q_SIGNALS:
    void answered(const pha::ui::RunOutlook& planned);

private:
    void answer();

    std::shared_ptr<std::optional<TimeEstimate>> estimate_; ///< touched by the task only while one runs
    std::stop_source stop_; ///< nobody waits for the task any more
    fs::path folder_;
    std::optional<RunConfig> config_; ///< that was asked for last
    bool stale_ = false, asked_ = false, busy_ = false;
};

} // namespace pha::ui
