// SPDX-License-Identifier: GPL-3.0-or-later
// A small run and everything that can be asked of it afterwards.
#include "tests/e2e/pha_process.h"

#include "engine/config/config.h"
#include "engine/run/safetensors.h"
#include "tests/suite.h"

#include <algorithm>
#include <cmath>

using namespace pha::e2e;

class RunTest : public QObject {
    Q_OBJECT

private:
    Home home_;
    Result trained_;
    QString run_;
    const QStringList settings_ { "--set", "save_every=2", "--set", "eval_every=3", "--set", "sample_every=4", "--set",
        "keep_checkpoints=2" };

    QString checkpoint() const
    {
        return run_ + "/checkpoints/" + QString(content(run_ + "/checkpoints/latest")).trimmed();
    }

    /// The only row of a benchmark of pha-tiny at 16 tokens.
    void bench(const QStringList& more, QJsonObject& row) const
    {
        const auto result =
            home_.run(QStringList { "bench", "--presets", "pha-tiny", "--contexts", "16", "--json" } + more);
        QVERIFY2(result.code == 0, result.err.constData());
        row = result.json()["rows"].toArray().first().toObject();
    }
    static void verifyFlops(const QJsonObject& row, double expected)
    {
        const double counted = row["flops_per_second"].toDouble() / row["tokens_per_second"].toDouble();
        QVERIFY2(std::abs(counted / expected - 1) < 1e-9, qPrintable(QString::number(counted / expected)));
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("run");
        trained_ = home_.run(smallRun({ "--run", run_, "--steps", "8", "--name", "first", "--json" }) + settings_);
        QVERIFY2(trained_.code == 0, trained_.err.constData());
    }

    void eventsAreJsonLines()
    {
        const auto lines = trained_.jsonLines();
        QCOMPARE(lines.first()["type"].toString(), "run");
        QCOMPARE(lines.first()["directory"].toString(), run_);
        QStringList types;
        qint64 step = 0;
        for (const auto& line : lines) {
            QVERIFY2(line.contains("type"), trained_.out.constData());
            types << line["type"].toString();
            if (line["type"] == "step") QCOMPARE(line["step"].toInteger(), ++step);
        }
        QCOMPARE(step, 8);
        for (const auto* type : { "references", "step", "mixing", "eval", "sample", "checkpoint", "status" })
            QVERIFY2(types.contains(type), type);
        QVERIFY2(!trained_.err.contains('\x1b'), "no bar where nobody sees it");
    }

    void theRunDirectoryIsAsDocumented()
    {
        for (const auto* name :
            { "run.json", "metrics.jsonl", "tokenizer.model", "checkpoints/latest", "checkpoints/best" })
            QVERIFY2(QFile::exists(run_ + "/" + name), name);
        const auto file = QJsonDocument::fromJson(content(run_ + "/run.json")).object();
        QCOMPARE(file["schema"].toInt(), 1);
        QCOMPARE(file["name"].toString(), "first");
        QCOMPARE(file["model"].toObject()["width"].toInt(), 32);
        QCOMPARE(file["data"].toObject()["data"].toString(), "stories");
        QCOMPARE(file["training"].toObject()["steps"].toInt(), 8);
        QVERIFY(file.contains("created") && file.contains("environment"));
        QVERIFY(checkpoint().endsWith("step-00000008"));
        for (const auto* name : { "model.safetensors", "optimizer.safetensors", "state.json" })
            QVERIFY2(QFile::exists(checkpoint() + "/" + name), name);
        for (const auto& name : tree(run_ + "/checkpoints")) QVERIFY2(!name.contains("tmp"), qPrintable(name));
    }

    void metricsHoldWhatTheContractNames()
    {
        const auto steps = metrics(run_, "step");
        QCOMPARE(steps.size(), 8);
        for (const auto* key :
            { "tokens", "seconds", "loss", "lr", "grad_norm", "tokens_per_second", "process_bytes", "device_bytes" })
            QVERIFY2(steps.last()[key].isDouble(), key);
        QCOMPARE(steps.last()["tokens"].toInt(), 8 * 2 * 32);
        const auto mixing = metrics(run_, "mixing").last()["layers"].toArray();
        QCOMPARE(mixing.size(), 1);
        const auto layer = mixing.first().toObject();
        QVERIFY(std::abs(layer["gss"].toDouble() + layer["attention"].toDouble() + layer["ffn"].toDouble() - 1) < 1e-5);
        const auto eval = metrics(run_, "eval").last();
        for (const auto* key : { "nll", "tokens", "words", "bytes", "perplexity", "word_perplexity", "bits_per_byte",
                 "context", "floor_nll" })
            QVERIFY2(eval[key].isDouble(), key);
        QVERIFY(eval["nll"].toDouble() > eval["floor_nll"].toDouble());
        QCOMPARE(metrics(run_, "status").last()["state"].toString(), "finished");
    }

    void weightsAreSafetensorsWithDocumentedNames()
    {
        const pha::SafetensorsReader reader((checkpoint() + "/model.safetensors").toStdString());
        QVERIFY(reader.tensors().size() > 10);
        for (const auto& [name, tensor] : reader.tensors()) QCOMPARE(tensor.dtype, std::string("F32"));
        QVERIFY(!reader.metadata().empty());
    }

    void theSummaryNamesEverything()
    {
        const auto result = home_.run(smallRun({ "--steps", "3" }));
        QCOMPARE(result.code, 0);
        const auto run = home_.path("share/pha-studio/runs/pha-tiny-stories");
        const auto place = run.toUtf8();
        for (const auto* text : { "Perplexity", "exact floor", "Mixing weights", "Sample", place.constData() })
            QVERIFY2(result.out.contains(text), text);
        QVERIFY2(QFile::exists(run + "/run.json"), "the default place");
        const auto again = home_.run(smallRun({ "--steps", "2" }));
        QCOMPARE(again.code, 0);
        QVERIFY2(QFile::exists(run + "-2/run.json"), "a second run takes a fresh name");
    }

    void theSameSeedTrainsTheSameWeights()
    {
        const auto other = home_.path("other");
        QCOMPARE(home_.run(smallRun({ "--run", other, "--steps", "8" }) + settings_).code, 0);
        QCOMPARE(content(other + "/checkpoints/step-00000008/model.safetensors"),
            content(checkpoint() + "/model.safetensors"));
        QVERIFY(content(other + "/checkpoints/step-00000006/model.safetensors")
            != content(checkpoint() + "/model.safetensors"));
    }

    void aRunIsNeverOverwritten()
    {
        const auto before = content(run_ + "/metrics.jsonl");
        for (const auto& more : { QStringList {}, { "--dry-run" } }) {
            const auto result = home_.run(smallRun({ "--run", run_, "--steps", "2" }) + more);
            QCOMPARE(result.code, 2);
            QVERIFY2(isOneErrorLine(result.err) && result.err.contains("--resume"), result.err.constData());
        }
        QCOMPARE(content(run_ + "/metrics.jsonl"), before);
    }

    void evalReportsFiguresThatAgree()
    {
        const auto result = home_.run({ "eval", run_, "--max-tokens", "500", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto eval = result.json();
        QCOMPARE(eval["split"].toString(), "test");
        QCOMPARE(eval["tokens"].toInt(), 500);
        const auto nll = eval["nll"].toDouble();
        QVERIFY(std::abs(eval["perplexity"].toDouble() / std::exp(nll) - 1) < 1e-6);
        const auto perByte = nll * 500 / std::log(2.0) / eval["bytes"].toDouble();
        QVERIFY(std::abs(eval["bits_per_byte"].toDouble() / perByte - 1) < 1e-6);
        QVERIFY(nll > eval["floor_nll"].toDouble());
        QVERIFY(!eval["tokenizer"].toString().isEmpty());
        const auto report = home_.run({ "eval", run_, "--max-tokens", "500" }).out;
        for (const auto* text : { "disjoint windows of 32", "token", "word", "byte", "floor", "nats above" })
            QVERIFY2(report.contains(text), text);
    }

    void mutingABranchChangesTheFigures()
    {
        const auto result = home_.run({ "eval", run_, "--max-tokens", "500", "--mute", "all:attention", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto plain = result.json()["plain"].toObject();
        QCOMPARE(plain["tokens"].toInt(), 500);
        QVERIFY(plain["nll"].toDouble() != result.json()["nll"].toDouble());
        QVERIFY(home_.run({ "eval", run_, "--max-tokens", "500", "--mix", "0:0.2,0.3,0.5" })
                    .out.contains("Change by mix 0:0.2,0.3,0.5"));
    }

    void slidingWindowsScoreTheSameTokens()
    {
        const auto result =
            home_.run({ "eval", run_, "--max-tokens", "500", "--context", "16", "--stride", "4", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.json()["tokens"].toInt(), 500);
        QCOMPARE(result.json()["stride"].toInt(), 4);
    }

    void generateRepeatsWithTheSameSeed()
    {
        const QStringList arguments { "generate", run_, "--prompt", "There was", "--max-tokens", "12", "--seed", "7" };
        const auto text = home_.run(arguments), again = home_.run(arguments);
        QVERIFY2(text.code == 0, text.err.constData());
        QVERIFY(text.out.size() > 3);
        QCOMPARE(text.out, again.out);
        const auto json = home_.run(arguments + QStringList { "--json" });
        QCOMPARE(json.json()["text"].toString().toUtf8() + "\n", text.out);
        int drawn = 0;
        for (const auto& value : json.json()["tokens"].toArray()) {
            const auto token = value.toObject();
            if (token["prompt"].toBool()) continue;
            ++drawn;
            QVERIFY(token["probability"].toDouble() > 0 && token["probability"].toDouble() <= 1);
            QVERIFY(!token["alternatives"].toArray().isEmpty());
        }
        QCOMPARE(drawn, 12);
    }

    void generateReadsFilesAndStandardInput()
    {
        const auto file = home_.write("prompt.txt", "There was");
        const auto direct =
            home_.run({ "generate", run_, "--prompt", "There was", "--max-tokens", "5", "--temperature", "0" });
        const auto fromFile =
            home_.run({ "generate", run_, "--prompt-file", file, "--max-tokens", "5", "--temperature", "0" });
        const auto piped = home_.run(
            { "generate", run_, "--prompt-file", "-", "--max-tokens", "5", "--temperature", "0" }, "There was");
        QVERIFY2(direct.code == 0, direct.err.constData());
        QCOMPARE(fromFile.out, direct.out);
        QCOMPARE(piped.out, direct.out);
    }

    void invalidUtf8InAPromptIsRepairedAndSaid()
    {
        const auto file = home_.write("broken.txt", "There\xff was \xc3");
        const auto result = home_.run({ "generate", run_, "--prompt-file", file, "--max-tokens", "3" });
        QCOMPARE(result.code, 0);
        QVERIFY2(result.err.contains("invalid UTF-8"), result.err.constData());
        QVERIFY(!result.out.contains('\xff'));
    }

    void inspectCountsTheTensors()
    {
        const auto result = home_.run({ "inspect", checkpoint(), "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto report = result.json();
        QCOMPARE(report["step"].toInt(), 8);
        double sum = 0;
        for (const auto& count : report["parts"].toObject()) sum += count.toDouble();
        QCOMPARE(sum, report["parameters"].toDouble());
        QCOMPARE(report["mixing"].toArray().size(), 1);
        QVERIFY(report["forward_flops_per_token"].toDouble() > 0);
        QVERIFY(home_.run({ "inspect", run_ }).out.contains("Mixing weights"));
    }

    void logitsParallelAndRecurrentAgree()
    {
        const QStringList arguments { "logits", run_, "--tokens", "5,6,7,300", "--out" };
        QCOMPARE(home_.run(arguments + QStringList { "p.safetensors" }).code, 0);
        QCOMPARE(home_.run(arguments + QStringList { "r.safetensors", "--recurrent" }).code, 0);
        const auto read = [&](const char* name) {
            const pha::SafetensorsReader reader(home_.path(name).toStdString());
            const auto& entry = reader.tensors().at("logits");
            if (entry.shape != std::vector<std::int64_t> { 4, 512 }) qFatal("wrong shape");
            std::vector<float> values(4 * 512);
            reader.read(entry, values.data());
            return values;
        };
        const auto parallel = read("p.safetensors"), recurrent = read("r.safetensors");
        float largest = 0, difference = 0;
        for (std::size_t i = 0; i < parallel.size(); ++i) {
            largest = std::max(largest, std::abs(parallel[i]));
            difference = std::max(difference, std::abs(parallel[i] - recurrent[i]));
        }
        QVERIFY(largest > 0);
        QVERIFY2(difference < 1e-4F * std::max(1.F, largest), qPrintable(QString::number(difference)));
    }

    void compareShowsDifferences()
    {
        const auto other = home_.path("wider");
        QCOMPARE(home_.run(smallRun({ "--run", other, "--steps", "3", "--set", "main_width=48" })).code, 0);
        const auto result = home_.run({ "compare", run_, other, "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.json()["runs"].toArray().size(), 2);
        const auto differences = result.json()["differences"].toObject();
        QCOMPARE(differences["main_width"].toArray(), (QJsonArray { 32, 48 }));
        QVERIFY(!differences.contains("layers"));
        QVERIFY(home_.run({ "compare", run_, other }).out.contains("main_width"));
    }

    void benchMeasuresWhatItIsAsked()
    {
        QJsonObject row;
        bench({ "--batch-tokens", "32", "--repeats", "2" }, row);
        if (QTest::currentTestFailed()) return;
        QCOMPARE(row["preset"].toString(), "pha-tiny");
        QCOMPARE(row["context"].toInt(), 16);
        QVERIFY(row["tokens_per_second"].toDouble() > 0);
        QVERIFY(row["peak_bytes"].toDouble() > 0);
    }

    void benchCountsTheHeadOfAPromptOnce()
    {
        QJsonObject row;
        bench({ "--batch-tokens", "32", "--mode", "prompt", "--repeats", "1" }, row);
        if (QTest::currentTestFailed()) return;
        const auto& model = pha::findPreset("pha-tiny").config.model;
        const double head = 2.0 * double(model.vocabulary) * double(model.width);
        verifyFlops(row, pha::modelCosts(model, 16).forwardFlopsPerToken - head * 15 / 16);
    }

    void benchCountsATokenWhereItIsWritten()
    {
        QJsonObject row;
        bench({ "--mode", "decode", "--device", "cpu", "--repeats", "1" }, row);
        if (QTest::currentTestFailed()) return;
        // Twice 32 tokens after 16: the first of them sees 17, itself among them, and the last 80.
        verifyFlops(row, pha::modelCosts(pha::findPreset("pha-tiny").config.model, 49).decodeFlopsPerToken);
    }

    void benchMeasuresTheGssBranchByEachConvolution()
    {
        const auto result = home_.run({ "bench", "--presets", "pha-tiny", "--contexts", "64", "--batch-tokens", "128",
            "--mode", "gss", "--repeats", "1", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto rows = result.json()["rows"].toArray();
        QStringList names;
        for (const auto& row : rows) {
            names << row.toObject()["preset"].toString();
            QCOMPARE(row.toObject()["batch"].toInt(), 2);
            QVERIFY(row.toObject()["tokens_per_second"].toDouble() > 0);
            // D (2 E + h) + E h of the products, the spectrum, C, the inner norm and the skip: the branch alone.
            QCOMPARE(row.toObject()["parameters"].toInt(),
                128 * (2 * 512 + 32) + 512 * 32 + (32 + 32 * 32) + 2 * 32 * 16 + 2 * 32);
        }
        QCOMPARE(names, (QStringList { "pha-tiny, auto", "pha-tiny, chunked", "pha-tiny, fft" }));
    }

    void selftestPassesHere()
    {
        const auto result = home_.run({ "selftest", "--device", "cpu", "--json" });
        QVERIFY2(result.code == 0, result.out.constData());
        QVERIFY(result.jsonLines().size() > 40);
        for (const auto& row : result.jsonLines())
            QVERIFY2(row["passed"].toBool(), qPrintable(row["check"].toString()));
    }

    void versionNamesLibtorchAndBlas()
    {
        const auto result = home_.run({ "--version" });
        QCOMPARE(result.code, 0);
        for (const auto* text : { "PHA Studio ", "LibTorch", "BLAS", "Device     cpu" })
            QVERIFY2(result.out.contains(text), text);
    }
};

PHA_TEST(RunTest)
#include "run_test.moc"
