// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/safetensors_header.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha {
namespace {

using Limits = SafetensorsLimits;

std::uint32_t nextCodePoint(std::string_view text, std::size_t& at)
{
    // The scanner has let only valid UTF-8 through.
    const auto lead = static_cast<unsigned char>(text[at++]);
    const int more = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    std::uint32_t point = more == 0 ? lead : lead & (0x3fu >> more);
    for (int i = 0; i < more; ++i) point = point << 6 | (static_cast<unsigned char>(text[at++]) & 0x3f);
    return point;
}

/// Names reach terminals, tables and messages: none may move the cursor, turn the writing direction, or look like a
/// path upwards or like markup.
bool harmlessName(std::string_view name)
{
    for (std::size_t at = 0; at < name.size();) {
        const auto c = nextCodePoint(name, at);
        const bool control = c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029;
        const bool direction = c == 0x61c || (c >= 0x200b && c <= 0x200f) || (c >= 0x202a && c <= 0x202e)
            || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff;
        if (control || direction || c == '<' || c == '>') return false;
    }
    for (const auto& part : splitList(name, '/'))
        if (part == "..") return false;
    return !name.empty();
}

class HeaderParser {
public:
    HeaderParser(HeaderScanner& scanner, std::map<std::string, TensorEntry>& tensors,
        std::map<std::string, std::string>& metadata)
        : in_(scanner)
        , tensors_(tensors)
        , metadata_(metadata)
    {
    }

    void parse(std::int64_t dataBytes)
    {
        if (in_.peek() != '{') throw HeaderDefect("the header does not begin with {");
        bool metadataSeen = false;
        object([&](const std::string& name) {
            if (name != "__metadata__") return tensor(name);
            if (metadataSeen) in_.fail("__metadata__ stands twice");
            metadataSeen = true;
            metadata();
        });
        for (int c = in_.take(); c >= 0; c = in_.take())
            if (c != ' ') in_.fail("the header has something other than spaces after its closing }");
        checkLayout(dataBytes);
    }

private:
    /// Walks one object and calls `member(key)` with the scanner at the value.
    template <class Member> void object(Member&& member)
    {
        in_.expect('{', "{");
        if (in_.peek() == '}') return void(in_.take());
        for (;;) {
            const auto key = in_.string("a name", Limits::nameBytes);
            in_.expect(':', "a colon");
            member(key);
            in_.skipSpace();
            if (in_.peek() == '}') return void(in_.take());
            in_.expect(',', "a comma or }");
        }
    }

    template <class Item> void list(const char* what, Item&& item)
    {
        if (in_.peek() != '[') in_.unexpected(what);
        in_.take();
        in_.skipSpace();
        if (in_.peek() == ']') return void(in_.take());
        for (;;) {
            item();
            in_.skipSpace();
            if (in_.peek() == ']') return void(in_.take());
            in_.expect(',', "a comma or ]");
        }
    }

    void metadata()
    {
        if (in_.peek() < 0) in_.unexpected("__metadata__");
        if (in_.peek() != '{') in_.fail("__metadata__ is not an object of strings");
        std::size_t bytes = 0;
        object([&](const std::string& key) {
            if (in_.peek() < 0) in_.unexpected("a value in __metadata__");
            if (in_.peek() != '"') in_.fail("the value of " + inQuotes(key) + " in __metadata__ is not a string");
            auto value = in_.string("a value in __metadata__", Limits::metadataBytes);
            bytes += key.size() + value.size() + 64;
            if (bytes > Limits::metadataBytes)
                in_.fail(fmt::format("__metadata__ is larger than {} bytes", Limits::metadataBytes));
            if (!metadata_.emplace(key, std::move(value)).second)
                in_.fail(inQuotes(key) + " stands twice in __metadata__");
        });
    }

    void tensor(const std::string& name)
    {
        in_.setSubject(&name);
        if (!harmlessName(name)) in_.fail("a tensor name has characters that a name must not have");
        if (tensors_.size() >= Limits::tensors)
            in_.fail(fmt::format("the header has more than {} tensors", Limits::tensors));
        const auto [place, fresh] = tensors_.emplace(name, TensorEntry());
        if (!fresh) in_.fail("a tensor stands twice");
        auto& entry = place->second;
        if (in_.peek() < 0) in_.unexpected("an entry");
        if (in_.peek() != '{') in_.fail("the entry is not an object");

        bool dtype = false, shape = false, offsets = false;
        object([&](const std::string& key) {
            bool* seen = key == "dtype" ? &dtype : key == "shape" ? &shape : key == "data_offsets" ? &offsets : nullptr;
            if (seen == nullptr) in_.fail("the entry has the unknown member " + inQuotes(key));
            if (*seen) in_.fail("the entry has " + key + " twice");
            *seen = true;
            if (seen == &dtype) readDtype(entry);
            if (seen == &shape) readShape(entry);
            if (seen == &offsets) readOffsets(entry);
        });
        const char* missing = !dtype ? "dtype" : !shape ? "shape" : !offsets ? "data_offsets" : nullptr;
        if (missing != nullptr) in_.fail("the entry has no " + std::string(missing));

        const auto bytes = tensorBytes(entry.dtype, entry.shape);
        if (bytes < 0) in_.fail("the size of the shape overflows");
        if (entry.end - entry.begin != bytes)
            in_.fail(fmt::format("the data has {} bytes, but shape and dtype need {}", entry.end - entry.begin, bytes));
        in_.setSubject(nullptr);
    }

    void readDtype(TensorEntry& entry)
    {
        if (in_.peek() != '"') in_.unexpected("the dtype, a string,");
        entry.dtype = in_.string("the dtype", 64);
        if (dtypeBytes(entry.dtype) == 0) in_.fail("dtype " + inQuotes(entry.dtype) + " is not supported");
    }

    void readShape(TensorEntry& entry)
    {
        list("the shape, a list,", [&] {
            if (entry.shape.size() >= Limits::dimensions)
                in_.fail(fmt::format("the shape has more than {} dimensions", Limits::dimensions));
            entry.shape.push_back(in_.integer("a dimension"));
        });
    }

    void readOffsets(TensorEntry& entry)
    {
        std::int64_t values[2] = {};
        std::size_t count = 0;
        list("data_offsets, a list,", [&] {
            const auto value = in_.integer("an offset");
            if (count == 2) in_.fail("data_offsets does not have two numbers");
            values[count++] = value;
        });
        if (count != 2) in_.fail("data_offsets does not have two numbers");
        if (values[0] > values[1]) in_.fail("the data ends before it begins");
        entry.begin = values[0], entry.end = values[1];
    }

    void checkLayout(std::int64_t dataBytes) const
    {
        using Item = std::pair<const std::string, TensorEntry>;
        std::vector<const Item*> order;
        order.reserve(tensors_.size());
        for (const auto& item : tensors_) order.push_back(&item);
        std::sort(order.begin(), order.end(), [](const Item* a, const Item* b) {
            return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
        });
        std::int64_t end = 0;
        for (const auto* item : order) {
            const auto begin = item->second.begin;
            if (begin < end)
                throw HeaderDefect("the data of tensor " + inQuotes(item->first) + " overlaps another tensor's");
            if (begin > end)
                throw HeaderDefect(
                    fmt::format("{} bytes before tensor {} belong to no tensor", begin - end, inQuotes(item->first)));
            end = item->second.end;
        }
        if (end > dataBytes) throw HeaderDefect(fmt::format("the data is cut short: {} bytes of {}", dataBytes, end));
        if (end < dataBytes)
            throw HeaderDefect(fmt::format("{} bytes after the last tensor belong to no tensor", dataBytes - end));
    }

    HeaderScanner& in_;
    std::map<std::string, TensorEntry>& tensors_;
    std::map<std::string, std::string>& metadata_;
};

} // namespace

std::int64_t dtypeBytes(const std::string& dtype)
{
    static const std::map<std::string, std::int64_t> bytes { { "F64", 8 }, { "F32", 4 }, { "F16", 2 }, { "BF16", 2 },
        { "I64", 8 }, { "I32", 4 }, { "I16", 2 }, { "I8", 1 }, { "U8", 1 }, { "BOOL", 1 } };
    const auto found = bytes.find(dtype);
    return found == bytes.end() ? 0 : found->second;
}

std::int64_t tensorBytes(const std::string& dtype, const std::vector<std::int64_t>& shape)
{
    std::int64_t bytes = dtypeBytes(dtype);
    for (const auto dimension : shape)
        if (__builtin_mul_overflow(bytes, dimension, &bytes)) return -1;
    return bytes;
}

void parseSafetensorsHeader(HeaderScanner& scanner, std::int64_t dataBytes, std::map<std::string, TensorEntry>& tensors,
    std::map<std::string, std::string>& metadata)
{
    tensors.clear();
    metadata.clear();
    HeaderParser(scanner, tensors, metadata).parse(dataBytes);
}

} // namespace pha
