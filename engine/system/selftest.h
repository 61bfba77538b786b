// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "engine/torch/torch.h"

namespace pha {

/// The numeric identities of models.md section 15 on the user's own machine, in seconds. `device` other than the CPU is
/// also compared with the CPU.
std::vector<CheckRow> runSelftest(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow);

/// The fused kernels of a card against the plain operations, gradients included. No rows without them.
std::vector<CheckRow> runFusedChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow);

/// Updates that a card replays against the same ones launched one by one. No rows elsewhere.
std::vector<CheckRow> runCapturedChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow);

/// Updates that several devices share against those of one. No rows where there is one card.
std::vector<CheckRow> runTeamChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow);

/// What a card draws from logits, and the texts that it writes so, against the processor. No rows without its kernel.
std::vector<CheckRow> runDrawChecks(const torch::Device& device, const std::function<void(const CheckRow&)>& onRow);

} // namespace pha
