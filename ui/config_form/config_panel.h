// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/config_form/config_form.h"
#include "ui/config_form/frozen_config.h"

#include <QTimer>
#include <QWidget>

class QTabWidget;

namespace pha::ui {

/// The right side of the window: the form for the next run, and the settings of the selected one. They never share a
/// model, so what is shown of a run is what it runs with. An unfinished form survives the end of the program, also a
/// crash.
class ConfigPanel : public QWidget {
    Q_OBJECT

public:
    explicit ConfigPanel(Dialogs* dialogs, QWidget* parent = nullptr);
    ~ConfigPanel() override;

    ConfigForm* form() { return form_; }
    ConfigDraft* draft() { return &draft_; }
    void setSession(RunSession* session);
    void cloneSession(); ///< the selected run's settings into the form
    void forkSession(const fs::path& checkpoint); ///< the form goes on from there; a run's folder: its newest one
    void showForm();
    void showRun();
    void editRun(); ///< shows what can be changed of the selected run while it trains

Q_SIGNALS:
    void changeRequested(const std::string& key, const pha::Json& value); ///< of the selected run
    void refused(const QString& message); ///< what was typed as another value

private:
    void saveDraft();
    void loadDraft();

    ConfigDraft draft_;
    ConfigForm* form_;
    FrozenConfig* frozen_;
    QTabWidget* tabs_;
    QPointer<RunSession> session_;
    QTimer saveTimer_;
};

} // namespace pha::ui
