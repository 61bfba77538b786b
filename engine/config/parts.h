// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace pha {

struct ModelConfig;

/// For whom a part is counted.
struct CostBasis {
    double context = 1024; ///< T
    double wide = 1; ///< size of a matrix number: 1 = bf16, 2 = fp32
};

/// What one part costs in one layer (models.md 11). Norms and residuals of the stream are the layer's.
struct PartCosts {
    std::int64_t parameters = 0;
    double flops = 0; ///< forward, per token; a multiply-add counts 2; attention at its true causal average
    double decodeFlops = 0; ///< of a token that is written by itself and sees `context` tokens
    double cacheElements = 0; ///< K and V, per token that is kept
    double stateReals = 0; ///< of the fixed-size state
    double activationBytes = 0; ///< per token, that backward needs
};

/// A part of a layer: the network builds it by its name (engine/model/parts.cpp), files, displays and commands call it
/// by that name.
struct PartInfo {
    std::string name; ///< of the module in files: "gss" in layers.3.gss.value
    std::string countedAs; ///< in lists of parameters: "ffn_aux"
    std::string title; ///< on displays: "GSS"
    bool branch = true; ///< may stand in a mix (field `branches`)
    PartCosts (*costs)(const ModelConfig& model, const CostBasis& basis);
};

/// All parts in the order of files and displays: gss, attention, ..., ffn, main (models.md 19.10).
const std::vector<PartInfo>& parts();
const PartInfo* findPart(const std::string& name); ///< null: no such part
std::vector<std::string> branchNames(); ///< the parts that may stand in a mix

} // namespace pha
