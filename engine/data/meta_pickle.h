// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// True if a file that begins so may be a pickle (protocol 2 to 5).
bool looksLikePickle(std::string_view bytes);

/// The characters of nanoGPT's meta.pkl, by id. A pickle is a program; this one is never run: only the operations that
/// build dictionaries of texts and numbers are known, and the result must be {vocab_size, itos, stoi} that agree.
/// Throws DataError for all else.
std::vector<std::string> readMetaPickle(std::string_view bytes, const std::string& where);

} // namespace pha
