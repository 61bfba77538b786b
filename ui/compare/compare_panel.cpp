// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/compare_panel.h"

#include "ui/charts/readout_strip.h"
#include "ui/charts/time_plot.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_private.h"
#include "ui/compare/scaling_chart.h"
#include "ui/controls/controls.h"
#include "ui/controls/table_tools.h"
#include "ui/format.h"

#include <QClipboard>
#include <QComboBox>
#include <QFileDialog>
#include <QGuiApplication>
#include <QSettings>
#include <QSignalBlocker>
#include <QTableView>
#include <QToolButton>

#include <algorithm>

namespace pha::ui {

namespace {

constexpr int tableEvery = 500; ///< milliseconds between two looks at the figures of runs that train
/// Milliseconds between two looks at a group of which a run trains: over time the mean of the others is drawn anew each
/// time beyond its last update.
constexpr int groupEvery = 200;
constexpr auto groupedKey = "compare/groupSeeds", bandKey = "compare/band";

} // namespace

ComparePanel::Private::Private(ComparePanel* panel)
    : q(panel)
    , v(panel)
    , link(this)
    , queue(this)
{
    for (auto* chart : { v.perplexity, v.loss }) {
        link.add(chart);
        chart->setRedrawQueue(&queue);
        connect(chart, &TimePlot::curveClicked, this, [this](int owner) {
            if (owner >= 0 && owner < sessions.size()) Q_EMIT q->runClicked(sessions[owner]);
        });
        connect(chart, &TimePlot::logarithmicToggled, v.logarithmic, &QToolButton::setChecked);
    }
    queue.setWork([this] { return work(); });
    queue.setPaused(true);
    v.model->setWatched(false);
    tableTimer.setSingleShot(true);
    tableTimer.setInterval(tableEvery);
    connect(&tableTimer, &QTimer::timeout, this, &Private::updateTable);
    groupTimer.setSingleShot(true);
    groupTimer.setInterval(groupEvery);
    connect(&groupTimer, &QTimer::timeout, this, [this] {
        for (auto& feed : feeds)
            if (!feed.dirty) feed.dirty = std::exchange(feed.waiting, false);
        queue.requestWork();
    });
    recallSwitches();
    connect(v.model, &CompareModel::groupsChanged, this, &Private::rebuild);
    connect(v.axis, &QComboBox::currentIndexChanged, this, [this] {
        for (auto* chart : { v.perplexity, v.loss }) chart->setXAxis(axis());
        for (auto& feed : feeds) {
            feed.curves->restart(axis());
            feed.dirty = true;
        }
        link.fitAndFollow(); // a range of steps means nothing in tokens
        queue.requestWork();
    });
    connect(v.logarithmic, &QToolButton::toggled, this, [this](bool on) {
        for (auto* chart : { v.perplexity, v.loss }) chart->setLogarithmic(on);
    });
    connect(v.fit, &QToolButton::clicked, &link, &PlotLink::fitAndFollow);
    connect(v.baseline, &QComboBox::activated, this,
        [this](int i) { q->setBaseline(toPath(v.baseline->itemData(i).toString())); });
    connect(v.equal, &QToolButton::toggled, this, [this](bool on) {
        v.model->setShowEqual(on);
        describe();
    });
    connect(
        v.copy, &QToolButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(selectedText(*v.table)); });
    connect(v.csv, &QToolButton::clicked, this, &Private::save);
    connect(&link, &PlotLink::cursorMoved, this, &Private::readOut);
    connect(v.show, &QComboBox::currentIndexChanged, this, &Private::showScaling);
    connect(v.by, &QComboBox::activated, this, &Private::showScaling);
    connect(v.scaling, &ScalingChart::readingChanged, v.readout, &ReadoutStrip::setItems);
    connect(&link, &PlotLink::cursorLeft, this, [this] {
        under = nullptr;
        v.readout->clear();
    });
    connect(&Theme::instance(), &Theme::changed, v.model, &CompareModel::restyle);
    describe();
}

void ComparePanel::Private::setSessions(QVector<RunSession*> wanted)
{
    for (auto* session : std::as_const(sessions))
        if (!wanted.contains(session)) session->disconnect(this);
    for (auto* session : std::as_const(wanted)) {
        if (sessions.contains(session)) continue;
        const auto grown = [this, session] { grow(session); };
        connect(session, &RunSession::changed, this, grown);
        connect(session, &RunSession::stateChanged, this, [this, session, grown] {
            const auto place = sessions.indexOf(session);
            if (place >= 0 && names.value(place) != session->name()) rebuild(); // renamed
            grown();
        });
        connect(session, &QObject::destroyed, this, [this](QObject* gone) {
            // A mere QObject by now: its address is all that may be used.
            sessions.removeIf([gone](RunSession* s) { return static_cast<QObject*>(s) == gone; });
            rebuild();
        });
    }
    sessions = std::move(wanted);
    rebuild();
}

void ComparePanel::Private::grow(const RunSession* session)
{
    for (auto& feed : feeds) {
        if (!feed.curves->shows(session)) continue;
        if (feed.group && (feed.dirty || (session->active() && !session->loading()))) {
            feed.waiting = true; // a look that goes on ends first, and the charts are drawn
            if (!feed.dirty && !groupTimer.isActive()) groupTimer.start();
        } else {
            feed.dirty = true;
        }
    }
    queue.requestWork();
    if (!tableTimer.isActive() && q->isVisible()) tableTimer.start();
}

void ComparePanel::Private::recallSwitches()
{
    const QSettings settings;
    v.group->setChecked(settings.value(QLatin1String(groupedKey), true).toBool());
    v.band->setCurrentIndex(std::clamp(settings.value(QLatin1String(bandKey)).toInt(), 0, v.band->count() - 1));
    v.band->setEnabled(v.group->isChecked());
    v.model->setGrouped(v.group->isChecked());
    connect(v.group, &QToolButton::toggled, this, [this](bool on) {
        QSettings().setValue(QLatin1String(groupedKey), on);
        v.band->setEnabled(on);
        v.model->setGrouped(on);
        rebuild();
    });
    connect(v.band, &QComboBox::currentIndexChanged, this, [this](int kind) {
        QSettings().setValue(QLatin1String(bandKey), kind);
        rebuild();
    });
}

void ComparePanel::Private::chooseBaseline()
{
    base = nullptr;
    for (auto* session : std::as_const(sessions))
        if (session->directory() == chosen) base = session;
    if (base) return;
    for (auto* session : std::as_const(sessions))
        if (!base || session->file().created < base->file().created) base = session;
}

/// A group stands where the first of its runs does.
void ComparePanel::Private::fillBaselines()
{
    const QSignalBlocker quiet(v.baseline);
    v.baseline->clear();
    const auto groups = v.model->groups();
    QVector<qsizetype> listed;
    for (auto* session : std::as_const(sessions)) {
        const auto holds = [session](const QVector<RunSession*>& group) { return group.contains(session); };
        const auto place = std::find_if(groups.begin(), groups.end(), holds) - groups.begin();
        if (place == groups.size() || listed.contains(place)) continue;
        listed << place;
        v.baseline->addItem(shortened(v.model->nameOf(int(place))), fromPath(session->directory()));
    }
    v.baseline->setCurrentIndex(int(listed.indexOf(0))); // the model has the baseline first
}

void ComparePanel::Private::save()
{
    const auto bytes = q->csv().toUtf8(); // before the question: other runs may come while it stands
    const auto path = q->askForFile(q);
    if (!path.isEmpty()) v.hint->save(path, bytes);
}

ComparePanel::ComparePanel(QWidget* parent)
    : QWidget(parent)
    , askForFile([](QWidget* over) {
        return QFileDialog::getSaveFileName(
            over, tr("Export"), QStringLiteral("comparison.csv"), tr("CSV files (*.csv)"));
    })
    , d_(std::make_unique<Private>(this))
{
    setObjectName(QStringLiteral("comparePanel"));
    setAccessibleName(tr("Comparison"));
}

ComparePanel::~ComparePanel() = default;

void ComparePanel::setSessions(const QVector<RunSession*>& shown, RunSession* current)
{
    QVector<RunSession*> wanted;
    for (auto* session : shown)
        if (session && session->problem().isEmpty() && !wanted.contains(session)) wanted << session;
    if (current && current->problem().isEmpty() && !wanted.contains(current)) wanted << current;
    if (wanted == d_->sessions && current == d_->current) return;
    d_->current = current;
    d_->setSessions(std::move(wanted));
}

void ComparePanel::setBaseline(const fs::path& run)
{
    if (run == d_->chosen) return;
    d_->chosen = run;
    d_->rebuild();
}

RunSession* ComparePanel::baseline() const { return d_->base; }

std::map<fs::path, int> ComparePanel::sharedColours() const
{
    std::map<fs::path, int> colours;
    if (!isVisible()) return colours;
    for (const auto& group : d_->v.model->groups())
        for (auto* session : group)
            if (session != group.first()) colours[session->directory()] = int(d_->sessions.indexOf(group.first()));
    return colours;
}

void ComparePanel::toggleGroups() { d_->v.group->toggle(); }

void ComparePanel::toggleLogAxis()
{
    if (!d_->scaling()) d_->v.logarithmic->toggle();
}

void ComparePanel::cycleXAxis()
{
    if (!d_->scaling()) d_->v.axis->setCurrentIndex((d_->v.axis->currentIndex() + 1) % d_->v.axis->count());
}

void ComparePanel::fitAndFollow()
{
    if (!d_->scaling()) d_->link.fitAndFollow();
}

QString ComparePanel::csv() const
{
    while (d_->v.model->refresh()) { }
    return d_->v.model->csv();
}

void ComparePanel::exportImage()
{
    ChartFrame* chart = d_->scaling() ? static_cast<ChartFrame*>(d_->v.scaling)
        : d_->v.loss->hasFocus()      ? d_->v.loss
                                      : d_->v.perplexity;
    chart->askAndExport(QStringLiteral("png"));
}

void ComparePanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    d_->queue.setPaused(false);
    d_->v.model->setWatched(true);
    d_->updateTable();
    Q_EMIT coloursChanged();
}

void ComparePanel::hideEvent(QHideEvent* event)
{
    QWidget::hideEvent(event);
    d_->queue.setPaused(true);
    d_->v.model->setWatched(false);
    Q_EMIT coloursChanged();
}

} // namespace pha::ui
