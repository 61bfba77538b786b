// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of ui_bench share: spreads of times, and an event loop that runs for as long as it is told.
#pragma once

#include "engine/base/json.h"

#include <QCoreApplication>
#include <QElapsedTimer>
#include <QEventLoop>
#include <QTimer>

#include <algorithm>
#include <cstdio>
#include <vector>

namespace pha::bench {

struct Spread {
    double p50 = 0, p99 = 0, most = 0;
    Json json() const { return { { "p50_ms", p50 }, { "p99_ms", p99 }, { "max_ms", most } }; }
};

inline Spread spread(std::vector<double> values)
{
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) { return values[std::size_t(share * double(values.size() - 1))]; };
    return { at(0.5), at(0.99), values.back() };
}

inline double milliseconds(const QElapsedTimer& clock) { return double(clock.nsecsElapsed()) / 1e6; }

inline void say(const char* what, const Spread& s)
{
    std::fprintf(stderr, "%-52s %9.3f %9.3f %9.3f\n", what, s.p50, s.p99, s.most);
}

/// Runs the event loop until `done`, which is asked every few milliseconds, or the time is up. Sleeps in between, as a
/// window does: processEvents() with a time would not.
template <class Done> bool spin(double seconds, Done&& done)
{
    if (done()) return true;
    bool good = false;
    QEventLoop loop;
    QTimer ask, over;
    QObject::connect(&ask, &QTimer::timeout, &loop, [&] {
        if ((good = done())) loop.quit();
    });
    over.setSingleShot(true);
    QObject::connect(&over, &QTimer::timeout, &loop, &QEventLoop::quit);
    ask.start(5);
    over.start(int(seconds * 1000));
    loop.exec();
    return good;
}

/// How late a heartbeat of 10 ms is while the event loop runs for `seconds`.
inline Spread heartbeat(double seconds)
{
    std::vector<double> late;
    QTimer beat;
    beat.setTimerType(Qt::PreciseTimer);
    beat.setInterval(10);
    QElapsedTimer clock;
    clock.start();
    double last = 0;
    QObject::connect(&beat, &QTimer::timeout, &beat, [&] {
        const double now = milliseconds(clock);
        if (last > 500) late.push_back(std::max(0., now - last - 10)); // the first half second builds the picture
        last = now;
    });
    beat.start();
    spin(seconds, [] { return false; });
    return spread(late);
}

Json frames(); ///< of the loss chart with many points
Json flood(double seconds); ///< lateness while events pour in and every core is busy
Json training(double seconds); ///< lateness while a network trains on every core
Json starts(const char* program); ///< from the start of the program to its window, and from a click to a point
int beStarted(); ///< what `starts()` starts

} // namespace pha::bench
