// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_overview.h"
#include "ui/session/run_session.h"

#include <QString>

#include <limits>

namespace pha::ui {

/// What a row of the run list shows. A value: made on any thread from a look at the folder, or from an open session.
struct RunSummary {
    fs::path directory;
    QString name, preset, data, created, stateText;
    QString parent; ///< of a fork: "from pha-tiny at step 100"
    QString unknown; ///< settings of run.json that this program does not know
    std::shared_ptr<const RunConfig> config; ///< null if run.json cannot be read
    RunAbout about; ///< notes, tags, archive: of about.json, which a session does not read
    QString aboutProblem; ///< why that file cannot be read
    RunState state = RunState::Stopped;
    RunSession::Place place = RunSession::Place::Disk;
    bool interrupted = false;
    int placeInQueue = 0; ///< 1: the next one; 0: it does not wait
    std::int64_t step = 0, steps = 0;
    double loss = std::numeric_limits<double>::quiet_NaN(), perplexity = loss, tokensPerSecond = loss;
    double secondsLeft = -1; ///< negative: unknown
    double share = -1; ///< of the work that is going on, 0 to 1; negative: nothing is going on
    bool active() const;
    RunFacts facts() const; ///< what a search looks at; points into this
    QString text() const; ///< "640/1,000 · loss 3.412 · ppl 30.2 · 18.2k tok/s"
};

/// readOverview() for the list. Any thread.
RunSummary readSummary(const fs::path& directory, MetricsEnd* known = nullptr);
RunSummary summarise(const RunSession& session);

/// Changes whenever a summary made now could differ from one made before.
struct RunStamp {
    std::uintmax_t size = 0;
    fs::file_time_type metrics, run, about;
    int holder = 0;
    bool operator==(const RunStamp&) const = default;
};
RunStamp stampOf(const fs::path& directory);

} // namespace pha::ui
