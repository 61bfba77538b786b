// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/config_form/config_draft.h"
#include "ui/config_form/cost_box.h"
#include "ui/config_form/run_times.h"
#include "ui/dialogs.h"

#include <QTimer>
#include <QWidget>

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;

namespace pha::ui {

class FormSection;

/// Sets up a new run. Generated from the engine's field list: a new setting appears here by itself. Errors stand beside
/// the field they are about; nothing pops up.
class ConfigForm : public QWidget {
    Q_OBJECT

public:
    ConfigForm(ConfigDraft* draft, Dialogs* dialogs, QWidget* parent = nullptr);

    void setEngineInfo(const EngineInfo& info);
    /// The runs of this folder tell how long a new one will take; to be said again when they have changed.
    void judgeTimeBy(const fs::path& folder) { times_.look(folder); }
    /// Why no run can start now; empty: one can. `whole` is for the tool tip, where names are not shortened.
    void setBlocked(const QString& reason, const QString& whole = {});
    QString runName() const; ///< as typed, or the suggestion
    void focusFirst();
    void requestStart(); ///< as the button; with errors it shows the first one instead
    void requestQueue(); ///< the same, also while another run trains

Q_SIGNALS:
    /// `fork`: checkpoint to go on from; empty: a run from the beginning.
    void startRequested(const pha::RunConfig& config, const QString& name, const QString& fork = {});
    /// The same for a run that waits its turn.
    void queueRequested(const pha::RunConfig& config, const QString& name, const QString& fork = {});
    void severalRequested(); ///< runs that differ in a few settings
    void refused(); ///< what was asked for cannot begin; the form says why, and has to be seen for it
    void commandCopied(const QString& command);

private:
    QWidget* makeHeader();
    QWidget* makeFooter();
    void makeSections(QWidget* into);
    void browse();
    void refuse(); ///< shows the first field that is wrong
    void refresh();
    void refreshStart();
    void refreshFork();
    QWidget* makeForkLine();
    void refreshCosts();
    void showCosts();
    void copyCommand();

    ConfigDraft* draft_;
    Dialogs* dialogs_;
    QComboBox *presetCombo_ = nullptr, *dataCombo_ = nullptr;
    QLineEdit *nameEdit_ = nullptr, *settingSearch_ = nullptr;
    QLabel *presetSummary_ = nullptr, *dataError_ = nullptr, *formError_ = nullptr, *noSetting_ = nullptr,
           *forkLabel_ = nullptr;
    QWidget* forkLine_ = nullptr;
    QPushButton *queueButton_ = nullptr, *severalButton_ = nullptr;
    QPushButton *startButton_ = nullptr, *copyCommandButton_ = nullptr, *resetButton_ = nullptr;
    CostBox* costs_ = nullptr;
    std::vector<FormSection*> sections_;
    std::optional<EngineInfo> engine_;
    RunTimes times_;
    RunOutlook planned_; ///< as far as it is known
    QString blocked_, blockedWhole_;
    QTimer memoryTimer_; ///< what is free changes by itself
};

} // namespace pha::ui
