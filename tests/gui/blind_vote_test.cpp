// SPDX-License-Identifier: GPL-3.0-or-later
// Votes on texts without names, their tally, and the playground while it hides whose they are.
#include "test_home.h"
#include "tests/suite.h"
#include "ui/look/theme.h"
#include "ui/playground/blind_vote.h"
#include "ui/playground/playground_panel.h"
#include "ui/playground/rival_view.h"

#include <QComboBox>
#include <QLabel>
#include <QPlainTextEdit>
#include <QPushButton>
#include <QSettings>
#include <QSpinBox>
#include <QTest>
#include <QToolButton>

#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>

using namespace pha;
using namespace pha::ui;

namespace {

/// Networks of the run "second" write half as much, and wait at a gate before they begin; the others fail if they are
/// told to.
class TwoNetworks : public test::FakeEngine {
public:
    /// Open until a test shuts it.
    class Gate {
    public:
        void set(bool open)
        {
            const std::lock_guard lock(mutex_);
            open_ = open;
            changed_.notify_all();
        }
        void pass(const std::stop_token& stop)
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, stop, [this] { return open_; });
        }

    private:
        std::mutex mutex_;
        std::condition_variable_any changed_;
        bool open_ = true;
    };
    const std::shared_ptr<Gate> gate = std::make_shared<Gate>();
    const std::shared_ptr<std::atomic<bool>> failing = std::make_shared<std::atomic<bool>>(false);

    std::shared_ptr<LoadedModel> load(
        const fs::path& path, const std::string& device, const std::string& precision) override
    {
        if (path.string().find("second") == std::string::npos)
            return std::make_shared<Failing>(FakeEngine::load(path, device, precision)->config(), failing);
        const auto config = RunDirectory(runOfCheckpoint(resolveCheckpoint(path))).read().config;
        return std::make_shared<Short>(config, gate);
    }

private:
    class Failing : public test::FakeModel {
    public:
        Failing(RunConfig config, std::shared_ptr<std::atomic<bool>> failing)
            : FakeModel(std::move(config), 1000)
            , failing_(std::move(failing))
        {
        }
        Generation generate(const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken,
            std::stop_token stop) override
        {
            if (*failing_) throw Error("the weights could not be read", "choose another checkpoint");
            return FakeModel::generate(options, onToken, stop);
        }

    private:
        std::shared_ptr<std::atomic<bool>> failing_;
    };
    class Short : public test::FakeModel {
    public:
        Short(RunConfig config, std::shared_ptr<Gate> waitsAt)
            : FakeModel(std::move(config), 300)
            , gate_(std::move(waitsAt))
        {
        }
        Generation generate(const GenerateOptions& asked, const std::function<void(const GeneratedToken&)>& onToken,
            std::stop_token stop) override
        {
            gate_->pass(stop);
            auto options = asked;
            options.sampling.maxTokens /= 2;
            return FakeModel::generate(options, onToken, stop);
        }

    private:
        std::shared_ptr<Gate> gate_;
    };
};

/// The playground at a blind vote between the runs "first", which is selected, and "second".
struct Playground {
    test::TestHome home;
    TwoNetworks engine;
    RunListModel runs;
    PlaygroundPanel panel { nullptr, [this]() -> Engine& { return engine; } };
    BlindVote* blind = nullptr;
    RivalView* rival = nullptr;

    void open()
    {
        const auto first = home.train("first", 300);
        home.train("second", 300);
        home.train("third", 300);
        runs.setFolder(home.runs());
        QTRY_COMPARE(runs.rowCount(), 3);
        panel.setRuns(&runs);
        panel.resize(1200, 700);
        panel.show();
        auto* session = runs.open(first);
        QTRY_VERIFY(session->modelSource().available);
        panel.setSession(session);
        panel.findChild<QSpinBox*>("samplingMaxTokens")->setValue(12);
        panel.findChild<QPlainTextEdit*>("playgroundPrompt")->setPlainText("Mara took");
        panel.findChild<QToolButton*>("playgroundCompare")->click();
        rival = panel.findChild<RivalView*>();
        auto* choice = panel.findChild<QComboBox*>("rivalRun");
        choice->setCurrentIndex(choice->findText("second"));
        QTRY_VERIFY(rival->canWrite() && !rival->session()->loading());
        panel.findChild<QPushButton*>("rivalBlind")->click();
        blind = panel.findChild<BlindVote*>();
    }
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

    void twoWindowsVoteTogether()
    {
        test::TestHome home;
        BlindVote here(nullptr), there(nullptr);
        for (auto* blind : { &here, &there }) blind->offer(one, "mine", two, "yours");
        for (auto* blind : { &here, &there }) blind->vote(BlindVote::Vote::Left);
        QCOMPARE(DuelTallies::of(one, two).all(), 2);
        QCOMPARE(there.tally().all(), 2);
    }

    /// Not those of a deleted run, whose name and folder the next one gets.
    void talliesBelongToNetworksNotToFolders()
    {
        test::TestHome home;
        const auto duellist = [&](const char* created) {
            fs::remove_all(home.runs() / "demo");
            const RunDirectory run(home.train("demo", 20));
            auto file = run.read();
            file.created = created;
            run.write(file);
            WeightsInfo weights;
            weights.step = 20;
            return duellistOf(RunSession(run.root()), weights);
        };
        const auto before = duellist("2026-02-01T12:00:00Z");
        DuelTallies::set(before, two, { 3, 1, 2 });
        QCOMPARE(DuelTallies::of(duellist("2026-02-01T12:05:00Z"), two).all(), 0);
        QCOMPARE(DuelTallies::of(before, two).all(), 6);
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
        Playground ground;
        ground.open();
        if (QTest::currentTestFailed()) return;
        auto& panel = ground.panel;
        auto* blind = ground.blind;
        auto* rival = ground.rival;
        QVERIFY(blind->isVisible() && !rival->isVisible());
        QVERIFY(!panel.findChild<QWidget*>("playgroundText")->isVisible());
        QVERIFY(!panel.findChild<QWidget*>("playgroundHistory")->isVisible());
        panel.generate();
        QVERIFY(blind->waiting());
        QVERIFY(!blind->canVote());
        QTRY_VERIFY(blind->canVote());
        QCOMPARE(words(panel, "playgroundParting"), QString("The same as far as both go.")); // one is shorter
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

    /// The vote would count for the run that was selected meanwhile.
    void anotherRunEndsTheRound()
    {
        Playground ground;
        ground.open();
        if (QTest::currentTestFailed()) return;
        ground.engine.gate->set(false);
        ground.panel.generate();
        QTRY_VERIFY(ground.panel.findChild<QPushButton*>("playgroundContinue")->isEnabled()); // the first has written
        QVERIFY(ground.blind->waiting() && ground.rival->writing());
        ground.panel.setSession(ground.runs.open(ground.home.runs() / "third"));
        QVERIFY(!ground.blind->waiting() && !ground.rival->writing());
        QVERIFY(words(*ground.blind, "blindSay").startsWith("Another run was selected"));
        ground.engine.gate->set(true);
        QTRY_VERIFY(ground.panel.findChild<QPushButton*>("playgroundGenerate")->isEnabled());
        ground.panel.generate(); // the next round is between the third and the second
        QTRY_VERIFY(ground.blind->canVote());
        QTest::keyClick(ground.blind, Qt::Key_1);
        QVERIFY(words(*ground.blind, ground.blind->turned() ? "blindRightName" : "blindLeftName").contains("third"));
    }

    /// Its text of the round before is shown again, but is no text of this round.
    void aNetworkThatFailsOffersNoOlderText()
    {
        Playground ground;
        ground.open();
        if (QTest::currentTestFailed()) return;
        ground.panel.generate();
        QTRY_VERIFY(ground.blind->canVote());
        QTest::keyClick(ground.blind, Qt::Key_0);
        const auto before = ground.panel.text();
        *ground.engine.failing = true;
        ground.panel.generate();
        QVERIFY(ground.blind->waiting());
        QTRY_VERIFY(!ground.blind->waiting());
        QVERIFY(!ground.blind->canVote());
        QVERIFY(words(*ground.blind, "blindSay").startsWith("One of the two wrote no text"));
        QCOMPARE(ground.panel.text(), before);
        QVERIFY(words(ground.panel, "playgroundParting").startsWith("The first network wrote nothing"));
        *ground.engine.failing = false;
        ground.panel.generate();
        QTRY_VERIFY(ground.blind->canVote());
    }
};

PHA_TEST(BlindVoteTest)
#include "blind_vote_test.moc"
