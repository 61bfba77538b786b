// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/engine.h"

#include "engine/base/error.h"
#include "engine/eval/loaded_model.h"
#include "engine/eval/model_file.h"
#include "engine/system/bench.h"
#include "engine/system/selftest.h"
#include "engine/torch/cpu_allocator.h"
#include "engine/torch/device.h"
#include "engine/torch/plain_errors.h"
#include "engine/train/follower.h"
#include "engine/train/trainer.h"

namespace pha {

namespace {

/// The trainer with the same care for messages.
class PlainJob final : public TrainingJob {
public:
    explicit PlainJob(std::unique_ptr<Trainer> trainer)
        : trainer_(std::move(trainer))
    {
    }
    ~PlainJob() override
    {
        trainer_.reset();
        releaseCpuCache();
    }
    RunState run(EventSink& sink, std::stop_token stop) override
    {
        return withPlainErrors([&] { return trainer_->run(sink, stop); });
    }
    void post(Command command) override { trainer_->post(std::move(command)); }
    std::shared_ptr<LoadedModel> snapshot(std::chrono::milliseconds patience) override
    {
        return trainer_->snapshot(patience);
    }
    fs::path directory() const override { return trainer_->directory(); }

private:
    std::unique_ptr<Trainer> trainer_;
};

class TorchEngine final : public Engine {
public:
    TorchEngine() { installCpuAllocator(); }
    EngineInfo info() override { return describeMachine(); }
    std::unique_ptr<TrainingJob> openTraining(
        const TrainingRequest& request, EventSink& progress, std::stop_token stop) override
    {
        return withPlainErrors(
            [&] { return std::make_unique<PlainJob>(std::make_unique<Trainer>(request, progress, stop)); });
    }
    RunState join(const JoinRequest& request, EventSink& sink, std::stop_token stop) override
    {
        return withPlainErrors([&] { return followRun(request, sink, stop); });
    }
    std::shared_ptr<LoadedModel> load(
        const fs::path& path, const std::string& device, const std::string& precision) override
    {
        return withPlainErrors([&] { return loadNetwork(path, device, precision); });
    }
    void average(const std::vector<fs::path>& checkpoints, const fs::path& out) override
    {
        withPlainErrors([&] { averageCheckpoints(checkpoints, out); });
    }
    std::vector<CheckRow> selftest(
        const std::string& device, const std::function<void(const CheckRow&)>& onRow) override
    {
        return withPlainErrors([&] { return runSelftest(chooseDevice(device), onRow); });
    }
    std::vector<BenchRow> bench(
        const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop) override
    {
        return withPlainErrors([&] { return runBench(request, onRow, stop); });
    }
};

} // namespace

} // namespace pha

/// The one symbol that loadEngine() looks for. Lives until the process ends.
extern "C" pha::Engine* pha_create_engine() { return new pha::TorchEngine; }
