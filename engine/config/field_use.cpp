// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/field_use.h"

#include "engine/config/config.h"
#include "engine/config/families.h"

#include <algorithm>
#include <functional>
#include <map>

namespace pha {

namespace {

/// What a network is made of, asked once.
class Make {
public:
    explicit Make(const ModelConfig& model)
        : m_(model)
        , parts_(modelParts(model))
    {
        auto other = model; // families that read a field have other layers when it changes
        other.mainWidth = std::max<std::int64_t>(model.mainWidth, 1);
        const auto withMain = modelParts(other);
        takesMain_ = std::count(withMain.begin(), withMain.end(), "main") > 0;
        other = model;
        other.attentionLayers = "0";
        const auto first = layerParts(other, 0);
        other.attentionLayers = std::to_string(model.layers); // none
        picksLayers_ = layerParts(other, 0) != first;
    }

    bool has(const char* part) const { return std::count(parts_.begin(), parts_.end(), part) > 0; }
    bool mixes() const { return !m_.branchList().empty(); }
    bool attends() const { return has("attention") || has("hedgehog"); }
    bool mehta() const { return has("gss") && m_.gssKind == "mehta"; }
    bool gated() const { return has("gss") && m_.gssKind == "gated_rec"; }
    bool takesMain() const { return takesMain_; }
    bool picksLayers() const { return picksLayers_; }
    const ModelConfig& model() const { return m_; }

private:
    const ModelConfig& m_;
    std::vector<std::string> parts_;
    bool takesMain_ = false, picksLayers_ = false;
};

using Rule = std::function<bool(const Make&)>;

/// Fields that are not in the list always matter.
const std::map<std::string, Rule>& rules()
{
    const Rule mixes = &Make::mixes, attends = &Make::attends, mehta = &Make::mehta, gated = &Make::gated;
    const Rule h3 = [](const Make& make) { return make.has("h3"); };
    const Rule main = [](const Make& make) { return make.has("main"); };
    static const std::map<std::string, Rule> all {
        { "branches", mixes },
        { "mix_mode", mixes },
        { "branch_norm_affine", mixes },
        { "query_heads", attends },
        { "kv_heads", attends },
        { "qk_mode", attends },
        { "positions", [](const Make& make) { return make.attends() || make.model().positions == "learned"; } },
        { "rope_base", [](const Make& make) { return make.attends() && make.model().positions == "rope"; } },
        { "max_positions", [](const Make& make) { return make.model().positions == "learned"; } },
        { "attention_span", [](const Make& make) { return make.has("attention"); } },
        { "attention_layers", &Make::picksLayers },
        { "gss_kind", [](const Make& make) { return make.has("gss"); } },
        { "gss_kernel", mehta },
        { "gss_expand", mehta },
        { "gss_width", mehta },
        { "gss_state", mehta },
        { "gss_init", [](const Make& make) { return make.mehta() && make.model().gssKernel == "s4d"; } },
        { "gss_scale", [](const Make& make) { return make.mehta() && make.model().gssKernel == "dss"; } },
        { "gss_convolution", mehta },
        { "gss_hidden", gated },
        { "gss_filter", gated },
        { "h3_state", h3 },
        { "h3_head_width", h3 },
        { "feature_map", [](const Make& make) { return make.has("hedgehog"); } },
        { "aux_width", [](const Make& make) { return make.has("ffn"); } },
        { "main_width", &Make::takesMain },
        { "ffn_kind", main },
        { "zero_init", main },
        { "biases", [](const Make& make) { return make.attends() || make.has("h3") || make.has("main"); } },
    };
    return all;
}

} // namespace

bool fieldMatters(const ModelConfig& model, const std::string& field)
{
    const auto rule = rules().find(field);
    return rule == rules().end() || rule->second(Make(model));
}

} // namespace pha
