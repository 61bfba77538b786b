// SPDX-License-Identifier: GPL-3.0-or-later
// The panel that looks inside: on a network whose maps are known, what it shows of them; what it asks for, and exports.
#include "tests/gui/fake_inside.h"
#include "tests/gui/inspect_fixture.h"
#include "tests/gui/saved_file.h"
#include "tests/suite.h"
#include "ui/inspect/map_ramp.h"
#include "ui/inspect/push_table.h"
#include "ui/look/theme.h"

#include <QScrollBar>
#include <QSignalSpy>
#include <QTest>
#include <QToolTip>

#include <cmath>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

class InspectPanelTest : public QObject, InspectFixture {
    Q_OBJECT

private Q_SLOTS:
    void init() { open(); }
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

    void exportsWhatItShows()
    {
        lookAtSentence();
        QString suggestion;
        const auto file = folder_.filePath("out");
        panel_->askForFile = [&](QWidget*, const QString& proposed) {
            suggestion = proposed;
            return file;
        };
        const auto written = [&] { return savedAt(file); };
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
        QCOMPARE(QString::fromUtf8(savedAt(path)), asked);
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
};

PHA_TEST(InspectPanelTest)
#include "inspect_panel_test.moc"
