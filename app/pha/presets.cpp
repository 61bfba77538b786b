// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/layer_lines.h"
#include "app/pha/terminal.h"

#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/field_use.h"

#include <fmt/format.h>

#include <optional>

namespace pha::cli {

namespace {

struct PresetsOptions {
    std::optional<std::string> name;
    bool json = false;
};

ModelCosts costs(const Preset& preset) { return modelCosts(preset.config.model, preset.config.training.context); }

Json summary(const Preset& preset)
{
    const auto counts = costs(preset);
    const auto& model = preset.config.model;
    return { { "name", preset.name }, { "family", model.family }, { "parameters", counts.parameters },
        { "trainable", counts.trainable }, { "layers", model.layers }, { "width", model.width },
        { "vocabulary", model.vocabulary }, { "recipe_vocabulary", preset.config.data.vocabSize },
        { "summary", preset.summary } };
}

/// The recipe may train a smaller tokenizer than the shape is counted with.
std::string vocabularyNote(const RunConfig& config)
{
    const auto counted = fmt::format("with {} pieces", withThousands(config.model.vocabulary));
    if (config.data.vocabSize >= config.model.vocabulary) return counted;
    return fmt::format("{}; the recipe takes at most {}", counted, withThousands(config.data.vocabSize));
}

int printOne(const PresetsOptions& options)
{
    const auto& preset = findPreset(*options.name);
    const auto counts = costs(preset);
    if (options.json) {
        auto json = summary(preset);
        json["forward_flops_per_token"] = counts.forwardFlopsPerToken;
        json["cache_bytes_per_token"] = std::int64_t(counts.cacheElementsPerToken) * 4;
        json["fixed_state_bytes"] = std::int64_t(counts.fixedStateReals) * 4;
        json["parts"] = Json::object();
        for (const auto& part : counts.parts) json["parts"][part.part] = part.count;
        json["config"] = preset.config.toJson();
        printJson(json);
        return 0;
    }
    printLine(preset.name + ": " + preset.summary);
    printLine(fmt::format("{} parameters, {} of them trainable, {}\n", withThousands(counts.parameters),
        withThousands(counts.trainable), vocabularyNote(preset.config)));
    printLine("Layers");
    for (const auto& line : layerLines(preset.config.model)) printLine("  " + line);
    printLine("");
    Table parts({ "part", "parameters" });
    for (const auto& part : counts.parts) parts.add({ part.part, withThousands(part.count) });
    print(parts.text());
    printLine("\n"
        + keptLine(preset.config.model, std::int64_t(counts.cacheElementsPerToken) * 4,
            std::int64_t(counts.fixedStateReals) * 4, "keys and values in fp32"));
    std::string section;
    for (const auto& [group, field] : allFields()) {
        if (group == "model" && !fieldMatters(preset.config.model, field.name)) continue;
        if (section != field.section) printLine("\n" + (section = field.section));
        const auto value = preset.config.get(field.name);
        printLine(fmt::format("  {:<20} {}", field.name, value.is_string() ? value.get<std::string>() : value.dump()));
    }
    return 0;
}

int printAll(const PresetsOptions& options)
{
    if (options.json) {
        auto list = Json::array();
        for (const auto& preset : presets()) list.push_back(summary(preset));
        printJson(list);
        return 0;
    }
    Table table({ "preset", "parameters", "trainable", "layers", "width", "summary" });
    for (const auto& preset : presets()) {
        const auto counts = costs(preset);
        const auto& model = preset.config.model;
        table.add({ preset.name, withThousands(counts.parameters), withThousands(counts.trainable),
            std::to_string(model.layers), std::to_string(model.width), preset.summary });
    }
    print(table.text(outputWidth()));
    printLine(
        "\nThe tiny presets are counted " + vocabularyNote(findPreset("pha-tiny").config) + " (--set vocab_size=N)");
    return 0;
}

} // namespace

void addPresets(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("presets",
        "List the presets with their exact parameter counts and the vocabulary they are of, or show one whole");
    auto options = std::make_shared<PresetsOptions>();
    command->add_option("name", options->name, "Preset to show with every field");
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha presets pha-tiny");
    command->callback([options, &program] {
        program.action = [options] { return options->name ? printOne(*options) : printAll(*options); };
    });
}

} // namespace pha::cli
