// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"
#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

/// A capsule: a whole run as one file NAME.pha, to hand on. It is a tar archive without compression, since weights do
/// not shrink: any tar program lists and unpacks it. Its first member, capsule.json, names every other one with size
/// and SHA-256, in their order. Nothing else may be in it, so that what is read is checked before it is believed.
namespace pha {

struct CapsuleFile {
    std::string path; ///< "checkpoints/step-00001000/model.safetensors"
    std::int64_t bytes = 0;
    std::string sha256;
};

struct Capsule {
    std::string name, created; ///< of the run
    std::vector<CapsuleFile> files;
    std::int64_t bytes() const; ///< of all files
};

struct CapsuleOptions {
    bool weightsOnly = false; ///< without what only training needs: to evaluate and generate
    bool allCheckpoints = false; ///< not only the best and the latest
    bool replace = false; ///< a file that is there already; otherwise it is left alone
};

/// Packs a run, also one that is trained at the moment: then as it stood. `file` appears whole or not at all. Throws
/// CheckpointError, IoError; Error when stopped or if the run changed meanwhile.
Capsule writeCapsule(const std::filesystem::path& run, const std::filesystem::path& file, const CapsuleOptions& options,
    EventSink& progress, const std::stop_token& stop);

/// What a capsule says that it holds; of the files only the sizes are known to be right. Throws DataError.
Capsule readCapsule(const std::filesystem::path& file);

/// Unpacks a capsule into a new folder of `runs` and returns it. Stopped, killed or refused it leaves no run behind.
/// Throws DataError for what is no sound capsule, IoError; Error when stopped.
std::filesystem::path importCapsule(const std::filesystem::path& file, const std::filesystem::path& runs,
    EventSink& progress, const std::stop_token& stop);

} // namespace pha
