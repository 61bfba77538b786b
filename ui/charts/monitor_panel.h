// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QVector>
#include <QWidget>

#include <memory>

class QAction;

namespace pha::ui {

/// Watches runs: loss or perplexity with reference lines and markers, throughput, memory, learning rate, gradient norm,
/// recall by distance and the mixing weights of every layer. All runs in `shown` are drawn over each other, the current
/// one bold. Reads histories incrementally, draws at most 8 ms at a time, and nothing at all while hidden. GUI thread
/// only.
class MonitorPanel : public QWidget {
    Q_OBJECT

public:
    explicit MonitorPanel(QWidget* parent = nullptr);
    ~MonitorPanel() override;

    /// `current` may be null or absent from `shown` (it is then drawn as well). Sessions may be destroyed at any time.
    void setSessions(const QVector<RunSession*>& shown, RunSession* current);
    /// Its keys are told where a run waits on hold.
    void setReleaseQueue(const QAction* action);
    void toggleLogAxis();
    void cycleXAxis(); ///< step, tokens, active time
    void fitAndFollow(); ///< all charts: everything in view, growing with the run
    void changeSmoothing(double delta);
    void exportImage(); ///< asks where; writes the focused chart, else the loss chart

Q_SIGNALS:
    void runClicked(pha::ui::RunSession* session); ///< the user clicked one of its curves
    void forkRequested(const std::filesystem::path& checkpoint); ///< from the loss chart's menu
    void alertRequested(std::int64_t step); ///< from the loss chart's menu

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
