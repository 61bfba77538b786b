// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/story_state.h"

#include <algorithm>
#include <stdexcept>

namespace pha::stories {

namespace {

constexpr std::size_t maxItems = 7; ///< fewer than colours, so that a colour always names one item
constexpr int shortest = 60; // words before which no line is the last one
constexpr int latestEnd = 250, latestLongEnd = 850; // words after which the next line is the last one

} // namespace

std::optional<Root> State::next()
{
    subject_ = other_ = third_ = item_ = -1;
    stale_ = true;
    listed_ = 0;
    if (!started_) return started_ = true, root_ = Root::Opening;
    if (lineBegins_) {
        if (over_) return std::nullopt;
        lineBegins_ = false;
        return root_ = Root::Line;
    }
    if (root_ == Root::Intro) subject_ = introduced_ - 1;
    return root_;
}

/// The sentence's kind is possible for this person.
bool State::can(Kind kind, const Person& person) const
{
    const auto anyItem = [&](bool placed) {
        return std::any_of(items_.begin(), items_.end(),
            [&](const Item& item) { return mine(item, person) && item.place.known() == placed; });
    };
    switch (kind) {
    case Kind::Leave:
    case Kind::Give:
        return anyItem(false);
    case Kind::Take:
        return anyItem(true);
    case Kind::Meet:
        return person.place.known();
    case Kind::Play:
    case Kind::AskPet:
        return person.pet.known();
    case Kind::Eat:
    case Kind::KnowFood:
    case Kind::AskFood:
        return person.food.known();
    case Kind::Whisper:
    case Kind::NewSecret:
    case Kind::AskSecret:
        return person.secret.known();
    case Kind::Thing:
        return !std::any_of(items_.begin(), items_.end(), [&](const Item& i) { return mine(i, person); });
    case Kind::Food:
        return !person.food.known();
    case Kind::Pet:
        return !person.pet.known();
    case Kind::Secret:
        return !person.secret.known();
    default:
        return true;
    }
}

/// The kind is possible for the sentence's subject, or for somebody where none is chosen yet.
bool State::can(Kind kind) const
{
    if (subject_ >= 0) return can(kind, people_[std::size_t(subject_)]);
    return std::any_of(people_.begin(), people_.end(), [&](const Person& person) { return can(kind, person); });
}

std::uint32_t State::lineWeight(Kind kind) const
{
    if (words_ >= (long_ ? latestLongEnd : latestEnd)) return kind == Kind::End;
    switch (kind) {
    case Kind::Later:
        return 1;
    case Kind::Noon:
        return time_ < 1;
    case Kind::Afternoon:
        return time_ < 2;
    case Kind::Evening:
        return time_ < 3;
    case Kind::Night:
        return time_ < 4;
    case Kind::Morning:
        return time_ > 0;
    case Kind::Quiz:
        return words_ < 70 || afterQuiz_ ? 0 : quizzes_ == 0 ? 36 : words_ > 350 ? 18 : 12;
    default: // End: the longer the story, and once its facts have been asked for
        if (words_ < shortest || lines_ < 2) return 0;
        return (words_ < 200 ? 2u : 3u) + (quizzes_ > 0 ? 2 : 0) + std::uint32_t(words_) / 300;
    }
}

std::uint32_t State::base(Kind kind) const
{
    const bool room = items_.size() < maxItems;
    const bool placed = std::any_of(items_.begin(), items_.end(), [](const Item& i) { return i.place.known(); });
    switch (kind) {
    case Kind::NewHomes:
        return introduced_ == 0 ? 12 : 0;
    case Kind::NewThings:
        return told_ && items_.empty();
    case Kind::Homes:
    case Kind::Things:
    case Kind::Places:
        return (listsAsked_ >> int(kind) & 1) == 0 && left(listOf(kind)) >= 2;
    case Kind::Home:
        return introduced_ < int(people_.size()) && (introduced_ == 0 || !lacks(Kind::Thing)) ? 4 : 0;
    case Kind::Thing:
        return !told_ && introduced_ > 0 && can(kind) ? 8 : 0;
    case Kind::Food:
    case Kind::Pet:
        return introduced_ > 0 && !lacks(Kind::Thing) && can(kind) ? 2 : 0;
    case Kind::Secret:
        return introduced_ > 0 && !lacks(Kind::Thing) && can(kind) ? 1 : 0;
    case Kind::Find:
        return room;
    case Kind::Again:
        return last_ >= 0 ? 2 : 0;
    case Kind::Here:
        return last_ >= 0 && people_[std::size_t(last_)].place.known() ? 3 : 0;
    case Kind::Scene:
        return 1;
    case Kind::Still:
        return placed;
    case Kind::AskPlace:
        return placed ? 3 : 0;
    case Kind::AskVillage:
        return words_ - village_.stated >= 24;
    case Kind::AskMonth:
        return words_ - month_.stated >= 24;
    case Kind::Leave:
    case Kind::Go:
        return can(kind) ? 2 : 0;
    default:
        return can(kind);
    }
}

/// In the introduction: the person just introduced still lacks what this kind tells.
bool State::lacks(Kind kind) const { return can(kind, people_[std::size_t(introduced_ - 1)]); }

const std::array<std::uint32_t, kindCount>& State::weights()
{
    if (!stale_) return weights_;
    stale_ = false;
    weights_.fill(0);
    const auto set = [&](Kind from, Kind to, auto weight) {
        for (int kind = int(from); kind <= int(to); ++kind) weights_[std::size_t(kind)] = weight(Kind(kind));
    };
    switch (root_) {
    case Root::Opening:
    case Root::Cast:
        set(Kind::Opening, Kind::LongCast, [](Kind) { return 1u; });
        break;
    case Root::Intro:
        set(Kind::Home, Kind::Secret, [this](Kind kind) { return base(kind); });
        set(Kind::NewHomes, Kind::NewThings, [this](Kind kind) { return base(kind); });
        break;
    case Root::Line:
        set(Kind::Later, Kind::End, [this](Kind kind) { return lineWeight(kind); });
        break;
    case Root::Quiz:
        set(Kind::AskPlace, Kind::Places, [this](Kind kind) { return base(kind); });
        break;
    case Root::NewHomes:
    case Root::NewThings:
    case Root::Homes:
    case Root::Things:
    case Root::Places:
        weights_[std::size_t(nextOf(root_))] = left(root_) >= 2;
        weights_[std::size_t(nextOf(root_)) + 1] = left(root_) == 1;
        return weights_;
    default:
        set(Kind::Go, Kind::AskColour, [this](Kind kind) {
            // What moves, tells again or asks for a fact comes more often than what only fills the time.
            const bool fact = kind >= Kind::KnowHome || (kind >= Kind::Leave && kind <= Kind::Give);
            return base(kind) * (fact ? 6 : 1);
        });
        break;
    }
    weights_[std::size_t(Kind::Break)] = breakShare() > 0;
    return weights_;
}

std::uint64_t State::breakShare() const
{
    switch (root_) {
    case Root::Finish:
        return 16;
    case Root::Intro:
        return introduced_ == int(people_.size()) && !lacks(Kind::Thing) ? 9 : 0;
    case Root::Quiz:
        return sentences_ < 3 ? 0 : sentences_ < 6 ? 4 : 9;
    default:
        return sentences_ < 2 ? 0 : std::min<std::uint64_t>(3 + std::uint64_t(sentences_ - 2) * 2, 10);
    }
}

void State::finish(Kind kind)
{
    if (finishList(kind)) return;
    switch (kind) {
    case Kind::Opening:
        root_ = Root::Cast;
        return;
    case Kind::Cast:
    case Kind::LongCast:
        long_ = kind == Kind::LongCast;
        root_ = Root::Intro;
        return;
    case Kind::Home:
    case Kind::Thing:
    case Kind::Food:
    case Kind::Pet:
    case Kind::Secret:
        last_ = introduced_ - 1;
        return;
    case Kind::Break:
        if (root_ == Root::Finish) {
            // Two breaks close a story: one ends the last line, one leaves the blank line between stories.
            lineBegins_ = over_;
            over_ = true;
            return;
        }
        lineBegins_ = true;
        afterQuiz_ = root_ == Root::Quiz;
        ++lines_;
        listsAsked_ = 0;
        sentences_ = 0;
        last_ = -1;
        return;
    case Kind::Noon:
    case Kind::Afternoon:
    case Kind::Evening:
    case Kind::Night:
        time_ = 1 + int(kind) - int(Kind::Noon);
        [[fallthrough]];
    case Kind::Morning:
        if (kind == Kind::Morning) time_ = 0;
        [[fallthrough]];
    case Kind::Later:
        root_ = Root::Event; // the line goes on with an event
        stale_ = true;
        return;
    case Kind::Quiz:
        root_ = Root::Quiz;
        ++quizzes_;
        return;
    case Kind::End:
        root_ = Root::Finish;
        return;
    case Kind::GoWith:
    case Kind::Meet:
        people_[std::size_t(other_)].place = subject().place;
        break;
    case Kind::GoHome:
        subject().place = {};
        break;
    case Kind::Take:
        item().place = {};
        break;
    default:
        break;
    }
    ++sentences_;
    if (kind >= Kind::Go && kind <= Kind::Act)
        last_ = subject_;
    else if (kind != Kind::Again && kind != Kind::Here && kind != Kind::Scene)
        last_ = -1; // "she" would be unclear
    if (root_ != Root::Quiz) root_ = Root::Event;
}

} // namespace pha::stories
