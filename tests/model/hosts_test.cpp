// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that several computers share: here each is a thread with a team of its own, and they speak over the loopback.
#include "engine/base/error.h"
#include "engine/train/follower.h"
#include "tests/model/shared_run.h"
#include "tests/suite.h"

#include <future>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace pha;
using namespace pha::test;

namespace {

bool said(const Recorder& recorder, const std::string& words)
{
    for (const auto& status : recorder.all<StatusEvent>())
        if (status.detail.find(words) != std::string::npos) return true;
    return false;
}

/// A run that waits for others at a free port, led in a thread of its own.
class Led {
public:
    Led(TrainingRequest request, std::int64_t others, const std::function<void(Trainer&)>& prepare = {})
    {
        request.others = { others, "127.0.0.1:0", "secret" };
        recorder.react = [this](const Event& event) {
            const auto* progress = std::get_if<ProgressEvent>(&event);
            const auto at = progress ? progress->what.find("port ") : std::string::npos;
            if (at != std::string::npos && !std::exchange(waiting_, true))
                port_.set_value(std::to_string(std::stoi(progress->what.substr(at + 5))));
            if (also) also(event);
        };
        state = std::async(std::launch::async, [this, request, prepare] {
            Trainer trainer(request, recorder, stop.get_token());
            trainer_ = &trainer;
            if (prepare) prepare(trainer);
            return trainer.run(recorder, stop.get_token());
        });
        port = port_.get_future().get();
    }
    ~Led() { stop.request_stop(); }
    void post(Command command) { trainer_->post(std::move(command)); } ///< on its own thread, in `also`

    std::function<void(const Event&)> also;
    std::stop_source stop;
    Recorder recorder;
    std::string port;
    std::future<RunState> state;

private:
    std::promise<std::string> port_;
    bool waiting_ = false;
    Trainer* trainer_ = nullptr;
};

/// Another computer.
class Joined {
public:
    explicit Joined(
        const std::string& port, std::int64_t devices = 1, std::int64_t rank = -1, const std::string& key = "secret")
        : state(std::async(std::launch::async, [this, port, devices, rank, key] {
            JoinRequest request { "127.0.0.1:" + port, key };
            request.devices = devices;
            request.threads = 1;
            request.rank = rank;
            return followRun(request, recorder, stop.get_token());
        }))
    {
    }
    std::stop_source stop;
    Recorder recorder;
    std::future<RunState> state;
};

template <class Future> std::string failureOf(Future& future)
{
    try {
        future.get();
    } catch (const Error& error) {
        return error.problem();
    }
    return {};
}

} // namespace

class HostsTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

    TrainingRequest request(const std::string& name, const RunConfig& config) const
    {
        TrainingRequest r;
        r.config = config;
        r.directory = runs_.folder(name);
        return r;
    }
    std::vector<double> onOne(const std::string& name, const RunConfig& config)
    {
        Recorder recorder;
        runs_.train(name, config, &recorder);
        return losses(recorder);
    }
    /// Led with the request's devices, and joined by a computer with so many for each of `others`.
    std::vector<double> together(
        const TrainingRequest& request, const std::vector<std::int64_t>& others, RunState end = RunState::Finished)
    {
        Led led(request, std::int64_t(others.size()));
        std::vector<std::unique_ptr<Joined>> joined;
        for (std::size_t i = 0; i < others.size(); ++i)
            joined.push_back(std::make_unique<Joined>(led.port, others[i], std::int64_t(i)));
        const auto state = led.state.get();
        if (state != end) qFatal("the run has ended otherwise");
        for (auto& one : joined)
            if (one->state.get() != end) qFatal("the run has ended otherwise for others");
        for (auto& one : joined)
            if (losses(one->recorder) != losses(led.recorder)) qFatal("others have seen other losses");
        return losses(led.recorder);
    }

private Q_SLOTS:
    void computersMakeTheUpdatesOfDevices_data()
    {
        QTest::addColumn<QString>("settings");
        QTest::addColumn<bool>("alsoThree");
        QTest::newRow("masks of all") << "dropout=0.1 branch_dropout=0.1" << true;
        QTest::newRow("muon") << "optimizer=muon" << true;
        QTest::newRow("a task") << "data=mqar task_length=32 task_symbols=64" << false;
        QTest::newRow("regularised") << "entropy_bonus=0.05 prior_weight=0.1 attention_cost=0.05" << false;
        QTest::newRow("recomputed") << "recompute=true" << false;
    }
    void computersMakeTheUpdatesOfDevices()
    {
        QFETCH(QString, settings);
        QFETCH(bool, alsoThree);
        auto two = sharedRun(2), three = sharedRun(3);
        for (auto* config : { &two, &three }) {
            for (const auto& setting : settings.split(' '))
                config->set(setting.section('=', 0, 0).toStdString(), setting.section('=', 1).toStdString());
        }
        const std::string name = QTest::currentDataTag();
        const auto asTwo = onOne(name + "2", two);
        two.training.devices = 1;
        QCOMPARE(together(request(name + "1+1", two), { 1 }), asTwo);
        if (!alsoThree) return;
        const auto asThree = onOne(name + "3", three);
        three.training.devices = 1;
        // Here the sums of the second computer are added up first.
        const auto far = farthest(together(request(name + "1+2", three), { 2 }), asThree);
        QVERIFY2(far < 2e-5, qPrintable(QString::number(far)));
        QCOMPARE(together(request(name + "1+1+1", three), { 1, 1 }), asThree);
    }

    void distilsTogether()
    {
        auto teacher = sharedRun(1);
        teacher.set("family", "transformer"), teacher.set("qk_mode", "dot"), teacher.set("kv_heads", "2");
        const auto from = runs_.train("teacher", teacher);
        auto student = teacher;
        student.set("family", "hedgehog");
        student.training.distillSteps = 3;
        auto r = request("student", student);
        r.convertFrom = from;
        const auto shared = together(r, { 1 });
        r.directory = runs_.folder("student2");
        r.config.training.devices = 2;
        Recorder recorder;
        runs_.run(r, &recorder);
        QCOMPARE(shared, losses(recorder));
    }

    void aStoppedRunGoesOnExactly()
    {
        auto config = sharedRun(1);
        config.training.dropout = 0.1;
        const auto whole = together(request("whole", config), { 1 });
        config.training.stopAfter = 3;
        auto parts = together(request("parts", config), { 1 }, RunState::Stopped);
        auto rest = request("parts", config);
        rest.resume = true;
        rest.config.training.stopAfter = 0;
        rest.overrides = { "stop_after" };
        for (const auto loss : together(rest, { 1 })) parts.push_back(loss);
        QCOMPARE(parts, whole); // with dropout: the others' masks too
        const auto described = RunDirectory(runs_.folder("whole")).read().environment.at("computers");
        QCOMPARE(described.size(), std::size_t(1));
        QCOMPARE(described[0].at("devices").get<int>(), 1);
    }

    void settingsChangeForAll()
    {
        const auto changed = [&](const std::string& name, std::int64_t devices, std::int64_t others) {
            auto r = request(name, sharedRun(devices));
            std::optional<Led> led;
            std::unique_ptr<Joined> joined;
            if (others == 0) {
                Recorder recorder;
                Trainer trainer(r, recorder, {});
                recorder.react = [&](const Event& event) {
                    if (const auto* step = std::get_if<StepEvent>(&event); step && step->step == 3)
                        trainer.post({ Command::Kind::Change, "clip", Json(0.01) });
                };
                trainer.run(recorder, {});
                return losses(recorder);
            }
            led.emplace(r, others);
            led->also = [&](const Event& event) {
                if (const auto* step = std::get_if<StepEvent>(&event); step && step->step == 3)
                    led->post({ Command::Kind::Change, "clip", Json(0.01) });
            };
            joined = std::make_unique<Joined>(led->port);
            led->state.get();
            joined->state.get();
            return losses(led->recorder);
        };
        const auto shared = changed("changed", 1, 1);
        QCOMPARE(shared, changed("changed2", 2, 0));
        QVERIFY(shared != onOne("unchanged", sharedRun(2)));
    }

    void anAlertSeesTheTextsOfAll()
    {
        const auto fails = [](Trainer& trainer) { trainer.failLossForTest(4, 5); };
        Recorder recorder;
        Trainer two(request("alert2", sharedRun(2)), recorder, {});
        fails(two);
        two.run(recorder, {});
        const auto one = recorder.all<AlertEvent>();
        Led led(request("alert", sharedRun(1)), 1, fails);
        Joined joined(led.port);
        led.state.get();
        joined.state.get();
        const auto shared = led.recorder.all<AlertEvent>();
        QVERIFY(!one.empty());
        QCOMPARE(shared.size(), one.size());
        QCOMPARE(shared[0].texts.size(), one[0].texts.size());
        for (std::size_t i = 0; i < one[0].texts.size(); ++i) {
            QCOMPARE(shared[0].texts[i].row, one[0].texts[i].row);
            QCOMPARE(shared[0].texts[i].loss, one[0].texts[i].loss);
        }
    }

    void whoeverHasNotTheKeyIsSentAway()
    {
        Led led(request("key", sharedRun(1)), 1);
        Joined wrong(led.port, 1, -1, "another");
        QVERIFY(failureOf(wrong.state).find("the key is another one") != std::string::npos);
        { // nobody of ours
            auto stranger = Connection::open({ "127.0.0.1", led.port }, std::chrono::seconds(5));
            stranger.sendBytes("GET / HTTP/1.1\r\n\r\n", 18);
        }
        Joined right(led.port);
        QCOMPARE(led.state.get(), RunState::Finished);
        QCOMPARE(right.state.get(), RunState::Finished);
        QVERIFY(said(led.recorder, "was sent away: the key is another one"));
        QVERIFY(said(led.recorder, "did not join"));
        QVERIFY(said(led.recorder, "has joined with 1 device"));
        QVERIFY(said(right.recorder, "as device 2 of 2"));
    }

    void whoGoesBeforeTheRunBeginsIsReplaced()
    {
        Led led(request("replaced", sharedRun(1)), 2);
        {
            auto line = Connection::open({ "127.0.0.1", led.port }, std::chrono::seconds(5));
            line.send({ { "do", "hello" }, { "program", PHA_VERSION }, { "libtorch", TORCH_VERSION },
                { "device", "cpu" }, { "devices", 1 }, { "name", "far" }, { "key", "secret" } });
        }
        Joined one(led.port), another(led.port);
        QCOMPARE(led.state.get(), RunState::Finished);
        QCOMPARE(one.state.get(), RunState::Finished);
        QCOMPARE(another.state.get(), RunState::Finished);
        QCOMPARE(losses(led.recorder).size(), std::size_t(6));
        QVERIFY(said(led.recorder, "has gone before the run began"));
    }

    void moreDevicesThanSequencesAreRefused()
    {
        Led led(request("many", sharedRun(1)), 1);
        Joined joined(led.port, 5);
        QCOMPARE(failureOf(led.state), std::string("batch_size is 5"));
        QVERIFY(!failureOf(joined.state).empty());
        QVERIFY(!fs::exists(runs_.folder("many"))); // nothing is left behind
    }

    void aRequestToStopAnywhereStopsAll()
    {
        auto config = sharedRun(1);
        config.training.steps = 100000;
        config.training.saveEvery = 0;
        Led led(request("stopped", config), 1);
        Joined joined(led.port);
        joined.recorder.react = [&](const Event& event) {
            if (const auto* step = std::get_if<StepEvent>(&event); step && step->step == 3) joined.stop.request_stop();
        };
        QCOMPARE(led.state.get(), RunState::Stopped);
        QCOMPARE(joined.state.get(), RunState::Stopped);
        QVERIFY(said(led.recorder, "stopped on "));
        QCOMPARE(RunDirectory(runs_.folder("stopped")).list().size(), std::size_t(1));
    }

    /// A computer that vanishes ends the update for all; the run goes on from its checkpoint, without it if need be.
    void aComputerThatVanishesEndsTheRun()
    {
        const auto config = sharedRun(1);
        Led led(request("lost", config), 2);
        std::promise<void> begun;
        led.also = [&](const Event& event) {
            if (const auto* status = std::get_if<StatusEvent>(&event); status && status->state == RunState::Running)
                begun.set_value();
        };
        Joined stays(led.port, 1, 1);
        std::thread vanishing([&] {
            auto line = Connection::open({ "127.0.0.1", led.port }, std::chrono::seconds(5));
            line.send({ { "do", "hello" }, { "program", PHA_VERSION }, { "libtorch", TORCH_VERSION },
                { "device", "cpu" }, { "devices", 1 }, { "name", "far" }, { "key", "secret" }, { "rank", 2 } });
            begun.get_future().wait();
        });
        const auto problem = failureOf(led.state);
        vanishing.join();
        QVERIFY2(problem.find("the connection to far") != std::string::npos, problem.c_str());
        const auto there = failureOf(stays.state);
        QVERIFY2(there.find("the run has failed: the connection to far") != std::string::npos, there.c_str());
        const auto status = led.recorder.all<StatusEvent>();
        QCOMPARE(status.back().state, RunState::Failed);
        Recorder alone;
        runs_.resume("lost", config, {}, &alone);
        QCOMPARE(losses(alone).size(), std::size_t(6));
    }

    /// What fails on a computer that has joined is said where the run is led.
    void aComputerThatFailsSaysWhy()
    {
        Led led(request("fails", sharedRun(1)), 1);
        auto line = Connection::open({ "127.0.0.1", led.port }, std::chrono::seconds(5));
        line.send({ { "do", "hello" }, { "program", PHA_VERSION }, { "libtorch", TORCH_VERSION }, { "device", "cpu" },
            { "devices", 1 }, { "name", "far" }, { "key", "secret" } });
        line.receive();
        line.send({ { "do", "failed" }, { "what", "no memory is left" }, { "advice", "take less" } });
        try {
            led.state.get();
            QFAIL("nothing was thrown");
        } catch (const Error& error) {
            QVERIFY(error.problem().starts_with("far (127.0.0.1:"));
            QVERIFY(error.problem().ends_with(": no memory is left"));
            QCOMPARE(error.advice(), std::string("take less"));
        }
    }

    /// What waits for a card cannot be told: the process ends.
    void aProcessThatWaitsForALostOneEnds()
    {
#ifdef __SANITIZE_THREAD__
        QSKIP("that sanitizer allows no threads after a fork");
#endif
        Listener listener({ "127.0.0.1", "0" });
        const auto child = fork();
        if (child == 0) {
            auto line = Connection::open({ "127.0.0.1", listener.port() }, std::chrono::seconds(5));
            LifeLine lifeLine({ &line }, std::chrono::milliseconds(200));
            lifeLine.busy(true);
            std::this_thread::sleep_for(std::chrono::seconds(100));
            _exit(0);
        }
        { // it connects, and is left
            const auto line = listener.accept(std::chrono::seconds(50));
            QVERIFY(line.has_value());
        }
        int status = 0;
        waitpid(child, &status, 0);
        QVERIFY(WIFEXITED(status));
        QCOMPARE(WEXITSTATUS(status), 1);
    }

    void nobodyListens()
    {
        JoinRequest request { "127.0.0.1:1", "" };
        request.patience = 0;
        Recorder recorder;
        QVERIFY_THROWS_EXCEPTION(Error, followRun(request, recorder, {}));
        request.address = "nowhere.invalid:29400";
        QVERIFY_THROWS_EXCEPTION(Error, followRun(request, recorder, {}));
        for (const auto* address : { "host", "host:", "host:x", ":29400", "host:0", "host:99999", "::1:29400" }) {
            request.address = address;
            QVERIFY_THROWS_EXCEPTION(ConfigError, followRun(request, recorder, {}));
        }
        QCOMPARE(NetworkAddress::parse("a", "[::1]:29400", true).host, std::string("::1"));
        QCOMPARE(NetworkAddress::parse("a", "[::1]:29400", true).text(), std::string("[::1]:29400"));
        QCOMPARE(NetworkAddress::parse("a", "29400", false).port, std::string("29400"));
    }

    void descriptionsThatCannotBeAreRefused()
    {
        const auto refused = [](const char* text) {
            try {
                describedTensors(Json::parse(text), 1 << 20);
            } catch (const Error&) {
                return true;
            }
            return false;
        };
        QVERIFY(refused(R"([{"type":4,"sizes":[-1,3]}])"));
        QVERIFY(refused(R"([{"type":4,"sizes":[4294967296,4294967296]}])"));
        QVERIFY(refused(R"([{"type":99,"sizes":[1]}])"));
        QVERIFY(refused(R"([{"type":6,"sizes":[200000]},{"type":6,"sizes":[200000]}])"));
        QVERIFY(!refused(R"([{"type":6,"sizes":[2,3]},{"type":4,"sizes":[0]}])"));
    }
};

PHA_TEST(HostsTest)
#include "hosts_test.moc"
