// SPDX-License-Identifier: GPL-3.0-or-later
// The tab Weights of the panel Inspect, on checkpoints whose numbers are known.
#include "engine/base/atomic_file.h"
#include "engine/run/safetensors.h"
#include "tests/gui/panel_fixture.h"
#include "tests/suite.h"
#include "ui/charts/qcustomplot_include.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/inspect/weight_history.h"
#include "ui/inspect/weight_list.h"
#include "ui/inspect/weight_ridges.h"

#include <QAbstractItemModelTester>
#include <QCheckBox>
#include <QComboBox>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTest>

#include <cmath>
#include <fstream>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

namespace {

/// Weights that grow: at step s the numbers of every tensor are evenly spread up to s / 1000.
void saveWeights(const fs::path& run, std::int64_t step)
{
    const RunDirectory directory(run);
    publishCheckpoint(directory, checkpointName(step), [&](const fs::path& to) {
        std::vector<float> values(512), frozen(512, 0.25F);
        for (std::size_t i = 0; i < values.size(); ++i)
            values[i] = float((double(i) - 255.5) / 256 * double(step) / 1000);
        frozen[0] = 0.5F;
        std::vector<TensorToWrite> tensors;
        for (const char* name : { "embedding", "layers.0.norm_in", "layers.0.gss.value", "layers.0.gss.output",
                 "layers.0.attention.output", "layers.0.ffn.down", "layers.0.main.down", "layers.1.gss.output",
                 "layers.1.attention.output", "layers.1.ffn.down", "layers.1.main.down" })
            tensors.push_back({ name, "F32", { 32, 16 }, values.data() });
        tensors.push_back({ "layers.1.mixing.norm_gss", "F32", { 512 }, frozen.data() });
        writeSafetensors(to / "model.safetensors", tensors, {});
        writeFileAtomically(to / "state.json", "{}");
    });
    directory.setPointer("latest", checkpointName(step));
}

} // namespace

class WeightsTabTest : public QObject, PanelFixture<InspectPanel> {
    Q_OBJECT

private Q_SLOTS:
    void init()
    {
        run_ = (folder_.path() + QStringLiteral("/run%1").arg(++number_)).toStdString();
        RunFile file;
        file.name = "run";
        file.config = config_;
        RunDirectory(run_).create(file);
        openPanel(1000, 700);
    }

    void cleanup() { close(); }

    void withoutWeightsItSaysWhatToDo()
    {
        tabs()->setCurrentIndex(4);
        QVERIFY(label("weightsEmpty")->isVisible());
        QVERIFY2(label("weightsEmpty")->text().startsWith("Train a run or open one"),
            qPrintable(label("weightsEmpty")->text()));
        open();
        QTRY_VERIFY_WITH_TIMEOUT(label("weightsEmpty")->text().startsWith("This run has no checkpoint yet"), patience);
        QVERIFY(!part()->isEnabled());
        QVERIFY(!panel_->grab().isNull());
        saveWeights(run_, 10); // the first one comes while it is looked at
        session_->poll();
        QTRY_VERIFY_WITH_TIMEOUT(table()->isVisible(), patience);
        QCOMPARE(ridges()->panels().front().ridges.size(), std::size_t(1));
        QVERIFY(label("weightsReadout")->text().startsWith("One checkpoint so far"));
    }

    void nothingIsReadBeforeTheTabIsSeen()
    {
        saveWeights(run_, 10);
        open();
        QTRY_COMPARE_WITH_TIMEOUT(session_->savedStep(), std::int64_t(10), patience);
        QVERIFY(ridges()->panels().empty());
        QVERIFY(find<QWidget>("inspectPrompt")->isVisible());
        tabs()->setCurrentIndex(4);
        QVERIFY(!find<QWidget>("inspectPrompt")->isVisible()); // the tensors stand there
        QTRY_VERIFY_WITH_TIMEOUT(!ridges()->panels().empty(), patience);
    }

    void theListTellsOfTheNewestCheckpoint()
    {
        showThree();
        const auto* model = table()->model();
        QAbstractItemModelTester tester(table()->model());
        QCOMPARE(model->rowCount(), 12);
        QCOMPARE(cell("L0 gss.value", WeightListModel::Shape), QStringLiteral("32 x 16"));
        QCOMPARE(cell("L0 gss.value", WeightListModel::Change), QStringLiteral("200 %")); // from 10 to 30
        QCOMPARE(cell("L1 mixing.norm_gss", WeightListModel::Change), QStringLiteral("0 %"));
        const double rms = std::sqrt((512.0 * 512 - 1) / 12) / 256 * 0.03;
        QVERIFY(std::abs(cell("L0 norm_in", WeightListModel::Rms).toDouble() - rms) < 5e-3 * rms);
        QVERIFY(
            model->headerData(WeightListModel::Change, Qt::Horizontal, Qt::ToolTipRole).toString().contains("step 10"));
        const auto odd = row("L1 mixing.norm_gss");
        QVERIFY(model->index(odd, 0).data(Qt::ToolTipRole).toString().contains("unmoved"));
        QVERIFY(model->index(odd, 0).data(Qt::DecorationRole).isValid());
        QVERIFY(!model->index(row("embedding"), 0).data(Qt::DecorationRole).isValid());
        QVERIFY(label("weightsMessage")->text().startsWith("3 checkpoints, steps 10 to 30"));
        table()->sortByColumn(WeightListModel::Change, Qt::AscendingOrder);
        QCOMPARE(row("L1 mixing.norm_gss"), 0);
    }

    void branchesStandSideBySide()
    {
        showThree();
        const auto titles = [this] {
            QStringList list;
            for (const auto& panel : ridges()->panels()) list << panel.title;
            return list;
        };
        QCOMPARE(titles(), QStringList({ "L0 gss.output", "L0 attention.output", "L0 ffn.down" }));
        layer()->setCurrentIndex(2);
        QCOMPARE(table()->model()->rowCount(), 5);
        QCOMPARE(titles(), QStringList({ "L1 gss.output", "L1 attention.output", "L1 ffn.down" }));
        part()->setCurrentIndex(part()->findText("Main FFN"));
        QCOMPARE(titles(), QStringList({ "L1 main.down" }));
        layer()->setCurrentIndex(0);
        part()->setCurrentIndex(part()->findText("Only odd ones"));
        QCOMPARE(titles(), QStringList({ "L1 mixing.norm_gss" }));
        part()->setCurrentIndex(0);
        table()->selectAll();
        QCOMPARE(titles().size(), qsizetype(WeightRidges::mostPanels));
        QVERIFY(label("weightsReadout")->text().contains("first 4 of 12"));
        table()->clearSelection();
        QVERIFY(titles().isEmpty());
        QVERIFY(!panel_->grab().isNull());
    }

    void ridgesAreWhatWasCounted()
    {
        showThree();
        const auto& panel = ridges()->panels().front();
        QCOMPARE(panel.ridges.size(), std::size_t(3));
        QCOMPARE(ridges()->range(), std::ldexp(1.0, -5)); // the power of two above 0.03
        for (const auto& ridge : panel.ridges) {
            std::int64_t sum = 0;
            for (const auto n : ridge.counts) sum += n;
            QCOMPARE(sum, std::int64_t(512));
            QCOMPARE(ridge.total, std::int64_t(512));
        }
        // Spread over a third of the width, three times as many numbers stand in a bin.
        const auto middle = WeightRidges::columns / 2;
        const auto most = [&](std::size_t i) { return double(panel.ridges[i].counts[middle]); };
        QVERIFY(std::abs(most(0) / most(2) - 3) < 0.5);
        QCOMPARE(panel.rms, QStringLiteral("rms 0.0173"));
        QCOMPARE(panel.moved, QStringLiteral("moved 200 %"));
        QVERIFY2(panel.rank.startsWith("rank ") && panel.rank.endsWith(" of 16"), qPrintable(panel.rank));
        QCOMPARE(ridges()->shownRidges(0), (std::vector<int> { 0, 1, 2 }));
        const auto before = ridges()->outline(0, 2);
        find<QCheckBox>("weightsLog")->setChecked(true);
        QVERIFY(ridges()->logarithmic());
        const auto after = ridges()->outline(0, 2);
        QCOMPARE(after.size(), before.size());
        QVERIFY(after[before.size() / 2].y() < before[before.size() / 2].y()); // few numbers stand higher
        const auto sheets = ridges()->sheets();
        QCOMPARE(sheets.size(), qsizetype(3));
        QCOMPARE(sheets[0].rows(), 3 * WeightRidges::columns);
        QCOMPARE(sheets[0].cell(0, 0).toDouble(), 10.0);
        QCOMPARE(sheets[0].cell(0, 1).toDouble(), -ridges()->range());
        QCOMPARE(sheets[0].cell(3 * WeightRidges::columns - 1, 2).toDouble(), ridges()->range());
    }

    void pointerAndKeysRead()
    {
        showThree();
        auto* plot = ridges()->plot();
        const auto rect = ridges()->panelRect(1);
        QTest::mouseMove(plot, QPoint(int(rect.center().x()) + 1, int(rect.bottom()) - 1));
        QTRY_VERIFY(ridges()->reading().startsWith("L0 attention.output, step 30: "));
        QVERIFY2(ridges()->reading().contains(" of 512 numbers (") && ridges()->reading().contains("from 0 to "),
            qPrintable(ridges()->reading()));
        QCOMPARE(label("weightsReadout")->text(), ridges()->reading());
        ridges()->setFocus();
        QTest::keyClick(ridges(), Qt::Key_Home);
        QVERIFY(ridges()->reading().contains("step 10"));
        QTest::keyClick(ridges(), Qt::Key_Down);
        QVERIFY(ridges()->reading().contains("step 20"));
        QTest::keyClick(ridges(), Qt::Key_PageDown);
        QVERIFY(ridges()->reading().startsWith("L0 ffn.down"));
        const auto here = ridges()->reading();
        QTest::keyClick(ridges(), Qt::Key_Left);
        QVERIFY(ridges()->reading() != here);
        QTest::keyClick(ridges(), Qt::Key_Right);
        QCOMPARE(ridges()->reading(), here);
        QCOMPARE(ridges()->accessibleDescription(), here);
        for (int i = 0; i < 200; ++i) QTest::keyClick(ridges(), Qt::Key_Right);
        QVERIFY(!panel_->grab().isNull());
    }

    void manyCheckpointsKeepTheFirstAndTheLast()
    {
        for (int step = 1; step <= 90; ++step) saveWeights(run_, step);
        WeightHistory history;
        QSignalSpy ended(&history, &WeightHistory::busyChanged);
        history.setRun(run_);
        history.refresh();
        QTRY_VERIFY_WITH_TIMEOUT(ended.size() == 2, patience);
        QVERIFY(history.moments().size() <= WeightHistory::mostRead);
        QCOMPARE(history.moments().front().step, std::int64_t(1));
        QCOMPARE(history.moments().back().step, std::int64_t(90));
        WeightRidges chart(nullptr);
        chart.resize(400, 300);
        chart.show();
        chart.setTensors(history.moments(), { "embedding" });
        const auto shown = chart.shownRidges(0);
        QVERIFY(shown.size() < history.moments().size());
        QCOMPARE(shown.front(), 0);
        QCOMPARE(shown.back(), int(history.moments().size()) - 1);
        QVERIFY(!chart.grab().isNull());
    }

    void whatWasReadStaysUntilTheRunGoesBack()
    {
        saveWeights(run_, 10);
        saveWeights(run_, 20);
        WeightHistory history;
        QSignalSpy reading(&history, &WeightHistory::reading);
        history.setRun(run_);
        readAll(history);
        QCOMPARE(steps(history), (std::vector<std::int64_t> { 10, 20 }));
        QCOMPARE(reading.front().front().toLongLong(), 20); // the newest first
        saveWeights(run_, 30);
        pruneCheckpoints(RunDirectory(run_), 1);
        reading.clear();
        readAll(history);
        QCOMPARE(steps(history), (std::vector<std::int64_t> { 10, 20, 30 }));
        QCOMPARE(reading.size(), 1);
        const auto other = run_.string() + "-other";
        history.setRun(other); // and back: nothing is read again
        QVERIFY(history.moments().empty());
        history.setRun(run_);
        reading.clear();
        readAll(history);
        QVERIFY(reading.isEmpty());
        QCOMPARE(history.moments().size(), std::size_t(3));
        setAsideLaterCheckpoints(RunDirectory(run_), 5);
        saveWeights(run_, 15);
        readAll(history);
        QCOMPARE(steps(history), (std::vector<std::int64_t> { 10, 15 }));
    }

    void aDeletedRunLeavesNothingToTheNextOneInItsFolder()
    {
        saveWeights(run_, 10);
        WeightHistory history;
        QVERIFY(history.setRun(run_, "2026-02-01T12:00:00Z"));
        readAll(history);
        QCOMPARE(steps(history), (std::vector<std::int64_t> { 10 }));
        history.setRun({});
        history.setRun(run_, "2026-02-01T12:05:00Z");
        QVERIFY(history.moments().empty());
        QVERIFY(history.setRun(run_, "2026-02-01T12:00:00Z")); // as one that is taken out of the trash
        QCOMPARE(steps(history), (std::vector<std::int64_t> { 10 }));
        QVERIFY(!history.setRun(run_, "2026-02-01T12:00:00Z"));
    }

    void aDamagedCheckpointIsSaidAndTheOthersAreRead()
    {
        saveWeights(run_, 10);
        saveWeights(run_, 20);
        const auto file = run_ / "checkpoints" / checkpointName(10) / "model.safetensors";
        const auto size = fs::file_size(file);
        std::ofstream(file, std::ios::binary) << std::string(size, 'x'); // of the right length, but nonsense
        WeightHistory history;
        QSignalSpy failed(&history, &WeightHistory::failed);
        history.setRun(run_);
        readAll(history);
        QCOMPARE(failed.size(), 1);
        QVERIFY(failed.front().front().toString().contains("not a usable safetensors file"));
        QCOMPARE(steps(history), (std::vector<std::int64_t> { 20 }));
        QVERIFY(!history.moments().front().since);
        tabs()->setCurrentIndex(4);
        open();
        QTRY_VERIFY_WITH_TIMEOUT(label("weightsMessage")->text().contains("not a usable safetensors file"), patience);
        table()->selectAll(); // which shows other ridges, and leaves the message
        QVERIFY(label("weightsMessage")->text().contains("not a usable safetensors file"));
    }

    void aRunThatIsLeftIsNotReadOn()
    {
        for (int step = 1; step <= 40; ++step) saveWeights(run_, step);
        WeightHistory history;
        history.setRun(run_);
        history.refresh();
        history.setRun({});
        QVERIFY(!history.busy());
        QTest::qWait(50);
        QVERIFY(history.moments().empty());
    }

    void lookingInsideLeavesTheTab()
    {
        showThree();
        panel_->look();
        QCOMPARE(tabs()->currentIndex(), 0);
        QVERIFY(find<QWidget>("inspectPrompt")->isVisible());
    }

private:
    void open()
    {
        session_ = std::make_unique<RunSession>(run_);
        panel_->setSession(session_.get());
        QTRY_VERIFY_WITH_TIMEOUT(!session_->loading(), patience);
    }
    void showThree()
    {
        for (const int step : { 10, 20, 30 }) saveWeights(run_, step);
        tabs()->setCurrentIndex(4);
        open();
        QTRY_VERIFY_WITH_TIMEOUT(
            !ridges()->panels().empty() && ridges()->panels().front().ridges.size() == 3, patience);
        QTRY_VERIFY_WITH_TIMEOUT(label("weightsMessage")->text().startsWith("3 checkpoints"), patience);
    }
    static void readAll(WeightHistory& history)
    {
        history.refresh();
        QTRY_VERIFY_WITH_TIMEOUT(!history.busy(), patience);
    }
    static std::vector<std::int64_t> steps(const WeightHistory& history)
    {
        std::vector<std::int64_t> list;
        for (const auto& moment : history.moments()) list.push_back(moment.step);
        return list;
    }
    int row(const char* tensor)
    {
        for (int r = 0; r < table()->model()->rowCount(); ++r)
            if (table()->model()->index(r, 0).data().toString() == QLatin1String(tensor)) return r;
        return -1;
    }
    QString cell(const char* tensor, int column)
    {
        return table()->model()->index(row(tensor), column).data().toString();
    }

    QComboBox* part() { return find<QComboBox>("weightsPart"); }
    QComboBox* layer() { return find<QComboBox>("weightsLayer"); }
    QTabWidget* tabs() { return find<QTabWidget>("inspectTabs"); }
    WeightTable* table() { return panel_->findChild<WeightTable*>(); }
    WeightRidges* ridges() { return panel_->findChild<WeightRidges*>(); }

    int number_ = 0;
};

PHA_TEST(WeightsTabTest)
#include "weights_tab_test.moc"
