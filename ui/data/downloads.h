// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/download.h"
#include "ui/session/event_bridge.h"
#include "ui/work/worker_thread.h"

#include <QObject>
#include <QString>

#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>

namespace pha::ui {

/// How fast something grows: over the last seconds, so that it neither jumps nor remembers a pause.
class RateMeter {
public:
    void add(double seconds, double done);
    std::optional<double> rate() const; ///< a second; nothing before there is enough to tell

private:
    std::deque<std::pair<double, double>> points_;
};

/// Downloads of the catalogue, one after the other on a thread of their own. Nothing begins by itself. GUI thread only;
/// nothing waits but `shutDown()` and the destructor.
class Downloads : public QObject {
    Q_OBJECT

public:
    enum class Phase { Absent, Paused, Waiting, Running, Present };
    struct State {
        Phase phase = Phase::Absent;
        double done = 0, total = 0; ///< bytes
        bool checking = false; ///< a file that is there already
        std::optional<double> rate, secondsLeft;
        std::optional<bool> verified; ///< nothing: the file was not checked since the program was started
        QString problem; ///< why it ended, one line
    };
    using Fetch = std::function<DownloadResult(const CatalogueEntry&, EventSink&, const std::stop_token&)>;

    explicit Downloads(Fetch fetch = {}, QObject* parent = nullptr); ///< empty: download() of the engine
    ~Downloads() override; ///< as shutDown()

    State state(const CatalogueEntry& entry); ///< looks at the disk unless something is going on
    void start(const CatalogueEntry& entry); ///< goes on from what is there; checks a file that is complete
    void pause(const CatalogueEntry& entry); ///< what has arrived stays
    void cancel(const CatalogueEntry& entry); ///< what has arrived goes
    bool shutDown(std::chrono::milliseconds patience = std::chrono::seconds(5));

Q_SIGNALS:
    void changed(const QString& name);
    void arrived(const QString& name); ///< the file is at its place

private:
    struct Job {
        State state;
        std::stop_source stop;
        RateMeter meter;
        int number = 0; ///< of the last order: what older ones report does not count
        bool discarding = false; ///< what is on the disk is about to go
    };
    void order(const CatalogueEntry& entry, Phase phase, bool discard);
    void finish(
        const CatalogueEntry& entry, int number, const std::optional<DownloadResult>& result, const QString& problem);
    void receive(const ProgressEvent& event);

    Fetch fetch_;
    EventBridge bridge_;
    WorkerThread thread_;
    std::map<std::string, Job> jobs_; ///< by the entry's name
    std::string running_;
    std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
    int orders_ = 0;
};

/// "2.1 of 4.7 MB, 1.2 MB/s, 3 s left".
QString describeProgress(const Downloads::State& state);

} // namespace pha::ui
