// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"
#include "engine/base/disk_space.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/base/stop.h"
#include "engine/base/text.h"
#include "engine/run/capsule_format.h"
#include "engine/run/run_about.h"
#include "engine/run/run_directory.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <set>

#include <fcntl.h>
#include <sys/stat.h>

namespace pha {
namespace {

constexpr std::size_t unpackBlock = std::size_t(4) << 20;
/// Zeros after the last member: two blocks; tar programs fill up to their own block size.
constexpr std::int64_t mostCapsuleTail = 1 << 20;

/// Goes through a capsule once, from the front.
class CapsuleReader {
public:
    explicit CapsuleReader(const fs::path& file)
        : path_(file)
        , in_(open(file))
        , size_(in_.status().st_size)
    {
        const auto bytes = header(capsuleListName);
        if (bytes > largestCapsuleList) throw damagedCapsule(path_, "has a list of files that is too long");
        std::string text;
        content(bytes, [&](std::string_view block) { text += block; });
        capsule_ = capsuleFromJson(parseJsonStrict(text, path_.string() + ": " + capsuleListName), path_);
        // Before anything is written: the sizes of the list are those of the file.
        auto expected = at_;
        for (const auto& entry : capsule_.files) {
            const auto whole = entry.bytes > size_ ? size_ + 1 : tarBlock + entry.bytes + tarPadding(entry.bytes);
            if (whole > size_ - expected)
                throw damagedCapsule(path_, "is cut off, or lists sizes that are not those of its files");
            expected += whole;
        }
        if (size_ - expected > mostCapsuleTail) throw damagedCapsule(path_, "holds more than it lists");
    }

    const Capsule& capsule() const { return capsule_; }

    template <class Take> void next(const CapsuleFile& entry, const Take& take)
    {
        if (header(entry.path) != entry.bytes)
            throw damagedCapsule(path_, "gives two different sizes for " + entry.path);
        Sha256 hash;
        content(entry.bytes, [&](std::string_view block) {
            hash.update(block);
            take(block);
        });
        if (hash.hex() != entry.sha256) throw damagedCapsule(path_, entry.path + " is damaged: its SHA-256 differs");
    }

    /// Nothing may follow but zeros.
    void finish()
    {
        std::string rest(std::size_t(size_ - at_), '\0');
        read(rest.data(), rest.size());
        if (rest.find_first_not_of('\0') != std::string::npos) throw damagedCapsule(path_, "holds more than it lists");
    }

private:
    static PosixFile open(const fs::path& file)
    {
        try {
            PosixFile in(file, O_RDONLY);
            if (!S_ISREG(in.status().st_mode))
                throw DataError(file.string(), "is no file", "give a capsule, as pha export --to capsule writes it");
            return in;
        } catch (const FileError& error) {
            if (error.number() != ENOENT) throw;
            throw DataError(file.string(), "does not exist", "check the path");
        }
    }

    void read(char* out, std::size_t bytes)
    {
        if (in_.readAt(out, bytes, at_) != bytes) throw damagedCapsule(path_, "is cut off");
        at_ += std::int64_t(bytes);
    }

    std::int64_t header(const std::string& path)
    {
        std::array<char, tarBlock> block {};
        read(block.data(), block.size());
        return readTarHeader(block, path, path_);
    }

    template <class Take> void content(std::int64_t bytes, const Take& take)
    {
        std::string block;
        for (auto left = bytes; left > 0; left -= std::int64_t(block.size())) {
            block.resize(std::size_t(std::min<std::int64_t>(left, unpackBlock)));
            read(block.data(), block.size());
            take(std::string_view(block));
        }
        std::array<char, tarBlock> padding {};
        read(padding.data(), std::size_t(tarPadding(bytes)));
        if (std::any_of(padding.begin(), padding.end(), [](char c) { return c != '\0'; }))
            throw damagedCapsule(path_, "is damaged between two of its files");
    }

    fs::path path_;
    PosixFile in_;
    std::int64_t size_, at_ = 0;
    Capsule capsule_;
};

void makeFolderFor(const fs::path& file)
{
    std::error_code error;
    fs::create_directories(file.parent_path(), error);
    if (error) throwIoError(file.parent_path(), "create the folder", error.value());
}

/// What was unpacked has to be a run before anybody sees it as one.
void checkUnpacked(const fs::path& folder, const Capsule& capsule, const fs::path& file)
{
    try {
        (void)RunDirectory(folder).read(RunUse::View);
        (void)readAbout(folder);
    } catch (const Error& error) {
        throw DataError(file.string(), "holds no sound run: " + error.problem(), error.advice());
    }
    std::set<fs::path> inner;
    for (const auto& entry : capsule.files)
        if (const auto path = fs::path(entry.path).parent_path(); path.has_parent_path()) inner.insert(path);
    for (const auto& path : inner) {
        syncPath(folder / path);
        if (!checkpointStep(path.filename().string())) continue; // weights for averages
        if (const auto problem = checkpointProblem(folder / path, false); !problem.empty())
            throw damagedCapsule(file, "holds a checkpoint that is not whole: " + problem);
    }
    syncPath(folder);
}

/// Under a name that no run has. A folder with something in it is never replaced by a rename, whoever made it when.
fs::path publishRun(const fs::path& folder, const fs::path& runs, const std::string& name)
{
    for (;;) {
        auto target = freshRunDirectory(runs, name);
        try {
            renamePath(folder, target);
            syncPath(runs);
            return target;
        } catch (const FileError& error) {
            if (error.number() != ENOTEMPTY && error.number() != EEXIST) throw;
        }
    }
}

fs::path temporaryRun(const fs::path& runs)
{
    static std::atomic<unsigned> counter { 0 };
    return temporarySibling(runs / "run", "capsule" + std::to_string(++counter));
}

} // namespace

Capsule readCapsule(const fs::path& file) { return CapsuleReader(file).capsule(); }

fs::path importCapsule(const fs::path& file, const fs::path& runs, EventSink& progress, const std::stop_token& stop)
{
    CapsuleReader reader(file);
    const auto& capsule = reader.capsule();
    makeFolderFor(runs / "run");
    sweepTemporaries(runs, false);
    requireFree(runs, "the run", double(capsule.bytes()));
    const auto folder = temporaryRun(runs);
    const auto total = double(capsule.bytes());
    double done = 0;
    try {
        removeTree(folder); // of a dead process that had our id
        makeFolderFor(folder / "run");
        for (const auto& entry : capsule.files) {
            const auto path = folder / entry.path;
            makeFolderFor(path);
            PosixFile out(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
            reader.next(entry, [&](std::string_view block) {
                throwIfStopped(stop, "unpacking the run", "start it again when you like");
                out.write(block.data(), block.size());
                progress.publish(ProgressEvent { "unpacking", done += double(block.size()), total, "bytes" });
            });
            out.sync();
            out.close();
        }
        reader.finish();
        checkUnpacked(folder, capsule, file);
        return publishRun(folder, runs, capsule.name);
    } catch (...) {
        std::error_code ignored; // the reason for the failure counts
        fs::remove_all(folder, ignored);
        throw;
    }
}

} // namespace pha
