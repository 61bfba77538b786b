// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/layer_lines.h"

#include "app/pha/terminal.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha::cli {

std::vector<std::string> layerLines(const ModelConfig& model)
{
    struct Kind {
        std::string words, numbers;
    };
    std::vector<Kind> kinds; // in the order in which they first occur
    for (std::int64_t layer = 0; layer < model.layers;) {
        const auto words = layerWords(model, layer);
        auto last = layer;
        while (last + 1 < model.layers && layerWords(model, last + 1) == words) ++last;
        auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& k) { return k.words == words; });
        if (kind == kinds.end()) kind = kinds.insert(kind, { words, "" });
        if (!kind->numbers.empty()) kind->numbers += ", ";
        kind->numbers += last > layer ? fmt::format("{}-{}", layer, last) : std::to_string(layer);
        layer = last + 1;
    }
    std::vector<std::string> lines;
    for (const auto& kind : kinds) lines.push_back(kind.numbers + ": " + kind.words);
    return lines;
}

std::string keptLine(
    const ModelConfig& model, std::int64_t cacheBytesPerToken, std::int64_t fixedStateBytes, const std::string& inside)
{
    const auto span = model.attentionSpan;
    return fmt::format("to generate it keeps {} bytes a token ({}{}) and {} bytes whatever the length",
        withThousands(cacheBytesPerToken), inside,
        span > 0 ? fmt::format(", of at most {} tokens", withThousands(span)) : "", withThousands(fixedStateBytes));
}

} // namespace pha::cli
