// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace pha {

enum class TextSplit : std::uint8_t { Train, Valid, Test };

/// A stretch of one file that goes into one split: whole paragraphs where they are short enough, else whole lines. Only
/// lines far longer than a block are cut, before a space.
struct TextBlock {
    std::uint32_t file = 0;
    std::uint64_t begin = 0, end = 0;
    TextSplit split = TextSplit::Train;
};

/// The files of a text corpus, read in bounded pieces: nothing here grows with the text but the list of blocks.
class TextSource {
public:
    /// A regular file, or a folder whose .txt files (at any depth, links not followed) are read in the order of their
    /// names. A folder with wiki.train.*, wiki.valid.* and wiki.test.* keeps those splits. Throws DataError.
    explicit TextSource(std::filesystem::path path);

    /// Reads everything once: blocks and fingerprint. 90 % of the blocks train, 5 % validate, 5 % test (at most 16 MB
    /// each), chosen by a hash of the text's own fingerprint, evenly over the text. Throws DataError; Error when
    /// stopped.
    void scan(EventSink& progress, const std::stop_token& stop);

    const std::vector<TextBlock>& blocks() const { return blocks_; }
    std::string raw(const TextBlock& block) const; ///< throws DataError if the file has become shorter
    /// Line ends become "\n", byte order marks vanish, NUL and invalid UTF-8 become U+FFFD and are counted; each file
    /// ends with a line end.
    std::string clean(const TextBlock& block, std::string raw, std::int64_t& repairs) const;

    std::int64_t bytes() const { return bytes_; }
    std::size_t files() const { return files_.size(); }
    const std::filesystem::path& path() const { return path_; }
    /// SHA-256 of `header()` and the raw blocks in their order.
    const std::string& fingerprint() const { return fingerprint_; }
    std::string header() const; ///< what the fingerprint says about the files themselves

private:
    struct File {
        std::filesystem::path path;
        std::uint64_t size = 0;
        bool assigned = false; ///< belongs to `split` whole
        TextSplit split = TextSplit::Train;
    };
    void addFile(const std::filesystem::path& file);
    void addFolder();
    bool addWikiText();
    void assign();

    std::filesystem::path path_;
    std::vector<File> files_;
    std::vector<TextBlock> blocks_;
    std::int64_t bytes_ = 0;
    std::string fingerprint_;
};

/// The error of a text that changed between two readings.
[[noreturn]] void throwTextChanged(const TextSource& source);

} // namespace pha
