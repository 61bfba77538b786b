// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/run_follower.h"

#include <QThreadPool>

namespace pha::ui {

RunSession::Follower::Follower(fs::path directory, RunSession* receiver)
    : directory_(std::move(directory))
    , reader_(RunDirectory(directory_).metricsFile())
    , receiver_(receiver)
{
}

void RunSession::Follower::look()
{
    if (busy_.exchange(true)) return;
    QThreadPool::globalInstance()->start([self = shared_from_this()] { self->read(); });
}

void RunSession::Follower::leave()
{
    left_ = true; // the application waits for its tasks when it ends
    const std::lock_guard lock(mutex_);
    receiver_ = nullptr;
}

RunSession::Follower::Stamp RunSession::Follower::stampOf(const fs::path& file)
{
    Stamp s;
    std::error_code ignored; // a missing file has the size and time of nothing, which is what is wanted
    s.size = fs::file_size(file, ignored);
    s.time = fs::last_write_time(file, ignored);
    return s;
}

void RunSession::Follower::skipWhatIsThere() { known_ = stamp(); }

void RunSession::Follower::startOver()
{
    startOver_ = true;
    begun_ = stamp();
}

void RunSession::Follower::deliver(Reading reading)
{
    const std::lock_guard lock(mutex_);
    if (!receiver_) return;
    auto shared = std::make_shared<Reading>(std::move(reading));
    shared->from = shared_from_this();
    QMetaObject::invokeMethod(
        receiver_, [to = receiver_, shared] { to->digest(std::move(*shared)); }, Qt::QueuedConnection);
}

/// Another process writes run.json anew where it trains a run for longer or gives it another name.
void RunSession::Follower::readFile(Reading& into)
{
    const RunDirectory run(directory_);
    if (const auto now = stampOf(run.runFile()); now != fileKnown_) {
        fileKnown_ = now;
        into.file = run.read(RunUse::View);
    }
}

void RunSession::Follower::read()
{
    Reading ending;
    ending.last = true;
    try {
        // Asked first: whoever frees the run while it is read has written its end before.
        ending.holder = RunLock::holder(directory_);
        if (known_ && *known_ != stamp()) {
            known_.reset();
            startOver_ = true;
        }
        while (!known_ && !left_) {
            Reading part;
            part.events = reader_.poll();
            part.restarted = reader_.restarted() || startOver_;
            if (part.events.empty() && !part.restarted) break;
            startOver_ = false;
            part.news = !begun_ || *begun_ != stamp();
            const bool more = !part.events.empty();
            deliver(std::move(part));
            if (!more) break;
        }
        if (left_) return;
        if (ending.holder == 0) ending.holder = RunLock::holder(directory_); // begun meanwhile
        if (const auto latest = RunDirectory(directory_).pointer("latest"))
            ending.savedStep = checkpointStep(*latest).value_or(-1);
        readFile(ending);
    } catch (const std::exception&) {
        // A run directory that vanished or cannot be read has nothing to report; the list shows what was known.
    }
    // Before the ending arrives, so that its receiver sees no task in flight.
    busy_ = false;
    deliver(std::move(ending));
}

} // namespace pha::ui
