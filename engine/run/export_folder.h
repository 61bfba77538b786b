// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>

namespace pha {

/// The folder of an export, made with those above it. Unless keep() is called, what was made for it is taken away again
/// with it; a folder that was there stays as it is.
class ExportFolder {
public:
    explicit ExportFolder(const std::filesystem::path& path); ///< throws IoError
    ~ExportFolder();
    ExportFolder(const ExportFolder&) = delete;
    ExportFolder& operator=(const ExportFolder&) = delete;

    void keep() { made_.clear(); } ///< all files are written

private:
    std::filesystem::path made_; ///< the topmost one that was not there; empty if all were
};

} // namespace pha
