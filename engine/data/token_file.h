// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/posix_file.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

namespace pha {

/// What a row of a token file is: a token of 2 or 4 bytes, or a token with the words and bytes up to its end.
enum class TokenRow : std::uint32_t { Short = 2, Long = 4, Counted = 12 };
struct CountedToken {
    std::int32_t token = 0, words = 0, bytes = 0; ///< words and bytes: cumulative over the split
};

/// The identity in a token file's header: which text, encoded with which tokenizer. SHA-256 in hex.
struct TokenFileKey {
    std::string text, tokenizer;
};

/// Tokens as they lie in a mapped file, of any size: reading them takes address space, not memory. Safe from several
/// threads.
class TokenFile {
public:
    /// One of ours: 256 bytes of header (magic, width, count, both fingerprints, SHA-256 of the rest), then rows,
    /// little endian. `check`: also read everything and compare the checksum. Throws DataError.
    static std::shared_ptr<const TokenFile> open(
        const std::filesystem::path& file, const TokenFileKey& key, bool check);
    /// `rows` rows of a file of another program, from byte `offset` on. Throws DataError.
    static std::shared_ptr<const TokenFile> openForeign(
        const std::filesystem::path& file, TokenRow row, std::uint64_t offset, std::uint64_t rows);
    ~TokenFile();

    std::uint64_t size() const { return rows_; }
    TokenRow row() const { return row_; }
    /// Tokens [begin, begin + out.size()), which must exist. Throws DataError if the file was cut meanwhile. Gives
    /// pages back to the system now and then, so that hours of random reading do not fill the process's resident set.
    template <class Id> void copy(std::uint64_t begin, std::span<Id> out) const;
    std::span<const CountedToken> counted() const; ///< of a file with counted rows

private:
    TokenFile() = default;
    void map(const std::filesystem::path& file);
    void checkStillThere() const;
    void releaseNowAndThen(std::uint64_t bytes) const;

    PosixFile file_;
    const char* data_ = nullptr; ///< of the mapping
    const char* first_ = nullptr; ///< row
    std::uint64_t mapped_ = 0, rows_ = 0;
    TokenRow row_ = TokenRow::Long;
    mutable std::mutex mutex_;
    mutable std::uint64_t touched_ = 0;
};

/// Appends rows to a token file that is not complete until `finish`. Everything throws IoError.
class TokenFileWriter {
public:
    /// `rows`: how many an earlier process is known to have written; more are cut off. 0: a new file.
    TokenFileWriter(const std::filesystem::path& file, TokenRow row, std::uint64_t rows);
    void add(const std::vector<std::int32_t>& tokens);
    void add(const std::vector<CountedToken>& tokens);
    void sync(); ///< all rows so far reach the disk
    std::uint64_t rows() const { return rows_; }
    std::uint64_t bytes() const { return rows_ * std::uint64_t(row_); } ///< of all rows
    /// Reads all rows and writes the header with their checksum. `read` is called with the bytes of each part, of a
    /// megabyte at most; what it throws leaves the rows as they are, and the writer of a later process goes on.
    void finish(const TokenFileKey& key, const std::function<void(std::uint64_t)>& read);

private:
    TokenRow row_;
    PosixFile file_;
    std::uint64_t rows_ = 0;
};

} // namespace pha
