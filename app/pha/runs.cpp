// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/capsule.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_overview.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pha::cli {

namespace {

struct RunsOptions {
    std::string folder, find, run, text;
    std::vector<std::string> runs; ///< of commands that take several
    bool all = false, json = false;
};

fs::path folderOf(const RunsOptions& options)
{
    return options.folder.empty() ? defaultRunsFolder() : fs::path(options.folder);
}

Json toJson(const RunOverview& run)
{
    Json json { { "run", run.directory.string() }, { "name", run.name }, { "created", run.created },
        { "preset", run.config ? run.config->preset : "" }, { "data", run.config ? run.config->data.data : "" },
        { "state", stateWord(run.state, run.interrupted) }, { "detail", run.detail }, { "step", run.step },
        { "steps", run.steps }, { "loss", run.loss }, { "perplexity", run.perplexity },
        { "tokens_per_second", run.tokensPerSecond }, { "notes", run.about.notes }, { "tags", run.about.tags },
        { "archived", run.about.archived } };
    if (run.parent) json["parent"] = run.parent->toJson();
    return json;
}

/// "2026-01-31 12:00" of "2026-01-31T12:00:00Z"; what is no time stays as it is.
std::string shortTime(std::string time)
{
    if (time.size() == 20 && time[10] == 'T') {
        time[10] = ' ';
        time.resize(16);
    }
    return time;
}

std::vector<std::string> cells(const RunOverview& run)
{
    const auto number = [](double value) { return std::isnan(value) ? std::string("-") : figure(value); };
    auto tags = joinList(run.about.tags, " ");
    if (run.about.archived) tags += tags.empty() ? "(archived)" : " (archived)";
    return { oneLine(run.directory.filename().string()), oneLine(run.name),
        oneLine(run.config ? run.config->preset : ""),
        fmt::format("{}/{}", withThousands(run.step), withThousands(run.steps)), stateWord(run.state, run.interrupted),
        number(run.loss), number(run.perplexity), shortTime(oneLine(run.created)), oneLine(tags) };
}

/// A name says more than a column of repetitions: it is shown where one differs from its folder's.
void printTable(const std::vector<RunOverview>& runs)
{
    const bool named = std::any_of(
        runs.begin(), runs.end(), [](const RunOverview& r) { return r.name != r.directory.filename().string(); });
    std::vector<std::string> header { "run", "name", "preset", "steps", "state", "loss", "perplexity", "created",
        "tags" };
    if (!named) header.erase(header.begin() + 1);
    Table table(header);
    for (const auto& run : runs) {
        auto row = cells(run);
        if (!named) row.erase(row.begin() + 1);
        table.add(row);
    }
    print(table.text(outputWidth()));
}

/// Names the folder: the window may work in another one, where its user misses the runs of this list.
std::string summary(const RunsOptions& options, const fs::path& folder, std::size_t runs, std::size_t archived)
{
    const auto count = runs == 0 ? "no" : withThousands(std::int64_t(runs));
    std::string text = count + (runs == 1 ? " run" : " runs") + " in " + oneLine(folder.string());
    if (!options.find.empty()) text += (runs == 1 ? " matches " : " match ") + oneLine(options.find);
    if (archived > 0)
        text += fmt::format(", {} in the archive (--all lists {})", withThousands(std::int64_t(archived)),
            archived == 1 ? "it" : "them");
    return options.folder.empty() ? text + "; --runs-dir lists another folder" : text;
}

int list(const RunsOptions& options)
{
    const auto filter = RunFilter::parse(options.find);
    const auto folder = folderOf(options);
    std::error_code error;
    if (!options.folder.empty() && !fs::is_directory(folder, error))
        throw DataError(folder.string(), "is not a folder", "give the one that holds the runs");
    std::vector<RunOverview> runs;
    std::size_t archived = 0;
    for (const auto& directory : runsIn(folder)) {
        auto run = readOverview(directory);
        if (!run.aboutProblem.empty()) note("pha: warning: " + oneLine(run.aboutProblem));
        if (!filter.matches(run.facts())) continue;
        if (run.about.archived && !options.all)
            ++archived;
        else
            runs.push_back(std::move(run));
    }
    std::stable_sort(runs.begin(), runs.end(), [](const auto& a, const auto& b) { return a.created > b.created; });
    if (options.json) {
        auto document = Json::array();
        for (const auto& run : runs) document.push_back(toJson(run));
        printJson(document);
        return 0;
    }
    if (!runs.empty()) printTable(runs);
    note(summary(options, folder, runs.size(), archived));
    return 0;
}

/// A run directory or a checkpoint, the name of one in the runs folder, or the name of a run if only one has it.
fs::path findRun(const RunsOptions& options, const std::string& given)
{
    if (RunDirectory(given).exists()) return fs::absolute(given).lexically_normal();
    const auto folder = folderOf(options);
    if (given.find('/') == std::string::npos && RunDirectory(folder / given).exists()) return folder / given;
    std::vector<fs::path> named;
    std::vector<std::string> known;
    for (const auto& directory : runsIn(folder)) {
        known.push_back(directory.filename().string());
        if (readOverview(directory).name == given) named.push_back(directory);
    }
    if (named.size() == 1) return named.front();
    if (named.size() > 1)
        throw Error(fmt::format("{} runs have the name {}", named.size(), inQuotes(given)),
            "give a folder, such as " + quoted(named.front().filename().string()), ExitCode::Usage);
    std::error_code error;
    if (fs::exists(given, error)) return runNamed(given); // a checkpoint, or what is told of another file
    const auto nearest = nearestName(given, known);
    throw Error("no run " + inQuotes(given) + ", neither here nor in " + folder.string(),
        nearest.empty() ? "see the names with: pha runs" : "the nearest is " + quoted(nearest), ExitCode::Usage);
}

/// Finds all runs before any is changed: a misspelt one must not leave half of the work done.
int change(const RunsOptions& options, const std::vector<std::string>& runs, const AboutChange& what)
{
    std::vector<fs::path> directories;
    for (const auto& run : runs) directories.push_back(findRun(options, run));
    auto document = Json::array();
    for (const auto& directory : directories) {
        const auto about = changeAbout(directory, what);
        auto json = about.toJson();
        json["run"] = directory.string();
        document.push_back(json);
        if (!options.json)
            printLine(fmt::format("{}  {}{}", oneLine(directory.filename().string()),
                about.tags.empty() ? "no tags" : oneLine(joinList(about.tags, " ")),
                about.archived ? "  in the archive" : ""));
    }
    if (options.json) printJson(document);
    return 0;
}

int takeNote(const RunsOptions& options, bool given)
{
    const auto directory = findRun(options, options.run);
    auto about = readAbout(directory);
    if (given) {
        AboutChange what;
        what.notes = options.text == "-" ? readStandardInput(1 << 20) : options.text;
        about = changeAbout(directory, what);
    }
    if (options.json) {
        auto json = about.toJson();
        json["run"] = directory.string();
        printJson(json);
    } else if (!given) {
        auto notes = outputIsTerminal() ? harmless(about.notes) : about.notes;
        if (!notes.empty() && notes.back() != '\n') notes += '\n';
        print(notes);
    }
    return 0;
}

int tag(const RunsOptions& options, const std::vector<std::string>& words)
{
    AboutChange what;
    for (const auto& word : words) {
        if (word.starts_with("--"))
            throw Error(inQuotes(word) + " is no option", "run 'pha runs tag --help'", ExitCode::Usage);
        if (word.starts_with('-'))
            what.removeTags.push_back(word.substr(1));
        else
            what.addTags.push_back(word.substr(word.starts_with('+') ? 1 : 0));
    }
    return change(options, { options.run }, what);
}

int unpack(const RunsOptions& options)
{
    StopOnSignal stop;
    ProgressView view(false);
    auto document = Json::array();
    auto code = ExitCode::Done;
    for (const auto& file : options.runs) {
        try {
            const auto directory = importCapsule(file, folderOf(options), view, stop.token());
            view.clearBar();
            document.push_back({ { "file", file }, { "run", directory.string() } });
            if (!options.json) printLine(directory.string());
        } catch (const Error& error) {
            if (options.runs.size() == 1 || stop.token().stop_requested()) throw;
            view.clearBar();
            note("pha: error: " + oneLine(error.what())); // the others are no worse for it
            code = error.code();
        }
    }
    if (options.json) printJson(document);
    return int(code);
}

using OptionsPointer = std::shared_ptr<RunsOptions>;

void addCommon(CLI::App& command, const OptionsPointer& options)
{
    command.add_option("--runs-dir", options->folder, "Folder of the runs, if not the window's usual one");
    command.add_flag("--json", options->json, "One JSON document");
}

void addNote(CLI::App& runs, const OptionsPointer& options, Program& program)
{
    auto* command = runs.add_subcommand("note", "Write down why a run was made, or print what was written");
    command->add_option("run", options->run, "Run directory, or its name in the runs folder")->required();
    auto* text = command->add_option(
        "text", options->text, "The notes, in place of the old ones; - reads standard input; left out: print them");
    addCommon(*command, options);
    command->footer("Example: pha runs note pha-tiny-stories 'lr too high?'");
    command->callback([options, text, &program] {
        program.action = [options, given = text->count() > 0] { return takeNote(*options, given); };
    });
}

void addTag(CLI::App& runs, const OptionsPointer& options, Program& program)
{
    auto* command = runs.add_subcommand("tag", "Add tags to a run, or take them away");
    command->set_help_flag("--help", "Print this help message and exit"); // -h could be the end of a tag
    command->add_option("run", options->run, "Run directory, or its name in the runs folder")->required();
    const auto first = std::make_shared<std::vector<std::string>>();
    addWords(*command, "tags", *first, "+TAG adds one, -TAG takes one away");
    addCommon(*command, options);
    command->footer("Example: pha runs tag pha-tiny-stories +wt2 +paper -old");
    command->callback([options, first, command, &program] {
        auto words = *first;
        for (const auto& word : command->remaining()) words.push_back(word); // -TAG as well: no takeWords()
        program.action = [options, words] { return tag(*options, words); };
    });
}

void addArchive(CLI::App& runs, const OptionsPointer& options, Program& program, bool archive)
{
    auto* command = archive
        ? runs.add_subcommand("archive", "Put runs away: lists leave them out, nothing of them is deleted")
        : runs.add_subcommand("restore", "Take runs out of the archive again");
    addWords(*command, "runs", options->runs, "Run directories, or their names in the runs folder")->required();
    addCommon(*command, options);
    command->footer(fmt::format("Example: pha runs {} pha-tiny-stories pha-tiny-stories-2", command->get_name()));
    command->callback([options, archive, command, &program] {
        takeWords(*command, options->runs);
        program.action = [options, archive] {
            AboutChange what;
            what.archived = archive;
            return change(*options, options->runs, what);
        };
    });
}

void addImport(CLI::App& runs, const OptionsPointer& options, Program& program)
{
    auto* command = runs.add_subcommand("import", "Unpack capsules (pha export RUN --to capsule) into the runs folder");
    addWords(*command, "files", options->runs, "Capsules, NAME.pha")->required();
    addCommon(*command, options);
    command->footer("Example: pha runs import pha-tiny-stories.pha");
    command->callback([options, command, &program] {
        takeWords(*command, options->runs);
        program.action = [options] { return unpack(*options); };
    });
}

} // namespace

void addRuns(CLI::App& root, Program& program)
{
    auto* runs = root.add_subcommand("runs", "List and search the runs; notes, tags, archive; import");
    runs->require_subcommand(0, 1);
    const auto options = std::make_shared<RunsOptions>();
    runs->add_flag("--all", options->all, "Also those in the archive");
    runs->add_option("--find", options->find,
        "Only runs that match: words, and terms such as preset:pha tag:wt2 state:finished loss<3 layers=8 -tag:old");
    addCommon(*runs, options);
    runs->footer("Example: pha runs --find 'preset:pha loss<3 -tag:old'");
    runs->callback([options, runs, &program] {
        if (runs->get_subcommands().empty()) program.action = [options] { return list(*options); };
    });
    addNote(*runs, options, program);
    addTag(*runs, options, program);
    addArchive(*runs, options, program, true);
    addArchive(*runs, options, program, false);
    addImport(*runs, options, program);
}

} // namespace pha::cli
