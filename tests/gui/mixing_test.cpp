// SPDX-License-Identifier: GPL-3.0-or-later
// The mixing display: any set of branches, any number of layers, and figures that agree with their definitions.
#include "tests/suite.h"
#include "ui/charts/mixing_bars.h"
#include "ui/charts/mixing_panel.h"
#include "ui/charts/time_plot.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QLabel>
#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QToolButton>

#include <cmath>
#include <limits>

using namespace pha;
using namespace pha::ui;

namespace {

const std::vector<std::string> allBranches { "gss", "attention", "ffn" };

/// Shares that differ from layer to layer and add up to one.
LayerMix layerMix(int layer, const std::vector<std::string>& branches, double drift = 0)
{
    LayerMix mix;
    double sum = 0;
    for (std::size_t i = 0; i < branches.size(); ++i) {
        BranchMix b;
        b.branch = branches[i];
        b.mean = 0.4 + 0.1 * double(i) + 0.01 * double(layer % 7) + (i == 0 ? drift : 0);
        b.deviation = 0.02;
        b.minimum = b.mean - 0.05;
        b.maximum = b.mean + 0.05;
        b.outputRms = 0.9;
        b.contribution = b.mean * 1.5;
        sum += b.mean;
        mix.branches.push_back(b);
    }
    for (auto& b : mix.branches) {
        b.normalised = b.mean / sum;
        if (branches.size() > 1)
            mix.entropy -= b.normalised * std::log(b.normalised) / std::log(double(branches.size()));
    }
    return mix;
}

std::vector<LayerMix> layersOf(int count, const std::vector<std::string>& branches, double drift = 0)
{
    std::vector<LayerMix> layers;
    for (int i = 0; i < count; ++i) layers.push_back(layerMix(i, branches, drift));
    return layers;
}

RunHistory history(int rows, int layers = 4, const std::vector<std::string>& branches = allBranches)
{
    RunHistory h;
    for (int i = 1; i <= rows * 10; ++i) {
        StepEvent step;
        step.step = i;
        step.tokens = i * 100;
        step.seconds = i * 0.5;
        h.append(step);
        if (i % 10 == 0) h.append(MixingEvent { i, layersOf(layers, branches, 0.001 * i) });
    }
    return h;
}

} // namespace

class MixingTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void barsOfAnyShape_data();
    void barsOfAnyShape();
    void summaryIsMeanAndDeviation();
    void oddValuesDoNoHarm();
    void rowsAreChosenByMouseAndKeys();
    void descriptionsAreExact();
    void tableHoldsEveryBranch();
    void panelDrawsTheCourse();
    void longCoursesAreTakenInByParts();
    void panelShowsThePlaceUnderTheCursor();
    void panelStartsOver();
    void otherQuantities();
    void aFamilyWithoutAMixIsSaidToHaveNone();
    void aLayerThatLostItsMixDoesNotCount();
    void xAxisOfTheCourse();
    void emptyPanelSaysWhatToExpect();
};

void MixingTest::barsOfAnyShape_data()
{
    QTest::addColumn<int>("branches");
    QTest::addColumn<int>("layers");
    for (const int branches : { 1, 2, 3 })
        for (const int layers : { 1, 12, 64 })
            QTest::addRow("%d branches, %d layers", branches, layers) << branches << layers;
}

void MixingTest::barsOfAnyShape()
{
    QFETCH(int, branches);
    QFETCH(int, layers);
    const std::vector<std::string> names(allBranches.begin(), allBranches.begin() + branches);
    MixingBars bars;
    bars.resize(420, 300);
    bars.show();
    bars.setLayers(layersOf(layers, names));
    QCOMPARE(bars.rows(), layers + 1);
    QVERIFY(bars.rowHeight() >= bars.fontMetrics().height());
    QCOMPARE(bars.verticalScrollBar()->maximum() > 0, bars.rows() * bars.rowHeight() > bars.viewport()->height());
    QCOMPARE(bars.verticalScrollBar()->maximum() > 0, layers == 64);

    const auto first = bars.segments(0);
    const double whole = first.last().rect.right() - first.first().rect.left();
    auto chosen = bars.font();
    chosen.setBold(true);
    const int name = QFontMetrics(chosen).horizontalAdvance(MixingBars::rowName(0));
    QVERIFY(first.first().rect.left() - name >= 16); // room on both sides of it
    for (int row = 0; row < bars.rows(); ++row) {
        const auto parts = bars.segments(row);
        QCOMPARE(parts.size(), branches);
        double sum = 0;
        for (int i = 0; i < parts.size(); ++i) {
            sum += parts[i].rect.width();
            if (i > 0) QVERIFY(std::abs(parts[i].rect.left() - parts[i - 1].rect.right()) < 1e-6);
            if (!parts[i].text.isEmpty())
                QVERIFY(bars.fontMetrics().horizontalAdvance(parts[i].text) <= parts[i].rect.width());
            if (row > 0) {
                const auto& b = layersOf(layers, names)[std::size_t(row - 1)].branches[std::size_t(i)];
                QVERIFY(std::abs(parts[i].rect.width() / whole - b.normalised) < 1e-6);
                QVERIFY(!parts[i].text.isEmpty()); // 420 pixels have room for three figures
            }
        }
        QVERIFY(std::abs(sum - whole) < 1e-6); // shares fill the bar
    }
    bars.setHeatMap(true);
    for (const auto& cell : bars.segments(1)) QVERIFY(std::abs(cell.rect.width() - whole / branches) < 1e-6);
    QVERIFY(!bars.grab().isNull());
    bars.resize(120, 60); // no room for anything: still drawn
    QVERIFY(!bars.grab().isNull());
    bars.setSelected(layers - 1);
    QCOMPARE(bars.selected(), layers - 1);
    QVERIFY(bars.rowRect(layers).bottom() <= bars.viewport()->height() + bars.rowHeight());
}

void MixingTest::summaryIsMeanAndDeviation()
{
    const auto layers = layersOf(12, allBranches);
    const auto s = summarise(layers, MixQuantity::Weight);
    QCOMPARE(s.branches, QStringList({ QStringLiteral("gss"), QStringLiteral("attention"), QStringLiteral("ffn") }));
    for (int k = 0; k < 3; ++k) {
        double mean = 0, square = 0;
        for (const auto& l : layers) mean += l.branches[std::size_t(k)].mean / 12;
        for (const auto& l : layers) square += std::pow(l.branches[std::size_t(k)].mean - mean, 2) / 12;
        QVERIFY(std::abs(s.mean[k] - mean) < 1e-12);
        QVERIFY(std::abs(s.deviation[k] - std::sqrt(square)) < 1e-12);
    }
    // Layers with different branches: each branch over the layers that have it.
    const auto mixed = summarise({ layerMix(0, { "gss" }), layerMix(0, { "gss", "attention" }) }, MixQuantity::Share);
    QCOMPARE(mixed.branches.size(), 2);
    QVERIFY(std::abs(mixed.mean[0] - (1 + 0.4 / 0.9) / 2) < 1e-12);
    QVERIFY(std::abs(mixed.mean[1] - 0.5 / 0.9) < 1e-12);
    QVERIFY(summarise({}, MixQuantity::Share).branches.isEmpty());
}

void MixingTest::oddValuesDoNoHarm()
{
    auto layers = layersOf(3, { "gss", "attention", "something new" });
    layers[0].branches[0].normalised = layers[0].branches[0].contribution = std::numeric_limits<double>::quiet_NaN();
    layers[1].branches[1].normalised = -0.2;
    layers[1].branches[2].contribution = std::numeric_limits<double>::infinity();
    layers[2].branches[0].normalised = 7;
    layers[2].branches.clear();
    layers[0].entropy = std::numeric_limits<double>::quiet_NaN();
    MixingBars bars;
    bars.resize(300, 200);
    bars.show();
    for (const auto quantity : { MixQuantity::Share, MixQuantity::Weight, MixQuantity::Contribution })
        for (const bool heat : { false, true }) {
            bars.setLayers(layers);
            bars.setQuantity(quantity);
            bars.setHeatMap(heat);
            QVERIFY(!bars.grab().isNull());
            for (int row = 0; row < bars.rows(); ++row)
                for (const auto& part : bars.segments(row))
                    QVERIFY(part.rect.width() >= 0 && std::isfinite(part.rect.left()));
        }
}

void MixingTest::rowsAreChosenByMouseAndKeys()
{
    MixingBars bars;
    bars.resize(300, 120);
    bars.setLayers(layersOf(30, allBranches));
    bars.show();
    QSignalSpy chosen(&bars, &MixingBars::layerChosen);
    QTest::mouseClick(bars.viewport(), Qt::LeftButton, {}, bars.rowRect(2).center());
    QCOMPARE(bars.selected(), 1);
    QCOMPARE(chosen.size(), 1);
    QCOMPARE(chosen[0][0].toInt(), 1);
    QTest::keyClick(&bars, Qt::Key_Down);
    QCOMPARE(bars.selected(), 2);
    QTest::keyClick(&bars, Qt::Key_End);
    QCOMPARE(bars.selected(), 29);
    QVERIFY(bars.viewport()->rect().contains(bars.rowRect(30).center())); // scrolled into view
    QTest::keyClick(&bars, Qt::Key_Down);
    QCOMPARE(bars.selected(), 29);
    QTest::keyClick(&bars, Qt::Key_Home);
    QCOMPARE(bars.selected(), -1);
    QTest::keyClick(&bars, Qt::Key_Up);
    QCOMPARE(bars.selected(), -1);
    bars.setLayers(layersOf(2, allBranches));
    bars.setSelected(1);
    bars.setLayers(layersOf(1, allBranches)); // the chosen layer is gone
    QCOMPARE(bars.selected(), -1);
}

void MixingTest::descriptionsAreExact()
{
    MixingBars bars;
    bars.setLayers(layersOf(2, { "gss", "attention" }));
    const auto text = bars.describe(1);
    for (const auto* part : { "Layer 0", "gss: share 44.44 %, weight 0.4 ± 0.02 (0.35 to 0.45)", "contribution 0.6",
             "output rms 0.9", "Entropy 0.991" })
        QVERIFY2(text.contains(QString::fromUtf8(part)), qPrintable(text));
    QVERIFY(bars.describe(0).startsWith(QStringLiteral("Mean over 2 layer")));
    QVERIFY(bars.describe(99).isEmpty() && bars.describe(-1).isEmpty());
}

void MixingTest::tableHoldsEveryBranch()
{
    MixingBars bars;
    bars.setLayers(layersOf(3, { "gss", "attention" }));
    ChartTableModel model;
    const QAbstractItemModelTester tester(&model, QAbstractItemModelTester::FailureReportingMode::QtTest);
    model.setSheet(bars.sheet());
    QCOMPARE(model.rowCount(), 6);
    QCOMPARE(model.index(5, 0).data().toString(), QStringLiteral("2"));
    QCOMPARE(model.index(5, 1).data().toString(), QStringLiteral("attention"));
    bars.setLayers({});
    model.refresh();
    QCOMPARE(model.rowCount(), 0);
}

void MixingTest::panelDrawsTheCourse()
{
    auto h = history(20);
    MixingPanel panel;
    panel.resize(500, 600);
    panel.show();
    panel.setHistory(&h);
    auto* plot = panel.trajectories();
    const auto rows = [plot](const QString& name) {
        for (const auto& sheet : plot->sheets())
            if (sheet.name == name) return sheet.rows();
        return -1;
    };
    for (const auto* branch : { "gss", "attention", "ffn" }) QCOMPARE(rows(QLatin1String(branch)), 20);
    QVERIFY(panel.bars()->isVisible());
    for (int i = 201; i <= 230; ++i)
        if (i % 10 == 0) h.append(MixingEvent { i, layersOf(4, allBranches) });
    panel.advance();
    QCOMPARE(rows(QStringLiteral("gss")), 23);
    // One layer instead of the mean: its own values.
    auto* box = panel.findChild<QComboBox*>(QStringLiteral("mixingLayer"));
    QCOMPARE(box->count(), 5);
    QTest::mouseClick(panel.bars()->viewport(), Qt::LeftButton, {}, panel.bars()->rowRect(3).center());
    QCOMPARE(panel.layer(), 2);
    QCOMPARE(box->currentIndex(), 3);
    QCOMPARE(rows(QStringLiteral("attention")), 23);
    for (const auto& sheet : plot->sheets())
        if (sheet.name == QLatin1String("attention")) {
            QCOMPARE(sheet.cell(4, 0).toDouble(), 50.);
            QCOMPARE(sheet.cell(4, 1).toDouble(), h.mixing[4].layers[2].branches[1].normalised);
        }
}

void MixingTest::longCoursesAreTakenInByParts()
{
    const auto h = history(2000);
    MixingPanel panel;
    QSignalSpy behind(&panel, &MixingPanel::fellBehind);
    const auto taken = [&panel] { return panel.trajectories()->sheets().at(0).rows(); };
    const auto finish = [&panel] {
        for (int parts = 0; panel.behind() && parts < 100; ++parts) panel.advance();
        return !panel.behind();
    };
    panel.setHistory(&h);
    QVERIFY(behind.count() > 0 && panel.behind());
    QVERIFY2(taken() < 2000, qPrintable(QString::number(taken())));
    QCOMPARE(panel.bars()->sheet().cell(0, 3).toDouble(), h.mixing.back().layers[0].branches[0].mean); // the latest
    QVERIFY(finish());
    QCOMPARE(taken(), 2000);
    behind.clear();
    panel.bars()->setSelected(1);
    Q_EMIT panel.bars()->layerChosen(1); // as a click does
    QVERIFY(behind.count() > 0 && taken() < 2000);
    QVERIFY(finish());
    QCOMPARE(taken(), 2000);
    panel.setHistory(nullptr);
    QVERIFY(!panel.behind());
}

void MixingTest::panelShowsThePlaceUnderTheCursor()
{
    const auto h = history(20);
    MixingPanel panel;
    panel.resize(500, 600);
    panel.show();
    panel.setHistory(&h);
    const auto shown = [&panel] { return panel.bars()->sheet().cell(0, 3).toDouble(); };
    QCOMPARE(shown(), h.mixing.back().layers[0].branches[0].mean);
    panel.showAt(57); // the report before it
    QCOMPARE(shown(), h.mixing[4].layers[0].branches[0].mean);
    panel.showAt(0);
    QCOMPARE(shown(), h.mixing[0].layers[0].branches[0].mean);
    panel.showLatest();
    QCOMPARE(shown(), h.mixing.back().layers[0].branches[0].mean);
}

void MixingTest::panelStartsOver()
{
    auto h = history(20);
    MixingPanel panel;
    panel.show();
    panel.setHistory(&h);
    panel.bars()->setSelected(2);
    h.clear();
    h.append(MixingEvent { 5, layersOf(2, { "attention" }) });
    panel.advance();
    QCOMPARE(panel.bars()->rows(), 3);
    QCOMPARE(panel.layer(), -1);
    QCOMPARE(panel.trajectories()->sheets().at(0).name, QStringLiteral("attention"));
    QCOMPARE(panel.trajectories()->sheets().at(0).rows(), 1);
    panel.setHistory(nullptr);
    QVERIFY(!panel.bars()->isVisible());
    panel.advance();
    panel.showAt(3);
    panel.showLatest();
    QCOMPARE(panel.bars()->rows(), 0);
}

void MixingTest::otherQuantities()
{
    const auto h = history(3, 2);
    MixingPanel panel;
    panel.resize(500, 600);
    panel.show();
    panel.setHistory(&h);
    auto* box = panel.findChild<QComboBox*>(QStringLiteral("mixingQuantity"));
    box->setCurrentIndex(2);
    const auto sheet = panel.trajectories()->sheets().at(0);
    QCOMPARE(sheet.rows(), 3);
    const double expected =
        (h.mixing[2].layers[0].branches[0].contribution + h.mixing[2].layers[1].branches[0].contribution) / 2;
    QVERIFY(std::abs(sheet.cell(2, 1).toDouble() - expected) < 1e-12);
    QTest::mouseClick(panel.findChild<QToolButton*>(QStringLiteral("mixingAsHeatMap")), Qt::LeftButton);
    const auto cells = panel.bars()->segments(1);
    QCOMPARE(cells[0].rect.width(), cells[2].rect.width());
    QVERIFY(cells[0].text.startsWith(QStringLiteral("0.")));
}

void MixingTest::aFamilyWithoutAMixIsSaidToHaveNone()
{
    RunHistory h; // gss-hybrid: its layers differ
    std::vector<LayerMix> layers(2);
    const std::vector<std::string> names[] { { "gss" }, { "attention", "main" } };
    for (std::size_t l = 0; l < 2; ++l) {
        layers[l].mixed = false;
        for (const auto& name : names[l]) {
            BranchMix b;
            b.branch = name;
            b.contribution = 0.25 * double(1 + layers[l].branches.size());
            b.outputRms = 0.5;
            layers[l].branches.push_back(b);
        }
    }
    h.append(MixingEvent { 10, layers });
    MixingPanel panel;
    panel.resize(500, 600);
    panel.show();
    panel.setHistory(&h);
    const auto* note = panel.findChild<QLabel*>(QStringLiteral("mixingNote"));
    const auto* box = panel.findChild<QComboBox*>(QStringLiteral("mixingQuantity"));
    QVERIFY(note->isVisible() && note->text().contains(QStringLiteral("no mixing weights")));
    QVERIFY(!box->isVisible());
    QCOMPARE(panel.bars()->segments(2).size(), 2);
    QVERIFY(panel.bars()->segments(2)[1].rect.width() > panel.bars()->segments(2)[0].rect.width() * 1.9);
    const auto words = panel.bars()->describe(2);
    QVERIFY2(words.contains(QStringLiteral("main: writes 0.5")) && !words.contains(QStringLiteral("weight"))
            && !words.contains(QStringLiteral("Entropy")),
        qPrintable(words));
    const auto sheet = panel.bars()->sheet();
    QVERIFY(!sheet.cell(1, 2).isValid() && !sheet.cell(1, 3).isValid() && !sheet.cell(1, 9).isValid());
    QCOMPARE(sheet.cell(1, 7).toDouble(), 0.25);
    QCOMPARE(panel.trajectories()->sheets().at(0).cell(0, 1).toDouble(), 0.25);

    const auto mixed = history(3, 2); // and back to a run that mixes
    panel.setHistory(&mixed);
    QVERIFY(!note->isVisible() && box->isVisible());
    QCOMPARE(panel.bars()->sheet().cell(0, 2).toDouble(), mixed.mixing.back().layers[0].branches[0].normalised);
}

void MixingTest::aLayerThatLostItsMixDoesNotCount()
{
    RunHistory h; // a fork with pruned_branches=0:gss,0:attention,0:ffn: its main network is left in layer 0
    auto layers = layersOf(3, allBranches);
    BranchMix rest;
    rest.branch = "main";
    rest.contribution = 0.25;
    rest.outputRms = 0.5;
    layers[0] = {};
    layers[0].mixed = false;
    layers[0].branches.push_back(rest);
    h.append(MixingEvent { 10, layers });
    MixingPanel panel;
    panel.resize(500, 600);
    panel.show();
    panel.setHistory(&h);
    QVERIFY(!panel.findChild<QLabel*>(QStringLiteral("mixingNote"))->isVisible());
    QVERIFY(panel.findChild<QComboBox*>(QStringLiteral("mixingQuantity"))->isVisible());
    QVERIFY(panel.bars()->mixed());

    const auto summary = summarise(layers, MixQuantity::Share);
    QCOMPARE(summary.branches, QStringList({ "gss", "attention", "ffn" }));
    QCOMPARE(summary.layers, 2);
    const double share = (layers[1].branches[0].normalised + layers[2].branches[0].normalised) / 2;
    QVERIFY(std::abs(summary.mean[0] - share) < 1e-12);
    QVERIFY(std::abs(summary.entropy - (layers[1].entropy + layers[2].entropy) / 2) < 1e-12);
    QVERIFY(std::abs(panel.trajectories()->sheets().at(0).cell(0, 1).toDouble() - share) < 1e-12);

    const auto mean = panel.bars()->describe(0), lost = panel.bars()->describe(1), kept = panel.bars()->describe(2);
    QVERIFY2(mean.startsWith(QStringLiteral("Mean over 2 layers")), qPrintable(mean));
    QVERIFY2(lost.contains(QStringLiteral("main: writes 0.25")) && !lost.contains(QStringLiteral("Entropy")),
        qPrintable(lost));
    QVERIFY2(kept.contains(QStringLiteral("share")) && kept.contains(QStringLiteral("Entropy")), qPrintable(kept));
    QCOMPARE(panel.bars()->segments(1)[0].rect.width(), 0.);
    QVERIFY(!panel.grab().isNull());
}

void MixingTest::xAxisOfTheCourse()
{
    const auto h = history(5);
    MixingPanel panel;
    panel.show();
    panel.setHistory(&h);
    panel.setXAxis(XAxis::Tokens);
    QCOMPARE(panel.trajectories()->sheets().at(0).cell(2, 0).toDouble(), 3000.);
    panel.setXAxis(XAxis::Seconds);
    QCOMPARE(panel.trajectories()->sheets().at(0).cell(2, 0).toDouble(), 15.);
    panel.showAt(12);
    QCOMPARE(panel.bars()->sheet().cell(0, 3).toDouble(), h.mixing[1].layers[0].branches[0].mean);
}

void MixingTest::emptyPanelSaysWhatToExpect()
{
    MixingPanel panel;
    panel.show();
    const auto* label = panel.findChild<QLabel*>(QStringLiteral("mixingEmpty"));
    QVERIFY(label->isVisible() && !label->text().isEmpty());
    QVERIFY(!panel.findChild<QComboBox*>(QStringLiteral("mixingLayer"))->isVisible());
}

PHA_TEST(MixingTest)
#include "mixing_test.moc"
