// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_queue_file.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <cerrno>
#include <cstring>

#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

class CheckpointsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void checkpointNames();
    void listIgnoresWhatIsIncomplete();
    void checkpointProblems();
    void pointers();
    void pruning();
    void aWaitingForkKeepsItsCheckpoint();
    void failedSaveLeavesNothing();
    void everyFailureKeepsACheckpoint_data();
    void everyFailureKeepsACheckpoint();
    void everyKillKeepsACheckpoint_data();
    void everyKillKeepsACheckpoint();
    void savesDoNotFollowLinks();
    void aFullDiskTakesOlderCheckpoints();
    void setAsideWherePlainRenamesAreAllThereIs();
};

void CheckpointsTest::aFullDiskTakesOlderCheckpoints()
{
    static fs::path inTheWay;
    static int error;
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    for (const int step : { 1, 2, 3 }) publish(run, step);
    run.setPointer("best", checkpointName(1));
    inTheWay = run.checkpoints() / checkpointName(2);
    const auto save = [&](int number) {
        error = number;
        faultHook = [](const char* operation, const fs::path&) {
            return std::string(operation) == "write" && fs::exists(inTheWay) ? error : 0;
        };
        bool madeRoom = false;
        const auto problem = messageOf<FileError>([&] {
            madeRoom = publishMakingRoom(run, checkpointName(4),
                [](const fs::path& to) { writeFileAtomically(to / "model.safetensors", "weights"); });
        });
        faultHook = nullptr;
        return std::pair(problem.empty(), madeRoom);
    };
    QVERIFY(save(EIO) == std::pair(false, false));
    QCOMPARE(run.list().size(), std::size_t(3)); // nothing is removed for what that does not mend
    for (const int number : { ENOSPC, EDQUOT }) {
        if (!fs::exists(inTheWay)) publish(run, 2);
        QVERIFY(save(number) == std::pair(true, true));
        QVERIFY(!fs::exists(inTheWay) && fs::exists(run.checkpoints() / checkpointName(1)));
        QVERIFY(checkpointComplete(run.checkpoints() / checkpointName(4), true));
    }
    QVERIFY(save(0) == std::pair(true, false));
    inTheWay = run.checkpoints(); // there is nothing that could go
    QVERIFY(save(ENOSPC) == std::pair(false, false));
    QVERIFY(run.list() == (std::vector<std::string> { checkpointName(1), checkpointName(4) }));
}

void CheckpointsTest::setAsideWherePlainRenamesAreAllThereIs()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    for (const int step : { 5, 10 }) publish(run, step, "old");
    const auto setAside = [&] {
        faultHook = [](const char* operation, const fs::path&) {
            return std::string(operation) == "noreplace" ? EINVAL : 0;
        };
        std::string problem;
        try {
            setAsideLaterCheckpoints(run, 5);
        } catch (const Error& error) {
            problem = error.what();
        }
        faultHook = nullptr;
        return problem;
    };
    QCOMPARE(setAside(), std::string());
    publish(run, 10, "new");
    QCOMPARE(setAside(), std::string()); // the first name is taken
    QVERIFY(run.list() == std::vector<std::string> { checkpointName(5) });
    QCOMPARE(versionOf(run.checkpoints() / "step-00000010.rewound-1"), std::string("old"));
    QCOMPARE(versionOf(run.checkpoints() / "step-00000010.rewound-2"), std::string("new"));
}

void CheckpointsTest::checkpointNames()
{
    QCOMPARE(checkpointName(1000), std::string("step-00001000"));
    QCOMPARE(checkpointName(1234567890), std::string("step-1234567890"));
    for (const std::int64_t step : { 0, 1, 99999999, 2000000000 })
        QVERIFY(checkpointStep(checkpointName(step)) == step);
    for (const char* name : { "", "step-", "step-x", "step-1x", "step--1", "step- 1", "step-+1", "Step-1", "step-1/..",
             "../step-1", "step-99999999999999999999", ".tmp-step-1-2" })
        QVERIFY2(!checkpointStep(name), name);
}

void CheckpointsTest::listIgnoresWhatIsIncomplete()
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
    QCOMPARE(run.damagedCheckpoint(), std::string("step-00000600: it is not a folder"));
    for (const char* name : { "step-00000500", "step-00000600" }) fs::remove(foreign / name);
    QCOMPARE(run.damagedCheckpoint(), std::string("step-00000400: model.safetensors has 10 bytes of 2003"));
    for (const char* name : { "step-00000300", "step-00000400" }) fs::remove_all(foreign / name);
    QCOMPARE(run.damagedCheckpoint(), std::string());
    QCOMPARE(RunDirectory(pathOf(folder) / "none").damagedCheckpoint(), std::string());
    QVERIFY(RunDirectory(pathOf(folder) / "none").list().empty());
}

void CheckpointsTest::checkpointProblems()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    publish(run, 1);
    const auto checkpoint = run.checkpoints() / checkpointName(1), model = checkpoint / "model.safetensors",
               manifest = checkpoint / "manifest.json";
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
    QCOMPARE(
        checkpointProblem(checkpoint, false), std::string("model.safetensors cannot be read: ") + std::strerror(ELOOP));
    fs::remove(model);
    QCOMPARE(::mkfifo(model.c_str(), 0600), 0);
    QCOMPARE(checkpointProblem(checkpoint, false), std::string("model.safetensors is not a regular file"));
    fs::remove(model);
    writeRaw(model, content);
    QVERIFY(checkpointComplete(checkpoint, true));
    writeRaw(checkpoint / "notes.txt", "a user's own file does no harm");
    QVERIFY(checkpointComplete(checkpoint, true));

    for (const char* text : { "", "[]", "{}", "{\"files\":3}", "{\"files\":[1]}",
             "{\"files\":[{\"name\":\"state.json\"}]}", "{\"files\":[{\"name\":1,\"bytes\":1,\"sha256\":\"\"}]}" }) {
        writeRaw(manifest, text);
        QVERIFY2(!checkpointComplete(checkpoint, false), text);
    }
    writeRaw(manifest, std::string(2 << 20, ' '));
    QVERIFY(checkpointProblem(checkpoint, false).starts_with("its manifest.json: has 2097152 bytes"));
    for (const char* name : { "../run.json", "/etc/passwd", "..", ".", "", "a\\u0000b" }) {
        writeRaw(
            manifest, std::string("{\"files\":[{\"name\":\"").append(name).append("\",\"bytes\":1,\"sha256\":\"\"}]}"));
        QCOMPARE(
            checkpointProblem(checkpoint, false), std::string("its manifest.json names a file outside the folder"));
    }
    fs::remove(manifest);
    QVERIFY(checkpointProblem(checkpoint, false).find("was never finished") != std::string::npos);
    QCOMPARE(checkpointProblem(checkpoint / "none", false), std::string("it is not a folder"));
}

void CheckpointsTest::pointers()
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
    for (const auto& text : { std::string(), std::string("\n"), std::string("step-11"),
             std::string("../checkpoints/step-00000010"), std::string("./step-00000010"), std::string("step-00000010/"),
             std::string("../../outside/step-1"), (pathOf(folder) / "outside/step-1").string(),
             std::string("step-00000010\nx"), std::string("step-00000010\0x", 15), std::string(100000, '1') }) {
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

void CheckpointsTest::pruning()
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
    QVERIFY(run.list()
        == (std::vector<std::string> { "step-00000002", "step-00000005", "step-00000006", "step-00000007" }));
    QVERIFY(fs::exists(run.checkpoints() / "notes"));
    QCOMPARE(countTemporaries(run.root()), 0);
    run.setPointer("latest", checkpointName(5));
    pruneCheckpoints(run, 0); // at least one, whatever is asked
    QVERIFY(run.list() == (std::vector<std::string> { "step-00000002", "step-00000005", "step-00000007" }));
    pruneCheckpoints(run, 1000);
    QCOMPARE(run.list().size(), std::size_t(3));
}

void CheckpointsTest::aWaitingForkKeepsItsCheckpoint()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder), other = makeRun(folder, "other");
    for (int step = 1; step <= 4; ++step) publish(run, step);
    WaitingRun fork { "fork", "fork", exampleFile().config, run.checkpoints() / checkpointName(1), {} };
    WaitingRun elsewhere { "of-another", "of-another", exampleFile().config, other.checkpoints() / checkpointName(2),
        {} };
    writeQueue(pathOf(folder), { fork, elsewhere });
    pruneCheckpoints(run, 1);
    QVERIFY(run.list() == (std::vector<std::string> { "step-00000001", "step-00000004" }));
    writeRaw(queueFile(pathOf(folder)), "{"); // nobody's word: a save goes on
    pruneCheckpoints(run, 1);
    QVERIFY(run.list() == std::vector<std::string> { "step-00000004" });
}

void CheckpointsTest::failedSaveLeavesNothing()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    const auto attempt = [&](const std::function<void(const fs::path&)>& write) {
        return messageOf([&] { publishCheckpoint(run, checkpointName(1), write); });
    };
    QCOMPARE(
        attempt([](const fs::path&) { throw Error("no memory", "use less"); }), std::string("no memory; use less"));
    QVERIFY(attempt([](const fs::path& to) { fs::create_directory(to / "folder"); }).find("is not a regular file")
        != std::string::npos);
    QVERIFY(
        attempt([](const fs::path& to) { fs::create_symlink("/etc/passwd", to / "link"); }).find("link: cannot open")
        != std::string::npos);
    QVERIFY_EXCEPTION_THROWN(
        publishCheckpoint(run, checkpointName(1), [](const fs::path&) { throw std::bad_alloc(); }), std::bad_alloc);
    QVERIFY(fs::is_empty(run.checkpoints()));
    fs::remove_all(run.checkpoints());
    publish(run, 1); // makes its folder again
    QCOMPARE(run.list().size(), std::size_t(1));
}

void CheckpointsTest::everyFailureKeepsACheckpoint_data()
{
    QTest::addColumn<bool>("replace");
    QTest::addColumn<bool>("noExchange");
    QTest::newRow("new folder") << false << false;
    QTest::newRow("same folder") << true << false;
    QTest::newRow("same folder, no exchange") << true << true;
}

void CheckpointsTest::everyFailureKeepsACheckpoint()
{
    QFETCH(bool, replace);
    QFETCH(bool, noExchange);
    Fault::noExchange = noExchange;
    const std::int64_t step = replace ? 1 : 2;
    for (const int error : { ENOSPC, EIO, EMFILE }) {
        int failures = 0;
        for (int operation = 1;; ++operation) {
            QTemporaryDir folder(scratchTemplate());
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

void CheckpointsTest::everyKillKeepsACheckpoint_data() { everyFailureKeepsACheckpoint_data(); }

void CheckpointsTest::everyKillKeepsACheckpoint()
{
    QFETCH(bool, replace);
    QFETCH(bool, noExchange);
    const std::int64_t step = replace ? 1 : 2;
    int kills = 0, old = 0;
    for (int operation = 1;; ++operation) {
        QTemporaryDir folder(scratchTemplate());
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

void CheckpointsTest::savesDoNotFollowLinks()
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

PHA_TEST(CheckpointsTest)
#include "checkpoints_test.moc"
