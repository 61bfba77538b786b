// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string_view>
#include <vector>

/// The words that stories choose among. Grammar and literals are in story_grammar.cpp.
namespace pha::stories {

/// A word list that templates name as {list}. Falling lists are Zipf-like: the first word is the most common one.
struct WordList {
    std::string_view name;
    bool falling = false;
    std::vector<std::string_view> words;
};

/// What facts are made of. Drawn uniformly, so that only memory tells the answer.
const std::vector<std::string_view>& sheNames();
const std::vector<std::string_view>& heNames();
const std::vector<std::string_view>& colours();
const std::vector<std::string_view>& things();
const std::vector<std::string_view>& places();
const std::vector<std::string_view>& villages();
const std::vector<std::string_view>& months();
const std::vector<std::string_view>& homes();
const std::vector<std::string_view>& foods();
const std::vector<std::string_view>& secrets();
const std::vector<std::string_view>& petKinds();
const std::vector<std::string_view>& petNames();

/// Everything else.
const std::vector<WordList>& wordLists();

} // namespace pha::stories
