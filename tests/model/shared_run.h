// SPDX-License-Identifier: GPL-3.0-or-later
// Runs that several devices or computers share.
#pragma once

#include "tests/model/small_run.h"

#include <cmath>

namespace pha::test {

/// Three devices get 1, 2 and 2 sequences.
inline RunConfig sharedRun(std::int64_t devices)
{
    auto c = smallRun();
    c.training.steps = 6;
    c.training.batchSize = 5;
    c.training.accumulate = 2;
    c.training.dropout = 0;
    c.training.saveEvery = 3;
    c.training.devices = devices;
    return c;
}

inline std::vector<double> losses(const Recorder& recorder)
{
    std::vector<double> all;
    for (const auto& step : recorder.all<StepEvent>()) all.push_back(step.loss);
    return all;
}

/// Largest relative difference of two courses.
inline double farthest(const std::vector<double>& a, const std::vector<double>& b)
{
    if (a.size() != b.size()) return INFINITY;
    double most = 0;
    for (std::size_t i = 0; i < a.size(); ++i) most = std::max(most, std::abs(a[i] / b[i] - 1));
    return most;
}

} // namespace pha::test
