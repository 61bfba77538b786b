// SPDX-License-Identifier: GPL-3.0-or-later
// ComparePanel: its curves, its table and what is said of them.
#include "ui/charts/readout_strip.h"
#include "ui/charts/time_plot.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_private.h"
#include "ui/compare/scaling_chart.h"
#include "ui/controls/controls.h"
#include "ui/format.h"

#include <QHeaderView>
#include <QStackedWidget>
#include <QTableView>

namespace pha::ui {

namespace {
constexpr std::size_t rowsAtOnce = 4096; ///< of a curve in one slice of work: about a millisecond
} // namespace

void ComparePanel::Private::rebuild()
{
    feeds.clear();
    names.clear();
    for (auto* session : std::as_const(sessions)) names << session->name();
    for (auto* chart : { v.perplexity, v.loss }) chart->removeAllSeries();
    chooseBaseline();
    if (v.model->setSessions(sessions, base)) tableTimer.start();
    fillBaselines();
    const auto groups = v.model->groups();
    QVector<LegendEntry> legend;
    for (int i = 0; i < groups.size(); ++i) {
        const auto name = v.model->nameOf(i);
        addCurves(groups[i], name);
        const int first = int(sessions.indexOf(groups[i].first()));
        legend.append({ name, [first](const Colours& c) { return c.run(first); }, LegendEntry::Mark::ThickLine });
    }
    for (auto* chart : { v.perplexity, v.loss }) {
        chart->setLegend(legend);
        chart->setMarkers({});
    }
    showScaling();
    describe();
    queue.requestWork();
    Q_EMIT q->coloursChanged();
}

void ComparePanel::Private::addCurves(const QVector<RunSession*>& group, const QString& name)
{
    std::vector<int> owners;
    for (auto* session : group) owners.push_back(int(sessions.indexOf(session)));
    const bool strong = group.contains(current.data());
    Feed feed;
    if (group.size() == 1) {
        feed.curves =
            std::make_unique<CompareCurves>(group.first(), owners.front(), strong, v.perplexity, v.loss, axis());
    } else {
        const GroupCurves::Look look { name, owners.front(), strong, BandKind(std::max(0, v.band->currentIndex())) };
        auto curves = std::make_unique<GroupCurves>(group, owners, look, v.perplexity, v.loss, axis());
        feed.group = curves.get();
        feed.curves = std::move(curves);
    }
    feeds.push_back(std::move(feed));
}

bool ComparePanel::Private::work()
{
    bool more = false;
    for (auto& feed : feeds) {
        if (!feed.dirty) continue;
        more |= feed.dirty = feed.curves->advance(rowsAtOnce);
        if (!feed.dirty && feed.waiting && !groupTimer.isActive()) groupTimer.start();
    }
    QVector<PlotMarker> lossEnds, perplexityEnds;
    for (const auto& feed : feeds) {
        if (!feed.group) continue;
        lossEnds += feed.group->loss().ends();
        perplexityEnds += feed.group->perplexity().ends();
    }
    v.loss->setMarkers(std::move(lossEnds));
    v.perplexity->setMarkers(std::move(perplexityEnds));
    const bool evaluated = std::any_of(sessions.begin(), sessions.end(),
        [](const RunSession* session) { return lastValidation(session->history()) != nullptr; });
    const bool trained = std::any_of(
        sessions.begin(), sessions.end(), [](const RunSession* session) { return !session->history().step.empty(); });
    v.perplexity->setEmptyText(evaluated ? QString() : tr("No evaluations yet: curves appear after the first one."));
    v.loss->setEmptyText(trained ? QString() : tr("No updates yet."));
    for (auto* chart : { v.perplexity, v.loss }) chart->requestRedraw();
    if (under && !more) readOut(under, underX); // the curves may be others by now
    return more;
}

void ComparePanel::Private::updateTable()
{
    if (v.model->refresh()) tableTimer.start();
    showScaling();
    describe();
}

/// The family, and what else differs.
void ComparePanel::Private::fillScalingKeys()
{
    QStringList keys { QStringLiteral("family") };
    for (const auto& key : differingKeys(v.model->runs()))
        if (const auto text = fromUtf8(key); !keys.contains(text)) keys << text;
    if (keys == shownKeys) return;
    const auto chosenKey = v.by->currentText();
    v.by->clear();
    v.by->addItems(keys);
    v.by->setCurrentIndex(std::max(0, int(keys.indexOf(chosenKey))));
    shownKeys = keys;
}

void ComparePanel::Private::showScaling()
{
    v.charts->setCurrentIndex(scaling() ? 1 : 0);
    for (auto* tools : { v.curveTools, v.seedTools }) tools->setVisible(!scaling());
    v.scalingTools->setVisible(scaling());
    if (!scaling()) return;
    fillScalingKeys();
    try {
        const auto study = studyScaling(v.model->runs(), v.by->currentText().toStdString());
        v.scaling->setStudy(study);
        const bool fitted = std::any_of(study.groups.begin(), study.groups.end(), [](const auto& g) { return g.law; });
        v.scaling->setEmptyText(
            !study.groups.empty() ? QString() : tr("No evaluations yet: a dot appears with the first one."));
        v.scaling->setHeadline(
            fitted || study.groups.empty() ? QString() : tr("a curve needs four runs of three sizes"));
    } catch (const Error& error) {
        v.scaling->setStudy({});
        v.scaling->setHeadline({});
        v.scaling->setEmptyText(errorLine(error));
    }
}

void ComparePanel::Private::describe()
{
    v.pages->setCurrentIndex(sessions.isEmpty() ? 0 : 1);
    v.hint->say(sessions.size() == 1 ? tr("Tick another run in the list to compare it with this one.") : QString());
    v.table->clearSpans(); // a row that few devices tell of moves the sections below it
    for (int row = 0; row < v.model->rowCount({}); ++row)
        if (v.model->isSection(row)) v.table->setSpan(row, 0, 1, 2);
    auto* header = v.table->horizontalHeader();
    for (int column = 0; column < v.model->columnCount({}); ++column) {
        header->setSectionResizeMode(column, QHeaderView::ResizeToContents);
        header->setMaximumSectionSize(v.table->fontMetrics().averageCharWidth() * 52);
    }
}

void ComparePanel::Private::readOut(TimePlot* plot, double x)
{
    under = plot;
    underX = x;
    QVector<ReadoutStrip::Item> items { { {}, {}, axisText(axis(), x) } };
    for (const auto& value : plot->cursorValues(x)) items.append({ value.colour, value.name, value.text() });
    v.readout->setItems(std::move(items));
}

} // namespace pha::ui
