// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/charts/sampled_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha::ui {

namespace {
constexpr int block = 64;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();
} // namespace

SampledGraph::Extremes SampledGraph::nothing()
{
    return { std::numeric_limits<double>::infinity(), -std::numeric_limits<double>::infinity() };
}

SampledGraph::SampledGraph(QCPAxis* keyAxis, QCPAxis* valueAxis)
    : QCPGraph(keyAxis, valueAxis)
{
    mDataContainer->setAutoSqueeze(false);
}

QRect SampledGraph::clipRect() const
{
    const auto rect = QCPGraph::clipRect();
    const int mark = scatterStyle().isNone() ? 0 : int(scatterStyle().size() / 2) + 1;
    return rect.adjusted(-mark, -mark, mark, mark);
}

void SampledGraph::append(double key, double value)
{
    if (!std::isfinite(value)) value = nan;
    const int index = count();
    // The container sorts by key and the pyramid counts by index: a key that runs backwards is drawn where the line is.
    if (index > 0) key = std::max(key, this->key(index - 1));
    mDataContainer->add(QCPGraphData(key, value));
    addToPyramid(index, value);
}

void SampledGraph::addToPyramid(int index, double value)
{
    std::size_t level = 0;
    for (qint64 size = block; level == 0 || index + 1 > size / block; size *= block, ++level) {
        if (level == levels_.size()) {
            levels_.emplace_back();
            if (level > 0) // a level that begins now starts with what the level below already knows
                for (std::size_t i = 0; i < levels_[level - 1].size(); ++i) {
                    if (i % block == 0) levels_[level].push_back(nothing());
                    levels_[level].back().add(levels_[level - 1][i].low);
                    levels_[level].back().add(levels_[level - 1][i].high);
                }
        }
        auto& row = levels_[level];
        while (qint64(row.size()) <= index / size) row.push_back(nothing());
        row[std::size_t(index / size)].add(value); // comparisons with NaN are false: it changes nothing
    }
}

/// One block, from what lies below it.
void SampledGraph::countAnew(std::size_t level, std::size_t place)
{
    auto fresh = nothing();
    if (level == 0) {
        for (int i = int(place) * block; i < std::min(count(), (int(place) + 1) * block); ++i) fresh.add(value(i));
    } else {
        const auto& below = levels_[level - 1];
        for (auto i = place * block; i < std::min(below.size(), (place + 1) * block); ++i) {
            fresh.add(below[i].low);
            fresh.add(below[i].high);
        }
    }
    levels_[level][place] = fresh;
}

void SampledGraph::replace(int index, double value)
{
    (mDataContainer->begin() + index)->value = std::isfinite(value) ? value : nan;
    qint64 size = block;
    for (std::size_t level = 0; level < levels_.size(); ++level, size *= block)
        countAnew(level, std::size_t(index / size));
}

void SampledGraph::truncate(int count)
{
    if (count >= this->count()) return;
    if (count <= 0) return clearPoints();
    mDataContainer->removeAfter(key(count - 1));
    qint64 size = block;
    for (std::size_t level = 0; level < levels_.size(); ++level, size *= block) {
        levels_[level].resize(std::size_t((count - 1) / size) + 1);
        countAnew(level, levels_[level].size() - 1);
    }
}

void SampledGraph::clearPoints()
{
    mDataContainer->clear();
    levels_.clear();
}

int SampledGraph::lowerBound(double key) const
{
    return int(mDataContainer->findBegin(key, false) - mDataContainer->constBegin());
}

bool SampledGraph::extremes(int from, int to, double& low, double& high) const
{
    auto found = nothing();
    const auto data = mDataContainer->constBegin();
    const auto points = [&](qint64 begin, qint64 end) {
        for (auto i = begin; i < end; ++i) found.add((data + i)->value);
    };
    // Ragged ends with the points themselves, then with the blocks of each level, until the largest blocks fill the
    // middle.
    qint64 begin = from, end = to;
    qint64 size = 1;
    for (std::size_t level = 0; begin < end; ++level) {
        const bool top = level >= levels_.size();
        const qint64 next = size * block;
        qint64 innerBegin = (begin + next - 1) / next * next, innerEnd = end / next * next;
        if (top || innerBegin >= innerEnd) innerBegin = innerEnd = end;
        const auto take = [&](qint64 a, qint64 b) {
            if (level == 0) return points(a, b);
            const auto& row = levels_[level - 1];
            for (auto i = a / size; i < b / size; ++i) {
                found.add(row[std::size_t(i)].low);
                found.add(row[std::size_t(i)].high);
            }
        };
        take(begin, innerBegin);
        take(innerEnd, end);
        begin = innerBegin;
        end = innerEnd;
        size = next;
    }
    if (found.low > found.high) return false;
    low = found.low;
    high = found.high;
    return true;
}

int SampledGraph::seek(int from, int to, double key, int guess) const
{
    // Columns hold similar numbers of points, so the last column's length brackets the next boundary in a step or two.
    const auto data = mDataContainer->constBegin();
    int low = from, high = std::min(to, from + std::max(1, guess));
    while (high < to && (data + high - 1)->key < key) {
        low = high;
        high = std::min(to, high + 2 * (high - from));
    }
    const auto found =
        std::lower_bound(data + low, data + high, key, [](const QCPGraphData& a, double k) { return a.key < k; });
    return int(found - data);
}

void SampledGraph::column(int from, int to, QVector<QCPGraphData>* out) const
{
    const auto data = mDataContainer->constBegin();
    if (to - from <= 4) {
        for (int i = from; i < to; ++i) out->append(*(data + i));
        return;
    }
    const auto first = *(data + from), last = *(data + to - 1);
    double low = 0, high = 0;
    if (!extremes(from, to, low, high)) {
        out->append(QCPGraphData(first.key, nan));
        return;
    }
    const double width = last.key - first.key;
    // Flat to within a pixel: more points would only thicken the line.
    if (const auto* axis = mValueAxis.data(); std::abs(axis->coordToPixel(high) - axis->coordToPixel(low)) < 0.8) {
        out->append(QCPGraphData(first.key + width / 2, (low + high) / 2));
        return;
    }
    if (std::isfinite(first.value)) out->append(first);
    out->append(QCPGraphData(first.key + width * 0.25, low));
    if (high > low) out->append(QCPGraphData(first.key + width * 0.75, high));
    if (std::isfinite(last.value)) out->append(last);
}

void SampledGraph::getOptimizedLineData(QVector<QCPGraphData>* lineData,
    const QCPGraphDataContainer::const_iterator& begin, const QCPGraphDataContainer::const_iterator& end) const
{
    const auto* axis = mKeyAxis.data();
    if (!lineData || !axis || begin == end) return;
    const auto first = mDataContainer->constBegin();
    const int to = int(end - first);
    int from = int(begin - first);
    const double pixel = 1 / mParentPlot->bufferDevicePixelRatio();
    const int columns = std::max(1, int(axis->axisRect()->width() / pixel));
    if (to - from <= 3 * columns) { // to look for columns would take longer than to draw all points
        lineData->resize(to - from);
        std::copy(begin, end, lineData->begin());
        return;
    }
    lineData->reserve(4 * columns + 8);
    const double left = axis->axisRect()->left() - 0.5; // where drawColumns() has its columns
    int guess = (to - from) / columns + 1;
    for (int i = 0; i < columns && from < to; ++i) {
        const int next = seek(from, to, axis->pixelToCoord(left + (i + 1) * pixel), guess);
        if (next == from) continue;
        column(from, next, lineData);
        guess = next - from + 1;
        from = next;
    }
    if (from < to) lineData->append(*(first + from)); // the line leaves the picture towards the next point
}

} // namespace pha::ui
