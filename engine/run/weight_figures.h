// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"
#include "engine/run/weight_histogram.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

namespace pha {

/// Where a tensor is at home in this program's files (README, "A run directory").
struct TensorPlace {
    int layer = -1; ///< -1: of no layer
    std::string part; ///< "gss", "mixing"; "norms" for the norms of the stream, "embedding"; empty: of a foreign file
    std::string name; ///< "value"; in a foreign file all of it
};
TensorPlace tensorPlace(const std::string& name);

/// What can be told of one tensor. Moments and extremes are of its finite values; a value of fp64 beyond the range of
/// fp32 counts as not finite.
struct TensorFigures {
    std::string name, dtype;
    std::vector<std::int64_t> shape;
    std::int64_t count = 0, zeros = 0, notFinite = 0; ///< zeros: exactly 0
    double mean = 0, deviation = 0, minimum = 0, maximum = 0, rms = 0; ///< deviation: root mean square of x - mean
    WeightHistogram histogram;
    /// Rows of a matrix (what it writes to) whose root mean square is less than a hundredth of the matrix's.
    std::int64_t silentRows = 0;
    /// ||x - before|| / ||before|| over what is finite in both, and the root mean square before; nothing without a
    /// tensor of that name and shape to compare with, the change neither if that was all zeros.
    std::optional<double> change, rmsBefore;
    std::optional<double> rank; ///< as effective_rank.h says; only if it was asked for

    double largest() const; ///< magnitude
    bool matrix() const; ///< two or more dimensions that are not 1
};
/// What is odd about a tensor, each in a few words: "not finite: 3", "all zero", "zeros: 62 %", "all equal", "silent
/// rows: 12 of 512", "largest 41 times the rms", "rms 5.2 times as large", "unmoved". Gains that are not trained are
/// not.
std::vector<std::string> oddities(const TensorFigures& figures);
std::string shapeText(const std::vector<std::int64_t>& shape); ///< "512 x 128", "one" for a single number

struct WeightFigures {
    std::vector<TensorFigures> tensors; ///< in the order of the file; those of whole numbers are left out
    std::int64_t others = 0; ///< how many were
};
struct WeightsRequest {
    std::filesystem::path file; ///< safetensors
    std::filesystem::path before = {}; ///< safetensors to compare with; empty: none
    std::function<bool(const std::string& name)> wanted = {}; ///< null: all tensors
    bool ranks = false; ///< of matrices, too: takes some ten times as long
};
/// Reads a file of weights once, in little memory whatever its size: tensors of F32, F64, BF16 and F16, sums in double.
/// Progress counts bytes. Throws CheckpointError, and Error when stopped.
WeightFigures readWeightFigures(const WeightsRequest& request, EventSink& progress, const std::stop_token& stop);

/// Checkpoints of a run that hold weights, oldest first, by their steps.
struct SavedWeights {
    std::int64_t step = 0;
    std::filesystem::path file;
    bool operator==(const SavedWeights&) const = default;
};
std::vector<SavedWeights> savedWeights(const std::filesystem::path& run);

} // namespace pha
