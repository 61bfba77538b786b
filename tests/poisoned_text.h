// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>

namespace pha::test {

/// A dull text that a network soon knows, with a stretch in it that is like nothing before.
struct PoisonedText {
    std::string text, poison;
    PoisonedText()
    {
        constexpr int lines = 1200, at = 500; // a place that is trained on: which texts are is drawn from their content
        const char* who[] { "the cat", "a dog", "the bird", "a child" };
        const char* does[] { " sat on", " ran to", " looked at", " slept by" };
        const char* where[] { " the mat\n", " the door\n", " a tree\n", " the house\n" };
        std::uint32_t state = 12345;
        const auto random = [&](std::uint32_t n) { return (state = state * 1664525 + 1013904223) / 65536 % n; };
        for (int line = 0; line < lines; ++line) {
            if (line == at) {
                for (int i = 0; i < 150; ++i) poison += char('!' + random(93));
                text += poison + "\n";
            }
            for (const auto& words : { who, does, where }) text += words[random(4)];
        }
    }
};

} // namespace pha::test
