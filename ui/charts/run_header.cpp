// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/run_header.h"

#include "ui/charts/run_math.h"
#include "ui/format.h"
#include "ui/session/run_session.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QVBoxLayout>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

enum { Step, Tokens, Left, Speed, Loss, Perplexity };

/// The mean of the last values: a figure that one can read while it changes.
double recent(const std::vector<double>& values, std::size_t count)
{
    double sum = 0;
    std::size_t n = 0;
    for (auto i = values.rbegin(); i != values.rend() && n < count; ++i) {
        if (!std::isfinite(*i)) continue;
        sum += *i;
        ++n;
    }
    return n ? sum / double(n) : std::nan("");
}

} // namespace

RunHeader::RunHeader(QWidget* parent)
    : QWidget(parent)
    , name_(new QLabel)
    , state_(new QLabel)
    , progress_(new QProgressBar)
{
    setObjectName(QStringLiteral("runHeader"));
    name_->setObjectName(QStringLiteral("runName"));
    name_->setAccessibleName(tr("Run"));
    name_->setTextFormat(Qt::PlainText);
    setRole(name_, "heading");
    state_->setObjectName(QStringLiteral("runState"));
    state_->setAccessibleName(tr("State"));
    state_->setTextFormat(Qt::PlainText);
    state_->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred); // a long text gives way, it does not push
    progress_->setObjectName(QStringLiteral("runProgress"));
    progress_->setAccessibleName(tr("Progress of the run"));
    progress_->setRange(0, 1000);
    progress_->setTextVisible(false);
    progress_->setFixedHeight(6);
    auto* words = new QHBoxLayout;
    words->setSpacing(8);
    words->addWidget(name_);
    words->addWidget(state_, 1);
    auto* left = new QVBoxLayout;
    left->setSpacing(5);
    left->addStretch(1);
    left->addLayout(words);
    left->addWidget(progress_);
    left->addStretch(1);
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(4, 2, 4, 2);
    layout->setSpacing(14);
    layout->addLayout(left, 1);

    figure(QStringLiteral("runStep"), tr("step"), tr("Updates done, of those planned"), 6);
    figure(QStringLiteral("runTokens"), tr("tokens"), tr("Tokens that the run has been trained on"), 2);
    figure(QStringLiteral("runLeft"), tr("left"), tr("Estimate of the time until the last step"), 4);
    figure(QStringLiteral("runSpeed"), tr("tokens/s"), tr("Mean of the last 20 updates"), 1);
    figure(
        QStringLiteral("runLoss"), tr("loss"), tr("Training loss in nats per token, mean of the last 20 updates"), 5);
    figure(QStringLiteral("runPerplexity"), tr("valid ppl"),
        tr("Perplexity per token of the last evaluation on the validation split"), 3);
    for (const auto& f : std::as_const(figures_)) layout->addWidget(f.box);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    setMinimumWidth(160);
    showSession(nullptr);
}

RunHeader::Figure& RunHeader::figure(const QString& name, const QString& label, const QString& tip, int keep)
{
    Figure f { new QWidget(this), new QLabel(label), new QLabel, keep };
    auto* layout = new QVBoxLayout(f.box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(f.value);
    layout->addWidget(f.label);
    f.value->setObjectName(name);
    f.value->setAccessibleName(label);
    f.box->setToolTip(tip);
    setRole(f.value, "metric");
    setRole(f.label, "small");
    for (auto* l : { f.label, f.value }) l->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    figures_ << f;
    return figures_.last();
}

void RunHeader::set(int index, const QString& value)
{
    auto* label = figures_[index].value;
    if (label->text() == value) return;
    label->setText(value);
    // Figures only ever grow wider: a digit less must not move all the others.
    label->setMinimumWidth(std::max(label->minimumWidth(), label->sizeHint().width()));
}

void RunHeader::paintState(const RunSession* session)
{
    const char* role = "muted";
    const char* bar = "";
    if (session) switch (session->state()) {
        case RunState::Running:
        case RunState::Finished:
            role = "good";
            break;
        case RunState::Paused:
            role = "warning";
            bar = "warning";
            break;
        case RunState::Diverged:
        case RunState::Failed:
            role = "error";
            bar = "error";
            break;
        case RunState::Preparing:
        case RunState::Stopped:
            break;
        }
    setRole(state_, role);
    setRole(progress_, bar);
}

void RunHeader::showSession(const RunSession* session)
{
    const auto none = QStringLiteral("–");
    any_ = session != nullptr;
    fullName_ = session ? session->name() : tr("No run");
    name_->setToolTip(session ? fromPath(session->directory()) : QString());
    fullState_ = session ? session->stateText() : QString();
    state_->setToolTip(plainToolTip(fullState_));
    state_->setAccessibleDescription(fullState_);
    paintState(session);
    if (!session) {
        for (int i = 0; i < figures_.size(); ++i) set(i, none);
        progress_->setValue(0);
        arrange();
        return;
    }
    const auto& h = session->history();
    const auto planned = session->file().config.training.steps;
    const double step = h.step.empty() ? 0 : h.step.back();
    const auto work = session->progress();
    double share = planned > 0 ? step / double(planned) : 0;
    if (session->state() == RunState::Preparing && work.total > 0) share = work.done / work.total;
    progress_->setValue(int(std::clamp(share, 0., 1.) * 1000));
    progress_->setToolTip(formatPercent(share));
    set(Step, tr("%1 / %2").arg(formatCount(std::llround(step)), formatCount(planned)));
    set(Tokens, h.tokens.empty() ? none : formatCompact(h.tokens.back()));
    set(Left, session->secondsLeft() >= 0 ? formatDuration(session->secondsLeft()) : none);
    set(Speed, h.step.empty() ? none : formatCompact(recent(h.tokensPerSecond, 20)));
    set(Loss, h.step.empty() ? none : formatFixed(recent(h.loss, 20), 3));
    const auto* valid = lastValidation(h);
    set(Perplexity, valid ? valueText(ValueKind::Perplexity, std::exp(valid->nll)) : none);
    arrange();
}

void RunHeader::arrange()
{
    // The name and the state need some room of their own; what is left goes to the figures by importance.
    const int words = std::min(260, width() / 3);
    name_->setText(name_->fontMetrics().elidedText(fullName_, Qt::ElideMiddle, words * 3 / 5));
    int room = any_ ? width() - words : 0;
    QVector<int> order(figures_.size());
    for (int i = 0; i < order.size(); ++i) order[i] = i;
    std::sort(order.begin(), order.end(), [this](int a, int b) { return figures_[a].keep > figures_[b].keep; });
    for (const int i : std::as_const(order)) {
        const int needed = std::max(figures_[i].value->sizeHint().width(), figures_[i].label->sizeHint().width()) + 14;
        const bool fits = needed <= room;
        figures_[i].box->setVisible(fits);
        room = fits ? room - needed : 0;
    }
    layout()->activate();
    const int rest = progress_->width() - name_->sizeHint().width() - 8;
    state_->setText(state_->fontMetrics().elidedText(fullState_, Qt::ElideRight, std::max(0, rest)));
}

void RunHeader::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    arrange();
}

} // namespace pha::ui
