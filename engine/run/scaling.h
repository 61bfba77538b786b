// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_figures.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

/// What runs of several sizes say of larger ones: their loss against the compute that training took.
namespace pha {

/// Loss = floor + scale (FLOPs / center)^-exponent, the form of Hoffmann et al. (arXiv 2203.15556) in compute alone.
class ScalingLaw {
public:
    /// `points`: FLOPs and loss. By least squares of the loss's logarithm; nothing for fewer than four points, fewer
    /// than three different FLOPs, or a loss that does not fall.
    static std::optional<ScalingLaw> fit(const std::vector<std::pair<double, double>>& points);

    double loss(double flops) const;
    double flops(double loss) const; ///< that reach it; infinite where the floor is not below it
    /// Between which losses 90 % of what the points leave open lies (profile likelihood, Student's t of the points left
    /// over): how far the curve may bend, not whether larger runs follow it at all.
    std::pair<double, double> interval(double flops) const;

    double floor = 0, scale = 0, exponent = 0;
    double center = 1; ///< FLOPs, in the middle of the points
    double misfit = 0; ///< standard deviation of loss / curve - 1

private:
    struct Line;
    double residual(const Line& line) const;
    Line lineThrough(double base, double x0, double y0) const;
    Line lineWithFloor(double base) const;

    std::vector<std::pair<double, double>> points_; ///< ln (FLOPs / center) and loss
    double least_ = 0; ///< smallest sum of squares
    double lowest_ = 0; ///< loss
};

struct ScalingPoint {
    const RunFigures* run = nullptr;
    double flops = 0; ///< of training up to its best evaluation: three forward passes of each token
    double loss = 0; ///< of that evaluation, in the unit of the study
    bool beaten = false; ///< others of its group reach less with no more compute: it does not count
};

struct ScalingGroup {
    std::string name;
    std::vector<ScalingPoint> points; ///< by FLOPs
    std::optional<ScalingLaw> law; ///< of those that are not beaten
};

struct ScalingStudy {
    std::string key; ///< the setting whose values are the groups
    bool perByte = false; ///< losses are bits a byte: the runs have different tokenizers; else nats a token
    std::vector<ScalingGroup> groups; ///< in the order of their first runs
    std::vector<std::string> left; ///< names of runs without an evaluation
    /// FLOPs that every group with a law has measured; nothing if they have none in common.
    std::optional<std::pair<double, double>> common() const;
};

/// Runs of one value of `key` are a group. Throws Error (Usage) if their losses are not of the same text, and
/// ConfigError for an unknown key. The pointers are not owned.
ScalingStudy studyScaling(const std::vector<const RunFigures*>& runs, const std::string& key = "family");

} // namespace pha
