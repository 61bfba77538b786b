// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/tag.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>

namespace pha {

void checkTag(const std::string& tag)
{
    const auto unfit = [](char c) {
        return static_cast<unsigned char>(c) <= ' ' || c == '\x7f' || c == ',' || c == '"';
    };
    if (tag.empty() || tag.size() > longestTag || tag.front() == '+' || tag.front() == '-'
        || std::any_of(tag.begin(), tag.end(), unfit))
        throw ConfigError("the tag", inQuotes(tag),
            "a word of at most " + std::to_string(longestTag)
                + " bytes without blanks, commas and quotation marks, that does not begin with + or -");
}

} // namespace pha
