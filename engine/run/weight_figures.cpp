// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/weight_figures.h"

#include "engine/base/stop.h"
#include "engine/base/text.h"
#include "engine/run/effective_rank.h"
#include "engine/run/run_directory.h"
#include "engine/run/value_stream.h"
#include "engine/run/weight_histogram.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

namespace pha {

namespace {

constexpr std::size_t leastRow = 8; ///< values without which a row says nothing

bool finite(double x) { return std::abs(x) <= double(std::numeric_limits<float>::max()); }

/// Mean and squared deviations of all blocks so far, joined exactly (Chan, Golub and LeVeque).
struct Moments {
    double count = 0, mean = 0, squares = 0;
    void join(double n, double m, double s)
    {
        if (n == 0) return;
        const double both = count + n, apart = m - mean;
        squares += s + apart * apart * count * n / both;
        mean += apart * n / both;
        count = both;
    }
};

class TensorCount {
public:
    explicit TensorCount(const TensorEntry& entry)
    {
        figures.dtype = entry.dtype;
        figures.shape = entry.shape;
        figures.count = (entry.end - entry.begin) / dtypeBytes(entry.dtype);
        figures.minimum = std::numeric_limits<double>::infinity(), figures.maximum = -figures.minimum;
        if (entry.shape.size() == 2 && entry.shape[0] > 1 && entry.shape[1] >= std::int64_t(leastRow)) {
            row_ = entry.shape[1];
            rows_.assign(std::size_t(entry.shape[0]), 0);
        }
    }
    void add(const double* values, std::int64_t from, std::int64_t count)
    {
        double sum = 0, squares = 0;
        std::int64_t n = 0;
        for (std::int64_t i = 0; i < count; ++i) {
            const double x = values[i];
            if (!finite(x)) continue;
            ++n;
            sum += x;
            fine_.add(x == 0 ? 0.0 : x);
            figures.zeros += x == 0;
            figures.minimum = std::min(figures.minimum, x);
            figures.maximum = std::max(figures.maximum, x);
            if (row_ > 0) rows_[std::size_t((from + i) / row_)] += x * x;
        }
        const double mean = n > 0 ? sum / double(n) : 0;
        for (std::int64_t i = 0; i < count; ++i)
            if (finite(values[i])) squares += (values[i] - mean) * (values[i] - mean);
        moments_.join(double(n), mean, squares);
        figures.notFinite += count - n;
    }
    void compare(const double* values, const double* before, std::int64_t count)
    {
        for (std::int64_t i = 0; i < count; ++i) {
            if (!finite(values[i]) || !finite(before[i])) continue;
            ++compared_;
            moved_ += (values[i] - before[i]) * (values[i] - before[i]);
            norm_ += before[i] * before[i];
        }
    }
    TensorFigures end(bool compared)
    {
        if (moments_.count == 0) figures.minimum = figures.maximum = 0;
        const double spread = moments_.count > 0 ? moments_.squares / moments_.count : 0;
        figures.mean = moments_.mean;
        figures.deviation = std::sqrt(spread);
        figures.rms = std::sqrt(moments_.mean * moments_.mean + spread);
        figures.histogram = fine_.histogram(figures.largest());
        const double least = 1e-4 * figures.rms * figures.rms * double(row_);
        figures.silentRows = std::count_if(rows_.begin(), rows_.end(), [&](double sum) { return sum < least; });
        if (compared && compared_ > 0) {
            figures.rmsBefore = std::sqrt(norm_ / double(compared_));
            if (norm_ > 0) figures.change = std::sqrt(moved_ / norm_);
            if (moved_ == 0) figures.change = 0;
        }
        return std::move(figures);
    }

    TensorFigures figures;

private:
    FineCounts fine_;
    Moments moments_;
    std::int64_t row_ = 0; ///< values of a row; 0: there are no rows
    std::vector<double> rows_; ///< sums of squares
    double moved_ = 0, norm_ = 0;
    std::int64_t compared_ = 0;
};

/// The tensor to compare with; null if there is none of that name, shape and kind.
const TensorEntry* sameIn(
    const std::optional<SafetensorsReader>& reader, const std::string& name, const TensorEntry& entry)
{
    if (!reader) return nullptr;
    const auto found = reader->tensors().find(name);
    const bool same =
        found != reader->tensors().end() && found->second.shape == entry.shape && isFloating(found->second.dtype);
    return same ? &found->second : nullptr;
}

} // namespace

TensorPlace tensorPlace(const std::string& name)
{
    const auto levels = splitList(name, '.');
    if (name == "embedding" || name == "head" || name == "positions") return { -1, "embedding", name };
    if (levels.size() == 1 && name.starts_with("norm_")) return { -1, "norms", name };
    int layer = 0;
    const bool inLayer = levels.size() >= 3 && levels[0] == "layers";
    if (!inLayer) return { -1, "", name };
    const auto& number = levels[1];
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), layer);
    if (error != std::errc() || end != number.data() + number.size() || layer < 0) return { -1, "", name };
    if (levels.size() == 3) return { layer, "norms", levels[2] };
    return { layer, levels[2], joinList({ levels.begin() + 3, levels.end() }, ".") };
}

double TensorFigures::largest() const { return std::max(std::abs(minimum), std::abs(maximum)); }

bool TensorFigures::matrix() const
{
    return std::count_if(shape.begin(), shape.end(), [](auto n) { return n > 1; }) >= 2;
}

std::vector<std::string> oddities(const TensorFigures& f)
{
    constexpr double farOut = 20, grown = 3;
    std::vector<std::string> odd;
    if (f.notFinite > 0) odd.push_back(fmt::format("not finite: {}", f.notFinite));
    if (f.count > 0 && f.zeros == f.count) {
        odd.emplace_back("all zero");
    } else {
        if (2 * f.zeros >= f.count && f.zeros > 0)
            odd.push_back(fmt::format("zeros: {:.0f} %", 100.0 * double(f.zeros) / double(f.count)));
        if (f.matrix() && f.minimum == f.maximum) odd.emplace_back("all equal");
        if (f.silentRows > 0) odd.push_back(fmt::format("silent rows: {} of {}", f.silentRows, f.shape[0]));
        if (f.rms > 0 && f.largest() >= farOut * f.rms)
            odd.push_back(fmt::format("largest {:.0f} times the rms", f.largest() / f.rms));
    }
    if (f.rmsBefore && *f.rmsBefore > 0 && f.rms >= grown * *f.rmsBefore)
        odd.push_back(fmt::format("rms {:.1f} times as large", f.rms / *f.rmsBefore));
    if (f.rmsBefore && *f.rmsBefore > 0 && grown * f.rms <= *f.rmsBefore)
        odd.push_back(fmt::format("rms {:.2g} times as large", f.rms / *f.rmsBefore));
    const bool constant = f.minimum == f.maximum; // gains that are not trained are all 1
    if (f.change && *f.change == 0 && !constant) odd.emplace_back("unmoved");
    return odd;
}

std::string shapeText(const std::vector<std::int64_t>& shape)
{
    return shape.empty() ? "one" : fmt::format("{}", fmt::join(shape, " x "));
}

WeightFigures readWeightFigures(const WeightsRequest& request, EventSink& progress, const std::stop_token& stop)
{
    const SafetensorsReader reader(request.file);
    std::optional<SafetensorsReader> before;
    if (!request.before.empty()) before.emplace(request.before);
    std::vector<const std::pair<const std::string, TensorEntry>*> order;
    WeightFigures all;
    double bytes = 0, done = 0;
    for (const auto& tensor : reader.tensors()) {
        if (request.wanted && !request.wanted(tensor.first)) continue;
        if (!isFloating(tensor.second.dtype)) {
            ++all.others;
            continue;
        }
        order.push_back(&tensor);
        bytes += double(tensor.second.end - tensor.second.begin);
    }
    std::stable_sort(order.begin(), order.end(), [](auto* a, auto* b) { return a->second.begin < b->second.begin; });
    for (const auto* tensor : order) {
        const auto& [name, entry] = *tensor;
        const auto* old = sameIn(before, name, entry);
        TensorCount count(entry);
        ValueStream now(reader, entry), then(old ? *before : reader, old ? *old : entry);
        for (std::int64_t from = 0; from < count.figures.count; from += ValueStream::block) {
            throwIfStopped(stop, "reading the weights");
            const auto n = std::min(ValueStream::block, count.figures.count - from);
            const auto* values = now.read(from, n);
            count.add(values, from, n);
            if (old) count.compare(values, then.read(from, n), n);
            done += double(n * dtypeBytes(entry.dtype));
            if (from % (64 * ValueStream::block) == 0)
                progress.publish(ProgressEvent { "reading weights", done, bytes, "bytes" });
        }
        all.tensors.push_back(count.end(old != nullptr));
        all.tensors.back().name = name;
        if (request.ranks) all.tensors.back().rank = effectiveRank(reader, entry, stop);
    }
    return all;
}

std::vector<SavedWeights> savedWeights(const fs::path& run)
{
    std::vector<SavedWeights> saved;
    const RunDirectory directory(run);
    std::error_code error;
    for (const auto& name : directory.list())
        if (const auto file = directory.checkpoints() / name / "model.safetensors"; fs::exists(file, error))
            saved.push_back({ checkpointStep(name).value_or(0), file });
    return saved;
}

} // namespace pha
