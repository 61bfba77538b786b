// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QPointer>
#include <QTimer>
#include <QWidget>

#include <functional>

class QLabel;

namespace pha::ui {

/// Honest figures about the program itself: rows kept of rows reported, longest task of the GUI thread, memory.
class StatusMeters : public QWidget {
    Q_OBJECT

public:
    /// `longestTask` gives the milliseconds of the longest task since the last call.
    explicit StatusMeters(std::function<double()> longestTask, QWidget* parent = nullptr);
    void setSession(RunSession* session);
    void refresh();

private:
    void refreshTime();

    std::function<double()> longestTask_;
    QPointer<RunSession> session_;
    QLabel *saved_, *points_, *time_, *frame_, *memory_;
    QTimer timer_;
};

} // namespace pha::ui
