// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/controls.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/playground/playground_private.h"
#include "ui/playground/sampling_form.h"
#include "ui/playground/token_popup.h"

#include <QLabel>
#include <QListWidget>
#include <QPlainTextEdit>

#include <algorithm>
#include <utility>

namespace pha::ui {

void PlaygroundPanel::Private::connectWorker()
{
    connect(&worker, &ModelWorker::busyChanged, &guard, [this] { showState(); });
    connect(&worker, &ModelWorker::weightsReady, &guard, [this](const WeightsInfo& weights) {
        if (const auto w = history.current()) w->weights = weights;
        v.message->say(weights.note, "warning");
    });
    connect(
        &worker, &ModelWorker::progress, &guard, [this](const ProgressEvent& e) { v.message->say(fromUtf8(e.what)); });
    connect(&worker, &ModelWorker::tokens, &guard, [this](const QVector<GeneratedToken>& batch) { receive(batch); });
    connect(&worker, &ModelWorker::generated, &guard, [this](const Generation& g) {
        if (!writing) return;
        auto& w = *history.current();
        w.figures = g;
        w.figures.tokens.clear();
        w.complete = true;
        if (!g.note.empty()) v.message->say(fromUtf8(g.note), "warning");
        finish();
    });
    connect(&worker, &ModelWorker::failed, &guard, [this](const QString& text) {
        finish();
        v.message->say(text, "error");
    });
    connect(&worker, &ModelWorker::inspected, &guard, [this](const ModelReport& report) {
        const auto shape = mixShape(report.config.model);
        v.mixer->setShape(shape.layers, shape.branches, shape.present);
        v.mixer->setLearned(report.mixing);
    });
}

void PlaygroundPanel::Private::begin(
    const GenerateOptions& options, const QVector<GeneratedToken>& kept, int given, const QString& origin)
{
    finish();
    v.popup->dismiss();
    const auto w = history.begin();
    w->prompt = v.prompt->toPlainText();
    w->given = given;
    w->sampling = options.sampling;
    w->mix = options.mix;
    if (session) w->vocabulary = vocabularyOf(*session);
    w->origin = origin;
    v.text->setTokens(kept);
    inherited = int(kept.size());
    writing = true;
    next = 0;
    if (session) // a table of learned positions reads the end alone of what is longer, and that is what is reported
        if (const auto& m = session->file().config.model; m.positions == "learned")
            next = inherited - int(tokensOfPrompt(inherited, m.maxPositions, options.sampling.maxTokens));
    clock.invalidate();
    v.message->say(tr("Getting the weights..."));
    worker.generate(v.weights->source(), options);
    beginDuel(options, kept);
    showHistory();
    showState();
}

GenerateOptions PlaygroundPanel::Private::options()
{
    v.sampling->nextSeed();
    GenerateOptions o;
    o.sampling = v.sampling->sampling();
    o.mix = v.mixer->changes();
    o.promptProbabilities = true; // tints the prompt too, and gives the ids that writing on needs
    return o;
}

void PlaygroundPanel::Private::regrow(int keep, const TokenAlternative* alternative)
{
    const auto from = history.current();
    if (!from || !canGenerate()) return;
    auto kept = v.text->tokens().mid(0, keep);
    if (alternative) {
        GeneratedToken token;
        if (keep < int(v.text->tokens().size())) token = v.text->tokens()[keep];
        token.id = alternative->id;
        token.text = alternative->text;
        token.probability = token.sampledProbability = alternative->probability;
        kept << token;
    }
    if (kept.isEmpty()) return;
    auto o = options();
    int given = from->given < 0 ? 0 : std::min(from->given, int(kept.size()));
    if (from->vocabulary == vocabularyOf(*session)) {
        for (const auto& token : kept) o.promptIds.push_back(token.id);
    } else { // ids of another tokenizer are other words here: the same text, cut anew
        for (const auto& token : kept) o.prompt += token.text;
        kept.clear();
        given = -1;
    }
    begin(o, kept, given,
        alternative ? tr("from token %1 of #%2").arg(keep + 1).arg(from->number)
                    : tr("continues #%1").arg(from->number));
}

void PlaygroundPanel::Private::receive(const QVector<GeneratedToken>& batch)
{
    if (!writing) return;
    auto& w = *history.current();
    QVector<GeneratedToken> fresh;
    for (auto token : batch) {
        const bool kept = token.prompt && next < int(v.text->tokens().size());
        if (kept) { // shown already; now with what these weights think of it
            const auto& shown = v.text->tokens()[next];
            const bool goesOn = next + 1 == inherited && token.text != shown.text; // its last character is not whole
            if (!goesOn) token.text = shown.text;
            token.sampledProbability = shown.sampledProbability;
            token.prompt = w.given < 0 || next < w.given;
            if (goesOn) {
                auto all = v.text->tokens();
                all[next] = token;
                v.text->setTokens(all);
            } else {
                v.text->replace(next, token);
            }
        } else {
            if (!token.prompt && w.given < 0) w.given = next;
            fresh << token;
        }
        if (!token.prompt && !kept && !clock.isValid()) {
            clock.start();
            v.message->say({});
        }
        ++next;
    }
    v.text->append(fresh);
    if (v.popup->isVisible() && !v.popup->pinned()) v.popup->dismiss();
    if (rival->isVisible()) showParting();
    showFigures();
}

void PlaygroundPanel::Private::finish()
{
    if (!std::exchange(writing, false)) return;
    const auto w = history.current();
    if (w->given < 0) w->given = int(v.text->tokens().size());
    w->tokens = v.text->tokens();
    if (w->tokens.isEmpty()) { // it failed before it began
        history.discard();
        if (history.current()) v.text->setTokens(history.current()->tokens);
    }
    history.prune();
    showParting();
    offerTexts();
    showHistory();
    showFigures();
    showState();
}

void PlaygroundPanel::Private::show(const WritingPtr& w)
{
    v.popup->dismiss();
    v.text->setTokens(w->tokens);
    rival->stop();
    rival->text()->clearTokens(); // it was written beside another text
    showParting();
    v.sampling->setSampling(w->sampling);
    v.mixer->setChanges(w->mix);
    if (!w->prompt.isEmpty()) v.prompt->setPlainText(w->prompt);
    v.message->say({});
    showHistory();
    showFigures();
    showState();
}

void PlaygroundPanel::Private::step(void (GenerationHistory::*way)())
{
    const auto before = history.current();
    if (writing) worker.stop();
    finish();
    // One that ended before its first token is gone from the history, which has gone back a text already.
    if (history.current() == before) (history.*way)();
    if (history.current()) show(history.current());
}

void PlaygroundPanel::Private::open(QListWidgetItem* item)
{
    const int number = item->data(Qt::UserRole).toInt();
    for (const auto& w : history.all()) {
        if (w->number != number || w == history.current()) continue;
        const auto chosen = w; // finish() may drop it from the list, for the room that the present text takes
        if (writing) worker.stop();
        finish();
        history.visit(chosen);
        show(chosen);
        return;
    }
}

} // namespace pha::ui
