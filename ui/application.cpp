// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/application.h"

#include "engine/base/stop_signals.h"
#include "ui/exit_guard.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"
#include "ui/screenshots.h"
#include "ui/window/main_window.h"

#include <QFile>
#include <QScreen>
#include <QSettings>
#include <QSocketNotifier>
#include <QTimer>

#include <chrono>
#include <clocale>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <sys/socket.h>
#include <unistd.h>

namespace pha::ui {

namespace {

int signalPipe[2] = { -1, -1 };
volatile std::sig_atomic_t lastSignal = 0;

extern "C" void onSignal(int number)
{
    if (lastSignal != 0) _exit(128 + number); // asked twice: leave at once
    lastSignal = number;
    const char byte = 1;
    // A full pipe means that the message is on its way already.
    [[maybe_unused]] const auto written = write(signalPipe[0], &byte, 1);
}

/// An INI file that cannot be parsed would be overwritten at the next write: keep it for whoever wants to mend it.
void moveCorruptSettingsAside()
{
    QString file;
    {
        QSettings settings;
        settings.contains(QStringLiteral("theme/mode")); // forces the file to be read
        if (settings.status() != QSettings::FormatError) return;
        file = settings.fileName();
    }
    QFile::remove(file + QStringLiteral(".corrupt"));
    QFile::rename(file, file + QStringLiteral(".corrupt"));
}

/// A first window as large as the screen would have its status bar below the edge: the desktop puts a frame around it.
void fitToScreen(QWidget& window)
{
    const QSize frame(16, 56); // known only once the window is shown; few are larger
    window.resize(window.size().boundedTo(window.screen()->availableSize() - frame));
}

} // namespace

void Application::setNames()
{
    setOrganizationName(QStringLiteral("pha-studio"));
    setApplicationName(QStringLiteral("pha-studio"));
    setApplicationVersion(QStringLiteral(PHA_VERSION));
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QGuiApplication::setHighDpiScaleFactorRoundingPolicy(Qt::HighDpiScaleFactorRoundingPolicy::PassThrough);
}

Application::Application(int& argc, char** argv)
    : QApplication(argc, argv)
{
    setApplicationDisplayName(QStringLiteral("PHA Studio"));
    setDesktopFileName(QStringLiteral("io.github.pha_studio.PhaStudio"));
    setWindowIcon(applicationIcon());
    setQuitOnLastWindowClosed(false); // the main window says when it is closed
    // Qt takes the locale of the user for the whole process; numbers in files and from strtod must not follow it.
    std::setlocale(LC_NUMERIC, "C");
    clock_.start();
    moveCorruptSettingsAside();
}

Application::~Application() = default;

int Application::run(const StudioOptions& options)
{
    using namespace std::chrono_literals;
    WindowParts parts;
    parts.runsFolder = options.runsFolder;
    parts.engine = []() -> Engine& {
        auto& engine = loadEngine();
        ExitGuard::arm(); // every job asks for the engine first: what the last one left behind is covered too
        return engine;
    };
    parts.longestTask = [this] { return takeLongestTask(); };
    window_ = std::make_unique<MainWindow>(std::move(parts));
    Theme::instance().apply(); // not earlier: built under a style sheet, the window would take twice the time
    auto* window = window_.get();
    // The display is gone, and nobody waits: as after SIGTERM, what trains gets the time to save itself, be the model
    // large or the machine busy. No widget is touched.
    const ExitGuard guard([window] { window->shutDown(60000ms); });
    // LibTorch makes some of its tables when they are first needed.
    connect(&window->controller(), &RunController::learning, window, [] { ExitGuard::arm(); });
    connect(window, &MainWindow::closed, this, [this] { exit(exitCode_); });
    connect(this, &Application::exceptionCaught, window, &MainWindow::showError);
    connect(this, &QGuiApplication::commitDataRequest, window, [window](QSessionManager&) { window->quitNow(); });
    catchSignals();
    std::unique_ptr<Screenshots> screenshots;
    if (!options.screenshots.empty()) {
        screenshots = std::make_unique<Screenshots>(*window, options.runs, options.screenshots);
        connect(screenshots.get(), &Screenshots::finished, window, [this, window](bool good) {
            exitCode_ = good ? 0 : 1;
            window->quitNow();
        });
    } else {
        if (!MainWindow::remembered()) fitToScreen(*window);
        for (const auto& path : options.runs) window->openRun(path, options.runs.size() > 1);
        if (!options.playBack.empty()) window->playBack(options.playBack, options.speed);
        if (options.demo) QTimer::singleShot(0, window, &MainWindow::startDemo);
    }
    window->show();
    const int code = exec();
    // A run that is still there had its time while the window waited for it.
    if (!window->shutDown(window->controller().busy() ? 0ms : 5000ms)) {
        // The engine is still at work: nothing of it may be torn down under its hands.
        std::fputs("pha-studio: the engine did not stop in time; leaving without it\n", stderr);
        std::fflush(nullptr);
        std::_Exit(code == 0 ? 1 : code);
    }
    screenshots.reset();
    window_.reset();
    return code;
}

bool Application::notify(QObject* receiver, QEvent* event)
{
    // Nested calls (an event that sends another) belong to the task of the outermost one. So do dialogs, whose event
    // loops are not tasks: those are counted by themselves.
    const bool outermost = depth_ == 0 || event->spontaneous();
    const auto began = outermost ? clock_.nsecsElapsed() : 0;
    if (depth_ == 0) asked_ = false;
    if (activeModalWidget() || activePopupWidget()) asked_ = true;
    ++depth_;
    bool handled = false;
    try {
        handled = QApplication::notify(receiver, event);
    } catch (const std::exception& error) {
        Q_EMIT exceptionCaught(errorLine(error));
    } catch (...) {
        Q_EMIT exceptionCaught(tr("something unexpected happened; save your work and restart the program"));
    }
    --depth_;
    if (outermost && !asked_) longest_ = std::max(longest_, clock_.nsecsElapsed() - began);
    return handled;
}

double Application::takeLongestTask() { return double(std::exchange(longest_, 0)) / 1e6; }

void Application::catchSignals()
{
    if (signalPipe[0] >= 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, signalPipe) != 0)
        return;
    auto* notifier = new QSocketNotifier(signalPipe[1], QSocketNotifier::Read, this);
    connect(notifier, &QSocketNotifier::activated, this, &Application::signalled);
    struct sigaction action { };
    action.sa_handler = onSignal;
    sigemptyset(&action.sa_mask);
    action.sa_flags = SA_RESTART;
    for (const int number : stopSignals) sigaction(number, &action, nullptr);
    takeStopSignals();
}

void Application::signalled()
{
    char bytes[16];
    while (read(signalPipe[1], bytes, sizeof bytes) > 0) { }
    exitCode_ = 128 + int(lastSignal);
    if (window_) window_->quitNow();
}

} // namespace pha::ui
