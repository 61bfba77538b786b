// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_overview.h"

#include "engine/base/error.h"
#include "engine/run/metrics.h"
#include "engine/run/metrics_line.h"

#include <algorithm>
#include <fstream>

#include <unistd.h>

namespace pha {
namespace {

constexpr std::streamoff shortLook = 1 << 16, longLook = 1 << 20; ///< bytes of the end of metrics.jsonl

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
        if (const auto* eval = std::get_if<EvalEvent>(&event); eval && !found.eval && isValidation(*eval))
            found.eval = eval;
        if (!found.status) found.status = std::get_if<StatusEvent>(&event);
    }
    return found;
}

void fillFromRunFile(RunOverview& run)
{
    const auto file = RunDirectory(run.directory).read(RunUse::View);
    if (!file.name.empty()) run.name = file.name;
    run.created = file.created;
    run.config = std::make_shared<const RunConfig>(file.config);
    run.parent = RunParent::of(file);
    if (const auto found = file.environment.find("processor"); found != file.environment.end() && found->is_string())
        run.processor = found->get<std::string>();
    run.unknown = file.unknown();
    run.steps = file.config.training.steps;
}

void fillFromMetrics(RunOverview& run)
{
    // Asked first: whoever frees the run while it is read has written its end before.
    run.holder = RunLock::holder(run.directory);
    // Far more than one evaluation interval of lines usually takes; a status older than that is found in a second look.
    const auto file = RunDirectory(run.directory).metricsFile();
    auto events = lastEvents(file, shortLook);
    auto latest = latestOf(events);
    if (!latest.eval || !latest.status) {
        events = lastEvents(file, longLook);
        latest = latestOf(events);
    }
    if (latest.step) {
        run.step = latest.step->step;
        run.loss = latest.step->loss;
        run.tokensPerSecond = latest.step->tokensPerSecond;
    }
    if (latest.eval) run.perplexity = latest.eval->perplexity;
    if (run.holder == 0) run.holder = RunLock::holder(run.directory); // begun meanwhile
    const bool held = run.holder != 0 && run.holder != int(::getpid());
    const auto active = [&] {
        return run.state == RunState::Preparing || run.state == RunState::Running || run.state == RunState::Paused;
    };
    if (latest.status) {
        run.state = latest.status->state;
        run.step = std::max(run.step, latest.status->step);
        run.detail = latest.status->detail;
    } else {
        // No word about its state within reach: it trains if somebody holds it.
        run.state = !held ? RunState::Stopped : run.step > 0 ? RunState::Running : RunState::Preparing;
        run.interrupted = !held && run.step > 0;
    }
    if (active() && !held) {
        run.state = RunState::Stopped;
        run.interrupted = true;
    }
}

} // namespace

RunOverview readOverview(const fs::path& directory)
{
    RunOverview run;
    run.directory = directory;
    run.name = directory.filename().string();
    try {
        fillFromRunFile(run);
        fillFromMetrics(run);
    } catch (const std::exception& error) {
        run.state = RunState::Failed;
        run.detail = error.what();
    }
    try {
        run.about = readAbout(directory);
    } catch (const std::exception& error) {
        run.aboutProblem = error.what();
    }
    return run;
}

RunFacts RunOverview::facts() const
{
    RunFacts facts;
    facts.name = name;
    facts.state = stateWord(state, interrupted);
    facts.created = created;
    if (parent) facts.parent = parent->name;
    facts.about = &about;
    facts.config = config.get();
    facts.step = double(step);
    facts.loss = loss;
    facts.perplexity = perplexity;
    facts.tokensPerSecond = tokensPerSecond;
    return facts;
}

std::vector<fs::path> runsIn(const fs::path& folder)
{
    std::vector<fs::path> found;
    std::error_code error, ignored; // an entry that cannot be looked at is not a run
    fs::directory_iterator it(folder, fs::directory_options::skip_permission_denied, error);
    for (const fs::directory_iterator end; !error && it != end; it.increment(error))
        if (!it->path().filename().string().starts_with('.') // a run that is being unpacked
            && it->is_directory(ignored) && fs::exists(it->path() / "run.json", ignored))
            found.push_back(it->path());
    if (error && error != std::errc::no_such_file_or_directory)
        throw DataError(folder.string(), error.message(), "check the path and its permissions");
    std::sort(found.begin(), found.end());
    return found;
}

std::string stateWord(RunState state, bool interrupted) { return interrupted ? "interrupted" : nameOf(state); }

} // namespace pha
