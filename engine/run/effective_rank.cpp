// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/effective_rank.h"

#include "engine/base/stop.h"
#include "engine/run/value_stream.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace pha {

namespace {

constexpr std::int64_t mostRows = 1024, mostValues = 1 << 24;
constexpr std::int64_t lanes = 8; ///< sums that run side by side, so that the processor does several at once

/// The matrix with its smaller side as rows, each filled up with zeros to whole lanes.
struct Rows {
    std::int64_t count = 0, stride = 0;
    std::vector<float> values;
    const float* at(std::int64_t row) const { return values.data() + row * stride; }
};

Rows rowsOf(const SafetensorsReader& reader, const TensorEntry& entry)
{
    const auto height = entry.shape[0], width = entry.shape[1];
    const bool turned = height > width;
    Rows rows;
    rows.count = std::min(height, width);
    rows.stride = (std::max(height, width) + lanes - 1) / lanes * lanes;
    rows.values.assign(std::size_t(rows.count * rows.stride), 0);
    ValueStream stream(reader, entry);
    for (std::int64_t from = 0; from < height * width; from += ValueStream::block) {
        const auto n = std::min(ValueStream::block, height * width - from);
        const auto* values = stream.read(from, n);
        for (std::int64_t i = 0; i < n; ++i) {
            const auto row = (from + i) / width, column = (from + i) % width;
            rows.values[std::size_t(turned ? column * rows.stride + row : row * rows.stride + column)] =
                float(values[i]);
        }
    }
    return rows;
}

double dot(const float* a, const float* b, std::int64_t count)
{
    std::array<double, lanes> sums {};
    for (std::int64_t i = 0; i < count; i += lanes)
        for (std::int64_t lane = 0; lane < lanes; ++lane)
            sums[std::size_t(lane)] += double(a[i + lane]) * double(b[i + lane]);
    double sum = 0;
    for (const double one : sums) sum += one;
    return sum;
}

} // namespace

std::optional<double> effectiveRank(
    const SafetensorsReader& reader, const TensorEntry& entry, const std::stop_token& stop)
{
    if (entry.shape.size() != 2 || !isFloating(entry.dtype)) return {};
    const auto smaller = std::min(entry.shape[0], entry.shape[1]), larger = std::max(entry.shape[0], entry.shape[1]);
    if (smaller < 2 || smaller > mostRows || larger > mostValues / smaller) return {};
    const auto rows = rowsOf(reader, entry);
    double norm = 0, squares = 0; // of A, and of A A^T, squared
    for (std::int64_t i = 0; i < rows.count; ++i) {
        throwIfStopped(stop, "reading the weights");
        const double own = dot(rows.at(i), rows.at(i), rows.stride);
        norm += own;
        squares += own * own;
        for (std::int64_t j = 0; j < i; ++j) {
            const double product = dot(rows.at(i), rows.at(j), rows.stride);
            squares += 2 * product * product;
        }
    }
    const double rank = norm * norm / squares;
    return std::isfinite(rank) ? std::optional(rank) : std::nullopt;
}

} // namespace pha
