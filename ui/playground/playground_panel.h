// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QWidget>

#include <functional>
#include <memory>

namespace pha::ui {

class RunListModel;

/// Writes with a run's network and shows how sure it was of every token. Works on a copy of the weights, so it can be
/// used while the run trains.
class PlaygroundPanel : public QWidget {
    Q_OBJECT

public:
    explicit PlaygroundPanel(QWidget* parent = nullptr, std::function<Engine&()> engine = loadEngine);
    ~PlaygroundPanel() override;

    void setSession(RunSession* session); ///< null: no run is selected. Stops what was going on for the old run
    void setRuns(RunListModel* runs); ///< among which the second network is chosen
    const RunSession* rival() const; ///< the run of the second network; null: none
    void generate(); ///< continues the prompt
    QString text() const; ///< what is shown: prompt and continuation
    void stop(); ///< keeps what was written so far
    bool busy() const; ///< one of the networks writes

    void undo(); ///< back to the text shown before
    void redo();

protected:
    bool event(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;
    void resizeEvent(QResizeEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
