// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/token_corpus.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/encoding.h"
#include "engine/data/ngrams.h"
#include "engine/data/prepare.h"
#include "engine/data/random.h"
#include "engine/data/survey.h"
#include "engine/data/token_bins.h"
#include "engine/data/window_order.h"

#include <algorithm>
#include <cmath>
#include <mutex>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t countedTokens = std::uint64_t(1) << 22; ///< for the reference lines
constexpr std::uint64_t maxChecked = std::uint64_t(1) << 30; ///< bytes of a file that is read whole to be checked
constexpr std::size_t promptWords = 12;
constexpr const char* wrongRows = "has the wrong kind of rows";
constexpr const char* prepareAgain = "prepare the corpus again";

/// Windows of the training tokens in an order that is drawn anew for each epoch, as is where the first window begins.
/// Memory does not grow with the corpus.
class TokenBatches final : public BatchSource {
public:
    TokenBatches(TokenSequence tokens, std::int64_t vocabulary, const std::string& fingerprint, std::int64_t rows,
        std::int64_t context, std::int64_t seed)
        : tokens_(std::move(tokens))
        , vocabulary_(vocabulary)
        , context_(std::uint64_t(context))
        , rows_(std::size_t(rows))
        , seed_(std::uint64_t(seed))
        , identity_ { { "kind", "tokens" }, { "rows", rows }, { "context", context }, { "seed", seed },
            { "data", fingerprint } }
    {
        shuffle();
    }

    Batch next() override
    {
        const auto context = std::size_t(context_);
        Batch batch { std::int64_t(rows_), std::int64_t(context_), {}, {}, {} };
        batch.ids.resize(rows_ * context);
        batch.targets.resize(rows_ * context);
        std::vector<std::int64_t> window(context + 1);
        for (std::size_t r = 0; r < rows_; ++r) {
            if (place_.at == std::int64_t(order_.size())) {
                place_ = { place_.epoch + 1, 0 };
                shuffle();
            }
            const auto from = first_ + order_[std::uint64_t(place_.at++)] * context_;
            tokens_.copy(from, std::span(window));
            batch.places.push_back({ place_.epoch, std::int64_t(from), 0 });
            // A wrong id ends the process on a GPU.
            for (const auto id : window)
                if (id < 0 || id >= vocabulary_)
                    throw DataError("the training tokens",
                        "hold the id " + std::to_string(id) + " of a vocabulary of " + std::to_string(vocabulary_),
                        "give the tokenizer that the tokens were made with");
            std::copy(window.begin(), window.end() - 1, batch.ids.begin() + std::ptrdiff_t(r * context));
            std::copy(window.begin() + 1, window.end(), batch.targets.begin() + std::ptrdiff_t(r * context));
        }
        return batch;
    }

    std::string words(const DataPlace& place) const override
    {
        return "tokens " + std::to_string(place.at) + " to " + std::to_string(place.at + std::int64_t(context_) - 1)
            + " of the training text, epoch " + std::to_string(place.epoch + 1);
    }

    Json state() const override { return place_.save(identity_, "window"); }

    void restore(const Json& state) override
    {
        place_ = EpochPlace::restored(state, identity_, "window", std::int64_t(tokens_.size() / context_));
        shuffle();
        place_.at = std::min(place_.at, std::int64_t(order_.size()));
    }

private:
    void shuffle()
    {
        Random random(mixBits(seed_) ^ mixBits(std::uint64_t(place_.epoch) + 1));
        const auto room = tokens_.size() - context_; // positions where a window and its last target fit
        first_ = random.below(std::min(room, context_));
        order_ = WindowOrder((tokens_.size() - 1 - first_) / context_, random.next());
    }

    TokenSequence tokens_;
    std::int64_t vocabulary_;
    std::uint64_t context_;
    std::size_t rows_;
    std::uint64_t seed_;
    Json identity_;
    EpochPlace place_;
    std::uint64_t first_ = 0;
    WindowOrder order_;
};

class TokenCorpus final : public Corpus {
public:
    explicit TokenCorpus(TokenCorpusParts parts)
        : parts_(std::move(parts))
    {
        for (std::size_t i = 0; i < splitNames.size(); ++i) parts_.splits[i].name = splitNames[i];
    }

    std::shared_ptr<const Tokenizer> tokenizer() const override { return parts_.tokenizer; }

    std::unique_ptr<BatchSource> batches(std::int64_t rows, std::int64_t context, std::int64_t seed) const override
    {
        if (rows < 1 || context < 1)
            throw DataError(parts_.name, "batches need rows and a context", "set batch_size and context to at least 1");
        const auto tokens = std::int64_t(parts_.train.size());
        if (tokens == 0 && parts_.undivided) refuseUndivided(parts_.name);
        if (tokens == 0)
            throw DataError(
                parts_.name, "has no training text", "add a text to train on; this one can be evaluated only");
        if (context >= tokens)
            throw DataError(parts_.name,
                "has " + std::to_string(tokens) + " training tokens, and a context of " + std::to_string(context)
                    + " needs at least " + std::to_string(context + 1),
                "give a longer text or a smaller context");
        return std::make_unique<TokenBatches>(parts_.train, parts_.tokenizer->size(),
            sha256Hex(parts_.fingerprint + parts_.tokenizer->fingerprint()), rows, context, seed);
    }

    const Split& split(const std::string& name) const override
    {
        for (const auto& split : parts_.splits) {
            if (split.name != name) continue;
            if (split.tokens.size() >= 2) return split;
            if (const auto& whole = parts_.splits[2]; parts_.undivided && whole.tokens.size() >= 2) return whole;
            throw DataError(parts_.name, "has no text for the split '" + name + "'",
                "use another split, or prepare the corpus with a share for this one");
        }
        throw DataError(parts_.name, "no split '" + name + "'", "use train, valid or test");
    }

    std::int64_t tokens(std::size_t split) const override { return parts_.totals[split]; }

    const ReferenceEvent& references() const override
    {
        std::call_once(counted_, [this] {
            references_.uniform = references_.unigram = references_.bigram = std::log(double(parts_.tokenizer->size()));
            const auto& valid = parts_.splits[1].tokens;
            const auto count = std::min(parts_.train.size(), countedTokens);
            if (count < 3 || valid.size() < 2) return;
            std::vector<std::int32_t> train(std::size_t(count), 0);
            parts_.train.copy(0, std::span(train));
            checkIds(train, *parts_.tokenizer, parts_.name); // they lie on the disk as somebody wrote them
            checkIds(valid, *parts_.tokenizer, parts_.name);
            references_ = countReferences(train, valid, parts_.tokenizer->size());
        });
        return references_;
    }

    /// The first words of the validation text's first line that has some.
    std::string samplePrompt() const override
    {
        const auto& tokens = parts_.splits[parts_.splits[1].tokens.empty() ? 2 : 1].tokens;
        const auto text = parts_.tokenizer->decode(
            { tokens.begin(), tokens.begin() + std::ptrdiff_t(std::min<std::size_t>(tokens.size(), 400)) });
        for (std::size_t begin = 0; begin < text.size();) {
            const auto end = std::min(text.find('\n', begin), text.size());
            std::size_t words = 0, at = begin;
            while (at < end && words < promptWords) {
                at = std::min(text.find(' ', at + 1), end);
                ++words;
            }
            if (words >= 3) return text.substr(begin, at - begin);
            begin = end + 1;
        }
        return "The";
    }
    std::string description() const override { return parts_.description; }
    std::string fingerprint() const override { return parts_.fingerprint; }
    const CorpusCard* card() const override { return parts_.card ? &*parts_.card : nullptr; }

private:
    TokenCorpusParts parts_;
    mutable std::once_flag counted_;
    mutable ReferenceEvent references_;
};

Split splitFromFile(const TokenFile& file)
{
    Split split;
    const auto rows = file.counted();
    split.tokens.reserve(rows.size());
    split.words.reserve(rows.size());
    split.bytes.reserve(rows.size());
    for (const auto& row : rows) {
        split.tokens.push_back(row.token);
        split.words.push_back(row.words);
        split.bytes.push_back(row.bytes);
    }
    return split;
}

/// Where the documents of a split begin.
std::vector<std::int32_t> beginsFromFile(const TokenFile& file, const fs::path& path, const Split& split)
{
    if (file.row() != TokenRow::Long) throw DataError(path.string(), wrongRows, prepareAgain);
    std::vector<std::int32_t> begins(std::size_t(file.size()), 0);
    file.copy(0, std::span(begins));
    const bool within = begins.empty()
        || (begins.front() >= 0 && begins.back() >= 0 && std::size_t(begins.back()) <= split.tokens.size());
    if (!within || !std::is_sorted(begins.begin(), begins.end()))
        throw DataError(path.string(), "does not belong to the tokens beside it", prepareAgain);
    return begins;
}

std::string describe(const CorpusCard& card, const std::string& shown)
{
    auto text = shown + ", " + formatBytes(double(card.bytes()));
    if (card.files > 1) text += ", " + std::to_string(card.files) + " files";
    if (card.repairs.any()) text += ", " + card.repairs.text();
    return text;
}

} // namespace

std::unique_ptr<Corpus> makeTokenCorpus(TokenCorpusParts parts)
{
    return std::make_unique<TokenCorpus>(std::move(parts));
}

std::unique_ptr<Corpus> openPrepared(const fs::path& folder, const std::string& shown,
    std::shared_ptr<const Tokenizer> tokenizer, bool check, bool undivided, const CorpusCard* own)
{
    TokenCorpusParts parts;
    parts.card = readCorpusCard(folder);
    if (!tokenizer) tokenizer = Tokenizer::load(folder / "tokenizer.model");
    if (tokenizer->fingerprint() != parts.card->tokenizer)
        throw DataError(folder.string(), "was prepared with another tokenizer",
            "prepare the text again with --tokenizer RUN/tokenizer.model");
    const TokenFileKey key { parts.card->fingerprint, parts.card->tokenizer };
    const auto open = [&](const char* name) {
        std::error_code problem;
        const auto size = fs::file_size(folder / name, problem);
        return TokenFile::open(folder / name, key, check && !problem && size <= maxChecked);
    };
    parts.train.add(open("train.bin"));
    if (parts.train.size() != std::uint64_t(parts.card->splits[0].tokens))
        throw DataError(folder.string(), "its corpus.json does not belong to its train.bin", prepareAgain);
    const char* files[] = { "sample.bin", "valid.bin", "test.bin" };
    for (std::size_t i = 0; i < parts.splits.size(); ++i) {
        const auto file = open(files[i]);
        if (file->row() != TokenRow::Counted) throw DataError((folder / files[i]).string(), wrongRows, prepareAgain);
        parts.splits[i] = splitFromFile(*file);
        std::error_code absent; // earlier versions wrote none
        if (const auto begins = folder / documentFiles[i]; fs::exists(begins, absent))
            parts.splits[i].documents = beginsFromFile(*open(documentFiles[i]), begins, parts.splits[i]);
        parts.totals[i] = parts.card->splits[i].tokens;
    }
    if (own) {
        const auto duplicates = parts.card->repairs.duplicates; // of the words, and counted only as they are encoded
        parts.card->name = own->name;
        parts.card->sources = own->sources;
        parts.card->files = own->files;
        parts.card->repairs = own->repairs;
        parts.card->repairs.duplicates = duplicates;
    }
    parts.undivided = undivided;
    parts.name = shown;
    parts.description = describe(*parts.card, shown);
    parts.fingerprint = parts.card->fingerprint;
    parts.tokenizer = std::move(tokenizer);
    return makeTokenCorpus(std::move(parts));
}

} // namespace pha
