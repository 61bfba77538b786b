// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_overview.h"

#include "engine/base/error.h"
#include "engine/run/metrics.h"
#include "engine/run/metrics_line.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace pha {
namespace {

constexpr std::int64_t shortLook = 1 << 16; ///< bytes of the end of metrics.jsonl, in which mostly everything stands
constexpr std::int64_t longLook = 1 << 20; ///< in which steps and a status have to stand; size of the parts before
constexpr std::size_t longestKept = std::size_t(16) << 20; ///< of a line
constexpr std::size_t endBytes = 64;

bool mentions(std::string_view text, std::string_view word)
{
    return ::memmem(text.data(), text.size(), word.data(), word.size()) != nullptr;
}

/// Looks through a metrics file from its end for what was said last, and parses only lines that may say it.
class BackwardSearch {
public:
    BackwardSearch(const PosixFile& file, MetricsEnd& found)
        : file_(file)
        , found_(found)
    {
    }

    void run(MetricsEnd known)
    {
        const auto size = std::int64_t(file_.status().st_size);
        if (!stillThere(known, size)) known = {};
        auto part = shortLook;
        for (auto end = size; end > known.size && missing(size - end); part = longLook) {
            const auto begin = std::max(known.size, end - part);
            near_ = size - end < longLook;
            takePart(begin, end, begin == known.size);
            end = begin;
        }
        if (!found_.step) found_.step = std::move(known.step);
        if (!found_.eval) found_.eval = std::move(known.eval);
        if (!found_.status) found_.status = std::move(known.status);
        if (found_.size == 0) { // no whole line was added
            found_.size = known.size;
            found_.last = std::move(known.last);
            return;
        }
        found_.last.resize(std::min(std::size_t(found_.size), endBytes));
        const auto from = found_.size - std::int64_t(found_.last.size());
        found_.last.resize(file_.readAt(found_.last.data(), found_.last.size(), from));
    }

private:
    /// False if lines were cut off, as a resume does, or others written in their place.
    bool stillThere(const MetricsEnd& known, std::int64_t size) const
    {
        if (known.size <= 0 || known.size > size) return false;
        std::string now(known.last.size(), '\0');
        const auto got = file_.readAt(now.data(), now.size(), known.size - std::int64_t(now.size()));
        return got == now.size() && now == known.last;
    }

    /// Between two evaluations there may be any number of steps.
    bool missing(std::int64_t seen) const
    {
        return !found_.eval || (seen < longLook && (!found_.step || !found_.status));
    }

    bool worthReading(std::string_view text) const
    {
        return (!found_.eval && mentions(text, "\"eval\"")) || (near_ && !found_.step && mentions(text, "\"loss\""))
            || (near_ && !found_.status && mentions(text, "\"status\""));
    }

    /// Bytes [begin, end). `first`: a line begins there.
    void takePart(std::int64_t begin, std::int64_t end, bool first)
    {
        std::string text(std::size_t(end - begin), '\0');
        text.resize(file_.readAt(text.data(), text.size(), begin));
        if (found_.size == 0) { // without its newline the last line may be half written
            const auto newline = text.rfind('\n');
            if (newline == std::string::npos) return;
            text.resize(newline + 1);
            found_.size = begin + std::int64_t(text.size());
        }
        text += rest_;
        const std::string_view whole(text);
        const auto start = first ? 0 : whole.find('\n') + 1; // of the first line that is whole
        if (worthReading(whole))
            for (auto stop = whole.size(); stop > start;) { // behind a newline
                const auto before = stop > 1 ? whole.rfind('\n', stop - 2) : whole.npos;
                const auto from = before == whole.npos ? 0 : before + 1;
                takeLine(whole.substr(from, stop - 1 - from));
                stop = from;
            }
        rest_ = whole.substr(0, start);
        if (rest_.size() > longestKept) rest_ = "\n"; // damage: what is before it is no whole line either
    }

    void takeLine(std::string_view line)
    {
        if (!worthReading(line)) return;
        const auto parsed = parseMetricsLine(line); // damage is counted by the charts, a list row does without
        if (!parsed.event) return;
        if (const auto* step = std::get_if<StepEvent>(&*parsed.event); step && !found_.step) found_.step = *step;
        if (const auto* eval = std::get_if<EvalEvent>(&*parsed.event); eval && !found_.eval && isValidation(*eval))
            found_.eval = *eval;
        if (const auto* status = std::get_if<StatusEvent>(&*parsed.event); status && !found_.status)
            found_.status = *status;
    }

    const PosixFile& file_;
    MetricsEnd& found_;
    std::string rest_; ///< the end of a line that begins in a part before
    bool near_ = true; ///< the part is near the end
};

void searchMetrics(const fs::path& file, MetricsEnd& found)
{
    auto known = std::exchange(found, {});
    try {
        const PosixFile in(file, O_RDONLY);
        if (S_ISREG(in.status().st_mode)) BackwardSearch(in, found).run(std::move(known));
    } catch (const FileError&) {
        found.size = 0; // not there, or not readable at the moment: the next look searches anew
    }
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

void fillFromMetrics(RunOverview& run, MetricsEnd& latest)
{
    // Asked first: whoever frees the run while it is read has written its end before.
    run.holder = RunLock::holder(run.directory);
    searchMetrics(RunDirectory(run.directory).metricsFile(), latest);
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

/// A folder that is closed to us may be one: its row says so.
bool mayBeRun(const fs::path& directory)
{
    std::error_code error;
    return fs::exists(directory / "run.json", error) || error == std::errc::permission_denied;
}

} // namespace

RunOverview readOverview(const fs::path& directory, MetricsEnd* known)
{
    MetricsEnd latest;
    RunOverview run;
    run.directory = directory;
    run.name = directory.filename().string();
    try {
        fillFromRunFile(run);
        fillFromMetrics(run, known ? *known : latest);
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

bool saidItsEnd(const fs::path& directory)
{
    MetricsEnd end;
    searchMetrics(RunDirectory(directory).metricsFile(), end);
    return end.status && (end.status->state == RunState::Finished || end.status->state == RunState::Diverged);
}

RunFacts RunOverview::facts() const
{
    RunFacts facts;
    facts.name = name;
    facts.state = stateWord(state, interrupted);
    facts.created = created;
    if (parent) facts.parent = parent->name;
    facts.more = directory.filename().string(); // of a copy, or of an imported run, it is not the name
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
    fs::directory_iterator it(folder, error);
    for (const fs::directory_iterator end; !error && it != end; it.increment(error))
        if (!it->path().filename().string().starts_with('.') // a run that is being unpacked
            && it->is_directory(ignored) && mayBeRun(it->path()))
            found.push_back(it->path());
    if (error && error != std::errc::no_such_file_or_directory)
        throw DataError(folder.string(), "cannot be listed: " + error.message(), "check the path and its permissions");
    std::sort(found.begin(), found.end());
    return found;
}

std::string stateWord(RunState state, bool interrupted) { return interrupted ? "interrupted" : nameOf(state); }

} // namespace pha
