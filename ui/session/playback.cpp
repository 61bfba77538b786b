// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/playback.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace pha::ui {

namespace {

constexpr int frame = 33; ///< milliseconds, as of a run that trains
constexpr double longestGap = 1; ///< seconds of a window that did not answer: more is not made up for

/// When each update was done, from the start of the recording. The first one takes as long as the second: what a fork
/// has behind it and what the first batch waits for is not waited for again.
std::vector<double> courseOf(const RunHistory& history)
{
    const auto& seconds = history.seconds;
    std::vector<double> course;
    course.reserve(seconds.size());
    double now = 0;
    for (std::size_t i = 0; i < seconds.size(); ++i) {
        const double gap = i > 0 ? seconds[i] - seconds[i - 1]
            : seconds.size() > 1 ? seconds[1] - seconds[0]
                                 : seconds[0];
        if (std::isfinite(gap) && gap > 0) now += gap;
        course.push_back(now);
    }
    if (now > 0) return course;
    for (std::size_t i = 0; i < course.size(); ++i) course[i] = double(i + 1); // no time was recorded
    return course;
}

} // namespace

const std::vector<Playback::Speed>& Playback::speeds()
{
    static const std::vector<Speed> all = [] {
        std::vector<Speed> list;
        for (const int times : { 1, 2, 5, 10, 20, 50, 100 })
            list.push_back({ double(times), 0, QString::number(times) });
        list.push_back({ 0, 30, QStringLiteral("30s") });
        list.push_back({ 0, 60, QStringLiteral("1min") });
        list.push_back({ 0, 120, QStringLiteral("2min") });
        return list;
    }();
    return all;
}

QString Playback::Speed::text() const
{
    if (wholeIn <= 0) return tr("%1\u00d7").arg(times);
    return tr("all in %1").arg(wholeIn < 60 ? tr("%1 s").arg(wholeIn) : tr("%1 min").arg(wholeIn / 60));
}

int Playback::speedNamed(const QString& name)
{
    auto plain = name.toLower();
    if (plain.endsWith(QLatin1Char('x'))) plain.chop(1);
    const auto& all = speeds();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Speed& s) { return s.name == plain; });
    return found == all.end() ? -1 : int(found - all.begin());
}

Playback::Playback(QObject* parent)
    : QObject(parent)
    , speed_(speedNamed(QStringLiteral("1min")))
{
    timer_.setInterval(frame);
    connect(&timer_, &QTimer::timeout, this, &Playback::tick);
}

Playback::~Playback() = default;

void Playback::start(RunSession* run)
{
    leave();
    run_ = run;
    active_ = true;
    quiet_ = 0;
    connect(run, &RunSession::changed, this, &Playback::runChanged);
    connect(run, &RunSession::stateChanged, this, &Playback::runChanged);
    connect(run, &QObject::destroyed, this, &Playback::leave);
    updateClock();
    Q_EMIT changed();
}

void Playback::leave()
{
    if (!active_) return;
    if (run_) run_->disconnect(this);
    active_ = playing_ = held_ = false;
    run_.clear();
    update_ = 0;
    course_.clear();
    updateClock();
    const auto gone = std::move(recording_); // until nobody shows them any more
    const auto others = std::exchange(others_, {});
    for (const auto& other : others)
        if (other.run) other.run->disconnect(this);
    Q_EMIT changed();
}

void Playback::accompany(const QVector<RunSession*>& runs)
{
    if (!recording_) return;
    std::vector<Companion> wanted;
    for (auto* run : runs) {
        if (!run || run == run_) continue;
        connect(run, &RunSession::changed, this, &Playback::showOthers, Qt::UniqueConnection);
        const auto known = std::find_if(others_.begin(), others_.end(), [&](const auto& c) { return c.run == run; });
        wanted.push_back(known == others_.end()
                ? Companion { run, RunSession::recordingOf(*run), {}, run->history().generation, 0 }
                : std::move(*known));
    }
    others_.swap(wanted);
    for (auto& gone : wanted) {
        if (!gone.recording) continue; // it is still wanted
        if (gone.run) disconnect(gone.run.data(), &RunSession::changed, this, &Playback::showOthers);
        gone.recording.release()->deleteLater(); // until nobody shows it any more
    }
    showOthers();
}

RunSession* Playback::shown(RunSession* run) const
{
    if (!run || !recording_) return run;
    if (run == run_) return recording_.get();
    const auto other = std::find_if(others_.begin(), others_.end(), [run](const auto& c) { return c.run == run; });
    return other == others_.end() ? run : other->recording.get();
}

void Playback::updateClock()
{
    const bool wanted = active_ && (!recording_ || (playing_ && !held_));
    if (wanted == timer_.isActive()) return;
    wall_.start();
    if (wanted)
        timer_.start();
    else
        timer_.stop();
}

void Playback::tick()
{
    if (recording_) return advance(std::min(double(wall_.restart()) / 1000, longestGap));
    // Twice in a row: what its reader found last may not have arrived when it lets go of the file.
    quiet_ = run_->loading() ? 0 : quiet_ + 1;
    if (quiet_ >= 2) begin();
}

void Playback::begin()
{
    if (run_->history().step.empty()) {
        const auto name = run_->name();
        leave();
        Q_EMIT failed(tr("%1 has made no update that could be played back").arg(name));
        return;
    }
    generation_ = run_->history().generation;
    course_ = courseOf(run_->history());
    recording_ = RunSession::recordingOf(*run_);
    at_ = 0;
    playing_ = true;
    wall_.start();
    updateClock();
    Q_EMIT changed();
}

void Playback::runChanged()
{
    if (!recording_) return;
    if (run_->history().generation != generation_) {
        const auto name = run_->name();
        leave();
        Q_EMIT failed(tr("%1 has been continued from an earlier update; play it back again").arg(name));
        return;
    }
    if (recording_->file().toJson() != run_->file().toJson()) recording_->takeFile(*run_);
}

void Playback::show(std::size_t update)
{
    if (update_ == update) return;
    update_ = update;
    recording_->showMoment(*run_, update);
    showOthers();
    Q_EMIT moved();
}

void Playback::showOthers()
{
    for (auto& other : others_) {
        if (!other.run) continue;
        const auto& history = other.run->history();
        const bool anew = other.generation != history.generation;
        if (anew || other.course.size() != history.seconds.size()) {
            other.course = courseOf(history); // it is still being read, or trains
            other.generation = history.generation;
        }
        // The last moment of the one that all go by has all that was reported up to then.
        const auto now = std::min(at_, course_.back());
        const auto reached =
            std::size_t(std::upper_bound(other.course.begin(), other.course.end(), now) - other.course.begin());
        if (reached != std::exchange(other.update, reached) || anew) other.recording->showMoment(*other.run, reached);
    }
}

void Playback::advance(double seconds)
{
    if (!recording_ || !playing_) return;
    const auto& speed = speeds()[std::size_t(speed_)];
    at_ += seconds * (speed.wholeIn > 0 ? course_.back() / speed.wholeIn : speed.times);
    const auto reached = std::size_t(std::upper_bound(course_.begin(), course_.end(), at_) - course_.begin());
    if (reached < updates()) {
        if (reached <= update_) return showOthers();
        return show(reached);
    }
    show(updates());
    setPlaying(false);
}

void Playback::setPlaying(bool playing)
{
    if (!recording_ || playing == playing_) return;
    if (playing && atEnd()) seek(0);
    playing_ = playing;
    updateClock();
    Q_EMIT changed();
}

void Playback::hold(bool held)
{
    held_ = held;
    updateClock();
}

void Playback::seek(std::size_t update)
{
    if (!recording_) return;
    update = std::min(update, updates());
    at_ = update > 0 ? course_[update - 1] : 0;
    show(update);
}

void Playback::seekEvent(int direction)
{
    if (!recording_) return;
    const auto& history = run_->history();
    std::optional<std::size_t> nearest;
    const auto consider = [&](std::int64_t step) {
        const auto after = std::upper_bound(history.step.begin(), history.step.end(), double(step));
        const auto place = std::min(std::size_t(after - history.step.begin()), updates());
        if (direction > 0 ? place <= update_ : place >= update_) return;
        if (!nearest || (direction > 0 ? place < *nearest : place > *nearest)) nearest = place;
    };
    for (const auto& eval : history.evals) consider(eval.step);
    for (const auto& sample : history.samples) consider(sample.step);
    if (nearest) seek(*nearest);
}

void Playback::setSpeed(int index)
{
    if (index < 0 || index >= int(speeds().size()) || index == speed_) return;
    speed_ = index;
    Q_EMIT changed();
}

} // namespace pha::ui
