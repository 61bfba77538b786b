// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/stories.h"

#include "engine/base/error.h"
#include "engine/data/random.h"
#include "engine/data/story_state.h"

#include <algorithm>
#include <cctype>
#include <stdexcept>

namespace pha {

namespace {

using namespace stories;

/// The next word of `text` at `at`: a line end, a run of marks, or letters with the space and the mark before them.
std::string_view nextWord(std::string_view text, std::size_t at)
{
    const auto letter = [&](std::size_t i) {
        return i < text.size() && std::isalpha(static_cast<unsigned char>(text[i]));
    };
    std::size_t end = at;
    if (text[end] == '\n') return text.substr(at, 1);
    if (text[end] == ' ') ++end;
    if (letter(end)) {
        while (letter(end)) ++end;
    } else {
        while (end < text.size() && text[end] != ' ' && text[end] != '\n' && !letter(end)) ++end;
    }
    return text.substr(at, std::max<std::size_t>(end - at, 1));
}

/// Walks the grammar's trees, either drawing each word or following a text. Both take every probability from the same
/// weights.
class Narrator {
public:
    explicit Narrator(Random& random)
        : random_(&random)
    {
    }
    Narrator(std::string_view text, const std::function<void(std::span<const NextWord>)>& look)
        : text_(text)
        , look_(look)
    {
    }

    Story tell()
    {
        story_.words.reserve(512);
        while (const auto root = state_.next()) {
            const Node* node = &grammar_.root(*root);
            while (!node->edges.empty()) {
                if (!step(*node)) return std::move(story_);
                if (node_->edges.empty()) state_.finish(node_->kind);
                node = node_->then == Root::Count ? node_ : &grammar_.root(node_->then);
            }
        }
        if (!random_ && at_ < text_.size()) impossible();
        return std::move(story_);
    }

private:
    /// Writes one word and goes to the node behind it. False: the text ends here.
    bool step(const Node& node)
    {
        const bool single = node.edges.size() == 1;
        weights_.assign(node.edges.size(), 1);
        total_ = 1;
        if (!single) weigh(node);
        return random_ ? draw(node), true : follow(node);
    }

    void weigh(const Node& node)
    {
        const auto& kinds = state_.weights();
        total_ = 0;
        for (std::size_t i = 0; i < node.edges.size(); ++i) {
            weights_[i] = 0;
            for (const auto& [kind, weight] : node.edges[i].weights)
                weights_[i] += std::uint64_t(weight) * kinds[std::size_t(kind)];
            if (node.edges[i].word != grammar_.newline) total_ += weights_[i];
        }
        // A line break has a share of its own, whatever else is possible.
        for (std::size_t i = 0; i < node.edges.size(); ++i) {
            if (node.edges[i].word != grammar_.newline) continue;
            const std::uint64_t share = state_.breakShare(), others = total_;
            for (auto& weight : weights_) weight *= 16 - share;
            weights_[i] = others > 0 ? others * share : share;
            total_ = others * (16 - share) + weights_[i];
        }
        if (total_ == 0) throw std::logic_error("a story cannot go on after: " + story_.text());
    }

    void draw(const Node& node)
    {
        std::size_t chosen = 0;
        if (node.edges.size() > 1)
            for (auto ticket = random_->below(total_); ticket >= weights_[chosen]; ++chosen) ticket -= weights_[chosen];
        const Edge& edge = node.edges[chosen];
        double probability = double(weights_[chosen]) / double(total_);
        WeightedWord word { edge.word };
        if (edge.word < 0) {
            const auto& options = state_.options(edge);
            std::size_t option = 0;
            if (options.size() > 1) {
                const auto all = sum(options);
                for (auto ticket = random_->below(all); ticket >= options[option].weight; ++option)
                    ticket -= options[option].weight;
                probability *= double(options[option].weight) / double(all);
            }
            word = options.at(option);
        }
        write(edge, word, probability);
    }

    bool follow(const Node& node)
    {
        const auto wanted = at_ < text_.size() ? nextWord(text_, at_) : std::string_view();
        const int id = grammar_.find(wanted);
        const Edge* chosen = nullptr;
        WeightedWord word;
        double probability = 0;
        next_.clear();
        for (std::size_t i = 0; i < node.edges.size(); ++i) {
            if (weights_[i] == 0) continue;
            const Edge& edge = node.edges[i];
            const double share = double(weights_[i]) / double(total_);
            const auto consider = [&](const WeightedWord& option, double p) {
                if (look_) next_.push_back({ grammar_.text(option.word), p });
                if (option.word != id) return;
                chosen = &edge;
                word = option;
                probability = p;
            };
            if (edge.word >= 0) {
                consider({ edge.word }, share);
                continue;
            }
            const auto& options = state_.options(edge);
            const double all = double(sum(options));
            for (const auto& option : options) consider(option, share * (double(option.weight) / all));
        }
        if (look_) look_(next_);
        if (wanted.empty()) return false;
        if (!chosen) impossible();
        at_ += wanted.size();
        write(*chosen, word, probability);
        return true;
    }

    void write(const Edge& edge, const WeightedWord& option, double probability)
    {
        const int index = int(story_.words.size());
        auto& word = story_.words.emplace_back();
        word.text = grammar_.text(option.word);
        word.probability = probability;
        if (edge.word < 0) state_.fill(edge, option, index, word);
        if (word.probability < 1)
            word.answer = false; // other words were possible: a mention, which memory alone cannot tell
        state_.wordWritten();
        node_ = &grammar_.node(edge.node);
    }

    static std::uint64_t sum(const std::vector<WeightedWord>& options)
    {
        std::uint64_t total = 0;
        for (const auto& option : options) total += option.weight;
        return total;
    }

    [[noreturn]] void impossible() const
    {
        throw DataError("story text, word " + std::to_string(story_.words.size() + 1),
            "'" + std::string(nextWord(text_, at_)) + "' cannot follow there",
            "only texts of the stories corpus can be read");
    }

    const Grammar& grammar_ = Grammar::get();
    State state_;
    Story story_;
    const Node* node_ = nullptr;
    std::vector<std::uint64_t> weights_;
    std::uint64_t total_ = 1;

    Random* random_ = nullptr; // null: follow the text
    std::string_view text_;
    std::size_t at_ = 0;
    std::function<void(std::span<const NextWord>)> look_;
    std::vector<NextWord> next_;
};

} // namespace

std::string Story::text() const
{
    std::string text;
    for (const auto& word : words) text += word.text;
    return text;
}

Story writeStory(std::uint64_t seed, const std::string& split, std::uint64_t index)
{
    Random random(mixBits(hashText(split, seed) ^ mixBits(index)) ^ std::uint64_t(storiesVersion));
    return Narrator(random).tell();
}

Story readStory(std::string_view text, const std::function<void(std::span<const NextWord>)>& look)
{
    return Narrator(text, look).tell();
}

} // namespace pha
