// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/metrics.h"
#include "test_home.h"

#include <fstream>

namespace pha::test {

/// A run directory without the cost of training one.
inline fs::path sketch(const fs::path& runs, const std::string& name, const std::string& created, std::int64_t step)
{
    auto directory = runs / name;
    fs::create_directories(directory);
    RunFile file { name, created, presets().front().config, Json::object() };
    file.config.preset = presets().front().name;
    std::ofstream(directory / "run.json") << file.toJson().dump();
    std::ofstream out(directory / "metrics.jsonl");
    out << eventToJson(StatusEvent { 0, RunState::Running, {} }).dump() << '\n';
    out << eventToJson(fakeStep(step, file.config)).dump() << '\n';
    out << eventToJson(fakeEval(step, file.config)).dump() << '\n';
    out << eventToJson(StatusEvent { step, RunState::Finished, {} }).dump() << '\n';
    return directory;
}

} // namespace pha::test
