// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/film.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/export_folder.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_export.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

/// Rows of a file, kept for as long as a film of them is made.
struct FilmReel {
    std::vector<SampleEvent> samples;
    std::vector<EvalEvent> evals;
    std::vector<MixingEvent> mixing;
    std::vector<double> step, loss;

    void operator()(SampleEvent& e) { samples.push_back(std::move(e)); }
    void operator()(EvalEvent& e) { evals.push_back(std::move(e)); }
    void operator()(MixingEvent& e) { mixing.push_back(std::move(e)); }
    void operator()(StepEvent& e)
    {
        step.push_back(double(e.step));
        loss.push_back(e.loss);
    }
    template <class Other> void operator()(Other&) { }

    FilmRows rows() const { return { samples, evals, mixing, step, loss }; }
};

} // namespace

FilmFrame filmFrame(const FilmRows& rows, std::size_t sample)
{
    FilmFrame frame;
    frame.sample = &rows.samples[sample];
    const auto step = frame.sample->step;
    const auto later = [](std::int64_t at, const auto& row) { return at < row.step; };
    if (!rows.mixing.empty()) {
        const auto after = std::upper_bound(rows.mixing.begin(), rows.mixing.end(), step, later);
        frame.mixing = after == rows.mixing.begin() ? &rows.mixing.front() : &*(after - 1);
    }
    for (auto after = std::upper_bound(rows.evals.begin(), rows.evals.end(), step, later);
         after != rows.evals.begin() && !frame.valid; --after)
        if (isValidation(*(after - 1))) frame.valid = &*(after - 1);
    if (!rows.step.empty()) {
        const auto after = std::upper_bound(rows.step.begin(), rows.step.end(), double(step));
        const auto row = std::max<std::ptrdiff_t>(after - rows.step.begin() - 1, 0);
        frame.loss = rows.loss[std::size_t(row)];
    }
    return frame;
}

std::optional<double> meanSurprise(const SampleEvent& sample)
{
    if (sample.tokens.empty()) return std::nullopt;
    double sum = 0;
    for (const auto& token : sample.tokens) sum -= std::log(std::max(token.probability, 1e-12));
    return sum / double(sample.tokens.size());
}

std::string filmTable(const FilmRows& rows)
{
    const auto number = [](const std::optional<double>& value) {
        return value && std::isfinite(*value) ? exactNumber(*value) : std::string();
    };
    auto table = csvRow({ "step", "loss", "valid_nll", "valid_perplexity", "surprise", "seed", "prompt", "text" });
    for (std::size_t i = 0; i < rows.samples.size(); ++i) {
        const auto frame = filmFrame(rows, i);
        const auto& s = *frame.sample;
        std::optional<double> nll, perplexity;
        if (frame.valid) nll = frame.valid->nll, perplexity = frame.valid->perplexity;
        table += csvRow({ std::to_string(s.step), number(frame.loss), number(nll), number(perplexity),
            number(meanSurprise(s)), s.seed ? std::to_string(*s.seed) : "", s.prompt, s.text });
    }
    return table;
}

std::vector<std::filesystem::path> exportFilm(
    const std::filesystem::path& run, const std::filesystem::path& folder, std::int64_t* badLines)
{
    const RunDirectory directory(run);
    const auto file = directory.read(RunUse::View); // what is no run is refused before a folder is made
    FilmReel reel;
    forEachMetric(
        directory.metricsFile(), [&](Event& event) { std::visit(reel, event); }, [&] { reel = {}; }, badLines);
    if (reel.samples.empty())
        throw DataError(run.string(), "has no samples to film", "train it with sample_every above 0");
    ExportFolder made(folder);
    const auto name = file.name.empty() ? run.filename().string() : file.name;
    writeFileAtomically(made.add("film.html"), filmPage(name, reel.rows()));
    writeFileAtomically(made.add("film.csv"), filmTable(reel.rows()));
    return made.keep();
}

} // namespace pha
