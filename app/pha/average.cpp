// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/engine.h"
#include "engine/run/run_directory.h"

#include <fmt/format.h>

namespace pha::cli {

namespace {

struct AverageOptions {
    std::vector<std::string> checkpoints;
    std::string out;
    bool json = false;
};

int average(const AverageOptions& options)
{
    if (options.out.empty()) throw ConfigError("--out", "", "the file to write");
    const auto out = fs::path(options.out).extension() == ".safetensors" ? fs::path(options.out)
                                                                         : fs::path(options.out + ".safetensors");
    checkNewFile(out.string());
    for (const auto& each : options.checkpoints) requireModel(each);
    for (const auto& each : options.checkpoints) warnOfDamage(each);
    loadEngine().average({ options.checkpoints.begin(), options.checkpoints.end() }, out);
    if (options.json) {
        printJson({ { "file", out.string() }, { "checkpoints", options.checkpoints.size() } });
        return 0;
    }
    printLine(fmt::format("mean of {} checkpoint{} in {}", options.checkpoints.size(),
        options.checkpoints.size() == 1 ? "" : "s", out.string()));
    printLine("Score it      pha eval " + quotedPath(out));
    return 0;
}

} // namespace

void addAverage(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("average", "The mean of the weights of several checkpoints, as one file");
    auto options = std::make_shared<AverageOptions>();
    addWords(*command, "checkpoints", options->checkpoints, "Checkpoints or runs (their best one) of one shape")
        ->required();
    command->add_option("--out", options->out, "File to write; eval, generate, inspect and average take it")
        ->required();
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("The file holds weights, configuration and tokenizer, so it needs no run directory.\n"
                    "Example: pha average runs/pha-tiny-stories/checkpoints/step-00000200 "
                    "runs/pha-tiny-stories/checkpoints/step-00000300 --out mean.safetensors");
    command->callback([options, command, &program] {
        takeWords(*command, options->checkpoints);
        program.action = [options] { return average(*options); };
    });
}

} // namespace pha::cli
