// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/team.h"

#include "engine/base/error.h"
#include "engine/model/weights.h"
#include "engine/system/device.h"

#include <ATen/CPUGeneratorImpl.h>

#include <algorithm>
#include <bit>

namespace pha {

namespace {

at::Generator generatorOf(const torch::Device& device)
{
    return device.is_cuda() ? at::globalContext().defaultGenerator(device) : at::detail::createCPUGenerator();
}

bool sameBits(const UpdateResult& a, const UpdateResult& b)
{
    const auto bits = [](double value) { return std::bit_cast<std::uint64_t>(value); };
    return bits(a.loss) == bits(b.loss) && bits(a.norm) == bits(b.norm);
}

/// What is not a number equals itself.
Tensor bitsOf(const Tensor& weight)
{
    return weight.scalar_type() == torch::kFloat ? weight.detach().contiguous().view(torch::kInt) : weight.detach();
}

Error apart(const std::string& what)
{
    return Error("the devices that share this run have come to different " + what,
        "resume from the last checkpoint, on one device if it happens again");
}

} // namespace

Team::Team(std::shared_ptr<LanguageModel> model, const TrainingConfig& config)
    : results_(std::size_t(config.devices))
{
    const auto begin = model->embedding().device();
    std::vector<torch::Device> devices;
    for (std::int64_t i = 0; i < config.devices; ++i)
        devices.emplace_back(begin.type(), begin.is_cuda() ? begin.index() + c10::DeviceIndex(i) : -1);
    if (devices.size() > 1) exchange_ = Exchange::make(devices);
    for (std::size_t i = 0; i < devices.size(); ++i) {
        auto learner = std::make_unique<Learner>();
        learner->number = i;
        learner->device = devices[i];
        learner->model = i == 0 ? std::move(model) : emptyModel(first().model->config());
        learner->model->to(devices[i]);
        learner->optimizer = std::make_unique<Optimizer>(*learner->model, config);
        learner->captured = std::make_unique<CapturedUpdate>(*learner->model);
        learner->generator = generatorOf(devices[i]);
        if (exchange_) {
            learner->sum = [this, i](const std::vector<Tensor>& tensors) { exchange_->sum(i, tensors); };
            learner->captured->meetBy([this](bool yes) { return exchange_->meeting.agree(yes); });
        }
        learners_.push_back(std::move(learner));
    }
    seedDropout(std::uint64_t(config.seed));
    for (std::size_t i = 1; i < size(); ++i) threads_.emplace_back([this, i] { serve(*learners_[i]); });
}

Team::~Team()
{
    {
        const std::lock_guard lock(mutex_);
        ending_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
}

void Team::each(const std::function<void(Learner&)>& act)
{
    for (auto& learner : learners_) act(*learner);
}

void Team::seedDropout(std::uint64_t seed)
{
    constexpr std::uint64_t apartByMember = 0x9e3779b97f4a7c15;
    each([&](Learner& learner) {
        const auto own = seed + learner.number * apartByMember;
        learner.generator->set_current_seed(learner.device.is_cuda() ? own : own + 0x9e3779b9);
    });
}

void Team::follow()
{
    const torch::NoGradGuard guard;
    const auto& leader = first();
    const auto moments = leader.optimizer->state();
    for (std::size_t i = 1; i < size(); ++i) {
        auto& learner = *learners_[i];
        copyWeights(*leader.model, *learner.model);
        const auto own = learner.optimizer->state();
        for (std::size_t m = 0; m < own.size(); ++m) own[m].second.copy_(moments[m].second);
        learner.optimizer->setUpdates(leader.optimizer->updates());
    }
}

void Team::take(Learner& learner)
{
    std::vector<Tensor> mine;
    for (const auto& input : *task_.inputs) {
        const auto rows = input.dim() == 2 ? input.size(0) : 0;
        const auto from = firstRow(rows, learner.number), to = firstRow(rows, learner.number + 1);
        mine.push_back(input.dim() == 2 ? input.narrow(0, from, to - from) : input);
    }
    const auto work = [&](const std::vector<Tensor>& inputs) { return (*task_.work)(learner, inputs); };
    const auto applied = task_.capture ? (*learner.captured)(mine, work) : learner.captured->once(mine, work);
    results_[learner.number] = learner.optimizer->read(applied);
    synchronize(learner.device);
}

void Team::serve(Learner& learner)
{
    c10::OptionalDeviceGuard here;
    if (learner.device.is_cuda()) here.reset_device(learner.device);
    const auto attempt = [&] {
        try {
            take(learner);
        } catch (const Meeting::Left&) { // whoever left says why
        } catch (...) {
            exchange_->meeting.breakUp();
            const std::lock_guard lock(mutex_);
            if (!problem_) problem_ = std::current_exception();
        }
    };
    for (std::uint64_t done = 0;; ++done) {
        std::unique_lock lock(mutex_);
        changed_.wait(lock, [&] { return ending_ || round_ > done; });
        if (ending_) return;
        lock.unlock();
        attempt();
        lock.lock();
        if (--busy_ == 0) changed_.notify_all();
    }
}

UpdateResult Team::update(const std::vector<Tensor>& inputs, const Work& work, bool capture)
{
    {
        const std::lock_guard lock(mutex_);
        task_ = { &inputs, &work, capture };
        busy_ = threads_.size();
        ++round_;
    }
    changed_.notify_all();
    std::exception_ptr own;
    try {
        take(first());
    } catch (...) {
        own = std::current_exception();
        if (exchange_) exchange_->meeting.breakUp();
    }
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return busy_ == 0; });
    if (problem_) std::rethrow_exception(problem_);
    if (own) std::rethrow_exception(own);
    for (const auto& result : results_)
        if (!sameBits(result, results_.front())) throw apart("updates");
    return results_.front();
}

std::vector<Tensor> Team::tokenLosses(const std::vector<Batch>& batches)
{
    if (size() == 1 || first().tokenLosses.empty()) return first().tokenLosses;
    std::vector<Tensor> all;
    each([&](Learner& learner) {
        for (auto& piece : learner.tokenLosses) piece = piece.detach().to(torch::kCPU, torch::kFloat);
        all.push_back(torch::cat(learner.tokenLosses));
    });
    std::vector<Tensor> ordered;
    std::vector<std::int64_t> read(size());
    for (const auto& batch : batches)
        for (std::size_t m = 0; m < size(); ++m) {
            const auto count = (firstRow(batch.rows, m + 1) - firstRow(batch.rows, m)) * batch.context;
            ordered.push_back(all[m].narrow(0, std::exchange(read[m], read[m] + count), count));
        }
    return ordered;
}

Distillation Team::distilled()
{
    auto all = first().distilled;
    for (std::size_t i = 1; i < size(); ++i) {
        const auto& more = learners_[i]->distilled;
        if (more.crossEntropy) all.crossEntropy = all.crossEntropy.value_or(0) + *more.crossEntropy;
        if (more.entropy) all.entropy = all.entropy.value_or(0) + *more.entropy;
        all.loss += more.loss;
    }
    return all;
}

std::int64_t Team::peakBytes()
{
    std::int64_t most = 0;
    each([&](Learner& learner) {
        most = std::max({ most, pha::peakBytes(learner.device), learner.captured->peakBytes() });
    });
    return most;
}

void Team::resetPeakBytes()
{
    each([](Learner& learner) { pha::resetPeakBytes(learner.device); });
}

void Team::requireSameWeights()
{
    const auto weights = namedWeights(*first().model);
    for (std::size_t i = 1; i < size(); ++i) {
        const auto others = namedWeights(*learners_[i]->model);
        for (std::size_t w = 0; w < weights.size(); ++w)
            if (!torch::equal(bitsOf(weights[w].second), bitsOf(others[w].second.to(first().device))))
                throw apart("weights");
    }
}

} // namespace pha
