// SPDX-License-Identifier: GPL-3.0-or-later
// GPT-2's tokenizer files. The first byte chooses the form: our one file; vocab.json and merges.txt with a NUL between
// them; further pieces and merges behind the 256 bytes, so that most inputs reach the merging. What is accepted must
// write and read again as the same, and give back any text.
#include "engine/base/error.h"
#include "engine/data/gpt2_tokenizer.h"

#include <cstdint>
#include <cstdlib>

namespace {

pha::Gpt2Tables read(unsigned char form, std::string_view input)
{
    if (form % 4 == 0) return pha::readGpt2Model(input, "input");
    if (form % 4 == 1) {
        const auto middle = std::min(input.find('\0'), input.size());
        return pha::readGpt2Files(input.substr(0, middle), input.substr(std::min(middle + 1, input.size())), "input");
    }
    pha::Gpt2Tables bytes;
    for (int byte = 0; byte < 256; ++byte) bytes.pieces.emplace_back(1, char(byte));
    auto model = bytes.model();
    const auto count = std::string("256\n"), more = std::to_string(256 + form / 4) + '\n';
    model.replace(model.find(count), count.size(), more);
    return pha::readGpt2Model(model.append(input), "input");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        const auto tokenizer = pha::gpt2Tokenizer(read(data[0], input));
        if (pha::readGpt2Model(tokenizer->model(), "again").model() != tokenizer->model()) std::abort();
        if (tokenizer->decode(tokenizer->encode(input)) != input) std::abort();
    } catch (const pha::DataError& error) {
        for (const unsigned char c : std::string(error.what())) // one printable line, however hostile the file
            if (c < 0x20 || c == 0x7f) std::abort();
    }
    return 0;
}
