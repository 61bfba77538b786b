// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/config/sampling.h"
#include "engine/events.h"

#include <array>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

/// The engine as its users (command line, window, tests of both) see it: no LibTorch, no Qt. The implementation is a
/// shared library that `loadEngine()` opens on first use, so that a window or a `--help` never waits for LibTorch.
namespace pha {

namespace fs = std::filesystem;

struct DeviceInfo {
    std::string name; ///< "cpu", "cuda:0"
    std::string description; ///< processor or card
    std::int64_t memoryBytes = 0;
};
struct EngineInfo {
    std::string version; ///< PHA Studio's
    std::string libtorch; ///< "1.13.1"
    std::string blas; ///< path of the library that multiplies matrices
    bool slowBlas = false; ///< the reference BLAS: some 30 times slower than an optimised one
    std::string cpuCapability; ///< "AVX512", and bf16 instructions where there are any
    bool bf16 = false; ///< the CPU has bf16 instructions
    int threads = 1; ///< CPU threads that jobs use
    std::vector<DeviceInfo> devices;
    std::string warning; ///< one line for the user, empty if all is well
};

/// Sets the mixing weight of one branch for an evaluation or a generation; 0 mutes it. The others stay
/// (models.md 19.18).
struct MixOverride {
    std::int64_t layer = 0; ///< 0-based; -1 = every layer
    std::string branch;
    double weight = 0;
};

struct EvaluateOptions {
    std::string data; ///< empty: the run's own corpus
    std::string split = "valid";
    std::string otherwise = {}; ///< the split that is scored if `split` has no text and this one has; empty: none
    /// disjoint: blocks of `context` tokens. strided: windows at `stride`, each scores what is new in it. stateful: the
    /// state goes from block to block, so that every token sees the whole text before it; time and memory of attention
    /// grow with it. Empty: strided if a stride is given, else disjoint (models.md 12.2).
    std::string protocol;
    std::int64_t context = 0; ///< 0: the run's context
    std::int64_t stride = 0; ///< strided: 0 is half of the context
    std::int64_t maxTokens = 0; ///< 0: the whole split
    std::int64_t batchTokens = 8192; ///< tokens that the network reads at once: memory, not figures
    bool recall = true; ///< also score recall where the corpus has it
    bool byPosition = false, byDocument = false; ///< also fill `positions`, `documents`
    std::vector<MixOverride> mix;
    std::vector<std::pair<std::string, std::string>> dataFields; ///< changes of data fields: { "task_length", "256" }
};
/// Tokens that were predicted from `from` ... `to` - 1 tokens before them.
struct PositionBin {
    std::int64_t from = 0, to = 0, tokens = 0;
    double nll = 0; ///< mean, nats per token
};
struct DocumentFigures {
    std::string title; ///< its heading or the beginning of its first line
    std::int64_t tokens = 0, words = 0, bytes = 0;
    double totalNll = 0; ///< nats
};
struct Evaluation {
    EvalEvent figures;
    RecallEvent recall; ///< empty bins: the corpus has no such questions
    std::string data, tokenizer; ///< what was scored, with which tokenizer
    std::string text; ///< form of the text: "plain text", "WikiText, raw words", "WikiText with <unk>"; empty: a task
    std::string precision; ///< of the matrix products
    std::vector<PositionBin> positions; ///< by powers of two
    std::vector<DocumentFigures> documents; ///< in the order of the text
};

/// What muting one branch does. `layer` -1: in every layer at once.
struct AblationCell {
    std::int64_t layer = -1;
    std::string branch;
    double nll = 0, change = 0; ///< nats per token; `change` is against the whole model
};
struct Ablation {
    Evaluation plain; ///< the whole model on the same tokens
    std::vector<AblationCell> cells; ///< every branch in all layers, then layer by layer
};

struct CostOptions {
    EvaluateOptions text; ///< what muting is measured on; its `mix` is not looked at
    std::int64_t batch =
        0; ///< texts of `text.context` tokens that a timed pass reads; 0: 2048 tokens, at least one text
    int repeats = 7; ///< timed passes, of which the median counts
};
/// What one part of one layer costs in a forward pass, and what it is worth.
struct BranchCost {
    PartPlace place;
    double seconds = 0; ///< that its own code took in a pass of the batch: median
    double spread = 0; ///< (max - min) / median of them
    double flopsPerToken = 0; ///< models.md 11.2, at the context
    std::int64_t parameters = 0;
    double weightBytes = 0, cacheBytes = 0; ///< as stored; keys, values and state after `context` tokens
    double nll = 0, change = 0; ///< nats per token when it alone is muted; `change` is against the whole model
};
struct BranchCosts {
    Evaluation plain; ///< the whole model on the same tokens
    std::int64_t batch = 0, context = 0; ///< of the passes that were timed
    double passSeconds = 0; ///< a whole one with embedding, norms, mix and head: median
    std::string device, precision; ///< of the timed passes
    std::vector<BranchCost> cells; ///< layer by layer
    double perplexityChange(double change) const ///< of a change of the loss
    {
        return plain.figures.perplexity * std::expm1(change);
    }
};
/// What leaving parts out does, all at once.
struct PruneTrial {
    double nll = 0, change = 0; ///< measured with all of them muted
    double predictedSeconds = 0; ///< of a pass: the whole one less what the parts took
    /// Measured in turns: the whole network and one without the parts.
    double passSeconds = 0, prunedSeconds = 0;
    std::int64_t parameters = 0; ///< of what is left
    std::string obstacle; ///< why there is no network without them: then neither is timed
};

/// One generated token, or one of the prompt.
struct TokenAlternative {
    std::int64_t id = 0;
    std::string text;
    double probability = 0; ///< of the model itself (temperature 1, nothing cut)
};
struct GeneratedToken {
    std::int64_t id = 0;
    std::string text; ///< whole UTF-8, may be empty while a character is incomplete
    double probability = 0; ///< of the model itself
    double sampledProbability = 0; ///< after temperature, top-k, top-p
    double entropy = 0; ///< of the model's distribution, nats
    bool prompt = false;
    std::vector<TokenAlternative> alternatives; ///< the ten most probable, best first
};
struct GenerateOptions {
    std::string prompt; ///< bytes; invalid UTF-8 is repaired and reported
    std::vector<std::int64_t> promptIds; ///< used instead of `prompt` when not empty: regrow from a token
    Sampling sampling;
    std::vector<MixOverride> mix;
    bool promptProbabilities = false; ///< also report the tokens of the prompt
};
struct Generation {
    std::vector<std::int64_t> promptIds;
    std::vector<GeneratedToken> tokens;
    std::string text; ///< of the generated tokens
    double seconds = 0, firstTokenSeconds = 0; ///< the first includes reading the prompt
    double tokensPerSecond = 0;
    std::int64_t stateBytes = 0; ///< KV cache and GSS state at the end
    std::string note; ///< "3 invalid bytes of the prompt were replaced"
};

struct ModelReport {
    RunConfig config;
    std::int64_t step = 0;
    std::int64_t parameters = 0, trainable = 0;
    std::vector<ParameterPart> parts; ///< counted on the tensors themselves
    std::vector<LayerMix> mixing; ///< on the validation probe for token modes
    double forwardFlopsPerToken = 0;
    std::int64_t cacheBytesPerToken = 0, fixedStateBytes = 0;
    std::string device, precision;
};

struct LookOptions {
    std::string text; ///< bytes; invalid UTF-8 is repaired and reported
    std::int64_t maxTokens = 256; ///< the beginning that is looked at; time and memory grow with its square
    std::vector<MixOverride> mix;
};
/// Where one part of a layer takes its information from. weights[(head T + t) T + s]: the share of the token at s in
/// what the part reads at t; each row sums to 1 over s <= t. Attention: its weights, head by head. State spaces, which
/// have no weights: one head, |kernel(t - s) input(s)| summed over channels.
struct ReadingMap {
    std::int64_t layer = 0;
    std::string part;
    std::int64_t heads = 1, tokens = 0; ///< H, T
    std::vector<float> weights; ///< (H,T,T)
};
/// How far back one part reads: mean share, over heads and positions, of the tokens 0, 1, 2 to 3, 4 to 7, ... back.
struct ReadingReach {
    std::int64_t layer = 0;
    std::string part;
    std::vector<double> shares; ///< sum to 1
    double meanDistance = 0; ///< tokens
};
/// How much of what a head reads lies in places of one kind: a mean over the queries that have such places.
struct HeadShare {
    double share = 0, uniform = 0; ///< uniform: of the same queries if they read all that they can see alike
    std::int64_t queries = 0;
};
using HeadShares = std::array<HeadShare, headKinds.size()>;
struct HeadFigures {
    std::int64_t layer = 0;
    std::string part;
    std::int64_t head = 0;
    HeadShares kinds;
    int name = -1; ///< which of headKinds it is named after; -1: no kind stands out
    bool attends() const { return part == "attention" || part == "hedgehog"; } ///< not what a state space answers to
};
/// How long the states of one part remember: after a half-life, half is left of what was written to a state. Of
/// recurrences whose forgetting depends on the text there is none.
struct StateMemory {
    std::int64_t layer = 0;
    std::string part;
    std::int64_t states = 0;
    std::array<double, 5> quantiles {}; ///< 5, 25, 50, 75 and 95 % of the states' half-lives, in tokens
    double longest = 0; ///< tokens
    double outlive = 0; ///< share of the states whose half-life is longer than the context
};
/// What heads do with random tokens that come twice: the second time nothing but the context tells what comes next.
struct HeadTest {
    std::int64_t step = 0, sequences = 0, length = 0; ///< length: tokens that come twice in each sequence
    std::int64_t context = 0; ///< that states may outlive: the run's
    std::vector<HeadFigures> heads; ///< layer by layer, of the same parts as maps; over all sequences
    double firstNll = 0, secondNll = 0; ///< mean loss of the same tokens the first and the second time, nats
    std::vector<StateMemory> memory;
    std::string note = {}; ///< why nothing was tested: the network cannot read tokens that come twice
};
/// What one part of a layer adds to the logit of each token, in nats, when it is predicted from those before it. The
/// logit is taken relative to the mean of the vocabulary, so that all pushes of a token sum to logit - mean logit.
struct LogitPush {
    std::int64_t layer = -1; ///< -1: "embedding", and "norms", the biases of all norms
    std::string part;
    std::vector<float> nats; ///< (T); the first token is predicted from nothing: 0
};
/// What the network would say of the token after one position if it ended after some layer.
struct LensCell {
    double probability = 0; ///< of the token that came; 0 at the last one, after which none came
    std::int64_t rank = 0; ///< of that token among all pieces, 1 the most probable; 0 at the last one
    double entropy = 0; ///< nats
    double divergence = 0; ///< of what the whole network says from this: Kullback and Leibler's, nats
    std::vector<TokenAlternative> top; ///< the five most probable, best first
};
/// The logit lens: the stream after a layer, read by the last norm and the head.
struct LensLayer {
    std::int64_t layer = -1; ///< -1: before all layers, the embedding
    std::vector<LensCell> cells; ///< (T): at t, of the token after t
    double nll = 0; ///< mean over the tokens that came, nats
    double agreement = 0; ///< share of the positions whose most probable piece is that of the whole network
    double divergence = 0; ///< mean, nats
};
/// How the numbers at one place of a network are distributed while it reads a text: C channels at each of T tokens.
struct ActivationFigures {
    std::int64_t layer = -1; ///< -1: before all layers, the embedding
    std::string part; ///< empty: the stream after the layer
    bool hidden = false; ///< behind the nonlinearity of a feed-forward network; otherwise what the part puts out,
                         ///< before its mixing weight
    std::int64_t channels = 0, notFinite = 0; ///< the other figures are of the finite numbers
    double rms = 0;
    double kurtosis = 0; ///< mean of x^4 over the square of the mean of x^2: 3 if normal, large if few stand out
    double largest = 0; ///< by magnitude, with its sign
    std::int64_t largestToken = 0, largestChannel = 0;
    std::int64_t outliers = 0; ///< channels whose root mean square is over six times that of the median channel
    std::int64_t silent = 0; ///< channels that stay below a hundredth of rms at every token
    /// Mean cosine, over tokens, of what the part adds to the stream with what the others of its layer add together,
    /// as they add it: later norms have no part in it. Of parts beside others alone.
    std::optional<double> alike;
    const char* place() const { return part.empty() ? "stream" : hidden ? "hidden" : "output"; } ///< in files
    static constexpr int bins = 64;
    /// Bin i counts from (i - 32) / 4 rms on, up to the next; the outer ones take in all that lies beyond 8 rms.
    std::array<std::int64_t, bins> histogram {};
};
/// A look inside while a text is read.
struct InsideView {
    std::int64_t step = 0;
    std::vector<GeneratedToken> tokens; ///< of the text, with probability, entropy and alternatives from the second on
    std::vector<ReadingMap> maps; ///< layer by layer; networks at each position have none
    std::vector<ReadingReach> reach; ///< of the same parts
    std::vector<HeadFigures> heads; ///< of the same parts, head by head
    std::vector<StateMemory> memory; ///< of the state spaces among them
    std::vector<LogitPush> pushes; ///< in the order in which they came into the stream
    std::vector<LensLayer> lens; ///< the embedding, then layer by layer; the last is the whole network
    std::vector<ActivationFigures> activations; ///< the embedding, then layer by layer, each ending with the stream
    std::string note; ///< "only the first 256 of 1302 tokens are looked at"
};

/// A network with its tokenizer, ready to be evaluated or to write. Safe to use from one thread at a time; independent
/// of any training that goes on (it owns its weights).
class LoadedModel {
public:
    virtual ~LoadedModel() = default;
    virtual std::int64_t step() const = 0;
    virtual const RunConfig& config() const = 0;
    /// Opens the run's text, if it is there, for how the mix weighs it; stopped, the report does without.
    virtual ModelReport inspect(EventSink& progress, std::stop_token stop) = 0;
    virtual Evaluation evaluate(const EvaluateOptions& options, EventSink& progress, std::stop_token stop) = 0;
    /// Evaluates once for the whole model and once for each cell; `onCell` is called on this thread for each as it is
    /// known. Progress counts evaluations. Throws Error when stopped.
    virtual Ablation ablate(const EvaluateOptions& options, const std::function<void(const AblationCell&)>& onCell,
        EventSink& progress, std::stop_token stop) = 0;
    /// Times every part, then evaluates with each one muted; `onCell` is called on this thread for each as it is known.
    /// Throws Error when stopped.
    virtual BranchCosts branchCosts(const CostOptions& options, const std::function<void(const BranchCost&)>& onCell,
        EventSink& progress, std::stop_token stop) = 0;
    /// `costs` is what branchCosts() found with the same options.
    virtual PruneTrial tryPruned(const CostOptions& options, const BranchCosts& costs,
        const std::vector<PartPlace>& parts, EventSink& progress, std::stop_token stop) = 0;
    /// `onToken` is called on this thread for each token as it is drawn.
    virtual Generation generate(const GenerateOptions& options,
        const std::function<void(const GeneratedToken&)>& onToken, std::stop_token stop) = 0;
    /// Reads a text and shows where every part looks, what it pushes and what each layer would say. Throws ConfigError
    /// for an empty text, Error when stopped.
    virtual InsideView lookInside(const LookOptions& options, std::stop_token stop) = 0;
    /// Always the same tokens, as many as fit the context. Throws Error when stopped.
    virtual HeadTest testHeads(std::stop_token stop) = 0;
    /// Tokenises for display: pieces with ids.
    virtual std::vector<GeneratedToken> tokenize(const std::string& text) = 0;
    /// Writes raw logits (T,V) fp32 as a safetensors file with the one tensor "logits".
    virtual void writeLogits(const std::vector<std::int64_t>& tokens, bool recurrent, const fs::path& out) = 0;
};

/// What a user asks of a run that is going on. Answered within one step, recorded in metrics.jsonl, marked on the
/// charts.
struct Command {
    enum class Kind { Pause, Resume, Evaluate, Sample, Checkpoint, Change };
    Kind kind = Kind::Pause;
    std::string text; ///< Sample: prompt, empty = the run's own. Change: a setting of changeableSettings()
    Json value; ///< Change: what it is from the next update on
};

/// One training run. Created by Engine; `run()` works on the calling thread, everything else is for other threads.
class TrainingJob {
public:
    virtual ~TrainingJob() = default;
    /// Trains until the last step, a stop request (finishes the step, writes a checkpoint), or divergence. Publishes
    /// every event of the run to `sink` after it has been written to metrics.jsonl. Throws Error; then a last good
    /// checkpoint stands. Returns Finished, Stopped or Diverged, or Failed if the weights of the last step could not be
    /// saved.
    virtual RunState run(EventSink& sink, std::stop_token stop) = 0;
    virtual void post(Command command) = 0;
    /// A copy of the weights taken between two steps, or null if the run has ended, `patience` passed before that, or
    /// there is no memory for it.
    virtual std::shared_ptr<LoadedModel> snapshot(std::chrono::milliseconds patience) = 0;
    virtual fs::path directory() const = 0;
};

/// Computers that take part in a run with their devices, see `pha join`.
struct OtherComputers {
    std::int64_t count = 0;
    std::string listen = "0.0.0.0:29400"; ///< where the one that leads waits for them
    std::string key; ///< what they have to know
};
/// Takes part in a run that another computer leads.
struct JoinRequest {
    std::string address, key; ///< of the computer that leads, HOST:PORT
    std::string device = "auto";
    std::int64_t card = 0; ///< the first of the cards
    std::int64_t devices = 1, threads = 0;
    std::int64_t rank = -1; ///< order among those that join; -1: as they come
    std::int64_t patience = 600; ///< seconds until somebody answers there
    std::function<void(const RunConfig&)> onJoined = {}; ///< what is trained
};

struct TrainingRequest {
    RunConfig config;
    fs::path directory; ///< created for a new run; must hold one for `resume`
    std::string name; ///< shown in lists; empty: the folder's name
    bool resume = false; ///< continue exactly from the latest complete checkpoint
    fs::path checkpoint; ///< resume from this one instead of the latest
    std::vector<std::string> overrides; ///< resume: keys that the user set ("steps"), taken from `config`
    fs::path initFrom = {}; ///< new run: weights of a checkpoint or safetensors file to start from, matched by name
    /// New run of a Hedgehog: the run or checkpoint of a softmax Transformer whose weights and tokenizer it takes over.
    fs::path convertFrom = {};
    /// New run: a run (its newest checkpoint) or a checkpoint whose weights, optimiser, step and data it goes on with.
    fs::path forkFrom = {};
    std::string forkMark = {}; ///< with a checkpoint in forkFrom: what checkpointMark() must say of it; empty: anything
    /// New run: a run whose settings were changed while it went on. The changes come at the same updates; `config` is
    /// what readReplay() says, with other settings if wanted.
    fs::path replayOf = {};
    OtherComputers others = {}; ///< that share it
    /// New run: `directory` is freshRunDirectory() of this name, and if another run takes it first the next one is
    /// taken; the job says which. Empty: `directory` or nothing.
    std::string folderName = {};
};

struct CheckRow {
    std::string name; ///< "parallel = recurrent, pha softplus"
    double difference = 0, tolerance = 0;
    bool passed = false;
    std::string detail;
};

/// prompt: reading with caches kept; gss: that branch alone, forward and backward, by each of its convolutions.
inline constexpr const char* benchModes[] { "train", "forward", "prompt", "decode", "gss" };
struct BenchRequest {
    std::vector<std::string> presets;
    std::vector<std::int64_t> contexts;
    std::string mode = "train"; ///< one of benchModes
    std::string device = "auto", precision = "auto";
    std::int64_t batchTokens = 4096; ///< tokens a step; batch = batchTokens / context, at least 1
    std::int64_t decodeBatch = 1; ///< decode: texts at the same time
    bool recompute = false; ///< train: as the field of that name
    int repeats = 5; ///< the median is reported
    int threads = 0;
};
struct BenchRow {
    std::string preset, mode, device, precision;
    std::int64_t context = 0, batch = 0, parameters = 0;
    double tokensPerSecond = 0; ///< median
    double spread = 0; ///< (max - min) / median of the repeats
    std::int64_t peakBytes = 0; ///< largest live tensor bytes on the device
    double flopsPerSecond = 0; ///< forward, forward+backward or decode FLOPs of models.md 11.2
    double gemmShare = 0; ///< flopsPerSecond / measured GEMM rate of this machine in the same run
    // decode: writing is bound by what a step must read, weights once, and keys, values and states of all texts.
    double stepBytes = 0, readRate = 0; ///< and the bytes/s that this machine's memory gave in the same run
    double readShare = 0; ///< stepBytes in the measured time of a step / readRate
    double joulesPerToken = 0; ///< of the card or the processor's packages, over two seconds or more; 0: not counted
};

class Engine {
public:
    virtual ~Engine() = default;
    virtual EngineInfo info() = 0;
    /// Creates or opens the run directory (taking its lock) and prepares data and tokenizer. Long: publishes
    /// ProgressEvents.
    virtual std::unique_ptr<TrainingJob> openTraining(
        const TrainingRequest& request, EventSink& progress, std::stop_token stop) = 0;
    /// Works for a run until it is over there. Publishes its updates. Returns how it ended; throws Error, also if the
    /// run has failed.
    virtual RunState join(const JoinRequest& request, EventSink& sink, std::stop_token stop) = 0;
    /// Loads a checkpoint folder, the best (else the latest) one of a run directory, or a file that `average` wrote.
    /// Precision "": figures in fp32, while text is written in bf16 on a card, as models are trained there.
    virtual std::shared_ptr<LoadedModel> load(
        const fs::path& runOrCheckpoint, const std::string& device = "auto", const std::string& precision = "") = 0;
    /// Writes the mean of the weights of checkpoints of one shape, with the configuration and the tokenizer of the
    /// first, as one safetensors file that `load` takes. Throws CheckpointError if shapes or tokenizers differ.
    virtual void average(const std::vector<fs::path>& checkpoints, const fs::path& out) = 0;
    virtual std::vector<CheckRow> selftest(
        const std::string& device, const std::function<void(const CheckRow&)>& onRow) = 0;
    virtual std::vector<BenchRow> bench(
        const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop) = 0;
};

/// For the start of main: libraries that LibTorch brings along leave the signals of the process alone.
void keepSignals();
/// Opens the engine library once per process (0.5 s) and returns its engine. Any thread. Throws Error if it cannot be
/// opened.
Engine& loadEngine();

} // namespace pha
