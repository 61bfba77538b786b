// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/computers.h"
#include "app/pha/plan_time.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/field_use.h"
#include "engine/data/tasks.h"
#include "engine/engine.h"
#include "engine/run/course.h"
#include "engine/run/fork_point.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_figures.h"
#include "engine/run/time_estimate.h"

#include <fmt/format.h>

#include <csignal>

namespace pha::cli {

namespace {

int printFields(bool json)
{
    const RunConfig defaults;
    if (json) {
        auto list = Json::array();
        for (const auto& [group, field] : allFields())
            list.push_back({ { "name", field.name }, { "group", group }, { "section", field.section },
                { "label", field.label }, { "help", field.help }, { "accepts", field.expectation() },
                { "default", defaults.get(field.name) } });
        printJson(list);
        return 0;
    }
    std::string section;
    for (const auto& [group, field] : allFields()) {
        if (section != field.section) printLine((section.empty() ? "" : "\n") + (section = field.section) + ":");
        const auto value = defaults.get(field.name);
        printLine(fmt::format("  {}\n      {} Accepts {}; {} unless the preset differs.", field.name, field.help,
            field.expectation(),
            value.is_string() ? (value.get<std::string>().empty() ? "empty" : value.get<std::string>())
                              : value.dump()));
    }
    return 0;
}

/// Updates that are done already: those of the run that is forked.
std::optional<RunParent> parentOf(const TrainingRequest& request)
{
    return request.forkFrom.empty() ? std::nullopt : std::optional(readForkPoint(request.forkFrom).parent);
}

/// A run that is resumed has done what its newest checkpoint, or the one that is named, has.
std::int64_t updatesDone(const TrainingRequest& request, const std::optional<RunParent>& parent)
{
    if (!request.resume) return parent ? parent->step : 0;
    const auto all = RunDirectory(request.directory).list();
    const auto name = !request.checkpoint.empty() ? request.checkpoint.filename().string()
        : all.empty()                             ? std::string()
                                                  : all.back();
    return checkpointStep(name).value_or(0);
}

/// Refuses what the run itself would refuse before it reads a text.
int dryRun(const TrainingRequest& request, bool json)
{
    auto config = request.config;
    bool exact = true;
    if (!request.resume) {
        RunDirectory(request.directory).requireFresh();
        exact = settlePlanned(request, config);
    }
    const auto counts = modelCosts(config.model, config.training.context);
    const double bytes = trainingBytes(config);
    const auto parent = parentOf(request);
    const auto done = parent ? parent->step : 0;
    const auto tokens = wholeNumber(config.training.totalTokens() - config.training.totalTokens(done));
    TimeEstimate times(defaultRunsFolder());
    const auto basis = times.basis(config);
    const auto ahead = config.training.totalTokens() - config.training.totalTokens(updatesDone(request, parent));
    if (json) {
        Json plan { { "directory", request.directory.string() }, { "parameters", counts.parameters },
            { "trainable", counts.trainable }, { "exact", exact }, { "training_bytes", bytes }, { "tokens", tokens },
            { "config", config.toJson() } };
        if (parent) plan["parent"] = parent->toJson();
        addTime(plan, basis, basis ? TimeEstimate::seconds(*basis, config, ahead) : 0);
        printJson(plan);
        return 0;
    }
    printLine(config.toJson().dump(2, ' ', false, Json::error_handler_t::replace));
    if (parent) printLine("fork of        " + oneLine(parent->text()));
    printLine(fmt::format("run directory  {}\nparameters     {}{} ({} trainable)\nmemory         about {}{}\n"
                          "tokens         {} in {} updates{}",
        request.directory.string(), exact ? "" : "at most ", withThousands(counts.parameters),
        withThousands(counts.trainable), formatBytes(bytes),
        config.training.devices > 1 ? fmt::format(" on each of {} devices", config.training.devices) : "",
        withThousands(tokens), withThousands(config.training.steps - done),
        findTask(config.data) ? "; all symbols that are read, not the answers alone" : ""));
    printLine("time           "
        + (basis ? "about " + formatDuration(TimeEstimate::seconds(*basis, config, ahead)) + " at "
                    + oneLine(basis->text()) + "; evaluations and checkpoints come on top"
                 : "not known: " + notMeasured(defaultRunsFolder())));
    return 0;
}

/// "Time 1 min 52 s: 95.1 % updates, ...; training 66 GFLOP/s, 46 % of GEMM".
std::string timeText(const TimeEvent& time, const ProgressView& view, const fs::path& directory)
{
    const auto share = [&](double seconds, const char* what) {
        return fmt::format("{:.1f} % {}", 100 * seconds / std::max(time.total(), 1e-9), what);
    };
    auto text = "Time " + formatDuration(time.total()) + ": " + share(time.updates, "updates") + ", "
        + share(time.data, "waiting for text") + ", " + share(time.evaluation, "evaluations") + ", "
        + share(time.samples, "samples") + ", " + share(time.checkpoints, "checkpoints") + ", "
        + share(time.monitoring, "monitoring");
    const auto moment = [](const StepEvent& event) {
        return RunMoment { double(event.step), double(event.tokens), event.seconds };
    };
    const double rate = view.lastStep ? processRate(moment(*view.firstStep), moment(*view.lastStep)) : 0;
    if (time.gemm && rate > 0) {
        const double flops = trainingFlops(RunDirectory(directory).read(RunUse::View).config, rate);
        text += fmt::format("; training {:.4g} GFLOP/s, {:.0f} % of GEMM", flops / 1e9, 100 * flops / *time.gemm);
    }
    return text;
}

/// Settings that this family does not look at.
void noteIdleFields(const RunConfig& config, const std::vector<std::string>& sets)
{
    for (const auto& text : sets) {
        const auto key = parseSetting(text).first;
        if (!fieldMatters(config.model, key))
            note("pha: note: " + key + " changes nothing in the family " + config.model.family);
        noteIdleData(config.data, { key });
    }
}

/// Whether averages were written: a full disk costs them, not the run.
bool hasAverages(const fs::path& directory)
{
    std::error_code error;
    for (fs::directory_iterator it(directory / "averages", error), end; !error && it != end; it.increment(error))
        if (it->path().extension() == ".safetensors") return true;
    return false;
}

void printSummary(const ProgressView& view, const fs::path& directory)
{
    const auto folder = quotedPath(directory);
    if (view.lastEval) {
        const auto& eval = *view.lastEval;
        printLine(fmt::format("\nPerplexity {} per token{}{} ({} tokens of the validation text)",
            figure(eval.perplexity), eval.words > 0 ? ", " + figure(eval.wordPerplexity) + " per word" : "",
            eval.bytes > 0 ? ", " + figure(eval.bitsPerByte) + " bits per byte" : "", withThousands(eval.tokens)));
        if (const auto gap = gapClosed(view.references, eval))
            printLine(fmt::format("{}: unigrams {:.3f}, now {:.3f}, exact floor {:.3f} nats per token",
                gapText(*gap, "learnable gap"), view.references->unigram, eval.nll,
                eval.floorNll.value_or(*view.references->floor)));
    }
    for (const auto& average : view.averages)
        printLine(fmt::format("Perplexity {} per token with the {}", figure(average.perplexity), average.note));
    if (!view.averages.empty() && hasAverages(directory))
        printLine("Averaged weights are in " + (directory / "averages").string() + ", for pha eval and pha generate");
    if (view.lastMixing) {
        const auto table = mixingTable(view.lastMixing->layers);
        if (!table.empty()) print("\n" + table);
    }
    if (view.lastTime) printLine("\n" + timeText(*view.lastTime, view, directory));
    if (view.lastSample) printLine("\nSample\n" + harmless(view.lastSample->prompt + view.lastSample->text));
    printLine("\nRun directory " + directory.string());
    printLine("Look at it    pha-studio " + folder);
    if (!RunDirectory(directory).list().empty()) printLine("Let it write  pha generate " + folder + " --prompt 'Once'");
}

/// `training` as it was asked for: a run whose folder is gone by now cannot be read any more.
int finish(RunState state, const ProgressView& view, const TrainingJob& job, const TrainingConfig& training)
{
    const auto folder = job.directory().string();
    const bool nothingSaved = RunDirectory(folder).list().empty();
    if (state == RunState::Diverged) {
        const auto rates = peakRates(training);
        throw DivergedError(view.lastStatus && !view.lastStatus->detail.empty() ? view.lastStatus->detail
                                                                                : "the loss stayed non-finite",
            nothingSaved
                ? fmt::format(
                    "lower {} and start again: there is no checkpoint to go on from", joinList(rates, " and "))
                : fmt::format("lower {} and start again, or go on from one of its checkpoints with: pha train --fork "
                              "{}/checkpoints/STEP --set {}=...",
                    joinList(rates, " and "), quotedPath(folder), joinList(rates, "=... --set ")));
    }
    if (!view.saveProblem.empty())
        throw UnsavedError(view.saveProblem,
            (nothingSaved ? "then begin it anew, as there is no checkpoint, with: pha train --resume "
                          : "then go on from the last checkpoint with: pha train --resume ")
                + quotedPath(folder));
    if (state != RunState::Stopped) return 0;
    note("pha: stopped at step " + std::to_string(view.lastStatus ? view.lastStatus->step : 0) // no update, no lastStep
        + "; continue with: pha train --resume " + quotedPath(folder));
    return 128 + (StopOnSignal::received() ? StopOnSignal::received() : SIGINT);
}

/// Of a replay, in whatever process it ends.
void printReplay(const TrainingJob& job, bool json)
{
    const auto of = repeatedRun(RunDirectory(job.directory()).read(RunUse::View));
    if (of.empty()) return;
    const bool there = RunDirectory(of).exists();
    const auto compared = there ? compareCourses(of, job.directory()) : CourseComparison();
    if (!json)
        return printLine("Beside the run it repeats: "
            + (there ? compared.text() : "it is not there any more, " + oneLine(of.string())));
    Json said { { "type", "replay" }, { "of", of.string() }, { "updates", compared.updates },
        { "first_difference", compared.first < 0 ? Json() : Json(compared.first) },
        { "largest_difference", compared.largest } };
    if (!there) said["problem"] = "the run that it repeats is not there any more";
    printJson(said);
}

/// A run that was to stop, and failed instead, has not saved what it did last: that is no stop.
RunState runToEnd(TrainingJob& job, ProgressView& view, const std::stop_token& stop)
{
    try {
        return job.run(view, stop);
    } catch (const Error& error) {
        if (!stop.stop_requested() || error.code() == ExitCode::Diverged) throw;
        throw UnsavedError(error.problem(), error.advice());
    }
}

int train(const TrainOptions& options, const CLI::App& command)
{
    if (options.helpFields) return printFields(options.json);
    const auto place = launchedPlace();
    if (place && place->rank > 0) {
        if (options.dryRun) return 0; // the first process prints the plan
        return joinRun(joinRequest(*place, options), options.json);
    }
    auto request = trainingRequest(options, command);
    request.others = otherComputers(options, place);
    if (options.resume.empty()) noteIdleFields(request.config, options.sets);
    if (options.dryRun) return dryRun(request, options.json);
    if (request.others.count > 0 && !place) printInvitation(request.others);

    StopOnSignal stop;
    ProgressView view(options.json);
    auto& engine = loadEngine();
    if (const auto info = engine.info(); !info.warning.empty()) note("pha: warning: " + oneLine(info.warning));
    const auto job = engine.openTraining(request, view, stop.token());
    view.setSteps(request.config.training.steps);
    view.clearBar();
    note("run directory " + oneLine(job->directory().string()));
    if (options.json) {
        printJson({ { "type", "run" }, { "directory", job->directory().string() },
            { "steps", request.config.training.steps } });
        flushOutput();
    }
    const auto state = runToEnd(*job, view, stop.token());
    view.clearBar();
    if (RunDirectory(job->directory()).exists()) { // else it was moved away, and what could not be saved is told below
        if (!options.json) printSummary(view, job->directory());
        printReplay(*job, options.json);
    }
    flushOutput();
    return finish(state, view, *job, request.config.training);
}

} // namespace

void addTrain(CLI::App& root, Program& program)
{
    auto* command =
        root.add_subcommand("train", "Train a model: a new run, one that continues exactly, or a fork of one");
    auto options = std::make_shared<TrainOptions>();
    addRecipeOptions(*command, *options);
    command->add_option("--run", options->run,
        "Folder of the new run; one with a fresh name under the default runs folder if left out");
    command->add_option("--resume", options->resume, "Run directory (or one of its checkpoints) to continue");
    command->add_option("--fork", options->fork,
        "Run (its newest checkpoint) or checkpoint to go on from in a run of its own, with other settings if wanted; "
        "shape, tokenizer and optimiser stay");
    command->add_option("--replay", options->replay,
        "Run to be done once more: begun as it was, with the settings that were changed while it went on changed at "
        "the same updates; says at the end whether every loss is the same");
    command->add_option("--init-from", options->initFrom,
        "Run, checkpoint, safetensors file or folder of them whose tensors replace the random initial weights, matched "
        "by name; with --data of text the tokenizer of a run's weights is taken, too");
    command->add_option("--convert-from", options->convertFrom,
        "Run or checkpoint of a softmax Transformer to turn into a Hedgehog: distils its attention, then trains all");
    command->add_option("--steps", options->steps, "Optimiser updates; with --resume it extends a run");
    command->add_option("--name", options->name, "Name shown in lists; the folder's name if left out");
    addInteger(*command, "--nodes", options->nodes,
        "Computers that share the run with their devices, this one counted: it waits for the others, which run "
        "'pha join'");
    command->add_option("--listen", options->listen, "With --nodes: PORT or HOST:PORT to wait at (0.0.0.0:29400)");
    command->add_option("--key", options->key,
        "With --nodes: word that the others must give, or the variable PHA_KEY; drawn if left out");
    command->add_flag("--dry-run", options->dryRun, "Print the whole configuration, parameters and memory, and leave");
    command->add_flag("--json", options->json, "Events on stdout, one JSON document a line");
    command->add_flag("--help-fields", options->helpFields, "List every configuration key with its range");
    command->footer("Later wins: preset, --config, --set, flags. SIGINT or SIGTERM once: checkpoint, then leave; "
                    "twice: leave now.\n"
                    "Example: pha train --preset pha-tiny --data stories --set layers=2 --steps 500\n"
                    "         pha train --fork runs/pha-tiny-stories/checkpoints/step-00000200 --set "
                    "learning_rate=0.0015");
    command->callback(
        [options, command, &program] { program.action = [options, command] { return train(*options, *command); }; });
}

} // namespace pha::cli
