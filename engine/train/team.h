// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/train/captured_update.h"
#include "engine/train/conversion.h"
#include "engine/train/exchange.h"

#include <exception>
#include <thread>

namespace pha {

/// A network in training on one device.
struct Learner {
    std::size_t number = 0; ///< in its team
    torch::Device device = torch::kCPU;
    std::shared_ptr<LanguageModel> model;
    std::unique_ptr<Optimizer> optimizer;
    std::unique_ptr<CapturedUpdate> captured;
    c10::optional<at::Generator> generator; ///< dropout masks
    std::vector<Tensor> tokenLosses; ///< of the last update, see Pass::tokenLosses
    Distillation distilled; ///< its share of the last update's
    Sum sum; ///< what plainUpdate() takes; empty: it is alone
};

/// One device, or several that share every update: each holds all weights and moments, reads its rows of each
/// micro-batch, adds its gradients to those of the others and then makes the same update as they do. So a run's course
/// does not depend on how many there are, but for the order in which sums are rounded and for dropout's masks.
class Team {
public:
    /// `model`, on the first device, is the first member's; the others follow() it. They are the cards after the
    /// first's, or, of a processor, threads.
    Team(std::shared_ptr<LanguageModel> model, const TrainingConfig& config);
    ~Team();

    std::size_t size() const { return learners_.size(); }
    Learner& first() { return *learners_.front(); }
    void each(const std::function<void(Learner&)>& act);
    void seedDropout(std::uint64_t seed); ///< each member draws masks of its own
    void follow(); ///< all get the first one's weights, moments and number of updates

    using Work = std::function<Tensor(Learner&, const std::vector<Tensor>& inputs)>;
    /// One update: `work` on every device at once, each with its rows of those inputs that have rows, (B,T), and all of
    /// the others. See CapturedUpdate about what is captured. Throws what a member threw, and Error if they came to
    /// different updates; no member can go on then.
    UpdateResult update(const std::vector<Tensor>& inputs, const Work& work, bool capture);

    /// Pass::tokenLosses of the last update, which read these micro-batches.
    std::vector<Tensor> tokenLosses(const std::vector<Batch>& batches);
    Distillation distilled(); ///< of the last update
    std::int64_t peakBytes(); ///< most on one device since the last resetPeakBytes()
    void resetPeakBytes();
    void requireSameWeights(); ///< throws Error unless every member has the first one's, bit for bit

private:
    void serve(Learner& learner); ///< the loop of a member's own thread
    void take(Learner& learner); ///< its part of an update
    std::int64_t firstRow(std::int64_t rows, std::size_t member) const
    {
        return rows * std::int64_t(member) / std::int64_t(learners_.size());
    }

    std::vector<std::unique_ptr<Learner>> learners_;
    std::unique_ptr<Exchange> exchange_; ///< null: one member

    struct Task {
        const std::vector<Tensor>* inputs = nullptr;
        const Work* work = nullptr;
        bool capture = false;
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
