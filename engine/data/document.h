// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus_card.h"
#include "engine/data/record_reader.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace pha {

/// A record as text: valid UTF-8 without NUL, lines that end with "\n".
struct Document {
    std::string text; ///< empty: there was none
    std::string digest; ///< SHA-256 of the text, hex
    std::uint64_t key = 0; ///< the first 64 bits of the digest
    std::optional<TextSplit> given;
    bool whole = false; ///< a document by itself (article, record, whole file), not a part of a text
    bool record = false; ///< a line of JSON or a row
    bool open = false; ///< ends within a line
    bool ends = false; ///< a document ends here by itself: a record, a row, a file, no article of WikiText
    int added = 0; ///< line ends behind the text as it was
    std::int64_t words = 0; ///< runs between blanks, and one for each line end, as WikiText counts
    std::int64_t control = 0; ///< bytes that hardly ever stand in texts
    TextRepairs repairs;
};

/// Byte order marks vanish, line ends become "\n", NUL, invalid UTF-8 and halves of surrogate pairs become U+FFFD; each
/// text ends with a line end, each JSON record and each row with a blank line. Repairs are counted. Any thread.
Document makeDocument(TextRecord record);

/// Names of the fields of a line of JSON; none if it is no object.
std::vector<std::string> fieldsOf(const TextRecord& record);

/// Words of a text as `Document::words` counts them; `open`: the text goes on within its last line.
std::int64_t countWords(std::string_view text, bool open);

} // namespace pha
