// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/tokenizer_training.h"

#include "engine/base/error.h"
#include "engine/data/child_process.h"
#include "engine/data/piece_library.h"
#include "engine/data/tokenizer_model.h"
#include "engine/data/utf8.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace pha {

namespace {

constexpr std::size_t maxSample = std::size_t(6) << 20, sampleBlock = std::size_t(64) << 10; ///< bytes
constexpr std::size_t maxSentence = 2000; ///< bytes; the library skips longer ones
constexpr std::size_t maxRepeated = 100'000;
constexpr std::int64_t seedsPerPiece = 6, fewestSeeds = 50'000; ///< pieces that unigram training begins with and prunes
constexpr std::size_t longText = std::size_t(2) << 20; ///< bytes from which their number matters
constexpr double enoughCoverage = 0.99995; ///< of the characters of the sample
constexpr std::int64_t specialPieces = 4, bytePieces = 256; ///< unknown, begin, end, newline
constexpr std::int64_t fewestLetters = 16;

/// Sentences of a long text: all of it, or blocks at even distances.
class Sample {
public:
    explicit Sample(std::string_view text)
    {
        const std::size_t blocks = maxSample / sampleBlock;
        if (text.size() <= maxSample) {
            add(text);
            return;
        }
        for (std::size_t i = 0; i < blocks; ++i) {
            auto begin = text.size() / blocks * i;
            while (begin < text.size() && (text[begin] & 0xC0) == 0x80) ++begin; // not inside a character
            add(text.substr(begin, sampleBlock));
        }
    }

    std::vector<std::string> sentences;

private:
    void add(std::string_view text)
    {
        for (std::size_t begin = 0; begin < text.size();) {
            auto end = std::min(text.find('\n', begin), text.size());
            if (end - begin > maxSentence) end = cut(text, begin);
            if (end > begin) sentences.push_back(clean(text.substr(begin, end - begin)));
            begin = end + (end < text.size() && text[end] == '\n');
        }
    }

    /// End of a sentence that would be too long: before its last space, or at least not inside a character.
    static std::size_t cut(std::string_view text, std::size_t begin)
    {
        const auto space = text.rfind(' ', begin + maxSentence);
        if (space != std::string_view::npos && space > begin) return space;
        auto end = begin + maxSentence;
        while ((text[end] & 0xC0) == 0x80) --end;
        return end;
    }

    /// Without what encoding never hands to sentencepiece: control characters, invalid bytes, its own mark for spaces.
    static std::string clean(std::string_view text)
    {
        std::string sentence;
        for (std::size_t at = 0; at < text.size();) {
            const auto step = stepUtf8(text.substr(at));
            const auto character = text.substr(at, step.length);
            const bool kept = step.valid && static_cast<unsigned char>(character[0]) >= ' ' && character != spaceMark;
            sentence += kept ? character : std::string_view(" ");
            at += step.length;
        }
        return sentence;
    }
};

/// The library takes its first pieces from what stands in two different words: one that always stands between the same
/// neighbours would never become a piece. So each word that is not rare stands once more before a full stop and a
/// comma.
void repeatWords(std::vector<std::string>& sentences)
{
    std::unordered_map<std::string_view, std::size_t> words; // views into the sentences
    for (const auto& sentence : sentences) {
        for (std::size_t begin = 0; begin < sentence.size();) {
            const auto end = std::min(sentence.find(' ', begin + 1), sentence.size());
            auto word = std::string_view(sentence).substr(begin, end - begin);
            while (!word.empty() && std::string_view(".,;:!?\"')").find(word.back()) != std::string_view::npos)
                word.remove_suffix(1);
            if (word.size() > 1 && word.size() < 64) ++words[word];
            begin = end;
        }
    }
    std::vector<std::string> common;
    for (const auto& [word, count] : words)
        if (count >= 3) common.emplace_back(word);
    std::sort(common.begin(), common.end()); // the same text gives the same model
    if (common.size() > maxRepeated) common.resize(maxRepeated);
    for (const auto& word : common) {
        sentences.push_back(word + ".");
        sentences.push_back(word + ",");
    }
}

/// How often each character stands in some text.
class CharacterCounts {
public:
    void add(std::string_view sentence)
    {
        for (std::size_t at = 0; at < sentence.size(); ++total) {
            const auto character = characterAt(sentence, at);
            if (character.size() == 1)
                ++single_[static_cast<unsigned char>(character[0])];
            else
                ++longer_[character];
            at += character.size();
        }
    }
    /// The most frequent characters, most frequent first, ties in the order of their bytes.
    std::vector<std::pair<std::size_t, std::string>> sorted() const
    {
        std::vector<std::pair<std::size_t, std::string>> list;
        for (std::size_t byte = 0; byte < single_.size(); ++byte)
            if (single_[byte] > 0) list.emplace_back(single_[byte], std::string(1, char(byte)));
        for (const auto& [character, count] : longer_) list.emplace_back(count, character);
        std::sort(list.begin(), list.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
        return list;
    }
    static std::string_view characterAt(std::string_view text, std::size_t at)
    {
        const auto byte = static_cast<unsigned char>(text[at]);
        return text.substr(at, byte < 0x80 ? 1 : stepUtf8(text.substr(at)).length);
    }
    std::size_t total = 0;

private:
    std::array<std::size_t, 256> single_ {};
    std::unordered_map<std::string_view, std::size_t> longer_; ///< views into the sentences
};

/// Leaves out the characters that are too rare to deserve a piece each, so that single characters take at most half of
/// the vocabulary; bytes spell them. (The library's own coverage option refuses to leave out more than two percent.)
void dropRareCharacters(std::vector<std::string>& sentences, std::size_t most)
{
    CharacterCounts counts;
    for (const auto& sentence : sentences) counts.add(sentence);
    const auto sorted = counts.sorted();
    std::array<bool, 256> keptSingle {};
    std::unordered_set<std::string> kept;
    std::size_t covered = 0, number = 0;
    for (const auto& [count, character] : sorted) {
        if (number == most || double(covered) >= enoughCoverage * double(counts.total)) break;
        if (character.size() == 1)
            keptSingle[static_cast<unsigned char>(character[0])] = true;
        else
            kept.insert(character);
        covered += count;
        ++number;
    }
    if (number == sorted.size()) return;
    for (auto& sentence : sentences) {
        std::string rest;
        for (std::size_t at = 0; at < sentence.size();) {
            const auto character = CharacterCounts::characterAt(sentence, at);
            const bool keep = character.size() == 1 ? keptSingle[static_cast<unsigned char>(character[0])]
                                                    : kept.contains(std::string(character));
            rest += keep ? character : std::string_view(" ");
            at += character.size();
        }
        sentence = std::move(rest);
    }
}

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
    auto sentences = Sample(text).sentences;
    dropRareCharacters(sentences, std::size_t((recipe.size - reserved) / 2));
    const bool blank = std::all_of(sentences.begin(), sentences.end(),
        [](const std::string& sentence) { return sentence.find_first_not_of(' ') == std::string::npos; });
    if (blank) throw DataError("tokenizer", "the text has no characters to learn from", "give it a longer text");
    repeatWords(sentences);
    throwIfStopped(stop);
    TrainingLog log(recipe.size - reserved, progress);
    auto model = trainStoppably(libraryOptions(recipe, sentences), sentences, log, stop);
    throwIfStopped(stop);
    progress.publish(ProgressEvent { "training the tokenizer", 1, 1, "" });
    return model;
}

} // namespace pha
