// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/stop.h"
#include "engine/data/encoding.h"

#include <chrono>
#include <fcntl.h>
#include <sys/file.h>
#include <thread>
#include <unistd.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr const char* journalName = "work.json";
constexpr const char* lockName = ".lock";
constexpr std::int64_t maxJournal = std::int64_t(64) << 20;

Json readJournal(const fs::path& file)
{
    try {
        auto journal = parseJsonStrict(readFile(file, maxJournal), file.string());
        return journal.is_object() ? journal : Json::object();
    } catch (const Error&) {
        return Json::object();
    }
}

/// The names that preparing gives. Nothing else in a folder is ever removed.
void clear(const fs::path& folder)
{
    for (const char* name : { "train.bin", "valid.bin", "test.bin", "sample.bin", "keys.bin", "tokenizer.model",
             "corpus.json", WorkFolder::sampleName, journalName }) {
        std::error_code problem;
        fs::remove(folder / name, problem);
    }
    for (const char* name : documentFiles) {
        std::error_code problem;
        fs::remove(folder / name, problem);
    }
}

} // namespace

WorkFolder::WorkFolder(fs::path folder, const Json& identity, bool wait, const std::stop_token& stop)
    : path_(std::move(folder))
{
    for (;;) {
        std::error_code problem;
        fs::create_directories(path_, problem);
        if (problem) throw IoError(path_.string(), "cannot be created: " + problem.message());
        lock_ = PosixFile(path_ / lockName, O_RDWR | O_CREAT | O_NOFOLLOW);
        const bool locked = lock_.lock(LOCK_EX | LOCK_NB);
        // A folder that was published or discarded meanwhile took its lock with it.
        if (locked && fs::exists(path_ / lockName, problem) && lock_.status().st_nlink > 0) break;
        if (!locked && !wait)
            throw DataError(path_.string(), "another process is preparing this corpus", "wait until it is done");
        throwIfStopped(stop, "waiting for another process", "start again when you like");
        std::this_thread::sleep_for(std::chrono::milliseconds(locked ? 1 : 50));
    }
    sweepTemporaries(path_, false);
    journal_ = readJournal(path_ / journalName);
    if (journal_.value("identity", Json()) == identity) return;
    clear(path_);
    journal_ = { { "identity", identity } };
}

Json WorkFolder::part(const char* name) const { return journal_.value(name, Json()); }

void WorkFolder::setPart(const char* name, Json value)
{
    journal_[name] = std::move(value);
    writeFileAtomically(path_ / journalName, journal_.dump());
}

bool WorkFolder::publish(const fs::path& name)
{
    syncPath(path_);
    ::rmdir(name.c_str()); // an empty folder may stand in the way, nothing else is removed by this
    if (!renameToNew(path_, name)) return false;
    syncPath(name.has_parent_path() ? name.parent_path() : fs::path("."));
    for (const char* rest : { "keys.bin", sampleName, journalName, lockName }) {
        std::error_code litter;
        fs::remove(name / rest, litter);
    }
    return true;
}

void WorkFolder::discard() noexcept
{
    std::error_code problem;
    clear(path_);
    fs::remove(path_ / lockName, problem);
    fs::remove(path_, problem);
}

} // namespace pha
