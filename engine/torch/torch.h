// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

/// What this project uses of LibTorch. <torch/torch.h> brings data loaders, optimizers and all layers besides: every
/// file would take three seconds longer to compile.

#include <torch/types.h> // first: torch/fft.h needs it and does not say so

#include <torch/autograd.h>
#include <torch/cuda.h>
#include <torch/fft.h>
#include <torch/nn/module.h>
#include <torch/utils.h>
