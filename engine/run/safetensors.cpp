// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/safetensors.h"

#include "engine/base/atomic_file.h"
#include "engine/run/safetensors_header.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <set>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>

namespace pha {
namespace fs = std::filesystem;

// Tensors are copied to and from the file as they lie in memory.
static_assert(std::endian::native == std::endian::little);

namespace {

[[noreturn]] void refuse(const fs::path& file, const std::string& reason)
{
    throw CheckpointError(file.string(), "not a usable safetensors file: " + reason, "take another copy of the file");
}

/// The header length, checked against the size of the file.
std::uint64_t headerLength(const PosixFile& file, std::uint64_t size)
{
    if (size < 8) throw HeaderDefect(fmt::format("it has {} bytes, too few for the length of a header", size));
    std::uint64_t length = 0;
    if (file.readAt(&length, 8, 0) != 8) throw HeaderDefect("it was shortened while it was read");
    if (length < 2) throw HeaderDefect(fmt::format("its header length is {}, too short for a header", length));
    if (length > size - 8)
        throw HeaderDefect(
            fmt::format("its header length is {}, more than the {} bytes that follow", length, size - 8));
    if (length > SafetensorsLimits::headerBytes)
        throw HeaderDefect(fmt::format(
            "its header length is {}, more than the format's limit of {}", length, SafetensorsLimits::headerBytes));
    return length;
}

std::string jsonText(const std::string& text)
{
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// What a broken caller would write must not become a file that every reader refuses.
[[noreturn]] void misuse(const fs::path& file, const std::string& what)
{
    throw Error(file.string() + ": " + what, "please report this fault of the program");
}

std::string headerText(const fs::path& file, const std::vector<TensorToWrite>& tensors,
    const std::map<std::string, std::string>& metadata, std::vector<std::int64_t>& sizes)
{
    std::string header = "{";
    if (!metadata.empty()) {
        header += "\"__metadata__\":{";
        for (const auto& [key, value] : metadata) header += jsonText(key) + ":" + jsonText(value) + ",";
        header.back() = '}';
        header += ",";
    }
    std::set<std::string> names;
    std::int64_t begin = 0;
    for (const auto& tensor : tensors) {
        const auto bytes = tensorBytes(tensor.dtype, tensor.shape);
        if (bytes < 0 || dtypeBytes(tensor.dtype) == 0
            || std::any_of(tensor.shape.begin(), tensor.shape.end(), [](auto n) { return n < 0; }))
            misuse(file, "tensor " + tensor.name + " has no valid dtype and shape");
        if (!names.insert(tensor.name).second) misuse(file, "tensor " + tensor.name + " is written twice");
        header += fmt::format("{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}},", jsonText(tensor.name),
            tensor.dtype, fmt::join(tensor.shape, ","), begin, begin + bytes);
        sizes.push_back(bytes);
        begin += bytes;
    }
    if (header.back() == ',') header.pop_back();
    header += "}";
    header.resize((header.size() + 7) / 8 * 8, ' ');
    if (header.size() > SafetensorsLimits::headerBytes) misuse(file, "its header would be too large");
    return header;
}

} // namespace

SafetensorsReader::SafetensorsReader(const fs::path& file)
try {
    file_ = PosixFile(file, O_RDONLY);
    const auto status = file_.status();
    if (!S_ISREG(status.st_mode)) refuse(file, S_ISDIR(status.st_mode) ? "it is a folder" : "it is not a regular file");
    size_ = status.st_size;
    modifiedSeconds_ = status.st_mtim.tv_sec, modifiedNanoseconds_ = status.st_mtim.tv_nsec;
    const auto length = static_cast<std::int64_t>(headerLength(file_, static_cast<std::uint64_t>(size_)));
    dataStart_ = 8 + length;

    std::string slice(static_cast<std::size_t>(std::min<std::int64_t>(length, 1 << 18)), '\0');
    std::int64_t at = 8;
    HeaderScanner scanner([&] {
        const auto want = static_cast<std::size_t>(std::min(dataStart_ - at, static_cast<std::int64_t>(slice.size())));
        const auto got = file_.readAt(slice.data(), want, at);
        if (got < want) throw HeaderDefect("it was shortened while it was read");
        at += static_cast<std::int64_t>(got);
        return std::string_view(slice.data(), got);
    });
    parseSafetensorsHeader(scanner, size_ - dataStart_, tensors_, metadata_);
} catch (const HeaderDefect& defect) {
    refuse(file, defect.what());
} catch (const FileError& error) {
    throw CheckpointError(file.string(),
        error.number() == ENOENT ? "does not exist" : std::string("cannot be read: ") + std::strerror(error.number()),
        "check the path and its permissions");
}

void SafetensorsReader::read(const TensorEntry& entry, std::int64_t from, std::int64_t count, void* out) const
{
    if (from < 0 || count < 0 || from > entry.end - entry.begin - count)
        misuse(file_.path(), fmt::format("bytes {} to {} are read of a smaller tensor", from, from + count));
    const auto bytes = static_cast<std::size_t>(count);
    if (bytes == 0) return;
    const auto got = file_.readAt(out, bytes, dataStart_ + entry.begin + from);
    const auto status = file_.status();
    if (got != bytes || status.st_size != size_ || status.st_mtim.tv_sec != modifiedSeconds_
        || status.st_mtim.tv_nsec != modifiedNanoseconds_)
        refuse(file_.path(), "it was changed by another program while it was read");
    const auto* p = static_cast<const unsigned char*>(out);
    if (entry.dtype == "BOOL" && std::any_of(p, p + bytes, [](unsigned char c) { return c > 1; }))
        refuse(file_.path(), "a BOOL tensor has bytes other than 0 and 1");
}

void SafetensorsReader::parseHeader(const std::string& header, std::uint64_t fileSize,
    std::map<std::string, TensorEntry>& tensors, std::map<std::string, std::string>& metadata)
{
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    try {
        if (fileSize > most || fileSize < 8 || header.size() > fileSize - 8)
            throw HeaderDefect("it is larger than its file");
        bool given = false;
        HeaderScanner scanner(
            [&] { return std::exchange(given, true) ? std::string_view() : std::string_view(header); });
        parseSafetensorsHeader(scanner, static_cast<std::int64_t>(fileSize - 8 - header.size()), tensors, metadata);
    } catch (const HeaderDefect& defect) {
        refuse("header", defect.what());
    }
}

void writeSafetensors(
    const fs::path& file, const std::vector<TensorToWrite>& tensors, const std::map<std::string, std::string>& metadata)
{
    std::vector<std::int64_t> sizes;
    const auto header = headerText(file, tensors, metadata, sizes);
    const std::uint64_t length = header.size();
    AtomicFile out(file);
    out.write(&length, 8);
    out.write(header.data(), header.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) out.write(tensors[i].data, static_cast<std::size_t>(sizes[i]));
    out.commit();
}

} // namespace pha
