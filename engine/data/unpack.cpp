// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/data/byte_source.h"

#include <new>
#include <vector>

#ifdef PHA_HAS_ZLIB
#include <zlib.h>
#endif
#ifdef PHA_HAS_ZSTD
#include <zstd.h>
#endif
#ifdef PHA_HAS_LZMA
#include <lzma.h>
#endif

namespace pha {

namespace {

struct Window {
    const char* in;
    std::size_t inSize;
    char* out;
    std::size_t outSize;
};
enum class Step { Going, FrameEnd, Damaged, TooMuchMemory };

#ifdef PHA_HAS_ZLIB
/// gzip: one or more members, RFC 1952; zlib checks their sums.
class GzipCodec {
public:
    GzipCodec()
    {
        if (inflateInit2(&stream_, 15 + 16) != Z_OK) throw std::bad_alloc();
    }
    ~GzipCodec() { inflateEnd(&stream_); }
    Step step(Window& window)
    {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(window.in));
        stream_.avail_in = uInt(window.inSize);
        stream_.next_out = reinterpret_cast<Bytef*>(window.out);
        stream_.avail_out = uInt(window.outSize);
        const int result = inflate(&stream_, Z_NO_FLUSH);
        window = { window.in + (window.inSize - stream_.avail_in), stream_.avail_in,
            window.out + (window.outSize - stream_.avail_out), stream_.avail_out };
        if (result == Z_STREAM_END) return inflateReset(&stream_) == Z_OK ? Step::FrameEnd : Step::Damaged;
        return result == Z_OK || result == Z_BUF_ERROR ? Step::Going : Step::Damaged;
    }

private:
    z_stream stream_ {};
};
#endif

#ifdef PHA_HAS_ZSTD
/// Zstandard frames, RFC 8878, with windows of at most 128 MiB.
class ZstdCodec {
public:
    ZstdCodec()
        : stream_(ZSTD_createDStream())
    {
        if (!stream_) throw std::bad_alloc();
        ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 27);
    }
    ~ZstdCodec() { ZSTD_freeDStream(stream_); }
    ZstdCodec(const ZstdCodec&) = delete;
    ZstdCodec& operator=(const ZstdCodec&) = delete;
    Step step(Window& window)
    {
        ZSTD_inBuffer in { window.in, window.inSize, 0 };
        ZSTD_outBuffer out { window.out, window.outSize, 0 };
        const auto result = ZSTD_decompressStream(stream_, &out, &in);
        window = { window.in + in.pos, window.inSize - in.pos, window.out + out.pos, window.outSize - out.pos };
        if (ZSTD_isError(result)) {
            const std::string_view name = ZSTD_getErrorName(result);
            return name.find("too much memory") != name.npos ? Step::TooMuchMemory : Step::Damaged;
        }
        return result == 0 ? Step::FrameEnd : Step::Going;
    }

private:
    ZSTD_DStream* stream_;
};
#endif

#ifdef PHA_HAS_LZMA
/// xz streams, one after the other, with at most 256 MiB of memory.
class XzCodec {
public:
    XzCodec() { start(); }
    ~XzCodec() { lzma_end(&stream_); }
    Step step(Window& window)
    {
        stream_.next_in = reinterpret_cast<const std::uint8_t*>(window.in);
        stream_.avail_in = window.inSize;
        stream_.next_out = reinterpret_cast<std::uint8_t*>(window.out);
        stream_.avail_out = window.outSize;
        const auto result = lzma_code(&stream_, LZMA_RUN);
        window = { reinterpret_cast<const char*>(stream_.next_in), stream_.avail_in,
            reinterpret_cast<char*>(stream_.next_out), stream_.avail_out };
        if (result == LZMA_STREAM_END) {
            lzma_end(&stream_);
            stream_ = LZMA_STREAM_INIT;
            start();
            return Step::FrameEnd;
        }
        if (result == LZMA_MEMLIMIT_ERROR) return Step::TooMuchMemory;
        return result == LZMA_OK || result == LZMA_BUF_ERROR ? Step::Going : Step::Damaged;
    }

private:
    void start()
    {
        if (lzma_stream_decoder(&stream_, std::uint64_t(256) << 20, 0) != LZMA_OK) throw std::bad_alloc();
    }
    lzma_stream stream_ = LZMA_STREAM_INIT;
};
#endif

template <class Codec> class Unpacker final : public ByteSource {
public:
    explicit Unpacker(std::unique_ptr<ByteSource> source)
        : source_(std::move(source))
        , buffer_(std::size_t(1) << 17)
    {
    }

    std::size_t read(char* out, std::size_t size) override
    {
        Window window { at_, held_, out, size };
        while (window.outSize == size && size > 0) {
            if (window.inSize == 0 && !ended_) refill(window);
            if (ended_ && window.inSize == 0 && !inFrame_) break;
            // Some tools fill the last block of a file with zeros.
            if (!inFrame_ && frames_ > 0 && *window.in == '\0') {
                ++window.in, --window.inSize;
                continue;
            }
            advance(window);
            const bool stuck = ended_ && window.inSize == 0 && window.outSize == size && inFrame_;
            if (stuck) throwDamaged(where(), "ends in the middle of its packed data");
        }
        at_ = window.in;
        held_ = window.inSize;
        made_ += size - window.outSize;
        checkExpansion(where(), taken_, made_);
        return size - window.outSize;
    }

    const std::string& where() const override { return source_->where(); }

private:
    void refill(Window& window)
    {
        window.inSize = source_->read(buffer_.data(), buffer_.size());
        window.in = buffer_.data();
        ended_ = window.inSize == 0;
        taken_ += window.inSize;
    }

    void advance(Window& window)
    {
        const auto step = codec_.step(window);
        inFrame_ = step != Step::FrameEnd;
        frames_ += step == Step::FrameEnd;
        if (step == Step::Damaged) throwDamaged(where(), "is damaged: it does not unpack");
        if (step == Step::TooMuchMemory)
            throw DataError(where(), "needs too much memory to unpack", "pack it again without a long window");
    }

    std::unique_ptr<ByteSource> source_;
    Codec codec_;
    std::vector<char> buffer_;
    const char* at_ = nullptr;
    std::size_t held_ = 0;
    std::uint64_t taken_ = 0, made_ = 0, frames_ = 0;
    bool ended_ = false, inFrame_ = false;
};

[[maybe_unused, noreturn]] void throwNotBuilt(const std::string& where, const char* format, const char* library)
{
    throw DataError(where, std::string("is packed with ") + format + ", and this build has no " + library,
        std::string("unpack it first, or build PHA Studio with ") + library);
}

std::unique_ptr<ByteSource> unpackOnce(std::unique_ptr<PeekedSource> source)
{
    const auto head = source->head();
    if (head.starts_with("\x1F\x8B")) {
#ifdef PHA_HAS_ZLIB
        return std::make_unique<Unpacker<GzipCodec>>(std::move(source));
#else
        throwNotBuilt(source->where(), "gzip", "zlib");
#endif
    }
    if (head.starts_with("\x28\xB5\x2F\xFD")) {
#ifdef PHA_HAS_ZSTD
        return std::make_unique<Unpacker<ZstdCodec>>(std::move(source));
#else
        throwNotBuilt(source->where(), "zstd", "libzstd");
#endif
    }
    if (head.starts_with(std::string_view("\xFD"
                                          "7zXZ\0",
            6))) {
#ifdef PHA_HAS_LZMA
        return std::make_unique<Unpacker<XzCodec>>(std::move(source));
#else
        throwNotBuilt(source->where(), "xz", "liblzma");
#endif
    }
    return source;
}

} // namespace

std::unique_ptr<PeekedSource> unpack(std::unique_ptr<ByteSource> packed)
{
    return std::make_unique<PeekedSource>(unpackOnce(std::make_unique<PeekedSource>(std::move(packed))));
}

} // namespace pha
