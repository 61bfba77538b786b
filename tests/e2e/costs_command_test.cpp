// SPDX-License-Identifier: GPL-3.0-or-later
// `pha inspect --costs` from outside, and a run that goes on without some parts.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class CostsCommandTest : public QObject {
    Q_OBJECT

    Home home_;
    QString run_;

    Result costs(const QStringList& more) const
    {
        return home_.run(QStringList { "inspect", run_, "--costs", "--max-tokens", "200", "--repeats", "1" } + more);
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("run");
        const auto trained =
            home_.run(smallRun({ "--run", run_, "--steps", "8", "--set", "eval_every=8", "--set", "sample_every=0" }));
        QVERIFY2(trained.code == 0, trained.err.constData());
    }

    void everyPartHasARow()
    {
        const auto result = costs({});
        QVERIFY2(result.code == 0, result.err.constData());
        for (const char* words : { "L0 gss", "L0 attention", "L0 main", "MFLOP/token", "nats if muted" })
            QVERIFY2(result.out.contains(words), words);
        const auto json = costs({ "--json", "--batch", "2", "--context", "32" }).json();
        QCOMPARE(json["batch"].toInt(), 2);
        QCOMPARE(json["context"].toInt(), 32);
        QVERIFY(json["pass_ms"].toDouble() > 0);
        for (const auto& value : json["parts"].toArray()) {
            const auto part = value.toObject();
            QVERIFY(part["ms"].toDouble() > 0 && part["flops_per_token"].toDouble() > 0);
            QCOMPARE(part["change"].toDouble(), part["nll"].toDouble() - json["nll"].toDouble());
        }
        QVERIFY(!json.contains("without"));
    }

    void partsCanBeTriedAndLeftOut()
    {
        const auto json = costs({ "--json", "--mute", "0:attention" }).json();
        const auto without = json["without"].toObject();
        QVERIFY(without["pruned_ms"].toDouble() > 0);
        const auto words = costs({ "--mute", "0:attention" });
        QVERIFY(words.out.contains("--set pruned_branches=0:attention"));
        // The run is finished, and the command that is shown is one that goes on.
        const QByteArray before = "to go on without them: pha ";
        const auto at = words.out.indexOf(before);
        QVERIFY2(at >= 0, words.out.constData());
        auto shown = words.out.mid(at + before.size(), words.out.indexOf('\n', at) - at - before.size());
        shown.replace('\'', ""); // of quotes Qt knows the other kind
        const auto went = home_.run(QProcess::splitCommand(QString::fromUtf8(shown)) << "--run" << home_.path("shown"));
        QVERIFY2(went.code == 0, (shown + ": " + went.err).constData());
        QCOMPARE(metrics(home_.path("shown"), "step").last()["step"].toInt(), 16);
        QVERIFY(costs({ "--mute", "all:gss", "--mute", "all:attention", "--mute", "all:ffn", "--mute", "all:main" })
                    .out.contains("at least one part that stays"));

        const auto fork = home_.path("fork");
        const QStringList begin { "train", "--fork", run_, "--run", fork, "--steps", "12", "--set",
            "pruned_branches=0:attention" };
        const auto dry = home_.run(begin + QStringList { "--dry-run", "--json" });
        QVERIFY2(dry.code == 0, dry.err.constData());
        QCOMPARE(dry.json()["parameters"].toInt(), without["parameters"].toInt());
        const auto trained = home_.run(begin);
        QVERIFY2(trained.code == 0, trained.err.constData());
        const auto report = home_.run({ "inspect", fork, "--json" }).json();
        QCOMPARE(report["parameters"].toInt(), without["parameters"].toInt());
        QVERIFY(!report["layers"].toArray()[0].toString().contains("attention"));
        for (const QStringList& call : { QStringList { "eval", fork, "--max-tokens", "100" },
                 QStringList { "generate", fork, "--prompt", "Once", "--max-tokens", "4" },
                 QStringList { "train", "--resume", fork, "--steps", "14" },
                 QStringList { "eval", fork, "--ablation", "--max-tokens", "100" },
                 QStringList { "export", fork, "--to", "csv", "--out", home_.path("csv") } }) {
            const auto result = home_.run(call);
            QVERIFY2(result.code == 0, (call.join(' ').toUtf8() + ": " + result.err).constData());
        }
        const auto back = home_.run(
            { "train", "--fork", fork, "--run", home_.path("back"), "--steps", "20", "--set", "pruned_branches=" });
        QCOMPARE(back.code, 2);
        QVERIFY(back.err.contains("0:attention"));
    }

    void anotherTextServesWhereTheRunsIsNot()
    {
        const auto lines = [](const QByteArray& words) {
            QByteArray text;
            for (int i = 0; i < 400; ++i) text += "Line " + QByteArray::number(i * 7919) + words + "\n";
            return text;
        };
        const auto text = home_.write("gone.txt", lines(" of a text that goes."));
        home_.write("other.txt", lines(" of another one."));
        auto command = smallRun(
            { "--run", home_.path("moved"), "--steps", "1", "--set", "tokenizer=bytes", "--set", "sample_every=0" });
        command[command.indexOf("stories")] = text;
        const auto trained = home_.run(command);
        QVERIFY2(trained.code == 0, trained.err.constData());
        QVERIFY(QFile::remove(text));
        const QStringList ask { "inspect", home_.path("moved"), "--costs", "--max-tokens", "200", "--repeats", "1" };
        const auto refused = home_.run(ask);
        QCOMPARE(refused.code, 2);
        QVERIFY2(isOneErrorLine(refused.err) && refused.err.contains("--data PATH"), refused.err.constData());
        const auto result = home_.run(ask + QStringList { "--data", "other.txt", "--mute", "0:gss" });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY2(result.out.contains("other.txt"), result.out.constData());
    }

    void wrongUseIsRefused()
    {
        for (const QStringList& more :
            { QStringList { "--batch", "2" }, QStringList { "--repeats", "3" }, QStringList { "--data", "stories" } })
            QCOMPARE(home_.run(QStringList { "inspect", run_ } + more).code, 2);
        QCOMPARE(costs({ "--text", "Once" }).code, 2);
        QCOMPARE(costs({ "--mute", "0:nothing" }).code, 2);
        for (const char* pruned : { "attention", "9:gss", "0:h3", "0:gss,0:gss", "x:gss" }) {
            const auto result = home_.run(smallRun({ "--run", home_.path("wrong"), "--dry-run", "--set",
                QStringLiteral("pruned_branches=%1").arg(pruned) }));
            QVERIFY2(result.code == 2 && result.err.contains("pruned_branches"), pruned);
        }
    }
};

PHA_TEST(CostsCommandTest)
#include "costs_command_test.moc"
