// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/active_clock.h"
#include "engine/base/hardware_meter.h"
#include "tests/suite.h"

#include <QFile>
#include <QTemporaryDir>
#include <QTest>

using namespace pha;

class HardwareMeterTest : public QObject {
    Q_OBJECT

    static void write(const QString& path, const QByteArray& text)
    {
        QFile file(path);
        QVERIFY(file.open(QIODevice::WriteOnly));
        file.write(text);
    }

private Q_SLOTS:
    void aCardTellsUseTemperatureAndPower()
    {
        const auto meter = cardMeter("0000:1b:00.0", PHA_FAKE_NVML);
        QVERIFY(meter != nullptr);
        const auto first = meter->read();
        QCOMPARE(first.use.value(), 0.97);
        QCOMPARE(first.celsius.value(), 61.0);
        QCOMPARE(first.watts.value(), 412.5);
        const double joules = meter->joules().value();
        QCOMPARE(meter->joules().value() - joules, 100.0);
    }

    void noCardAndNoLibraryAreNoMeter()
    {
        QVERIFY(cardMeter("0000:00:00.0", PHA_FAKE_NVML) == nullptr);
        QVERIFY(cardMeter("0000:1b:00.0", "libof-nobody.so.1") == nullptr);
        QVERIFY(processorMeter("/nonexistent") == nullptr);
    }

    void packagesAreSummedAndCountersMayBeginAgain()
    {
        QTemporaryDir folder;
        QDir at(folder.path());
        for (const char* name :
            { "intel-rapl", "intel-rapl:0", "intel-rapl:0:0", "intel-rapl:1", "intel-rapl-mmio:0" }) {
            QVERIFY(at.mkdir(name));
            write(at.filePath(name) + "/max_energy_range_uj", "1000000000\n");
            write(at.filePath(name) + "/energy_uj", "999000000\n");
        }
        const auto meter = processorMeter(folder.path().toStdString());
        QVERIFY(meter != nullptr);
        QCOMPARE(meter->joules().value(), 0.0);
        write(at.filePath("intel-rapl:0/energy_uj"), "2000000\n"); // 3 J further, past the end
        write(at.filePath("intel-rapl:1/energy_uj"), "999500000\n");
        write(at.filePath("intel-rapl:0:0/energy_uj"), "999900000\n"); // a part of package 0
        QCOMPARE(meter->joules().value(), 3.5);
        QCOMPARE(meter->joules().value(), 3.5);
        const auto first = meter->read();
        QVERIFY(!first.use && !first.celsius && !first.watts); // power is energy since the reading before
        write(at.filePath("intel-rapl:0/energy_uj"), "12000000\n");
        QVERIFY(!meter->read().watts); // too early to ask again
        QTest::qWait(250);
        QVERIFY(meter->read().watts.value() > 0 && meter->read().watts.value() <= 10 / 0.2);
        QFile::remove(at.filePath("intel-rapl:1/energy_uj"));
        QVERIFY(!meter->joules());
    }

    /// Of two cores: looks at (wall, processor).
    void aStoppedProcessDoesNotWork()
    {
        StoppedTime stopped(2);
        QCOMPARE(stopped.look(1000, 50), 0.0); // where the clocks stand at first means nothing
        QCOMPARE(stopped.look(1000.5, 51), 0.0);
        QCOMPARE(stopped.look(1002, 51.1), 0.0); // a busy machine
        QCOMPARE(stopped.look(1012, 52.1), 9.5); // Ctrl+Z and fg; it worked for half a second before
        QCOMPARE(stopped.look(1012, 52.1), 9.5);
        QCOMPARE(stopped.look(1022, 60.1), 9.5); // it worked, and nobody looked
        QCOMPARE(stopped.look(1025, 60.1), 12.0);
        ActiveClock clock;
        const double before = clock.seconds();
        while (clock.seconds() == before) { }
        QVERIFY(clock.seconds() > before);
    }

    void thisProcessUsesTime()
    {
        const double before = processorSeconds();
        volatile double sum = 0;
        while (processorSeconds() - before < 0.02) sum = sum + 1;
        QVERIFY(processorSeconds() > before);
    }
};

PHA_TEST(HardwareMeterTest)
#include "hardware_meter_test.moc"
