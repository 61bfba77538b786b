// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QWidget>

#include <functional>
#include <memory>

namespace pha::ui {

/// What each part of a run's network does on a text: where attention looks and state spaces remember, which part pushed
/// the token that came next, and what the network would say after each layer. Works on a copy of the weights, so it can
/// be used while the run trains.
class InspectPanel : public QWidget {
    Q_OBJECT

public:
    explicit InspectPanel(QWidget* parent = nullptr, std::function<Engine&()> engine = loadEngine);
    ~InspectPanel() override;

    void setSession(RunSession* session); ///< null: no run is selected. Stops what was going on for the old run
    /// Where the text of the playground comes from, when it is asked for.
    void setOtherText(std::function<QString()> text);
    void look(); ///< reads the text and shows what happens inside; on the tab Costs: measures
    void stop();
    bool busy() const; ///< with what is in front

    void exportImage(); ///< the large map as a picture
    QString pushesCsv() const;
    QString reachCsv() const;
    QString lensCsv() const;
    /// Asks for a file to write, with a suggestion whose ending says of what kind it is; tests replace it.
    std::function<QString(QWidget*, const QString& suggestion)> askForFile;

Q_SIGNALS:
    /// A run is to go on from a checkpoint without some parts: the value of pruned_branches.
    void pruneRequested(const std::filesystem::path& checkpoint, const QString& pruned);

protected:
    bool event(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void showEvent(QShowEvent* event) override;
    void hideEvent(QHideEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
