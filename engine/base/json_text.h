// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <string>

namespace pha {

/// Reads one JSON document and nothing else. Stricter than the parser: also refuses a key that stands twice in one
/// object, nesting deeper than 64 and numbers beyond double. `where` is the file or option for the message. Throws
/// DataError naming `where`, line and column.
Json parseJsonStrict(const std::string& text, const std::string& where);

} // namespace pha
