// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/loaded_model.h"
#include "engine/eval/sampler.h"
#include "engine/model/token_reader.h"

#include <algorithm>
#include <chrono>
#include <span>

namespace pha {

namespace {

constexpr std::size_t alternativesShown = 10;
/// A prompt is read in pieces of this many tokens, so that a stop is answered and scores stay small.
constexpr std::int64_t prefillPiece = 1024;

/// A row of logits (V) where a processor reads it, valid as long as `logits` are. A card writes it into page-locked
/// memory of `place`, the same for every token.
Tensor rowOf(const Tensor& logits, Tensor& place)
{
    const auto row = logits.reshape({ -1 });
    if (!row.is_cuda()) return row.to(torch::kFloat).contiguous();
    if (!place.defined()) place = torch::empty(row.sizes(), torch::dtype(torch::kFloat).pinned_memory(true));
    return place.copy_(row);
}
std::span<const float> numbers(const Tensor& row) { return { row.data_ptr<float>(), std::size_t(row.numel()) }; }

/// Fills probability, entropy and alternatives of the token `id` that `logits` predicted.
void describeToken(GeneratedToken& token, const Tensor& logits, TokenDistribution& said, const Tokenizer& tokenizer)
{
    said.read(numbers(logits));
    token.probability = said.probability(token.id);
    token.entropy = said.entropy();
    for (const auto id : said.largest(alternativesShown)) {
        std::int64_t repairs = 0;
        token.alternatives.push_back({ id, repairUtf8(tokenizer.piece(id), repairs), said.probability(id) });
    }
}

/// A table of learned positions ends: of a long prompt its end is kept, and the text may grow to the last position.
/// Returns how many tokens may be written.
std::int64_t fitPositions(
    const ModelConfig& model, std::vector<std::int64_t>& prompt, std::int64_t tokens, std::string& note)
{
    if (model.positions != "learned") return tokens;
    const auto words = std::to_string(model.maxPositions) + " positions that this model has learned";
    if (std::int64_t(prompt.size()) > model.maxPositions) {
        prompt.erase(prompt.begin(), prompt.end() - std::ptrdiff_t(model.maxPositions));
        note = "the prompt was cut to the " + words;
    }
    const auto room = model.maxPositions - std::int64_t(prompt.size()) + 1; // the last token is drawn, not read
    if (room >= tokens) return tokens;
    if (note.empty()) note = "the text ends at the " + words;
    return room;
}

} // namespace

Generation generateText(LanguageModel& model, const Tokenizer& tokenizer, const Pass& pass,
    std::vector<std::int64_t> prompt, const GenerateOptions& options,
    const std::function<void(const GeneratedToken&)>& onToken, const std::stop_token& stop)
{
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); };
    const torch::NoGradGuard guard;
    Generation result;
    const auto wanted = fitPositions(model.config(), prompt, options.sampling.maxTokens, result.note);
    result.promptIds = prompt;
    Sampler sampler(options.sampling);
    const auto started = Clock::now();
    const auto device = model.embedding().device();
    auto state = model.freshState();

    TextDecoder promptText;
    TokenDistribution said;
    const auto promptToken = [&](std::int64_t id, const Tensor& logits) {
        GeneratedToken token;
        token.id = id;
        token.prompt = true;
        token.text = promptText.push(tokenizer.piece(std::int32_t(id)));
        if (logits.defined()) describeToken(token, logits, said, tokenizer);
        onToken(token);
    };
    Tensor logits, place;
    for (std::int64_t first = 0; first < std::int64_t(prompt.size()) && !stop.stop_requested(); first += prefillPiece) {
        const auto n = std::min(prefillPiece, std::int64_t(prompt.size()) - first);
        const auto ids = torch::from_blob(prompt.data() + first, { 1, n }, torch::kLong).to(device);
        const auto h = model.forward(ids, pass, &state);
        if (options.promptProbabilities) {
            const auto all = model.logits(h, pass).to(torch::kCPU);
            for (std::int64_t t = 0; t < n; ++t) {
                promptToken(prompt[std::size_t(first + t)], logits);
                logits = rowOf(all.select(1, t), place);
            }
        } else {
            logits = rowOf(model.logits(h.narrow(1, n - 1, 1), pass), place);
        }
    }

    TokenReader read(model, pass, state);
    TextDecoder decoder;
    for (std::int64_t n = 0; n < wanted && !stop.stop_requested(); ++n) {
        GeneratedToken token;
        std::tie(token.id, token.sampledProbability) = sampler.draw(numbers(logits), prompt);
        token.text = decoder.push(tokenizer.piece(std::int32_t(token.id)));
        const bool last = n + 1 == wanted;
        if (last) token.text += decoder.flush();
        const auto next = [&] { return read(torch::full({ 1, 1 }, token.id, torch::kLong).to(device)); };
        Tensor ahead; // a card reads the token while it is described; a first step takes longer, and is not waited for
        if (device.is_cuda() && n > 0 && !last) ahead = next();
        describeToken(token, logits, said, tokenizer);
        prompt.push_back(token.id);
        result.text += token.text;
        result.tokens.push_back(token);
        if (n == 0) result.firstTokenSeconds = since(started);
        onToken(token);
        if (!last) logits = rowOf(ahead.defined() ? ahead : next(), place);
    }
    if (stop.stop_requested()) result.text += decoder.flush();
    result.seconds = since(started);
    const double writing = result.seconds - result.firstTokenSeconds;
    if (result.tokens.size() > 1 && writing > 0) result.tokensPerSecond = double(result.tokens.size() - 1) / writing;
    result.stateBytes = state.bytes();
    return result;
}

} // namespace pha
