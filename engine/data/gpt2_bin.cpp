// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/data/gpt2_tables.h"

#include <cstring>
#include <unordered_map>

namespace pha {

namespace {

constexpr std::size_t headerBytes = 1024; ///< 256 numbers of 32 bits
constexpr std::uint32_t magic = 20240328, gpt2Pieces = 50257;

[[noreturn]] void failFile(const std::string& where, const std::string& reason)
{
    throw DataError(where, reason, "make it again with llm.c's train_gpt2.py");
}

std::uint32_t headerNumber(std::string_view bytes, std::size_t index)
{
    std::uint32_t value = 0;
    std::memcpy(&value, bytes.data() + 4 * index, sizeof value);
    return value;
}

std::vector<std::string_view> readPieces(std::string_view bytes, const std::string& where)
{
    const auto version = headerNumber(bytes, 1), count = headerNumber(bytes, 2);
    if (version != 1 && version != 2)
        failFile(where, "is a tokenizer of llm.c of version " + std::to_string(version) + ", and 1 and 2 are known");
    if (version == 1 && count != gpt2Pieces) failFile(where, "is of version 1, and has not GPT-2's 50257 pieces");
    if (version == 2 && headerNumber(bytes, 3) >= count) failFile(where, "the end of its texts is no piece");
    std::vector<std::string_view> pieces;
    bytes.remove_prefix(headerBytes);
    while (!bytes.empty() && pieces.size() < count) {
        const auto length = std::size_t(static_cast<unsigned char>(bytes[0]));
        if (length == 0 || length >= bytes.size()) break;
        pieces.push_back(bytes.substr(1, length));
        bytes.remove_prefix(1 + length);
    }
    if (pieces.size() != count || !bytes.empty())
        failFile(where, "does not hold the " + std::to_string(count) + " pieces that it announces");
    return pieces;
}

/// GPT-2 numbers its pieces in the order in which it learned to merge them, so the pieces alone tell the merges: the
/// last one of a piece joins what the pieces before it make of its bytes.
class MergeFinder {
public:
    explicit MergeFinder(const std::vector<std::string_view>& pieces)
    {
        for (std::size_t id = 0; id < pieces.size(); ++id) ids_.emplace(pieces[id], id);
    }
    /// The parts that the pieces below `id` leave; two of them are a merge.
    std::vector<std::string_view> parts(std::string_view piece, std::size_t id) const
    {
        std::vector<std::string_view> parts;
        for (std::size_t i = 0; i < piece.size(); ++i) parts.push_back(piece.substr(i, 1));
        while (parts.size() > 2) {
            auto best = id;
            std::size_t at = 0;
            for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
                const auto known = ids_.find(joined(parts[i], parts[i + 1]));
                if (known != ids_.end() && known->second < best) best = known->second, at = i;
            }
            if (best == id) break;
            parts[at] = joined(parts[at], parts[at + 1]);
            parts.erase(parts.begin() + std::ptrdiff_t(at) + 1);
        }
        return parts;
    }

private:
    /// Neighbours in one text.
    static std::string_view joined(std::string_view left, std::string_view right)
    {
        return { left.data(), left.size() + right.size() };
    }
    std::unordered_map<std::string_view, std::size_t> ids_;
};

} // namespace

bool looksLikeGpt2Bin(std::string_view bytes) { return bytes.size() >= headerBytes && headerNumber(bytes, 0) == magic; }

Gpt2Tables readGpt2Bin(std::string_view bytes, const std::string& where)
{
    const auto pieces = readPieces(bytes, where);
    const MergeFinder finder(pieces);
    std::string model = std::string(gpt2Mark) + std::to_string(pieces.size()) + '\n', merges;
    for (std::size_t id = 0; id < pieces.size(); ++id) {
        model += gpt2Letters(pieces[id]) + '\n';
        const auto parts = finder.parts(pieces[id], id);
        if (parts.size() == 2) merges += gpt2Letters(parts[0]) + ' ' + gpt2Letters(parts[1]) + '\n';
    }
    return readGpt2Model(model + merges, where);
}

} // namespace pha
