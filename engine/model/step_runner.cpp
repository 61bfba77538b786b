// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/step_runner.h"

#include "engine/model/device_cache.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace pha {

namespace {

constexpr std::int64_t leastRoom = 1024;

float* floats(const Tensor& t) { return t.data_ptr<float>(); }

/// Caches of at least `room` tokens with the tokens of a head side by side, (B,Hkv,room,dh) seen as (B,room,Hkv,dh);
/// their content stays.
void reserveByHead(ModelState& state, std::int64_t room)
{
    for (auto& layer : state.layers)
        for (auto& part : layer) {
            if (!part.keys.defined()) continue;
            for (auto* cache : { &part.keys, &part.values }) {
                const auto& old = *cache;
                if (old.size(1) == room && old.stride(1) == old.size(3)) continue;
                auto fresh =
                    torch::zeros({ old.size(0), old.size(2), room, old.size(3) }, old.options()).transpose(1, 2);
                fresh.narrow(1, 0, part.filled).copy_(old.narrow(1, 0, part.filled));
                *cache = fresh;
            }
        }
}

Tensor copyTo(const void* data, std::size_t bytes, const torch::Device& device)
{
    return torch::from_blob(const_cast<void*>(data), { std::int64_t(bytes) }, torch::kByte)
        .to(device, torch::kByte, false, true);
}

class Runner final : public StepRunner {
public:
    Runner(const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch, StepDevice device)
        : model_(model)
        , pass_(pass)
        , state_(state)
        , device_(std::move(device))
        , parameters_(model.parameters())
    {
        const auto options = torch::dtype(torch::kLong).device(model.embedding().device());
        ids_ = torch::zeros({ batch, 1 }, options);
        fits_ = prepare();
    }
    bool fits() const { return fits_; }

    Tensor read(const Tensor& ids) override
    {
        if (at_ != state_.length || at_ >= step_.room || weights_ != weights()) {
            const bool still = prepare();
            TORCH_CHECK(still, "a model that one kernel reads took another form while it was read");
        }
        if (pass_.mix) give();
        if (ids.data_ptr() != ids_.data_ptr()) ids_.copy_(ids);
        kernels::StepLaunch launch;
        launch.model = &step_;
        launch.plan = plan_.get();
        launch.tasks = static_cast<const kernels::StepTask*>(tasks_.data_ptr());
        launch.begin = static_cast<const int*>(begin_.data_ptr());
        launch.words = words_.data_ptr();
        launch.control = static_cast<kernels::StepControl*>(control_.data_ptr());
        launch.ids = ids_.data_ptr<std::int64_t>();
        launch.logits = logits_.data_ptr<float>();
        device_.run(launch);
        ++at_, ++state_.length;
        for (auto& layer : state_.layers)
            for (auto& part : layer)
                if (part.keys.defined()) ++part.filled;
        return logits_;
    }
    Tensor best() const override { return ids_; }

private:
    /// What tells that a weight was written or replaced.
    std::vector<std::int64_t> weights() const
    {
        std::vector<std::int64_t> all;
        all.reserve(2 * parameters_.size());
        for (const auto& w : parameters_) {
            all.push_back(std::int64_t(reinterpret_cast<std::intptr_t>(w.data_ptr())));
            all.push_back(std::int64_t(w._version()));
        }
        return all;
    }
    /// Describes the model as it is now and lays out its step. False if the kernel has no such form.
    bool prepare()
    {
        const torch::NoGradGuard guard;
        const auto device = ids_.device();
        at_ = state_.length;
        const auto room = std::max(leastRoom, 2 * at_);
        reserveByHead(state_, room);
        const auto& c = model_.config();
        held_.clear();
        step_ = {};
        step_.batch = int(ids_.size(0));
        step_.room = room;
        step_.length = at_;
        if (!model_.describe(step_, held_, state_)) return false;
        const auto rope = model_.cache().rope(0, room, c.headWidth(), c.ropeBase, device);
        held_.push_back(rope.cosine), held_.push_back(rope.sine);
        step_.cosine = floats(rope.cosine), step_.sine = floats(rope.sine);
        if (!kernels::stepFits(step_)) return false;
        if (pass_.mix) {
            given_ = torch::empty({ std::int64_t(step_.stages.size()), kernels::mostBranches },
                torch::dtype(torch::kFloat).device(device));
            known_.clear();
            for (std::size_t i = 0; i < step_.stages.size(); ++i)
                step_.stages[i].given = floats(given_) + i * kernels::mostBranches;
        }
        plan_ = std::make_unique<kernels::StepPlan>(step_, device_.multiprocessors);
        tasks_ = copyTo(plan_->tasks.data(), plan_->tasks.size() * sizeof(kernels::StepTask), device);
        begin_ = copyTo(plan_->begin.data(), plan_->begin.size() * sizeof(int), device);
        words_ = torch::zeros({ plan_->words }, ids_.options());
        kernels::StepControl control;
        control.position = at_;
        control_ = copyTo(&control, sizeof control, device);
        logits_ = torch::empty({ ids_.size(0), 1, c.vocabulary }, torch::dtype(torch::kFloat).device(device));
        weights_ = weights();
        return true;
    }
    /// The user's own weights, if they have changed.
    void give()
    {
        std::vector<float> chosen(step_.stages.size() * kernels::mostBranches, std::numeric_limits<float>::quiet_NaN());
        const auto names = model_.stageNames();
        for (const auto& change : *pass_.mix)
            for (std::size_t i = 0; i < names.size(); ++i)
                for (std::size_t k = 0; k < names[i].parts.size(); ++k)
                    if ((change.layer < 0 || change.layer == names[i].layer) && change.branch == names[i].parts[k])
                        chosen[i * kernels::mostBranches + k] = float(change.weight);
        const auto same = [&] { return std::memcmp(chosen.data(), known_.data(), chosen.size() * sizeof(float)) == 0; };
        if (known_.size() == chosen.size() && same()) return;
        known_ = chosen;
        given_.copy_(torch::from_blob(known_.data(), given_.sizes(), torch::kFloat));
    }

    const LanguageModel& model_;
    const Pass pass_;
    ModelState& state_;
    const StepDevice device_;
    const std::vector<Tensor> parameters_;
    std::vector<std::int64_t> weights_;
    std::vector<Tensor> held_; ///< what step_ points at
    kernels::StepModel step_;
    std::unique_ptr<kernels::StepPlan> plan_;
    Tensor tasks_, begin_, words_, control_, ids_, logits_, given_;
    std::vector<float> known_; ///< in given_
    std::int64_t at_ = 0;
    bool fits_ = false;
};

} // namespace

std::unique_ptr<StepRunner> StepRunner::make(
    const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch, StepDevice device)
{
    const bool asks = pass.training || pass.record || pass.distil || pass.meanWeights;
    if (asks || pass.matrix != torch::kBFloat16 || state.length == 0) return {};
    if (batch > kernels::mostStepBatch || device.multiprocessors < int(batch)) return {};
    auto runner = std::make_unique<Runner>(model, pass, state, batch, std::move(device));
    if (!runner->fits()) return {};
    return runner;
}

} // namespace pha
