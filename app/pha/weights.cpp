// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/weights.h"

#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/run_directory.h"
#include "engine/run/weight_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pha::cli {

namespace {

constexpr auto everyTensor = "true"; // what the parser gives a flag without a value
constexpr int columnsShown = 16;

/// A file of weights, and where it lies if that is a checkpoint of a run.
struct Source {
    fs::path file, checkpoint; ///< checkpoint: empty for a file by itself
    std::string title() const { return checkpoint.empty() ? file.string() : checkpoint.string(); }
};

Source sourceOf(const fs::path& target)
{
    std::error_code error;
    if (fs::is_regular_file(target, error) && !isCheckpointsWeights(target)) return { target, {} };
    const auto folder = intactCheckpoint(target);
    return { folder / "model.safetensors", folder };
}

/// Checkpoints of the run that `source` belongs to, up to itself.
std::vector<SavedWeights> earlierThan(const Source& source)
{
    auto saved = savedWeights(runOfCheckpoint(source.checkpoint));
    const auto step = checkpointStep(source.checkpoint.filename().string()).value_or(0);
    std::erase_if(saved, [&](const SavedWeights& one) { return one.step >= step; });
    return saved;
}

/// What --since means; without it the first checkpoint of the run, if there is an earlier one.
Source sinceOf(const std::string& since, const Source& now)
{
    const auto in = [](const SavedWeights& saved) { return Source { saved.file, saved.file.parent_path() }; };
    const bool word = since == "first" || since == "before";
    if (now.checkpoint.empty() && (word || since.empty())) {
        if (since.empty()) return {};
        throw ConfigError("--since", since, "a path: a file by itself has no checkpoints before it");
    }
    if (!word && !since.empty()) {
        if (!now.checkpoint.empty() && checkpointStep(since)) return sourceOf(now.checkpoint.parent_path() / since);
        return sourceOf(since);
    }
    const auto earlier = earlierThan(now);
    if (!earlier.empty()) return in(since == "before" ? earlier.back() : earlier.front());
    if (since.empty()) return {};
    throw ConfigError("--since", since, "another checkpoint: the run has none before " + now.title());
}

bool gone(const fs::path& file)
{
    std::error_code error;
    return !file.empty() && !fs::exists(file, error) && !error;
}

/// What `read` gives; once more if it fails and a checkpoint that it chose has been removed since: its run is trained.
template <class Read, class Removed> auto whileItIsTrained(const Read& read, const Removed& removed)
{
    for (int tries = 20;; --tries) {
        try {
            return read();
        } catch (const Error&) {
            if (tries == 1 || !removed()) throw;
        }
    }
}

/// Whether `name` holds the words of the filter as whole levels: "layers.3" is not in layers.31.
bool holds(const std::string& name, const std::string& filter)
{
    return ("." + name + ".").find("." + filter + ".") != std::string::npos;
}

bool unicodeOutput()
{
    for (const char* variable : { "LC_ALL", "LC_CTYPE", "LANG" }) {
        const char* value = std::getenv(variable);
        if (!value || !*value) continue;
        std::string name(value);
        std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
        return name.find("utf-8") != name.npos || name.find("utf8") != name.npos;
    }
    return false;
}

/// The histogram between plus and minus the largest magnitude, as one character a column; heights are square roots, so
/// that tails are seen.
std::string sketch(const TensorFigures& f, bool unicode)
{
    static constexpr const char* blocks[] { " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587",
        "\u2588" };
    static constexpr const char* plain[] { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
    if (!(f.histogram.range > 0)) return "";
    const auto shown = f.histogram.columns(columnsShown);
    const auto most = double(std::max<std::int64_t>(1, *std::max_element(shown.begin(), shown.end())));
    std::string text;
    for (const auto n : shown) {
        const auto height = n == 0 ? 0 : std::clamp(int(std::lround(8 * std::sqrt(double(n) / most))), 1, 8);
        text += (unicode ? blocks : plain)[height];
    }
    return "|" + text + "|";
}

std::string brief(double value) { return std::isfinite(value) ? fmt::format("{:.3g}", value) : "not finite"; }

Json toJson(const TensorFigures& f)
{
    const auto place = tensorPlace(f.name);
    Json json { { "name", f.name }, { "layer", place.layer < 0 ? Json() : Json(place.layer) }, { "part", place.part },
        { "dtype", f.dtype }, { "shape", f.shape }, { "count", f.count }, { "mean", f.mean },
        { "deviation", f.deviation }, { "rms", f.rms }, { "minimum", f.minimum }, { "maximum", f.maximum },
        { "zeros", f.zeros }, { "not_finite", f.notFinite }, { "silent_rows", f.silentRows }, { "odd", oddities(f) },
        { "histogram", { { "range", f.histogram.range }, { "counts", f.histogram.counts } } } };
    json["change"] = f.change ? Json(*f.change) : Json();
    json["effective_rank"] = f.rank ? Json(*f.rank) : Json();
    json["rms_before"] = f.rmsBefore ? Json(*f.rmsBefore) : Json();
    return json;
}

/// "87 of 128"
std::string rankText(const TensorFigures& f)
{
    return f.rank ? fmt::format("{:.3g} of {}", *f.rank, std::min(f.shape[0], f.shape[1])) : "-";
}

void printTable(const WeightFigures& figures, bool compared, bool ranks)
{
    const bool unicode = unicodeOutput();
    std::vector<std::string> header { "tensor", "shape", "mean", "rms", "largest" };
    if (compared) header.emplace_back("change");
    if (ranks) header.emplace_back("rank");
    header.insert(header.end(), { "distribution", "odd" });
    Table table(header);
    std::int64_t numbers = 0, odd = 0;
    for (const auto& f : figures.tensors) {
        const auto strange = oddities(f);
        numbers += f.count;
        odd += !strange.empty();
        std::vector<std::string> row { oneLine(f.name), shapeText(f.shape), brief(f.mean), brief(f.rms),
            brief(f.largest()) };
        if (compared) row.push_back(f.change ? fmt::format("{:.3g} %", 100 * *f.change) : "-");
        if (ranks) row.push_back(rankText(f));
        row.push_back(sketch(f, unicode));
        row.push_back(joinList(strange));
        table.add(row);
    }
    print(table.text(outputWidth()));
    const auto count = figures.tensors.size();
    printLine(fmt::format("\n{} numbers in {} tensor{}, {}", withThousands(numbers), count, count == 1 ? "" : "s",
        odd == 0 ? "none of them odd" : fmt::format("{} of them odd", odd)));
    if (figures.others > 0) printLine(fmt::format("left out: {} of whole numbers", figures.others));
}

} // namespace

void WeightsCommand::add(CLI::App& command)
{
    command_ = &command;
    command.add_flag("--weights", names_,
        "How the weights are distributed instead, tensor by tensor; --weights=layers.3 or --weights=gss: of those "
        "alone; the target may be any safetensors file");
    command.add_option("--since", since_,
        "With --weights: how far they have moved since a checkpoint: first (if nothing is said), before, its name, or "
        "a path");
    command.add_flag("--rank", ranks_,
        "With --weights: also the effective rank of matrices by their singular values, (sum s^2)^2 / sum s^4");
}

bool WeightsCommand::wanted() const { return command_->count("--weights") > 0; }

void WeightsCommand::check() const
{
    for (const char* option : { "--since", "--rank" })
        if (!wanted() && command_->count(option) > 0)
            throw Error(std::string(option) + " without --weights", "add --weights", ExitCode::Usage);
}

int WeightsCommand::run(const std::string& target, bool json) const
{
    StopOnSignal stop;
    Source now, since;
    WeightsRequest request { {}, {}, {}, ranks_ };
    if (names_ != everyTensor) request.wanted = [this](const std::string& name) { return holds(name, names_); };
    const auto read = [&] {
        now = sourceOf(target), since = sinceOf(since_, now);
        request.file = now.file, request.before = since.file;
        SilentSink quiet;
        return readWeightFigures(request, quiet, stop.token());
    };
    const auto figures = whileItIsTrained(read, [&] { return gone(now.file) || gone(since.file); });
    if (figures.tensors.empty() && request.wanted)
        throw ConfigError("--weights", inQuotes(names_), "levels of names, like layers.3 or gss or attention.query");
    if (json) {
        Json all { { "file", now.file.string() }, { "since", since.file.empty() ? Json() : Json(since.file.string()) },
            { "others", figures.others }, { "tensors", Json::array() } };
        for (const auto& f : figures.tensors) all["tensors"].push_back(toJson(f));
        printJson(all);
        return 0;
    }
    printLine("weights of " + oneLine(now.title()));
    if (!since.file.empty()) printLine("change: since " + oneLine(since.title()) + ", as a share of the norm there");
    print("\n");
    printTable(figures, !since.file.empty(), ranks_);
    return 0;
}

} // namespace pha::cli
