// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/checkpoint.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"

#include <torch/version.h>

#include <cmath>

namespace pha {

namespace {

std::string toHex(const Tensor& bytes)
{
    static const char digits[] = "0123456789abcdef";
    std::string text;
    const auto* p = bytes.data_ptr<std::uint8_t>();
    for (std::int64_t i = 0; i < bytes.numel(); ++i) {
        text += digits[p[i] >> 4];
        text += digits[p[i] & 15];
    }
    return text;
}

Tensor fromHex(const std::string& text)
{
    auto bytes = torch::empty({ std::int64_t(text.size() / 2) }, torch::kByte);
    for (std::size_t i = 0; i + 1 < text.size(); i += 2)
        bytes.data_ptr<std::uint8_t>()[i / 2] = std::uint8_t(std::stoi(text.substr(i, 2), nullptr, 16));
    return bytes;
}

/// JSON has no infinity: "no best yet" is null.
Json number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }
double number(const Json& json)
{
    return json.is_number() ? json.get<double>() : std::numeric_limits<double>::infinity();
}

} // namespace

void writeTrainingState(const std::filesystem::path& folder, const LanguageModel& model, const Optimizer& optimizer,
    const TrainingState& state)
{
    writeModel(folder / "model.safetensors", model, state.step);
    writeTensors(folder / "optimizer.safetensors", optimizer.state(), { { "format", "pha-studio" } });
    Json json {
        { "schema", 1 },
        { "step", state.step },
        { "tokens", state.tokens },
        { "seconds", state.seconds },
        { "best_nll", number(state.bestNll) },
        { "plateau",
            { { "best", number(state.plateau.best) }, { "factor", state.plateau.factor },
                { "bad", state.plateau.bad } } },
        { "metrics_offset", state.metricsOffset },
        { "updates", state.updates },
        { "training", state.settings },
        { "data", state.data },
        { "averages", state.averages },
        { "loss_watch", state.watch },
        { "alerts", state.alerts },
        { "rng", toHex(state.random.front()) },
        { "precision", state.precision },
        { "threads", state.threads },
        { "device", state.device },
        { "corpus", state.corpus },
        { "libtorch", TORCH_VERSION },
    };
    if (!state.due.empty()) json["due"] = state.due;
    if (state.best) json["best"] = true;
    if (state.random.size() > 1) {
        json["devices"] = state.random.size();
        for (std::size_t i = 1; i < state.random.size(); ++i) json["more_rng"].push_back(toHex(state.random[i]));
    }
    writeFileAtomically(folder / "state.json", json.dump(2) + "\n");
}

void readTrainingState(
    const std::filesystem::path& folder, LanguageModel& model, Optimizer& optimizer, TrainingState& state, Extra extra)
{
    const auto file = folder / "state.json";
    const auto advice = "resume from an earlier checkpoint";
    const auto json = Json::parse(readFile(file), nullptr, false);
    if (json.is_discarded()) throw CheckpointError(file.string(), "not JSON", advice);
    try {
        state.step = json.at("step").get<std::int64_t>();
        state.tokens = json.at("tokens").get<std::int64_t>();
        state.seconds = json.at("seconds").get<double>();
        state.bestNll = number(json.at("best_nll"));
        state.plateau.best = number(json.at("plateau").at("best"));
        state.plateau.factor = json.at("plateau").at("factor").get<double>();
        state.plateau.bad = json.at("plateau").at("bad").get<std::int64_t>();
        state.metricsOffset = json.at("metrics_offset").get<std::int64_t>();
        state.updates = json.at("updates").get<std::int64_t>();
        state.data = json.at("data");
        state.averages = json.value("averages", Json::object());
        state.watch = json.value("loss_watch", Json::object());
        state.alerts = json.value("alerts", Json::object());
        state.due = json.value("due", std::string());
        state.best = json.value("best", false);
        state.precision = json.at("precision").get<std::string>();
        state.threads = json.at("threads").get<int>();
        state.device = json.at("device").get<std::string>();
        state.devices = json.value("devices", std::int64_t(1));
        state.libtorch = json.value("libtorch", std::string());
        state.corpus = json.at("corpus").get<std::string>();
        state.random = { fromHex(json.at("rng").get<std::string>()) };
        for (const auto& more : json.value("more_rng", Json::array()))
            state.random.push_back(fromHex(more.get<std::string>()));
    } catch (const Json::exception& error) {
        throw CheckpointError(file.string(), error.what(), advice);
    } catch (const std::invalid_argument&) {
        throw CheckpointError(file.string(), "the random generator's state is not hexadecimal", advice);
    }
    readTensors(folder / "model.safetensors", namedWeights(model), extra);
    readTensors(folder / "optimizer.safetensors", optimizer.state(), extra);
    optimizer.setUpdates(state.updates);
}

} // namespace pha
