// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/computers.h"

#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/connection.h"
#include "engine/base/error.h"

#include <fmt/format.h>

#include <csignal>
#include <cstdlib>
#include <random>
#include <thread>

namespace pha::cli {

namespace {

std::string variable(const char* name)
{
    const char* value = std::getenv(name);
    return value ? value : "";
}

std::int64_t numberOf(const char* name, std::int64_t otherwise, std::int64_t least, std::int64_t most)
{
    const auto text = variable(name);
    if (text.empty()) return otherwise;
    const auto value = parseInteger(name, text);
    checkRange(name, value, least, most);
    return value;
}

std::string drawnKey()
{
    std::random_device random;
    return fmt::format("{:08x}{:08x}", random(), random());
}

} // namespace

std::optional<LaunchedPlace> launchedPlace()
{
    LaunchedPlace place;
    place.size = numberOf("WORLD_SIZE", 1, 1, 4096);
    if (variable("RANK").empty() || place.size < 2) return {};
    place.rank = numberOf("RANK", 0, 0, place.size - 1);
    place.localRank = numberOf("LOCAL_RANK", 0, 0, 63);
    place.localSize = numberOf("LOCAL_WORLD_SIZE", 1, 1, 64);
    place.host = variable("MASTER_ADDR");
    if (place.host.empty()) throw ConfigError("MASTER_ADDR", "", "the computer of RANK 0, as torchrun sets it");
    // torchrun itself listens at the port that it names.
    const auto own = variable("TORCHELASTIC_USE_AGENT_STORE") == "True" ? 1 : 0;
    place.port = std::to_string(numberOf("MASTER_PORT", 29400, 1, 65534) + own);
    place.key = variable("PHA_KEY").empty() ? variable("TORCHELASTIC_RUN_ID") : variable("PHA_KEY");
    return place;
}

OtherComputers otherComputers(const TrainOptions& options, const std::optional<LaunchedPlace>& place)
{
    checkRange("--nodes", options.nodes, 1, 256);
    OtherComputers others;
    others.count = options.nodes - 1;
    if (!options.listen.empty()) others.listen = options.listen;
    others.key = options.key.empty() ? variable("PHA_KEY") : options.key;
    if (place) {
        if (options.nodes > 1 || !options.listen.empty())
            throw Error("--nodes and --listen do not go with RANK and WORLD_SIZE, which say it already",
                "leave them out, or start pha by itself", ExitCode::Usage);
        others.count = place->size - 1;
        others.listen = "0.0.0.0:" + place->port;
        if (options.key.empty()) others.key = place->key;
    } else if (others.count == 0 && (!options.listen.empty() || !options.key.empty())) {
        throw Error("--listen and --key are for runs of several computers", "add --nodes 2", ExitCode::Usage);
    }
    NetworkAddress::parse("--listen", others.listen, false);
    if (others.count > 0 && !place && others.key.empty()) others.key = drawnKey();
    return others;
}

void printInvitation(const OtherComputers& others)
{
    auto address = NetworkAddress::parse("--listen", others.listen, false);
    if (address.host.empty() || address.host == "0.0.0.0" || address.host == "::") address.host = hostName();
    note(fmt::format("on {}: pha join {} --key {}",
        others.count == 1 ? "the other computer" : fmt::format("each of the {} others", others.count), address.text(),
        quoted(others.key)));
}

JoinRequest joinRequest(const LaunchedPlace& place, const TrainOptions& options)
{
    JoinRequest request;
    request.address = NetworkAddress { place.host, place.port }.text();
    request.key = options.key.empty() ? place.key : options.key;
    request.rank = place.rank;
    if (!options.device.empty()) request.device = options.device;
    if (!options.devices.empty()) request.devices = parseInteger("--devices", options.devices);
    if (!options.threads.empty()) request.threads = parseInteger("--threads", options.threads);
    request.card = place.localRank * request.devices;
    if (request.threads == 0 && place.localSize > 1)
        request.threads = std::max<std::int64_t>(1, std::thread::hardware_concurrency() / place.localSize);
    return request;
}

int joinRun(JoinRequest request, bool json)
{
    NetworkAddress::parse("the address", request.address, true);
    checkRange("--devices", request.devices, 1, 64);
    checkRange("--threads", request.threads, 0, 256);
    StopOnSignal stop;
    ProgressView view(json);
    request.onJoined = [&](const RunConfig& config) { view.setSteps(config.training.steps); };
    const auto state = loadEngine().join(request, view, stop.token());
    view.clearBar();
    flushOutput();
    if (state == RunState::Diverged)
        throw DivergedError("the run has diverged", "see what " + request.address + " says");
    return state == RunState::Stopped && StopOnSignal::received() ? 128 + StopOnSignal::received() : 0;
}

void addJoin(CLI::App& root, Program& program)
{
    struct Options {
        JoinRequest request;
        bool json = false;
    };
    auto* command = root.add_subcommand("join", "Train with a run that another computer leads (pha train --nodes N)");
    auto options = std::make_shared<Options>();
    auto& request = options->request;
    command->add_option("ADDRESS", request.address, "HOST:PORT where the run waits")->required();
    command->add_option("--key", request.key, "The word that it has printed, or the variable PHA_KEY");
    command->add_option("--device", request.device, "auto, cpu or cuda");
    addInteger(*command, "--devices", request.devices, "Cards of this computer that take part (1)");
    addInteger(*command, "--first-card", request.card, "Number of the first of them (0)");
    addInteger(*command, "--threads", request.threads, "CPU threads; 0 lets the program choose");
    addInteger(*command, "--wait", request.patience, "Seconds until somebody has to answer there (600)");
    command->add_flag("--json", options->json, "Events on stdout, one JSON document a line");
    command->footer(
        "It needs neither data nor a run directory: every update brings it its texts. Nothing is encrypted: it is for "
        "a network that you trust.\n"
        "SIGINT or SIGTERM once: the whole run saves a checkpoint and ends; twice: leave now.\n"
        "The one that leads was started with: pha train --preset pha-125m-s4d --data corpora/books --nodes 2\n"
        "Example: pha join leader:29400 --key 5f1c... --devices 4");
    command->callback([options, &program] {
        program.action = [options] {
            if (options->request.key.empty()) options->request.key = variable("PHA_KEY");
            checkRange("--first-card", options->request.card, 0, 63);
            checkRange("--wait", options->request.patience, 0, 86400);
            return joinRun(options->request, options->json);
        };
    });
}

} // namespace pha::cli
