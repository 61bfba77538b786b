// SPDX-License-Identifier: GPL-3.0-or-later
// Averages, protocols, ablation, exports and initial weights as a user asks for them.
#include "engine/run/safetensors.h"
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <QRegularExpression>

#include <cmath>
#include <span>

using namespace pha::e2e;

class InteropTest : public QObject {
    Q_OBJECT

    Home home_;
    QString run_;
    Result trained_;

    QString checkpoint(int step) const { return run_ + QString("/checkpoints/step-%1").arg(step, 8, 10, QChar('0')); }
    QJsonObject eval(const QStringList& more) const
    {
        const auto result = home_.run(QStringList { "eval", run_, "--max-tokens", "300", "--json" } + more);
        if (result.code != 0) qWarning("%s", result.err.constData());
        return result.json();
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("run");
        trained_ = home_.run(
            smallRun({ "--run", run_, "--steps", "6", "--set", "save_every=2", "--set", "eval_every=2", "--set",
                "average_keep=2", "--set", "average_take=2", "--set", "ema_decay=0.5", "--set", "optimizer=muon" }));
        QVERIFY2(trained_.code == 0, trained_.err.constData());
    }

    void theSummaryNamesTheAverages()
    {
        for (const char* text :
            { "mean of the best 2 of 2 weights", "moving average of the weights, decay 0.5", "averages" })
            QVERIFY2(trained_.out.contains(text), trained_.out.constData());
        QCOMPARE(metrics(run_, "eval").size(), 3 + 2);
        for (const char* name : { "best", "ema" }) {
            const auto file = run_ + "/averages/" + name + ".safetensors";
            QCOMPARE(home_.run({ "eval", file, "--max-tokens", "100" }).code, 0);
            QCOMPARE(home_.run({ "generate", file, "--prompt", "There", "--max-tokens", "3" }).code, 0);
        }
    }

    void theFileThatIsNamedIsEvaluated()
    {
        const auto valid = home_.write("wiki.valid.txt", QByteArray("The mayor lives here.\n").repeated(40));
        const auto test = home_.write("wiki.test.txt", QByteArray("Where is the key?\n").repeated(40));
        QCOMPARE(eval({ "--data", valid })["split"].toString(), "valid");
        QCOMPARE(eval({ "--data", test })["split"].toString(), "test");
        QCOMPARE(eval({ "--data", valid, "--split", "test" })["nll"], eval({ "--data", test })["nll"]);
    }

    void checkpointsAreAveraged()
    {
        const auto out = home_.path("mean.safetensors");
        const auto result = home_.run({ "average", checkpoint(4), checkpoint(6), "--out", out, "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.json()["file"].toString(), out);
        QCOMPARE(home_.run({ "inspect", out, "--json" }).json()["step"].toInt(), 6);
        const auto again = home_.run({ "average", checkpoint(4), "--out", out });
        QCOMPARE(again.code, 2);
        QVERIFY2(isOneErrorLine(again.err) && again.err.contains("exists"), again.err.constData());
        const auto absent = home_.run({ "average", home_.path("absent"), "--out", home_.path("x") });
        QCOMPARE(absent.code, 2);
        QVERIFY2(isOneErrorLine(absent.err), absent.err.constData());
    }

    /// Of the same shapes, but read in another way.
    void onlyOneNetworkIsAveraged()
    {
        const auto other = home_.path("softmax");
        const auto trained = home_.run(smallRun({ "--run", other, "--steps", "1", "--set", "mix_mode=softmax" }));
        QVERIFY2(trained.code == 0, trained.err.constData());
        const auto result = home_.run({ "average", run_, other, "--out", home_.path("both") });
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("mix_mode is \"softmax\""), result.err.constData());
        QVERIFY(!QFile::exists(home_.path("both.safetensors")));
    }

    void protocolsAreNamed()
    {
        QCOMPARE(eval({})["protocol"].toString(), "disjoint");
        const auto strided = eval({ "--protocol", "strided" });
        QCOMPARE(strided["stride"].toInt(), 16);
        QCOMPARE(strided["protocol"].toString(), "strided");
        const auto stateful = eval({ "--protocol", "stateful", "--by-position", "--by-document" });
        QCOMPARE(stateful["protocol"].toString(), "stateful");
        QCOMPARE(stateful["text"].toString(), "plain text");
        QCOMPARE(stateful["precision"].toString(), "fp32");
        int tokens = 0;
        for (const auto& bin : stateful["positions"].toArray()) tokens += bin.toObject()["tokens"].toInt();
        QCOMPARE(tokens, 300);
        tokens = 0;
        for (const auto& document : stateful["documents"].toArray()) tokens += document.toObject()["tokens"].toInt();
        QCOMPARE(tokens, 300);
        const auto report =
            home_.run({ "eval", run_, "--max-tokens", "300", "--protocol", "stateful", "--by-position" }).out;
        for (const char* text : { "stateful", "tokens before", "plain text, products in fp32" })
            QVERIFY2(report.contains(text), report.constData());
        const auto wrong = home_.run({ "eval", run_, "--protocol", "stateful", "--stride", "8" });
        QCOMPARE(wrong.code, 2);
        QVERIFY2(isOneErrorLine(wrong.err), wrong.err.constData());
    }

    void ablationIsATable()
    {
        const auto cells = eval({ "--ablation" })["ablation"].toArray();
        QCOMPARE(cells.size(), 8); // one layer and all layers; gss, attention, ffn, main
        QCOMPARE(cells[0].toObject()["layer"].toString(), "all");
        const auto muted = eval({ "--mute", "0:ffn" });
        QCOMPARE(cells[6].toObject()["branch"].toString(), "ffn");
        QCOMPARE(cells[6].toObject()["nll"].toDouble(), muted["nll"].toDouble());
        const auto table = home_.run({ "eval", run_, "--max-tokens", "100", "--ablation" }).out;
        QVERIFY2(table.contains("all layers") && table.contains("layer 0"), table.constData());
        QCOMPARE(home_.run({ "eval", run_, "--ablation", "--mute", "0:ffn" }).code, 2);
    }

    /// What pushed each token sums to the logit that `pha logits` writes, over the mean of its row.
    void aTextIsLookedAt()
    {
        const auto maps = home_.path("maps.safetensors"), file = home_.path("rows.safetensors");
        const QStringList look { "inspect", run_, "--text", "There was a key.", "--max-tokens", "6", "--mute",
            "0:gss" };
        const auto result = home_.run(look + QStringList { "--out", maps, "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto view = result.json();
        const auto tokens = view["tokens"].toArray();
        const auto T = std::int64_t(tokens.size());
        QVERIFY(T > 2 && T <= 6);
        for (const auto& push : view["pushes"].toArray())
            if (push.toObject()["part"] == "gss") QCOMPARE(push.toObject()["nats"].toArray()[1].toDouble(), 0.0);
        for (const auto& reach : view["reach"].toArray()) {
            double sum = 0;
            for (const auto& share : reach.toObject()["shares"].toArray()) sum += share.toDouble();
            QVERIFY(std::abs(sum - 1) < 1e-4);
        }
        const pha::SafetensorsReader reader(maps.toStdString());
        QCOMPARE(reader.tensors().at("layers.0.attention").shape, (std::vector<std::int64_t> { 2, T, T }));
        QCOMPARE(reader.tensors().at("layers.0.gss").shape, (std::vector<std::int64_t> { 1, T, T }));

        QStringList ids;
        for (const auto& token : tokens) ids << QString::number(token.toObject()["id"].toInt());
        QCOMPARE(home_.run({ "logits", run_, "--tokens", ids.join(','), "--out", file }).code, 0);
        const pha::SafetensorsReader logits(file.toStdString());
        const auto& entry = logits.tensors().at("logits");
        const auto V = std::size_t(entry.shape[1]);
        std::vector<float> rows(std::size_t(T) * V);
        logits.read(entry, rows.data());
        const auto plain =
            home_.run(QStringList { "inspect", run_, "--text", "There was a key.", "--max-tokens", "6", "--json" })
                .json();
        for (std::int64_t t = 1; t < T; ++t) {
            const auto row = std::span(rows).subspan(std::size_t(t - 1) * V, V);
            double mean = 0, pushed = 0;
            for (const float x : row) mean += double(x) / double(V);
            for (const auto& push : plain["pushes"].toArray())
                pushed += push.toObject()["nats"].toArray()[t].toDouble();
            QVERIFY(std::abs(pushed - (double(row[std::size_t(ids[t].toInt())]) - mean)) < 1e-3);
        }
        // The last layer of the lens is the whole network.
        const auto lens = home_
                              .run(QStringList { "inspect", run_, "--text", "There was a key.", "--max-tokens", "6",
                                  "--lens", "--json" })
                              .json()["lens"]
                              .toArray();
        QCOMPARE(lens.size(), plain["lens"].toArray().size());
        QCOMPARE(lens.first()["layer"].toInt(), -1);
        QCOMPARE(lens.last()["agreement"].toDouble(), 1.0);
        for (std::int64_t t = 1; t < T; ++t) {
            const auto cell = lens.last()["tokens"][t - 1];
            const double same = plain["tokens"][t]["probability"].toDouble();
            QVERIFY(std::abs(cell["probability"].toDouble() - same) < 1e-5 * same);
            QCOMPARE(cell["top"].toArray().size(), 5);
        }
        // Every number of every place is counted.
        const QStringList numbers { "inspect", run_, "--text", "There was a key.", "--max-tokens", "6",
            "--activations" };
        const auto activations = home_.run(numbers + QStringList { "--json" }).json()["activations"].toArray();
        QCOMPARE(activations.size(), plain["activations"].toArray().size());
        QVERIFY(!plain["activations"][0].toObject().contains("histogram"));
        QCOMPARE(activations.first()["place"].toString(), "stream");
        for (const auto& place : activations) {
            double counted = 0;
            for (const auto& count : place.toObject()["histogram"].toArray()) counted += count.toDouble();
            QCOMPARE(counted, double(T) * place.toObject()["channels"].toDouble());
        }
        const auto table = home_.run(numbers);
        QVERIFY2(table.out.contains("after L0") && table.out.contains("L0 gss"), table.out);
        const auto shown = home_.run({ "inspect", run_, "--text-file", "-" }, "There was a key.");
        QVERIFY2(shown.out.contains("Where each part reads") && shown.out.contains("L0 attention"), shown.out);
        QVERIFY2(shown.out.contains("best as at the end"), shown.out);
    }

    void metricsAreExported()
    {
        const auto csv = home_.run({ "export", run_, "--to", "csv", "--json" });
        QVERIFY2(csv.code == 0, csv.err.constData());
        const auto lines = content(run_ + "/exports/csv/steps.csv").split('\n');
        QCOMPARE(lines.size(), 6 + 2); // a header, and the end of the last line
        const auto header = lines[0].trimmed().split(','), first = lines[1].trimmed().split(',');
        QCOMPARE(header.size(), first.size());
        QCOMPARE(first[header.indexOf("loss")].toDouble(), metrics(run_, "step").first()["loss"].toDouble());
        const auto board = home_.run({ "export", run_, "--to", "tensorboard", "--out", home_.path("board"), "--json" });
        QVERIFY2(board.code == 0, board.err.constData());
        QVERIFY(QFile::exists(board.json()["files"].toArray().first().toString()));
        const auto wrong = home_.run({ "export", home_.path(), "--to", "csv" });
        QCOMPARE(wrong.code, 2);
        QVERIFY2(isOneErrorLine(wrong.err), wrong.err.constData());
    }

    void trainingStartsFromGivenWeights()
    {
        const auto started = home_.path("started");
        const auto result =
            home_.run(smallRun({ "--run", started, "--steps", "1", "--init-from", run_, "--set", "learning_rate=0" }));
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(result.err.contains("initial weights from") && result.err.contains("tensors"), result.err.constData());
        const auto environment =
            QJsonDocument::fromJson(content(started + "/run.json")).object()["environment"].toObject();
        static const QRegularExpression all("^(\\d+) of \\1 tensors$");
        QVERIFY(all.match(environment["init_from"].toObject()["tensors"].toString()).hasMatch());
        const auto absent = home_.run(smallRun({ "--run", home_.path("never"), "--init-from", home_.path("absent") }));
        QCOMPARE(absent.code, 2);
        QVERIFY2(isOneErrorLine(absent.err), absent.err.constData());
        QVERIFY(!QFile::exists(home_.path("never")));
    }

    /// An embedding means nothing with another tokenizer, though it had the same shape.
    void givenWeightsBringTheirTokenizer()
    {
        QByteArray text;
        for (int i = 0; i < 1500; ++i)
            text +=
                "Line " + QByteArray::number(i) + " of the red kites above hill " + QByteArray::number(i % 97) + ".\n";
        home_.write("kites.txt", text);
        const auto on = [&](const QString& data, const QStringList& more) {
            auto command = smallRun({ "--steps", "1" });
            command[command.indexOf("stories")] = data;
            return home_.run(command + more);
        };
        for (const auto& weights : { run_, checkpoint(6), run_ + "/averages/ema.safetensors" }) {
            const QStringList begin { "--init-from", weights, "--run", home_.path("kites") };
            const auto plan = on("kites.txt", begin + QStringList { "--dry-run", "--json" });
            QVERIFY2(plan.code == 0, plan.err.constData());
            QVERIFY(plan.json()["exact"].toBool());
            QCOMPARE(plan.json()["parameters"], home_.run({ "inspect", run_, "--json" }).json()["parameters"]);
            const auto result = on("kites.txt", begin);
            QVERIFY2(result.code == 0, result.err.constData());
            QCOMPARE(content(home_.path("kites/tokenizer.model")), content(run_ + "/tokenizer.model"));
            QDir(home_.path("kites")).removeRecursively();
        }

        const auto other = home_.path("other.model");
        const auto made =
            home_.run({ "tokenizer", "train", "stories", "--kind", "bpe", "--vocab-size", "512", "--out", other });
        QVERIFY2(made.code == 0, made.err.constData());
        for (const QStringList& how : { QStringList {}, QStringList { "--dry-run" } }) {
            const auto result = on("kites.txt",
                QStringList { "--init-from", run_, "--run", home_.path("wrong"), "--set", "tokenizer=" + other } + how);
            QCOMPARE(result.code, 2);
            QVERIFY2(result.err.contains("was trained with another tokenizer"), result.err.constData());
            QVERIFY(!QFile::exists(home_.path("wrong")));
        }
        // Without their embedding, which has another shape, the other weights still serve.
        const auto bytes =
            on("kites.txt", { "--init-from", run_, "--run", home_.path("bytes"), "--set", "tokenizer=bytes" });
        QVERIFY2(bytes.code == 0, bytes.err.constData());
        QVERIFY2(bytes.err.contains("another shape or type: embedding"), bytes.err.constData());
    }

    /// A folder of safetensors, as other programs leave a large model.
    void trainingStartsFromAFolderOfFiles()
    {
        const QDir best(run_ + "/checkpoints/" + content(run_ + "/checkpoints/latest").trimmed());
        QDir(home_.path()).mkpath("shards");
        for (const auto* name : { "model.safetensors", "optimizer.safetensors" })
            QVERIFY(QFile::copy(best.filePath(name), home_.path(QString("shards/") + name)));
        const auto command =
            smallRun({ "--run", home_.path("from-shards"), "--steps", "1", "--init-from", home_.path("shards") });
        const auto result = home_.run(command);
        QVERIFY2(result.code == 0, result.err.constData());
        static const QRegularExpression all("initial weights from 2 files in .*: (\\d+) of \\1 tensors; not used: ");
        QVERIFY2(all.match(result.err).hasMatch(), result.err.constData());
        QVERIFY(QFile::copy(best.filePath("model.safetensors"), home_.path("shards/twice.safetensors")));
        QDir(home_.path("from-shards")).removeRecursively();
        const auto twice = home_.run(command);
        QCOMPARE(twice.code, 2);
        QVERIFY2(isOneErrorLine(twice.err) && twice.err.contains("twice.safetensors: has the tensor"), twice.err);
        QVERIFY(!QFile::exists(home_.path("from-shards")));
    }
};

PHA_TEST(InteropTest)
#include "interop_test.moc"
