// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/capsule.h"
#include "engine/run/film.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_export.h"

namespace pha::cli {

namespace {

struct ExportOptions {
    std::string run, to, out;
    CapsuleOptions capsule;
    bool json = false;
};

/// RUN's name, beside the reader: a capsule is made to be taken away.
fs::path capsuleFile(const ExportOptions& options)
{
    if (!options.out.empty()) return options.out;
    auto run = fs::absolute(options.run).lexically_normal();
    if (!run.has_filename()) run = run.parent_path();
    return run.filename().string() + ".pha";
}

int exportCapsule(const ExportOptions& options)
{
    const auto file = capsuleFile(options);
    StopOnSignal stop;
    ProgressView view(false);
    const auto capsule = writeCapsule(options.run, file, options.capsule, view, stop.token());
    view.clearBar();
    warnOfUnknown(options.run);
    warnOfDamage(options.run);
    if (options.json) {
        auto files = Json::array();
        for (const auto& entry : capsule.files)
            files.push_back({ { "path", entry.path }, { "bytes", entry.bytes }, { "sha256", entry.sha256 } });
        printJson({ { "to", options.to }, { "files", { file.string() } }, { "bytes", capsule.bytes() },
            { "members", std::move(files) } });
        return 0;
    }
    printLine(file.string() + "  " + formatBytes(double(capsule.bytes())));
    printLine("Open it       pha runs import " + quotedPath(file));
    return 0;
}

/// A run that somebody else made must not lead what is written beside it to another place.
fs::path defaultFolder(const fs::path& run, const std::string& to)
{
    const auto exports = run / "exports", folder = exports / to;
    std::error_code error;
    for (const auto& path : { exports, folder })
        if (fs::is_symlink(fs::symlink_status(path, error)))
            throw DataError(path.string(), "is a symbolic link, which an export does not follow",
                "name the folder to write to with --out");
    return folder;
}

int exportRun(ExportOptions options)
{
    options.run = runNamed(options.run).string();
    const auto& capsule = options.capsule;
    if (options.to == "capsule") return exportCapsule(options);
    if (capsule.weightsOnly || capsule.allCheckpoints)
        throw Error("--weights-only and --all-checkpoints are for capsules", "add --to capsule", ExitCode::Usage);
    const auto folder = options.out.empty() ? defaultFolder(options.run, options.to) : fs::path(options.out);
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
    if (options.to == "tensorboard") printLine("Look at it    tensorboard --logdir " + quotedPath(folder));
    return 0;
}

} // namespace

void addExport(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand(
        "export", "A run as one file, its metrics for TensorBoard or as CSV tables, or its samples as a film");
    auto options = std::make_shared<ExportOptions>();
    command->add_option("run", options->run, "Run directory")->required();
    command
        ->add_option("--to", options->to,
            "tensorboard, csv, film (one page for a browser, on which a slider goes through the samples), or capsule: "
            "the "
            "whole run as one file that 'pha runs import' and the window open")
        ->required()
        ->check(CLI::IsMember({ "tensorboard", "csv", "film", "capsule" }));
    command->add_option("--out", options->out,
        "Folder to write to; RUN/exports/tensorboard (or csv, film) if left out. Of a capsule the file; RUN.pha here "
        "if left out");
    command->add_flag("--weights-only", options->capsule.weightsOnly,
        "Capsule: without the optimiser's state, much smaller; it can be evaluated, not trained further");
    command->add_flag("--all-checkpoints", options->capsule.allCheckpoints,
        "Capsule: every checkpoint, not only the best and the latest");
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha export runs/pha-tiny-stories --to tensorboard");
    command->callback([options, &program] { program.action = [options] { return exportRun(*options); }; });
}

} // namespace pha::cli
