// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/standard_streams.h"
#include "engine/base/text.h"
#include "engine/engine.h"

#include <fmt/format.h>

#include <clocale>
#include <cstdio>
#include <exception>
#include <new>
#include <regex>

namespace pha::cli {

namespace {

int fail(const std::string& what, const std::string& advice, ExitCode code)
{
    flushOutput();
    note("pha: error: " + oneLine(what) + "; " + oneLine(advice));
    return int(code);
}

/// The command that was meant, for "run 'pha train --help'".
std::string helpCommand(const CLI::App& root)
{
    std::string words = "pha";
    const CLI::App* at = &root;
    while (!at->get_subcommands().empty()) {
        at = at->get_subcommands().front();
        words += " " + at->get_name();
    }
    return words + " --help";
}

/// A word where a command should be, as in "pha trian"; empty if that is not what is wrong.
std::string unknownCommand(const CLI::App& root)
{
    const CLI::App* at = &root;
    while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
    std::vector<std::string> names;
    for (const auto* command : at->get_subcommands({})) names.push_back(command->get_name());
    const auto rest = at->remaining();
    if (names.empty() || rest.empty() || rest.front().starts_with('-')) return {};
    const auto nearest = nearestName(rest.front(), names);
    return inQuotes(rest.front()) + " is no command" + (nearest.empty() ? "" : ", the nearest is " + nearest);
}

/// "--steps: At Most 1 required but received 2" in words.
std::string givenTwice(const std::string& what)
{
    static const std::regex form("(.*): At Most 1 required but received ([0-9]+)");
    std::smatch parts;
    return std::regex_match(what, parts, form) ? parts.str(1) + " is given " + parts.str(2) + " times, but counts once"
                                               : what;
}

int parseFailure(const CLI::App& root, const CLI::ParseError& error)
{
    if (error.get_exit_code() == int(CLI::ExitCodes::Success)) { // --help
        print(root.help()); // of the sub-command, where there is one
        return int(ExitCode::Done);
    }
    std::string what = unknownCommand(root);
    if (what.empty()) what = givenTwice(error.what());
    while (!what.empty() && (what.back() == '.' || what.back() == '\n')) what.pop_back();
    return fail(what, "run '" + helpCommand(root) + "'", ExitCode::Usage);
}

void addCommands(CLI::App& root, Program& program)
{
    addTrain(root, program);
    addJoin(root, program);
    addSweep(root, program);
    addEval(root, program);
    addGenerate(root, program);
    addInspect(root, program);
    addCompare(root, program);
    addScaling(root, program);
    addRuns(root, program);
    addAverage(root, program);
    addExport(root, program);
    addBench(root, program);
    addData(root, program);
    addTokenizer(root, program);
    addLogits(root, program);
    addSelftest(root, program);
    addPresets(root, program);
}

/// No file has an empty name: a script's variable was not set. What takes empty texts, like --prompt, is not among
/// these.
void refuseEmptyNames(const CLI::App& root)
{
    for (const auto* command : root.get_subcommands()) {
        for (const char* name :
            { "--config", "--init-from", "--convert-from", "--prompt-file", "--text-file", "--out", "--runs-dir" })
            if (const auto* option = command->get_option_no_throw(name); option && option->count() > 0)
                if (option->as<std::string>().empty()) throw ConfigError(name, "", "the name of a file or folder");
        refuseEmptyNames(*command);
    }
}

int runProgram(int argc, char** argv)
{
    CLI::App root {
        "PHA Studio: trains, measures and runs hybrid language models (attention, gated state space, feed-forward)."
    };
    root.name("pha");
    root.require_subcommand(0, 1);
    root.footer("Each command has --help with an example. First steps:\n"
                "  pha train --preset pha-tiny --data stories\n"
                "Exit codes: 0 done, 1 failed, 2 wrong usage or bad input, 4 diverged, 130/143 stopped by a signal.");
    bool version = false;
    root.add_flag("--version", version, "Print the versions of PHA Studio and LibTorch, the BLAS and the devices");
    Program program;
    addCommands(root, program);
    try {
        root.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return parseFailure(root, error);
    }
    if (version) return printVersion();
    refuseEmptyNames(root);
    if (!program.action) return fail("no command given", "run 'pha --help' for the list", ExitCode::Usage);
    return program.action();
}

/// The one place where exceptions end. A stop signal decides the exit code of work that it interrupted.
int guarded(int argc, char** argv)
{
    const auto stopped = [] { return StopOnSignal::received(); };
    try {
        const int code = runProgram(argc, argv);
        flushOutput();
        if (outputReaderGone() && code == int(ExitCode::Done)) return int(ExitCode::Failed); // no news to who reads
        if (outputFailed() && code == int(ExitCode::Done))
            return fail("standard output could not be written", "check the disk or the program that reads it",
                ExitCode::Failed);
        return code;
    } catch (const UnsavedError& error) {
        return fail(error.problem(), error.advice(), error.code());
    } catch (const Error& error) {
        if (stopped() && error.code() != ExitCode::Diverged) {
            flushOutput();
            note("pha: stopped; " + oneLine(error.advice()));
            return 128 + stopped();
        }
        return fail(error.problem(), error.advice(), error.code());
    } catch (const std::bad_alloc&) {
        return fail("not enough memory", "choose a smaller batch_size, context or model", ExitCode::Failed);
    } catch (const std::exception& error) {
        // Long traces of libraries end after their first line.
        const std::string what = error.what();
        return fail(what.substr(0, what.find('\n')), "run 'pha selftest' to check this machine", ExitCode::Failed);
    }
}

} // namespace

} // namespace pha::cli

int main(int argc, char** argv)
{
    pha::occupyClosedStreams();
    pha::keepSignals();
    std::setlocale(LC_CTYPE, ""); // characters only: numbers keep their points in every language
    pha::cli::StopOnSignal::awayFromComputing();
    pha::cli::StopOnSignal::ignoreBrokenPipes();
    return pha::cli::guarded(argc, argv);
}
