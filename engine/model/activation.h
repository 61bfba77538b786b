// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cuda/kernels.h"

#include <string>

namespace pha {

/// ffn_kind as the kernels know it.
inline kernels::Activation activationOf(const std::string& kind)
{
    return kind == "swiglu"   ? kernels::Activation::SwiGlu
        : kind == "gelu"      ? kernels::Activation::Gelu
        : kind == "gelu_tanh" ? kernels::Activation::GeluTanh
                              : kernels::Activation::Relu2;
}

} // namespace pha
