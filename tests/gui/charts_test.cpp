// SPDX-License-Identifier: GPL-3.0-or-later
// Charts: every point is kept and seen, axes survive any value, figures agree with their definitions.
#include "tests/gui/chart_helpers.h"
#include "tests/suite.h"
#include "ui/charts/chart_table.h"
#include "ui/charts/plot_items.h"
#include "ui/charts/recall_chart.h"
#include "ui/charts/redraw_queue.h"
#include "ui/charts/run_math.h"
#include "ui/charts/sampled_graph.h"
#include "ui/charts/value_ticker.h"
#include "ui/controls/table_tools.h"
#include "ui/format.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QPaintDevice>
#include <QPaintEngine>
#include <QSet>
#include <QSignalSpy>
#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <random>

using namespace pha;
using namespace pha::test;

namespace {

SampledGraph* graph(const TimePlot* plot, int index) { return static_cast<SampledGraph*>(plot->plot()->graph(index)); }

/// Counts the polygons that are painted on it.
class PolygonCounter : public QPaintDevice {
public:
    QPaintEngine* paintEngine() const override { return &engine_; }
    int polygons() const { return engine_.polygons; }

protected:
    int metric(PaintDeviceMetric what) const override
    {
        switch (what) {
        case PdmWidth:
        case PdmHeight:
            return 1000;
        case PdmDpiX:
        case PdmDpiY:
        case PdmPhysicalDpiX:
        case PdmPhysicalDpiY:
            return 96;
        case PdmDepth:
            return 32;
        default:
            return QPaintDevice::metric(what);
        }
    }

private:
    struct Engine : QPaintEngine {
        Engine()
            : QPaintEngine(AllFeatures)
        {
        }
        bool begin(QPaintDevice*) override { return true; }
        bool end() override { return true; }
        void updateState(const QPaintEngineState&) override { }
        void drawPixmap(const QRectF&, const QPixmap&, const QRectF&) override { }
        void drawLines(const QLineF*, int) override { }
        void drawPath(const QPainterPath&) override { }
        void drawPolygon(const QPointF*, int, PolygonDrawMode) override { ++polygons; }
        Type type() const override { return User; }
        int polygons = 0;
    };
    mutable Engine engine_;
};

struct MarkerProbe : MarkerItem {
    using MarkerItem::draw;
    using MarkerItem::MarkerItem;
};

} // namespace

class ChartsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
    void extremesAgreeWithASearch();
    void spikeAmongAMillionIsKeptAndSeen();
    void onePointAloneIsSeen();
    void raggedLineIsTheLineOfItsSegments_data();
    void raggedLineIsTheLineOfItsSegments();
    void notFiniteIsAGap();
    void keysNeverRunBackwards();
    void logarithmicAxisTakesAnything();
    void logarithmicTicksExistOnShortRanges();
    void ticksOfStepsAreWhole();
    void ticksOfBytesAreRoundInTheirUnit();
    void smoothingIsTheFormula();
    void gapClosedFigure();
    void edgeLabelsDoNotOverlap_data();
    void edgeLabelsDoNotOverlap();
    void labelsOfRecallDoNotOverlap();
    void placesOfSteps();
    void markersTellWhatHappened();
    void markersOfOneColumnAreDrawnOnce();
    void tableAndCsv();
    void anOpenTableFollowsAxisTitleAndCurves();
    void aLineEndInACellIsQuoted();
    void exportWritesPictures();
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
            if (std::isfinite(values[std::size_t(i)]))
                low = std::min(low, values[std::size_t(i)]), high = std::max(high, values[std::size_t(i)]);
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
    const int id =
        plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours&) { return QColor(Qt::red); } });
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

void ChartsTest::onePointAloneIsSeen()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id =
        plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours&) { return QColor(Qt::red); } });
    plot.append(id, 1, 5);
    plot.resize(640, 320);
    plot.show();
    plot.redraw();
    const auto picture = plot.plot()->toPixmap(0, 0, 1).toImage();
    int red = 0;
    for (int y = 0; y < picture.height(); ++y)
        for (int x = 0; x < picture.width(); ++x) {
            const auto c = picture.pixelColor(x, y);
            red += c.red() > c.green() + 60 ? 1 : 0;
        }
    QVERIFY2(red >= 8, qPrintable(QString::number(red)));
}

void ChartsTest::raggedLineIsTheLineOfItsSegments_data()
{
    QTest::addColumn<int>("points");
    QTest::newRow("fewer than columns") << 400;
    QTest::newRow("a few in each column") << 3000;
    QTest::newRow("many in each column") << 60000;
}

/// Drawn fast, it covers in each pixel column what the line from point to point passes there, and nothing in a gap.
void ChartsTest::raggedLineIsTheLineOfItsSegments()
{
    QFETCH(int, points);
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id =
        plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours&) { return QColor(Qt::red); } });
    std::mt19937 random(5);
    std::vector<double> values;
    for (int i = 0; i < points; ++i) {
        const bool gap = i > points / 3 && i < points / 2;
        values.push_back(gap ? notANumber : 3 + double(random() % 1000) / 1000);
        plot.append(id, i, values.back());
    }
    plot.resize(640, 320);
    plot.show();
    plot.showRange(points * 0.1, points * 0.9); // the line enters and leaves the picture in the middle of a segment
    plot.redraw();
    const auto picture = plot.plot()->toPixmap(0, 0, 1).toImage();
    const auto *x = plot.plot()->xAxis, *y = plot.plot()->yAxis;
    const auto* rect = plot.plot()->axisRect();
    int empty = 0;
    for (int column = rect->left() + 2; column < rect->right(); ++column) { // beside the axis
        const double from = x->pixelToCoord(column - 0.5), to = x->pixelToCoord(column + 0.5);
        const auto first = values.begin() + std::ptrdiff_t(x->pixelToCoord(column - 8)),
                   last = values.begin() + std::ptrdiff_t(x->pixelToCoord(column + 8)) + 2;
        const auto finite = std::count_if(first, last, [](double v) { return std::isfinite(v); });
        if (finite > 0 && finite < last - first) continue; // an end of the gap, with its mark
        double low = 1e9, high = -1e9; // pixels, from many places inside the column
        const int samples = 64 + int(16 * (to - from));
        for (int k = 0; k <= samples && finite > 0; ++k) {
            const double key = from + (to - from) * k / samples;
            const auto i = std::size_t(key);
            const double at = y->coordToPixel(values[i] + (values[i + 1] - values[i]) * (key - double(i)));
            low = std::min(low, at);
            high = std::max(high, at);
        }
        int top = -1, bottom = -1;
        for (int row = 0; row < picture.height(); ++row) {
            const QColor c(picture.pixel(column, row));
            if (c.red() > c.green() + 100) top = top < 0 ? row : top, bottom = row;
        }
        const auto text = QStringLiteral("column %1: %2 to %3, not %4 to %5").arg(column).arg(top).arg(bottom);
        if (finite == 0) {
            ++empty;
            QVERIFY2(top < 0, qPrintable(text.arg(0).arg(0)));
        } else {
            QVERIFY2(std::abs(top - low) < 3 && std::abs(bottom - high) < 3, qPrintable(text.arg(low).arg(high)));
        }
    }
    QVERIFY(empty > rect->width() / 10 && empty < rect->width() / 3);
}

void ChartsTest::notFiniteIsAGap()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id = plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    const double values[] = { 3, notANumber, std::numeric_limits<double>::infinity(),
        -std::numeric_limits<double>::infinity(), 2, notANumber };
    for (int i = 0; i < 6; ++i) plot.append(id, i, values[i]);
    QCOMPARE(plot.count(id), 6);
    for (const int i : { 1, 2, 3, 5 }) QVERIFY(std::isnan(plot.valueAt(id, i)));
    plot.resize(400, 300);
    plot.show();
    plot.redraw();
    const auto range = plot.plot()->yAxis->range();
    QVERIFY(range.lower < 2 && range.upper > 3 && range.upper < 10);
    plot.append(id, 6, 1e249); // too large for any axis: it takes nothing from the others
    plot.append(id, 7, 20);
    plot.redraw();
    QVERIFY(std::isnan(plot.valueAt(id, 6)));
    QVERIFY(plot.plot()->yAxis->range().upper > 20 && plot.plot()->yAxis->range().upper < 30);
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

void ChartsTest::ticksOfStepsAreWhole()
{
    ValueTicker ticker;
    ticker.setCounts(XAxis::Step);
    for (const int count : { 2, 5, 8 })
        for (const double last : { 3., 12., 19., 24., 77., 1300. }) {
            ticker.setTickCount(count);
            QVector<double> ticks;
            QVector<QString> labels;
            ticker.generate(QCPRange(1, last), QLocale::c(), QLatin1Char('g'), 6, ticks, nullptr, &labels);
            for (int i = 0; i < ticks.size(); ++i) {
                QCOMPARE(ticks[i], std::round(ticks[i]));
                QCOMPARE(labels[i], formatCount(std::llround(ticks[i])));
            }
        }
}

void ChartsTest::ticksOfBytesAreRoundInTheirUnit()
{
    constexpr double MiB = 1 << 20, GiB = 1024 * MiB;
    const auto labels = [](double low, double high, bool logarithmic = false, int count = 4) {
        ValueTicker ticker;
        ticker.setValues(ValueKind::Bytes);
        ticker.setLogarithmic(logarithmic);
        ticker.setTickCount(count);
        QVector<double> ticks;
        QVector<QString> words;
        ticker.generate(QCPRange(low, high), QLocale::c(), QLatin1Char('g'), 6, ticks, nullptr, &words);
        QStringList inside;
        for (int i = 0; i < ticks.size(); ++i)
            if (ticks[i] >= low && ticks[i] <= high) inside << words[i];
        return inside.join(QStringLiteral(", "));
    };
    QCOMPARE(labels(0, 300 * MiB), "0, 64 MiB, 128 MiB, 192 MiB, 256 MiB");
    QCOMPARE(labels(0.9 * GiB, 2.1 * GiB), "1024 MiB, 1280 MiB, 1536 MiB, 1792 MiB, 2048 MiB");
    QCOMPARE(labels(281 * MiB, 283 * MiB), "281.0 MiB, 281.5 MiB, 282.0 MiB, 282.5 MiB, 283.0 MiB");
    QCOMPARE(labels(0, 412 * MiB, false, 1), "0, 256 MiB");
    QCOMPARE(labels(90 * MiB, 1.1 * GiB, true), "128 MiB, 256 MiB, 0.5 GiB, 1 GiB");
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

void ChartsTest::labelsOfRecallDoNotOverlap()
{
    RecallChart chart;
    RecallEvent event { 10, "valid", {}, 0.5, {} };
    for (std::int64_t from = 1; from <= 1024; from *= 2) event.bins.push_back({ from, 2 * from, 100, 50, 0.1 });
    chart.setEvent(event);
    chart.show();
    const auto labels = [](const QCPAxis* axis) {
        const QFontMetrics metrics(axis->tickLabelFont());
        const auto texts = axis->tickVectorLabels();
        QVector<QRectF> boxes;
        for (int i = 0; i < texts.size(); ++i) {
            const double at = axis->coordToPixel(axis->tickVector()[i]), width = metrics.horizontalAdvance(texts[i]),
                         height = metrics.height();
            boxes << (axis->orientation() == Qt::Horizontal ? QRectF(at - width / 2, 0, width, height)
                                                            : QRectF(0, at - height / 2, width, height));
        }
        return boxes;
    };
    QSet<qsizetype> counts;
    for (const auto& size : { QSize(150, 120), QSize(260, 160), QSize(900, 400) })
        for (const double points : { 8, 14, 24 }) {
            chart.resize(size);
            auto font = chart.font();
            font.setPointSizeF(points);
            for (auto* axis : { chart.plot()->xAxis, chart.plot()->yAxis }) axis->setTickLabelFont(font);
            chart.redraw();
            for (const auto* axis : { chart.plot()->xAxis, chart.plot()->yAxis }) {
                const auto boxes = labels(axis);
                QVERIFY(!boxes.isEmpty());
                counts << boxes.size();
                for (int i = 1; i < boxes.size(); ++i)
                    QVERIFY2(!boxes[i].intersects(boxes[i - 1]),
                        qPrintable(QStringLiteral("%1x%2, %3 pt").arg(size.width()).arg(size.height()).arg(points)));
            }
        }
    QVERIFY(counts.contains(11) && counts.contains(5) && counts.contains(2)); // all where there is room
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
    for (const auto* word :
        { "disk full", "learning rate → 0.001", "pause, resume", "continued", "loss is not finite" })
        QVERIFY2(all.contains(QString::fromUtf8(word)), word);
}

void ChartsTest::markersOfOneColumnAreDrawnOnce()
{
    QCustomPlot plot;
    plot.setViewport(QRect(0, 0, 600, 300));
    plot.xAxis->setRange(0, 10'000);
    plot.replot(); // which lays it out
    auto* item = new MarkerProbe(&plot);
    const auto drawn = [&](PlotMarker::Kind kind, int count) {
        QVector<PlotMarker> markers;
        for (int i = 0; i < count; ++i) markers.append({ i * 10'000. / count, kind, {} });
        item->set(markers);
        PolygonCounter device;
        QCPPainter painter(&device);
        item->draw(&painter);
        return device.polygons();
    };
    for (const auto kind : { PlotMarker::Kind::Checkpoint, PlotMarker::Kind::Trouble, PlotMarker::Kind::Command }) {
        QCOMPARE(drawn(kind, 20), 20);
        const int many = drawn(kind, 10'000), width = plot.axisRect()->width();
        QVERIFY2(many > width / 2 && many <= width + 2, qPrintable(QString::number(many)));
    }
}

void ChartsTest::tableAndCsv()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
    const int id =
        plot.addSeries({ QStringLiteral("a, \"b\""), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
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

    const int again =
        plot.addSeries({ QStringLiteral("a, \"b\""), SeriesStyle::Line, [](const Colours& c) { return c.train; } });
    plot.append(again, 1, 0.1);
    plot.append(again, 2, notANumber);
    QCOMPARE(chartCsv(plot.sheets()),
        QByteArray("curve,step,P\n\"a, \"\"b\"\"\",1,0.10000000000000001\n\"a, \"\"b\"\"\",2,nan\n"));
    SeriesOptions more { QStringLiteral("b"), SeriesStyle::Line, [](const Colours& c) { return c.valid; } };
    more.columns << QStringLiteral("twice");
    more.figure = [](int index, int) { return 2. * index; };
    const int wide = plot.addSeries(more);
    plot.setLogarithmic(true);
    for (const double y : { 0.5, 0., 1e-9, 1e22, notANumber, -3. }) plot.append(wide, plot.count(wide), y);
    for (const auto& sheet : plot.sheets()) { // the table and the file say the same
        std::vector<double> line(std::size_t(sheet.columns.size()));
        for (int row = 0; row < sheet.rows(); ++row) {
            sheet.line(row, line);
            for (int column = 0; column < sheet.columns.size(); ++column)
                QCOMPARE(line[std::size_t(column)], sheet.cell(row, column).toDouble());
        }
    }
    QVERIFY2(chartCsv(plot.sheets())
                 .endsWith("curve,step,P,twice\nb,0,0.5,0\nb,1,0,2\nb,2,1.0000000000000001e-09,4\nb,3,1e+22,6\nb,4,nan,"
                           "8\nb,5,-3,10\n"),
        chartCsv(plot.sheets()).constData());
    const auto* dialog = plot.showTable();
    QVERIFY(dialog->isVisible());
    QVERIFY(dialog->findChild<QComboBox*>(QStringLiteral("sheet"))->count() == 2);
}

void ChartsTest::anOpenTableFollowsAxisTitleAndCurves()
{
    TimePlot plot(QStringLiteral("p"), QStringLiteral("Loss"), ValueKind::Loss);
    const auto colour = [](const Colours& c) { return c.train; };
    plot.addSeries({ QStringLiteral("a"), SeriesStyle::Line, colour });
    const int id = plot.addSeries({ QStringLiteral("b"), SeriesStyle::Line, colour });
    for (int i = 0; i < 3; ++i) plot.append(id, i, 2);
    plot.resize(400, 300);
    plot.show();
    const auto* dialog = plot.showTable();
    auto* curve = dialog->findChild<QComboBox*>(QStringLiteral("sheet"));
    const auto* model = dialog->findChild<ChartTableModel*>();
    const auto heading = [model](int column) {
        return model->headerData(column, Qt::Horizontal, Qt::DisplayRole).toString();
    };
    curve->setCurrentIndex(1);
    QCOMPARE(heading(0), QStringLiteral("step"));
    QCOMPARE(heading(1), QStringLiteral("Loss"));

    plot.setXAxis(XAxis::Tokens);
    plot.setTitle(QStringLiteral("Perplexity"));
    QSignalSpy changed(model, &ChartTableModel::dataChanged);
    plot.clearPoints(id);
    for (int i = 0; i < 3; ++i) plot.append(id, 100 * i, 7); // as many points as before
    QTRY_COMPARE(heading(1), QStringLiteral("Perplexity"));
    QCOMPARE(heading(0), plot.sheets()[1].columns[0]);
    QVERIFY(heading(0) != QStringLiteral("step"));
    QVERIFY(dialog->windowTitle().startsWith(QStringLiteral("Perplexity")));
    QCOMPARE(curve->currentText(), QStringLiteral("b")); // as it was chosen
    QCOMPARE(model->rowCount(), 3);
    QTRY_VERIFY(!changed.isEmpty()); // or the view would go on to show the old points

    plot.removeAllSeries();
    plot.append(plot.addSeries({ QStringLiteral("c"), SeriesStyle::Line, colour }), 1, 2);
    QTRY_COMPARE(curve->currentText(), QStringLiteral("c"));
    QCOMPARE(model->rowCount(), 1);
}

void ChartsTest::aLineEndInACellIsQuoted()
{
    for (const auto* text : { "a\rb", "a\nb", "a\r\nb", "a,b" }) {
        const QString name = QLatin1String(text);
        QCOMPARE(csvLine({ name, QStringLiteral("c") }), QStringLiteral("\"%1\",c\n").arg(name));
        const ChartSheet sheet { name, { QStringLiteral("x") }, [] { return 1; },
            [](int, int) { return QVariant(2.); } };
        QCOMPARE(chartCsv({ sheet }), QByteArray("curve,x\n\"") + text + "\",2\n");
    }
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
    QVERIFY(!plot.exportTo(folder_.filePath(QStringLiteral("chart.xyz")), problem)
        && problem.contains(QStringLiteral(".png")));
    QVERIFY(!plot.exportTo(folder_.filePath(QStringLiteral("nowhere/chart.png")), problem)
        && problem.contains(QStringLiteral("nowhere")));
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
        connect(
            plots[std::size_t(i)]->plot(), &QCustomPlot::afterReplot, this, [&drawn, i] { ++drawn[std::size_t(i)]; });
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

PHA_TEST(ChartsTest)
#include "charts_test.moc"
