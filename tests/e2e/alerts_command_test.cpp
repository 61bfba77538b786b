// SPDX-License-Identifier: GPL-3.0-or-later
// Alerts from outside: told while a run trains, listed and explained by `pha inspect`, gone around by a fork.
#include "tests/e2e/pha_process.h"
#include "tests/poisoned_text.h"
#include "tests/suite.h"

using namespace pha::e2e;

class AlertsCommandTest : public QObject {
    Q_OBJECT

    Home home_;
    QString run_;
    Result trained_;
    QJsonObject alert_;

    Result inspect(const QStringList& more) const { return home_.run(QStringList { "inspect", run_ } + more); }

private Q_SLOTS:
    void initTestCase()
    {
        const pha::test::PoisonedText poisoned;
        const auto text = home_.write("poisoned.txt", QByteArray::fromStdString(poisoned.text));
        run_ = home_.path("run");
        auto arguments = smallRun({ "--run", run_, "--steps", "800", "--set", "tokenizer=bytes", "--set",
            "eval_every=0", "--set", "sample_every=0", "--set", "save_every=50", "--set", "keep_checkpoints=1" });
        arguments.replace(arguments.indexOf("stories"), text);
        trained_ = home_.run(arguments);
        QVERIFY2(trained_.code == 0, trained_.err.constData());
        for (const auto& alert : metrics(run_, "alert"))
            if (!alert["texts"].toArray().isEmpty()) alert_ = alert;
        QVERIFY2(!alert_.isEmpty(), trained_.err.constData());
    }

    void theDisplayTellsInOneLine()
    {
        const auto line =
            QStringLiteral("pha: warning: step %1: %2\n").arg(alert_["step"].toInt()).arg(alert_["message"].toString());
        QVERIFY2(trained_.err.contains(line.toUtf8()), trained_.err.constData());
    }

    void theyAreListed()
    {
        const auto result = inspect({ "--alerts" });
        QCOMPARE(result.code, 0);
        QVERIFY2(result.out.contains("of the training text, epoch") && result.out.contains("--alert "),
            result.out.constData());
        const auto list = inspect({ "--alerts", "--json" }).json()["alerts"].toArray();
        QCOMPARE(list.size(), metrics(run_, "alert").size());
    }

    void oneIsExplained()
    {
        const auto step = QString::number(alert_["step"].toInt());
        const auto result = inspect({ "--alert", step });
        QVERIFY2(result.code == 0, result.err.constData());
        for (const char* words : { "L0 gss", "embedding", "Mixing weights, last measured at step ",
                 "most expensive: \"", "pha train --fork ", "skip_data=" })
            QVERIFY2(result.out.contains(words), words);
        QCOMPARE(inspect({ "--alert", step, "--json" }).json()["texts"].toArray(), alert_["texts"].toArray());
        const auto none = inspect({ "--alert", "3" });
        QCOMPARE(none.code, 2);
        QVERIFY2(isOneErrorLine(none.err), none.err.constData());
    }

    void aForkGoesAroundIt()
    {
        const auto step = alert_["step"].toInt();
        const auto checkpoint = QString::fromUtf8(content(run_ + "/checkpoints/before_alert")).trimmed();
        const auto fork = home_.path("fork");
        const auto result = home_.run({ "train", "--fork", run_ + "/checkpoints/" + checkpoint, "--run", fork, "--set",
            QStringLiteral("skip_data=%1+1").arg(step), "--steps", QString::number(step + 2) });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(metrics(fork, "command").last()["name"].toString(), "skip_data");
        const auto refused = home_.run({ "train", "--fork", run_ + "/checkpoints/" + checkpoint, "--run",
            home_.path("no"), "--set", "skip_data=1+1" });
        QCOMPARE(refused.code, 2);
        QVERIFY2(isOneErrorLine(refused.err) && refused.err.contains("skip_data"), refused.err.constData());
    }

    void otherCommandsGoOn()
    {
        QCOMPARE(home_.run({ "compare", run_ }).code, 0);
        QCOMPARE(home_.run({ "export", run_, "--to", "csv" }).code, 0);
        const auto table = content(run_ + "/exports/csv/alerts.csv");
        QCOMPARE(table.count("\r\n"), metrics(run_, "alert").size() + 1);
        QCOMPARE(home_.run({ "export", run_, "--to", "tensorboard" }).code, 0);
    }
};

PHA_TEST(AlertsCommandTest)
#include "alerts_command_test.moc"
