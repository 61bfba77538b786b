// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <unistd.h>

namespace pha {

/// A file of the fuzzing process's own, in memory where there is such a place, that holds the input.
class FuzzFile {
public:
    FuzzFile(const std::string& name, std::string_view content)
        : path_(folder() / name)
    {
        std::ofstream(path_, std::ios::binary | std::ios::trunc).write(content.data(), std::streamsize(content.size()));
    }
    ~FuzzFile()
    {
        std::error_code problem;
        std::filesystem::remove(path_, problem);
    }
    FuzzFile(const FuzzFile&) = delete;
    FuzzFile& operator=(const FuzzFile&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    static const std::filesystem::path& folder()
    {
        static const struct Folder {
            std::filesystem::path path;
            Folder()
            {
                std::error_code problem;
                path = std::filesystem::is_directory("/dev/shm", problem) ? "/dev/shm"
                                                                          : std::filesystem::temp_directory_path();
                path /= "pha-fuzz-" + std::to_string(::getpid());
                std::filesystem::create_directories(path);
            }
            ~Folder()
            {
                std::error_code problem;
                std::filesystem::remove_all(path, problem);
            }
        } made;
        return made.path;
    }
    std::filesystem::path path_;
};

} // namespace pha
