// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/story_lexicon.h"

#include <algorithm>
#include <string>

namespace pha::stories {

namespace {

std::vector<std::string_view> split(std::string_view text)
{
    std::vector<std::string_view> words;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find(' ', begin), text.size());
        if (end > begin) words.push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return words;
}

/// The words of a literal, never freed: they outlive every story and need no destructor at exit.
const std::vector<std::string_view>& kept(std::string_view text)
{
    return *new std::vector<std::string_view>(split(text));
}

} // namespace

const std::vector<std::string_view>& sheNames()
{
    static const auto& words =
        kept("Anna Mia Rosa Lily Emma Clara Nora Ida Ruth Vera Greta Julia Laura Maria Nina Olga");
    return words;
}

const std::vector<std::string_view>& heNames()
{
    static const auto& words = kept("Tom Ben Max Leo Sam Paul Peter Jack Karl Oscar Felix Hugo Emil Anton Bruno David");
    return words;
}

const std::vector<std::string_view>& colours()
{
    static const auto& words = kept("red blue green yellow white black brown purple pink grey");
    return words;
}

const std::vector<std::string_view>& things()
{
    static const auto& words = kept("kite boat drum ball book lamp hat coat cup basket rope box bag flute clock ring "
                                    "mask bottle key map doll robot train umbrella");
    return words;
}

const std::vector<std::string_view>& places()
{
    static const auto& words = kept("barn kitchen garden cellar school library market forest park cave meadow bakery");
    return words;
}

const std::vector<std::string_view>& villages()
{
    static const auto& words = kept("Elmwood Greenhill Stonebridge Millford Ashby Brookfield Fernley Redcliff");
    return words;
}

const std::vector<std::string_view>& months()
{
    static const auto& words = kept("March April May June July August September October");
    return words;
}

const std::vector<std::string_view>& homes()
{
    static const auto& words = kept("mill lighthouse castle cottage tower inn cabin palace");
    return words;
}

const std::vector<std::string_view>& foods()
{
    static const auto& words = kept("plums apples bread cheese soup honey nuts cake");
    return words;
}

const std::vector<std::string_view>& secrets()
{
    static const auto& words = kept("thunder marble velvet pepper comet ginger copper amber willow feather");
    return words;
}

const std::vector<std::string_view>& petKinds()
{
    static const auto& words = kept("dog cat parrot pony goat rabbit");
    return words;
}

const std::vector<std::string_view>& petNames()
{
    static const auto& words = kept("Rex Bobo Fluffy Sunny Lucky Coco Ziggy Momo");
    return words;
}

const std::vector<WordList>& wordLists()
{
    static const auto& lists = *new std::vector<WordList> {
        { "size", true, split("small quiet little lonely pretty sleepy") },
        { "daypart", true, split("morning evening day afternoon night") },
        { "weather", true, split("warm cold sunny fine grey windy rainy bright foggy mild") },
        { "nature", true, split("river hill lake bridge road sea gate well wall pond fence path") },
        { "animal", true, split("bird fox hen duck frog horse mouse owl crow deer hedgehog squirrel") },
        { "flock", true, split("birds geese swans crows owls bats") },
        { "adj", true, split("big young old strange funny thin brave lazy clever shy hungry noisy") },
        { "feeling", true, split("happy glad sad proud angry calm worried curious excited afraid") },
        { "body", true, split("tired hungry thirsty cold sleepy") },
        { "airy", true, split("dark quiet empty warm cool dusty crowded bright tidy") },
        { "song", true, split("short sad merry long loud soft") },
        { "tale", true, split("long true funny strange sad famous") },
        { "picture", true, split("ship house horse mountain dragon king") },
        { "work", true, split("cooking washing sewing painting fishing digging") },
        { "many", true, split("stars trees clouds boats flowers leaves steps") },
        { "tree", true, split("tree oak beech pine birch") },
        { "crowd", true, split("people children strangers sailors farmers soldiers") },
        { "sky", true, split("clear grey dark pale cloudy") },
        { "often", true, split("often always sometimes never") },
    };
    return lists;
}

} // namespace pha::stories
