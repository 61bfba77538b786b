// SPDX-License-Identifier: GPL-3.0-or-later
#include "test_home.h"
#include "tests/suite.h"
#include "ui/controls/token_view.h"
#include "ui/look/theme.h"
#include "ui/playground/playground_panel.h"
#include "ui/playground/rival_view.h"

#include <QComboBox>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

using namespace pha;
using namespace pha::ui;

class RivalTest : public QObject {
    Q_OBJECT

private:
    static QVector<GeneratedToken> texts(const QStringList& pieces)
    {
        QVector<GeneratedToken> out;
        for (const auto& piece : pieces) {
            GeneratedToken token;
            token.text = piece.toStdString();
            token.probability = 0.5;
            token.alternatives = { { 7, " box", 0.25 } };
            out << token;
        }
        return out;
    }

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void textsPartAtTheFirstDifferentByte_data()
    {
        QTest::addColumn<QStringList>("a");
        QTest::addColumn<QStringList>("b");
        QTest::addColumn<int>("inA");
        QTest::addColumn<int>("inB");
        const QStringList words { "the", " key", " is", " here" };
        QTest::newRow("the same") << words << words << -1 << -1;
        QTest::newRow("one is shorter") << words << words.mid(0, 2) << -1 << -1;
        QTest::newRow("nothing yet") << words << QStringList() << -1 << -1;
        QTest::newRow("another word") << words << QStringList { "the", " box" } << 1 << 1;
        QTest::newRow("cut differently") << words << QStringList { "th", "e k", "ey i", "n" } << 2 << 3;
        QTest::newRow("empty pieces") << QStringList { "", "a", "", "b" } << QStringList { "a", "c" } << 3 << 1;
    }
    void textsPartAtTheFirstDifferentByte()
    {
        QFETCH(QStringList, a);
        QFETCH(QStringList, b);
        QFETCH(int, inA);
        QFETCH(int, inB);
        const auto at = firstDivergence(texts(a), 0, texts(b), 0);
        QCOMPARE(at ? at->a : -1, inA);
        QCOMPARE(at ? at->b : -1, inB);
        // What both were given does not count.
        const auto later = firstDivergence(texts(QStringList { "x", "y" } + a), 2, texts(QStringList { "z" } + b), 1);
        QCOMPARE(later ? later->a : -1, inA < 0 ? -1 : inA + 2);
    }

    void partingSaysWhatEachThoughtOfTheOther()
    {
        const auto a = texts({ "the", " key" }), b = texts({ "the", " box" });
        const auto text = describeDivergence({ 1, 1 }, a, 0, b);
        QVERIFY2(text.contains("token 2") && text.contains("25.0 %") && text.contains("not among its ten best"),
            qPrintable(text));
    }

    void twoNetworksWriteFromOnePromptAndSeed()
    {
        test::TestHome home;
        const auto first = home.train("first", 300), second = home.train("second", 300);
        test::FakeEngine engine;
        RunListModel runs;
        runs.setFolder(home.runs());
        QTRY_COMPARE(runs.rowCount(), 2);
        PlaygroundPanel panel(nullptr, [&]() -> Engine& { return engine; });
        panel.setRuns(&runs);
        panel.resize(1200, 700);
        panel.show();
        auto* session = runs.open(first);
        QTRY_VERIFY(session->modelSource().available);
        panel.setSession(session);
        panel.findChild<QSpinBox*>("samplingMaxTokens")->setValue(12);
        panel.findChild<QPlainTextEdit*>("playgroundPrompt")->setPlainText("Mara took");
        auto* compare = panel.findChild<QToolButton*>("playgroundCompare");
        auto* rival = panel.findChild<RivalView*>();
        QVERIFY(!rival->isVisible());
        compare->click();
        QVERIFY(rival->isVisible());
        QCOMPARE(rival->name(), "second"); // the other one is proposed
        QTRY_VERIFY(rival->canWrite());
        panel.generate();
        auto* own = panel.findChild<TokenView*>("playgroundText");
        QTRY_VERIFY(!panel.findChild<QPushButton*>("playgroundStop")->isEnabled());
        QTRY_COMPARE(rival->text()->tokens().size(), 14); // two words were given
        QCOMPARE(own->text(), rival->text()->text()); // the fake's networks are all alike
        auto* parting = panel.findChild<QLabel*>("playgroundParting");
        QTRY_COMPARE(parting->text(), "Both wrote the same.");
        QCOMPARE(own->mark(), -1);
        QVERIFY(!panel.grab().isNull());
        QVERIFY(runs.setData(runs.index(runs.rowOf(second)), QStringLiteral("renamed"), Qt::EditRole));
        QTRY_COMPARE(rival->name(), "renamed");
        compare->click();
        QVERIFY(!parting->isVisible());
    }

    void closingWhileBothWriteIsSafe()
    {
        test::TestHome home;
        const auto run = home.train("only", 300);
        test::FakeEngine engine;
        RunListModel runs;
        runs.setFolder(home.runs());
        QTRY_COMPARE(runs.rowCount(), 1);
        auto panel = std::make_unique<PlaygroundPanel>(nullptr, [&]() -> Engine& { return engine; });
        panel->setRuns(&runs);
        panel->show();
        auto* session = runs.open(run);
        QTRY_VERIFY(session->modelSource().available);
        panel->setSession(session);
        panel->findChild<QSpinBox*>("samplingMaxTokens")->setValue(100'000);
        panel->findChild<QPlainTextEdit*>("playgroundPrompt")->setPlainText("Mara");
        panel->findChild<QToolButton*>("playgroundCompare")->click();
        panel->generate();
        QTRY_VERIFY(panel->findChild<RivalView*>()->text()->tokens().size() > 5);
        panel.reset();
    }
};

PHA_TEST(RivalTest)
#include "rival_test.moc"
