// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/step_runner.h"

#include "engine/model/device_cache.h"
#include "engine/model/processor_step.h"

#include <cmath>
#include <cstring>
#include <limits>

namespace pha {

namespace {

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

/// What a card and processors have in common: the description, its changes and the state.
class Runner : public StepRunner {
public:
    Runner(const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch, std::int64_t leastRoom)
        : model_(model)
        , pass_(pass)
        , state_(state)
        , leastRoom_(leastRoom)
        , parameters_(model.parameters())
    {
        const auto options = torch::dtype(torch::kLong).device(model.embedding().device());
        ids_ = torch::zeros({ batch, 1 }, options);
        logits_ = torch::empty({ batch, 1, model.config().vocabulary }, options.dtype(torch::kFloat));
    }

    Tensor read(const Tensor& ids) override
    {
        if (at_ != state_.length || at_ >= step_.room || weights_ != weights()) {
            const bool still = prepare();
            TORCH_CHECK(still, "a model that one kernel reads took another form while it was read");
        }
        if (pass_.mix) give();
        if (ids.data_ptr() != ids_.data_ptr()) ids_.copy_(ids);
        run();
        ++at_, ++state_.length;
        for (auto& layer : state_.layers)
            for (auto& part : layer)
                if (part.keys.defined()) part.filled = keptKeys(model_.config(), state_.length);
        return logits_;
    }
    Tensor ids() const override { return ids_; }
    /// Describes the model as it is now and lays out its step. False if there is no such form.
    bool prepare()
    {
        const torch::NoGradGuard guard;
        const auto device = ids_.device();
        at_ = state_.length;
        const auto room = std::max(leastRoom_, 2 * at_);
        const auto& c = model_.config();
        reserveByHead(state_, keyRoom(c, room));
        held_.clear();
        step_ = {};
        step_.batch = int(ids_.size(0));
        step_.room = room;
        step_.length = at_;
        if (!model_.describe(step_, pass_.matrix, held_, state_)) return false;
        const auto rope = model_.cache().rope(0, room, c.headWidth(), c.ropeBase, device);
        held_.push_back(rope.cosine), held_.push_back(rope.sine);
        step_.cosine = floats(rope.cosine), step_.sine = floats(rope.sine);
        if (pass_.mix) {
            given_ = torch::empty({ std::int64_t(step_.stages.size()), kernels::mostBranches },
                torch::dtype(torch::kFloat).device(device));
            known_.clear();
            for (std::size_t i = 0; i < step_.stages.size(); ++i)
                step_.stages[i].given = floats(given_) + i * kernels::mostBranches;
        }
        weights_ = weights();
        return layOut();
    }

protected:
    virtual bool layOut() = 0; ///< of step_; false: it does not fit
    virtual void run() = 0; ///< ids_ -> logits_

    kernels::StepModel step_;
    std::int64_t at_ = 0;
    Tensor ids_, logits_;

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
    const std::int64_t leastRoom_;
    const std::vector<Tensor> parameters_;
    std::vector<std::int64_t> weights_;
    std::vector<Tensor> held_; ///< what step_ points at
    Tensor given_;
    std::vector<float> known_; ///< in given_
};

class CardRunner final : public Runner {
public:
    CardRunner(const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch, StepDevice device)
        : Runner(model, pass, state, batch, 1024)
        , device_(std::move(device))
    {
    }
    Tensor best() const override { return ids_; } // where the kernel leaves them

private:
    bool layOut() override
    {
        if (!kernels::stepFits(step_)) return false;
        const auto device = ids_.device();
        plan_ = std::make_unique<kernels::StepPlan>(step_, device_.multiprocessors);
        tasks_ = copyTo(plan_->tasks.data(), plan_->tasks.size() * sizeof(kernels::StepTask), device);
        begin_ = copyTo(plan_->begin.data(), plan_->begin.size() * sizeof(int), device);
        words_ = torch::zeros({ plan_->words }, ids_.options());
        kernels::StepControl control;
        control.position = at_;
        control_ = copyTo(&control, sizeof control, device);
        return true;
    }
    void run() override
    {
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
    }

    const StepDevice device_;
    std::unique_ptr<kernels::StepPlan> plan_;
    Tensor tasks_, begin_, words_, control_;
};

class ProcessorRunner final : public Runner {
public:
    ProcessorRunner(const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch)
        : Runner(model, pass, state, batch, 256)
    {
    }
    Tensor best() const override { return logits_.argmax(-1); }

private:
    bool layOut() override
    {
        if (!cpu::ProcessorStep::fits(step_)) return false;
        machine_ = std::make_unique<cpu::ProcessorStep>(step_);
        return true;
    }
    void run() override { machine_->run(ids_.data_ptr<std::int64_t>(), at_, logits_.data_ptr<float>()); }

    std::unique_ptr<cpu::ProcessorStep> machine_;
};

/// Nothing is asked of the pass but logits, after a prompt.
bool plain(const Pass& pass, const ModelState& state)
{
    return !(pass.training || pass.record || pass.distil || pass.meanWeights) && state.length > 0;
}

} // namespace

std::unique_ptr<StepRunner> StepRunner::make(
    const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch, StepDevice device)
{
    if (!plain(pass, state) || pass.matrix != torch::kBFloat16) return {};
    if (batch > kernels::mostStepBatch || device.multiprocessors < int(batch)) return {};
    auto runner = std::make_unique<CardRunner>(model, pass, state, batch, std::move(device));
    if (!runner->prepare()) return {};
    return runner;
}

std::unique_ptr<StepRunner> StepRunner::onProcessors(
    const LanguageModel& model, const Pass& pass, ModelState& state, std::int64_t batch)
{
    const auto type = model.embedding().scalar_type();
    if (!plain(pass, state) || !model.embedding().is_cpu()) return {};
    if ((pass.matrix != torch::kFloat && pass.matrix != torch::kBFloat16) || type == torch::kDouble) return {};
    auto runner = std::make_unique<ProcessorRunner>(model, pass, state, batch);
    if (!runner->prepare()) return {};
    return runner;
}

} // namespace pha
