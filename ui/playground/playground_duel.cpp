// SPDX-License-Identifier: GPL-3.0-or-later
// The playground with a second network beside the first.
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/playground/playground_private.h"
#include "ui/playground/rival_view.h"

#include <QComboBox>
#include <QLabel>
#include <QSplitter>
#include <QToolButton>

namespace pha::ui {

namespace {

/// Without what was given; bytes, since the tokenizers need not be the same.
std::string bytesWritten(const QVector<GeneratedToken>& tokens, int given)
{
    std::string bytes;
    for (const auto& token : tokens.mid(given)) bytes += token.text;
    return bytes;
}

} // namespace

void PlaygroundPanel::Private::connectDuel()
{
    connect(v.compare, &QToolButton::toggled, &guard, [this](bool on) {
        rival->setVisible(on);
        makeRoom();
        if (on) {
            rival->setOpponent(session);
            rival->propose();
        } else {
            rival->stop();
        }
        showParting();
    });
    connect(v.tint, &QComboBox::currentIndexChanged, &guard,
        [this](int index) { rival->text()->setTint(TintMode(index)); });
    connect(rival, &RivalView::grown, &guard, [this] {
        showParting();
        showState();
        offerTexts();
    });
    connect(rival, &RivalView::blindWanted, &guard, [this] { setBlind(true); });
    connect(blind, &BlindVote::left, &guard, [this] { setBlind(false); });
    v.texts->addWidget(rival);
    v.texts->addWidget(blind);
    rival->hide();
    blind->hide();
    v.parting->hide();
}

/// Two texts need the room of the settings where the panel is narrow.
void PlaygroundPanel::Private::makeRoom()
{
    const bool room = !v.compare->isChecked() || q->width() >= 1000;
    v.side->setVisible(room && !voting); // the list of texts would tell whose is whose
}

void PlaygroundPanel::Private::setBlind(bool on)
{
    voting = on;
    v.texts->widget(0)->setVisible(!on);
    rival->setVisible(!on && v.compare->isChecked());
    blind->setVisible(on);
    if (on) blind->cancel(tr("Generate (Ctrl+Enter) lets both write. Their texts come without names."));
    if (on && canGenerate() && rival->canWrite()) v.generate->setFocus(Qt::OtherFocusReason);
    makeRoom();
    showParting();
}

void PlaygroundPanel::Private::offerTexts()
{
    if (!voting || !blind->waiting() || writing || rival->writing()) return;
    const auto w = history.current();
    // Where the first one failed before its first token, what it wrote earlier is the current one again.
    if (!w || w != duel || !session || !w->complete || !rival->complete())
        return blind->cancel(tr("One of the two wrote no text: there is nothing to vote on."));
    const auto written = [](const QVector<GeneratedToken>& tokens, int given) {
        return fromUtf8(bytesWritten(tokens, given));
    };
    const auto changes = w->mix.empty() ? QString() : describeMix(w->mix);
    blind->offer(duellistOf(*session, w->weights, changes), written(v.text->tokens(), duelGiven(*w)), rival->duellist(),
        written(rival->text()->tokens(), rival->given()));
}

void PlaygroundPanel::Private::beginDuel(const GenerateOptions& options, const QVector<GeneratedToken>& kept)
{
    if (!v.compare->isChecked()) return;
    auto prompt = options.prompt;
    if (!options.promptIds.empty()) {
        prompt.clear();
        for (const auto& token : kept) prompt += token.text;
    }
    duel = history.current();
    if (voting) blind->begin();
    rival->write(options, prompt);
    showParting();
}

/// Marks in both texts where they part, as soon as they do.
void PlaygroundPanel::Private::showParting()
{
    const bool on = v.compare->isChecked();
    const auto w = history.current();
    std::optional<Divergence> at;
    // Tokens that were kept from an earlier text are the prompt of the second network.
    const int given = w ? duelGiven(*w) : 0;
    const auto &a = v.text->tokens(), &b = rival->text()->tokens();
    const bool together = w && w == duel; // not if the first one failed, and an earlier text of its own is back
    if (on && together && !b.isEmpty()) at = firstDivergence(a, given, b, rival->given());
    v.text->setMark(at ? at->a : -1);
    rival->text()->setMark(at ? at->b : -1);
    v.parting->setVisible(on);
    if (!on) return;
    const bool over = !writing && !rival->writing();
    const bool same = over && !at && bytesWritten(a, given) == bytesWritten(b, rival->given());
    const auto text = at ? describeDivergence(*at, a, given, b) + (over ? QString() : QString(QChar(0x2026)))
        : b.isEmpty()    ? tr("Generate (Ctrl+Enter) writes with both networks from one prompt, with one seed.")
        : !together      ? tr("The first network wrote nothing that this could be compared with.")
        : same           ? tr("Both wrote the same.")
        : over           ? tr("The same as far as both go.")
                         : tr("The same so far.");
    if (at && over && v.parting->text() != text) { // both are written: show where they part
        v.text->reveal(at->a);
        rival->text()->reveal(at->b);
    }
    v.parting->setText(text);
    v.parting->setToolTip(plainToolTip(text));
}

int PlaygroundPanel::Private::duelGiven(const Writing& w) const
{
    const int all = int(v.text->tokens().size());
    return std::min(all, inherited > 0 ? inherited : w.given < 0 ? all : w.given);
}

} // namespace pha::ui
