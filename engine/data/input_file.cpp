// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/input_file.h"

#include <cstring>
#include <fcntl.h>
#include <sys/stat.h>

namespace pha {

namespace {

bool isMachinesFault(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOMEM || number == EIO || number == ESTALE;
}

} // namespace

PosixFile openInput(const std::filesystem::path& path, const std::string& advice)
{
    try {
        PosixFile file(path, O_RDONLY);
        if (!S_ISREG(file.status().st_mode)) throw DataError(path.string(), "is not a regular file", advice);
        return file;
    } catch (const FileError& error) {
        const auto number = error.number();
        if (isMachinesFault(number)) throw;
        throw DataError(path.string(),
            number == ENOENT ? "is not there" : std::string("cannot be read: ") + std::strerror(number), advice);
    }
}

void throwUnreadable(const std::string& where, const FileError& error)
{
    if (isMachinesFault(error.number())) throw FileError(error);
    throw DataError(
        where, std::string("cannot be read: ") + std::strerror(error.number()), "check the disk, or copy the file");
}

} // namespace pha
