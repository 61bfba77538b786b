// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/panel_fixture.h"
#include "tests/suite.h"
#include "ui/controls/token_view.h"
#include "ui/look/theme.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/playground/playground_panel.h"
#include "ui/playground/sampling_form.h"
#include "ui/playground/token_popup.h"

#include <QAbstractButton>
#include <QAction>
#include <QCheckBox>
#include <QClipboard>
#include <QComboBox>
#include <QListWidget>
#include <QPlainTextEdit>
#include <QSpinBox>
#include <QTabBar>
#include <QTabWidget>
#include <QTableWidget>
#include <QTest>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

class PlaygroundPanelTest : public QObject, PanelFixture<PlaygroundPanel> {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        config_.model.layers = 3;
        config_.training.samplePrompt = "Mara took the key";
        writeFakeRun(run_, config_, "run");
    }

    void init()
    {
        openSession();
        openPanel(1280, 800);
        find<QSpinBox>("samplingMaxTokens")->setValue(30);
    }

    void cleanup() { close(); }

    void withoutARunItSaysWhatToDo()
    {
        QVERIFY(!button("playgroundGenerate")->isEnabled());
        panel_->generate();
        QVERIFY(asked().empty());
        const auto labels = panel_->findChildren<QLabel*>();
        QVERIFY(std::any_of(labels.begin(), labels.end(), [](QLabel* l) {
            return l->isVisible() && l->text() == "Train a run or open one; then type a prompt and press Ctrl+Enter.";
        }));
    }

    void proposesTheRunsPromptUntilTheUserTypes()
    {
        panel_->setSession(session_.get());
        QCOMPARE(prompt()->toPlainText(), QStringLiteral("Mara took the key"));
        prompt()->setPlainText("My own");
        Q_EMIT session_->changed();
        QCOMPARE(prompt()->toPlainText(), QStringLiteral("My own"));
    }

    void ctrlEnterWritesAndShowsTheFigures()
    {
        panel_->setSession(session_.get());
        QTest::keyClick(prompt(), Qt::Key_Return, Qt::ControlModifier);
        QTRY_COMPARE(view()->tokens().size(), qsizetype(34)); // four of the prompt
        QTRY_VERIFY(!button("playgroundStop")->isEnabled());
        QCOMPARE(prompt()->toPlainText(), QStringLiteral("Mara took the key")); // no line break was typed
        const auto options = asked();
        QCOMPARE(options.size(), std::size_t(1));
        QCOMPARE(options[0].prompt, std::string("Mara took the key"));
        QVERIFY(options[0].promptProbabilities);
        QCOMPARE(options[0].sampling.maxTokens, std::int64_t(30));
        const auto figures = label("playgroundFigures")->text();
        for (const char* part : { "30 tokens", "prompt 4", "148 tokens/s", "0.12 s", "MiB", "step 1,000" })
            QVERIFY2(figures.contains(part), qPrintable(figures));
        QCOMPARE(view()->toPlainText(), view()->text());
    }

    void escapeStopsAndKeepsTheText()
    {
        script_->change([](Script& s) { s.allowed = 7; });
        panel_->setSession(session_.get());
        panel_->generate();
        QTRY_COMPARE(view()->tokens().size(), qsizetype(11));
        QTest::keyClick(prompt(), Qt::Key_Escape);
        QVERIFY(!button("playgroundStop")->isEnabled());
        script_->change([](Script& s) { s.allowed = 1 << 30; });
        QCOMPARE(view()->tokens().size(), qsizetype(11));
        QVERIFY(button("playgroundContinue")->isEnabled());
        QTest::mouseClick(button("playgroundContinue"), Qt::LeftButton);
        QTRY_COMPARE(view()->tokens().size(), qsizetype(41));
        QCOMPARE(asked()[1].promptIds.size(), std::size_t(11));
    }

    void anAlternativeRegrowsFromItsToken()
    {
        panel_->setSession(session_.get());
        write();
        const auto before = view()->tokens();
        view()->setFocus();
        view()->setCurrent(10);
        QTest::keyClick(view(), Qt::Key_Return);
        auto* list = find<QTableWidget>("tokenAlternatives");
        QVERIFY(list->isVisible());
        QCOMPARE(list->rowCount(), 10);
        list->setCurrentCell(2, 0);
        QTest::keyClick(list, Qt::Key_Return);
        QTRY_COMPARE(asked().size(), std::size_t(2));
        const auto options = asked()[1];
        std::vector<std::int64_t> expected;
        for (int i = 0; i < 10; ++i) expected.push_back(before[i].id);
        expected.push_back(before[10].alternatives[2].id);
        QCOMPARE(options.promptIds, expected);
        QTRY_COMPARE(view()->tokens().size(), qsizetype(41)); // eleven kept, thirty new
        QTRY_VERIFY(!button("playgroundStop")->isEnabled());
        for (int i = 0; i < 10; ++i) QCOMPARE(view()->tokens()[i].text, before[i].text);
        // A byte of a character is text only with those before and behind it, which the network's tokenizer puts
        // together.
        QCOMPARE(view()->tokens()[10].text, " w" + std::to_string(expected[10]));
        QCOMPARE(view()->toPlainText(), view()->text());
        QVERIFY(view()->tokens()[3].prompt);
        QVERIFY(!view()->tokens()[5].prompt); // kept, but the network wrote it

        panel_->undo();
        QCOMPARE(view()->tokens().size(), before.size());
        QCOMPARE(view()->tokens()[10].id, before[10].id);
        panel_->redo();
        QCOMPARE(view()->tokens()[10].id, expected[10]);
        QCOMPARE(find<QListWidget>("playgroundHistory")->count(), 2);
    }

    /// Of a text that is longer than the learned positions the network reads, and reports, the end.
    void writingOnBeyondTheLearnedPositions()
    {
        auto config = config_;
        config.model.positions = "learned";
        config.model.maxPositions = 20;
        config.training.context = 16;
        engine_->config = config;
        const auto run = fs::path(folder_.filePath("learned").toStdString());
        writeFakeRun(run, config, "learned");
        RunSession learned(run);
        QTRY_VERIFY(learned.modelSource().available);
        panel_->setSession(&learned);
        write();
        const auto before = view()->tokens();
        QCOMPARE(before.size(), qsizetype(34));
        QTest::mouseClick(button("playgroundContinue"), Qt::LeftButton);
        QTRY_COMPARE(view()->tokens().size(), qsizetype(64));
        QTRY_VERIFY(!button("playgroundStop")->isEnabled());
        QCOMPARE(asked()[1].promptIds.size(), std::size_t(34));
        for (int i = 0; i < 34; ++i) {
            QCOMPARE(view()->tokens()[i].id, before[i].id);
            QCOMPARE(view()->tokens()[i].text, before[i].text);
        }
        panel_->setSession(nullptr); // the session goes first
    }

    /// Ids are words of one tokenizer: a network with another reads the text, one with the same the ids.
    void writingOnWithAnotherRunUsesItsOwnTokens()
    {
        std::vector<std::unique_ptr<RunSession>> sessions;
        for (const std::string name : { "one", "two", "other" }) {
            const auto run = fs::path(folder_.filePath("tokens").toStdString()) / name;
            writeFakeRun(run, config_, name);
            const RunDirectory directory(run);
            auto file = directory.read();
            file.environment["tokenizer"] = name == "other" ? "bpe 2" : "bpe 1";
            directory.write(file);
            sessions.push_back(std::make_unique<RunSession>(run));
            QTRY_VERIFY(sessions.back()->modelSource().available);
        }
        panel_->setSession(sessions[0].get());
        write();
        const auto before = view()->tokens();
        panel_->setSession(sessions[1].get());
        QTest::mouseClick(button("playgroundContinue"), Qt::LeftButton);
        QTRY_COMPARE(asked().size(), std::size_t(2));
        QTRY_VERIFY(!button("playgroundStop")->isEnabled());
        QCOMPARE(asked()[1].promptIds.size(), std::size_t(before.size()));
        panel_->undo();
        const auto text = view()->text().toStdString();
        panel_->setSession(sessions[2].get());
        QTest::mouseClick(button("playgroundContinue"), Qt::LeftButton);
        QTRY_COMPARE(asked().size(), std::size_t(3));
        QTRY_VERIFY(!button("playgroundStop")->isEnabled());
        QVERIFY(asked()[2].promptIds.empty());
        QCOMPARE(asked()[2].prompt, text);
        QVERIFY(view()->tokens().front().prompt);
        panel_->setSession(nullptr); // the sessions go first
    }

    void clickingATokenOpensItsAlternatives()
    {
        panel_->setSession(session_.get());
        write();
        const auto rect = view()->tokenRect(6);
        QVERIFY(!rect.isEmpty());
        QCOMPARE(view()->tokenAt(rect.center()), 6);
        QTest::mouseClick(view()->viewport(), Qt::LeftButton, {}, rect.center());
        QCOMPARE(view()->current(), 6);
        auto* popup = panel_->findChild<TokenPopup*>();
        QVERIFY(popup->isVisible());
        QCOMPARE(popup->index(), 6);
        QVERIFY(panel_->rect().contains(popup->geometry()));
        const auto figures = label("tokenPopupFigures")->text();
        // Not "token": the line below the text counts tokens by their places.
        QVERIFY2(
            figures.startsWith(QStringLiteral("id %1, probability ").arg(view()->tokens()[6].id)), qPrintable(figures));
        QVERIFY(label("playgroundFigures")->text().startsWith("Token 7: "));
        auto* list = find<QTableWidget>("tokenAlternatives");
        QTest::mouseClick(list->viewport(), Qt::LeftButton, {}, list->visualItemRect(list->item(4, 0)).center());
        QVERIFY(!popup->isVisible());
        QTRY_COMPARE(asked().size(), std::size_t(2));
        QCOMPARE(asked()[1].promptIds.size(), std::size_t(7));
    }

    void arrowsWalkOverTheTokens()
    {
        panel_->setSession(session_.get());
        write();
        QTest::keyClick(view(), Qt::Key_Home);
        QCOMPARE(view()->current(), 0);
        QTest::keyClick(view(), Qt::Key_Right);
        QCOMPARE(view()->current(), 1);
        QVERIFY(label("playgroundFigures")->text().contains("Token 2"));
        QTest::keyClick(view(), Qt::Key_End);
        QCOMPARE(view()->current(), 33);
        QTest::keyClick(view(), Qt::Key_Up);
        QVERIFY(view()->current() < 33);
        QTest::keyClick(view(), Qt::Key_Left);
        QTest::keyClick(view(), Qt::Key_Return);
        QVERIFY(panel_->findChild<TokenPopup*>()->isVisible());
        QTest::keyClick(find<QTableWidget>("tokenAlternatives"), Qt::Key_Escape);
        QVERIFY(!panel_->findChild<TokenPopup*>()->isVisible());
    }

    /// The window has a command of the same key, which stops work.
    void escapeClosesAPinnedTokenWhateverHasTheFocus()
    {
        panel_->setSession(session_.get());
        write();
        QAction command;
        command.setShortcut(Qt::Key_Escape);
        int stopped = 0;
        connect(&command, &QAction::triggered, this, [&stopped] { ++stopped; });
        panel_->addAction(&command);
        panel_->activateWindow();
        QVERIFY(QTest::qWaitForWindowActive(panel_.get(), patience));
        panel_->findChild<QTabWidget*>("playgroundTabs")->setCurrentIndex(1);
        auto* popup = pin(6);
        QVERIFY(popup);
        auto* cell = panel_->findChild<QAbstractButton*>("mix_all_gss");
        cell->setFocus();
        QTest::keyClick(cell, Qt::Key_Escape);
        QVERIFY(!popup->isVisible());
        QCOMPARE(stopped, 0);
        QTest::keyClick(cell, Qt::Key_Escape);
        QCOMPARE(stopped, 1);
    }

    void aPinnedTokenLeavesRoomForWhatIsPressedElsewhere()
    {
        panel_->setSession(session_.get());
        write();
        auto* popup = pin(6);
        QVERIFY(popup);
        QTest::mouseClick(panel_->findChild<QLabel*>("tokenPopupTitle"), Qt::LeftButton);
        QVERIFY(popup->isVisible());
        auto* tabs = panel_->findChild<QTabWidget*>("playgroundTabs");
        QTest::mouseClick(tabs->tabBar(), Qt::LeftButton, {}, tabs->tabBar()->tabRect(1).center());
        QCOMPARE(tabs->currentIndex(), 1);
        QVERIFY(!popup->isVisible());
        QCOMPARE(pin(7), popup);
        QCOMPARE(pin(8), popup); // the next one in its place
        panel_->hide();
        panel_->show();
        QVERIFY(!popup->isVisible());
    }

    void mutesArePassedOn()
    {
        panel_->setSession(session_.get());
        panel_->findChild<BranchMixer*>()->setMuted(-1, "attention", true);
        panel_->findChild<BranchMixer*>()->setWeight(0, "gss", 0.5);
        write();
        const auto mix = asked()[0].mix;
        QCOMPARE(mix.size(), std::size_t(2));
        QCOMPARE(mix[0].branch, std::string("gss"));
        QCOMPARE(mix[0].layer, std::int64_t(0));
        QCOMPARE(mix[1].layer, std::int64_t(-1));
        QCOMPARE(mix[1].weight, 0.0);
    }

    void seedsAndSettings()
    {
        panel_->setSession(session_.get());
        auto* always = find<QCheckBox>("samplingNewSeed");
        always->setChecked(false);
        find<QSpinBox>("samplingSeed")->setValue(7);
        write();
        write();
        QCOMPARE(asked()[0].sampling.seed, std::uint64_t(7));
        QCOMPARE(asked()[1].sampling.seed, std::uint64_t(7));
        auto* preset = find<QComboBox>("samplingPreset");
        preset->setCurrentIndex(2);
        Q_EMIT preset->activated(2);
        QCOMPARE(panel_->findChild<SamplingForm*>()->sampling().temperature, 0.0);
        QTest::mouseClick(find<QAbstractButton>("samplingReset"), Qt::LeftButton);
        QCOMPARE(panel_->findChild<SamplingForm*>()->sampling().temperature, 0.8);
    }

    /// Its first token comes by the event loop, which has no turn here.
    void undoBeforeTheFirstTokenGoesBackOneText()
    {
        panel_->setSession(session_.get());
        auto* most = find<QSpinBox>("samplingMaxTokens");
        write();
        most->setValue(20);
        write();
        most->setValue(10);
        panel_->generate();
        QVERIFY(button("playgroundStop")->isEnabled() && view()->tokens().isEmpty());
        panel_->undo();
        QVERIFY(!button("playgroundStop")->isEnabled());
        QCOMPARE(view()->tokens().size(), qsizetype(24)); // with four of the prompt
        QCOMPARE(most->value(), 20);
        QCOMPARE(find<QListWidget>("playgroundHistory")->count(), 2);
        panel_->undo();
        QCOMPARE(view()->tokens().size(), qsizetype(34));
        panel_->redo();
        QCOMPARE(view()->tokens().size(), qsizetype(24));
    }

    void errorsAreShownAndLeaveTheTextAlone()
    {
        panel_->setSession(session_.get());
        write();
        const auto before = view()->text();
        script_->change([](Script& s) { s.generateError = "the prompt is too long"; });
        panel_->generate();
        auto* message = label("playgroundMessage");
        QTRY_COMPARE(message->text(), QStringLiteral("the prompt is too long; do something else"));
        QCOMPARE(view()->text(), before);
        QCOMPARE(find<QListWidget>("playgroundHistory")->count(), 1);
        prompt()->clear();
        panel_->generate();
        QVERIFY(message->text().contains("empty"));
    }

    void worksOnLiveWeightsWhileTheRunTrains()
    {
        session_->attach(std::make_shared<ScriptedJob>(script_, config_, run_));
        script_->change([](Script& s) { s.step = 321; });
        panel_->setSession(session_.get());
        write();
        QVERIFY(label("playgroundFigures")->text().contains("live weights at step 321"));
        session_->detach();
    }

    /// The text that is being written takes the room of the oldest one, which is the one that is asked for.
    void theOldestTextIsShownAlthoughThePresentOneFillsTheHistory()
    {
        panel_->setSession(session_.get());
        auto* most = find<QSpinBox>("samplingMaxTokens");
        int written = 0;
        for (const int tokens : { 20000, 20000, 19980 }) {
            most->setValue(tokens);
            write();
            QCOMPARE(view()->tokens().size(), qsizetype(tokens + 4));
            written += tokens;
        }
        most->setValue(30);
        script_->change([&](Script& s) { s.allowed = written + 10; });
        panel_->generate();
        QTRY_COMPARE(view()->tokens().size(), qsizetype(14));
        auto* list = find<QListWidget>("playgroundHistory");
        QCOMPARE(list->count(), 4);
        Q_EMIT list->itemClicked(list->item(3));
        QCOMPARE(view()->tokens().size(), qsizetype(20004));
        QCOMPARE(list->count(), 4);
        QVERIFY(list->currentItem());
        QVERIFY2(list->currentItem()->text().startsWith("#1 "), qPrintable(list->currentItem()->text().left(20)));
        panel_->undo();
        QCOMPARE(view()->tokens().size(), qsizetype(14));
    }

    void anotherRunEndsTheWriting()
    {
        script_->change([](Script& s) { s.allowed = 2; });
        panel_->setSession(session_.get());
        panel_->generate();
        QTRY_COMPARE(view()->tokens().size(), qsizetype(6));
        panel_->setSession(nullptr);
        QVERIFY(!button("playgroundStop")->isEnabled());
        QVERIFY(!button("playgroundGenerate")->isEnabled());
        QTRY_COMPARE(scripted(&Script::models), 0);
    }

    void promptsAreRemembered()
    {
        panel_->setSession(session_.get());
        prompt()->setPlainText("A rare prompt");
        write();
        QCOMPARE(QSettings().value("playground/prompts").toStringList().front(), QStringLiteral("A rare prompt"));
    }

    void textOfTheNetworkIsNeverMarkup()
    {
        TokenView shown;
        shown.resize(400, 300);
        GeneratedToken token;
        token.text = "<b>x</b>\r\n<img src=file:///etc/passwd>\xe2\x80\xa8";
        shown.append({ token, token });
        QVERIFY(shown.toPlainText().contains("<b>x</b>"));
        QCOMPARE(shown.text().toStdString(), token.text + token.text);
        shown.setCurrent(1); // positions still fit
        QCOMPARE(shown.textCursor().position(), int(shown.toPlainText().size() / 2));
    }

    void endlessParagraphsAreBrokenForDisplayOnly()
    {
        TokenView shown;
        shown.resize(600, 400);
        shown.show();
        QVector<GeneratedToken> batch;
        for (int i = 0; i < 20000; ++i) {
            GeneratedToken t;
            t.text = " word";
            t.probability = 0.5;
            t.alternatives = { { 1, " word", 0.5 } };
            batch << t;
        }
        shown.append(batch);
        QVERIFY(shown.document()->blockCount() > 5);
        QVERIFY(!shown.text().contains('\n'));
        shown.selectAll();
        shown.copy();
        QCOMPARE(QGuiApplication::clipboard()->text(), shown.text());
        QVERIFY(shown.atEnd()); // it followed
        QCOMPARE(shown.tokenAt(shown.tokenRect(19999).center()), 19999);
        for (const int index : { 19999, 10000, 0, 15123 }) {
            shown.setCurrent(index);
            QCOMPARE(shown.tokenAt(shown.tokenRect(index).center()), index);
        }
        QVERIFY(!shown.grab().isNull());
        // Written while another panel is in front: the end is in sight when this one comes back.
        TokenView hidden;
        hidden.resize(600, 400);
        hidden.append(batch);
        hidden.show();
        QTRY_VERIFY(hidden.atEnd());
        QTRY_COMPARE(hidden.tokenAt(hidden.tokenRect(19999).center()), 19999);
    }

    void tintsStayReadable()
    {
        for (const auto mode : { Theme::Mode::Light, Theme::Mode::Dark }) {
            Theme::instance().setMode(mode);
            TokenTint tint;
            for (const auto kind : { TintMode::Probability, TintMode::Surprise, TintMode::Entropy }) {
                tint.setMode(kind);
                QVERIFY(tint.at(0).isValid() && tint.at(1).isValid());
                QVERIFY(tint.at(0) != tint.at(1));
            }
        }
        Theme::instance().setMode(Theme::Mode::System);
    }

    void everyControlHasANameAndATip()
    {
        panel_->setSession(session_.get());
        QCOMPARE(unnamedControl(panel_.get()), QString());
    }

private:
    void write()
    {
        panel_->generate();
        QTRY_VERIFY(!button("playgroundStop")->isEnabled());
        QVERIFY(!view()->tokens().isEmpty());
    }
    TokenPopup* pin(int token)
    {
        auto* popup = panel_->findChild<TokenPopup*>();
        QTest::mouseClick(view()->viewport(), Qt::LeftButton, {}, view()->tokenRect(token).center());
        return popup->isVisible() && popup->pinned() && popup->index() == token ? popup : nullptr;
    }
    QPlainTextEdit* prompt() { return find<QPlainTextEdit>("playgroundPrompt"); }
    TokenView* view() { return find<TokenView>("playgroundText"); }
    std::vector<GenerateOptions> asked() const { return scripted(&Script::generations); }
};

PHA_TEST(PlaygroundPanelTest)
#include "playground_panel_test.moc"
