// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/byte_tokenizer.h"

#include "engine/base/sha256.h"
#include "engine/base/utf8.h"

namespace pha {

namespace {

class ByteTokenizer final : public Tokenizer {
public:
    Kind kind() const override { return Kind::Bytes; }
    std::string description() const override { return "raw bytes"; }
    std::int64_t size() const override { return 256; }
    std::vector<std::int32_t> encode(std::string_view text) const override
    {
        std::vector<std::int32_t> ids;
        ids.reserve(text.size());
        for (const char byte : text) ids.push_back(static_cast<unsigned char>(byte));
        return ids;
    }
    std::string piece(std::int32_t id) const override
    {
        return id >= 0 && id < 256 ? std::string(1, char(id)) : std::string(replacementCharacter);
    }
    const std::string& model() const override { return model_; }
    std::string fingerprint() const override { return sha256Hex(model_); }

private:
    std::string model_ { bytesModel };
};

} // namespace

std::unique_ptr<Tokenizer> byteTokenizer() { return std::make_unique<ByteTokenizer>(); }

} // namespace pha
