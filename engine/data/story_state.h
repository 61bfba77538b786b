// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/stories.h"
#include "engine/data/story_grammar.h"

#include <array>
#include <optional>
#include <vector>

namespace pha::stories {

/// Something that the text has said, and where it said so last.
struct Fact {
    int value = -1; ///< index in the lexicon's list; -1: not said
    int stated = -1; ///< index of the word
    bool known() const { return value >= 0; }
};

struct Person {
    int name = -1;
    Fact home, food, pet, petName, secret, place;
};

struct Item {
    int colour = -1, thing = -1;
    Fact colourFact, thingFact, owner, place; ///< no place: its owner carries it
};

/// The list that sentences of this kind begin, or Root::Count.
Root listOf(Kind kind);
/// The kind with which a list goes on; the one after it ends the list.
Kind nextOf(Root list);

/// Everything that decides what may come next. It changes only through the words of the text, so whoever reads the text
/// knows it as well as whoever wrote it.
class State {
public:
    /// Tree of the next sentence, or nothing after the last word.
    std::optional<Root> next();
    /// Relative frequency of templates of this kind, given the slots that this sentence has filled so far; 0:
    /// impossible.
    const std::array<std::uint32_t, kindCount>& weights();
    /// Share of a line break among the continuations, in sixteenths.
    std::uint64_t breakShare() const;
    /// Words that may fill a slot, given the kinds of template beyond it; never empty for a possible kind.
    const std::vector<WeightedWord>& options(const Edge& edge);
    /// Records a slot's word. Marks answers. `index` is the word's number in the story.
    void fill(const Edge& edge, const WeightedWord& option, int index, StoryWord& word);
    void finish(Kind kind);
    void wordWritten() { ++words_; }

private:
    bool can(Kind kind, const Person& person) const;
    bool can(Kind kind) const;
    std::uint32_t base(Kind kind) const;
    bool lacks(Kind kind) const;
    std::uint32_t lineWeight(Kind kind) const;
    bool owns(const Person& person) const;
    bool listed(int index) const { return (listed_ >> index & 1) != 0; }
    bool listable(Root list, int index) const;
    int left(Root list) const; ///< how many the list has still to name
    bool finishList(Kind kind); ///< false: no part of a list
    void chooseItems(Slot slot, std::uint64_t kinds);
    static const Fact& asked(Kind kind, const Person& person);
    void answer(Fact& fact, std::size_t candidates, int index, StoryWord& word) const;
    void one(int word, int value = 0) { options_ = { { word, 1, value } }; }
    Person& subject() { return people_[std::size_t(subject_)]; }
    Item& item() { return items_[std::size_t(item_)]; }
    int indexOf(const Person& person) const { return int(&person - people_.data()); }
    bool mine(const Item& item, const Person& person) const { return item.owner.value == indexOf(person); }

    const Grammar& grammar_ = Grammar::get();
    std::vector<Person> people_;
    std::vector<Item> items_;
    Fact village_, month_;
    std::vector<WeightedWord> options_;
    std::array<std::uint32_t, kindCount> weights_ {};
    bool stale_ = true;

    int subject_ = -1, other_ = -1, third_ = -1, item_ = -1; ///< of this sentence
    int last_ = -1; ///< whom "he" or "she" means
    int introduced_ = 0; ///< people whose home has been told
    Root root_ = Root::Opening;
    int words_ = 0, lines_ = 0, sentences_ = 0; ///< so far; of the line
    int time_ = 0; ///< morning 0 ... night 4
    int quizzes_ = 0;
    std::uint32_t listed_ = 0; ///< set of people or items that this list has named
    std::uint64_t listsAsked_ = 0; ///< set of kinds of list that this line has asked for
    Root afterList_ = Root::Event;
    bool itemNew_ = false; ///< the item was chosen by its colour, so its name is an answer
    bool long_ = false; ///< the story may be of several hundred words
    bool told_ = false; ///< homes were told in a list, and so are things
    bool afterQuiz_ = false, started_ = false, lineBegins_ = false, over_ = false;
};

} // namespace pha::stories
