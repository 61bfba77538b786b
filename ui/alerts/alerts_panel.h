// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/alerts/alerts_view.h"
#include "ui/session/run_session.h"

#include <QPointer>

#include <optional>

namespace pha::ui {

/// The alerts of a run, and the autopsy of the chosen one: which texts of its batch cost most, the gradient of each
/// part, the mixing weights around it; and what can be done about it. GUI thread only.
class AlertsPanel : public QWidget {
    Q_OBJECT

public:
    explicit AlertsPanel(QWidget* parent = nullptr);

    void setSession(RunSession* session); ///< null: no run is selected
    void showAlert(std::int64_t step); ///< chooses the one at this step, if there is one
    void focusList();
    int count() const;
    const AlertEvent* current() const; ///< null: none is chosen

Q_SIGNALS:
    void countChanged(int alerts);
    /// A fork that passes over data (skip_data, or empty) or learns at half the rate, to be looked at before it starts.
    void forkRequested(const std::filesystem::path& checkpoint, const QString& skipData, bool halfRate);
    void halveRequested(); ///< the rate of the run that trains

protected:
    void showEvent(QShowEvent* event) override;

private:
    void connectControls();
    void refresh(); ///< takes in what the run has gained
    void fillList();
    void showChosen();
    void showFigures(const AlertEvent& alert);
    void showText();
    void showMixing(const AlertEvent& alert);
    void updateButtons();
    void requestFork(bool around);

    AlertsView v_;
    QPointer<RunSession> session_;
    std::int64_t generation_ = -1;
    int listed_ = 0; ///< alerts that the list has
    int told_ = 0; ///< their number that was told last
    std::optional<std::int64_t> wanted_; ///< step of an alert to choose
    std::string checkpoint_; ///< the newest before the chosen alert
};

} // namespace pha::ui
