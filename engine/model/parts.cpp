// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/h3.h"
#include "engine/model/hedgehog.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/parts.h"
#include "engine/model/device_cache.h"

/// The one list of parts that a layer can be built from. A new one is a class derived from Branch in a file of its own,
/// a line here and a row in engine/config/parts.cpp.
namespace pha {

namespace {

using Make = std::shared_ptr<Branch> (*)(const ModelConfig&);

template <class Part> std::shared_ptr<Branch> make(const ModelConfig& config) { return std::make_shared<Part>(config); }

std::shared_ptr<Branch> makeGss(const ModelConfig& c)
{
    return c.gssKind == "gated_rec" ? make<GatedRecurrenceBranch>(c) : make<GssBranch>(c);
}
std::shared_ptr<Branch> makeAuxiliary(const ModelConfig& c)
{
    return std::make_shared<FeedForward>("swiglu", c.width, c.auxWidth, c.biases);
}
std::shared_ptr<Branch> makeMain(const ModelConfig& c)
{
    return std::make_shared<FeedForward>(c.ffnKind, c.width, c.mainWidth, c.biases);
}

const std::pair<const char*, Make> makers[] {
    { "gss", makeGss },
    { "attention", make<AttentionBranch> },
    { "h3", make<H3Branch> },
    { "hedgehog", make<HedgehogBranch> },
    { "ffn", makeAuxiliary },
    { "main", makeMain },
};

} // namespace

bool Branch::draw(const std::string&, Tensor&, Initialiser&) const { return false; }

bool Branch::describe(kernels::StepPart&, StepSource&, BlockState&) const { return false; }

const void* StepSource::matrix(const Tensor& matrix, std::int64_t rows)
{
    held.push_back(
        type == torch::kBFloat16 ? cache.stacked({ matrix }, rows) : matrix.detach().to(torch::kFloat).contiguous());
    return held.back().data_ptr();
}
const float* StepSource::numbers(const Tensor& numbers)
{
    held.push_back(numbers.detach().to(torch::kFloat).contiguous());
    return held.back().data_ptr<float>();
}

std::shared_ptr<Branch> makeBranch(const std::string& name, const ModelConfig& config)
{
    for (const auto& [known, maker] : makers)
        if (name == known) return maker(config);
    throw ConfigError("branches", name, "any of " + joinList(branchNames()));
}

} // namespace pha
