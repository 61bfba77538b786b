// SPDX-License-Identifier: GPL-3.0-or-later
// Runs and texts under any spelling of their paths, from any folder, and texts that have moved.
#include "tests/e2e/pha_process.h"
#include "tests/suite.h"

using namespace pha::e2e;

class PathsTest : public QObject {
    Q_OBJECT

    Home home_;
    QByteArray text_;

    static QStringList small(const QStringList& more)
    {
        auto arguments = smallRun(more);
        arguments.remove(arguments.indexOf("--data"), 2);
        return arguments;
    }
    /// A run of 4 updates on text.txt that stopped after 2.
    QString stoppedRun(const QString& name)
    {
        home_.write("text.txt", text_);
        QDir(home_.path(name)).removeRecursively();
        const auto result = home_.run(
            small({ "--data", "text.txt", "--run", name, "--steps", "4", "--set", "stop_after=2", "--seed", "3" }));
        if (result.code != 130) qFatal("%s", result.err.constData());
        return home_.path(name);
    }
    static QJsonObject data(const QString& run)
    {
        return QJsonDocument::fromJson(content(run + "/run.json")).object()["data"].toObject();
    }
    QByteArray weights(const QString& run) const
    {
        return content(run + "/checkpoints/step-00000004/model.safetensors");
    }

private Q_SLOTS:
    void initTestCase()
    {
        text_ = manyLines();
        QVERIFY(QDir(home_.path()).mkdir("elsewhere"));
        QVERIFY(QFile::link(home_.path(), home_.path("here")));
        const auto run = stoppedRun("plain");
        const auto result = home_.run({ "train", "--resume", run });
        QVERIFY2(result.code == 0, result.err.constData());
    }

    void resumes_data()
    {
        QTest::addColumn<QStringList>("arguments");
        QTest::newRow("dots and slashes") << QStringList { "--resume", ".././elsewhere/..//run/" };
        QTest::newRow("through a link") << QStringList { "--resume", "../here/run" };
        QTest::newRow("a checkpoint") << QStringList { "--resume", "../run/checkpoints/latest" };
        QTest::newRow("its data through a link") << QStringList { "--resume", "../run", "--data", "../here/text.txt" };
        QTest::newRow("its data as a setting")
            << QStringList { "--resume", "../run", "--set", "data=.././elsewhere/../text.txt" };
    }
    void resumes()
    {
        QFETCH(QStringList, arguments);
        const auto run = stoppedRun("run");
        const auto stored = data(run);
        const auto result = home_.run(QStringList { "train" } + arguments, {}, home_.path("elsewhere"));
        QVERIFY2(result.code == 0, result.err.constData());
        QCOMPARE(weights(run), weights(home_.path("plain")));
        QCOMPARE(data(run), stored);
        QDir(run).removeRecursively();
    }

    void aTextThatHasMoved()
    {
        const auto run = stoppedRun("run"), there = home_.path("elsewhere/moved.txt");
        QVERIFY(QFile::rename(home_.path("text.txt"), there));
        const auto lost = home_.run({ "train", "--resume", run });
        QCOMPARE(lost.code, 2);
        QVERIFY2(isOneErrorLine(lost.err) && lost.err.contains("--data"), lost.err.constData());

        home_.write("other.txt", text_ + "One more line.\n");
        const auto stored = content(run + "/run.json");
        const auto other = home_.run({ "train", "--resume", run, "--data", "other.txt" });
        QCOMPARE(other.code, 2);
        QVERIFY2(other.err.contains("not the one that this run was trained on"), other.err.constData());
        QCOMPARE(content(run + "/run.json"), stored);
        const auto builtin = home_.run({ "train", "--resume", run, "--data", "stories" });
        QCOMPARE(builtin.code, 2);
        QVERIFY2(isOneErrorLine(builtin.err) && builtin.err.contains("data cannot change"), builtin.err.constData());

        const auto seen = home_.run({ "inspect", run });
        QVERIFY2(seen.code == 0 && seen.out.contains("no mixing weights"), seen.err.constData());
        const auto moved = home_.run({ "train", "--resume", "run", "--data", "elsewhere/moved.txt" });
        QVERIFY2(moved.code == 0, moved.err.constData());
        QCOMPARE(weights(run), weights(home_.path("plain")));
        QVERIFY(content(run + "/run.json").contains(there.toUtf8()));
        QVERIFY(home_.run({ "eval", "run", "--max-tokens", "100" }).code == 0);
        QVERIFY(QFile::rename(there, home_.path("text.txt")));
    }

    /// Commands to paste name a run that looks like an option so that it is taken for none.
    void printedCommandsOfADashedName()
    {
        home_.write("-text.txt", text_);
        const auto pasted = [this](const QByteArray& said, const char* before) {
            const auto at = said.indexOf(before);
            auto line = said.mid(at).split('\n').front().mid(qsizetype(qstrlen(before)));
            if (at < 0 || !line.startsWith("pha ")) qFatal("no command: %s", said.constData());
            const auto process = home_.start({ "-c", PHA_BIN_DIR "/" + QString(line) }, {}, "sh");
            return Home::finish(*process);
        };
        const auto stopped =
            home_.run(small({ "--data", "./-text.txt", "--run", "./-dash", "--steps", "2", "--set", "stop_after=1" }));
        QCOMPARE(stopped.code, 130);
        const auto resumed = pasted(stopped.err, "continue with: ");
        QVERIFY2(resumed.code == 0, resumed.err.constData());
        const auto written = pasted(resumed.out, "Let it write  ");
        QVERIFY2(written.code == 0 && !written.out.isEmpty(), written.err.constData());
        const auto again = home_.run({ "eval", "./-dash", "--data", "./-text.txt" });
        QVERIFY2(again.code == 0, again.err.constData());
    }

    void whatRunsCouldNotNameIsRefused_data()
    {
        QTest::addColumn<QString>("command");
        QTest::addColumn<QByteArray>("wayOut");
        QTest::newRow("a fork") << R"(cp -r plain "$at"; "$0" train --fork "$at" --run forked)"
                                << QByteArray("text in UTF-8: rename the folder\n");
        QTest::newRow("a corpus") << R"("$0" data prepare text.txt --out "$at")" << QByteArray("text in UTF-8\n");
    }
    /// JSON is in UTF-8, a path need not be.
    void whatRunsCouldNotNameIsRefused()
    {
        QFETCH(QString, command);
        QFETCH(QByteArray, wayOut);
        home_.write("text.txt", text_);
        const auto process =
            home_.start({ "-c", R"(at=$(printf 'caf\351'); )" + command + R"(; code=$?; rm -rf "$at"; exit $code)",
                            PHA_BIN_DIR "/pha" },
                {}, "sh");
        const auto result = Home::finish(*process);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.endsWith("expected " + wayOut), result.err.constData());
        QVERIFY(!QFileInfo::exists(home_.path("forked")));
    }

    void aCurrentFolderThatIsGoneIsNamed_data()
    {
        QTest::addColumn<QString>("command");
        QTest::newRow("a run") << smallRun({ "--run", "new" }).join(' ');
        QTest::newRow("a run with a name") << smallRun({ "--run", "new", "--name", "new" }).join(' ');
        QTest::newRow("a plan") << smallRun({ "--run", "new", "--dry-run" }).join(' ');
        QTest::newRow("a corpus") << "data prepare " + home_.path("text.txt") + " --out new";
        QTest::newRow("a file") << "average " + home_.path("plain") + " --out new";
    }
    void aCurrentFolderThatIsGoneIsNamed()
    {
        QFETCH(QString, command);
        home_.write("text.txt", text_);
        const auto process = home_.start(
            { "-c", "mkdir gone; cd gone; rmdir ../gone; exec \"$0\" " + command, PHA_BIN_DIR "/pha" }, {}, "sh");
        const auto result = Home::finish(*process);
        QCOMPARE(result.code, 2);
        QVERIFY2(isOneErrorLine(result.err) && result.err.contains("the current folder is gone; cd to one that exists"),
            result.err.constData());
    }

    void everyCommandTakesAnySpelling_data()
    {
        QTest::addColumn<QString>("run");
        for (const char* run : { ".././here/plain/", "../here/plain/checkpoints/best" }) QTest::newRow(run) << run;
    }
    void everyCommandTakesAnySpelling()
    {
        QFETCH(QString, run);
        const auto folder = home_.path("elsewhere");
        const auto works = [&](const QStringList& arguments) {
            const auto result = home_.run(arguments, {}, folder);
            QVERIFY2(result.code == 0, qPrintable(arguments.join(' ') + ": " + result.err));
        };
        works({ "inspect", run });
        works({ "eval", run, "--max-tokens", "100", "--data", "../here/other.txt" });
        works({ "generate", run, "--prompt", "Line", "--max-tokens", "2" });
        works({ "logits", run, "--tokens", "1,2", "--out", "./logits.safetensors" });
        QVERIFY(QFile::remove(folder + "/logits.safetensors"));
        works({ "average", run, run, "--out", "../elsewhere/average.safetensors" });
        QVERIFY(QFile::remove(folder + "/average.safetensors"));
        works(small({ "--data", "../other.txt", "--run", "./new/", "--steps", "1", "--init-from", run }));
        QCOMPARE(
            QJsonDocument::fromJson(content(folder + "/new/run.json")).object()["name"].toString(), QString("new"));
        QDir(folder + "/new").removeRecursively();
        if (run.endsWith("best")) return; // of runs only
        works({ "compare", run, "../plain" });
        works({ "export", run, "--to", "csv", "--out", "./csv" });
        QDir(folder + "/csv").removeRecursively();
    }
};

PHA_TEST(PathsTest)
#include "paths_test.moc"
