// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/run_bar.h"

#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/runs/run_delegate.h"
#include "ui/runs/run_summary.h"
#include "ui/window/window_actions.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPainter>
#include <QProgressBar>
#include <QToolButton>

namespace pha::ui {

class RunBar::Glyph : public QWidget {
public:
    Glyph() { setFixedSize(16, 16); }
    void setState(const RunSummary& run)
    {
        state_ = run.state;
        interrupted_ = run.interrupted;
        waiting_ = run.placeInQueue > 0;
        update();
    }

protected:
    void paintEvent(QPaintEvent*) override
    {
        QPainter painter(this);
        painter.setRenderHint(QPainter::Antialiasing);
        const QRectF box(1, 1, 14, 14);
        if (waiting_)
            paintWaitingGlyph(&painter, box);
        else
            paintStateGlyph(&painter, box, state_, interrupted_);
    }

private:
    RunState state_ = RunState::Stopped;
    bool interrupted_ = false, waiting_ = false;
};

RunBar::Figure RunBar::figure(const QString& name, const QString& id, const QString& tip)
{
    Figure f { new QWidget, new QLabel };
    auto* caption = new QLabel(name);
    setRole(caption, "small");
    setRole(f.value, "metric");
    f.value->setObjectName(id);
    f.value->setTextFormat(Qt::PlainText);
    f.value->setAccessibleName(name);
    f.box->setToolTip(plainToolTip(tip));
    // Wide enough for what it usually says: figures that change must not push each other about.
    f.box->setMinimumWidth(74);
    auto* layout = new QVBoxLayout(f.box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(1);
    layout->addWidget(caption);
    layout->addWidget(f.value);
    return f;
}

QToolButton* RunBar::button(QAction* action)
{
    auto* b = new QToolButton;
    b->setObjectName(action->objectName() + QStringLiteral("Button"));
    b->setDefaultAction(action);
    b->setToolButtonStyle(Qt::ToolButtonTextBesideIcon);
    b->setFocusPolicy(Qt::TabFocus);
    setRole(b, "button");
    return b;
}

RunBar::RunBar(const WindowActions& actions, QWidget* parent)
    : QWidget(parent)
    , glyph_(new Glyph)
    , name_(new ElidedLabel(nullptr, {}, "title"))
    , state_(new ElidedLabel(nullptr, {}, "muted"))
    , steps_(new QLabel)
    , progress_(new QProgressBar)
    , loss_(
          figure(tr("Loss"), QStringLiteral("lossFigure"), tr("Mean cross entropy of the last update, nats per token")))
    , perplexity_(
          figure(tr("Perplexity"), QStringLiteral("perplexityFigure"), tr("On the validation split, last evaluation")))
    , speed_(figure(tr("Tokens/s"), QStringLiteral("speedFigure"), tr("Tokens a second in the last update")))
    , left_(figure(tr("Time left"), QStringLiteral("timeLeftFigure"), tr("At the speed of the last hundred updates")))
    , pause_(button(actions.pauseRun))
    , stop_(button(actions.stopRun))
    , resume_(button(actions.resumeRun))
    , checkpoint_(button(actions.checkpointNow))
{
    setObjectName(QStringLiteral("runBar"));
    glyph_->setObjectName(QStringLiteral("runBarGlyph"));
    auto* card = new QFrame;
    setRole(card, "card");
    name_->setObjectName(QStringLiteral("runBarName"));
    state_->setObjectName(QStringLiteral("runBarState"));
    steps_->setObjectName(QStringLiteral("runBarSteps"));
    steps_->setTextFormat(Qt::PlainText);
    progress_->setObjectName(QStringLiteral("runBarProgress"));
    progress_->setAccessibleName(tr("Progress of the run"));
    progress_->setTextVisible(false);

    auto* title = new QHBoxLayout;
    title->setSpacing(7);
    title->addWidget(glyph_);
    title->addWidget(name_, 1);
    auto* who = new QVBoxLayout;
    who->setSpacing(2);
    who->addLayout(title);
    who->addWidget(state_);
    auto* far = new QVBoxLayout;
    far->setSpacing(5);
    far->addStretch(1);
    far->addWidget(steps_);
    far->addWidget(progress_);
    far->addStretch(1);
    auto* row = new QHBoxLayout(card);
    row->setContentsMargins(14, 9, 12, 9);
    row->setSpacing(20);
    row->addLayout(who, 5);
    row->addLayout(far, 4);
    for (const auto& f : { loss_, perplexity_, speed_, left_ }) row->addWidget(f.box);
    left_.box->setMinimumWidth(92); // "12 min 30 s"
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(6);
    for (auto* b : { pause_, stop_, resume_, checkpoint_ }) buttons->addWidget(b);
    row->addLayout(buttons);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 2, 0, 2);
    outer->addWidget(card);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    refresh();
}

void RunBar::setSession(RunSession* session)
{
    if (session_ == session) return;
    if (session_) session_->disconnect(this);
    session_ = session;
    remark_.clear();
    if (session) {
        connect(session, &RunSession::changed, this, &RunBar::refresh);
        connect(session, &RunSession::stateChanged, this, &RunBar::refresh);
    }
    refresh();
}

void RunBar::setRemark(const QString& remark)
{
    remark_ = remark;
    refresh();
}

void RunBar::refresh()
{
    const bool any = session_;
    for (const auto& f : { loss_, perplexity_, speed_, left_ }) f.box->setVisible(any);
    glyph_->setVisible(any);
    progress_->setVisible(any);
    steps_->setVisible(any);
    using Place = RunSession::Place;
    const bool here =
        any && (session_->place() == Place::Here || session_->place() == Place::Recording) && session_->active();
    const bool again = any && !session_->active();
    if (!again) resume_->hide(); // what goes makes room first: all four at once would widen the window
    for (auto* b : { pause_, stop_, checkpoint_ }) b->setVisible(here);
    resume_->setVisible(again);
    if (!any) {
        name_->setText(tr("No run selected"));
        state_->setText(tr("Select a run on the left, or start one on the right"));
        return;
    }
    const auto s = summarise(*session_);
    glyph_->setState(s);
    name_->setText(s.name);
    name_->setToolTip(plainToolTip(s.name));
    const auto& c = session_->file().config;
    if (s.active()) remark_.clear();
    const auto what = !remark_.isEmpty() ? remark_
                                         : tr("%1 on %2")
                                               .arg(s.preset.isEmpty() ? tr("own shape") : s.preset,
                                                   fromUtf8(fs::path(c.data.data).filename().string()));
    state_->setText(QStringLiteral("%1  \u00b7  %2").arg(s.stateText, what));
    state_->setToolTip(plainToolTip(state_->text()));
    const bool preparing = s.state == RunState::Preparing;
    const double share = preparing ? s.share : s.steps > 0 ? double(s.step) / double(s.steps) : 0;
    steps_->setText(preparing
            ? s.stateText
            : counted(s.steps, tr("%1 / %2 step"), tr("%1 / %2 steps")).arg(formatCount(s.step), formatCount(s.steps)));
    progress_->setRange(0, preparing && share <= 0 ? 0 : 1000);
    progress_->setValue(int(share * 1000));
    loss_.value->setText(formatFixed(s.loss, 3));
    perplexity_.value->setText(formatFixed(s.perplexity, s.perplexity < 100 ? 2 : 1));
    speed_.value->setText(formatCompact(s.tokensPerSecond));
    left_.value->setText(formatDuration(s.secondsLeft));
}

} // namespace pha::ui
