// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/activation_figures.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

constexpr double outlying = 6, silence = 0.01;

/// Root mean square and largest magnitude of each channel.
struct Channel {
    double square = 0, largest = 0; ///< square: a sum
    std::int64_t count = 0;
    double rms() const { return count > 0 ? std::sqrt(square / double(count)) : 0; }
};

void readNumbers(ActivationFigures& figures, const Tensor& values)
{
    const auto x = values.to(torch::kCPU, torch::kDouble).contiguous(); // (T,C)
    const auto T = x.size(0), C = x.size(1);
    const auto* at = x.data_ptr<double>();
    std::vector<Channel> channels { std::size_t(C) };
    double squares = 0, fourth = 0;
    std::int64_t count = 0;
    for (std::int64_t t = 0; t < T; ++t) {
        for (std::int64_t c = 0; c < C; ++c) {
            const double value = at[t * C + c], size = std::abs(value);
            if (!std::isfinite(float(value))) {
                ++figures.notFinite;
                continue;
            }
            auto& channel = channels[std::size_t(c)];
            channel.square += value * value;
            channel.largest = std::max(channel.largest, size);
            ++channel.count;
            fourth += value * value * value * value;
            if (size > std::abs(figures.largest))
                figures.largest = value, figures.largestToken = t, figures.largestChannel = c;
        }
    }
    for (const auto& channel : channels) squares += channel.square, count += channel.count;
    figures.channels = C;
    if (!(squares > 0)) {
        figures.silent = C;
        figures.histogram[ActivationFigures::bins / 2] = count;
        return;
    }
    const double mean = squares / double(count);
    figures.rms = std::sqrt(mean);
    figures.kurtosis = fourth / double(count) / (mean * mean);
    for (std::int64_t i = 0; i < T * C; ++i) {
        if (!std::isfinite(float(at[i]))) continue;
        constexpr int half = ActivationFigures::bins / 2;
        const double bin = std::floor(4 * at[i] / figures.rms);
        ++figures.histogram[std::size_t(std::clamp(bin, -double(half), half - 1.0) + half)];
    }
    std::vector<double> sizes;
    for (const auto& channel : channels) {
        sizes.push_back(channel.rms());
        figures.silent += channel.largest < silence * figures.rms ? 1 : 0;
    }
    const auto middle = sizes.begin() + std::ptrdiff_t(sizes.size() / 2);
    std::nth_element(sizes.begin(), middle, sizes.end());
    const double usual = *middle;
    if (usual > 0)
        for (const auto& channel : channels) figures.outliers += channel.rms() > outlying * usual ? 1 : 0;
}

/// Of what a part adds with what the others of its layer add. Nothing where either adds nothing at any token.
std::optional<double> alikeOthers(const Watch& watch, std::int64_t layer, const std::string& part)
{
    Tensor own, others; // (T,D)
    for (const auto& write : watch.writes()) {
        if (write.layer != layer) continue;
        auto& sum = write.part == part ? own : others;
        sum = sum.defined() ? sum + write.written : write.written;
    }
    if (!own.defined() || !others.defined()) return {};
    const auto a = own.to(torch::kDouble), b = others.to(torch::kDouble);
    const auto sizes = a.norm(2, -1) * b.norm(2, -1);
    const auto both = sizes > 0;
    if (!both.any().item<bool>()) return {};
    return ((a * b).sum(-1).masked_select(both) / sizes.masked_select(both)).mean().item<double>();
}

} // namespace

std::vector<ActivationFigures> readActivations(const Watch& watch)
{
    std::vector<ActivationFigures> all;
    for (const auto& values : watch.values()) {
        ActivationFigures figures;
        figures.layer = values.layer, figures.part = values.part, figures.hidden = values.hidden;
        readNumbers(figures, values.x);
        if (!values.part.empty() && !values.hidden) figures.alike = alikeOthers(watch, values.layer, values.part);
        all.push_back(std::move(figures));
    }
    return all;
}

} // namespace pha
