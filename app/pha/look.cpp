// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/look.h"

#include "app/pha/command.h"
#include "app/pha/heads.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace pha::cli {

namespace {

constexpr std::int64_t textLimit = 4 << 20;
constexpr std::size_t pushesShown = 3;

std::string partName(std::int64_t layer, const std::string& part)
{
    return layer < 0 ? part : fmt::format("L{} {}", layer, part);
}

/// As in JSON: in quotation marks, on one line.
std::string literal(const std::string& text)
{
    return oneLine(Json(text).dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// "0", "1", "2-3", "4-7", ...
std::string distances(std::size_t bin)
{
    if (bin < 2) return std::to_string(bin);
    return fmt::format("{}-{}", 1 << (bin - 1), (1 << bin) - 1);
}

std::string reachTable(const InsideView& view)
{
    if (view.reach.empty()) return {};
    std::vector<std::string> header { "part", "mean" };
    for (std::size_t bin = 0; bin < view.reach.front().shares.size(); ++bin) header.push_back(distances(bin));
    Table table(header);
    for (const auto& reach : view.reach) {
        std::vector<std::string> row { partName(reach.layer, reach.part), fmt::format("{:.1f}", reach.meanDistance) };
        for (const auto share : reach.shares) row.push_back(fmt::format("{:.1f} %", 100 * share));
        table.add(row);
    }
    return "Where each part reads: mean distance in tokens, and the share of what is so far back\n" + table.text();
}

double mean(const std::vector<float>& nats)
{
    double sum = 0;
    for (const float x : nats) sum += double(x);
    return nats.size() > 1 ? sum / double(nats.size() - 1) : 0; // nothing predicts the first
}

std::string pushTable(const InsideView& view)
{
    if (view.tokens.size() < 2) return {}; // nothing was predicted
    Table table({ "part", "nats" });
    double sum = 0;
    for (const auto& push : view.pushes) {
        table.add({ partName(push.layer, push.part), fmt::format("{:+.3f}", mean(push.nats)) });
        sum += mean(push.nats);
    }
    table.add({ "sum", fmt::format("{:+.3f}", sum) });
    return "What each part adds to the logit of the token that comes, over the mean piece\n" + table.text();
}

std::string tokenTable(const InsideView& view)
{
    Table table({ "token", "probability", "pushed most by" });
    std::vector<const LogitPush*> order;
    for (const auto& push : view.pushes) order.push_back(&push);
    for (std::size_t t = 0; t < view.tokens.size(); ++t) {
        const auto& token = view.tokens[t];
        const auto text = literal(token.text);
        if (t == 0) {
            table.add({ text, "-", "" });
            continue;
        }
        std::stable_sort(order.begin(), order.end(),
            [&](const LogitPush* a, const LogitPush* b) { return std::abs(a->nats[t]) > std::abs(b->nats[t]); });
        std::string pushed;
        for (std::size_t i = 0; i < std::min(pushesShown, order.size()); ++i)
            pushed += fmt::format("{}{} {:+.2f}", i > 0 ? ", " : "", partName(order[i]->layer, order[i]->part),
                double(order[i]->nats[t]));
        table.add({ text, fmt::format("{:.1f} %", 100 * token.probability), pushed });
    }
    return "Token by token, predicted from those before it\n" + table.text();
}

std::string layerName(const LensLayer& lens) { return lens.layer < 0 ? "embedding" : fmt::format("L{}", lens.layer); }

std::string depthTable(const InsideView& view)
{
    Table table({ "after", "loss", "best as at the end", "from the end" });
    for (const auto& lens : view.lens)
        table.add({ layerName(lens), std::isfinite(lens.nll) ? fmt::format("{:.3f}", lens.nll) : "-",
            fmt::format("{:.1f} %", 100 * lens.agreement), fmt::format("{:.3f}", lens.divergence) });
    return "What it would say if it ended there (logit lens): mean loss in nats, how often its most probable piece is\n"
           "that of the whole network, and the mean divergence from what that says, in nats\n"
        + table.text();
}

std::string lensTable(const InsideView& view)
{
    std::vector<std::string> header { "token" };
    for (const auto& lens : view.lens) header.push_back(layerName(lens));
    Table table(header);
    for (std::size_t t = 1; t <= view.tokens.size(); ++t) {
        const bool came = t < view.tokens.size();
        std::vector<std::string> row { came ? literal(view.tokens[t].text) : "(next)" };
        for (const auto& lens : view.lens) {
            const auto& best = lens.cells[t - 1].top.front();
            row.push_back(fmt::format("{} {:.0f} %{}", literal(best.text), 100 * best.probability,
                came && best.id == view.tokens[t].id ? " *" : ""));
        }
        table.add(row);
    }
    return "The most probable piece in place of each token after each layer; * where it is the token that came\n"
        + table.text();
}

/// "after L3", "L3 gss", "L3 ffn hidden".
std::string placeName(const ActivationFigures& figures)
{
    if (figures.part.empty()) return figures.layer < 0 ? "embedding" : fmt::format("after L{}", figures.layer);
    return partName(figures.layer, figures.part) + (figures.hidden ? " hidden" : "");
}

std::string channelWords(const ActivationFigures& figures)
{
    std::string words;
    const auto add = [&](std::int64_t count, const char* what) {
        if (count > 0) words += fmt::format("{}{} {}", words.empty() ? "" : ", ", withThousands(count), what);
    };
    add(figures.outliers, "outlying");
    add(figures.silent, "silent");
    add(figures.notFinite, "numbers not finite");
    return words;
}

std::string activationTable(const InsideView& view)
{
    Table table(
        { "place", "channels", "rms", "largest", "at token", "channel", "kurtosis", "alike", "of the channels" });
    for (const auto& figures : view.activations)
        table.add({ placeName(figures), withThousands(figures.channels), fmt::format("{:.3g}", figures.rms),
            figures.rms > 0 ? fmt::format("{:.1f} rms", std::abs(figures.largest) / figures.rms) : "-",
            withThousands(figures.largestToken + 1), withThousands(figures.largestChannel),
            fmt::format("{:.1f}", figures.kurtosis), figures.alike ? fmt::format("{:+.2f}", *figures.alike) : "-",
            channelWords(figures) });
    return "How large the numbers are while the text is read. Alike: cosine of what a part adds with what the\n"
           "others of its layer add. Outlying: over six times as large as the median channel. Silent: below a\n"
           "hundredth of the rms\n"
        + table.text();
}

Json toJson(const ActivationFigures& figures, bool histogram)
{
    Json json { { "layer", figures.layer }, { "part", figures.part }, { "place", figures.place() },
        { "channels", figures.channels }, { "not_finite", figures.notFinite }, { "rms", figures.rms },
        { "kurtosis", figures.kurtosis }, { "largest", figures.largest }, { "largest_token", figures.largestToken },
        { "largest_channel", figures.largestChannel }, { "outlying_channels", figures.outliers },
        { "silent_channels", figures.silent } };
    if (figures.alike) json["alike"] = *figures.alike;
    if (histogram) json["histogram"] = figures.histogram;
    return json;
}

Json toJson(const LensLayer& lens, bool cells)
{
    Json json { { "layer", lens.layer }, { "nll", lens.nll }, { "agreement", lens.agreement },
        { "divergence", lens.divergence } };
    if (!cells) return json;
    json["tokens"] = Json::array();
    for (const auto& cell : lens.cells) {
        auto top = Json::array();
        for (const auto& piece : cell.top)
            top.push_back({ { "id", piece.id }, { "text", piece.text }, { "probability", piece.probability } });
        json["tokens"].push_back({ { "probability", cell.probability }, { "rank", cell.rank },
            { "entropy", cell.entropy }, { "divergence", cell.divergence }, { "top", top } });
    }
    return json;
}

Json toJson(const InsideView& view, bool lensCells, bool histograms)
{
    Json json { { "step", view.step }, { "note", view.note }, { "tokens", Json::array() }, { "reach", Json::array() },
        { "heads", headsToJson(view.heads) }, { "memory", memoryToJson(view.memory) }, { "pushes", Json::array() },
        { "lens", Json::array() }, { "activations", Json::array() } };
    for (std::size_t t = 0; t < view.tokens.size(); ++t) { // nothing stands before the first
        const auto& token = view.tokens[t];
        json["tokens"].push_back(
            { { "id", token.id }, { "text", token.text }, { "probability", t > 0 ? Json(token.probability) : Json() },
                { "entropy", t > 0 ? Json(token.entropy) : Json() } });
    }
    for (const auto& reach : view.reach)
        json["reach"].push_back({ { "layer", reach.layer }, { "part", reach.part },
            { "mean_distance", reach.meanDistance }, { "shares", reach.shares } });
    for (const auto& push : view.pushes)
        json["pushes"].push_back({ { "layer", push.layer }, { "part", push.part }, { "nats", push.nats } });
    for (const auto& lens : view.lens) json["lens"].push_back(toJson(lens, lensCells));
    for (const auto& figures : view.activations) json["activations"].push_back(toJson(figures, histograms));
    return json;
}

void writeMaps(const InsideView& view, const std::string& out)
{
    std::vector<TensorToWrite> tensors;
    for (const auto& map : view.maps)
        tensors.push_back({ fmt::format("layers.{}.{}", map.layer, map.part), "F32",
            { map.heads, map.tokens, map.tokens }, map.weights.data() });
    writeSafetensors(out, tensors, {});
}

} // namespace

void LookCommand::add(CLI::App& command)
{
    command_ = &command;
    command.add_option("--text", text_, "Show instead where every part looks while this text is read");
    command.add_option("--text-file", file_, "The same with the text of a file; - reads standard input");
    addInteger(command, "--max-tokens", maxTokens_,
        "With a text: the beginning of it that is looked at. With --costs: tokens scored for each part (32768)");
    command.add_option(
        "--out", out_, "With a text: safetensors file for the maps, (heads,T,T) by the name of layer and part");
    command.add_flag("--lens", lens_,
        "With a text: the most probable piece after each layer in place of each token; with --json the five best");
    command.add_flag("--activations", activations_,
        "With a text: how large the numbers are in the stream, in what each part puts out and inside feed-forward "
        "networks; with --json their histograms, too");
    mix_.add(command);
}

bool LookCommand::wanted() const { return command_->count("--text") + command_->count("--text-file") > 0; }

void LookCommand::check(bool tokensAndMutes) const
{
    if (!wanted() && !tokensAndMutes)
        for (const char* option : { "--max-tokens", "--out", "--lens", "--activations", "--mute", "--mix" })
            if (command_->count(option) > 0)
                throw Error(
                    fmt::format("{} without a text", option), "add --text TEXT or --text-file FILE", ExitCode::Usage);
    if (command_->count("--text") > 0 && command_->count("--text-file") > 0)
        throw Error("both --text and --text-file given", "use one of them", ExitCode::Usage);
    mix_.check();
    if (command_->count("--out") > 0) checkNewFile(out_);
}

std::optional<std::int64_t> LookCommand::givenTokens() const
{
    return command_->count("--max-tokens") > 0 ? std::optional(maxTokens_) : std::nullopt;
}

std::string LookCommand::text() const
{
    if (command_->count("--text") > 0) return text_;
    return file_ == "-" ? readStandardInput(textLimit) : readFile(file_, textLimit);
}

int LookCommand::run(LoadedModel& model, bool json) const
{
    auto input = text(); // before signals are caught: what waits for standard input ends with Ctrl+C
    StopOnSignal stop;
    const auto view =
        model.lookInside({ std::move(input), maxTokens_, mix_.resolve(model.config().model) }, stop.token());
    if (!out_.empty()) writeMaps(view, out_);
    if (json) {
        printJson(toJson(view, lens_, activations_));
    } else if (activations_) {
        if (lens_) print(lensTable(view) + "\n");
        print(activationTable(view));
    } else {
        print(lens_ ? lensTable(view) : tokenTable(view));
        if (const auto table = reachTable(view); !table.empty()) print("\n" + table);
        if (const auto table = pushTable(view); !table.empty()) print("\n" + table);
        print("\n" + depthTable(view));
    }
    flushOutput();
    if (!view.note.empty()) note("pha: note: " + oneLine(view.note));
    return StopOnSignal::received() ? 128 + StopOnSignal::received() : 0;
}

} // namespace pha::cli
