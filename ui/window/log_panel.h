// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QPointer>
#include <QWidget>

#include <array>
#include <deque>

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
    enum Kind { Status, Alert, Command, Eval, Sample, Checkpoint, kinds };
    using Rows = std::array<std::size_t, kinds>; ///< of each kind
    struct Line {
        Kind kind;
        std::size_t row;
        std::int64_t step;
        QString text;
    };
    static Rows rowsOf(const RunHistory& history);
    std::vector<Line> newLines(const RunHistory& history);
    void readNew();
    void goBack(const Rows& there);
    void startOver(std::int64_t generation);
    void append(const std::vector<Line>& lines);

    QPointer<RunSession> session_;
    std::int64_t generation_ = -1;
    Rows read_ {};
    std::deque<std::pair<Kind, std::size_t>> shown_; ///< what each line of the document says
    double size_ = 0; ///< of the text as the lines were written
    bool whole_ = true; ///< no line has been left out for the length of the document
    QStackedWidget* stack_;
    QTextEdit* runLog_;
    bool follows_ = true; ///< shows the last line as it comes
};

} // namespace pha::ui
