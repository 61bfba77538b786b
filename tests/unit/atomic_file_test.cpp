// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"
#include "run_tools.h"
#include "tests/suite.h"

#include <QTest>

#include <csignal>
#include <cstring>

#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

class AtomicFileTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void replaces();
    void respectsUmask();
    void keepsVictimOfSymlink();
    void newOnlyOnce();
    void withoutCommitNothingStays();
    void everyFailureKeepsTheOldFile();
    void everyKillLeavesOldOrNew();
    void fullDisk();
    void fileSizeLimit();
    void readingRefuses();
    void sweepTakesOnlyTheDead();
};

void AtomicFileTest::replaces()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "a b\n\"c\".txt";
    for (const auto& content :
        { std::string("one"), std::string(), std::string(std::size_t(3) << 20, 'x'), std::string("\0\r\n", 3) }) {
        writeFileAtomically(file, content);
        QVERIFY(readRaw(file) == content);
        QVERIFY(readFile(file) == content);
    }
    QCOMPARE(countTemporaries(pathOf(folder)), 0);
    const auto message = messageOf<IoError>([&] { writeFileAtomically(pathOf(folder) / "none" / "file", "x"); });
    QVERIFY2(message.find("none/file: cannot create: No such file") != std::string::npos, message.c_str());
}

void AtomicFileTest::respectsUmask()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    for (const auto& [mask, mode] : { std::pair<mode_t, mode_t>(022, 0644), { 077, 0600 }, { 0, 0644 } }) {
        const auto before = ::umask(mask);
        writeFileAtomically(file, "x");
        ::umask(before);
        struct stat status { };
        QCOMPARE(::stat(file.c_str(), &status), 0);
        QCOMPARE(status.st_mode & 0777, mode);
    }
}

void AtomicFileTest::keepsVictimOfSymlink()
{
    QTemporaryDir folder;
    const auto victim = pathOf(folder) / "victim", link = pathOf(folder) / "link";
    writeRaw(victim, "precious");
    fs::create_symlink(victim, link);
    writeFileAtomically(link, "new");
    QCOMPARE(readRaw(victim), std::string("precious"));
    QCOMPARE(readRaw(link), std::string("new"));
    QVERIFY(!fs::is_symlink(link));
}

void AtomicFileTest::newOnlyOnce()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    for (const bool first : { true, false }) {
        AtomicFile out(file);
        const std::string text = first ? "first" : "second";
        out.write(text.data(), text.size());
        QCOMPARE(out.commitNew(), first);
    }
    QCOMPARE(readRaw(file), std::string("first"));
    QCOMPARE(countTemporaries(pathOf(folder)), 0);
}

void AtomicFileTest::withoutCommitNothingStays()
{
    QTemporaryDir folder;
    {
        AtomicFile out(pathOf(folder) / "file");
        out.write("x", 1);
        QCOMPARE(countTemporaries(pathOf(folder)), 1);
    }
    QVERIFY(fs::is_empty(pathOf(folder)));
}

void AtomicFileTest::everyFailureKeepsTheOldFile()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    for (const int error : { ENOSPC, EIO, EROFS, EDQUOT, EMFILE, EINTR }) {
        int failures = 0;
        for (int operation = 1;; ++operation) {
            writeFileAtomically(file, "old");
            std::string message;
            bool happened = false;
            {
                const Fault fault(operation, error);
                message = messageOf<IoError>([&] { writeFileAtomically(file, "new"); });
                happened = fault.happened();
            }
            if (!happened) break;
            ++failures;
            QVERIFY2(message.find(std::strerror(error)) != std::string::npos, message.c_str());
            // Only the last operations, which make the rename durable, come after it.
            const auto content = readRaw(file);
            QVERIFY(content == "old" || (content == "new" && operation > 5));
            QCOMPARE(countTemporaries(pathOf(folder)), 0);
        }
        QCOMPARE(failures, 7); // open, write, sync, close, rename; open and sync of the folder
    }
}

void AtomicFileTest::everyKillLeavesOldOrNew()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    int kills = 0;
    for (int operation = 1;; ++operation) {
        writeFileAtomically(file, "old");
        const int status = inChild([&] {
            const Fault fault(operation, 0);
            writeFileAtomically(file, "new");
            return 0;
        });
        if (exitedWith(status, 0)) break;
        QVERIFY(killed(status));
        ++kills;
        QCOMPARE(readRaw(file), std::string(operation <= 5 ? "old" : "new"));
        sweepTemporaries(pathOf(folder), false);
        QCOMPARE(countTemporaries(pathOf(folder)), 0);
    }
    QCOMPARE(kills, 7);
}

void AtomicFileTest::fullDisk()
{
    QTemporaryDir folder;
    const auto disk = pathOf(folder) / "disk";
    fs::create_directory(disk);
    if (::mount("tmpfs", disk.c_str(), "tmpfs", 0, "size=64k") != 0) QSKIP("mounting a tiny file system needs root");
    writeFileAtomically(disk / "file", "old");
    const auto message = messageOf<IoError>([&] { writeFileAtomically(disk / "file", std::string(1 << 20, 'x')); });
    const auto content = readRaw(disk / "file");
    const int litter = countTemporaries(disk);
    // Room again: the next attempt succeeds by itself.
    writeFileAtomically(disk / "file", std::string(20000, 'y'));
    const auto after = readRaw(disk / "file").size();
    ::umount(disk.c_str());
    QVERIFY2(message.find("No space left on device") != std::string::npos, message.c_str());
    QCOMPARE(content, std::string("old"));
    QCOMPARE(litter, 0);
    QCOMPARE(after, std::size_t(20000));
}

void AtomicFileTest::fileSizeLimit()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    writeFileAtomically(file, "old");
    const int status = inChild([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        const rlimit limit { 4096, 4096 };
        ::setrlimit(RLIMIT_FSIZE, &limit);
        return messageOf<IoError>([&] { writeFileAtomically(file, std::string(8192, 'x')); }).find("File too large")
                != std::string::npos
            ? 0
            : 1;
    });
    QVERIFY(exitedWith(status, 0));
    QCOMPARE(readRaw(file), std::string("old"));
    QCOMPARE(countTemporaries(pathOf(folder)), 0);
}

void AtomicFileTest::readingRefuses()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "file";
    const auto refusal = [](const fs::path& path, std::int64_t limit = 100) {
        return messageOf<DataError>([&] { readFile(path, limit); });
    };
    QVERIFY(refusal(file).find("does not exist") != std::string::npos);
    writeRaw(file, std::string(101, 'x'));
    QVERIFY(refusal(file).find("has 101 bytes, more than the limit of 100") != std::string::npos);
    QVERIFY(refusal(file, 101).empty());
    QVERIFY(refusal(pathOf(folder)).find("is a folder") != std::string::npos);
    QVERIFY(refusal("/dev/zero").find("is not a regular file") != std::string::npos);
    QCOMPARE(::mkfifo((pathOf(folder) / "fifo").c_str(), 0600), 0);
    QVERIFY(refusal(pathOf(folder) / "fifo").find("is not a regular file") != std::string::npos);
    fs::create_symlink("loop", pathOf(folder) / "loop");
    QVERIFY(refusal(pathOf(folder) / "loop").find("cannot be read: ") != std::string::npos);
}

void AtomicFileTest::sweepTakesOnlyTheDead()
{
    QTemporaryDir folder;
    const auto root = pathOf(folder);
    const auto dead = std::to_string([] {
        const auto pid = ::fork();
        if (pid == 0) ::_exit(0);
        ::waitpid(pid, nullptr, 0);
        return pid;
    }());
    const auto own = std::to_string(::getpid()), parent = std::to_string(::getppid());
    fs::create_directory(root / (".tmp-step-00000001-" + dead));
    writeRaw(root / (".tmp-step-00000001-" + dead) / "file", "x");
    for (const auto& name : { ".tmp-file1-" + dead, ".tmp-file1-" + own, ".tmp-file1-" + parent,
             std::string(".tmp-file1-"), std::string(".tmp-x"), ".tmp-a-" + dead + "x", "tmp-a-" + dead })
        writeRaw(root / name, "x");
    sweepTemporaries(root, false);
    QVERIFY(!fs::exists(root / (".tmp-step-00000001-" + dead)));
    QVERIFY(!fs::exists(root / (".tmp-file1-" + dead)));
    QCOMPARE(std::distance(fs::directory_iterator(root), {}), std::ptrdiff_t(6));
    sweepTemporaries(root, true);
    QVERIFY(!fs::exists(root / (".tmp-file1-" + own)));
    QCOMPARE(std::distance(fs::directory_iterator(root), {}), std::ptrdiff_t(5));
    sweepTemporaries(root / "none", true);
}

PHA_TEST(AtomicFileTest)
#include "atomic_file_test.moc"
