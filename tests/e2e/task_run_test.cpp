// SPDX-License-Identifier: GPL-3.0-or-later
// Runs on synthetic tasks: the task sets vocabulary and context, accuracy is reported everywhere, a resume is exact.
#include "engine/config/config.h"
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <cmath>

using namespace pha::e2e;

namespace {

QStringList taskRun(const QString& run, const QStringList& more)
{
    auto arguments = smallRun(QStringList { "--set", "task_length=16", "--set", "task_pairs=2", "--set",
                                  "task_symbols=32", "--set", "eval_every=4", "--run", run }
        + more);
    arguments.replace(arguments.indexOf("stories"), "mqar");
    return arguments;
}

} // namespace

class TaskRunTest : public QObject {
    Q_OBJECT

private:
    Home home_;

private Q_SLOTS:
    void initTestCase()
    {
        const auto run = home_.run(taskRun("run", { "--steps", "8" }));
        QVERIFY2(run.code == 0, run.err.constData());
        QVERIFY2(run.err.contains("whole examples:"), run.err.constData());
    }

    void taskSetsTheShape()
    {
        const auto file = QJsonDocument::fromJson(content(home_.path("run/run.json"))).object();
        QCOMPARE(file["training"]["context"].toInt(), 16);
        QCOMPARE(file["model"]["vocabulary"].toInt(), 32);
        QVERIFY(content(home_.path("run/tokenizer.model")).startsWith("pha-symbols 1\n\xC2\xB7\nk1\n"));
        const auto dry = home_.run(taskRun("other", { "--dry-run", "--json" })).json();
        QCOMPARE(dry["config"]["training"]["context"].toInt(), 16);
        QCOMPARE(dry["config"]["model"]["vocabulary"].toInt(), 32);
    }

    /// Tokens are what the model reads, in the plan, in the figures of the run and in its speed.
    void tokensAreCountedAsPlanned()
    {
        const auto planned = home_.run(taskRun("other", { "--steps", "8", "--dry-run", "--json" })).json();
        const auto steps = metrics(home_.path("run"), "step");
        QCOMPARE(steps.size(), 8);
        QCOMPARE(steps.last()["tokens"].toInt(), planned["tokens"].toInt());
        const auto batch = planned["config"]["training"]["batch_size"].toInt();
        QCOMPARE(steps.first()["tokens"].toInt(), batch * 16);
        QVERIFY(home_.run(taskRun("other", { "--dry-run" })).out.contains("not the answers alone"));
    }

    void accuracyIsAnEvaluation()
    {
        const auto run = home_.path("run");
        const auto recalls = metrics(run, "recall");
        QCOMPARE(recalls.size(), 2);
        QVERIFY(recalls[0].contains("exact") && recalls[0]["chance"].toDouble() == 0.5);
        const auto evals = metrics(run, "eval");
        QCOMPARE(evals[0]["floor_nll"].toDouble(), 0.0);
        QCOMPARE(evals[0]["tokens"].toInt(), 256 / 16 * 2); // eval_tokens: 16 examples of two questions
        const auto references = metrics(run, "references").value(0);
        QCOMPARE(references["uniform"].toDouble(), std::log(32.0));
        QCOMPARE(references["bigram"].toDouble(), std::log(16.0));
    }

    void samplesAreQuestionsWithAnAnswer()
    {
        const auto sample = metrics(home_.path("run"), "sample").value(0);
        QVERIFY(sample["prompt"].toString().startsWith('k') && sample["prompt"].toString().contains(" v"));
        QCOMPARE(sample["text"].toString().count(' '), 1); // one symbol
    }

    void dataDecideTheRecipe()
    {
        const auto batch = [&](QStringList more) {
            const auto planned =
                home_.run(QStringList { "train", "--preset", "pha-tiny", "--dry-run", "--json" } + more);
            return planned.json()["config"].toObject()["training"].toObject()["batch_size"].toInt();
        };
        QCOMPARE(batch({ "--data", "mqar" }), 64);
        QCOMPARE(batch({ "--set", "data=mqar" }), 64);
        QCOMPARE(batch({ "--set", "batch_size=2", "--data", "mqar" }), 2);
        QCOMPARE(batch({ "--data", "stories" }), int(pha::findPreset("pha-tiny").config.training.batchSize));
    }

    void evaluatesOtherSizes()
    {
        const auto own = home_.run({ "eval", "run", "--json" });
        QVERIFY2(own.code == 0, own.err.constData());
        QCOMPARE(own.json()["context"].toInt(), 16);
        QVERIFY(own.json()["data"].toString().startsWith("mqar 1, V 32, T 16, K 2"));
        QCOMPARE(own.json()["tokens"].toInt(), 6000);
        QVERIFY(own.json()["recall"].toObject().contains("exact"));
        const auto longer = home_.run({ "eval", "run", "--set", "task_length=24", "--set", "task_pairs=3", "--json" });
        QVERIFY2(longer.code == 0, longer.err.constData());
        QCOMPARE(longer.json()["context"].toInt(), 24);
        const auto text = home_.run({ "eval", "run", "--set", "vocab_size=512" });
        QCOMPARE(text.code, 2); // the model's own
        const auto seed = home_.run({ "eval", "run", "--set", "data_seed=2", "--set", "text_field=story" });
        QVERIFY(seed.out.contains("examples without a mistake"));
        QVERIFY2(seed.out.contains("only its answers are scored"), seed.out.constData());
        QVERIFY2(!seed.out.contains("text       ") && !seed.out.contains("every token"), seed.out.constData());
        QCOMPARE(seed.err.count("pha: note: "), 1);
        QVERIFY2(seed.err.contains("text_field changes nothing with the data mqar"), seed.err.constData());
    }

    void wrongUseIsOneLine_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::newRow("impossible size") << taskRun("bad", { "--set", "task_pairs=9" });
        QTest::newRow("text") << QStringList { "eval", "run", "--data", "stories" };
        QTest::newRow("other task") << QStringList { "eval", "run", "--data", "induction" };
        QTest::newRow("other symbols") << QStringList { "eval", "run", "--set", "task_symbols=64" };
        QTest::newRow("other context") << QStringList { "eval", "run", "--context", "8" };
        QTest::newRow("no data field") << QStringList { "eval", "run", "--set", "layers=2" };
        QTest::newRow("no field") << QStringList { "eval", "run", "--set", "task_lenght=2" };
        QTest::newRow("no value") << QStringList { "eval", "run", "--set", "task_length" };
    }
    void wrongUseIsOneLine()
    {
        QFETCH(QStringList, arguments);
        const auto result = home_.run(arguments);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err), result.err.constData());
    }

    void resumeIsExact()
    {
        QCOMPARE(home_.run(taskRun("parts", { "--steps", "8", "--set", "stop_after=3" })).code, 130);
        QCOMPARE(home_.run({ "train", "--resume", "parts" }).code, 0);
        QVERIFY(content(home_.path("parts/checkpoints/step-00000008/model.safetensors"))
            == content(home_.path("run/checkpoints/step-00000008/model.safetensors")));
    }

    void generationReadsAndWritesSymbols()
    {
        const auto result =
            home_.run({ "generate", "run", "--prompt", "k3 v20 k5 v17 k3", "--max-tokens", "2", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.json()["prompt_ids"].toArray(), (QJsonArray { 3, 20, 5, 17, 3 }));
        QVERIFY(!result.err.contains("note"));
        const auto foreign =
            home_.run({ "generate", "run", "--prompt", "k3 once upon", "--max-tokens", "2", "--json" });
        QVERIFY2(foreign.json()["note"].toString().startsWith("2 words of the prompt are unknown"), foreign.out);
        QVERIFY2(foreign.err.contains("pha: note: 2 words of the prompt are unknown"), foreign.err);
        QCOMPARE(home_.run({ "generate", "run", "--prompt", " ", "--max-tokens", "1" }).code, 0);
        QCOMPARE(home_.run({ "inspect", "run" }).code, 0);
    }
};

PHA_TEST(TaskRunTest)
#include "task_run_test.moc"
