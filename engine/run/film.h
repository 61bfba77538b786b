// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace pha {

/// What a film of a training is made from: rows as they were reported, which must outlive every frame.
struct FilmRows {
    std::span<const SampleEvent> samples;
    std::span<const EvalEvent> evals;
    std::span<const MixingEvent> mixing;
    std::span<const double> step, loss; ///< of the updates
};

/// A sample with what was known of the network at that moment.
struct FilmFrame {
    const SampleEvent* sample = nullptr;
    const MixingEvent* mixing = nullptr; ///< the last one until then, else the first; null: none
    const EvalEvent* valid = nullptr; ///< the last of the validation split until then; null: none
    /// Of the last update until then; before the first that of the first, which is measured on the same weights.
    std::optional<double> loss;
};
FilmFrame filmFrame(const FilmRows& rows, std::size_t sample);

/// Mean of -ln p of the tokens, in nats: how far the text is from what the network expected while it wrote. Nothing
/// without tokens.
std::optional<double> meanSurprise(const SampleEvent& sample);

/// One page for any browser, without anything from elsewhere: the frames as text, each token in the colour of its
/// probability or surprise, mixing weights, curve, and a slider. `name` and all texts are taken as plain text.
std::string filmPage(const std::string& name, const FilmRows& rows);
/// RFC 4180: step, losses, perplexity, surprise, seed, prompt and text of every frame.
std::string filmTable(const FilmRows& rows);

/// Writes film.html and film.csv of a run into `folder`, which is created, and returns their paths. `badLines` receives
/// the number of damaged lines. Throws CheckpointError if `run` is none, DataError if it has no samples, IoError.
std::vector<std::filesystem::path> exportFilm(
    const std::filesystem::path& run, const std::filesystem::path& folder, std::int64_t* badLines = nullptr);

} // namespace pha
