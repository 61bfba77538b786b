// SPDX-License-Identifier: GPL-3.0-or-later
// What memory is left, of a machine and of the control groups that a process may be in.
#include "engine/base/memory.h"

#include "tests/suite.h"

#include <QDir>
#include <QFile>
#include <QTemporaryDir>
#include <QTest>

class MemoryTest : public QObject {
    Q_OBJECT

    static constexpr std::int64_t gigabyte_ = std::int64_t(1) << 30;

    static void put(const QTemporaryDir& root, const QString& name, const QByteArray& content)
    {
        const auto path = root.filePath(name);
        QVERIFY(QDir().mkpath(QFileInfo(path).path()));
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly) && file.write(content) == content.size());
    }
    static std::int64_t left(const QTemporaryDir& root) { return pha::availableMemory(root.path().toStdString()); }

private Q_SLOTS:
    void ofThisMachine() { QVERIFY(pha::availableMemory() > 0); }

    void nobodyKnows()
    {
        const QTemporaryDir root;
        QCOMPARE(left(root), std::int64_t(0));
    }

    void withoutLimits()
    {
        const QTemporaryDir root;
        put(root, "proc/meminfo", "MemTotal: 16777216 kB\nMemFree: 1000 kB\nMemAvailable: 8388608 kB\n");
        QCOMPARE(left(root), 8 * gigabyte_);
        put(root, "proc/self/cgroup", "0::/user.slice/run\n");
        put(root, "sys/fs/cgroup/user.slice/run/memory.max", "max\n");
        put(root, "sys/fs/cgroup/user.slice/run/memory.current", "1073741824\n");
        QCOMPARE(left(root), 8 * gigabyte_);
    }

    void theUnifiedGroupsLimit()
    {
        const QTemporaryDir root;
        put(root, "proc/meminfo", "MemAvailable: 8388608 kB\n");
        put(root, "proc/self/cgroup", "0::/outer/inner\n");
        put(root, "sys/fs/cgroup/outer/inner/memory.max", "4294967296\n");
        put(root, "sys/fs/cgroup/outer/inner/memory.current", "1073741824\n");
        QCOMPARE(left(root), 3 * gigabyte_);
        put(root, "sys/fs/cgroup/outer/inner/memory.stat", "anon 1\ninactive_file 536870912\nactive_file 7\n");
        QCOMPARE(left(root), 3 * gigabyte_ + gigabyte_ / 2);
        put(root, "sys/fs/cgroup/outer/memory.max", "2147483648\n"); // of a group that it lies in
        put(root, "sys/fs/cgroup/outer/memory.current", "1073741824\n");
        QCOMPARE(left(root), gigabyte_);
        put(root, "sys/fs/cgroup/outer/memory.current", "2147483649\n"); // 0 would mean that nobody knows
        QCOMPARE(left(root), std::int64_t(1));
    }

    void theMemoryControllersLimit()
    {
        const QTemporaryDir root;
        put(root, "proc/meminfo", "MemAvailable: 8388608 kB\n");
        put(root, "proc/self/cgroup", "5:cpu,cpuacct:/docker/a1\n4:memory:/docker/a1\n0::/\n");
        put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "2147483648\n"); // all of the path that is mounted
        put(root, "sys/fs/cgroup/memory/memory.usage_in_bytes", "1073741824\n");
        put(root, "sys/fs/cgroup/memory/memory.stat", "inactive_file 1\ntotal_inactive_file 1073741824\n");
        QCOMPARE(left(root), 2 * gigabyte_);
        put(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"); // none
        QCOMPARE(left(root), 8 * gigabyte_);
    }
};

PHA_TEST(MemoryTest)
#include "memory_test.moc"
