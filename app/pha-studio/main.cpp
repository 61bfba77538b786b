// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/standard_streams.h"
#include "engine/engine.h"
#include "engine/run/run_directory.h"
#include "ui/application.h"
#include "ui/format.h"
#include "ui/session/playback.h"

#include <QCommandLineParser>

#include <cstdio>
#include <cstring>

namespace {

/// `--help` and `--version` must answer where there is no display.
bool needsNoWindow(int argc, char** argv)
{
    for (int i = 1; i < argc; ++i)
        for (const char* flag : { "-h", "--help", "-v", "--version", "--help-all" })
            if (std::strcmp(argv[i], flag) == 0) return true;
    return false;
}

/// Qt would abort without one.
bool hasDisplay(int argc, char** argv)
{
    for (const char* variable : { "DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM" })
        if (!qEnvironmentVariableIsEmpty(variable)) return true;
    for (int i = 1; i < argc; ++i)
        for (const char* flag : { "-platform", "--platform", "-display", "--display" })
            if (std::strcmp(argv[i], flag) == 0) return true;
    return false;
}

} // namespace

int main(int argc, char** argv)
{
    using pha::ui::Application;
    pha::occupyClosedStreams();
    pha::keepSignals();
    QCommandLineParser parser;
    parser.setApplicationDescription(
        QStringLiteral("PHA Studio: interactive experiments with hybrid language models.\n\n"
                       "Example: pha-studio --demo"));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addOption({ QStringLiteral("demo"), QStringLiteral("Start the built-in demo experiment at once.") });
    parser.addOption(
        { QStringLiteral("runs-dir"), QStringLiteral("Folder that holds the runs."), QStringLiteral("DIR") });
    parser.addOption({ QStringLiteral("screenshots"),
        QStringLiteral("Save pictures of every panel with the given runs to DIR, then leave."),
        QStringLiteral("DIR") });
    parser.addOption({ QStringLiteral("play-back"),
        QStringLiteral("Show RUN, a run directory or one file (.pha), once more as it was while it trained."),
        QStringLiteral("RUN") });
    parser.addOption({ QStringLiteral("speed"),
        QStringLiteral("How fast --play-back is: 1, 2, 5, 10, 20, 50 or 100 times as fast as the training was, or the "
                       "whole run in 30s, 1min or 2min. At first 1min, then as last time."),
        QStringLiteral("X") });
    parser.addPositionalArgument(QStringLiteral("RUN"),
        QStringLiteral(
            "Run directories to open, also ones that are still being written, and runs that are one file (.pha)."),
        QStringLiteral("[RUN...]"));

    Application::setNames();
    if (needsNoWindow(argc, argv)) {
        const QCoreApplication application(argc, argv);
        parser.process(application);
        return 0;
    }
    if (!hasDisplay(argc, argv)) {
        std::fputs(
            "pha-studio: there is no display; use pha here, or set QT_QPA_PLATFORM=offscreen for --screenshots\n",
            stderr);
        return 1;
    }
    Application application(argc, argv);
    parser.process(application);
    pha::ui::StudioOptions options;
    options.demo = parser.isSet(QStringLiteral("demo"));
    options.runsFolder = pha::ui::toPath(parser.value(QStringLiteral("runs-dir")));
    try {
        if (!options.runsFolder.empty()) options.runsFolder = pha::wholePath(options.runsFolder);
    } catch (const pha::Error& error) {
        std::fprintf(stderr, "pha-studio: %s\n", error.what());
        return int(error.code());
    }
    options.screenshots = pha::ui::toPath(parser.value(QStringLiteral("screenshots")));
    options.playBack = pha::ui::toPath(parser.value(QStringLiteral("play-back")));
    options.speed = parser.value(QStringLiteral("speed"));
    if (!options.speed.isEmpty() && pha::ui::Playback::speedNamed(options.speed) < 0) {
        QStringList names;
        for (const auto& speed : pha::ui::Playback::speeds()) names << speed.name;
        const auto last = names.takeLast();
        std::fprintf(stderr, "pha-studio: --speed is %s; expected %s or %s\n", qPrintable(options.speed),
            qPrintable(names.join(QStringLiteral(", "))), qPrintable(last));
        return 2;
    }
    for (const auto& run : parser.positionalArguments()) options.runs.push_back(pha::ui::toPath(run));
    return application.run(options);
}
