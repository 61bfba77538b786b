// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/token_sequence.h"

#include <algorithm>

namespace pha {

void TokenSequence::add(std::shared_ptr<const TokenFile> file)
{
    size_ += file->size();
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + file->size());
    files_.push_back(std::move(file));
}

TokenSequence TokenSequence::part(std::uint64_t begin, std::uint64_t end) const
{
    auto part = *this;
    part.first_ += begin;
    part.size_ = end - begin;
    return part;
}

template <class Id> void TokenSequence::copy(std::uint64_t begin, std::span<Id> out) const
{
    auto at = first_ + begin;
    auto file = std::size_t(std::upper_bound(ends_.begin(), ends_.end(), at) - ends_.begin());
    while (!out.empty()) {
        const auto count = std::size_t(std::min<std::uint64_t>(out.size(), ends_[file] - at));
        files_[file]->copy(at - (ends_[file] - files_[file]->size()), out.first(count));
        out = out.subspan(count);
        at += count;
        ++file;
    }
}

template void TokenSequence::copy(std::uint64_t, std::span<std::int32_t>) const;
template void TokenSequence::copy(std::uint64_t, std::span<std::int64_t>) const;

} // namespace pha
