// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/system/selftest.h"
#include "engine/torch/device.h"
#include "engine/train/team.h"

#include <cmath>

namespace pha {

namespace {

constexpr std::int64_t sharedRows = 8; ///< of a batch

struct Course {
    std::vector<double> losses;
    bool replayed = true; ///< by every device
};

Course trainShared(RunConfig config, const torch::Device& device, std::int64_t devices)
{
    const torch::AutoGradMode on(true);
    constexpr std::int64_t updates = 6, length = 96;
    config.training.devices = devices;
    auto model = std::make_shared<LanguageModel>(config.model, 7);
    model->to(device);
    Team team(std::move(model), config.training);
    team.follow();
    Course course;
    for (std::int64_t i = 0; i < updates; ++i) {
        const auto text = torch::arange(sharedRows * (length + 1), torch::kLong)
                              .mul(31 + 2 * i)
                              .remainder(config.model.vocabulary)
                              .view({ sharedRows, -1 });
        std::vector<Tensor> inputs { text.narrow(1, 0, length).contiguous(), text.narrow(1, 1, length).contiguous() };
        inputs.push_back(team.first().optimizer->numbers({ double(sharedRows * length), 1, 1e-3, 0.1 }));
        const auto work = [](Learner& learner, const std::vector<Tensor>& in) {
            Pass pass;
            pass.training = true;
            return plainUpdate(*learner.model, *learner.optimizer, pass, in, {}, learner.sum);
        };
        course.losses.push_back(team.update(inputs, work, true).loss);
    }
    team.requireSameWeights();
    team.each([&](const Learner& learner) { course.replayed = course.replayed && learner.captured->replays(); });
    return course;
}

CheckRow compareDevices(const std::string& preset, const torch::Device& device, std::int64_t devices)
{
    CheckRow row { std::to_string(devices) + " devices = 1, " + preset, 0, 1e-4, false, {} };
    const auto& config = findPreset(preset).config;
    const auto one = trainShared(config, device, 1), many = trainShared(config, device, devices);
    for (std::size_t i = 0; i < one.losses.size(); ++i) {
        const double difference = std::abs(many.losses[i] / one.losses[i] - 1);
        if (difference <= row.difference) continue; // false for NaN
        row.difference = difference;
        row.detail = "loss " + std::to_string(i);
    }
    row.passed = row.difference <= row.tolerance;
    if (device.is_cuda() && !many.replayed) {
        row.passed = false;
        row.detail = "not captured";
    }
    return row;
}

} // namespace

std::vector<CheckRow> runTeamChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow)
{
    std::vector<CheckRow> checks;
    const auto devices = device.is_cuda() ? std::min(sharedRows, std::int64_t(torch::cuda::device_count())) : 2;
    if (devices < 2) return checks;
    for (const auto* preset : { "pha-tiny", "transformer-tiny" }) {
        checks.push_back(compareDevices(preset, device, devices));
        onRow(checks.back());
    }
    return checks;
}

} // namespace pha
