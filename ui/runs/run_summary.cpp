// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_summary.h"

#include "engine/run/fork_point.h"
#include "engine/run/metrics.h"
#include "ui/format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <unistd.h>

namespace pha::ui {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("pha::ui::RunSummary", text); }

/// The last events of a metrics file, newest first, from its last `limit` bytes.
std::vector<Event> lastEvents(const fs::path& file, std::streamoff limit)
{
    std::error_code error;
    if (!fs::is_regular_file(file, error)) return {};
    std::ifstream in(file, std::ios::binary | std::ios::ate);
    if (!in) return {};
    const auto size = std::streamoff(in.tellg());
    const auto start = std::max<std::streamoff>(0, size - limit);
    std::string tail(std::size_t(size - start), '\0');
    in.seekg(start);
    in.read(tail.data(), std::streamsize(tail.size()));
    tail.resize(std::size_t(std::max<std::streamsize>(in.gcount(), 0)));
    std::vector<Event> events;
    // Without its newline the last line may be half written; without its start the first one is half read.
    auto end = tail.rfind('\n');
    while (end != std::string::npos && end > 0) {
        const auto before = tail.rfind('\n', end - 1);
        if (before == std::string::npos && start > 0) break;
        const auto begin = before == std::string::npos ? 0 : before + 1;
        const auto json =
            Json::parse(tail.begin() + std::ptrdiff_t(begin), tail.begin() + std::ptrdiff_t(end), nullptr, false);
        try {
            if (json.is_object())
                if (auto event = eventFromJson(json)) events.push_back(std::move(*event));
        } catch (const std::exception&) {
            // A line of the wrong shape; the charts count them, a list row does without.
        }
        if (before == std::string::npos) break;
        end = before;
    }
    return events;
}

struct Latest {
    const StepEvent* step = nullptr;
    const EvalEvent* eval = nullptr;
    const StatusEvent* status = nullptr;
};

Latest latestOf(const std::vector<Event>& newestFirst)
{
    Latest found;
    for (const auto& event : newestFirst) {
        if (!found.step) found.step = std::get_if<StepEvent>(&event);
        if (const auto* eval = std::get_if<EvalEvent>(&event); eval && !found.eval && eval->split == "valid")
            found.eval = eval;
        if (!found.status) found.status = std::get_if<StatusEvent>(&event);
    }
    return found;
}

void fillFromFile(RunSummary& s, const RunFile& file)
{
    s.name = singleLine(fromUtf8(file.name));
    if (s.name.isEmpty()) s.name = singleLine(fromPath(s.directory.filename()));
    s.preset = fromUtf8(file.config.preset);
    s.data = fromUtf8(file.config.data.data);
    s.created = fromUtf8(file.created);
    s.steps = file.config.training.steps;
    if (const auto parent = RunParent::of(file))
        s.parent = tr("from %1 at step %2").arg(singleLine(fromUtf8(parent->name)), formatCount(parent->step));
    s.unknown = fromUtf8(file.unknown());
}

} // namespace

bool RunSummary::active() const { return isActive(state); }

QString RunSummary::text() const
{
    QStringList parts;
    // States that name their step need no second word about it.
    if (state == RunState::Running) parts << tr("%1/%2").arg(formatCount(step), formatCount(steps));
    if (std::isfinite(loss)) parts << tr("loss %1").arg(formatFixed(loss, 3));
    if (std::isfinite(perplexity)) parts << tr("ppl %1").arg(formatFixed(perplexity, perplexity < 100 ? 2 : 1));
    if (state == RunState::Running && std::isfinite(tokensPerSecond))
        parts << tr("%1 tok/s").arg(formatCompact(tokensPerSecond));
    if (state == RunState::Finished) parts << tr("%1 steps").arg(formatCount(step));
    return parts.join(QStringLiteral(" \u00b7 "));
}

RunSummary readSummary(const fs::path& directory)
{
    RunSummary s;
    s.directory = directory;
    QString detail;
    try {
        fillFromFile(s, RunDirectory(directory).read(RunUse::View));
        // Far more than one evaluation interval of lines usually takes; a status older than that is found in a second
        // look.
        auto events = lastEvents(RunDirectory(directory).metricsFile(), 64 * 1024);
        auto latest = latestOf(events);
        if (!latest.eval || !latest.status) {
            events = lastEvents(RunDirectory(directory).metricsFile(), 1024 * 1024);
            latest = latestOf(events);
        }
        if (latest.step) {
            s.step = latest.step->step;
            s.loss = latest.step->loss;
            s.tokensPerSecond = latest.step->tokensPerSecond;
        }
        if (latest.eval) s.perplexity = latest.eval->perplexity;
        const int holder = RunLock::holder(directory);
        s.place = holder != 0 && holder != int(getpid()) ? RunSession::Place::Elsewhere : RunSession::Place::Disk;
        const bool elsewhere = s.place == RunSession::Place::Elsewhere;
        if (latest.status) {
            s.state = latest.status->state;
            s.step = std::max(s.step, latest.status->step);
            detail = singleLine(fromUtf8(latest.status->detail));
        } else {
            // No word about its state within reach: it trains if somebody holds it.
            s.state = !elsewhere ? RunState::Stopped : s.step > 0 ? RunState::Running : RunState::Preparing;
            s.interrupted = !elsewhere && s.step > 0;
        }
        if (s.active() && !elsewhere) {
            s.state = RunState::Stopped;
            s.interrupted = true;
        }
    } catch (const std::exception& error) {
        s.name = singleLine(fromPath(directory.filename()));
        s.state = RunState::Failed;
        detail = singleLine(fromUtf8(error.what()));
    }
    if (s.active() && s.steps > 0) s.share = std::clamp(double(s.step) / double(s.steps), 0.0, 1.0);
    s.stateText = RunSession::describe(s.state, s.place, s.step, s.interrupted, detail);
    return s;
}

RunSummary summarise(const RunSession& session)
{
    RunSummary s;
    s.directory = session.directory();
    fillFromFile(s, session.file());
    s.name = session.name();
    s.state = session.state();
    s.stateText = session.stateText();
    s.place = session.place();
    s.interrupted = session.interrupted();
    const auto& h = session.history();
    if (!h.step.empty()) {
        s.step = session.step();
        s.loss = h.loss.back();
        s.tokensPerSecond = h.tokensPerSecond.back();
    }
    for (auto eval = h.evals.rbegin(); eval != h.evals.rend(); ++eval) {
        if (eval->split != "valid") continue;
        s.perplexity = eval->perplexity;
        break;
    }
    s.secondsLeft = session.secondsLeft();
    if (const auto p = session.progress(); s.state == RunState::Preparing) {
        s.share = p.total > 0 ? std::clamp(p.done / p.total, 0.0, 1.0) : 0;
    } else if (s.active() && s.steps > 0) {
        s.share = std::clamp(double(s.step) / double(s.steps), 0.0, 1.0);
    }
    return s;
}

RunStamp stampOf(const fs::path& directory)
{
    RunStamp stamp;
    std::error_code ignored; // a file that is not there has the stamp of nothing
    const RunDirectory run(directory);
    stamp.size = fs::file_size(run.metricsFile(), ignored);
    stamp.metrics = fs::last_write_time(run.metricsFile(), ignored);
    stamp.run = fs::last_write_time(run.runFile(), ignored);
    try {
        stamp.holder = RunLock::holder(directory);
    } catch (const std::exception&) {
        stamp.holder = 0; // unreadable lock: treated as free, opening the run says what is wrong
    }
    return stamp;
}

} // namespace pha::ui
