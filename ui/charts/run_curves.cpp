// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/run_curves.h"

#include "ui/format.h"
#include "ui/inspect/look_figures.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

QString curveName(const char* text) { return QCoreApplication::translate("pha::ui::RunCurves", text); }

/// What is said of the heads behind a gain, and stands beside it in the table.
SeriesOptions headDetails(const QPointer<RunSession>& session)
{
    const auto strongest = [session](int index) {
        const auto i = std::size_t(index);
        return session && i < session->history().heads.size() ? session->history().heads[i].strongest
                                                              : std::vector<StrongestHead>();
    };
    SeriesOptions options;
    options.detail = [strongest](int index) {
        const auto heads = strongest(index);
        if (heads.empty()) return QString();
        const auto& head = heads.back();
        return curveName(" \u00b7 induction %1 (L%2 %3 %4)")
            .arg(formatPercent(head.share))
            .arg(head.layer)
            .arg(partTitle(fromUtf8(head.part)))
            .arg(head.head);
    };
    for (std::size_t kind = 0; kind < headKinds.size(); ++kind)
        options.columns << curveName("strongest head, %1").arg(headKindTitle(int(kind)));
    options.figure = [strongest](int index, int column) {
        const auto heads = strongest(index);
        return heads.empty() ? std::nan("") : heads[std::size_t(column)].share;
    };
    return options;
}

/// Between two places to which a curve can go back. What is drawn again then is less than a slice of work.
constexpr std::size_t placeEvery = 1024;

} // namespace

void RunCurves::Trail::restart(TimePlot* plot, const Smoother& fresh)
{
    if (series >= 0) plot->clearPoints(series);
    row = 0;
    smoother = fresh;
    places.clear();
}

void RunCurves::Trail::note(const TimePlot* plot)
{
    if (row % placeEvery == 0 && places.size() == row / placeEvery) places.push_back({ plot->count(series), smoother });
}

void RunCurves::Trail::goBack(TimePlot* plot, std::size_t rows)
{
    if (series < 0 || row <= rows) return;
    const auto place = rows / placeEvery;
    places.resize(place + 1);
    row = place * placeEvery;
    smoother = places.back().smoother;
    plot->truncate(series, places.back().points);
}

RunCurves::RunCurves(RunSession* session, const RunCharts& charts, const RunLook& look, const CurveSettings& settings)
    : session_(session)
    , look_(look)
    , settings_(settings)
    , unit_(smoothingUnit(session->file().config.training.steps))
    , generation_(session->history().generation)
{
    const auto train = colour(&Colours::train);
    addTrack(charts.loss, &RunHistory::loss, curveName("train"), train, true);
    tracks_.back().perplexity = true;
    addTrack(charts.throughput, &RunHistory::tokensPerSecond, curveName("tokens/s"), train, true);
    addTrack(charts.memory, &RunHistory::processBytes, curveName("process"), train, false);
    if (look.current) { // one line for each run is enough where runs are compared
        addTrack(charts.memory, &RunHistory::deviceBytes, curveName("device"),
            look.alone ? colour(&Colours::valid) : train, false);
        tracks_.back().skipZero = true;
    }
    addTrack(charts.learningRate, &RunHistory::learningRate, curveName("learning rate"), train, false);
    addTrack(charts.gradient, &RunHistory::gradNorm, curveName("gradient norm"), train, true);
    addTrack(charts.load, &RunHistory::coresBusy, curveName("cores busy"), train, true);
    tracks_.back().skipNaN = true;
    if (look.current) {
        addTrack(charts.load, &RunHistory::deviceUse, curveName("card busy"),
            look.alone ? colour(&Colours::valid) : train, false);
        tracks_.back().skipNaN = true;
    }

    addRare(valid_, charts.loss, curveName("valid"), {});
    addRare(inContext_, charts.inContext, curveName("in-context gain"), headDetails(session_));
    restart(settings);
}

void RunCurves::addRare(Rare& rare, TimePlot* plot, const QString& name, SeriesOptions options)
{
    options.name = look_.alone ? name : curveName("%1 · %2").arg(look_.name, name);
    options.style = SeriesStyle::Points;
    options.colour = colour(&Colours::valid);
    options.owner = look_.owner;
    rare = { plot, plot->addSeries(options) };
}

void RunCurves::Rare::restart()
{
    plot->clearPoints(series);
    row = 0;
}

ColourRole RunCurves::colour(QColor Colours::*alone) const
{
    if (look_.alone) return [alone](const Colours& c) { return c.*alone; };
    return [owner = look_.owner](const Colours& c) { return c.run(owner); };
}

void RunCurves::addTrack(
    TimePlot* plot, std::vector<double> RunHistory::*column, const QString& name, ColourRole role, bool smooth)
{
    Track track;
    track.plot = plot;
    track.column = column;
    track.smooth = smooth;
    SeriesOptions options;
    options.owner = look_.owner;
    options.colour = std::move(role);
    options.name = look_.alone ? name : curveName("%1 · %2").arg(look_.name, name);
    if (smooth && look_.current) { // the others' raw curves would cover everything
        auto raw = options;
        raw.style = SeriesStyle::Ghost;
        raw.name = curveName("%1, raw").arg(options.name);
        raw.readout = track.column == &RunHistory::loss; // where one compares single batches
        track.ghost.series = plot->addSeries(raw);
    }
    options.style = look_.current && !look_.alone ? SeriesStyle::Bold : SeriesStyle::Line;
    track.line.series = plot->addSeries(options);
    tracks_.push_back(track);
}

void RunCurves::restart(const CurveSettings& settings)
{
    settings_ = settings;
    for (auto& track : tracks_) track.ghost.restart(track.plot, {});
    for (auto* rare : { &valid_, &inContext_ }) rare->restart();
    restartSmoothing(settings);
    for (auto& track : tracks_)
        if (!track.smooth) track.line.restart(track.plot, {});
}

void RunCurves::restartSmoothing(const CurveSettings& settings)
{
    settings_ = settings;
    for (auto& track : tracks_) {
        if (!track.smooth) continue;
        track.line.restart(track.plot, Smoother(settings.smoothing, unit_));
        const bool wanted = settings.raw && settings.smoothing > 0; // unsmoothed, the line is the raw curve
        const bool there = track.ghost.row > 0;
        if (wanted != there) track.ghost.restart(track.plot, {});
    }
}

bool RunCurves::advance(Track& track, const RunHistory& history, std::size_t rows)
{
    const auto& x = axisColumn(history, settings_.axis);
    const auto& y = history.*track.column;
    const auto shown = [&](double value) {
        return track.perplexity && settings_.perplexity ? perplexityToShow(value) : value;
    };
    const auto unknown = [&](double value) {
        return (track.skipZero && value == 0) || (track.skipNaN && std::isnan(value));
    };
    const auto end = [&](std::size_t row) { return std::min(y.size(), row + rows); };
    auto &ghost = track.ghost, &line = track.line;
    const bool raw = ghost.series >= 0 && settings_.raw && settings_.smoothing > 0;
    if (raw)
        for (const auto stop = end(ghost.row); ghost.row < stop; ++ghost.row) {
            ghost.note(track.plot);
            if (!unknown(y[ghost.row])) track.plot->append(ghost.series, x[ghost.row], shown(y[ghost.row]));
        }
    for (const auto stop = end(line.row); line.row < stop; ++line.row) {
        const auto i = line.row;
        line.note(track.plot);
        if (unknown(y[i])) continue;
        const double value = track.smooth && settings_.smoothing > 0 ? line.smoother.next(history.step[i], y[i]) : y[i];
        track.plot->append(line.series, x[i], shown(value));
    }
    return line.row < y.size() || (raw && ghost.row < y.size());
}

template <class Row, class Drawn> void RunCurves::goBack(Rare& rare, const std::vector<Row>& rows, const Drawn& isDrawn)
{
    if (rare.row <= rows.size()) return;
    rare.row = rows.size();
    rare.plot->truncate(rare.series, int(std::count_if(rows.begin(), rows.end(), isDrawn)));
}

/// Takes back what the history no longer has.
void RunCurves::goBack(const RunHistory& history)
{
    for (auto& track : tracks_)
        for (auto* trail : { &track.ghost, &track.line }) trail->goBack(track.plot, history.step.size());
    goBack(valid_, history.evals, isValidation);
    goBack(inContext_, history.heads, [](const HeadsEvent&) { return true; });
}

template <class Row, class Value> void RunCurves::advance(Rare& rare, const std::vector<Row>& rows, const Value& value)
{
    const auto& history = session_->history();
    for (; rare.row < rows.size(); ++rare.row) {
        const auto& row = rows[rare.row];
        // It is placed by the update before it: wait until that has been read.
        if (settings_.axis != XAxis::Step && row.step > 0
            && (history.step.empty() || history.step.back() < double(row.step)))
            break;
        if (const std::optional<double> y = value(row))
            rare.plot->append(rare.series, placeOfStep(history, settings_.axis, double(row.step)), *y);
    }
}

bool RunCurves::advance(std::size_t rows)
{
    if (!session_) return false;
    const auto& history = session_->history();
    if (history.generation != generation_) {
        generation_ = history.generation;
        restart(settings_);
    }
    goBack(history);
    bool more = false;
    for (auto& track : tracks_) more |= advance(track, history, rows);
    advance(valid_, history.evals, [&](const EvalEvent& eval) -> std::optional<double> {
        if (!isValidation(eval)) return {};
        return settings_.perplexity ? perplexityToShow(eval.nll) : eval.nll;
    });
    advance(inContext_, history.heads, [](const HeadsEvent& heads) { return heads.gain(); });
    return more;
}

} // namespace pha::ui
