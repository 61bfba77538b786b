// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/compare_panel.h"

#include "ui/charts/plot_link.h"
#include "ui/charts/readout_strip.h"
#include "ui/charts/redraw_queue.h"
#include "ui/compare/compare_curves.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_view.h"
#include "ui/format.h"
#include "ui/panels/controls.h"
#include "ui/panels/table_tools.h"

#include <QClipboard>
#include <QComboBox>
#include <QElapsedTimer>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHeaderView>
#include <QLabel>
#include <QSignalBlocker>
#include <QStackedWidget>
#include <QTableView>
#include <QTimer>
#include <QToolButton>

#include <algorithm>

namespace pha::ui {

namespace {

constexpr std::size_t rowsAtOnce = 4096; ///< of a curve in one slice of work: about a millisecond
constexpr int tableEvery = 500; ///< milliseconds between two looks at the figures of runs that train

} // namespace

class ComparePanel::Private : public QObject {
    Q_OBJECT

public:
    explicit Private(ComparePanel* panel);

    void setSessions(QVector<RunSession*> wanted);
    void rebuild();
    bool work();
    void chooseBaseline();
    void fillBaselines();
    void updateTable();
    void describe();
    void readOut(TimePlot* plot, double x);
    void save();
    XAxis axis() const { return XAxis(std::max(0, v.axis->currentIndex())); }

    struct Feed {
        std::unique_ptr<CompareCurves> curves;
        bool dirty = true;
    };
    ComparePanel* q;
    CompareView v;
    PlotLink link;
    RedrawQueue queue;
    QTimer tableTimer;
    QVector<RunSession*> sessions;
    QPointer<RunSession> current, base;
    fs::path chosen; ///< baseline that the user wants; need not be among the runs
    std::vector<Feed> feeds;
    QStringList names; ///< of the sessions, as the curves have them
};

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
    tableTimer.setSingleShot(true);
    tableTimer.setInterval(tableEvery);
    connect(&tableTimer, &QTimer::timeout, this, &Private::updateTable);
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
    connect(&link, &PlotLink::cursorLeft, v.readout, &ReadoutStrip::clear);
    connect(&Theme::instance(), &Theme::changed, v.model, &CompareModel::restyle);
    describe();
}

void ComparePanel::Private::setSessions(QVector<RunSession*> wanted)
{
    for (auto* session : std::as_const(sessions))
        if (!wanted.contains(session)) session->disconnect(this);
    for (auto* session : std::as_const(wanted)) {
        if (sessions.contains(session)) continue;
        const auto grown = [this, session] {
            for (auto& feed : feeds)
                if (feed.curves->session() == session) feed.dirty = true;
            queue.requestWork();
            if (!tableTimer.isActive() && q->isVisible()) tableTimer.start();
        };
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

void ComparePanel::Private::chooseBaseline()
{
    base = nullptr;
    for (auto* session : std::as_const(sessions))
        if (session->directory() == chosen) base = session;
    if (base) return;
    for (auto* session : std::as_const(sessions))
        if (!base || session->file().created < base->file().created) base = session;
}

void ComparePanel::Private::fillBaselines()
{
    const QSignalBlocker quiet(v.baseline);
    v.baseline->clear();
    for (auto* session : std::as_const(sessions))
        v.baseline->addItem(shortened(session->name()), fromPath(session->directory()));
    v.baseline->setCurrentIndex(int(sessions.indexOf(base.data())));
}

void ComparePanel::Private::rebuild()
{
    feeds.clear();
    names.clear();
    for (auto* session : std::as_const(sessions)) names << session->name();
    for (auto* chart : { v.perplexity, v.loss }) chart->removeAllSeries();
    chooseBaseline();
    fillBaselines();
    QVector<LegendEntry> legend;
    for (int i = 0; i < sessions.size(); ++i) {
        feeds.push_back(
            { std::make_unique<CompareCurves>(sessions[i], i, sessions[i] == current, v.perplexity, v.loss, axis()) });
        legend.append(
            { sessions[i]->name(), [i](const Colours& c) { return c.run(i); }, LegendEntry::Mark::ThickLine });
    }
    for (auto* chart : { v.perplexity, v.loss }) chart->setLegend(legend);
    v.model->setSessions(sessions, base);
    describe();
    queue.requestWork();
}

bool ComparePanel::Private::work()
{
    bool more = false;
    for (auto& feed : feeds)
        if (feed.dirty) more |= feed.dirty = feed.curves->advance(rowsAtOnce);
    const bool evaluated = std::any_of(sessions.begin(), sessions.end(),
        [](const RunSession* session) { return lastValidation(session->history()) != nullptr; });
    const bool trained = std::any_of(
        sessions.begin(), sessions.end(), [](const RunSession* session) { return !session->history().step.empty(); });
    v.perplexity->setEmptyText(evaluated ? QString() : tr("No evaluations yet: curves appear after the first one."));
    v.loss->setEmptyText(trained ? QString() : tr("No updates yet."));
    for (auto* chart : { v.perplexity, v.loss }) chart->requestRedraw();
    return more;
}

void ComparePanel::Private::updateTable()
{
    v.model->refresh();
    describe();
}

void ComparePanel::Private::describe()
{
    v.pages->setCurrentIndex(sessions.isEmpty() ? 0 : 1);
    v.hint->say(sessions.size() == 1 ? tr("Tick another run in the list to compare it with this one.") : QString());
    for (int row = 0; row < v.model->rowCount({}); ++row)
        if (v.model->isSection(row) && v.table->columnSpan(row, 0) == 1) v.table->setSpan(row, 0, 1, 2);
    auto* header = v.table->horizontalHeader();
    for (int column = 0; column < v.model->columnCount({}); ++column) {
        header->setSectionResizeMode(column, QHeaderView::ResizeToContents);
        header->setMaximumSectionSize(v.table->fontMetrics().averageCharWidth() * 40);
    }
}

void ComparePanel::Private::readOut(TimePlot* plot, double x)
{
    QVector<ReadoutStrip::Item> items { { {}, {}, axisText(axis(), x) } };
    for (const auto& value : plot->cursorValues(x))
        items.append({ value.colour, value.name, valueText(value.kind, value.value) });
    v.readout->setItems(std::move(items));
}

void ComparePanel::Private::save()
{
    const auto path = q->askForFile(q);
    if (!path.isEmpty()) v.hint->save(path, q->csv().toUtf8());
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

QString ComparePanel::csv() const
{
    d_->v.model->refresh();
    return d_->v.model->csv();
}

void ComparePanel::exportImage()
{
    auto* chart = d_->v.loss->hasFocus() ? d_->v.loss : d_->v.perplexity;
    chart->askAndExport(QStringLiteral("png"));
}

void ComparePanel::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    d_->queue.setPaused(false);
    d_->updateTable();
}

void ComparePanel::hideEvent(QHideEvent* event)
{
    QWidget::hideEvent(event);
    d_->queue.setPaused(true);
}

} // namespace pha::ui

#include "compare_panel.moc"
