// SPDX-License-Identifier: GPL-3.0-or-later
// What the slots of a story may hold.
#include "engine/data/story_state.h"

#include <bit>

namespace pha::stories {

namespace {

bool isQuestion(std::uint64_t kinds) { return (kinds >> int(Kind::AskPlace)) != 0; }

/// Questions prefer what was said long ago.
std::uint32_t interest(const Fact& fact, int now)
{
    const int age = now - fact.stated;
    return age < 24 ? 1 : age < 96 ? 8 : age < 256 ? 10 : 40;
}

} // namespace

const Fact& State::asked(Kind kind, const Person& person)
{
    switch (kind) {
    case Kind::AskFood:
        return person.food;
    case Kind::AskSecret:
        return person.secret;
    case Kind::AskPet:
        return person.petName;
    default:
        return person.home;
    }
}

/// Items that a colour (or the thing itself) may point to here.
void State::chooseItems(Slot slot, std::uint64_t kinds)
{
    for (std::size_t i = 0; i < items_.size(); ++i) {
        const Item& item = items_[i];
        const bool own = subject_ >= 0 && item.owner.value == subject_;
        const bool fits = slot == Slot::Carried ? own && !item.place.known()
            : slot == Slot::Stored              ? own && item.place.known()
            : slot == Slot::Placed              ? item.place.known()
            : slot == Slot::Own                 ? own
            : slot == Slot::Left                ? listable(Root::Places, int(i))
                                                : true;
        if (!fits) continue;
        const int word = slot == Slot::ByThing ? grammar_.things[std::size_t(item.thing)]
                                               : grammar_.colours[std::size_t(item.colour)];
        const Fact& asked = slot == Slot::ByThing ? item.colourFact : slot == Slot::Any ? item.owner : item.place;
        const bool inList = slot == Slot::Own || slot == Slot::Left;
        options_.push_back({ word, !inList && isQuestion(kinds) ? interest(asked, words_) : 1, int(i) });
    }
}

const std::vector<WeightedWord>& State::options(const Edge& edge)
{
    if (edge.slot == Slot::List) return grammar_.list(edge.list);
    options_.clear();
    const auto all = [this](const std::vector<int>& words, auto allowed) {
        for (std::size_t i = 0; i < words.size(); ++i)
            if (allowed(int(i))) options_.push_back({ words[i], 1, int(i) });
    };
    const auto always = [](int) { return true; };
    const auto people = [this](auto weight) {
        for (std::size_t i = 0; i < people_.size(); ++i)
            if (const std::uint32_t w = weight(int(i)); w > 0)
                options_.push_back({ grammar_.names[std::size_t(people_[i].name)], w, int(i) });
    };
    switch (edge.slot) {
    case Slot::NewPerson:
        all(grammar_.names, [this](int name) {
            for (const auto& person : people_)
                if (person.name == name) return false;
            return true;
        });
        break;
    case Slot::NextPerson:
        one(grammar_.names[std::size_t(people_[std::size_t(introduced_)].name)], introduced_);
        break;
    case Slot::Subject:
        weights();
        people([&](int person) -> std::uint32_t {
            const Person& who = people_[std::size_t(person)];
            for (auto kinds = edge.kinds; kinds != 0; kinds &= kinds - 1) {
                const auto kind = Kind(std::countr_zero(kinds));
                if (weights_[std::size_t(kind)] == 0 || !can(kind, who)) continue;
                if (isQuestion(edge.kinds)) return interest(asked(kind, who), words_);
                // The first person is the hero, and the same one seldom acts twice in a row.
                return person == last_ ? 1 : person == 0 ? 3 : 2;
            }
            return 0;
        });
        break;
    case Slot::Other:
        people([&](int person) { return std::uint32_t(person != subject_); });
        break;
    case Slot::Third:
        people([&](int person) { return std::uint32_t(person != other_); });
        break;
    case Slot::Listed: {
        const auto of = [&](std::uint64_t kinds) { return (edge.kinds & kinds) != 0; };
        if (of(bit(Kind::NewThings) | bit(Kind::NewThingsNext) | bit(Kind::NewThingsLast))) {
            const int next = std::countr_one(listed_); // in the order of the cast, as homes were told
            one(grammar_.names[std::size_t(people_[std::size_t(next)].name)], next);
            break;
        }
        const auto list =
            of(bit(Kind::Things) | bit(Kind::ThingsNext) | bit(Kind::ThingsLast)) ? Root::Things : Root::Homes;
        people([&](int person) { return std::uint32_t(listable(list, person)); });
        break;
    }
    case Slot::OldSubject:
        one(grammar_.names[std::size_t(subject().name)], subject_);
        break;
    case Slot::He: {
        const bool she = std::size_t(people_[std::size_t(last_)].name) < grammar_.sheNames;
        one(grammar_.he[she], last_);
        break;
    }
    case Slot::NewVillage:
        all(grammar_.villages, always);
        break;
    case Slot::NewMonth:
        all(grammar_.months, always);
        break;
    case Slot::NewHome:
        all(grammar_.homes, always);
        break;
    case Slot::NewFood:
        all(grammar_.foods, always);
        break;
    case Slot::NewPet:
        all(grammar_.petKinds, always);
        break;
    case Slot::NewPetName:
        all(grammar_.petNames, always);
        break;
    case Slot::NewSecret:
        all(grammar_.secrets, always);
        break;
    case Slot::NewColour:
        all(grammar_.colours, [this](int colour) {
            for (const auto& item : items_)
                if (item.colour == colour) return false;
            return true;
        });
        break;
    case Slot::NewThing:
        all(grammar_.things, [this](int thing) {
            for (const auto& item : items_)
                if (item.thing == thing) return false;
            return true;
        });
        break;
    case Slot::NewPlace:
        all(grammar_.places, [this](int place) { return place != subject().place.value; });
        break;
    case Slot::OldVillage:
        one(grammar_.villages[std::size_t(village_.value)]);
        break;
    case Slot::OldMonth:
        one(grammar_.months[std::size_t(month_.value)]);
        break;
    case Slot::OldHome:
        one(grammar_.homes[std::size_t(subject().home.value)]);
        break;
    case Slot::OldFood:
        one(grammar_.foods[std::size_t(subject().food.value)]);
        break;
    case Slot::OldPet:
        one(grammar_.petKinds[std::size_t(subject().pet.value)]);
        break;
    case Slot::OldPetName:
        one(grammar_.petNames[std::size_t(subject().petName.value)]);
        break;
    case Slot::OldSecret:
        one(grammar_.secrets[std::size_t(subject().secret.value)]);
        break;
    case Slot::OldPlace:
        one(grammar_.places[std::size_t(item().place.value)]);
        break;
    case Slot::OldHere: {
        const auto& person = people_[std::size_t(subject_ >= 0 ? subject_ : last_)];
        one(grammar_.places[std::size_t(person.place.value)], indexOf(person));
        break;
    }
    case Slot::OldOwner:
        one(grammar_.names[std::size_t(people_[std::size_t(item().owner.value)].name)]);
        break;
    case Slot::Carried:
    case Slot::Stored:
    case Slot::Placed:
    case Slot::Any:
    case Slot::Own:
    case Slot::Left:
    case Slot::ByThing:
        chooseItems(edge.slot, edge.kinds);
        break;
    case Slot::Colour:
    case Slot::OldColour:
        one(grammar_.colours[std::size_t(item().colour)]);
        break;
    case Slot::Item:
        one(grammar_.things[std::size_t(item().thing)]);
        break;
    case Slot::List:
        break;
    }
    return options_;
}

} // namespace pha::stories
