// SPDX-License-Identifier: GPL-3.0-or-later
// The input's bytes are the choices of a header builder. The header must be accepted and read as built; with one byte
// changed it may be refused, but never be accepted with an inconsistent layout.
#include "engine/base/error.h"
#include "header_builder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    std::size_t at = 0;
    const auto choose = [&](std::size_t n) { return at < size ? data[at++] % n : 0; };
    const auto built = pha::test::buildHeader(choose);
    auto header = built.text;
    const auto dataBytes = std::uint64_t(built.dataBytes);
    std::map<std::string, pha::TensorEntry> tensors;
    std::map<std::string, std::string> metadata;
    pha::SafetensorsReader::parseHeader(header, 8 + header.size() + dataBytes, tensors, metadata);
    if (tensors.size() != built.tensors.size() || metadata != built.metadata) __builtin_trap();
    for (const auto& [name, entry] : built.tensors) {
        const auto& got = tensors.at(name);
        if (got.dtype != entry.dtype || got.shape != entry.shape || got.begin != entry.begin || got.end != entry.end)
            __builtin_trap();
    }
    header[choose(256) * header.size() / 256] = char(choose(256));
    try {
        pha::SafetensorsReader::parseHeader(header, 8 + header.size() + dataBytes, tensors, metadata);
        if (!pha::test::consistent(tensors, dataBytes)) __builtin_trap();
    } catch (const pha::CheckpointError&) {
    }
    return 0;
}
