// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/screenshots.h"

#include "ui/format.h"
#include "ui/window/main_window.h"
#include "ui/window/status_meters.h"

#include <QCoreApplication>
#include <QDir>
#include <QPixmap>
#include <QProcess>
#include <QProcessEnvironment>

#include <cstdio>

namespace pha::ui {

namespace {

constexpr int tick = 150; ///< milliseconds
constexpr int settle = 5; ///< ticks that a picture gets to draw itself
constexpr int patience = 2000; ///< ticks after which it is taken as it is

/// As the window knows them.
std::vector<std::filesystem::path> absolute(std::vector<std::filesystem::path> runs)
{
    for (auto& run : runs) {
        run = std::filesystem::absolute(run).lexically_normal();
        if (!run.has_filename()) run = run.parent_path();
    }
    return runs;
}

} // namespace

Screenshots::Screenshots(
    MainWindow& window, const std::vector<std::filesystem::path>& runs, std::filesystem::path folder)
    : window_(window)
    , runs_(absolute(runs))
    , folder_(std::move(folder))
{
    QDir().mkpath(fromPath(folder_));
    for (auto run = runs_.rbegin(); run != runs_.rend(); ++run) window_.openRun(*run, runs_.size() > 1);
    plan();
    connect(&tick_, &QTimer::timeout, this, &Screenshots::next);
    tick_.start(tick);
}

void Screenshots::next()
{
    if (at_ >= shots_.size()) {
        tick_.stop();
        atTwiceTheScale();
        return;
    }
    if (waited_++ == 0) shots_[at_].prepare();
    window_.findChild<StatusMeters*>()->refresh(); // the picture before is no work of the window's
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
