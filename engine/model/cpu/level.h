// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/cpu/kernels.h"

/// The kernels as compiled for one level of instructions: PHA_CPU_LEVEL is its name (engine/CMakeLists.txt).
namespace pha::cpu::PHA_CPU_LEVEL {

void attentionForward(const Attention&, std::int64_t from, std::int64_t to, float* scratch);
void attentionBackward(const Attention&, std::int64_t from, std::int64_t to, float* scratch);
void scanForward(const Scan&, std::int64_t from, std::int64_t to);
void scanBackward(const Scan&, std::int64_t from, std::int64_t to);
void residualNormForward(const ResidualNorm&, std::int64_t from, std::int64_t to);
void residualNormBackward(const ResidualNorm&, std::int64_t from, std::int64_t to);
void headsForward(const Heads&, std::int64_t from, std::int64_t to);
void headsBackward(const Heads&, std::int64_t from, std::int64_t to);
void spectrumForward(const Spectrum&, std::int64_t from, std::int64_t to);
void spectrumBackward(const Spectrum&, std::int64_t from, std::int64_t to);
void activationForward(Activation, const float* a, const float* b, float* y, std::int64_t count);
void activationBackward(
    Activation, const float* dy, const float* a, const float* b, float* da, float* db, float* y, std::int64_t count);
void gateForward(const float* a, const float* e, float* y, std::int64_t count);
void gateBackward(const float* dy, const float* a, const float* e, float* da, float* de, float* y, std::int64_t count);
void geluNormForward(
    const float* a, const float* gain, float* x, float* inverse, std::int64_t rows, std::int64_t width, float eps);
void geluNormBackward(const float* dx, const float* a, const float* gain, const float* inverse, float* da, float* dgain,
    std::int64_t rows, std::int64_t width);
void fewRows(const float* x, const float* w, float* y, std::int64_t rows, std::int64_t in, std::int64_t yRow,
    std::int64_t from, std::int64_t to);
float lossRow(float* z, std::int64_t target, bool gradient, bool* correct, std::int64_t width);
float softmaxRow(const SoftmaxRow&);
void muonUpdate(const Muon&, float* scratch);
void stepRows(const StepRows&, const float* x, float* y, std::int64_t from, std::int64_t to, float* scratch);
void stepAttention(const StepAttention&, std::int64_t position, std::int64_t task, float* scratch);
void stepJoin(const StepAttention&, std::int64_t pieces, std::int64_t task);
void stepScan(const StepScan&, std::int64_t task);
void stepNorm(const StepNorm&, std::int64_t task);

} // namespace pha::cpu::PHA_CPU_LEVEL
