// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QWidget>

#include <functional>
#include <memory>

namespace pha::ui {

/// Perplexity of a run on a split, with branches muted or re-weighted, and the table of what each branch is worth.
/// Works on a copy of the weights, so it can be used while the run trains. Results are kept for each run as long as the
/// panel lives.
class EvaluatePanel : public QWidget {
    Q_OBJECT

public:
    explicit EvaluatePanel(QWidget* parent = nullptr, std::function<Engine&()> engine = loadEngine);
    ~EvaluatePanel() override;

    void setSession(RunSession* session); ///< null: no run is selected. Stops what was going on for the old run
    void run(); ///< evaluates with the settings shown; with changes in the mixer also the unchanged model
    void runAblation(); ///< every branch muted in all layers and in each single layer
    void stop();
    bool busy() const;

    QString resultsCsv() const; ///< the results of the run shown, newest first
    /// Asks for the file that results are exported to; tests replace it.
    std::function<QString(QWidget*)> askForFile;

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
