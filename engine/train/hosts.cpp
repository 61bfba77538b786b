// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/hosts.h"

#include "engine/base/base64.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/torch/torch_version.h"

#include <algorithm>
#include <bit>

namespace pha {

namespace {

std::string devicesOf(std::size_t count, const std::string& kind)
{
    return std::to_string(count)
        + (kind == "cuda"    ? count == 1 ? " card" : " cards"
                : count == 1 ? " device"
                             : " devices");
}

} // namespace

void sendTensors(Connection& line, const std::vector<Tensor>& tensors)
{
    for (const auto& t : tensors) {
        const auto here = t.detach().to(torch::kCPU).contiguous();
        line.sendBytes(here.data_ptr(), std::size_t(here.nbytes()));
    }
}

void receiveTensors(Connection& line, const std::vector<Tensor>& into)
{
    const torch::NoGradGuard guard;
    for (const auto& t : into) {
        const bool direct = t.is_cpu() && t.is_contiguous();
        const auto here = direct ? t.detach() : torch::empty(t.sizes(), t.options().device(torch::kCPU));
        line.receiveBytes(here.data_ptr(), std::size_t(here.nbytes()));
        if (!direct) t.detach().copy_(here);
    }
}

Json describeTensors(const std::vector<Tensor>& tensors)
{
    auto list = Json::array();
    for (const auto& t : tensors) list.push_back({ { "type", int(t.scalar_type()) }, { "sizes", t.sizes().vec() } });
    return list;
}

std::vector<Tensor> describedTensors(const Json& description, std::int64_t most)
{
    std::vector<Tensor> tensors;
    for (const auto& one : description) {
        const auto type = torch::ScalarType(one.at("type").get<int>());
        const auto sizes = one.at("sizes").get<std::vector<std::int64_t>>();
        const bool known =
            type == torch::kLong || type == torch::kFloat || type == torch::kDouble || type == torch::kByte;
        std::int64_t bytes = known ? std::int64_t(c10::elementSize(type)) : -1;
        for (const auto size : sizes) bytes = size < 0 || (size > 0 && bytes > most / size) ? -1 : bytes * size;
        if (bytes < 0 || (most -= bytes) < 0)
            throw Error(
                "the other computer describes numbers that cannot be", "check that it is pha, of the same version");
        tensors.push_back(torch::empty(sizes, type));
    }
    return tensors;
}

Hosts::Hosts(const OtherComputers& wanted)
    : wanted_(wanted)
    , listener_(std::make_unique<Listener>(NetworkAddress::parse("--listen", wanted.listen, false)))
{
}

Hosts::~Hosts()
{
    lifeLine_.reset();
    end("failed", "the run has ended before its last update");
}

/// Who has not the key, or could not compute the same, is sent away, and the others are still waited for.
std::optional<Hosts::Host> Hosts::welcome(Connection line, const torch::Device& device, EventSink& progress) const
{
    try {
        line.waitAtMost(std::chrono::seconds(10));
        const auto hello = line.receive();
        const auto kind = hello.value("device", std::string());
        line.rename(hello.value("name", line.peer()) + " (" + line.peer() + ")");
        std::string what;
        if (hello.value("key", std::string()) != wanted_.key)
            what = "the key is another one";
        else if (hello.value("program", std::string()) != PHA_VERSION
            || hello.value("libtorch", std::string()) != TORCH_VERSION)
            what = std::string("this run's versions are pha " PHA_VERSION " with LibTorch ") + TORCH_VERSION;
        else if (kind != (device.is_cuda() ? "cuda" : "cpu"))
            what = std::string("this run is trained on ") + (device.is_cuda() ? "cards" : "processors");
        if (what.empty()) {
            line.waitAtMost(std::chrono::seconds(0));
            Host host { std::move(line) };
            host.devices = std::size_t(std::clamp<std::int64_t>(hello.value("devices", 1), 1, 64));
            host.rank = hello.value("rank", std::int64_t(-1));
            progress.publish(StatusEvent {
                0, RunState::Preparing, host.line.peer() + " has joined with " + devicesOf(host.devices, kind) });
            return host;
        }
        progress.publish(StatusEvent { 0, RunState::Preparing, line.peer() + " was sent away: " + what });
        line.send({ { "do", "refused" }, { "what", what } });
    } catch (const std::exception& error) { // a stranger: it may say anything, or go
        progress.publish(StatusEvent { 0, RunState::Preparing, line.peer() + " did not join: " + error.what() });
    }
    return {};
}

/// Nobody has told those who wait that the run begins: others may come in their place.
void Hosts::dropLost(EventSink& progress)
{
    std::erase_if(hosts_, [&](const Host& host) {
        if (!host.line.lost()) return false;
        progress.publish(StatusEvent { 0, RunState::Preparing,
            host.line.peer() + " has gone before the run began; it, or another one, may join" });
        return true;
    });
}

void Hosts::gather(
    const RunConfig& config, const torch::Device& device, EventSink& progress, const std::stop_token& stop)
{
    const auto count = std::size_t(wanted_.count);
    for (;;) {
        dropLost(progress);
        if (hosts_.size() == count) break;
        progress.publish(ProgressEvent { "waiting at port " + listener_->port() + " for other computers",
            double(hosts_.size()), double(count), "computers" });
        if (stop.stop_requested()) throw Error("the run was stopped before its first step", "start it again");
        if (auto line = listener_->accept(std::chrono::milliseconds(200)))
            if (auto host = welcome(std::move(*line), device, progress)) hosts_.push_back(std::move(*host));
    }
    listener_.reset();
    std::stable_sort(hosts_.begin(), hosts_.end(), [](const Host& a, const Host& b) { return a.rank < b.rank; });
    members_ = std::size_t(config.training.devices);
    for (auto& host : hosts_) {
        host.first = members_;
        members_ += host.devices;
    }
    if (members_ > std::size_t(config.training.batchSize))
        throw ConfigError("batch_size", std::to_string(config.training.batchSize),
            "at least " + std::to_string(members_) + ", a sequence for each device of all computers");
    meetingPoint_ = Exchange::meetingPoint(device);
    std::vector<const Connection*> lines;
    for (auto& host : hosts_) {
        host.line.send({ { "do", "welcome" }, { "config", config.toJson() }, { "first", host.first },
            { "members", members_ }, { "meeting_point", toBase64(meetingPoint_) } });
        lines.push_back(&host.line);
    }
    if (device.is_cuda()) lifeLine_ = std::make_unique<LifeLine>(lines);
}

Json Hosts::described() const
{
    auto list = Json::array();
    for (const auto& host : hosts_) list.push_back({ { "name", host.line.peer() }, { "devices", host.devices } });
    return list;
}

Json Hosts::answer(Host& host, const std::string& expected)
{
    for (;;) {
        auto message = host.line.receive();
        const auto kind = message.value("do", std::string());
        if (kind == "failed")
            throw Error(host.line.peer() + ": " + message.value("what", std::string("it failed")),
                message.value("advice", std::string("see what it says there")));
        if (kind == expected) return message;
        if (kind != "stopping")
            throw Error(host.line.peer() + " answered what was not asked", "use the same version on both");
        stopping_ = host.line.peer();
    }
}

void Hosts::heed(EventSink& sink, const std::stop_token& stop, const std::function<std::string()>& saved)
{
    using Time = std::chrono::milliseconds;
    for (auto& host : hosts_) {
        // A slow computer is not a silent one: what it has taken before, it may take again.
        const auto heedful = [this, &sink, stop, saved, peer = host.line.peer(), last = Time(0), longest = Time(0),
                                 told = false](Time quiet) mutable {
            if (quiet <= last) {
                longest = std::max(longest, last);
                told = false;
            }
            last = quiet;
            const auto silence = peer + " has said nothing for " + formatDuration(double(quiet.count()) / 1000);
            if (stop.stop_requested() && quiet >= std::max(Time(5000), 3 * longest)) {
                const auto from = saved();
                throw Error(silence + ", and the update under way cannot be ended without it",
                    from.empty() ? "there is no checkpoint yet: start the run again"
                                 : "go on from the last checkpoint, " + from + ", with: pha train --resume RUN");
            }
            if (told || quiet < std::max(Time(10'000), 3 * longest)) return;
            told = true;
            sink.publish(StatusEvent { step_, RunState::Running, silence + ", and is waited for" });
        };
        host.line.whileQuiet(heedful);
    }
}

void Hosts::begin(const std::vector<Tensor>& inputs, const UpdateNote& note, bool capture)
{
    step_ = note.step;
    Json message { { "do", "update" }, { "step", note.step }, { "tokens", note.tokens },
        { "micro_batches", note.microBatches }, { "distilling", note.distilling }, { "rate", note.rate },
        { "capture", capture } };
    for (auto& host : hosts_) {
        std::vector<Tensor> own;
        auto& rows = message["rows"] = Json::array();
        for (const auto& input : inputs) {
            const auto all = input.dim() == 2 ? input.size(0) : 0;
            rows.push_back(all);
            const auto from = firstRow(all, host.first, members_),
                       to = firstRow(all, host.first + host.devices, members_);
            own.push_back(input.dim() == 2 ? input.narrow(0, from, to - from) : input);
        }
        message["inputs"] = describeTensors(own);
        host.line.send(message);
        sendTensors(host.line, own);
    }
    if (lifeLine_) lifeLine_->busy(true);
}

std::vector<HostResult> Hosts::results()
{
    const auto optional = [](const Json& value) {
        return value.is_number() ? std::optional(value.get<double>()) : std::nullopt;
    };
    std::vector<HostResult> all;
    for (auto& host : hosts_) {
        const auto message = answer(host, "result");
        HostResult one;
        one.update.loss = std::bit_cast<double>(message.at("loss").get<std::uint64_t>());
        one.update.norm = std::bit_cast<double>(message.at("norm").get<std::uint64_t>());
        one.peakBytes = message.at("peak").get<std::int64_t>();
        one.distilled.crossEntropy = optional(message.at("cross_entropy"));
        one.distilled.entropy = optional(message.at("entropy"));
        one.distilled.loss = optional(message.at("distilled_loss")).value_or(0);
        all.push_back(one);
    }
    if (lifeLine_) lifeLine_->busy(false);
    return all;
}

void Hosts::tell(const Json& message, const std::vector<Tensor>& tensors)
{
    for (auto& host : hosts_) {
        host.line.send(message);
        sendTensors(host.line, tensors);
    }
}

std::vector<std::uint64_t> Hosts::ask(const char* what, std::size_t host)
{
    hosts_[host].line.send({ { "do", what } });
    return answer(hosts_[host], what).at(what).get<std::vector<std::uint64_t>>();
}

std::vector<Tensor> Hosts::askForTensors(const char* what, std::size_t host)
{
    auto& line = hosts_[host].line;
    line.send({ { "do", what } });
    auto tensors = describedTensors(answer(hosts_[host], "tensors").at("tensors"));
    receiveTensors(line, tensors);
    if (tensors.size() != hosts_[host].devices)
        throw Error(line.peer() + " answered for another number of devices", "start the run again");
    return tensors;
}

void Hosts::setRandom(const std::vector<Tensor>& states)
{
    for (auto& host : hosts_) {
        std::vector<Tensor> own;
        for (auto i = host.first; i < std::min(states.size(), host.first + host.devices); ++i) own.push_back(states[i]);
        host.line.send({ { "do", "set_random" }, { "tensors", describeTensors(own) } });
        sendTensors(host.line, own);
    }
}

void Hosts::end(const std::string& state, const std::string& detail)
{
    if (std::exchange(ended_, true)) return;
    for (auto& host : hosts_) try {
            host.line.send({ { "do", "end" }, { "state", state }, { "detail", detail } });
        } catch (const Error&) { // it has gone already
        }
}

bool Hosts::agree(bool yes)
{
    for (auto& host : hosts_) yes = answer(host, "agree").at("yes").get<bool>() && yes;
    for (auto& host : hosts_) host.line.send({ { "do", "agreed" }, { "yes", yes } });
    return yes;
}

void Hosts::sum(const std::vector<Tensor>& tensors)
{
    std::vector<Tensor> theirs;
    for (const auto& t : tensors) theirs.push_back(torch::empty(t.sizes(), t.options()));
    for (auto& host : hosts_) {
        answer(host, "sum");
        receiveTensors(host.line, theirs);
        for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].add_(theirs[i]);
    }
    tell({ { "do", "sum" } }, tensors);
}

void Hosts::leave()
{
    for (auto& host : hosts_) try {
            host.line.send({ { "do", "leave" } });
        } catch (const Error&) { // it has left first
        }
}

} // namespace pha
