// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/loaded_model.h"
#include "engine/eval/token_distribution.h"
#include "engine/eval/token_writer.h"

#include <algorithm>
#include <chrono>

namespace pha {

namespace {

constexpr std::size_t alternativesShown = 10;
/// A prompt is read in pieces of this many tokens, so that a stop is answered and scores stay small.
constexpr std::int64_t prefillPiece = 1024;

/// A table of learned positions ends: of a prompt that is longer only the end is kept, and the text may grow to the
/// last position. Returns how many tokens may be written.
std::int64_t fitPositions(
    const ModelConfig& model, std::vector<std::int64_t>& prompt, std::int64_t tokens, std::string& note)
{
    if (model.positions != "learned") return tokens;
    // The last token is drawn, not read.
    if (const auto kept = tokensOfPrompt(std::int64_t(prompt.size()), model.maxPositions, tokens);
        kept < std::int64_t(prompt.size())) {
        prompt.erase(prompt.begin(), prompt.end() - std::ptrdiff_t(kept));
        note = "the prompt was cut to its last " + (kept == 1 ? "token" : std::to_string(kept) + " tokens") + "; ";
    }
    const auto room = model.maxPositions - std::int64_t(prompt.size()) + 1;
    if (note.empty() && room >= tokens) return tokens;
    note += "the text ends at the " + std::to_string(model.maxPositions) + " positions that this model has learned";
    return std::min(room, tokens);
}

} // namespace

void describeToken(
    GeneratedToken& token, std::span<const float> logits, TokenDistribution& said, const Tokenizer& tokenizer)
{
    said.read(logits);
    token.probability = said.probability(token.id);
    token.entropy = said.entropy();
    for (const auto id : said.largest(alternativesShown)) {
        std::int64_t repairs = 0;
        token.alternatives.push_back({ id, repairUtf8(tokenizer.piece(id), repairs), said.probability(id) });
    }
}

Generation generateText(LanguageModel& model, const Tokenizer& tokenizer, const Pass& pass,
    std::vector<std::int64_t> prompt, const GenerateOptions& options,
    const std::function<void(const GeneratedToken&)>& onToken, const std::stop_token& stop)
{
    using Clock = std::chrono::steady_clock;
    const auto since = [](Clock::time_point t) { return std::chrono::duration<double>(Clock::now() - t).count(); };
    const torch::NoGradGuard guard;
    Generation result;
    options.sampling.validate();
    const auto wanted = fitPositions(model.config(), prompt, options.sampling.maxTokens, result.note);
    result.promptIds = prompt;
    const auto started = Clock::now();
    const auto device = model.embedding().device();
    auto state = model.freshState();

    TextDecoder decoder; // of both: a prompt may end inside a character
    TokenDistribution said;
    const auto promptToken = [&](std::int64_t id, const Tensor& logits) {
        GeneratedToken token;
        token.id = id;
        token.prompt = true;
        token.text = decoder.push(tokenizer.piece(std::int32_t(id)));
        if (logits.defined()) describeToken(token, numbers(logits), said, tokenizer);
        onToken(token);
    };
    Tensor logits;
    for (std::int64_t first = 0; first < std::int64_t(prompt.size()) && !stop.stop_requested(); first += prefillPiece) {
        const auto n = std::min(prefillPiece, std::int64_t(prompt.size()) - first);
        const auto ids = torch::from_blob(prompt.data() + first, { 1, n }, torch::kLong).to(device);
        const auto h = model.forward(ids, pass, &state);
        if (options.promptProbabilities) {
            const auto all = model.logits(h, pass).to(torch::kCPU, torch::kFloat).contiguous();
            for (std::int64_t t = 0; t < n; ++t) {
                promptToken(prompt[std::size_t(first + t)], logits);
                logits = all.select(1, t);
            }
        } else {
            for (std::int64_t t = 0; t < n; ++t)
                decoder.push(tokenizer.piece(std::int32_t(prompt[std::size_t(first + t)])));
            logits = model.logits(h.narrow(1, n - 1, 1), pass);
        }
    }

    result.stateBytes = state.bytes();
    TokenReader read(model, pass, state);
    std::unique_ptr<TokenWriter> writer;
    for (std::int64_t n = 0; n < wanted && !stop.stop_requested(); ++n) {
        if (!writer) writer = TokenWriter::make({ read, state, device, logits, options.sampling, prompt, wanted });
        const auto drawn = writer->next();
        GeneratedToken token;
        token.id = drawn.id;
        token.sampledProbability = drawn.probability;
        token.text = decoder.push(tokenizer.piece(std::int32_t(token.id)));
        if (n + 1 == wanted) token.text += decoder.flush();
        describeToken(token, drawn.logits, said, tokenizer);
        result.text += token.text;
        result.tokens.push_back(token);
        result.stateBytes = drawn.stateBytes;
        if (n == 0) result.firstTokenSeconds = since(started);
        onToken(token);
    }
    if (stop.stop_requested()) result.text += decoder.flush();
    result.seconds = since(started);
    const double writing = result.seconds - result.firstTokenSeconds;
    if (result.tokens.size() > 1 && writing > 0) result.tokensPerSecond = double(result.tokens.size() - 1) / writing;
    return result;
}

} // namespace pha
