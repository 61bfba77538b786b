// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/config/sweep.h"
#include "engine/run/metrics.h"
#include "engine/run/seed_groups.h"
#include "engine/run/sweep_state.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>
#include <set>

using namespace pha;
using namespace pha::test;

namespace {

RunConfig configOf(const SweepValues& values)
{
    RunConfig config = findPreset("pha-tiny").config;
    for (const auto& [key, value] : values)
        if (key == "preset") config = findPreset(value).config;
    for (const auto& [key, value] : values)
        if (key != "preset") config.set(key, value);
    return config;
}

SweepPlan planned(const std::vector<std::string>& axes, std::int64_t seeds = 1, const std::string& name = "rates")
{
    std::vector<SweepAxis> parsed;
    for (const auto& axis : axes) parsed.push_back(SweepAxis::parse(axis));
    return planSweep(name, parsed, seeds, configOf);
}

QStringList names(const SweepPlan& plan)
{
    QStringList list;
    for (const auto& run : plan.runs) list << QString::fromStdString(run.name);
    return list;
}

/// What is wrong and what to do, or nothing.
template <class Work> QString problem(Work&& work)
{
    try {
        work();
    } catch (const Error& error) {
        return error.code() == ExitCode::Usage ? QString::fromUtf8(error.what()) : "not a matter of usage";
    }
    return {};
}

} // namespace

class SweepTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void plansEveryCombinationWithEverySeed()
    {
        const auto plan = planned({ "learning_rate=0.0005,1e-3", "mix_mode=fixed,token" }, 2);
        QCOMPARE(names(plan),
            QStringList({ "rates-lr0.0005-fixed-s1", "rates-lr0.0005-token-s1", "rates-lr0.001-fixed-s1",
                "rates-lr0.001-token-s1", "rates-lr0.0005-fixed-s2", "rates-lr0.0005-token-s2",
                "rates-lr0.001-fixed-s2", "rates-lr0.001-token-s2" }));
        const auto& last = plan.runs.back();
        QCOMPARE(last.config.training.learningRate, 0.001);
        QCOMPARE(last.config.model.mixMode, std::string("token"));
        QCOMPARE(last.config.training.seed, std::int64_t(2));
        QCOMPARE(sweepValuesText(last.values), std::string("learning_rate 0.001, mix_mode token"));
        QVERIFY(plan.notes.empty());
    }

    void withoutAxesTheSeedsAreThePlan()
    {
        QCOMPARE(names(planned({}, 3)), QStringList({ "rates-s1", "rates-s2", "rates-s3" }));
    }

    void namesStayWhenValuesAndSeedsAreAdded()
    {
        const auto before = names(planned({ "learning_rate=0.001", "layers=2" }));
        const auto after = names(planned({ "learning_rate=0.002,0.001", "layers=1,2" }, 2));
        for (const auto& name : before) QVERIFY2(after.contains(name), qPrintable(name));
    }

    void namesSayWhatDiffers_data()
    {
        QTest::addColumn<QString>("axes");
        QTest::addColumn<QStringList>("expected");
        QTest::newRow("preset") << "preset=pha-tiny,transformer-tiny"
                                << QStringList({ "rates-pha-tiny-s1", "rates-transformer-tiny-s1" });
        QTest::newRow("switch") << "zero_init=on,off" << QStringList({ "rates-zero_init-s1", "rates-no-zero_init-s1" });
        QTest::newRow("files") << "data=/a/moby dick.txt,/b/moby dick.txt"
                               << QStringList({ "rates-moby-dick-s1", "rates-moby-dick-2-s1" });
        QTest::newRow("single word") << "dropout=0,0.1" << QStringList({ "rates-dropout0-s1", "rates-dropout0.1-s1" });
        QTest::newRow("same initials") << "weight_decay=0.1 warmup_steps=5 gss_width=8 width=64"
                                       << QStringList({ "rates-wd0.1-ws5-gw8-width64-s1" });
        QTest::newRow("one set of initials twice")
            << "save_every=5 sample_every=10" << QStringList({ "rates-save_every5-sample_every10-s1" });
        QTest::newRow("lists") << "branches=gss,attention;gss,attention,ffn"
                               << QStringList(
                                      { "rates-branches-gss+attention-s1", "rates-branches-gss+attention+ffn-s1" });
        QTest::newRow("one list") << "branches=gss,attention" << QStringList({ "rates-branches-gss+attention-s1" });
        QTest::newRow("an empty text") << "skip_data=;5+1"
                                       << QStringList({ "rates-no-skip_data-s1", "rates-sd-5+1-s1" });
        QTest::newRow("a path with a comma") << "data=/a/one, two.txt;" << QStringList({ "rates-one+-two-s1" });
    }

    void namesSayWhatDiffers()
    {
        QFETCH(QString, axes);
        QFETCH(QStringList, expected);
        std::vector<std::string> list;
        if (axes.startsWith("data"))
            list = { axes.toStdString() };
        else
            for (const auto& axis : axes.split(' ')) list.push_back(axis.toStdString());
        QCOMPARE(names(planned(list)), expected);
    }

    void settingsWithCommasAreFields()
    {
        for (const auto* key : { "branches", "attention_layers", "prior", "skip_data" })
            QVERIFY2(SweepAxis::of(key, configOf({}).get(key).get<std::string>()).values.size() == 1, key);
        QCOMPARE(SweepAxis::parse("pruned_branches=0:attention,1:ffn").values.size(), std::size_t(1));
    }

    void refuses_data()
    {
        QTest::addColumn<QString>("axis");
        QTest::addColumn<QString>("expected");
        QTest::newRow("no list") << "learning_rate"
                                 << "an axis of the sweep is \"learning_rate\"";
        QTest::newRow("unknown key") << "learning_rat=1"
                                     << "the nearest is learning_rate";
        QTest::newRow("unknown preset") << "preset=pha-tinny"
                                        << "the nearest is pha-tiny";
        QTest::newRow("out of range") << "learning_rate=0.1,20"
                                      << "learning_rate is 20; expected a number from 0 to 10";
        QTest::newRow("nothing between commas") << "learning_rate=0.1,,0.2"
                                                << "learning_rate is \"\"";
        QTest::newRow("nothing") << "learning_rate="
                                 << "learning_rate is \"\"";
        QTest::newRow("twice") << "learning_rate=0.001,1e-3"
                               << "learning_rate has the value \"0.001\" twice";
        QTest::newRow("seeds") << "seed=1,2"
                               << "seed is no axis of a sweep";
        QTest::newRow("a process's own") << "stop_after=1,2"
                                         << "stop_after is no axis of a sweep";
        QTest::newRow("one bad combination") << "width=128,130"
                                             << "with width 130: query_heads is 4";
    }

    void refuses()
    {
        QFETCH(QString, axis);
        QFETCH(QString, expected);
        const auto said = problem([&] { (void)planned({ axis.toStdString() }); });
        QVERIFY2(said.contains(expected) && !said.contains('\n'), qPrintable(said));
    }

    void refusesPlansThatCannotBe()
    {
        QVERIFY(problem([] { (void)planned({ "layers=1", "layers=2" }); }).contains("two lists of values"));
        QVERIFY(problem([] { (void)planned({}, 0); }).contains("at least 1"));
        QVERIFY(problem([] { (void)planned({}, 1001); }).contains("1.00 k runs"));
        for (const auto* name : { "", "a b", "a/b", ".hidden", "-x", "+x", "a,b", "caf\xe9" })
            QVERIFY2(problem([&] { (void)planned({}, 1, name); }).contains("the name of the sweep"), name);
        QVERIFY(problem([] { (void)planned({}, 1, std::string(60, 'x')); }).isEmpty());
        QVERIFY(problem([] { (void)planned({}, 1, std::string(61, 'x')); }).contains("at most 60 bytes")); // as a tag
        const auto text = "data=" + std::string(60, 'y');
        QVERIFY(problem([&] { (void)planned({ text }, 1, std::string(60, 'x')); }).contains("too long"));
    }

    void saysWhichAxesChangeNothing()
    {
        const auto plan = planned({ "preset=pha-tiny,transformer-tiny", "mix_mode=fixed,token" });
        QCOMPARE(plan.notes.size(), std::size_t(1));
        QVERIFY(plan.notes.front().starts_with("mix_mode changes nothing in transformer-tiny"));
    }

    void theRunsSayWhatIsToDo()
    {
        QTemporaryDir folder;
        const auto run = planned({ "mix_mode=token" }).runs.front();
        const auto directory = pathOf(folder) / run.name;
        QCOMPARE(plannedState(run, directory).todo, PlannedState::Todo::Begin);
        RunFile file;
        file.name = run.name;
        file.config = run.config;
        file.config.model.vocabulary = 999; // the tokenizer's
        const RunDirectory there(directory);
        there.create(file);
        QCOMPARE(plannedState(run, directory).todo, PlannedState::Todo::GoOn);
        QCOMPARE(plannedState(run, directory).saved, std::int64_t(0));
        const std::vector<std::pair<const char*, PlannedState::Todo>> states { { "running", PlannedState::Todo::GoOn },
            { "stopped", PlannedState::Todo::GoOn }, { "failed", PlannedState::Todo::GoOn },
            { "finished", PlannedState::Todo::Nothing }, { "diverged", PlannedState::Todo::Nothing } };
        for (const auto& [word, todo] : states) {
            writeRaw(there.metricsFile(), std::string(R"({"type":"status","step":3,"state":")") + word + "\"}\n");
            QVERIFY2(plannedState(run, directory).todo == todo, word);
            QCOMPARE(plannedState(run, directory).saved, std::int64_t(0)); // three updates, but no checkpoint
        }
        publish(there, 2);
        QCOMPARE(plannedState(run, directory).saved, std::int64_t(2));
        {
            const RunLock lock(directory);
            QCOMPARE(plannedState(run, directory).todo, PlannedState::Todo::Busy);
        }
        auto other = run;
        other.config.training.steps += 1;
        QVERIFY(problem([&] { (void)plannedState(other, directory); }).contains("this run is there with steps"));
        writeRaw(there.runFile(), "{");
        QVERIFY(!problem([&] { (void)plannedState(run, directory); }).isEmpty());
    }

    void aRunWhoseLastCheckpointStandsHasToSayItsEnd()
    {
        QTemporaryDir folder;
        auto run = planned({}).runs.front();
        run.config.training.steps = 3;
        const RunDirectory there(pathOf(folder) / run.name);
        RunFile file;
        file.name = run.name;
        file.config = run.config;
        there.create(file);
        publish(there, 2);
        QCOMPARE(plannedState(run, there.root()).todo, PlannedState::Todo::GoOn);
        publish(there, 3); // and the process was killed before it could say so
        QCOMPARE(plannedState(run, there.root()).todo, PlannedState::Todo::GoOn);
        publish(there, 4); // it was trained longer: nothing of the plan is left
        QCOMPARE(plannedState(run, there.root()).todo, PlannedState::Todo::Nothing);
    }

    void aRunMayGoOnOnAnotherMachine()
    {
        QTemporaryDir folder;
        const auto run = planned({ "learning_rate=0.001" }).runs.front();
        const RunDirectory there(pathOf(folder) / run.name);
        RunFile file;
        file.name = run.name;
        file.config = run.config;
        for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>> { { "threads", "3" },
                 { "device", "cpu" }, { "devices", "2" }, { "precision", "fp32" }, { "stop_after", "5" } })
            file.config.set(key, value);
        there.create(file);
        QVERIFY(plannedState(run, there.root()).todo == PlannedState::Todo::GoOn);
        writeRaw(there.metricsFile(),
            R"({"type":"status","step":9,"state":"finished"})"
            "\n");
        QVERIFY(plannedState(run, there.root()).todo == PlannedState::Todo::Nothing);
    }

    void groupsRunsThatDifferInTheSeed()
    {
        const auto plan = planned({ "learning_rate=0.0005,0.001" }, 3);
        std::vector<RunFigures> runs;
        for (auto run = plan.runs.rbegin(); run != plan.runs.rend(); ++run) runs.emplace_back(run->name, run->config);
        std::vector<const RunFigures*> all;
        for (auto& run : runs) {
            EvalEvent eval;
            eval.split = "valid";
            eval.nll = double(run.config.training.seed);
            run.take(eval);
            all.push_back(&run);
        }
        const auto groups = groupSeeds(all);
        QCOMPARE(groups.size(), std::size_t(2));
        QCOMPARE(groups[0].name(), std::string("rates-lr0.001"));
        QCOMPARE(groups[1].name(), std::string("rates-lr0.0005"));
        QCOMPARE(groups[0].runs.front()->config.training.seed, std::int64_t(1));
        const auto loss = groups[0].spread([](const RunFigures& run) { return std::optional(run.best->nll); });
        QVERIFY(loss);
        QCOMPARE(loss->count, std::size_t(3));
        QCOMPARE(loss->mean, 2.0);
        QCOMPARE(loss->least, 1.0);
        QCOMPARE(loss->most, 3.0);
        QCOMPARE(loss->deviation, 1.0);
        QVERIFY(!spreadOf({}));
        QVERIFY(!spreadOf({ 1, std::nan("") }));
    }

    void aRunThatWasChangedByHandIsAcceptedAndStandsAlone()
    {
        QTemporaryDir folder;
        const auto run = planned({ "learning_rate=0.001" }, 2).runs.front();
        const RunDirectory there(pathOf(folder) / run.name);
        RunFile file;
        file.name = run.name;
        file.config = run.config;
        file.config.training.learningRate = 0.0005;
        there.create(file);
        QVERIFY(
            problem([&] { (void)plannedState(run, there.root()); }).contains("this run is there with learning_rate"));
        const std::string change =
            R"({"type":"command","step":3,"name":"learning_rate","value":"0.0005","was":"0.001"})";
        writeRaw(there.metricsFile(), change + "\n" + R"({"type":"status","step":9,"state":"finished"})" + "\n");
        const auto state = plannedState(run, there.root());
        QVERIFY(state.todo == PlannedState::Todo::Nothing);
        QCOMPARE(state.changes.size(), std::size_t(1));
        QCOMPARE(state.changes.front().text(), std::string("learning_rate 0.001 -> 0.0005 after step 3"));
        auto other = run;
        other.config.training.steps += 1; // which nobody changed
        QVERIFY(problem([&] { (void)plannedState(other, there.root()); }).contains("steps"));

        const auto changed = RunFigures::read(there.root());
        RunFigures twin("rates-lr0.0005-s2", changed.config), third("rates-lr0.0005-s3", changed.config);
        twin.config.training.seed = 2;
        third.config.training.seed = 3;
        third.take(CommandEvent { 4, "sample_prompt", "Once", "" });
        auto likewise = changed; // the same treatment of another draw
        likewise.config.training.seed = 4;
        const auto groups = groupSeeds({ &changed, &twin, &third, &likewise });
        QCOMPARE(groups.size(), std::size_t(2));
        QCOMPARE(groups[0].runs.size(), std::size_t(2));
        QCOMPARE(groups[0].name(), run.name);
        QCOMPARE(groups[1].runs.size(), std::size_t(2)); // another prompt changes no loss
    }

    void aGroupHasEachSeedOnceAndNoFork()
    {
        const auto plan = planned({}, 2);
        std::vector<RunFigures> runs;
        for (const auto& run : plan.runs) runs.emplace_back(run.name, run.config);
        runs[1].config.training.saveEvery = 7; // of which no loss depends
        runs[1].config.training.threads = 2; // resumed on another computer
        runs[1].config.training.device = "cuda";
        runs[1].config.training.devices = 2;
        runs.emplace_back("again", plan.runs.front().config);
        runs.emplace_back("fork", plan.runs.front().config);
        runs.back().config.training.seed = 9;
        runs.back().parent = RunParent { "/somewhere", "rates-s1", 5 };
        std::vector<const RunFigures*> all;
        for (const auto& run : runs) all.push_back(&run);
        const auto groups = groupSeeds(all);
        QCOMPARE(groups.size(), std::size_t(3));
        QCOMPARE(groups[0].runs.size(), std::size_t(2));
        QCOMPARE(groups[1].name(), std::string("again"));
        QCOMPARE(groups[2].name(), std::string("fork"));
    }
};

PHA_TEST(SweepTest)
#include "sweep_test.moc"
