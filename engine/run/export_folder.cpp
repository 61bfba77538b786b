// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/export_folder.h"

#include "engine/base/error.h"

#include <utility>

namespace pha {

namespace fs = std::filesystem;

ExportFolder::ExportFolder(fs::path path)
    : path_(std::move(path))
{
    std::error_code error;
    auto at = fs::absolute(path_, error).lexically_normal();
    if (!at.has_filename()) at = at.parent_path(); // "out/"
    for (; !fs::exists(fs::symlink_status(at, error)) && at.has_relative_path(); at = at.parent_path())
        made_.push_back(at);
    fs::create_directories(path_, error);
    if (!error) return;
    takeAway();
    throw IoError(path_.string(), error.message());
}

ExportFolder::~ExportFolder() { takeAway(); }

fs::path ExportFolder::add(const std::string& name) { return files_.emplace_back(path_ / name); }

std::vector<fs::path> ExportFolder::keep()
{
    made_.clear();
    return std::move(files_);
}

void ExportFolder::takeAway()
{
    std::error_code ignored;
    if (made_.empty()) return;
    for (const auto& file : files_) fs::remove(file, ignored);
    for (const auto& folder : made_) fs::remove(folder, ignored); // refused while something is in it
}

} // namespace pha
