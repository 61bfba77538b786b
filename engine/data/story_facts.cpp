// SPDX-License-Identifier: GPL-3.0-or-later
// What the words in the slots of a story change.
#include "engine/data/story_state.h"

namespace pha::stories {

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
        if (edge.kinds == bit(Kind::Give)) item().owner = { value, index };
        break;
    case Slot::Listed:
        subject_ = value;
        listed_ |= 1U << value;
        stale_ = true;
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
        items_.push_back({ value, -1, { value, index }, {}, { subject_, index }, {} });
        item_ = int(items_.size()) - 1;
        break;
    case Slot::NewThing:
        item().thing = value;
        learn(item().thingFact);
        item().owner.stated = index;
        break;
    case Slot::NewPlace:
        learn(subject().place);
        if (edge.kinds == bit(Kind::Leave)) item().place = { value, index };
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
    case Slot::Own:
    case Slot::Left:
        item_ = value;
        itemNew_ = true;
        if (edge.slot == Slot::Own) answer(item().owner, grammar_.colours.size(), index, word);
        if (edge.slot == Slot::Left) listed_ |= 1U << value, stale_ = true;
        item().colourFact.stated = index;
        break;
    case Slot::ByThing:
        item_ = value;
        item().thingFact.stated = index;
        break;
    case Slot::Item: // which thing has this colour; in the same sentence it is only repeated
        if (itemNew_)
            answer(item().thingFact, grammar_.things.size(), index, word);
        else
            item().thingFact.stated = index;
        itemNew_ = false;
        break;
    case Slot::OldSubject:
    case Slot::List:
        break;
    }
}

} // namespace pha::stories
