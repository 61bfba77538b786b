// SPDX-License-Identifier: GPL-3.0-or-later
// Measures the window: what a frame of the loss chart costs, how late the event loop is while a run floods it and every
// core is busy, and how long a click on Start takes to become a point. Table on stderr, one JSON document on stdout.
//
//   ui_bench [--seconds N]     length of the event loop measurement, 10 by default
#include "tests/gui/fake_engine.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/time_plot.h"
#include "ui/event_bridge.h"
#include "ui/run_controller.h"
#include "ui/theme.h"

#include <QApplication>
#include <QCommandLineParser>
#include <QElapsedTimer>
#include <QTemporaryDir>
#include <QThread>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <thread>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

using namespace pha;
using namespace pha::ui;

namespace {

struct Spread {
    double p50 = 0, p99 = 0, most = 0;
    Json json() const { return { { "p50_ms", p50 }, { "p99_ms", p99 }, { "max_ms", most } }; }
};

Spread spread(std::vector<double> values)
{
    if (values.empty()) return {};
    std::sort(values.begin(), values.end());
    const auto at = [&](double share) { return values[std::size_t(share * double(values.size() - 1))]; };
    return { at(0.5), at(0.99), values.back() };
}

double milliseconds(const QElapsedTimer& clock) { return double(clock.nsecsElapsed()) / 1e6; }

void say(const char* what, const Spread& s)
{
    std::fprintf(stderr, "%-46s %9.3f %9.3f %9.3f\n", what, s.p50, s.p99, s.most);
}

/// Runs the event loop until `done` or the time is up.
template <class Done> bool spin(double seconds, Done&& done)
{
    QElapsedTimer clock;
    clock.start();
    while (!done()) {
        if (milliseconds(clock) > seconds * 1000) return false;
        QCoreApplication::processEvents(QEventLoop::AllEvents | QEventLoop::WaitForMoreEvents, 5);
    }
    return true;
}

/// Appends one point to each curve and draws, as a live run does: the first frames are thrown away.
Json frames(const char* name, int curves, int points)
{
    TimePlot plot(QStringLiteral("bench"), QStringLiteral("Loss"), ValueKind::Loss);
    plot.resize(1200, 400);
    plot.show();
    std::vector<int> ids;
    QElapsedTimer clock;
    clock.start();
    for (int k = 0; k < curves; ++k) {
        ids.push_back(plot.addSeries({ QStringLiteral("run %1").arg(k), k == 0 ? SeriesStyle::Bold : SeriesStyle::Line,
            [k](const Colours& c) { return c.run(k); } }));
        for (int i = 0; i < points; ++i)
            plot.append(ids.back(), i,
                3 + 0.1 * k + 4 * std::exp(-5. * i / points) + 0.2 * pha::test::noise(i, std::uint64_t(k)));
    }
    const double filled = milliseconds(clock);
    std::vector<double> times, cursor;
    for (int frame = 0; frame < 120; ++frame) {
        clock.restart();
        for (const int id : ids) plot.append(id, points + frame, 3);
        plot.redraw();
        if (frame >= 20) times.push_back(milliseconds(clock));
        QCoreApplication::processEvents();
        clock.restart();
        plot.setCursor(double(points) * (frame % 100) / 100);
        if (frame >= 20) cursor.push_back(milliseconds(clock));
    }
    const auto drawn = spread(times), moved = spread(cursor);
    say(qPrintable(QStringLiteral("frame, %1").arg(QLatin1String(name))), drawn);
    say(qPrintable(QStringLiteral("cursor, %1").arg(QLatin1String(name))), moved);
    return { { "case", name }, { "curves", curves }, { "points", points }, { "fill_ms", filled },
        { "frame", drawn.json() }, { "cursor", moved.json() } };
}

std::unique_ptr<RunSession> session(const QTemporaryDir& folder, const char* name, std::int64_t steps)
{
    RunFile file;
    file.name = name;
    file.config.training.steps = steps;
    return std::make_unique<RunSession>(fs::path(folder.path().toStdString()) / name, file);
}

/// How late a 10 ms heartbeat is while 5,000 events a second arrive and every core is kept busy at nice +10.
Json lateness(const QTemporaryDir& folder, double seconds)
{
    constexpr int eventsPerSecond = 5000;
    MonitorPanel panel;
    panel.resize(1280, 800);
    auto run = session(folder, "flood", std::int64_t(seconds * eventsPerSecond));
    panel.setSessions({ run.get() }, run.get());
    panel.show();
    EventBridge bridge;
    QObject::connect(
        &bridge, &EventBridge::batchReady, run.get(), [&](const std::vector<Event>& batch) { run->receive(batch); });

    std::atomic<bool> over { false };
    std::atomic<std::int64_t> published { 0 };
    std::vector<std::thread> threads;
    const int cores = std::max(2, QThread::idealThreadCount());
    for (int i = 0; i < cores; ++i)
        threads.emplace_back([&over] {
            setpriority(PRIO_PROCESS, id_t(syscall(SYS_gettid)), 10); // as the training threads do
            volatile double sink = 1;
            while (!over)
                for (int n = 0; n < 1000; ++n) sink = sink * 1.0000001 + 1e-9;
        });
    threads.emplace_back([&, mailbox = bridge.mailbox(), config = run->file().config] {
        const auto began = std::chrono::steady_clock::now();
        for (std::int64_t i = 1; !over; ++i) {
            mailbox->publish(pha::test::fakeStep(i, config));
            if (i % 25 == 0) mailbox->publish(pha::test::fakeMixing(i, config));
            if (i % 500 == 0) mailbox->publish(pha::test::fakeEval(i, config));
            published = i;
            std::this_thread::sleep_until(began + std::chrono::microseconds(i * 1'000'000 / eventsPerSecond));
        }
    });

    std::vector<double> late;
    QTimer heartbeat;
    heartbeat.setTimerType(Qt::PreciseTimer);
    heartbeat.setInterval(10);
    QElapsedTimer clock;
    clock.start();
    double last = 0;
    QObject::connect(&heartbeat, &QTimer::timeout, &heartbeat, [&] {
        const double now = milliseconds(clock);
        if (last > 500) late.push_back(std::max(0., now - last - 10)); // the first half second builds the picture
        last = now;
    });
    heartbeat.start();
    spin(seconds, [] { return false; });
    over = true;
    for (auto& thread : threads) thread.join();
    bridge.flush();
    const auto s = spread(late);
    const auto kept = std::int64_t(run->history().step.size());
    say("event loop lateness, 5,000 events/s, busy cores", s);
    std::fprintf(stderr, "%-46s %lld of %lld\n", "  updates kept", static_cast<long long>(kept),
        static_cast<long long>(published.load()));
    return { { "seconds", seconds }, { "busy_threads", cores }, { "published", published.load() }, { "kept", kept },
        { "lateness", s.json() } };
}

/// From the call behind the Start button to a loss chart that has been drawn with a point in it.
Json firstPoint(const QTemporaryDir& folder)
{
    std::vector<double> times;
    for (int round = 0; round < 5; ++round) {
        pha::test::FakeOptions options;
        options.stepsPerSecond = 100;
        pha::test::FakeEngine engine(options);
        RunController controller([&engine]() -> Engine& { return engine; });
        MonitorPanel panel;
        panel.resize(1280, 800);
        panel.show();
        QCoreApplication::processEvents();
        const auto name = "start-" + std::to_string(round);
        auto run = session(folder, name.c_str(), 100000);
        TrainingRequest request;
        request.config = run->file().config;
        request.directory = run->directory();
        request.name = name;
        panel.setSessions({ run.get() }, run.get());
        auto* loss = panel.findChild<TimePlot*>(QStringLiteral("lossChart"));
        bool seen = false;
        QObject::connect(loss->plot(), &QCustomPlot::afterReplot, loss, [&] {
            double from = 0, to = 0;
            seen |= loss->xBounds(from, to);
        });
        QElapsedTimer clock;
        clock.start();
        if (controller.start(run.get(), request) && spin(10, [&] { return seen; }))
            times.push_back(milliseconds(clock));
        controller.stop();
        spin(5, [&] { return !controller.busy(); });
        panel.setSessions({}, nullptr);
    }
    const auto s = spread(times);
    say("start to first drawn point", s);
    return { { "rounds", int(times.size()) }, { "start_to_first_point", s.json() } };
}

} // namespace

int main(int argc, char** argv)
{
    if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    const QTemporaryDir folder;
    qputenv("XDG_CONFIG_HOME", folder.path().toUtf8()); // the user's settings are none of a benchmark's business
    QApplication app(argc, argv);
    QCommandLineParser parser;
    parser.setApplicationDescription(QStringLiteral("Measures frames, event loop and start of the window."));
    parser.addHelpOption();
    const QCommandLineOption seconds(QStringLiteral("seconds"), QStringLiteral("length of the event loop measurement"),
        QStringLiteral("N"), QStringLiteral("10"));
    parser.addOption(seconds);
    parser.process(app);
    Theme::instance().apply();

    std::fprintf(stderr, "%-46s %9s %9s %9s\n", "milliseconds", "p50", "p99", "max");
    Json report;
    report["device_pixel_ratio"] = app.devicePixelRatio();
    report["cores"] = QThread::idealThreadCount();
    report["frames"] = Json::array();
    report["frames"].push_back(frames("1 x 1,000,000 points", 1, 1'000'000));
    report["frames"].push_back(frames("8 x 100,000 points", 8, 100'000));
    report["frames"].push_back(frames("50 x 2,000 points", 50, 2'000));
    report["event_loop"] = lateness(folder, std::clamp(parser.value(seconds).toDouble(), 1., 600.));
    report["start"] = firstPoint(folder);
    std::printf("%s\n", report.dump(2).c_str());
    return 0;
}
