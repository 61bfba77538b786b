// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/bench_rows.h"
#include "test_home.h"
#include "tests/suite.h"
#include "ui/bench/bench_chart.h"
#include "ui/bench/bench_panel.h"
#include "ui/bench/bench_store.h"
#include "ui/bench/bench_worker.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QFile>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QListWidget>
#include <QPushButton>
#include <QScrollBar>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableWidget>
#include <QTest>
#include <QToolButton>

#include <fstream>

using namespace pha;
using namespace pha::ui;
using pha::test::FakeEngine;
using pha::test::FakeOptions;

class BenchPanelTest : public QObject {
    Q_OBJECT

private:
    struct Fixture {
        test::TestHome home;
        FakeEngine engine;
        std::unique_ptr<BenchPanel> panel;

        explicit Fixture(FakeOptions options = {})
            : engine(options)
        {
            open();
        }
        fs::path file() const { return home.path() / "benchmarks.json"; }
        void open()
        {
            panel.reset();
            panel = std::make_unique<BenchPanel>(file(), [this]() -> Engine& { return engine; });
            panel->resize(960, 640);
            panel->show();
        }
        template <class T> T* find(const char* name) const { return panel->findChild<T*>(QLatin1String(name)); }
        int rows() const { return find<QTableWidget>("benchTable")->rowCount(); }
        QString message() const { return find<QLabel>("benchMessage")->text(); }
    };

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void rowsSurviveAsJson()
    {
        const auto row = test::fakeBenchRow({ { "pha-tiny" }, { 64 }, "decode" }, "pha-tiny", 64);
        const auto json = benchRowToJson(row);
        const auto back = benchRowFromJson(json);
        QVERIFY(back);
        QCOMPARE(benchRowToJson(*back), json);
        for (const auto& [key, value] : json.items()) {
            auto broken = json;
            broken[key] = Json::array();
            QVERIFY2(!benchRowFromJson(broken), key.c_str());
            broken.erase(key);
            // Earlier versions wrote rows without.
            const bool later = key == "step_bytes" || key.starts_with("read_") || key == "joules_per_token";
            QVERIFY2(bool(benchRowFromJson(broken)) == later, key.c_str());
        }
        QVERIFY(!benchRowFromJson(Json(3)));
    }

    void measuresDrawsAndKeeps()
    {
        Fixture f;
        f.find<QLineEdit>("benchContexts")->setText("256, 64,64");
        f.find<QPushButton>("benchRun")->click();
        QTRY_COMPARE(f.rows(), 4); // two presets, two different contexts
        QTRY_COMPARE(f.message(), "Done.");
        const auto sheets = f.find<BenchChart>("benchSpeedChart")->sheets();
        QCOMPARE(sheets.size(), 2);
        QCOMPARE(sheets[0].name, "pha-tiny");
        QCOMPARE(sheets[0].cell(0, 0).toDouble(), 64.0);
        const auto wanted = test::fakeBenchRow({ { "pha-tiny" }, { 256 }, "train" }, "pha-tiny", 256);
        QCOMPARE(sheets[0].cell(1, 1).toDouble(), wanted.tokensPerSecond);
        QCOMPARE(f.find<BenchChart>("benchMemoryChart")->sheets()[0].cell(1, 1).toDouble(), double(wanted.peakBytes));
        QVERIFY(f.find<QLabel>("benchMachine")->text().contains("AVX2"));
        const auto* table = f.find<QTableWidget>("benchTable");
        for (int row = 0; row < 4; ++row) // the colour of the curve, where its legend has no room
            QCOMPARE(table->item(row, 0)->data(Qt::DecorationRole).value<QColor>(),
                Theme::instance().colours().run(table->item(row, 0)->text() == "pha-tiny" ? 0 : 1));
        f.open(); // another session
        QCOMPARE(f.rows(), 4);
        QVERIFY(!f.panel->grab().isNull());
    }

    void writingHasABatchOfItsOwn()
    {
        Fixture f;
        auto *tokens = f.find<QSpinBox>("benchBatchTokens"), *texts = f.find<QSpinBox>("benchDecodeBatch");
        QVERIFY(!tokens->isHidden() && texts->isHidden());
        f.find<QComboBox>("benchMode")->setCurrentText(QStringLiteral("decode"));
        QVERIFY(tokens->isHidden() && !texts->isHidden());
        QCOMPARE(texts->value(), 1);
        texts->setValue(3);
        f.find<QLineEdit>("benchContexts")->setText("256");
        f.panel->run();
        QTRY_VERIFY(!f.panel->busy());
        const auto* table = f.find<QTableWidget>("benchTable");
        QVERIFY(table->rowCount() > 0);
        int batch = 0;
        while (batch < table->columnCount() && table->horizontalHeaderItem(batch)->text() != "Batch") ++batch;
        QVERIFY(batch < table->columnCount());
        QCOMPARE(table->item(0, batch)->text(), "3");
    }

    void aNarrowTableHidesNothingAtItsSide()
    {
        Fixture f;
        f.find<QLineEdit>("benchContexts")->setText("256");
        f.panel->run();
        QTRY_VERIFY(!f.panel->busy());
        QVERIFY(f.find<QComboBox>("benchPast")->currentText().startsWith("train \u00b7 "));
        auto* table = f.find<QTableWidget>("benchTable");
        const auto hidden = [&](const QString& head) {
            for (int column = 0; column < table->columnCount(); ++column)
                if (table->horizontalHeaderItem(column)->text() == head) return table->isColumnHidden(column);
            return false;
        };
        f.panel->show();
        for (const int width : { 1500, 800, 620 }) {
            f.panel->resize(width, 600);
            QTRY_VERIFY2(!table->horizontalScrollBar()->isVisible() && table->horizontalScrollBar()->maximum() == 0,
                qPrintable(QString::number(width)));
            QCOMPARE(hidden("Parameters"), width < 1500);
            QVERIFY(!hidden("Tokens/s") && hidden("Device")); // alike in all rows: beside the table
            QVERIFY(table->item(0, 0)->toolTip().contains("Parameters"));
        }
        QVERIFY(f.find<QLabel>("benchMachine")->text().contains("cpu"));
    }

    void stopKeepsWholeRows_data()
    {
        QTest::addColumn<int>("rows");
        QTest::addColumn<QString>("said");
        QTest::newRow("one") << 1 << "Stopped. 1 row is kept.";
        QTest::newRow("more") << 3 << "Stopped. 3 rows are kept.";
    }

    void stopKeepsWholeRows()
    {
        QFETCH(const int, rows);
        QFETCH(const QString, said);
        FakeOptions options;
        options.benchRows = rows;
        Fixture f(options);
        f.panel->run();
        QTRY_COMPARE(f.rows(), rows);
        QVERIFY(f.panel->busy());
        QVERIFY(!f.find<QPushButton>("benchRun")->isEnabled());
        QTest::keyClick(f.panel.get(), Qt::Key_Escape);
        QTRY_VERIFY(!f.panel->busy());
        QCOMPARE(f.message(), said);
        QCOMPARE(f.rows(), rows);
        QVERIFY(f.find<QPushButton>("benchRun")->isEnabled());
    }

    void closingInTheMiddleIsSafe()
    {
        FakeOptions options;
        options.benchRows = 1;
        Fixture f(options);
        f.panel->run();
        QTRY_COMPARE(f.rows(), 1);
        f.panel.reset();
        QVERIFY(!fs::exists(f.file())); // nobody was there to keep it
    }

    void quittingInTheMiddleKeepsWholeRows()
    {
        FakeOptions options;
        options.benchRows = 2;
        Fixture f(options);
        f.panel->run();
        QTRY_COMPARE(f.rows(), 2);
        QVERIFY(f.panel->shutDown(std::chrono::milliseconds(test::patience)));
        f.open(); // another session
        QCOMPARE(f.rows(), 2);
    }

    void errorsAreOneLine()
    {
        FakeOptions options;
        options.benchError = "the device ran out of memory";
        Fixture f(options);
        f.panel->run();
        QTRY_VERIFY(!f.panel->busy());
        QCOMPARE(f.message(), QString::fromStdString(Error("the device ran out of memory", "try again").what()));
        QCOMPARE(f.rows(), 1); // what was measured before is kept
    }

    void nonsenseIsRefusedWithAReason_data()
    {
        QTest::addColumn<QString>("contexts");
        QTest::newRow("words") << "64, many";
        QTest::newRow("nothing") << " ";
        QTest::newRow("too short") << "1";
        QTest::newRow("too long") << "99999999";
    }
    void nonsenseIsRefusedWithAReason()
    {
        QFETCH(QString, contexts);
        Fixture f;
        f.find<QLineEdit>("benchContexts")->setText(contexts);
        f.panel->run();
        QVERIFY(!f.panel->busy());
        QVERIFY(!f.message().isEmpty());
        QCOMPARE(f.find<QLabel>("benchMessage")->property("role").toString(), "error");
    }

    void withoutPresetsNothingStarts()
    {
        Fixture f;
        auto* list = f.find<QListWidget>("benchPresets");
        for (int i = 0; i < list->count(); ++i) list->item(i)->setCheckState(Qt::Unchecked);
        f.panel->run();
        QVERIFY(!f.panel->busy());
        QVERIFY(f.message().contains("tick at least one"));
    }

    void saysThatTrainingDisturbs()
    {
        Fixture f;
        f.panel->setDisturbed("A run is training.");
        QVERIFY(f.find<QLabel>("benchWarning")->isVisible());
        f.panel->run();
        QTRY_COMPARE(f.message(), "Done.");
        QVERIFY(f.find<QLabel>("benchMachine")->text().contains("something trained meanwhile"));
        f.panel->setDisturbed({});
        QVERIFY(!f.find<QLabel>("benchWarning")->isVisible());
    }

    void damagedFileIsMovedAside()
    {
        Fixture f;
        std::ofstream(f.file()) << "{\"schema\":1,\"measurements\":[{\"when\":3}]}";
        f.open();
        QVERIFY(f.message().contains("moved to"));
        QVERIFY(fs::exists(f.file().string() + ".damaged"));
        QCOMPARE(f.rows(), 0);
    }

    void rowsAreExportedAndRemoved()
    {
        Fixture f;
        f.panel->run();
        QTRY_COMPARE(f.message(), "Done.");
        const auto path = QString::fromStdString((f.home.path() / "bench.csv").string());
        f.panel->askForFile = [&](QWidget*) { return path; };
        f.find<QToolButton>("benchCsv")->click();
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        const auto lines = QString::fromUtf8(file.readAll()).split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), f.rows() + 1);
        QVERIFY(lines[0].startsWith("preset,mode,device,precision,context"));
        f.find<QToolButton>("benchForget")->click();
        QCOMPARE(f.rows(), 0);
        BenchStore store(f.file());
        QCOMPARE(store.load(), QString());
        QVERIFY(store.all().empty());
    }

    void twoWindowsKeepEachOthersMeasurements()
    {
        const test::TestHome home;
        const auto file = home.path() / "benchmarks.json";
        BenchStore one(file), other(file);
        QCOMPARE(one.load() + other.load(), QString());
        const auto measured = [](const char* when) {
            Measurement m { QLatin1String(when), QStringLiteral("a machine"), {}, false };
            m.rows.push_back(test::fakeBenchRow({}, "pha-tiny", 256));
            return m;
        };
        QCOMPARE(one.add(measured("2026-01-01T00:00:00Z")), QString());
        QCOMPARE(other.add(measured("2026-01-02T00:00:00Z")), QString());
        QCOMPARE(other.all().size(), std::size_t(2));
        QCOMPARE(one.add(measured("2026-01-03T00:00:00Z")), QString());
        QCOMPARE(one.all().size(), std::size_t(3));
        QCOMPARE(other.remove(1), QString()); // the first one, as this window shows it
        BenchStore third(file);
        QCOMPARE(third.load(), QString());
        QCOMPARE(third.all().size(), std::size_t(2));
        QCOMPARE(third.all()[0].when, QStringLiteral("2026-01-03T00:00:00Z"));
        QCOMPARE(third.all()[1].when, QStringLiteral("2026-01-02T00:00:00Z"));
    }

    void keyboardReadsTheChart()
    {
        Fixture f;
        f.panel->run();
        QTRY_COMPARE(f.message(), "Done.");
        auto* chart = f.find<BenchChart>("benchSpeedChart");
        QTest::keyClick(chart, Qt::Key_Right);
        QVERIFY(chart->headline().startsWith("context 128: pha-tiny"));
        QTest::keyClick(chart, Qt::Key_Right);
        QVERIFY(chart->headline().startsWith("context 256:"));
    }
};

PHA_TEST(BenchPanelTest)
#include "bench_panel_test.moc"
