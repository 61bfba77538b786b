// SPDX-License-Identifier: GPL-3.0-or-later
// Sentencepiece models, our own small ones, llm.c's and nanoGPT's before anything else sees them. The first byte
// chooses the form.
#include "engine/base/error.h"
#include "engine/data/character_tokenizer.h"
#include "engine/data/gpt2_tokenizer.h"
#include "engine/data/id_tokenizer.h"
#include "engine/data/meta_pickle.h"
#include "engine/data/symbol_tokenizer.h"
#include "engine/data/tokenizer_model.h"

#include <cmath>
#include <cstdint>
#include <cstdlib>

namespace {

void readPieces(std::string_view input)
{
    const auto model = pha::scanTokenizerModel(input, "input");
    (void)model.lossless();
    for (const auto& piece : model.pieces) {
        const bool inside =
            piece.text.data() >= input.data() && piece.text.data() + piece.text.size() <= input.data() + input.size();
        if (!inside || !std::isfinite(piece.score)) std::abort();
    }
}

std::unique_ptr<pha::Tokenizer> readOwn(std::string_view input, unsigned form)
{
    const auto marked = [&](std::string_view mark) { return std::string(mark).append(input); };
    switch (form) {
    case 0:
        return pha::readIdTokenizer(marked(pha::idsMark), "input");
    case 1:
        return pha::symbolTokenizer(marked(pha::symbolsMark), "input");
    case 2:
        return pha::readCharacterTokenizer(marked(pha::charactersMark), "input");
    case 3:
        return pha::gpt2Tokenizer(pha::readGpt2Bin(input, "input"));
    default:
        return pha::characterTokenizer(pha::readMetaPickle(input, "input"), "input");
    }
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        if (data[0] % 8 > 4) {
            readPieces(input);
            return 0;
        }
        if (data[0] % 8 == 3 && !pha::looksLikeGpt2Bin(input)) return 0;
        const auto tokenizer = readOwn(input, data[0] % 8);
        for (const auto id : tokenizer->encode(input))
            if (id < 0 || id >= tokenizer->size()) std::abort();
    } catch (const pha::DataError&) {
    }
    return 0;
}
