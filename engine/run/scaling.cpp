// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/scaling.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/seed_groups.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <set>
#include <tuple>

namespace pha {

namespace {

constexpr double never = std::numeric_limits<double>::infinity();

/// Student's t that 95 % lie below.
double studentT(std::size_t freedom)
{
    static constexpr std::array<double, 12> table { 6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833,
        1.812, 1.796, 1.782 };
    if (freedom <= table.size()) return table[freedom - 1];
    const double n = double(freedom), z = 1.6449; // the first terms of Cornish and Fisher's expansion
    return z + (z * z * z + z) / (4 * n) + (5 * std::pow(z, 5) + 16 * z * z * z + 3 * z) / (96 * n * n);
}

double weight(double loss, double base)
{
    const double part = (loss - base) / loss;
    return part * part;
}

/// Walks from `inside`, where `holds`, towards `outside`, where it does not. -> the border
template <class Holds> double border(double inside, double outside, const Holds& holds)
{
    for (int i = 0; i < 24; ++i) {
        const double middle = (inside + outside) / 2;
        (holds(middle) ? inside : outside) = middle;
    }
    return inside;
}

/// Where `f`, which has one valley, is least in [0, top): a grid finds the valley, halving the steps its lowest place.
/// -> the place and the value; the first one that is `enough` ends the search
template <class F>
std::pair<double, double> lowest(double top, int steps, int halvings, const F& f, double enough = -never)
{
    double at = 0, least = f(0.0), step = top / steps;
    const auto look = [&](double x) {
        if (x < 0 || x >= top || least <= enough) return;
        if (const double found = f(x); found < least) least = found, at = x;
    };
    for (int i = 1; i < steps; ++i) look(step * i);
    for (int i = 0; i < halvings; ++i) {
        step /= 2;
        const double around = at;
        look(around - step);
        look(around + step);
    }
    return { at, least };
}

} // namespace

/// ln (loss - floor) = height - exponent x
struct ScalingLaw::Line {
    double floor = 0, height = 0, exponent = 0;
    double at(double x) const { return floor + std::exp(height - exponent * x); }
};

double ScalingLaw::residual(const Line& line) const
{
    if (!(line.exponent > 0)) return never; // it does not fall
    double sum = 0;
    for (const auto& [x, loss] : points_) {
        const double difference = std::log(loss / line.at(x));
        sum += difference * difference;
    }
    return sum;
}

/// With the floor known, the rest is a straight line: the best of those through a point. A small change of ln loss is
/// one of ln (loss - floor) that is larger by loss / (loss - floor): hence the weights.
ScalingLaw::Line ScalingLaw::lineThrough(double base, double x0, double y0) const
{
    double xx = 0, xy = 0;
    for (const auto& [x, loss] : points_) {
        const double w = weight(loss, base);
        xx += w * (x - x0) * (x - x0);
        xy += w * (x - x0) * (std::log(loss - base) - y0);
    }
    const double power = -xy / xx;
    return { base, y0 + power * x0, power };
}

/// The best of all lines goes through the middle of the points.
ScalingLaw::Line ScalingLaw::lineWithFloor(double base) const
{
    double weights = 0, x0 = 0, y0 = 0;
    for (const auto& [x, loss] : points_) {
        const double w = weight(loss, base);
        weights += w;
        x0 += w * x;
        y0 += w * std::log(loss - base);
    }
    return lineThrough(base, x0 / weights, y0 / weights);
}

std::optional<ScalingLaw> ScalingLaw::fit(const std::vector<std::pair<double, double>>& points)
{
    std::set<double> different;
    ScalingLaw law;
    double sum = 0;
    law.lowest_ = never;
    for (const auto& [flops, loss] : points) {
        if (!(flops > 0) || !(loss > 0) || !std::isfinite(flops) || !std::isfinite(loss)) return std::nullopt;
        different.insert(flops);
        sum += std::log(flops);
        law.lowest_ = std::min(law.lowest_, loss);
    }
    if (points.size() < 4 || different.size() < 3) return std::nullopt;
    law.center = std::exp(sum / double(points.size()));
    for (const auto& [flops, loss] : points) law.points_.emplace_back(std::log(flops / law.center), loss);

    double best = 0;
    std::tie(best, law.least_) =
        lowest(law.lowest_, 200, 40, [&law](double base) { return law.residual(law.lineWithFloor(base)); });
    if (!std::isfinite(law.least_)) return std::nullopt;
    const auto line = law.lineWithFloor(best);
    law.floor = line.floor;
    law.scale = std::exp(line.height);
    law.exponent = line.exponent;
    law.misfit = std::sqrt(law.least_ / double(points.size() - 3));
    return law;
}

double ScalingLaw::loss(double flops) const { return floor + scale * std::pow(flops / center, -exponent); }

double ScalingLaw::flops(double loss) const
{
    return loss > floor ? center * std::pow((loss - floor) / scale, -1 / exponent) : never;
}

std::pair<double, double> ScalingLaw::interval(double flops) const
{
    const double x = std::log(flops / center), middle = loss(flops);
    const auto freedom = points_.size() - 3;
    const double t = studentT(freedom);
    // A fit without any error leaves nothing open; the term keeps the comparison from failing by rounding.
    const double allowed = least_ * (1 + t * t / double(freedom)) + 1e-15;
    const double farthest = 40 + 6 * std::abs(x);
    const auto holds = [&](double there) { // some curve that has this loss there is not much worse than the best one
        // Far from the points the floor is all but what is there: it is looked for by the logarithm of how far below.
        const double top = std::min(lowest_, there);
        const auto worse = [&](double k) {
            const double below = top * std::exp(-k),
                         y = there > lowest_ ? std::log(there - top + below) : std::log(top) - k;
            return residual(lineThrough(top - below, x, y));
        };
        return lowest(farthest, 64, 14, worse, allowed).second <= allowed;
    };
    double above = middle;
    for (int i = 0; i < 60 && holds(above); ++i) above *= 1.25;
    return { border(middle, 0, holds), border(middle, above, holds) };
}

std::optional<std::pair<double, double>> ScalingStudy::common() const
{
    double from = 0, to = never;
    for (const auto& group : groups)
        if (group.law) {
            from = std::max(from, group.points.front().flops);
            to = std::min(to, group.points.back().flops);
        }
    return from <= to && std::isfinite(to) ? std::optional(std::pair(from, to)) : std::nullopt;
}

namespace {

/// Means over the seeds are compared, so that no run is kept for its luck.
void markBeaten(ScalingGroup& group)
{
    std::vector<const RunFigures*> runs;
    for (const auto& point : group.points) runs.push_back(point.run);
    struct Mean {
        std::vector<ScalingPoint*> points;
        double flops = 0, loss = 0;
    };
    std::vector<Mean> means;
    for (const auto& seeds : groupSeeds(runs)) {
        Mean mean;
        for (auto& point : group.points)
            if (std::count(seeds.runs.begin(), seeds.runs.end(), point.run)) mean.points.push_back(&point);
        for (const auto* point : mean.points) {
            mean.flops += point->flops / double(mean.points.size());
            mean.loss += point->loss / double(mean.points.size());
        }
        means.push_back(std::move(mean));
    }
    for (const auto& mean : means) {
        const bool beaten = std::any_of(means.begin(), means.end(),
            [&](const Mean& other) { return other.flops <= mean.flops * 1.001 && other.loss < mean.loss; });
        for (auto* point : mean.points) point->beaten = beaten;
    }
}

double trainingFlops(const RunFigures& run)
{
    const double share = run.last->step > 0 ? double(run.best->step) / double(run.last->step) : 0;
    const double tokens = run.bestTokens ? double(*run.bestTokens) : double(run.last->tokens) * share;
    return 3 * run.costs.forwardFlopsPerToken * tokens;
}

/// Whether losses are to be told per byte; throws if they cannot be compared at all.
bool needsBytes(const std::vector<const RunFigures*>& runs)
{
    bool perByte = false;
    for (const auto* run : runs) {
        const auto &first = *runs.front()->best, &one = *run->best;
        if (one.bytes != first.bytes || (one.bytes == 0 && one.tokens != first.tokens))
            throw Error("runs " + inQuotes(runs.front()->name) + " and " + inQuotes(run->name)
                    + " were evaluated on different texts",
                "compare runs of the same data, with eval_tokens=0 for the whole split", ExitCode::Usage);
        perByte = perByte || one.tokens != first.tokens;
    }
    return perByte;
}

} // namespace

ScalingStudy studyScaling(const std::vector<const RunFigures*>& runs, const std::string& key)
{
    ScalingStudy study;
    study.key = key;
    std::vector<const RunFigures*> known;
    for (const auto* run : runs) {
        const bool evaluated = run->best && run->last && run->best->step > 0 && std::isfinite(run->best->nll);
        if (evaluated)
            known.push_back(run);
        else
            study.left.push_back(run->name);
    }
    study.perByte = needsBytes(known);
    for (const auto* run : known) {
        const auto name = configText(*run, key);
        auto group = std::find_if(
            study.groups.begin(), study.groups.end(), [&](const ScalingGroup& g) { return g.name == name; });
        if (group == study.groups.end()) group = study.groups.insert(group, { name, {}, {} });
        group->points.push_back({ run, trainingFlops(*run), study.perByte ? run->best->bitsPerByte : run->best->nll });
    }
    for (auto& group : study.groups) {
        std::stable_sort(group.points.begin(), group.points.end(),
            [](const ScalingPoint& a, const ScalingPoint& b) { return a.flops < b.flops; });
        markBeaten(group);
        std::vector<std::pair<double, double>> counted;
        for (const auto& point : group.points)
            if (!point.beaten) counted.emplace_back(point.flops, point.loss);
        group.law = ScalingLaw::fit(counted);
    }
    return study;
}

} // namespace pha
