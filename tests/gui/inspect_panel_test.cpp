// SPDX-License-Identifier: GPL-3.0-or-later
// The panel that looks inside: on a network whose maps and pushes are known, what it shows is what they are.
#include "tests/gui/fake_inside.h"
#include "tests/gui/panel_fixture.h"
#include "tests/suite.h"
#include "ui/inspect/activation_table.h"
#include "ui/inspect/head_table.h"
#include "ui/inspect/inspect_panel.h"
#include "ui/inspect/lens_table.h"
#include "ui/inspect/map_grid.h"
#include "ui/inspect/map_ramp.h"
#include "ui/inspect/map_view.h"
#include "ui/inspect/push_table.h"
#include "ui/inspect/reach_table.h"
#include "ui/panels/token_view.h"
#include "ui/theme.h"

#include <QAbstractItemModelTester>
#include <QComboBox>
#include <QPlainTextEdit>
#include <QScrollBar>
#include <QSignalSpy>
#include <QStackedWidget>
#include <QTabWidget>
#include <QTest>
#include <QToolTip>

#include <cmath>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

namespace {

const QString sentence = QStringLiteral("Mara took the copper key to the harbour"); // eight tokens of the fake

} // namespace

class InspectPanelTest : public QObject, PanelFixture<InspectPanel> {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        config_.model.layers = 3;
        config_.training.samplePrompt = sentence.toStdString();
        writeFakeRun(run_, config_, "run");
    }

    void init()
    {
        openSession();
        openPanel(1000, 700);
    }

    void cleanup() { close(); }

    void withoutARunItSaysWhatToDo()
    {
        QVERIFY(!button("inspectLook")->isEnabled());
        panel_->look();
        QVERIFY(asked().empty());
        QVERIFY(label("inspectEmpty")->isVisible());
        QVERIFY(label("inspectEmpty")->text().startsWith("Train a run or open one"));
        for (const auto* name :
            { "inspectStop", "inspectPicture", "inspectPushesCsv", "inspectReachCsv", "inspectLensCsv" })
            QVERIFY2(!button(name)->isEnabled(), name);
    }

    void proposesTheRunsPromptUntilTheUserTypes()
    {
        panel_->setSession(session_.get());
        QCOMPARE(prompt()->toPlainText(), sentence);
        prompt()->setPlainText("My own");
        Q_EMIT session_->changed();
        QCOMPARE(prompt()->toPlainText(), QStringLiteral("My own"));
        prompt()->clear();
        panel_->look();
        QVERIFY(message().contains("empty"));
        QVERIFY(asked().empty());
    }

    void aLineEndIsNotReadFirst()
    {
        panel_->setSession(session_.get());
        prompt()->setPlainText(QStringLiteral("one two three\n"));
        panel_->look();
        QTRY_COMPARE(text()->tokens().size(), qsizetype(4));
        QCOMPARE(text()->current(), 2);
    }

    void ctrlEnterShowsEverything()
    {
        panel_->setSession(session_.get());
        QTest::keyClick(prompt(), Qt::Key_Return, Qt::ControlModifier);
        QTRY_COMPARE(text()->tokens().size(), qsizetype(8));
        QCOMPARE(asked().front().text, sentence.toStdString());
        QCOMPARE(prompt()->toPlainText(), sentence); // no line break was typed
        QCOMPARE(text()->current(), 7);
        // Three layers, four heads and one state space each.
        QCOMPARE(grid()->plan().layers.size(), std::size_t(3));
        QCOMPARE(grid()->plan().columns, 5);
        QCOMPARE(grid()->plan().cells.size(), std::size_t(15));
        QCOMPARE(grid()->plan().groups.front().part, QStringLiteral("attention"));
        QCOMPARE(grid()->plan().groups.back().part, QStringLiteral("gss"));
        QCOMPARE(grid()->selected(), 0);
        QCOMPARE(label("inspectMapTitle")->text(),
            QStringLiteral("L0 \u00b7 Attention \u00b7 head 0 \u00b7 previous token"));
        // The head looks one token back.
        const auto read = label("inspectReadout")->text();
        QVERIFY2(read.startsWith("Read at the last token") && read.contains("the\u201d (1 back) 70 %")
                && read.contains("itself 30 %"),
            qPrintable(read));
        QVERIFY2(message().contains("8 tokens") && message().contains("step 1,000"), qPrintable(message()));
        QTRY_VERIFY(grid()->complete());
        QVERIFY(!panel_->grab().isNull());
    }

    void tokensHaveTheColoursOfWhatIsRead()
    {
        lookAtSentence();
        grid()->select(grid()->plan().at(1, 2)); // three tokens back
        text()->setCurrent(6);
        QVERIFY(text()->colourOf(3).isValid());
        QVERIFY(text()->colourOf(6).isValid());
        QVERIFY(distance(text()->colourOf(3)) > distance(text()->colourOf(6))); // 70 % is more than 30 %
        for (const int other : { 0, 1, 2, 4, 5, 7 }) QVERIFY(!text()->colourOf(other).isValid());
        // A state space forgets by halves, and has another colour.
        const auto attention = text()->colourOf(3);
        grid()->select(grid()->plan().at(1, 4));
        QVERIFY(text()->colourOf(6).hue() != attention.hue());
        for (int s = 1; s <= 6; ++s) QVERIFY(distance(text()->colourOf(s)) >= distance(text()->colourOf(s - 1)));
        QVERIFY(!text()->colourOf(7).isValid()); // not there yet
    }

    void tokensHaveTheColourOfWhatPushedThem()
    {
        lookAtSentence();
        tint()->setCurrentIndex(1);
        const auto& c = Theme::instance().colours();
        QVERIFY(!text()->colourOf(0).isValid()); // nothing predicted it
        const auto parts = layerParts(config_.model, 0);
        for (int t = 1; t < 8; ++t) { // the parts take turns; where it is none of a branch, none pushed
            const auto& part = parts[std::size_t(t) % parts.size()];
            const auto shown = text()->colourOf(t);
            QCOMPARE(shown.isValid(), part != "main");
            if (part == "main") continue;
            const auto expected = c.branch(QString::fromStdString(part));
            QVERIFY2(std::abs(shown.hue() - expected.hue()) < 25, part.c_str());
        }
        tint()->setCurrentIndex(3);
        for (int t = 0; t < 8; ++t) QVERIFY(!text()->colourOf(t).isValid());
        tint()->setCurrentIndex(2);
        QVERIFY(text()->colourOf(3).isValid());
    }

    void keysWalkOverTokensAndMaps()
    {
        lookAtSentence();
        QTest::keyClick(text(), Qt::Key_Home);
        QCOMPARE(text()->current(), 0);
        QVERIFY(label("inspectFigures")->text().contains("predicted from nothing"));
        QTest::keyClick(text(), Qt::Key_Right);
        QCOMPARE(map()->token(), 1);
        QVERIFY(label("inspectReadout")->text().startsWith("Read at token 2"));
        QVERIFY(label("inspectFigures")->text().contains("predicted from the 1 before it"));

        QTest::keyClick(grid(), Qt::Key_Right);
        QCOMPARE(grid()->selected(), grid()->plan().at(0, 1));
        QTest::keyClick(grid(), Qt::Key_Down);
        QCOMPARE(grid()->selected(), grid()->plan().at(1, 1));
        QTest::keyClick(grid(), Qt::Key_End);
        QCOMPARE(grid()->selected(), 14);
        QTest::keyClick(grid(), Qt::Key_Down); // the last one stays
        QCOMPARE(grid()->selected(), 14);
        QTest::keyClick(grid(), Qt::Key_Home);
        QCOMPARE(grid()->selected(), 0);

        QTest::keyClick(map(), Qt::Key_End);
        QCOMPARE(text()->current(), 7);
        QTest::keyClick(map(), Qt::Key_Up);
        QCOMPARE(text()->current(), 6);
        QTest::keyClick(map(), Qt::Key_Left);
        QCOMPARE(map()->key(), 6);
        QTest::keyClick(map(), Qt::Key_Left);
        QCOMPARE(map()->key(), 5);
        const auto read = label("inspectReadout")->text();
        QVERIFY2(read.contains("looks at") && read.contains("1 back") && read.endsWith("70 %"), qPrintable(read));
    }

    void thePointerLooksAtTheMap()
    {
        lookAtSentence();
        QVERIFY(map()->named()); // eight tokens have room for their names
        QSignalSpy pointed(map(), &MapView::pointed);
        QTest::mouseMove(map(), map()->pointRect(5, 4).center().toPoint());
        QTRY_VERIFY(!pointed.isEmpty());
        QCOMPARE(pointed.back().at(0).toInt(), 5);
        QCOMPARE(pointed.back().at(1).toInt(), 4);
        QVERIFY(label("inspectReadout")->text().endsWith("70 %"));
        QTest::mouseClick(map(), Qt::LeftButton, {}, map()->pointRect(5, 4).center().toPoint());
        QCOMPARE(text()->current(), 5);
        QTest::mouseClick(map(), Qt::LeftButton, {}, map()->pointRect(2, 6).center().toPoint()); // ahead of its token
        QCOMPARE(text()->current(), 5);
        // A picture under the pointer is shown large, and the selected one comes back.
        QTest::mouseMove(grid()->viewport(), grid()->cellRect(7).center());
        QTRY_COMPARE(label("inspectMapTitle")->text(), QStringLiteral("L1 \u00b7 Attention \u00b7 head 2"));
        QTest::mouseMove(grid()->viewport(), QPoint(1, 1));
        QTRY_COMPARE(label("inspectMapTitle")->text(),
            QStringLiteral("L0 \u00b7 Attention \u00b7 head 0 \u00b7 previous token"));
        QTest::mouseClick(grid()->viewport(), Qt::LeftButton, {}, grid()->cellRect(7).center());
        QCOMPARE(grid()->selected(), 7);
    }

    void aTokenUnderThePointerTellsOfItself()
    {
        lookAtSentence();
        const auto rect = text()->tokenRect(4);
        QTest::mouseMove(text()->viewport(), rect.center());
        QTRY_VERIFY(QToolTip::isVisible());
        QVERIFY(QToolTip::text().contains("pushed by"));
        QCOMPARE(map()->key(), 4);
        QToolTip::hideText();
    }

    void picturesOfMapsAreExact()
    {
        const auto view = fakeInside(config_, 1, { 8, ScriptedModel::token(1) });
        const auto& attention = *std::find_if(
            view.maps.begin(), view.maps.end(), [](const ReadingMap& m) { return m.part == "attention"; });
        const MapRamp ramp(Theme::instance().colours().attention);
        const auto picture = ramp.image(attention, 1);
        QCOMPARE(picture.size(), QSize(8, 8));
        QCOMPARE(picture.pixelColor(3, 5).rgb(), ramp.of(0.7).rgb());
        QCOMPARE(picture.pixelColor(5, 5).rgb(), ramp.of(0.3).rgb());
        QCOMPARE(picture.pixelColor(4, 5).rgb(), ramp.of(0).rgb());
        QCOMPARE(picture.pixelColor(6, 5).alpha(), 0); // ahead of the token
        // Each step of the ramp is as far from the ground as the theme allows, and none goes back.
        for (const auto mode : { Theme::Mode::Light, Theme::Mode::Dark }) {
            Theme::instance().setMode(mode);
            const MapRamp shown(Theme::instance().colours().gss);
            for (int i = 1; i <= 20; ++i) {
                const int step = qGray(shown.at(i / 20.0).rgb()) - qGray(shown.at((i - 1) / 20.0).rgb());
                QVERIFY(mode == Theme::Mode::Light ? step < 0 : step > 0);
            }
        }
        Theme::instance().setMode(Theme::Mode::System);
    }

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

    void exportsWhatItShows()
    {
        lookAtSentence();
        QString suggestion;
        const auto file = folder_.filePath("out");
        panel_->askForFile = [&](QWidget*, const QString& proposed) {
            suggestion = proposed;
            return file;
        };
        const auto written = [&] {
            QFile read(file);
            return read.open(QIODevice::ReadOnly) ? read.readAll() : QByteArray();
        };
        tabs()->setCurrentIndex(1);
        QTest::mouseClick(button("inspectPushesCsv"), Qt::LeftButton);
        QCOMPARE(suggestion, QStringLiteral("pushes.csv"));
        QCOMPARE(written(), panel_->pushesCsv().toUtf8());
        auto lines = panel_->pushesCsv().split('\n', Qt::SkipEmptyParts);
        const auto parts = layerParts(config_.model, 0).size();
        QCOMPARE(lines.size(), qsizetype(1 + 7 * (1 + 3 * parts)));
        QCOMPARE(lines.front(), QStringLiteral("position,token_id,token,probability,layer,part,nats"));
        QVERIFY(lines[1].startsWith("1,1, took,") && lines[1].endsWith(",,embedding,0.25"));
        tabs()->setCurrentIndex(2);
        QTest::mouseClick(button("inspectReachCsv"), Qt::LeftButton);
        QCOMPARE(suggestion, QStringLiteral("reach.csv"));
        QCOMPARE(written(), panel_->reachCsv().toUtf8());
        QVERIFY(message().startsWith("Saved"));
        tabs()->setCurrentIndex(3);
        QTest::mouseClick(button("inspectLensCsv"), Qt::LeftButton);
        QCOMPARE(suggestion, QStringLiteral("layers.csv"));
        QCOMPARE(written(), panel_->lensCsv().toUtf8());
        find<QComboBox>("inspectLensOf")->setCurrentIndex(3);
        QTest::mouseClick(button("inspectLensCsv"), Qt::LeftButton);
        QCOMPARE(suggestion, QStringLiteral("activations.csv"));
        QCOMPARE(written(), panel_->lensCsv().toUtf8());
        panel_->exportImage();
        QCOMPARE(suggestion, QStringLiteral("map.png"));
        const auto picture = QImage::fromData(written());
        QCOMPARE(picture.width(), 2 * map()->width());
        panel_->askForFile = [](QWidget*, const QString&) { return QStringLiteral("/nowhere/x.csv"); };
        panel_->exportImage();
        QVERIFY(message().contains("cannot be written"));
    }

    /// A replay or an import that ends while the dialog stands selects another run.
    void exportsTheLookThatWasAskedFor()
    {
        lookAtSentence();
        const auto asked = panel_->pushesCsv();
        const auto path = folder_.filePath("asked.csv");
        panel_->askForFile = [&](QWidget*, const QString&) {
            panel_->setSession(nullptr);
            return path;
        };
        tabs()->setCurrentIndex(1);
        QTest::mouseClick(button("inspectPushesCsv"), Qt::LeftButton);
        QFile file(path);
        QVERIFY(file.open(QIODevice::ReadOnly));
        QCOMPARE(QString::fromUtf8(file.readAll()), asked);
        QVERIFY(panel_->pushesCsv() != asked);
    }

    void lateResultsAreDropped()
    {
        script_->change([](Script& s) { s.answers = 0; });
        panel_->setSession(session_.get());
        panel_->look();
        QTRY_COMPARE(asked().size(), std::size_t(1));
        QVERIFY(button("inspectStop")->isEnabled());
        prompt()->setPlainText("Another text");
        panel_->look(); // stops the first one
        script_->change([](Script& s) { s.answers = 10; });
        QTRY_VERIFY(!button("inspectStop")->isEnabled());
        QCOMPARE(asked().size(), std::size_t(2));
        QCOMPARE(text()->tokens().size(), qsizetype(2));

        script_->change([](Script& s) { s.answers = 0; });
        panel_->look();
        QTRY_COMPARE(asked().size(), std::size_t(3));
        QTest::keyClick(prompt(), Qt::Key_Escape);
        QVERIFY(!button("inspectStop")->isEnabled());
        QCOMPARE(message(), QStringLiteral("Stopped."));
        QCOMPARE(text()->tokens().size(), qsizetype(2)); // what was seen before stays

        panel_->look();
        QTRY_COMPARE(asked().size(), std::size_t(4));
        panel_->setSession(nullptr);
        script_->change([](Script& s) { s.answers = 10; });
        QTRY_COMPARE(scripted(&Script::models), 0);
        QVERIFY(text()->tokens().isEmpty());
        QVERIFY(grid()->plan().cells.empty());
        QCOMPARE(panel_->pushesCsv().count('\n'), 1);
        QVERIFY(!button("inspectLook")->isEnabled());
    }

    void errorsAndNotesAreOneLine()
    {
        panel_->setSession(session_.get());
        script_->change([](Script& s) { s.lookError = "the text is too long"; });
        panel_->look();
        QTRY_COMPARE(message(), QStringLiteral("the text is too long; do something else"));
        QVERIFY(label("inspectEmpty")->isVisible());
        script_->change([](Script& s) {
            s.lookError.clear();
            s.lookNote = "only the first 8 of 1,302 tokens are shown";
        });
        lookAtSentence();
        QCOMPARE(message(), QStringLiteral("only the first 8 of 1,302 tokens are shown"));
    }

    void takesTheTextOfThePlayground()
    {
        panel_->setSession(session_.get());
        QTest::mouseClick(button("inspectTake"), Qt::LeftButton);
        QVERIFY(message().contains("playground"));
        panel_->setOtherText([] { return QStringLiteral("What it wrote"); });
        QTest::mouseClick(button("inspectTake"), Qt::LeftButton);
        QCOMPARE(prompt()->toPlainText(), QStringLiteral("What it wrote"));
        QTRY_COMPARE(text()->tokens().size(), qsizetype(3));
    }

    void worksOnLiveWeightsWhileTheRunTrains()
    {
        session_->attach(std::make_shared<ScriptedJob>(script_, config_, run_));
        script_->change([](Script& s) { s.step = 321; });
        lookAtSentence();
        QVERIFY2(message().contains("live weights at step 321"), qPrintable(message()));
        session_->detach();
    }

    void familiesWithoutAMixOrWithoutMaps()
    {
        for (const auto* family : { "h3", "gss", "hedgehog", "transformer" }) {
            auto config = config_;
            config.model.family = family;
            const auto view = fakeInside(config, 1, { 8, ScriptedModel::token(1) });
            const auto plan = planMaps(view);
            QVERIFY2(!plan.cells.empty(), family);
            for (const auto& group : plan.groups) {
                const bool heads = group.part == "attention" || group.part == "hedgehog";
                QCOMPARE(group.columns, heads ? 4 : 1);
            }
        }
        PushTable table;
        auto h3 = config_;
        h3.model.family = "h3";
        table.setLook(std::make_shared<const InsideView>(fakeInside(h3, 1, { 8, ScriptedModel::token(1) })));
        table.setToken(3);
        QCOMPARE(table.item(1, 1)->text(), QStringLiteral("Embedding +0.25"));
        QCOMPARE(table.item(2, 1)->text(), QStringLiteral("Norms +0.50"));
        QCOMPARE(table.rowCount(), 6);
        QVERIFY(!table.grab().isNull());
        engine_->config.model.family = "gss";
        lookAtSentence();
        QCOMPARE(grid()->plan().columns, 1);
        QVERIFY(!panel_->grab().isNull());
        // Without branches to compare, all parts are.
        auto plain = config_;
        plain.model.family = "attention";
        const auto view = fakeInside(plain, 1, { 8, ScriptedModel::token(1) });
        QCOMPARE(comparedParts(view), QStringList({ "embedding", "attention", "main" }));
        InsideView none;
        none.tokens = { 2, ScriptedModel::token(1) };
        QVERIFY(planMaps(none).cells.empty());
        MapGrid empty;
        empty.setLook(std::make_shared<const InsideView>(none));
        QCOMPARE(empty.selected(), -1);
        QTest::keyClick(&empty, Qt::Key_Down);
        QVERIFY(!empty.grab().isNull());
    }

    void manyHeadsAreMadeWhenTheyComeIntoSight()
    {
        auto config = config_;
        config.model.layers = 12;
        config.model.queryHeads = 12;
        const auto view = std::make_shared<const InsideView>(
            fakeInside(config, 1, std::vector<GeneratedToken>(200, ScriptedModel::token(1))));
        MapGrid many;
        many.resize(400, 300);
        many.show();
        many.setLook(view);
        QCOMPARE(many.plan().cells.size(), std::size_t(12 * 13));
        QVERIFY(many.verticalScrollBar()->maximum() > 0);
        QTRY_VERIFY(many.complete());
        QTest::keyClick(&many, Qt::Key_End);
        QVERIFY(many.viewport()->rect().contains(many.cellRect(155)));
        QVERIFY(!many.complete()); // nobody has seen these
        QTRY_VERIFY(many.complete());
    }

private:
    void lookAtSentence()
    {
        panel_->setSession(session_.get());
        panel_->look();
        QTRY_COMPARE(text()->tokens().size(), qsizetype(8));
        QTRY_VERIFY(!button("inspectStop")->isEnabled());
    }
    /// From the ground: how strong a colour is.
    static int distance(const QColor& colour)
    {
        const auto ground = Theme::instance().colours().surface;
        return colour.isValid() ? std::abs(qGray(colour.rgb()) - qGray(ground.rgb())) : 0;
    }
    QString message() { return label("inspectMessage")->text(); }
    QPlainTextEdit* prompt() { return find<QPlainTextEdit>("inspectPrompt"); }
    QComboBox* tint() { return find<QComboBox>("inspectTint"); }
    QTabWidget* tabs() { return find<QTabWidget>("inspectTabs"); }
    QComboBox* reachOf() { return find<QComboBox>("inspectReachOf"); }
    TokenView* text() { return find<TokenView>("inspectText"); }
    MapGrid* grid() { return panel_->findChild<MapGrid*>(); }
    MapView* map() { return panel_->findChild<MapView*>(); }
    std::vector<LookOptions> asked() const { return scripted(&Script::looks); }
};

PHA_TEST(InspectPanelTest)
#include "inspect_panel_test.moc"
