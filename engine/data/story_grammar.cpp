// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/story_grammar.h"

#include "engine/data/story_lexicon.h"

#include <algorithm>
#include <stdexcept>

namespace pha::stories {

namespace {

using Roots = std::vector<Root>;

struct Template {
    Roots roots;
    Kind kind;
    std::uint32_t weight;
    std::string_view pattern;
};

std::vector<Template> templates()
{
    const Roots opening { Root::Opening }, cast { Root::Cast }, intro { Root::Intro }, line { Root::Line };
    const Roots event { Root::Event }, subject { Root::Event, Root::Subject }, asked { Root::Event, Root::Quiz };
    const Roots quiz { Root::Quiz }, newHomes { Root::NewHomes }, newThings { Root::NewThings };
    const Roots homes { Root::Homes }, things { Root::Things }, places { Root::Places };
    const Roots broken { Root::Intro, Root::Event, Root::Quiz, Root::Finish };
    return {
#include "engine/data/story_templates.inl"
    };
}

const std::vector<std::pair<std::string_view, Slot>>& slotNames()
{
    static const auto& names = *new std::vector<std::pair<std::string_view, Slot>> { { "new", Slot::NewPerson },
        { "next", Slot::NextPerson }, { "A", Slot::Subject }, { "B", Slot::Other }, { "C", Slot::Third },
        { "P", Slot::Listed }, { "own", Slot::Own }, { "left", Slot::Left }, { "a", Slot::OldSubject },
        { "He", Slot::He }, { "village!", Slot::NewVillage }, { "month!", Slot::NewMonth },
        { "village?", Slot::OldVillage }, { "month?", Slot::OldMonth }, { "home!", Slot::NewHome },
        { "food!", Slot::NewFood }, { "pet!", Slot::NewPet }, { "petname!", Slot::NewPetName },
        { "secret!", Slot::NewSecret }, { "colour!", Slot::NewColour }, { "thing!", Slot::NewThing },
        { "place!", Slot::NewPlace }, { "home?", Slot::OldHome }, { "food?", Slot::OldFood }, { "pet?", Slot::OldPet },
        { "petname?", Slot::OldPetName }, { "secret?", Slot::OldSecret }, { "colour?", Slot::OldColour },
        { "place?", Slot::OldPlace }, { "here?", Slot::OldHere }, { "owner?", Slot::OldOwner },
        { "carried", Slot::Carried }, { "stored", Slot::Stored }, { "placed", Slot::Placed }, { "any", Slot::Any },
        { "bything", Slot::ByThing }, { "colour", Slot::Colour }, { "item", Slot::Item } };
    return names;
}

/// The tree that ">name" goes on with; ">" alone: an event of some subject.
Root treeNamed(std::string_view name)
{
    constexpr std::array<std::pair<std::string_view, Root>, 6> trees { { { "", Root::Subject },
        { "newhomes", Root::NewHomes }, { "newthings", Root::NewThings }, { "homes", Root::Homes },
        { "things", Root::Things }, { "places", Root::Places } } };
    const auto found = std::find_if(trees.begin(), trees.end(), [&](const auto& tree) { return tree.first == name; });
    if (found == trees.end()) throw std::logic_error("unknown tree >" + std::string(name));
    return found->second;
}

/// "{name}" as an edge without its continuation.
Edge slotEdge(std::string_view name)
{
    Edge edge;
    for (const auto& [known, slot] : slotNames())
        if (known == name) return edge.slot = slot, edge;
    const auto& lists = wordLists();
    const auto list = std::find_if(lists.begin(), lists.end(), [&](const WordList& l) { return l.name == name; });
    if (list == lists.end()) throw std::logic_error("unknown slot {" + std::string(name) + "}");
    edge.list = int(list - lists.begin());
    return edge;
}

} // namespace

const Grammar& Grammar::get()
{
    static const auto* grammar = new Grammar;
    return *grammar;
}

int Grammar::find(std::string_view text) const
{
    const auto found = ids_.find(text);
    return found == ids_.end() ? -1 : found->second;
}

int Grammar::intern(std::string text)
{
    if (const int known = find(text); known >= 0) return known;
    const auto* kept = new std::string(std::move(text)); // the map's key must not move when `texts_` grows
    texts_.push_back(*kept);
    ids_.emplace(*kept, int(texts_.size()) - 1);
    return int(texts_.size()) - 1;
}

std::vector<int> Grammar::internAll(const std::vector<std::string_view>& words)
{
    std::vector<int> ids;
    for (const auto word : words) ids.push_back(intern(" " + std::string(word)));
    return ids;
}

Grammar::Grammar()
    : nodes_(std::size_t(Root::Count))
{
    newline = intern("\n");
    he = { intern(" He"), intern(" She") };
    names = internAll(stories::sheNames());
    sheNames = names.size();
    for (const int name : internAll(stories::heNames())) names.push_back(name);
    colours = internAll(stories::colours());
    things = internAll(stories::things());
    places = internAll(stories::places());
    villages = internAll(stories::villages());
    months = internAll(stories::months());
    homes = internAll(stories::homes());
    foods = internAll(stories::foods());
    secrets = internAll(stories::secrets());
    petKinds = internAll(stories::petKinds());
    petNames = internAll(stories::petNames());
    for (const auto& list : wordLists()) {
        auto& options = lists_.emplace_back();
        for (const int word : internAll(list.words)) {
            const auto rank = std::uint32_t(options.size());
            options.push_back({ word, list.falling ? 60 / (rank + 2) : 1, int(rank) });
        }
    }
    for (const auto& [roots, kind, weight, pattern] : templates())
        for (const Root root : roots) add(root, kind, weight, pattern);
}

void Grammar::add(Root root, Kind kind, std::uint32_t weight, std::string_view pattern)
{
    int at = int(root);
    bool spaced = root != Root::Opening && root != Root::Line; // lines begin without a space
    for (std::size_t begin = 0; begin < pattern.size();) {
        const auto end = std::min(pattern.find(' ', begin), pattern.size());
        const auto token = pattern.substr(begin, end - begin);
        begin = end + 1;
        if (token.front() == '>') {
            nodes_[std::size_t(at)].then = treeNamed(token.substr(1));
            break;
        }
        Edge edge;
        if (token.front() == '{') {
            edge = slotEdge(token.substr(1, token.size() - 2));
        } else {
            const bool mark = std::string_view(".,?!\n").find(token.front()) != std::string_view::npos;
            edge.word = intern((mark || !spaced ? "" : " ") + std::string(token));
        }
        spaced = token != "\""; // speech begins right after its mark
        if (nodes_[std::size_t(at)].kind != Kind::Count)
            throw std::logic_error("a template goes on after another one's end: " + std::string(pattern));
        auto& edges = nodes_[std::size_t(at)].edges;
        auto next = std::find_if(edges.begin(), edges.end(), [&](const Edge& other) {
            return other.word == edge.word && other.slot == edge.slot && other.list == edge.list;
        });
        if (next == edges.end()) {
            edge.node = int(nodes_.size());
            edges.push_back(edge);
            next = edges.end() - 1;
        }
        next->kinds |= bit(kind);
        const auto part = std::find_if(
            next->weights.begin(), next->weights.end(), [&](const auto& known) { return known.first == kind; });
        if (part != next->weights.end())
            part->second += weight;
        else
            next->weights.emplace_back(kind, weight);
        at = next->node;
        if (at == int(nodes_.size())) nodes_.emplace_back(); // last: it may move every edge
    }
    if (nodes_[std::size_t(at)].kind != Kind::Count || !nodes_[std::size_t(at)].edges.empty())
        throw std::logic_error("two templates end alike: " + std::string(pattern));
    nodes_[std::size_t(at)].kind = kind;
}

} // namespace pha::stories
