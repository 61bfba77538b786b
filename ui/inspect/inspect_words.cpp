// SPDX-License-Identifier: GPL-3.0-or-later
// What the panel says: about a token, about what is read at it, about what pushed it; and its colours.
#include "ui/controls/token_tint.h"
#include "ui/controls/token_view.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/head_table.h"
#include "ui/inspect/inspect_private.h"
#include "ui/inspect/lens_table.h"
#include "ui/inspect/look_legend.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/map_ramp.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/push_table.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QLabel>
#include <QPushButton>
#include <QStackedWidget>
#include <QTabWidget>
#include <QToolTip>

#include <algorithm>
#include <cmath>
#include <functional>

namespace pha::ui {

namespace {

/// Colour behind a token for a share of the strongest one.
QColor lookTint(const QColor& hue, double share)
{
    return share > 0.003 ? readableTint(hue, 0.75 * std::pow(std::min(share, 1.0), 0.65)) : QColor();
}

/// The largest pushes of a token, by part: "GSS +3.10, Attention −0.42".
QString pushList(const InsideView& look, int token)
{
    auto pushes = pushesByPart(look, token);
    std::stable_sort(pushes.begin(), pushes.end(),
        [](const PartPush& a, const PartPush& b) { return std::abs(a.nats) > std::abs(b.nats); });
    QStringList list;
    for (const auto& push : pushes) list << QStringLiteral("%1 %2").arg(partTitle(push.part), signedNats(push.nats));
    return list.join(QStringLiteral(", "));
}

/// Largest push of one part on any token of the text: what full colour stands for.
double strongestOfAll(const InsideView& look, const QStringList& parts)
{
    double most = 0;
    for (int t = 1; t < int(look.tokens.size()); ++t) most = std::max(most, strongestPush(look, t, parts).nats);
    return most;
}

} // namespace

QString InspectPanel::Private::quoted(int index) const
{
    return QStringLiteral("\u201c%1\u201d").arg(visibleToken(look->tokens[std::size_t(index)].text));
}

void InspectPanel::Private::paintTokens()
{
    showLegend();
    const auto mode = v.tint->currentIndex();
    v.text->setTint(mode == None ? TintMode::None : TintMode::Probability);
    QVector<QColor> colours;
    const auto& c = Theme::instance().colours();
    if (look && mode == Looks && cell >= 0 && token >= 0) {
        const auto& place = v.grid->plan().cells[std::size_t(cell)];
        const auto row = readingRow(*look, place, token);
        const auto hue = c.branch(fromUtf8(look->maps[std::size_t(place.map)].part));
        const float most = row.empty() ? 0 : *std::max_element(row.begin(), row.end());
        for (const auto share : row) colours << lookTint(hue, most > 0 ? double(share / most) : 0);
    } else if (look && mode == Pushed) {
        const auto parts = comparedParts(*look);
        const double most = strongestOfAll(*look, parts);
        for (int t = 0; t < tokens(); ++t) {
            const auto push = strongestPush(*look, t, parts);
            colours << lookTint(partColour(push.part), most > 0 ? push.nats / most : 0);
        }
    }
    if (mode != Probability && colours.isEmpty()) colours << QColor(); // no tint instead of another one
    v.text->setColours(colours);
}

void InspectPanel::Private::showLegend()
{
    const auto& c = Theme::instance().colours();
    const auto mode = v.tint->currentIndex();
    if (!look || mode == None) return v.legend->clear();
    if (mode == Probability) {
        const TokenTint tint;
        return v.legend->setScale(tr("unlikely"), tr("certain"), [&](double share) { return tint.at(share); });
    }
    if (mode == Pushed) {
        QVector<LookLegend::Entry> entries;
        for (const auto& part : comparedParts(*look))
            entries << LookLegend::Entry { partTitle(part), partColour(part) };
        return v.legend->setEntries(entries);
    }
    if (cell < 0 || token < 0) return v.legend->clear();
    const auto& place = v.grid->plan().cells[std::size_t(cell)];
    const auto row = strongestReadings(readingRow(*look, place, token), 1);
    const auto hue = c.branch(fromUtf8(look->maps[std::size_t(place.map)].part));
    v.legend->setScale(tr("0 %"), row.empty() ? tr("0 %") : sharePercent(row.front().share),
        [&](double share) { return share > 0.003 ? lookTint(hue, share) : c.surface; });
}

void InspectPanel::Private::showToken()
{
    QString text;
    if (token == 0) {
        text = tr("Token 1, %1: the first one, predicted from nothing.").arg(quoted(0));
    } else if (token > 0) {
        const auto& t = look->tokens[std::size_t(token)];
        text = tr("Token %1, %2, predicted from the %3 before it: probability %4; pushed by %5 nats.")
                   .arg(QString::number(token + 1), quoted(token), QString::number(token), sharePercent(t.probability),
                       pushList(*look, token));
    }
    v.figures->setText(text);
    v.figures->setToolTip(plainToolTip(text));
    v.text->setAccessibleDescription(text);
}

QString InspectPanel::Private::readingAt(int at, int key) const
{
    const auto row = readingRow(*look, v.grid->plan().cells[std::size_t(cell)], at);
    if (key < 0 || key >= int(row.size())) return {};
    return tr("At token %1, %2 looks at %3 (%4): %5")
        .arg(QString::number(at + 1), quoted(at), quoted(key), key == at ? tr("itself") : tr("%1 back").arg(at - key),
            sharePercent(double(row[std::size_t(key)])));
}

void InspectPanel::Private::showReading()
{
    const bool any = look && cell >= 0 && token >= 0;
    const auto* head = any ? figuresOf(*look, v.grid->plan().cells[std::size_t(cell)]) : nullptr;
    const auto name = any ? cellName(*look, v.grid->plan().cells[std::size_t(cell)]) : QString();
    v.mapTitle->setText(
        head && head->name >= 0 ? QStringLiteral("%1 \u00b7 %2").arg(name, headKindTitle(head->name)) : name);
    v.mapTitle->setToolTip(any ? plainToolTip(v.grid->describe(cell)) : QString());
    QString text;
    if (any && v.map->key() >= 0) {
        text = readingAt(token, v.map->key());
    } else if (any) {
        QStringList list;
        for (const auto& r : strongestReadings(readingRow(*look, v.grid->plan().cells[std::size_t(cell)], token), 3))
            list << QStringLiteral("%1 %2").arg(
                r.token == token ? tr("itself") : tr("%1 (%2 back)").arg(quoted(r.token)).arg(token - r.token),
                sharePercent(r.share));
        text = token + 1 < tokens()
            ? tr("Read at token %1, %2, to predict %3: %4")
                  .arg(QString::number(token + 1), quoted(token), quoted(token + 1), list.join(QStringLiteral(", ")))
            : tr("Read at the last token, %1, to predict the next: %2")
                  .arg(quoted(token), list.join(QStringLiteral(", ")));
    }
    v.readout->setText(text);
    v.readout->setToolTip(plainToolTip(text));
    v.map->setAccessibleDescription(text);
    if (!any) return v.mapScale->clear();
    const auto& map = look->maps[std::size_t(v.grid->plan().cells[std::size_t(cell)].map)];
    const MapRamp ramp(Theme::instance().colours().branch(fromUtf8(map.part)));
    v.mapScale->setScale(tr("0"), tr("100 %"), [&](double level) { return ramp.at(level); });
    v.mapScale->setToolTip(tr("Share of what is read. Colours grow with its square root: the middle is 25 %."));
}

void InspectPanel::Private::showSum()
{
    const bool mean = v.pushesOf->currentIndex() == 1;
    v.pushes->setToken(mean ? -1 : token);
    QString text;
    if (look && !look->pushes.empty() && (mean || token >= 0)) {
        const double logit = pushTotal(pushesByPart(*look, mean ? -1 : token));
        if (mean)
            text = counted(tokens() - 1,
                tr("Mean over the %1 token that was predicted: logit %2 over the mean of the vocabulary."),
                tr("Mean over the %1 tokens that were predicted: logit %2 over the mean of the vocabulary."))
                       .arg(formatCount(std::max(0, tokens() - 1)))
                       .arg(signedNats(logit));
        else if (token == 0)
            text = tr("%1 is the first token: nothing predicted it.").arg(quoted(0));
        else
            text = counted(token,
                tr("%1, predicted from the %2 token before it: logit %3 over the mean of the vocabulary, "
                   "probability %4."),
                tr("%1, predicted from the %2 tokens before it: logit %3 over the mean of the vocabulary, "
                   "probability %4."))
                       .arg(quoted(token), QString::number(token), signedNats(logit),
                           sharePercent(look->tokens[std::size_t(token)].probability));
    }
    v.sum->setText(text);
    v.sum->setToolTip(plainToolTip(text));
}

QString InspectPanel::Private::reachText() const
{
    const int of = v.reachOf->currentIndex();
    if (of == HowFar)
        return tr(
            "How much of what a part reads lies how many tokens back, in percent. A column reaches up to the next "
            "one.");
    if (of == HalfLives)
        return look && look->memory.empty()
            ? tr("This network has no state spaces with half-lives of their own.")
            : tr("After how many tokens half is left of what was written to a state: so many percent of a layer's "
                 "states "
                 "have at most this half-life. Over: the share of states that outlive the context.");
    const auto& heads = headsShown();
    const bool attention = std::any_of(heads.begin(), heads.end(), std::mem_fn(&HeadFigures::attends));
    const auto none = heads.empty() || attention ? QString() : tr("No attention: state spaces alone. ");
    if (of == HeadsOnText)
        return none
            + tr("How much of what a head reads lies in places of each kind, in percent; in brackets: if it read all "
                 "alike. Bold: what the head is named after.");
    if (!test) return tr("Name the heads: what they do with random tokens that come twice does not depend on a text.");
    if (!test->note.empty()) return fromUtf8(test->note);
    return none
        + tr(
            "%1 random tokens that come twice: %2 nats a token the first time, %3 the second. In-context gain %4 nats.")
              .arg(QString::number(test->length), formatFixed(test->firstNll, 2), formatFixed(test->secondNll, 2),
                  formatFixed(test->firstNll - test->secondNll, 2));
}

const InsideView& InspectPanel::Private::seen() const
{
    static const InsideView nothing;
    return look ? *look : nothing;
}

const std::vector<HeadFigures>& InspectPanel::Private::headsShown() const
{
    static const std::vector<HeadFigures> none;
    if (v.reachOf->currentIndex() == HeadsOnRepeats) return test ? test->heads : none;
    return seen().heads;
}

void InspectPanel::Private::showReach()
{
    const int of = v.reachOf->currentIndex();
    const bool repeats = of == HeadsOnRepeats;
    v.reachPages->setCurrentIndex(of == HowFar ? 0 : of == HalfLives ? 2 : 1);
    v.nameHeads->setVisible(repeats);
    if (of == HeadsOnText || repeats) v.heads->setHeads(headsShown());
    const auto text =
        look || repeats ? reachText() : tr("Press Ctrl+Enter to look inside: this table is of the text that is read.");
    v.reachSays->setText(text);
    v.reachSays->setToolTip(plainToolTip(text));
    v.reachCsv->setEnabled(repeats ? test != nullptr
            : of == HalfLives      ? !seen().memory.empty()
                                   : !seen().reach.empty());
}

bool InspectPanel::Private::showsActivations() const { return v.lensOf->currentIndex() == Activations; }

void InspectPanel::Private::showLens()
{
    auto text = showsActivations() ? v.activations->reading() : v.lens->reading();
    if (text.isEmpty() && showsActivations())
        text = tr("Select a row: where its largest number is, and which channels stand out or stay silent.");
    else if (text.isEmpty() && token == 0)
        text = tr("The first token has no column: nothing predicted it.");
    v.lensReading->setText(text);
    v.lensReading->setToolTip(plainToolTip(text));
    v.lensPages->currentWidget()->setAccessibleDescription(text);
}

void InspectPanel::Private::showLensLegend()
{
    if (!look || showsActivations()) return v.lensLegend->clear();
    const QString ends[][2] { { tr("unlikely"), tr("certain") },
        { QStringLiteral("0"), tr("%1 nats").arg(TokenTint::entropyEnd) },
        { QStringLiteral("0"), tr("%1 nats").arg(TokenTint::surpriseEnd) } };
    const auto& end = ends[v.lensOf->currentIndex()];
    v.lensLegend->setScale(end[0], end[1], [this](double share) { return v.lens->colours().at(share); });
}

void InspectPanel::Private::showTip(int index)
{
    const auto rect = v.text->tokenRect(index);
    if (index < 0 || rect.isEmpty()) return QToolTip::hideText();
    QStringList lines { tr("Token %1: %2").arg(index + 1).arg(quoted(index)) };
    if (index == 0) {
        lines << tr("the first one: nothing predicted it");
    } else {
        const auto& t = look->tokens[std::size_t(index)];
        lines << tr("probability %1, surprise %2 nats")
                     .arg(sharePercent(t.probability), formatFixed(-std::log(std::max(t.probability, 1e-12)), 2));
        if (!look->pushes.empty()) lines << tr("pushed by %1").arg(pushList(*look, index));
        if (!t.alternatives.empty() && t.alternatives.front().id != t.id)
            lines << tr("most probable was \u201c%1\u201d, %2")
                         .arg(visibleToken(t.alternatives.front().text),
                             sharePercent(t.alternatives.front().probability));
    }
    if (cell >= 0 && token >= 0 && index <= token) lines << readingAt(token, index);
    QToolTip::showText(v.text->viewport()->mapToGlobal(rect.bottomLeft()), plainToolTip(lines.join(QLatin1Char('\n'))),
        v.text->viewport(), rect);
}

void InspectPanel::Private::showState()
{
    const bool can = canLook(), any = look != nullptr;
    v.look->setEnabled(can);
    v.stop->setEnabled(worker.busy());
    v.picture->setEnabled(cell >= 0);
    v.pushesCsv->setEnabled(any && !look->pushes.empty());
    v.lensCsv->setEnabled(any && !look->lens.empty());
    v.nameHeads->setEnabled(can);
    v.pages->setCurrentIndex(any ? 1 : 0);
    for (const int page : { 1, 3 }) v.tabs->setTabEnabled(page, any);
    v.tabs->setTabEnabled(2, any || can); // heads are named without a text
    const auto problem = v.weights->problem();
    v.empty.title->setText(can   ? tr("Nothing looked at yet")
            : !problem.isEmpty() ? tr("Weights deleted")
            : session            ? tr("No weights yet")
                                 : tr("No network yet"));
    v.empty.text->setText(can    ? tr("Press Ctrl+Enter to see what each part of the network does with the text.")
            : !problem.isEmpty() ? problem
            : session ? tr("This run has no checkpoint. Start or resume its training; then press Ctrl+Enter.")
                      : tr("Train a run or open one; then press Ctrl+Enter to look inside."));
    v.noMaps->setText(any ? tr("This network has no part that reads other tokens.")
                          : tr("Maps appear here: for each token, which tokens before it are read."));
}

} // namespace pha::ui
