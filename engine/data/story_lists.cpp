// SPDX-License-Identifier: GPL-3.0-or-later
// Sentences that go through everybody: "Anna lived in the mill, Tom in the tower, and Mia in the inn."
#include "engine/data/story_state.h"

#include <algorithm>

namespace pha::stories {

namespace {

constexpr int heads[] = { int(Kind::NewHomes), int(Kind::NewThings), int(Kind::Homes), int(Kind::Things),
    int(Kind::Places) };
static_assert(std::size(heads) == std::size_t(Root::Count) - std::size_t(Root::NewHomes));

} // namespace

Root listOf(Kind kind)
{
    const auto found = std::find(std::begin(heads), std::end(heads), int(kind));
    return found == std::end(heads) ? Root::Count : Root(int(Root::NewHomes) + int(found - std::begin(heads)));
}

Kind nextOf(Root list) { return Kind(int(Kind::NewHomesNext) + 2 * (int(list) - int(Root::NewHomes))); }

bool State::owns(const Person& person) const
{
    return std::any_of(items_.begin(), items_.end(), [&](const Item& item) { return mine(item, person); });
}

bool State::listable(Root list, int index) const
{
    if (listed(index)) return false;
    if (list == Root::Places) return items_[std::size_t(index)].place.known();
    return list != Root::Things || owns(people_[std::size_t(index)]);
}

int State::left(Root list) const
{
    if (list == Root::NewHomes) return int(people_.size()) - introduced_; // in the order of the cast
    const auto size = int(list == Root::Places ? items_.size() : people_.size());
    int count = 0;
    for (int i = 0; i < size; ++i) count += listable(list, i);
    return count;
}

bool State::finishList(Kind kind)
{
    if (const auto list = listOf(kind); list != Root::Count) {
        afterList_ = root_;
        root_ = list;
        told_ |= kind == Kind::NewHomes;
        listsAsked_ |= bit(kind);
        stale_ = true;
        return true;
    }
    if (kind < Kind::NewHomesNext) return false;
    stale_ = true;
    if (kind == nextOf(root_)) return true;
    if (afterList_ == Root::Intro)
        last_ = subject_;
    else
        ++sentences_, last_ = -1;
    root_ = afterList_;
    return true;
}

} // namespace pha::stories
