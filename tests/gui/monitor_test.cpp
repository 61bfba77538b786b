// SPDX-License-Identifier: GPL-3.0-or-later
// The monitor panel: runs in, curves out; incremental, linked, readable without a mouse, quiet while hidden.
#include "tests/gui/chart_helpers.h"
#include "ui/charts/monitor_panel.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/run_math.h"
#include "ui/window/status_meters.h"

#include "engine/run/metrics.h"
#include "engine/run/time_estimate.h"
#include "tests/suite.h"

#include <QAbstractButton>
#include <QComboBox>
#include <QLabel>
#include <QSignalSpy>
#include <QSlider>
#include <QTemporaryDir>
#include <QTest>
#include <QToolButton>
#include <QWheelEvent>

#include <cmath>

using namespace pha;
using namespace pha::test;

namespace {

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

class MonitorTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase();
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
    void inContextGainComesWithEvaluations();
    void theLoadOfAnotherRunIsNotCalledMissing();
    void missingMixingWeightsSayWhy();
    void timeIsAccountedFor();
    void everyControlIsNamed();
    void themesAndTextSize();
    void runFromDisk();
    void exportOfTheLossChart();

private:
    QTemporaryDir folder_;
};

void MonitorTest::initTestCase() { qputenv("XDG_CONFIG_HOME", folder_.path().toUtf8()); }

void MonitorTest::panelAddsOnlyNewRows()
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
    for (const int row : { 0, 137, 299 })
        QCOMPARE(cellOf(p.loss, QStringLiteral("train, raw"), row, 1), run->history().loss[std::size_t(row)]);
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
    for (std::size_t i = 0; i < run->history().step.size(); ++i)
        last = expected.next(run->history().step[i], run->history().loss[i]);
    QCOMPARE(cellOf(p.loss, QStringLiteral("train"), 19999, 1), last);
}

void MonitorTest::panelStartsOverWhenTheHistoryWasCleared()
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

void MonitorTest::xAxisSwitch()
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

void MonitorTest::perplexityView()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    std::vector<Event> events { ReferenceEvent { std::log(1024.), 5, 4, 2. }, stepEvent(1, std::log(50.)),
        stepEvent(2, 5000), stepEvent(3, notANumber), evalEvent(3, 3) };
    run->receive(events);
    QTRY_COMPARE(p.loss->headline(), QStringLiteral("67 % of the learnable gap closed"));
    run->receive({ evalEvent(4, 2169) });
    QTRY_COMPARE(p.loss->headline(), QStringLiteral("worse than unigrams"));
    run->receive({ evalEvent(5, 3) });
    QTRY_COMPARE(p.loss->headline(), QStringLiteral("67 % of the learnable gap closed"));
    QTest::mouseClick(p.panel.findChild<QToolButton*>(QStringLiteral("showPerplexity")), Qt::LeftButton);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 3);
    QVERIFY(std::abs(cellOf(p.loss, QStringLiteral("train, raw"), 0, 1) - 50) < 1e-9);
    QVERIFY(std::isnan(cellOf(p.loss, QStringLiteral("train, raw"), 1, 1))); // e^5000 is no number
    QVERIFY(std::isnan(cellOf(p.loss, QStringLiteral("train, raw"), 2, 1)));
    QVERIFY(std::abs(cellOf(p.loss, QStringLiteral("valid"), 0, 1) - std::exp(3.)) < 1e-9);
    const auto range = [&p] { return p.loss->plot()->yAxis->range(); };
    QTRY_VERIFY(range().lower > 1 && range().lower < std::exp(2.) && range().upper > 1024 && range().upper < 1e4);
    QVERIFY(p.loss->logarithmic()); // its own choice, and the loss keeps its own
    QTest::mouseClick(p.panel.findChild<QToolButton*>(QStringLiteral("showLoss")), Qt::LeftButton);
    QVERIFY(!p.loss->logarithmic());
    p.panel.toggleLogAxis();
    QVERIFY(p.loss->logarithmic());
    QVERIFY(p.panel.findChild<QToolButton*>(QStringLiteral("logAxis"))->isChecked());
}

void MonitorTest::smoothingSwitch()
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
    for (int i = 0; i < 50; ++i)
        QCOMPARE(cellOf(p.loss, QStringLiteral("train"), i, 1), run->history().loss[std::size_t(i)]);
    p.panel.changeSmoothing(0.5);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 50);
    QTest::mouseClick(p.panel.findChild<QToolButton*>(QStringLiteral("rawCurve")), Qt::LeftButton);
    QTRY_COMPARE(rowsOf(p.loss, QStringLiteral("train")), 50);
    QCOMPARE(rowsOf(p.loss, QStringLiteral("train, raw")), 0);
}

void MonitorTest::overlayAndClick()
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

void MonitorTest::sessionsMayVanish()
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

void MonitorTest::hiddenPanelDrawsNothing()
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

void MonitorTest::zoomStopsFollowing()
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
    QWheelEvent wheel(middle, surface->mapToGlobal(middle), {}, QPoint(0, 240), Qt::NoButton, Qt::NoModifier,
        Qt::NoScrollPhase, false);
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

void MonitorTest::keyboardCursorReadsValues()
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
    QVERIFY2(readout->accessibleDescription().contains(QStringLiteral("step 2 ")),
        qPrintable(readout->accessibleDescription()));
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

void MonitorTest::pointerReadsAllCharts()
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
    for (const auto* part :
        { "step 10", "tokens 10", "train ", "process ", "learning rate 0.001", "gradient norm 0.5", "checkpoint" })
        QVERIFY2(text.contains(QLatin1String(part)), qPrintable(text));
}

void MonitorTest::missingMixingWeightsSayWhy()
{
    Panel p;
    const auto says = [&](const char* words) {
        return p.panel.findChild<QLabel*>(QStringLiteral("mixingEmpty"))->text().contains(QLatin1String(words));
    };
    auto run = session("a");
    run->prepare();
    p.panel.setSessions({ run.get() }, run.get());
    QTRY_VERIFY(says("on their way"));
    run->fail(QStringLiteral("out of memory"));
    QTRY_VERIFY(says("has reported no mixing weights"));

    RunFile file;
    file.config.training.mixEvery = 0;
    RunSession seldom(fs::path("/nonexistent/b"), file);
    seldom.prepare();
    p.panel.setSessions({ &seldom }, &seldom);
    QTRY_VERIFY(says("after the first and the last step"));
    p.panel.setSessions({}, nullptr);
}

void MonitorTest::timeIsAccountedFor()
{
    Panel p;
    StatusMeters meters({});
    const auto* meter = meters.findChild<QLabel*>(QStringLiteral("timeMeter"));
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    meters.setSession(run.get());
    const auto* speed = p.panel.findChild<TimePlot*>(QStringLiteral("throughputChart"));
    run->receive(steps(1, 10));
    run->receive({ TimeEvent { 10, 7, 0.5, 1, 1, 0.4, 0.1 } });
    QTRY_VERIFY(!speed->headline().isEmpty());
    QVERIFY(!speed->headline().contains(QStringLiteral("GEMM"))); // not measured yet
    meters.refresh();
    QCOMPARE(meter->text(), QStringLiteral("monitoring 1.0 %"));
    QVERIFY2(meter->toolTip().contains(QStringLiteral("waiting for their texts 5.0 %")), qPrintable(meter->toolTip()));
    const double flops = trainingFlops(run->file().config, run->history().tokensPerSecond.back());
    run->receive({ TimeEvent { 10, 7, 0.5, 1, 1, 0.4, 0.1, 4 * flops } });
    QTRY_VERIFY2(speed->headline().endsWith(QStringLiteral("25 % of GEMM")), qPrintable(speed->headline()));
    // Another process goes on, twice as fast: by the clock of the run it began at 2.5 s.
    run->receive({ StatusEvent { 10, RunState::Running, {} } });
    QTRY_VERIFY2(!speed->headline().contains(QStringLiteral("GEMM")), qPrintable(speed->headline()));
    auto faster = steps(11, 20);
    for (auto& event : faster)
        std::get<StepEvent>(event).seconds = 2.5 + 0.125 * double(std::get<StepEvent>(event).step - 10);
    faster.push_back(TimeEvent { 20, 7, 0.5, 1, 1, 0.4, 0.1, 4 * flops });
    faster.push_back(StatusEvent { 20, RunState::Paused, {} });
    faster.push_back(StatusEvent { 20, RunState::Running, {} });
    run->receive(faster);
    QTRY_VERIFY2(speed->headline().endsWith(QStringLiteral("50 % of GEMM")), qPrintable(speed->headline()));
    meters.setSession(nullptr);
    QVERIFY(!meter->isVisibleTo(&meters));
}

void MonitorTest::inContextGainComesWithEvaluations()
{
    Panel p;
    auto run = session("a");
    p.panel.setSessions({ run.get() }, run.get());
    auto* chart = p.panel.findChild<TimePlot*>(QStringLiteral("inContextChart"));
    run->receive(steps(1, 10));
    QTRY_VERIFY(p.loss->plot()->xAxis->range().contains(10));
    QCOMPARE(rowsOf(chart, QStringLiteral("in-context gain")), 0);
    const auto empty = [chart] {
        const auto labels = chart->findChildren<QLabel*>();
        return std::any_of(labels.begin(), labels.end(),
            [](const QLabel* label) { return label->isVisible() && label->text() == QLatin1String("not recorded"); });
    };
    QTRY_VERIFY(empty());
    run->receive({ HeadsEvent { 10, 5.5, 5.25 } });
    run->receive(steps(11, 20));
    run->receive({ HeadsEvent {
        20, 5.5, 4.25, { { 0.5, 0, "attention", 3, 2 }, {}, {}, {}, { 0.75, 2, "attention", 7, 1 } } } });
    QTRY_COMPARE(rowsOf(chart, QStringLiteral("in-context gain")), 2);
    QVERIFY(!empty());
    const auto values = chart->cursorValues(20);
    QCOMPARE(values.size(), 1);
    QCOMPARE(values[0].value, 1.25);
    QVERIFY2(
        values[0].text().endsWith(QStringLiteral("induction 75 % (L2 Attention 7)")), qPrintable(values[0].text()));
    QVERIFY(!chart->cursorValues(10)[0].text().contains(QStringLiteral("induction"))); // no attention
    const auto sheet = chart->sheets()[0];
    QCOMPARE(sheet.columns.size(), 2 + int(headKinds.size()));
    QCOMPARE(sheet.cell(1, 6).toDouble(), 0.75);
    QVERIFY(std::isnan(sheet.cell(0, 6).toDouble()));
}

void MonitorTest::theLoadOfAnotherRunIsNotCalledMissing()
{
    Panel p;
    auto bare = session("bare"), busy = session("busy");
    auto events = steps(1, 10);
    bare->receive(events);
    for (auto& event : events) std::get<StepEvent>(event).coresBusy = 1.5;
    busy->receive(events);
    auto* chart = p.panel.findChild<TimePlot*>(QStringLiteral("loadChart"));
    const auto empty = [chart] {
        const auto labels = chart->findChildren<QLabel*>();
        return std::any_of(labels.begin(), labels.end(),
            [](const QLabel* label) { return label->isVisible() && label->text() == QLatin1String("not recorded"); });
    };
    p.panel.setSessions({ bare.get() }, bare.get());
    QTRY_VERIFY(empty());
    p.panel.setSessions({ bare.get(), busy.get() }, bare.get());
    QTRY_VERIFY(!empty());
    QTRY_VERIFY(p.loss->plot()->xAxis->range().contains(10));
    QVERIFY(!empty());
    p.panel.setSessions({ bare.get() }, bare.get());
    QTRY_VERIFY(empty());
}

void MonitorTest::everyControlIsNamed()
{
    Panel p;
    int controls = 0;
    for (auto* widget : p.panel.findChildren<QWidget*>()) {
        const bool control = qobject_cast<QAbstractButton*>(widget) || qobject_cast<QComboBox*>(widget)
            || qobject_cast<QSlider*>(widget);
        const bool chart = qobject_cast<ChartFrame*>(widget);
        if ((!control && !chart) || widget->objectName().startsWith(QLatin1String("qt_"))) continue;
        ++controls;
        const auto name =
            qPrintable(widget->objectName() + QLatin1Char(' ') + QLatin1String(widget->metaObject()->className()));
        QVERIFY2(!widget->objectName().isEmpty(), name);
        QVERIFY2(!widget->accessibleName().isEmpty(), name);
        if (control) QVERIFY2(!widget->toolTip().isEmpty(), name);
        QVERIFY2(widget->focusPolicy() & Qt::TabFocus || widget->objectName() == QLatin1String("backToLive"), name);
    }
    QVERIFY(controls > 15);
}

void MonitorTest::themesAndTextSize()
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

void MonitorTest::runFromDisk()
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

void MonitorTest::exportOfTheLossChart()
{
    Panel p;
    const auto chosen = folder_.filePath(QStringLiteral("panel.png"));
    ChartFrame::setFileChooser([chosen](QWidget*, const QString&, const QString&) { return chosen; });
    p.panel.exportImage();
    QVERIFY(QFileInfo::exists(chosen));
}

PHA_TEST(MonitorTest)
#include "monitor_test.moc"
