// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// Packed files made by hand, so that tests of reading them need no library that writes them. Contents are stored, not
/// squeezed; every header and sum is right.
namespace pha::packed {

using Entries = std::vector<std::pair<std::string, std::string>>; ///< names and contents

inline std::string little(std::uint64_t value, int bytes)
{
    std::string text;
    for (int i = 0; i < bytes; ++i) text += char(value >> (8 * i));
    return text;
}

inline std::uint32_t crc32(std::string_view text)
{
    std::uint32_t crc = ~0u;
    for (const char c : text) {
        crc ^= static_cast<unsigned char>(c);
        for (int i = 0; i < 8; ++i) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320u : 0);
    }
    return ~crc;
}

/// One member, deflate's stored blocks.
inline std::string gzip(std::string_view text)
{
    std::string packed("\x1F\x8B\x08\0\0\0\0\0\0\x03", 10);
    for (std::size_t at = 0; at == 0 || at < text.size(); at += 65535) {
        const auto part = text.substr(at, 65535);
        packed += char(at + 65535 >= text.size());
        packed += little(part.size(), 2) + little(~part.size(), 2) + std::string(part);
    }
    return packed + little(crc32(text), 4) + little(text.size(), 4);
}

/// One frame of raw blocks.
inline std::string zstd(std::string_view text)
{
    std::string packed("\x28\xB5\x2F\xFD\0\x58", 6); // a window of 2 MiB, no sizes, no checksum
    for (std::size_t at = 0; at == 0 || at < text.size(); at += 100'000) {
        const auto part = text.substr(at, 100'000);
        packed += little(part.size() << 3 | std::uint64_t(at + 100'000 >= text.size()), 3) + std::string(part);
    }
    return packed;
}

inline std::string zip(const Entries& entries)
{
    std::string file, directory;
    for (const auto& [name, content] : entries) {
        const auto common = little(20, 2) + little(0, 2) + little(0, 2) + little(0, 4) + little(crc32(content), 4)
            + little(content.size(), 4) + little(content.size(), 4) + little(name.size(), 2) + little(0, 2);
        directory += "PK\x01\x02" + little(20, 2) + common + little(0, 2) + little(0, 2) + little(0, 2) + little(0, 4)
            + little(file.size(), 4);
        directory += name;
        file.append("PK\x03\x04").append(common).append(name).append(content);
    }
    const auto count = little(entries.size(), 2);
    return file + directory + "PK\x05\x06" + little(0, 4) + count + count + little(directory.size(), 4)
        + little(file.size(), 4) + little(0, 2);
}

inline std::string tarHeader(const std::string& name, std::size_t size, char type)
{
    std::string header(512, '\0');
    const auto put = [&](std::size_t at, const std::string& text) { header.replace(at, text.size(), text); };
    const auto octal = [](std::size_t value, int digits) {
        std::string text(std::size_t(digits), '0');
        for (auto i = text.size(); i-- > 0; value /= 8) text[i] = char('0' + value % 8);
        return text;
    };
    put(0, name.substr(0, 100));
    put(100, "0000644");
    put(124, octal(size, 11));
    put(148, std::string(8, ' '));
    header[156] = type;
    put(257,
        std::string("ustar\0"
                    "00",
            8));
    std::size_t sum = 0;
    for (const char c : header) sum += static_cast<unsigned char>(c);
    put(148, octal(sum, 6) + std::string("\0 ", 2));
    return header;
}

/// Names above 100 bytes get a pax header.
inline std::string tar(const Entries& entries)
{
    const auto padded = [](std::string content) {
        content.resize((content.size() + 511) / 512 * 512);
        return content;
    };
    std::string file;
    for (const auto& [name, content] : entries) {
        if (name.size() > 100) {
            const auto length = name.size() + 10; // "NNN path=" and the line end
            const auto line = std::to_string(length) + " path=" + name + "\n";
            file += tarHeader("pax", line.size(), 'x') + padded(line);
        }
        file += tarHeader(name, content.size(), '0') + padded(content);
    }
    return file + std::string(1024, '\0');
}

} // namespace pha::packed
