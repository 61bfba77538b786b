// SPDX-License-Identifier: GPL-3.0-or-later
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <atomic>

#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

class RunLockTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void lockNamesItsHolder();
    void lockRefusesWhatIsNoFile();
    void hundredStartsOneWinner();
    void killedOwnersFreeTheLock();
    void askingDoesNotDisturb();
};

void RunLockTest::lockNamesItsHolder()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    QCOMPARE(RunLock::holder(run.root()), 0);
    QCOMPARE(RunLock::holder(run.root() / "none"), 0);
    {
        const RunLock lock(run.root());
        QCOMPARE(RunLock::holder(run.root()), int(::getpid()));
        const auto expected = std::string("is in use by process ")
                                  .append(std::to_string(::getpid()))
                                  .append("; open it as a viewer or stop that process");
        const auto message = messageOf<CheckpointError>([&] { RunLock second(run.root()); });
        QVERIFY2(message.find(expected) != std::string::npos, message.c_str());
    }
    QCOMPARE(RunLock::holder(run.root()), 0);
    const RunLock again(run.root());
    QVERIFY(!messageOf<IoError>([&] { RunLock lock(run.root() / "none"); }).empty());
}

void RunLockTest::lockRefusesWhatIsNoFile()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    writeRaw(pathOf(folder) / "victim", "precious");
    fs::create_symlink(pathOf(folder) / "victim", run.root() / ".lock");
    QVERIFY(messageOf<IoError>([&] { RunLock lock(run.root()); }).find(".lock: cannot create: Too many levels")
        != std::string::npos);
    QCOMPARE(RunLock::holder(run.root()), 0);
    QCOMPARE(readRaw(pathOf(folder) / "victim"), std::string("precious"));
    fs::remove(run.root() / ".lock");
    QCOMPARE(::mkfifo((run.root() / ".lock").c_str(), 0600), 0);
    QVERIFY(messageOf<IoError>([&] { RunLock lock(run.root()); }).find("is not a regular file") != std::string::npos);
    QCOMPARE(RunLock::holder(run.root()), 0);
}

void RunLockTest::hundredStartsOneWinner()
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

void RunLockTest::killedOwnersFreeTheLock()
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

void RunLockTest::askingDoesNotDisturb()
{
    QTemporaryDir folder;
    const auto run = makeRun(folder);
    {
        const RunLock create(run.root());
    }
    const auto asker = ::fork();
    if (asker == 0)
        for (;;) RunLock::holder(run.root());
    int refused = 0;
    for (int i = 0; i < 300; ++i)
        refused += !messageOf<CheckpointError>([&] { const RunLock lock(run.root()); }).empty();
    ::kill(asker, SIGKILL);
    ::waitpid(asker, nullptr, 0);
    QCOMPARE(refused, 0);
}

PHA_TEST(RunLockTest)
#include "run_lock_test.moc"
