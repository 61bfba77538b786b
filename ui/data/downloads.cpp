// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/downloads.h"

#include "ui/format.h"

#include <algorithm>

namespace pha::ui {

namespace {

constexpr double meterSeconds = 6, meterLeast = 0.4;

Downloads::Phase onDisk(const CatalogueEntry& entry)
{
    switch (downloadState(entry)) {
    case DownloadState::Present:
        return Downloads::Phase::Present;
    case DownloadState::Partial:
        return Downloads::Phase::Paused;
    case DownloadState::Absent:
        break;
    }
    return Downloads::Phase::Absent;
}

double partBytes(const CatalogueEntry& entry)
{
    auto part = catalogueFile(entry);
    part += ".part";
    std::error_code problem;
    const auto size = std::filesystem::file_size(part, problem);
    return problem ? 0 : double(size);
}

bool active(Downloads::Phase phase) { return phase == Downloads::Phase::Waiting || phase == Downloads::Phase::Running; }

} // namespace

void RateMeter::add(double seconds, double done)
{
    if (!points_.empty() && done < points_.back().second) points_.clear(); // it began anew
    points_.emplace_back(seconds, done);
    while (points_.size() > 2 && seconds - points_[1].first >= meterSeconds) points_.pop_front();
}

std::optional<double> RateMeter::rate() const
{
    if (points_.empty()) return {};
    const double seconds = points_.back().first - points_.front().first;
    if (seconds < meterLeast) return {};
    return (points_.back().second - points_.front().second) / seconds;
}

Downloads::Downloads(Fetch fetch, QObject* parent)
    : QObject(parent)
    , fetch_(std::move(fetch))
{
    if (!fetch_)
        fetch_ = [](const CatalogueEntry& entry, EventSink& progress, const std::stop_token& stop) {
            return download(entry, progress, stop);
        };
    connect(&bridge_, &EventBridge::batchReady, this, [this](const std::vector<Event>& batch) {
        if (const auto* last = std::get_if<ProgressEvent>(&batch.back())) receive(*last);
    });
}

Downloads::~Downloads() { shutDown(); }

Downloads::State Downloads::state(const CatalogueEntry& entry)
{
    auto& job = jobs_[entry.name];
    auto& s = job.state;
    if (active(s.phase) || job.discarding) return s;
    s.phase = onDisk(entry);
    s.total = double(entry.bytes);
    s.done = s.phase == Phase::Present ? s.total : partBytes(entry);
    if (s.phase != Phase::Present) s.verified.reset();
    return s;
}

void Downloads::start(const CatalogueEntry& entry)
{
    if (!active(jobs_[entry.name].state.phase)) order(entry, Phase::Waiting, false);
}

void Downloads::pause(const CatalogueEntry& entry)
{
    auto& job = jobs_[entry.name];
    if (!active(job.state.phase)) return;
    job.stop.request_stop();
    job.number = ++orders_;
    job.state.phase = Phase::Paused;
    job.state.checking = false;
    job.state.rate.reset();
    job.state.secondsLeft.reset();
    Q_EMIT changed(fromUtf8(entry.name));
}

void Downloads::cancel(const CatalogueEntry& entry) { order(entry, Phase::Absent, true); }

/// Work on one thread comes one after the other, so an order never meets the one before it.
void Downloads::order(const CatalogueEntry& entry, Phase phase, bool discard)
{
    if (thread_.down()) return;
    auto& job = jobs_[entry.name];
    job.stop.request_stop();
    job.stop = {};
    job.meter = {};
    job.number = ++orders_;
    job.discarding = discard;
    job.state.phase = phase;
    job.state.done = discard ? 0 : job.state.done;
    job.state.problem.clear();
    job.state.rate.reset();
    job.state.secondsLeft.reset();
    // `this` is only touched inside mailbox calls, which the mailbox drops once the bridge, and so this object, is
    // gone.
    thread_.post([this, entry, discard, number = job.number, stop = job.stop.get_token(), fetch = fetch_,
                     mailbox = bridge_.mailbox()] {
        std::optional<DownloadResult> result;
        if (stop.stop_requested() && !discard) return;
        mailbox->call([this, name = entry.name, number] {
            auto& mine = jobs_[name];
            if (mine.number != number || mine.state.phase != Phase::Waiting) return;
            running_ = name;
            mine.state.phase = Phase::Running;
            Q_EMIT changed(fromUtf8(name));
        });
        const auto problem = failureOf([&] {
            if (discard)
                discardDownload(entry);
            else
                result = fetch(entry, *mailbox, stop);
        });
        mailbox->call([this, entry, number, result, problem] { finish(entry, number, result, problem); });
    });
    Q_EMIT changed(fromUtf8(entry.name));
}

void Downloads::finish(
    const CatalogueEntry& entry, int number, const std::optional<DownloadResult>& result, const QString& problem)
{
    auto& job = jobs_[entry.name];
    if (job.number == number) {
        job.discarding = false;
        job.state.phase = onDisk(entry);
        job.state.checking = false;
        job.state.problem = problem;
        job.state.rate.reset();
        job.state.secondsLeft.reset();
    }
    if (result) job.state.verified = result->verified;
    state(entry);
    Q_EMIT changed(fromUtf8(entry.name));
    // Also if somebody paused it at its very last byte.
    if (result && job.state.phase == Phase::Present) Q_EMIT arrived(fromUtf8(entry.name));
}

void Downloads::receive(const ProgressEvent& event)
{
    const auto job = jobs_.find(running_);
    if (job == jobs_.end() || job->second.state.phase != Phase::Running) return;
    auto& s = job->second.state;
    s.checking = event.total <= 0;
    if (!s.checking) {
        auto& meter = job->second.meter;
        s.done = event.done;
        s.total = event.total;
        meter.add(std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count(), event.done);
        s.rate = meter.rate();
    }
    s.secondsLeft.reset();
    if (s.rate && *s.rate > 0) s.secondsLeft = std::max(0.0, s.total - s.done) / *s.rate;
    Q_EMIT changed(fromUtf8(running_));
}

bool Downloads::shutDown(std::chrono::milliseconds patience)
{
    for (auto& [name, job] : jobs_) job.stop.request_stop();
    return thread_.end(patience);
}

QString describeProgress(const Downloads::State& s)
{
    QStringList parts;
    if (s.total > 0)
        parts << Downloads::tr("%1 of %2").arg(formatBytes(s.done), formatBytes(s.total));
    else if (s.done > 0)
        parts << formatBytes(s.done);
    if (s.rate) parts << Downloads::tr("%1/s").arg(formatBytes(*s.rate));
    if (s.secondsLeft) parts << Downloads::tr("%1 left").arg(formatDuration(*s.secondsLeft));
    return parts.join(QStringLiteral(" \u00b7 "));
}

} // namespace pha::ui
