// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus.h"
#include "engine/engine.h"
#include "engine/model/language_model.h"

#include <memory>
#include <optional>
#include <span>

namespace pha {

class TokenDistribution;

/// A model with its tokenizer behind the engine's interface. The corpus is opened when an evaluation first asks for it.
class NetworkModel final : public LoadedModel {
public:
    /// Matrix products are in `matrix`; those that write text in `writing`, if given.
    NetworkModel(std::shared_ptr<LanguageModel> model, RunConfig config, std::int64_t step,
        std::shared_ptr<const Tokenizer> tokenizer, std::shared_ptr<const Corpus> corpus, torch::Dtype matrix,
        std::optional<torch::Dtype> writing = {});

    /// Evaluations say so if the run's own text no longer has this fingerprint. Empty: not known.
    void expectCorpus(std::string fingerprint) { fingerprint_ = std::move(fingerprint); }

    std::int64_t step() const override { return step_; }
    const RunConfig& config() const override { return config_; }
    ModelReport inspect(EventSink& progress, std::stop_token stop) override;
    Evaluation evaluate(const EvaluateOptions& options, EventSink& progress, std::stop_token stop) override;
    Ablation ablate(const EvaluateOptions& options, const std::function<void(const AblationCell&)>& onCell,
        EventSink& progress, std::stop_token stop) override;
    BranchCosts branchCosts(const CostOptions& options, const std::function<void(const BranchCost&)>& onCell,
        EventSink& progress, std::stop_token stop) override;
    PruneTrial tryPruned(const CostOptions& options, const BranchCosts& costs, const std::vector<PartPlace>& parts,
        EventSink& progress, std::stop_token stop) override;
    Generation generate(const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken,
        std::stop_token stop) override;
    InsideView lookInside(const LookOptions& options, std::stop_token stop) override;
    HeadTest testHeads(std::stop_token stop) override;
    std::vector<GeneratedToken> tokenize(const std::string& text) override;
    void writeLogits(const std::vector<std::int64_t>& tokens, bool recurrent, const fs::path& out) override;

private:
    void beginJob() const; ///< thread count of this thread
    std::shared_ptr<const Corpus> corpusFor(
        const EvaluateOptions& options, EventSink& progress, const std::stop_token& stop);
    static std::int64_t batchToTime(const CostOptions& options, std::int64_t context); ///< texts
    std::int64_t contextOf(const EvaluateOptions& options, const Split& split) const;
    void checkMix(const std::vector<MixOverride>& mix) const;
    /// The tokens of a text, and into `note` what was done to it. `what` it is: "prompt".
    std::vector<std::int64_t> read(std::string_view bytes, const std::string& what, std::string& note) const;

    std::shared_ptr<LanguageModel> model_;
    RunConfig config_;
    std::int64_t step_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::shared_ptr<const Corpus> corpus_;
    std::string fingerprint_;
    Pass pass_;
    torch::Dtype writing_; ///< of matrix products while text is written
};

/// Continues a prompt. `tokens` (prompt ids) must not be empty. Used by NetworkModel and by the trainer's own samples.
Generation generateText(LanguageModel& model, const Tokenizer& tokenizer, const Pass& pass,
    std::vector<std::int64_t> prompt, const GenerateOptions& options,
    const std::function<void(const GeneratedToken&)>& onToken, const std::stop_token& stop);

/// Fills probability, entropy and alternatives of the token `id` that `logits` predicted; `said` is working memory.
void describeToken(
    GeneratedToken& token, std::span<const float> logits, TokenDistribution& said, const Tokenizer& tokenizer);

/// A look inside while `tokens` (at least one) are read; states may outlive `context`. Throws Error when stopped.
InsideView readInside(LanguageModel& model, const Tokenizer& tokenizer, const Pass& pass,
    const std::vector<std::int64_t>& tokens, std::int64_t context, const std::stop_token& stop);

/// Loads a checkpoint folder, a run's best or latest one, or a model in one file (model_file.h).
std::shared_ptr<LoadedModel> loadNetwork(
    const fs::path& runOrCheckpoint, const std::string& device, const std::string& precision);

} // namespace pha
