// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/heads.h"

#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

namespace pha::cli {

namespace {

std::string inTokens(double halfLife) { return fmt::format("{:.{}f}", halfLife, halfLife < 100 ? 1 : 0); }

std::string headTable(const HeadTest& test)
{
    std::vector<std::string> header { "head" };
    header.insert(header.end(), headKinds.begin(), headKinds.end());
    header.emplace_back("does");
    Table table(header);
    for (const auto& head : test.heads) {
        std::vector<std::string> row { fmt::format("L{} {} {}", head.layer, head.part, head.head) };
        for (const auto& kind : head.kinds) row.push_back(fmt::format("{:.1f} %", 100 * kind.share));
        row.emplace_back(head.name < 0 ? "-" : headKinds[std::size_t(head.name)]);
        table.add(row);
    }
    // The same for all: both copies lie where every head can see them.
    std::vector<std::string> even { "if all were read alike" };
    for (const auto& kind : test.heads.front().kinds) even.push_back(fmt::format("{:.1f} %", 100 * kind.uniform));
    even.emplace_back();
    table.add(even);
    return table.text();
}

std::string memoryTable(const HeadTest& test)
{
    Table table({ "part", "states", "5 %", "25 %", "median", "75 %", "95 %", "longest", "outlive the context" });
    for (const auto& memory : test.memory) {
        std::vector<std::string> row { fmt::format("L{} {}", memory.layer, memory.part), withThousands(memory.states) };
        for (const double quantile : memory.quantiles) row.push_back(inTokens(quantile));
        row.push_back(inTokens(memory.longest));
        row.push_back(fmt::format("{:.1f} %", 100 * memory.outlive));
        table.add(row);
    }
    return table.text();
}

void printTest(const HeadTest& test)
{
    if (!test.note.empty()) return printLine(fmt::format("Step {}: {}", test.step, test.note));
    printLine(
        fmt::format("Step {}: {} random tokens that come twice, {} sequences", test.step, test.length, test.sequences));
    printLine(fmt::format("in-context gain {:.3f} nats: a token costs {:.3f} the first time and {:.3f} the second",
        test.firstNll - test.secondNll, test.firstNll, test.secondNll));
    if (std::none_of(test.heads.begin(), test.heads.end(), std::mem_fn(&HeadFigures::attends)))
        printLine("no attention in this network"
            + std::string(test.heads.empty() ? "" : ": what follows tells which tokens its state spaces answer to"));
    if (!test.heads.empty())
        print("\nHow much of what a head reads lies in places of each kind, where there are such\n" + headTable(test));
    if (test.memory.empty()) return printLine("\nno state spaces with half-lives of their own in this network");
    print(fmt::format("\nHalf-lives of the states in tokens, and how many are longer than the context of {} tokens\n",
              withThousands(test.context))
        + memoryTable(test));
}

} // namespace

Json headsToJson(const std::vector<HeadFigures>& heads)
{
    auto all = Json::array();
    for (const auto& head : heads) {
        Json json { { "layer", head.layer }, { "part", head.part }, { "head", head.head }, { "name", nullptr } };
        if (head.name >= 0) json["name"] = headKinds[std::size_t(head.name)];
        for (std::size_t kind = 0; kind < head.kinds.size(); ++kind)
            json["reads"][headKinds[kind]] = { { "share", head.kinds[kind].share },
                { "uniform", head.kinds[kind].uniform }, { "queries", head.kinds[kind].queries } };
        all.push_back(json);
    }
    return all;
}

Json memoryToJson(const std::vector<StateMemory>& memory)
{
    auto all = Json::array();
    for (const auto& m : memory)
        all.push_back({ { "layer", m.layer }, { "part", m.part }, { "states", m.states },
            { "half_lives",
                { { "5%", m.quantiles[0] }, { "25%", m.quantiles[1] }, { "50%", m.quantiles[2] },
                    { "75%", m.quantiles[3] }, { "95%", m.quantiles[4] }, { "longest", m.longest } } },
            { "outlive_context", m.outlive } });
    return all;
}

int showHeads(LoadedModel& model, bool json)
{
    StopOnSignal stop;
    const auto test = model.testHeads(stop.token());
    if (!json) {
        printTest(test);
        return 0;
    }
    Json out { { "step", test.step }, { "sequences", test.sequences }, { "length", test.length },
        { "context", test.context }, { "first_nll", test.firstNll }, { "second_nll", test.secondNll },
        { "heads", headsToJson(test.heads) }, { "memory", memoryToJson(test.memory) } };
    if (!test.note.empty()) {
        out["first_nll"] = out["second_nll"] = nullptr; // nothing was read
        out["note"] = test.note;
    }
    printJson(out);
    return 0;
}

} // namespace pha::cli
