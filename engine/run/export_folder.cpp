// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/export_folder.h"

#include "engine/base/error.h"

namespace pha {

namespace fs = std::filesystem;

ExportFolder::ExportFolder(const fs::path& path)
{
    std::error_code error;
    auto at = fs::absolute(path, error).lexically_normal();
    if (!at.has_filename()) at = at.parent_path(); // "out/"
    for (; !fs::exists(fs::symlink_status(at, error)) && at.has_relative_path(); at = at.parent_path()) made_ = at;
    fs::create_directories(path, error);
    if (!error) return;
    const auto reason = error.message();
    if (!made_.empty()) fs::remove_all(made_, error);
    throw IoError(path.string(), reason);
}

ExportFolder::~ExportFolder()
{
    std::error_code ignored;
    if (!made_.empty()) fs::remove_all(made_, ignored);
}

} // namespace pha
