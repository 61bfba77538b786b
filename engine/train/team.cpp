// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/team.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/model/weights.h"
#include "engine/torch/device.h"

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

void shareThreads(const torch::Device& device, std::int64_t threads, std::int64_t devices)
{
    const auto all = useThreads(int(threads));
    if (device.is_cpu() && devices > 1) useThreads(std::max(1, all / int(devices)));
}

Team::Team(std::shared_ptr<LanguageModel> model, const TrainingConfig& config, const TeamPlace& place)
    : place_(place)
    , members_(std::max(place.members, std::size_t(config.devices)))
    , results_(std::size_t(config.devices))
{
    const auto begin = model->embedding().device();
    std::vector<torch::Device> devices;
    for (std::int64_t i = 0; i < config.devices; ++i)
        devices.emplace_back(begin.type(), begin.is_cuda() ? begin.index() + c10::DeviceIndex(i) : -1);
    if (members_ > 1) exchange_ = Exchange::make(devices, place_);
    std::vector<double> prior;
    if (config.priorWeight > 0)
        for (const auto& weight : splitList(config.prior)) prior.push_back(std::stod(weight));
    for (std::size_t i = 0; i < devices.size(); ++i) {
        auto learner = std::make_unique<Learner>();
        learner->number = place_.first + i;
        learner->device = devices[i];
        learner->model = i == 0 ? std::move(model) : emptyModel(first().model->config());
        learner->model->to(devices[i]);
        learner->optimizer = std::make_unique<Optimizer>(*learner->model, config);
        learner->captured = std::make_unique<CapturedUpdate>(*learner->model);
        // What is formed again needs the random numbers of its first time, and a captured generator cannot go back.
        if (config.recompute && (config.dropout > 0 || config.branchDropout > 0)) learner->captured->forbid();
        learner->generator = generatorOf(devices[i]);
        if (!prior.empty()) learner->prior = torch::tensor(prior, torch::kFloat).to(devices[i]);
        if (exchange_) {
            learner->sum = [this, i](const std::vector<Tensor>& tensors) { exchange_->sum(i, tensors); };
            learner->captured->meetBy([this](bool yes) { return exchange_->meeting.agree(yes); });
        }
        learners_.push_back(std::move(learner));
    }
    seedDropout(std::uint64_t(config.seed));
    for (std::size_t i = 1; i < size(); ++i) threads_.emplace_back([this, i] { serve(*learners_[i]); });
}

Team::Team(std::shared_ptr<LanguageModel> model, const TrainingConfig& config, std::unique_ptr<Hosts> hosts)
    : Team(std::move(model), config, hosts ? hosts->place() : TeamPlace())
{
    hosts_ = std::move(hosts);
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
    if (hosts_) hosts_->tell({ { "do", "seed" }, { "seed", seed } });
}

std::vector<Tensor> Team::random()
{
    std::vector<Tensor> states;
    each([&](const Learner& learner) { states.push_back(learner.generator->get_state()); });
    for (std::size_t h = 0; hosts_ && h < hosts_->count(); ++h)
        for (auto& state : hosts_->askForTensors("random", h)) states.push_back(std::move(state));
    return states;
}

void Team::setRandom(const std::vector<Tensor>& states)
{
    for (std::size_t i = 0; i < std::min(size(), states.size()); ++i) learners_[i]->generator->set_state(states[i]);
    if (hosts_) hosts_->setRandom(states);
}

void Team::follow(torch::Dtype matrix)
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
    if (!hosts_) return;
    std::vector<Tensor> all;
    for (const auto& [name, weight] : namedWeights(*leader.model)) all.push_back(weight);
    for (const auto& [name, moment] : moments) all.push_back(moment);
    hosts_->tell(
        { { "do", "begin" }, { "matrix", precisionName(matrix) }, { "updates", leader.optimizer->updates() } }, all);
}

void Team::adopt(const TrainingConfig& config)
{
    each([&](Learner& learner) {
        learner.optimizer->adopt(config);
        learner.captured->forget();
    });
    if (!hosts_) return;
    RunConfig whole;
    whole.training = config;
    hosts_->tell({ { "do", "adopt" }, { "training", whole.toJson()["training"] } });
}

void Team::resetOptimizers()
{
    each([](Learner& learner) { learner.optimizer->reset(); });
    if (hosts_) hosts_->tell({ { "do", "reset" } });
}

const std::string& Team::stopping() const
{
    static const std::string nobody;
    return hosts_ ? hosts_->stopping() : nobody;
}

void Team::heed(EventSink& sink, const std::stop_token& stop, const std::function<std::string()>& saved)
{
    if (hosts_) hosts_->heed(sink, stop, saved);
}

void Team::end(const std::string& state, const std::string& detail)
{
    if (hosts_) hosts_->end(state, detail);
}

std::vector<Tensor> Team::rowsOf(const Learner& learner) const
{
    std::vector<Tensor> mine;
    for (std::size_t i = 0; i < task_.inputs->size(); ++i) {
        const auto& input = task_.inputs->at(i);
        if (input.dim() != 2) {
            mine.push_back(input);
            continue;
        }
        const bool whole = task_.rows->empty();
        const auto rows = whole ? input.size(0) : task_.rows->at(i);
        const auto before = whole ? 0 : firstRow(rows, place_.first, members_);
        const auto from = firstRow(rows, learner.number, members_), to = firstRow(rows, learner.number + 1, members_);
        mine.push_back(input.narrow(0, from - before, to - from));
    }
    return mine;
}

void Team::take(Learner& learner)
{
    const auto mine = rowsOf(learner);
    const auto work = [&](const std::vector<Tensor>& inputs) { return (*task_.work)(learner, inputs); };
    const auto applied = task_.capture ? (*learner.captured)(mine, work) : learner.captured->once(mine, work);
    results_[learner.number - place_.first] = learner.optimizer->read(applied);
    synchronize(learner.device);
}

void Team::serve(Learner& learner)
{
    std::optional<c10::DeviceGuard> here;
    if (learner.device.is_cuda()) here.emplace(learner.device);
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

UpdateResult Team::update(const std::vector<Tensor>& inputs, const Work& work, bool capture, const UpdateNote& note,
    const std::vector<std::int64_t>& rows)
{
    if (hosts_) hosts_->begin(inputs, note, capture);
    {
        const std::lock_guard lock(mutex_);
        task_ = { &inputs, &work, capture, &rows };
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
    if (hosts_) away_ = hosts_->results();
    const auto same = [&](const UpdateResult& result) { return sameBits(result, results_.front()); };
    if (!std::all_of(results_.begin(), results_.end(), same)
        || !std::all_of(away_.begin(), away_.end(), [&](const auto& host) { return same(host.update); }))
        throw apart("updates");
    return results_.front();
}

std::vector<Tensor> Team::ownTokenLosses()
{
    std::vector<Tensor> all;
    each([&](Learner& learner) {
        for (auto& piece : learner.tokenLosses) piece = piece.detach().to(torch::kCPU, torch::kFloat);
        all.push_back(learner.tokenLosses.empty() ? torch::empty({ 0 }) : torch::cat(learner.tokenLosses));
    });
    return all;
}

std::vector<Tensor> Team::tokenLosses(const std::vector<Batch>& batches)
{
    if (members_ == 1 || first().tokenLosses.empty()) return first().tokenLosses;
    auto all = ownTokenLosses();
    for (std::size_t h = 0; hosts_ && h < hosts_->count(); ++h)
        for (auto& losses : hosts_->askForTensors("token_losses", h)) all.push_back(std::move(losses));
    std::vector<Tensor> ordered;
    std::vector<std::int64_t> read(members_);
    for (const auto& batch : batches)
        for (std::size_t m = 0; m < members_; ++m) {
            const auto rows = firstRow(batch.rows, m + 1, members_) - firstRow(batch.rows, m, members_);
            const auto count = rows * batch.context;
            ordered.push_back(all[m].narrow(0, std::exchange(read[m], read[m] + count), count));
        }
    return ordered;
}

Distillation Team::distilled()
{
    auto all = first().distilled;
    const auto add = [&](const Distillation& more) {
        if (more.crossEntropy) all.crossEntropy = all.crossEntropy.value_or(0) + *more.crossEntropy;
        if (more.entropy) all.entropy = all.entropy.value_or(0) + *more.entropy;
        all.loss += more.loss;
    };
    for (std::size_t i = 1; i < size(); ++i) add(learners_[i]->distilled);
    for (const auto& host : away_) add(host.distilled);
    return all;
}

std::int64_t Team::peakBytes()
{
    std::int64_t most = 0;
    each([&](Learner& learner) {
        most = std::max({ most, pha::peakBytes(learner.device), learner.captured->peakBytes() });
    });
    for (const auto& host : away_) most = std::max(most, host.peakBytes);
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
    for (std::size_t h = 0; hosts_ && h < hosts_->count(); ++h)
        if (hosts_->ask("digest", h) != digest()) throw apart("weights");
}

std::vector<std::uint64_t> Team::digest()
{
    std::vector<std::uint64_t> all;
    for (const auto& [name, weight] : namedWeights(*first().model))
        all.push_back(std::uint64_t(bitsOf(weight).sum(torch::kLong).item<std::int64_t>()));
    return all;
}

} // namespace pha
