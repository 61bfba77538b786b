// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/engine.h"
#include "engine/run/run_directory.h"

#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

namespace pha::cli {

std::vector<std::string> splitCommas(const std::string& text)
{
    auto parts = splitList(text);
    if (parts.empty()) parts.emplace_back();
    return parts;
}

std::int64_t parseInteger(const std::string& what, const std::string& text)
{
    const auto value = pha::parseInteger(text);
    if (!value) throw ConfigError(what, text, "an integer");
    return *value;
}

double parseNumber(const std::string& what, const std::string& text)
{
    const auto value = pha::parseNumber(text);
    if (!value) throw ConfigError(what, text, "a finite number");
    return *value;
}

void checkRange(const std::string& what, std::int64_t value, std::int64_t minimum, std::int64_t maximum)
{
    if (value < minimum || value > maximum)
        throw ConfigError(what, std::to_string(value), fmt::format("an integer from {} to {}", minimum, maximum));
}

void checkNewFile(const std::string& path)
{
    if (path.empty()) throw ConfigError("--out", "", "the file to write");
    const fs::path file(path);
    absolutePath(file); // a current folder that was removed still is one, but nothing can be made in it
    std::error_code error;
    if (fs::exists(fs::symlink_status(file, error)))
        throw Error(quoted(path) + " exists", "choose another name, or remove it first", ExitCode::Usage);
    const auto folder = file.has_parent_path() ? file.parent_path() : fs::path(".");
    if (!fs::is_directory(folder, error))
        throw Error(
            quoted(folder.string()) + " is not a folder", "make it first, or choose another --out", ExitCode::Usage);
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
        throw Error(quoted(folder.string()) + " may not be written: " + std::strerror(errno), "choose another --out");
}

std::string readStandardInput(std::int64_t limit)
{
    std::string text;
    std::array<char, 1 << 16> buffer;
    for (;;) {
        const auto got = read(STDIN_FILENO, buffer.data(), buffer.size());
        if (got == 0) return text;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) throw DataError("standard input", std::strerror(errno), "give the text as an option");
        text.append(buffer.data(), std::size_t(got));
        if (std::int64_t(text.size()) > limit)
            throw DataError("standard input", fmt::format("longer than {} MiB", limit >> 20), "give a shorter text");
    }
}

Setting parseSetting(const std::string& text)
{
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0) throw ConfigError("--set", text, "KEY=VALUE, as in --set layers=2");
    return { text.substr(0, equals), text.substr(equals + 1) };
}

CLI::Option* addInteger(CLI::App& command, const std::string& name, std::int64_t& value, const std::string& help)
{
    const auto read = [&value, name](const std::string& text) { value = parseInteger(name, text); };
    return command.add_option_function<std::string>(name, read, help)
        ->type_name("INT")
        ->default_str(std::to_string(value));
}

CLI::Option* addNumber(CLI::App& command, const std::string& name, double& value, const std::string& help)
{
    const auto read = [&value, name](const std::string& text) { value = parseNumber(name, text); };
    return command.add_option_function<std::string>(name, read, help)
        ->type_name("NUMBER")
        ->default_str(fmt::format("{}", value));
}

CLI::Option* addWords(
    CLI::App& command, const std::string& name, std::vector<std::string>& words, const std::string& help)
{
    command.allow_extras(); // the words after the first
    return command.add_option(name, words, help)->allow_extra_args(false);
}

void takeWords(const CLI::App& command, std::vector<std::string>& words)
{
    std::vector<std::string> unknown;
    bool options = true;
    for (const auto& word : command.remaining()) {
        const bool option = options && word.size() > 1 && word[0] == '-' && (word[1] < '0' || word[1] > '9');
        if (option && word == "--")
            options = false;
        else
            (option ? unknown : words).push_back(word);
    }
    if (!unknown.empty()) throw CLI::ExtrasError(command.get_name(), unknown);
}

CLI::Option* addTextField(CLI::App& command, std::string& field)
{
    return command
        .add_option("--text-field", field, "Of JSON lines the field, of Parquet the column that holds the text")
        ->type_name("NAME")
        ->capture_default_str();
}

namespace {

/// The choices come from the list of fields, so that help, check and configuration cannot differ.
void addChoice(CLI::App& command, const std::string& field, std::string& value)
{
    const auto& fields = allFields();
    const auto entry =
        std::find_if(fields.begin(), fields.end(), [&](const GroupedField& f) { return f.field.name == field; });
    command.add_option("--" + field, value, entry->field.help)
        ->check(CLI::IsMember(entry->field.choices))
        ->capture_default_str();
}

} // namespace

void DeviceOptions::addDevice(CLI::App& command) { addChoice(command, "device", device); }
void DeviceOptions::addPrecision(CLI::App& command) { addChoice(command, "precision", precision); }

std::shared_ptr<LoadedModel> DeviceOptions::load(const std::string& target) const
{
    requireModel(target);
    auto model = loadEngine().load(target, device, precision);
    warnOfUnknown(target);
    warnOfDamage(target);
    return model;
}

void warnOfBadLines(const std::string& run, std::int64_t lines)
{
    if (lines > 0)
        note(fmt::format("pha: warning: {}: {} damaged {} of metrics.jsonl left out", oneLine(run), lines,
            lines == 1 ? "line" : "lines"));
}

void warnOfDamage(const std::string& run)
{
    const RunDirectory directory { fs::path(run) };
    if (!directory.exists()) return;
    if (const auto damaged = directory.damagedCheckpoint(); !damaged.empty())
        note("pha: warning: checkpoint " + oneLine(damaged) + "; another one is used");
}

void warnOfUnknown(const std::string& run)
{
    const RunDirectory directory { fs::path(run) };
    if (!directory.exists()) return;
    if (const auto unknown = directory.read(RunUse::View).unknown(); !unknown.empty())
        note("pha: warning: " + oneLine(run) + ": run.json holds what this version does not know: " + oneLine(unknown));
}

} // namespace pha::cli
