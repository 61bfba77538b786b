// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/loaded_model.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/eval/evaluator.h"
#include "engine/eval/model_file.h"
#include "engine/eval/unknown_note.h"
#include "engine/model/weights.h"
#include "engine/run/run_directory.h"
#include "engine/run/safetensors.h"
#include "engine/torch/device.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha {

namespace {
/// A prompt longer than this is cut at the front; the note says so.
constexpr std::size_t longestPrompt = 4 << 20;

/// Maps of this many tokens take some hundred megabytes in a model of a dozen layers and heads.
constexpr std::int64_t mostLooked = 1024;

void addNote(std::string& note, const std::string& more)
{
    if (!more.empty()) note += (note.empty() ? "" : "; ") + more;
}

/// "my.txt, 1.23 MiB, its test split 63.0 KiB (5.0 %)": one text that is cut into splits is not scored as a whole.
std::string describeSplit(const Corpus& corpus, const Split& split)
{
    const auto* card = corpus.card();
    const auto at = std::size_t(std::find(splitNames.begin(), splitNames.end(), split.name) - splitNames.begin());
    const auto all = card ? card->bytes() : 0, part = card && at < 3 ? card->splits[at].bytes : all;
    if (part == all) return corpus.description();
    return fmt::format("{}, its {} split {} ({:.1f} %)", corpus.description(), split.name, formatBytes(double(part)),
        100 * double(part) / double(all));
}

/// The one that is asked for, or the one that stands in for it.
const Split& splitFor(const Corpus& corpus, const EvaluateOptions& options)
{
    const auto hasText = [&](const std::string& name) {
        const auto at = std::size_t(std::find(splitNames.begin(), splitNames.end(), name) - splitNames.begin());
        return at < splitNames.size() && corpus.tokens(at) >= 2;
    };
    const bool other = !options.otherwise.empty() && !hasText(options.split) && hasText(options.otherwise);
    return corpus.split(other ? options.otherwise : options.split);
}

} // namespace

NetworkModel::NetworkModel(std::shared_ptr<LanguageModel> model, RunConfig config, std::int64_t step,
    std::shared_ptr<const Tokenizer> tokenizer, std::shared_ptr<const Corpus> corpus, torch::Dtype matrix,
    std::optional<torch::Dtype> writing)
    : model_(std::move(model))
    , config_(std::move(config))
    , step_(step)
    , tokenizer_(std::move(tokenizer))
    , corpus_(std::move(corpus))
    , writing_(writing.value_or(matrix))
{
    pass_.matrix = matrix;
}

void NetworkModel::beginJob() const { useThreads(int(config_.training.threads)); }

std::shared_ptr<const Corpus> NetworkModel::corpusFor(
    const EvaluateOptions& options, EventSink& progress, const std::stop_token& stop)
{
    const bool own = (options.data.empty() || options.data == config_.data.data) && options.dataFields.empty();
    if (own && corpus_) return corpus_;
    static constexpr const char* ofTokenizers[] = { "tokenizer", "vocab_size", "byte_fallback" };
    auto wanted = config_;
    if (!options.data.empty()) wanted.data.data = options.data;
    for (const auto& [key, value] : options.dataFields) {
        wanted.set(key, value);
        const bool ofTokenizer = std::count(std::begin(ofTokenizers), std::end(ofTokenizers), key) > 0;
        if (ofTokenizer || !wanted.toJson()["data"].contains(key))
            throw ConfigError(key, "set for an evaluation",
                ofTokenizer ? "the model's own, which reads any text"
                            : "a field of the data, such as task_length or data_seed");
    }
    std::shared_ptr<const Corpus> corpus = Corpus::open(wanted.data, tokenizer_, progress, stop);
    if (own) corpus_ = corpus;
    return corpus;
}

void NetworkModel::checkMix(const std::vector<MixOverride>& mix) const
{
    for (const auto& m : mix) {
        if (m.layer < -1 || m.layer >= config_.model.layers)
            throw ConfigError(
                "layer", std::to_string(m.layer), "a layer between 0 and " + std::to_string(config_.model.layers - 1));
        checkPart(config_.model, m.layer, m.branch);
        if (!std::isfinite(float(m.weight))) throw ConfigError("mixing weight", "not finite", "a number");
    }
}

ModelReport NetworkModel::inspect(EventSink& progress, std::stop_token stop)
{
    beginJob();
    ModelReport report;
    report.config = config_;
    report.step = step_;
    for (const auto& [name, tensor] : namedWeights(*model_)) {
        report.parameters += tensor.numel();
        if (tensor.requires_grad()) report.trainable += tensor.numel();
        const auto part = parameterPart(name);
        auto at = std::find_if(report.parts.begin(), report.parts.end(), [&](const auto& p) { return p.part == part; });
        if (at == report.parts.end()) at = report.parts.insert(at, { part, 0 });
        at->count += tensor.numel();
    }
    try {
        report.mixing =
            measureMixing(*model_, pass_, corpusFor({}, progress, stop)->split("valid"), config_.training.context);
    } catch (const Error&) {
        // Stopped, or the text has moved or lies on another machine: everything else is in the checkpoint.
    }
    const auto costs = modelCosts(config_.model, config_.training.context);
    report.forwardFlopsPerToken = costs.forwardFlopsPerToken;
    report.cacheBytesPerToken = std::int64_t(costs.cacheElementsPerToken) * (writing_ == torch::kBFloat16 ? 2 : 4);
    report.fixedStateBytes = std::int64_t(costs.fixedStateReals) * 4;
    report.device = model_->embedding().device().str();
    report.precision = precisionName(pass_.matrix);
    return report;
}

std::int64_t NetworkModel::contextOf(const EvaluateOptions& options, const Split& split) const
{
    return options.context > 0 ? options.context : split.example > 0 ? split.example : config_.training.context;
}

Evaluation NetworkModel::evaluate(const EvaluateOptions& given, EventSink& progress, std::stop_token stop)
{
    beginJob();
    checkMix(given.mix);
    auto options = given;
    const auto corpus = corpusFor(options, progress, stop);
    const auto& split = splitFor(*corpus, options);
    options.context = contextOf(options, split);
    auto result = evaluateSplit(*model_, pass_, split, options, progress, stop, tokenizer_.get());
    result.figures.step = result.recall.step = step_;
    result.precision = precisionName(pass_.matrix);
    result.data = describeSplit(*corpus, split);
    if (corpus == corpus_ && !fingerprint_.empty() && corpus->fingerprint() != fingerprint_)
        result.data += ", changed since the run was trained on it";
    result.tokenizer = tokenizer_->description() + ", " + tokenizer_->fingerprint().substr(0, 12);
    return result;
}

Ablation NetworkModel::ablate(const EvaluateOptions& given, const std::function<void(const AblationCell&)>& onCell,
    EventSink& progress, std::stop_token stop)
{
    auto options = given;
    options.mix.clear();
    options.recall = options.byPosition = options.byDocument = false;
    const auto& m = config_.model;
    const auto partsOf = [&](std::int64_t layer) { return layer < 0 ? modelParts(m) : layerParts(m, layer); };
    double total = 1;
    for (std::int64_t layer = -1; layer < m.layers; ++layer) total += double(partsOf(layer).size());
    SilentSink silent; // of one evaluation; the progress of all of them is what counts
    Ablation result;
    result.plain = evaluate(options, silent, stop);
    for (std::int64_t layer = -1; layer < m.layers; ++layer)
        for (const auto& branch : partsOf(layer)) {
            progress.publish(
                ProgressEvent { "muting branches", double(result.cells.size() + 1), total, "evaluations" });
            options.mix = { { layer, branch, 0 } };
            const auto nll = evaluate(options, silent, stop).figures.nll;
            result.cells.push_back({ layer, branch, nll, nll - result.plain.figures.nll });
            onCell(result.cells.back());
        }
    return result;
}

Generation NetworkModel::generate(
    const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken, std::stop_token stop)
{
    beginJob();
    checkMix(options.mix);
    auto prompt = options.promptIds;
    std::string note;
    if (prompt.empty()) {
        std::string_view bytes = options.prompt.empty() ? "\n" : std::string_view(options.prompt);
        if (bytes.size() > longestPrompt) {
            bytes.remove_prefix(bytes.size() - longestPrompt);
            addNote(note, "the prompt was cut to its last 4 MB");
        }
        prompt = read(bytes, "prompt", note);
        if (prompt.empty()) prompt.push_back(0); // blanks alone are no symbols of a task
    }
    for (const auto id : prompt)
        if (id < 0 || id >= config_.model.vocabulary)
            throw ConfigError(
                "token", std::to_string(id), "an id between 0 and " + std::to_string(config_.model.vocabulary - 1));
    auto pass = pass_;
    pass.matrix = writing_;
    pass.mix = &options.mix;
    auto result = generateText(*model_, *tokenizer_, pass, std::move(prompt), options, onToken, stop);
    addNote(note, result.note);
    result.note = note;
    return result;
}

InsideView NetworkModel::lookInside(const LookOptions& options, std::stop_token stop)
{
    beginJob();
    checkMix(options.mix);
    if (options.maxTokens < 1 || options.maxTokens > mostLooked)
        throw ConfigError("the number of tokens to look at", std::to_string(options.maxTokens),
            "1 to " + std::to_string(mostLooked) + ", for maps grow with its square");
    const bool ends = config_.model.positions == "learned";
    const auto most = ends ? std::min(options.maxTokens, config_.model.maxPositions) : options.maxTokens;
    std::string note;
    auto tokens = read(std::string_view(options.text).substr(0, longestPrompt), "text", note);
    if (tokens.empty()) throw ConfigError("the text to look at", "", "at least one token of text");
    if (std::int64_t(tokens.size()) > most) {
        addNote(note,
            "only the first " + std::to_string(most) + " of " + std::to_string(tokens.size())
                + " tokens are looked at");
        tokens.resize(std::size_t(most));
    }
    auto pass = pass_;
    pass.mix = &options.mix;
    auto view = readInside(*model_, *tokenizer_, pass, tokens, config_.training.context, stop);
    view.step = step_;
    view.note = note;
    return view;
}

std::vector<std::int64_t> NetworkModel::read(std::string_view bytes, const std::string& what, std::string& note) const
{
    std::int64_t repairs = 0;
    const auto text = repairUtf8(bytes, repairs);
    if (repairs > 0) addNote(note, std::to_string(repairs) + " invalid UTF-8 bytes of the " + what + " were replaced");
    std::vector<std::int64_t> ids;
    for (const auto id : tokenizer_->encode(text)) ids.push_back(id);
    addNote(note, unknownNote(*tokenizer_, text, ids, what));
    return ids;
}

std::vector<GeneratedToken> NetworkModel::tokenize(const std::string& text)
{
    std::vector<GeneratedToken> all;
    TextDecoder decoder;
    std::int64_t repairs = 0;
    for (const auto id : tokenizer_->encode(repairUtf8(text, repairs))) {
        GeneratedToken token;
        token.id = id;
        token.text = decoder.push(tokenizer_->piece(id));
        token.prompt = true;
        all.push_back(token);
    }
    return all;
}

void NetworkModel::writeLogits(const std::vector<std::int64_t>& tokens, bool recurrent, const fs::path& out)
{
    const torch::NoGradGuard guard;
    beginJob();
    if (tokens.empty()) throw ConfigError("tokens", "", "at least one token id");
    for (const auto id : tokens)
        if (id < 0 || id >= config_.model.vocabulary)
            throw ConfigError(
                "tokens", std::to_string(id), "ids between 0 and " + std::to_string(config_.model.vocabulary - 1));
    auto ids = torch::tensor(tokens, torch::kLong).unsqueeze(0).to(model_->embedding().device());
    Tensor logits;
    if (recurrent) {
        auto state = model_->freshState();
        std::vector<Tensor> rows;
        for (std::int64_t t = 0; t < ids.size(1); ++t)
            rows.push_back(model_->logits(model_->forward(ids.narrow(1, t, 1), pass_, &state), pass_));
        logits = torch::cat(rows, 1);
    } else {
        logits = model_->logits(model_->forward(ids, pass_), pass_);
    }
    writeTensors(out, { { "logits", logits.squeeze(0) } }, {});
}

namespace {

ModelFile readNetwork(const fs::path& folder)
{
    const RunDirectory run(runOfCheckpoint(folder));
    ModelFile content;
    const auto file = run.read(RunUse::View); // the model says itself what it is
    content.config = file.config;
    content.corpus = file.environment.value("corpus_fingerprint", std::string());
    content.model = readModel(folder / "model.safetensors");
    content.tokenizer = Tokenizer::load(run.tokenizerFile());
    if (content.tokenizer->size() != content.model->config().vocabulary)
        throw CheckpointError(run.tokenizerFile().string(),
            "the tokenizer has " + std::to_string(content.tokenizer->size()) + " pieces, the model "
                + std::to_string(content.model->config().vocabulary),
            "restore the run's own tokenizer.model");
    if (const auto own = content.tokenizer->fingerprint(); file.environment.value("tokenizer", own) != own)
        throw CheckpointError(run.tokenizerFile().string(), "this is not the tokenizer that the run was trained with",
            "restore the run's own tokenizer.model");
    content.config.model = content.model->config();
    const auto state = Json::parse(readFile(folder / "state.json"), nullptr, false);
    if (state.is_object() && state.contains("step") && state["step"].is_number_integer())
        content.step = state["step"].get<std::int64_t>();
    return content;
}

} // namespace

std::shared_ptr<LoadedModel> loadNetwork(
    const fs::path& runOrCheckpoint, const std::string& deviceName, const std::string& precision)
{
    const auto device = chooseDevice(deviceName);
    auto [model, config, step, tokenizer, note, corpus] =
        isModelFile(runOrCheckpoint) ? readModelFile(runOrCheckpoint) : readCheckpoint(runOrCheckpoint, readNetwork);
    const auto matrix = precision.empty() ? torch::kFloat : choosePrecision(precision, device, config.model, 1);
    const auto writing = precision.empty() && device.is_cuda() ? torch::kBFloat16 : matrix;
    model->to(device);
    if (matrix == torch::kBFloat16) storeMatrices(*model, matrix);
    model->eval();
    auto network =
        std::make_shared<NetworkModel>(std::move(model), config, step, std::move(tokenizer), nullptr, matrix, writing);
    network->expectCorpus(std::move(corpus));
    return network;
}

} // namespace pha
