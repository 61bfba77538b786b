// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics.h"

#include "engine/base/atomic_file.h"

#include <algorithm>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

namespace pha {
namespace fs = std::filesystem;

namespace {

/// Where no file can be locked, nobody else is known of.
bool lockIfPossible(const PosixFile& file, int operation)
{
    try {
        return file.lock(operation);
    } catch (const FileError&) {
        return true;
    }
}

} // namespace

MetricsWriter::MetricsWriter(const fs::path& file)
    : file_(file, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW)
{
    file_.requireRegular();
    // The half line of a writer that still lives is not torn: it is about to end.
    if (lockIfPossible(file_, LOCK_EX | LOCK_NB)) {
        const auto size = offset();
        const auto whole = lineStart(size);
        if (whole < size) file_.truncate(whole);
    }
    lockIfPossible(file_, LOCK_SH); // says that this one lives
}

void MetricsWriter::append(const Event& event)
{
    const auto json = eventToJson(event);
    if (json.is_null()) return;
    const auto line = json.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
    const auto before = offset();
    try {
        file_.write(line.data(), line.size());
    } catch (const IoError&) {
        // The disk filled up in the middle of the line: half of it must not stand in front of the next one.
        if (offset() > before) file_.truncate(before);
        throw;
    }
}

std::int64_t MetricsWriter::offset() const { return file_.status().st_size; }

void MetricsWriter::sync() { file_.syncData(); }

void MetricsWriter::rewind(std::int64_t offset)
{
    const auto cut = lineStart(std::max<std::int64_t>(offset, 0));
    if (cut >= this->offset()) return;
    syncPath(keepCutRows(cut).parent_path());
    file_.truncate(cut);
    file_.syncData();
}

/// The start of the line that holds byte `offset`: that byte, if a line begins there.
std::int64_t MetricsWriter::lineStart(std::int64_t offset) const
{
    auto end = std::min(offset, this->offset());
    std::string block(1 << 16, '\0');
    while (end > 0) {
        const auto begin = std::max<std::int64_t>(0, end - static_cast<std::int64_t>(block.size()));
        const auto got = file_.readAt(block.data(), static_cast<std::size_t>(end - begin), begin);
        const auto newline = std::string_view(block.data(), got).rfind('\n');
        if (newline != std::string_view::npos) return begin + static_cast<std::int64_t>(newline) + 1;
        end = begin;
    }
    return 0;
}

fs::path MetricsWriter::keepCutRows(std::int64_t from) const
{
    for (int n = 1;; ++n) {
        auto path = file_.path();
        path += ".rewound-" + std::to_string(n);
        try {
            PosixFile out(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
            std::string block(1 << 20, '\0');
            while (const auto got = file_.readAt(block.data(), block.size(), from)) {
                out.write(block.data(), got);
                from += static_cast<std::int64_t>(got);
            }
            out.sync();
            out.close();
            return fs::absolute(path);
        } catch (const FileError& error) {
            if (error.number() != EEXIST) throw;
        }
    }
}

} // namespace pha
