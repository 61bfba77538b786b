// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/run_math.h"
#include "ui/charts/time_plot.h"
#include "ui/session/run_session.h"

#include <QPointer>

namespace pha::ui {

/// The charts that a run's updates and evaluations are drawn into.
struct RunCharts {
    TimePlot *loss = nullptr, *throughput = nullptr, *memory = nullptr, *learningRate = nullptr, *gradient = nullptr,
             *load = nullptr, *inContext = nullptr;
    QVector<TimePlot*> all() const { return { loss, throughput, memory, learningRate, gradient, load, inContext }; }
};

/// What the user chose for all runs.
struct CurveSettings {
    XAxis axis = XAxis::Step;
    bool perplexity = false;
    bool raw = true; ///< the unsmoothed curve behind the smoothed one
    double smoothing = 0.6;
};

/// How one run is drawn among the others.
struct RunLook {
    int owner = 0; ///< its place among the runs shown: decides the colour
    bool current = false, alone = true;
    QString name;
};

/// Feeds one run's history to the charts. Remembers, for each curve, how many rows it has drawn, and adds only the new
/// ones; takes back what a recording has lost, and starts over when the history was cleared. GUI thread only.
class RunCurves {
public:
    RunCurves(RunSession* session, const RunCharts& charts, const RunLook& look, const CurveSettings& settings);
    /// Takes in at most `rows` updates for each curve. True while there are more.
    bool advance(std::size_t rows);
    void restart(const CurveSettings& settings); ///< all curves again, on another axis or in another quantity
    void restartSmoothing(const CurveSettings& settings); ///< only what smoothing changes
    RunSession* session() const { return session_; }
    const RunLook& look() const { return look_; }

private:
    /// One curve and how far it is. Every so many rows it notes where it stands, and goes back to such a place: a mean
    /// over what came before cannot be had from its last value.
    struct Trail {
        struct Place {
            int points = 0;
            Smoother smoother;
        };
        int series = -1;
        std::size_t row = 0;
        Smoother smoother;
        std::vector<Place> places = {};
        void restart(TimePlot* plot, const Smoother& fresh);
        void note(const TimePlot* plot);
        void goBack(TimePlot* plot, std::size_t rows); ///< to that row, or a little before
    };
    struct Track {
        TimePlot* plot = nullptr;
        std::vector<double> RunHistory::*column = nullptr;
        Trail ghost, line; ///< raw and smoothed; a track that is never smoothed has no ghost
        bool smooth = false, perplexity = false;
        bool skipZero = false, skipNaN = false; ///< so a device says that it does not tell
    };
    void addTrack(
        TimePlot* plot, std::vector<double> RunHistory::*column, const QString& name, ColourRole colour, bool smooth);
    bool advance(Track& track, const RunHistory& history, std::size_t rows);
    /// What comes with evaluations, as points.
    struct Rare {
        TimePlot* plot = nullptr;
        int series = -1;
        std::size_t row = 0;
        void restart();
    };
    void addRare(Rare& rare, TimePlot* plot, const QString& name, SeriesOptions options);
    template <class Row, class Value> void advance(Rare& rare, const std::vector<Row>& rows, const Value& value);
    void goBack(const RunHistory& history);
    template <class Row, class Drawn>
    static void goBack(Rare& rare, const std::vector<Row>& rows, const Drawn& isDrawn);
    ColourRole colour(QColor Colours::*alone) const;

    QPointer<RunSession> session_;
    RunLook look_;
    CurveSettings settings_;
    double unit_ = 1;
    std::int64_t generation_ = 0;
    std::vector<Track> tracks_;
    Rare valid_, inContext_;
};

} // namespace pha::ui
