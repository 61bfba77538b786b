// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/token_file.h"

#include <vector>

namespace pha {

/// The tokens of several files, one after the other, as one long file. Safe from several threads.
class TokenSequence {
public:
    void add(std::shared_ptr<const TokenFile> file);
    std::uint64_t size() const { return size_; }
    TokenSequence part(std::uint64_t begin, std::uint64_t end) const; ///< which must exist
    /// Tokens [begin, begin + out.size()), which must exist. Throws DataError if a file was cut meanwhile.
    template <class Id> void copy(std::uint64_t begin, std::span<Id> out) const;

private:
    std::vector<std::shared_ptr<const TokenFile>> files_;
    std::vector<std::uint64_t> ends_; ///< tokens up to the end of each file
    std::uint64_t first_ = 0, size_ = 0;
};

} // namespace pha
