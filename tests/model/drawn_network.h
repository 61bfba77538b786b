// SPDX-License-Identifier: GPL-3.0-or-later
// A network with random weights behind the engine's interface, and texts that it reads as given ids.
#pragma once

#include "engine/eval/loaded_model.h"
#include "tests/model/family_variants.h"

namespace pha::test {

/// Named words, so that the text "w5 w0 ..." has these ids.
inline std::shared_ptr<const Tokenizer> words()
{
    std::vector<std::string> names;
    for (std::int64_t i = 0; i < vocabulary; ++i) names.push_back("w" + std::to_string(i));
    return Tokenizer::symbols(names);
}

inline std::string textOf(const Tensor& ids)
{
    std::string text;
    for (std::int64_t i = 0; i < ids.numel(); ++i) text += "w" + std::to_string(ids[i].item<std::int64_t>()) + " ";
    return text;
}

inline std::shared_ptr<LanguageModel> drawn(const ModelConfig& config)
{
    auto model = std::make_shared<LanguageModel>(config, 7);
    disturb(*model);
    return model;
}

/// After 12 updates of a run with such a context.
inline NetworkModel network(const std::shared_ptr<LanguageModel>& model, std::int64_t context = 24)
{
    RunConfig run;
    run.model = model->config();
    run.training.threads = 1;
    run.training.context = context;
    return { model, run, 12, words(), nullptr, torch::kFloat };
}

} // namespace pha::test
