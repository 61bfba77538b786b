// SPDX-License-Identifier: GPL-3.0-or-later
// Votes on texts without names, their tally, and the playground while it hides whose they are.
#include "test_home.h"
#include "tests/suite.h"
#include "ui/panels/blind_vote.h"
#include "ui/panels/playground_panel.h"
#include "ui/panels/rival_view.h"
#include "ui/theme.h"

#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include <cmath>

using namespace pha;
using namespace pha::ui;

namespace {

/// Networks of the run "second" write half as much.
class TwoNetworks : public test::FakeEngine {
public:
    std::shared_ptr<LoadedModel> load(
        const fs::path& path, const std::string& device, const std::string& precision) override
    {
        if (path.string().find("second") == std::string::npos) return FakeEngine::load(path, device, precision);
        return std::make_shared<Short>(RunDirectory(runOfCheckpoint(resolveCheckpoint(path))).read().config, 300);
    }

private:
    class Short : public test::FakeModel {
    public:
        using FakeModel::FakeModel;
        Generation generate(const GenerateOptions& asked, const std::function<void(const GeneratedToken&)>& onToken,
            std::stop_token stop) override
        {
            auto options = asked;
            options.sampling.maxTokens /= 2;
            return FakeModel::generate(options, onToken, stop);
        }
    };
};

const Duellist one { "/runs/one\n100", "one" }, two { "/runs/two\n200", "two" };

} // namespace

class BlindVoteTest : public QObject {
    Q_OBJECT

    static QString words(const QWidget& in, const char* name)
    {
        return in.findChild<QLabel*>(QLatin1String(name))->text();
    }
    static QString text(const QWidget& in, const char* name)
    {
        return in.findChild<QPlainTextEdit*>(QLatin1String(name))->toPlainText();
    }

private Q_SLOTS:
    void initTestCase() { Theme::instance().apply(); }

    void confidenceIsWilsons()
    {
        const auto none = winShare(0, 0);
        QCOMPARE(none.from, 0.0);
        QCOMPARE(none.to, 1.0);
        const auto usual = winShare(8, 10); // as tables have it
        QVERIFY(std::abs(usual.from - 0.4902) < 1e-4 && std::abs(usual.to - 0.9433) < 1e-4);
        const auto all = winShare(10, 10);
        QVERIFY(std::abs(all.from - 0.7225) < 1e-4 && std::abs(all.to - 1) < 1e-9);
        const auto even = winShare(50, 100);
        QVERIFY(std::abs(even.from + even.to - 1) < 1e-12 && even.from < 0.5 && even.to > 0.5);
    }

    void talliesBelongToPairsAndStay()
    {
        test::TestHome home;
        DuelTallies::set(one, two, { 3, 1, 2 });
        const auto other = DuelTallies::of(two, one); // in whichever order
        QCOMPARE(other.first, 1);
        QCOMPARE(other.second, 3);
        QCOMPARE(other.ties, 2);
        QCOMPARE(DuelTallies::of(one, Duellist { "/runs/two\n300", "two" }).all(), 0); // other weights
        DuelTallies::reset(two, one);
        QCOMPARE(DuelTallies::of(one, two).all(), 0);
    }

    void votesCountForWhoWroteIt()
    {
        test::TestHome home;
        BlindVote blind(nullptr);
        blind.resize(800, 400);
        blind.show();
        bool sides[2] {};
        int expected[3] {};
        for (int round = 0; round < 60; ++round) {
            blind.begin();
            QVERIFY(text(blind, "blindLeftText").isEmpty());
            blind.offer(one, "mine", two, "yours");
            QCOMPARE(text(blind, "blindLeftText"), blind.turned() ? QString("yours") : QString("mine"));
            QVERIFY(!words(blind, "blindLeftName").contains("one") && !words(blind, "blindLeftName").contains("two"));
            sides[blind.turned()] = true;
            const int key = round % 3; // tie, left, right
            QTest::keyClick(&blind, char('0' + key));
            ++expected[key == 0 ? 2 : (key == 1) == blind.turned() ? 1 : 0];
            QVERIFY(!blind.canVote());
            QVERIFY(words(blind, "blindLeftName").endsWith(blind.turned() ? "two" : "one"));
            QTest::keyClick(&blind, Qt::Key_1); // once a text
        }
        QVERIFY(sides[0] && sides[1]);
        QCOMPARE(blind.tally().first, expected[0]);
        QCOMPARE(blind.tally().second, expected[1]);
        QCOMPARE(blind.tally().ties, expected[2]);
        const auto saved = DuelTallies::of(one, two);
        QCOMPARE(saved.first, expected[0]);
        QVERIFY(words(blind, "blindScore").contains("95 %"));
        QTest::mouseClick(blind.findChild<QPushButton*>("blindReset"), Qt::LeftButton);
        QCOMPARE(DuelTallies::of(one, two).all(), 0);
        QVERIFY(words(blind, "blindScore").startsWith("No votes"));
    }

    void nothingIsVotedOnTwoEqualTexts()
    {
        test::TestHome home;
        BlindVote blind(nullptr);
        blind.offer(one, "the same", two, "the same");
        QVERIFY(!blind.canVote());
        QVERIFY(words(blind, "blindSay").startsWith("Both wrote the same"));
        QCOMPARE(text(blind, "blindRightText"), QString("the same"));
        blind.vote(BlindVote::Vote::Left);
        QCOMPARE(blind.tally().all(), 0);
    }

    void thePlaygroundHidesWhoIsWho()
    {
        test::TestHome home;
        const auto first = home.train("first", 300);
        home.train("second", 300);
        TwoNetworks engine;
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
        panel.findChild<QToolButton*>("playgroundCompare")->click();
        auto* rival = panel.findChild<RivalView*>();
        QTRY_VERIFY(rival->canWrite());
        panel.findChild<QPushButton*>("rivalBlind")->click();
        auto* blind = panel.findChild<BlindVote*>();
        QVERIFY(blind->isVisible() && !rival->isVisible());
        QVERIFY(!panel.findChild<QWidget*>("playgroundText")->isVisible());
        QVERIFY(!panel.findChild<QWidget*>("playgroundHistory")->isVisible());
        panel.generate();
        QVERIFY(blind->waiting());
        QVERIFY(!blind->canVote());
        QTRY_VERIFY(blind->canVote());
        const auto left = text(*blind, "blindLeftText"), right = text(*blind, "blindRightText");
        QCOMPARE(left.size() < right.size(), blind->turned());
        QVERIFY(left.startsWith(right) || right.startsWith(left)); // both without the prompt
        QTest::keyClick(blind, Qt::Key_2);
        QCOMPARE(blind->tally().decided(), 1);
        QVERIFY(words(*blind, blind->turned() ? "blindRightName" : "blindLeftName").contains("first"));
        QVERIFY(!panel.grab().isNull());

        panel.findChild<QSpinBox*>("samplingMaxTokens")->setValue(100'000);
        panel.generate();
        panel.stop();
        QVERIFY(!blind->canVote() && !blind->waiting());
        panel.findChild<QToolButton*>("blindOff")->click();
        QVERIFY(!blind->isVisible() && rival->isVisible());
        QVERIFY(panel.findChild<QWidget*>("playgroundHistory")->isVisible());
    }
};

PHA_TEST(BlindVoteTest)
#include "blind_vote_test.moc"
