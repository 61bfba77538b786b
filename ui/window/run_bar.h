// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QPointer>
#include <QWidget>

class QLabel;
class QProgressBar;
class QToolButton;

namespace pha::ui {

struct WindowActions;

/// The selected run at a glance: what it is, what it does, how far it is, its figures, and the buttons that steer it.
class RunBar : public QWidget {
    Q_OBJECT

public:
    explicit RunBar(const WindowActions& actions, QWidget* parent = nullptr);
    void setSession(RunSession* session); ///< null: no run is selected
    /// What was found out about this run once it had ended, in place of what it is made of; goes with the session, and
    /// when it trains again.
    void setRemark(const QString& remark);

private:
    class Glyph;
    struct Figure {
        QWidget* box;
        QLabel* value;
    };
    Figure figure(const QString& name, const QString& id, const QString& tip);
    QToolButton* button(QAction* action);
    void refresh();

    QPointer<RunSession> session_;
    QString remark_;
    Glyph* glyph_;
    QLabel *name_, *state_, *steps_;
    QProgressBar* progress_;
    Figure loss_, perplexity_, speed_, left_;
    QToolButton *pause_, *stop_, *resume_, *checkpoint_;
};

} // namespace pha::ui
