// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/cpu/level.h"

namespace pha::cpu::PHA_CPU_LEVEL {

extern const Kernels table;
const Kernels table { attentionForward, attentionBackward, scanForward, scanBackward, residualNormForward,
    residualNormBackward, headsForward, headsBackward, spectrumForward, spectrumBackward, activationForward,
    activationBackward, gateForward, gateBackward, geluNormForward, geluNormBackward, fewRows, lossRow, softmaxRow,
    muonUpdate, stepRows, stepAttention, stepJoin, stepScan, stepNorm };

} // namespace pha::cpu::PHA_CPU_LEVEL
