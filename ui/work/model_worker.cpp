// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/work/model_worker.h"

#include "engine/base/error.h"
#include "ui/format.h"
#include "ui/work/model_cache.h"
#include "ui/work/worker_thread.h"

#include <QElapsedTimer>
#include <QTimer>

#include <condition_variable>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>
#include <variant>

namespace pha::ui {

namespace {

constexpr int frameMs = 33;

struct Job {
    ModelSource source;
    std::vector<EvaluateOptions> evaluations;
    std::optional<EvaluateOptions> ablation;
    std::optional<GenerateOptions> generation;
    std::optional<LookOptions> look;
    std::optional<CostOptions> costs;
    std::shared_ptr<const BranchCosts> costsKnown; ///< of `measured`; then `without` is tried
    WeightsInfo measured;
    std::vector<PartPlace> without;
    bool heads = false, release = false;
    std::int64_t number = 0;
    std::stop_source stop;
};

struct Evaluated {
    int index = 0;
    Evaluation evaluation;
};
struct Failed {
    QString message;
};
struct Ended { };
using Tokens = QVector<GeneratedToken>;
using Look = std::shared_ptr<const InsideView>;
using Heads = std::shared_ptr<const HeadTest>;
using Costs = std::shared_ptr<const BranchCosts>;
using Message = std::variant<WeightsInfo, ProgressEvent, Evaluated, AblationCell, Ablation, Tokens, Generation,
    ModelReport, Look, Heads, Costs, PruneTrial, Failed, Ended>;

} // namespace

class ModelWorker::Private : public EventSink {
public:
    Private(ModelWorker* owner, OpenEngine engine)
        : owner_(owner)
        , cache_(std::move(engine))
    {
        frame_.setSingleShot(true);
        QObject::connect(&frame_, &QTimer::timeout, owner, [this] { deliver(); });
        sinceDelivery_.start();
        thread_ = std::jthread([this](const std::stop_token& quit) { work(quit); });
    }

    ~Private() override
    {
        cancel();
        thread_.request_stop();
        thread_.join();
    }

    // GUI thread
    // -------------------------------------------------------------------------------------------------------
    bool busy() const { return busy_; }

    void start(Job job)
    {
        cancel();
        stop_ = job.stop;
        const bool work = !job.release;
        {
            const std::lock_guard lock(mutex_);
            job.number = number_;
            next_ = std::move(job);
        }
        wake_.notify_all();
        setBusy(work);
    }

    /// Nothing of the present job arrives after this.
    void cancel()
    {
        stop_.request_stop();
        std::optional<Job> dropped; // may hold the last reference to a training job: not destroyed under the lock
        const std::lock_guard lock(mutex_);
        ++number_;
        dropped.swap(next_);
        messages_.clear();
    }

    void setBusy(bool busy)
    {
        if (std::exchange(busy_, busy) != busy) Q_EMIT owner_->busyChanged(busy);
    }

    // Worker thread
    // ----------------------------------------------------------------------------------------------------
    void publish(const Event& event) override
    {
        if (const auto* progress = std::get_if<ProgressEvent>(&event)) post(*progress);
    }

private:
    void work(const std::stop_token& quit)
    {
        beWorker();
        for (;;) {
            std::unique_lock lock(mutex_);
            wake_.wait(lock, quit, [this] { return next_.has_value(); });
            if (quit.stop_requested()) break;
            Job job = std::move(*next_);
            next_.reset();
            lock.unlock();
            running_ = job.number;
            if (job.release)
                cache_.clear();
            else
                attempt(job);
        }
        cache_.clear(); // on the thread that used it
    }

    void attempt(Job& job)
    {
        try {
            perform(job);
        } catch (const std::bad_alloc&) {
            cache_.clear();
            post(Failed { tr("There is not enough memory for a copy of the network; close other programs or use a "
                             "shorter context") });
        } catch (const std::exception& error) {
            post(Failed { errorLine(error) });
        } catch (...) {
            post(Failed { tr("The engine failed without saying why; try again or restart the program") });
        }
        job.source.job.reset();
        post(Ended {});
    }

    void perform(const Job& job)
    {
        const auto stop = job.stop.get_token();
        auto* model = job.costsKnown ? cache_.loaded(job.measured) : nullptr; // the training may be further by now
        if (!model) model = cache_.obtain(job.source, *this, stop);
        if (!model) return;
        if (job.costsKnown && !cache_.weights().sameAs(job.measured)) // their difference would be of two networks
            throw Error(tr("The weights have changed since the costs were measured at step %1")
                            .arg(formatCount(job.measured.step))
                            .toStdString(),
                tr("measure again").toStdString());
        post(cache_.weights());
        const bool evaluates = !job.evaluations.empty() || job.ablation;
        if (evaluates && !cache_.hasReport())
            if (const auto* report = cache_.report(*this, stop)) post(*report);
        for (std::size_t i = 0; i < job.evaluations.size() && !stop.stop_requested(); ++i) {
            if (const auto* answer = cache_.evaluate(job.evaluations[i], *this, stop))
                post(Evaluated { int(i), *answer });
        }
        if (job.ablation && !stop.stop_requested()) {
            const auto onCell = [this](const AblationCell& cell) { post(cell); };
            if (const auto* answer = cache_.ablate(*job.ablation, onCell, *this, stop)) post(*answer);
        }
        if (job.look && !stop.stop_requested())
            post(std::make_shared<const InsideView>(model->lookInside(*job.look, stop)));
        if (job.heads && !stop.stop_requested()) post(std::make_shared<const HeadTest>(model->testHeads(stop)));
        if (job.costs && !stop.stop_requested()) measure(job, *model);
        if (!job.generation || stop.stop_requested()) return;
        post(model->generate(
            *job.generation, [this](const GeneratedToken& token) { postToken(token); }, stop));
    }

    void measure(const Job& job, LoadedModel& model)
    {
        const auto stop = job.stop.get_token();
        if (job.costsKnown) return post(model.tryPruned(*job.costs, *job.costsKnown, job.without, *this, stop));
        const auto ignored = [](const BranchCost&) {}; // all are shown at once
        post(std::make_shared<const BranchCosts>(model.branchCosts(*job.costs, ignored, *this, stop)));
    }

    void postToken(const GeneratedToken& token)
    {
        const std::lock_guard lock(mutex_);
        if (running_ != number_) return;
        if (messages_.empty() || !std::holds_alternative<Tokens>(messages_.back())) messages_.emplace_back(Tokens());
        std::get<Tokens>(messages_.back()).push_back(token);
        call();
    }

    void post(Message message)
    {
        const std::lock_guard lock(mutex_);
        if (running_ != number_) return;
        const auto isProgress = [](const Message& m) { return std::holds_alternative<ProgressEvent>(m); };
        // Only the newest state of a bar counts.
        if (!messages_.empty() && isProgress(message) && isProgress(messages_.back()))
            messages_.back() = std::move(message);
        else
            messages_.push_back(std::move(message));
        call();
    }

    /// Wakes the GUI thread once a frame, however many messages there are. Called with the lock held.
    void call()
    {
        if (std::exchange(called_, true)) return;
        QMetaObject::invokeMethod(
            owner_, [this] { frame_.start(int(std::max<qint64>(0, frameMs - sinceDelivery_.elapsed()))); },
            Qt::QueuedConnection);
    }

    // GUI thread
    // -------------------------------------------------------------------------------------------------------
    void deliver()
    {
        sinceDelivery_.restart();
        std::vector<Message> batch;
        std::int64_t number = 0;
        {
            const std::lock_guard lock(mutex_);
            called_ = false;
            batch.swap(messages_);
            number = number_;
        }
        for (const auto& message : batch) {
            if (number != number_) return; // a receiver stopped the job; only this thread raises the number
            std::visit([this](const auto& m) { tell(m); }, message);
        }
    }

    void tell(const WeightsInfo& m) { Q_EMIT owner_->weightsReady(m); }
    void tell(const ProgressEvent& m) { Q_EMIT owner_->progress(m); }
    void tell(const Evaluated& m) { Q_EMIT owner_->evaluated(m.index, m.evaluation); }
    void tell(const AblationCell& m) { Q_EMIT owner_->cell(m); }
    void tell(const Ablation& m) { Q_EMIT owner_->ablated(m); }
    void tell(const Tokens& m) { Q_EMIT owner_->tokens(m); }
    void tell(const Generation& m) { Q_EMIT owner_->generated(m); }
    void tell(const ModelReport& m) { Q_EMIT owner_->inspected(m); }
    void tell(const Look& m) { Q_EMIT owner_->looked(m); }
    void tell(const Heads& m) { Q_EMIT owner_->headsTested(m); }
    void tell(const Costs& m) { Q_EMIT owner_->costed(m); }
    void tell(const PruneTrial& m) { Q_EMIT owner_->triedPruned(m); }
    void tell(const Failed& m) { Q_EMIT owner_->failed(m.message); }
    void tell(const Ended&) { setBusy(false); }

    // GUI thread only.
    ModelWorker* owner_;
    bool busy_ = false;
    std::stop_source stop_;
    QTimer frame_;
    QElapsedTimer sinceDelivery_;

    std::mutex mutex_; ///< guards the next ones
    std::condition_variable_any wake_;
    std::optional<Job> next_;
    std::vector<Message> messages_;
    bool called_ = false;
    std::int64_t number_ = 0; ///< of the job whose messages count; raised on the GUI thread only

    // Worker thread only.
    std::int64_t running_ = 0;
    ModelCache cache_;

    std::jthread thread_; ///< last: it uses all of the above
};

ModelWorker::ModelWorker(QObject* parent, OpenEngine engine)
    : QObject(parent)
    , d_(std::make_unique<Private>(this, std::move(engine)))
{
}

ModelWorker::~ModelWorker() = default;

bool ModelWorker::busy() const { return d_->busy(); }

void ModelWorker::evaluate(const ModelSource& source, const std::vector<EvaluateOptions>& jobs)
{
    Job job;
    job.source = source;
    job.evaluations = jobs;
    d_->start(std::move(job));
}

void ModelWorker::ablate(const ModelSource& source, const EvaluateOptions& options)
{
    Job job;
    job.source = source;
    job.ablation = options;
    d_->start(std::move(job));
}

void ModelWorker::generate(const ModelSource& source, const GenerateOptions& options)
{
    Job job;
    job.source = source;
    job.generation = options;
    d_->start(std::move(job));
}

void ModelWorker::look(const ModelSource& source, const LookOptions& options)
{
    Job job;
    job.source = source;
    job.look = options;
    d_->start(std::move(job));
}

void ModelWorker::testHeads(const ModelSource& source)
{
    Job job;
    job.source = source;
    job.heads = true;
    d_->start(std::move(job));
}

void ModelWorker::measureCosts(const ModelSource& source, const CostOptions& options)
{
    Job job;
    job.source = source;
    job.costs = options;
    d_->start(std::move(job));
}

void ModelWorker::tryPruned(const ModelSource& source, const WeightsInfo& measured, const CostOptions& options,
    const std::shared_ptr<const BranchCosts>& costs, const std::vector<PartPlace>& parts)
{
    Job job;
    job.source = source;
    job.measured = measured;
    job.costs = options;
    job.costsKnown = costs;
    job.without = parts;
    d_->start(std::move(job));
}

void ModelWorker::stop()
{
    d_->cancel();
    d_->setBusy(false);
}

void ModelWorker::release()
{
    Job job;
    job.release = true;
    d_->start(std::move(job));
}

} // namespace pha::ui
