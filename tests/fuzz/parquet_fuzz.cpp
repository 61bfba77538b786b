// SPDX-License-Identifier: GPL-3.0-or-later
// A Parquet file. What is read is clean text, and reading can go on from the place of any row; what is refused is
// refused in one printable line.
#include "engine/base/error.h"
#include "engine/data/document.h"
#include "engine/data/tokenizer.h"
#include "tests/fuzz/fuzz_file.h"

#include <cstdint>
#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    if (size == 0) return 0;
    const pha::FuzzFile file("a.parquet", { reinterpret_cast<const char*>(data), size });
    try {
        const auto files = pha::findTexts({ file.path() });
        pha::RecordReader reader(files, 64, nullptr);
        pha::TextRecord record;
        pha::TextPosition middle;
        std::string expected;
        int rows = 0;
        for (; rows < 4096 && reader.next(record); ++rows) {
            if (rows == 8) expected = record.bytes;
            if (rows == 7) middle = reader.position();
            if (!pha::validUtf8(pha::makeDocument(std::move(record)).text)) std::abort();
        }
        if (rows <= 8) return 0;
        pha::RecordReader again(files, 64, nullptr);
        again.seek(middle);
        if (!again.next(record) || record.bytes != expected) std::abort();
    } catch (const pha::DataError& error) {
        for (const unsigned char c : std::string(error.what()))
            if (c < 0x20 || c == 0x7f) std::abort();
    }
    return 0;
}
