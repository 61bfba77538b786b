// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that several devices share. On a processor they are threads, so all but NCCL itself is what cards do.
#include "engine/base/error.h"
#include "engine/model/weights.h"
#include "tests/model/shared_run.h"
#include "tests/suite.h"

#include <cmath>
#include <thread>

using namespace pha;
using namespace pha::test;

class TeamTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

    std::vector<double> trained(const QString& name, const RunConfig& config, Recorder* recorder = nullptr)
    {
        Recorder mine;
        auto& sink = recorder ? *recorder : mine;
        runs_.train(name.toStdString(), config, &sink);
        return losses(sink);
    }

private Q_SLOTS:
    void manyMakeTheUpdatesOfOne_data()
    {
        QTest::addColumn<QString>("settings");
        QTest::addColumn<bool>("alsoTwo");
        const auto row = [](const char* name, const char* settings, bool alsoTwo = false) {
            QTest::newRow(name) << settings << alsoTwo;
        };
        row("adamw", "", true);
        row("muon", "optimizer=muon", true);
        row("unclipped", "clip=0");
        row("recomputed", "recompute=true");
        row("regularised", "entropy_bonus=0.05 prior_weight=0.1 attention_cost=0.05");
        row("tokens mixed at a cost", "mix_mode=token attention_cost=0.5");
        row("a task, of which few tokens are scored", "data=mqar task_length=32 task_symbols=64");
        row("hedgehog", "family=hedgehog qk_mode=dot kv_heads=2");
        row("h3", "family=h3 qk_mode=dot kv_heads=2 h3_state=8");
    }
    void manyMakeTheUpdatesOfOne()
    {
        QFETCH(QString, settings);
        QFETCH(bool, alsoTwo);
        std::vector<std::vector<double>> all;
        for (const std::int64_t devices : { 1, 3, 2 }) {
            if (devices == 2 && !alsoTwo) continue;
            auto config = sharedRun(devices);
            for (const auto& setting : settings.split(' ', Qt::SkipEmptyParts))
                config.set(setting.section('=', 0, 0).toStdString(), setting.section('=', 1).toStdString());
            all.push_back(trained(QStringLiteral("%1-%2").arg(QTest::currentDataTag()).arg(devices), config));
        }
        QCOMPARE(all[0].size(), std::size_t(6));
        QVERIFY(std::abs(all[0].back() - all[0].front()) > 1e-3); // it learns something
        for (std::size_t i = 1; i < all.size(); ++i) {
            QVERIFY2(farthest(all[i], all[0]) < 2e-5, qPrintable(QString::number(farthest(all[i], all[0]))));
            QVERIFY(all[i] != all[0]); // sums are rounded elsewhere: it was not one device after all
        }
    }

    void distillsTogether()
    {
        auto teacher = sharedRun(1);
        teacher.set("family", "transformer"), teacher.set("qk_mode", "dot"), teacher.set("kv_heads", "2");
        const auto from = runs_.train("teacher", teacher);
        std::vector<std::vector<double>> all;
        for (const std::int64_t devices : { 1, 2, 3 }) {
            TrainingRequest request;
            request.config = teacher;
            request.config.set("family", "hedgehog");
            request.config.training.distillSteps = 3;
            request.config.training.devices = devices;
            request.convertFrom = from;
            request.directory = runs_.folder("student" + std::to_string(devices));
            Recorder recorder;
            runs_.run(request, &recorder);
            all.push_back(losses(recorder));
            for (const auto& step : recorder.all<StepEvent>())
                if (step.distillation) all.back().push_back(*step.distillation);
        }
        QCOMPARE(all[0].size(), std::size_t(9));
        for (const auto& shared : { all[1], all[2] })
            QVERIFY2(farthest(shared, all[0]) < 2e-5, qPrintable(QString::number(farthest(shared, all[0]))));
    }

    void aStoppedRunGoesOnExactly()
    {
        auto config = sharedRun(2);
        config.training.dropout = config.training.branchDropout = 0.1; // masks of both members
        const auto whole = trained("whole", config);
        auto first = config;
        first.training.stopAfter = 3;
        auto parts = trained("parts", first);
        Recorder rest;
        runs_.resume("parts", config, { "stop_after" }, &rest);
        for (const auto loss : losses(rest)) parts.push_back(loss);
        QCOMPARE(parts, whole);
        QVERIFY(trained("alone", sharedRun(1)) != whole);
    }

    void anotherNumberOfDevicesMayGoOn()
    {
        auto config = sharedRun(3);
        config.training.stopAfter = 3;
        auto parts = trained("moves", config);
        config.training.stopAfter = 0;
        config.training.devices = 1;
        Recorder rest;
        runs_.resume("moves", config, { "devices", "stop_after" }, &rest);
        for (const auto loss : losses(rest)) parts.push_back(loss);
        QVERIFY(farthest(parts, trained("stays", sharedRun(1))) < 2e-5);
        bool said = false;
        for (const auto& status : rest.all<StatusEvent>())
            said = said || status.detail.find("instead of 3 times 1 thread") != std::string::npos;
        QVERIFY(said);
    }

    void settingsChangeForAll()
    {
        std::vector<std::vector<double>> all;
        for (const std::int64_t devices : { 1, 2 }) {
            TrainingRequest request;
            request.config = sharedRun(devices);
            request.directory = runs_.folder("changed" + std::to_string(devices));
            Recorder recorder;
            Trainer trainer(request, recorder, {});
            recorder.react = [&](const Event& event) {
                if (const auto* step = std::get_if<StepEvent>(&event); step && step->step == 3)
                    trainer.post({ Command::Kind::Change, "learning_rate", Json(1e-4) });
            };
            trainer.run(recorder, {}); // its checkpoints check that all members have the same weights
            all.push_back(losses(recorder));
        }
        QVERIFY(farthest(all[1], all[0]) < 2e-5);
    }

    /// What an alert says of the update's texts is the same whoever read them.
    void anAlertSeesAllRows()
    {
        std::vector<AlertEvent> alerts;
        for (const std::int64_t devices : { 1, 3 }) {
            TrainingRequest request;
            request.config = sharedRun(devices);
            request.directory = runs_.folder("alert" + std::to_string(devices));
            Recorder recorder;
            Trainer trainer(request, recorder, {});
            trainer.failLossForTest(4, 5);
            trainer.run(recorder, {});
            alerts.push_back(recorder.all<AlertEvent>().at(0));
        }
        QCOMPARE(alerts[0].texts.size(), alerts[1].texts.size());
        for (std::size_t i = 0; i < alerts[0].texts.size(); ++i) {
            QCOMPARE(alerts[1].texts[i].row, alerts[0].texts[i].row);
            QVERIFY(std::abs(alerts[1].texts[i].loss / alerts[0].texts[i].loss - 1) < 1e-4);
        }
    }

    void aMemberThatFailsEndsTheUpdateForAll()
    {
        auto config = sharedRun(3);
        auto model = std::make_shared<LanguageModel>(config.model, 1);
        Team team(model, config.training);
        team.follow();
        std::vector<Tensor> inputs { torch::zeros({ 5, 8 }, torch::kLong), torch::zeros({ 5, 8 }, torch::kLong) };
        inputs.push_back(team.first().optimizer->numbers({ 40, 1, 1e-3, 1 }));
        for (const std::size_t failing : { 2, 0 }) {
            const auto work = [&](Learner& learner, const std::vector<Tensor>& in) {
                if (learner.number == failing) throw Error("no memory", "less", ExitCode::Failed);
                return plainUpdate(*learner.model, *learner.optimizer, Pass(), in, {}, learner.sum);
            };
            try {
                team.update(inputs, work, false);
                QFAIL("nothing was thrown");
            } catch (const Error& error) {
                QCOMPARE(error.problem(), std::string("no memory"));
            }
        }
    }

    void weightsThatDifferAreFound()
    {
        auto config = sharedRun(2);
        auto model = std::make_shared<LanguageModel>(config.model, 1);
        Team team(model, config.training);
        team.follow();
        team.requireSameWeights();
        const torch::NoGradGuard guard;
        team.each([](Learner& learner) {
            if (learner.number == 1) learner.model->embedding().detach()[0][0] += 1e-3;
        });
        QVERIFY_EXCEPTION_THROWN(team.requireSameWeights(), Error);
    }

    void eachDeviceNeedsASequence()
    {
        auto config = sharedRun(6);
        QVERIFY_EXCEPTION_THROWN(config.validate(), ConfigError);
        // Half of the sequences: half of the activations, all of weights and moments.
        auto one = sharedRun(1), two = sharedRun(2);
        one.training.batchSize = two.training.batchSize = 4;
        auto few = one;
        few.training.batchSize = 2;
        QCOMPARE(trainingBytes(two), trainingBytes(few));
        QVERIFY(trainingBytes(two) < trainingBytes(one));
    }

    void theMeetingSendsEverybodyAway()
    {
        Meeting meeting(3);
        std::atomic<int> agreed = 0, left = 0;
        std::vector<std::thread> others;
        for (int i = 0; i < 2; ++i)
            others.emplace_back([&, i] {
                try {
                    for (int round = 0; round < 100; ++round) agreed += meeting.agree(round != 50 || i == 0);
                    meeting.agree();
                } catch (const Meeting::Left&) {
                    ++left;
                }
            });
        for (int round = 0; round < 100; ++round) QCOMPARE(meeting.agree(), round != 50);
        meeting.breakUp();
        for (auto& thread : others) thread.join();
        QCOMPARE(agreed.load(), 198);
        QCOMPARE(left.load(), 2);
        QVERIFY_EXCEPTION_THROWN(meeting.agree(), Meeting::Left);
    }
};

PHA_TEST(TeamTest)
#include "team_test.moc"
