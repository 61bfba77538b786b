// SPDX-License-Identifier: GPL-3.0-or-later
// Damaged and foreign files: one line, exit code 2, nothing created, nothing changed.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <QRegularExpression>

#include <filesystem>

#include <sys/stat.h>

using namespace pha::e2e;

class BadFilesTest : public QObject {
    Q_OBJECT

private:
    Home home_;
    QString run_;

    /// A copy of the good run, to be damaged.
    QString copy(const QString& name) const
    {
        const auto target = home_.path(name);
        std::filesystem::copy(run_.toStdString(), target.toStdString(), std::filesystem::copy_options::recursive);
        return target;
    }

    /// Writes `bytes` as the weights of every checkpoint of a copy of the run.
    QString withWeights(const QString& name, const QByteArray& bytes) const
    {
        const auto run = copy(name);
        const QDir checkpoints(run + "/checkpoints");
        for (const auto& folder : checkpoints.entryList({ "step-*" }, QDir::Dirs))
            home_.write(name + "/checkpoints/" + folder + "/model.safetensors", bytes);
        return run;
    }

    QByteArray goodWeights() const { return content(run_ + "/checkpoints/step-00000002/model.safetensors"); }

    static QByteArray withHeader(quint64 length, const QByteArray& header)
    {
        QByteArray bytes;
        for (int i = 0; i < 8; ++i) bytes += char(length >> (8 * i) & 0xff);
        return bytes + header;
    }

    void isRefused(const QStringList& arguments, const QByteArray& says = {})
    {
        const auto before = tree(home_.path());
        const auto result = home_.run(arguments);
        QVERIFY2(result.code == 2,
            "exit code " + QByteArray::number(result.code) + " of " + arguments.join(' ').toUtf8() + ": " + result.err);
        QCOMPARE(result.out, QByteArray());
        QVERIFY2(isOneErrorLine(result.err), result.err.constData());
        QVERIFY2(result.err.contains(says), result.err.constData());
        auto after = tree(home_.path());
        for (const auto& name : before) QVERIFY2(after.removeOne(name), qPrintable(name + " is gone"));
        QCOMPARE(after.join(' '), QString()); // created
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("good");
        const auto result = home_.run(smallRun({ "--run", run_, "--steps", "2" }));
        QVERIFY2(result.code == 0, result.err.constData());
    }

    void damagedWeights_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        const auto good = goodWeights();
        QTest::newRow("empty") << QByteArray();
        QTest::newRow("seven bytes") << good.left(7);
        QTest::newRow("header cut") << good.left(100);
        QTest::newRow("data cut") << good.left(good.size() - 1);
        QTest::newRow("a byte too many") << good + "x";
        QTest::newRow("text") << QByteArray("These are no weights.\n");
        QTest::newRow("pickle in a zip") << QByteArray("PK\x03\x04", 4) + QByteArray(30, '\0') + "archive/data.pkl"
                + QByteArray(200, '\x80');
        QTest::newRow("bare pickle") << QByteArray("\x80\x02}q\x00X\x06\x00\x00\x00weightq\x01.", 19);
        QTest::newRow("header longer than the file") << withHeader(~quint64(0), "{}");
        QTest::newRow("header of 2 GiB") << withHeader(quint64(1) << 31, "{}");
        QTest::newRow("header no JSON") << withHeader(4, "{{{{");
        const QByteArray huge = R"({"w":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})";
        QTest::newRow("shape overflow") << withHeader(quint64(huge.size()), huge);
    }

    void damagedWeights()
    {
        QFETCH(QByteArray, bytes);
        const auto name = "damaged " + QString(QTest::currentDataTag());
        const auto run = withWeights(name, bytes);
        isRefused({ "inspect", run + "/checkpoints/step-00000002" });
        // What is wrong with a file is found by one reader for both: two ways to be damaged will do.
        if (name.endsWith("header cut") || name.endsWith("data cut"))
            isRefused({ "train", "--resume", run, "--steps", "9" });
        QDir(run).removeRecursively();
    }

    void aFlippedBitIsFoundBeforeTrainingGoesOn()
    {
        auto flipped = goodWeights();
        flipped[flipped.size() - 5] = char(flipped[flipped.size() - 5] ^ 0x40);
        isRefused({ "train", "--resume", withWeights("flipped", flipped), "--steps", "9" });
    }

    void aFlippedBitIsFoundByWhoeverTakesTheWeights()
    {
        auto flipped = goodWeights();
        flipped[flipped.size() - 5] = char(flipped[flipped.size() - 5] ^ 0x40);
        const auto run = withWeights("flipped weights", flipped);
        const auto file = run + "/checkpoints/step-00000002/model.safetensors";
        for (const auto& path : { run, file }) {
            isRefused({ "eval", path }, "SHA-256");
            isRefused({ "average", run_, path, "--out", "mean" }, "SHA-256");
            isRefused(smallRun({ "--run", "new", "--init-from", path }), "SHA-256");
        }
    }

    /// What lies beside a checkpoint's weights is not those weights.
    void aFileBesideTheWeightsIsItself()
    {
        const auto run = copy("beside"), folder = run + "/checkpoints/step-00000002/";
        isRefused({ "inspect", folder + "optimizer.safetensors" }, "without a run's configuration");
        isRefused({ "average", folder + "optimizer.safetensors", "--out", "mean" }, "without a run's configuration");
        const QStringList inspect { "inspect", "model.safetensors", "--json" };
        QCOMPARE(home_.run(inspect, {}, folder).json()["step"].toInt(), 2);
        const auto trained = home_.run({ "train", "--resume", run, "--steps", "4", "--json" });
        QVERIFY2(trained.code == 0, trained.err.constData());
        const auto mean = run + "/checkpoints/step-00000002/mean.safetensors";
        const auto averaged = home_.run({ "average", run + "/checkpoints/step-00000004", "--out", mean });
        QVERIFY2(averaged.code == 0, averaged.err.constData());
        QCOMPARE(home_.run({ "inspect", mean, "--json" }).json()["step"].toInt(), 4);
    }

    void notACheckpoint()
    {
        home_.write("model.pt", QByteArray("PK\x03\x04", 4) + QByteArray(100, '\0'));
        QDir(home_.path()).mkpath("empty");
        isRefused({ "inspect", "nosuch" }, "nosuch");
        isRefused({ "inspect", "model.pt" }, "model.pt");
        isRefused({ "inspect", "empty" }, "empty");
        isRefused({ "inspect", "/dev/null" });
        isRefused({ "inspect", "" });
        isRefused({ "eval", "model.pt" }, "model.pt");
        isRefused({ "generate", run_ + "/run.json", "--prompt", "a" }, "run.json");
        isRefused({ "logits", "empty", "--tokens", "1", "--out", "l" }, "empty");
        isRefused({ "compare", run_, "empty" }, "empty");
        isRefused({ "train", "--resume", "empty" }, "empty");
        isRefused({ "data", "info", run_ }, "is a run, not a text");
    }

    void damagedRunFile_data()
    {
        QTest::addColumn<QByteArray>("json");
        QTest::newRow("empty") << QByteArray();
        QTest::newRow("no JSON") << QByteArray("{");
        QTest::newRow("list") << QByteArray("[]");
        QTest::newRow("newer schema") << content(run_ + "/run.json").replace("\"schema\": 1", "\"schema\": 2");
        QTest::newRow("unknown key") << content(run_ + "/run.json").replace("\"width\"", "\"widht\"");
        QTest::newRow("wrong type") << content(run_ + "/run.json").replace("\"width\": 32", "\"width\": \"wide\"");
        QTest::newRow("huge") << content(run_ + "/run.json").replace("\"width\": 32", "\"width\": 1e308");
        const QRegularExpression digest("\"tokenizer\": \"[0-9a-f]{64}\"");
        QTest::newRow("tokenizer no digest")
            << QString(content(run_ + "/run.json")).replace(digest, "\"tokenizer\": 7").toUtf8();
        QTest::newRow("other shape") << content(run_ + "/run.json").replace("\"width\": 32", "\"width\": 34");
    }

    void damagedRunFile()
    {
        QFETCH(QByteArray, json);
        const auto run = copy("damaged run file");
        QVERIFY(json != content(run_ + "/run.json"));
        home_.write("damaged run file/run.json", json);
        isRefused({ "train", "--resume", run, "--steps", "9" });
        QDir(run).removeRecursively();
    }

    /// The tensors have the same shapes: only what the checkpoint says of its model tells.
    void aModelEditedByHandIsRefused()
    {
        const auto run = copy("edited");
        const auto edited = QString(content(run_ + "/run.json"))
                                .replace(QRegularExpression("\"rope_base\": [0-9.]+"), "\"rope_base\": 50")
                                .toUtf8();
        QVERIFY(edited != content(run_ + "/run.json"));
        home_.write("edited/run.json", edited);
        const auto before = tree(run);
        for (const QStringList& how : { QStringList { "--resume", run }, { "--fork", run, "--run", "of the edited" },
                 { "--fork", run, "--run", "of the edited", "--set", "rope_base=10000" } }) {
            const auto result = home_.run(QStringList { "train", "--steps", "9" } + how);
            QVERIFY2(result.code == 2, result.err.constData());
            QVERIFY2(isOneErrorLine(result.err.mid(result.err.indexOf("pha: error: "))), result.err.constData());
            QVERIFY2(result.err.contains("was trained with rope_base 10000.0, but run.json says 50.0"),
                result.err.constData());
            QVERIFY(!QFile::exists(home_.path("of the edited")));
            QCOMPARE(tree(run), before);
            QCOMPARE(content(run + "/run.json"), edited);
            for (const auto* file : { "/metrics.jsonl", "/checkpoints/step-00000002/model.safetensors" })
                QCOMPARE(content(run + file), content(run_ + file));
        }
    }

    void settingsOfAnotherProgramDoNotHideARun()
    {
        const auto run = copy("other program");
        home_.write(
            "other program/run.json", content(run_ + "/run.json").replace("\"width\"", "\"mood\": 3, \"width\""));
        isRefused({ "train", "--resume", run, "--steps", "9" }, "mood");
        const QByteArray says = ": run.json holds what this version does not know: model.mood\n";
        for (const QStringList& arguments : { QStringList { "inspect", run }, { "eval", run, "--max-tokens", "64" },
                 { "compare", run, run_ }, { "export", run, "--to", "csv", "--out", home_.path("csv") } }) {
            const auto result = home_.run(arguments);
            QVERIFY2(result.code == 0 && result.err.contains(says), result.err.constData());
        }
    }

    void anExportFollowsNoLinkOfTheRun()
    {
        const auto outer = copy("linked exports"), inner = copy("linked csv");
        QVERIFY(QDir().mkpath(home_.path("victim")) && QDir().mkdir(inner + "/exports"));
        QVERIFY(QFile::link(home_.path("victim"), outer + "/exports"));
        QVERIFY(QFile::link(home_.path("victim"), inner + "/exports/csv"));
        for (const auto* to : { "csv", "tensorboard", "film" })
            isRefused({ "export", outer, "--to", to }, "is a symbolic link");
        isRefused({ "export", inner, "--to", "csv" }, "is a symbolic link");
        QCOMPARE(home_.run({ "export", outer, "--to", "csv", "--out", outer + "/exports" }).code, 0); // as was said
        QVERIFY(!QDir(home_.path("victim")).isEmpty());
    }

    void aForeignTokenizerIsRefused()
    {
        const auto run = copy("foreign tokenizer");
        home_.write("foreign tokenizer/tokenizer.model", "not a sentencepiece model");
        isRefused({ "generate", run, "--prompt", "a" }, "tokenizer");
        isRefused({ "train", "--resume", run, "--steps", "9" }, "tokenizer");
        QVERIFY(QFile::remove(run + "/tokenizer.model"));
        isRefused({ "generate", run, "--prompt", "a" }, "tokenizer");
    }

    void aTokenizerThatIsNoFileIsNotPacked_data()
    {
        QTest::addColumn<QString>("what");
        for (const auto* what : { "folder", "fifo", "link" }) QTest::newRow(what) << what;
    }
    void aTokenizerThatIsNoFileIsNotPacked()
    {
        QFETCH(QString, what);
        const auto run = copy("tokenizer is a " + what), file = run + "/tokenizer.model";
        QVERIFY(QFile::remove(file));
        QVERIFY(what == "folder" ? QDir().mkdir(file)
                : what == "fifo" ? mkfifo(file.toLocal8Bit().constData(), 0600) == 0
                                 : QFile::link(run_ + "/tokenizer.model", file));
        isRefused({ "export", run, "--to", "capsule", "--out", home_.path("packed.pha") },
            "tokenizer.model: is not a regular file");
    }

    void aTokenizerOfTheSameSizeIsRefusedToo()
    {
        const auto other = home_.run({ "tokenizer", "train", "stories", "--kind", "bpe", "--vocab-size", "512", "--out",
            home_.path("other.model") });
        QVERIFY2(other.code == 0, other.err.constData());
        const auto run = copy("same size");
        home_.write("same size/tokenizer.model", content(home_.path("other.model")));
        isRefused({ "generate", run, "--prompt", "a" }, "not the tokenizer");
        isRefused({ "eval", run }, "not the tokenizer");
    }

    /// Saves are whole or absent; where something else cut one, an older one serves, and that is said.
    void aDamagedCheckpointIsNotPassedOverInSilence()
    {
        const auto run = copy("cut");
        QVERIFY(home_.run({ "train", "--resume", run, "--steps", "4", "--json" }).code == 0);
        QVERIFY(QFile::remove(run + "/checkpoints/step-00000004/optimizer.safetensors"));
        const QByteArray says =
            "pha: warning: checkpoint step-00000004: optimizer.safetensors is missing; another one is used\n";
        for (const QStringList& arguments : { QStringList { "inspect", run, "--json" },
                 { "eval", run, "--max-tokens", "64", "--json" }, { "generate", run, "--prompt", "a", "--json" },
                 { "train", "--resume", run, "--steps", "5", "--json" } }) {
            const auto result = home_.run(arguments);
            QVERIFY2(result.code == 0 && result.err.contains(says), result.err.constData());
        }
        QVERIFY(home_.run({ "inspect", run + "/checkpoints/step-00000002", "--json" }).err.isEmpty());
    }

    void nothingIsOverwritten()
    {
        const auto run = copy("kept");
        const auto file = content(run + "/run.json"), model = content(run + "/tokenizer.model");
        isRefused({ "logits", run, "--tokens", "5", "--out", run + "/run.json" }, "exists");
        isRefused({ "tokenizer", "train", "stories", "--out", run + "/tokenizer.model" }, "exists");
        isRefused({ "average", run, "--out", run + "/checkpoints/step-00000002/model.safetensors" }, "exists");
        isRefused({ "tokenizer", "train", "stories", "--out", "absent/x.model" }, "'absent' is not a folder");
        QCOMPARE(content(run + "/run.json"), file);
        QCOMPARE(content(run + "/tokenizer.model"), model);
    }

    void metricsThatCannotBeReadAreAnError()
    {
        const auto run = copy("no metrics");
        const auto metrics = run + "/metrics.jsonl";
        home_.write("no metrics/metrics.jsonl", "not JSON\n" + content(metrics) + QByteArray(20, '\0') + "\n");
        const auto compared = home_.run({ "compare", run, run_ });
        QCOMPARE(compared.code, 0);
        QVERIFY2(compared.err.contains("2 damaged lines of metrics.jsonl left out"), compared.err.constData());
        QVERIFY(home_.run({ "export", run, "--to", "csv" }).err.contains("2 damaged lines"));
        QVERIFY(QFile::remove(metrics) && QDir(run).mkdir("metrics.jsonl"));
        isRefused({ "compare", run, run_ }, "not a regular file");
        isRefused({ "export", run, "--to", "tensorboard" }, "not a regular file");
        QVERIFY(QDir(run).rmdir("metrics.jsonl"));
        QCOMPARE(home_.run({ "compare", run, run_ }).code, 0); // killed before its first line
        isRefused({ "export", run, "--to", "csv", "--out", "none" }, "no metrics");
    }

    void aTextThatHasChangedIsSaid()
    {
        const auto write = [this](const QByteArray& word) {
            QByteArray text;
            for (int i = 0; i < 400; ++i) text += "Line " + QByteArray::number(i * 7919) + " of a " + word + " text.\n";
            home_.write("mine.txt", text);
        };
        write("first");
        auto arguments = smallRun({ "--run", "mine", "--steps", "2", "--set", "tokenizer=bytes" });
        arguments.replace(arguments.indexOf("stories"), "mine.txt");
        const auto trained = home_.run(arguments);
        QVERIFY2(trained.code == 0, trained.err.constData());
        const QStringList eval { "eval", "mine", "--max-tokens", "64", "--json" };
        const auto same = home_.run(eval);
        QVERIFY2(same.code == 0 && !same.out.contains("changed"), same.out + same.err);
        write("later");
        const auto changed = home_.run(eval);
        const auto data = changed.json()["data"].toString();
        QVERIFY2(data.endsWith("changed since the run was trained on it"), changed.out + changed.err);
    }

    void questionsOutsideTheModelAreRefused()
    {
        isRefused({ "logits", run_, "--tokens", "5,512", "--out", "l.safetensors" }, "511");
        isRefused({ "eval", run_, "--mute", "1:gss" }, "layer");
        isRefused({ "eval", run_, "--mute", "0:convolution" }, "gss");
        isRefused({ "eval", run_, "--mix", "0:0.5,0.5" }, "3 weights");
        isRefused({ "eval", run_, "--stride", "33" }, "--stride");
        for (const auto* setting : { "tokenizer=bytes", "vocab_size=300", "byte_fallback=false" })
            isRefused({ "eval", run_, "--set", setting }, "the model's own");
        isRefused({ "train", "--resume", run_ }, "--steps");
        isRefused({ "train", "--resume", run_, "--set", "width=64", "--steps", "9" }, "width");
        for (const auto* setting : { "optimizer=adamw", "batch_size=4", "context=16", "seed=7" }) {
            const QByteArray says = QByteArray(setting).split('=').first() + " cannot change when a run is resumed; ";
            for (const auto& from : QStringList { run_, run_ + "/checkpoints/step-00000002" })
                isRefused({ "train", "--resume", from, "--set", setting, "--steps", "9" }, says);
        }
    }

    void textThatCannotBeLearntFromIsRefused()
    {
        home_.write("empty.txt", "");
        home_.write("one.txt", "a");
        home_.write("lines.txt", QByteArray(5000, '\n'));
        for (const auto* file : { "empty.txt", "one.txt", "lines.txt", "nosuch.txt", "", "storeis" }) {
            const auto before = tree(home_.path());
            const auto result =
                home_.run({ "train", "--preset", "pha-tiny", "--data", file, "--run", "never", "--steps", "1" });
            QVERIFY2(result.code == 2, result.err.constData());
            // Work on the text may have been announced before; the error is one line all the same.
            QVERIFY2(isOneErrorLine(result.err.mid(result.err.indexOf("pha: error: "))), result.err.constData());
            QCOMPARE(tree(home_.path()), before);
        }
    }

    void whatIsWrongIsSaidBeforeTheTextIsRead()
    {
        home_.write("newer.json", R"({"schema": 2, "model": {}, "data": {}, "training": {}})");
        isRefused({ "train", "--preset", "pha-tiny", "--data", "stories", "--config", "newer.json" }, "schema is 2");
        home_.write("text.txt", QByteArray("Some words that make a line.\n").repeated(2000));
        isRefused({ "data", "prepare", "text.txt", "--out", "x", "--tokenizer", "absent.model" }, "absent.model");
        home_.write("numbers.bin", QByteArray("\x01\x00\x02\x00\xf0\x0f", 6).repeated(500));
        isRefused({ "train", "--preset", "pha-tiny", "--data", "numbers.bin", "--run", "never" }, "vocab_size to 4081");
        QByteArray far("\x01\x00\x02\x00", 4); // one behind the tokens that are checked at once
        far = far.repeated(150'000) + QByteArray("\xf0\x0f", 2) + far.repeated(20'000);
        home_.write("far.bin", far);
        const auto late = home_.run({ "train", "--preset", "pha-tiny", "--data", "far.bin", "--run", "never" });
        QVERIFY2(late.code == 2 && late.err.contains("vocab_size to 4081"), late.err.constData());
        QVERIFY(!QFile::exists(home_.path("never")));
        QVERIFY(QFile::link("loop", home_.path("loop")) && QFile::link("nowhere", home_.path("dangling")));
        isRefused({ "data", "info", "loop" }, "symbolic links");
        isRefused({ "data", "prepare", "dangling", "--out", "x" }, "no such file");
        isRefused({ "train", "--resume", "" }, "the run is empty");
    }

    void aParentThatIsAFileIsRefused()
    {
        home_.write("file", "x");
        const auto result = home_.run(smallRun({ "--run", "file/run", "--steps", "1" }));
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("is a file"), result.err.constData());
        QCOMPARE(content(home_.path("file")), QByteArray("x"));
    }
};

PHA_TEST(BadFilesTest)
#include "bad_files_test.moc"
