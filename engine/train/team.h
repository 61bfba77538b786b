// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/train/captured_update.h"
#include "engine/train/conversion.h"
#include "engine/train/hosts.h"

#include <exception>
#include <thread>

namespace pha {

/// Threads of each of so many devices of this computer: those of a processor share `threads`, or all that there are.
void shareThreads(const torch::Device& device, std::int64_t threads, std::int64_t devices);

/// A network in training on one device.
struct Learner {
    std::size_t number = 0; ///< among all that share the run
    torch::Device device = torch::kCPU;
    std::shared_ptr<LanguageModel> model;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<CapturedUpdate> captured;
    c10::optional<at::Generator> generator; ///< dropout masks
    std::vector<Tensor> tokenLosses; ///< of the last update, see Pass::tokenLosses
    Distillation distilled; ///< its share of the last update's
    Tensor prior; ///< (K) of the mixing weights, where the run has one
    Sum sum; ///< what plainUpdate() takes; empty: it is alone
};

/// One device, or several that share every update: each holds all weights and moments, reads its rows of each
/// micro-batch, adds its gradients to those of the others and then makes the same update as they do. So a run's course
/// does not depend on how many there are, but for the order in which sums are rounded and for dropout's masks. They may
/// be those of several computers: one leads, and what it is asked to do is done on all.
class Team {
public:
    /// `model`, on the first device, is the first member's; the others follow() it. They are the cards after the
    /// first's, or, of a processor, threads. With a place: the part of a team that is on this computer and follows.
    Team(std::shared_ptr<LanguageModel> model, const TrainingConfig& config, const TeamPlace& place = {});
    /// The one that leads, if there are `hosts`.
    Team(std::shared_ptr<LanguageModel> model, const TrainingConfig& config, std::unique_ptr<Hosts> hosts);
    ~Team();

    std::size_t size() const { return learners_.size(); } ///< on this computer
    std::size_t members() const { return members_; } ///< on all
    Learner& first() { return *learners_.front(); }
    void each(const std::function<void(Learner&)>& act); ///< of this computer
    void seedDropout(std::uint64_t seed); ///< each member draws masks of its own
    std::vector<Tensor> random(); ///< states of the generators of all members
    /// There may be fewer or more. Throws c10::Error if they are none of this LibTorch's.
    void setRandom(const std::vector<Tensor>& states);
    /// All get the first one's weights, moments and number of updates. `matrix` is what others multiply in.
    void follow(torch::Dtype matrix = torch::kFloat);
    void adopt(const TrainingConfig& config); ///< other numbers, for all
    void resetOptimizers(); ///< of all: another objective begins

    using Work = std::function<Tensor(Learner&, const std::vector<Tensor>& inputs)>;
    /// One update: `work` on every device at once, each with its rows of those inputs that have rows, (B,T), and all of
    /// the others. See CapturedUpdate about what is captured. Throws what a member threw, and Error if they came to
    /// different updates; no member can go on then. `note`: for other computers, which do the run's UpdateWork. `rows`
    /// of each input on all computers, where `inputs` has those of this one alone.
    UpdateResult update(const std::vector<Tensor>& inputs, const Work& work, bool capture, const UpdateNote& note = {},
        const std::vector<std::int64_t>& rows = {});
    const std::string& stopping() const; ///< see Hosts
    Json otherComputers() const { return hosts_ ? hosts_->described() : Json(); } ///< see Hosts; null: none
    void heed(EventSink& sink, const std::stop_token& stop, const std::function<std::string()>& saved); ///< see Hosts
    void end(const std::string& state, const std::string& detail); ///< tells other computers

    /// Pass::tokenLosses of the last update, which read these micro-batches.
    std::vector<Tensor> tokenLosses(const std::vector<Batch>& batches);
    std::vector<Tensor> ownTokenLosses(); ///< one a member of this computer, on the processor
    Distillation distilled(); ///< of the last update
    std::int64_t peakBytes(); ///< most on one device since the last resetPeakBytes()
    void resetPeakBytes();
    void requireSameWeights(); ///< throws Error unless every member has the first one's, bit for bit
    std::vector<std::uint64_t> digest(); ///< of each weight of the first one here: other bits, another number

private:
    void serve(Learner& learner); ///< the loop of a member's own thread
    void take(Learner& learner); ///< its part of an update
    std::vector<Tensor> rowsOf(const Learner& learner) const; ///< of the inputs of the update

    const TeamPlace place_;
    std::unique_ptr<Hosts> hosts_; ///< null: no other computers, or one of them leads
    std::vector<HostResult> away_; ///< of the last update
    std::size_t members_ = 1;
    std::vector<std::unique_ptr<Learner>> learners_;
    std::unique_ptr<Exchange> exchange_; ///< null: one member

    struct Task {
        const std::vector<Tensor>* inputs = nullptr;
        const Work* work = nullptr;
        bool capture = false;
        const std::vector<std::int64_t>* rows = nullptr;
    } task_;
    std::vector<UpdateResult> results_;
    std::mutex mutex_;
    std::condition_variable changed_;
    std::uint64_t round_ = 0;
    std::size_t busy_ = 0;
    bool ending_ = false;
    std::exception_ptr problem_; ///< the first that was not another's going
    std::vector<std::thread> threads_;
};

} // namespace pha
