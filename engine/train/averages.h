// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/model/language_model.h"
#include "engine/model/weights.h"
#include "engine/run/run_directory.h"

#include <functional>

namespace pha {

/// The three weight averages of models.md 14.4, as far as the configuration asks for them: the best weights by
/// validation loss, an exponential moving average, and the last few at even distances (LAWA). The weights of single
/// steps wait as files in RUN/averages/parts; the moving average lives beside the network and in the checkpoints.
class WeightAverages {
public:
    /// `run` outlives it; its folder need not be there before something is kept.
    WeightAverages(const RunDirectory& run, const TrainingConfig& config);

    void adopt(const TrainingConfig& config) { config_ = config; } ///< another number of steps
    /// After update number `step` (1-based). Throws IoError.
    void afterUpdate(const LanguageModel& model, std::int64_t step);
    /// After a scheduled evaluation of the weights of `step`. Throws IoError.
    void afterEvaluation(const LanguageModel& model, std::int64_t step, double nll);

    /// What a checkpoint keeps beside its state: ema.safetensors, once the moving average has begun.
    void write(const fs::path& checkpoint) const;
    Json state() const;
    void saved(); ///< the checkpoint with that state stands: weights that no state needs can go
    /// Goes on from a checkpoint. Left out are kept weights that are more than the settings ask for, and those whose
    /// file is gone: so many of the others.
    std::size_t restore(const fs::path& checkpoint, const Json& state);
    /// Beside restore(), also long before it: the moving average of a checkpoint; `model` gives the shapes.
    void readEma(const fs::path& checkpoint, const LanguageModel& model);
    /// Before restore() in a fork: copies the kept weights that `state` names from the run that it comes from.
    void copyFrom(const RunDirectory& parent, const Json& state) const;

    /// "best", "ema", "lawa": what there is, one after the other put into `scratch` (of the network's shape).
    void each(LanguageModel& scratch,
        const std::function<void(const std::string& name, const std::string& note)>& evaluate) const;
    fs::path newFile(const std::string& name) const; ///< for one of these, with its folder made. Throws IoError

private:
    struct Kept {
        double nll = 0;
        std::int64_t step = 0;
    };
    fs::path part(std::int64_t step) const { return run_.averagedWeights(step); }
    fs::path newPart(std::int64_t step) const; ///< with its folder made. Throws IoError
    void keep(const LanguageModel& model, std::int64_t step) const;
    void removeUnused() const;
    void updateEma(const LanguageModel& model);

    const RunDirectory& run_;
    TrainingConfig config_;
    std::vector<Kept> best_; ///< lowest loss first
    std::vector<std::int64_t> last_; ///< oldest first
    std::vector<std::int64_t> saved_; ///< steps that the newest checkpoint refers to
    NamedTensors ema_; ///< empty until it begins
};

} // namespace pha
