// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/user_folders.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <atomic>
#include <regex>

#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

namespace {

std::string checkpointRefusal(const fs::path& path)
{
    return messageOf<CheckpointError>([&] { resolveCheckpoint(path); });
}

} // namespace

class RunDirectoryTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void runFileRoundTrip();
    void runFileRefuses_data();
    void runFileRefuses();
    void aViewKeepsWhatItDoesNotKnow();
    void nothingIsWrittenThatIsNotRead();
    void createdOnceOfMany();
    void oddFolderNames();
    void freshFolders();
    void defaultFolder();
    void resolving();
    void closedCheckpoints();
    void aCheckpointIsReplacedWhileItIsRead();
    void aCheckpointIsSavedAgainWhileItIsRead();
};

void RunDirectoryTest::runFileRoundTrip()
{
    QTemporaryDir folder;
    auto file = exampleFile();
    file.name = "a \"b\"\n\xe2\x82\xac <i>";
    file.config.set("layers", "7");
    file.config.set("steps", "123");
    file.config.preset = "pha-tiny";
    const RunDirectory run(pathOf(folder) / "deep" / "run");
    QVERIFY(!run.exists());
    run.create(file);
    QVERIFY(run.exists());
    const auto json = Json::parse(readRaw(run.runFile()));
    std::string keys;
    for (const auto& item : json.items()) keys += item.key() + " ";
    QCOMPARE(keys, std::string("schema name created model data training environment "));
    QCOMPARE(json.at("schema").get<int>(), 1);
    const auto again = run.read();
    QCOMPARE(again.name, file.name);
    QCOMPARE(again.created, file.created);
    QVERIFY(again.config.toJson() == file.config.toJson());
    QCOMPARE(again.config.preset, std::string("pha-tiny"));
    QCOMPARE(again.environment.at("threads").get<int>(), 2);
    auto renamed = again;
    renamed.name = "other";
    run.write(renamed);
    QCOMPARE(run.read().name, std::string("other"));
    QVERIFY(run.read().toJson() == renamed.toJson());

    const RunDirectory undated(pathOf(folder) / "undated");
    undated.create({ "n", "", {}, Json::object() });
    QVERIFY(
        std::regex_match(undated.read().created, std::regex("20\\d\\d-[01]\\d-[0-3]\\dT[0-2]\\d:[0-5]\\d:[0-6]\\dZ")));
}

void RunDirectoryTest::runFileRefuses_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const std::string& text, const char* expected) {
        QTest::newRow(name) << QByteArray::fromStdString(text) << expected;
    };
    const auto good = exampleFile().toJson();
    const auto changed = [&](const char* key, const Json& value) {
        auto json = good;
        json[key] = value;
        return json.dump();
    };
    const auto without = [&](const char* key) {
        auto json = good;
        json.erase(key);
        return json.dump();
    };
    const auto text = good.dump();
    row("empty", "", "not valid JSON");
    row("list", "[]", "run.json is array; expected a JSON object");
    row("cut", text.substr(0, text.size() / 2), "not valid JSON");
    row("schema 2", changed("schema", 2), "schema is 2; expected at most 1: a newer PHA Studio has written this run");
    row("schema 10^18", changed("schema", 1000000000000000000), "expected at most 1");
    row("schema 0", changed("schema", 0), "schema is 0; expected the number 1");
    row("schema text", changed("schema", "1"), "schema is string; expected the number 1");
    row("schema 1.5", changed("schema", 1.5), "schema is 1.5; expected the number 1");
    for (const char* key : { "schema", "name", "created", "model", "data", "training", "environment" })
        QTest::addRow("without %s", key) << QByteArray::fromStdString(without(key))
                                         << QString("%1 is missing").arg(key);
    row("name number", changed("name", 3), "name is number; expected a text");
    row("model list", changed("model", Json::array()), "model is array; expected an object");
    row("unknown key", changed("hook", "rm"), "\"hook\" is unknown; expected only schema");
    row("unknown field", changed("model", { { "layerz", 3 } }), "layerz");
    row("wrong type", changed("model", { { "layers", "many" } }), "layers");
    row("out of range", changed("training", { { "steps", -1 } }), "steps is -1");
    row("1e308", changed("training", { { "batch_size", 1e308 } }), "batch_size is 1e+308");
    row("beyond double", text.substr(0, text.size() - 1) + ",\"x\":1e999}", "too large");
    row("NaN", text.substr(0, text.size() - 1) + ",\"x\":NaN}", "not valid JSON");
    row("duplicate", text.substr(0, text.size() - 1) + ",\"name\":\"x\"}", "key \"name\" stands twice");
    row("deep", text.substr(0, text.size() - 1) + ",\"x\":" + std::string(1025, '['), "nested more than");
    row("large", text + std::string(1 << 20, ' '), "more than the limit");
}

void RunDirectoryTest::aViewKeepsWhatItDoesNotKnow()
{
    QTemporaryDir folder;
    const RunDirectory run(pathOf(folder));
    RunFile file;
    file.name = "mine";
    auto json = file.toJson();
    json["created"] = "2026-01-31T12:00:00Z";
    json["colour"] = { { "hue", 7 } };
    json["training"]["mood"] = "good";
    writeRaw(run.runFile(), json.dump());
    QVERIFY(messageOf([&] { run.read(); }).find("colour") != std::string::npos);
    auto seen = run.read(RunUse::View);
    QCOMPARE(seen.unknown(), std::string("colour, training.mood"));
    seen.name = "yours";
    run.write(seen);
    json["name"] = "yours";
    QCOMPARE(run.read(RunUse::View).toJson(), json);
}

void RunDirectoryTest::runFileRefuses()
{
    QFETCH(QByteArray, text);
    QFETCH(QString, expected);
    QTemporaryDir folder;
    const RunDirectory run(pathOf(folder));
    writeRaw(run.runFile(), text.toStdString());
    const auto message = messageOf([&] { run.read(); });
    QVERIFY2(message.find(expected.toStdString()) != std::string::npos, message.c_str());
    QVERIFY2(message.find(run.runFile().string()) == 0, message.c_str());
    QCOMPARE(std::distance(fs::directory_iterator(pathOf(folder)), {}), std::ptrdiff_t(1));
    const auto refusal = [&](const char* name) {
        return messageOf<CheckpointError>([&] { RunDirectory(pathOf(folder) / name).read(); });
    };
    QVERIFY(refusal("none").find("does not exist") != std::string::npos);
    fs::create_directory(pathOf(folder) / "empty");
    QVERIFY(refusal("empty").find("is not a run directory: it has no run.json") != std::string::npos);
}

void RunDirectoryTest::nothingIsWrittenThatIsNotRead()
{
    QTemporaryDir folder;
    auto large = exampleFile();
    large.name = std::string(300'000, 'n');
    const RunDirectory none(pathOf(folder) / "none"), run(pathOf(folder) / "run");
    QVERIFY(messageOf<CheckpointError>([&] { none.create(large); }).find("would have 30") != std::string::npos);
    QVERIFY(!fs::exists(none.root()));
    run.create(exampleFile());
    QVERIFY(!messageOf<CheckpointError>([&] { run.write(large); }).empty());
    QCOMPARE(run.read().name, exampleFile().name);
    large.name.resize(200'000);
    run.write(large);
    QCOMPARE(run.read().name, large.name);
}

void RunDirectoryTest::createdOnceOfMany()
{
    QTemporaryDir folder;
    const RunDirectory run(pathOf(folder) / "run");
    auto* go = shared<std::atomic<int>>();
    std::vector<pid_t> children;
    for (int i = 0; i < 40; ++i) {
        const auto pid = ::fork();
        if (pid == 0) {
            while (go->load() == 0) ::usleep(50);
            auto file = exampleFile();
            file.name = std::to_string(i);
            ::_exit(messageOf<CheckpointError>([&] { run.create(file); }).empty() ? 0 : 1);
        }
        children.push_back(pid);
    }
    go->store(1);
    int winner = -1;
    for (std::size_t i = 0; i < children.size(); ++i) {
        int status = 0;
        ::waitpid(children[i], &status, 0);
        if (exitedWith(status, 0)) {
            QCOMPARE(winner, -1);
            winner = int(i);
        } else {
            QVERIFY(exitedWith(status, 1));
        }
    }
    QCOMPARE(run.read().name, std::to_string(winner));
    QCOMPARE(countTemporaries(run.root()), 0);
    QVERIFY(messageOf<CheckpointError>([&] { run.create(exampleFile()); }).find("there is a run in this folder already")
        != std::string::npos);
    QVERIFY(!run.tryCreate(exampleFile()));
    ::munmap(go, sizeof *go);
}

void RunDirectoryTest::oddFolderNames()
{
    QTemporaryDir folder;
    fs::create_directory(pathOf(folder) / "real");
    fs::create_directory_symlink(pathOf(folder) / "real", pathOf(folder) / "link");
    for (const auto& name : { std::string("a b 'c' \"d\" %s $HOME `x`"), std::string("line\nbreak"),
             std::string("\xff\xfe bytes"), std::string("\xf0\x9f\x98\x80"), std::string(255, 'n'), std::string("~"),
             std::string("link/in a link"), std::string("slash/") }) {
        const RunDirectory run(pathOf(folder) / name);
        run.create(exampleFile());
        publish(run, 5);
        run.setPointer("latest", checkpointName(5));
        const RunLock lock(run.root());
        QCOMPARE(run.read().name, std::string("My run"));
        const auto checkpoint = resolveCheckpoint(run.root());
        QCOMPARE(checkpoint.filename().string(), checkpointName(5));
        QVERIFY(fs::equivalent(runOfCheckpoint(checkpoint), run.root()));
        fs::remove_all(run.root()); // QTemporaryDir cannot remove every one of these names
    }
    const auto message =
        messageOf<IoError>([&] { RunDirectory(pathOf(folder) / std::string(256, 'n')).create(exampleFile()); });
    QVERIFY2(message.find("File name too long") != std::string::npos, message.c_str());
}

void RunDirectoryTest::freshFolders()
{
    QTemporaryDir folder;
    const auto root = pathOf(folder);
    const auto fresh = [&](const std::string& name) { return freshRunDirectory(root, name).filename().string(); };
    QCOMPARE(fresh("pha-tiny-stories"), std::string("pha-tiny-stories"));
    fs::create_directory(root / "pha-tiny-stories");
    writeRaw(root / "pha-tiny-stories-2", "");
    fs::create_symlink("nowhere", root / "pha-tiny-stories-3");
    QCOMPARE(fresh("pha-tiny-stories"), std::string("pha-tiny-stories-4"));
    QCOMPARE(fresh("../../etc"), std::string("-..-etc"));
    QCOMPARE(fresh("a/b\nc"), std::string("a-b-c"));
    QCOMPARE(fresh(".hidden"), std::string("hidden"));
    for (const char* empty : { "", ".", "..", "..." }) QCOMPARE(fresh(empty), std::string("run"));
    std::string text;
    for (int i = 0; i < 100; ++i) text += "\xe2\x82\xac";
    QCOMPARE(fresh(text), text.substr(0, 198));
    QVERIFY(freshRunDirectory(root, "../x").parent_path() == root);
}

void RunDirectoryTest::defaultFolder()
{
    const auto dataBefore = qgetenv("XDG_DATA_HOME"), homeBefore = qgetenv("HOME");
    qputenv("HOME", "/home/someone");
    qputenv("XDG_DATA_HOME", "/data");
    QCOMPARE(defaultRunsFolder().string(), std::string("/data/pha-studio/runs"));
    for (const char* unset : { "", "relative" }) {
        qputenv("XDG_DATA_HOME", unset);
        QCOMPARE(defaultRunsFolder().string(), std::string("/home/someone/.local/share/pha-studio/runs"));
    }
    qunsetenv("HOME");
    const auto runs = defaultRunsFolder(), cache = userFolder("PHA_UNSET", ".cache");
    QVERIFY(runs.is_absolute() && cache.is_absolute());
    for (const char* unset : { "", "foo" }) {
        qputenv("HOME", unset);
        QCOMPARE(defaultRunsFolder().string(), runs.string());
        QCOMPARE(userFolder("PHA_UNSET", ".cache").string(), cache.string());
    }
    qputenv("HOME", homeBefore);
    if (dataBefore.isNull())
        qunsetenv("XDG_DATA_HOME");
    else
        qputenv("XDG_DATA_HOME", dataBefore);
}

void RunDirectoryTest::resolving()
{
    QTemporaryDir folder;
    const auto root = fs::canonical(pathOf(folder));
    const auto says = [&](const fs::path& path, const char* expected) {
        const auto message = checkpointRefusal(path);
        const bool good = message.find(expected) != std::string::npos;
        if (!good) qWarning("%s", message.c_str());
        return good;
    };
    QVERIFY(says(root / "none", "none: does not exist"));
    writeRaw(root / "notes.txt", "hello");
    QVERIFY(says(root / "notes.txt", "notes.txt: is a file, not a run directory or a checkpoint folder"));
    writeRaw(root / "model.pt", "PK\x03\x04zip");
    writeRaw(root / "old.bin", std::string("\x80\x02}q\0", 5));
    writeRaw(root / "new.ckpt", std::string("\x80\x05\x95", 3));
    writeRaw(root / "renamed.safetensors", "PK\x03\x04zip");
    for (const char* name : { "model.pt", "old.bin", "new.ckpt", "renamed.safetensors" })
        QVERIFY2(says(root / name,
                     "is a pickled PyTorch file, which can run any program when it is opened, so it is never read; "
                     "convert it to safetensors"),
            name);
    writeRaw(root / "empty.pt", "");
    QVERIFY(says(root / "empty.pt", "is a file, not"));
    QCOMPARE(::mkfifo((root / "fifo").c_str(), 0600), 0);
    QVERIFY(says(root / "fifo", "is a file, not"));
    fs::create_symlink("loop", root / "loop");
    QVERIFY(says(root / "loop", "loop: cannot be opened"));
    QVERIFY(says(root, "is a folder without a run.json"));

    const auto run = makeRun(folder);
    QVERIFY(says(run.root(), "is a run without a checkpoint yet"));
    fs::create_directory(run.checkpoints() / "step-00000001");
    QVERIFY(says(run.root(), "step-00000001: is not a complete checkpoint: it has no manifest.json"));
    fs::create_directory(run.checkpoints() / "step-00000012");
    fs::create_directory(run.checkpoints() / "step-00000009");
    QVERIFY(says(run.root(),
        "run: none of its 3 checkpoints is complete, the newest is step-00000012: it has no manifest.json"));
    for (const char* name : { "step-00000012", "step-00000009" }) fs::remove(run.checkpoints() / name);
    publish(run, 2);
    const auto two = fs::canonical(run.checkpoints() / checkpointName(2)),
               three = two.parent_path() / checkpointName(3);
    QVERIFY(resolveCheckpoint(run.root()) == two);
    publish(run, 3);
    QVERIFY(fs::equivalent(resolveCheckpoint(run.root()), three));
    run.setPointer("latest", checkpointName(2));
    QVERIFY(fs::equivalent(resolveCheckpoint(run.root()), two));
    run.setPointer("latest", checkpointName(3));
    run.setPointer("best", checkpointName(2));
    QVERIFY(fs::equivalent(resolveCheckpoint(run.root()), two));
    QVERIFY(fs::equivalent(resolveCheckpoint(run.root() / ""), two));
    QVERIFY(fs::equivalent(resolveCheckpoint(run.checkpoints()), two));
    QVERIFY(fs::equivalent(resolveCheckpoint(run.checkpoints() / "latest"), three));
    QVERIFY(fs::equivalent(resolveCheckpoint(run.checkpoints() / "best"), two));
    QVERIFY(fs::equivalent(resolveCheckpoint(three), three));
    QVERIFY(fs::equivalent(runOfCheckpoint(three / ""), run.root()));
    QVERIFY(fs::equivalent(runNamed(three), run.root()));
    QVERIFY(fs::equivalent(runNamed(run.root()), run.root()));
    fs::resize_file(three / "model.safetensors", 7);
    QVERIFY(says(three, "step-00000003: is not a complete checkpoint: model.safetensors has 7 bytes of 2003"));
    QVERIFY(says(run.checkpoints() / "latest", "latest: does not name a complete checkpoint"));
    fs::copy(two, root / "moved");
    QVERIFY(resolveCheckpoint(root / "moved") == fs::canonical(root / "moved")); // a checkpoint on its own is one
    QVERIFY(messageOf<CheckpointError>([&] {
        runOfCheckpoint(root / "moved");
    }).find("does not lie in the checkpoints folder of a run")
        != std::string::npos);
}

/// They are all there: what is wrong are the permissions.
void RunDirectoryTest::closedCheckpoints()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    const auto whole = run.checkpoints() / checkpointName(1), closed = run.checkpoints() / checkpointName(2);
    for (const int step : { 1, 2 }) publish(run, step);
    for (const auto& entry : fs::recursive_directory_iterator(pathOf(folder)))
        fs::permissions(entry.path(), fs::perms(0755));
    fs::permissions(pathOf(folder), fs::perms(0755));
    fs::permissions(whole / "model.safetensors", fs::perms::none);
    fs::permissions(closed, fs::perms::none);
    const int status = inChildOfNobody(pathOf(folder), [&] {
        if (checkpointProblem(whole, false) != "model.safetensors cannot be read: Permission denied") return 1;
        if (checkpointProblem(closed, false) != "it cannot be opened: Permission denied") return 2;
        const auto all = checkpointRefusal(run.root()), one = checkpointRefusal(whole);
        if (!all.ends_with("none of its 2 checkpoints is complete, the newest is step-00000002: it cannot be opened: "
                           "Permission denied; check its permissions"))
            return 3;
        return one.ends_with("cannot be read: Permission denied; check its permissions") ? 0 : 4;
    });
    fs::permissions(closed, fs::perms::owner_all);
    if (exitedWith(status, 77)) QSKIP("root cannot become nobody here");
    QVERIFY2(exitedWith(status, 0), std::to_string(WEXITSTATUS(status)).c_str());
}

/// Its trainer finds a better one, and keeps one.
void RunDirectoryTest::aCheckpointIsReplacedWhileItIsRead()
{
    const QTemporaryDir folder;
    const auto run = makeRun(folder);
    publish(run, 1);
    run.setPointer("best", checkpointName(1));
    std::int64_t newest = 1, reads = 0;
    const auto contents = [&](const fs::path& checkpoint) {
        if (++reads <= 3) {
            publish(run, ++newest);
            run.setPointer("latest", checkpointName(newest));
            run.setPointer("best", checkpointName(newest));
            pruneCheckpoints(run, 1);
        }
        readFile(checkpoint / "state.json");
        return checkpoint.filename().string();
    };
    QCOMPARE(readCheckpoint(run.root(), contents), checkpointName(4));
    QCOMPARE(reads, 4);
    // What was asked for by its name is not replaced by another, and what fails for another reason is not read again.
    reads = 0;
    const auto four = run.checkpoints() / checkpointName(4);
    QVERIFY(messageOf<CheckpointError>([&] { readCheckpoint(four, contents); }).find("step-00000004: does not exist")
        != std::string::npos);
    QCOMPARE(reads, 1);
    reads = 3;
    messageOf<CheckpointError>([&] {
        readCheckpoint(run.root(), [&](const fs::path& checkpoint) -> int {
            ++reads;
            throw CheckpointError(checkpoint.string(), "is odd", "look at it");
        });
    });
    QCOMPARE(reads, 4);
}

/// Under the same name, which says as little as the path that was given.
void RunDirectoryTest::aCheckpointIsSavedAgainWhileItIsRead()
{
    const QTemporaryDir folder;
    const auto run = makeRun(folder);
    const auto save = [&](const std::string& content) {
        publishCheckpoint(run, checkpointName(1), [&](const fs::path& to) { writeRaw(to / "state.json", content); });
    };
    save("first");
    const auto one = run.checkpoints() / checkpointName(1);
    for (const auto& given : { run.root(), one }) {
        int reads = 0;
        const auto contents = [&](const fs::path& checkpoint) {
            const auto content = readRaw(checkpoint / "state.json");
            if (++reads == 1) save("second");
            if (!checkpointComplete(checkpoint, true) || content != readRaw(checkpoint / "state.json"))
                throw CheckpointError(checkpoint.string(), "is damaged", "take another one");
            return content;
        };
        QCOMPARE(readCheckpoint(given, contents), std::string("second"));
        QCOMPARE(reads, 2);
        save("first");
    }
}

PHA_TEST(RunDirectoryTest)
#include "run_directory_test.moc"
