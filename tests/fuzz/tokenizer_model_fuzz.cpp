// SPDX-License-Identifier: GPL-3.0-or-later
// Sentencepiece models and our own small ones before anything else sees them. The first byte chooses the form.
#include "engine/base/error.h"
#include "engine/data/id_tokenizer.h"
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

void readOwn(std::string_view input, bool symbols)
{
    const auto mark = symbols ? pha::symbolsMark : pha::idsMark;
    auto model = std::string(mark).append(input);
    const auto tokenizer =
        symbols ? pha::symbolTokenizer(std::move(model), "input") : pha::readIdTokenizer(model, "input");
    if (!tokenizer->model().starts_with(mark)) std::abort();
    for (const auto id : tokenizer->encode(input))
        if (id < 0 || id >= tokenizer->size()) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        if (data[0] % 4 == 0)
            readOwn(input, (data[0] & 4) != 0);
        else
            readPieces(input);
    } catch (const pha::DataError&) {
    }
    return 0;
}
