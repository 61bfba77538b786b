// SPDX-License-Identifier: GPL-3.0-or-later
// Token files and the card of a prepared corpus. What opens can be read from its first row to its last.
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/data/corpus_card.h"
#include "engine/data/token_file.h"
#include "tests/fuzz/fuzz_file.h"

#include <algorithm>
#include <cstdint>

namespace {

void readAll(const pha::TokenFile& file)
{
    std::vector<std::int64_t> ids(std::size_t(std::min<std::uint64_t>(file.size(), 1 << 16)));
    file.copy(0, std::span(ids));
    if (!ids.empty()) file.copy(file.size() - 1, std::span(ids).first(1));
}

void readOwn(std::string_view input)
{
    const pha::FuzzFile file("train.bin", input);
    // The header of the input names text and tokenizer: whoever opens it asks for these.
    const auto part = [&](std::size_t at) {
        return std::string(input.size() >= at + 64 ? input.substr(at, 64) : std::string_view());
    };
    readAll(*pha::TokenFile::open(file.path(), { part(24), part(88) }, (input.size() & 1) != 0));
}

void readForeign(std::string_view input)
{
    const pha::FuzzFile file("train.bin", input);
    const auto number = [&](std::size_t at) { return at < input.size() ? std::uint64_t(std::uint8_t(input[at])) : 0; };
    readAll(*pha::TokenFile::openForeign(file.path(), number(0) % 2 == 0 ? pha::TokenRow::Short : pha::TokenRow::Long,
        number(1), number(2) * (number(3) + 1)));
}

void readCard(std::string_view input)
{
    const auto card = pha::CorpusCard::fromJson(pha::parseJsonStrict(std::string(input), "corpus.json"), "corpus.json");
    (void)card.bytesPerToken();
    const auto json = card.toJson();
    if (pha::CorpusCard::fromJson(json, "again").toJson() != json) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
    try {
        if (data[0] % 3 == 0) readOwn(input);
        if (data[0] % 3 == 1) readForeign(input);
        if (data[0] % 3 == 2) readCard(input);
    } catch (const pha::Error&) {
    }
    return 0;
}
