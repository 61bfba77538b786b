// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/random.h"
#include "engine/data/tasks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <mutex>
#include <numeric>

namespace pha {

namespace {

constexpr std::int64_t mostExamples = 3000, leastExamples = 64, splitTokens = 1 << 18; ///< of an evaluation split

/// Examples as rows: an endless stream that depends on the seed, or a training set in an order that is drawn anew for
/// each epoch.
class TaskBatches final : public BatchSource {
public:
    TaskBatches(const Task& task, std::string fingerprint, std::int64_t rows, std::int64_t seed)
        : task_(task)
        , rows_(rows)
        , seed_(std::uint64_t(seed))
        , identity_ { { "kind", task.name }, { "rows", rows }, { "seed", seed }, { "data", std::move(fingerprint) } }
    {
        shuffle();
    }

    Batch next() override
    {
        Batch batch { rows_, task_.exampleLength(), {}, {}, {} };
        for (std::int64_t r = 0; r < rows_; ++r) {
            const auto number = takeNumber();
            const auto example = writeExample(task_, "train", number);
            batch.places.push_back({ place_.epoch, std::int64_t(number), 0 });
            batch.ids.insert(batch.ids.end(), example.ids.begin(), example.ids.end());
            batch.targets.insert(batch.targets.end(), example.lessons.begin(), example.lessons.end());
        }
        return batch;
    }

    std::string words(const DataPlace& place) const override
    {
        return "training example " + std::to_string(place.at)
            + (task_.examples > 0 ? ", epoch " + std::to_string(place.epoch + 1) : "");
    }

    Json state() const override { return place_.save(identity_, "example"); }

    void restore(const Json& state) override
    {
        const auto most = task_.examples > 0 ? task_.examples : std::int64_t(1) << 46;
        place_ = EpochPlace::restored(state, identity_, "example", most);
        shuffle();
    }

private:
    std::uint64_t takeNumber()
    {
        if (task_.examples == 0) return (mixBits(seed_) >> 16) + std::uint64_t(place_.at++);
        if (place_.at == task_.examples) {
            place_ = { place_.epoch + 1, 0 };
            shuffle();
        }
        return order_[std::size_t(place_.at++)];
    }

    void shuffle()
    {
        order_.resize(std::size_t(task_.examples));
        std::iota(order_.begin(), order_.end(), 0u);
        Random random(mixBits(seed_) ^ mixBits(std::uint64_t(place_.epoch) + 1));
        for (std::size_t i = order_.size(); i > 1; --i) std::swap(order_[i - 1], order_[random.below(i)]);
    }

    Task task_;
    std::int64_t rows_;
    std::uint64_t seed_;
    Json identity_;
    EpochPlace place_;
    std::vector<std::uint32_t> order_;
};

/// Examples one after the other. Each answer counts as a word; the bytes are those of its name.
Split buildSplit(const Task& task, const std::string& name, const Tokenizer& tokenizer)
{
    Split split;
    split.name = name;
    split.example = task.exampleLength();
    auto count = std::clamp(splitTokens / split.example, leastExamples, mostExamples);
    if (name == "train" && task.examples > 0) count = std::min(count, task.examples);
    std::int32_t words = 0, bytes = 0;
    for (std::int64_t i = 0; i < count; ++i) {
        const auto example = writeExample(task, name, std::uint64_t(i));
        for (const auto& answer : example.answers)
            split.probes.push_back(
                { std::int64_t(split.tokens.size()) + answer.index, answer.distance, 1 / double(task.candidates()) });
        for (const auto target : example.targets) {
            if (target >= 0) ++words, bytes += std::int32_t(tokenizer.piece(target).size());
            split.words.push_back(words);
            split.bytes.push_back(bytes);
        }
        split.tokens.insert(split.tokens.end(), example.ids.begin(), example.ids.end());
        split.targets.insert(split.targets.end(), example.targets.begin(), example.targets.end());
    }
    split.nats.resize(split.tokens.size(), 0); // every answer follows from what was shown
    return split;
}

class TaskCorpus final : public Corpus {
public:
    explicit TaskCorpus(const Task& task)
        : task_(task)
        , tokenizer_(Tokenizer::symbols(task.symbolNames()))
        , references_ { std::log(double(task.symbols)), std::log(double(task.answers())),
            std::log(double(task.answers())), 0 } // the symbol before an answer says nothing about it
    {
    }

    std::shared_ptr<const Tokenizer> tokenizer() const override { return tokenizer_; }

    std::unique_ptr<BatchSource> batches(std::int64_t rows, std::int64_t context, std::int64_t seed) const override
    {
        if (rows < 1) throw DataError(task_.name, "batches need rows", "set batch_size to at least 1");
        if (context != exampleLength())
            throw DataError(task_.name, "its examples have " + std::to_string(exampleLength()) + " symbols",
                "set context to that, or task_length to another length");
        return std::make_unique<TaskBatches>(task_, fingerprint(), rows, seed);
    }

    const Split& split(const std::string& name) const override
    {
        if (name != "train" && name != "valid" && name != "test")
            throw DataError(task_.name, "no split '" + name + "'", "use train, valid or test");
        const std::lock_guard lock(mutex_);
        auto& split = splits_[name];
        if (split.name.empty()) split = buildSplit(task_, name, *tokenizer_);
        return split;
    }

    const ReferenceEvent& references() const override { return references_; }

    /// An example up to its first question.
    std::string samplePrompt() const override
    {
        const auto example = writeExample(task_, "test", 0);
        return tokenizer_->decode(
            { example.ids.begin(), example.ids.begin() + std::ptrdiff_t(example.answers.front().index) + 1 });
    }
    std::int64_t sampleTokens() const override { return 1; } // the answer
    std::int64_t exampleLength() const override { return task_.exampleLength(); }
    std::string description() const override { return task_.description(); }
    std::string fingerprint() const override { return sha256Hex(description()); }

private:
    Task task_;
    std::shared_ptr<const Tokenizer> tokenizer_;
    ReferenceEvent references_;
    mutable std::mutex mutex_;
    mutable std::map<std::string, Split> splits_; // nodes stay where they are
};

} // namespace

std::unique_ptr<Corpus> openTask(const Task& task, const std::shared_ptr<const Tokenizer>& tokenizer)
{
    auto corpus = std::make_unique<TaskCorpus>(task);
    if (tokenizer && tokenizer->fingerprint() != corpus->tokenizer()->fingerprint())
        throw DataError(task.name, "its " + std::to_string(task.symbols) + " symbols are not this model's vocabulary",
            "evaluate a model on the task that it was trained on");
    corpus->split("valid"); // here, so that a task without enough examples is refused
    return corpus;
}

} // namespace pha
