// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/posix_file.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace pha {

/// 64-bit keys of the documents seen so far, in at most 64 MiB, and in a file from which another process can go on.
class KeySet {
public:
    /// `known`: how many keys of the file are valid. Throws IoError.
    KeySet(const std::filesystem::path& file, std::int64_t known);
    /// False if the key was there. Once the set is full new keys are no longer remembered (and are new every time).
    bool insert(std::uint64_t key);
    bool full() const { return count_ >= maxKeys; }
    std::int64_t sync(); ///< all keys so far reach the disk; returns their number

private:
    static constexpr std::size_t maxKeys = std::size_t(1) << 22;
    bool place(std::uint64_t key);
    void grow();

    PosixFile file_;
    std::vector<std::uint64_t> slots_; ///< open addressing; 0 is free
    std::vector<std::uint64_t> unsaved_;
    std::size_t count_ = 0;
};

} // namespace pha
