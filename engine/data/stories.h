// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// One word or mark of a story as it was written.
struct StoryWord {
    std::string text; ///< bytes to append to the text, with a leading space where one belongs
    double probability = 1; ///< exact, given every word before it
    bool answer = false; ///< recalls a fact, which leaves no other word
    std::int32_t distance = 0; ///< answer: words since the fact was last stated
    std::int32_t candidates = 0; ///< answer: possible answers
};

/// Document `index` of a split: a narrative of people, things, places and events whose facts are asked for later. A
/// pure function of its arguments and of the generator's version: the same everywhere, in any order. The prefix
/// determines the generator's state, so the product of the probabilities is the exact probability of the text. The last
/// two words are line ends: stories follow each other with one blank line between them.
struct Story {
    std::vector<StoryWord> words;
    std::string text() const;
};
Story writeStory(std::uint64_t seed, const std::string& split, std::uint64_t index);

/// One word that may come next, and how probable it is.
struct NextWord {
    std::string_view text;
    double probability = 0;
};
/// Reads a story, or the beginning of one, that somebody else wrote, and works out every word's probability from the
/// words alone. `look` is shown the whole distribution before each word and after the last one. Throws DataError at the
/// first word that no story would have there.
Story readStory(std::string_view text, const std::function<void(std::span<const NextWord>)>& look = {});

/// Raised when the text of any story changes; part of every cache key.
inline constexpr int storiesVersion = 3;

} // namespace pha
