// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/token_preview.h"

#include "engine/base/utf8.h"
#include "engine/data/split_text.h"

#include <algorithm>

namespace pha {

std::string readablePiece(std::string_view bytes)
{
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string text;
    while (!bytes.empty()) {
        const auto step = stepUtf8(bytes);
        for (const char c : bytes.substr(0, step.length)) {
            const auto byte = static_cast<unsigned char>(c);
            if (step.valid)
                text += c;
            else
                text.append("<0x").append({ digits[byte >> 4], digits[byte & 15], '>' });
        }
        bytes.remove_prefix(step.length);
    }
    return text;
}

TokenPreview previewTokens(const Tokenizer& tokenizer, std::string_view text, std::size_t most)
{
    const auto ids = tokenizer.encode(text);
    const auto ends = tokenEnds(text, ids, tokenizer);
    TokenPreview preview;
    preview.tokens = ids.size();
    preview.bytes = text.size();
    preview.pieces.reserve(std::min(most, ids.size()));
    for (std::size_t i = 0; i < ids.size() && i < most; ++i)
        preview.pieces.push_back({ ids[i], i == 0 ? 0 : ends[i - 1], ends[i], readablePiece(tokenizer.piece(ids[i])) });
    return preview;
}

} // namespace pha
