// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/weight_history.h"

#include "ui/format.h"

#include <algorithm>
#include <new>

namespace pha::ui {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t runsRemembered = 4;
constexpr std::uintmax_t rankedBytes = 32'000'000; ///< of a file whose ranks are known in a moment

/// Every one of few; of many each 2nd, 4th, 8th, ... and the last, so that what was chosen once is chosen again.
std::vector<SavedWeights> thinned(const std::vector<SavedWeights>& saved, std::size_t most)
{
    std::size_t stride = 1;
    while (saved.size() / stride >= most) stride *= 2;
    std::vector<SavedWeights> chosen;
    for (std::size_t i = 0; i < saved.size(); ++i)
        if (i % stride == 0 || i + 1 == saved.size()) chosen.push_back(saved[i]);
    return chosen;
}

} // namespace

const TensorFigures* WeightMoment::find(const std::string& tensor) const
{
    for (const auto& one : figures->tensors)
        if (one.name == tensor) return &one;
    return nullptr;
}

/// What the worker does for one refresh. `owner` is touched only in calls of the mailbox, which drops them once the
/// owner is gone.
class WeightHistory::Reader : public EventSink {
public:
    Reader(WeightHistory* owner, std::shared_ptr<EventBridge::Mailbox> mailbox, std::stop_token stop)
        : owner_(owner)
        , mailbox_(std::move(mailbox))
        , stop_(std::move(stop))
    {
    }
    void publish(const Event&) override { }

    void read(const fs::path& run, const std::vector<Known>& known)
    {
        QString problem;
        const auto failure = failureOf([&] { readAll(run, known, problem); });
        if (!failure.isEmpty()) problem = failure;
        tell([owner = owner_, problem] { owner->ended(problem); });
    }

private:
    void readAll(const fs::path& run, const std::vector<Known>& known, QString& problem)
    {
        if (stop_.stop_requested()) return;
        const auto saved = savedWeights(run);
        std::vector<std::int64_t> steps;
        for (const auto& one : saved) steps.push_back(one.step);
        tell([owner = owner_, steps] { owner->forget(steps); });
        struct Waiting {
            SavedWeights weights;
            fs::file_time_type written;
        };
        std::vector<Waiting> waiting;
        for (const auto& one : thinned(saved, mostRead)) {
            std::error_code error;
            const auto written = fs::last_write_time(one.file, error);
            const bool have = std::any_of(known.begin(), known.end(),
                [&](const Known& old) { return old.step == one.step && old.written == written; });
            if (!error && !have) waiting.push_back({ one, written });
        }
        std::reverse(waiting.begin(), waiting.end());
        int number = 0;
        for (const auto& [weights, written] : waiting) {
            if (stop_.stop_requested()) return;
            tell([owner = owner_, step = weights.step, at = ++number, count = int(waiting.size())] {
                Q_EMIT owner->reading(step, at, count);
            });
            readOne(weights, written, saved.front(), problem);
        }
    }

    void readOne(const SavedWeights& weights, fs::file_time_type written, const SavedWeights& first, QString& problem)
    {
        std::error_code error;
        WeightMoment moment { weights.step, {}, written, nullptr };
        if (first.step < weights.step && fs::exists(first.file, error)) moment.since = first.step;
        try {
            if (moment.since) moment.figures = figures({ weights.file, first.file });
        } catch (const std::exception&) {
            moment.since.reset(); // the first one is damaged, or has just been deleted
        }
        try {
            if (!moment.figures) moment.figures = figures({ weights.file });
        } catch (const std::bad_alloc&) {
            problem = tr("there is not enough memory for the figures of all checkpoints; close other runs");
            return;
        } catch (const std::exception& e) {
            // A trainer may delete a checkpoint at any moment: that is no fault of the run.
            if (fs::exists(weights.file, error)) problem = errorLine(e);
            return;
        }
        tell([owner = owner_, moment] { owner->keep(moment); });
    }

    std::shared_ptr<const WeightFigures> figures(WeightsRequest request)
    {
        std::error_code error;
        request.ranks = fs::file_size(request.file, error) <= rankedBytes; // of none: reading it says so
        return std::make_shared<const WeightFigures>(readWeightFigures(request, *this, stop_));
    }

    /// Nothing of a run that is not shown any more arrives.
    void tell(std::function<void()> action)
    {
        mailbox_->call([stop = stop_, action = std::move(action)] {
            if (!stop.stop_requested()) action();
        });
    }

    WeightHistory* owner_;
    std::shared_ptr<EventBridge::Mailbox> mailbox_;
    std::stop_token stop_;
};

WeightHistory::WeightHistory(QObject* parent)
    : QObject(parent)
{
}

WeightHistory::~WeightHistory() { stop_.request_stop(); }

bool WeightHistory::setRun(const fs::path& run, const std::string& created)
{
    if (run == run_ && created == created_) return false;
    stop_.request_stop();
    stop_ = {};
    if (!run_.empty() && !moments_.empty()) {
        if (others_.size() >= runsRemembered) others_.clear();
        others_[{ run_, created_ }] = std::move(moments_);
    }
    run_ = run;
    created_ = created;
    moments_.clear();
    if (const auto seen = others_.find({ run, created }); seen != others_.end()) {
        moments_ = std::move(seen->second);
        others_.erase(seen);
    }
    again_ = false;
    if (std::exchange(busy_, false)) Q_EMIT busyChanged();
    Q_EMIT changed();
    return true;
}

void WeightHistory::refresh()
{
    if (run_.empty()) return;
    if (busy_) {
        again_ = true;
        return;
    }
    busy_ = true;
    std::vector<Known> known;
    for (const auto& moment : moments_) known.push_back({ moment.step, moment.written });
    worker_.post([reader = std::make_shared<Reader>(this, bridge_.mailbox(), stop_.get_token()), run = run_,
                     known = std::move(known)] { reader->read(run, known); });
    Q_EMIT busyChanged();
}

void WeightHistory::keep(const WeightMoment& moment)
{
    const auto at = std::lower_bound(moments_.begin(), moments_.end(), moment.step,
        [](const WeightMoment& one, std::int64_t step) { return one.step < step; });
    if (at != moments_.end() && at->step == moment.step)
        *at = moment; // written anew by a run that went back
    else
        moments_.insert(at, moment);
    Q_EMIT changed();
}

void WeightHistory::forget(const std::vector<std::int64_t>& saved)
{
    const auto newest = saved.empty() ? -1 : saved.back();
    if (std::erase_if(moments_, [&](const WeightMoment& one) { return one.step > newest; }) > 0) Q_EMIT changed();
}

void WeightHistory::ended(const QString& problem)
{
    busy_ = false;
    Q_EMIT busyChanged();
    if (!problem.isEmpty()) Q_EMIT failed(problem);
    if (std::exchange(again_, false)) refresh();
}

} // namespace pha::ui
