// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/catalogue.h"
#include "engine/data/http_transfer.h"
#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

namespace pha {

struct DownloadResult {
    std::filesystem::path file;
    std::int64_t bytes = 0;
    std::string sha256; ///< of what is there now
    bool verified = false; ///< the catalogue knows the checksum, and it is the same
    bool wasThere = false; ///< nothing had to be downloaded
};

/// Downloads one of the catalogue's files to `file`, or checks the one that is there. Bytes go to FILE.part; only a
/// whole file with the right size and checksum gets the name FILE. Stopped or broken, the part stays, and the next call
/// goes on from it (Range and If-Range); with a wrong checksum it is removed. Addresses are tried one after the other.
/// Reports "downloading NAME" in bytes. Throws Error with the cause and what to do by hand; IoError.
DownloadResult download(const CatalogueEntry& entry, const std::filesystem::path& file, const TransferLimits& limits,
    EventSink& progress, const std::stop_token& stop);
/// The same to its own place, with the limits that the size asks for.
DownloadResult download(const CatalogueEntry& entry, EventSink& progress, const std::stop_token& stop);
/// Removes what an unfinished download left at its place. Throws DataError while another process is at it.
void discardDownload(const CatalogueEntry& entry);

} // namespace pha
