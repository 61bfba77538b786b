// SPDX-License-Identifier: GPL-3.0-or-later
// What the playground says: about a token, about a text, in its lists.
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/playground/playground_private.h"
#include "ui/playground/token_popup.h"

#include <QLabel>
#include <QListWidget>
#include <QMenu>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QStackedWidget>

namespace pha::ui {

namespace {
constexpr auto promptsKey = "playground/prompts";
constexpr int promptsKept = 20;
} // namespace

void PlaygroundPanel::Private::showPopup(int index)
{
    const auto rect = v.text->tokenRect(index);
    if (rect.isEmpty()) return;
    v.popup->showToken(
        index, v.text->tokens()[index], QRect(v.text->viewport()->mapTo(q, rect.topLeft()), rect.size()));
}

void PlaygroundPanel::Private::describe(int index)
{
    if (index < 0) return showFigures();
    const auto& t = v.text->tokens()[index];
    const auto text = t.alternatives.empty()
        ? tr("Token %1: %2").arg(index + 1).arg(visibleToken(t.text))
        : tr("Token %1: %2, probability %3 %, entropy %4 nats. Enter shows alternatives.")
              .arg(QString::number(index + 1), visibleToken(t.text), formatFixed(100 * t.probability, 1),
                  formatFixed(t.entropy, 2));
    v.figures->setText(text);
    v.text->setAccessibleDescription(text);
}

void PlaygroundPanel::Private::showFigures()
{
    const auto w = history.current();
    QStringList parts;
    if (w) {
        const int all = int(v.text->tokens().size());
        const int given = w->given < 0 ? all : std::min(w->given, all);
        parts << counted(all - given, tr("%1 token"), tr("%1 tokens")).arg(formatCount(all - given))
              << tr("prompt %1").arg(formatCount(given));
        const bool measured = w->complete && !writing;
        const double rate = measured                              ? w->figures.tokensPerSecond
            : writing && clock.isValid() && clock.elapsed() > 100 ? 1000.0 * (all - given) / double(clock.elapsed())
                                                                  : 0;
        if (rate > 0) parts << tr("%1 tokens/s").arg(formatFixed(rate, rate < 100 ? 1 : 0));
        if (measured) {
            parts << tr("first token after %1 s").arg(formatFixed(w->figures.firstTokenSeconds, 2))
                  << tr("state %1").arg(formatBytes(double(w->figures.stateBytes)));
        } else if (!writing && all > 0) {
            parts << tr("stopped");
        }
        parts << tr("seed %1").arg(w->sampling.seed) << describeWeights(w->weights);
        if (!w->origin.isEmpty()) parts << w->origin;
        if (!w->mix.empty()) parts << describeMix(w->mix);
    }
    const auto text = parts.join(QStringLiteral("  \u00b7  "));
    v.figures->setText(text);
    v.figures->setToolTip(plainToolTip(text));
}

void PlaygroundPanel::Private::showHistory()
{
    const QSignalBlocker quiet(v.history);
    v.history->clear();
    v.historyEmpty->setVisible(history.all().empty());
    for (auto w = history.all().rbegin(); w != history.all().rend(); ++w) {
        const bool present = *w == history.current() && writing;
        auto* item = new QListWidgetItem(present ? tr("#%1  writing...").arg((*w)->number) : (*w)->title(), v.history);
        item->setData(Qt::UserRole, (*w)->number);
        QStringList lines { tr("%1, seed %2").arg(describeWeights((*w)->weights)).arg((*w)->sampling.seed) };
        if (!(*w)->origin.isEmpty()) lines << (*w)->origin;
        if (!(*w)->mix.empty()) lines << describeMix((*w)->mix);
        item->setToolTip(plainToolTip(lines.join(QLatin1Char('\n'))));
        if (*w == history.current()) v.history->setCurrentItem(item);
    }
}

void PlaygroundPanel::Private::showState()
{
    const bool can = canGenerate(), text = !v.text->tokens().isEmpty();
    v.generate->setEnabled(can);
    v.stop->setEnabled(writing || rival->writing());
    v.carryOn->setEnabled(can && text && !writing);
    v.copy->setEnabled(text);
    v.undo->setEnabled(history.canUndo());
    v.redo->setEnabled(history.canRedo());
    v.pages->setCurrentIndex(text || writing ? 1 : 0);
    const auto problem = v.weights->problem();
    v.empty.title->setText(can   ? tr("Nothing written yet")
            : !problem.isEmpty() ? tr("Weights deleted")
            : session            ? tr("No weights yet")
                                 : tr("No network yet"));
    v.empty.text->setText(can
            ? tr("Type a prompt and press Ctrl+Enter. Every token shows how sure the network was of it.")
            : !problem.isEmpty() ? problem
            : session
            ? tr("This run has no checkpoint. Start or resume its training; then type a prompt and press Ctrl+Enter.")
            : tr("Train a run or open one; then type a prompt and press Ctrl+Enter."));
}

void PlaygroundPanel::Private::fillPromptMenu()
{
    v.promptMenu->clear();
    for (const auto& text : QSettings().value(QLatin1String(promptsKey)).toStringList()) {
        auto shown = singleLine(text).left(70);
        auto* action = v.promptMenu->addAction(shown.replace(QLatin1Char('&'), QLatin1String("&&")));
        connect(action, &QAction::triggered, q, [this, text] { v.prompt->setPlainText(text); });
    }
    if (v.promptMenu->isEmpty()) v.promptMenu->addAction(tr("None yet"))->setEnabled(false);
}

void PlaygroundPanel::Private::remember(const QString& prompt)
{
    QSettings settings;
    auto all = settings.value(QLatin1String(promptsKey)).toStringList();
    all.removeAll(prompt);
    all.prepend(prompt.left(10'000));
    settings.setValue(QLatin1String(promptsKey), QStringList(all.mid(0, promptsKept)));
}

} // namespace pha::ui
