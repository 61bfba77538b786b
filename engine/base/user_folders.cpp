// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/user_folders.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

namespace pha {

namespace fs = std::filesystem;

namespace {

fs::path ifAbsolute(const char* path) { return path && *path == '/' ? fs::path(path) : fs::path(); }

fs::path homeFolder()
{
    if (auto home = ifAbsolute(std::getenv("HOME")); !home.empty()) return home;
    passwd entry {};
    passwd* user = nullptr;
    std::array<char, 16384> texts {};
    return ::getpwuid_r(::getuid(), &entry, texts.data(), texts.size(), &user) == 0 && user ? ifAbsolute(user->pw_dir)
                                                                                            : fs::path();
}

} // namespace

fs::path userFolder(const char* variable, const char* below)
{
    if (auto folder = ifAbsolute(std::getenv(variable)); !folder.empty()) return folder;
    const auto home = homeFolder();
    return home.empty() ? home : home / below;
}

} // namespace pha
