// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/bench/ui_bench.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/time_plot.h"
#include "ui/look/theme.h"
#include "ui/window/main_window.h"

#include <QApplication>
#include <QFile>
#include <QProcess>
#include <QTemporaryDir>

#include <cstdlib>

namespace pha::bench {

using namespace pha::ui;

namespace {

/// Calls `seen` each time the loss chart was drawn with a point in it.
void onPoint(MainWindow& window, std::function<void()> seen)
{
    auto* loss = window.findChild<TimePlot*>(QStringLiteral("lossChart"));
    QObject::connect(loss->plot(), &QCustomPlot::afterReplot, loss, [loss, seen = std::move(seen)] {
        double from = 0, to = 0;
        if (loss->xBounds(from, to)) seen();
    });
}

WindowParts partsIn(const QString& home)
{
    WindowParts parts;
    parts.runsFolder = fs::path(home.toStdString()) / "runs";
    fs::create_directories(parts.runsFolder);
    return parts;
}

/// Lines that a child says, with the time that each took to come.
std::vector<std::pair<QByteArray, double>> listen(const char* program, const QString& home)
{
    QProcess child;
    auto environment = QProcessEnvironment::systemEnvironment();
    for (const char* name : { "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME" })
        environment.insert(QLatin1String(name), home);
    child.setProcessEnvironment(environment);
    child.setProcessChannelMode(QProcess::ForwardedErrorChannel);
    std::vector<std::pair<QByteArray, double>> lines;
    QElapsedTimer clock;
    QObject::connect(&child, &QProcess::readyReadStandardOutput, &child, [&] {
        while (child.canReadLine()) lines.emplace_back(child.readLine().trimmed(), milliseconds(clock));
    });
    clock.start();
    child.start(QString::fromLocal8Bit(program), { QStringLiteral("--started") });
    spin(120, [&] { return child.state() == QProcess::NotRunning; });
    return lines;
}

} // namespace

Json training(double seconds)
{
    const QTemporaryDir home;
    MainWindow window(partsIn(home.path()));
    window.show();
    window.startDemo();
    const auto trains = [&] { return window.currentSession() && window.currentSession()->step() >= 5; };
    if (!spin(300, trains)) {
        std::fprintf(stderr, "the demo did not begin to train\n");
        return nullptr;
    }
    const auto before = window.currentSession()->step();
    const auto late = heartbeat(seconds);
    const auto steps = window.currentSession()->step() - before;
    say("event loop lateness, pha-tiny trains on all cores", late);
    std::fprintf(stderr, "  updates meanwhile: %lld\n", static_cast<long long>(steps));
    window.controller().stop();
    spin(60, [&] { return !window.controller().busy(); });
    return { { "seconds", seconds }, { "updates", steps }, { "lateness", late.json() } };
}

/// Says when its window is painted, its engine open and the first point of the demo drawn; then leaves.
int beStarted()
{
    const auto home = qEnvironmentVariable("XDG_DATA_HOME");
    MainWindow window(partsIn(home));
    const auto say = [](const char* what) {
        std::printf("%s\n", what);
        std::fflush(stdout);
    };
    Theme::instance().apply(); // in the order of Application::run()
    window.show();
    // The window paints itself first and asks for the engine after that.
    spin(30, [&] { return !window.grab().isNull() && window.isVisible(); });
    say("window");
    spin(60, [&] { return window.controller().engineInfo().has_value(); });
    say("engine");
    bool seen = false;
    onPoint(window, [&] { seen = true; });
    QElapsedTimer clock;
    clock.start();
    window.startDemo();
    if (spin(120, [&] { return seen; })) say(qPrintable(QStringLiteral("point %1").arg(milliseconds(clock))));
    window.controller().stop();
    spin(60, [&] { return !window.controller().busy(); });
    window.shutDown(std::chrono::seconds(5));
    std::fflush(nullptr);
    std::_Exit(0);
}

Json starts(const char* program)
{
    const QTemporaryDir home;
    std::vector<double> windows, engines, points;
    Json cold;
    for (int round = 0; round < 6; ++round) {
        double window = 0, engine = 0, point = 0;
        for (const auto& [line, when] : listen(program, home.path())) {
            if (line == "window") window = when;
            if (line == "engine") engine = when;
            if (line.startsWith("point ")) point = line.mid(6).toDouble();
        }
        if (round == 0) { // nothing is cached: the tokenizer is trained first
            cold = { { "window_ms", window }, { "engine_ms", engine }, { "click_to_point_ms", point } };
            say("first start: click on the demo to first point", { point, point, point });
            continue;
        }
        windows.push_back(window);
        engines.push_back(engine);
        points.push_back(point);
    }
    const auto w = spread(windows), e = spread(engines), p = spread(points);
    say("warm start: program to painted window", w);
    say("warm start: program to engine ready", e);
    say("warm start: click on the demo to first point", p);
    return { { "first", cold }, { "window", w.json() }, { "engine", e.json() }, { "click_to_point", p.json() } };
}

} // namespace pha::bench
