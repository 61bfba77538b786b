// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_controller.h"

#include <QWidget>

#include <memory>

namespace pha::ui {

/// Measures throughput and peak memory of presets over context lengths on this machine, keeps what was measured, and
/// draws it: the paper's efficiency figure. Works on a thread of its own; the window stays fluid.
class BenchPanel : public QWidget {
    Q_OBJECT

public:
    /// `file` keeps the measurements.
    BenchPanel(fs::path file, RunController::OpenEngine engine = loadEngine, QWidget* parent = nullptr);
    ~BenchPanel() override;

    void setDisturbed(const QString& reason); ///< what else keeps the machine busy; empty: nothing
    void run();
    void stop();
    bool busy() const;
    void exportImage();
    /// As RunController::shutDown(). Rows that are measured by then are kept.
    bool shutDown(std::chrono::milliseconds patience);
    /// Asks for the file that figures are exported to; tests replace it.
    std::function<QString(QWidget*)> askForFile;

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
