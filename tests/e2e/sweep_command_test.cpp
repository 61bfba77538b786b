// SPDX-License-Identifier: GPL-3.0-or-later
// `pha sweep` from outside: what it plans, that its runs are those of `pha train`, and that it goes on where it was
// stopped.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class SweepCommandTest : public QObject {
    Q_OBJECT

private:
    Home home_;

    QString at(const QString& run) const { return home_.path("share/pha-studio/runs/" + run); }
    static QByteArray weights(const QString& run, int step)
    {
        return content(
            run + QStringLiteral("/checkpoints/step-%1/model.safetensors").arg(step, 8, 10, QLatin1Char('0')));
    }
    QStringList sweep(const QString& name, const QStringList& more) const
    {
        auto arguments = smallTextRun(
            home_, QStringList { "--set", "sample_every=0", "--set", "dropout=0.1", "--name", name } + more);
        arguments[0] = "sweep";
        return arguments;
    }
    QStringList train(const QString& run, const QStringList& more) const
    {
        return smallTextRun(
            home_, QStringList { "--set", "sample_every=0", "--set", "dropout=0.1", "--run", run } + more);
    }

private Q_SLOTS:
    void aDryRunListsThePlanAndWritesNothing()
    {
        const QStringList plan { "--grid", "learning_rate=0.0005,0.001", "--grid", "mix_mode=fixed,token", "--seeds",
            "3", "--dry-run" };
        const auto result = home_.run(sweep("dry", plan + QStringList { "--json" }));
        QVERIFY2(result.code == 0, result.err.constData());
        const auto runs = result.json()["runs"].toArray();
        QCOMPARE(runs.size(), 12);
        QCOMPARE(runs.at(3)["name"].toString(), "dry-lr0.001-token-s1");
        QCOMPARE(runs.at(3)["values"]["learning_rate"].toDouble(), 0.001);
        QVERIFY(runs.at(3)["parameters"].toInt() > 1000);
        QCOMPARE(runs.at(11)["seed"].toInt(), 3);
        const auto text = home_.run(sweep("dry", plan));
        QVERIFY2(text.out.contains("dry-lr0.0005-fixed-s3") && text.out.contains("12 runs"), text.out.constData());
        QVERIFY(!QFileInfo::exists(at({})));
    }

    void refusesTheWholePlanForOneBadValue_data()
    {
        QTest::addColumn<QStringList>("options");
        QTest::addColumn<QByteArray>("expected");
        QTest::newRow("value") << QStringList { "--grid", "learning_rate=0.001,20" }
                               << QByteArray("learning_rate is 20");
        QTest::newRow("combination") << QStringList { "--grid", "layers=1,2", "--grid", "width=32,33" }
                                     << QByteArray("with layers 1, width 33: query_heads is 2");
        QTest::newRow("key") << QStringList { "--grid", "learning_rat=1" }
                             << QByteArray("the nearest is learning_rate");
        QTest::newRow("text") << QStringList { "--grid", "data=stories,/no/such.txt" } << QByteArray("/no/such.txt");
        QTest::newRow("seeds") << QStringList { "--seeds", "0" } << QByteArray("the number of seeds is 0");
    }

    void refusesTheWholePlanForOneBadValue()
    {
        QFETCH(QStringList, options);
        QFETCH(QByteArray, expected);
        auto arguments = sweep("bad", options);
        if (options.last().startsWith("data=")) arguments.remove(arguments.indexOf("--data"), 2);
        const auto result = home_.run(arguments);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains(expected), result.err.constData());
        QVERIFY(!QFileInfo::exists(at({})));
    }

    void whereNoRunCanBeginThatIsWhatIsSaid()
    {
        const auto result =
            home_.run(sweep("nowhere", { "--grid", "learning_rate=0.0005,0.001", "--runs-dir", "/proc/none" }));
        QCOMPARE(result.code, 1);
        QVERIFY2(result.err.count("pha: warning: ") == 2 && result.err.contains("pha: error: no run could begin; "),
            result.err.constData());
    }

    void everyRunIsTheRunThatTrainWouldMake()
    {
        const QStringList recipe { "--steps", "6" };
        const auto result = home_.run(sweep("rates",
            recipe
                + QStringList {
                    "--grid", "learning_rate=0.001,0.002", "--grid", "mix_mode=fixed,token", "--seeds", "2" }));
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(result.err.contains("run 3 of 8, rates-lr0.002-fixed-s1\n"), result.err.constData());
        const auto alone = [&](const QString& run, const QStringList& more) {
            const auto there = home_.path("alone-" + run);
            const auto done = home_.run(train(there, recipe + more));
            QVERIFY2(done.code == 0, done.err.constData());
            QVERIFY(weights(there, 6).size() > 10'000);
            QVERIFY2(weights(there, 6) == weights(at(run), 6), qPrintable(run));
            QCOMPARE(metrics(there, "step").last()["loss"], metrics(at(run), "step").last()["loss"]);
        };
        // The first, one in the middle and the last: what went before leaves no trace.
        alone("rates-lr0.001-fixed-s1", { "--set", "learning_rate=0.001", "--set", "mix_mode=fixed" });
        alone("rates-lr0.002-token-s1", { "--set", "learning_rate=0.002", "--set", "mix_mode=token" });
        alone("rates-lr0.002-token-s2", { "--set", "learning_rate=0.002", "--set", "mix_mode=token", "--seed", "2" });
    }

    void scalingCountsARunOnce()
    {
        const auto folder = QFileInfo(at("rates-lr0.001-fixed-s1")).path(), one = at("rates-lr0.001-fixed-s1");
        const auto points = [&](const QStringList& given) {
            const auto result = home_.run(QStringList { "scaling", "--find", "tag:rates", "--json" } + given);
            QStringList names;
            for (const auto& group : result.json()["groups"].toArray())
                for (const auto& point : group.toObject()["points"].toArray())
                    names << point.toObject()["name"].toString();
            names.sort();
            return names;
        };
        QCOMPARE(points({ folder }).size(), 8);
        QCOMPARE(points({ folder, folder + "/.", one }), points({ folder }));
    }

    void theTableHasARowACombination()
    {
        const auto table = home_.run({ "sweep", "--name", "rates", "--table" });
        QVERIFY2(table.code == 0, table.err.constData());
        QCOMPARE(table.out.count('\n'), 5);
        QVERIFY2(table.out.contains(" ... "), table.out.constData());
        const auto json = home_.run({ "sweep", "--name", "rates", "--table", "--json" }).json();
        const auto rows = json["combinations"].toArray();
        QCOMPARE(rows.size(), 4);
        double before = 0;
        for (const auto& value : rows) {
            const auto row = value.toObject();
            const auto loss = row["valid_loss"].toObject();
            QCOMPARE(row["seeds"].toArray(), QJsonArray({ 1, 2 }));
            QCOMPARE(row["states"].toObject(), QJsonObject({ { "finished", 2 } }));
            QCOMPARE(loss["runs"].toInt(), 2);
            QVERIFY(loss["mean"].toDouble() >= before);
            QVERIFY(
                loss["min"].toDouble() <= loss["mean"].toDouble() && loss["mean"].toDouble() <= loss["max"].toDouble());
            before = loss["mean"].toDouble();
        }
        QCOMPARE(home_.run({ "runs", "--find", "tag:rates", "--json" }).jsonArray().size(), 8);
        QVERIFY(QDir().mkpath(at("unreadable")));
        home_.write("share/pha-studio/runs/unreadable/run.json", "{");
        const auto others = home_.run({ "sweep", "--name", "rates", "--table" });
        QVERIFY2(others.err.contains("a run is left out") && others.err.contains("unreadable"), others.err.constData());
        QVERIFY(QDir(at("unreadable")).removeRecursively());
        const auto none = home_.run({ "sweep", "--name", "nosuch", "--table" });
        QCOMPARE(none.code, 2);
        const QString command =
            "see what there is with: pha runs --runs-dir '" + home_.path("share/pha-studio/runs") + "'";
        QVERIFY2(none.err.contains(command.toUtf8()), none.err.constData());
    }

    void testFiguresAreScoredOnceAndStandInTheTable()
    {
        const auto plain = home_.run({ "sweep", "--name", "rates", "--table" });
        QVERIFY(!plain.out.contains("test loss"));
        const auto scored = home_.run({ "sweep", "--name", "rates", "--table", "--eval" });
        QVERIFY2(scored.code == 0, scored.err.constData());
        QCOMPARE(scored.err.count(": test loss "), 8);
        QVERIFY2(scored.out.contains("test perplexity"), scored.out.constData());
        const auto again = home_.run({ "sweep", "--name", "rates", "--table", "--eval", "--json" });
        QVERIFY2(!again.err.contains("test loss"), again.err.constData());
        const auto row = again.json()["combinations"].toArray().first().toObject();
        QCOMPARE(row["test_loss"]["runs"].toInt(), 2);
        const auto run = row["runs"].toArray().first().toString();
        const auto eval = home_.run({ "eval", at(run), "--json" }).json();
        QCOMPARE(metrics(at(run), "eval").last()["nll"].toDouble(), eval["nll"].toDouble());
        QCOMPARE(metrics(at(run), "eval").last()["split"].toString(), "test");
        QVERIFY(row["test_loss"]["min"].toDouble() <= eval["nll"].toDouble());
        QVERIFY(row["test_loss"]["max"].toDouble() >= eval["nll"].toDouble());
    }

    void aDryRunSaysHowLongItTakes()
    {
        const QStringList plan { "--steps", "40", "--set", "save_every=0", "--dry-run", "--json" };
        const auto nothing = Home().run(sweep("time", plan)).json();
        QVERIFY(nothing["seconds"].isNull());
        const auto made = home_.run(train(at("time-s1"), plan.mid(0, 4)));
        QVERIFY2(made.code == 0, made.err.constData());
        const auto document = home_.run(sweep("time", plan + QStringList { "--seeds", "3" })).json();
        const auto runs = document["runs"].toArray();
        QCOMPARE(runs.size(), 3);
        QCOMPARE(runs.at(0)["seconds"].toDouble(), 0.0); // has finished
        QVERIFY(runs.at(1)["seconds"].toDouble() > 0);
        QCOMPARE(runs.at(1)["seconds_from"]["run"].toString(), "time-s1");
        QCOMPARE(runs.at(1)["seconds_from"]["same_shape"].toBool(), true);
        QCOMPARE(document["seconds"].toDouble(), runs.at(1)["seconds"].toDouble() + runs.at(2)["seconds"].toDouble());
        auto text = home_.run(sweep("time", plan.mid(0, 5) + QStringList { "--seeds", "2" })).out;
        QVERIFY2(text.contains(" of training left, at the rate of time-s1; "), text.constData());
        text = home_.run(sweep("time", plan.mid(0, 5))).out;
        QVERIFY2(text.contains("nothing left to train"), text.constData());
    }

    void theSameCommandTrainsNothingTwiceAndMoreSeedsAreAdded()
    {
        const QStringList plan { "--steps", "6", "--grid", "learning_rate=0.001,0.002", "--grid",
            "mix_mode=fixed,token" };
        const auto before = content(at("rates-lr0.001-fixed-s1/metrics.jsonl"));
        const auto again = home_.run(sweep("rates", plan + QStringList { "--seeds", "3" }));
        QVERIFY2(again.code == 0, again.err.constData());
        QCOMPARE(again.err.count(": finished already\n"), 8);
        QCOMPARE(content(at("rates-lr0.001-fixed-s1/metrics.jsonl")), before);
        QCOMPARE(metrics(at("rates-lr0.002-token-s3"), "step").size(), 6);
        const auto other = home_.run(sweep("rates", QStringList { "--steps", "7" } + plan.mid(2)));
        QCOMPARE(other.code, 2);
        QVERIFY2(isOneErrorLine(other.err) && other.err.contains("with steps 6 instead of 7"), other.err.constData());
    }

    void aStopWhoseCheckpointFailsIsAFailure()
    {
        const auto process = home_.start(sweep(
            "unsaved", { "--steps", "1000000", "--set", "save_every=0", "--set", "mix_every=1000", "--seeds", "2" }));
        process->setReadChannel(QProcess::StandardError);
        QByteArray said;
        while (!said.contains("run 1 of 2  step")) {
            QVERIFY2(process->waitForReadyRead(60'000) || process->state() == QProcess::NotRunning, said.constData());
            said += process->readAllStandardError();
        }
        QVERIFY(QDir().rename(at("unsaved-s1/checkpoints"), at("unsaved-s1/away")));
        home_.write("share/pha-studio/runs/unsaved-s1/checkpoints", "no folder");
        ::kill(pid_t(process->processId()), SIGTERM);
        const auto stopped = Home::finish(*process);
        QCOMPARE(stopped.code, 1);
        QVERIFY2(stopped.err.contains("pha: error: the weights of the last update are not saved: "),
            stopped.err.constData());
        QVERIFY(!QFileInfo::exists(at("unsaved-s2")));
    }

    void whatCouldNotBeSavedIsTrainedByTheSameCommand()
    {
        QCOMPARE(home_.run(train(home_.path("warm"), { "--steps", "1" })).code, 0); // text and tokenizer are prepared
        const auto arguments = sweep("full",
            { "--steps", "6", "--set", "save_every=2", "--set", "width=256", "--set", "main_width=1024", "--grid",
                "learning_rate=0.001,0.002" });
        // Less than the weights take, more than anything else.
        const auto limited = home_.start(
            QStringList { "-c", "ulimit -f 800; exec \"$0\" \"$@\"", PHA_BIN_DIR "/pha" } + arguments, {}, "sh");
        const auto first = Home::finish(*limited);
        QCOMPARE(first.code, 1);
        QCOMPARE(first.err.count(" failed: the weights of the last update are not saved: "), 2);
        for (const auto* run : { "full-lr0.001-s1", "full-lr0.002-s1" })
            QCOMPARE(metrics(at(run), "status").last()["state"].toString(), "failed");
        const auto second = home_.run(arguments);
        QVERIFY2(second.code == 0, second.err.constData());
        QVERIFY2(!second.err.contains("finished already"), second.err.constData());
        for (const auto* run : { "full-lr0.001-s1", "full-lr0.002-s1" })
            QVERIFY(weights(at(run), 6).size() > 800 * 512);
    }

    void aSignalStopsOneRunAndTheSameCommandGoesOn()
    {
        constexpr int steps = 300;
        const QStringList plan { "--steps", QString::number(steps), "--set", "save_every=100000", "--set",
            "mix_every=1000", "--seeds", "3" };
        const auto whole = home_.run(sweep("whole", plan));
        QVERIFY2(whole.code == 0, whole.err.constData());
        const auto process = home_.start(sweep("halt", plan));
        process->setReadChannel(QProcess::StandardError);
        QByteArray said;
        while (!said.contains("run 2 of 3  step")) {
            QVERIFY2(process->waitForReadyRead(60'000) || process->state() == QProcess::NotRunning, said.constData());
            said += process->readAllStandardError();
        }
        ::kill(pid_t(process->processId()), SIGINT);
        const auto stopped = Home::finish(*process);
        QCOMPARE(stopped.code, 130);
        QVERIFY2(stopped.err.contains("go on with the same command"), stopped.err.constData());
        const auto done = metrics(at("halt-s2"), "step").size();
        QVERIFY2(done > 0 && done < steps, qPrintable(QString::number(done)));
        QVERIFY(!QFileInfo::exists(at("halt-s3")));
        const auto again = home_.run(sweep("halt", plan));
        QVERIFY2(again.code == 0, again.err.constData());
        QVERIFY2(again.err.contains("halt-s1: finished already"), again.err.constData());
        QVERIFY2(again.err.contains(QStringLiteral("halt-s2: goes on after step %1").arg(done).toUtf8()),
            again.err.constData());
        for (const auto* seed : { "s1", "s2", "s3" }) {
            QVERIFY2(weights(at(QString("halt-") + seed), steps) == weights(at(QString("whole-") + seed), steps), seed);
            QCOMPARE(metrics(at(QString("halt-") + seed), "step").size(), steps);
        }
    }

    void twoProcessesShareASweep()
    {
        constexpr int steps = 60;
        const auto arguments = sweep("both", { "--steps", QString::number(steps), "--seeds", "4" });
        const auto one = home_.start(arguments), two = home_.start(arguments);
        for (auto* process : { one.get(), two.get() }) {
            const auto result = Home::finish(*process);
            QVERIFY2(result.code == 0, result.err.constData());
            QVERIFY2(!result.err.contains("failed"), result.err.constData());
        }
        for (const auto* seed : { "s1", "s2", "s3", "s4" }) {
            const auto run = at(QString("both-") + seed);
            QCOMPARE(metrics(run, "status").last()["state"].toString(), "finished");
            QCOMPARE(metrics(run, "step").size(), steps);
        }
    }

    void whatAnotherProcessStillTrainsIsSaidAndIsNoFailure()
    {
        const auto arguments = sweep("held",
            { "--steps", "1000000", "--set", "save_every=0", "--set", "eval_every=0", "--set", "mix_every=1000" });
        const auto process = home_.start(arguments);
        QTRY_VERIFY_WITH_TIMEOUT(metrics(at("held-s1"), "step").size() > 2, 60'000);
        const QByteArray trains =
            "held-s1: process " + QByteArray::number(process->processId()) + " trains it, passed over\n";
        const auto other = home_.run(arguments);
        process->terminate();
        QCOMPARE(Home::finish(*process).code, 143);
        QVERIFY2(other.code == 0 && other.err.contains(trains), other.err.constData());
        QVERIFY2(other.err.contains("another process still trains held-s1; "), other.err.constData());
        QVERIFY2(!other.err.contains("failed"), other.err.constData());
    }

    void whatWasKilledBeforeItsLastWordIsFinishedAndScored()
    {
        const QStringList plan { "--steps", "6" };
        QCOMPARE(home_.run(sweep("wordless", plan)).code, 0);
        const auto run = at("wordless-s1");
        cutLastMetric(run);
        QVERIFY(metrics(run, "status").last()["state"] != "finished");
        const auto again = home_.run(sweep("wordless", plan + QStringList { "--eval" }));
        QVERIFY2(again.code == 0, again.err.constData());
        QVERIFY2(again.err.contains("wordless-s1: all its updates are saved"), again.err.constData());
        QCOMPARE(again.err.count(": test loss "), 1);
        QCOMPARE(metrics(run, "status").last()["state"].toString(), "finished");
        QCOMPARE(metrics(run, "step").size(), 6);
    }

    void whatDivergesOrFailsStopsNoOther()
    {
        const auto shortText = home_.write("short.txt", "One word.");
        auto arguments = sweep("wild",
            { "--steps", "60", "--set", "weight_decay=10", "--set", "warmup_steps=0", "--grid",
                "learning_rate=0.001,10", "--grid", "data=stories," + shortText, "--json" });
        arguments.remove(arguments.indexOf("--data"), 2);
        const auto result = home_.run(arguments);
        QVERIFY2(result.code == 1, result.err.constData());
        const auto rows = result.json()["combinations"].toArray();
        QVERIFY2(!rows.isEmpty(), result.err.constData());
        QCOMPARE(rows.first()["name"].toString(), "wild-lr0.001-stories");
        QCOMPARE(rows.first()["states"].toObject(), QJsonObject({ { "finished", 1 } }));
        QCOMPARE(rows.last()["name"].toString(), "wild-lr10-stories");
        QCOMPARE(rows.last()["states"].toObject(), QJsonObject({ { "diverged", 1 } }));
        QVERIFY2(result.err.contains("wild-lr0.001-short-s1 failed: "), result.err.constData());
        arguments.replaceInStrings("data=stories," + shortText, "data=stories");
        const auto again = home_.run(arguments);
        QVERIFY2(again.code == 4, again.err.constData());
        QVERIFY2(again.err.contains("wild-lr10-stories-s1: diverged already"), again.err.constData());
    }
};

PHA_TEST(SweepCommandTest)
#include "sweep_command_test.moc"
