// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/blind_vote.h"

#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QRandomGenerator>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>
#include <utility>

namespace pha::ui {

BlindVote::BlindVote(QWidget* parent)
    : QFrame(parent)
{
    setObjectName(QStringLiteral("playgroundBlind"));
    setAccessibleName(tr("Blind vote"));
    setFocusPolicy(Qt::StrongFocus);
    build();
    connect(voteLeft_, &QPushButton::clicked, this, [this] { vote(Vote::Left); });
    connect(voteRight_, &QPushButton::clicked, this, [this] { vote(Vote::Right); });
    connect(tie_, &QPushButton::clicked, this, [this] { vote(Vote::Tie); });
    connect(reset_, &QPushButton::clicked, this, &BlindVote::resetTally);
    connect(blind_, &QToolButton::clicked, this, [this] {
        blind_->setChecked(true); // as it is when it is seen again
        Q_EMIT left();
    });
    cancel(tr("Generate (Ctrl+Enter) lets both write. Their texts come without names."));
}

BlindVote::Side BlindVote::buildSide(const char* name, const QString& what)
{
    Side side {};
    side.name = new ElidedLabel(this, {}, "heading");
    side.name->setObjectName(QLatin1String(name) + QStringLiteral("Name"));
    side.text = new QPlainTextEdit(this);
    side.text->setObjectName(QLatin1String(name) + QStringLiteral("Text"));
    side.text->setAccessibleName(what);
    side.text->setToolTip(tr("What one of the two wrote after the prompt"));
    side.text->setReadOnly(true);
    side.text->setTabChangesFocus(true);
    side.text->setTextInteractionFlags(Qt::TextSelectableByMouse); // keys are votes
    enlargeText(side.text);
    return side;
}

void BlindVote::build()
{
    auto* layout = card(this);
    blind_ = toolButton(this, "blindOff", tr("Blind"), tr("Show the names and all figures again"), true);
    blind_->setChecked(true);
    say_ = label(this, {}, "heading");
    say_->setObjectName(QStringLiteral("blindSay"));
    say_->setWordWrap(true);
    auto* head = new QHBoxLayout;
    head->addWidget(say_, 1);
    head->addWidget(blind_, 0, Qt::AlignTop);
    layout->addLayout(head);
    auto* texts = new QHBoxLayout;
    texts->setSpacing(12);
    sides_ = { buildSide("blindLeft", tr("Left text")), buildSide("blindRight", tr("Right text")) };
    for (const auto& side : sides_) {
        auto* column = new QVBoxLayout;
        column->addWidget(side.name);
        column->addWidget(side.text, 1);
        texts->addLayout(column, 1);
    }
    layout->addLayout(texts, 1);
    voteLeft_ = pushButton(this, "blindVoteLeft", tr("&Left is better"), tr("Vote for the left text (key 1)"));
    tie_ = pushButton(this, "blindVoteTie", tr("&Tie"), tr("Neither is better (key 0)"));
    voteRight_ = pushButton(this, "blindVoteRight", tr("&Right is better"), tr("Vote for the right text (key 2)"));
    reset_ = pushButton(this, "blindReset", tr("Reset"), tr("Forget the votes between these two"), "flat");
    auto* row = new QHBoxLayout;
    row->addWidget(voteLeft_);
    row->addStretch();
    row->addWidget(tie_);
    row->addStretch();
    row->addWidget(voteRight_);
    layout->addLayout(row);
    score_ = label(this, {}, "small");
    score_->setObjectName(QStringLiteral("blindScore"));
    score_->setWordWrap(true);
    score_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    auto* foot = new QHBoxLayout;
    foot->addWidget(score_, 1);
    foot->addWidget(reset_);
    layout->addLayout(foot);
}

void BlindVote::begin()
{
    cancel(tr("Both write; the texts come when both have."));
    waiting_ = true;
}

void BlindVote::offer(
    const Duellist& first, const QString& firstText, const Duellist& second, const QString& secondText)
{
    waiting_ = false;
    first_ = first, second_ = second;
    known_ = true;
    tally_ = DuelTallies::of(first, second);
    if (firstText == secondText) {
        cancel(tr("Both wrote the same. Generate again for other texts."));
        for (const auto& side : sides_) side.text->setPlainText(firstText); // which tells nothing
        return;
    }
    offered_ = true;
    turned_ = QRandomGenerator::global()->bounded(2) == 1;
    sides_[0].text->setPlainText(turned_ ? secondText : firstText);
    sides_[1].text->setPlainText(turned_ ? firstText : secondText);
    say_->setText(tr("Which text is better? 1: left, 2: right, 0: tie"));
    showState();
    setFocus(Qt::OtherFocusReason); // for the keys
}

void BlindVote::cancel(const QString& why)
{
    waiting_ = offered_ = false;
    for (const auto& side : sides_) side.text->clear();
    sides_[0].name->setText(tr("Left"));
    sides_[1].name->setText(tr("Right"));
    say_->setText(why);
    showState();
}

void BlindVote::vote(Vote vote)
{
    if (!std::exchange(offered_, false)) return;
    tally_ = DuelTallies::of(first_, second_); // another window may have counted meanwhile
    if (vote == Vote::Tie)
        ++tally_.ties;
    else if ((vote == Vote::Left) != turned_)
        ++tally_.first;
    else
        ++tally_.second;
    DuelTallies::set(first_, second_, tally_);
    reveal(vote);
    showState();
}

void BlindVote::reveal(Vote vote)
{
    const auto& left = turned_ ? second_ : first_;
    const auto& right = turned_ ? first_ : second_;
    sides_[0].name->setText(tr("Left: %1").arg(left.name));
    sides_[1].name->setText(tr("Right: %1").arg(right.name));
    say_->setText(vote == Vote::Tie ? tr("A tie. Generate (Ctrl+Enter) for the next one.")
                                    : tr("You chose %1. Generate (Ctrl+Enter) for the next one.")
                                          .arg(vote == Vote::Left ? left.name : right.name));
}

void BlindVote::resetTally()
{
    DuelTallies::reset(first_, second_);
    tally_ = {};
    showState();
}

void BlindVote::showTally()
{
    if (!known_ || tally_.all() == 0)
        return score_->setText(known_ ? tr("No votes between these two yet.") : QString());
    auto text = tr("%1: %2 \u00b7 %3: %4 \u00b7 ties: %5")
                    .arg(first_.name)
                    .arg(tally_.first)
                    .arg(second_.name)
                    .arg(tally_.second)
                    .arg(tally_.ties);
    if (tally_.decided() > 0) {
        const bool behind = tally_.second > tally_.first;
        const auto share = winShare(behind ? tally_.second : tally_.first, tally_.decided());
        text += tr("\n%1 wins %2 % of the decided ones; with 95 % confidence %3 to %4 %%5")
                    .arg(behind ? second_.name : first_.name,
                        formatFixed(100.0 * std::max(tally_.first, tally_.second) / tally_.decided(), 0),
                        formatFixed(100 * share.from, 0), formatFixed(100 * share.to, 0),
                        share.from > 0.5 ? QString() : tr(": that may be chance"));
    }
    score_->setText(text);
}

void BlindVote::showState()
{
    for (auto* button : { voteLeft_, tie_, voteRight_ }) button->setEnabled(offered_);
    reset_->setEnabled(known_ && tally_.all() > 0);
    showTally();
}

void BlindVote::keyPressEvent(QKeyEvent* event)
{
    const auto key = event->key();
    if (offered_ && (key == Qt::Key_1 || key == Qt::Key_2 || key == Qt::Key_0))
        vote(key == Qt::Key_1 ? Vote::Left : key == Qt::Key_2 ? Vote::Right : Vote::Tie);
    else
        QFrame::keyPressEvent(event);
}

} // namespace pha::ui
