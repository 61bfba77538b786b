// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/engine.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha::cli {

namespace {

int selftest(const std::string& device, bool json)
{
    const auto rows = loadEngine().selftest(device, [json](const CheckRow& row) {
        if (json)
            printJson({ { "check", row.name }, { "passed", row.passed }, { "difference", row.difference },
                { "tolerance", row.tolerance }, { "detail", row.detail } });
        else
            printLine(fmt::format("{}  {:<64} {:.1e} <= {:.0e}{}", row.passed ? "ok    " : "FAILED", row.name,
                row.difference, row.tolerance, row.detail.empty() ? "" : "  " + row.detail));
        flushOutput();
    });
    const auto failures = std::count_if(rows.begin(), rows.end(), [](const CheckRow& row) { return !row.passed; });
    if (rows.empty()) throw Error("the engine offers no checks", "reinstall PHA Studio");
    if (failures > 0)
        throw Error(fmt::format("{} of {} checks failed on this machine", failures, rows.size()),
            "do not trust results from it; compare 'pha selftest --device cpu' and report the lines above");
    if (!json) printLine(fmt::format("{} checks passed", rows.size()));
    return 0;
}

} // namespace

void addSelftest(CLI::App& root, Program& program)
{
    auto* command =
        root.add_subcommand("selftest", "Check the numbers on this machine: parallel = recurrent, CPU = GPU (seconds)");
    auto options = std::make_shared<DeviceOptions>();
    auto json = std::make_shared<bool>(false);
    options->addDevice(*command);
    command->add_flag("--json", *json, "One JSON document a line");
    command->footer("Example: pha selftest --device cpu");
    command->callback(
        [options, json, &program] { program.action = [options, json] { return selftest(options->device, *json); }; });
}

} // namespace pha::cli
