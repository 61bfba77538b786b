// SPDX-License-Identifier: GPL-3.0-or-later
// Small networks of every family and form, that tests go through.
#pragma once

#include "engine/model/language_model.h"
#include "tests/model/numbers.h"

#include <QtTest>

#include <map>

namespace pha::test {

inline constexpr std::int64_t vocabulary = 67;

/// A network of the family with all that its preset says but the sizes.
inline ModelConfig small(const std::string& family)
{
    auto c = findPreset(family + "-tiny").config.model;
    c.vocabulary = vocabulary;
    c.layers = 3;
    c.width = 24;
    c.kvHeads = c.kvHeads == c.queryHeads ? 4 : 2;
    c.queryHeads = 4;
    c.gssExpand = 48;
    c.gssWidth = 6;
    c.gssState = 8;
    c.auxWidth = 20;
    c.mainWidth = 32;
    c.h3State = 6;
    return c;
}

using Changes = std::map<std::string, std::string>;

/// Every family as it is, with every residual form, and with what its parts can be told beside.
inline std::vector<std::pair<std::string, ModelConfig>> variants()
{
    std::vector<std::pair<std::string, ModelConfig>> all;
    const auto add = [&](const std::string& family, const Changes& changes) {
        RunConfig config;
        config.model = small(family);
        auto name = family;
        for (const auto& [key, value] : changes) {
            config.set(key, value);
            name += " " + key + "=" + value;
        }
        all.emplace_back(name, config.model);
    };
    for (const auto& family : families()) {
        add(family.name, {});
        for (const char* mode : { "prenorm_scaled", "deepnorm_post", "prenorm_alpha_literal" })
            add(family.name, { { "residual_mode", mode } });
    }
    for (const char* mode :
        { "softmax", "fixed", "channel_softmax", "sigmoid", "channel_sigmoid", "token", "token_sigmoid" })
        add("pha", { { "mix_mode", mode } });
    add("pha", { { "gss_kernel", "dss" } });
    add("pha", { { "gss_kind", "gated_rec" } });
    add("gss", { { "gss_kernel", "dss" } });
    add("gss-hybrid", { { "attention_span", "8" }, { "positions", "none" }, { "attention_layers", "0,2" } });
    add("transformer", { { "attention_span", "5" } });
    add("transformer",
        { { "norm_kind", "layernorm" }, { "biases", "true" }, { "positions", "learned" },
            { "ffn_kind", "gelu_tanh" } });
    add("transformer", { { "ffn_kind", "relu2" }, { "qk_mode", "qknorm" }, { "kv_heads", "2" } });
    add("h3", { { "h3_head_width", "4" }, { "attention_layers", "0" } });
    add("hedgehog", { { "feature_map", "exp" }, { "kv_heads", "2" }, { "qk_mode", "qknorm" } });
    add("sequential", { { "biases", "true" }, { "norm_kind", "layernorm" }, { "residual_mode", "deepnorm_post" } });
    return all;
}

inline Tensor someIds(std::int64_t rows, std::int64_t length)
{
    return torch::arange(rows * length, torch::kLong).mul(23).remainder(vocabulary).view({ rows, length });
}

/// Every vector away from what it starts at: gains of one and biases of zero would hide a mistake.
inline void disturb(LanguageModel& model)
{
    const torch::NoGradGuard guard;
    for (auto& p : model.parameters())
        if (p.dim() == 1 && p.requires_grad()) p.add_(torch::rand_like(p) * 0.2);
}

inline void addVariants()
{
    QTest::addColumn<int>("index");
    const auto all = variants();
    for (int i = 0; i < int(all.size()); ++i) QTest::newRow(all[std::size_t(i)].first.c_str()) << i;
}

inline ModelConfig chosen()
{
    QFETCH(int, index);
    return variants()[std::size_t(index)].second;
}

} // namespace pha::test
