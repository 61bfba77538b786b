// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/panel_fixture.h"
#include "tests/gui/saved_file.h"
#include "tests/suite.h"
#include "ui/controls/weights_box.h"
#include "ui/evaluate/ablation_table.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/mixer/branch_mixer.h"

#include <QClipboard>
#include <QComboBox>
#include <QDoubleSpinBox>
#include <QGuiApplication>
#include <QProgressBar>
#include <QSignalSpy>
#include <QSpinBox>
#include <QTableView>
#include <QTest>

#include <set>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

class EvaluatePanelTest : public QObject, PanelFixture<EvaluatePanel> {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        config_.model.layers = 3;
        config_.training.saveEvery = 20;
        config_.training.evalTokens = 4096;
        writeFakeRun(run_, config_, "run");
    }

    void init()
    {
        openSession();
        openPanel(1280, 800);
    }

    void cleanup() { close(); }

    void withoutARunItSaysWhatToDo()
    {
        QVERIFY(!button("evaluateRun")->isEnabled());
        QVERIFY(!button("evaluateAblation")->isEnabled());
        panel_->run();
        panel_->runAblation();
        QVERIFY(asked().empty());
        const auto labels = panel_->findChildren<QLabel*>();
        QVERIFY(std::any_of(labels.begin(), labels.end(),
            [](QLabel* l) { return l->isVisible() && l->text().contains("Ctrl+Enter"); }));
    }

    void settingsReachTheEngine()
    {
        panel_->setSession(session_.get());
        QCOMPARE(spin("evaluateMaxTokens")->value(), 4096); // as the run itself does
        find<QComboBox>("evaluateSplit")->setCurrentIndex(2);
        spin("evaluateContext")->setValue(128);
        spin("evaluateStride")->setValue(64);
        spin("evaluateMaxTokens")->setValue(9999);
        QTest::mouseClick(button("evaluateRun"), Qt::LeftButton);
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        const auto options = asked();
        QCOMPARE(options.size(), std::size_t(1));
        QCOMPARE(options[0].split, std::string("test"));
        QCOMPARE(options[0].context, std::int64_t(128));
        QCOMPARE(options[0].stride, std::int64_t(64));
        QCOMPARE(options[0].maxTokens, std::int64_t(9999));
        QVERIFY(options[0].recall);
        QVERIFY(options[0].mix.empty());
        QTRY_VERIFY(button("evaluateRun")->isEnabled());
        const auto source = label("evaluateSource")->text();
        QVERIFY2(source.contains("tokenizer") && source.contains("step 1,000"), qPrintable(source));
        QCOMPARE(find<QTableView>("evaluateRecall")->model()->rowCount(), 6);
    }

    void mutesAreComparedWithTheUnchangedNetwork()
    {
        panel_->setSession(session_.get());
        QTest::mouseClick(find<QAbstractButton>("mix_2_gss"), Qt::LeftButton);
        find<QDoubleSpinBox>("mixWeight_ffn")->setValue(1.5);
        QVERIFY(label("mixBadge")->text().contains("2"));
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 2);
        const auto options = asked();
        QCOMPARE(options.size(), std::size_t(2));
        QVERIFY(options[0].mix.empty());
        QCOMPARE(options[1].mix.size(), std::size_t(2));
        QCOMPARE(options[1].mix[0].layer, std::int64_t(1)); // the second layer, counted from 0
        QCOMPARE(options[1].mix[0].branch, std::string("gss"));
        QCOMPARE(options[1].mix[0].weight, 0.0);
        QCOMPARE(options[1].mix[1].layer, std::int64_t(-1));
        QCOMPARE(options[1].mix[1].weight, 1.5);
        const auto csv = panel_->resultsCsv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(csv.size(), 3);
        QVERIFY(csv[0].startsWith("step,"));
        const int column = int(csv[0].split(',').indexOf("delta_nats"));
        QVERIFY(csv[1].split(',')[column].toDouble() != 0);
        QVERIFY(csv[2].split(',')[column].isEmpty());
        panel_->run(); // the same again repeats no row and asks nothing
        QTRY_VERIFY(button("evaluateRun")->isEnabled());
        QCOMPARE(table()->model()->rowCount(), 2);
        QCOMPARE(asked().size(), std::size_t(2));
    }

    void theAblationTableCoversEveryPair()
    {
        panel_->setSession(session_.get());
        QTest::mouseClick(find<QAbstractButton>("mix_all_attention"), Qt::LeftButton); // does not count here
        panel_->runAblation();
        auto* map = panel_->findChild<AblationTable*>();
        QTRY_VERIFY(map->complete());
        std::set<std::pair<std::int64_t, std::string>> pairs;
        const auto options = asked();
        QCOMPARE(options.size(), std::size_t(1 + 4 * 4)); // the engine's: the main network counts too
        QVERIFY(options[0].mix.empty());
        for (std::size_t i = 1; i < options.size(); ++i) {
            QCOMPARE(options[i].mix.size(), std::size_t(1));
            QCOMPARE(options[i].mix[0].weight, 0.0);
            QVERIFY(!options[i].recall);
            pairs.emplace(options[i].mix[0].layer, options[i].mix[0].branch);
        }
        QCOMPARE(pairs.size(), std::size_t(16));
        for (std::int64_t layer = -1; layer < 3; ++layer)
            for (const char* branch : { "gss", "attention", "ffn", "main" })
                QVERIFY(pairs.count({ layer, branch }) == 1);
        for (int row = 0; row < 4; ++row)
            for (int column = 1; column < 5; ++column) QVERIFY(!map->item(row, column)->text().isEmpty());
        QCOMPARE(table()->model()->rowCount(), 0); // a table of its own
        const auto csv = map->csv().split('\n', Qt::SkipEmptyParts);
        QCOMPARE(csv.size(), qsizetype(18));
        for (int line = 2; line < 18; ++line) QVERIFY2(csv[line].split(',')[3].toDouble() != 0, qPrintable(csv[line]));
        auto* note = label("evaluateAblationNote");
        QTRY_VERIFY2(note->text().contains("valid split"), qPrintable(note->text()));
        panel_->runAblation(); // known: asks nothing
        QVERIFY2(!note->text().contains("valid split"), qPrintable(note->text())); // of the cells that were there
        QTRY_VERIFY(map->complete());
        QTRY_VERIFY(note->text().contains("valid split"));
        QCOMPARE(asked().size(), options.size());
    }

    void anAblationCanBeStoppedAndMadeAnew()
    {
        panel_->setSession(session_.get());
        script_->change([](Script& s) { s.answers = 4; });
        panel_->runAblation();
        QTRY_COMPARE(asked().size(), std::size_t(5));
        auto* map = panel_->findChild<AblationTable*>();
        QTRY_VERIFY(map->item(0, 1)->text().toDouble() != 0);
        QTest::keyClick(button("evaluateStop"), Qt::Key_Escape);
        QTRY_VERIFY(button("evaluateRun")->isEnabled());
        QVERIFY(!map->complete());
        QVERIFY(map->item(0, 1)->text().toDouble() != 0); // the cells that are known stay
        script_->change([](Script& s) { s.answers = 1 << 30; });
        panel_->runAblation();
        QTRY_VERIFY(map->complete());
        QCOMPARE(asked().size(), std::size_t(5 + 17));
    }

    void theRunKeyLeavesWhatIsUnderWayAlone()
    {
        panel_->setSession(session_.get());
        script_->change([](Script& s) { s.answers = 4; });
        panel_->runAblation();
        QTRY_COMPARE(asked().size(), std::size_t(5));
        QTest::keyClick(panel_.get(), Qt::Key_Return, Qt::ControlModifier);
        script_->change([](Script& s) { s.answers = 1 << 30; });
        QTRY_VERIFY(panel_->findChild<AblationTable*>()->complete());
        QTRY_VERIFY(button("evaluateRun")->isEnabled());
        QCOMPARE(asked().size(), std::size_t(17));
        QCOMPARE(table()->model()->rowCount(), 0);
    }

    void anotherRunSaysThatItStoppedTheWork()
    {
        RunSession again(run_);
        QTRY_VERIFY(again.modelSource().available);
        panel_->setSession(session_.get());
        script_->change([](Script& s) { s.answers = 0; });
        panel_->run();
        QTRY_COMPARE(asked().size(), std::size_t(1));
        panel_->setSession(&again);
        QVERIFY(!panel_->busy());
        const auto* message = label("evaluateMessage");
        QVERIFY2(message->text().startsWith("Another run was selected"), qPrintable(message->text()));
        panel_->setSession(session_.get());
        QVERIFY(message->text().isEmpty());
    }

    void stoppingLeavesNoRow()
    {
        panel_->setSession(session_.get());
        script_->change([](Script& s) { s.answers = 0; });
        panel_->run();
        QTRY_COMPARE(asked().size(), std::size_t(1));
        QVERIFY(panel_->findChild<QProgressBar*>()->isVisible());
        panel_->stop();
        QVERIFY(!panel_->findChild<QProgressBar*>()->isVisible());
        script_->change([](Script& s) { s.answers = 1; });
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
    }

    void errorsAreShownAndNothingElseChanges()
    {
        panel_->setSession(session_.get());
        script_->change([](Script& s) { s.evaluateError = "the split test has no tokens"; });
        panel_->run();
        auto* message = label("evaluateMessage");
        QTRY_COMPARE(message->text(), QStringLiteral("the split test has no tokens; do something else"));
        QCOMPARE(message->property("role").toString(), QStringLiteral("error"));
        QTRY_VERIFY(button("evaluateRun")->isEnabled());
    }

    void saysSoWhenTheWeightsHaveGone()
    {
        panel_->setSession(session_.get());
        const auto aside = run_.parent_path() / "aside";
        std::filesystem::rename(run_, aside);
        session_->poll();
        QTRY_VERIFY(!button("evaluateRun")->isEnabled());
        panel_->run();
        std::filesystem::rename(aside, run_);
        QVERIFY(asked().empty());
        QVERIFY(label("evaluateMessage")->text().contains("no checkpoint"));
    }

    void resultsAreKeptForEachRun()
    {
        const fs::path other = folder_.filePath("other").toStdString();
        if (!fs::exists(other)) writeFakeRun(other, config_, "other");
        RunSession second(other);
        QTRY_VERIFY(second.modelSource().available);
        panel_->setSession(session_.get());
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        auto* map = panel_->findChild<AblationTable*>();
        panel_->runAblation();
        QTRY_VERIFY(label("evaluateAblationNote")->text().contains("valid split"));
        panel_->setSession(&second);
        QVERIFY(map->nothing());
        QCOMPARE(table()->model()->rowCount(), 0);
        QTRY_COMPARE(scripted(&Script::models), 0); // the network of the first run is freed
        panel_->setSession(session_.get());
        QCOMPARE(table()->model()->rowCount(), 1);
        QVERIFY(map->complete());
        panel_->setSession(nullptr);
    }

    /// A deleted run leaves nothing to the next one of its name, which gets its folder.
    void resultsAreNotThoseOfADeletedRun()
    {
        const fs::path again = folder_.filePath("again").toStdString();
        std::unique_ptr<RunSession> run;
        const auto train = [&](const char* created) {
            panel_->setSession(nullptr);
            run.reset();
            fs::remove_all(again);
            writeFakeRun(again, config_, "again");
            auto file = RunDirectory(again).read();
            file.created = created;
            RunDirectory(again).write(file);
            run = std::make_unique<RunSession>(again);
            QTRY_VERIFY(run->modelSource().available);
            panel_->setSession(run.get());
        };
        auto* map = panel_->findChild<AblationTable*>();
        train("2026-02-01T12:00:00Z");
        if (QTest::currentTestFailed()) return;
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        QTRY_VERIFY(button("evaluateRun")->isEnabled());
        panel_->runAblation();
        QTRY_VERIFY(label("evaluateAblationNote")->text().contains("valid split"));
        train("2026-02-01T12:05:00Z");
        if (QTest::currentTestFailed()) return;
        QCOMPARE(panel_->resultsCsv().count('\n'), 1); // the heading
        QVERIFY(map->nothing());
        train("2026-02-01T12:00:00Z"); // as one that is taken out of the trash
        if (QTest::currentTestFailed()) return;
        QCOMPARE(table()->model()->rowCount(), 1);
        QVERIFY(map->complete());
        panel_->setSession(nullptr); // the session goes first
    }

    /// What a run was created at is known for good when its job has written it.
    void aRunThatWasPlannedHereKeepsItsResults()
    {
        const fs::path directory = folder_.filePath("planned").toStdString();
        RunSession planned(directory, RunFile { "planned", "2026-02-01T11:59:58Z", config_, Json::object() });
        panel_->setSession(&planned);
        writeFakeRun(directory, config_, "planned");
        planned.attach(std::make_shared<ScriptedJob>(script_, config_, directory));
        QVERIFY(planned.file().created != "2026-02-01T11:59:58Z");
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        panel_->setSession(session_.get());
        QCOMPARE(table()->model()->rowCount(), 0);
        panel_->setSession(&planned);
        QCOMPARE(table()->model()->rowCount(), 1);
        planned.detach();
        panel_->setSession(nullptr); // the session goes first
    }

    void worksOnLiveWeightsWhileTheRunTrains()
    {
        session_->attach(std::make_shared<ScriptedJob>(script_, config_, run_));
        script_->change([](Script& s) { s.step = 123; });
        panel_->setSession(session_.get());
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        QVERIFY(script_->read([](const Script& s) { return s.loads.empty() && s.snapshots > 0; }));
        QVERIFY(panel_->resultsCsv().contains("\n123,"));
        QVERIFY(panel_->resultsCsv().contains("live"));
        session_->detach();
    }

    void anyCheckpointCanBeChosen()
    {
        panel_->setSession(session_.get());
        auto* weights = find<QComboBox>("evaluateWeights");
        const int older = weights->findData("step-00000020");
        QVERIFY(older > 0);
        weights->setCurrentIndex(older);
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        QCOMPARE(script_->read([](const Script& s) { return s.loads.back(); }), run_ / "checkpoints" / "step-00000020");
    }

    /// As a trainer does that keeps a few: no others are used in place of those that were chosen.
    void aChosenCheckpointMayBeDeleted()
    {
        const fs::path run = folder_.filePath("pruned").toStdString();
        writeFakeRun(run, config_, "pruned");
        RunSession session(run);
        QTRY_VERIFY(session.modelSource().available);
        panel_->setSession(&session);
        auto* weights = find<WeightsBox>("evaluateWeights");
        weights->setCurrentIndex(weights->findData("step-00000020"));
        QVERIFY(weights->source().available);
        fs::remove_all(run / "checkpoints" / "step-00000020");
        weights->refresh();
        QCOMPARE(weights->currentText(), QStringLiteral("Step 20 (deleted)"));
        QVERIFY(!weights->source().available);
        QCOMPARE(weights->source().run, run / "checkpoints" / "step-00000020");
        panel_->run();
        QVERIFY(asked().empty());
        const auto said = label("evaluateMessage")->text();
        QVERIFY2(said.startsWith("The checkpoint of step 20 has been deleted"), qPrintable(said));
        QVERIFY(!button("evaluateRun")->isEnabled());
        weights->setCurrentIndex(0);
        QVERIFY(button("evaluateRun")->isEnabled());
        weights->refresh();
        QCOMPARE(weights->findData("step-00000020"), -1);
        panel_->setSession(nullptr); // the session goes first
    }

    void theMixIsThatOfTheChosenWeights()
    {
        auto config = config_;
        config.training.mixEvery = 10;
        const fs::path run = folder_.filePath("best").toStdString();
        writeFakeRun(run, config, "best");
        RunDirectory(run).setPointer("best", "step-00000020");
        RunSession session(run);
        QTRY_COMPARE(session.history().mixing.size(), std::size_t(4));
        const auto weightAt = [&](std::size_t report) {
            return session.history().mixing[report].layers[0].branches[0].mean;
        };
        QVERIFY(weightAt(1) != weightAt(3));
        WeightsBox box;
        box.setSession(&session);
        QCOMPARE(box.itemText(0), "Best checkpoint");
        QCOMPARE(box.mixing()[0].branches[0].mean, weightAt(1)); // the best one's, not the last one's
        box.setCurrentIndex(box.findData("step-00000040"));
        QCOMPARE(box.mixing()[0].branches[0].mean, weightAt(3));
        session.attach(std::make_shared<ScriptedJob>(script_, config, run));
        box.setCurrentIndex(0);
        QCOMPARE(box.mixing()[0].branches[0].mean, weightAt(3)); // live
        session.detach();
        QCOMPARE(box.currentIndex(), 0);
        QCOMPARE(box.mixing()[0].branches[0].mean, weightAt(1));
        fs::remove(RunDirectory(run).checkpoints() / "best"); // as of a run without evaluations
        box.refresh();
        QCOMPARE(box.itemText(0), "Latest checkpoint");
        QCOMPARE(box.mixing()[0].branches[0].mean, weightAt(3));
    }

    void resultsCanBeExportedAndCopied()
    {
        panel_->setSession(session_.get());
        panel_->run();
        QTRY_COMPARE(table()->model()->rowCount(), 1);
        const auto path = folder_.filePath("out.csv");
        panel_->askForFile = [path](QWidget*) { return path; };
        QTest::mouseClick(button("evaluateCsv"), Qt::LeftButton);
        QCOMPARE(QString::fromUtf8(savedAt(path)), panel_->resultsCsv());
        QTest::keyClick(table(), Qt::Key_C, Qt::ControlModifier);
        QVERIFY(QGuiApplication::clipboard()->text().contains("Nats/token\t"));
        panel_->askForFile = [](QWidget*) { return QStringLiteral("/proc/nowhere/out.csv"); };
        QTest::mouseClick(button("evaluateCsv"), Qt::LeftButton);
        QCOMPARE(label("evaluateMessage")->property("role").toString(), QStringLiteral("error"));
    }

    void theMixerIsUsableByKeyboard()
    {
        panel_->setSession(session_.get());
        auto* mixer = panel_->findChild<BranchMixer*>();
        panel_->activateWindow();
        auto* first = find<QAbstractButton>("mix_all_gss");
        first->setFocus();
        QTest::keyClick(first, Qt::Key_Down);
        QTest::keyClick(find<QAbstractButton>("mix_1_gss"), Qt::Key_Right);
        QTest::keyClick(find<QAbstractButton>("mix_1_attention"), Qt::Key_Space);
        const auto changes = mixer->changes();
        QCOMPARE(changes.size(), std::size_t(1));
        QCOMPARE(changes[0].layer, std::int64_t(0));
        QCOMPARE(changes[0].branch, std::string("attention"));
        QSignalSpy changed(mixer, &BranchMixer::changed);
        mixer->reset();
        QVERIFY(mixer->changes().empty());
        QVERIFY(changed.count() > 0);
        mixer->setChanges({ { -1, "ffn", 0 }, { 1, "gss", 0.25 } });
        QCOMPARE(mixer->changes().size(), std::size_t(2));
    }

    void partsThatALayerLacksAreOff()
    {
        const std::vector<QStringList> present { { "gss" }, { "attention", "main" }, { "gss" } };
        BranchMixer mixer;
        mixer.setShape(3, { "gss", "attention", "main" }, present);
        const auto cell = [&](const char* name) { return mixer.findChild<QAbstractButton*>(name); };
        QVERIFY(cell("mix_1_gss")->isEnabled() && !cell("mix_1_attention")->isEnabled());
        QVERIFY(cell("mix_all_attention")->isEnabled() && cell("mix_2_main")->isEnabled());
        mixer.setMuted(0, "attention", true); // nothing there to mute
        QVERIFY(mixer.changes().empty());
        mixer.setMuted(-1, "attention", true);
        QCOMPARE(mixer.changes().size(), std::size_t(1));
        QCOMPARE(mixer.changes()[0].layer, std::int64_t(-1));
        QVERIFY(cell("mix_all_attention")->isChecked() && !cell("mix_1_attention")->isChecked());
        mixer.reset();
        mixer.setWeight(2, "gss", 0.5); // one of the two layers that have it
        QCOMPARE(mixer.changes().size(), std::size_t(1));
        QCOMPARE(mixer.changes()[0].layer, std::int64_t(2));
        std::vector<LayerMix> learned(3);
        for (std::size_t l = 0; l < 3; ++l) {
            learned[l].mixed = false;
            for (const auto& name : present[l]) {
                learned[l].branches.emplace_back();
                learned[l].branches.back().branch = name.toStdString();
            }
        }
        mixer.setLearned(learned);
        QVERIFY(cell("mix_2_attention")->toolTip().contains("1.00")); // a part that is not mixed counts whole

        const auto model = findPreset("gss-hybrid-tiny").config.model;
        AblationTable table;
        table.setNetwork(model);
        const auto parts = modelParts(model);
        int lacking = 0;
        for (std::int64_t layer = 0; layer < model.layers; ++layer) {
            const auto there = layerParts(model, layer);
            for (std::size_t c = 0; c < parts.size(); ++c) {
                const bool lacks = std::find(there.begin(), there.end(), parts[c]) == there.end();
                lacking += lacks;
                QCOMPARE(table.item(int(layer) + 1, int(c) + 1)->text(), QString(QChar(lacks ? 0x2013 : 0xb7)));
            }
        }
        QVERIFY(lacking > 0);
        for (std::int64_t layer = -1; layer < model.layers; ++layer)
            for (const auto& part : layer < 0 ? parts : layerParts(model, layer)) {
                QVERIFY(!table.complete());
                table.set({ layer, part, 2.05, 0.05 });
            }
        QVERIFY(table.complete());
        table.set({ 99, "gss", 2.05, 0.05 }); // not of this network
        QVERIFY(table.complete());
        QCOMPARE(table.item(1, 1)->text(), QStringLiteral("+0.0500"));
        QVERIFY(table.csv().contains("\n0,gss,2.05,0.05,"));
        QVERIFY(table.csv().contains("\nnone,none,2,0,"));
    }

    void anAblationWorksWhileTheRunTrains()
    {
        session_->attach(std::make_shared<ScriptedJob>(script_, config_, run_));
        panel_->setSession(session_.get());
        QTest::mouseClick(button("evaluateAblation"), Qt::LeftButton);
        QTRY_VERIFY(panel_->findChild<AblationTable*>()->complete());
        QVERIFY(script_->read([](const Script& s) { return s.loads.empty() && s.snapshots > 0; }));
        QTRY_VERIFY(label("evaluateAblationNote")->text().contains("live weights"));
        session_->detach();
    }

    void everyControlHasANameAndATip()
    {
        panel_->setSession(session_.get());
        QCOMPARE(unnamedControl(panel_.get()), QString());
    }

private:
    QSpinBox* spin(const char* name) { return panel_->findChild<QSpinBox*>(name); }
    QTableView* table() { return find<QTableView>("evaluateTable"); }
    std::vector<EvaluateOptions> asked() const { return scripted(&Script::evaluations); }
};

PHA_TEST(EvaluatePanelTest)
#include "evaluate_panel_test.moc"
