// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/log_panel.h"

#include "ui/format.h"
#include "ui/theme.h"

#include <QLabel>
#include <QScrollBar>
#include <QStackedWidget>
#include <QTextBlock>
#include <QTextCursor>
#include <QTextEdit>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

struct Line {
    std::int64_t step;
    QString text;
};

/// Appends lines for the rows of `rows` from `from` on and moves `from` to the end.
template <class Row, class Say>
void gather(std::vector<Line>& lines, const std::vector<Row>& rows, std::size_t& from, Say&& say)
{
    for (; from < rows.size(); ++from) lines.push_back({ rows[from].step, singleLine(say(rows[from])) });
}

} // namespace

LogPanel::LogPanel(QWidget* parent)
    : QWidget(parent)
    , stack_(new QStackedWidget)
    , runLog_(new QTextEdit)
{
    setObjectName(QStringLiteral("logPanel"));
    runLog_->setObjectName(QStringLiteral("runLog"));
    runLog_->setAccessibleName(tr("Log of the run"));
    runLog_->setReadOnly(true);
    runLog_->setFrameShape(QFrame::NoFrame);
    runLog_->setAcceptRichText(false);
    runLog_->setUndoRedoEnabled(false);
    runLog_->document()->setMaximumBlockCount(5000);
    runLog_->setStyleSheet(QStringLiteral("QTextEdit { border: none; background: transparent; padding: 2px; }"));
    auto* bar = runLog_->verticalScrollBar(); // the end stays in sight until a user reads further up
    connect(bar, &QScrollBar::valueChanged, this, [this, bar](int at) { follows_ = at >= bar->maximum() - 4; });
    connect(bar, &QScrollBar::rangeChanged, this, [this, bar](int, int end) {
        if (follows_) bar->setValue(end);
    });
    auto* empty = new QLabel(tr("Evaluations, checkpoints and changes of the selected run are listed here."));
    empty->setObjectName(QStringLiteral("logEmpty"));
    empty->setWordWrap(true);
    empty->setAlignment(Qt::AlignCenter);
    empty->setMargin(14);
    setRole(empty, "muted");
    stack_->addWidget(empty);
    stack_->addWidget(runLog_);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(4, 4, 4, 4);
    layout->addWidget(stack_);
}

void LogPanel::setSession(RunSession* session)
{
    if (session == session_) return;
    if (session_) session_->disconnect(this);
    session_ = session;
    read_ = {};
    runLog_->clear();
    if (session) connect(session, &RunSession::changed, this, &LogPanel::readNew);
    readNew();
}

void LogPanel::readNew()
{
    std::vector<Line> lines;
    if (session_) {
        const auto& h = session_->history();
        if (h.generation != read_.generation) {
            read_ = {};
            read_.generation = h.generation;
            runLog_->clear();
        }
        gather(lines, h.statuses, read_.statuses, [&](const StatusEvent& e) {
            return RunSession::describe(e.state, RunSession::Place::Here, e.step, false, fromUtf8(e.detail));
        });
        gather(lines, h.alerts, read_.alerts,
            [](const AlertEvent& e) { return tr("alert: %1").arg(fromUtf8(e.message)); });
        gather(lines, h.commands, read_.commands, [](const CommandEvent& e) {
            // Pauses, evaluations, samples and checkpoints have lines of their own.
            if (e.value.empty()) return QString();
            if (e.was) return tr("%1: %2 \u2192 %3").arg(fromUtf8(e.name), fromUtf8(*e.was), fromUtf8(e.value));
            return tr("changed: %1 %2")
                .arg(fromUtf8(e.name).replace(QLatin1Char('_'), QLatin1Char(' ')), fromUtf8(e.value));
        });
        gather(lines, h.evals, read_.evals, [](const EvalEvent& e) {
            return tr("%1 perplexity %2").arg(fromUtf8(e.split), formatFixed(e.perplexity, 2));
        });
        gather(lines, h.samples, read_.samples, [](const SampleEvent& e) {
            // The prompt is the same each time.
            const auto text = fromUtf8(e.text).simplified();
            return tr("sample: \u2026 %1").arg(text.size() > 240 ? text.left(240) + QChar(0x2026) : text);
        });
        gather(lines, h.checkpoints, read_.checkpoints, [](const CheckpointEvent& e) {
            if (!e.problem.empty()) return tr("checkpoint not written: %1").arg(fromUtf8(e.problem));
            return e.best ? tr("checkpoint saved, the best so far") : tr("checkpoint saved");
        });
    }
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.step < b.step; });
    QStringList text;
    for (const auto& line : lines)
        if (!line.text.isEmpty()) text << QStringLiteral("%1\t%2").arg(formatCount(line.step), line.text);
    if (!text.isEmpty()) append(text);
    stack_->setCurrentIndex(runLog_->document()->isEmpty() ? 0 : 1);
}

void LogPanel::append(const QStringList& lines)
{
    auto font = this->font();
    font.setPointSizeF(font.pointSizeF() * 0.9);
    // The step in a column of its own, what is wrapped beside it.
    const qreal column = QFontMetricsF(font).horizontalAdvance(QStringLiteral("00,000")) + 10;
    QTextBlockFormat block;
    block.setLeftMargin(column);
    block.setTextIndent(-column);
    block.setTabPositions({ QTextOption::Tab(column, QTextOption::LeftTab) });
    block.setBottomMargin(2);
    QTextCharFormat letters;
    letters.setFont(font);
    QTextCursor cursor(runLog_->document());
    cursor.movePosition(QTextCursor::End);
    cursor.beginEditBlock();
    for (const auto& line : lines) {
        if (!runLog_->document()->isEmpty()) cursor.insertBlock();
        cursor.setBlockFormat(block);
        cursor.insertText(line, letters); // plain, whatever it looks like
    }
    cursor.endEditBlock();
}

} // namespace pha::ui
