// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/work/model_worker.h"

#include <map>
#include <optional>
#include <string>
#include <tuple>

namespace pha::ui {

/// The network that the worker has at hand, with the answers it has already given. Worker thread only.
class ModelCache {
public:
    explicit ModelCache(ModelWorker::OpenEngine engine)
        : open_(std::move(engine))
    {
    }

    /// Takes a copy of the weights, reads a checkpoint, or keeps what it has if that is the same. Null if stopped.
    /// Throws.
    LoadedModel* obtain(const ModelSource& source, EventSink& progress, const std::stop_token& stop);
    const WeightsInfo& weights() const { return weights_; }
    /// The network with these weights, if it is the one at hand; else null.
    LoadedModel* loaded(const WeightsInfo& weights) const { return weights_.sameAs(weights) ? model_.get() : nullptr; }
    bool hasReport() const { return report_.has_value(); }
    const ModelReport* report(EventSink& progress, const std::stop_token& stop); ///< null if stopped
    /// Null if stopped.
    const Evaluation* evaluate(const EvaluateOptions& options, EventSink& progress, const std::stop_token& stop);
    /// The engine's ablation; `onCell` is called for each cell, also of one that is known already. Null if stopped.
    const Ablation* ablate(const EvaluateOptions& options, const std::function<void(const AblationCell&)>& onCell,
        EventSink& progress, const std::stop_token& stop);
    void clear();

private:
    using Key = std::tuple<std::string, std::int64_t, bool>; ///< path, time or step, live
    void adopt(std::shared_ptr<LoadedModel> model, const Key& key, WeightsInfo weights);

    ModelWorker::OpenEngine open_;
    std::shared_ptr<LoadedModel> model_;
    Key key_;
    WeightsInfo weights_;
    std::optional<ModelReport> report_;
    std::map<std::string, Evaluation> answers_;
    std::map<std::string, Ablation> ablations_;
};

} // namespace pha::ui
