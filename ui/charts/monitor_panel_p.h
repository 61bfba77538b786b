// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/charts/mixing_panel.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/monitor_toolbar.h"
#include "ui/charts/plot_link.h"
#include "ui/charts/readout_strip.h"
#include "ui/charts/recall_chart.h"
#include "ui/charts/redraw_queue.h"
#include "ui/charts/run_curves.h"
#include "ui/charts/run_header.h"

#include <QAction>
#include <QElapsedTimer>
#include <QGridLayout>
#include <QPointer>
#include <QSplitter>

#include <memory>
#include <tuple>
#include <vector>

namespace pha::ui {

class MonitorPanel::Private : public QObject {
    Q_OBJECT

public:
    explicit Private(MonitorPanel* panel);

    void setSessions(const QVector<RunSession*>& shown, RunSession* current);
    void exportChart();
    void arrange();
    void setLogarithmic(bool on);
    void setVisible(bool visible);
    void setReleaseQueue(const QAction* action) { releaseQueue_ = action; }

    MonitorToolbar* toolbar_;
    PlotLink* link_;

private:
    void build();
    void connectSettings();
    void rebuildCurves();
    void restartCurves();
    void sessionChanged(RunSession* session);
    void sessionGone(QObject* session);
    bool work();
    void describe(); ///< everything that is told by words and lines rather than by curves
    void describeLoss();
    void describeSmallCharts();
    QString emptyText() const;
    QString noMixingText() const; ///< why no mixing weights are there
    void readOut(TimePlot* plot, double x);
    void offerFork(QMenu& menu, double x);
    void offerAlert(QMenu& menu, double x);

    struct Feed {
        std::unique_ptr<RunCurves> curves;
        bool dirty = true;
    };

    MonitorPanel* q;
    RunHeader* header_;
    ReadoutStrip* readout_;
    RunCharts charts_;
    MixingPanel* mixing_;
    RecallChart* recall_;
    QSplitter *columns_ = nullptr, *rows_ = nullptr, *side_ = nullptr;
    QGridLayout* small_ = nullptr;
    int smallColumns_ = 0;
    RedrawQueue* queue_;
    QVector<RunSession*> shown_;
    RunSession* current_ = nullptr;
    QPointer<const QAction> releaseQueue_;
    std::vector<Feed> feeds_;
    QStringList names_; ///< of the runs when their curves were made
    using MarkersKey = std::tuple<const RunSession*, std::int64_t, std::size_t, std::size_t, std::size_t, XAxis>;
    MarkersKey markersKey_ {}; ///< what the loss chart's markers were made from
    bool logLoss_ = false, logPerplexity_ = true;
    QElapsedTimer sinceDescribed_;
};

} // namespace pha::ui
