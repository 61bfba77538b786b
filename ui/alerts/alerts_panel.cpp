// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/alerts/alerts_panel.h"

#include "engine/run/alerts.h"
#include "ui/alerts/gradient_table.h"
#include "ui/charts/mixing_bars.h"
#include "ui/controls/controls.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"

#include <QComboBox>
#include <QPushButton>
#include <QSignalBlocker>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTableWidget>

#include <cmath>
#include <utility>

namespace pha::ui {

namespace {

QString kindWord(const std::string& kind)
{
    return kind == "spike"     ? AlertsPanel::tr("loss spike")
        : kind == "gradient"   ? AlertsPanel::tr("gradient spike")
        : kind == "not_finite" ? AlertsPanel::tr("not finite")
        : kind == "start"      ? AlertsPanel::tr("first loss")
                               : fromUtf8(kind);
}

QString finiteNumber(double value)
{
    return std::isfinite(value) ? formatNumber(value) : AlertsPanel::tr("not finite");
}

/// As the network saw it: the surprise is what it cost.
QVector<GeneratedToken> tokensOf(const CostlyText& text)
{
    QVector<GeneratedToken> tokens;
    for (const auto& token : text.excerpt) {
        GeneratedToken shown;
        shown.text = token.text;
        if (token.nats) {
            shown.probability = std::isfinite(*token.nats) ? std::exp(-*token.nats) : 0;
            shown.alternatives = { { 0, token.text, shown.probability } }; // of all that it might have been
        }
        tokens << shown;
    }
    return tokens;
}

} // namespace

AlertsPanel::AlertsPanel(QWidget* parent)
    : QWidget(parent)
    , v_(this)
{
    setObjectName(QStringLiteral("alertsPanel"));
    setAccessibleName(tr("Alerts"));
    connectControls();
    refresh();
}

void AlertsPanel::connectControls()
{
    connect(v_.list, &QTableWidget::itemSelectionChanged, this, &AlertsPanel::showChosen);
    connect(v_.choice, &QComboBox::currentIndexChanged, this, &AlertsPanel::showText);
    connect(v_.around, &QPushButton::clicked, this, [this] { requestFork(true); });
    connect(v_.slower, &QPushButton::clicked, this, [this] { requestFork(false); });
    connect(v_.halve, &QPushButton::clicked, this, &AlertsPanel::halveRequested);
}

void AlertsPanel::setSession(RunSession* session)
{
    if (session == session_ && session) return;
    if (session_) session_->disconnect(this);
    session_ = session;
    generation_ = -1;
    wanted_.reset();
    if (session) {
        connect(session, &RunSession::changed, this, &AlertsPanel::refresh);
        connect(session, &RunSession::stateChanged, this, &AlertsPanel::refresh);
    }
    refresh();
}

int AlertsPanel::count() const { return session_ ? int(session_->history().alerts.size()) : 0; }

const AlertEvent* AlertsPanel::current() const
{
    const int row = v_.list->currentRow(), index = listed_ - 1 - row; // the newest is first
    return row >= 0 && index >= 0 && index < count() ? &session_->history().alerts[std::size_t(index)] : nullptr;
}

void AlertsPanel::refresh()
{
    const auto generation = session_ ? session_->history().generation : -2;
    const bool anew = generation != generation_;
    generation_ = generation;
    if (std::exchange(told_, count()) != count() || anew) Q_EMIT countChanged(count());
    if (anew) {
        listed_ = 0;
        v_.list->setRowCount(0);
    }
    v_.pages->setCurrentIndex(count() > 0 ? 1 : 0);
    v_.empty.title->setText(session_ ? tr("No alerts") : tr("No run is selected"));
    v_.empty.text->setText(session_
            ? tr(
                "When a loss or a gradient jumps far above those before it, or is not finite, or the first loss is far "
                "from ln V, the update appears here with the texts of its batch and what each token of them cost.")
            : tr("Select a run to see which of its updates were not like the others."));
    if (isVisible() && (anew || listed_ != count())) fillList(); // else when it is shown
    if (const auto* alert = current()) showMixing(*alert); // weights from after it may have come
    updateButtons();
}

/// Adds what is new at the top, where a recording that went back also loses it; what was chosen stays so.
void AlertsPanel::fillList()
{
    const auto* chosen = current();
    const auto step = wanted_ ? *wanted_ : chosen ? chosen->step : -1;
    const int fresh = count() - std::exchange(listed_, count());
    {
        const QSignalBlocker quiet(v_.list);
        if (fresh > 0) v_.list->model()->insertRows(0, fresh);
        if (fresh < 0) v_.list->model()->removeRows(0, -fresh);
        int row = 0;
        for (int i = 0; i < listed_; ++i) {
            const auto& alert = session_->history().alerts[std::size_t(listed_ - 1 - i)];
            if (alert.step == step) row = i;
            if (i >= fresh) continue;
            const QStringList cells { formatCount(alert.step), kindWord(alert.kind), finiteNumber(alert.loss),
                finiteNumber(alert.gradNorm), singleLine(fromUtf8(alert.message)) };
            for (int column = 0; column < cells.size(); ++column)
                v_.list->setItem(i, column, new QTableWidgetItem(cells[column]));
        }
        if (listed_ > 0) v_.list->setCurrentCell(row, 0);
    }
    showChosen();
}

void AlertsPanel::showAlert(std::int64_t step)
{
    wanted_ = step;
    fillList();
    wanted_.reset();
}

void AlertsPanel::focusList() { v_.list->setFocus(Qt::ShortcutFocusReason); }

void AlertsPanel::showChosen()
{
    const auto* alert = current();
    checkpoint_ = alert ? checkpointBefore(RunDirectory(session_->directory()), alert->step) : std::string();
    const QSignalBlocker quiet(v_.choice);
    v_.choice->clear();
    if (alert) {
        showFigures(*alert);
        v_.autopsy->setCurrentIndex(alert->examined() ? 1 : 0);
        v_.noAutopsy->setText(alert->note.empty() ? tr("This run keeps no autopsies (autopsies is 0).")
                                                  : singleLine(fromUtf8(alert->note)));
        for (const auto& text : alert->texts)
            v_.choice->addItem(tr("loss %1 \u00b7 %2").arg(finiteNumber(text.loss), singleLine(fromUtf8(text.place))));
        v_.gradients->setAlert(*alert);
        showMixing(*alert);
    }
    showText();
    updateButtons();
}

void AlertsPanel::showFigures(const AlertEvent& alert)
{
    v_.message->setText(tr("Step %1: %2").arg(formatCount(alert.step), singleLine(fromUtf8(alert.message))));
    QStringList parts { tr("loss %1").arg(finiteNumber(alert.loss)) };
    if (alert.median && alert.kind == "spike") parts << tr("before it %1").arg(formatNumber(*alert.median));
    parts << tr("gradient norm %1").arg(finiteNumber(alert.gradNorm));
    if (alert.gradNormBefore) parts << tr("in the update before %1").arg(formatNumber(*alert.gradNormBefore));
    if (!alert.cause.empty()) parts << singleLine(fromUtf8(alert.cause));
    v_.figures->setText(parts.join(QStringLiteral("  \u00b7  ")));
}

void AlertsPanel::showText()
{
    const auto* alert = current();
    const int index = v_.choice->currentIndex();
    if (!alert || index < 0 || index >= int(alert->texts.size())) return v_.text->clearTokens();
    const auto& text = alert->texts[std::size_t(index)];
    v_.text->setTokens(tokensOf(text));
    v_.choice->setToolTip(plainToolTip(v_.choice->currentText()));
    v_.text->setToolTip(
        plainToolTip(tr("Tokens %1 to %2 of %3 that the network read. The colour is what each cost.")
                         .arg(formatCount(text.from + 1), formatCount(text.from + std::int64_t(text.excerpt.size())),
                             formatCount(text.tokens))));
}

void AlertsPanel::showMixing(const AlertEvent& alert)
{
    const auto [before, after] = mixingAround(session_->history().mixing, alert.step);
    if (!before || !after) return v_.mixing->setText(tr("No mixing weights from before and after it yet."));
    const auto old = summarise(before->layers, MixQuantity::Share), now = summarise(after->layers, MixQuantity::Share);
    QStringList parts;
    for (int i = 0; i < old.branches.size() && i < now.branches.size(); ++i)
        parts << QStringLiteral("%1 %2 \u2192 %3")
                     .arg(old.branches[i], mixText(old.mean[i], MixQuantity::Share, 1),
                         mixText(now.mean[i], MixQuantity::Share, 1));
    v_.mixing->setText(!anyMixed(before->layers)
            ? QString()
            : tr("Branch mix, step %1 \u2192 %2: %3")
                  .arg(formatCount(before->step), formatCount(after->step), parts.join(QStringLiteral(", "))));
}

void AlertsPanel::updateButtons()
{
    const bool can = current() && !checkpoint_.empty();
    for (QWidget* widget :
        { static_cast<QWidget*>(v_.around), static_cast<QWidget*>(v_.slower), static_cast<QWidget*>(v_.updates) })
        widget->setEnabled(can);
    v_.halve->setEnabled(session_ && session_->job() && session_->active());
    v_.hint->setText(!current() ? QString()
            : can               ? tr("from step %1").arg(formatCount(checkpointStep(checkpoint_).value_or(0)))
                                : tr("no checkpoint from before it is left"));
}

void AlertsPanel::requestFork(bool around)
{
    const auto* alert = current();
    if (!alert || checkpoint_.empty()) return;
    const auto skip =
        around ? skipFrom(session_->file().config.training.skipData, alert->step, v_.updates->value()) : std::string();
    Q_EMIT forkRequested(RunDirectory(session_->directory()).checkpoints() / checkpoint_, fromUtf8(skip), !around);
}

void AlertsPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (listed_ != count())
        fillList(); // also shows the chosen one
    else
        showChosen(); // checkpoints may have come and gone
}

} // namespace pha::ui
