// SPDX-License-Identifier: GPL-3.0-or-later
// `pha runs` from outside.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class RunsCommandTest : public QObject {
    Q_OBJECT

private:
    Home home_;

    QStringList names(const QStringList& more) const
    {
        QStringList list;
        for (const auto& run : home_.run(QStringList { "runs", "--json" } + more).jsonArray())
            list << QFileInfo(run.toObject()["run"].toString()).fileName();
        return list;
    }

private Q_SLOTS:
    void initTestCase()
    {
        const auto empty = home_.run({ "runs" });
        QCOMPARE(empty.code, 0);
        QVERIFY2(empty.out.isEmpty() && empty.err.startsWith("no runs in "), empty.err.constData());
        for (const auto* steps : { "3", "5" }) {
            const auto result = home_.run(smallRun({ "--steps", steps, "--name", QByteArray("of ") + steps, "--run",
                home_.path(QByteArray("share/pha-studio/runs/r") + steps) }));
            QVERIFY2(result.code == 0, result.err.constData());
        }
    }

    void runsAreListed()
    {
        const auto result = home_.run({ "runs" });
        QCOMPARE(result.code, 0);
        QCOMPARE(result.out.count('\n'), 3);
        QVERIFY2(result.out.contains("of 5") && result.out.contains("3/3"), result.out.constData());
        // The window may be in another folder: which one this is has to be said.
        const auto folder = home_.path("share/pha-studio/runs").toUtf8();
        QCOMPARE(result.err, "2 runs in " + folder + "; --runs-dir lists another folder\n");
        QCOMPARE(home_.run({ "runs", "--runs-dir", folder }).err, "2 runs in " + folder + "\n");
        const auto json = home_.run({ "runs", "--json" }).jsonArray();
        QCOMPARE(json.size(), 2);
        const auto run = json[0].toObject();
        QCOMPARE(run["state"].toString(), "finished");
        QVERIFY(run["loss"].toDouble() > 0 && run["tags"].isArray() && run["notes"].isString());
        QCOMPARE(run["preset"].toString(), "pha-tiny");
    }

    void notesAndTagsAreKeptAndFound()
    {
        QCOMPARE(home_.run({ "runs", "note", "r3", "lr too high?" }).code, 0);
        QCOMPARE(home_.run({ "runs", "note", "r3" }).out, QByteArray("lr too high?\n"));
        QCOMPARE(home_.run({ "runs", "note", "of 5", "-" }, "from a pipe\ntwo lines\n").code, 0); // by its name
        QCOMPARE(home_.run({ "runs", "note", "r5" }).out, QByteArray("from a pipe\ntwo lines\n"));
        auto result = home_.run({ "runs", "tag", "r3", "+wt2", "+old", "+hold" });
        QVERIFY2(result.code == 0, result.err.constData());
        result =
            home_.run({ "runs", "tag", home_.path("share/pha-studio/runs/r3"), "-old", "-hold", "+paper", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.jsonArray()[0].toObject()["tags"].toArray(), (QJsonArray { "wt2", "paper" }));
        QCOMPARE(names({ "--find", "tag:wt2" }), QStringList { "r3" });
        QCOMPARE(names({ "--find", "-tag:wt2" }), QStringList { "r5" });
        QCOMPARE(names({ "--find", "steps=5 preset:pha loss<100" }), QStringList { "r5" });
        QCOMPARE(names({ "--find", "HIGH?" }), QStringList { "r3" });
        QCOMPARE(home_.run({ "runs", "--find", "nothing" }).err,
            "no runs in " + home_.path("share/pha-studio/runs").toUtf8()
                + " match nothing; --runs-dir lists another folder\n");
        // The run itself goes on as before.
        result = home_.run({ "train", "--resume", home_.path("share/pha-studio/runs/r3"), "--steps", "4" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(home_.run({ "runs", "note", "r3" }).out, QByteArray("lr too high?\n"));
    }

    /// The parser has lists of its own: "[a,b]" was two words.
    void bracketsBelongToTheWord()
    {
        auto result = home_.run({ "runs", "tag", "r3", "[x]", "+[z]", "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(result.jsonArray()[0].toObject()["tags"].toArray(), (QJsonArray { "wt2", "paper", "[x]", "[z]" }));
        QCOMPARE(home_.run({ "runs", "tag", "r3", "-[x]", "-[z]" }).code, 0);
        QCOMPARE(home_.run({ "runs", "tag", "r3", "[x,y]" }).code, 2); // which no tag can be
        for (const auto* run : { "a", "[a]" }) {
            result = home_.run(smallRun({ "--steps", "2", "--run", run }));
            QVERIFY2(result.code == 0, result.err.constData());
        }
        result = home_.run({ "compare", "[a]", "--json", "a", "[a]" });
        QVERIFY2(result.code == 0, result.err.constData());
        QStringList compared;
        for (const auto& run : result.json()["runs"].toArray()) compared << run.toObject()["run"].toString();
        QCOMPARE(compared, (QStringList { "[a]", "a" })); // each once
        QVERIFY2(result.err.contains("shown once, though given again: [a]"), result.err.constData());
        result = home_.run({ "runs", "archive", "[a]" });
        QVERIFY2(result.code == 0, result.err.constData());
        QVERIFY(home_.run({ "runs", "--runs-dir", home_.path(), "--all" }).out.contains("(archived)"));
        QCOMPARE(names({ "--runs-dir", home_.path() }), QStringList { "a" });
    }

    void archivedRunsAreLeftOut()
    {
        QCOMPARE(home_.run({ "runs", "archive", "r3", "r5" }).code, 0);
        auto result = home_.run({ "runs" });
        QVERIFY2(result.out.isEmpty() && result.err.contains("2 in the archive"), result.err.constData());
        QCOMPARE(names({ "--all" }).size(), 2);
        QCOMPARE(home_.run({ "runs", "restore", "r5" }).code, 0);
        QCOMPARE(names({}), QStringList { "r5" });
        QCOMPARE(home_.run({ "runs", "restore", "r3" }).code, 0);
        // One that is misspelt: nothing is done.
        result = home_.run({ "runs", "archive", "r5", "r33" });
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("the nearest is 'r3'"), result.err.constData());
        QCOMPARE(names({}).size(), 2);
    }

    void aTagTakenOffWhileItTrains()
    {
        const auto run = home_.path("share/pha-studio/runs/long");
        const auto process = home_.start(smallRun({ "--steps", "100000", "--run", run }));
        QTRY_VERIFY_WITH_TIMEOUT(metrics(run, "step").size() > 2, 60000);
        QCOMPARE(home_.run({ "runs", "tag", "long", "+now" }).code, 0);
        QCOMPARE(names({ "--find", "tag:now state:running" }), QStringList { "long" });
        process->terminate();
        QCOMPARE(Home::finish(*process).code, 143);
        QCOMPARE(names({ "--find", "tag:now state:stopped" }), QStringList { "long" });
    }

    void aRunGoesIntoOneFileAndComesBack()
    {
        auto result = home_.run({ "export", home_.path("share/pha-studio/runs/r5"), "--to", "capsule" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto file = home_.path("r5.pha");
        QVERIFY(QFile::exists(file));
        result = home_.run({ "export", home_.path("share/pha-studio/runs/r5"), "--to", "capsule" });
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("exists"), result.err.constData());
        const auto folder = home_.path("elsewhere");
        result = home_.run({ "runs", "import", file, "--runs-dir", folder, "--json" });
        QVERIFY2(result.code == 0, result.err.constData());
        const auto run = result.jsonArray()[0].toObject()["run"].toString();
        const auto name = QFileInfo(run).fileName();
        QCOMPARE(names({ "--runs-dir", folder, "--find", "pipe" }), QStringList { name }); // with its notes
        QCOMPARE(home_.run({ "eval", run, "--max-tokens", "200" }).code, 0);
        QCOMPARE(home_.run({ "train", "--resume", run, "--steps", "6" }).code, 0);
        QCOMPARE(metrics(run, "step").last()["step"].toInt(), 6);
        QCOMPARE(home_.run({ "export", run, "--to", "csv", "--weights-only" }).code, 2);

        const auto light = home_.path("light.pha");
        QCOMPARE(home_.run({ "export", run, "--to", "capsule", "--weights-only", "--out", light }).code, 0);
        const auto weights = home_.run({ "runs", "import", light, "--runs-dir", home_.path("light"), "--json" });
        const auto alone = weights.jsonArray()[0].toObject()["run"].toString();
        for (const auto& goOn : { QStringList { "--resume", alone, "--steps", "9" },
                 QStringList { "--fork", alone, "--set", "steps=9" } }) {
            result = home_.run(QStringList { "train" } + goOn);
            QCOMPARE(result.code, 2);
            QVERIFY2(isOneErrorLine(result.err) && result.err.contains("--init-from RUN"), result.err.constData());
        }
        result = home_.run({ "train", "--config", alone + "/run.json", "--init-from", alone, "--steps", "2", "--run",
            home_.path("from-weights") });
        QVERIFY2(result.code == 0, result.err.constData());

        auto bytes = content(file);
        bytes[bytes.size() - 2000] = char(bytes[bytes.size() - 2000] ^ 1);
        result = home_.run({ "runs", "import", home_.write("bad.pha", bytes), "--runs-dir", folder });
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err.mid(result.err.indexOf("pha: error"))), result.err.constData());
        QCOMPARE(QDir(folder).entryList(QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot), QStringList { name });
        const auto both = home_.path("both");
        result = home_.run({ "runs", "import", home_.path("bad.pha"), file, "--runs-dir", both });
        QCOMPARE(result.code, 2);
        QVERIFY2(result.err.contains("bad.pha") && result.err.count("pha: error") == 1, result.err.constData());
        QCOMPARE(names({ "--runs-dir", both }).size(), 1); // the good one
    }

    void anotherFolder()
    {
        QCOMPARE(names({ "--runs-dir", home_.path("share/pha-studio/runs") }).size(), 3);
        const auto result = home_.run({ "runs", "--runs-dir", home_.path("absent") });
        QCOMPARE(result.code, 2);
        QVERIFY(isOneErrorLine(result.err));
    }

    void badUseIsOneLine_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::addColumn<QByteArray>("says");
        const auto row = [](const QStringList& arguments, const char* says) {
            QTest::newRow(qPrintable(arguments.join(' '))) << arguments << QByteArray(says);
        };
        row({ "--find", "los<3" }, "the nearest is loss");
        row({ "--find", "loss<" }, "nothing stands after loss<");
        row({ "tag", "r3", "a b" }, "without blanks");
        row({ "tag", "r3", "--wrong" }, "no option");
        row({ "tag", "none", "+a" }, "no run \"none\"");
        row({ "note" }, "run is required");
        row({ "tga", "r3" }, "the nearest is tag");
    }
    void badUseIsOneLine()
    {
        QFETCH(const QStringList, arguments);
        QFETCH(const QByteArray, says);
        const auto result = home_.run(QStringList { "runs" } + arguments);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains(says), result.err.constData());
    }

    void damagedNotesHideNoRun()
    {
        home_.write("share/pha-studio/runs/r5/about.json", "{\"tags\":5}");
        const auto result = home_.run({ "runs" });
        QCOMPARE(result.code, 0);
        QVERIFY2(
            result.out.contains("r5") && result.err.contains("about.json: tags is number"), result.err.constData());
        QCOMPARE(home_.run({ "runs", "tag", "r5", "+a" }).code, 2);
    }
};

PHA_TEST(RunsCommandTest)
#include "runs_command_test.moc"
