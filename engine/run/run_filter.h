// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/run/run_about.h"

#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// What a run can be found by. The pointers are not owned, and may be null.
struct RunFacts {
    std::string name, state, created, parent;
    std::string more; ///< further text that words are looked for in
    const RunAbout* about = nullptr;
    const RunConfig* config = nullptr;
    double step = std::numeric_limits<double>::quiet_NaN(), loss = step, perplexity = step, tokensPerSecond = step;
};

/// A search among runs: terms with blanks between them, all of which must hold.
///
///     pha                  a word of name, folder, notes, tags, preset, data, state, or of the parent's name
///     "too high"           the same for several words as they stand
///     tag:wt2              begins with it: a tag, or the text of another key (preset, data, state, created, ...)
///     loss<3  layers=8     figures, and every setting of the configuration by its name: < <= > >= = !=
///     -tag:paper           not so
class RunFilter {
public:
    /// Throws Error (Usage): what is wrong and what is meant instead.
    static RunFilter parse(std::string_view text);
    bool matches(const RunFacts& run) const;
    bool empty() const { return terms_.empty(); }

    enum class Compare { Word, Begins, Equal, Unequal, Less, LessEqual, Greater, GreaterEqual };
    struct Term {
        bool negated = false;
        Compare compare = Compare::Word;
        std::string key, value; ///< of a word the key is empty; `value` with small letters
        double number = std::numeric_limits<double>::quiet_NaN(); ///< `value`, if it is one
    };

private:
    std::vector<Term> terms_;
};

} // namespace pha
