// SPDX-License-Identifier: GPL-3.0-or-later
// `pha train --fork` and `pha train --replay` from outside.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class ForkCommandTest : public QObject {
    Q_OBJECT

private:
    Home home_;
    QString run_;

    QString at(int step) const
    {
        return run_ + QStringLiteral("/checkpoints/step-%1").arg(step, 8, 10, QLatin1Char('0'));
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("run");
        const auto result =
            home_.run(smallRun({ "--run", run_, "--steps", "8", "--name", "first", "--set", "save_every=2", "--set",
                "eval_every=3", "--set", "sample_every=0", "--set", "keep_checkpoints=9", "--set", "dropout=0.1" }));
        QVERIFY2(result.code == 0, result.err.constData());
    }

    void aPlanOfAReplayKnowsTheTokenizer()
    {
        const auto plan = home_.run({ "train", "--replay", run_, "--dry-run", "--json" });
        QVERIFY2(plan.code == 0, plan.err.constData());
        QCOMPARE(plan.json()["exact"].toBool(), true);
        const auto inspected = home_.run({ "inspect", run_, "--json" }).json();
        QCOMPARE(plan.json()["parameters"].toInt(), inspected["parameters"].toInt());
        const auto text = home_.run({ "train", "--replay", run_, "--dry-run" }).out;
        QVERIFY2(!text.contains("at most") && text.contains("\ntime  "), text.constData());
    }

    void aReplaySaysThatEveryLossIsTheSame()
    {
        const auto result = home_.run({ "train", "--replay", run_ });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(
            result.out.contains("Beside the run it repeats: 8 updates, every loss the same"), result.out.constData());
    }

    void aReplayThatWasStoppedSaysItAtItsEnd()
    {
        const auto replay = home_.path("stopped-replay");
        QCOMPARE(home_.run({ "train", "--replay", run_, "--run", replay, "--set", "stop_after=3" }).code, 130);
        const auto result = home_.run({ "train", "--resume", replay });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(
            result.out.contains("Beside the run it repeats: 8 updates, every loss the same"), result.out.constData());
        const auto plain = home_.run({ "train", "--resume", replay, "--steps", "9", "--json" });
        QCOMPARE(plain.jsonLines().last()["type"].toString(), "replay");
        QCOMPARE(plain.jsonLines().last()["of"].toString(), QFileInfo(run_).canonicalFilePath());
        QCOMPARE(plain.jsonLines().last()["updates"].toInt(), 8);
    }

    void aReplaySaysThatItsRunHasGone()
    {
        const auto original = home_.path("original"), replay = home_.path("replay-of-gone");
        QVERIFY(QProcess::execute("cp", { "-r", run_, original }) == 0);
        QCOMPARE(home_.run({ "train", "--replay", original, "--run", replay, "--set", "stop_after=3" }).code, 130);
        QVERIFY(QDir(original).removeRecursively());
        const auto result = home_.run({ "train", "--resume", replay });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(result.out.contains("Beside the run it repeats: it is not there any more, "), result.out.constData());
    }

    /// Where a run is read, a checkpoint of it does.
    void aCheckpointStandsForItsRun_data()
    {
        QTest::addColumn<QStringList>("before");
        QTest::addColumn<QStringList>("after");
        const auto row = [](const char* name, const QStringList& before, const QStringList& after) {
            QTest::newRow(name) << before << after;
        };
        row("compare", { "compare" }, {});
        row("csv", { "export" }, { "--to", "csv", "--out", home_.path("csv") });
        row("capsule", { "export" }, { "--to", "capsule", "--out", home_.path("run.pha") });
        row("replay", { "train", "--dry-run", "--replay" }, {});
        row("note", { "runs", "note" }, { "why" });
        row("tag", { "runs", "tag" }, { "+some" });
        row("scaling", { "scaling" }, {});
    }

    void aCheckpointStandsForItsRun()
    {
        QFETCH(const QStringList, before);
        QFETCH(const QStringList, after);
        const auto result = home_.run(before + QStringList { at(4) } + after);
        QVERIFY2(result.code == 0, result.err.constData());
    }

    void theNameOfTheLatestCheckpointDoesToo()
    {
        QCOMPARE(home_.run({ "runs", "note", run_ + "/checkpoints/latest" }).code, 0);
    }

    /// It has no column of its own, and is told so.
    void aComparedCheckpointIsItsWholeRun()
    {
        const auto result = home_.run({ "compare", at(4), run_, "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.json()["runs"].toArray().size(), 1);
        QVERIFY2(result.err.contains("to measure the checkpoint: pha eval '" + at(4).toUtf8() + "'")
                && result.err.contains("shown once, though given again: " + run_.toUtf8()),
            result.err.constData());
        QVERIFY(!home_.run({ "compare", run_ }).err.contains("checkpoint"));
    }

    void aForkGoesOnAsTheRunDid()
    {
        const auto result = home_.run({ "train", "--fork", at(4), "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto fork = home_.path("share/pha-studio/runs/run-from-4");
        QCOMPARE(result.jsonLines().last()["type"].toString(), "status");
        QCOMPARE(content(fork + "/checkpoints/step-00000008/model.safetensors"), content(at(8) + "/model.safetensors"));
        QCOMPARE(metrics(fork, "step").first()["step"].toInt(), 5);
        QCOMPARE(metrics(fork, "step").last()["loss"], metrics(run_, "step").last()["loss"]);
        const auto parent = QJsonDocument::fromJson(content(fork + "/run.json"))
                                .object()["environment"]
                                .toObject()["parent"]
                                .toObject();
        QCOMPARE(parent["name"].toString(), "first");
        QCOMPARE(parent["path"].toString(), QFileInfo(run_).canonicalFilePath());
        QCOMPARE(parent["step"].toInt(), 4);
        QCOMPARE(metrics(fork, "command").first()["value"].toString(), "of first at step 4");
    }

    void otherSettingsAreTakenAndTold()
    {
        const auto fork = home_.path("slow");
        const auto result = home_.run(
            { "train", "--fork", run_, "--run", fork, "--steps", "10", "--set", "learning_rate=0.001", "--seed", "5" });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(result.err.contains("fork of first at step 8, with steps=10 seed=5 learning_rate=0.001"),
            result.err.constData());
        QVERIFY2(result.err.contains("the training data begin anew with another seed"), result.err.constData());
        QCOMPARE(metrics(fork, "step").size(), 2);
    }

    void otherCommandsKnowForks()
    {
        const auto fork = home_.path("slow");
        QVERIFY(home_.run({ "inspect", fork }).out.contains("fork of first at step 8"));
        QCOMPARE(home_.run({ "inspect", fork, "--json" }).json()["parent"].toObject()["step"].toInt(), 8);
        const auto compared = home_.run({ "compare", run_, fork });
        QVERIFY2(
            compared.out.contains("fork of") && compared.out.contains("first at step 8"), compared.out.constData());
        QCOMPARE(
            home_.run({ "compare", run_, fork, "--json" }).json()["runs"][1]["parent"]["name"].toString(), "first");
        QCOMPARE(home_.run({ "export", fork, "--to", "csv" }).code, 0);
        QCOMPARE(content(fork + "/exports/csv/steps.csv").count('\n'), 3);
        QCOMPARE(home_.run({ "eval", fork, "--max-tokens", "200" }).code, 0);
    }

    void aForkIsResumedAfterItsParentHasGone()
    {
        const auto parent = home_.path("parent"), fork = home_.path("orphan");
        QVERIFY(QProcess::execute("cp", { "-r", run_, parent }) == 0);
        auto result = home_.run({ "train", "--fork", parent, "--run", fork, "--steps", "14", "--set", "stop_after=2" });
        QCOMPARE(result.code, 130);
        QVERIFY(QDir(parent).removeRecursively());
        result = home_.run({ "train", "--resume", fork });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(metrics(fork, "step").last()["step"].toInt(), 14);
        QCOMPARE(metrics(fork, "step").size(), 6);
    }

    void aDryRunTellsAndWritesNothing()
    {
        const auto result =
            home_.run({ "train", "--fork", at(6), "--run", home_.path("dry"), "--dry-run", "--steps", "9" });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(
            result.out.contains("first at step 6") && result.out.contains("192 in 3 updates"), result.out.constData());
        const auto json = home_.run({ "train", "--fork", at(6), "--dry-run", "--json" }).json();
        QCOMPARE(json["parent"].toObject()["step"].toInt(), 6);
        QVERIFY(!QFile::exists(home_.path("dry")));
    }

    /// The run's own tokenizer lies in its folder, wherever the file is now that it was taken from.
    void aTextAndItsTokenizerMayHaveMoved()
    {
        QByteArray text;
        for (int i = 0; i < 400; ++i) text += "Line " + QByteArray::number(i * 7919) + " of a text that moves.\n";
        const auto here = home_.write("here.txt", text), model = home_.path("here.model");
        QVERIFY(QFile::copy(run_ + "/tokenizer.model", model));
        const auto run = home_.path("moved");
        auto command =
            smallRun({ "--run", run, "--steps", "2", "--set", "sample_every=0", "--set", "tokenizer=" + model });
        command[command.indexOf("stories")] = here;
        const auto trained = home_.run(command);
        QVERIFY2(trained.code == 0, trained.err.constData());
        const auto there = home_.path("there.txt");
        QVERIFY(QFile::rename(here, there) && QFile::remove(model));
        for (const QStringList& how :
            { QStringList { "--fork", run, "--steps", "4" }, QStringList { "--replay", run } }) {
            const auto again = QStringList { "train", "--data", there, "--run", home_.path("again") } + how;
            const auto plan = home_.run(again + QStringList { "--dry-run", "--json" });
            QVERIFY2(plan.code == 0, plan.err.constData());
            QVERIFY(plan.json()["exact"].toBool());
            const auto result = home_.run(again);
            QVERIFY2(result.code == 0, result.err.constData());
            QVERIFY(QDir(home_.path("again")).removeRecursively());
        }
    }

    void whatCannotBeIsRefusedInOneLine_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QString>("says");
        QTest::newRow("shape") << QStringList { "--set", "width=64" } << "width is 64";
        QTest::newRow("optimiser") << QStringList { "--set", "optimizer=adamw" } << "--init-from";
        QTest::newRow("tokenizer") << QStringList { "--set", "tokenizer=bytes" } << "tokenizer";
        QTest::newRow("done") << QStringList {} << "give more with --steps";
        QTest::newRow("other symbols") << QStringList { "--steps", "9", "--data", "mqar" } << "mqar";
        QTest::newRow("preset") << QStringList { "--preset", "pha-tiny" } << "--preset does not go with --fork";
        QTest::newRow("resume") << QStringList { "--resume", "run" } << "--resume does not go with --fork";
        QTest::newRow("weights") << QStringList { "--init-from", "run" } << "--init-from does not go with --fork";
        QTest::newRow("convert") << QStringList { "--convert-from", "run" } << "--convert-from does not go with --fork";
    }
    void whatCannotBeIsRefusedInOneLine()
    {
        QFETCH(const QStringList, arguments);
        QFETCH(const QString, says);
        const auto result = home_.run(QStringList { "train", "--fork", run_, "--run", home_.path("no") } + arguments);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains(says.toUtf8()), result.err.constData());
        QVERIFY(!QFile::exists(home_.path("no")));
    }
};

PHA_TEST(ForkCommandTest)
#include "fork_command_test.moc"
