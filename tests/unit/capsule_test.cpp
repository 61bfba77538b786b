// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/sha256.h"
#include "engine/run/capsule_format.h"
#include "engine/run/run_about.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <utility>

using namespace pha;
using namespace pha::test;

namespace {

class Progress : public EventSink {
public:
    void publish(const Event& event) override
    {
        const auto& progress = std::get<ProgressEvent>(event);
        QVERIFY(progress.done >= last && progress.done <= progress.total + 1e6);
        last = progress.done;
        if (stopAfter > 0 && --stopAfter == 0) stop.request_stop();
    }
    double last = 0;
    int stopAfter = 0;
    std::stop_source stop;
};

/// A run with checkpoints 1 (best), 2 and 3 (latest).
RunDirectory fullRun(const QTemporaryDir& folder)
{
    auto run = makeRun(folder);
    writeRaw(run.metricsFile(), "{\"type\":\"step\",\"step\":3}\n{\"type\":\"st");
    writeRaw(run.tokenizerFile(), "tokens");
    for (const std::int64_t step : { 1, 2, 3 })
        publishCheckpoint(run, checkpointName(step), [&](const fs::path& to) {
            writeRaw(to / "model.safetensors", std::string(1000 + std::size_t(step), 'm'));
            writeRaw(to / "optimizer.safetensors", std::string(512, 'o'));
            writeRaw(to / "state.json", "{}");
        });
    run.setPointer("best", checkpointName(1));
    run.setPointer("latest", checkpointName(3));
    run.setPointer("before_alert", checkpointName(2));
    AboutChange change;
    change.notes = "why";
    change.archived = true;
    changeAbout(run.root(), change);
    return run;
}

/// Everything of a capsule as it can be damaged.
struct Parts {
    struct Member {
        std::string path, content, listed; ///< listed: its path in capsule.json, if another one
        std::int64_t size = -1; ///< that capsule.json and header give, if not the right one
        std::int64_t headerSize = -1;
        char type = '0';
        std::string hash;
    };
    std::vector<Member> members { { "run.json", exampleFile().toJson().dump(), {}, -1, -1, '0', {} },
        { "metrics.jsonl", "{}\n", {}, -1, -1, '0', {} } };
    std::string tail = std::string(1024, '\0');

    static std::string block(const std::string& path, const std::string& content, std::int64_t size, char type)
    {
        auto header = tarHeader(path, size, 0);
        if (type != '0') {
            header[156] = type;
            unsigned sum = 0;
            for (std::size_t i = 0; i < header.size(); ++i)
                sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
            std::snprintf(header.data() + 148, 7, "%06o", sum);
        }
        return std::string(header.data(), header.size()) + content
            + std::string(std::size_t(tarPadding(std::int64_t(content.size()))), '\0');
    }
    std::string bytes() const
    {
        Capsule capsule { "My run", "now", {} };
        std::string rest;
        for (const auto& m : members) {
            const auto size = m.size >= 0 ? m.size : std::int64_t(m.content.size());
            capsule.files.push_back(
                { m.listed.empty() ? m.path : m.listed, size, m.hash.empty() ? sha256Hex(m.content) : m.hash });
            rest += block(m.path, m.content, m.headerSize >= 0 ? m.headerSize : size, m.type);
        }
        const auto list = capsuleToJson(capsule).dump();
        return block(capsuleListName, list, std::int64_t(list.size()), '0') + rest + tail;
    }
};

} // namespace

class CapsuleTest : public QObject {
    Q_OBJECT

private:
    static std::string names(const Capsule& capsule)
    {
        std::string all;
        for (const auto& file : capsule.files) all += file.path + " ";
        return all;
    }
    static std::vector<std::string> inside(const fs::path& folder)
    {
        std::vector<std::string> all;
        for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path().filename().string());
        return all;
    }

private Q_SLOTS:
    void aRunGoesAndComesBack()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        Progress progress;
        const auto file = pathOf(folder) / "a.pha";
        const auto written = writeCapsule(run.root(), file, {}, progress, {});
        QCOMPARE(countTemporaries(pathOf(folder)), 0);
        QCOMPARE(names(readCapsule(file)), names(written));
        QVERIFY(names(written).find("step-00000002") == std::string::npos);
        progress.last = 0;
        const auto runs = pathOf(folder) / "runs";
        const RunDirectory back(importCapsule(file, runs, progress, {}));
        QCOMPARE(back.root().filename().string(), std::string("My run"));
        QVERIFY(back.read().toJson() == run.read().toJson());
        QCOMPARE(readRaw(back.metricsFile()), std::string("{\"type\":\"step\",\"step\":3}\n")); // whole lines
        QCOMPARE(back.list(), (std::vector<std::string> { checkpointName(1), checkpointName(3) }));
        for (const auto& name : back.list()) QVERIFY(checkpointComplete(back.checkpoints() / name, true));
        QCOMPARE(back.pointer("best"), std::optional(checkpointName(1)));
        QCOMPARE(back.pointer("latest"), std::optional(checkpointName(3)));
        QCOMPARE(readAbout(back.root()).notes, std::string("why"));
        QVERIFY(!readAbout(back.root()).archived);
        // Again: beside the first one, never over it.
        progress.last = 0;
        QCOMPARE(importCapsule(file, runs, progress, {}).filename().string(), std::string("My run-2"));
        QCOMPARE(inside(runs).size(), std::size_t(2));
    }

    /// What a run saves while its metrics are read is newer than they are.
    void metricsTellOfEveryCheckpoint()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        faultHook = [](const char* operation, const fs::path& path) {
            if (std::string(operation) != "open" || path.filename() != "tokenizer.model")
                return 0; // behind the metrics
            faultHook = nullptr;
            const RunDirectory trained(path.parent_path());
            publishCheckpoint(
                trained, checkpointName(4), [](const fs::path& to) { writeRaw(to / "state.json", "{}"); });
            trained.setPointer("latest", checkpointName(4));
            return 0;
        };
        Progress progress;
        Capsule written;
        try {
            written = writeCapsule(run.root(), pathOf(folder) / "a.pha", {}, progress, {});
        } catch (const std::exception&) {
        }
        QVERIFY(!std::exchange(faultHook, nullptr)); // it was called
        QCOMPARE(run.pointer("latest"), std::optional(checkpointName(4)));
        QVERIFY(names(written).find("step-00000003/model.safetensors") != std::string::npos);
        QVERIFY(names(written).find("step-00000004") == std::string::npos);
    }

    /// What a run in training removes after the list of its checkpoints was made is packed all the same.
    void aCheckpointMayBeRemovedBeforeItIsPacked()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        faultHook = [](const char* operation, const fs::path& path) {
            if (std::string(operation) != "open" || path.filename() != "metrics.jsonl")
                return 0; // checkpoints are listed
            faultHook = nullptr;
            fs::remove_all(path.parent_path() / "checkpoints" / checkpointName(2));
            return 0;
        };
        Progress progress;
        CapsuleOptions options;
        options.allCheckpoints = true;
        const auto file = pathOf(folder) / "a.pha";
        const auto message = messageOf([&] { writeCapsule(run.root(), file, options, progress, {}); });
        QVERIFY(!std::exchange(faultHook, nullptr)); // it was called
        QVERIFY2(message.empty(), message.c_str());
        QVERIFY(!fs::exists(run.checkpoints() / checkpointName(2)));
        progress.last = 0;
        const RunDirectory back(importCapsule(file, pathOf(folder) / "runs", progress, {}));
        QCOMPARE(back.list().size(), std::size_t(3));
        QVERIFY(checkpointComplete(back.checkpoints() / checkpointName(2), true));
    }

    void moreAndLess()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        Progress progress;
        CapsuleOptions options;
        options.allCheckpoints = options.weightsOnly = true;
        const auto file = pathOf(folder) / "a.pha";
        const auto written = writeCapsule(run.root(), file, options, progress, {});
        QVERIFY(names(written).find("step-00000002/model.safetensors") != std::string::npos);
        QVERIFY(names(written).find("optimizer") == std::string::npos);
        progress.last = 0;
        const RunDirectory back(importCapsule(file, pathOf(folder) / "runs", progress, {}));
        QCOMPARE(back.list().size(), std::size_t(3)); // whole, as their manifests have it
        QCOMPARE(back.pointer("before_alert"), std::optional(checkpointName(2)));
    }

    /// A resume of the run takes them into its averages; what no checkpoint of the capsule names stays behind.
    void weightsForAveragesGoAlong()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        fs::create_directories(run.averagedWeights(1).parent_path());
        for (const std::int64_t step : { 1, 2, 3 })
            writeRaw(run.averagedWeights(step), std::string(700 + std::size_t(step), 'p'));
        writeRaw(run.averages() / "best.safetensors", "mean");
        publishCheckpoint(run, checkpointName(3), [&](const fs::path& to) {
            writeRaw(to / "model.safetensors", "m");
            writeRaw(to / "state.json",
                R"({"averages":{"best":[{"step":1,"nll":2.5},{"step":4,"nll":2.75}],"last":[3]}})"); // 4 is gone
        });
        Progress progress;
        const auto file = pathOf(folder) / "a.pha";
        const auto written = names(writeCapsule(run.root(), file, {}, progress, {}));
        QVERIFY2(written.find("averages/parts/step-00000001.safetensors ") != std::string::npos, written.c_str());
        progress.last = 0;
        const RunDirectory back(importCapsule(file, pathOf(folder) / "runs", progress, {}));
        QCOMPARE(inside(back.averages()), (std::vector<std::string> { "parts" }));
        QCOMPARE(inside(back.averages() / "parts").size(), std::size_t(2));
        for (const std::int64_t step : { 1, 3 })
            QCOMPARE(readRaw(back.averagedWeights(step)), readRaw(run.averagedWeights(step)));
        CapsuleOptions options;
        options.replace = options.weightsOnly = true;
        progress.last = 0;
        QVERIFY(names(writeCapsule(run.root(), file, options, progress, {})).find("averages") == std::string::npos);
    }

    void nothingIsOverwrittenByExporting()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        Progress progress;
        const auto file = pathOf(folder) / "a.pha";
        writeRaw(file, "mine");
        QVERIFY(!messageOf<CheckpointError>([&] { writeCapsule(run.root(), file, {}, progress, {}); }).empty());
        QCOMPARE(readRaw(file), std::string("mine"));
        CapsuleOptions options;
        options.replace = true;
        writeCapsule(run.root(), file, options, progress, {});
        QVERIFY(!readCapsule(file).files.empty());
    }

    void damagedCheckpointsAreNotPacked()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        writeRaw(run.checkpoints() / checkpointName(3) / "model.safetensors", std::string(1003, 'x'));
        Progress progress;
        const auto file = pathOf(folder) / "a.pha";
        const auto message = messageOf([&] { writeCapsule(run.root(), file, {}, progress, {}); });
        QVERIFY2(message.find("SHA-256 differs") != std::string::npos, message.c_str());
        QVERIFY(!fs::exists(file));
        QCOMPARE(countTemporaries(pathOf(folder)), 0);
    }

    void stoppedItLeavesNothing()
    {
        QTemporaryDir folder;
        const auto run = fullRun(folder);
        const auto file = pathOf(folder) / "a.pha", runs = pathOf(folder) / "runs";
        Progress packing;
        packing.stopAfter = 3;
        QVERIFY(!messageOf([&] { writeCapsule(run.root(), file, {}, packing, packing.stop.get_token()); }).empty());
        QVERIFY(!fs::exists(file));
        Progress whole, unpacking;
        writeCapsule(run.root(), file, {}, whole, {});
        unpacking.stopAfter = 3;
        QVERIFY(!messageOf([&] { importCapsule(file, runs, unpacking, unpacking.stop.get_token()); }).empty());
        QVERIFY(inside(runs).empty());
    }

    void everyFaultLeavesNoRunOrAWholeOne()
    {
        QTemporaryDir folder(scratchTemplate());
        const auto run = fullRun(folder);
        const auto file = pathOf(folder) / "a.pha", runs = pathOf(folder) / "runs";
        Progress progress;
        writeCapsule(run.root(), file, {}, progress, {});
        for (int operation = 1;; ++operation) {
            fs::remove_all(runs);
            progress.last = 0;
            Fault fault(operation, ENOSPC);
            const auto message = messageOf([&] { importCapsule(file, runs, progress, {}); });
            const bool happened = fault.happened();
            faultHook = nullptr;
            if (!happened) break;
            for (const auto& name : fs::exists(runs) ? inside(runs) : std::vector<std::string>())
                QVERIFY2(RunDirectory(runs / name).list().size() == 2, (name + message).c_str());
        }
        QCOMPARE(inside(runs).size(), std::size_t(1));
    }

    void killedItLeavesNoRunThatLooksWhole()
    {
        QTemporaryDir folder(scratchTemplate());
        const auto run = fullRun(folder);
        const auto file = pathOf(folder) / "a.pha", runs = pathOf(folder) / "runs";
        Progress progress;
        writeCapsule(run.root(), file, {}, progress, {});
        for (int operation = 2; operation < 60; operation += 3) {
            fs::remove_all(runs);
            const auto status = inChild([&] {
                Progress none;
                const Fault fault(operation, 0);
                importCapsule(file, runs, none, {});
                return 0;
            });
            if (!killed(status)) break;
            for (const auto& name : fs::exists(runs) ? inside(runs) : std::vector<std::string>())
                QVERIFY(name.starts_with(".tmp-") || RunDirectory(runs / name).list().size() == 2);
            progress.last = 0;
            importCapsule(file, runs, progress, {}); // sweeps what the dead one left
            QCOMPARE(countTemporaries(runs), 0);
        }
    }

    void hostileOnesAreRefused_data()
    {
        QTest::addColumn<QByteArray>("bytes");
        QTest::addColumn<QByteArray>("says");
        const auto row = [](const char* name, const std::string& bytes, const char* says) {
            QTest::newRow(name) << QByteArray::fromStdString(bytes) << QByteArray(says);
        };
        const auto with = [](const std::function<void(Parts&)>& damage) {
            Parts parts;
            damage(parts);
            return parts.bytes();
        };
        const auto whole = Parts().bytes();
        row("empty", "", "cut off");
        row("half a header", whole.substr(0, 300), "cut off");
        row("cut", whole.substr(0, whole.size() - 1600), "cut off");
        row("text", std::string(5000, 'x'), "no capsule");
        row("zeros", std::string(5000, '\0'), "no capsule");
        row("more", whole + "more", "more than it lists");
        row("a second archive", whole + whole, "more than it lists");
        row("a tail without end", whole + std::string(2 << 20, '\0'), "more than it lists");
        for (const char* path : { "/etc/passwd", "../run.json", "checkpoints/../../x", "checkpoints/step-00000001/../x",
                 "checkpoints/step-1/model.safetensors", "checkpoints/x/y", ".lock", "run.json/", "./run.json", "a",
                 "checkpoints/step-00000001/.tmp", "checkpoints//x", "checkpoints/step-00000001/a/b", "run.json\n",
                 "checkpoints/step-00000001/a b", "averages/x", "averages/best.safetensors",
                 "averages/parts/step-1.safetensors", "averages/parts/step-00000001.safetensors/x",
                 "averages/parts/../step-00000001.safetensors", "averages/parts/step-00000001.txt", "" })
            row((std::string("path ") + path).c_str(), with([&](Parts& p) {
                p.members.push_back({ path, "x", {}, -1, -1, '0', {} });
            }),
                "no file of a run");
        row("long path", with([](Parts& p) {
            p.members.push_back({ "checkpoints/step-00000001/" + std::string(90, 'a'), "x", {}, -1, -1, '0', {} });
        }),
            "no file of a run");
        row("twice", with([](Parts& p) { p.members.push_back(p.members[1]); }), "twice");
        row("no run.json", with([](Parts& p) { p.members.erase(p.members.begin()); }), "no run.json");
        row("another name in the header", with([](Parts& p) {
            p.members[1].path = "../evil";
            p.members[1].listed = "metrics.jsonl";
        }),
            "where metrics.jsonl should be");
        for (const char type : { '1', '2', '3', '5', '6', 'L', 'x' })
            row((std::string("type ") + type).c_str(), with([&](Parts& p) { p.members[1].type = type; }),
                "something else than a regular file");
        row("a larger size", with([](Parts& p) { p.members[1].size = 1 << 20; }), "cut off");
        row("the largest size",
            with([](Parts& p) { p.members[1].size = std::numeric_limits<std::int64_t>::max() / 2; }), "cut off");
        row("a smaller size", with([](Parts& p) { p.members[1].size = 1; }), "");
        row("two sizes", with([](Parts& p) { p.members[1].headerSize = 2; }), "two different sizes");
        row("another hash", with([](Parts& p) { p.members[1].hash = std::string(64, '0'); }), "SHA-256 differs");
        row("no hash", with([](Parts& p) { p.members[1].hash = "../x"; }), "no size or hash");
        row("no run", with([](Parts& p) { p.members[0].content = "[1]"; }), "no sound run");
        row("a newer run", with([](Parts& p) { p.members[0].content = "{\"schema\":99}"; }), "no sound run");
        row("notes", with([](Parts& p) {
            p.members.push_back({ "about.json", "[", {}, -1, -1, '0', {} });
        }),
            "no sound run");
        row("a checkpoint without its list", with([](Parts& p) {
            p.members.push_back({ "checkpoints/step-00000001/model.safetensors", "x", {}, -1, -1, '0', {} });
        }),
            "not whole");
    }
    void hostileOnesAreRefused()
    {
        QFETCH(const QByteArray, bytes);
        QFETCH(const QByteArray, says);
        QTemporaryDir folder;
        const auto file = pathOf(folder) / "a.pha", runs = pathOf(folder) / "runs";
        writeRaw(file, bytes.toStdString());
        Progress progress;
        const auto message = messageOf<DataError>([&] { importCapsule(file, runs, progress, {}); });
        QVERIFY2(!message.empty() && message.find(says.toStdString()) != std::string::npos, message.c_str());
        QVERIFY(message.find('\n') == std::string::npos);
        QVERIFY(!fs::exists(runs) || inside(runs).empty());
        QCOMPARE(inside(pathOf(folder)).size(), fs::exists(runs) ? std::size_t(2) : std::size_t(1));
    }

    void oddPlacesAreRefused()
    {
        QTemporaryDir folder;
        Progress progress;
        for (const auto& path : { pathOf(folder), fs::path("/dev/null"), pathOf(folder) / "none" })
            QVERIFY(!messageOf<DataError>([&] { importCapsule(path, pathOf(folder) / "runs", progress, {}); }).empty());
    }

    void sizesBeyondOctalDigits()
    {
        const std::int64_t large = (std::int64_t(1) << 33) + 12345;
        QCOMPARE(readTarHeader(tarHeader("run.json", large, 0), "run.json", "x"), large);
        QCOMPARE(readTarHeader(tarHeader("run.json", large - 20000, 0), "run.json", "x"), large - 20000);
    }
};

PHA_TEST(CapsuleTest)
#include "capsule_test.moc"
