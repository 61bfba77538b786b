// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace pha {

/// The folder of an export, made with those above it. Unless keep() is called, what was made for it is taken away again
/// with it, but for what others have put there meanwhile; a folder that was there stays as it is.
class ExportFolder {
public:
    explicit ExportFolder(std::filesystem::path path); ///< throws IoError
    ~ExportFolder();
    ExportFolder(const ExportFolder&) = delete;
    ExportFolder& operator=(const ExportFolder&) = delete;

    std::filesystem::path add(const std::string& name); ///< of a file that is about to be written there
    std::vector<std::filesystem::path> keep(); ///< the files, all of which are written

private:
    void takeAway();

    std::filesystem::path path_;
    std::vector<std::filesystem::path> made_; ///< folders that were not there, the innermost first
    std::vector<std::filesystem::path> files_;
};

} // namespace pha
