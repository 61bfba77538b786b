// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/work/model_cache.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "ui/format.h"

namespace pha::ui {

namespace {

/// Evaluations are equal if these are.
std::string keyOf(const EvaluateOptions& o)
{
    auto key = Json::array({ o.data, o.split, o.context, o.stride, o.maxTokens, o.recall });
    for (const auto& m : o.mix) key.push_back(Json::array({ m.layer, m.branch, m.weight }));
    return key.dump(-1, ' ', false, Json::error_handler_t::replace);
}

fs::path newestCheckpoint(const fs::path& run)
{
    const RunDirectory directory(run);
    // The pointer itself: the checkpoint that it names may be replaced before it is read.
    if (directory.pointer("latest")) return directory.checkpoints() / "latest";
    const auto all = directory.list();
    return all.empty() ? fs::path() : directory.checkpoints() / all.back();
}

std::int64_t modified(const fs::path& checkpoint)
{
    std::error_code problem;
    const auto model = checkpoint / "model.safetensors";
    const auto time = fs::last_write_time(fs::exists(model, problem) ? model : checkpoint, problem);
    return problem ? 0 : std::int64_t(time.time_since_epoch().count());
}

/// Asks in slices, so that a stop or the end of the program never waits for the next step of a large model.
std::shared_ptr<LoadedModel> snapshot(TrainingJob& job, const std::stop_token& stop)
{
    using Clock = std::chrono::steady_clock;
    constexpr std::chrono::milliseconds patience(5000), slice(500);
    const auto began = Clock::now();
    while (!stop.stop_requested()) {
        const auto asked = Clock::now();
        if (asked - began >= patience) break;
        if (auto copy = job.snapshot(slice)) return copy;
        if (Clock::now() - asked < slice / 2) break; // refused, not late: the run has ended
    }
    return nullptr;
}

} // namespace

LoadedModel* ModelCache::obtain(const ModelSource& source, EventSink& progress, const std::stop_token& stop)
{
    QString note;
    if (source.job) {
        if (auto copy = snapshot(*source.job, stop)) {
            const auto step = copy->step();
            const Key key { source.job->directory().string(), step, true };
            if (key != key_) adopt(std::move(copy), key, WeightsInfo { step, true, {}, {} });
            return model_.get();
        }
        if (stop.stop_requested()) return nullptr;
        note = ModelWorker::tr("the training did not hand over its weights; these are its newest checkpoint's");
    }
    auto path = source.job ? newestCheckpoint(source.job->directory()) : source.run;
    if (path.empty()) {
        throw Error(
            ModelWorker::tr("The training has no checkpoint yet and did not hand over its weights").toStdString(),
            ModelWorker::tr("try again after its next step").toStdString());
    }
    for (int tries = 20;; --tries) {
        auto checkpoint = path;
        try {
            checkpoint = resolveCheckpoint(path);
        } catch (const Error&) {
            // The engine refuses it with a better sentence.
        }
        const auto before = folderIdentity(checkpoint);
        const Key key { checkpoint.string(), modified(checkpoint), false };
        if (key == key_) break;
        clear(); // before loading, so that two networks are never held
        progress.publish(ProgressEvent { ModelWorker::tr("loading the network").toStdString(), 0, 0, {} });
        try {
            auto loaded = open_().load(checkpoint);
            const auto step = loaded->step();
            adopt(std::move(loaded), key, WeightsInfo { step, false, fromPath(checkpoint.filename()), {} });
            break;
        } catch (const Error&) {
            const bool wasThere = before != FolderIdentity();
            if (tries == 1 || !wasThere || !checkpointReplaced(path, checkpoint, before)) throw;
        }
    }
    weights_.note = note;
    return stop.stop_requested() ? nullptr : model_.get();
}

const ModelReport* ModelCache::report(EventSink& progress, const std::stop_token& stop)
{
    if (!report_) {
        auto report = model_->inspect(progress, stop);
        if (stop.stop_requested()) return nullptr; // it may lack what the text tells
        report_ = std::move(report);
    }
    return &*report_;
}

const Evaluation* ModelCache::evaluate(const EvaluateOptions& options, EventSink& progress, const std::stop_token& stop)
{
    const auto key = keyOf(options);
    auto known = answers_.find(key);
    if (known == answers_.end()) {
        auto answer = model_->evaluate(options, progress, stop);
        if (stop.stop_requested()) return nullptr; // it may be of a part only
        known = answers_.emplace(key, std::move(answer)).first;
    }
    return &known->second;
}

const Ablation* ModelCache::ablate(const EvaluateOptions& options,
    const std::function<void(const AblationCell&)>& onCell, EventSink& progress, const std::stop_token& stop)
{
    const auto key = keyOf(options);
    auto known = ablations_.find(key);
    if (known != ablations_.end()) {
        for (const auto& cell : known->second.cells) onCell(cell);
    } else {
        auto answer = model_->ablate(options, onCell, progress, stop);
        if (stop.stop_requested()) return nullptr;
        known = ablations_.emplace(key, std::move(answer)).first;
    }
    return &known->second;
}

void ModelCache::clear()
{
    ablations_.clear();
    model_.reset();
    key_ = {};
    report_.reset();
    answers_.clear();
}

void ModelCache::adopt(std::shared_ptr<LoadedModel> model, const Key& key, WeightsInfo weights)
{
    clear();
    model_ = std::move(model);
    key_ = key;
    weights_ = std::move(weights);
}

} // namespace pha::ui
