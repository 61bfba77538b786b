// SPDX-License-Identifier: GPL-3.0-or-later
// `pha inspect --weights` from outside: on a run, a checkpoint and a file.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class WeightsCommandTest : public QObject {
    Q_OBJECT

    Home home_;
    QString run_;

    Result inspect(const QString& target, const QStringList& more) const
    {
        return home_.run(QStringList { "inspect", target } + more);
    }
    QString checkpoint(int step) const
    {
        return QStringLiteral("%1/checkpoints/step-%2").arg(run_).arg(step, 8, 10, QLatin1Char('0'));
    }

private Q_SLOTS:
    void initTestCase()
    {
        run_ = home_.path("run");
        const auto trained = home_.run(smallRun({ "--run", run_, "--steps", "12", "--set", "save_every=4", "--set",
            "keep_checkpoints=9", "--set", "eval_every=12", "--set", "sample_every=0" }));
        QVERIFY2(trained.code == 0, trained.err.constData());
    }

    void everyTensorHasARow()
    {
        qputenv("LC_ALL", "C.UTF-8");
        const auto result = inspect(run_, { "--weights" });
        QVERIFY2(result.code == 0, result.err.constData());
        for (const char* words : { "checkpoints/step-00000012", "change: since ", "checkpoints/step-00000004",
                 "layers.0.gss.value", "embedding", " x ", " %", "\u2588", "numbers in " })
            QVERIFY2(result.out.contains(words), words);
        const auto json = inspect(run_, { "--weights", "--json" }).json();
        const auto tensors = json["tensors"].toArray();
        QCOMPARE(result.out.count("\n"), tensors.size() + 6);
        QVERIFY(json["since"].toString().endsWith("step-00000004/model.safetensors"));
        for (const auto& value : tensors) {
            const auto tensor = value.toObject();
            double counted = 0;
            for (const auto& n : tensor["histogram"]["counts"].toArray()) counted += n.toDouble();
            QCOMPARE(counted, tensor["count"].toDouble());
            QVERIFY(tensor["rms"].toDouble() >= tensor["deviation"].toDouble());
            if (tensor["name"] != "layers.0.gss.value") continue;
            QCOMPARE(tensor["layer"].toInt(), 0);
            QCOMPARE(tensor["part"].toString(), "gss");
            QVERIFY(tensor["change"].toDouble() > 0);
        }
    }

    void aPlainTerminalGetsPlainLetters()
    {
        qputenv("LC_ALL", "C");
        const auto result = inspect(run_, { "--weights" });
        qputenv("LC_ALL", "C.UTF-8");
        QCOMPARE(result.code, 0);
        for (const char c : result.out) QVERIFY(static_cast<unsigned char>(c) < 0x80);
        QVERIFY(result.out.contains("@"));
    }

    void namesChooseAndCheckpointsCompare()
    {
        const auto change = [&](const QString& target, const QStringList& more) {
            const auto json = inspect(target, QStringList { "--weights=attention.query", "--json" } + more).json();
            const auto tensors = json["tensors"].toArray();
            return tensors.size() == 1 ? tensors[0].toObject()["change"].toDouble(-1) : -2;
        };
        const double first = change(run_, { "--since", "first" }), before = change(run_, { "--since", "before" });
        QVERIFY(first > 0 && before > 0 && first != before);
        QCOMPARE(change(run_, {}), first);
        QCOMPARE(change(run_, { "--since", "step-00000008" }), before);
        QCOMPARE(change(run_, { "--since", checkpoint(8) }), before);
        QCOMPARE(change(checkpoint(4), {}), -1.0); // the first one: nothing to compare with
        const auto ranks = inspect(run_, { "--weights=gss.output", "--rank" });
        QVERIFY2(ranks.code == 0 && ranks.out.contains(" of 32 "), ranks.out.constData());
        QVERIFY(inspect(run_, { "--weights=layers.0" }).out.contains("layers.0.norm_in"));
    }

    void filesByThemselves()
    {
        const auto weights = inspect(checkpoint(8) + "/model.safetensors", { "--weights" });
        QVERIFY2(weights.code == 0 && weights.out.contains("change: since "), weights.err.constData());
        const auto optimizer = inspect(checkpoint(8) + "/optimizer.safetensors", { "--weights" });
        QVERIFY2(optimizer.code == 0 && !optimizer.out.contains("change: since "), optimizer.err.constData());
        const auto both = inspect(checkpoint(8) + "/optimizer.safetensors",
            { "--weights", "--since", checkpoint(4) + "/optimizer.safetensors" });
        QVERIFY2(both.code == 0 && both.out.contains("change: since "), both.err.constData());
    }

    void whatCannotBeIsSaidInOneLine()
    {
        const auto lie = home_.write("lie.safetensors", "\x08");
        const QList<QPair<QString, QStringList>> wrong { { run_, { "--since", "first" } }, { run_, { "--rank" } },
            { run_, { "--weights=nothing" } }, { run_, { "--weights", "--since", "step-00000099" } },
            { checkpoint(4), { "--weights", "--since", "first" } }, { lie, { "--weights" } },
            { home_.path("none.safetensors"), { "--weights" } },
            { checkpoint(8) + "/optimizer.safetensors", { "--weights", "--since", "first" } } };
        for (const auto& [target, arguments] : wrong) {
            const auto result = inspect(target, arguments);
            QVERIFY2(result.code == 2, qPrintable(target + " " + arguments.join(" ")));
            QVERIFY2(isOneErrorLine(result.err), result.err.constData());
            QVERIFY(result.out.isEmpty());
        }
    }
};

PHA_TEST(WeightsCommandTest)
#include "weights_command_test.moc"
