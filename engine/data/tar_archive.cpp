// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/data/archive.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

namespace pha {

namespace {

constexpr std::size_t blockBytes = 512, maxExtraHeader = std::size_t(1) << 20;

constexpr auto unknownSize = std::uint64_t(-1); ///< no extended header has given one

/// A field of a header: octal digits, or big-endian with the first bit set (GNU).
std::optional<std::uint64_t> number(std::string_view field)
{
    if (static_cast<unsigned char>(field[0]) & 0x80) {
        std::uint64_t value = static_cast<unsigned char>(field[0]) & 0x7F;
        for (const char c : field.substr(1)) {
            if (value >> 55) return {};
            value = value << 8 | static_cast<unsigned char>(c);
        }
        return value;
    }
    field = field.substr(0, field.find('\0'));
    while (field.starts_with(' ')) field.remove_prefix(1);
    while (field.ends_with(' ')) field.remove_suffix(1);
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
    if (error != std::errc() || end != field.data() + field.size()) return {};
    return value;
}

std::string_view text(std::string_view header, std::size_t at, std::size_t size)
{
    const auto field = header.substr(at, size);
    return field.substr(0, field.find('\0'));
}

bool rightSum(std::string_view header)
{
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < blockBytes; ++i)
        sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(header[i]);
    return number(header.substr(148, 8)) == sum;
}

class TarArchive final : public Archive {
public:
    explicit TarArchive(std::unique_ptr<ByteSource> source)
        : source_(std::move(source))
    {
    }

    std::unique_ptr<ByteSource> next() override
    {
        std::string longName;
        auto longSize = unknownSize;
        for (;;) {
            finishMember();
            std::array<char, blockBytes> block {};
            const std::string_view header(block.data(), block.size());
            const auto got = fill(block.data(), block.size());
            // Two blocks of zeros end the archive; some tools leave them out.
            if (got == 0 || std::all_of(block.begin(), block.end(), [](char c) { return c == '\0'; })) return nullptr;
            const auto size = got == blockBytes && rightSum(header) ? number(header.substr(124, 12)) : std::nullopt;
            if (!size) throwDamaged(source_->where(), "is a damaged tar archive");
            const char type = header[156];
            left_ = type == 'L' || type == 'x' || longSize == unknownSize ? *size : longSize;
            padding_ = (blockBytes - left_ % blockBytes) % blockBytes;
            if (type == 'L') {
                longName = extraHeader();
                longName.resize(std::min(longName.find('\0'), longName.size()));
            } else if (type == 'x') {
                readPax(extraHeader(), longName, longSize);
            } else if (type == '0' || type == '\0' || type == '7') {
                name_ = longName.empty() ? shortName(header) : longName;
                where_ = source_->where() + ": " + name_;
                return std::make_unique<Member>(*this);
            } else {
                longName.clear();
                longSize = unknownSize;
            }
        }
    }

    const std::string& name() const override { return name_; }

private:
    /// What is left of the current member.
    class Member final : public ByteSource {
    public:
        explicit Member(TarArchive& archive)
            : archive_(archive)
        {
        }
        std::size_t read(char* out, std::size_t size) override
        {
            const auto wanted = std::size_t(std::min<std::uint64_t>(size, archive_.left_));
            const auto got = wanted > 0 ? archive_.source_->read(out, wanted) : 0;
            if (wanted > 0 && got == 0) throwDamaged(where(), "the archive ends in the middle of it");
            archive_.left_ -= got;
            return got;
        }
        const std::string& where() const override { return archive_.where_; }

    private:
        TarArchive& archive_;
    };

    void finishMember()
    {
        source_->skip(left_);
        // The last member's padding may be missing.
        std::array<char, blockBytes> rest {};
        fill(rest.data(), std::size_t(padding_));
        left_ = padding_ = 0;
    }

    std::size_t fill(char* out, std::size_t size)
    {
        std::size_t filled = 0;
        for (std::size_t got = 1; got > 0 && filled < size; filled += got)
            got = source_->read(out + filled, size - filled);
        return filled;
    }

    static std::string shortName(std::string_view header)
    {
        const auto prefix = header.substr(257, 5) == "ustar" ? text(header, 345, 155) : std::string_view();
        const auto name = std::string(text(header, 0, 100));
        return prefix.empty() ? name : std::string(prefix) + "/" + name;
    }

    std::string extraHeader()
    {
        if (left_ > maxExtraHeader) throwDamaged(source_->where(), "is a tar archive with an impossible header");
        std::string content(std::size_t(left_), '\0');
        if (fill(content.data(), content.size()) != content.size())
            throwDamaged(source_->where(), "ends in the middle of a tar header");
        left_ = 0;
        return content;
    }

    /// Lines "LENGTH KEY=VALUE\n"; of interest are path and size.
    void readPax(std::string_view rest, std::string& name, std::uint64_t& size) const
    {
        while (!rest.empty()) {
            std::size_t length = 0;
            const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), length);
            const auto digits = std::size_t(end - rest.data());
            if (error != std::errc() || length > rest.size() || length < digits + 2 || rest[digits] != ' ')
                throwDamaged(source_->where(), "is a tar archive with a damaged header");
            const auto pair = rest.substr(digits + 1, length - digits - 2);
            if (pair.starts_with("path=")) name = pair.substr(5);
            if (pair.starts_with("size=")) {
                std::uint64_t value = 0;
                const auto digitsOfSize = pair.substr(5);
                const auto read =
                    std::from_chars(digitsOfSize.data(), digitsOfSize.data() + digitsOfSize.size(), value);
                if (read.ec != std::errc()) throwDamaged(source_->where(), "is a tar archive with a damaged header");
                size = value;
            }
            rest.remove_prefix(length);
        }
    }

    std::unique_ptr<ByteSource> source_;
    std::string name_, where_;
    std::uint64_t left_ = 0, padding_ = 0;
};

} // namespace

bool looksLikeTar(std::string_view head)
{
    return head.size() >= blockBytes && head[0] != '\0' && number(head.substr(124, 12)) && rightSum(head);
}

std::unique_ptr<Archive> readTar(std::unique_ptr<ByteSource> source)
{
    return std::make_unique<TarArchive>(std::move(source));
}

} // namespace pha
