// SPDX-License-Identifier: GPL-3.0-or-later
// `pha data` as a user meets it: preparing, interrupting, measuring, and what it says when something is not there.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <cmath>

using namespace pha::e2e;

class DataCommandTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        QByteArray text;
        for (int i = 0; text.size() < 16'000'000; ++i) {
            text += "{\"text\": \"Record " + QByteArray::number(i) + " tells of";
            for (int k = 0; k < 60; ++k) text += " thing" + QByteArray::number((i * 7 + k * k) % 3000);
            text += "\"}\n";
        }
        home_.write("docs.jsonl", text);
        home_.write("small.jsonl", text.left(text.lastIndexOf('\n', 1'000'000) + 1));
    }

    void preparesAndMeasures()
    {
        const auto prepared =
            home_.run({ "data", "prepare", "small.jsonl", "--out", "small", "--vocab-size", "600", "--json" });
        QVERIFY2(prepared.code == 0, prepared.err);
        const auto splits = prepared.json()["splits"].toObject();
        QVERIFY(splits["train"].toObject()["documents"].toInt() > 1000);
        QVERIFY(splits["valid"].toObject()["tokens"].toInt() > 1000);

        const auto info = home_.run({ "data", "info", "small", "--json" });
        QVERIFY2(info.code == 0, info.err);
        QCOMPARE(info.json()["splits"].toObject(), splits);
        QCOMPARE(info.json()["fingerprint"], prepared.json()["fingerprint"]);
        QVERIFY(info.json()["bytes_per_token"].toDouble() > 1);
        QVERIFY(home_.run({ "data", "info", "small" }).out.contains("nothing had to be repaired"));

        const auto plan = [&](const QString& data) {
            return home_.run({ "train", "--preset", "pha-tiny", "--data", data, "--dry-run", "--json" }).json();
        };
        const auto pieces = [](const QJsonObject& planned) {
            return planned["config"].toObject()["model"].toObject()["vocabulary"].toInt();
        };
        QVERIFY(plan("small")["exact"].toBool());
        QCOMPARE(pieces(plan("small")), prepared.json()["tokenizer"].toObject()["pieces"].toInt());
        QVERIFY(!plan("small.jsonl")["exact"].toBool()); // nobody has read the text yet
        QCOMPARE(pieces(plan("small.jsonl")), 1024);
        QVERIFY(home_.run({ "train", "--preset", "pha-tiny", "--dry-run" }).out.contains("parameters     at most "));

        const auto learnt = home_.run({ "tokenizer", "train", "small", "--out", "small.model" });
        QCOMPARE(learnt.code, 2);
        QVERIFY2(isOneErrorLine(learnt.err) && learnt.err.contains("holds tokens, not a text"), learnt.err);
        QVERIFY(!QFile::exists(home_.path("small.model")));

        const auto again = home_.run({ "data", "prepare", "small.jsonl", "--out", "small" });
        QCOMPARE(again.code, 2);
        QVERIFY2(isOneErrorLine(again.err) && again.err.contains("exists already"), again.err);
    }

    /// What a run would refuse, its plan refuses.
    void nothingIsPlannedWithoutAValidationText()
    {
        const auto prepared = home_.run(
            { "data", "prepare", "small.jsonl", "--out", "unchecked", "--tokenizer", "bytes", "--valid-share", "0" });
        QVERIFY2(prepared.code == 0, prepared.err);
        const auto plan = home_.run({ "train", "--preset", "pha-tiny", "--data", "unchecked", "--dry-run" });
        QCOMPARE(plan.code, 2);
        QVERIFY2(isOneErrorLine(plan.err) && plan.err.contains("has no text for the split 'valid'"), plan.err);
    }

    /// The tokens are made already: another tokenizer would be written down, and not be used.
    void aPreparedCorpusKeepsItsTokenizer()
    {
        for (const char* tokenizer : { "bpe", "bytes" })
            for (const QStringList& how : { QStringList {}, QStringList { "--dry-run" } }) {
                const auto result =
                    home_.run(QStringList { "train", "--preset", "pha-tiny", "--data", "small", "--run", "other",
                                  "--steps", "1", "--set", QStringLiteral("tokenizer=%1").arg(tokenizer) }
                        + how);
                QCOMPARE(result.code, 2);
                QVERIFY2(isOneErrorLine(result.err) && result.err.contains("sentencepiece unigram"), result.err);
                QVERIFY(!QFile::exists(home_.path("other")));
            }
        for (const char* tokenizer : { "unigram", "small/tokenizer.model" }) { // which it is
            const auto plan = home_.run({ "train", "--preset", "pha-tiny", "--data", "small", "--dry-run", "--set",
                QStringLiteral("tokenizer=%1").arg(tokenizer) });
            QVERIFY2(plan.code == 0, plan.err);
        }
        const auto sweep = home_.run({ "sweep", "--name", "kinds", "--preset", "pha-tiny", "--data", "small", "--steps",
            "1", "--grid", "tokenizer=unigram,bpe" });
        QCOMPARE(sweep.code, 2);
        QVERIFY2(sweep.err.contains("sentencepiece unigram"), sweep.err);
        QVERIFY(QDir(home_.path("share/pha-studio/runs")).entryList({ "kinds*" }).isEmpty());
    }

    /// A signal ends the work in order, and the same command goes on.
    void stopsAndGoesOn()
    {
        const QStringList command { "data", "prepare", "docs.jsonl", "--out", "docs", "--tokenizer",
            "small/tokenizer.model", "--threads", "1" };
        const auto process = home_.start(command);
        process->setReadChannel(QProcess::StandardError);
        QByteArray said;
        while (!said.contains("encoding text") && process->waitForReadyRead(60'000)) said += process->readAll();
        process->terminate();
        const auto stopped = Home::finish(*process);
        if (stopped.code == 0) QSKIP("this machine was done before the signal came");
        QCOMPARE(stopped.code, 143);
        QVERIFY(QDir(home_.path("docs.partial")).exists() && !QDir(home_.path("docs")).exists());
        const auto finished = home_.run(command);
        QVERIFY2(finished.code == 0, finished.err);
        QVERIFY2(!finished.err.contains("reading text"), "what was known was read again");
        QVERIFY(!QDir(home_.path("docs.partial")).exists());
    }

    /// Two texts in one file are two corpora: nothing that was kept of one is taken for the other.
    void textsUnderOtherNames()
    {
        QByteArray text;
        for (int i = 0; i < 2000; ++i) {
            const auto number = QByteArray::number(i);
            text += "{\"id\": " + number + ", \"text\": \"Not " + number + ".\", \"story\": \"Record " + number
                + " tells of hills and of " + number + " red kites.\"}\n";
        }
        home_.write("named.jsonl", text);
        const auto info = [this](const QStringList& more) {
            return home_.run(QStringList { "data", "info", "named.jsonl", "--json", "--vocab-size", "512" } + more);
        };
        const auto usual = info({});
        QVERIFY2(usual.code == 0, usual.err);
        const auto story = info({ "--text-field", "story" });
        QVERIFY2(story.code == 0, story.err);
        QVERIFY(story.json()["bytes"].toInt() > 2 * usual.json()["bytes"].toInt());
        for (int again = 0; again < 2; ++again) {
            QCOMPARE(info({}).json()["fingerprint"], usual.json()["fingerprint"]);
            QCOMPARE(info({ "--text-field", "story" }).json()["fingerprint"], story.json()["fingerprint"]);
        }

        const auto wrong = info({ "--text-field", "content" });
        QCOMPARE(wrong.code, 2);
        QVERIFY2(isOneErrorLine(wrong.err.mid(wrong.err.indexOf("pha: error"))) // behind "reading text"
                && wrong.err.contains("has no field \"content\"; it has \"id\", \"text\", \"story\"; name"),
            wrong.err);
        const auto nameless = info({ "--text-field", "" });
        QCOMPARE(nameless.code, 2);
        QVERIFY2(isOneErrorLine(nameless.err) && nameless.err.contains("text_field is empty"), nameless.err);

        const auto prepared = home_.run({ "data", "prepare", "named.jsonl", "--text-field", "story", "--out", "named",
            "--vocab-size", "512", "--json" });
        QVERIFY2(prepared.code == 0, prepared.err);
        QCOMPARE(prepared.json()["fingerprint"], story.json()["fingerprint"]);
        const auto learnt =
            home_.run({ "tokenizer", "train", "named.jsonl", "--text-field", "content", "--out", "named.model" });
        QVERIFY2(learnt.code == 2 && learnt.err.contains("has no field"), learnt.err);

        auto command = smallRun({ "--run", "named-run", "--steps", "2", "--set", "text_field=story" });
        command[command.indexOf("stories")] = "named.jsonl";
        const auto trained = home_.run(command);
        QVERIFY2(trained.code == 0, trained.err);
        const auto own = home_.run({ "eval", "named-run", "--json" });
        QVERIFY2(own.code == 0, own.err);
        QCOMPARE(own.json()["bytes"].toInt(), story.json()["splits"].toObject()["test"].toObject()["bytes"].toInt());
        const auto other = home_.run({ "eval", "named-run", "--set", "text_field=text", "--json" });
        QVERIFY2(other.code == 0, other.err);
        QCOMPARE(other.json()["bytes"].toInt(), usual.json()["splits"].toObject()["test"].toObject()["bytes"].toInt());
    }

    /// Of one text the part that is cut from it for tests, unless its name makes all of it a test text.
    void anEvaluationSaysWhatItScores()
    {
        QByteArray text;
        for (int i = 0; i < 600; ++i) text += "Line " + QByteArray::number(i * i) + " tells of red kites.\n";
        home_.write("-my.test.txt", text);
        const auto trained = home_.run(smallRun({ "--run", "scored", "--steps", "1", "--set", "tokenizer=bytes" }));
        QVERIFY2(trained.code == 0, trained.err);
        const auto eval = [this](const QStringList& more) {
            const auto result = home_.run(QStringList { "eval", "scored" } + more);
            if (result.code != 0) qFatal("%s", result.err.constData());
            return result;
        };
        const auto part = eval({ "--data", "./-my.test.txt", "--json" }).json();
        const auto bytes = part["bytes"].toInt();
        QVERIFY(bytes > 0 && bytes < text.size() / 5);
        const QRegularExpression said(
            "^-my\\.test\\.txt, [0-9.]+ KiB, its test split [0-9.]+ (B|KiB) \\(([0-9.]+) %\\)$");
        const auto match = said.match(part["data"].toString());
        QVERIFY2(match.hasMatch(), qPrintable(part["data"].toString()));
        QVERIFY(std::abs(match.captured(2).toDouble() - 100.0 * bytes / text.size()) < 0.5);

        const auto out = eval({ "--data", "./-my.test.txt" }).out;
        QVERIFY2(out.contains(", its test split "), out);
        QVERIFY(!eval({ "--data", "./-my.test.txt", "--split", "valid" }).out.contains("ln -s"));
        QVERIFY(!eval({ "--max-tokens", "50" }).out.contains("ln -s"));
        const auto command = out.mid(out.indexOf("ln -s ")).split(',').front();
        const auto shell = home_.start({ "-c", command }, {}, "sh");
        QCOMPARE(Home::finish(*shell).code, 0);
        const auto whole = eval({ "--data", "test-1-of-1.-my.test.txt", "--json" }).json();
        QCOMPARE(whole["bytes"].toInt(), text.size());
        QVERIFY(!whole["data"].toString().contains("split"));
        QVERIFY(!eval({ "--data", "test-1-of-1.-my.test.txt" }).out.contains("ln -s"));
    }

    /// nanoGPT's folder of characters: measured, trained on, prepared; figures per byte throughout.
    void tokensOfNanoGpt()
    {
        const QByteArray letters = "\n abcdefghij";
        QByteArray texts = "}(\x8C\x0Avocab_sizeK\x0C\x8C\x04itos}(", ids = "u\x8C\x04stoi}(", tokens;
        for (int i = 0; i < letters.size(); ++i) {
            const QByteArray text = "\x8C\x01" + letters.mid(i, 1), number = "K" + QByteArray(1, char(i));
            texts += number + text;
            ids += text + number;
        }
        QDir(home_.path()).mkpath("letters");
        home_.write("letters/meta.pkl", "\x80\x04" + texts + ids + "uu.");
        for (int i = 0; i < 6000; ++i) tokens += QByteArray(1, char(i % 13 == 12 ? 0 : i * i % 12)) + '\0';
        home_.write("letters/train.bin", tokens);
        home_.write("letters/val.bin", tokens.left(2000));

        const auto info = home_.run({ "data", "info", "letters", "--json" });
        QVERIFY2(info.code == 0, info.err);
        QCOMPARE(info.json()["tokenizer_size"].toInt(), 12);
        const auto splits = info.json()["splits"].toObject();
        QCOMPARE(splits["train"].toObject()["bytes"].toInt(), 6000);
        QCOMPARE(splits["test"].toObject()["tokens"].toInt(), 0);

        auto command = smallRun({ "--run", "letters-run", "--steps", "3" });
        command[command.indexOf("stories")] = "letters";
        QVERIFY2(home_.run(command).code == 0, "training");
        const auto eval = home_.run({ "eval", "letters-run", "--split", "valid", "--json" });
        QVERIFY2(eval.code == 0, eval.err);
        QVERIFY(eval.json()["bits_per_byte"].toDouble() > 1);
        for (const QStringList& data : { QStringList {}, QStringList { "--data", "letters" } }) {
            const auto usual = home_.run(QStringList { "eval", "letters-run", "--json" } + data);
            QVERIFY2(usual.code == 0, usual.err);
            QCOMPARE(usual.json()["split"].toString(), "valid"); // there is no test text
            QCOMPARE(usual.json()["nll"], eval.json()["nll"]);
            QVERIFY2(usual.err.contains("no text for the split 'test'"), usual.err);
        }
        const auto muted = home_.run({ "eval", "letters-run", "--ablation", "--max-tokens", "100", "--json" });
        QVERIFY2(muted.code == 0 && muted.json()["split"].toString() == "valid", muted.err);
        const auto asked = home_.run({ "eval", "letters-run", "--split", "test" });
        QCOMPARE(asked.code, 2);
        const auto named = home_.run({ "eval", "letters-run", "--data", "letters/val.bin", "--json" });
        QVERIFY2(named.code == 0, named.err); // whoever names the file means its part
        QCOMPARE(named.json()["nll"], eval.json()["nll"]);
        const auto text = home_.run({ "generate", "letters-run", "--prompt", "abc", "--max-tokens", "20" });
        QVERIFY2(text.code == 0 && text.out.size() >= 20, text.err); // a character a token
        QVERIFY2(!text.err.contains("unknown"), text.err);
        const auto other = home_.run({ "generate", "letters-run", "--prompt", "aüb z", "--max-tokens", "2" });
        QVERIFY2(
            other.err.contains("2 characters of the prompt are unknown to this model and read as \" \""), other.err);

        const auto prepared = home_.run({ "data", "prepare", "letters", "--out", "letters-made", "--json" });
        QVERIFY2(prepared.code == 0, prepared.err);
        QCOMPARE(prepared.json()["splits"].toObject()["train"].toObject()["tokens"].toInt(), 6000);
        QCOMPARE(prepared.json()["fingerprint"], info.json()["fingerprint"]);
        const auto again = home_.run({ "eval", "letters-run", "--data", "letters-made", "--split", "valid", "--json" });
        QCOMPARE(again.json()["nll"], eval.json()["nll"]);

        home_.write("letters/meta.pkl",
            "\x80\x04"
            "cos\nsystem\n.");
        const auto refused = home_.run({ "data", "info", "letters" });
        QCOMPARE(refused.code, 2);
        QVERIFY2(isOneErrorLine(refused.err) && refused.err.contains("nothing in a pickle is run"), refused.err);
    }

    void whatIsNotThere()
    {
        const auto list = home_.run({ "data", "list", "--json" }).jsonArray();
        QStringList names;
        for (const auto& each : list) names << each.toObject()["name"].toString();
        for (const auto* name : { "wikitext-2-raw", "wikitext-103-raw", "openwebtext" }) QVERIFY(names.contains(name));
        const auto absent = home_.run({ "data", "info", "wikitext-2-raw" });
        QCOMPARE(absent.code, 2);
        QVERIFY2(isOneErrorLine(absent.err) && absent.err.contains("pha data download wikitext-2-raw"), absent.err);
        const auto unknown = home_.run({ "data", "download", "wikitext-2" });
        QCOMPARE(unknown.code, 2);
        QVERIFY2(isOneErrorLine(unknown.err) && unknown.err.contains("did you mean wikitext-2-raw"), unknown.err);
        const auto missing = home_.run({ "data", "prepare", "missing.txt", "--out", "x" });
        QCOMPARE(missing.code, 2);
        QVERIFY2(isOneErrorLine(missing.err) && missing.err.contains("missing.txt"), missing.err);
        QVERIFY(!QDir(home_.path("x.partial")).exists());
    }

    /// A file that is not the catalogue's is not taken for it.
    void aFilePlacedByHand()
    {
        QDir(home_.path()).mkpath("share/pha-studio/data/wikitext-2-raw");
        home_.write("share/pha-studio/data/wikitext-2-raw/wikitext-2-raw-v1.zip", "PK not really");
        const auto result = home_.run({ "data", "download", "wikitext-2-raw" });
        QCOMPARE(result.code, 2);
        QVERIFY2(result.err.contains("is not the file of the catalogue"), result.err);
    }

private:
    Home home_;
};

PHA_TEST(DataCommandTest)
#include "data_command_test.moc"
