// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace pha {

/// 64-bit keys of the documents seen so far. They lie on the disk, so that any number of them takes the same memory:
/// in a file from which another process can go on, and in a hash table without a name that is made anew from it. Of
/// keys that no other process needs there is the table alone.
class KeySet {
public:
    /// `known`: how many keys of the file are valid. Throws IoError, as all of these do.
    KeySet(const std::filesystem::path& file, std::int64_t known);
    /// For this process alone: nothing stays in the folder.
    explicit KeySet(const std::filesystem::path& folder);
    bool insert(std::uint64_t key); ///< false if the key was there
    std::int64_t sync(); ///< all keys so far reach the disk; returns their number. Not of a set without a file

private:
    bool place(std::uint64_t key);
    void makeTable(std::uint64_t slots);

    std::filesystem::path folder_; ///< of a set without a file
    PosixFile file_, table_; ///< the table: open addressing, 0 is free
    std::uint64_t slots_ = 0, count_ = 0;
    std::vector<std::uint64_t> unsaved_;
};

} // namespace pha
