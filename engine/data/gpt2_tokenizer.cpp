// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/gpt2_tokenizer.h"

#include "engine/base/sha256.h"
#include "engine/base/utf8.h"
#include "engine/data/gpt2_words.h"
#include "engine/data/word_cache.h"

#include <algorithm>
#include <mutex>
#include <queue>
#include <unordered_map>

namespace pha {

namespace {

constexpr std::size_t publishedPieces = 50257;

/// The merges, ready to be applied to a word.
class MergeTable {
public:
    explicit MergeTable(const std::vector<Gpt2Tables::Merge>& merges)
        : merges_(merges)
    {
        for (std::size_t rank = 0; rank < merges.size(); ++rank)
            ranks_.emplace(key(merges[rank].left, merges[rank].right), std::int32_t(rank));
    }

    /// Applies to `ids` again and again the first merge of the list that fits, everywhere from left to right.
    void apply(std::vector<std::int32_t>& ids) const
    {
        Word word(*this, ids);
        while (word.mergeNextRank()) { }
        std::erase(ids, gone);
    }

private:
    static constexpr std::int32_t gone = -1;
    static std::uint64_t key(std::int32_t left, std::int32_t right)
    {
        return std::uint64_t(left) << 32 | std::uint32_t(right);
    }

    /// A word as a list of pieces, with the merges that may apply in a queue: long words stay cheap.
    class Word {
    public:
        Word(const MergeTable& table, std::vector<std::int32_t>& ids)
            : table_(table)
            , ids_(ids)
            , next_(ids.size())
            , before_(ids.size())
        {
            for (std::size_t i = 0; i < ids.size(); ++i) {
                next_[i] = i + 1;
                before_[i] = i - 1; // of the first: beyond any
            }
            for (std::size_t i = 0; i < ids.size(); ++i) offer(i);
        }

        bool mergeNextRank()
        {
            if (queue_.empty()) return false;
            const auto rank = queue_.top().first;
            const auto& merge = table_.merges_[std::size_t(rank)];
            merged_.clear();
            while (!queue_.empty() && queue_.top().first == rank) {
                const auto at = queue_.top().second;
                queue_.pop();
                const auto right = next_[at];
                if (ids_[at] != merge.left || right >= ids_.size() || ids_[right] != merge.right) continue;
                ids_[at] = merge.result;
                ids_[right] = gone;
                next_[at] = next_[right];
                if (next_[at] < ids_.size()) before_[next_[at]] = at;
                merged_.push_back(at);
            }
            // New pairs wait until this merge has been applied everywhere.
            for (const auto at : merged_) {
                if (before_[at] < ids_.size()) offer(before_[at]);
                offer(at);
            }
            return true;
        }

    private:
        void offer(std::size_t at)
        {
            const auto right = next_[at];
            if (ids_[at] == gone || right >= ids_.size()) return;
            const auto known = table_.ranks_.find(key(ids_[at], ids_[right]));
            if (known != table_.ranks_.end()) queue_.emplace(known->second, at);
        }

        using Candidate = std::pair<std::int32_t, std::size_t>; ///< rank, place of the left piece
        const MergeTable& table_;
        std::vector<std::int32_t>& ids_;
        std::vector<std::size_t> next_, before_, merged_;
        std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue_;
    };

    const std::vector<Gpt2Tables::Merge>& merges_;
    std::unordered_map<std::uint64_t, std::int32_t> ranks_;
};

class Gpt2Tokenizer final : public Tokenizer {
public:
    explicit Gpt2Tokenizer(Gpt2Tables tables)
        : tables_(std::move(tables))
        , model_(tables_.model())
        , fingerprint_(sha256Hex(model_))
        , merges_(tables_.merges)
    {
    }

    Kind kind() const override { return Kind::Gpt2; }
    std::string description() const override
    {
        const bool published = tables_.pieces.size() == publishedPieces;
        return (published ? "GPT-2's BPE, " : "BPE in GPT-2's form, ") + std::to_string(size()) + " pieces";
    }
    std::int64_t size() const override { return std::int64_t(tables_.pieces.size()); }

    std::vector<std::int32_t> encode(std::string_view text) const override
    {
        std::vector<std::int32_t> ids;
        ids.reserve(text.size() / 3);
        // One thread at a time has the shared cache; another one works with its own rather than wait.
        const std::unique_lock lock(mutex_, std::try_to_lock);
        WordCache own;
        auto& cache = lock.owns_lock() ? cache_ : own;
        for (std::size_t at = 0; at < text.size();) {
            const auto [begin, mark] = nextMark(text, at);
            encodePlain(text.substr(at, begin - at), cache, ids);
            if (mark >= 0) ids.push_back(mark);
            at = begin + (mark >= 0 ? tables_.pieces[std::size_t(mark)].size() : 0);
        }
        return ids;
    }

    std::string piece(std::int32_t id) const override
    {
        return id >= 0 && id < size() ? tables_.pieces[std::size_t(id)] : std::string(replacementCharacter);
    }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return fingerprint_; }

private:
    struct Mark {
        std::size_t begin;
        std::int32_t id; ///< -1: there is none, `begin` is the end of the text
    };
    Mark nextMark(std::string_view text, std::size_t at) const
    {
        if (!tables_.marks.empty())
            for (at = text.find("<|", at); at != std::string_view::npos; at = text.find("<|", at + 2))
                for (const auto id : tables_.marks)
                    if (text.substr(at).starts_with(tables_.pieces[std::size_t(id)])) return { at, id };
        return { text.size(), -1 };
    }

    void encodePlain(std::string_view text, WordCache& cache, std::vector<std::int32_t>& ids) const
    {
        std::vector<std::int32_t> found;
        while (!text.empty()) {
            const auto word = text.substr(0, gpt2WordLength(text));
            text.remove_prefix(word.size());
            if (const auto* known = cache.find(word)) {
                ids.insert(ids.end(), known->begin(), known->end());
                continue;
            }
            found.clear();
            for (const char byte : word) found.push_back(tables_.bytes[static_cast<unsigned char>(byte)]);
            merges_.apply(found);
            ids.insert(ids.end(), found.begin(), found.end());
            cache.keep(word, found);
        }
    }

    Gpt2Tables tables_;
    std::string model_, fingerprint_;
    MergeTable merges_;
    mutable std::mutex mutex_;
    mutable WordCache cache_;
};

} // namespace

std::unique_ptr<Tokenizer> gpt2Tokenizer(Gpt2Tables tables)
{
    return std::make_unique<Gpt2Tokenizer>(std::move(tables));
}

} // namespace pha
