// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer_training.h"

#include "engine/base/error.h"
#include "engine/data/child_process.h"
#include "engine/data/piece_library.h"
#include "engine/data/tokenizer_model.h"
#include "engine/data/tokenizer_sample.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace pha {

namespace {

constexpr std::int64_t seedsPerPiece = 6, fewestSeeds = 50'000; ///< pieces that unigram training begins with and prunes
constexpr std::size_t longText = std::size_t(2) << 20; ///< bytes from which their number matters
constexpr std::int64_t specialPieces = 4, bytePieces = 256; ///< unknown, begin, end, newline
constexpr std::int64_t fewestLetters = 16;

void throwIfStopped(const std::stop_token& stop)
{
    if (stop.stop_requested()) throw Error("training the tokenizer was stopped", "start again when you like");
}

/// Reads the library's log for how far it has come: it tells the number of pieces left (unigram) or made (BPE).
class TrainingLog {
public:
    TrainingLog(std::int64_t target, EventSink& progress)
        : target_(double(target))
        , progress_(progress)
    {
    }
    void read(std::string_view bytes)
    {
        held_ += bytes;
        std::size_t begin = 0;
        for (std::size_t end; (end = held_.find('\n', begin)) != std::string::npos; begin = end + 1)
            line(std::string_view(held_).substr(begin, end - begin));
        held_.erase(0, begin);
        if (held_.size() > longestLine) held_.clear();
    }

private:
    static constexpr std::size_t longestLine = 1 << 16;

    void line(std::string_view text)
    {
        const bool pruning = text.find("EM sub_iter=") != std::string_view::npos;
        const auto at = text.find(" size=");
        if (at == std::string_view::npos || (!pruning && text.find("Added: freq=") == std::string_view::npos)) return;
        double size = 0;
        std::from_chars(text.data() + at + 6, text.data() + text.size(), size);
        if (size <= 0) return;
        if (first_ == 0) first_ = size;
        // Each round of pruning keeps the same share of the pieces.
        const double done = !pruning ? size / target_
            : first_ > target_       ? std::log(first_ / size) / std::log(first_ / target_)
                                     : 1;
        progress_.publish(ProgressEvent { "training the tokenizer", std::clamp(done, 0.0, 1.0), 1, "" });
    }

    double target_, first_ = 0;
    EventSink& progress_;
    std::string held_;
};

constexpr const char* quiet = "4"; ///< level of the library's log that says nothing

/// Trains in a child process: the library cannot be stopped once it works, and ends the process when it gives up.
std::string trainStoppably(std::unordered_map<std::string, std::string> options,
    const std::vector<std::string>& sentences, TrainingLog& log, const std::stop_token& stop)
{
    auto& library = pieceLibrary(); // opened here: a child should not have to
    const auto work = [&](std::string& output) {
        std::size_t at = 0;
        std::string model;
        const auto complaint = library.train(
            options, [&]() { return at < sentences.size() ? &sentences[at++] : nullptr; }, model);
        output = complaint.empty() ? model : complaint;
        return complaint.empty() ? 0 : 1;
    };
    ChildOutcome outcome;
    if (canForkWithThreads) {
        // Some builds of the library crash while they log (Ubuntu's, beside a CUDA LibTorch): then without progress.
        for (const char* level : { "0", quiet }) {
            options["minloglevel"] = level;
            outcome = runInChild(
                {}, work, [&] { return !stop.stop_requested(); }, [&](std::string_view bytes) { log.read(bytes); });
            if (outcome.end != ChildOutcome::End::Crashed) break;
        }
    } else {
        options["minloglevel"] = quiet;
        outcome.code = work(outcome.output);
        outcome.end = ChildOutcome::End::Returned;
    }
    throwIfStopped(stop);
    if (outcome.end == ChildOutcome::End::Returned && outcome.code == 0) return std::move(outcome.output);
    const auto reason = outcome.end == ChildOutcome::End::Returned ? outcome.output : "it crashed or ran out of memory";
    throw DataError("tokenizer", "sentencepiece could not learn from this text (" + reason + ")",
        "give it a longer text or another vocab_size");
}

std::unordered_map<std::string, std::string> libraryOptions(
    const TokenizerRecipe& recipe, const std::vector<std::string>& sentences)
{
    std::unordered_map<std::string, std::string> options { { "model_type", recipe.kind },
        { "vocab_size", std::to_string(recipe.size) }, { "hard_vocab_limit", "false" },
        { "byte_fallback", recipe.byteFallback ? "true" : "false" }, { "normalization_rule_name", "identity" },
        { "remove_extra_whitespaces", "false" }, { "add_dummy_prefix", "false" }, { "split_by_whitespace", "true" },
        { "user_defined_symbols", "\n" }, { "character_coverage", "1.0" }, { "max_sentence_length", "16384" },
        { "input_sentence_size", "0" }, { "self_test_sample_size", "0" }, { "num_threads", "2" }, { "unk_id", "0" },
        { "bos_id", "1" }, { "eos_id", "2" }, { "pad_id", "-1" } };
    std::size_t bytes = 0;
    for (const auto& sentence : sentences) bytes += sentence.size();
    // Of a long text the library's own million seeds cost a third of the time, and the pieces that they end in spell it
    // no better.
    if (bytes > longText)
        options["seed_sentencepiece_size"] = std::to_string(std::max(recipe.size * seedsPerPiece, fewestSeeds));
    return options;
}

} // namespace

std::string trainTokenizerModel(
    const std::string& text, const TokenizerRecipe& recipe, EventSink& progress, const std::stop_token& stop)
{
    throwIfStopped(stop);
    const auto reserved = specialPieces + (recipe.byteFallback ? bytePieces : 0);
    if (recipe.size < reserved + fewestLetters)
        throw DataError("tokenizer",
            std::to_string(recipe.size) + " pieces cannot hold " + (recipe.byteFallback ? "the 256 bytes and " : "")
                + "some letters",
            "set vocab_size to at least " + std::to_string(reserved + fewestLetters));
    progress.publish(ProgressEvent { "training the tokenizer", 0, 0, "" });
    const auto sentences = tokenizerSentences(text, std::size_t((recipe.size - reserved) / 2));
    if (sentences.empty())
        throw DataError("tokenizer", "the text has no characters to learn from", "give it a longer text");
    throwIfStopped(stop);
    TrainingLog log(recipe.size - reserved, progress);
    auto model = trainStoppably(libraryOptions(recipe, sentences), sentences, log, stop);
    throwIfStopped(stop);
    progress.publish(ProgressEvent { "training the tokenizer", 1, 1, "" });
    return model;
}

} // namespace pha
