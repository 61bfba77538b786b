// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <string>

namespace pha {

inline constexpr std::size_t longestTag = 60; ///< bytes
/// Tags are words of a command line, a search and a list with commas. Throws ConfigError for what is none.
void checkTag(const std::string& tag);

} // namespace pha
