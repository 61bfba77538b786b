// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/connection.h"
#include "engine/engine.h"
#include "engine/train/conversion.h"
#include "engine/train/exchange.h"
#include "engine/train/life_line.h"
#include "engine/train/optimizer.h"

namespace pha {

// Messages between the computer that leads a run and one that has joined it: engine/train/follower.h is the other end.
void sendTensors(Connection& line, const std::vector<Tensor>& tensors); ///< their bytes alone
void receiveTensors(Connection& line, const std::vector<Tensor>& into); ///< from sendTensors() of the same sizes
Json describeTensors(const std::vector<Tensor>& tensors); ///< type and sizes
/// Empty tensors as described. Throws Error if they are described wrongly or take more than `most` bytes.
std::vector<Tensor> describedTensors(const Json& description, std::int64_t most = std::int64_t(4) << 30);

/// What an update takes on other computers beside its inputs.
struct UpdateNote {
    std::int64_t step = 0, tokens = 0; ///< done before it; of all tokens, with it
    std::size_t microBatches = 1;
    bool distilling = false;
    double rate = 0; ///< shown there
};
struct HostResult {
    UpdateResult update;
    std::int64_t peakBytes = 0;
    Distillation distilled;
};

/// The other computers of a run, for the one that leads it. They join by `pha join`, hold the network as its own
/// devices do, and know nothing of data and files: every update brings them their rows. Nothing is encrypted; whoever
/// has the key can take part.
class Hosts final : public Others {
public:
    explicit Hosts(const OtherComputers& wanted); ///< listens. Throws Error, ConfigError
    ~Hosts() override;
    /// Waits for all of them. Throws Error if stopped, ConfigError if there are more devices than sequences.
    void gather(const RunConfig& config, const torch::Device& device, EventSink& progress, const std::stop_token& stop);
    TeamPlace place() { return { 0, members_, this, meetingPoint_ }; } ///< of this computer
    Json described() const; ///< name and number of devices of each, for run.json

    /// From here on `sink` is told of a computer that says nothing for long, and a stop gives it up, as the update
    /// under way cannot be ended without it. `saved`: the last checkpoint; empty: none.
    void heed(EventSink& sink, const std::stop_token& stop, const std::function<std::string()>& saved);
    void begin(const std::vector<Tensor>& inputs, const UpdateNote& note, bool capture);
    std::vector<HostResult> results(); ///< of the update that was begun
    const std::string& stopping() const { return stopping_; } ///< where somebody asked the run to stop; empty: nowhere

    void tell(const Json& message, const std::vector<Tensor>& tensors = {}); ///< all of them
    std::vector<std::uint64_t> ask(const char* what, std::size_t host); ///< numbers of that name
    std::size_t count() const { return hosts_.size(); }
    /// An answer whose tensors are as many as the host has devices.
    std::vector<Tensor> askForTensors(const char* what, std::size_t host);
    void setRandom(const std::vector<Tensor>& states); ///< of the members 0, 1, ...; there may be fewer
    void end(const std::string& state, const std::string& detail); ///< the run is over

    bool agree(bool yes) override;
    void sum(const std::vector<Tensor>& tensors) override;
    void leave() override;

private:
    struct Host {
        Connection line;
        std::size_t first = 0, devices = 1;
        std::int64_t rank = -1;
    };
    std::optional<Host> welcome(Connection line, const torch::Device& device, EventSink& progress) const;
    void dropLost(EventSink& progress); ///< of those that have joined
    Json answer(Host& host, const std::string& expected); ///< throws what has gone wrong there

    const OtherComputers wanted_;
    std::unique_ptr<Listener> listener_;
    std::vector<Host> hosts_;
    std::size_t members_ = 0;
    std::string meetingPoint_, stopping_;
    std::int64_t step_ = 0; ///< updates before the one that was begun last
    bool ended_ = false;
    std::unique_ptr<LifeLine> lifeLine_;
};

} // namespace pha
