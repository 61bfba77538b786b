// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/redraw_queue.h"

#include "ui/charts/chart_frame.h"

#include <QElapsedTimer>

namespace pha::ui {

RedrawQueue::RedrawQueue(QObject* parent)
    : QObject(parent)
{
    timer_.setSingleShot(true);
    connect(&timer_, &QTimer::timeout, this, &RedrawQueue::slice);
}

void RedrawQueue::request(ChartFrame* chart)
{
    if (!charts_.contains(chart)) charts_.append(chart);
    if (!paused_ && !timer_.isActive()) timer_.start(0);
}

void RedrawQueue::requestWork()
{
    workWaiting_ = true;
    if (!paused_ && !timer_.isActive()) timer_.start(0);
}

void RedrawQueue::setPaused(bool paused)
{
    paused_ = paused;
    if (paused)
        timer_.stop();
    else if (!idle())
        timer_.start(0);
}

void RedrawQueue::slice()
{
    QElapsedTimer clock;
    clock.start();
    const auto spent = [&] { return double(clock.nsecsElapsed()) / 1e6; };
    while (workWaiting_ && spent() < sliceMs) workWaiting_ = work_ && work_();
    while (!workWaiting_ && !charts_.isEmpty() && spent() < sliceMs)
        if (const auto chart = charts_.takeFirst()) chart->redraw();
    if (!idle()) timer_.start(2); // not 0: what waits in the event loop goes first
}

} // namespace pha::ui
