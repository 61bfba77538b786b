// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/screenshots.h"

#include "ui/bench/bench_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/data/data_panel.h"
#include "ui/format.h"
#include "ui/main_window.h"
#include "ui/panels/evaluate_panel.h"
#include "ui/panels/playground_panel.h"
#include "ui/window/command_palette.h"

#include <QAbstractButton>
#include <QCoreApplication>
#include <QDir>
#include <QLineEdit>
#include <QPixmap>
#include <QProcess>
#include <QProcessEnvironment>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTabWidget>

#include <cstdio>

namespace pha::ui {

namespace {

constexpr int tick = 150; ///< milliseconds
constexpr int settle = 5; ///< ticks that a picture gets to draw itself
constexpr int patience = 2000; ///< ticks after which it is taken as it is

/// True while a panel is at work: then, and only then, there is something to stop.
bool busy(QWidget* panel, const char* stopButton)
{
    const auto* button = panel->findChild<QAbstractButton*>(QLatin1String(stopButton));
    return button && button->isEnabled();
}

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

void Screenshots::plan()
{
    for (const auto mode : { Theme::Mode::Light, Theme::Mode::Dark }) {
        const auto suffix = mode == Theme::Mode::Light ? QStringLiteral("-light") : QStringLiteral("-dark");
        const bool first = mode == Theme::Mode::Light; // work is done once; the second pass only draws it
        planRuns(mode, suffix);
        planModels(first && !runs_.empty(), suffix);
        for (const auto& run : runs_) planFamily(run, first, suffix);
        planMachine(first, suffix);
        planWindow(suffix);
    }
}

void Screenshots::add(const QString& name, std::function<void()> prepare, std::function<bool()> ready)
{
    shots_.push_back({ std::move(prepare), std::move(ready), name });
}

void Screenshots::planRuns(Theme::Mode mode, const QString& suffix)
{
    auto* config = window_.findChild<ConfigPanel*>();
    const auto read = [this] { return !window_.currentSession() || !window_.currentSession()->loading(); };
    add(
        QStringLiteral("monitor") + suffix,
        [this, mode, config] {
            Theme::instance().setMode(mode);
            config->showForm();
            window_.showPanel(QStringLiteral("monitorDock"));
        },
        read);
    add(
        QStringLiteral("configuration") + suffix, [config] { config->showRun(); }, read);
    add(
        QStringLiteral("compare") + suffix, [this] { window_.showPanel(QStringLiteral("compareDock")); }, read);
}

void Screenshots::planModels(bool work, const QString& suffix)
{
    auto* evaluate = window_.findChild<EvaluatePanel*>();
    auto* playground = window_.findChild<PlaygroundPanel*>();
    add(
        QStringLiteral("evaluate") + suffix,
        [this, work, evaluate] {
            window_.showPanel(QStringLiteral("evaluateDock"));
            evaluate->findChild<QSpinBox*>(QStringLiteral("evaluateMaxTokens"))->setValue(4096); // dozens follow
            if (work) evaluate->run();
        },
        [evaluate] { return !busy(evaluate, "evaluateStop"); });
    add(
        QStringLiteral("ablation") + suffix,
        [work, evaluate] {
            evaluate->findChild<QTabWidget*>(QStringLiteral("evaluateAnalysis"))->setCurrentIndex(0);
            if (work) evaluate->runAblation();
        },
        [evaluate] { return !busy(evaluate, "evaluateStop"); });
    auto* tabs = evaluate->findChild<QTabWidget*>(QStringLiteral("evaluateAnalysis"));
    add(
        QStringLiteral("recall") + suffix, [tabs] { tabs->setCurrentIndex(1); }, [] { return true; });
    add(
        QStringLiteral("playground") + suffix,
        [this, work, playground] {
            window_.showPanel(QStringLiteral("playgroundDock"));
            if (work) playground->generate();
        },
        [playground] { return !busy(playground, "playgroundStop"); });
    auto* both = playground->findChild<QAbstractButton*>(QStringLiteral("playgroundCompare"));
    add(
        QStringLiteral("duel") + suffix,
        [work, playground, both] {
            both->setChecked(true);
            if (work) playground->generate();
        },
        [playground] { return !busy(playground, "playgroundStop"); });
    add(
        QString(), [both] { both->setChecked(false); }, [] { return true; });
}

/// Families that mix nothing have displays of their own: what each part writes, and what it is worth.
void Screenshots::planFamily(const std::filesystem::path& run, bool work, const QString& suffix)
{
    const auto* session = window_.runs().open(run);
    if (!session->problem().isEmpty() || !session->file().config.model.branchList().empty()) return;
    const auto family = QLatin1Char('-') + fromUtf8(session->file().config.model.family);
    auto* evaluate = window_.findChild<EvaluatePanel*>();
    add(
        QStringLiteral("monitor") + family + suffix,
        [this, run] {
            window_.openRun(run);
            window_.showPanel(QStringLiteral("monitorDock"));
        },
        [this] { return !window_.currentSession()->loading(); });
    add(
        QStringLiteral("ablation") + family + suffix,
        [this, work, evaluate] {
            window_.showPanel(QStringLiteral("evaluateDock"));
            evaluate->findChild<QTabWidget*>(QStringLiteral("evaluateAnalysis"))->setCurrentIndex(0);
            if (work) evaluate->runAblation();
        },
        [evaluate] { return !busy(evaluate, "evaluateStop"); });
    add(
        QString(), [this] { window_.openRun(runs_.front()); }, [] { return true; });
}

void Screenshots::planMachine(bool work, const QString& suffix)
{
    auto* data = window_.findChild<DataPanel*>();
    auto* bench = window_.findChild<BenchPanel*>();
    add(
        QStringLiteral("data") + suffix,
        [this, work, data] {
            window_.showPanel(QStringLiteral("dataDock"));
            if (work) data->run();
        },
        [data] { return !busy(data, "dataStop"); });
    const auto* first = pha::catalogue().empty() ? nullptr : &pha::catalogue().front();
    if (first)
        add(
            QStringLiteral("download") + suffix, [data, first] { data->choose(fromUtf8(first->name)); },
            [] { return true; });
    add(
        QString(), [data] { data->choose(QStringLiteral("stories")); }, [] { return true; });
    add(
        QStringLiteral("benchmark") + suffix,
        [this, work, bench] {
            window_.showPanel(QStringLiteral("benchDock"));
            if (!work) return;
            bench->findChild<QLineEdit*>(QStringLiteral("benchContexts"))->setText(QStringLiteral("64, 128, 256"));
            bench->findChild<QSpinBox*>(QStringLiteral("benchBatchTokens"))->setValue(512);
            bench->findChild<QSpinBox*>(QStringLiteral("benchRepeats"))->setValue(3);
            bench->run();
        },
        [bench] { return !bench->busy(); });
}

void Screenshots::planWindow(const QString& suffix)
{
    auto* stack = window_.findChild<QStackedWidget*>(QStringLiteral("monitorStack"));
    auto* config = window_.findChild<ConfigPanel*>();
    auto* palette = window_.findChild<CommandPalette*>();
    const auto always = [] { return true; };
    add(
        QStringLiteral("welcome") + suffix,
        [this, stack, config] {
            config->showForm();
            window_.showPanel(QStringLiteral("monitorDock"));
            stack->setCurrentIndex(0);
        },
        always);
    add(
        QStringLiteral("palette") + suffix,
        [this, stack, palette] {
            stack->setCurrentIndex(runs_.empty() ? 0 : 1);
            palette->open();
        },
        always);
    add(
        QString(), [palette] { palette->hide(); }, always);
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
