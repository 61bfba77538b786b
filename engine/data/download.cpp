// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/download.h"

#include "engine/base/atomic_file.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"

#include <algorithm>
#include <fcntl.h>
#include <memory>
#include <optional>
#include <sys/file.h>
#include <vector>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr int triesEach = 3;
constexpr std::int64_t roomLeft = std::int64_t(64) << 20; ///< bytes that must stay free on the disk

void throwIfStopped(const std::stop_token& stop)
{
    if (stop.stop_requested()) throw Error("the download was stopped", "start it again: it goes on from here");
}

/// Reads a file into a hash. Returns its bytes.
std::uint64_t hashFile(const fs::path& path, Sha256& hash, const std::stop_token& stop)
{
    const PosixFile file(path, O_RDONLY);
    file.requireRegular();
    std::vector<char> part(std::size_t(1) << 20);
    std::uint64_t at = 0;
    for (std::size_t got = 1; got > 0; at += got) {
        throwIfStopped(stop);
        got = file.readAt(part.data(), part.size(), std::int64_t(at));
        hash.update(part.data(), got);
    }
    return at;
}

/// FILE.part and, beside it, where it comes from.
class PartFile {
public:
    PartFile(const fs::path& file, const std::stop_token& stop)
        : path_(file)
        , origin_(file)
    {
        path_ += ".part";
        origin_ += ".part.json";
        std::error_code problem;
        if (fs::exists(path_, problem)) {
            try {
                const auto json = parseJsonStrict(readFile(origin_, 1 << 16), origin_.string());
                address_ = json.at("address").get<std::string>();
                etag_ = json.at("etag").get<std::string>();
            } catch (const std::exception&) {
                fs::remove(path_, problem); // nobody knows what it is
            }
        }
        hash_ = std::make_unique<Sha256>();
        if (fs::exists(path_, problem)) size_ = hashFile(path_, *hash_, stop);
    }

    std::uint64_t size() const { return size_; }
    const std::string& etag() const { return etag_; }
    const std::string& address() const { return address_; }

    void begin(const std::string& address, const std::string& etag)
    {
        out_ = PosixFile(path_, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW);
        hash_ = std::make_unique<Sha256>();
        size_ = 0;
        address_ = address;
        etag_ = etag;
        writeFileAtomically(origin_, Json { { "address", address }, { "etag", etag } }.dump());
    }
    void goOn() { out_ = PosixFile(path_, O_WRONLY | O_APPEND | O_NOFOLLOW); }
    void write(const char* data, std::size_t size)
    {
        out_.write(data, size);
        hash_->update(data, size);
        size_ += size;
    }
    std::string finish()
    {
        // Opened anew if an earlier process had already received the last byte.
        if (!out_.isOpen()) goOn();
        out_.sync();
        out_.close();
        return hash_->hex();
    }
    void publish(const fs::path& file)
    {
        renamePath(path_, file);
        syncPath(file.parent_path());
        std::error_code problem;
        fs::remove(origin_, problem);
    }
    void discard()
    {
        out_ = {};
        hash_ = std::make_unique<Sha256>();
        size_ = 0;
        std::error_code problem;
        fs::remove(path_, problem);
        fs::remove(origin_, problem);
    }

private:
    fs::path path_, origin_;
    PosixFile out_;
    std::unique_ptr<Sha256> hash_;
    std::uint64_t size_ = 0;
    std::string address_, etag_;
};

class Downloader {
public:
    Downloader(const CatalogueEntry& entry, const fs::path& file, const TransferLimits& limits, EventSink& progress,
        const std::stop_token& stop)
        : entry_(entry)
        , file_(file)
        , limits_(limits)
        , progress_(progress)
        , stop_(stop)
        , part_(file, stop)
    {
    }

    DownloadResult run()
    {
        std::string reason;
        for (const auto& address : entry_.addresses) {
            for (int attempt = 0; attempt < triesEach; ++attempt) {
                throwIfStopped(stop_);
                try {
                    fetch(address);
                    return finish();
                } catch (const TransferError& error) {
                    reason = error.problem();
                    if (!error.again()) break;
                }
            }
        }
        throw Error("downloading " + entry_.name + " failed: " + reason,
            std::string(part_.size() > 0 ? "start it again to go on from " + formatBytes(double(part_.size())) + ", or "
                                         : "try later, or ")
                + placeByHand(entry_));
    }

private:
    std::uint64_t expected() const { return total_ ? *total_ : std::uint64_t(entry_.bytes); }

    void fetch(const std::string& address)
    {
        // A part may be continued if its ETag, or in the end the checksum, says that it is of the same file.
        const bool same = address == part_.address() && part_.etag().starts_with('"');
        if (part_.size() > 0 && !same && entry_.sha256.empty()) part_.discard();
        const bool whole = entry_.bytes > 0 && part_.size() == std::uint64_t(entry_.bytes);
        if (whole && !entry_.sha256.empty()) return; // only the end was missed
        if (entry_.bytes > 0 && part_.size() >= std::uint64_t(entry_.bytes)) part_.discard();
        const HttpRequest request { address, part_.size(), same ? part_.etag() : "" };
        const auto head = httpGet(
            request, limits_, [&](const HttpHead& answer) { accept(address, request, answer); },
            [&](const char* data, std::size_t size) { take(data, size); }, [&] { return !stop_.stop_requested(); });
        if (head.status == 416 && part_.size() > 0) {
            part_.discard();
            throw TransferError("the server does not know the rest of the file", true);
        }
        if (head.status != 200 && head.status != 206)
            throw TransferError("the server answers " + std::to_string(head.status), head.status >= 500);
        if (expected() == 0) throw TransferError("the server does not say how large the file is", false);
        if (part_.size() < expected())
            throw TransferError("the connection ended after " + std::to_string(part_.size()) + " of "
                    + std::to_string(expected()) + " bytes",
                true);
    }

    /// Judges an answer before its first byte is kept.
    void accept(const std::string& address, const HttpRequest& request, const HttpHead& head)
    {
        if (head.type.starts_with("text/html"))
            throw TransferError("the server answers with a web page instead of the file", false);
        if (!head.encoding.empty() && head.encoding != "identity")
            throw TransferError("the server sends the file packed (" + inQuotes(head.encoding) + ")", false);
        const bool continued = head.status == 206;
        total_ = continued ? head.rangeTotal : head.length;
        if (entry_.bytes > 0 && total_ && *total_ != std::uint64_t(entry_.bytes))
            throw TransferError(
                "the file has " + std::to_string(*total_) + " bytes instead of " + std::to_string(entry_.bytes), false);
        if (entry_.bytes > 0) total_ = std::uint64_t(entry_.bytes);
        if (continued) {
            const bool changed = !request.ifRange.empty() && head.etag != request.ifRange;
            if (head.rangeBegin != request.offset || changed) {
                part_.discard();
                throw TransferError("the file changed on the server", true);
            }
            part_.goOn();
        } else {
            part_.begin(address, head.etag);
        }
        checkRoom();
    }

    void checkRoom() const
    {
        std::error_code problem;
        const auto space = fs::space(file_.parent_path(), problem);
        const auto wanted = expected() - std::min(expected(), part_.size()) + std::uint64_t(roomLeft);
        if (!problem && space.available < wanted)
            throw IoError(file_.parent_path().string(),
                "has " + formatBytes(double(space.available)) + " free, and the rest of the file needs "
                    + formatBytes(double(wanted)));
    }

    void take(const char* data, std::size_t size)
    {
        if (expected() > 0 && part_.size() + size > expected()) {
            part_.discard();
            throw TransferError("the server sends more than the file has", false);
        }
        if (expected() == 0) throw TransferError("the server does not say how large the file is", false);
        part_.write(data, size);
        progress_.publish(
            ProgressEvent { "downloading " + entry_.name, double(part_.size()), double(expected()), "bytes" });
    }

    DownloadResult finish()
    {
        DownloadResult result { file_, std::int64_t(part_.size()), part_.finish(), false, false };
        if (!entry_.sha256.empty() && result.sha256 != entry_.sha256) {
            part_.discard();
            throw Error("downloading " + entry_.name + " failed: the file's SHA-256 is " + result.sha256
                    + ", not the expected one",
                "try later, or " + placeByHand(entry_));
        }
        result.verified = !entry_.sha256.empty();
        part_.publish(file_);
        return result;
    }

    const CatalogueEntry& entry_;
    fs::path file_;
    TransferLimits limits_;
    EventSink& progress_;
    std::stop_token stop_;
    PartFile part_;
    std::optional<std::uint64_t> total_; ///< bytes of the whole file, as far as anybody says
};

/// The file that is there already, if it is the right one.
std::optional<DownloadResult> checkPresent(
    const CatalogueEntry& entry, const fs::path& file, EventSink& progress, const std::stop_token& stop)
{
    std::error_code problem;
    if (!fs::exists(file, problem)) return {};
    progress.publish(ProgressEvent { "checking " + entry.file, 0, 0, "" });
    Sha256 hash;
    const auto bytes = hashFile(file, hash, stop);
    DownloadResult result { file, std::int64_t(bytes), hash.hex(), false, true };
    const bool wrongSize = entry.bytes > 0 && result.bytes != entry.bytes;
    result.verified = !entry.sha256.empty() && result.sha256 == entry.sha256;
    if (wrongSize || (!entry.sha256.empty() && !result.verified))
        throw DataError(file.string(), "is not the file of the catalogue: its size or SHA-256 is another",
            "remove it and download again, or " + placeByHand(entry));
    return result;
}

/// Holds the folder of a download for as long as the result lives.
PosixFile lockFolder(const CatalogueEntry& entry, const fs::path& file)
{
    PosixFile lock(file.parent_path() / ".lock", O_RDWR | O_CREAT | O_NOFOLLOW);
    if (!lock.lock(LOCK_EX | LOCK_NB))
        throw DataError(entry.name, "another process is downloading it", "wait until it is done");
    return lock;
}

} // namespace

DownloadResult download(const CatalogueEntry& entry, const fs::path& file, const TransferLimits& limits,
    EventSink& progress, const std::stop_token& stop)
{
    if (auto present = checkPresent(entry, file, progress, stop)) return *present;
    std::error_code problem;
    fs::create_directories(file.parent_path(), problem);
    if (problem) throw IoError(file.parent_path().string(), "cannot be created: " + problem.message());
    const auto lock = lockFolder(entry, file); // until the end of this function
    return Downloader(entry, file, limits, progress, stop).run();
}

DownloadResult download(const CatalogueEntry& entry, EventSink& progress, const std::stop_token& stop)
{
    TransferLimits limits;
    limits.deadlineSeconds = std::max(3600.0, double(entry.bytes) / 50'000);
    return download(entry, catalogueFile(entry), limits, progress, stop);
}

void discardDownload(const CatalogueEntry& entry)
{
    const auto file = catalogueFile(entry);
    std::error_code problem;
    if (!fs::exists(file.parent_path(), problem)) return;
    const auto lock = lockFolder(entry, file);
    for (const char* ending : { ".part", ".part.json" }) {
        auto left = file;
        left += ending;
        fs::remove(left, problem);
    }
}

} // namespace pha
