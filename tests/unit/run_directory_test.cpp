// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_directory.h"
#include "engine/run/atomic_file.h"
#include "run_tools.h"

#include <QTest>

#include <atomic>
#include <regex>

#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

namespace {

RunFile exampleFile()
{
    RunFile file;
    file.name = "My run";
    file.created = "2026-01-31T12:00:00Z";
    file.environment["threads"] = 2;
    return file;
}

RunDirectory makeRun(const QTemporaryDir& folder, const char* name = "run")
{
    RunDirectory run(pathOf(folder) / name);
    run.create(exampleFile());
    return run;
}

/// What a save writes; `version` tells an old content from a new one.
void publish(const RunDirectory& run, std::int64_t step, const std::string& version = "one")
{
    publishCheckpoint(run, checkpointName(step), [&](const fs::path& to) {
        writeFileAtomically(to / "model.safetensors", std::string(2000, 'm') + version);
        writeRaw(to / "state.json", "{\"version\":\"" + version + "\"}");
    });
}
std::string versionOf(const fs::path& checkpoint) { return readRaw(checkpoint / "model.safetensors").substr(2000); }

std::string refusal(const fs::path& path)
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
    void createdOnceOfMany();
    void oddFolderNames();
    void freshFolders();
    void defaultFolder();
    void checkpointNames();
    void listIgnoresWhatIsIncomplete();
    void checkpointProblems();
    void pointers();
    void pruning();
    void failedSaveLeavesNothing();
    void everyFailureKeepsACheckpoint_data();
    void everyFailureKeepsACheckpoint();
    void everyKillKeepsACheckpoint_data();
    void everyKillKeepsACheckpoint();
    void savesDoNotFollowLinks();
    void resolving();
    void lockNamesItsHolder();
    void lockRefusesWhatIsNoFile();
    void hundredStartsOneWinner();
    void killedOwnersFreeTheLock();
    void askingDoesNotDisturb();
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
    QVERIFY(std::regex_match(undated.read().created, std::regex("20\\d\\d-[01]\\d-[0-3]\\dT[0-2]\\d:[0-5]\\d:[0-6]\\dZ")));
}

void RunDirectoryTest::runFileRefuses_data()
{
    QTest::addColumn<QByteArray>("text");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* name, const std::string& text, const char* expected) { QTest::newRow(name) << QByteArray::fromStdString(text) << expected; };
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
        QTest::addRow("without %s", key) << QByteArray::fromStdString(without(key)) << QString("%1 is missing").arg(key);
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
    row("deep", changed("environment", { { "a", 1 } }).substr(0, text.size() / 2) + std::string(1025, '['), "nested more than");
    row("large", text + std::string(1 << 20, ' '), "more than the limit");
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
    QVERIFY(messageOf<CheckpointError>([&] { RunDirectory(pathOf(folder) / "none").read(); }).find("is not a run directory: it has no run.json") != std::string::npos);
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
    QVERIFY(messageOf<CheckpointError>([&] { run.create(exampleFile()); }).find("there is a run in this folder already") != std::string::npos);
    ::munmap(go, sizeof *go);
}

void RunDirectoryTest::oddFolderNames()
{
    QTemporaryDir folder;
    fs::create_directory(pathOf(folder) / "real");
    fs::create_directory_symlink(pathOf(folder) / "real", pathOf(folder) / "link");
    for (const auto& name : { std::string("a b 'c' \"d\" %s $HOME `x`"), std::string("line\nbreak"), std::string("\xff\xfe bytes"), std::string("\xf0\x9f\x98\x80"),
             std::string(255, 'n'), std::string("~"), std::string("link/in a link"), std::string("slash/") }) {
        const RunDirectory run(pathOf(folder) / name);
        run.create(exampleFile());
        publish(run, 5);
        run.setPointer("latest", checkpointName(5));
        const RunLock lock(run.root());
        QCOMPARE(run.read().name, std::string("My run"));
        const auto checkpoint = resolveCheckpoint(run.root());
        QCOMPARE(checkpoint.filename().string(), checkpointName(5));
        QVERIFY(fs::equivalent(runOfCheckpoint(checkpoint), run.root()));
    }
    const auto message = messageOf<IoError>([&] { RunDirectory(pathOf(folder) / std::string(256, 'n')).create(exampleFile()); });
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
    QVERIFY(defaultRunsFolder().is_absolute());
    qputenv("HOME", homeBefore);
    if (dataBefore.isNull()) qunsetenv("XDG_DATA_HOME");
    else qputenv("XDG_DATA_HOME", dataBefore);
}

void RunDirectoryTest::checkpointNames()
{
    QCOMPARE(checkpointName(1000), std::string("step-00001000"));
    QCOMPARE(checkpointName(1234567890), std::string("step-1234567890"));
    for (const std::int64_t step : { 0, 1, 99999999, 2000000000 }) QVERIFY(checkpointStep(checkpointName(step)) == step);
    for (const char* name : { "", "step-", "step-x", "step-1x", "step--1", "step- 1", "step-+1", "Step-1", "step-1/..", "../step-1", "step-99999999999999999999", ".tmp-step-1-2" })
        QVERIFY2(!checkpointStep(name), name);
}

void RunDirectoryTest::listIgnoresWhatIsIncomplete()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    QVERIFY(run.list().empty());
    for (const int step : { 200, 100, 1000000000 }) publish(run, step);
    const auto foreign = run.checkpoints();
    fs::create_directory(foreign / "step-00000300"); // no manifest
    fs::copy(foreign / "step-00000100", foreign / "notes"); // complete, but no checkpoint's name
    fs::copy(foreign / "step-00000100", foreign / "step-00000400");
    fs::resize_file(foreign / "step-00000400" / "model.safetensors", 10);
    fs::create_directory_symlink("step-00000100", foreign / "step-00000500");
    writeRaw(foreign / "step-00000600", "file");
    fs::copy(foreign / "step-00000100", foreign / ".tmp-step-00000700-1");
    QVERIFY(run.list() == (std::vector<std::string> { "step-00000100", "step-00000200", "step-1000000000" }));
    QVERIFY(RunDirectory(pathOf(folder) / "none").list().empty());
}

void RunDirectoryTest::checkpointProblems()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    publish(run, 1);
    const auto checkpoint = run.checkpoints() / checkpointName(1), model = checkpoint / "model.safetensors", manifest = checkpoint / "manifest.json";
    QCOMPARE(checkpointProblem(checkpoint, true), std::string());
    const auto content = readRaw(model), listing = readRaw(manifest);

    fs::resize_file(model, 12);
    QCOMPARE(checkpointProblem(checkpoint, false), std::string("model.safetensors has 12 bytes of 2003"));
    auto damaged = content;
    damaged[1000] ^= 1;
    writeRaw(model, damaged);
    QVERIFY(checkpointComplete(checkpoint, false));
    QVERIFY(!checkpointComplete(checkpoint, true));
    QCOMPARE(checkpointProblem(checkpoint, true), std::string("model.safetensors is damaged: its SHA-256 differs"));
    fs::remove(model);
    QCOMPARE(checkpointProblem(checkpoint, false), std::string("model.safetensors is missing"));
    fs::create_symlink("/dev/zero", model);
    QCOMPARE(checkpointProblem(checkpoint, false), std::string("model.safetensors cannot be read"));
    fs::remove(model);
    QCOMPARE(::mkfifo(model.c_str(), 0600), 0);
    QCOMPARE(checkpointProblem(checkpoint, false), std::string("model.safetensors is not a regular file"));
    fs::remove(model);
    writeRaw(model, content);
    QVERIFY(checkpointComplete(checkpoint, true));
    writeRaw(checkpoint / "notes.txt", "a user's own file does no harm");
    QVERIFY(checkpointComplete(checkpoint, true));

    for (const char* text : { "", "[]", "{}", "{\"files\":3}", "{\"files\":[1]}", "{\"files\":[{\"name\":\"state.json\"}]}", "{\"files\":[{\"name\":1,\"bytes\":1,\"sha256\":\"\"}]}" }) {
        writeRaw(manifest, text);
        QVERIFY2(!checkpointComplete(checkpoint, false), text);
    }
    for (const char* name : { "../run.json", "/etc/passwd", "..", ".", "", "a\\u0000b" }) {
        writeRaw(manifest, std::string("{\"files\":[{\"name\":\"").append(name).append("\",\"bytes\":1,\"sha256\":\"\"}]}"));
        QCOMPARE(checkpointProblem(checkpoint, false), std::string("its manifest.json names a file outside the folder"));
    }
    fs::remove(manifest);
    QVERIFY(checkpointProblem(checkpoint, false).find("was never finished") != std::string::npos);
    QCOMPARE(checkpointProblem(checkpoint / "none", false), std::string("it is not a folder"));
}

void RunDirectoryTest::pointers()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    publish(run, 10);
    QVERIFY(!run.pointer("latest"));
    run.setPointer("latest", checkpointName(10));
    QVERIFY(run.pointer("latest") == checkpointName(10));
    QCOMPARE(readRaw(run.checkpoints() / "latest"), std::string("step-00000010\n"));
    fs::create_directory(pathOf(folder) / "outside");
    fs::copy(run.checkpoints() / checkpointName(10), pathOf(folder) / "outside" / "step-1");
    for (const auto& text : { std::string("step-00000010"), std::string("step-00000010\r\n") }) {
        writeRaw(run.checkpoints() / "latest", text);
        QVERIFY(run.pointer("latest") == checkpointName(10));
    }
    for (const auto& text : { std::string(), std::string("\n"), std::string("step-11"), std::string("../checkpoints/step-00000010"), std::string("./step-00000010"), std::string("step-00000010/"),
             std::string("../../outside/step-1"), (pathOf(folder) / "outside/step-1").string(), std::string("step-00000010\nx"), std::string("step-00000010\0x", 15), std::string(100000, '1') }) {
        writeRaw(run.checkpoints() / "latest", text);
        QVERIFY2(!run.pointer("latest"), text.substr(0, 80).c_str());
    }
    run.setPointer("latest", checkpointName(10));
    fs::resize_file(run.checkpoints() / checkpointName(10) / "state.json", 1);
    QVERIFY(!run.pointer("latest")); // names a checkpoint that is not whole
    fs::remove(run.checkpoints() / "latest");
    fs::create_symlink("/etc/hostname", run.checkpoints() / "latest");
    QVERIFY(!run.pointer("latest"));
    fs::remove(run.checkpoints() / "latest");
    QCOMPARE(::mkfifo((run.checkpoints() / "latest").c_str(), 0600), 0);
    QVERIFY(!run.pointer("latest"));
}

void RunDirectoryTest::pruning()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    pruneCheckpoints(run, 3);
    for (int step = 1; step <= 7; ++step) publish(run, step);
    run.setPointer("best", checkpointName(2));
    run.setPointer("latest", checkpointName(7));
    fs::create_directory(run.checkpoints() / "notes");
    fs::create_directory(run.checkpoints() / ".tmp-step-00000009-999999999"); // no such process
    writeRaw(run.root() / ".tmp-file1-999999999", "x");
    pruneCheckpoints(run, 3);
    QVERIFY(run.list() == (std::vector<std::string> { "step-00000002", "step-00000005", "step-00000006", "step-00000007" }));
    QVERIFY(fs::exists(run.checkpoints() / "notes"));
    QCOMPARE(countTemporaries(run.root()), 0);
    run.setPointer("latest", checkpointName(5));
    pruneCheckpoints(run, 0); // at least one, whatever is asked
    QVERIFY(run.list() == (std::vector<std::string> { "step-00000002", "step-00000005", "step-00000007" }));
    pruneCheckpoints(run, 1000);
    QCOMPARE(run.list().size(), std::size_t(3));
}

void RunDirectoryTest::failedSaveLeavesNothing()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    const auto attempt = [&](const std::function<void(const fs::path&)>& write) {
        return messageOf([&] { publishCheckpoint(run, checkpointName(1), write); });
    };
    QCOMPARE(attempt([](const fs::path&) { throw Error("no memory", "use less"); }), std::string("no memory; use less"));
    QVERIFY(attempt([](const fs::path& to) { fs::create_directory(to / "folder"); }).find("is not a regular file") != std::string::npos);
    QVERIFY(attempt([](const fs::path& to) { fs::create_symlink("/etc/passwd", to / "link"); }).find("link: cannot open") != std::string::npos);
    QVERIFY_EXCEPTION_THROWN(publishCheckpoint(run, checkpointName(1), [](const fs::path&) { throw std::bad_alloc(); }), std::bad_alloc);
    QVERIFY(fs::is_empty(run.checkpoints()));
    fs::remove_all(run.checkpoints());
    publish(run, 1); // makes its folder again
    QCOMPARE(run.list().size(), std::size_t(1));
}

void RunDirectoryTest::everyFailureKeepsACheckpoint_data()
{
    QTest::addColumn<bool>("replace");
    QTest::addColumn<bool>("noExchange");
    QTest::newRow("new folder") << false << false;
    QTest::newRow("same folder") << true << false;
    QTest::newRow("same folder, no exchange") << true << true;
}

void RunDirectoryTest::everyFailureKeepsACheckpoint()
{
    QFETCH(bool, replace);
    QFETCH(bool, noExchange);
    Fault::noExchange = noExchange;
    const std::int64_t step = replace ? 1 : 2;
    for (const int error : { ENOSPC, EIO, EMFILE }) {
        int failures = 0;
        for (int operation = 1;; ++operation) {
            QTemporaryDir folder;
            const auto run = makeRun(folder);
            publish(run, 1, "old");
            run.setPointer("latest", checkpointName(1));
            std::string message;
            bool happened = false;
            {
                const Fault fault(operation, error);
                message = messageOf<IoError>([&] { publish(run, step, "new"); });
                happened = fault.happened();
            }
            if (!happened) {
                QVERIFY(message.empty());
                break;
            }
            ++failures;
            QVERIFY2(message.find(std::strerror(error)) != std::string::npos, message.c_str());
            const auto latest = run.pointer("latest");
            QVERIFY(latest == checkpointName(1));
            QVERIFY(checkpointComplete(run.checkpoints() / *latest, true));
            if (!replace) QCOMPARE(versionOf(run.checkpoints() / *latest), std::string("old"));
            pruneCheckpoints(run, 3);
            QCOMPARE(countTemporaries(run.root()), 0);
            publish(run, step, "new"); // the next attempt succeeds
            QCOMPARE(versionOf(run.checkpoints() / checkpointName(step)), std::string("new"));
        }
        QVERIFY2(failures >= 20, std::to_string(failures).c_str());
    }
    Fault::noExchange = false;
}

void RunDirectoryTest::everyKillKeepsACheckpoint_data() { everyFailureKeepsACheckpoint_data(); }

void RunDirectoryTest::everyKillKeepsACheckpoint()
{
    QFETCH(bool, replace);
    QFETCH(bool, noExchange);
    const std::int64_t step = replace ? 1 : 2;
    int kills = 0, old = 0;
    for (int operation = 1;; ++operation) {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        publish(run, 1, "old");
        run.setPointer("latest", checkpointName(1));
        const int status = inChild([&] {
            Fault::noExchange = noExchange;
            const RunLock lock(run.root());
            const Fault fault(operation, 0);
            publish(run, step, "new");
            run.setPointer("latest", checkpointName(step));
            pruneCheckpoints(run, 1);
            return 0;
        });
        const bool finished = exitedWith(status, 0);
        QVERIFY(finished || killed(status));
        const RunLock lock(run.root()); // the next start
        const auto checkpoint = resolveCheckpoint(run.root());
        QVERIFY(checkpointComplete(checkpoint, true));
        const auto version = versionOf(checkpoint);
        QVERIFY(version == "old" || version == "new");
        for (const auto& name : run.list()) QVERIFY(checkpointComplete(run.checkpoints() / name, true));
        QCOMPARE(countTemporaries(run.root()), 0);
        if (finished) {
            QCOMPARE(version, std::string("new"));
            break;
        }
        ++kills;
        old += version == "old";
    }
    QVERIFY(kills >= 28 && old >= 18 && old < kills);
}

void RunDirectoryTest::savesDoNotFollowLinks()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    fs::create_directory(pathOf(folder) / "victim");
    fs::remove_all(run.checkpoints());
    fs::create_directory_symlink(pathOf(folder) / "victim", run.checkpoints());
    QVERIFY(messageOf<IoError>([&] { publish(run, 1); }).find("is a symbolic link") != std::string::npos);
    QVERIFY(fs::is_empty(pathOf(folder) / "victim"));
    fs::remove(run.checkpoints());
    publish(run, 2);
    // A link in the place of the checkpoint is replaced; what it leads to stays.
    writeRaw(pathOf(folder) / "victim" / "file", "precious");
    fs::create_directory_symlink(pathOf(folder) / "victim", run.checkpoints() / checkpointName(3));
    publish(run, 3);
    QCOMPARE(readRaw(pathOf(folder) / "victim" / "file"), std::string("precious"));
    QVERIFY(run.list() == (std::vector<std::string> { "step-00000002", "step-00000003" }));
}

void RunDirectoryTest::resolving()
{
    QTemporaryDir folder;
    const auto root = pathOf(folder);
    const auto says = [&](const fs::path& path, const char* expected) {
        const auto message = refusal(path);
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
        QVERIFY2(says(root / name, "is a pickled PyTorch file, which can run any program when it is opened, so it is never read; convert it to safetensors"), name);
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
    publish(run, 2);
    const auto two = fs::canonical(run.checkpoints() / checkpointName(2)), three = two.parent_path() / checkpointName(3);
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
    fs::resize_file(three / "model.safetensors", 7);
    QVERIFY(says(three, "step-00000003: is not a complete checkpoint: model.safetensors has 7 bytes of 2003"));
    QVERIFY(says(run.checkpoints() / "latest", "latest: does not name a complete checkpoint"));
    fs::copy(two, root / "moved");
    QVERIFY(resolveCheckpoint(root / "moved") == fs::canonical(root / "moved")); // a checkpoint on its own is one
    QVERIFY(messageOf<CheckpointError>([&] { runOfCheckpoint(root / "moved"); }).find("does not lie in the checkpoints folder of a run") != std::string::npos);
}

void RunDirectoryTest::lockNamesItsHolder()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    QCOMPARE(RunLock::holder(run.root()), 0);
    QCOMPARE(RunLock::holder(run.root() / "none"), 0);
    {
        const RunLock lock(run.root());
        QCOMPARE(RunLock::holder(run.root()), int(::getpid()));
        const auto expected = std::string("is in use by process ").append(std::to_string(::getpid())).append("; open it as a viewer or stop that process");
        const auto message = messageOf<CheckpointError>([&] { RunLock second(run.root()); });
        QVERIFY2(message.find(expected) != std::string::npos, message.c_str());
    }
    QCOMPARE(RunLock::holder(run.root()), 0);
    const RunLock again(run.root());
    QVERIFY(!messageOf<IoError>([&] { RunLock lock(run.root() / "none"); }).empty());
}

void RunDirectoryTest::lockRefusesWhatIsNoFile()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    writeRaw(pathOf(folder) / "victim", "precious");
    fs::create_symlink(pathOf(folder) / "victim", run.root() / ".lock");
    QVERIFY(messageOf<IoError>([&] { RunLock lock(run.root()); }).find(".lock: cannot create: Too many levels") != std::string::npos);
    QCOMPARE(RunLock::holder(run.root()), 0);
    QCOMPARE(readRaw(pathOf(folder) / "victim"), std::string("precious"));
    fs::remove(run.root() / ".lock");
    QCOMPARE(::mkfifo((run.root() / ".lock").c_str(), 0600), 0);
    QVERIFY(messageOf<IoError>([&] { RunLock lock(run.root()); }).find("is not a regular file") != std::string::npos);
    QCOMPARE(RunLock::holder(run.root()), 0);
}

void RunDirectoryTest::hundredStartsOneWinner()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    struct Board {
        std::atomic<int> go, done, winners, losers, named, winner;
    };
    auto* board = shared<Board>();
    constexpr int starts = 100;
    std::vector<pid_t> children;
    for (int i = 0; i < starts; ++i) {
        const auto pid = ::fork();
        if (pid == 0) {
            while (board->go.load() == 0) ::usleep(50);
            try {
                const RunLock lock(run.root());
                ++board->winners;
                board->winner = ::getpid();
                ++board->done;
                while (board->done.load() < starts) ::usleep(200); // holds on until all have tried
                ::_exit(0);
            } catch (const CheckpointError& error) {
                ++board->losers;
                if (std::string(error.what()).find("is in use by process ") != std::string::npos) ++board->named;
                ++board->done;
                ::_exit(0);
            }
        }
        children.push_back(pid);
    }
    board->go = 1;
    for (const auto pid : children) {
        int status = 0;
        ::waitpid(pid, &status, 0);
        QVERIFY(exitedWith(status, 0));
    }
    QCOMPARE(board->winners.load(), 1);
    QCOMPARE(board->losers.load(), starts - 1);
    QCOMPARE(board->named.load(), starts - 1);
    ::munmap(board, sizeof *board);
}

void RunDirectoryTest::killedOwnersFreeTheLock()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    auto* holds = shared<std::atomic<int>>();
    for (int i = 1; i <= 100; ++i) {
        const auto pid = ::fork();
        if (pid == 0) {
            const RunLock lock(run.root());
            *holds = i;
            for (;;) ::pause();
        }
        while (holds->load() != i) ::usleep(50);
        QCOMPARE(RunLock::holder(run.root()), int(pid));
        ::kill(pid, SIGKILL);
        ::waitpid(pid, nullptr, 0);
        QCOMPARE(RunLock::holder(run.root()), 0);
        const RunLock lock(run.root());
        QCOMPARE(RunLock::holder(run.root()), int(::getpid()));
    }
    ::munmap(holds, sizeof *holds);
}

void RunDirectoryTest::askingDoesNotDisturb()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    { const RunLock create(run.root()); }
    const auto asker = ::fork();
    if (asker == 0)
        for (;;) RunLock::holder(run.root());
    int refused = 0;
    for (int i = 0; i < 300; ++i) refused += !messageOf<CheckpointError>([&] { const RunLock lock(run.root()); }).empty();
    ::kill(asker, SIGKILL);
    ::waitpid(asker, nullptr, 0);
    QCOMPARE(refused, 0);
}

QTEST_APPLESS_MAIN(RunDirectoryTest)
#include "run_directory_test.moc"
