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

} // namespace

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
        track.ghost = plot->addSeries(raw);
    }
    options.style = look_.current && !look_.alone ? SeriesStyle::Bold : SeriesStyle::Line;
    track.line = plot->addSeries(options);
    tracks_.push_back(track);
}

void RunCurves::restart(const CurveSettings& settings)
{
    settings_ = settings;
    for (auto& track : tracks_) {
        if (track.ghost >= 0) track.plot->clearPoints(track.ghost);
        track.ghostRow = 0;
    }
    loss_->clearPoints(valid_);
    evalRow_ = 0;
    restartSmoothing(settings);
    for (auto& track : tracks_) {
        track.plot->clearPoints(track.line);
        track.lineRow = 0;
    }
}

void RunCurves::restartSmoothing(const CurveSettings& settings)
{
    settings_ = settings;
    for (auto& track : tracks_) {
        if (!track.smooth) continue;
        track.plot->clearPoints(track.line);
        track.lineRow = 0;
        track.smoother = Smoother(settings.smoothing, unit_);
        if (track.ghost < 0) continue;
        const bool wanted = settings.raw && settings.smoothing > 0; // unsmoothed, the line is the raw curve
        const bool there = track.ghostRow > 0;
        if (wanted == there) continue;
        track.plot->clearPoints(track.ghost);
        track.ghostRow = 0;
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
    const bool raw = track.ghost >= 0 && settings_.raw && settings_.smoothing > 0;
    if (raw)
        for (const auto stop = end(track.ghostRow); track.ghostRow < stop; ++track.ghostRow)
            if (!unknown(y[track.ghostRow]))
                track.plot->append(track.ghost, x[track.ghostRow], shown(y[track.ghostRow]));
    for (const auto stop = end(track.lineRow); track.lineRow < stop; ++track.lineRow) {
        const auto i = track.lineRow;
        if (unknown(y[i])) continue;
        const double value =
            track.smooth && settings_.smoothing > 0 ? track.smoother.next(history.step[i], y[i]) : y[i];
        track.plot->append(track.line, x[i], shown(value));
    }
    return track.lineRow < y.size() || (raw && track.ghostRow < y.size());
}

bool RunCurves::advance(std::size_t rows)
{
    if (!session_) return false;
    const auto& history = session_->history();
    if (history.generation != generation_) {
        generation_ = history.generation;
        restart(settings_);
    }
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
