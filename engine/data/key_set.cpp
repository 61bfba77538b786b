// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/key_set.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>
#include <fcntl.h>
#include <unistd.h>
#include <utility>

namespace pha {

namespace {

constexpr std::uint64_t fewestSlots = 1024, keyBytes = sizeof(std::uint64_t);

/// Calls `use` with the first `count` keys of a file, in pieces.
template <class Use> void eachKey(const PosixFile& file, std::uint64_t count, Use use)
{
    std::array<std::uint64_t, 4096> part {};
    for (std::uint64_t at = 0; at < count;) {
        const auto wanted = std::size_t(std::min<std::uint64_t>(part.size(), count - at) * keyBytes);
        const auto got = file.readAt(part.data(), wanted, std::int64_t(at * keyBytes)) / keyBytes;
        if (got == 0) break;
        for (std::size_t i = 0; i < got; ++i) use(part[i]);
        at += got;
    }
}

} // namespace

KeySet::KeySet(const std::filesystem::path& file, std::int64_t known)
    : file_(file, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW)
{
    const auto keys = std::uint64_t(known);
    file_.truncate(known * std::int64_t(keyBytes));
    makeTable(std::bit_ceil(std::max(fewestSlots, 2 * keys + 1)));
    eachKey(file_, keys, [this](std::uint64_t key) { place(key); });
}

KeySet::KeySet(const std::filesystem::path& folder)
    : folder_(folder)
{
    makeTable(fewestSlots);
}

bool KeySet::insert(std::uint64_t key)
{
    if (!place(key)) return false;
    if (file_.isOpen()) unsaved_.push_back(key);
    if (2 * count_ <= slots_) return true;
    const auto old = std::exchange(table_, PosixFile());
    const auto slots = slots_;
    makeTable(2 * slots);
    eachKey(old, slots, [this](std::uint64_t each) { each == 0 || place(each); });
    return true;
}

bool KeySet::place(std::uint64_t key)
{
    key += key == 0; // 0 marks a free slot
    std::array<std::uint64_t, 16> slots {};
    for (auto at = key & (slots_ - 1);; at = (at + slots.size()) & (slots_ - 1)) {
        const auto count = std::size_t(std::min<std::uint64_t>(slots.size(), slots_ - at));
        table_.readAt(slots.data(), count * keyBytes, std::int64_t(at * keyBytes));
        for (std::size_t i = 0; i < count; ++i) {
            if (slots[i] == key) return false;
            if (slots[i] != 0) continue;
            table_.writeAt(&key, keyBytes, std::int64_t((at + i) * keyBytes));
            ++count_;
            return true;
        }
        at -= slots.size() - count; // the table goes on at its beginning
    }
}

void KeySet::makeTable(std::uint64_t slots)
{
    auto path = file_.path().string() + ".table";
    if (!file_.isOpen()) {
        path = (folder_ / "pha-studio-XXXXXX").string(); // other processes may have one in the same folder
        const int made = ::mkstemp(path.data());
        if (made < 0) throwIoError(path, "create");
        ::close(made);
    }
    table_ = PosixFile(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW);
    removeTree(path); // it goes with the process
    table_.truncate(std::int64_t(slots * keyBytes));
    slots_ = slots;
    count_ = 0;
}

std::int64_t KeySet::sync()
{
    file_.write(unsaved_.data(), unsaved_.size() * keyBytes);
    unsaved_.clear();
    file_.syncData();
    return std::int64_t(std::uint64_t(file_.status().st_size) / keyBytes);
}

} // namespace pha
