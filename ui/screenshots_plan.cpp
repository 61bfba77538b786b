// SPDX-License-Identifier: GPL-3.0-or-later
// Screenshots: which pictures are taken, and what is done for each.
#include "ui/bench/bench_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/data/data_panel.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/format.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/weight_pane.h"
#include "ui/playground/blind_vote.h"
#include "ui/playground/playground_panel.h"
#include "ui/playground/rival_view.h"
#include "ui/screenshots.h"
#include "ui/session/playback.h"
#include "ui/window/command_palette.h"
#include "ui/window/main_window.h"

#include <QAbstractButton>
#include <QAction>
#include <QComboBox>
#include <QKeyEvent>
#include <QLineEdit>
#include <QSpinBox>
#include <QStackedWidget>
#include <QTabWidget>

namespace pha::ui {

namespace {

/// True while a panel is at work: then, and only then, there is something to stop.
bool busy(QWidget* panel, const char* stopButton)
{
    const auto* button = panel->findChild<QAbstractButton*>(QLatin1String(stopButton));
    return button && button->isEnabled();
}

} // namespace

void Screenshots::plan()
{
    for (const auto mode : { Theme::Mode::Light, Theme::Mode::Dark }) {
        const auto suffix = mode == Theme::Mode::Light ? QStringLiteral("-light") : QStringLiteral("-dark");
        const bool first = mode == Theme::Mode::Light; // work is done once; the second pass only draws it
        planRuns(mode, suffix);
        planModels(first && !runs_.empty(), suffix);
        planInside(!runs_.empty(), suffix); // again for each theme: opening another run ends a look
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
        [this, read] { return read() && window_.controller().engineInfo(); });
    auto& playback = window_.playback();
    const auto trigger = [this] { window_.findChild<QAction*>(QStringLiteral("playBack"))->trigger(); };
    add(QString(), trigger, [this, &playback] { return runs_.empty() || playback.recording(); });
    add(
        QStringLiteral("playback") + suffix,
        [&playback] {
            playback.setPlaying(false);
            playback.seek(playback.updates() * 2 / 5);
        },
        read);
    add(QString(), trigger, read);
    add(
        QStringLiteral("configuration") + suffix, [config] { config->showRun(); }, read);
    add(
        QStringLiteral("film") + suffix, [this] { window_.showPanel(QStringLiteral("filmDock")); }, read);
    add(
        QStringLiteral("alerts") + suffix, [this] { window_.showPanel(QStringLiteral("alertsDock")); }, read);
    add(
        QStringLiteral("compare") + suffix, [this] { window_.showPanel(QStringLiteral("compareDock")); }, read);
    auto* drawn = window_.findChild<QComboBox*>(QStringLiteral("compareShow"));
    add(
        QStringLiteral("scaling") + suffix, [drawn] { drawn->setCurrentIndex(1); }, read);
    add(
        QString(), [drawn] { drawn->setCurrentIndex(0); }, [] { return true; });
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
    auto* rival = playground->findChild<RivalView*>();
    add(
        QString(), [both] { both->setChecked(true); },
        [this, rival] { return runs_.empty() || rival->canWrite(); }); // its run has been read
    add(
        QStringLiteral("duel") + suffix,
        [work, playground] {
            if (work) playground->generate();
        },
        [playground, rival] { return !busy(playground, "playgroundStop") && !rival->writing(); });
    auto* vote = playground->findChild<BlindVote*>();
    add(
        QStringLiteral("duel-blind") + suffix,
        [playground] {
            playground->findChild<QAbstractButton*>(QStringLiteral("rivalBlind"))->click();
            playground->generate();
        },
        [vote] { return !vote->waiting(); });
    add(
        QStringLiteral("duel-voted") + suffix, [vote] { vote->vote(BlindVote::Vote::Left); }, [] { return true; });
    add(
        QString(),
        [playground, both] {
            playground->findChild<QAbstractButton*>(QStringLiteral("blindOff"))->click();
            both->setChecked(false);
        },
        [] { return true; });
}

void Screenshots::planInside(bool work, const QString& suffix)
{
    auto* inspect = window_.findChild<InspectPanel*>();
    auto* tabs = inspect->findChild<QTabWidget*>(QStringLiteral("inspectTabs"));
    auto* tint = inspect->findChild<QComboBox*>(QStringLiteral("inspectTint"));
    const auto always = [] { return true; };
    add(
        QStringLiteral("inspect") + suffix,
        [this, work, inspect] {
            window_.showPanel(QStringLiteral("inspectDock"));
            if (work) inspect->look();
        },
        [inspect] { return !busy(inspect, "inspectStop") && inspect->findChild<MapGrid*>()->complete(); });
    add(
        QStringLiteral("inspect-pushes") + suffix,
        [tabs, tint] {
            tabs->setCurrentIndex(1);
            tint->setCurrentIndex(1);
        },
        always);
    add(
        QStringLiteral("inspect-reach") + suffix, [tabs] { tabs->setCurrentIndex(2); }, always);
    auto* reachOf = inspect->findChild<QComboBox*>(QStringLiteral("inspectReachOf"));
    add(
        QStringLiteral("inspect-heads") + suffix,
        [reachOf, work, inspect] {
            reachOf->setCurrentIndex(2);
            if (work) inspect->findChild<QAbstractButton*>(QStringLiteral("inspectNameHeads"))->click();
        },
        [inspect] { return !busy(inspect, "inspectStop"); });
    add(
        QStringLiteral("inspect-half-lives") + suffix, [reachOf] { reachOf->setCurrentIndex(3); }, always);
    add(
        QStringLiteral("inspect-layers") + suffix, [tabs] { tabs->setCurrentIndex(3); }, always);
    add(
        QStringLiteral("inspect-activations") + suffix,
        [inspect] {
            inspect->findChild<QComboBox*>(QStringLiteral("inspectLensOf"))->setCurrentIndex(3);
            auto* table = inspect->findChild<ActivationTable*>();
            if (table->rowCount() > 0) table->selectRow(table->rowCount() - 1);
        },
        always);
    auto* weights = inspect->findChild<WeightPane*>();
    add(
        QStringLiteral("weights") + suffix, [tabs] { tabs->setCurrentIndex(4); },
        [weights] { return !weights->busy(); });
    auto* costs = inspect->findChild<CostPane*>();
    add(
        QStringLiteral("costs") + suffix,
        [tabs, work, costs] {
            tabs->setCurrentIndex(5);
            if (work) costs->measure();
        },
        [costs] { return !costs->busy(); });
    auto* chart = inspect->findChild<CostChart*>();
    add(
        QStringLiteral("costs-selected") + suffix,
        [chart] {
            chart->setFocus(Qt::OtherFocusReason);
            for (const auto key : { Qt::Key_Right, Qt::Key_Space, Qt::Key_Right, Qt::Key_Right, Qt::Key_Space }) {
                QKeyEvent press(QEvent::KeyPress, key, Qt::NoModifier);
                QCoreApplication::sendEvent(chart, &press);
            }
        },
        [costs] { return costs->settled(); });
    add(
        QString(),
        [tabs, tint, reachOf, inspect] {
            inspect->findChild<QComboBox*>(QStringLiteral("inspectLensOf"))->setCurrentIndex(0);
            reachOf->setCurrentIndex(0);
            tabs->setCurrentIndex(0);
            tint->setCurrentIndex(0);
        },
        always);
}

/// Families that mix nothing have displays of their own: what each part writes, and what it is worth.
void Screenshots::planFamily(const std::filesystem::path& run, bool work, const QString& suffix)
{
    const auto* session = window_.runs().open(run);
    if (!session->problem().isEmpty() || !session->file().config.model.branchList().empty()) return;
    const auto family = QLatin1Char('-') + fromUtf8(session->file().config.model.family);
    auto* evaluate = window_.findChild<EvaluatePanel*>();
    auto* inspect = window_.findChild<InspectPanel*>();
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
        QStringLiteral("inspect") + family + suffix,
        [this, inspect] { // what was seen of another run is gone
            window_.showPanel(QStringLiteral("inspectDock"));
            inspect->look();
        },
        [inspect] { return !busy(inspect, "inspectStop") && inspect->findChild<MapGrid*>()->complete(); });
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

} // namespace pha::ui
