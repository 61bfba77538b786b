// SPDX-License-Identifier: GPL-3.0-or-later
// The tab Costs of the panel Inspect: what is measured, selected, tried together and handed on.
#include "engine/base/atomic_file.h"
#include "tests/gui/panel_fixture.h"
#include "tests/gui/test_home.h"
#include "tests/suite.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/config_form/config_panel.h"
#include "ui/inspect/cost_pane.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/window/main_window.h"
#include "window_fixture.h"

#include <QComboBox>
#include <QSignalSpy>
#include <QTabWidget>
#include <QTableWidget>
#include <QTest>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

class CostsTabTest : public QObject, PanelFixture<InspectPanel> {
    Q_OBJECT

    CostChart* chart() const { return panel_->findChild<CostChart*>(); }
    QTableWidget* table() const { return find<QTableWidget>("costsTable"); }
    QString words(const char* name) const { return label(name)->text(); }
    QPoint dot(int cell) const { return chart()->dot(cell).toPoint(); }
    std::size_t evaluations() const
    {
        return script_->read([](const Script& s) { return s.evaluations.size(); });
    }
    void measure()
    {
        QTRY_VERIFY_WITH_TIMEOUT(button("costsMeasure")->isEnabled(), patience);
        QTest::mouseClick(button("costsMeasure"), Qt::LeftButton);
        QTRY_COMPARE_WITH_TIMEOUT(table()->rowCount(), 16, patience);
        QTRY_VERIFY_WITH_TIMEOUT(!button("costsStop")->isEnabled(), patience);
    }
    void drag(const QPoint& from, const QPoint& to, Qt::KeyboardModifiers keys = {})
    {
        auto* plot = chart()->plot();
        QTest::mousePress(plot, Qt::LeftButton, keys, from);
        for (int i = 1; i <= 4; ++i) {
            const QPoint at = from + (to - from) * i / 4;
            QMouseEvent move(QEvent::MouseMove, at, plot->mapToGlobal(at), Qt::NoButton, Qt::LeftButton, keys);
            QCoreApplication::sendEvent(plot, &move);
        }
        QTest::mouseRelease(plot, Qt::LeftButton, keys, to);
    }

private Q_SLOTS:
    void initTestCase()
    {
        config_ = findPreset("pha-tiny").config;
        config_.training.steps = 40;
        writeFakeRun(run_, config_, "run");
    }

    void init()
    {
        openPanel(1100, 720);
        find<QTabWidget>("inspectTabs")->setCurrentIndex(5);
        openSession();
        panel_->setSession(session_.get());
    }

    void cleanup() { close(); }

    void measuringFillsChartAndTable()
    {
        QVERIFY(!button("costsPrune")->isEnabled());
        measure();
        QCOMPARE(table()->item(0, 0)->text(), QStringLiteral("L0 GSS"));
        const auto sheets = chart()->sheets();
        QCOMPARE(sheets.size(), 1);
        QCOMPARE(sheets[0].rows(), 16);
        QCOMPARE(sheets[0].cell(5, 1).toString(), QStringLiteral("attention"));
        QVERIFY(words("costsMessage").contains(QStringLiteral("ms on cpu in fp32")));
        QCOMPARE(evaluations(), std::size_t(17));
        const auto left = chart()->dot(0);
        find<QComboBox>("costsAxis")->setCurrentIndex(int(CostAxis::Cache));
        QVERIFY(chart()->dot(0) != left);
    }

    /// exp() of a loss without a part that everything needs: other dots have their place on the axis all the same.
    void dotsBeyondTheAxisAreAtItsEdge()
    {
        auto costs = std::make_shared<BranchCosts>();
        costs->plain.figures.perplexity = 20;
        costs->passSeconds = 1;
        for (const double change : { 0.01, -0.02, 0.02, 0.05, 4., 40., 800. }) {
            BranchCost cell;
            cell.place = { std::int64_t(costs->cells.size()), "ffn" };
            cell.seconds = 0.1 * double(1 + costs->cells.size());
            cell.change = change;
            costs->cells.push_back(cell);
        }
        CostChart chart(nullptr);
        chart.resize(600, 400);
        chart.show();
        chart.setCosts(costs);
        auto* plot = chart.plot();
        plot->replot();
        QVERIFY2(plot->yAxis->range().upper < 2, qPrintable(QString::number(plot->yAxis->range().upper)));
        for (int i = 0; i < 7; ++i) {
            QVERIFY2(plot->axisRect()->rect().contains(chart.dot(i).toPoint()), qPrintable(QString::number(i)));
            QCOMPARE(plot->graph(i)->scatterStyle().shape(),
                i < 4 ? QCPScatterStyle::ssCircle : QCPScatterStyle::ssTriangle);
        }
        QVERIFY(chart.dot(3).y() < chart.dot(2).y() - 10 && chart.dot(4).y() < chart.dot(3).y());
        QVERIFY2(chart.reading(6).contains(QStringLiteral("perplexity +\u221e")), qPrintable(chart.reading(6)));
    }

    void theRunKeyLeavesWhatIsMeasuredAlone()
    {
        script_->change([](Script& s) { s.answers = 3; });
        QTRY_VERIFY_WITH_TIMEOUT(button("costsMeasure")->isEnabled(), patience);
        panel_->look();
        QTRY_COMPARE_WITH_TIMEOUT(evaluations(), std::size_t(4), patience);
        panel_->look();
        script_->change([](Script& s) { s.answers = 1 << 30; });
        QTRY_COMPARE_WITH_TIMEOUT(table()->rowCount(), 16, patience);
        QTRY_VERIFY_WITH_TIMEOUT(button("costsMeasure")->isEnabled(), patience);
        QCOMPARE(evaluations(), std::size_t(17));

        script_->change([](Script& s) { s.answers = 0; });
        panel_->look();
        QTRY_COMPARE_WITH_TIMEOUT(evaluations(), std::size_t(18), patience);
        RunSession again(run_);
        panel_->setSession(&again);
        QVERIFY2(words("costsMessage").startsWith(QStringLiteral("Another run was selected")),
            qPrintable(words("costsMessage")));
        panel_->setSession(nullptr); // the session goes first
    }

    void aDotThatIsPointedAtIsNamed()
    {
        measure();
        QTest::mouseMove(chart()->plot(), dot(3) + QPoint(1, 1));
        QTRY_VERIFY_WITH_TIMEOUT(words("costsReadout").contains(QStringLiteral("perplexity")), patience);
        QCOMPARE(words("costsReadout"), chart()->reading(chart()->cursor()));
    }

    void clicksAndRectanglesSelectInBoth()
    {
        measure();
        QTest::mouseClick(chart()->plot(), Qt::LeftButton, {}, dot(5));
        QCOMPARE(chart()->selected().size(), std::size_t(1));
        QCOMPARE(table()->selectionModel()->selectedRows().size(), 1);
        QCOMPARE(table()->selectionModel()->selectedRows()[0].row(), chart()->selected()[0]);
        drag(QPoint(1, 1), chart()->plot()->rect().bottomRight() - QPoint(1, 1));
        QCOMPARE(chart()->selected().size(), std::size_t(16));
        QCOMPARE(table()->selectionModel()->selectedRows().size(), 16);
        table()->selectRow(2);
        QCOMPARE(chart()->selected(), std::vector<int> { 2 });
        QTest::mouseClick(chart()->plot(), Qt::LeftButton, {}, QPoint(chart()->plot()->width() - 3, 3));
        QVERIFY(chart()->selected().empty() && words("costsPredicted").startsWith(QStringLiteral("Select dots")));
    }

    void keysMoveAndSelect()
    {
        measure();
        chart()->setFocus();
        QTest::keyClick(chart(), Qt::Key_Right);
        QVERIFY(chart()->cursor() >= 0);
        QVERIFY(!words("costsReadout").isEmpty());
        QTest::keyClick(chart(), Qt::Key_Space);
        QCOMPARE(chart()->selected(), std::vector<int> { chart()->cursor() });
        QTest::keyClick(chart(), Qt::Key_Space);
        QVERIFY(chart()->selected().empty());
        QTest::keyClick(chart(), Qt::Key_A, Qt::ControlModifier);
        QCOMPARE(chart()->selected().size(), std::size_t(16));
        // All of them: nothing is left to go on with, and the form is not offered it.
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMessage").contains(QStringLiteral("has to stay")), patience);
        QVERIFY(!button("costsPrune")->isEnabled());
    }

    void aSelectionIsTriedTogetherAndOnlyTheLastOneCounts()
    {
        measure();
        script_->change([](Script& s) { s.answers = 0; });
        const auto before = evaluations();
        table()->selectRow(1);
        QTRY_COMPARE_WITH_TIMEOUT(evaluations(), before + 1, patience);
        table()->selectRow(4); // while the first is still asked
        QVERIFY(words("costsMeasured").endsWith(QStringLiteral("\u2026")));
        script_->change([](Script& s) { s.answers = 1 << 20; });
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMeasured").contains(QStringLiteral("times as fast")), patience);
        const auto last = script_->read([](const Script& s) { return s.evaluations.back().mix; });
        QCOMPARE(last.size(), std::size_t(1));
        QCOMPARE(last[0].layer, std::int64_t(1));
        QCOMPARE(last[0].branch, std::string("gss"));
        QVERIFY(words("costsPredicted").startsWith(QStringLiteral("1 part")));
    }

    /// A training that is kept keeps its run locked: nobody could resume it.
    void whatWasMeasuredDoesNotKeepTheTraining()
    {
        auto job = std::make_shared<ScriptedJob>(engine_->script, config_, run_);
        const std::weak_ptr<TrainingJob> training = job;
        session_->attach(std::move(job));
        measure();
        QVERIFY(script_->read([](const Script& s) { return s.snapshots; }) > 0); // of its own weights
        session_->detach();
        QTRY_VERIFY_WITH_TIMEOUT(training.expired(), patience);
        table()->selectRow(1); // tried with the copy that was measured
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMeasured").contains(QStringLiteral("times as fast")), patience);
    }

    void aTrialIsOfTheWeightsThatWereMeasured()
    {
        script_->change([](Script& s) { s.step = 5; });
        session_->attach(std::make_shared<ScriptedJob>(engine_->script, config_, run_));
        measure();
        script_->change([](Script& s) { s.step = 30; }); // the training goes on, and its loss falls
        table()->selectRow(1);
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMeasured").contains(QStringLiteral("times as fast")), patience);
        const auto alone = QStringLiteral("perplexity %1 (").arg(table()->item(1, 3)->text());
        QVERIFY2(words("costsMeasured").contains(alone), qPrintable(words("costsMeasured") + "\n" + alone));

        QTRY_VERIFY_WITH_TIMEOUT(!button("costsStop")->isEnabled(), patience);
        find<QTabWidget>("inspectTabs")->setCurrentIndex(0); // the network is not kept for a tab that is not seen
        QTRY_COMPARE_WITH_TIMEOUT(script_->read([](const Script& s) { return s.models; }), 0, patience);
        find<QTabWidget>("inspectTabs")->setCurrentIndex(5);
        table()->selectRow(2);
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMessage").contains(QStringLiteral("at step 5; measure again")), patience);
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMeasured").isEmpty(), patience);
        measure();
        table()->selectRow(2);
        QTRY_VERIFY_WITH_TIMEOUT(words("costsMeasured").contains(QStringLiteral("times as fast")), patience);
    }

    void stoppingIsSaid()
    {
        script_->change([](Script& s) { s.answers = 3; });
        QTRY_VERIFY_WITH_TIMEOUT(button("costsMeasure")->isEnabled(), patience);
        panel_->look(); // what the window's key asks for
        QTRY_COMPARE_WITH_TIMEOUT(evaluations(), std::size_t(4), patience);
        panel_->stop();
        QCOMPARE(words("costsMessage"), QStringLiteral("Stopped."));
        QCOMPARE(table()->rowCount(), 0);
        QVERIFY(button("costsMeasure")->isEnabled());
    }

    void pruningHandsOnCheckpointAndParts()
    {
        measure();
        QSignalSpy asked(panel_.get(), &InspectPanel::pruneRequested);
        table()->selectRow(1);
        table()->selectionModel()->select(
            table()->model()->index(7, 0), QItemSelectionModel::Select | QItemSelectionModel::Rows);
        QTRY_VERIFY_WITH_TIMEOUT(button("costsPrune")->isEnabled(), patience);
        QTest::mouseClick(button("costsPrune"), Qt::LeftButton);
        QCOMPARE(asked.size(), 1);
        QCOMPARE(asked[0][1].toString(), QStringLiteral("0:attention,1:main"));
        QVERIFY(fs::exists(asked[0][0].value<fs::path>()));
    }

    void theWindowFillsTheForm()
    {
        const test::TestHome home;
        const auto run = home.runs() / "first";
        RunFile file;
        file.config = config_;
        const RunDirectory directory(run);
        directory.create(file);
        publishCheckpoint(directory, checkpointName(20), [&](const fs::path& to) {
            writeFileAtomically(to / "state.json", Json { { "step", 20 }, { "learning_rate", 0.002 } }.dump());
        });
        directory.setPointer("latest", checkpointName(20));
        WindowParts parts;
        parts.engine = [this]() -> Engine& { return *engine_; };
        parts.runsFolder = home.runs();
        const auto made = test::makeWindow(std::move(parts));
        auto& window = *made;
        window.show();
        QTRY_VERIFY_WITH_TIMEOUT(window.currentSession(), patience);
        Q_EMIT window.findChild<InspectPanel*>()->pruneRequested(run, QStringLiteral("0:attention,1:main"));
        const auto* draft = window.findChild<ConfigPanel*>()->draft();
        QVERIFY(draft->forkPoint().has_value());
        QVERIFY2(draft->errors().isEmpty(), qPrintable(draft->errors().join('\n')));
        QCOMPARE(draft->text("pruned_branches"), QStringLiteral("0:attention,1:main"));
        const auto config = draft->config();
        QVERIFY(config && modelCosts(config->model, 64).parameters < modelCosts(config_.model, 64).parameters);
        window.quitNow();
        QTRY_VERIFY_WITH_TIMEOUT(!window.isVisible(), patience);
    }

    void anotherRunEmptiesIt()
    {
        measure();
        panel_->setSession(nullptr);
        QCOMPARE(table()->rowCount(), 0);
        QVERIFY(chart()->sheets().isEmpty());
    }
};

PHA_TEST(CostsTabTest)
#include "costs_tab_test.moc"
