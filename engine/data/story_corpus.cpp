// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/stop.h"
#include "engine/data/cache.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/ngrams.h"
#include "engine/data/random.h"
#include "engine/data/split_text.h"
#include "engine/data/stories.h"

#include <cmath>
#include <map>
#include <mutex>

namespace pha {

namespace {

constexpr std::uint64_t tokenizerStories = 500, splitStories = 200, referenceStories = 3000;

std::string storyText(std::uint64_t seed, const std::string& split, std::uint64_t from, std::uint64_t count)
{
    std::string text;
    for (std::uint64_t i = from; i < from + count; ++i) text += writeStory(seed, split, i).text();
    return text;
}

/// Tokens of endless stories, one stream a row: row r reads stories r, r + rows, ... of a part of the training stream
/// that depends on the seed, in neighbouring windows. No story is read twice.
class StoryBatches final : public BatchSource {
public:
    StoryBatches(std::uint64_t dataSeed, std::shared_ptr<const Tokenizer> tokenizer, std::string fingerprint,
        std::int64_t rows, std::int64_t context, std::int64_t seed)
        : dataSeed_(dataSeed)
        , tokenizer_(std::move(tokenizer))
        , context_(context)
        , origin_(mixBits(std::uint64_t(seed)) >> 16)
        , identity_ { { "kind", "stories" }, { "rows", rows }, { "context", context }, { "seed", seed },
            { "data", std::move(fingerprint) } }
        , rows_(std::size_t(rows))
    {
        for (std::size_t r = 0; r < rows_.size(); ++r) rows_[r].story = std::int64_t(r);
    }

    Batch next() override
    {
        Batch batch { std::int64_t(rows_.size()), context_, {}, {}, {} };
        const auto size = rows_.size() * std::size_t(context_);
        batch.ids.reserve(size);
        batch.targets.reserve(size);
        for (auto& row : rows_) {
            fill(row);
            const auto* at = row.tokens.data() + row.used;
            batch.places.push_back({ 0, std::int64_t(origin_) + row.story, std::int64_t(row.used) });
            batch.ids.insert(batch.ids.end(), at, at + context_);
            batch.targets.insert(batch.targets.end(), at + 1, at + context_ + 1);
            row.used += std::size_t(context_);
        }
        return batch;
    }

    std::string words(const DataPlace& place) const override
    {
        return "training story " + std::to_string(place.at) + " from its token " + std::to_string(place.offset) + " on";
    }

    Json state() const override
    {
        Json state = identity_;
        auto &stories = state["stories"] = Json::array(), &offsets = state["offsets"] = Json::array();
        for (const auto& row : rows_) {
            // The story that holds the next token, and how far into it.
            std::int64_t story = row.story;
            std::size_t used = row.used;
            for (std::size_t i = 0; i < row.lengths.size() && used >= row.lengths[i]; ++i, story += stride())
                used -= row.lengths[i];
            stories.push_back(story);
            offsets.push_back(used);
        }
        return state;
    }

    void restore(const Json& state) override
    {
        checkState(state, identity_);
        std::vector<Row> rows(rows_.size());
        for (const char* key : { "stories", "offsets" })
            if (!state.contains(key) || !state[key].is_array() || state[key].size() != rows.size())
                throw CheckpointError(
                    "data position", std::string("its ") + key + " are missing", "resume from another checkpoint");
        for (std::size_t r = 0; r < rows.size(); ++r) {
            const Json row { { "story", state["stories"][r] }, { "offset", state["offsets"][r] } };
            rows[r].story = stateInteger(row, "story", std::int64_t(1) << 46);
            rows[r].used = std::size_t(stateInteger(row, "offset", std::int64_t(1) << 20));
            if (rows[r].story % stride() != std::int64_t(r))
                throw CheckpointError(
                    "data position", "a story belongs to another row", "resume from another checkpoint");
        }
        rows_ = std::move(rows);
    }

private:
    struct Row {
        std::int64_t story = 0; ///< whose tokens come first
        std::size_t used = 0; ///< tokens that batches have taken
        std::vector<std::int32_t> tokens;
        std::vector<std::size_t> lengths; ///< of the stories in `tokens`
    };

    std::int64_t stride() const { return std::int64_t(rows_.size()); }

    void fill(Row& row) const
    {
        std::size_t stories = 0;
        while (stories < row.lengths.size() && row.used >= row.lengths[stories]) {
            row.tokens.erase(row.tokens.begin(), row.tokens.begin() + std::ptrdiff_t(row.lengths[stories]));
            row.used -= row.lengths[stories++];
            row.story += stride();
        }
        row.lengths.erase(row.lengths.begin(), row.lengths.begin() + std::ptrdiff_t(stories));
        while (row.tokens.size() < row.used + std::size_t(context_) + 1) {
            const auto index = origin_ + std::uint64_t(row.story + std::int64_t(row.lengths.size()) * stride());
            const auto tokens = tokenizer_->encode(writeStory(dataSeed_, "train", index).text());
            row.lengths.push_back(tokens.size());
            row.tokens.insert(row.tokens.end(), tokens.begin(), tokens.end());
        }
    }

    std::uint64_t dataSeed_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    std::int64_t context_;
    std::uint64_t origin_;
    Json identity_;
    std::vector<Row> rows_;
};

/// A number of stories as one split, with the generator's own nats and questions.
Split buildSplit(std::uint64_t seed, const std::string& name, const Tokenizer& tokenizer)
{
    Split split;
    split.name = name;
    for (std::uint64_t index = 0; index < splitStories; ++index) {
        const auto story = writeStory(seed, name, index);
        const auto added = appendText(split, story.text(), tokenizer);
        split.nats.resize(split.tokens.size(), 0);
        std::size_t begin = 0, token = 0, answer = 0;
        for (const auto& word : story.words) {
            while (added.ends[token] <= begin) ++token;
            split.nats[added.firstToken + token] -= float(std::log(word.probability));
            if (word.answer) {
                // A foreign tokenizer may split the space off: the answer begins after it.
                for (answer = token; added.ends[answer] <= begin + (word.text[0] == ' ');) ++answer;
                split.probes.push_back(
                    { std::int64_t(added.firstToken + answer), word.distance, 1.0 / word.candidates });
            }
            begin += word.text.size();
        }
    }
    return split;
}

class StoryCorpus final : public Corpus {
public:
    StoryCorpus(std::int64_t seed, std::shared_ptr<const Tokenizer> tokenizer)
        : seed_(seed)
        , tokenizer_(std::move(tokenizer))
    {
    }

    std::shared_ptr<const Tokenizer> tokenizer() const override { return tokenizer_; }

    std::unique_ptr<BatchSource> batches(std::int64_t rows, std::int64_t context, std::int64_t seed) const override
    {
        if (rows < 1 || context < 1)
            throw DataError("stories", "batches need rows and a context", "set batch_size and context to at least 1");
        return std::make_unique<StoryBatches>(std::uint64_t(seed_), tokenizer_, fingerprint(), rows, context, seed);
    }

    const Split& split(const std::string& name) const override
    {
        if (name != "train" && name != "valid" && name != "test")
            throw DataError("stories", "no split '" + name + "'", "use train, valid or test");
        const std::lock_guard lock(mutex_);
        auto& split = splits_[name];
        if (split.name.empty()) split = buildSplit(std::uint64_t(seed_), name, *tokenizer_);
        return split;
    }

    const ReferenceEvent& references() const override
    {
        const auto& valid = split("valid");
        std::call_once(counted_, [&] {
            const auto train = tokenizer_->encode(storyText(std::uint64_t(seed_), "train", 0, referenceStories));
            references_ = countReferences(train, valid.tokens, tokenizer_->size());
            double nats = 0;
            for (std::size_t i = 1; i < valid.nats.size(); ++i) nats += double(valid.nats[i]);
            references_.floor = nats / double(valid.nats.size() - 1);
        });
        return references_;
    }

    std::string samplePrompt() const override
    {
        const auto text = writeStory(std::uint64_t(seed_), "prompt", 0).text();
        return text.substr(0, text.find('\n') + 1);
    }
    std::string description() const override
    {
        return "stories " + std::to_string(storiesVersion) + ", seed " + std::to_string(seed_);
    }
    std::string fingerprint() const override { return sha256Hex(description()); }

private:
    std::int64_t seed_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    mutable std::mutex mutex_;
    mutable std::map<std::string, Split> splits_; // nodes stay where they are
    mutable std::once_flag counted_;
    mutable ReferenceEvent references_;
};

} // namespace

std::unique_ptr<Corpus> openStories(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
    EventSink& progress, const std::stop_token& stop)
{
    const auto seed = std::uint64_t(config.dataSeed);
    if (!tokenizer) {
        const auto key = "stories-v" + std::to_string(storiesVersion) + "-seed" + std::to_string(config.dataSeed);
        tokenizer = cachedTokenizer(
            key, config, [seed] { return storyText(seed, "train", 0, tokenizerStories); }, progress, stop);
    }
    throwIfStopped(stop, "opening stories", "start again when you like");
    return std::make_unique<StoryCorpus>(config.dataSeed, std::move(tokenizer));
}

} // namespace pha
