// SPDX-License-Identifier: GPL-3.0-or-later
// MonitorPanel: titles, reference lines, markers, readout and empty states.
#include "ui/charts/monitor_panel_p.h"

#include "engine/run/time_estimate.h"
#include "ui/format.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

/// Three digits or a little more: the labels have little room.
QString shortPerplexity(double value)
{
    return value < 1000 ? formatFixed(value, value < 10 ? 2 : value < 100 ? 1 : 0) : formatCompact(value);
}

/// The step at which the process that trains, or the last one, began: none of what it says is of an earlier one.
double processBegan(const RunHistory& history)
{
    const auto& all = history.statuses;
    for (auto i = all.size(); i-- > 0;)
        if (all[i].state == RunState::Running && all[i].detail.empty()
            && (i == 0 || all[i - 1].state != RunState::Paused))
            return double(all[i].step);
    return 0;
}

/// Share of the rate of large matrix products that the training process has reached so far, with all of its operations
/// counted; 0: unknown.
double gemmShare(const RunSession& session)
{
    const auto& history = session.history();
    const double began = processBegan(history);
    const auto first =
        std::size_t(std::upper_bound(history.step.begin(), history.step.end(), began) - history.step.begin());
    if (first == history.step.size() || history.times.empty() || double(history.times.back().step) <= began) return 0;
    const auto moment = [&](std::size_t row) {
        return RunMoment { history.step[row], history.tokens[row], history.seconds[row] };
    };
    const double gemm = history.times.back().gemm.value_or(0);
    const double rate = processRate(moment(first), moment(history.step.size() - 1));
    return gemm > 0 ? trainingFlops(session.file().config, rate) / gemm : 0;
}

} // namespace

QString MonitorPanel::Private::emptyText() const
{
    if (!current_) return tr("Choose a run in the list, or start one, and its curves appear here.");
    if (!current_->history().step.empty()) return {};
    if (current_->loading()) return tr("Reading the run…");
    if (current_->heldInQueue()) {
        const auto keys = releaseQueue_ ? releaseQueue_->shortcut().toString(QKeySequence::NativeText) : QString();
        return keys.isEmpty() ? tr("This run waits in the queue, which is on hold.")
                              : tr("This run waits in the queue, which is on hold: %1 lets it start.").arg(keys);
    }
    if (current_->placeInQueue() > 0) return tr("This run waits in the queue, and starts when its turn has come.");
    switch (current_->state()) {
    case RunState::Preparing:
        return tr("%1\nThe first point appears after the first step.").arg(current_->stateText());
    case RunState::Running:
        return tr("The first point appears after the first step.");
    case RunState::Failed:
    case RunState::Diverged:
        return tr("This run ended before its first step: %1").arg(current_->stateText());
    default:
        return tr("This run has not made a step yet. Start it, and its curves appear here.");
    }
}

QString MonitorPanel::Private::noMixingText() const
{
    if (!current_) return tr("The mixing weights of the chosen run appear here.");
    if (current_->history().step.empty() && current_->loading()) return tr("Reading the run…");
    const auto& config = current_->file().config;
    const bool mixes = !config.model.branchList().empty();
    if (!current_->active())
        return mixes ? tr("This run has reported no mixing weights.")
                     : tr("This run has not reported what each part writes.");
    const auto every = config.training.mixEvery;
    if (every <= 0)
        return mixes ? tr("Mixing weights are reported after the first and the last step (mix_every is 0).")
                     : tr("What each part writes is reported after the first and the last step (mix_every is 0).");
    const auto interval = every == 1 ? tr("step") : tr("%1 steps").arg(formatCount(every));
    return mixes ? tr("Mixing weights are reported every %1; the first are on their way.").arg(interval)
                 : tr("What each part writes is reported every %1; the first report is on its way.").arg(interval);
}

void MonitorPanel::Private::describe()
{
    sinceDescribed_.restart();
    header_->showSession(current_);
    describeLoss();
    describeSmallCharts();
    mixing_->advance();
    mixing_->setEmptyText(noMixingText());
    const bool recall = current_ && !current_->history().recalls.empty();
    recall_->setVisible(recall);
    if (recall) recall_->setEvent(current_->history().recalls.back());
    for (auto* chart : charts_.all()) chart->requestRedraw();
}

void MonitorPanel::Private::describeLoss()
{
    auto* chart = charts_.loss;
    const auto settings = toolbar_->settings();
    chart->setTitle(settings.perplexity ? tr("Perplexity per token") : tr("Loss, nats per token"));
    bool any = false;
    for (auto* session : std::as_const(shown_)) any |= !session->history().step.empty();
    chart->setEmptyText(any ? QString() : emptyText());

    QVector<LegendEntry> legend;
    using Mark = LegendEntry::Mark;
    if (shown_.size() > 1) {
        for (int i = 0; i < shown_.size(); ++i)
            legend << LegendEntry { names_[i], [i](const Colours& c) { return c.run(i); },
                shown_[i] == current_ ? Mark::ThickLine : Mark::Line };
    } else if (any) {
        legend << LegendEntry { tr("train"), [](const Colours& c) { return c.train; }, Mark::Line }
               << LegendEntry { tr("valid"), [](const Colours& c) { return c.valid; }, Mark::Triangle };
    }
    if (any && current_ && !current_->history().checkpoints.empty())
        legend << LegendEntry { tr("checkpoint"), [](const Colours& c) { return c.marker; }, Mark::Diamond };
    chart->setLegend(legend);

    QVector<EdgeLabel> labels;
    QString headline;
    if (current_ && any) {
        const auto& history = current_->history();
        const auto shown = [&](double nats) { return settings.perplexity ? std::exp(nats) : nats; };
        const auto text = [&](const QString& name, double nats) {
            return QStringLiteral("%1 %2").arg(
                name, settings.perplexity ? shortPerplexity(shown(nats)) : formatFixed(nats, 2));
        };
        const auto add = [&](const QString& name, double nats, QColor Colours::*colour) {
            labels.append({ text(name, nats), shown(nats), [colour](const Colours& c) { return c.*colour; } });
        };
        if (const auto& r = history.references) {
            add(tr("ln V"), r->uniform, &Colours::reference);
            add(tr("unigram"), r->unigram, &Colours::reference);
            add(tr("bigram"), r->bigram, &Colours::reference);
            if (r->floor) add(tr("floor"), *r->floor, &Colours::floor);
        }
        if (const auto* valid = lastValidation(history); valid && std::isfinite(valid->nll)) {
            const int owner = int(shown_.indexOf(current_));
            const bool alone = shown_.size() == 1;
            labels.append({ text(tr("valid"), valid->nll), shown(valid->nll),
                [owner, alone](const Colours& c) { return alone ? c.valid : c.run(owner); }, false, true });
        }
        if (const auto closed = gapClosed(history))
            headline = *closed < 0 ? tr("worse than unigrams")
                                   : tr("%1 of the learnable gap closed").arg(formatPercent(*closed));
        const MarkersKey key { current_, history.generation, history.checkpoints.size(), history.commands.size(),
            history.statuses.size() + history.alerts.size(), settings.axis };
        if (key != markersKey_)
            chart->setMarkers(runMarkers(history, settings.axis)); // hundreds of texts: not each frame
        markersKey_ = key;
    } else {
        chart->setMarkers({});
        markersKey_ = {};
    }
    chart->setEdgeLabels(labels, true);
    chart->setHeadline(headline);
}

void MonitorPanel::Private::describeSmallCharts()
{
    const auto* history = current_ ? &current_->history() : nullptr;
    const bool alone = shown_.size() <= 1;
    bool any = false;
    for (auto* session : std::as_const(shown_)) any |= !session->history().step.empty();
    const auto last = [&](const std::vector<double>& column, ValueKind kind) {
        if (column.empty()) return QString();
        const double value = column.back();
        // Small charts have small headers: two or three digits, an exponent where that is shorter.
        return kind == ValueKind::Scientific && std::isfinite(value) ? tickText(kind, value, std::abs(value) / 100)
                                                                     : valueText(kind, value);
    };
    for (auto* chart : charts_.all())
        if (chart != charts_.loss) chart->setEmptyText(any ? QString() : tr("no steps yet"));
    auto speed = history ? last(history->tokensPerSecond, ValueKind::Rate) : QString();
    if (const double share = current_ ? gemmShare(*current_) : 0; share > 0)
        speed = tr("%1 \u00b7 %2 of GEMM").arg(speed, formatPercent(share));
    charts_.throughput->setHeadline(speed);
    charts_.memory->setHeadline(history ? last(history->processBytes, ValueKind::Bytes) : QString());
    charts_.learningRate->setHeadline(history ? last(history->learningRate, ValueKind::Scientific) : QString());
    charts_.gradient->setHeadline(history ? last(history->gradNorm, ValueKind::Scientific) : QString());
    QStringList load; // a card says more of itself than its share of time
    if (history && !history->step.empty()) {
        if (std::isfinite(history->watts.back())) load << tr("%1 W").arg(formatFixed(history->watts.back(), 0));
        if (std::isfinite(history->celsius.back())) load << tr("%1 °C").arg(formatFixed(history->celsius.back(), 0));
        if (load.isEmpty() && std::isfinite(history->coresBusy.back()))
            load << tr("%1 cores").arg(formatFixed(history->coresBusy.back(), 1));
    }
    const bool loads = std::any_of(shown_.begin(), shown_.end(), [](const RunSession* session) {
        const auto& past = session->history();
        return !past.step.empty()
            && (std::isfinite(past.watts.back()) || std::isfinite(past.celsius.back())
                || std::isfinite(past.coresBusy.back()));
    });
    if (any && !loads) charts_.load->setEmptyText(tr("not recorded"));
    if (history && !history->heads.empty())
        charts_.inContext->setHeadline(tr("%1 nats").arg(formatFixed(history->heads.back().gain(), 2)));
    else
        charts_.inContext->setHeadline({});
    const bool heads = std::any_of(
        shown_.begin(), shown_.end(), [](const RunSession* session) { return !session->history().heads.empty(); });
    if (any && !heads)
        charts_.inContext->setEmptyText(
            current_ && current_->state() == RunState::Running ? tr("at the next evaluation") : tr("not recorded"));
    charts_.load->setHeadline(load.join(QLatin1Char(' ')));
    const bool device = history && !history->deviceBytes.empty() && history->deviceBytes.back() > 0;
    charts_.memory->setLegend(alone && device
            ? QVector<LegendEntry> { { tr("process"), [](const Colours& c) { return c.train; } },
                { tr("device"), [](const Colours& c) { return c.valid; } } }
            : QVector<LegendEntry> {});
}

void MonitorPanel::Private::readOut(TimePlot* plot, double x)
{
    QVector<ReadoutStrip::Item> items;
    const auto axis = toolbar_->settings().axis;
    const auto* history = current_ ? &current_->history() : nullptr;
    if (const int row = history ? rowNear(*history, axis, x) : -1; row >= 0 && x <= axisColumn(*history, axis).back()) {
        const auto i = std::size_t(row);
        items.append({ {}, tr("step"), formatCount(std::llround(history->step[i])) });
        items.append({ {}, tr("tokens"), formatCompact(history->tokens[i]) });
        items.append({ {}, tr("time"), formatDuration(history->seconds[i]) });
    } else {
        items.append({ {}, {}, axisText(axis, x) });
    }
    const auto add = [&](const TimePlot* from) {
        for (const auto& v : from->cursorValues(x)) {
            // An evaluation is rarer than a step: say which one the value is from when that is not the place itself.
            const double slack = std::abs(x) * 1e-9;
            const auto value = v.text();
            items.append({ v.colour, v.name,
                std::abs(v.x - x) <= slack ? value : tr("%1 (%2)").arg(value, axisText(axis, v.x)) });
        }
    };
    add(plot);
    if (shown_.size() <= 1)
        for (auto* other : charts_.all())
            if (other != plot) add(other);
    for (const auto& text : charts_.loss->markersNear(x))
        items.append({ Theme::instance().colours().marker, {}, text });
    readout_->setItems(std::move(items));
    mixing_->showAt(x);
}

} // namespace pha::ui
