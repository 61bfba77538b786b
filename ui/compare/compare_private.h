// SPDX-License-Identifier: GPL-3.0-or-later
// What the sources of ComparePanel share; for them alone.
#pragma once

#include "ui/charts/plot_link.h"
#include "ui/charts/redraw_queue.h"
#include "ui/compare/compare_panel.h"
#include "ui/compare/compare_view.h"
#include "ui/compare/group_curves.h"

#include <QComboBox>
#include <QPointer>
#include <QStringList>
#include <QTimer>

#include <algorithm>
#include <memory>
#include <vector>

namespace pha::ui {

class ComparePanel::Private : public QObject {
    Q_OBJECT

public:
    explicit Private(ComparePanel* panel);

    void setSessions(QVector<RunSession*> wanted);
    void rebuild();
    bool work();
    void chooseBaseline();
    void fillBaselines();
    void recallSwitches();
    void grow(const RunSession* session);
    void addCurves(const QVector<RunSession*>& group, const QString& name);
    void updateTable();
    void describe();
    void readOut(TimePlot* plot, double x);
    void save();
    void fillScalingKeys();
    void showScaling();
    bool scaling() const { return v.show->currentIndex() == 1; }
    XAxis axis() const { return XAxis(std::max(0, v.axis->currentIndex())); }

    struct Feed {
        std::unique_ptr<ComparedCurves> curves;
        const GroupCurves* group = nullptr; ///< the same curves, if they are those of a group
        bool dirty = true, waiting = false; ///< waiting: for the next look at groups
    };
    ComparePanel* q;
    CompareView v;
    PlotLink link;
    RedrawQueue queue;
    QTimer tableTimer, groupTimer;
    QVector<RunSession*> sessions;
    QPointer<RunSession> current, base;
    fs::path chosen; ///< baseline that the user wants; need not be among the runs
    std::vector<Feed> feeds;
    QStringList shownKeys; ///< that scaling can be shown by
    QStringList names; ///< of the sessions, as the curves have them
    QPointer<TimePlot> under; ///< the chart with the cursor, which is at
    double underX = 0;
};

} // namespace pha::ui
