// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/run_session.h"

#include <QPointer>
#include <QWidget>

class QStackedWidget;
class QTextEdit;

namespace pha::ui {

/// What happened in the selected run, a line each: states, evaluations, checkpoints, samples, what the user changed.
class LogPanel : public QWidget {
    Q_OBJECT

public:
    explicit LogPanel(QWidget* parent = nullptr);
    void setSession(RunSession* session);

private:
    struct Read {
        std::int64_t generation = -1;
        std::size_t statuses = 0, evals = 0, checkpoints = 0, commands = 0, samples = 0, alerts = 0;
    };
    void readNew();
    void append(const QStringList& lines);

    QPointer<RunSession> session_;
    Read read_;
    QStackedWidget* stack_;
    QTextEdit* runLog_;
    bool follows_ = true; ///< shows the last line as it comes
};

} // namespace pha::ui
