// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/corpus_card.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace pha {

/// A public corpus that can be downloaded; datasets/catalog.json holds them.
struct CatalogueEntry {
    std::string name; ///< also a name for `data`, once the file is there
    std::string title, about, licence, homepage;
    std::string file; ///< its name on the disk
    std::int64_t bytes = 0; ///< of the file; 0: not known
    std::string sha256; ///< empty: not known, then the download is unverified
    std::vector<std::string> addresses; ///< https, tried in this order
};
const std::vector<CatalogueEntry>& catalogue();
const CatalogueEntry* findInCatalogue(const std::string& name); ///< null if it is not there
/// One entry for each object of "datasets". Throws DataError naming `where` and what is wrong.
std::vector<CatalogueEntry> parseCatalogue(const std::string& json, const std::string& where);

/// $XDG_DATA_HOME/pha-studio/data: downloads, and prepared corpora that are known by their folder's name.
std::filesystem::path dataFolder();
/// Where the entry's file is, or has to be placed by hand.
std::filesystem::path catalogueFile(const CatalogueEntry& entry);
enum class DownloadState { Absent, Partial, Present }; ///< Present: a file of the right size stands at its place
DownloadState downloadState(const CatalogueEntry& entry);
/// "place wikitext-2-raw-v1.zip (4.50 MiB, SHA-256 ef7e...) from https://... at /home/..."
std::string placeByHand(const CatalogueEntry& entry);

/// The prepared corpora in `dataFolder()`, by name.
struct PreparedCorpus {
    std::string name;
    std::filesystem::path folder;
    CorpusCard card;
};
std::vector<PreparedCorpus> preparedCorpora();

/// What a name for `data` means: the file of a downloaded corpus, a prepared corpus in `dataFolder()`, or the path
/// itself if it exists. Empty if it means nothing here. Throws DataError for a corpus that is not downloaded yet.
std::filesystem::path resolveCorpus(const std::string& name);

} // namespace pha
