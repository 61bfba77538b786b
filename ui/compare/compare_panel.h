// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QVector>
#include <QWidget>

#include <functional>
#include <map>
#include <memory>

namespace pha::ui {

/// Runs side by side: their curves over one another, their figures and the settings that differ in one table, each
/// with what it gains or loses against a baseline. Shows the runs that are ticked in the list and the selected one.
class ComparePanel : public QWidget {
    Q_OBJECT

public:
    explicit ComparePanel(QWidget* parent = nullptr);
    ~ComparePanel() override;

    void setSessions(const QVector<RunSession*>& shown, RunSession* current);
    /// Until the user chooses, the oldest of the runs is the baseline.
    void setBaseline(const fs::path& run);
    RunSession* baseline() const; ///< null without runs
    void toggleGroups(); ///< of runs that differ in the seed
    void toggleLogAxis(); ///< this and the next two: of the curves, while they are shown
    void cycleXAxis();
    void fitAndFollow();
    /// The colours, as places among the runs shown, of those that are drawn as one curve with another; of none while
    /// the panel is hidden.
    std::map<fs::path, int> sharedColours() const;
    QString csv() const; ///< the table with full precision
    void exportImage();
    /// Asks for the file that the table is exported to; tests replace it.
    std::function<QString(QWidget*)> askForFile;

Q_SIGNALS:
    void runClicked(pha::ui::RunSession* session);
    void coloursChanged();

protected:
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
