// SPDX-License-Identifier: GPL-3.0-or-later
// Runs of equal settings and different seeds as one curve with a band.
#include "chart_helpers.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/readout_strip.h"
#include "ui/charts/run_math.h"
#include "ui/charts/sampled_graph.h"
#include "ui/compare/compare_curves.h"
#include "ui/compare/compare_model.h"
#include "ui/compare/compare_panel.h"
#include "ui/compare/group_curves.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include <cmath>
#include <random>

using namespace pha;
using namespace pha::ui;

namespace {

/// Another course for each seed.
double lossOf(std::int64_t step, std::int64_t seed)
{
    return 2 + 4 * std::exp(-double(step) / 80) + 0.1 * double(seed) + 0.05 * test::noise(step, std::uint64_t(seed));
}

std::vector<Event> updates(std::int64_t from, std::int64_t to, std::int64_t seed)
{
    std::vector<Event> events;
    for (auto i = from; i <= to; ++i) {
        auto event = test::stepEvent(i, lossOf(i, seed));
        event.seconds = double(i) * (0.2 + 0.01 * double(seed)); // no two runs are equally fast
        events.emplace_back(event);
        if (i % 20 == 0) events.emplace_back(test::evalEvent(i, lossOf(i, seed)));
    }
    return events;
}

} // namespace

class SeedBandsTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        std::vector<std::unique_ptr<RunSession>> runs;
        std::unique_ptr<ComparePanel> panel;

        void add(std::int64_t seed, std::int64_t steps, double rate = 1e-3)
        {
            RunFile file;
            file.config.training.seed = seed;
            file.config.training.steps = 300;
            file.config.training.learningRate = rate;
            file.name = "rates-lr" + std::to_string(rate) + "-s" + std::to_string(seed);
            runs.push_back(std::make_unique<RunSession>(fs::path("/nonexistent") / file.name, file));
            runs.back()->receive(updates(1, steps, seed));
        }
        void show()
        {
            panel = std::make_unique<ComparePanel>();
            panel->resize(1000, 700);
            panel->show();
            panel->setSessions(sessions(), runs.front().get());
        }
        QVector<RunSession*> sessions() const
        {
            QVector<RunSession*> all;
            for (const auto& run : runs) all << run.get();
            return all;
        }
        TimePlot* loss() const { return panel->findChild<TimePlot*>("compareLossChart"); }
        TimePlot* perplexity() const { return panel->findChild<TimePlot*>("comparePerplexityChart"); }
        CompareModel* model() const { return panel->findChild<CompareModel*>(); }
        template <class T> T* find(const char* name) const { return panel->findChild<T*>(QLatin1String(name)); }
        QString cell(const QString& row, int column) const
        {
            for (int r = 0; r < model()->rowCount({}); ++r)
                if (model()->index(r, 0).data().toString() == row) return model()->index(r, column).data().toString();
            return QStringLiteral("no such row");
        }
        /// Mean, lowest, highest and deviation at a step, counted anew from what the runs reported.
        std::vector<double> direct(std::int64_t step, std::size_t n) const
        {
            std::vector<double> values;
            for (const auto& run : runs) {
                const auto& history = run->history();
                if (history.step.back() < double(step)) continue;
                Smoother smoother(RunReader::smoothing, smoothingUnit(300));
                double value = 0;
                for (std::size_t i = 0; i < std::size_t(step); ++i)
                    value = smoother.next(history.step[i], history.loss[i]);
                values.push_back(value);
            }
            if (values.size() != n) qFatal("another number of runs goes on");
            double mean = 0, squares = 0;
            for (const double value : values) mean += value / double(n);
            for (const double value : values) squares += (value - mean) * (value - mean);
            const auto [least, most] = std::minmax_element(values.begin(), values.end());
            return { mean, *least, *most, std::sqrt(squares / double(n - 1)), double(n) };
        }
    };

    static constexpr auto group = "rates-lr0.001000 (n = 3)";

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void bandIsThatOfADirectComputation()
    {
        Fixture f;
        for (const int seed : { 3, 1, 2 }) f.add(seed, 300);
        f.show();
        QTRY_COMPARE(test::rowsOf(f.loss(), group), 300);
        QCOMPARE(f.loss()->sheets().size(), 1);
        QCOMPARE(test::rowsOf(f.perplexity(), group), 15);
        QCOMPARE(f.loss()->sheets()[0].columns.size(), 6);
        for (const int step : { 1, 2, 17, 150, 300 }) {
            const auto wanted = f.direct(step, 3);
            QCOMPARE(test::cellOf(f.loss(), group, step - 1, 0), double(step));
            for (int i = 0; i < 5; ++i) {
                const double got = test::cellOf(f.loss(), group, step - 1, i + 1);
                QVERIFY2(std::abs(got - wanted[std::size_t(i)]) < 1e-12, qPrintable(QString::number(got, 'g', 17)));
            }
        }
        double mean = 0;
        for (const int seed : { 1, 2, 3 }) mean += std::exp(lossOf(40, seed)) / 3;
        QVERIFY(std::abs(test::cellOf(f.perplexity(), group, 1, 1) - mean) < 1e-9);
    }

    void edgesOfEachKindOfBand()
    {
        const auto spread = *spreadOf({ 1, 2, 6 });
        QCOMPARE(spread.mean, 3.);
        QCOMPARE(spread.deviation, std::sqrt(7.)); // (4 + 1 + 9) / 2
        QCOMPARE(lowerEdge(spread, BandKind::Range), 1.);
        QCOMPARE(upperEdge(spread, BandKind::Range), 6.);
        QCOMPARE(lowerEdge(spread, BandKind::Deviation), 3 - std::sqrt(7.));
        QCOMPARE(upperEdge(spread, BandKind::StandardError), 3 + std::sqrt(7. / 3));
        QCOMPARE(spreadOf({ 5 })->deviation, 0.);
    }

    void aRunThatEndsEarlyDropsOut()
    {
        Fixture f;
        f.add(1, 300);
        f.add(2, 100);
        f.add(3, 200);
        f.show();
        QTRY_COMPARE(test::rowsOf(f.loss(), group), 200);
        QCOMPARE(test::cellOf(f.loss(), group, 99, 5), 3.);
        QCOMPARE(test::cellOf(f.loss(), group, 100, 5), 2.);
        QVERIFY(std::abs(test::cellOf(f.loss(), group, 150, 1) - f.direct(151, 2)[0]) < 1e-12);
        const auto marks = f.loss()->markersNear(100);
        QCOMPARE(marks.size(), 1);
        QVERIFY2(marks.first().contains("2 of its 3 runs"), qPrintable(marks.first()));
        // What a single run has beyond the others is its own.
        QCOMPARE(test::rowsOf(f.loss(), "rates-lr0.001000-s1"), 101);
        QCOMPARE(test::cellOf(f.loss(), "rates-lr0.001000-s1", 0, 0), 200.);
        QCOMPARE(test::cellOf(f.loss(), "rates-lr0.001000-s1", 100, 0), 300.);
    }

    void anEvaluationBetweenIsComparedWithTheLinesOfTheOthers()
    {
        const std::vector<Curve> curves { { { 10, 1 }, { 15, 5 }, { 20, 3 } }, { { 10, 2 }, { 20, 4 } } };
        SpreadWalk walk(curves);
        SpreadPoint point;
        QVERIFY(walk.next(point) && walk.next(point));
        QCOMPARE(point.x, 15.);
        QCOMPARE(point.spread->most, 5.);
        QCOMPARE(point.spread->least, 3.); // half way between 2 and 4
        QVERIFY(walk.next(point));
        QCOMPARE(point.spread->mean, 3.5);
        QVERIFY(!walk.next(point));
        QVERIFY(!walk.alone());
    }

    void aWalkBeginsAnewWhereACurveBeginsLater()
    {
        std::vector<Curve> curves { { { 5, 1 } }, { { 5, 2 } }, {} };
        SpreadWalk walk(curves);
        SpreadPoint point;
        QVERIFY(walk.next(point));
        QCOMPARE(point.curves, std::size_t(2));
        QVERIFY(!walk.missed(5));
        curves[0].push_back({ 10, 1 });
        QVERIFY(!walk.missed(5));
        curves[2].push_back({ 12, 3 }); // there is nothing of it at 10
        QVERIFY(walk.missed(5));
        curves[0].push_back({ 14, 1 });
        curves[1].push_back({ 14, 2 });
        SpreadWalk anew(curves);
        QVERIFY(!anew.missed(5));
        QVERIFY(anew.next(point));
        QCOMPARE(point.x, 12.);
        QCOMPARE(point.curves, std::size_t(3));
    }

    void aFirstEvaluationThatComesLateBeginsTheMeanThere()
    {
        Fixture f;
        f.add(1, 25);
        f.add(2, 25);
        f.add(3, 15); // not evaluated yet
        f.show();
        QTRY_COMPARE(test::rowsOf(f.perplexity(), group), 1);
        auto late = updates(16, 70, 3);
        std::erase_if(late, [](const Event& event) {
            const auto* eval = std::get_if<EvalEvent>(&event);
            return eval && eval->step < 60;
        });
        f.runs[0]->receive(updates(26, 40, 1));
        f.runs[2]->receive(late);
        QTRY_COMPARE(test::rowsOf(f.perplexity(), group), 0); // none of the others has got so far
        f.runs[0]->receive(updates(41, 80, 1));
        f.runs[1]->receive(updates(26, 80, 2));
        QTRY_COMPARE(test::rowsOf(f.perplexity(), group), 2);
        QCOMPARE(test::cellOf(f.perplexity(), group, 0, 0), 60.);
        QCOMPARE(test::cellOf(f.perplexity(), group, 0, 5), 3.);
        QCOMPARE(test::cellOf(f.perplexity(), group, 1, 5), 2.);
    }

    void overTimeARunCountsAsItsLineShows()
    {
        Fixture f;
        f.add(1, 300);
        f.add(2, 300);
        f.show();
        f.find<QComboBox>("compareAxis")->setCurrentIndex(2);
        const QString pair = "rates-lr0.001000 (n = 2)";
        QTRY_VERIFY(test::rowsOf(f.loss(), pair) > 300);
        for (int row = 1; row < test::rowsOf(f.loss(), pair); ++row) {
            QVERIFY(test::cellOf(f.loss(), pair, row, 0) > test::cellOf(f.loss(), pair, row - 1, 0));
            QCOMPARE(test::cellOf(f.loss(), pair, row, 5), 2.);
        }
        QCOMPARE(test::cellOf(f.loss(), pair, 0, 0), 0.22); // where the slower one begins
    }

    void aRunThatTrainsIsTakenIntoTheMean()
    {
        Fixture f;
        f.add(1, 300);
        f.add(2, 300);
        f.add(3, 60);
        f.show();
        QTRY_COMPARE(test::rowsOf(f.loss(), group), 300);
        QCOMPARE(test::cellOf(f.loss(), group, 60, 5), 2.);
        f.runs.back()->receive({ StatusEvent { 60, RunState::Running, {} } });
        for (int end = 61; end <= 120; end += 20) f.runs.back()->receive(updates(end, end + 19, 3));
        QTRY_COMPARE(test::cellOf(f.loss(), group, 119, 5), 3.);
        QCOMPARE(test::rowsOf(f.loss(), group), 300);
        QVERIFY(std::abs(test::cellOf(f.loss(), group, 99, 1) - f.direct(100, 3)[0]) < 1e-12);
        QVERIFY(std::abs(test::cellOf(f.loss(), group, 199, 1) - f.direct(200, 2)[0]) < 1e-12);
        QTRY_COMPARE(test::rowsOf(f.perplexity(), group), 15);
        QTRY_COMPARE(test::cellOf(f.perplexity(), group, 5, 5), 3.);
    }

    /// Two runs that have ended long after the place where a third one trains.
    void aLongRestIsDrawnInSlicesAndOnce()
    {
        constexpr std::size_t rows = 4096;
        constexpr int longest = 20'000;
        TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
        const QString mean = QStringLiteral("mean");
        SeriesOptions options;
        options.name = mean;
        options.colour = [](const Colours& c) { return c.train; };
        GroupLine line(&plot, options, { { "a", 0 }, { "b", 1 }, { "c", 2 } }, BandKind::Range);
        for (int step = 1; step <= longest; ++step)
            for (const std::size_t run : { std::size_t(0), std::size_t(1) })
                line.curves[run].push_back({ double(step), 1. + double(run) });
        const auto train = [&](int from, int to) {
            for (int step = from; step <= to; ++step) line.curves[2].push_back({ double(step), 6. });
        };
        train(1, 100);
        for (int slice = 0, drawn = 0;; ++slice) {
            QVERIFY(slice < 10);
            const bool more = line.draw(rows, 100);
            const int now = test::rowsOf(&plot, mean);
            QVERIFY2(now - drawn <= int(rows), qPrintable(QString::number(now - drawn)));
            drawn = now;
            if (!more) break;
        }
        QCOMPARE(test::rowsOf(&plot, mean), longest);
        QCOMPARE(line.ends().size(), 1);
        QCOMPARE(line.ends()[0].x, 100.);
        train(101, 120);
        QVERIFY(!line.draw(20, 120)); // only what is new
        QCOMPARE(test::rowsOf(&plot, mean), longest);
        const auto value = [&](int step, int column) { return test::cellOf(&plot, mean, step - 1, column); };
        QCOMPARE(value(120, 1), 3.);
        QCOMPARE(value(120, 3), 6.);
        QCOMPARE(value(121, 1), 1.5);
        QCOMPARE(value(121, 3), 2.);
        QCOMPARE(value(longest, 1), 1.5);
        QCOMPARE(line.ends().size(), 1);
        QCOMPARE(line.ends()[0].x, 120.);
    }

    /// What one run has beyond the mean, while another one comes after it.
    void aLongTailIsDrawnInSlices()
    {
        TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
        SeriesOptions options;
        options.name = QStringLiteral("mean");
        options.colour = [](const Colours& c) { return c.train; };
        GroupLine line(&plot, options, { { "a", 0 }, { "b", 1 } }, BandKind::Range);
        for (int step = 1; step <= 20'000; ++step) line.curves[0].push_back({ double(step), 1. });
        for (int step = 1; step <= 100; ++step) line.curves[1].push_back({ double(step), 3. });
        int slices = 1;
        while (line.draw(4096, 100)) {
            QVERIFY(test::rowsOf(&plot, "a") <= slices * 4096);
            ++slices;
        }
        QVERIFY(slices > 4);
        QCOMPARE(test::rowsOf(&plot, "a"), 19'901);
        for (int step = 101; step <= 120; ++step) line.curves[1].push_back({ double(step), 3. });
        QVERIFY(!line.draw(20, 120));
        QCOMPARE(test::rowsOf(&plot, "mean"), 120);
        while (line.draw(4096, std::numeric_limits<double>::infinity())) { } // it has ended
        QCOMPARE(test::rowsOf(&plot, "a"), 19'881);
        QCOMPARE(test::cellOf(&plot, "a", 0, 0), 120.);
    }

    void aLossThatIsNotFiniteHasNoMean()
    {
        Fixture f;
        f.add(1, 50);
        f.add(2, 49);
        f.runs.back()->receive({ test::stepEvent(50, test::notANumber) });
        f.show();
        const QString pair = "rates-lr0.001000 (n = 2)";
        QTRY_COMPARE(test::rowsOf(f.loss(), pair), 50);
        QVERIFY(std::isfinite(test::cellOf(f.loss(), pair, 48, 1)));
        QVERIFY(std::isnan(test::cellOf(f.loss(), pair, 49, 1)));
    }

    void theSwitchShowsEachRunAndIsRemembered()
    {
        Fixture f;
        for (const int seed : { 1, 2, 3 }) f.add(seed, 100);
        for (const int seed : { 1, 2, 3 }) f.add(seed, 100, 2e-3);
        f.show();
        QAbstractItemModelTester tester(f.model());
        QTRY_COMPARE(f.loss()->sheets().size(), 2);
        QCOMPARE(f.model()->columnCount({}), 4);
        auto* button = f.find<QToolButton>("compareGroup");
        auto* band = f.find<QComboBox>("compareBand");
        QVERIFY(button->isChecked() && band->isEnabled());
        for (QWidget* widget : { static_cast<QWidget*>(button), static_cast<QWidget*>(band) })
            QVERIFY(!widget->toolTip().isEmpty() && !widget->accessibleName().isEmpty());
        QTest::keyClick(button, Qt::Key_Space);
        QTRY_COMPARE(f.loss()->sheets().size(), 6);
        QCOMPARE(f.model()->columnCount({}), 12);
        QVERIFY(!band->isEnabled());
        f.show();
        QVERIFY(!f.find<QToolButton>("compareGroup")->isChecked());
        f.panel->toggleGroups();
        QTRY_COMPARE(f.loss()->sheets().size(), 2);
        f.find<QComboBox>("compareBand")->setCurrentIndex(1);
        f.show();
        QVERIFY(f.find<QToolButton>("compareGroup")->isChecked());
        QCOMPARE(f.find<QComboBox>("compareBand")->currentIndex(), 1);
    }

    /// The ticks of the list are to have the colour of the curve that their run is part of.
    void seedsShareAColour()
    {
        Fixture f;
        for (const int seed : { 1, 2, 3 }) f.add(seed, 20);
        f.add(1, 20, 2e-3);
        f.show();
        QSignalSpy changes(f.panel.get(), &ComparePanel::coloursChanged);
        const std::map<fs::path, int> shared { { f.runs[1]->directory(), 0 }, { f.runs[2]->directory(), 0 } };
        QCOMPARE(f.panel->sharedColours(), shared);
        f.panel->toggleGroups();
        QVERIFY(f.panel->sharedColours().empty() && changes.count() == 1);
        f.panel->toggleGroups();
        f.panel->hide(); // the other panels draw each run
        QVERIFY(f.panel->sharedColours().empty() && changes.count() == 3);
    }

    void whatStandsUnderTheCursor()
    {
        Fixture f;
        for (const int seed : { 1, 2, 3 }) f.add(seed, 100);
        f.show();
        QTRY_COMPARE(test::rowsOf(f.loss(), group), 100);
        Q_EMIT f.loss()->cursorMoved(100);
        const auto text = [&] { return f.find<ReadoutStrip>("compareReadout")->text(); };
        const auto wanted = f.direct(100, 3);
        const auto number = [](double value) { return valueText(ValueKind::Loss, value); };
        QVERIFY2(text().contains(number(wanted[0])
                     + QString::fromUtf8(" (%1 … %2), n = 3").arg(number(wanted[1]), number(wanted[2]))),
            qPrintable(text()));
        f.find<QComboBox>("compareBand")->setCurrentIndex(1);
        QTRY_VERIFY2(text().contains(number(wanted[0]) + QString::fromUtf8(" ± ") + number(wanted[3])),
            qPrintable(text())); // the cursor stands where it was
    }

    void theTableShowsMeanAndRange()
    {
        Fixture f;
        for (const int seed : { 1, 2, 3 }) f.add(seed, 100);
        f.add(1, 100, 2e-3);
        f.show();
        QCOMPARE(f.model()->columnCount({}), 4);
        QCOMPARE(f.cell("steps", 1), "100");
        QCOMPARE(f.cell("seed", 1), "1, 2, 3");
        QCOMPARE(f.cell("seed", 2), "1");
        QVERIFY2(f.cell("last loss", 1).contains(QString::fromUtf8(" … ")), qPrintable(f.cell("last loss", 1)));
        QCOMPARE(f.find<QComboBox>("compareBaseline")->count(), 2);
        QCOMPARE(f.find<QComboBox>("compareBaseline")->currentIndex(), 0);
        QVERIFY(f.model()->headerData(1, Qt::Horizontal, Qt::DisplayRole).toString().contains("n = 3, baseline"));
        const auto csv = f.panel->csv().split('\n');
        QVERIFY(csv.first().contains("rates-lr0.001000 (n = 3): mean"));
        double mean = 0, least = 1e9, most = 0;
        for (const int seed : { 1, 2, 3 }) {
            mean += lossOf(100, seed) / 3;
            least = std::min(least, lossOf(100, seed));
            most = std::max(most, lossOf(100, seed));
        }
        const auto line = csv.filter(QStringLiteral("last loss")).value(0).split(',');
        QCOMPARE(line.size(), 6);
        QVERIFY(std::abs(line[1].toDouble() - mean) < 1e-12);
        QCOMPARE(line[2].toDouble(), least);
        QCOMPARE(line[3].toDouble(), most);
        QCOMPARE(line[4], "3");
        QCOMPARE(line[5].toDouble(), lossOf(100, 1));
    }

    void aSecondRunOfASeedIsNoFurtherSample()
    {
        Fixture f;
        for (const int seed : { 1, 2, 1 }) f.add(seed, 20);
        f.show();
        QCOMPARE(f.model()->groups().size(), 2);
        QCOMPARE(f.model()->groups()[0].size(), 2);
        QCOMPARE(f.model()->groups()[1].size(), 1);
    }

    void runsMayGoAtAnyTime()
    {
        Fixture f;
        for (const int seed : { 1, 2, 3 }) f.add(seed, 100);
        f.show();
        QTRY_COMPARE(test::rowsOf(f.loss(), group), 100);
        f.runs.erase(f.runs.begin());
        QTRY_COMPARE(test::rowsOf(f.loss(), "rates-lr0.001000 (n = 2)"), 100);
        f.runs.clear();
        QCOMPARE(f.model()->columnCount({}), 0);
        QVERIFY(!f.panel->grab().isNull());
    }

    void aCurveThatWasCutShortIsAsIfItHadNeverBeenLonger()
    {
        std::mt19937 random(5);
        TimePlot cut(QStringLiteral("a"), QStringLiteral("A"), ValueKind::Loss),
            whole(QStringLiteral("b"), QStringLiteral("B"), ValueKind::Loss);
        const SeriesOptions options { QStringLiteral("a"), SeriesStyle::Line,
            [](const Colours& c) { return c.train; } };
        const int a = cut.addSeries(options), b = whole.addSeries(options);
        const auto value = [](int i) { return i % 97 == 5 ? test::notANumber : std::sin(i) * i; };
        for (const int n : { 5000, 4097, 4096, 300, 102, 64, 1 }) {
            for (int i = cut.count(a); i < n + 700; ++i) cut.append(a, i, value(i));
            cut.truncate(a, n);
            whole.clearPoints(b);
            for (int i = 0; i < n; ++i) whole.append(b, i, value(i));
            QCOMPARE(cut.count(a), n);
            auto* g = static_cast<SampledGraph*>(cut.plot()->graph(0));
            auto* h = static_cast<SampledGraph*>(whole.plot()->graph(0));
            for (int trial = 0; trial < 200; ++trial) {
                const int from = int(random() % unsigned(n)), to = from + int(random() % unsigned(n - from + 1));
                double low = 0, high = 0, wantedLow = 0, wantedHigh = 0;
                QCOMPARE(g->extremes(from, to, low, high), h->extremes(from, to, wantedLow, wantedHigh));
                QCOMPARE(low, wantedLow);
                QCOMPARE(high, wantedHigh);
            }
        }
        cut.truncate(a, 0);
        QCOMPARE(cut.count(a), 0);
    }

    void aLongBandIsDrawnBetweenItsEdges()
    {
        TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
        const SeriesOptions edge { {}, SeriesStyle::Edge, [](const Colours&) { return QColor(Qt::red); }, -1, false };
        const int low = plot.addSeries(edge), high = plot.addSeries(edge);
        plot.setBand(low, high);
        constexpr int n = 300'000;
        for (int i = 0; i < n; ++i) {
            const bool gap = i > n / 2 && i < n * 6 / 10;
            plot.append(low, i, gap ? test::notANumber : 1);
            plot.append(high, i, gap ? test::notANumber : 2);
        }
        plot.append(low, n, 0);
        plot.append(high, n, 4);
        plot.resize(640, 320);
        plot.show();
        plot.redraw();
        const auto picture = plot.plot()->toPixmap(0, 0, 1).toImage();
        const auto filled = [&](double x, double y) {
            const auto c =
                picture.pixelColor(int(plot.plot()->xAxis->coordToPixel(x)), int(plot.plot()->yAxis->coordToPixel(y)));
            return c.red() > c.green() + 20;
        };
        QVERIFY(filled(n * 0.25, 1.5) && filled(n * 0.8, 1.9) && filled(n * 0.8, 1.1));
        QVERIFY(!filled(n * 0.25, 2.3) && !filled(n * 0.25, 0.7));
        QVERIFY(!filled(n * 0.55, 1.5));
    }

    void raggedEdgesAreNoLines()
    {
        TimePlot plot(QStringLiteral("p"), QStringLiteral("P"), ValueKind::Loss);
        const SeriesOptions edge { {}, SeriesStyle::Edge, [](const Colours&) { return QColor(Qt::red); }, -1, false };
        const int low = plot.addSeries(edge), high = plot.addSeries(edge);
        plot.setBand(low, high);
        for (int i = 0; i < 100'000; ++i) {
            plot.append(low, i, 1 + 0.5 * test::noise(i, 1));
            plot.append(high, i, 3 + 0.5 * test::noise(i, 2));
        }
        plot.resize(640, 320);
        plot.show();
        plot.redraw();
        const auto picture = plot.plot()->toPixmap(0, 0, 1).toImage();
        const int x = int(plot.plot()->xAxis->coordToPixel(50'000));
        for (const double y : { 0.8, 1.2, 2.0, 2.8, 3.2 }) { // the fill alone, from the lowest to the highest value
            const auto c = picture.pixelColor(x, int(plot.plot()->yAxis->coordToPixel(y)));
            QVERIFY2(c.red() > 180 && c.green() > 120, qPrintable(c.name()));
        }
    }
};

PHA_TEST(SeedBandsTest)
#include "seed_bands_test.moc"
