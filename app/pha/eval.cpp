// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/mix_options.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/corpus_card.h"
#include "engine/data/text_input.h"
#include "engine/data/token_bins.h"
#include "engine/engine.h"
#include "engine/run/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <limits>
#include <optional>

namespace pha::cli {

namespace {

constexpr std::int64_t ablationTokens = 32768;

struct EvalOptions : DeviceOptions {
    std::string target;
    EvaluateOptions evaluate;
    MixOptions mix;
    std::vector<std::string> sets;
    bool json = false, ablation = false;
};

Json toJson(const Evaluation& result, std::int64_t step)
{
    auto json = eventToJson(result.figures);
    json["step"] = step;
    json["data"] = result.data;
    json["tokenizer"] = result.tokenizer;
    json["text"] = result.text;
    json["precision"] = result.precision;
    for (const auto& bin : result.positions)
        json["positions"].push_back(
            { { "from", bin.from }, { "to", bin.to }, { "tokens", bin.tokens }, { "nll", bin.nll } });
    for (const auto& d : result.documents)
        json["documents"].push_back({ { "title", d.title }, { "tokens", d.tokens }, { "words", d.words },
            { "bytes", d.bytes }, { "total_nll", d.totalNll }, { "nll", d.totalNll / double(d.tokens) } });
    if (!result.recall.bins.empty()) json["recall"] = eventToJson(result.recall);
    return json;
}

std::string protocol(const EvalEvent& figures)
{
    if (figures.protocol == "stateful")
        return fmt::format("stateful: blocks of {} tokens, each continues the text before it", figures.context);
    if (figures.protocol == "disjoint") return fmt::format("disjoint windows of {} tokens", figures.context);
    return fmt::format("sliding windows of {} tokens, stride {}", figures.context, figures.stride);
}

void printPositions(const Evaluation& result)
{
    if (result.positions.empty()) return;
    Table table({ "tokens before", "count", "nats each", "perplexity" });
    for (const auto& bin : result.positions)
        if (bin.tokens > 0)
            table.add({ fmt::format("{} to {}", bin.from, bin.to - 1), withThousands(bin.tokens),
                fmt::format("{:.4f}", bin.nll), figure(std::exp(bin.nll)) });
    print("\n" + table.text());
}

void printDocuments(const Evaluation& result)
{
    if (result.documents.empty()) return;
    Table table({ "document", "tokens", "words", "nats each", "perplexity" });
    for (const auto& d : result.documents)
        table.add({ oneLine(d.title), withThousands(d.tokens), withThousands(d.words),
            fmt::format("{:.4f}", d.totalNll / double(d.tokens)), figure(std::exp(d.totalNll / double(d.tokens))) });
    print("\n" + table.text());
}

void printReport(const Evaluation& result, std::int64_t step)
{
    const auto& figures = result.figures;
    printLine(fmt::format("{}, split {}, checkpoint of step {}", oneLine(result.data), figures.split, step));
    const bool task = result.text.empty();
    printLine(fmt::format("protocol   {}; {}", protocol(figures),
        task ? "each example is one, and only its answers are scored" : "every token but the first is scored once"));
    if (task)
        printLine(fmt::format("products   in {}", result.precision));
    else
        printLine(fmt::format("text       {}, products in {}", result.text, result.precision));
    printLine(fmt::format("tokenizer  {}\n", oneLine(result.tokenizer)));
    const auto per = [&](std::int64_t count) {
        return count > 0 ? figures.totalNll / double(count) : std::numeric_limits<double>::quiet_NaN();
    };
    Table table({ "unit", "count", "nats each", "perplexity", "bits each" });
    const auto row = [&](const char* unit, std::int64_t count) {
        table.add({ unit, withThousands(count), fmt::format("{:.4f}", per(count)), figure(std::exp(per(count))),
            fmt::format("{:.4f}", per(count) / std::log(2.0)) });
    };
    row("token", figures.tokens);
    if (figures.words > 0) row("word", figures.words); // the text of foreign token files may be unknown
    if (figures.bytes > 0) row("byte", figures.bytes);
    print(table.text());
    if (figures.floorNll)
        printLine(fmt::format(
            "\nexact floor of this text: {:.4f} nats per token, perplexity {}; the model is {:.4f} nats above it",
            *figures.floorNll, figure(std::exp(*figures.floorNll)), figures.nll - *figures.floorNll));
    if (!figures.note.empty()) printLine("with " + oneLine(figures.note));
    printLine(fmt::format("{:.1f} s", figures.seconds));
    printPositions(result);
    printDocuments(result);
    if (result.recall.bins.empty()) return;
    Table recall({ "words since the fact", "questions", "right", "a guess" });
    for (const auto& bin : result.recall.bins)
        recall.add({ fmt::format("{} to {}", bin.distanceFrom, bin.distanceTo - 1), withThousands(bin.count),
            bin.count > 0 ? fmt::format("{:.1f} %", 100.0 * double(bin.correct) / double(bin.count)) : "",
            fmt::format("{:.1f} %", 100 * bin.chance) });
    print("\n" + recall.text());
    printLine(
        fmt::format("all: {:.1f} % right, a guess {:.1f} %", 100 * result.recall.accuracy, 100 * result.recall.chance));
    if (result.recall.exact) printLine(fmt::format("examples without a mistake: {:.1f} %", 100 * *result.recall.exact));
}

/// What muting a branch or setting its weight did to the model.
void printChange(const Evaluation& plain, const Evaluation& changed, const std::string& what)
{
    const auto& before = plain.figures;
    const auto& after = changed.figures;
    printLine(fmt::format("\nChange by {}: perplexity {} -> {} ({:+.2f} %), {:+.4f} nats per token", what,
        figure(before.perplexity), figure(after.perplexity), 100 * (after.perplexity / before.perplexity - 1),
        after.nll - before.nll));
    if (!plain.recall.bins.empty())
        printLine(
            fmt::format("Recall {:.1f} % -> {:.1f} %", 100 * plain.recall.accuracy, 100 * changed.recall.accuracy));
}

void check(const EvalOptions& options, const CLI::App& command)
{
    const auto& evaluate = options.evaluate;
    if (command.count("--context") > 0) checkRange("--context", evaluate.context, 2, 1 << 20);
    if (command.count("--stride") > 0) checkRange("--stride", evaluate.stride, 1, 1 << 20);
    if (command.count("--max-tokens") > 0)
        checkRange("--max-tokens", evaluate.maxTokens, 1, std::numeric_limits<std::int64_t>::max());
    if (command.count("--data") > 0 && evaluate.data.empty())
        throw ConfigError("--data", "", "a built-in corpus or a text file");
    options.mix.check();
    if (options.ablation && (command.count("--mute") > 0 || command.count("--mix") > 0))
        throw Error("--ablation mutes every branch by itself", "leave --mute and --mix out", ExitCode::Usage);
    if (options.ablation && (evaluate.byPosition || evaluate.byDocument))
        throw Error("--ablation compares the losses of whole texts",
            "leave --by-position and --by-document out, or ask for them without --ablation", ExitCode::Usage);
}

Json toJson(const Ablation& result, std::int64_t step)
{
    auto json = toJson(result.plain, step);
    for (const auto& cell : result.cells)
        json["ablation"].push_back({ { "layer", cell.layer < 0 ? Json("all") : Json(cell.layer) },
            { "branch", cell.branch }, { "nll", cell.nll }, { "change", cell.change } });
    return json;
}

/// Rows are layers, columns branches, in the order of the cells.
void printAblation(const Ablation& result)
{
    std::vector<std::string> header { "muted in" };
    for (const auto& cell : result.cells)
        if (std::find(header.begin(), header.end(), cell.branch) == header.end()) header.push_back(cell.branch);
    Table table(header);
    for (std::size_t i = 0; i < result.cells.size();) {
        const auto layer = result.cells[i].layer;
        std::vector<std::string> row(header.size());
        row[0] = layer < 0 ? "all layers" : fmt::format("layer {}", layer);
        for (; i < result.cells.size() && result.cells[i].layer == layer; ++i)
            row[std::size_t(std::find(header.begin(), header.end(), result.cells[i].branch) - header.begin())] =
                fmt::format("{:+.4f}", result.cells[i].change);
        table.add(row);
    }
    print("\nChange of the loss by muting one branch, nats per token\n" + table.text());
}

/// Token files of other programs have no test text.
void noteOtherSplit(const EvaluateOptions& options, const Evaluation& result)
{
    if (!options.otherwise.empty() && result.figures.split == options.otherwise)
        note(fmt::format("pha: note: there is no text for the split '{}', so '{}' is scored; --split says which",
            options.split, options.otherwise));
}

int ablation(EvaluateOptions evaluate, bool json, LoadedModel& model)
{
    StopOnSignal stop;
    ProgressView view(false);
    if (evaluate.maxTokens == 0) evaluate.maxTokens = ablationTokens; // one evaluation for each cell
    const auto result = model.ablate(
        evaluate, [](const AblationCell&) {}, view, stop.token());
    view.clearBar();
    noteOtherSplit(evaluate, result.plain);
    if (json) {
        printJson(toJson(result, model.step()));
        return 0;
    }
    printReport(result.plain, model.step());
    printAblation(result);
    return 0;
}

/// The split that a file belongs to as a whole.
std::optional<TextSplit> splitOfFile(const std::string& data)
{
    std::error_code problem;
    if (!fs::is_regular_file(data, problem)) return {};
    if (const auto bins = findTokenBins(data)) {
        for (std::size_t i = 0; i < bins->files.size(); ++i)
            if (std::find(bins->files[i].begin(), bins->files[i].end(), fs::path(data)) != bins->files[i].end())
                return TextSplit(i);
        return {};
    }
    for (const auto& file : findTexts({ data }))
        if (file.path == data) return file.given;
    return {};
}

/// Of a text that no name gives to a split as a whole, an evaluation scores the part that is cut from it.
void printWhole(const EvalOptions& options, const Evaluation& result)
{
    const fs::path file = options.evaluate.data;
    std::error_code problem;
    const auto size = fs::file_size(file, problem);
    if (problem || std::int64_t(size) <= result.figures.bytes || splitOfFile(file.string())) return;
    const auto name = "test-1-of-1." + file.filename().string();
    printLine(fmt::format("\nTo score all of it, give it a name that makes it a test text as a whole:\n"
                          "ln -s {} {}, then --data {}",
        quotedPath(fs::absolute(file)), quoted(name), quoted(name)));
}

int eval(const EvalOptions& options, const CLI::App& command)
{
    check(options, command);
    const auto model = options.load(options.target);
    if (options.evaluate.data.empty()) refuseIfDataIsGone(model->config().data.data);
    auto evaluate = options.evaluate;
    if (command.count("--split") == 0 && evaluate.split == "test") evaluate.otherwise = "valid";
    auto wanted = model->config();
    if (!evaluate.data.empty()) wanted.data.data = evaluate.data;
    std::vector<std::string> fields;
    for (const auto& text : options.sets) {
        const auto& [field, value] = evaluate.dataFields.emplace_back(parseSetting(text));
        wanted.set(field, value);
        fields.push_back(field);
    }
    noteIdleData(wanted.data, fields);
    const auto context = evaluate.context > 0 ? evaluate.context : model->config().training.context;
    if (evaluate.stride > context)
        throw ConfigError(
            "--stride", std::to_string(evaluate.stride), "at most the context, " + std::to_string(context));
    if (options.ablation) return ablation(evaluate, options.json, *model);
    StopOnSignal stop;
    ProgressView view(false);
    const auto changes = options.mix.resolve(model->config().model);
    const auto plain = model->evaluate(evaluate, view, stop.token());
    std::optional<Evaluation> changed;
    if (!changes.empty() && !StopOnSignal::received()) {
        evaluate.mix = changes;
        changed = model->evaluate(evaluate, view, stop.token());
    }
    view.clearBar();
    if (StopOnSignal::received()) throw Error("the evaluation was stopped", "start it again");
    noteOtherSplit(evaluate, plain);
    if (options.json) {
        auto json = toJson(changed ? *changed : plain, model->step());
        if (changed) json["plain"] = toJson(plain, model->step());
        printJson(json);
        return 0;
    }
    printReport(changed ? *changed : plain, model->step());
    if (changed) printChange(plain, *changed, options.mix.description());
    if (command.count("--split") == 0 && evaluate.maxTokens == 0) printWhole(options, plain);
    return 0;
}

} // namespace

void addEval(CLI::App& root, Program& program)
{
    auto* command =
        root.add_subcommand("eval", "Perplexity per token, per word and bits per byte; what each branch is worth");
    auto options = std::make_shared<EvalOptions>();
    options->evaluate.split = "test";
    command->add_option("target", options->target, "Run directory or checkpoint")->required();
    command->add_option("--data", options->evaluate.data,
        "Other text than the run's own: a built-in corpus, or a file (.txt, .jsonl, .parquet)");
    command
        ->add_option("--split", options->evaluate.split,
            "train, valid or test; left out, the one that the name of the file of --data tells, and valid where there "
            "is no test text")
        ->check(CLI::IsMember({ "train", "valid", "test" }))
        ->capture_default_str();
    addInteger(*command, "--context", options->evaluate.context, "Tokens per window; the run's context if left out");
    command
        ->add_option("--protocol", options->evaluate.protocol,
            "disjoint: blocks. strided: windows that overlap. stateful: state and cache go from block to block")
        ->check(CLI::IsMember({ "disjoint", "strided", "stateful" }));
    addInteger(*command, "--stride", options->evaluate.stride,
        "strided: tokens between windows; half the context if left out");
    addInteger(*command, "--max-tokens", options->evaluate.maxTokens, "Score only so many tokens; all if left out");
    command->add_option("--set", options->sets, "Change a field of the data, as in --set task_length=128")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false); // RUN may stand behind it
    command->add_flag("--by-position", options->evaluate.byPosition, "Loss by the number of tokens before");
    command->add_flag("--by-document", options->evaluate.byDocument,
        "Loss of each document: a record of JSON lines or a table, an article of WikiText, what a tokenizer's mark "
        "ends; of other text, and of a folder of several kinds, what blank lines separate");
    command->add_flag("--ablation", options->ablation,
        fmt::format(
            "Mute each branch, in all layers and in each; scores {} tokens a time unless --max-tokens says more",
            ablationTokens));
    options->mix.add(*command);
    options->addDevice(*command);
    options->addPrecision(*command);
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Layers count from 0. With --mute or --mix the plain model is scored too and the change is shown.\n"
                    "Example: pha eval runs/pha-tiny-stories --mute all:attention");
    command->callback([options, command, &program] {
        program.action = [options, command] {
            // "wiki.valid.raw" is read together with the files beside it, but whoever names it means its own part.
            if (command->count("--split") == 0)
                if (const auto split = splitOfFile(options->evaluate.data); split && *split != TextSplit::Train)
                    options->evaluate.split = splitNames[std::size_t(*split)];
            return eval(*options, *command);
        };
    });
}

} // namespace pha::cli
