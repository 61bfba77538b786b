// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QPointer>
#include <QTimer>
#include <QVector>

#include <functional>

namespace pha::ui {

class ChartFrame;

/// Spreads the work of a panel over the event loop: at most 8 ms at a time, data first, then charts in the order in
/// which they asked (a chart that waits keeps its place, so all get their turn). Between two slices input is handled.
class RedrawQueue : public QObject {
    Q_OBJECT

public:
    explicit RedrawQueue(QObject* parent);
    void request(ChartFrame* chart);
    /// `work` takes in new data for about a millisecond and returns true while there is more. Runs before any drawing.
    void setWork(std::function<bool()> work) { work_ = std::move(work); }
    void requestWork();
    void setPaused(bool paused); ///< hidden panels: remember, do nothing
    bool idle() const { return !workWaiting_ && charts_.isEmpty(); }

    static constexpr double sliceMs = 8;

private:
    void slice();
    QTimer timer_;
    std::function<bool()> work_;
    QVector<QPointer<ChartFrame>> charts_;
    bool workWaiting_ = false, paused_ = false;
};

} // namespace pha::ui
