// SPDX-License-Identifier: GPL-3.0-or-later
// What the slots of a story may hold, and what their words change.
#include "engine/data/story_state.h"

#include <bit>

namespace pha::stories {

namespace {

bool isQuestion(std::uint64_t kinds) { return (kinds >> int(Kind::AskPlace)) != 0; }

/// Questions prefer what was said long ago.
std::uint32_t interest(const Fact& fact, int now)
{
    const int age = now - fact.stated;
    return age < 24 ? 1 : age < 96 ? 3 : 4;
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
                                                : true;
        if (!fits) continue;
        const int word = slot == Slot::ByThing ? grammar_.things[std::size_t(item.thing)]
                                               : grammar_.colours[std::size_t(item.colour)];
        const Fact& asked = slot == Slot::ByThing ? item.colourFact : slot == Slot::Any ? item.owner : item.place;
        options_.push_back({ word, isQuestion(kinds) ? interest(asked, words_) : 1, int(i) });
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

void State::answer(Fact& fact, std::size_t candidates, int index, StoryWord& word) const
{
    word.answer = true;
    word.distance = index - fact.stated;
    word.candidates = std::int32_t(candidates);
    fact.stated = index;
}

void State::fill(const Edge& edge, const WeightedWord& option, int index, StoryWord& word)
{
    const int value = option.value;
    const auto learn = [&](Fact& fact) { fact = { value, index }; };
    switch (edge.slot) {
    case Slot::NewPerson:
        people_.emplace_back().name = value;
        break;
    case Slot::NextPerson:
        subject_ = value;
        introduced_ = value + 1;
        break;
    case Slot::Subject:
        subject_ = value;
        stale_ = true;
        break;
    case Slot::Other:
        other_ = value;
        if (edge.kinds == std::uint64_t(1) << int(Kind::Give)) item().owner = { value, index };
        break;
    case Slot::Third:
        third_ = value;
        break;
    case Slot::He:
        subject_ = value;
        stale_ = true;
        break;
    case Slot::NewVillage:
        learn(village_);
        break;
    case Slot::NewMonth:
        learn(month_);
        break;
    case Slot::NewHome:
        learn(subject().home);
        break;
    case Slot::NewFood:
        learn(subject().food);
        break;
    case Slot::NewPet:
        learn(subject().pet);
        break;
    case Slot::NewPetName:
        learn(subject().petName);
        break;
    case Slot::NewSecret:
        learn(subject().secret);
        break;
    case Slot::NewColour:
        items_.push_back({ value, -1, { value, index }, { subject_, index }, {} });
        item_ = int(items_.size()) - 1;
        break;
    case Slot::NewThing:
        item().thing = value;
        item().owner.stated = index;
        break;
    case Slot::NewPlace:
        learn(subject().place);
        if (edge.kinds == std::uint64_t(1) << int(Kind::Leave)) item().place = { value, index };
        break;
    case Slot::OldVillage:
        answer(village_, grammar_.villages.size(), index, word);
        break;
    case Slot::OldMonth:
        answer(month_, grammar_.months.size(), index, word);
        break;
    case Slot::OldHome:
        answer(subject().home, grammar_.homes.size(), index, word);
        break;
    case Slot::OldFood:
        answer(subject().food, grammar_.foods.size(), index, word);
        break;
    case Slot::OldPet:
        answer(subject().pet, grammar_.petKinds.size(), index, word);
        break;
    case Slot::OldPetName:
        answer(subject().petName, grammar_.petNames.size(), index, word);
        break;
    case Slot::OldSecret:
        answer(subject().secret, grammar_.secrets.size(), index, word);
        break;
    case Slot::OldPlace:
        answer(item().place, grammar_.places.size(), index, word);
        break;
    case Slot::OldHere:
        answer(people_[std::size_t(value)].place, grammar_.places.size(), index, word);
        break;
    case Slot::OldOwner:
        answer(item().owner, people_.size(), index, word);
        break;
    case Slot::OldColour:
        answer(item().colourFact, grammar_.colours.size(), index, word);
        break;
    case Slot::Colour:
        item().colourFact.stated = index;
        break;
    case Slot::Carried:
    case Slot::Stored:
    case Slot::Placed:
    case Slot::Any:
        item_ = value;
        item().colourFact.stated = index;
        break;
    case Slot::ByThing:
        item_ = value;
        break;
    case Slot::OldSubject:
    case Slot::Item:
    case Slot::List:
        break;
    }
}

} // namespace pha::stories
