// SPDX-License-Identifier: GPL-3.0-or-later
// The tables of the panel Inspect: on a network whose pushes, reach, heads and layers are known, they say what those
// are.
#include "tests/gui/fake_inside.h"
#include "tests/gui/inspect_fixture.h"
#include "tests/suite.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/head_table.h"
#include "ui/inspect/lens_table.h"
#include "ui/inspect/push_table.h"
#include "ui/inspect/reach_table.h"

#include <QAbstractItemModelTester>
#include <QScrollBar>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

class InspectTablesTest : public QObject, InspectFixture {
    Q_OBJECT

private Q_SLOTS:
    void init() { open(); }
    void cleanup() { close(); }

    void pushesAddUp()
    {
        lookAtSentence();
        auto* table = panel_->findChild<PushTable*>();
        QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        tabs()->setCurrentIndex(1);
        QCOMPARE(table->rowCount(), 5);
        const auto parts = layerParts(config_.model, 0);
        QCOMPARE(table->columnCount(), 1 + int(parts.size()));
        for (int column = 1; column < table->columnCount();
             ++column) { // where it is narrow, the tip has the whole name
            const auto* head = table->horizontalHeaderItem(column);
            QVERIFY2(head->toolTip().contains(head->text()), qPrintable(head->text()));
        }
        text()->setCurrent(5);
        double sum = 0.25;
        for (std::size_t p = 0; p < parts.size(); ++p) {
            double all = 0;
            for (int layer = 0; layer < 3; ++layer) {
                const double nats = fakePush(layer, p, parts.size(), 5);
                QCOMPARE(table->item(layer + 2, int(p) + 1)->text(), signedNats(nats));
                all += nats;
            }
            QCOMPARE(table->item(0, int(p) + 1)->text(), signedNats(all));
            sum += all;
        }
        QCOMPARE(table->item(1, 1)->text(), QStringLiteral("Embedding +0.25"));
        QCOMPARE(table->columnSpan(1, 1), int(parts.size())); // it belongs to no part
        QVERIFY2(label("inspectSum")->text().contains(signedNats(sum)), qPrintable(label("inspectSum")->text()));

        find<QComboBox>("inspectPushesOf")->setCurrentIndex(1);
        double mean = 0;
        for (std::size_t t = 1; t < 8; ++t) mean += fakePush(2, 0, parts.size(), t) / 7;
        QCOMPARE(table->item(4, 1)->text(), signedNats(mean));
        QVERIFY(label("inspectSum")->text().startsWith("Mean over the 7 tokens"));
    }

    void reachIsByDistance()
    {
        lookAtSentence();
        auto* table = panel_->findChild<ReachTable*>();
        QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        tabs()->setCurrentIndex(2);
        QCOMPARE(table->rowCount(), 6);
        QCOMPARE(table->horizontalHeaderItem(2)->text(), QStringLiteral("0"));
        QCOMPARE(table->horizontalHeaderItem(5)->text(), QStringLiteral("4"));
        const auto view = fakeInside(config_, 1, { 8, ScriptedModel::token(1) });
        for (int row = 0; row < 6; ++row) {
            const auto& reach = view.reach[std::size_t(row)];
            QCOMPARE(table->item(row, 1)->text(), QString::number(reach.meanDistance, 'f', 1));
            QCOMPARE(table->item(row, 2)->text(), QString::number(100 * reach.shares[0], 'f', 0));
        }
        QCOMPARE(reachBin(0).to, std::int64_t(0));
        QCOMPARE(reachBin(3).from, std::int64_t(4));
        QCOMPARE(reachBin(3).to, std::int64_t(7));
    }

    void headsSayWhatTheyDo()
    {
        lookAtSentence();
        QCOMPARE(label("inspectMapTitle")->text(),
            QStringLiteral("L0 \u00b7 Attention \u00b7 head 0 \u00b7 previous token"));
        const auto said = grid()->accessibleDescription();
        QVERIFY2(said.contains("On this text it is: previous token")
                && said.contains("previous token 70 % (25 %), self 30 % (25 %); in brackets"),
            qPrintable(said));
        QVERIFY(!said.contains("induction")); // nothing in the text comes again
        QTest::keyClick(grid(), Qt::Key_Right);
        QCOMPARE(label("inspectMapTitle")->text(), QStringLiteral("L0 \u00b7 Attention \u00b7 head 1"));
        QVERIFY(!grid()->accessibleDescription().contains("On this text it is"));
        QVERIFY2(label("inspectMapTitle")->toolTip().contains("self 30 % (25 %)"),
            qPrintable(label("inspectMapTitle")->toolTip()));

        auto* table = panel_->findChild<HeadTable*>();
        QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        tabs()->setCurrentIndex(2);
        reachOf()->setCurrentIndex(1);
        QVERIFY(table->isVisible() && !button("inspectNameHeads")->isVisible());
        const auto heads = fakeInside(config_, 1, { 8, ScriptedModel::token(1) }).heads;
        QCOMPARE(table->rowCount(), int(heads.size()));
        for (int row = 0; row < table->rowCount(); ++row) {
            const auto& head = heads[std::size_t(row)];
            QCOMPARE(table->item(row, 1)->font().bold(), head.name == 0);
            QCOMPARE(table->item(row, 0)->data(Qt::AccessibleTextRole).toString().endsWith(": previous token"),
                head.name == 0);
            QCOMPARE(
                table->item(row, 1)->text(), head.head == 0 ? QStringLiteral("70 (25)") : QStringLiteral("0 (25)"));
            QCOMPARE(table->item(row, 5)->text(), QStringLiteral("\u2013"));
        }
        QCOMPARE(table->item(0, 0)->text(), QStringLiteral("L0 GSS")); // it has one only
        QCOMPARE(table->item(2, 0)->text(), QStringLiteral("L0 Attention 1"));
        QVERIFY2(table->item(0, 1)->toolTip().contains("25 % if all were read alike"),
            qPrintable(table->item(0, 1)->toolTip()));
        const auto lines = panel_->reachCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), qsizetype(1 + 5 * heads.size()));
        QCOMPARE(lines[6], QStringLiteral("0,attention,0,previous token,previous token,0.7,0.25,7"));
        QVERIFY(!panel_->grab().isNull());
    }

    void headsAreNamedWithoutAText()
    {
        panel_->setSession(session_.get());
        QTRY_VERIFY(button("inspectLook")->isEnabled());
        QVERIFY(tabs()->isTabEnabled(2) && !tabs()->isTabEnabled(1) && !tabs()->isTabEnabled(3));
        tabs()->setCurrentIndex(2);
        QVERIFY(label("inspectReachSays")->text().startsWith("Press Ctrl+Enter"));
        QVERIFY(!button("inspectReachCsv")->isEnabled());
        reachOf()->setCurrentIndex(2);
        auto* table = panel_->findChild<HeadTable*>();
        auto* name = button("inspectNameHeads");
        QVERIFY(name->isVisible() && name->isEnabled());
        QCOMPARE(table->rowCount(), 0);
        QVERIFY(!button("inspectReachCsv")->isEnabled());
        QVERIFY(label("inspectReachSays")->text().startsWith("Name the heads"));
        script_->change([](Script& s) { s.answers = 0; });
        QTest::mouseClick(name, Qt::LeftButton);
        QTRY_COMPARE(scripted(&Script::headTests), 1);
        QVERIFY(button("inspectStop")->isEnabled());
        QTest::mouseClick(button("inspectStop"), Qt::LeftButton);
        QCOMPARE(message(), QStringLiteral("Stopped."));
        script_->change([](Script& s) { s.answers = 1; });
        QTest::mouseClick(name, Qt::LeftButton);
        QTRY_VERIFY(table->rowCount() > 0);
        const int last = table->rowCount() - 1;
        QVERIFY(table->item(last, 5)->font().bold());
        QVERIFY(table->item(last, 0)->toolTip().contains("L2 Attention 3: induction"));
        QCOMPARE(table->item(last, 5)->text(), QStringLiteral("84 (1)"));
        QVERIFY(table->item(last, 5)->background().color() != table->item(0, 5)->background().color());
        QVERIFY2(label("inspectReachSays")->text().contains("6.50 nats a token the first time, 1.25 the second"),
            qPrintable(label("inspectReachSays")->text()));
        QVERIFY(label("inspectReachSays")->text().endsWith("In-context gain 5.25 nats."));
        QVERIFY(button("inspectReachCsv")->isEnabled());
        QVERIFY(panel_->reachCsv().contains(",induction,induction,0.84,0.0125,512"));
        lookAtSentence();
        tabs()->setCurrentIndex(2);
        QVERIFY(table->item(last, 5)->font().bold());
        reachOf()->setCurrentIndex(1); // of the text: its own
        QVERIFY(!table->item(last, 5)->font().bold());
        panel_->setSession(nullptr); // of another network nothing is known
        reachOf()->setCurrentIndex(2);
        QCOMPARE(table->rowCount(), 0);
        QVERIFY(!name->isEnabled());
    }

    void statesSayHowLongTheyRemember()
    {
        lookAtSentence();
        tabs()->setCurrentIndex(2);
        reachOf()->setCurrentIndex(3);
        auto* table = panel_->findChild<MemoryTable*>();
        QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        QVERIFY(table->isVisible());
        QCOMPARE(table->rowCount(), 3);
        QCOMPARE(table->item(1, 0)->text(), QStringLiteral("L1 GSS"));
        const QStringList expected { "2.0", "4.0", "8.0", "16.0", "32.0", "800", "13 %" };
        for (int column = 0; column < 7; ++column) QCOMPARE(table->item(1, column + 1)->text(), expected[column]);
        const auto lines = panel_->reachCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines[2], QStringLiteral("1,gss,512,2,4,8,16,32,800,0.125"));
        engine_->config.model.family = "transformer";
        script_->change([](Script& s) { s.step = 2000; }); // other weights, which are loaded anew
        Q_EMIT session_->changed();
        panel_->setSession(nullptr);
        lookAtSentence();
        QCOMPARE(table->rowCount(), 0);
        QVERIFY(label("inspectReachSays")->text().startsWith("This network has no state spaces"));
        QVERIFY(!button("inspectReachCsv")->isEnabled());
    }

    /// Eight tokens, of which seven were predicted, and what comes next; the embedding and three layers.
    void layersSayWhatTheyWouldSay()
    {
        lookAtSentence();
        auto* table = panel_->findChild<LensTable*>();
        QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        tabs()->setCurrentIndex(3);
        QCOMPARE(table->rowCount(), 4);
        QCOMPARE(table->columnCount(), 8);
        QCOMPARE(table->verticalHeaderItem(0)->text(), QStringLiteral("Emb.  1.61")); // ln 5
        QCOMPARE(table->verticalHeaderItem(3)->text(), QStringLiteral("L2  0.22")); // ln 5/4
        for (int column = 0; column < 8; ++column) {
            const auto came = column < 7 ? text()->tokens()[column + 1].text : std::string("more");
            QCOMPARE(
                table->horizontalHeaderItem(column)->text(), column < 7 ? visibleToken(came) : QStringLiteral("next"));
            for (int row = 0; row < 4; ++row) {
                const bool leads = row >= 1 + column % 3;
                const auto* cell = table->item(row, column);
                QCOMPARE(cell->text(), leads ? visibleToken(came) : QStringLiteral("no"));
                QCOMPARE(cell->font().bold(), leads && column < 7);
                QCOMPARE(cell->background().style() != Qt::NoBrush, column < 7);
            }
        }
        QCOMPARE(table->token(), 7); // the token that was selected
        text()->setCurrent(2);
        QCOMPARE(table->token(), 2);
        QCOMPARE(table->currentRow(), 3);
        QVERIFY2(label("inspectLensReading")->text().contains("is number 1 with 80 %")
                && label("inspectLensReading")->text().endsWith("leads from L1 on."),
            qPrintable(label("inspectLensReading")->text()));
        QTest::keyClick(table, Qt::Key_Right); // column 2: leads after the last layer only
        QCOMPARE(text()->current(), 3);
        QVERIFY(label("inspectLensReading")->text().endsWith("leads only after L2."));
        QTest::keyClick(table, Qt::Key_Up);
        QVERIFY(label("inspectLensReading")->text().startsWith("After L1: \u201cno\u201d 90 %"));
        QVERIFY(label("inspectLensReading")->text().contains("is number 2 with 60 %"));
        table->setCurrentCell(0, 7); // what comes next is no token of the text
        QCOMPARE(text()->current(), 3);
        QVERIFY(!label("inspectLensReading")->text().contains("The token that came"));
        text()->setCurrent(0);
        QVERIFY(label("inspectLensReading")->text().startsWith("The first token"));

        auto* of = find<QComboBox>("inspectLensOf");
        const auto likely = table->item(0, 0)->background().color();
        of->setCurrentIndex(2);
        QVERIFY(table->item(0, 0)->background().color() != likely);
        QVERIFY(table->item(0, 7)->background().style() != Qt::NoBrush);
        QCOMPARE(table->item(3, 0)->background().color(), table->colours().at(0));
        const auto lines = panel_->lensCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), qsizetype(1 + 4 * 8));
        QVERIFY2(lines[1].startsWith(",1, took,0.2,2,3,6,no,0.9"), qPrintable(lines[1]));
        QVERIFY2(lines.back().startsWith("2,8,,,,0,0,more,0.8"), qPrintable(lines.back()));
        QVERIFY(!panel_->grab().isNull());
    }

    /// The embedding, then of each layer what every part puts out, what is inside the feed-forward parts, the stream.
    void activationsSayHowLargeTheNumbersAre()
    {
        lookAtSentence();
        auto* table = panel_->findChild<ActivationTable*>();
        QAbstractItemModelTester tester(table->model(), QAbstractItemModelTester::FailureReportingMode::QtTest);
        tabs()->setCurrentIndex(3);
        find<QComboBox>("inspectLensOf")->setCurrentIndex(3);
        const auto view = fakeInside(config_, 1, { 8, ScriptedModel::token(1) });
        QCOMPARE(table->rowCount(), int(view.activations.size()));
        QCOMPARE(table->item(0, 0)->text(), QStringLiteral("Embedding"));
        QCOMPARE(table->item(1, 0)->text(), QStringLiteral("L0 GSS"));
        QCOMPARE(table->item(table->rowCount() - 1, 0)->text(), QStringLiteral("After L2"));
        const auto inside = table->findItems(QStringLiteral("L1 FFN hidden"), Qt::MatchExactly);
        QCOMPARE(inside.size(), qsizetype(1));
        const auto cells = [&](int row) {
            QStringList texts;
            for (int column = 2; column < 5; ++column) texts << table->item(row, column)->text();
            return texts.join(QLatin1Char(' '));
        };
        QCOMPARE(cells(0), QStringLiteral("1 8.5\u00d7 "));
        QVERIFY(table->item(1, 0)->toolTip().contains("L0 GSS"));
        ActivationTable narrow; // its headings are whole all the same
        narrow.setLook(std::make_shared<const InsideView>(view));
        const int heading = narrow.fontMetrics().horizontalAdvance(narrow.horizontalHeaderItem(1)->text());
        for (const int width : { 900, 400, 320, 900 }) {
            narrow.resize(width, 200);
            narrow.show();
            QTRY_VERIFY(narrow.columnWidth(1) > heading);
            QTRY_COMPARE(narrow.horizontalScrollBar()->maximum(), 0);
        }
        QTRY_VERIFY(narrow.columnWidth(1) > 3 * heading); // histograms have what is left
        QCOMPARE(cells(inside.front()->row()), QStringLiteral("3.2 8.5\u00d7 "));
        QCOMPARE(cells(inside.front()->row() + 1), QStringLiteral("3.2 8.5\u00d7 -0.25"));
        QVERIFY(label("inspectLensReading")->text().startsWith("Select a row"));
        table->setCurrentCell(inside.front()->row(), 0);
        const auto says = label("inspectLensReading")->text();
        QVERIFY2(says.startsWith("L1 FFN hidden: largest -27.2, 8.5\u00d7 the rms, in channel 17 of 128 at token 8"),
            qPrintable(says));
        QVERIFY2(says.contains("Kurtosis 250.") && says.contains("median one: 3.")
                && says.endsWith("hundredth of the rms: 40."),
            qPrintable(says));
        text()->setCurrent(2);
        QTest::keyClick(table, Qt::Key_Return);
        QCOMPARE(text()->current(), 7); // where the largest number is
        const auto lines = panel_->lensCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(lines.size(), qsizetype(1) + qsizetype(view.activations.size()));
        QVERIFY2(lines[0].endsWith(",from_7.75_rms") && lines[0].contains(",alike,from_-8_rms,"), qPrintable(lines[0]));
        QVERIFY2(lines[2].startsWith("0,gss,output,128,0,2,3.5,-17,7,17,0,0,-0.25,3,"), qPrintable(lines[2]));
        QCOMPARE(lines[0].count(','), lines[2].count(','));
        QVERIFY(!panel_->grab().isNull());
    }
};

PHA_TEST(InspectTablesTest)
#include "inspect_tables_test.moc"
