// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

namespace pha {

/// Tokens that are whole words with blanks between them.
class WordTokenizer : public Tokenizer {
public:
    std::vector<std::int32_t> encode(std::string_view text) const final;
    std::string decode(const std::vector<std::int32_t>& ids) const final; ///< without the blank before the first word
    std::string piece(std::int32_t id) const final; ///< with a blank before the word

protected:
    /// `blanks`: what stands between words.
    explicit WordTokenizer(std::string_view blanks)
        : blanks_(blanks)
    {
    }
    virtual std::int32_t idOf(std::string_view word) const = 0; ///< 0 for unknown words
    virtual std::string wordOf(std::int32_t id) const = 0; ///< for ids in [0, size)

private:
    std::string_view blanks_; ///< of static storage
};

} // namespace pha
