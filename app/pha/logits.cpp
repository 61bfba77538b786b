// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/engine.h"

#include <fmt/format.h>

namespace pha::cli {

namespace {

struct LogitsOptions : DeviceOptions {
    std::string target, tokens, out;
    bool recurrent = false, json = false;
};

int logits(const LogitsOptions& options)
{
    std::vector<std::int64_t> tokens;
    for (const auto& part : splitCommas(options.tokens)) {
        tokens.push_back(parseInteger("--tokens", part));
        if (tokens.back() < 0) throw ConfigError("--tokens", part, "ids of pieces, which count from 0");
    }
    checkNewFile(options.out);
    const auto model = options.load(options.target);
    for (const auto token : tokens) checkRange("--tokens", token, 0, model->config().model.vocabulary - 1);
    model->writeLogits(tokens, options.recurrent, options.out);
    const auto vocabulary = model->config().model.vocabulary;
    if (options.json)
        printJson(
            { { "out", options.out }, { "shape", { tokens.size(), vocabulary } }, { "recurrent", options.recurrent } });
    else
        printLine(fmt::format("{}: logits ({},{}), {}", options.out, tokens.size(), vocabulary,
            options.recurrent ? "recurrent" : "parallel"));
    return 0;
}

} // namespace

void addLogits(CLI::App& root, Program& program)
{
    auto* command =
        root.add_subcommand("logits", "Write raw logits (T,V) fp32, to check against another implementation");
    auto options = std::make_shared<LogitsOptions>();
    command->add_option("target", options->target, "Checkpoint or run directory")->required();
    command->add_option("--tokens", options->tokens, "Token ids separated by commas")->required();
    command->add_option("--out", options->out, "Safetensors file to write, with the one tensor \"logits\"")->required();
    command->add_flag("--recurrent", options->recurrent, "Token by token with a state, as generation does");
    options->addDevice(*command);
    options->addPrecision(*command);
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha logits runs/pha-tiny-stories --tokens 5,6,7 --out logits.safetensors");
    command->callback([options, &program] { program.action = [options] { return logits(*options); }; });
}

} // namespace pha::cli
