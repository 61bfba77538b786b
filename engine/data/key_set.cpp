// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/key_set.h"

#include <fcntl.h>

namespace pha {

KeySet::KeySet(const std::filesystem::path& file, std::int64_t known)
    : file_(file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW)
    , slots_(1024)
{
    file_.truncate(known * 8);
    std::vector<std::uint64_t> part(4096);
    for (std::int64_t at = 0; at < known * 8;) {
        const auto got = file_.readAt(part.data(), part.size() * 8, at);
        for (std::size_t i = 0; i < got / 8; ++i) place(part[i]);
        at += std::int64_t(got);
    }
}

bool KeySet::insert(std::uint64_t key)
{
    const auto before = count_;
    const bool fresh = place(key);
    if (count_ > before) unsaved_.push_back(key);
    return fresh;
}

bool KeySet::place(std::uint64_t key)
{
    key += key == 0; // 0 marks a free slot
    const auto mask = slots_.size() - 1;
    auto at = std::size_t(key) & mask;
    for (; slots_[at] != 0; at = (at + 1) & mask)
        if (slots_[at] == key) return false;
    if (full()) return true;
    slots_[at] = key;
    if (++count_ * 2 > slots_.size()) grow();
    return true;
}

void KeySet::grow()
{
    std::vector<std::uint64_t> old(slots_.size() * 2);
    old.swap(slots_);
    const auto mask = slots_.size() - 1;
    for (const auto key : old) {
        if (key == 0) continue;
        auto at = std::size_t(key) & mask;
        while (slots_[at] != 0) at = (at + 1) & mask;
        slots_[at] = key;
    }
}

std::int64_t KeySet::sync()
{
    file_.write(unsaved_.data(), unsaved_.size() * 8);
    unsaved_.clear();
    file_.syncData();
    return std::int64_t(file_.status().st_size / 8);
}

} // namespace pha
