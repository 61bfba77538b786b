// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/model/weights.h"

namespace pha {

/// True for the matrices that Muon updates: those of the layers. Embeddings, norms, biases, state-space, mixing and
/// temperature parameters are AdamW's (models.md 14.5).
bool takenByMuon(const std::string& name, const Tensor& weight);

/// The orthogonal factors of matrices (...,R,C), roughly: five Newton-Schulz steps, which bring their singular values
/// into [0.7, 1.2] whatever they were. In bf16 on a GPU, in fp32 on the CPU. -> (...,R,C) fp32.
Tensor orthogonalise(const Tensor& matrices);

/// Momentum orthogonalised by Newton-Schulz (models.md 14.5), each logical matrix by itself. Holds nothing unless the
/// configuration chooses it.
class Muon {
public:
    Muon(const LanguageModel& model, const TrainingConfig& config);

    void adopt(const TrainingConfig& config) { config_ = config; } ///< other numbers, the same optimiser
    void zeroGrad();
    double gradNorm() const; ///< as of AdamW
    std::vector<Tensor> gradients() const;
    /// One update at `rate`; gradients are multiplied by `scale` first.
    void step(double rate, double scale);
    /// The same with numbers that a card reads where they are: gradients are divided by `divisor`, nothing changes if
    /// `skip` is 1. Matrices of one shape go through it together.
    void stepOnCard(const Tensor& rate, const Tensor& divisor, const Tensor& skip);
    NamedTensors state() const; ///< "muon.<parameter>"

private:
    struct Slot {
        std::string name;
        Tensor weight, momentum;
    };
    struct Shape {
        std::vector<Tensor> weights;
        Tensor momentum; ///< (n,R,C), of which each slot's is a part
    };
    std::vector<Slot> stepOnProcessor(double rate, double scale); ///< -> what is left to do

    TrainingConfig config_;
    std::vector<Slot> slots_;
    std::vector<Shape> shapes_;
};

} // namespace pha
