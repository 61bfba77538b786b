// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/token_file.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t maxTokens = std::uint64_t(1) << 36;

/// The last bytes of a token file. Arrays of int32 come before it: training tokens; words and bytes of the training
/// sample; tokens, words and bytes of valid and of test.
struct Trailer {
    std::array<char, 8> magic { 'P', 'H', 'A', 'T', 'O', 'K', '0', '1' };
    std::uint64_t train = 0, sample = 0, valid = 0, test = 0;
    std::int64_t repairs = 0;
    std::array<char, 64> text {}, tokenizer {}; ///< fingerprints
    std::array<char, 64> digest {}; ///< SHA-256 of everything before
};
static_assert(sizeof(Trailer) == 240, "the trailer is written as it lies in memory");

void copyDigest(std::array<char, 64>& out, const std::string& hex)
{
    std::memcpy(out.data(), hex.data(), std::min<std::size_t>(hex.size(), 64));
}

class Mapping {
public:
    explicit Mapping(const fs::path& path)
    {
        const PosixFile file(path, O_RDONLY);
        const auto status = file.status();
        if (!S_ISREG(status.st_mode) || std::uint64_t(status.st_size) < sizeof(Trailer)) return;
        void* data = mmap(nullptr, std::size_t(status.st_size), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
        if (data == MAP_FAILED) return;
        data_ = static_cast<const char*>(data);
        size_ = std::size_t(status.st_size);
    }
    ~Mapping()
    {
        if (data_) munmap(const_cast<char*>(data_), size_);
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    const char* data() const { return data_; }
    std::size_t size() const { return size_; }

private:
    const char* data_ = nullptr;
    std::size_t size_ = 0;
};

/// SHA-256 of the first bytes of a file. Reads rather than maps them, so that a large file is not in memory afterwards.
std::array<char, 64> digestOf(const fs::path& path, std::uint64_t size)
{
    std::array<char, 64> digest {};
    try {
        const PosixFile file(path, O_RDONLY);
        std::vector<char> part(std::size_t(1) << 20);
        Sha256 hash;
        for (std::uint64_t at = 0; at < size;) {
            const auto read = file.readAt(
                part.data(), std::size_t(std::min<std::uint64_t>(part.size(), size - at)), std::int64_t(at));
            if (read == 0) return digest;
            hash.update(part.data(), read);
            at += read;
        }
        copyDigest(digest, hash.hex());
    } catch (const IoError&) {
        // No digest matches, and the tokens are made anew.
    }
    return digest;
}

} // namespace

std::unique_ptr<TokenStore> readTokenFile(
    const fs::path& file, const std::string& text, const std::string& tokenizer, bool check)
{
    std::error_code problem;
    if (!fs::exists(file, problem)) return nullptr;
    std::shared_ptr<const Mapping> mapping;
    try {
        mapping = std::make_shared<const Mapping>(file);
    } catch (const IoError&) {
        return nullptr;
    }
    if (!mapping->data()) return nullptr;
    Trailer trailer, wanted;
    const auto payload = mapping->size() - sizeof trailer;
    std::memcpy(&trailer, mapping->data() + payload, sizeof trailer);
    copyDigest(wanted.text, text);
    copyDigest(wanted.tokenizer, tokenizer);
    if (trailer.magic != wanted.magic || trailer.text != wanted.text || trailer.tokenizer != wanted.tokenizer)
        return nullptr;
    for (const auto count : { trailer.train, trailer.sample, trailer.valid, trailer.test })
        if (count > maxTokens) return nullptr;
    if (trailer.sample > trailer.train) return nullptr;
    if (payload != 4 * (trailer.train + 2 * trailer.sample + 3 * trailer.valid + 3 * trailer.test)) return nullptr;
    if (check && trailer.digest != digestOf(file, mapping->size() - sizeof trailer.digest)) return nullptr;

    auto store = std::make_unique<TokenStore>();
    const auto* at = reinterpret_cast<const std::int32_t*>(mapping->data());
    const auto take = [&](std::uint64_t count) {
        at += count;
        return std::vector<std::int32_t>(at - count, at);
    };
    store->train = { at, std::size_t(trailer.train) };
    store->trainSample.tokens.assign(at, at + trailer.sample);
    at += trailer.train;
    store->trainSample.words = take(trailer.sample);
    store->trainSample.bytes = take(trailer.sample);
    for (auto [split, count] : { std::pair(&store->valid, trailer.valid), std::pair(&store->test, trailer.test) }) {
        split->tokens = take(count);
        split->words = take(count);
        split->bytes = take(count);
    }
    store->repairs = trailer.repairs;
    store->mapping = mapping;
    return store;
}

TokenWriter::TokenWriter(const fs::path& file)
    : file_(file)
    , hash_(std::make_unique<Sha256>())
{
    if (!file.empty()) out_.emplace(file);
}

TokenWriter::~TokenWriter() = default;

void TokenWriter::put(const void* data, std::size_t size)
{
    out_->write(data, size);
    hash_->update(data, size);
}

void TokenWriter::add(const std::vector<std::int32_t>& tokens)
{
    count_ += tokens.size();
    if (out_)
        put(tokens.data(), tokens.size() * 4);
    else
        memory_.insert(memory_.end(), tokens.begin(), tokens.end());
}

std::unique_ptr<TokenStore> TokenWriter::finish(TokenStore store, const std::string& text, const std::string& tokenizer)
{
    if (!out_) {
        auto kept = std::make_unique<TokenStore>(std::move(store));
        kept->memory = std::move(memory_);
        kept->train = kept->memory;
        return kept;
    }
    for (const auto* array : { &store.trainSample.words, &store.trainSample.bytes, &store.valid.tokens,
             &store.valid.words, &store.valid.bytes, &store.test.tokens, &store.test.words, &store.test.bytes })
        put(array->data(), array->size() * 4);
    Trailer trailer;
    trailer.train = count_;
    trailer.sample = store.trainSample.tokens.size();
    trailer.valid = store.valid.tokens.size();
    trailer.test = store.test.tokens.size();
    trailer.repairs = store.repairs;
    copyDigest(trailer.text, text);
    copyDigest(trailer.tokenizer, tokenizer);
    hash_->update(&trailer, sizeof trailer - sizeof trailer.digest);
    copyDigest(trailer.digest, hash_->hex());
    out_->write(&trailer, sizeof trailer);
    out_->commit();
    auto kept = readTokenFile(file_, text, tokenizer, false);
    if (!kept) throw IoError(file_.string(), "does not read back as it was written");
    return kept;
}

} // namespace pha
