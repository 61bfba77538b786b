// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/cache.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/ngrams.h"
#include "engine/data/random.h"
#include "engine/data/split_text.h"
#include "engine/data/text_source.h"
#include "engine/data/token_file.h"

#include <algorithm>
#include <mutex>
#include <numeric>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t sampleBytes = std::size_t(6) << 20; ///< for the tokenizer
constexpr std::size_t sampleTokens = std::size_t(1) << 18; ///< of training text that can be evaluated
constexpr std::size_t countedTokens = std::size_t(1) << 22; ///< for the reference lines
constexpr std::size_t promptWords = 12;

void throwIfStopped(const TextSource& source, const std::stop_token& stop)
{
    if (stop.stop_requested())
        throw Error("preparing " + source.path().string() + " was stopped", "start again when you like");
}

/// Training blocks at even distances, cleaned.
std::string tokenizerSample(const TextSource& source, const std::stop_token& stop)
{
    std::vector<const TextBlock*> blocks;
    std::uint64_t total = 0;
    for (const auto& block : source.blocks())
        if (block.split == TextSplit::Train) blocks.push_back(&block), total += block.end - block.begin;
    const auto step = std::max<std::uint64_t>(1, (total + sampleBytes - 1) / sampleBytes);
    std::string sample;
    std::int64_t repairs = 0;
    for (std::size_t i = 0; i < blocks.size() && sample.size() < 2 * sampleBytes; i += std::size_t(step)) {
        throwIfStopped(source, stop);
        sample += source.clean(*blocks[i], source.raw(*blocks[i]), repairs);
    }
    return sample;
}

/// Encodes every block. `file`: where the tokens are kept; empty for memory.
std::unique_ptr<TokenStore> encodeText(const TextSource& source, const Tokenizer& tokenizer, const fs::path& file,
    EventSink& progress, const std::stop_token& stop)
{
    TokenWriter writer(file);
    TokenStore store;
    Sha256 hash;
    hash.update(source.header());
    Split& sample = store.trainSample;
    double done = 0;
    for (const auto& block : source.blocks()) {
        throwIfStopped(source, stop);
        auto raw = source.raw(block);
        hash.update(raw);
        const auto text = source.clean(block, std::move(raw), store.repairs);
        if (block.split != TextSplit::Train) {
            appendText(block.split == TextSplit::Valid ? store.valid : store.test, text, tokenizer);
        } else if (sample.tokens.size() < sampleTokens) {
            const auto before = appendText(sample, text, tokenizer).firstToken;
            writer.add({ sample.tokens.begin() + std::ptrdiff_t(before), sample.tokens.end() });
        } else {
            writer.add(tokenizer.encode(text));
        }
        done += double(block.end - block.begin);
        progress.publish(ProgressEvent { "encoding text", done, double(source.bytes()), "bytes" });
    }
    if (hash.hex() != source.fingerprint()) throwTextChanged(source);
    return writer.finish(std::move(store), source.fingerprint(), tokenizer.fingerprint());
}

/// Windows of the training tokens in an order that is drawn anew for each epoch, as is where the first window begins.
class TextBatches final : public BatchSource {
public:
    TextBatches(std::shared_ptr<const TokenStore> store, const std::string& fingerprint, std::int64_t rows,
        std::int64_t context, std::int64_t seed)
        : store_(std::move(store))
        , context_(std::size_t(context))
        , rows_(std::size_t(rows))
        , seed_(std::uint64_t(seed))
        , identity_ { { "kind", "text" }, { "rows", rows }, { "context", context }, { "seed", seed },
            { "data", fingerprint } }
    {
        shuffle();
    }

    Batch next() override
    {
        Batch batch { std::int64_t(rows_), std::int64_t(context_), {}, {} };
        batch.ids.reserve(rows_ * context_);
        batch.targets.reserve(rows_ * context_);
        for (std::size_t r = 0; r < rows_; ++r) {
            if (at_ == order_.size()) {
                ++epoch_;
                at_ = 0;
                shuffle();
            }
            const auto* token = store_->train.data() + first_ + std::size_t(order_[at_++]) * context_;
            batch.ids.insert(batch.ids.end(), token, token + context_);
            batch.targets.insert(batch.targets.end(), token + 1, token + context_ + 1);
        }
        return batch;
    }

    Json state() const override
    {
        Json state = identity_;
        state["epoch"] = epoch_;
        state["window"] = at_;
        return state;
    }

    void restore(const Json& state) override
    {
        checkState(state, identity_);
        const auto epoch = stateInteger(state, "epoch", std::int64_t(1) << 40);
        const auto window = stateInteger(state, "window", std::int64_t(store_->train.size() / context_));
        epoch_ = epoch;
        shuffle();
        at_ = std::min(std::size_t(window), order_.size());
    }

private:
    void shuffle()
    {
        Random random(mixBits(seed_) ^ mixBits(std::uint64_t(epoch_) + 1));
        const auto room = store_->train.size() - context_; // positions where a window and its last target fit
        first_ = std::size_t(random.below(std::min(room, context_)));
        order_.resize((store_->train.size() - 1 - first_) / context_);
        std::iota(order_.begin(), order_.end(), 0u);
        for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
    }

    std::shared_ptr<const TokenStore> store_;
    std::size_t context_, rows_;
    std::uint64_t seed_;
    Json identity_;
    std::int64_t epoch_ = 0;
    std::size_t at_ = 0, first_ = 0;
    std::vector<std::uint32_t> order_;
};

class TextCorpus final : public Corpus {
public:
    TextCorpus(const TextSource& source, std::shared_ptr<const Tokenizer> tokenizer, std::unique_ptr<TokenStore> store)
        : name_(source.path().string())
        , fingerprint_(source.fingerprint())
        , tokenizer_(std::move(tokenizer))
    {
        store->trainSample.name = "train";
        store->valid.name = "valid";
        store->test.name = "test";
        description_ = source.path().filename().string();
        if (description_.empty()) description_ = source.path().parent_path().filename().string(); // "folder/"
        description_ += ", " + formatBytes(double(source.bytes()));
        if (source.files() > 1) description_ += ", " + std::to_string(source.files()) + " files";
        if (store->repairs > 0) description_ += ", " + std::to_string(store->repairs) + " invalid characters replaced";
        store_ = std::move(store);
    }

    std::shared_ptr<const Tokenizer> tokenizer() const override { return tokenizer_; }

    std::unique_ptr<BatchSource> batches(std::int64_t rows, std::int64_t context, std::int64_t seed) const override
    {
        if (rows < 1 || context < 1)
            throw DataError(name_, "batches need rows and a context", "set batch_size and context to at least 1");
        const auto tokens = std::int64_t(store_->train.size());
        if (context >= tokens)
            throw DataError(name_,
                "has " + std::to_string(tokens) + " training tokens, and a context of " + std::to_string(context)
                    + " needs at least " + std::to_string(context + 1),
                "give a longer text or a smaller context");
        return std::make_unique<TextBatches>(
            store_, sha256Hex(fingerprint_ + tokenizer_->fingerprint()), rows, context, seed);
    }

    const Split& split(const std::string& name) const override
    {
        if (name == "train") return store_->trainSample;
        if (name == "valid") return store_->valid;
        if (name == "test") return store_->test;
        throw DataError(name_, "no split '" + name + "'", "use train, valid or test");
    }

    const ReferenceEvent& references() const override
    {
        std::call_once(counted_, [this] {
            const auto train = store_->train.first(std::min(store_->train.size(), countedTokens));
            references_ = countReferences(train, store_->valid.tokens, tokenizer_->size());
        });
        return references_;
    }

    /// The first words of the validation text's first line that has some.
    std::string samplePrompt() const override
    {
        const auto& tokens = store_->valid.tokens;
        const auto text = tokenizer_->decode(
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
    std::string description() const override { return description_; }
    std::string fingerprint() const override { return fingerprint_; }

private:
    std::string name_, fingerprint_, description_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::shared_ptr<const TokenStore> store_;
    mutable std::once_flag counted_;
    mutable ReferenceEvent references_;
};

} // namespace

std::unique_ptr<Corpus> openText(const fs::path& path, const DataConfig& config,
    std::shared_ptr<const Tokenizer> tokenizer, EventSink& progress, const std::stop_token& stop)
{
    TextSource source(path);
    source.scan(progress, stop);
    const auto key = source.fingerprint().substr(0, 32);
    if (!tokenizer)
        tokenizer = cachedTokenizer(
            "text-" + key, config, [&] { return tokenizerSample(source, stop); }, progress, stop);

    const auto folder = cacheFolder();
    const auto file = folder / ("tokens-" + key + "-" + tokenizer->fingerprint().substr(0, 32) + ".bin");
    std::unique_ptr<TokenStore> store;
    if (!folder.empty()) {
        store = readTokenFile(file, source.fingerprint(), tokenizer->fingerprint());
        try {
            if (!store) store = encodeText(source, *tokenizer, file, progress, stop);
        } catch (const IoError&) {
            // No room or no permission: the tokens fit into memory or the text is too large for this machine anyway.
        }
    }
    if (!store) store = encodeText(source, *tokenizer, {}, progress, stop);
    if (store->train.size() < 3 || store->valid.tokens.size() < 2 || store->test.tokens.size() < 2)
        throw DataError(
            path.string(), "is too short to train on and to validate with", "give a text of at least a few kilobytes");
    return std::make_unique<TextCorpus>(source, std::move(tokenizer), std::move(store));
}

} // namespace pha
