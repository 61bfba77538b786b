// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/monitor_panel.h"

#include "ui/charts/monitor_panel_p.h"

#include "ui/format.h"
#include "ui/look/icons.h"

#include <QApplication>
#include <QMenu>
#include <QResizeEvent>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

/// Updates that one slice of work takes in for each curve: about a millisecond.
constexpr std::size_t rowsAtOnce = 4096;

} // namespace

MonitorPanel::MonitorPanel(QWidget* parent)
    : QWidget(parent)
    , d_(std::make_unique<Private>(this))
{
    setObjectName(QStringLiteral("monitorPanel"));
}

MonitorPanel::~MonitorPanel() = default;

void MonitorPanel::setSessions(const QVector<RunSession*>& shown, RunSession* current)
{
    d_->setSessions(shown, current);
}

void MonitorPanel::setReleaseQueue(const QAction* action) { d_->setReleaseQueue(action); }

void MonitorPanel::toggleLogAxis() { d_->setLogarithmic(!d_->toolbar_->logarithmic()); }

void MonitorPanel::cycleXAxis() { d_->toolbar_->setAxis(XAxis((int(d_->toolbar_->settings().axis) + 1) % 3)); }

void MonitorPanel::fitAndFollow() { d_->link_->fitAndFollow(); }

void MonitorPanel::changeSmoothing(double delta)
{
    d_->toolbar_->setSmoothing(std::clamp(d_->toolbar_->settings().smoothing + delta, 0., 0.99));
}

void MonitorPanel::exportImage() { d_->exportChart(); }

void MonitorPanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    d_->setVisible(true);
}

void MonitorPanel::hideEvent(QHideEvent* event)
{
    QWidget::hideEvent(event);
    d_->setVisible(false);
}

void MonitorPanel::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    d_->arrange();
}

MonitorPanel::Private::Private(MonitorPanel* panel)
    : toolbar_(new MonitorToolbar)
    , link_(new PlotLink(this))
    , q(panel)
    , header_(new RunHeader)
    , readout_(new ReadoutStrip)
    , mixing_(new MixingPanel)
    , recall_(new RecallChart)
    , queue_(new RedrawQueue(this))
{
    charts_.loss = new TimePlot(QStringLiteral("lossChart"), tr("Loss"), ValueKind::Loss);
    charts_.throughput = new TimePlot(QStringLiteral("throughputChart"), tr("Tokens/s"), ValueKind::Rate);
    charts_.throughput->setToolTip(plainToolTip(tr(
        "Tokens of training a second. Of GEMM: its operations (three times those of a forward pass) as a share of what "
        "large matrix products reach on the devices of the run, measured once it has lasted ten seconds")));
    charts_.memory = new TimePlot(QStringLiteral("memoryChart"), tr("Memory"), ValueKind::Bytes);
    charts_.learningRate = new TimePlot(QStringLiteral("learningRateChart"), tr("LR"), ValueKind::Scientific);
    charts_.load = new TimePlot(QStringLiteral("loadChart"), tr("Load"), ValueKind::Scientific);
    charts_.load->setToolTip(
        plainToolTip(tr("Processor cores that this program keeps busy, and the share of time in which the card is. "
                        "Power and temperature where the device tells them.")));
    charts_.gradient = new TimePlot(QStringLiteral("gradientChart"), tr("Gradient"), ValueKind::Scientific);
    charts_.inContext = new TimePlot(QStringLiteral("inContextChart"), tr("In context"), ValueKind::Loss);
    charts_.inContext->setToolTip(tr(
        "In-context gain, nats a token: by how much less random tokens cost when they come a second time. At a place: "
        "how much of what it reads the strongest induction head reads after earlier ones of the same token. "
        "The table has the strongest head of every kind. Taken with each evaluation."));
    charts_.learningRate->setToolTip(tr("Learning rate"));
    charts_.gradient->setToolTip(tr("Norm of the gradient before it is clipped"));
    build();
    q->setFocusProxy(charts_.loss); // arrow keys read it, and Space pauses the run instead of pressing a button
    connectSettings();
    queue_->setWork([this] { return work(); });
    queue_->setPaused(true);
    describe();
}

void MonitorPanel::Private::connectSettings()
{
    connect(toolbar_, &MonitorToolbar::quantityChanged, this, [this] {
        charts_.loss->setKind(toolbar_->settings().perplexity ? ValueKind::Perplexity : ValueKind::Loss);
        setLogarithmic(toolbar_->settings().perplexity ? logPerplexity_ : logLoss_);
        restartCurves();
    });
    connect(toolbar_, &MonitorToolbar::axisChanged, this, [this] {
        const auto axis = toolbar_->settings().axis;
        for (auto* chart : charts_.all()) chart->setXAxis(axis);
        mixing_->setXAxis(axis);
        link_->fitAndFollow(); // a range of steps means nothing in tokens
        restartCurves();
    });
    const auto smoothing = [this] {
        for (auto& feed : feeds_) {
            feed.curves->restartSmoothing(toolbar_->settings());
            feed.dirty = true;
        }
        queue_->requestWork();
    };
    connect(mixing_, &MixingPanel::fellBehind, queue_, &RedrawQueue::requestWork);
    connect(toolbar_, &MonitorToolbar::smoothingChanged, this, smoothing);
    connect(toolbar_, &MonitorToolbar::rawToggled, this, smoothing);
    connect(toolbar_, &MonitorToolbar::logarithmicToggled, this, &Private::setLogarithmic);
    connect(charts_.loss, &TimePlot::logarithmicToggled, this, &Private::setLogarithmic);
    connect(toolbar_, &MonitorToolbar::followRequested, link_, &PlotLink::fitAndFollow);
    connect(toolbar_, &MonitorToolbar::exportRequested, this, &Private::exportChart);
    charts_.loss->setMenuSource([this](QMenu& menu, double x) {
        offerAlert(menu, x);
        offerFork(menu, x);
    });
    connect(link_, &PlotLink::followingChanged, this, [this] { toolbar_->setFollowing(link_->following()); });
    connect(link_, &PlotLink::cursorMoved, this, &Private::readOut);
    connect(link_, &PlotLink::cursorLeft, this, [this] {
        readout_->clear();
        mixing_->showLatest();
    });
}

/// From the newest checkpoint at or before that place, else from the first one there is.
void MonitorPanel::Private::offerFork(QMenu& menu, double x)
{
    if (!current_ || !current_->problem().isEmpty()) return;
    const auto& history = current_->history();
    const RunDirectory run(current_->directory());
    const auto all = run.list();
    if (all.empty()) return;
    const auto axis = toolbar_->settings().axis;
    auto wanted = all.front();
    for (const auto& name : all)
        if (placeOfStep(history, axis, double(checkpointStep(name).value_or(0))) <= x) wanted = name;
    auto* action = menu.addAction(icon(QStringLiteral("fork")),
        tr("For&k from step %1\u2026").arg(formatCount(checkpointStep(wanted).value_or(0))));
    action->setObjectName(QStringLiteral("forkHere"));
    connect(action, &QAction::triggered, q,
        [this, checkpoint = run.checkpoints() / wanted] { Q_EMIT q->forkRequested(checkpoint); });
    menu.addSeparator();
}

/// The one that is nearest to that place.
void MonitorPanel::Private::offerAlert(QMenu& menu, double x)
{
    if (!current_ || current_->history().alerts.empty()) return;
    const auto& history = current_->history();
    const auto axis = toolbar_->settings().axis;
    const auto away = [&](const AlertEvent& a) { return std::abs(placeOfStep(history, axis, double(a.step)) - x); };
    const auto nearest = std::min_element(history.alerts.begin(), history.alerts.end(),
        [&](const AlertEvent& a, const AlertEvent& b) { return away(a) < away(b); });
    auto* action = menu.addAction(tr("Show &alert of step %1").arg(formatCount(nearest->step)));
    action->setObjectName(QStringLiteral("alertHere"));
    connect(action, &QAction::triggered, q, [this, step = nearest->step] { Q_EMIT q->alertRequested(step); });
}

void MonitorPanel::Private::setLogarithmic(bool on)
{
    (toolbar_->settings().perplexity ? logPerplexity_ : logLoss_) = on;
    toolbar_->setLogarithmic(on);
    charts_.loss->setLogarithmic(on);
}

void MonitorPanel::Private::setSessions(const QVector<RunSession*>& shown, RunSession* current)
{
    QVector<RunSession*> wanted;
    for (auto* session : shown)
        if (session && !wanted.contains(session)) wanted << session;
    if (current && !wanted.contains(current)) wanted << current;
    if (wanted == shown_ && current == current_) return;
    for (auto* session : std::as_const(shown_))
        if (!wanted.contains(session)) session->disconnect(this);
    for (auto* session : std::as_const(wanted)) {
        if (shown_.contains(session)) continue;
        connect(session, &RunSession::changed, this, [this, session] { sessionChanged(session); });
        connect(session, &RunSession::stateChanged, this, [this, session] { sessionChanged(session); });
        connect(session, &QObject::destroyed, this, &Private::sessionGone);
    }
    const bool otherRun = current != current_;
    shown_ = wanted;
    current_ = current;
    if (otherRun) mixing_->setHistory(current_ ? &current_->history() : nullptr);
    rebuildCurves();
}

void MonitorPanel::Private::sessionGone(QObject* session)
{
    // The object is a mere QObject by now: its address is all that may be used.
    shown_.removeIf([session](RunSession* s) { return static_cast<QObject*>(s) == session; });
    if (static_cast<QObject*>(current_) == session) {
        current_ = nullptr;
        mixing_->setHistory(nullptr);
    }
    rebuildCurves();
}

void MonitorPanel::Private::rebuildCurves()
{
    feeds_.clear();
    names_.clear();
    for (auto* chart : charts_.all()) chart->removeAllSeries();
    const bool alone = shown_.size() <= 1;
    QVector<int> order;
    for (int i = 0; i < shown_.size(); ++i) {
        names_ << shown_[i]->name();
        if (shown_[i] != current_) order << i;
    }
    if (current_) order << int(shown_.indexOf(current_)); // last: on top of the others
    for (const int i : std::as_const(order))
        feeds_.push_back({ std::make_unique<RunCurves>(shown_[i], charts_,
            RunLook { i, shown_[i] == current_, alone, shown_[i]->name() }, toolbar_->settings()) });
    describe();
    queue_->requestWork();
}

void MonitorPanel::Private::restartCurves()
{
    for (auto& feed : feeds_) {
        feed.curves->restart(toolbar_->settings());
        feed.dirty = true;
    }
    queue_->requestWork();
}

void MonitorPanel::Private::sessionChanged(RunSession* session)
{
    const auto place = shown_.indexOf(session);
    if (place < 0) return;
    if (names_[place] != session->name()) return rebuildCurves();
    for (auto& feed : feeds_)
        if (feed.curves->session() == session) feed.dirty = true;
    queue_->requestWork();
}

void MonitorPanel::Private::setVisible(bool visible) { queue_->setPaused(!visible); }

bool MonitorPanel::Private::work()
{
    for (auto& feed : feeds_) {
        if (!feed.dirty) continue;
        feed.dirty = feed.curves->advance(rowsAtOnce);
        // A long file shows itself while it is read, but not at every slice: drawing would slow the reading.
        if (feed.dirty && sinceDescribed_.isValid() && sinceDescribed_.elapsed() < 250) return true;
        if (feed.dirty) break;
    }
    mixing_->advance();
    if (mixing_->behind() && sinceDescribed_.isValid() && sinceDescribed_.elapsed() < 250) return true;
    describe();
    return mixing_->behind() || std::any_of(feeds_.begin(), feeds_.end(), [](const Feed& feed) { return feed.dirty; });
}

void MonitorPanel::Private::exportChart()
{
    for (auto* w = QApplication::focusWidget(); w; w = w->parentWidget())
        if (auto* chart = qobject_cast<ChartFrame*>(w); chart && q->isAncestorOf(chart))
            return chart->askAndExport(QStringLiteral("png"));
    charts_.loss->askAndExport(QStringLiteral("png"));
}

} // namespace pha::ui
