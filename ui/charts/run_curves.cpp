// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/run_curves.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

QString curveName(const char* text) { return QCoreApplication::translate("pha::ui::RunCurves", text); }

/// exp() of a loss that no network survives is still a number that a chart can hold.
double perplexityOf(double loss) { return std::exp(std::min(loss, 600.)); }

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
    , loss_(charts.loss)
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

    SeriesOptions options;
    options.name = look.alone ? curveName("valid") : curveName("%1 · valid").arg(look.name);
    options.style = SeriesStyle::Points;
    options.colour = colour(&Colours::valid);
    options.owner = look.owner;
    valid_ = loss_->addSeries(options);
    restart(settings);
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
        raw.readout = plot == loss_; // where one compares single batches
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
    loss_->clearPoints(valid_);
    evalRow_ = 0;
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
        return track.perplexity && settings_.perplexity ? perplexityOf(value) : value;
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

/// Takes back what the history no longer has.
void RunCurves::goBack(const RunHistory& history)
{
    for (auto& track : tracks_)
        for (auto* trail : { &track.ghost, &track.line }) trail->goBack(track.plot, history.step.size());
    if (evalRow_ <= history.evals.size()) return;
    evalRow_ = history.evals.size();
    loss_->truncate(valid_, int(std::count_if(history.evals.begin(), history.evals.end(), isValidation)));
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
    // An evaluation is placed by the update before it: wait until that has been read.
    for (; evalRow_ < history.evals.size(); ++evalRow_) {
        const auto& eval = history.evals[evalRow_];
        if (settings_.axis != XAxis::Step && eval.step > 0
            && (history.step.empty() || history.step.back() < double(eval.step)))
            break;
        if (!isValidation(eval)) continue;
        loss_->append(valid_, placeOfStep(history, settings_.axis, double(eval.step)),
            settings_.perplexity ? perplexityOf(eval.nll) : eval.nll);
    }
    return more;
}

} // namespace pha::ui
