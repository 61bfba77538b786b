// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/log_panel.h"

#include "ui/format.h"
#include "ui/look/theme.h"

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

constexpr int mostLines = 5000;

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
    runLog_->document()->setMaximumBlockCount(mostLines);
    runLog_->setStyleSheet(QStringLiteral("QTextEdit { border: none; background: transparent; padding: 2px; }"));
    auto* bar = runLog_->verticalScrollBar(); // the end stays in sight until a user reads further up
    connect(bar, &QScrollBar::valueChanged, this, [this, bar](int at) { follows_ = at >= bar->maximum() - 4; });
    connect(bar, &QScrollBar::rangeChanged, this, [this, bar](int, int end) {
        if (follows_) bar->setValue(end);
    });
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        if (shown_.empty() || qFuzzyCompare(size_, font().pointSizeF())) return;
        startOver(generation_); // each line has a size of its own
        readNew();
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
    startOver(-1);
    if (session) connect(session, &RunSession::changed, this, &LogPanel::readNew);
    readNew();
}

void LogPanel::startOver(std::int64_t generation)
{
    generation_ = generation;
    read_ = {};
    shown_.clear();
    whole_ = true;
    runLog_->clear();
}

LogPanel::Rows LogPanel::rowsOf(const RunHistory& h)
{
    return { h.statuses.size(), h.alerts.size(), h.commands.size(), h.evals.size(), h.samples.size(),
        h.checkpoints.size() };
}

/// What has been reported since the last look, in the order of the updates.
std::vector<LogPanel::Line> LogPanel::newLines(const RunHistory& h)
{
    std::vector<Line> lines;
    const auto gather = [&](Kind kind, const auto& rows, const auto& say) {
        for (auto& row = read_[kind]; row < rows.size(); ++row)
            if (auto text = singleLine(say(rows[row])); !text.isEmpty())
                lines.push_back({ kind, row, rows[row].step, std::move(text) });
    };
    gather(Status, h.statuses, [&](const StatusEvent& e) {
        return RunSession::describe(e.state, RunSession::Place::Here, e.step, false, fromUtf8(e.detail));
    });
    gather(Alert, h.alerts, [](const AlertEvent& e) { return tr("alert: %1").arg(fromUtf8(e.message)); });
    gather(Command, h.commands, [](const CommandEvent& e) {
        // Pauses, evaluations, samples and checkpoints have lines of their own.
        if (e.value.empty()) return QString();
        if (e.was) return tr("%1: %2 \u2192 %3").arg(fromUtf8(e.name), fromUtf8(*e.was), fromUtf8(e.value));
        return tr("changed: %1 %2")
            .arg(fromUtf8(e.name).replace(QLatin1Char('_'), QLatin1Char(' ')), fromUtf8(e.value));
    });
    gather(Eval, h.evals,
        [](const EvalEvent& e) { return tr("%1 perplexity %2").arg(fromUtf8(e.split), formatFixed(e.perplexity, 2)); });
    gather(Sample, h.samples, [](const SampleEvent& e) {
        // The prompt is the same each time.
        const auto text = fromUtf8(e.text).simplified();
        return tr("sample: \u2026 %1").arg(text.size() > 240 ? text.left(240) + QChar(0x2026) : text);
    });
    gather(Checkpoint, h.checkpoints, [](const CheckpointEvent& e) {
        if (!e.problem.empty()) return tr("checkpoint not written: %1").arg(fromUtf8(e.problem));
        return e.best ? tr("checkpoint saved, the best of those evaluated") : tr("checkpoint saved");
    });
    std::stable_sort(lines.begin(), lines.end(), [](const Line& a, const Line& b) { return a.step < b.step; });
    return lines;
}

void LogPanel::readNew()
{
    if (session_) {
        const auto& history = session_->history();
        if (history.generation != generation_) startOver(history.generation);
        goBack(rowsOf(history));
        if (const auto lines = newLines(history); !lines.empty()) append(lines);
    }
    stack_->setCurrentIndex(runLog_->document()->isEmpty() ? 0 : 1);
}

/// Takes back the lines of rows that are no longer there: the last ones, as a recording goes back.
void LogPanel::goBack(const Rows& there)
{
    bool any = false;
    for (std::size_t kind = 0; kind < kinds; ++kind) {
        any |= read_[kind] > there[kind];
        read_[kind] = std::min(read_[kind], there[kind]);
    }
    if (!any) return;
    if (!whole_) return startOver(generation_); // lines that were left out come back
    const auto before = shown_.size();
    while (!shown_.empty() && shown_.back().second >= there[shown_.back().first]) shown_.pop_back();
    if (shown_.empty()) return runLog_->clear();
    if (shown_.size() == before) return;
    QTextCursor cursor(runLog_->document()->findBlockByNumber(int(shown_.size()) - 1));
    cursor.movePosition(QTextCursor::EndOfBlock);
    cursor.movePosition(QTextCursor::End, QTextCursor::KeepAnchor);
    cursor.removeSelectedText();
}

void LogPanel::append(const std::vector<Line>& lines)
{
    auto font = this->font();
    size_ = font.pointSizeF();
    font.setPointSizeF(size_ * 0.9);
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
    const auto left = lines.size() - std::min(lines.size(), std::size_t(mostLines)); // these would not stay
    if (left > 0) whole_ = false;
    for (auto i = left; i < lines.size(); ++i) {
        const auto& line = lines[i];
        if (!runLog_->document()->isEmpty()) cursor.insertBlock();
        cursor.setBlockFormat(block);
        cursor.insertText(QStringLiteral("%1\t%2").arg(formatCount(line.step), line.text), letters); // plain text
        shown_.emplace_back(line.kind, line.row);
    }
    cursor.endEditBlock();
    for (; shown_.size() > mostLines; whole_ = false) shown_.pop_front();
}

} // namespace pha::ui
