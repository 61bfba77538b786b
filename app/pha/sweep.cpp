// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/signals.h"
#include "app/pha/sweep_runner.h"
#include "app/pha/sweep_table.h"
#include "app/pha/sweep_test_split.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/corpus.h"
#include "engine/data/tasks.h"
#include "engine/run/run_about.h"

#include <fmt/format.h>

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

/// A word that `pha runs tag` would take.
void checkTag(const std::string& name)
{
    RunAbout about;
    AboutChange change;
    change.addTags = { name };
    change.applyTo(about);
}

SweepPlan makePlan(const SweepOptions& options, const CLI::App& command)
{
    std::vector<SweepAxis> axes;
    for (const auto& text : options.grid) axes.push_back(SweepAxis::parse(text));
    auto plan = planSweep(options.name, axes, options.seeds, [&](const SweepValues& values) {
        auto train = options.train;
        std::vector<Setting> more;
        for (const auto& value : values)
            if (value.first == "preset")
                train.preset = value.second;
            else
                more.push_back(value);
        return newConfig(train, command, more);
    });
    checkTag(options.name);
    return plan;
}

fs::path folderOf(const SweepOptions& options)
{
    return options.folder.empty() ? defaultRunsFolder() : fs::path(options.folder);
}

/// What each run costs. Runs on the same text have the same tokenizer, which is asked for once.
struct RunCosts {
    std::int64_t parameters = 0;
    bool exact = true;
    double bytes = 0, tokens = 0;
    std::optional<TimeEstimate::Basis> basis; ///< of the time
    double seconds = 0; ///< that are still to come
};

/// Tokens that are still to be trained on.
double tokensAhead(const RunConfig& config, const PlannedState& state)
{
    if (state.todo == PlannedState::Todo::Nothing) return 0;
    return config.training.totalTokens() - config.training.totalTokens(std::min(state.run.step, config.training.steps));
}

std::vector<RunCosts> costsOf(const SweepPlan& plan, const std::vector<PlannedState>& states, const fs::path& folder)
{
    TimeEstimate here(folder), usual(defaultRunsFolder());
    struct Shape {
        Json data;
        std::int64_t vocabulary = 0;
        bool exact = true;
    };
    std::vector<Shape> known;
    std::vector<RunCosts> all;
    for (std::size_t i = 0; i < plan.runs.size(); ++i) {
        const auto& run = plan.runs[i];
        auto config = run.config;
        const auto data = config.toJson().at("data");
        auto shape = std::find_if(known.begin(), known.end(), [&](const Shape& s) { return s.data == data; });
        if (shape == known.end()) {
            TrainingRequest request;
            request.config = config;
            const bool exact = settlePlanned(request, config);
            shape = known.insert(known.end(), { data, config.model.vocabulary, exact });
        }
        config.model.vocabulary = shape->vocabulary;
        settleTaskShape(config);
        all.push_back({ modelCosts(config.model, config.training.context).parameters, shape->exact,
            trainingBytes(config), config.training.totalTokens(), {}, 0 });
        auto basis = here.basis(config);
        if (!basis) basis = usual.basis(config);
        if (basis) all.back().seconds = TimeEstimate::seconds(*basis, config, tokensAhead(config, states[i]));
        all.back().basis = std::move(basis);
    }
    return all;
}

std::string todoWord(const PlannedState& state)
{
    switch (state.todo) {
    case PlannedState::Todo::Begin:
        return "to do";
    case PlannedState::Todo::GoOn:
        return fmt::format("goes on after step {}", withThousands(state.run.step));
    case PlannedState::Todo::Nothing:
        return stateWord(state.run.state, state.run.interrupted);
    case PlannedState::Todo::Busy:
        return fmt::format("process {} trains it", state.run.holder);
    }
    return {};
}

std::string todoText(const PlannedState& state)
{
    return todoWord(state) + (state.changes.empty() ? "" : ", changed by hand");
}

/// The time of all that is still to do, and what it rests on: what most of it does stands first.
std::string timeText(const std::vector<RunCosts>& costs, double seconds)
{
    if (seconds <= 0) return "nothing left to train";
    std::vector<std::pair<double, std::string>> bases;
    for (const auto& cost : costs) {
        if (cost.seconds <= 0) continue;
        const auto text = cost.basis->text();
        const auto known =
            std::find_if(bases.begin(), bases.end(), [&](const auto& basis) { return basis.second == text; });
        if (known == bases.end())
            bases.emplace_back(cost.seconds, text);
        else
            known->first += cost.seconds;
    }
    const auto main = std::max_element(bases.begin(), bases.end());
    return fmt::format("about {} of training left, at {}{}; evaluations and checkpoints come on top",
        formatDuration(seconds), oneLine(main->second),
        bases.size() > 1 ? fmt::format(" (and of {} others)", bases.size() - 1) : "");
}

int printPlan(const SweepPlan& plan, const std::vector<PlannedState>& states, const fs::path& folder, bool json)
{
    const auto costs = costsOf(plan, states, folder);
    double tokens = 0, seconds = 0;
    for (const auto& cost : costs) {
        tokens += cost.tokens;
        seconds += cost.seconds;
    }
    const bool timed = std::all_of(costs.begin(), costs.end(), [](const RunCosts& cost) { return bool(cost.basis); });
    if (json) {
        Json document { { "name", plan.name }, { "runs", Json::array() }, { "tokens", tokens },
            { "seconds", timed ? Json(seconds) : Json() }, { "notes", plan.notes } };
        for (std::size_t i = 0; i < plan.runs.size(); ++i) {
            const auto& run = plan.runs[i];
            auto values = Json::object();
            for (const auto& [key, value] : run.values)
                values[key] = key == "preset" ? Json(value) : run.config.get(key);
            document["runs"].push_back({ { "name", run.name }, { "directory", (folder / run.name).string() },
                { "values", values }, { "seed", run.config.training.seed }, { "parameters", costs[i].parameters },
                { "exact", costs[i].exact }, { "training_bytes", costs[i].bytes }, { "tokens", costs[i].tokens },
                { "state", todoText(states[i]) } });
            addTime(document["runs"].back(), costs[i].basis, costs[i].seconds);
        }
        printJson(document);
        return 0;
    }
    Table table({ "run", "parameters", "memory", "tokens", "time", "state" });
    for (std::size_t i = 0; i < plan.runs.size(); ++i)
        table.add({ plan.runs[i].name, (costs[i].exact ? "" : "at most ") + withThousands(costs[i].parameters),
            "about " + formatBytes(costs[i].bytes), withThousands(std::int64_t(costs[i].tokens)),
            costs[i].basis && costs[i].seconds > 0 ? "about " + formatDuration(costs[i].seconds) : "-",
            todoText(states[i]) });
    print(table.text());
    printLine(fmt::format("\n{} {}, {} tokens, below {}", plan.runs.size(), plan.runs.size() == 1 ? "run" : "runs",
        withThousands(std::int64_t(tokens)), oneLine(folder.string())));
    printLine(timed ? timeText(costs, seconds) : "time not known: " + notMeasured(folder));
    for (const auto& text : plan.notes) printLine("note: " + oneLine(text));
    return 0;
}

/// Before anything starts: another process at one of them, a text that is not there.
void refuseWhatCannotStart(const SweepPlan& plan, const std::vector<PlannedState>& states)
{
    std::set<std::string> texts;
    for (std::size_t i = 0; i < plan.runs.size(); ++i) {
        if (states[i].todo == PlannedState::Todo::Busy)
            throw CheckpointError(states[i].run.directory.string(),
                fmt::format("process {} trains it", states[i].run.holder), "wait until it has ended");
        if (states[i].todo == PlannedState::Todo::Nothing) continue;
        const auto& data = plan.runs[i].config.data;
        if (!texts.insert(data.data).second) continue;
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

int train(const SweepOptions& options, const SweepPlan& plan, const fs::path& folder)
{
    for (const auto& text : plan.notes) note("pha: note: " + oneLine(text));
    StopOnSignal stop;
    SweepRunner runner(plan, folder);
    if (!runner.run(stop.token())) return interrupted();
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
    if (options.train.dryRun) return printPlan(plan, states, folder, options.train.json);
    refuseWhatCannotStart(plan, states);
    return train(options, plan, folder);
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
    command->add_option("--grid", options->grid,
        "KEY=VALUE,VALUE,... for any field, or preset=NAME,NAME; may be repeated. Where a semicolon occurs, semicolons "
        "separate; values of branches, attention_layers, prior and skip_data, which hold commas, take no other "
        "separator");
    addInteger(*command, "--seeds", options->seeds, "Runs of each combination, with seeds that count up from --seed");
    command->add_option("--runs-dir", options->folder, "Folder of the runs, if not the window's usual one");
    command->add_flag("--eval", options->evaluate,
        "Score the test split with the last checkpoint of each finished run, and show it in the table; what has been "
        "scored is not scored again");
    command->add_flag(
        "--dry-run", options->train.dryRun, "List the runs with their parameters, memory, time and state");
    command->add_flag("--table", options->table, "Print the table of the runs that there are, and train nothing");
    command->add_flag("--json", options->train.json, "The table, or the plan, as one JSON document");
    command->footer(
        "All combinations are checked before the first run starts. A run that diverges or fails stops no other.\n"
        "SIGINT or SIGTERM: the present run stops with a checkpoint. The same command again goes on: what has finished "
        "or\ndiverged is passed over, what was stopped or has failed is resumed. Further values or seeds under the "
        "same name add\nruns; with other settings for a run that is there the whole is refused. A run whose settings "
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
