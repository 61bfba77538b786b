// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"

#include <atomic>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pha {
namespace fs = std::filesystem;
namespace {

fs::path folderOf(const fs::path& file) { return file.has_parent_path() ? file.parent_path() : fs::path("."); }

} // namespace

AtomicFile::AtomicFile(fs::path file)
    : file_(std::move(file))
{
    static std::atomic<unsigned> counter { 0 };
    // Another thread, or a dead process with our id, may have the name: take the next one.
    for (int attempt = 0; !out_.isOpen(); ++attempt) {
        temporary_ = temporarySibling(file_, "file" + std::to_string(++counter));
        try {
            out_ = PosixFile(temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
        } catch (const FileError& error) {
            if (error.number() != EEXIST || attempt == 1000) throwIoError(file_, "create", error.number());
        }
    }
}

AtomicFile::~AtomicFile()
{
    if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::write(const void* data, std::size_t size) { out_.write(data, size); }

void AtomicFile::seal()
{
    out_.sync();
    out_.close();
}

void AtomicFile::commit()
{
    seal();
    renamePath(temporary_, file_);
    temporary_.clear();
    syncPath(folderOf(file_));
}

bool AtomicFile::commitNew()
{
    seal();
    if (!renameToNew(temporary_, file_)) return false;
    temporary_.clear();
    syncPath(folderOf(file_));
    return true;
}

void writeFileAtomically(const fs::path& file, const std::string& content)
{
    AtomicFile out(file);
    out.write(content.data(), content.size());
    out.commit();
}

std::string readFile(const fs::path& file, std::int64_t limit)
{
    const auto refuse = [&](const std::string& reason) -> DataError {
        return DataError(file.string(), reason, "check the path and its permissions");
    };
    try {
        const PosixFile in(file, O_RDONLY);
        const auto status = in.status();
        if (!S_ISREG(status.st_mode))
            throw refuse(S_ISDIR(status.st_mode) ? "is a folder, not a file" : "is not a regular file");
        if (status.st_size > limit)
            throw refuse(
                "has " + std::to_string(status.st_size) + " bytes, more than the limit of " + std::to_string(limit));
        std::string content(static_cast<std::size_t>(status.st_size), '\0');
        content.resize(in.readAt(content.data(), content.size(), 0));
        return content;
    } catch (const FileError& error) {
        throw refuse(error.number() == ENOENT ? "does not exist"
                                              : std::string("cannot be read: ") + std::strerror(error.number()));
    }
}

void syncPath(const fs::path& path)
{
    PosixFile file(path, O_RDONLY);
    try {
        file.sync();
    } catch (const FileError& error) {
        // Some network file systems cannot sync a folder, and say so with EINVAL; there is nothing more to be had from
        // them.
        if (error.number() != EINVAL || !S_ISDIR(file.status().st_mode)) throw;
    }
}

} // namespace pha
