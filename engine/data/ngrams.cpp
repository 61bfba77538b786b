// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/ngrams.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace pha {

namespace {

using Tokens = std::span<const std::int32_t>;

std::uint64_t pairKey(std::int32_t first, std::int32_t second)
{
    return std::uint64_t(std::uint32_t(first)) << 32 | std::uint32_t(second);
}

/// Counts of tokens and of pairs of neighbours.
class Counts {
public:
    Counts(Tokens tokens, std::int64_t vocabulary)
        : unigrams_(std::size_t(vocabulary), 0)
        , contexts_(std::size_t(vocabulary), 0)
        , followers_(std::size_t(vocabulary), 0)
        , continuations_(std::size_t(vocabulary), 0)
        , total_(double(tokens.size()))
    {
        for (const auto token : tokens) ++unigrams_[std::size_t(token)];
        std::vector<std::uint64_t> keys;
        keys.reserve(tokens.size());
        for (std::size_t i = 1; i < tokens.size(); ++i) keys.push_back(pairKey(tokens[i - 1], tokens[i]));
        std::sort(keys.begin(), keys.end());
        for (std::size_t i = 0; i < keys.size();) {
            auto end = i;
            while (end < keys.size() && keys[end] == keys[i]) ++end;
            const auto first = std::size_t(keys[i] >> 32), second = std::size_t(keys[i] & 0xFFFFFFFF);
            pairs_.push_back({ keys[i], std::uint32_t(end - i) });
            contexts_[first] += std::uint32_t(end - i);
            ++followers_[first];
            ++continuations_[second];
            i = end;
        }
    }

    double unigram(std::int32_t token) const
    {
        return (unigrams_[std::size_t(token)] + 1.0) / (total_ + double(unigrams_.size()));
    }
    /// Kneser-Ney's lower order: in how many contexts a token stands, not how often.
    double continuation(std::int32_t token) const
    {
        return (continuations_[std::size_t(token)] + 0.5) / (double(pairs_.size()) + 0.5 * double(unigrams_.size()));
    }
    double bigram(std::int32_t first, std::int32_t second, double discount, bool kneserNey) const
    {
        const double lower = kneserNey ? continuation(second) : unigram(second);
        const double context = contexts_[std::size_t(first)];
        if (context == 0) return unigram(second);
        const auto key = pairKey(first, second);
        const auto found = std::lower_bound(pairs_.begin(), pairs_.end(), key,
            [](const Pair& pair, std::uint64_t wanted) { return pair.key < wanted; });
        const double count = found != pairs_.end() && found->key == key ? found->count : 0;
        return std::max(count - discount, 0.0) / context + discount * followers_[std::size_t(first)] / context * lower;
    }

private:
    struct Pair {
        std::uint64_t key;
        std::uint32_t count;
    };
    std::vector<std::uint32_t> unigrams_, contexts_, followers_, continuations_;
    std::vector<Pair> pairs_;
    double total_ = 0;
};

double bigramLoss(const Counts& counts, Tokens tokens, double discount, bool kneserNey)
{
    double nats = 0;
    for (std::size_t i = 1; i < tokens.size(); ++i)
        nats -= std::log(counts.bigram(tokens[i - 1], tokens[i], discount, kneserNey));
    return nats / double(std::max<std::size_t>(tokens.size(), 2) - 1);
}

} // namespace

ReferenceEvent countReferences(Tokens train, Tokens valid, std::int64_t vocabulary)
{
    ReferenceEvent references;
    references.uniform = std::log(double(vocabulary));
    references.unigram = references.bigram = references.uniform;
    if (train.size() < 2 || valid.size() < 2) return references;

    const auto held = std::min<std::size_t>(std::max<std::size_t>(train.size() / 10, 1), 100'000);
    double discount = 0.75, best = 1e300;
    bool kneserNey = true;
    {
        const Counts part(train.first(train.size() - held), vocabulary);
        for (const bool lower : { true, false }) {
            for (const double tried : { 0.2, 0.4, 0.6, 0.75, 0.85, 0.95 }) {
                const double loss = bigramLoss(part, train.last(held), tried, lower);
                if (loss < best) best = loss, discount = tried, kneserNey = lower;
            }
        }
    }
    const Counts counts(train, vocabulary);
    double nats = 0;
    for (std::size_t i = 1; i < valid.size(); ++i) nats -= std::log(counts.unigram(valid[i]));
    references.unigram = nats / double(valid.size() - 1);
    references.bigram = bigramLoss(counts, valid, discount, kneserNey);
    return references;
}

} // namespace pha
