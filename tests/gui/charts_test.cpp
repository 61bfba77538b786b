// SPDX-License-Identifier: GPL-3.0-or-later
// Charts: every point is kept and seen, axes survive any value, figures agree with their definitions.
#include "ui/charts/chart_table.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/plot_items.h"
#include "ui/charts/redraw_queue.h"
#include "ui/charts/run_math.h"
#include "ui/charts/sampled_graph.h"
#include "ui/charts/time_plot.h"
#include "ui/charts/value_ticker.h"
#include "ui/run_session.h"

#include "engine/run/metrics.h"

#include <QAbstractButton>
#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QLabel>
#include <QMenu>
#include <QSignalSpy>
#include <QSlider>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QWheelEvent>

#include <cmath>
#include <limits>
#include <random>

using namespace pha;
using namespace pha::ui;

namespace {

constexpr double notANumber = std::numeric_limits<double>::quiet_NaN();

StepEvent stepEvent(std::int64_t step, double loss)
{
    StepEvent e;
    e.step = step;
    e.tokens = step * 1000;
    e.seconds = double(step) * 0.25;
    e.loss = loss;
    e.learningRate = 1e-3;
    e.gradNorm = 0.5;
    e.tokensPerSecond = 4000;
    e.processBytes = 1 << 28;
    e.deviceBytes = 1 << 27;
    return e;
}

EvalEvent evalEvent(std::int64_t step, double nll, std::optional<double> floor = {})
{
    EvalEvent e;
    e.step = step;
    e.split = "valid";
    e.nll = nll;
    e.floorNll = floor;
    return e;
}

std::vector<Event> steps(std::int64_t from, std::int64_t to)
{
    std::vector<Event> events;
    for (auto i = from; i <= to; ++i) events.push_back(stepEvent(i, 5 - 0.001 * double(i)));
    return events;
}

/// A run that exists only in memory: what it receives is all there is.
std::unique_ptr<RunSession> session(const std::string& name, std::int64_t planned = 1000)
{
    RunFile file;
    file.name = name;
    file.config.training.steps = planned;
    return std::make_unique<RunSession>(fs::path("/nonexistent") / name, file);
}

SampledGraph* graph(const TimePlot* plot, int index) { return static_cast<SampledGraph*>(plot->plot()->graph(index)); }

/// Index of the curve with that name in the data table; -1.
int sheetIndex(const TimePlot* plot, const QString& name)
{
    const auto sheets = plot->sheets();
    for (int i = 0; i < sheets.size(); ++i)
        if (sheets[i].name == name) return i;
    return -1;
}

int rowsOf(const TimePlot* plot, const QString& name)
{
    const int i = sheetIndex(plot, name);
    return i < 0 ? -1 : plot->sheets()[i].rows();
}

double cellOf(const TimePlot* plot, const QString& name, int row, int column)
{
    const int i = sheetIndex(plot, name);
    return i < 0 ? notANumber : plot->sheets()[i].cell(row, column).toDouble();
}

struct Panel {
    MonitorPanel panel;
    TimePlot* loss = panel.findChild<TimePlot*>(QStringLiteral("lossChart"));
    Panel()
    {
        panel.resize(1100, 700);
        panel.show();
    }
};

} // namespace

class ChartsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void extremesAgreeWithASearch();
    void spikeAmongAMillionIsKeptAndSeen();
    void notFiniteIsAGap();
    void keysNeverRunBackwards();
    void logarithmicAxisTakesAnything();
    void logarithmicTicksExistOnShortRanges();
    void smoothingIsTheFormula();
    void gapClosedFigure();
    void edgeLabelsDoNotOverlap_data();
    void edgeLabelsDoNotOverlap();
    void placesOfSteps();
    void markersTellWhatHappened();
    void panelAddsOnlyNewRows();
    void panelStartsOverWhenTheHistoryWasCleared();
    void xAxisSwitch();
    void perplexityView();
    void smoothingSwitch();
    void overlayAndClick();
    void sessionsMayVanish();
    void hiddenPanelDrawsNothing();
    void zoomStopsFollowing();
    void keyboardCursorReadsValues();
    void pointerReadsAllCharts();
    void tableAndCsv();
    void exportWritesPictures();
    void everyControlIsNamed();
    void themesAndTextSize();
    void runFromDisk();
    void queueDrawsEachChartOnce();

private:
    QTemporaryDir folder_;
};

void ChartsTest::initTestCase() { qputenv("XDG_CONFIG_HOME", folder_.path().toUtf8()); }

void ChartsTest::extremesAgreeWithASearch()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    auto* g = new SampledGraph(plot.plot()->xAxis, plot.plot()->yAxis);
    std::mt19937 random(3);
    std::vector<double> values;
    for (int i = 0; i < 9000; ++i) {
        values.push_back(random() % 17 == 0 ? notANumber : double(random() % 100000));
        g->append(i, values.back());
    }
    for (int i = 0; i < 50; ++i) {
        const auto at = random() % values.size();
        values[at] = double(random() % 200000) - 50000;
        g->replace(int(at), values[at]);
    }
    for (int round = 0; round < 2000; ++round) {
        int from = int(random() % values.size()), to = int(random() % (values.size() + 1));
        if (round % 3 == 0) to = std::min(int(values.size()), from + int(random() % 5));
        if (from > to) std::swap(from, to);
        double low = std::numeric_limits<double>::infinity(), high = -low;
        for (int i = from; i < to; ++i)
            if (std::isfinite(values[std::size_t(i)])) low = std::min(low, values[std::size_t(i)]), high = std::max(high, values[std::size_t(i)]);
        double a = 0, b = 0;
        const bool found = g->extremes(from, to, a, b);
        QCOMPARE(found, low <= high);
        if (found) QVERIFY2(a == low && b == high, qPrintable(QStringLiteral("%1..%2").arg(from).arg(to)));
    }
}

void ChartsTest::spikeAmongAMillionIsKeptAndSeen()
{
    constexpr int n = 1'000'000, spike = 654'321;
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id = plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours&) { return QColor(Qt::red); } });
    for (int i = 0; i < n; ++i) plot.append(id, i, i == spike ? 9 : 1);
    QCOMPARE(plot.count(id), n);
    QCOMPARE(plot.valueAt(id, spike), 9.);
    QCOMPARE(plot.xAt(id, spike), double(spike));
    plot.resize(640, 320);
    plot.show();
    plot.redraw();
    const auto picture = plot.plot()->toPixmap(0, 0, 1).toImage();
    const auto* axes = plot.plot();
    const int x = int(axes->xAxis->coordToPixel(spike)), y = int(axes->yAxis->coordToPixel(6));
    bool seen = false;
    for (int dx = -2; dx <= 2; ++dx) {
        const QColor c(picture.pixel(x + dx, y));
        seen |= c.red() > c.green() + 60;
    }
    QVERIFY(seen);
    // And drawing costs what the width costs, not what the run's length would.
    QVERIFY(axes->graph(0)->data()->size() == n);
}

void ChartsTest::notFiniteIsAGap()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id = plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    const double values[] = { 3, notANumber, std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity(), 2, notANumber };
    for (int i = 0; i < 6; ++i) plot.append(id, i, values[i]);
    QCOMPARE(plot.count(id), 6);
    for (const int i : { 1, 2, 3, 5 }) QVERIFY(std::isnan(plot.valueAt(id, i)));
    plot.resize(400, 300);
    plot.show();
    plot.redraw();
    const auto range = plot.plot()->yAxis->range();
    QVERIFY(range.lower < 2 && range.upper > 3 && range.upper < 10);
    // All rows that are not finite, or none at all: still a valid picture.
    plot.clearPoints(id);
    for (int i = 0; i < 5000; ++i) plot.append(id, i, notANumber);
    plot.redraw();
    plot.setLogarithmic(true);
    plot.redraw();
    QVERIFY(QCPRange::validRange(plot.plot()->yAxis->range()));
}

void ChartsTest::keysNeverRunBackwards()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id = plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    for (const double x : { 1., 2., 5., 3., 4., 6. }) plot.append(id, x, x);
    plot.append(id, notANumber, 1); // no place: cannot be drawn anywhere
    QCOMPARE(plot.count(id), 6);
    for (int i = 1; i < 6; ++i) QVERIFY(plot.xAt(id, i) >= plot.xAt(id, i - 1));
    QCOMPARE(plot.valueAt(id, 3), 3.);
}

void ChartsTest::logarithmicAxisTakesAnything()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Scientific);
    const int id = plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    const double values[] = { 0, 4, -2, notANumber, 0.5, 1e-30, 0 };
    for (int i = 0; i < 6; ++i) plot.append(id, i, values[i]);
    plot.resize(400, 300);
    plot.show();
    plot.setLogarithmic(true);
    plot.append(id, 6, values[6]);
    plot.redraw();
    QCOMPARE(plot.count(id), 7);
    for (int i = 0; i < 7; ++i) {
        const double drawn = graph(&plot, 0)->value(i);
        if (std::isnan(values[i])) {
            QVERIFY(std::isnan(drawn) && std::isnan(plot.valueAt(id, i)));
        } else {
            QVERIFY(drawn > 0);
            QCOMPARE(plot.valueAt(id, i), values[i]); // table and readout tell the truth
        }
    }
    QVERIFY(plot.plot()->yAxis->range().lower > 0);
    QVERIFY(std::isfinite(plot.plot()->yAxis->coordToPixel(graph(&plot, 0)->value(0))));
    plot.setLogarithmic(false);
    for (int i = 0; i < 7; ++i)
        if (!std::isnan(values[i])) QCOMPARE(graph(&plot, 0)->value(i), values[i]);
    // A curve without any positive value has no logarithm to stand on; it must not break the axis.
    plot.clearPoints(id);
    for (int i = 0; i < 4; ++i) plot.append(id, i, 0);
    plot.setLogarithmic(true);
    plot.redraw();
    QVERIFY(QCPRange::validRange(plot.plot()->yAxis->range()) && plot.plot()->yAxis->range().lower > 0);
}

void ChartsTest::logarithmicTicksExistOnShortRanges()
{
    for (const auto& range : { QCPRange(2.1, 2.3), QCPRange(1.9, 7.4), QCPRange(3, 60), QCPRange(1e-9, 1e6) }) {
        ValueTicker ticker;
        ticker.setValues(ValueKind::Loss);
        ticker.setLogarithmic(true);
        ticker.setTickCount(5);
        QVector<double> ticks;
        QVector<QString> labels;
        ticker.generate(range, QLocale::c(), QLatin1Char('g'), 6, ticks, nullptr, &labels);
        QVERIFY2(ticks.size() >= 2 && ticks.size() <= 16, qPrintable(QString::number(ticks.size())));
        const QSet<QString> distinct(labels.begin(), labels.end());
        QCOMPARE(distinct.size(), labels.size());
    }
}

void ChartsTest::smoothingIsTheFormula()
{
    const double at[] = { 1, 2, 3, 7, 8, 20, 21 };
    const double values[] = { 5, 4, notANumber, 3, 6, 1, 2 };
    for (const double s : { 0., 0.6, 0.99 })
        for (const double unit : { 1., 2.5 }) {
            Smoother smoother(s, unit);
            for (int i = 0; i < 7; ++i) {
                const double got = smoother.next(at[i], values[i]);
                if (std::isnan(values[i])) {
                    QVERIFY(std::isnan(got));
                    continue;
                }
                double sum = 0, weights = 0;
                for (int j = 0; j <= i; ++j) {
                    if (std::isnan(values[j])) continue;
                    const double w = i == j ? 1 : std::pow(s, (at[i] - at[j]) / unit);
                    sum += w * values[j];
                    weights += w;
                }
                QVERIFY(std::abs(got - sum / weights) < 1e-12);
            }
        }
    QCOMPARE(smoothingUnit(200), 1.);
    QCOMPARE(smoothingUnit(50000), 50.);
}

void ChartsTest::gapClosedFigure()
{
    RunHistory h;
    QVERIFY(!gapClosed(h));
    h.append(ReferenceEvent { 7, 5, 4, 2. });
    QVERIFY(!gapClosed(h));
    h.append(evalEvent(10, 3));
    QVERIFY(std::abs(*gapClosed(h) - 2. / 3) < 1e-12);
    h.append(evalEvent(20, 3, 1.)); // the floor of the very tokens that were scored
    QVERIFY(std::abs(*gapClosed(h) - 0.5) < 1e-12);
    auto muted = evalEvent(30, 6);
    muted.note = "muted 0:attention";
    h.append(muted);
    QVERIFY(std::abs(*gapClosed(h) - 0.5) < 1e-12);
    h.append(evalEvent(40, notANumber));
    QVERIFY(!gapClosed(h));
    h.references->unigram = 0.5; // below the floor: there is no gap
    h.append(evalEvent(50, 3));
    QVERIFY(!gapClosed(h));
}

void ChartsTest::edgeLabelsDoNotOverlap_data()
{
    QTest::addColumn<QVector<double>>("wanted");
    QTest::newRow("none") << QVector<double> {};
    QTest::newRow("apart") << QVector<double> { 20, 60, 100 };
    QTest::newRow("same place") << QVector<double> { 50, 50, 50, 50 };
    QTest::newRow("at the bottom") << QVector<double> { 190, 195, 199, 200 };
    QTest::newRow("blocks that meet") << QVector<double> { 40, 41, 66, 67, 68, 120 };
}

void ChartsTest::edgeLabelsDoNotOverlap()
{
    QFETCH(QVector<double>, wanted);
    const auto tops = EdgeLabelItem::spread(wanted, 14, 0, 200);
    QCOMPARE(tops.size(), wanted.size());
    for (int i = 0; i < tops.size(); ++i) {
        QVERIFY(tops[i] >= -1e-9 && tops[i] + 14 <= 200 + 1e-9);
        if (i > 0) QVERIFY(tops[i] - tops[i - 1] >= 14 - 1e-9);
    }
    if (wanted == QVector<double> { 20, 60, 100 })
        for (int i = 0; i < 3; ++i) QCOMPARE(tops[i] + 7, wanted[i]); // who has room stays
}

void ChartsTest::placesOfSteps()
{
    RunHistory h;
    QCOMPARE(placeOfStep(h, XAxis::Tokens, 5), 0.);
    for (const int s : { 10, 20, 40 }) h.append(stepEvent(s, 1));
    QCOMPARE(placeOfStep(h, XAxis::Step, 13), 13.);
    QCOMPARE(placeOfStep(h, XAxis::Tokens, 20), 20000.);
    QCOMPARE(placeOfStep(h, XAxis::Seconds, 21), 10.);
    QCOMPARE(placeOfStep(h, XAxis::Tokens, 0), 0.);
    QCOMPARE(placeOfStep(h, XAxis::Tokens, 99), 40000.);
    QCOMPARE(rowNear(h, XAxis::Tokens, 26000), 1);
    QCOMPARE(rowNear(h, XAxis::Step, 1e9), 2);
    QCOMPARE(rowNear(RunHistory {}, XAxis::Step, 1), -1);
}

void ChartsTest::markersTellWhatHappened()
{
    RunHistory h;
    for (int i = 1; i <= 100; ++i) h.append(stepEvent(i, 1));
    h.append(StatusEvent { 0, RunState::Running, "" });
    h.append(CheckpointEvent { 20, "step-00000020", true, "" });
    h.append(CheckpointEvent { 40, "step-00000040", true, "" });
    h.append(CheckpointEvent { 60, "", false, "disk full" });
    h.append(CommandEvent { 50, "learning_rate", "0.001" });
    h.append(CommandEvent { 70, "pause", "" });
    h.append(CommandEvent { 70, "resume", "" });
    h.append(StatusEvent { 80, RunState::Stopped, "" });
    h.append(StatusEvent { 80, RunState::Running, "" });
    h.append(StatusEvent { 90, RunState::Diverged, "loss is not finite" });
    const auto markers = runMarkers(h, XAxis::Tokens);
    QStringList texts;
    int best = 0, trouble = 0;
    for (const auto& m : markers) {
        texts << m.text;
        best += m.kind == PlotMarker::Kind::BestCheckpoint;
        trouble += m.kind == PlotMarker::Kind::Trouble;
    }
    QCOMPARE(best, 1); // only the last best one still is
    QCOMPARE(trouble, 2);
    QCOMPARE(markers[1].x, 40000.);
    const auto all = texts.join(QLatin1Char('\n'));
    for (const auto* word : { "disk full", "learning rate → 0.001", "pause, resume", "continued", "loss is not finite" })
        QVERIFY2(all.contains(QString::fromUtf8(word)), word);
}

void ChartsTest::panelAddsOnlyNewRows()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    run->receive(steps(1, 300));
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 300);
    QCOMPARE(rowsOf(p.loss, QStringLiteral("train")), 300);
    auto* memory = p.panel.findChild<TimePlot*>(QStringLiteral("memoryChart"));
    QCOMPARE(rowsOf(memory, QStringLiteral("process")), 300);
    QCOMPARE(rowsOf(memory, QStringLiteral("device")), 300);
    // The loss of the unsmoothed curve is the loss.
    for (const int row : { 0, 137, 299 }) QCOMPARE(cellOf(p.loss, QStringLiteral("train, raw"), row, 1), run->history().loss[std::size_t(row)]);
    auto more = steps(301, 20000);
    more.push_back(evalEvent(20000, 3.25));
    run->receive(more);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 20000);
    QCOMPARE(rowsOf(p.loss, QStringLiteral("train")), 20000);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("valid")), 1);
    QCOMPARE(cellOf(p.loss, QStringLiteral("valid"), 0, 0), 20000.);
    QCOMPARE(cellOf(p.loss, QStringLiteral("valid"), 0, 1), 3.25);
    Smoother expected(0.6, smoothingUnit(1000));
    double last = 0;
    for (std::size_t i = 0; i < run->history().step.size(); ++i) last = expected.next(run->history().step[i], run->history().loss[i]);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train"), 19999, 1), last);
}

void ChartsTest::panelStartsOverWhenTheHistoryWasCleared()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    run->receive(steps(1, 500));
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 500);
    auto rewound = steps(1, 200);
    for (auto& e : rewound) std::get<StepEvent>(e).loss = 1.5;
    run->restore(rewound);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 200);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 200);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train, raw"), 199, 1), 1.5);
}

void ChartsTest::xAxisSwitch()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    auto events = steps(1, 100);
    events.push_back(evalEvent(50, 4));
    run->receive(events);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 100);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train"), 41, 0), 42.);
    p.panel.cycleXAxis();
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 100);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train"), 41, 0), 42000.);
    QTRY_COMPARE(cellOf(p.loss, QStringLiteral("valid"), 0, 0), 50000.);
    p.panel.cycleXAxis();
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 100);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train"), 41, 0), 10.5);
    QTRY_VERIFY(p.loss->plot()->xAxis->range().upper < 30);
    p.panel.cycleXAxis();
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 100);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train"), 41, 0), 42.);
}

void ChartsTest::perplexityView()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    std::vector<Event> events { ReferenceEvent { std::log(1024.), 5, 4, 2. }, stepEvent(1, std::log(50.)), stepEvent(2, 5000), stepEvent(3, notANumber), evalEvent(3, 3) };
    run->receive(events);
    QTRY_COMPARE(p.loss->headline(), QStringLiteral("67 % of the learnable gap closed"));
    QTest::mouseClick(p.panel.findChild<QToolButton*>(QStringLiteral("showPerplexity")), Qt::LeftButton);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 3);
    QVERIFY(std::abs(cellOf(p.loss, QStringLiteral("train, raw"), 0, 1) - 50) < 1e-9);
    QVERIFY(std::isfinite(cellOf(p.loss, QStringLiteral("train, raw"), 1, 1))); // e^5000 is no number
    QVERIFY(std::isnan(cellOf(p.loss, QStringLiteral("train, raw"), 2, 1)));
    QVERIFY(std::abs(cellOf(p.loss, QStringLiteral("valid"), 0, 1) - std::exp(3.)) < 1e-9);
    QVERIFY(p.loss->logarithmic()); // its own choice, and the loss keeps its own
    QTest::mouseClick(p.panel.findChild<QToolButton*>(QStringLiteral("showLoss")), Qt::LeftButton);
    QVERIFY(!p.loss->logarithmic());
    p.panel.toggleLogAxis();
    QVERIFY(p.loss->logarithmic());
    QVERIFY(p.panel.findChild<QToolButton*>(QStringLiteral("logAxis"))->isChecked());
}

void ChartsTest::smoothingSwitch()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    run->receive(steps(1, 50));
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 50);
    auto* slider = p.panel.findChild<QSlider*>(QStringLiteral("smoothing"));
    p.panel.changeSmoothing(0.1);
    QCOMPARE(slider->value(), 70);
    p.panel.changeSmoothing(5);
    QCOMPARE(slider->value(), 99);
    p.panel.changeSmoothing(-5);
    QCOMPARE(slider->value(), 0);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 50);
    QCOMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 0); // unsmoothed, it would be drawn twice
    for (int i = 0; i < 50; ++i) QCOMPARE(cellOf(p.loss, QStringLiteral("train"), i, 1), run->history().loss[std::size_t(i)]);
    p.panel.changeSmoothing(0.5);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 50);
    QTest::mouseClick(p.panel.findChild<QToolButton*>(QStringLiteral("rawCurve")), Qt::LeftButton);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 50);
    QCOMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 0);
}

void ChartsTest::overlayAndClick()
{
    Panel p;
    auto a = session("a"), b = session("b");
    a->receive(steps(1, 100));
    auto other = steps(1, 100);
    for (auto& e : other) std::get<StepEvent>(e).loss += 10;
    b->receive(other);
    p.panel.setSessions({ a.get(), b.get() }, a.get());
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("a · train")), 100);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("b · train")), 100);
    QCOMPARE(rowsOf(p.loss, QStringLiteral("a · train, raw")), 100); // raw for the current run only
    QCOMPARE(rowsOf(p.loss, QStringLiteral("b · train, raw")), -1);
    QTRY_VERIFY(p.loss->plot()->yAxis->range().contains(14.9));
    QSignalSpy clicked(&p.panel, &MonitorPanel::runClicked);
    const auto* axes = p.loss->plot();
    const QPoint place(int(axes->xAxis->coordToPixel(50)), int(axes->yAxis->coordToPixel(14.95)));
    QTest::mouseClick(p.loss->plot(), Qt::LeftButton, {}, place);
    QCOMPARE(clicked.size(), 1);
    QCOMPARE(clicked[0][0].value<RunSession*>(), b.get());
    QTest::mouseClick(p.loss->plot(), Qt::LeftButton, {}, QPoint(place.x(), int(axes->yAxis->coordToPixel(9.5))));
    QCOMPARE(clicked.size(), 1); // nothing there
}

void ChartsTest::sessionsMayVanish()
{
    Panel p;
    auto a = session("a"), b = session("b");
    a->receive(steps(1, 100));
    b->receive(steps(1, 100));
    p.panel.setSessions({ a.get(), nullptr, a.get() }, b.get());
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("a · train")), 100);
    b.reset();
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 100);
    a.reset();
    QTRY_COMPARE(p.loss->sheets().size(), 0);
    p.panel.fitAndFollow();
    p.panel.cycleXAxis();
    QCoreApplication::processEvents();
    p.panel.setSessions({}, nullptr);
    auto* empty = p.loss->plot()->findChild<QLabel*>();
    QVERIFY(empty && empty->isVisible() && !empty->text().isEmpty());
}

void ChartsTest::hiddenPanelDrawsNothing()
{
    MonitorPanel panel;
    panel.resize(900, 700);
    auto run = session("a");
    panel.setSessions({ run.get() }, run.get());
    int drawn = 0;
    const auto plots = panel.findChildren<QCustomPlot*>();
    QVERIFY(plots.size() >= 6);
    QCoreApplication::processEvents(); // QCustomPlot's constructor asks for one drawing
    for (auto* plot : plots) connect(plot, &QCustomPlot::afterReplot, this, [&drawn] { ++drawn; });
    run->receive(steps(1, 100));
    for (int i = 0; i < 20; ++i) QCoreApplication::processEvents();
    QCOMPARE(drawn, 0);
    panel.show();
    auto* loss = panel.findChild<TimePlot*>(QStringLiteral("lossChart"));
    QTRY_COMPARE(rowsOf(loss, QStringLiteral("train")), 100);
    QTRY_VERIFY(drawn >= 5);
    panel.hide();
    for (int i = 0; i < 20; ++i) QCoreApplication::processEvents();
    drawn = 0;
    run->receive(steps(101, 200));
    for (int i = 0; i < 20; ++i) QCoreApplication::processEvents();
    QCOMPARE(drawn, 0);
}

void ChartsTest::zoomStopsFollowing()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    run->receive(steps(1, 100));
    QTRY_VERIFY(p.loss->plot()->xAxis->range().contains(100));
    auto* gradient = p.panel.findChild<TimePlot*>(QStringLiteral("gradientChart"));
    auto* live = p.loss->findChild<QToolButton*>(QStringLiteral("backToLive"));
    QVERIFY(p.loss->following() && !live->isVisible());
    auto* surface = p.loss->plot();
    const auto middle = QPointF(surface->rect().center());
    QWheelEvent wheel(middle, surface->mapToGlobal(middle), {}, QPoint(0, 240), Qt::NoButton, Qt::NoModifier, Qt::NoScrollPhase, false);
    QCoreApplication::sendEvent(surface, &wheel);
    QVERIFY(!p.loss->following() && !gradient->following() && live->isVisible());
    const auto zoomed = surface->xAxis->range();
    QVERIFY(zoomed.size() < 90);
    QCOMPARE(gradient->plot()->xAxis->range().size(), zoomed.size()); // one x axis for all
    run->receive(steps(101, 200));
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 200);
    QCoreApplication::processEvents();
    QCOMPARE(surface->xAxis->range().size(), zoomed.size()); // new data does not move the view
    // Pan, then a box, then back.
    QTest::mousePress(surface, Qt::LeftButton, {}, middle.toPoint());
    QTest::mouseMove(surface, middle.toPoint() - QPoint(40, 0));
    QTest::mouseRelease(surface, Qt::LeftButton, {}, middle.toPoint() - QPoint(40, 0));
    QVERIFY(surface->xAxis->range().lower > zoomed.lower);
    const auto rect = surface->axisRect()->rect();
    const double low = surface->yAxis->pixelToCoord(rect.center().y() + 20);
    QTest::mousePress(surface, Qt::LeftButton, Qt::ShiftModifier, rect.center() - QPoint(30, 20));
    QTest::mouseMove(surface, rect.center() + QPoint(30, 20));
    QTest::mouseRelease(surface, Qt::LeftButton, Qt::ShiftModifier, rect.center() + QPoint(30, 20));
    QVERIFY(std::abs(surface->yAxis->range().lower - low) < 0.05);
    QTest::mouseClick(live, Qt::LeftButton);
    QVERIFY(p.loss->following() && gradient->following());
    QTRY_VERIFY(surface->xAxis->range().upper >= 200);
}

void ChartsTest::keyboardCursorReadsValues()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    run->receive(steps(1, 20));
    QTRY_VERIFY(p.loss->plot()->xAxis->range().contains(20));
    auto* readout = p.panel.findChild<QWidget*>(QStringLiteral("readout"));
    p.loss->setFocus();
    QTest::keyClick(p.loss, Qt::Key_Right);
    QTest::keyClick(p.loss, Qt::Key_Right);
    QVERIFY2(readout->accessibleDescription().contains(QStringLiteral("step 2 ")), qPrintable(readout->accessibleDescription()));
    QVERIFY(readout->accessibleDescription().contains(QStringLiteral("4.9980"))); // the raw loss of step 2
    QVERIFY(p.loss->accessibleDescription().startsWith(QStringLiteral("step 2:")));
    QTest::keyClick(p.loss, Qt::Key_Left);
    QVERIFY(readout->accessibleDescription().contains(QStringLiteral("step 1 ")));
    QTest::keyClick(p.loss, Qt::Key_Left); // before the first point there is none
    QVERIFY(readout->accessibleDescription().contains(QStringLiteral("step 1 ")));
    QTest::keyClick(p.loss, Qt::Key_Plus);
    QVERIFY(!p.loss->following());
    QTest::keyClick(p.loss, Qt::Key_Home);
    QVERIFY(p.loss->following());
    QTest::keyClick(p.loss, Qt::Key_Escape);
    QVERIFY(readout->accessibleDescription().isEmpty());
}

void ChartsTest::pointerReadsAllCharts()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    auto events = steps(1, 20);
    events.push_back(CheckpointEvent { 10, "step-00000010", false, "" });
    run->receive(events);
    QTRY_VERIFY(p.loss->plot()->xAxis->range().contains(20));
    auto* surface = p.loss->plot();
    QTest::mouseMove(surface, QPoint(int(surface->xAxis->coordToPixel(10)), surface->axisRect()->center().y()));
    const auto text = p.panel.findChild<QWidget*>(QStringLiteral("readout"))->accessibleDescription();
    for (const auto* part : { "step 10", "tokens 10", "train ", "process ", "learning rate 0.001", "gradient norm 0.5", "checkpoint" })
        QVERIFY2(text.contains(QLatin1String(part)), qPrintable(text));
}

void ChartsTest::tableAndCsv()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id = plot.addSeries({ QStringLiteral("a, \"b\""), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    for (int i = 0; i < 10; ++i) plot.append(id, i, i == 3 ? notANumber : 0.1 * i);
    ChartTableModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.setSheet(plot.sheets().at(0));
    QCOMPARE(model.rowCount(), 10);
    QCOMPARE(model.columnCount(), 2);
    plot.append(id, 10, 7);
    model.refresh();
    QCOMPARE(model.rowCount(), 11);
    QCOMPARE(model.index(10, 1).data().toString(), QStringLiteral("7"));
    QCOMPARE(model.index(3, 1).data().toString(), QStringLiteral("not finite"));
    plot.removeAllSeries(); // a table may outlive its curve
    QCOMPARE(model.index(2, 1).data().toString(), QString());
    model.refresh();
    QCOMPARE(model.rowCount(), 0);

    const int again = plot.addSeries({ QStringLiteral("a, \"b\""), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    plot.append(again, 1, 0.1);
    plot.append(again, 2, notANumber);
    QCOMPARE(chartCsv(plot.sheets()), QByteArray("curve,step,P\n\"a, \"\"b\"\"\",1,0.10000000000000001\n\"a, \"\"b\"\"\",2,nan\n"));
    const auto* dialog = plot.showTable();
    QVERIFY(dialog->isVisible());
    QVERIFY(dialog->findChild<QComboBox*>(QStringLiteral("sheet"))->count() == 1);
}

void ChartsTest::exportWritesPictures()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id = plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    for (int i = 0; i < 100; ++i) plot.append(id, i, std::sin(i));
    plot.resize(400, 300);
    plot.show();
    QString problem;
    for (const auto* ending : { "png", "svg", "pdf", "csv" }) {
        const auto file = folder_.filePath(QStringLiteral("chart.") + QLatin1String(ending));
        QVERIFY2(plot.exportTo(file, problem), qPrintable(problem));
        QVERIFY(QFileInfo(file).size() > 500);
    }
    const QImage picture(folder_.filePath(QStringLiteral("chart.png")));
    QCOMPARE(picture.width(), 2 * plot.plot()->width());
    QVERIFY(!plot.exportTo(folder_.filePath(QStringLiteral("chart.xyz")), problem) && problem.contains(QStringLiteral(".png")));
    QVERIFY(!plot.exportTo(QStringLiteral("/nonexistent/chart.png"), problem) && problem.contains(QStringLiteral("/nonexistent")));

    Panel p;
    const auto chosen = folder_.filePath(QStringLiteral("panel.png"));
    ChartFrame::setFileChooser([chosen](QWidget*, const QString&, const QString&) { return chosen; });
    p.panel.exportImage();
    QVERIFY(QFileInfo::exists(chosen));
}

void ChartsTest::everyControlIsNamed()
{
    Panel p;
    int controls = 0;
    for (auto* widget : p.panel.findChildren<QWidget*>()) {
        const bool control = qobject_cast<QAbstractButton*>(widget) || qobject_cast<QComboBox*>(widget) || qobject_cast<QSlider*>(widget);
        const bool chart = qobject_cast<ChartFrame*>(widget);
        if ((!control && !chart) || widget->objectName().startsWith(QLatin1String("qt_"))) continue;
        ++controls;
        const auto name = qPrintable(widget->objectName() + QLatin1Char(' ') + QLatin1String(widget->metaObject()->className()));
        QVERIFY2(!widget->objectName().isEmpty(), name);
        QVERIFY2(!widget->accessibleName().isEmpty(), name);
        if (control) QVERIFY2(!widget->toolTip().isEmpty(), name);
        QVERIFY2(widget->focusPolicy() & Qt::TabFocus || widget->objectName() == QLatin1String("backToLive"), name);
    }
    QVERIFY(controls > 15);
}

void ChartsTest::themesAndTextSize()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    run->receive(steps(1, 50));
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 50);
    auto& theme = Theme::instance();
    theme.apply();
    const int before = p.loss->plot()->axisRect()->left();
    for (const auto mode : { Theme::Mode::Dark, Theme::Mode::Light }) {
        theme.setMode(mode);
        const auto picture = p.loss->plot()->toPixmap().toImage();
        QCOMPARE(QColor(picture.pixel(3, 3)), theme.colours().plot);
    }
    theme.setTextScale(1.8);
    QVERIFY(p.loss->plot()->axisRect()->margins().left() > before); // labels stay whole
    theme.setTextScale(1);
}

void ChartsTest::runFromDisk()
{
    const fs::path path = fs::path(folder_.path().toStdString()) / "run";
    RunFile file;
    file.name = "from disk";
    RunDirectory(path).create(file);
    MetricsWriter writer(RunDirectory(path).metricsFile());
    for (int i = 1; i <= 120; ++i) writer.append(stepEvent(i, i == 60 ? notANumber : 4));
    RunSession run(path);
    Panel p;
    p.panel.setSessions({ &run }, &run);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 120);
    QVERIFY(std::isnan(cellOf(p.loss, QStringLiteral("train"), 59, 1)));
    writer.append(stepEvent(121, 3));
    run.poll();
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 121);
}

void ChartsTest::queueDrawsEachChartOnce()
{
    QWidget window;
    RedrawQueue queue(&window);
    std::vector<std::unique_ptr<TimePlot>> plots;
    std::vector<int> drawn(5, 0);
    int worked = 0;
    queue.setWork([&] { return ++worked < 4; });
    for (int i = 0; i < 5; ++i) {
        plots.push_back(std::make_unique<TimePlot>(QStringLiteral("p%1").arg(i), QStringLiteral("P"), ValueKind::Loss));
        plots.back()->show();
    }
    QCoreApplication::processEvents();
    for (int i = 0; i < 5; ++i) {
        plots[std::size_t(i)]->setRedrawQueue(&queue);
        connect(plots[std::size_t(i)]->plot(), &QCustomPlot::afterReplot, this, [&drawn, i] { ++drawn[std::size_t(i)]; });
    }
    QTRY_VERIFY(queue.idle());
    QCoreApplication::processEvents();
    std::fill(drawn.begin(), drawn.end(), 0);
    queue.setPaused(true);
    queue.requestWork();
    for (int round = 0; round < 10; ++round)
        for (auto& plot : plots) plot->requestRedraw();
    QCoreApplication::processEvents();
    QCOMPARE(worked, 0);
    plots.back().reset(); // a chart that goes while it waits
    queue.setPaused(false);
    QTRY_VERIFY(queue.idle());
    QCOMPARE(worked, 4); // all data first
    for (int i = 0; i < 4; ++i) QCOMPARE(drawn[std::size_t(i)], 1);
}

QTEST_MAIN(ChartsTest)
#include "charts_test.moc"
