// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

/// What the engine reports while it works. Numbers and strings only: an event never carries a tensor, so it is cheap to
/// queue, to write and to test. The same types feed metrics.jsonl, the terminal and the charts.
namespace pha {

/// One optimiser update. JSON type "step".
struct StepEvent {
    std::int64_t step = 0; ///< updates done, 1 after the first
    std::int64_t tokens = 0; ///< read since the start of the run, also those of a task that ask nothing
    double seconds = 0; ///< active training time since the start of the run (pauses, evaluations excluded)
    double loss =
        0; ///< mean cross entropy of this update's targets, nats per token; NaN if `applied` is false and it was
    double learningRate = 0;
    double gradNorm = 0; ///< before clipping
    double tokensPerSecond = 0; ///< of this update
    std::int64_t processBytes = 0; ///< resident set of the process
    std::int64_t deviceBytes = 0; ///< most tensor bytes at once on the training device during the update
    bool applied = true; ///< false: the loss or the gradient was not finite and the update was skipped
    /// Conversion, while the feature maps alone learn: mean cross entropy of their attention weights under the
    /// softmax's, and the entropy of those, below which it cannot fall; nats. `loss` is then the softmax model's.
    std::optional<double> distillation = {}, distillationFloor = {};
    /// What the machine did meanwhile (engine/base/hardware_meter.h); nothing where it does not tell or was not asked.
    std::optional<double> coresBusy = {}; ///< processor seconds of this process per second
    std::optional<double> deviceUse = {}; ///< of the card, share of time, 0 to 1
    std::optional<double> watts = {}, celsius = {}; ///< of the card, or of the processor's packages
};

/// One branch of one layer as the mixing display shows it (models.md 5.5). A layer that mixes nothing has no weights:
/// there `outputRms` and `contribution` alone count, for each of its parts.
struct BranchMix {
    std::string branch; ///< "gss", "attention", "ffn", ...: engine/config/parts.h
    double mean = 0; ///< mixing weight, mean over channels or tokens
    double deviation = 0, minimum = 0, maximum = 0; ///< spread over channels or tokens; 0 for scalar modes
    double normalised = 0; ///< mean divided by the layer's sum of means
    double outputRms = 0; ///< rms of the branch output before its norm
    /// Of a mix: ||w_k n_k|| / ||y||. Of a plain part: what it writes, ||b f|| / ||a x + b f||, where a and b are those
    /// of the residual mode.
    double contribution = 0;
};
struct LayerMix {
    std::vector<BranchMix> branches; ///< of a mix in the order of parts.h, else in the order of the stages
    double entropy = 0; ///< of the normalised weights, divided by ln K: 1 is even, 0 is one branch
    bool mixed = true; ///< false: the layer's family mixes nothing, or the mix of the layer was pruned
};
/// Whether a network has a mix, also where single layers have none.
inline bool anyMixed(const std::vector<LayerMix>& layers)
{
    return std::any_of(layers.begin(), layers.end(), [](const LayerMix& layer) { return layer.mixed; });
}
/// The mixing weights of every layer. JSON type "mixing".
struct MixingEvent {
    std::int64_t step = 0;
    std::vector<LayerMix> layers;
};

/// One evaluation. JSON type "eval". All sums are over scored tokens; derived figures come from totals, never from
/// means.
struct EvalEvent {
    std::int64_t step = 0;
    std::string split; ///< "train", "valid", "test"
    double nll = 0; ///< mean nats per token, S / tokens
    double totalNll = 0; ///< S in nats, summed in double precision
    std::int64_t tokens = 0, words = 0, bytes = 0;
    double perplexity = 0, wordPerplexity = 0, bitsPerByte = 0;
    std::int64_t context = 0, stride = 0;
    std::optional<double> floorNll; ///< exact entropy floor of the same tokens, nats per token
    double seconds = 0;
    std::string note; ///< mutes, averages and other changes; empty for the plain model
    std::string protocol = "disjoint"; ///< disjoint | strided | stateful (models.md 12.2)
};

inline bool isValidation(const EvalEvent& event) ///< of the plain model: nothing muted
{
    return event.split == "valid" && event.note.empty();
}

/// Recall of facts by distance. JSON type "recall".
struct RecallBin {
    std::int64_t distanceFrom = 0, distanceTo = 0; ///< in words between fact and question, half open
    std::int64_t count = 0, correct = 0;
    double chance = 0; ///< expected accuracy of a guess among the possible answers
};
struct RecallEvent {
    std::int64_t step = 0;
    std::string split;
    std::vector<RecallBin> bins;
    double accuracy = 0, chance = 0; ///< over all bins
    std::optional<double> exact = {}; ///< synthetic tasks: share of examples without a mistake
};

/// Kinds of places that a head may read. First: the first token that it can see. Same: earlier ones of the same token.
/// Induction: earlier ones that come right after such a one (Olsson et al. 2022).
inline constexpr std::array headKinds { "previous token", "self", "first token", "same token", "induction" };
/// The head that reads most in places of one kind.
struct StrongestHead {
    double share = 0; ///< of what it reads, a mean over the queries that have such places
    std::int64_t layer = 0;
    std::string part;
    std::int64_t head = 0;
    std::int64_t named = 0; ///< heads of the network that are named after this kind
};
/// What comes of random tokens that come twice (HeadTest in engine.h), told with each evaluation. JSON type "heads".
struct HeadsEvent {
    std::int64_t step = 0;
    double firstNll = 0, secondNll = 0; ///< mean loss of the same tokens the first and the second time, nats
    std::vector<StrongestHead> strongest = {}; ///< in the order of headKinds; empty: the network has no attention
    double gain() const { return firstNll - secondNll; } ///< what the context saves, nats a token
};

/// Where the time of a training process has gone since it began, in seconds; what no line names are pauses. Told with
/// each MixingEvent and at the end. JSON type "time".
struct TimeEvent {
    std::int64_t step = 0;
    double updates = 0; ///< without `data`
    double data = 0; ///< waiting for the texts of updates
    double evaluation = 0, samples = 0, checkpoints = 0;
    double monitoring = 0; ///< mixing weights, alerts, meters, metrics.jsonl and whoever listens
    std::optional<double> gemm = {}; ///< FLOP/s of large matrix products on the devices of the run; after ten seconds
    double total() const { return updates + data + evaluation + samples + checkpoints + monitoring; }
};

struct SampleToken {
    std::string text; ///< whole UTF-8, may be empty while a character is incomplete
    double probability = 0, entropy = 0; ///< of the model itself, as in GeneratedToken; nats
};
/// A sample grown from a prompt, the same one with the same seed each time unless a user asks for another. JSON type
/// "sample".
struct SampleEvent {
    std::int64_t step = 0; ///< 0: before any update
    std::string prompt, text;
    std::vector<SampleToken> tokens = {}; ///< of `text`; lines of older runs have none
    std::optional<std::int64_t> seed = {}; ///< that the tokens were drawn with
};

/// A checkpoint was published. JSON type "checkpoint".
struct CheckpointEvent {
    std::int64_t step = 0;
    std::string path; ///< folder name inside checkpoints/
    bool best = false;
    std::string problem; ///< not empty: it could not be written, the previous one stands
};

enum class RunState { Preparing, Running, Paused, Finished, Stopped, Diverged, Failed };
/// JSON type "status".
struct StatusEvent {
    std::int64_t step = 0;
    RunState state = RunState::Running;
    std::string detail; ///< why, one line
};

/// A token of a batch and what it cost; nothing where it was not scored.
struct CostlyToken {
    std::string text; ///< as a reader sees it: bytes that are no character as "<0xE2>"
    std::optional<double> nats = {};
};
/// One row of a batch.
struct CostlyText {
    std::int64_t row = 0; ///< of the update, counted over its micro-batches
    std::string place; ///< where it stands in the training data
    double loss = 0; ///< mean over what was scored, nats per token
    std::int64_t scored = 0; ///< tokens
    std::int64_t from = 0, tokens = 0; ///< `excerpt` begins at token `from` of `tokens`
    std::vector<CostlyToken> excerpt; ///< the stretch that cost most
};
/// Norm of the gradient of one part of one layer, before clipping. Not finite if any number of it is not.
struct PartGradient {
    std::int64_t layer = -1; ///< -1: not in a layer
    std::string part; ///< engine/config/parts.h, "mixing", "norms", "embedding", "positions"
    double norm = 0;
    std::optional<double> usual = {}; ///< the same at step AlertEvent::usualStep
};
/// An update that is not like those before it, and why, as far as its batch tells. JSON type "alert".
struct AlertEvent {
    std::int64_t step = 0;
    std::string kind; ///< "spike" of the loss, "gradient" spike, "not_finite", "start": the first loss is far from ln V
    std::string message; ///< one line
    double loss = 0, gradNorm = 0; ///< as in the StepEvent
    std::optional<double> median = {}; ///< of what jumped, loss or gradient norm, in the updates before
    std::optional<double> deviations = {}; ///< how far above it; of a norm, in deviations of its logarithm
    std::optional<double> gradNormBefore = {}; ///< of the last update that was done before it
    std::optional<std::int64_t> usualStep = {};
    std::string cause = {}; ///< not_finite: the first part that is not finite when the worst text is read again
    std::vector<CostlyText> texts = {}; ///< of the batch, the most expensive first; with the losses of that update
    std::vector<PartGradient> gradients = {}; ///< in the order of displays
    std::string note = {}; ///< why the last two are empty
    bool examined() const { return !texts.empty() || !gradients.empty(); }
};

/// Something that a user changed while the run went on. JSON type "command".
struct CommandEvent {
    std::int64_t step = 0;
    std::string name; ///< "pause", "resume", "evaluate", "sample", "checkpoint", "fork", "skip_data", or a setting
    std::string value;
    std::optional<std::string> was = {}; ///< of a setting that another value stands for now: the one before
};

/// Reference lines of the loss chart, in nats per token of the validation split. JSON type "references".
struct ReferenceEvent {
    double uniform = 0; ///< ln V
    double unigram = 0, bigram = 0; ///< counted on training text, scored on validation text
    std::optional<double> floor;
};

/// Progress of work that is not a training step (preparing data, evaluating). Not written to metrics.jsonl.
struct ProgressEvent {
    std::string what; ///< "training the tokenizer", "evaluating"
    double done = 0, total = 0; ///< total 0: unknown
    std::string unit;
};

using Event = std::variant<StepEvent, MixingEvent, EvalEvent, RecallEvent, HeadsEvent, TimeEvent, SampleEvent,
    CheckpointEvent, StatusEvent, AlertEvent, CommandEvent, ReferenceEvent, ProgressEvent>;

/// Where the engine reports. Called on the job's thread; must neither block nor throw.
class EventSink {
public:
    virtual ~EventSink() = default;
    virtual void publish(const Event& event) = 0;
};

/// For work whose progress nobody follows.
struct SilentSink final : EventSink {
    void publish(const Event&) override { }
};

} // namespace pha
