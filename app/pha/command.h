// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace pha {
class LoadedModel;
}

namespace pha::cli {

/// What the command line asks for: a sub-command stores its work here while it is parsed, `main` runs it afterwards, so
/// that errors of the work never pass through the parser. Returns the exit code.
struct Program {
    std::function<int()> action;
};

// One file each. They add the sub-command with its options, help and example.
void addTrain(CLI::App& root, Program& program);
void addJoin(CLI::App& root, Program& program);
void addSweep(CLI::App& root, Program& program);
void addEval(CLI::App& root, Program& program);
void addAverage(CLI::App& root, Program& program);
void addExport(CLI::App& root, Program& program);
void addGenerate(CLI::App& root, Program& program);
void addInspect(CLI::App& root, Program& program);
void addCompare(CLI::App& root, Program& program);
void addScaling(CLI::App& root, Program& program);
void addRuns(CLI::App& root, Program& program);
void addBench(CLI::App& root, Program& program);
void addData(CLI::App& root, Program& program);
void addTokenizer(CLI::App& root, Program& program);
void addLogits(CLI::App& root, Program& program);
void addSelftest(CLI::App& root, Program& program);
void addPresets(CLI::App& root, Program& program);

/// `pha --version`: program, LibTorch, BLAS, devices.
int printVersion();

/// As splitList(), but of an empty text an empty part: callers refuse those.
std::vector<std::string> splitCommas(const std::string& text);
/// As they read the values of settings, "1e4" for one. Throw ConfigError naming `what` for anything else.
std::int64_t parseInteger(const std::string& what, const std::string& text);
double parseNumber(const std::string& what, const std::string& text);
/// Throws ConfigError naming `what` unless minimum <= value <= maximum.
void checkRange(const std::string& what, std::int64_t value, std::int64_t minimum, std::int64_t maximum);

/// Throws Error unless a file can be written there that does not exist yet: nothing that took hours is overwritten, and
/// long work is not done for nothing.
void checkNewFile(const std::string& path);

/// All of standard input. Throws DataError if it is longer than `limit` bytes or cannot be read.
std::string readStandardInput(std::int64_t limit);
/// One --set KEY=VALUE. Throws ConfigError.
using Setting = std::pair<std::string, std::string>;
Setting parseSetting(const std::string& text);

/// Options that hold one number. Stricter than the parser's own: an empty text, a fraction for an integer or NaN is
/// refused with ConfigError. `value` outlives the parsing.
CLI::Option* addInteger(CLI::App& command, const std::string& name, std::int64_t& value, const std::string& help);
CLI::Option* addNumber(CLI::App& command, const std::string& name, double& value, const std::string& help);

/// A positional that takes one word or more, each as it is; of words in a list of the parser's own "[a,b]" would be
/// two. The callback of the command gets all of them with takeWords(), which throws what the parser throws of an option
/// that there is not.
CLI::Option* addWords(
    CLI::App& command, const std::string& name, std::vector<std::string>& words, const std::string& help);
void takeWords(const CLI::App& command, std::vector<std::string>& words);

/// --text-field of the commands that read texts and have no --set.
CLI::Option* addTextField(CLI::App& command, std::string& field);

/// --device and --precision of the commands that load a network.
struct DeviceOptions {
    std::string device = "auto", precision = "fp32";
    void addDevice(CLI::App& command);
    void addPrecision(CLI::App& command);
    /// The network of a run or a checkpoint. Warns if a run's damaged checkpoint is passed over for another one.
    std::shared_ptr<LoadedModel> load(const std::string& target) const;
};
/// A warning on stderr if a checkpoint of the run is damaged, nothing if `run` is no run.
void warnOfDamage(const std::string& run);
/// The same if its run.json has settings that this program does not know.
void warnOfUnknown(const std::string& run);
/// A warning on stderr that a run's metrics have damaged lines, if there are any.
void warnOfBadLines(const std::string& run, std::int64_t lines);

} // namespace pha::cli
