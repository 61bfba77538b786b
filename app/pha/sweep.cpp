// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/signals.h"
#include "app/pha/sweep_plan.h"
#include "app/pha/sweep_runner.h"
#include "app/pha/sweep_table.h"
#include "app/pha/sweep_test_split.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/corpus.h"

#include <algorithm>
#include <csignal>
#include <set>

namespace pha::cli {

namespace {

struct SweepOptions {
    TrainOptions train;
    std::vector<std::string> grid;
    std::int64_t seeds = 1;
    std::string name, folder;
    bool table = false, evaluate = false;
};

SweepPlan makePlan(const SweepOptions& options, const CLI::App& command)
{
    std::vector<SweepAxis> axes;
    for (const auto& text : options.grid) axes.push_back(SweepAxis::parse(text));
    return planSweep(options.name, axes, options.seeds, [&](const SweepValues& values) {
        auto train = options.train;
        std::vector<Setting> more;
        for (const auto& value : values)
            if (value.first == "preset")
                train.preset = value.second;
            else
                more.push_back(value);
        return newConfig(train, command, more);
    });
}

fs::path folderOf(const SweepOptions& options)
{
    return options.folder.empty() ? defaultRunsFolder() : fs::path(options.folder);
}

/// Before anything starts: a text that is not there.
void refuseWhatCannotStart(const SweepPlan& plan, const std::vector<PlannedState>& states)
{
    std::set<std::string>
        texts; // with what is made of them: another tokenizer may be one that a prepared corpus has not
    for (std::size_t i = 0; i < plan.runs.size(); ++i) {
        if (states[i].todo == PlannedState::Todo::Nothing) continue;
        const auto& data = plan.runs[i].config.data;
        if (!texts.insert(plan.runs[i].config.toJson().at("data").dump()).second) continue;
        refuseIfDataIsGone(data.data);
        (void)Corpus::knownTokenizer(data);
    }
}

int interrupted()
{
    note("pha: stopped; go on with the same command");
    return 128 + (StopOnSignal::received() ? StopOnSignal::received() : SIGINT);
}

/// The runs that there are, and their test figures first if they are asked for.
int table(const SweepOptions& options, const fs::path& folder, const std::stop_token& stop)
{
    if (options.evaluate && !scoreTestSplits(folder, options.name, stop)) return interrupted();
    return printSweepTable(folder, options.name, options.train.json);
}

int train(
    const SweepOptions& options, const SweepPlan& plan, const std::vector<PlannedState>& states, const fs::path& folder)
{
    for (const auto& text : plan.notes) note("pha: note: " + oneLine(text));
    StopOnSignal stop;
    SweepRunner runner(plan, states, folder);
    if (!runner.run(stop.token())) return interrupted();
    if (std::none_of(plan.runs.begin(), plan.runs.end(),
            [&](const PlannedRun& run) { return RunDirectory(folder / run.name).exists(); }))
        throw Error("no run could begin", "the warnings above say why", ExitCode::Failed);
    if (const int code = table(options, folder, stop.token()); code != 0) return code;
    if (runner.failed() > 0) return int(ExitCode::Failed);
    return runner.diverged() > 0 ? int(ExitCode::Diverged) : 0;
}

int sweep(const SweepOptions& options, const CLI::App& command)
{
    const auto folder = folderOf(options);
    if (options.table) {
        StopOnSignal stop;
        return table(options, folder, stop.token());
    }
    const auto plan = makePlan(options, command);
    std::vector<PlannedState> states;
    for (const auto& run : plan.runs) states.push_back(plannedState(run, folder / run.name));
    if (options.train.dryRun) return printSweepPlan(plan, states, folder, options.train.json);
    refuseWhatCannotStart(plan, states);
    return train(options, plan, states, folder);
}

} // namespace

void addSweep(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand(
        "sweep", "Train several runs one after another: every combination of some values, with several seeds");
    auto options = std::make_shared<SweepOptions>();
    command->add_option("--name", options->name, "Begins the names of the runs, and is their tag")->required();
    addRecipeOptions(*command, options->train);
    command->add_option("--steps", options->train.steps, "Optimiser updates of each run");
    command
        ->add_option("--grid", options->grid,
            "KEY=VALUE,VALUE,... for any field, or preset=NAME,NAME; may be repeated. Where a semicolon occurs, "
            "semicolons separate; values of branches, attention_layers, pruned_branches, prior and skip_data, which "
            "hold commas, take no other separator")
        ->allow_extra_args(false);
    addInteger(*command, "--seeds", options->seeds, "Runs of each combination, with seeds that count up from --seed");
    command->add_option("--runs-dir", options->folder, "Folder of the runs, if not the window's usual one");
    command->add_flag("--eval", options->evaluate,
        "Score the test split with the best checkpoint of each finished run, and show it in the table; what has been "
        "scored is not scored again");
    command->add_flag(
        "--dry-run", options->train.dryRun, "List the runs with their parameters, memory, time and state");
    command->add_flag("--table", options->table, "Print the table of the runs that there are, and train nothing");
    command->add_flag("--json", options->train.json, "The table, or the plan, as one JSON document");
    command->footer(
        "All combinations are checked before the first run starts. A run that diverges or fails stops no other.\n"
        "SIGINT or SIGTERM: the present run stops with a checkpoint. The same command again goes on: what has finished "
        "or\ndiverged is passed over, what was stopped or has failed is resumed. Further values or seeds under the "
        "same name add\nruns; with other settings for a run that is there the whole is refused. Several processes may "
        "share a sweep: what\nanother one trains is passed over, and looked at again at the end. A run whose settings "
        "were changed by hand while\nit trained counts as done, and has a row of its own in the table.\n"
        "Exit codes: 1 if a run failed, else 4 if one diverged, else 0.\n"
        "Example: pha sweep --name rates --preset pha-tiny --data stories --grid learning_rate=0.0005,0.001,0.002 "
        "--seeds 3\n"
        "         pha sweep --name shapes --data stories --grid preset=pha-tiny,transformer-tiny --steps 300 "
        "--dry-run\n"
        "         pha sweep --name rates --table --eval; pha runs --find tag:rates");
    command->callback(
        [options, command, &program] { program.action = [options, command] { return sweep(*options, *command); }; });
}

} // namespace pha::cli
