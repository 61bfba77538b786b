// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/step.h"

#include <memory>

namespace pha::cpu {

/// A step of cuda/step.h on processors: threads are called once for all of it, not for each operation, and take its
/// tasks as they come. Results do not depend on their number.
class ProcessorStep {
public:
    static bool fits(const kernels::StepModel& model);
    /// The model's memory stays the caller's.
    explicit ProcessorStep(const kernels::StepModel& model);
    ~ProcessorStep();
    /// ids (B) after `position` tokens -> logits (B,V).
    void run(const std::int64_t* ids, std::int64_t position, float* logits);

private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

} // namespace pha::cpu
