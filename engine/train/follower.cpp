// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/follower.h"

#include "engine/base/base64.h"
#include "engine/base/error.h"
#include "engine/model/weights.h"
#include "engine/run/metrics_line.h"
#include "engine/torch/device.h"
#include "engine/train/update_work.h"

#include <bit>

namespace pha {

namespace {

/// The one that leads, to whom all speak.
class Leader final : public Others {
public:
    explicit Leader(Connection& line)
        : line_(line)
    {
    }
    bool agree(bool yes) override
    {
        line_.send({ { "do", "agree" }, { "yes", yes } });
        return answer("agreed").at("yes").get<bool>();
    }
    void sum(const std::vector<Tensor>& tensors) override
    {
        line_.send({ { "do", "sum" } });
        sendTensors(line_, tensors);
        answer("sum");
        receiveTensors(line_, tensors);
    }
    void leave() override { } // whoever fails here says so in Follower::run()
    std::optional<Json> ending; ///< came while an update was under way

private:
    Json answer(const std::string& expected)
    {
        auto message = line_.receive();
        const auto kind = message.value("do", std::string());
        if (kind == expected) return message;
        if (kind == "end") ending = std::move(message);
        throw Meeting::Left();
    }

    Connection& line_;
};

class Follower {
public:
    Follower(const JoinRequest& request, EventSink& sink, const std::stop_token& stop)
        : request_(request)
        , sink_(sink)
        , stop_(stop)
        , line_(Connection::open(NetworkAddress::parse("the address", request.address, true),
              std::chrono::seconds(request.patience), stop))
        , leader_(line_)
    {
    }
    RunState run();

private:
    RunState ending(const Json& message);
    void join();
    Json next(); ///< message of the one that leads; waits for it
    void update(const Json& message);
    void publish(const Json& message, const UpdateResult& result);
    void tellStop();
    void tellFailure(const std::string& what, const std::string& advice);
    void answer(const Json& message, const std::string& what);
    void answerWith(const std::vector<Tensor>& tensors);
    std::vector<Tensor> receive(const Json& description);

    const JoinRequest& request_;
    EventSink& sink_;
    const std::stop_token stop_;
    Connection line_;
    Leader leader_;
    torch::Device device_ = torch::kCPU;
    torch::Dtype matrix_ = torch::kFloat;
    RunConfig config_;
    UpdateWork work_ { config_ };
    std::unique_ptr<Team> team_;
    std::unique_ptr<LifeLine> lifeLine_;
    std::int64_t step_ = 0, tokens_ = 0;
    double seconds_ = 0;
    std::chrono::steady_clock::time_point before_ {};
    bool told_ = false; ///< that a stop was asked for here
};

Json Follower::next()
{
    if (leader_.ending) return *std::exchange(leader_.ending, std::nullopt);
    while (!line_.readable(std::chrono::milliseconds(200)))
        if (stop_.stop_requested() && team_)
            tellStop();
        else if (stop_.stop_requested())
            throw Error("stopped before the run began", "start it again");
    return line_.receive();
}

void Follower::tellStop()
{
    if (!std::exchange(told_, true)) line_.send({ { "do", "stopping" } });
}

void Follower::tellFailure(const std::string& what, const std::string& advice)
{
    try {
        line_.send({ { "do", "failed" }, { "what", what.substr(0, what.find('\n')) }, { "advice", advice } });
    } catch (const Error&) { // nobody is left there
    }
}

void Follower::join()
{
    device_ = chooseDevice(request_.device);
    if (device_.is_cuda()) device_.set_index(c10::DeviceIndex(request_.card));
    requireDevices(device_, request_.card + request_.devices);
    shareThreads(device_, request_.threads, request_.devices);
    line_.send({ { "do", "hello" }, { "program", PHA_VERSION }, { "libtorch", TORCH_VERSION },
        { "device", device_.is_cuda() ? "cuda" : "cpu" }, { "devices", request_.devices }, { "name", hostName() },
        { "key", request_.key }, { "rank", request_.rank } });
    sink_.publish(StatusEvent { 0, RunState::Preparing, "waiting for " + line_.peer() + " to begin" });
    const auto message = next();
    const auto kind = message.value("do", std::string());
    if (kind == "refused")
        throw Error(line_.peer() + " does not take this computer: " + message.value("what", std::string()),
            "join with what the one that leads asks for", ExitCode::Usage);
    if (kind == "end")
        throw Error(line_.peer() + ": " + message.value("detail", std::string()), "see what it says there");
    config_ = RunConfig::fromJson(message.at("config"), {});
    config_.validate();
    if (request_.onJoined) request_.onJoined(config_);
    auto own = config_.training;
    own.devices = request_.devices;
    const TeamPlace place { message.at("first").get<std::size_t>(), message.at("members").get<std::size_t>(), &leader_,
        fromBase64(message.at("meeting_point").get<std::string>()).value_or("") };
    auto model = emptyModel(config_.model);
    model->to(device_);
    team_ = std::make_unique<Team>(std::move(model), own, place);
    if (device_.is_cuda()) lifeLine_ = std::make_unique<LifeLine>(std::vector<const Connection*> { &line_ });
    sink_.publish(StatusEvent { 0, RunState::Preparing,
        "has joined " + line_.peer() + " as device " + std::to_string(place.first + 1)
            + (own.devices > 1 ? " to " + std::to_string(place.first + std::size_t(own.devices)) : "") + " of "
            + std::to_string(place.members) });
}

std::vector<Tensor> Follower::receive(const Json& description)
{
    auto tensors = describedTensors(description);
    receiveTensors(line_, tensors);
    return tensors;
}

void Follower::answerWith(const std::vector<Tensor>& tensors)
{
    line_.send({ { "do", "tensors" }, { "tensors", describeTensors(tensors) } });
    sendTensors(line_, tensors);
}

void Follower::update(const Json& message)
{
    const auto inputs = receive(message.at("inputs"));
    const auto rows = message.at("rows").get<std::vector<std::int64_t>>();
    if (rows.size() != inputs.size()) throw Error("an update of other inputs than rows", "start the run again");
    const UpdateWork::Shape shape { message.at("micro_batches").get<std::size_t>(),
        message.at("distilling").get<bool>() };
    if (lifeLine_) lifeLine_->busy(true);
    team_->resetPeakBytes();
    const auto result = team_->update(
        inputs, [&](Learner& learner, const std::vector<Tensor>& in) { return work_(learner, in, matrix_, shape); },
        message.at("capture").get<bool>(), {}, rows);
    if (lifeLine_) lifeLine_->busy(false);
    const auto distilled = shape.distilling ? team_->distilled() : Distillation();
    const auto optional = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
    if (stop_.stop_requested()) tellStop();
    line_.send({ { "do", "result" }, { "loss", std::bit_cast<std::uint64_t>(result.loss) },
        { "norm", std::bit_cast<std::uint64_t>(result.norm) }, { "peak", team_->peakBytes() },
        { "cross_entropy", optional(distilled.crossEntropy) }, { "entropy", optional(distilled.entropy) },
        { "distilled_loss", distilled.loss } });
    publish(message, result);
}

/// What the one that leads writes down, as far as it is known here.
void Follower::publish(const Json& message, const UpdateResult& result)
{
    const auto now = std::chrono::steady_clock::now();
    const auto tokens = message.at("tokens").get<std::int64_t>();
    StepEvent event;
    event.step = step_ = message.at("step").get<std::int64_t>() + 1;
    event.tokens = tokens;
    event.loss = result.loss;
    event.learningRate = message.at("rate").get<double>();
    event.gradNorm = result.norm;
    if (tokens_ > 0) {
        const auto took = std::chrono::duration<double>(now - before_).count();
        event.tokensPerSecond = double(tokens - tokens_) / took;
        seconds_ += took;
    }
    event.seconds = seconds_;
    event.processBytes = processBytes();
    event.deviceBytes = team_->peakBytes();
    event.applied = result.finite();
    tokens_ = tokens;
    before_ = now;
    sink_.publish(event);
}

void Follower::answer(const Json& message, const std::string& what)
{
    const torch::NoGradGuard guard;
    if (what == "begin") {
        std::vector<Tensor> all;
        auto& first = team_->first();
        for (const auto& [name, weight] : namedWeights(*first.model)) all.push_back(weight);
        for (const auto& [name, moment] : first.optimizer->state()) all.push_back(moment);
        receiveTensors(line_, all);
        first.optimizer->setUpdates(message.at("updates").get<std::int64_t>());
        matrix_ = message.at("matrix").get<std::string>() == "bf16" ? torch::kBFloat16 : torch::kFloat;
        team_->follow();
        useBlasThreads(matrix_);
    } else if (what == "seed") {
        team_->seedDropout(message.at("seed").get<std::uint64_t>());
    } else if (what == "set_random") {
        team_->setRandom(receive(message.at("tensors")));
    } else if (what == "adopt") {
        config_ = RunConfig::fromJson(message.at("training"), config_);
        team_->adopt(config_.training);
    } else if (what == "reset") {
        team_->resetOptimizers();
    } else if (what == "random") {
        answerWith(team_->random());
    } else if (what == "token_losses") {
        answerWith(team_->ownTokenLosses());
    } else if (what == "digest") {
        team_->requireSameWeights();
        line_.send({ { "do", "digest" }, { "digest", team_->digest() } });
    } else {
        throw Error(line_.peer() + " wants what this program does not know: " + what, "use the same version on both");
    }
}

RunState Follower::ending(const Json& message)
{
    const auto state = message.value("state", std::string()), detail = message.value("detail", std::string());
    for (const auto& [known, name] : stateNames)
        if (state == name && known != RunState::Failed) {
            sink_.publish(StatusEvent { step_, known, detail });
            return known;
        }
    throw Error("the run has failed: " + detail, "see what " + line_.peer() + " says");
}

RunState Follower::run()
{
    join();
    std::optional<c10::DeviceGuard> here; // kernels are launched on the thread's card
    if (device_.is_cuda()) here.emplace(device_);
    for (;;) {
        const auto message = next();
        const auto what = message.value("do", std::string());
        if (what == "end") return ending(message);
        try {
            if (what == "update")
                update(message);
            else if (what != "leave")
                answer(message, what);
        } catch (const Meeting::Left&) { // the one that leads will say why
        } catch (const Error& error) {
            tellFailure(error.problem(), error.advice());
            throw;
        } catch (const std::exception& error) {
            tellFailure(error.what(), "see what it says there");
            throw;
        }
    }
}

} // namespace

RunState followRun(const JoinRequest& request, EventSink& sink, const std::stop_token& stop)
{
    return Follower(request, sink, stop).run();
}

} // namespace pha
