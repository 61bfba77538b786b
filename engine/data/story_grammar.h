// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

/// The grammar of stories: sentence templates compiled into prefix trees, so that a choice is always a choice of the
/// next word. Templates that begin alike share their beginning, and only the word that tells them apart is drawn.
namespace pha::stories {

/// What a template does to the state, and what it needs of the state to be possible.
enum class Kind : std::uint8_t {
    Opening,
    Cast,
    LongCast, // a short story, a long one
    Home,
    Thing,
    Food,
    Pet,
    Secret, // facts at the beginning
    Break, // the line ends
    Go,
    GoWith,
    Leave,
    Take,
    Give,
    Find,
    GoHome,
    Meet,
    Play,
    Eat,
    Whisper,
    NewSecret, // events that use or change facts
    Act,
    Again,
    Here,
    Scene, // events that change nothing
    KnowHome,
    KnowFood,
    KnowVillage,
    Still, // facts told again
    AskPlace,
    AskHome,
    AskFood,
    AskOwner,
    AskSecret,
    AskPet,
    AskVillage,
    AskMonth,
    AskColour, // facts asked for
    Homes,
    Things,
    Places, // facts asked for, of everybody or everything in turn
    Later,
    Noon,
    Afternoon,
    Evening,
    Night,
    Morning,
    Quiz,
    End, // how a line begins
    NewHomes,
    NewThings, // facts at the beginning, of everybody in turn
    NewHomesNext,
    NewHomesLast,
    NewThingsNext,
    NewThingsLast,
    HomesNext,
    HomesLast,
    ThingsNext,
    ThingsLast,
    PlacesNext,
    PlacesLast, // how a list goes on and ends, in the order of the roots of lists
    Count
};
inline constexpr std::size_t kindCount = std::size_t(Kind::Count);
static_assert(kindCount <= 64, "kinds are kept in 64-bit sets");
constexpr std::uint64_t bit(Kind kind) { return std::uint64_t(1) << int(kind); }

/// What fills a gap. "Old" slots have one possible word, which the text has fixed before.
enum class Slot : std::uint8_t {
    NewPerson,
    NextPerson,
    Subject,
    Other,
    Third, // {new} {next} {A} {B} {C}
    Listed, // {P}: somebody whom this list has not named yet
    OldSubject,
    He, // {a} {He}: the subject again; {He} begins a sentence about the last subject
    NewVillage,
    NewMonth, // facts of the whole story
    NewHome,
    NewFood,
    NewPet,
    NewPetName,
    NewSecret,
    NewColour,
    NewThing,
    NewPlace,
    OldVillage,
    OldMonth,
    OldHome,
    OldFood,
    OldPet,
    OldPetName,
    OldSecret,
    OldColour,
    OldPlace,
    OldHere,
    OldOwner, // answers
    Carried,
    Stored,
    Placed,
    Any,
    Own,
    Left,
    ByThing, // items, chosen by colour (the last one by what they are); own: of the person listed; left: not listed yet
    Colour,
    Item, // the chosen item's colour and name again
    List // a word list; Edge::list says which
};

enum class Root : std::uint8_t {
    Opening,
    Cast,
    Intro,
    Event,
    Subject,
    Line,
    Quiz,
    Finish,
    NewHomes,
    NewThings,
    Homes,
    Things,
    Places, // lists
    Count
};

struct Node;
/// One continuation: a literal word, or a slot.
struct Edge {
    int word = -1; ///< literal, or -1
    Slot slot = Slot::List;
    int list = -1;
    std::uint64_t kinds = 0; ///< of the templates beyond
    std::vector<std::pair<Kind, std::uint32_t>> weights; ///< summed over the templates beyond
    int node = -1;
};
struct Node {
    std::vector<Edge> edges; ///< empty: a template ends here
    Kind kind = Kind::Count;
    Root then = Root::Count; ///< the template goes on with this tree
};

struct WeightedWord {
    int word = 0;
    std::uint32_t weight = 1;
    int value = 0; ///< what the slot's word stands for: a person, an item, an index in the lexicon
};

class Grammar {
public:
    /// Built on first use, never destroyed.
    static const Grammar& get();

    const Node& node(int index) const { return nodes_[std::size_t(index)]; }
    const Node& root(Root which) const { return nodes_[std::size_t(which)]; }
    const std::string& text(int word) const { return texts_[std::size_t(word)]; }
    int find(std::string_view text) const; ///< -1: no such word
    int words() const { return int(texts_.size()); }
    const std::vector<WeightedWord>& list(int index) const { return lists_[std::size_t(index)]; }

    std::vector<int> names, colours, things, places, villages, months, homes, foods, secrets, petKinds,
        petNames; ///< words
    std::size_t sheNames = 0; ///< names before this index are women's
    std::array<int, 2> he {}; ///< "He", "She"
    int newline = 0;

private:
    Grammar();
    int intern(std::string text);
    std::vector<int> internAll(const std::vector<std::string_view>& words);
    void add(Root root, Kind kind, std::uint32_t weight, std::string_view pattern);

    std::vector<Node> nodes_;
    std::vector<std::string> texts_;
    std::unordered_map<std::string_view, int> ids_; // views into names that are never freed
    std::vector<std::vector<WeightedWord>> lists_;
};

} // namespace pha::stories
