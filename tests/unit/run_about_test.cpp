// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_about.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

using namespace pha;
using namespace pha::test;

class RunAboutTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void nothingIsSaidAtFirst()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        QVERIFY(readAbout(run.root()) == RunAbout());
        QVERIFY(changeAbout(run.root(), {}) == RunAbout());
        QVERIFY(!fs::exists(aboutFile(run.root()))); // nothing changed, nothing written
        QVERIFY(!messageOf<CheckpointError>([&] { changeAbout(run.root() / "none", {}); }).empty());
    }

    void changesAreKept()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        const auto before = readRaw(run.runFile());
        AboutChange change;
        change.notes = "lr too high?\n\xe2\x82\xac \"b\"";
        change.addTags = { "wt2", "paper", "wt2" };
        changeAbout(run.root(), change);
        AboutChange second;
        second.addTags = { "gr\xc3\xb6\xc3\x9f" };
        second.removeTags = { "paper", "absent" };
        second.archived = true;
        const auto now = changeAbout(run.root(), second);
        QVERIFY(now == readAbout(run.root()));
        QCOMPARE(now.notes, *change.notes);
        QVERIFY(now.tags == (std::vector<std::string> { "wt2", "gr\xc3\xb6\xc3\x9f" }));
        QVERIFY(now.archived);
        QCOMPARE(readRaw(run.runFile()), before);
        QCOMPARE(countTemporaries(run.root()), 0);
    }

    void whatIsUnknownStays()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        writeRaw(aboutFile(run.root()), R"({"stars":5,"tags":["a"],"colour":{"r":1}})");
        AboutChange change;
        change.archived = true;
        changeAbout(run.root(), change);
        const auto json = Json::parse(readRaw(aboutFile(run.root())));
        QCOMPARE(json.at("stars").get<int>(), 5);
        QCOMPARE(json.at("colour").at("r").get<int>(), 1);
        QCOMPARE(json.at("tags").at(0).get<std::string>(), std::string("a"));
    }

    void refusesWhatCannotBe_data()
    {
        QTest::addColumn<QByteArray>("tag");
        for (const char* tag : { "", "a b", "a,b", "+a", "-a", "a\nb", "\"a", "\x7f" })
            QTest::newRow(tag) << QByteArray(tag);
        QTest::newRow("long") << QByteArray(61, 'a');
    }
    void refusesWhatCannotBe()
    {
        QFETCH(const QByteArray, tag);
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        AboutChange change;
        change.addTags = { tag.toStdString() };
        QVERIFY(!messageOf<ConfigError>([&] { changeAbout(run.root(), change); }).empty());
        QVERIFY(!fs::exists(aboutFile(run.root())));
    }

    void tooMuchIsRefused()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        AboutChange notes, tags;
        notes.notes = std::string(64 * 1024 + 1, 'n');
        for (int n = 0; n < 33; ++n) tags.addTags.push_back(std::to_string(n));
        QVERIFY(!messageOf<ConfigError>([&] { changeAbout(run.root(), notes); }).empty());
        QVERIFY(!messageOf<ConfigError>([&] { changeAbout(run.root(), tags); }).empty());
        notes.notes->pop_back();
        notes.notes->assign(notes.notes->size(), '\x01'); // six bytes each in the file
        changeAbout(run.root(), notes);
        QCOMPARE(readAbout(run.root()).notes, *notes.notes);
    }

    void hostileFilesAreRefusedAndStay_data()
    {
        QTest::addColumn<QByteArray>("text");
        for (const char* text : { "", "[]", "{\"notes\":1}", "{\"tags\":\"a\"}", "{\"tags\":[1]}",
                 "{\"tags\":[\"a b\"]}", "{\"archived\":1}", "{\"schema\":2}", "{\"schema\":\"1\"}",
                 "{\"notes\":\"a\",\"notes\":\"b\"}", "{\"notes\":\"a\"" })
            QTest::newRow(text) << QByteArray(text);
        QTest::newRow("huge") << QByteArray(600'000, ' ');
    }
    void hostileFilesAreRefusedAndStay()
    {
        QFETCH(const QByteArray, text);
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        writeRaw(aboutFile(run.root()), text.toStdString());
        AboutChange change;
        change.archived = true;
        for (const auto& message : { messageOf<DataError>([&] { readAbout(run.root()); }),
                 messageOf<DataError>([&] { changeAbout(run.root(), change); }) })
            QVERIFY2(message.find("about.json") != std::string::npos, message.c_str());
        QCOMPARE(readRaw(aboutFile(run.root())), text.toStdString());
    }

    void manyProcessesLoseNothing()
    {
        QTemporaryDir folder(scratchTemplate());
        const auto run = makeRun(folder);
        constexpr int children = 6, changes = 5;
        std::vector<pid_t> ids;
        for (int child = 0; child < children; ++child) {
            const auto id = ::fork();
            if (id == 0) {
                int code = 0;
                try {
                    for (int n = 0; n < changes; ++n) {
                        AboutChange change;
                        change.addTags = { std::to_string(child) + "." + std::to_string(n) };
                        changeAbout(run.root(), change);
                    }
                } catch (const std::exception&) {
                    code = 1;
                }
                ::_exit(code);
            }
            ids.push_back(id);
        }
        for (const auto id : ids) {
            int status = 0;
            ::waitpid(id, &status, 0);
            QVERIFY(exitedWith(status, 0));
        }
        QCOMPARE(readAbout(run.root()).tags.size(), std::size_t(children * changes));
    }

    void notedWhileTheRunIsTrained()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        const RunLock training(run.root());
        const auto read = run.read(); // as a training does at its start
        AboutChange change;
        change.notes = "seen in the middle";
        changeAbout(run.root(), change);
        run.write(read); // and writes when it goes on
        QCOMPARE(readAbout(run.root()).notes, *change.notes);
        QVERIFY(!run.read().name.empty());
    }

    void aFaultLeavesTheOldOrTheNew()
    {
        QTemporaryDir folder(scratchTemplate());
        const auto run = makeRun(folder);
        AboutChange first, second;
        first.notes = "old";
        second.notes = "new";
        changeAbout(run.root(), first);
        for (int operation = 1;; ++operation) {
            Fault fault(operation, ENOSPC);
            const auto message = messageOf([&] { changeAbout(run.root(), second); });
            const bool happened = fault.happened();
            faultHook = nullptr;
            const auto notes = readAbout(run.root()).notes;
            QVERIFY(notes == "old" || notes == "new");
            if (!happened) break;
            QVERIFY(!message.empty());
            changeAbout(run.root(), first);
        }
        QCOMPARE(readAbout(run.root()).notes, std::string("new"));
    }
};

PHA_TEST(RunAboutTest)
#include "run_about_test.moc"
