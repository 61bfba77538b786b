// SPDX-License-Identifier: GPL-3.0-or-later
// Runs of several sizes in the comparison: their losses against compute.
#include "chart_helpers.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/charts/readout_strip.h"
#include "ui/compare/compare_panel.h"
#include "ui/compare/scaling_chart.h"

#include <QComboBox>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace pha;
using namespace pha::ui;

class ScalingChartTest : public QObject {
    Q_OBJECT

private:
    pha::test::TestHome home_;
    std::vector<std::unique_ptr<RunSession>> runs_;
    std::unique_ptr<ComparePanel> panel_;

    void add(const std::string& preset, std::int64_t steps, std::int64_t bytes = 4000)
    {
        RunFile file;
        file.config = findPreset(preset).config;
        file.config.training.steps = steps;
        file.name = preset + "-" + std::to_string(steps);
        runs_.push_back(std::make_unique<RunSession>(fs::path("/nonexistent") / file.name, file));
        const double loss = 2 + 3 * std::pow(double(steps), -0.3) + (preset == "pha-tiny" ? 0 : 0.1);
        auto eval = test::evalEvent(steps, loss);
        eval.tokens = 1000;
        eval.bytes = bytes;
        auto step = test::stepEvent(steps, loss);
        step.tokens = steps * 2048;
        runs_.back()->receive({ step, eval });
    }
    void show()
    {
        panel_ = std::make_unique<ComparePanel>();
        panel_->resize(1000, 700);
        panel_->show();
        QVector<RunSession*> all;
        for (const auto& run : runs_) all << run.get();
        panel_->setSessions(all, runs_.front().get());
        panel_->findChild<QComboBox*>("compareShow")->setCurrentIndex(1);
    }
    ScalingChart* chart() const { return panel_->findChild<ScalingChart*>(); }
    QString readout() const { return panel_->findChild<ReadoutStrip*>("compareReadout")->text(); }
    bool saysSomething() const
    {
        for (const auto* label : chart()->findChildren<QLabel*>())
            if (label->isVisible() && !label->text().isEmpty()) return true;
        return false;
    }

private Q_SLOTS:
    void init()
    {
        panel_.reset();
        runs_.clear();
    }

    void curvesAreDrawnAndRead()
    {
        for (const std::int64_t steps : { 100, 200, 400, 800, 1600 })
            for (const auto* preset : { "pha-tiny", "transformer-tiny" }) add(preset, steps);
        show();
        QVERIFY(chart()->isVisible());
        QVERIFY(!panel_->findChild<QComboBox*>("compareAxis")->isVisible());
        const auto sheets = chart()->sheets();
        QCOMPARE(sheets.size(), 2);
        QCOMPARE(sheets[0].rows(), 10);
        QCOMPARE(sheets[1].rows(), 2);
        QVERIFY(std::abs(sheets[1].cell(0, 1).toDouble() - 2) < 0.02); // the floor
        QVERIFY(std::abs(sheets[1].cell(0, 4).toDouble() - 0.3) < 0.01); // the exponent
        QVERIFY(!saysSomething());

        chart()->setFocus();
        QTest::keyClick(chart(), Qt::Key_Right);
        const double largest = sheets[0].cell(4, 4).toDouble();
        QVERIFY2(readout().contains("pha") && readout().contains("transformer"), qPrintable(readout()));
        const auto items = chart()->readingAt(largest);
        QCOMPARE(items.size(), 3);
        QVERIFY2(items[1].value.startsWith(QString::number(2 + 3 * std::pow(1600.0, -0.3), 'f', 3).left(4)),
            qPrintable(items[1].value));
        QTest::keyClick(chart(), Qt::Key_Escape);
        QVERIFY(!readout().contains("transformer"));
        QVERIFY(chart()->accessibleDescription().contains("transformer"));
    }

    /// A run that is read from its file gives all its updates before the table looks.
    void computeIsThatUntilTheBestEvaluation()
    {
        for (const std::int64_t steps : { 100, 200, 400, 800 }) add("pha-tiny", steps);
        auto later = test::stepEvent(1600, 9); // worse than before, after a batch that grew
        later.tokens = 1'000'000'000;
        auto worse = test::evalEvent(1600, 9);
        worse.tokens = 1000;
        worse.bytes = 4000;
        runs_.front()->receive({ later, worse });
        show();
        const auto points = chart()->sheets()[0];
        QCOMPARE(points.rows(), 4);
        QCOMPARE(points.cell(3, 4).toDouble(), points.cell(0, 4).toDouble() * 8);
    }

    void anotherSettingMakesTheCurves()
    {
        for (const std::int64_t steps : { 100, 200, 400, 800 }) add("pha-tiny", steps);
        show();
        auto* by = panel_->findChild<QComboBox*>("compareScalingBy");
        QCOMPARE(by->currentText(), QString("family"));
        QCOMPARE(chart()->sheets()[1].rows(), 1);
        by->setCurrentIndex(by->findText("steps"));
        Q_EMIT by->activated(by->currentIndex());
        QCOMPARE(chart()->sheets()[0].rows(), 4);
        QCOMPARE(chart()->sheets()[1].rows(), 0);
        QVERIFY(!chart()->headline().isEmpty()); // what a curve needs
        panel_->findChild<QComboBox*>("compareShow")->setCurrentIndex(0);
        QVERIFY(!chart()->isVisible());
        QVERIFY(panel_->findChild<QComboBox*>("compareAxis")->isVisible());
    }

    void lossesOfDifferentTextsAreNotCompared()
    {
        add("pha-tiny", 100);
        add("pha-tiny", 200, 5000);
        show();
        QVERIFY(chart()->sheets().isEmpty());
        QVERIFY(saysSomething());
    }

    void aTableOutlivesTheRuns()
    {
        for (const std::int64_t steps : { 100, 200, 400, 800 }) add("pha-tiny", steps);
        show();
        const auto sheets = chart()->sheets();
        panel_->setSessions({}, nullptr);
        runs_.clear();
        QCOMPARE(sheets[0].rows(), 4);
        QVERIFY(sheets[0].cell(3, 0).toString().contains("800"));
    }
};

PHA_TEST(ScalingChartTest)
#include "scaling_chart_test.moc"
