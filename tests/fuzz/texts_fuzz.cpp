// SPDX-License-Identifier: GPL-3.0-or-later
// Text files of every kind, packed and not. The first byte chooses the name, and so who reads the rest: zip, tar, gzip,
// zstd, xz, JSON lines, WikiText, plain text. Whatever they hold, documents are clean text, and reading can go on from
// the place of any record.
#include "engine/base/error.h"
#include "engine/data/document.h"
#include "engine/data/tokenizer.h"
#include "tests/fuzz/fuzz_file.h"

#include <cstdint>
#include <cstdlib>

namespace {

constexpr const char* names[] { "a.txt", "a.jsonl", "wiki.train.raw", "a.zip", "a.tar", "a.txt.gz", "a.jsonl.zst",
    "a.tar.xz" };
constexpr std::uint64_t blockBytes = 64; ///< small, so that short inputs are cut, too

void check(const pha::Document& document)
{
    const auto& text = document.text;
    if (!pha::validUtf8(text) || text.find('\0') != text.npos || text.find('\r') != text.npos) std::abort();
    if (document.words < 0 || document.words != pha::countWords(text, document.open)) std::abort();
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const pha::FuzzFile file(names[data[0] % std::size(names)], { reinterpret_cast<const char*>(data) + 1, size - 1 });
    try {
        const auto files = pha::findTexts({ file.path() });
        pha::RecordReader reader(files, blockBytes, nullptr);
        pha::TextRecord record;
        pha::TextPosition middle;
        std::string digest;
        for (int n = 0; reader.next(record); ++n) {
            const auto document = pha::makeDocument(std::move(record));
            check(document);
            if (n == 3) digest = document.digest;
            if (n == 2) middle = reader.position();
        }
        if (digest.empty()) return 0;
        pha::RecordReader again(files, blockBytes, nullptr);
        again.seek(middle);
        if (!again.next(record) || pha::makeDocument(std::move(record)).digest != digest) std::abort();
    } catch (const pha::DataError&) {
    }
    return 0;
}
