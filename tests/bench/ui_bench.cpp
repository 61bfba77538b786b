// SPDX-License-Identifier: GPL-3.0-or-later
// Measures the window: what a frame of the loss chart costs, how late the event loop is while a run floods it or a real
// one trains on every core, and how long the program takes to its window and a click to the first point. Table on
// stderr, one JSON document on stdout.
//
//   ui_bench [--seconds N]     length of each event loop measurement, 20 by default
#include "tests/bench/ui_bench.h"
#include "ui/application.h"
#include "ui/look/theme.h"

#include <QCommandLineParser>
#include <QTemporaryDir>
#include <QThread>

#include <cstring>

using namespace pha;

int main(int argc, char** argv)
{
    if (!qEnvironmentVariableIsSet("QT_QPA_PLATFORM")) qputenv("QT_QPA_PLATFORM", "offscreen");
    const bool started = argc > 1 && std::strcmp(argv[1], "--started") == 0;
    const QTemporaryDir home; // the user's settings and caches are none of a benchmark's business
    if (!started)
        for (const char* name : { "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME" })
            qputenv(name, home.path().toUtf8());
    ui::Application::setNames();
    ui::Application app(argc, argv);
    if (started) return bench::beStarted();
    ui::Theme::instance().apply();
    QCommandLineParser parser;
    parser.setApplicationDescription(QStringLiteral("Measures frames, event loop and start of the window."));
    parser.addHelpOption();
    const QCommandLineOption seconds(QStringLiteral("seconds"), QStringLiteral("length of each event loop measurement"),
        QStringLiteral("N"), QStringLiteral("20"));
    parser.addOption(seconds);
    parser.process(app);
    const double length = std::clamp(parser.value(seconds).toDouble(), 1., 600.);

    std::fprintf(stderr, "%-52s %9s %9s %9s\n", "milliseconds", "p50", "p99", "max");
    Json report;
    report["device_pixel_ratio"] = app.devicePixelRatio();
    report["cores"] = QThread::idealThreadCount();
    report["frames"] = bench::frames();
    report["flood"] = bench::flood(length);
    report["training"] = bench::training(length);
    report["start"] = bench::starts(argv[0]);
    std::printf("%s\n", report.dump(2).c_str());
    std::fflush(nullptr);
    return 0;
}
