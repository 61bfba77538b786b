// SPDX-License-Identifier: GPL-3.0-or-later
// H3, Hedgehog and the conversion of a softmax Transformer as a user asks for them.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class LinearFamiliesTest : public QObject {
    Q_OBJECT

    Home home_;
    QString teacher_;

    static QStringList small(const QString& preset, const QStringList& more)
    {
        QStringList arguments { "train", "--preset", preset, "--data", "stories", "--threads", "1", "--precision",
            "fp32" };
        for (const auto* setting : { "layers=2", "width=32", "query_heads=2", "kv_heads=2", "h3_state=8",
                 "main_width=32", "vocab_size=512", "context=32", "batch_size=2", "eval_tokens=256" })
            arguments << "--set" << setting;
        return arguments + more;
    }
    Result convert(const QStringList& more) const { return home_.run(QStringList { "train" } + more); }

private Q_SLOTS:
    void initTestCase()
    {
        teacher_ = home_.path("teacher");
        const auto result = home_.run(small("transformer-tiny", { "--run", teacher_, "--steps", "4" }));
        QVERIFY2(result.code == 0, result.err.constData());
    }

    void everyCommandKnowsThem_data()
    {
        QTest::addColumn<QString>("family");
        QTest::newRow("h3") << "h3";
        QTest::newRow("hedgehog") << "hedgehog";
    }
    void everyCommandKnowsThem()
    {
        QFETCH(QString, family);
        const auto run = home_.path(family);
        const auto trained = home_.run(small(family + "-tiny", { "--run", run, "--steps", "3" }));
        QVERIFY2(trained.code == 0, trained.err.constData());
        const auto eval = home_.run({ "eval", run, "--max-tokens", "200", "--json" });
        QVERIFY2(eval.code == 0 && eval.json()["nll"].toDouble() > 1, eval.err.constData());
        const auto text = home_.run({ "generate", run, "--prompt", "There was", "--max-tokens", "40", "--json" });
        QVERIFY2(text.code == 0, text.err.constData());
        const auto report = home_.run({ "inspect", run, "--json" });
        QVERIFY2(report.code == 0 && report.out.contains(family.toUtf8()), report.out.constData());
    }

    void aSoftmaxModelIsConverted()
    {
        const auto run = home_.path("student");
        const auto stopped = convert({ "--convert-from", teacher_, "--run", run, "--steps", "6", "--set",
            "distill_steps=4", "--set", "stop_after=2", "--json" });
        QVERIFY2(stopped.code == 130, stopped.err.constData());
        const auto resumed = home_.run({ "train", "--resume", run });
        QVERIFY2(resumed.code == 0, resumed.err.constData());
        const auto steps = metrics(run, "step");
        QCOMPARE(steps.size(), 6);
        for (qsizetype i = 0; i < steps.size(); ++i) {
            QCOMPARE(steps[i].contains("distillation"), i < 4);
            if (i < 4) QVERIFY(steps[i]["distillation"].toDouble() > steps[i]["distillation_floor"].toDouble());
        }
        const auto file = QJsonDocument::fromJson(content(run + "/run.json")).object();
        QCOMPARE(file["model"].toObject()["family"].toString(), QString("hedgehog"));
        QVERIFY(file["environment"].toObject()["converted_from"].toString().contains("teacher"));
        QCOMPARE(content(run + "/tokenizer.model"), content(teacher_ + "/tokenizer.model"));
    }

    void whatCannotBeConvertedIsOneLine_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("word");
        QTest::newRow("another shape") << QStringList { "--convert-from", teacher_, "--preset", "hedgehog-small" }
                                       << QByteArray("layers");
        QTest::newRow("no softmax attention")
            << QStringList { "--convert-from", home_.path("h3") } << QByteArray("family");
        QTest::newRow("another family") << QStringList { "--convert-from", teacher_, "--preset", "h3-tiny" }
                                        << QByteArray("hedgehog");
        QTest::newRow("nothing there") << QStringList { "--convert-from", home_.path("absent") }
                                       << QByteArray("absent");
        QTest::newRow("too long") << QStringList { "--convert-from", teacher_, "--set", "distill_steps=5" }
                                  << QByteArray("distill_steps");
        QTest::newRow("nothing to distil from")
            << QStringList { "--preset", "hedgehog-tiny", "--set", "distill_steps=2" } << QByteArray("--convert-from");
    }
    void whatCannotBeConvertedIsOneLine()
    {
        QFETCH(QStringList, arguments);
        QFETCH(QByteArray, word);
        const auto run = home_.path("never");
        const auto result = convert(arguments + QStringList { "--run", run, "--steps", "4" });
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains(word), result.err.constData());
        QVERIFY(!QFile::exists(run));
    }
};

PHA_TEST(LinearFamiliesTest)
#include "linear_families_test.moc"
