// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/time_estimate.h"

#include "engine/base/hardware_meter.h"
#include "engine/run/metrics.h"
#include "run_tools.h"
#include "tests/suite.h"

#include <QTest>

#include <cmath>
#include <fstream>

using namespace pha;
using test::pathOf;

/// Runs that say nothing but how fast they were.
class TimeEstimateTest : public QObject {
    Q_OBJECT

private:
    QTemporaryDir folder_;
    int written_ = 0;

    void write(const std::string& name, const char* preset, double rate, const std::string& processor = {},
        std::int64_t steps = 30)
    {
        RunFile file { name, "2026-01-0" + std::to_string(++written_) + "T00:00:00Z", findPreset(preset).config,
            Json::object() };
        file.config.model.vocabulary = file.config.data.vocabSize;
        if (!processor.empty()) file.environment["processor"] = processor;
        const RunDirectory run(pathOf(folder_) / name);
        run.create(file);
        std::string lines;
        for (std::int64_t step = 1; step <= steps; ++step) {
            StepEvent event;
            event.step = step;
            event.tokensPerSecond = step % 2 ? rate : rate * 3; // the median of 30 lies between
            lines += eventToJson(event).dump() + '\n';
        }
        test::writeRaw(run.metricsFile(), lines);
    }
    std::string chosen(const char* preset) const
    {
        auto config = findPreset(preset).config; // of unknown vocabulary, as before a run
        const auto basis = TimeEstimate(pathOf(folder_)).basis(config);
        return basis ? basis->text() : "";
    }

private Q_SLOTS:
    void whatWasThereBeforeAProcessIsNotItsOwn()
    {
        QCOMPARE(processRate({ 1, 500, 2 }, { 8, 4000, 14 }), 4000. / 14); // a run from its first update on
        // 4,000 tokens in 14 seconds were another machine's, which a resume and a fork go on from.
        QCOMPARE(processRate({ 9, 4500, 14.5 }, { 13, 6500, 15.5 }), 2000.);
        QCOMPARE(processRate({ 9, 4500, 14.5 }, { 9, 4500, 14.5 }), 0.);
    }

    void init()
    {
        folder_ = QTemporaryDir();
        written_ = 0;
    }

    void takesTheRunThatIsMostLikeIt()
    {
        QCOMPARE(chosen("pha-tiny"), std::string());
        write("short", "pha-tiny", 50, {}, 19);
        QCOMPARE(chosen("pha-tiny"), std::string()); // too few updates
        write("far", "transformer-tiny", 100, "Another Processor 9000");
        QCOMPARE(chosen("pha-tiny"),
            std::string("the rate of far, which has another shape and was trained by another machine"));
        QCOMPARE(chosen("transformer-tiny"), std::string("the rate of far, which another machine trained"));
        write("older", "transformer-tiny", 100, processorName());
        QCOMPARE(chosen("pha-tiny"), std::string("the rate of older, which has another shape"));
        QCOMPARE(chosen("transformer-tiny"), std::string("the rate of older")); // not that of another machine
        write("family", "pha-small", 100);
        write("unlike", "gss-tiny", 100);
        QCOMPARE(chosen("pha-tiny"), std::string("the rate of family, which has another shape"));
        write("own", "pha-tiny", 100);
        write("newest", "transformer-tiny", 100);
        QCOMPARE(chosen("pha-tiny"), std::string("the rate of own"));
        QCOMPARE(chosen("transformer-tiny"), std::string("the rate of newest"));
    }

    void looksAgainOnlyAtWhatHasChanged()
    {
        write("own", "pha-tiny", 1000);
        const auto config = findPreset("pha-tiny").config;
        TimeEstimate times(pathOf(folder_));
        const double rate = times.basis(config)->flopsPerSecond;
        const auto file = RunDirectory(pathOf(folder_) / "own").metricsFile();
        const auto lines = [](double value, int steps) {
            std::string text;
            for (int step = 1; step <= steps; ++step) {
                StepEvent event;
                event.step = step;
                event.tokensPerSecond = value;
                text += eventToJson(event).dump() + '\n';
            }
            return text;
        };
        const auto size = fs::file_size(file);
        const auto time = fs::last_write_time(file);
        auto faster = lines(9000, 25);
        QVERIFY(faster.size() < size);
        faster.insert(0, std::string(size - faster.size() - 1, ' ') + '\n');
        test::writeRaw(file, faster);
        fs::last_write_time(file, time);
        times.look(pathOf(folder_));
        QCOMPARE(times.basis(config)->flopsPerSecond, rate); // the file looks as it did
        test::writeRaw(file, lines(9000, 59));
        times.look(pathOf(folder_));
        QCOMPARE(times.basis(config)->flopsPerSecond, rate); // not yet twice as long
        test::writeRaw(file, lines(9000, 60));
        times.look(pathOf(folder_));
        QVERIFY(times.basis(config)->flopsPerSecond > 2 * rate);
        write("another", "pha-tiny", 500);
        times.look(pathOf(folder_));
        QCOMPARE(times.basis(config)->run, std::string("another"));
        fs::remove_all(pathOf(folder_) / "another");
        times.look(pathOf(folder_));
        QCOMPARE(times.basis(config)->run, std::string("own"));
    }

    void measuresALongRunByItsEnd()
    {
        write("long", "pha-tiny", 1000, {}, 20'000);
        const auto file = RunDirectory(pathOf(folder_) / "long").metricsFile();
        std::string end;
        for (int step = 20'001; step <= 32'000; ++step) {
            StepEvent event;
            event.step = step;
            event.tokensPerSecond = 50;
            end += eventToJson(event).dump() + '\n';
        }
        QVERIFY(end.size() > 1 << 20);
        std::ofstream(file, std::ios::app) << end;
        auto config = findPreset("pha-tiny").config;
        config.model.vocabulary = config.data.vocabSize; // as the run has it
        QCOMPARE(TimeEstimate(pathOf(folder_)).basis(config)->flopsPerSecond, trainingFlops(config, 50));
    }

    void scalesByTheOperationsOfAToken()
    {
        write("own", "pha-tiny", 1000);
        TimeEstimate times(pathOf(folder_));
        const auto same = findPreset("pha-tiny").config, larger = findPreset("pha-small").config;
        auto basis = times.basis(same);
        QVERIFY(basis && basis->sameShape);
        const double seconds = TimeEstimate::seconds(*basis, same, 1e6);
        QVERIFY2(seconds > 330 && seconds < 1001, qPrintable(QString::number(seconds))); // 1000 to 3000 tokens/s
        basis = times.basis(larger);
        QVERIFY(basis && !basis->sameShape);
        const double ratio = TimeEstimate::seconds(*basis, larger, 1e6) / seconds;
        QVERIFY(std::abs(ratio / (trainingFlopsPerToken(larger) / trainingFlopsPerToken(same)) - 1) < 0.2);
    }
};

PHA_TEST(TimeEstimateTest)
#include "time_estimate_test.moc"
