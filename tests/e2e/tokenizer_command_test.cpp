// SPDX-License-Identifier: GPL-3.0-or-later
// `pha tokenizer`: trains, encodes, decodes and describes every kind of tokenizer; runs keep the one they were given.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

#include <algorithm>
#include <unistd.h>

using namespace pha::e2e;

namespace {

/// GPT-2's files with the bytes and two merges.
QByteArray vocabulary()
{
    QByteArray text = "{";
    int id = 0, hidden = 256;
    for (int byte = 0; byte < 256; ++byte) {
        const bool seen = (byte > 32 && byte < 127) || (byte > 160 && byte != 173);
        const auto code = QByteArray::number(seen ? byte : hidden++, 16).rightJustified(4, '0');
        text += "\"\\u" + code + "\": " + QByteArray::number(id++) + ", ";
    }
    return text + R"("he": 256, "hel": 257, "<|endoftext|>": 258})";
}

} // namespace

class TokenizerCommandTest : public QObject {
    Q_OBJECT

private:
    Home home_;
    QByteArray text_;

private Q_SLOTS:
    void initTestCase()
    {
        for (int i = 0; i < 1500; ++i)
            text_ += "The " + QByteArray::number(i % 97) + " red kites of gr\xC3\xBCn hill, line "
                + QByteArray::number(i) + ".\n";
        home_.write("text.txt", text_);
        QVERIFY(QDir(home_.path()).mkdir("gpt2"));
        home_.write("gpt2/vocab.json", vocabulary());
        home_.write("gpt2/merges.txt", "#version: 0.2\nh e\nhe l\n");
    }

    void trainsBothKinds_data()
    {
        QTest::addColumn<QString>("kind");
        QTest::newRow("unigram") << "unigram";
        QTest::newRow("bpe") << "bpe";
    }
    void trainsBothKinds()
    {
        QFETCH(QString, kind);
        const auto file = kind + ".model";
        const auto trained = home_.run(
            { "tokenizer", "train", "text.txt", "--kind", kind, "--vocab-size", "400", "--out", file, "--json" });
        QVERIFY2(trained.code == 0, trained.err.constData());
        const auto json = trained.json();
        QCOMPARE(json["kind"].toString(), QString("sentencepiece"));
        QVERIFY(json["pieces"].toInt() <= 400 && json["pieces"].toInt() > 270);
        const auto info =
            home_.run({ "tokenizer", "info", file, "--file", "text.txt", "--pieces", "3", "--json" }).json();
        QCOMPARE(info["fingerprint"], json["fingerprint"]);
        QVERIFY(info["description"].toString().contains(kind == "bpe" ? "BPE" : "unigram"));
        QCOMPARE(info["list"].toArray().size(), 3);
        QCOMPARE(info["text"]["bytes"].toInt(), int(text_.size()));
        QVERIFY(info["text"]["bytes_per_token"].toDouble() > 2.5);
    }

    void everyKindGivesBytesBack_data()
    {
        QTest::addColumn<QString>("tokenizer");
        for (const char* name : { "bytes", "gpt2", "gpt2/vocab.json", "unigram.model", "bpe.model" })
            QTest::newRow(name) << name;
    }
    void everyKindGivesBytesBack()
    {
        QFETCH(QString, tokenizer);
        QByteArray bytes = "hello  world\n\xFF\xFE\t";
        for (int i = 0; i < 256; ++i) bytes += char(i);
        const auto encoded = home_.run({ "tokenizer", "encode", tokenizer, "--file", "-" }, bytes);
        QVERIFY2(encoded.code == 0, encoded.err.constData());
        const auto decoded = home_.run({ "tokenizer", "decode", tokenizer, "--ids", "-" }, encoded.out);
        QCOMPARE(decoded.code, 0);
        QCOMPARE(decoded.out, bytes);
    }

    void piecesAreShown()
    {
        const auto shown = home_.run({ "tokenizer", "encode", "gpt2", "--text", "hello<|endoftext|>", "--pieces" });
        QCOMPARE(shown.out, QByteArray("257:\"hel\" 108:\"l\" 111:\"o\" 258:\"<|endoftext|>\"\n"));
        const auto json = home_.run({ "tokenizer", "encode", "gpt2", "--text", "hello", "--json" }).json();
        QCOMPARE(json["tokens"].toInt(), 3);
        QCOMPARE(json["pieces"].toArray()[1].toObject()["begin"].toInt(), 3);
        QCOMPARE(json["bytes_per_token"].toDouble(), 5.0 / 3);
    }

    void wrongUseIsOneLine_data()
    {
        QTest::addColumn<QStringList>("arguments");
        home_.write("broken.model", "\x0A\xFF\xFF\xFF");
        const auto row = [](const char* name, const QStringList& arguments) { QTest::newRow(name) << arguments; };
        row("no tokenizer", { "tokenizer", "encode", "nowhere", "--text", "x" });
        row("a kind to train", { "tokenizer", "encode", "unigram", "--text", "x" });
        row("no text", { "tokenizer", "encode", "bytes" });
        row("two texts", { "tokenizer", "encode", "bytes", "--text", "a", "--file", "text.txt" });
        row("no such id", { "tokenizer", "decode", "bytes", "--ids", "256" });
        row("negative id", { "tokenizer", "decode", "bytes", "--ids", "-1" });
        row("no id", { "tokenizer", "decode", "bytes", "--ids", "1,x" });
        row("broken model", { "tokenizer", "info", "broken.model" });
        row("folder without one", { "tokenizer", "info", "." });
        row("task", { "tokenizer", "train", "mqar", "--out", "x.model" });
        row("too small", { "tokenizer", "train", "text.txt", "--vocab-size", "100", "--out", "x.model" });
        row("unknown kind", { "tokenizer", "train", "text.txt", "--kind", "words", "--out", "x.model" });
        row("wrong name in a run", smallRun({ "--set", "tokenizer=unigrm" }));
    }
    void wrongUseIsOneLine()
    {
        QFETCH(QStringList, arguments);
        const auto result = home_.run(arguments);
        QCOMPARE(result.code, 2);
        const auto line = result.err.mid(std::max<qsizetype>(0, result.err.indexOf("pha: error"))); // after progress
        QVERIFY2(isOneErrorLine(line), result.err.constData());
    }

    /// Training takes long; where its result may not be written is known before.
    void aFolderThatMayNotBeWrittenIsRefusedFirst()
    {
        if (geteuid() == 0) QSKIP("root may write everywhere");
        QVERIFY(QDir(home_.path()).mkdir("closed"));
        QVERIFY(QFile::setPermissions(home_.path("closed"), QFile::ReadOwner | QFile::ExeOwner));
        const auto result = home_.run({ "tokenizer", "train", "stories", "--out", "closed/x.model" });
        QCOMPARE(result.code, 1);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("'closed' may not be written: "), result.err);
    }

    /// GPT-2's files travel into the run as one file, from which it can be evaluated and resumed.
    void runsKeepTheirTokenizer()
    {
        auto arguments = smallRun({ "--set", "tokenizer=gpt2", "--steps", "3", "--run", "run" });
        arguments.replace(arguments.indexOf("stories"), "text.txt");
        const auto run = home_.run(arguments);
        QVERIFY2(run.code == 0, run.err.constData());
        QVERIFY(content(home_.path("run/tokenizer.model")).startsWith("pha-gpt2 1\n259\n"));
        QVERIFY(QDir(home_.path("gpt2")).removeRecursively());
        const auto eval = home_.run({ "eval", "run", "--json" });
        QVERIFY2(eval.code == 0, eval.err.constData());
        QVERIFY(eval.json()["tokenizer"].toString().startsWith("BPE in GPT-2's form, 259 pieces"));
        QCOMPARE(home_.run({ "train", "--resume", "run", "--steps", "4" }).code, 0);
        QCOMPARE(home_.run({ "tokenizer", "info", "run", "--json" }).json()["pieces"].toInt(), 259);
    }
};

PHA_TEST(TokenizerCommandTest)
#include "tokenizer_command_test.moc"
