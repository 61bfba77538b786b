// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/sweep_plan.h"

#include "app/pha/plan_time.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/text.h"
#include "engine/data/tasks.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha::cli {

namespace {

/// What each run costs. Runs on the same text have the same tokenizer, which is asked for once.
struct RunCosts {
    std::int64_t parameters = 0;
    bool exact = true;
    double bytes = 0, tokens = 0;
    std::optional<TimeEstimate::Basis> basis; ///< of the time
    double seconds = 0; ///< that are still to come
};

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

} // namespace

double tokensAhead(const RunConfig& config, const PlannedState& state)
{
    if (state.todo == PlannedState::Todo::Nothing) return 0;
    return config.training.totalTokens() - config.training.totalTokens(std::min(state.saved, config.training.steps));
}

std::string goesOnText(const PlannedState& state)
{
    if (state.saved > 0 && state.saved >= state.run.steps) return "all its updates are saved, only its end is missing";
    return state.saved > 0 ? "goes on after step " + withThousands(state.saved) : "begins anew: it has no checkpoint";
}

namespace {

std::string todoWord(const PlannedState& state)
{
    switch (state.todo) {
    case PlannedState::Todo::Begin:
        return "to do";
    case PlannedState::Todo::GoOn:
        return goesOnText(state);
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

} // namespace

int printSweepPlan(const SweepPlan& plan, const std::vector<PlannedState>& states, const fs::path& folder, bool json)
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
            "about " + formatBytes(costs[i].bytes), withThousands(wholeNumber(costs[i].tokens)),
            costs[i].basis && costs[i].seconds > 0 ? "about " + formatDuration(costs[i].seconds) : "-",
            todoText(states[i]) });
    print(table.text());
    printLine(fmt::format("\n{} {}, {} tokens, below {}", plan.runs.size(), plan.runs.size() == 1 ? "run" : "runs",
        withThousands(wholeNumber(tokens)), oneLine(folder.string())));
    printLine(timed ? timeText(costs, seconds) : "time not known: " + notMeasured(folder));
    for (const auto& text : plan.notes) printLine("note: " + oneLine(text));
    return 0;
}

} // namespace pha::cli
