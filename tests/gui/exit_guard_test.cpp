// SPDX-License-Identifier: GPL-3.0-or-later
// exit() in the middle of the event loop, which is what Qt calls when its X server dies: the run is left as after a
// signal, with a checkpoint of its last update. The window is a child process, with the real engine.
#include "engine/engine.h"
#include "engine/run/metrics.h"
#include "test_home.h"
#include "ui/application.h"
#include "ui/format.h"
#include "ui/window/main_window.h"

#include <QProcess>
#include <QTest>
#include <QTimer>

#include <cstdio>
#include <cstdlib>
#include <cstring>

using namespace pha;
using namespace pha::ui;

namespace {

constexpr int updates = 20;

/// A network so small that an update takes a millisecond, and far too many of them.
TrainingRequest endless(const fs::path& directory)
{
    TrainingRequest request;
    request.config = findPreset("pha-tiny").config;
    for (const auto& [key, value] : std::initializer_list<std::pair<const char*, const char*>> { { "layers", "1" },
             { "width", "32" }, { "query_heads", "2" }, { "gss_expand", "32" }, { "gss_width", "8" },
             { "gss_state", "8" }, { "aux_width", "16" }, { "main_width", "32" }, { "vocab_size", "512" },
             { "context", "32" }, { "batch_size", "2" }, { "eval_tokens", "256" }, { "steps", "10000000" } })
        request.config.set(key, value);
    request.directory = directory;
    request.name = "endless";
    return request;
}

MainWindow* mainWindow()
{
    for (auto* widget : QApplication::topLevelWidgets())
        if (auto* window = qobject_cast<MainWindow*>(widget)) return window;
    return nullptr;
}

/// The child: trains, and calls exit() after some updates.
int leave(int argc, char** argv)
{
    Application::setNames();
    Application application(argc, argv);
    const fs::path runs = argv[2];
    QTimer::singleShot(0, &application, [&] {
        const auto request = endless(runs / "endless");
        RunFile planned;
        planned.name = request.name;
        planned.config = request.config;
        auto* session = mainWindow()->runs().plan(request.directory, planned);
        QObject::connect(session, &RunSession::changed, session, [session] {
            if (session->step() >= updates) std::exit(7);
        });
        auto& controller = mainWindow()->controller();
        QObject::connect(&controller, &RunController::failed, session, [](const QString& what) {
            std::fprintf(stderr, "%s\n", qPrintable(what));
            std::_Exit(3);
        });
        controller.start(session, request);
    });
    StudioOptions options;
    options.runsFolder = runs;
    return application.run(options);
}

} // namespace

class ExitGuardTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void exitInTheEventLoopLeavesACheckpoint()
    {
        const pha::test::TestHome home;
        fs::create_directories(home.runs());
        QProcess child;
        child.setProcessChannelMode(QProcess::MergedChannels);
        child.start(QCoreApplication::applicationFilePath(), { QStringLiteral("--leave"), fromPath(home.runs()) });
        QVERIFY2(child.waitForFinished(4 * pha::test::patience), qPrintable(child.errorString()));
        const auto said = child.readAll();
        QVERIFY2(child.exitStatus() == QProcess::NormalExit && child.exitCode() == 7, said.constData());

        const RunDirectory run(home.runs() / "endless");
        std::int64_t last = 0, saved = 0;
        RunState state = RunState::Running;
        std::string detail;
        for (const auto& event : MetricsReader(run.metricsFile()).poll()) {
            if (const auto* step = std::get_if<StepEvent>(&event)) last = step->step;
            if (const auto* checkpoint = std::get_if<CheckpointEvent>(&event)) saved = checkpoint->step;
            if (const auto* status = std::get_if<StatusEvent>(&event)) {
                state = status->state;
                detail = status->detail;
            }
        }
        QVERIFY2(state == RunState::Stopped, detail.c_str());
        QVERIFY(last >= updates);
        QCOMPARE(saved, last);
        QVERIFY(loadEngine().load(run.root())->step() == last);
    }
};

int main(int argc, char** argv)
{
    if (argc > 2 && std::strcmp(argv[1], "--leave") == 0) return leave(argc, argv);
    const QCoreApplication application(argc, argv);
    ExitGuardTest test;
    return QTest::qExec(&test, argc, argv);
}

#include "exit_guard_test.moc"
