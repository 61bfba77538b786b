// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// The encodings of Parquet that texts come in (Encodings.md in apache/parquet-format). Whatever the bytes are, nothing
/// beyond them is read, and no number in them is allocated for.
namespace pha {

/// Numbers of at most 32 bits as runs and packed bits ("RLE / Bit-Packing Hybrid", RLE = 3).
class HybridNumbers {
public:
    HybridNumbers() = default;
    HybridNumbers(std::string_view bytes, unsigned width); ///< `width` in bits, at most 32
    std::optional<std::uint32_t> next(); ///< null if there are no more

private:
    bool nextRun();

    std::string_view bytes_, packed_;
    unsigned width_ = 0;
    std::uint64_t left_ = 0, bit_ = 0; ///< of the run; bit_: where its next packed number begins
    std::uint32_t repeated_ = 0;
    bool isPacked_ = false;
};

/// 32-bit integers as packed differences (DELTA_BINARY_PACKED = 5).
class DeltaNumbers {
public:
    explicit DeltaNumbers(std::string_view bytes);
    std::optional<std::uint32_t> next(); ///< null if there are no more
    /// What stands behind the numbers; to be asked before the first is taken. Null if they end too early.
    std::optional<std::string_view> behind() const;

private:
    bool nextGroup();

    std::string_view bytes_, widths_, packed_;
    std::uint64_t blockGroups_ = 0, groupSize_ = 0; ///< groups are the format's miniblocks
    std::uint64_t left_ = 0, groupLeft_ = 0, bit_ = 0;
    std::uint32_t value_ = 0, smallest_ = 0;
    unsigned width_ = 0;
    bool first_ = true;
};

/// The values of a dictionary page.
class ParquetDictionary {
public:
    /// Takes the bytes of `count` values (PLAIN = 0); false if they are not.
    bool assign(std::string bytes, std::uint64_t count);
    std::optional<std::string_view> operator[](std::uint32_t index) const;

private:
    std::string bytes_;
    std::vector<std::uint32_t> begins_;
};

/// The texts of a data page, one after the other.
class ParquetTexts {
public:
    virtual ~ParquetTexts() = default;
    virtual std::optional<std::string_view> next() = 0; ///< valid until the next call; null if there are no more
};

/// Null for an encoding that is none of texts: these are PLAIN (0), PLAIN_DICTIONARY (2), DELTA_LENGTH_BYTE_ARRAY (6),
/// DELTA_BYTE_ARRAY (7) and RLE_DICTIONARY (8). The bytes and the dictionary must outlive the result.
std::unique_ptr<ParquetTexts> parquetTexts(int encoding, std::string_view bytes, const ParquetDictionary& dictionary);

} // namespace pha
