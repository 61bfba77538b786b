// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/run/film.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_export.h"

namespace pha::cli {

namespace {

struct Options {
    std::string run, to, out;
    bool json = false;
};

int exportRun(const Options& options)
{
    RunDirectory(options.run).require();
    const auto folder = options.out.empty() ? fs::path(options.run) / "exports" / options.to : fs::path(options.out);
    std::int64_t badLines = 0;
    const auto write = options.to == "csv" ? exportCsv : options.to == "film" ? exportFilm : exportTensorBoard;
    const auto files = write(options.run, folder, &badLines);
    warnOfUnknown(options.run);
    warnOfBadLines(options.run, badLines);
    if (options.json) {
        Json names = Json::array();
        for (const auto& file : files) names.push_back(file.string());
        printJson({ { "to", options.to }, { "files", names } });
        return 0;
    }
    for (const auto& file : files) printLine(file.string());
    if (options.to == "tensorboard") printLine("Look at it    tensorboard --logdir " + quoted(folder.string()));
    return 0;
}

} // namespace

void addExport(CLI::App& root, Program& program)
{
    auto* command =
        root.add_subcommand("export", "A run's metrics for TensorBoard, as CSV tables, or its samples as a film");
    auto options = std::make_shared<Options>();
    command->add_option("run", options->run, "Run directory")->required();
    command
        ->add_option("--to", options->to,
            "tensorboard, csv, or film: one page for a browser, on which a slider goes through the samples")
        ->required()
        ->check(CLI::IsMember({ "tensorboard", "csv", "film" }));
    command->add_option(
        "--out", options->out, "Folder to write to; RUN/exports/tensorboard (or csv, film) if left out");
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha export runs/pha-tiny-stories --to tensorboard");
    command->callback([options, &program] { program.action = [options] { return exportRun(*options); }; });
}

} // namespace pha::cli
