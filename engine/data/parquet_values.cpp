// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/parquet_values.h"

#include "engine/data/take_bytes.h"

#include <algorithm>
#include <limits>

namespace pha {

namespace {

constexpr auto mostCounted = std::uint64_t(std::numeric_limits<std::int32_t>::max());

/// `width` bits from bit `at` on, the lowest first; null if they are not all there.
std::optional<std::uint32_t> bitsAt(std::string_view bytes, std::uint64_t at, unsigned width)
{
    if (at + width > std::uint64_t(bytes.size()) * 8) return {};
    std::uint64_t value = 0;
    const auto first = std::size_t(at / 8), end = std::size_t((at + width + 7) / 8);
    for (auto i = first; i < end; ++i) value |= std::uint64_t(std::uint8_t(bytes[i])) << (8 * (i - first));
    return std::uint32_t(value >> (at % 8) & ((std::uint64_t(1) << width) - 1));
}

std::optional<std::string_view> takePlain(std::string_view& bytes)
{
    const auto size = takeBytes(bytes, 4);
    return size ? takeBytes(bytes, littleEndian(*size)) : std::nullopt;
}

class PlainTexts final : public ParquetTexts {
public:
    explicit PlainTexts(std::string_view bytes)
        : bytes_(bytes)
    {
    }
    std::optional<std::string_view> next() override { return takePlain(bytes_); }

private:
    std::string_view bytes_;
};

class DictionaryTexts final : public ParquetTexts {
public:
    DictionaryTexts(std::string_view bytes, const ParquetDictionary& dictionary)
        : dictionary_(dictionary)
    {
        const auto width = takeBytes(bytes, 1);
        if (width && std::uint8_t(width->front()) <= 32) indices_ = { bytes, std::uint8_t(width->front()) };
    }
    std::optional<std::string_view> next() override
    {
        const auto index = indices_.next();
        return index ? dictionary_[*index] : std::nullopt;
    }

private:
    const ParquetDictionary& dictionary_;
    HybridNumbers indices_;
};

/// All lengths, then all texts.
class LengthTexts final : public ParquetTexts {
public:
    explicit LengthTexts(std::string_view bytes)
        : lengths_(bytes)
        , bytes_(lengths_.behind().value_or(std::string_view()))
    {
    }
    std::optional<std::string_view> next() override
    {
        const auto length = lengths_.next();
        return length ? takeBytes(bytes_, *length) : std::nullopt;
    }

private:
    DeltaNumbers lengths_;
    std::string_view bytes_;
};

/// Of each text how many bytes it has in common with the one before, then what follows them.
class PrefixTexts final : public ParquetTexts {
public:
    explicit PrefixTexts(std::string_view bytes)
        : prefixes_(bytes)
        , rests_(prefixes_.behind().value_or(std::string_view()))
    {
    }
    std::optional<std::string_view> next() override
    {
        const auto prefix = prefixes_.next();
        const auto rest = rests_.next();
        if (!prefix || !rest || *prefix > text_.size()) return {};
        text_.resize(*prefix);
        text_ += *rest;
        return text_;
    }

private:
    DeltaNumbers prefixes_;
    LengthTexts rests_;
    std::string text_;
};

} // namespace

HybridNumbers::HybridNumbers(std::string_view bytes, unsigned width)
    : bytes_(bytes)
    , width_(width)
{
}

std::optional<std::uint32_t> HybridNumbers::next()
{
    while (left_ == 0)
        if (!nextRun()) return {};
    --left_;
    if (!isPacked_) return repeated_;
    const auto value = bitsAt(packed_, bit_, width_);
    bit_ += width_;
    return value;
}

bool HybridNumbers::nextRun()
{
    const auto header = takeVarint(bytes_);
    if (!header || *header > 2 * mostCounted + 1) return false;
    isPacked_ = *header & 1;
    if (isPacked_) {
        left_ = (*header >> 1) * 8;
        bit_ = 0;
        // The last run may end with the last number that counts.
        packed_ = *takeBytes(bytes_, std::min<std::uint64_t>((*header >> 1) * width_, bytes_.size()));
        return true;
    }
    left_ = *header >> 1;
    const auto value = takeBytes(bytes_, (width_ + 7) / 8);
    if (value) repeated_ = littleEndian(*value);
    return value.has_value();
}

DeltaNumbers::DeltaNumbers(std::string_view bytes)
    : bytes_(bytes)
{
    const auto blockSize = takeVarint(bytes_), groups = takeVarint(bytes_), count = takeVarint(bytes_),
               value = takeVarint(bytes_);
    if (!blockSize || !groups || !count || !value) return;
    if (*blockSize == 0 || *blockSize > mostCounted || *blockSize % 128 != 0 || *groups == 0
        || *blockSize % *groups != 0 || *blockSize / *groups % 32 != 0 || *count > mostCounted)
        return;
    blockGroups_ = *groups;
    groupSize_ = *blockSize / *groups;
    left_ = *count;
    value_ = std::uint32_t(zigzag(*value));
}

std::optional<std::uint32_t> DeltaNumbers::next()
{
    if (left_ == 0) return {};
    if (first_) {
        first_ = false;
    } else {
        if (groupLeft_ == 0 && !nextGroup()) return {};
        const auto difference = bitsAt(packed_, bit_, width_);
        if (!difference) return {};
        bit_ += width_;
        --groupLeft_;
        value_ += smallest_ + *difference; // overflow is meant to wrap around
    }
    --left_;
    return value_;
}

bool DeltaNumbers::nextGroup()
{
    if (widths_.empty()) {
        const auto smallest = takeVarint(bytes_);
        const auto widths = takeBytes(bytes_, blockGroups_);
        if (!smallest || !widths) return false;
        smallest_ = std::uint32_t(zigzag(*smallest));
        widths_ = *widths;
    }
    width_ = std::uint8_t(widths_.front());
    widths_.remove_prefix(1);
    if (width_ > 32) return false;
    const auto packed = takeBytes(bytes_, groupSize_ / 8 * width_);
    if (!packed) return false;
    packed_ = *packed;
    bit_ = 0;
    groupLeft_ = groupSize_;
    return true;
}

std::optional<std::string_view> DeltaNumbers::behind() const
{
    auto ahead = *this;
    if (blockGroups_ == 0) return {};
    for (auto left = left_ - std::min<std::uint64_t>(left_, 1); left > 0; left -= std::min(left, ahead.groupLeft_))
        if (!ahead.nextGroup()) return {};
    return ahead.bytes_;
}

bool ParquetDictionary::assign(std::string bytes, std::uint64_t count)
{
    bytes_ = std::move(bytes);
    begins_.clear();
    std::string_view rest = bytes_;
    if (count > rest.size() / 4) return false;
    begins_.reserve(std::size_t(count));
    for (std::uint64_t i = 0; i < count; ++i) {
        begins_.push_back(std::uint32_t(bytes_.size() - rest.size()));
        if (!takePlain(rest)) return false;
    }
    return true;
}

std::optional<std::string_view> ParquetDictionary::operator[](std::uint32_t index) const
{
    if (index >= begins_.size()) return {};
    auto rest = std::string_view(bytes_).substr(begins_[index]);
    return takePlain(rest);
}

std::unique_ptr<ParquetTexts> parquetTexts(int encoding, std::string_view bytes, const ParquetDictionary& dictionary)
{
    switch (encoding) {
    case 0:
        return std::make_unique<PlainTexts>(bytes);
    case 2:
    case 8:
        return std::make_unique<DictionaryTexts>(bytes, dictionary);
    case 6:
        return std::make_unique<LengthTexts>(bytes);
    case 7:
        return std::make_unique<PrefixTexts>(bytes);
    default:
        return nullptr;
    }
}

} // namespace pha
