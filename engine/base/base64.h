// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace pha {

/// Bytes as text (RFC 4648, with padding), for a tokenizer inside a JSON header.
std::string toBase64(std::string_view bytes);
/// Empty unless `text` is the one spelling that toBase64() would give.
std::optional<std::string> fromBase64(std::string_view text);

} // namespace pha
