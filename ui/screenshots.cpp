// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/screenshots.h"

#include "ui/config_form/config_panel.h"
#include "ui/format.h"
#include "ui/main_window.h"
#include "ui/panels/evaluate_panel.h"
#include "ui/panels/playground_panel.h"
#include "ui/theme.h"

#include <QAbstractButton>
#include <QCoreApplication>
#include <QDir>
#include <QPixmap>
#include <QProcess>
#include <QProcessEnvironment>
#include <QStackedWidget>

#include <cstdio>

namespace pha::ui {

namespace {

constexpr int tick = 150; ///< milliseconds
constexpr int settle = 5; ///< ticks that a picture gets to draw itself
constexpr int patience = 400; ///< ticks after which it is taken as it is

/// True while a panel is at work: then, and only then, there is something to stop.
bool busy(QWidget* panel, const char* stopButton)
{
    const auto* button = panel->findChild<QAbstractButton*>(QLatin1String(stopButton));
    return button && button->isEnabled();
}

} // namespace

Screenshots::Screenshots(
    MainWindow& window, const std::vector<std::filesystem::path>& runs, std::filesystem::path folder)
    : window_(window)
    , runs_(runs)
    , folder_(std::move(folder))
{
    QDir().mkpath(fromPath(folder_));
    for (const auto& run : runs_) window_.openRun(run, runs_.size() > 1);
    plan();
    connect(&tick_, &QTimer::timeout, this, &Screenshots::next);
    tick_.start(tick);
}

void Screenshots::plan()
{
    auto* evaluate = window_.findChild<EvaluatePanel*>();
    auto* playground = window_.findChild<PlaygroundPanel*>();
    auto* config = window_.findChild<ConfigPanel*>();
    auto* stack = window_.findChild<QStackedWidget*>(QStringLiteral("monitorStack"));
    const bool any = !runs_.empty();
    const auto panel = [this](const char* id) { return [this, id] { window_.showPanel(QLatin1String(id)); }; };
    const auto read = [this] { return !window_.currentSession() || !window_.currentSession()->loading(); };
    bool first = true;
    for (const auto mode : { Theme::Mode::Light, Theme::Mode::Dark }) {
        const auto suffix = mode == Theme::Mode::Light ? QStringLiteral("light") : QStringLiteral("dark");
        shots_.push_back({ [mode, config, show = panel("monitorDock")] {
                              Theme::instance().setMode(mode);
                              config->showForm();
                              show();
                          },
            read, QStringLiteral("monitor-") + suffix });
        shots_.push_back({ [config] { config->showRun(); }, read, QStringLiteral("configuration-") + suffix });
        shots_.push_back({ [=, show = panel("evaluateDock")] {
                              show();
                              if (any && first) evaluate->run();
                          },
            [evaluate] { return !busy(evaluate, "evaluateStop"); }, QStringLiteral("evaluate-") + suffix });
        shots_.push_back({ [=, show = panel("playgroundDock")] {
                              show();
                              if (any && first) playground->generate();
                          },
            [playground] { return !busy(playground, "playgroundStop"); }, QStringLiteral("playground-") + suffix });
        shots_.push_back({ [stack, config, show = panel("monitorDock")] {
                              config->showForm();
                              show();
                              stack->setCurrentIndex(0);
                          },
            [] { return true; }, QStringLiteral("welcome-") + suffix });
        shots_.push_back({ [stack, any] { stack->setCurrentIndex(any ? 1 : 0); }, [] { return true; }, QString() });
        first = false;
    }
}

void Screenshots::next()
{
    if (at_ >= shots_.size()) {
        tick_.stop();
        atTwiceTheScale();
        return;
    }
    if (waited_++ == 0) shots_[at_].prepare();
    const bool over = waited_ > patience;
    // "Ready" only counts after a moment: work that was just asked for may not have begun yet.
    if (waited_ < settle || (!shots_[at_].ready() && !over)) return;
    if (over) std::fprintf(stderr, "pha-studio: %s was not ready in time\n", qPrintable(shots_[at_].name));
    good_ &= !over;
    if (!shots_[at_].name.isEmpty()) save();
    ++at_;
    waited_ = 0;
}

void Screenshots::save()
{
    const auto scale = window_.devicePixelRatioF() > 1 ? QStringLiteral("@2x") : QString();
    const auto file = QDir(fromPath(folder_)).filePath(shots_[at_].name + scale + QStringLiteral(".png"));
    if (window_.grab().save(file)) {
        std::printf("%s\n", qPrintable(file));
    } else {
        std::fprintf(stderr, "pha-studio: error: %s cannot be written; check that the folder exists and has room\n",
            qPrintable(file));
        good_ = false;
    }
}

void Screenshots::atTwiceTheScale()
{
    if (window_.devicePixelRatioF() > 1) {
        Q_EMIT finished(good_);
        return;
    }
    auto* twin = new QProcess(this);
    auto environment = QProcessEnvironment::systemEnvironment();
    environment.insert(QStringLiteral("QT_SCALE_FACTOR"), QStringLiteral("2"));
    twin->setProcessEnvironment(environment);
    twin->setProcessChannelMode(QProcess::ForwardedChannels);
    connect(twin, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
        Q_EMIT finished(good_ && status == QProcess::NormalExit && code == 0);
    });
    connect(twin, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart) Q_EMIT finished(false);
    });
    twin->start(QCoreApplication::applicationFilePath(), QCoreApplication::arguments().mid(1));
}

} // namespace pha::ui
