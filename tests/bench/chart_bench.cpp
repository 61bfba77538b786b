// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/ui_bench.h"
#include "tests/gui/fake_engine.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/time_plot.h"
#include "ui/look/theme.h"
#include "ui/session/event_bridge.h"
#include "ui/session/run_session.h"

#include <QTemporaryDir>
#include <QThread>

#include <cmath>
#include <thread>

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace pha::bench {

using namespace pha::ui;

namespace {

/// Appends one point to each curve and draws, as a live run does: the first frames are thrown away.
Json measure(const char* name, int curves, int points)
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

} // namespace

Json frames()
{
    return Json::array({ measure("1 x 1,000,000 points", 1, 1'000'000), measure("8 x 100,000 points", 8, 100'000),
        measure("50 x 2,000 points", 50, 2'000) });
}

Json flood(double seconds)
{
    constexpr int eventsPerSecond = 5000;
    const QTemporaryDir folder;
    MonitorPanel panel;
    panel.resize(1280, 800);
    RunFile file;
    file.name = "flood";
    file.config.training.steps = std::int64_t(seconds * eventsPerSecond);
    RunSession run(fs::path(folder.path().toStdString()) / file.name, file);
    panel.setSessions({ &run }, &run);
    panel.show();
    EventBridge bridge;
    QObject::connect(
        &bridge, &EventBridge::batchReady, &run, [&](const std::vector<Event>& batch) { run.receive(batch); });

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
    threads.emplace_back([&, mailbox = bridge.mailbox(), config = run.file().config] {
        const auto began = std::chrono::steady_clock::now();
        for (std::int64_t i = 1; !over; ++i) {
            mailbox->publish(pha::test::fakeStep(i, config));
            if (i % 25 == 0) mailbox->publish(pha::test::fakeMixing(i, config));
            if (i % 500 == 0) mailbox->publish(pha::test::fakeEval(i, config));
            published = i;
            std::this_thread::sleep_until(began + std::chrono::microseconds(i * 1'000'000 / eventsPerSecond));
        }
    });
    const auto late = heartbeat(seconds);
    over = true;
    for (auto& thread : threads) thread.join();
    bridge.flush();
    const auto kept = std::int64_t(run.history().step.size());
    say("event loop lateness, 5,000 events/s, busy cores", late);
    std::fprintf(stderr, "  updates kept: %lld of %lld\n", static_cast<long long>(kept),
        static_cast<long long>(published.load()));
    return { { "seconds", seconds }, { "busy_threads", cores }, { "published", published.load() }, { "kept", kept },
        { "lateness", late.json() } };
}

} // namespace pha::bench
