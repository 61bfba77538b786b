// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/runs/run_summary.h"

#include <QObject>

#include <atomic>
#include <map>
#include <memory>
#include <set>
#include <vector>

namespace pha::ui {

/// Looks through the runs folder on the thread pool and reports what is new or has changed since the last look. Lives
/// on the GUI thread; so do its signals.
class RunScanner : public QObject {
    Q_OBJECT

public:
    explicit RunScanner(QObject* parent = nullptr);
    ~RunScanner() override;

    /// Looks at every run directory in `folder` and at the `others`. Does nothing while a scan is going on.
    void scan(const fs::path& folder, const std::vector<fs::path>& others);
    bool busy() const { return busy_; }

Q_SIGNALS:
    void found(const std::vector<pha::ui::RunSummary>& changed); ///< in batches
    /// Every run directory there is; `problem`: why the folder cannot be listed, whose runs are not among them then.
    void finished(const std::set<fs::path>& present, const QString& problem);

private:
    struct Known {
        RunStamp stamp;
        MetricsEnd metrics; ///< so that of a run that grows only the new lines are searched
    };
    using Looks = std::map<fs::path, Known>;
    std::shared_ptr<Looks> looks_ = std::make_shared<Looks>(); ///< touched by the task only while one runs
    std::shared_ptr<std::atomic<bool>> cancel_ = std::make_shared<std::atomic<bool>>(false);
    bool busy_ = false;
};

} // namespace pha::ui
