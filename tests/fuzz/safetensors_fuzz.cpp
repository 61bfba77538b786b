// SPDX-License-Identifier: GPL-3.0-or-later
// Input: two bytes of data size, then the header. The mutator starts from valid headers and now and then repairs the
// size, so that most inputs reach the layout rules.
#include "engine/base/error.h"
#include "header_builder.h"

#include <cstdint>
#include <cstring>

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t maxSize);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t maxSize, unsigned seed)
{
    std::minstd_rand random(seed);
    if (size < 3 || random() % 16 == 0) {
        const auto built = pha::test::buildHeader([&](std::size_t n) { return std::size_t(random() % n); });
        if (built.text.size() + 2 > maxSize) return size;
        data[0] = std::uint8_t(built.dataBytes), data[1] = std::uint8_t(built.dataBytes >> 8);
        std::memcpy(data + 2, built.text.data(), built.text.size());
        return built.text.size() + 2;
    }
    size = 2 + LLVMFuzzerMutate(data + 2, size - 2, maxSize - 2);
    if (random() % 4 == 0) {
        std::uint64_t largest = 0, number = 0;
        for (std::size_t i = 2; i < size; ++i) {
            number = data[i] >= '0' && data[i] <= '9' ? number * 10 + std::uint64_t(data[i] - '0') : 0;
            if (number < 65536) largest = std::max(largest, number);
        }
        data[0] = std::uint8_t(largest), data[1] = std::uint8_t(largest >> 8);
    }
    return size;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size < 2) return 0;
    const std::uint64_t dataBytes = data[0] | std::uint64_t(data[1]) << 8;
    const std::string header(reinterpret_cast<const char*>(data) + 2, size - 2);
    std::map<std::string, pha::TensorEntry> tensors;
    std::map<std::string, std::string> metadata;
    try {
        pha::SafetensorsReader::parseHeader(header, 8 + header.size() + dataBytes, tensors, metadata);
        if (!pha::test::consistent(tensors, dataBytes)) __builtin_trap();
    } catch (const pha::CheckpointError& error) {
        // A message goes to a terminal: one line of printable text, however hostile the file.
        for (const unsigned char c : std::string(error.what()))
            if (c < 0x20 || c == 0x7f) __builtin_trap();
    }
    return 0;
}
