// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/story_lexicon.h"

#include <string>

namespace pha::stories {

namespace {

/// Splits a literal at spaces. The lists are never freed: they outlive every story and need no destructor at exit.
const std::vector<std::string_view>& split(std::string_view text)
{
    auto* words = new std::vector<std::string_view>;
    for (std::size_t begin = 0; begin < text.size();) {
        const auto end = std::min(text.find(' ', begin), text.size());
        if (end > begin) words->push_back(text.substr(begin, end - begin));
        begin = end + 1;
    }
    return *words;
}

} // namespace

const std::vector<std::string_view>& sheNames()
{
    static const auto& words =
        split("Anna Mia Rosa Lily Emma Clara Nora Ella Ida Ruth Vera Greta Hanna Julia Karin "
              "Laura Maria Nina Olga Paula Sara Tina Ursula Wanda Zoe Alice Bella Cora Dora Edith "
              "Flora Helen Irene Jane Kate Lena Molly Nelly");
    return words;
}

const std::vector<std::string_view>& heNames()
{
    static const auto& words =
        split("Tom Ben Max Leo Sam Paul Peter Jack Karl Oscar Felix Hugo Emil Anton Bruno David "
              "Erik Frank George Henry Ivan Jonas Kevin Lars Martin Noah Otto Philip Robert Simon "
              "Theo Victor Walter Adam Boris Carlo Dennis Edgar");
    return words;
}

const std::vector<std::string_view>& colours()
{
    static const auto& words = split("red blue green yellow white black brown purple pink grey silver golden");
    return words;
}

const std::vector<std::string_view>& things()
{
    static const auto& words =
        split("kite boat drum ball book lamp hat coat cup plate spoon basket bucket rope ladder "
              "hammer box bag whistle flute violin trumpet clock ring crown mask scarf glove boot "
              "belt blanket pillow candle mirror comb brush bottle jar pot kettle broom key map "
              "letter card coin medal doll puppet robot train cart wagon sled bicycle flag "
              "umbrella net rake shovel axe vase globe compass");
    return words;
}

const std::vector<std::string_view>& places()
{
    static const auto& words =
        split("barn kitchen garden cellar attic school library church market forest park shop "
              "stable cave meadow orchard bakery station harbour museum theatre workshop hall field");
    return words;
}

const std::vector<std::string_view>& homes()
{
    static const auto& words = split("mill lighthouse castle cottage farmhouse tower inn cabin palace hut manor chapel "
                                     "tavern monastery villa fort");
    return words;
}

const std::vector<std::string_view>& foods()
{
    static const auto& words =
        split("plums apples pears cherries bread cheese soup honey nuts rice beans fish cake eggs "
              "carrots grapes pancakes noodles berries porridge");
    return words;
}

const std::vector<std::string_view>& secrets()
{
    static const auto& words =
        split("thunder marble velvet pepper comet ginger walnut copper amber cinnamon feather "
              "shadow ember willow falcon harvest magnet ribbon salmon tulip pebble cobalt nectar "
              "anchor");
    return words;
}

const std::vector<std::string_view>& petKinds()
{
    static const auto& words = split("dog cat parrot pony goat rabbit turtle lizard");
    return words;
}

const std::vector<std::string_view>& petNames()
{
    static const auto& words = split("Rex Bobo Fluffy Sunny Lucky Coco Ziggy Momo Biscuit Tiger Snowy Pip Dusty Patch "
                                     "Rocky Kiki Tofu Mango Nemo Pixie");
    return words;
}

const std::vector<WordList>& wordLists()
{
    static const auto& lists = *new std::vector<WordList> {
        { "size", true, split("small quiet little lonely pretty sleepy") },
        { "month", false, split("April May June July August September October November") },
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
