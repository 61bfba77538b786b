// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/parquet_codecs.h"

#include "engine/base/error.h"
#include "engine/data/byte_source.h"
#include "engine/data/take_bytes.h"

#include <cstring>
#include <new>

#ifdef PHA_HAS_ZLIB
#include <zlib.h>
#endif
#ifdef PHA_HAS_ZSTD
#include <zstd.h>
#endif

namespace pha {

namespace {

constexpr const char* codecNames[] { "UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW" };
constexpr auto rewrite = "write it again with snappy, gzip or zstd";

[[noreturn, maybe_unused]] void throwNotBuilt(const std::string& where, const char* format, const char* library)
{
    throw DataError(where, std::string("is packed with ") + format + ", and this build has no " + library,
        std::string("write it again with snappy, or build PHA Studio with ") + library);
}

/// Repeats `size` bytes that lie `distance` before; they may overlap what they become.
void repeat(char* out, std::size_t distance, std::size_t size)
{
    const char* const from = out - distance;
    if (distance >= size)
        std::memcpy(out, from, size);
    else
        for (std::size_t i = 0; i < size; ++i) out[i] = from[i];
}

#ifdef PHA_HAS_ZLIB
/// One or more members of gzip, or a zlib stream, as some writers make.
bool unpackGzip(std::string_view packed, std::span<char> out)
{
    z_stream stream {};
    if (inflateInit2(&stream, 15 + 32) != Z_OK) throw std::bad_alloc();
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
    stream.avail_in = uInt(packed.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = uInt(out.size());
    int result = Z_STREAM_END;
    do {
        result = inflate(&stream, Z_FINISH);
    } while (result == Z_STREAM_END && stream.avail_in > 0 && inflateReset(&stream) == Z_OK);
    inflateEnd(&stream);
    return result == Z_STREAM_END && stream.avail_in == 0 && stream.avail_out == 0;
}
#endif

} // namespace

std::optional<std::uint32_t> pageSum([[maybe_unused]] std::string_view packed)
{
#ifdef PHA_HAS_ZLIB
    return std::uint32_t(crc32_z(0, reinterpret_cast<const Bytef*>(packed.data()), packed.size()));
#else
    return {};
#endif
}

bool unpackSnappy(std::string_view packed, std::span<char> out)
{
    if (takeVarint(packed) != out.size()) return false;
    std::size_t made = 0;
    while (!packed.empty()) {
        const auto tag = std::uint8_t(packed.front());
        const auto kind = tag & 3u; // 0: a literal, else a copy whose distance has 1, 2 or 4 bytes
        const auto extra = kind == 3 ? 4 : kind > 0 ? kind : tag >= 60u << 2 ? (tag >> 2) - 59u : 0u;
        packed.remove_prefix(1);
        const auto bytes = takeBytes(packed, extra);
        if (!bytes) return false;
        const std::size_t number = littleEndian(*bytes);
        const auto length = kind == 1 ? 4 + (tag >> 2 & 7u) : kind == 0 && extra > 0 ? number + 1 : (tag >> 2) + 1u;
        if (length > out.size() - made) return false;
        if (kind == 0) {
            const auto literal = takeBytes(packed, length);
            if (!literal) return false;
            std::memcpy(out.data() + made, literal->data(), length);
        } else {
            const auto distance = kind == 1 ? number | std::size_t(tag >> 5) << 8 : number;
            if (distance == 0 || distance > made) return false;
            repeat(out.data() + made, distance, length);
        }
        made += length;
    }
    return made == out.size();
}

void unpackPage(ParquetCodec codec, std::string_view packed, std::span<char> out, const std::string& where)
{
    if (out.empty()) return; // a page of nulls may have no bytes at all
    bool done = false;
    switch (codec) {
    case ParquetCodec::Snappy:
        done = unpackSnappy(packed, out);
        break;
    case ParquetCodec::Gzip:
#ifdef PHA_HAS_ZLIB
        done = unpackGzip(packed, out);
        break;
#else
        throwNotBuilt(where, "gzip", "zlib");
#endif
    case ParquetCodec::Zstd:
#ifdef PHA_HAS_ZSTD
        done = ZSTD_decompress(out.data(), out.size(), packed.data(), packed.size()) == out.size();
        break;
#else
        throwNotBuilt(where, "zstd", "libzstd");
#endif
    case ParquetCodec::None:
        done = packed.size() == out.size();
        if (done) std::memcpy(out.data(), packed.data(), out.size());
        break;
    default:
        throw DataError(
            where, std::string("is packed with ") + codecNames[std::size_t(codec)] + ", which is not read", rewrite);
    }
    if (!done) throwDamaged(where, "is damaged: a page of it does not unpack");
}

} // namespace pha
