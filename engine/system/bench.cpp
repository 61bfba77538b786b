// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/system/bench.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/config/parts.h"
#include "engine/model/branches.h"
#include "engine/model/device_cache.h"
#include "engine/model/token_reader.h"
#include "engine/model/weights.h"
#include "engine/torch/device.h"
#include "engine/train/captured_update.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <optional>

namespace pha {

namespace {

constexpr std::int64_t decodedTokens = 32;

/// One measured unit of work: a training step, a forward pass, or a row of decoded tokens. Returns the tokens it took.
class Workload {
public:
    Workload(const BenchRequest& request, const RunConfig& config, torch::Device device, torch::Dtype matrix,
        std::int64_t context, std::int64_t batch)
        : mode_(request.mode)
        , recompute_(request.recompute)
        , model_(std::make_shared<LanguageModel>(config.model, 1))
        , batch_(batch)
    {
        pass_.matrix = matrix;
        model_->to(device);
        if (mode_ != "train" && matrix == torch::kBFloat16) storeMatrices(*model_, matrix);
        if (mode_ == "train") {
            optimizer_ = std::make_unique<Optimizer>(*model_, config.training);
            captured_ = std::make_unique<CapturedUpdate>(*model_);
        }
        ids_ = torch::randint(config.model.vocabulary, { batch, context }, torch::kLong).to(device);
        targets_ = torch::randint(config.model.vocabulary, { batch, context }, torch::kLong).to(device);
    }

    std::int64_t operator()()
    {
        if (mode_ == "train") {
            Pass pass = pass_;
            pass.training = true;
            pass.recompute = recompute_;
            const auto numbers = optimizer_->numbers({ double(ids_.numel()), 1, 1e-4, 1e-2 });
            const auto applied = (*captured_)({ ids_, targets_, numbers },
                [&](const std::vector<Tensor>& in) { return plainUpdate(*model_, *optimizer_, pass, in); });
            optimizer_->read(applied);
            return ids_.numel();
        }
        const torch::NoGradGuard guard;
        if (mode_ == "forward") {
            model_->lossSum(ids_, targets_, pass_).item<double>(); // with the head, as an evaluation does
            return ids_.numel();
        }
        if (mode_ == "prompt") { // each text by itself, all caches kept, as a server does
            std::vector<ModelState> states;
            Tensor last;
            for (std::int64_t row = 0; row < batch_; ++row) {
                states.push_back(model_->freshState());
                const auto h = model_->forward(ids_.narrow(0, row, 1), pass_, &states.back());
                last = model_->logits(h.narrow(1, h.size(1) - 1, 1), pass_).argmax(-1);
            }
            last.sum().item<std::int64_t>();
            return ids_.numel();
        }
        if (state_.layers.empty()) { // decode: continue from a prompt of `context` tokens
            state_ = model_->freshState();
            model_->forward(ids_, pass_, &state_);
            reader_ = std::make_unique<TokenReader>(*model_, pass_, state_);
        }
        auto next = ids_.narrow(1, 0, 1);
        for (std::int64_t i = 0; i < decodedTokens; ++i) {
            (*reader_)(next);
            next = reader_->best();
        }
        next.sum().item<std::int64_t>();
        kept_ += double(state_.bytes()), ++rows_;
        seen_ += double(state_.length) - double(decodedTokens - 1) / 2;
        return decodedTokens * batch_;
    }

    std::int64_t peakBytes() const { return captured_ ? captured_->peakBytes() : 0; } ///< of a replayed update

    /// What a decoded token had to read: weights once, as they are stored, and what was kept of all texts, on average.
    double stepBytes() const
    {
        double bytes = kept_ / rows_;
        for (const auto& [name, weight] : namedWeights(*model_))
            if (name != "positions") bytes += double(weight.numel() * weight.element_size());
        return bytes;
    }

    /// How many tokens a decoded one saw, itself among them, on average.
    std::int64_t tokensSeen() const { return std::llround(seen_ / rows_); }

private:
    std::string mode_;
    bool recompute_;
    std::shared_ptr<LanguageModel> model_;
    std::unique_ptr<Optimizer> optimizer_;
    std::unique_ptr<CapturedUpdate> captured_;
    Pass pass_;
    Tensor ids_, targets_;
    ModelState state_;
    std::unique_ptr<TokenReader> reader_;
    double kept_ = 0, seen_ = 0; ///< bytes of state_, and tokens seen, over rows_ rows of decoded tokens
    int rows_ = 0;
    std::int64_t batch_;
};

/// The GSS branch of a layer by itself, forward and backward.
class GssWorkload {
public:
    GssWorkload(
        const RunConfig& config, torch::Device device, torch::Dtype matrix, std::int64_t context, std::int64_t batch)
    {
        auto one = config.model;
        one.layers = 1;
        const LanguageModel model(one, 1); // only the branch goes to the device
        branch_ = std::dynamic_pointer_cast<Branch>(model.named_modules({}, false)["layers_0.gss"]);
        branch_->to(device);
        pass_.matrix = matrix;
        pass_.training = true;
        pass_.cache = &cache_;
        const auto options = torch::dtype(matrix).device(device);
        u_ = torch::randn({ batch, context, one.width }, options).requires_grad_();
        gradient_ = torch::randn(u_.sizes(), options);
    }

    std::int64_t operator()()
    {
        for (auto& p : branch_->parameters()) p.mutable_grad() = Tensor();
        u_.mutable_grad() = Tensor();
        const auto z = branch_->forward(u_, pass_, 0, nullptr);
        z.backward(gradient_.to(z.scalar_type()));
        return u_.size(0) * u_.size(1);
    }

private:
    std::shared_ptr<Branch> branch_;
    DeviceCache cache_;
    Pass pass_;
    Tensor u_, gradient_;
};

/// Rates of `repeats` calls of `work` after some that are not counted. Nothing if `stop` was requested meanwhile:
/// looked at between two repeats.
std::optional<std::vector<double>> ratesOf(
    const std::function<std::int64_t()>& work, int repeats, torch::Device device, const std::stop_token& stop)
{
    // Caches, thread pools and kernel choices are warm after the first, and a card's launches captured after the
    // second.
    for (int i = 0; i < (device.is_cuda() ? 3 : 1); ++i) work();
    synchronize(device);
    resetPeakBytes(device);
    std::vector<double> rates;
    for (int i = 0; i < repeats; ++i) {
        if (stop.stop_requested()) return std::nullopt;
        const auto start = std::chrono::steady_clock::now();
        const auto tokens = work();
        synchronize(device);
        rates.push_back(
            double(tokens) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    std::sort(rates.begin(), rates.end());
    return rates;
}

/// Energy of a token, with work long enough for the counters, which move some ten times a second; 0: not counted.
double energyOf(const std::function<std::int64_t()>& work, torch::Device device, const std::stop_token& stop)
{
    const auto meter = meterOf(device);
    const auto before = meter ? meter->joules() : std::nullopt;
    if (!before) return 0;
    std::int64_t tokens = 0;
    const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(2);
    while (std::chrono::steady_clock::now() < end && !stop.stop_requested()) {
        tokens += work();
        synchronize(device);
    }
    const auto after = meter->joules();
    return after && tokens > 0 ? (*after - *before) / double(tokens) : 0;
}

/// The machine's own best: a large square product in the faster precision. FLOP/s.
double bestGemm(torch::Device device)
{
    double best = 0;
    for (const auto dtype : { torch::kFloat, torch::kBFloat16 }) {
        if (dtype == torch::kBFloat16 && device.is_cpu() && !describeMachine().bf16) continue; // takes a minute
        useBlasThreads(dtype);
        const std::int64_t n = device.is_cuda() ? 8192 : 2048;
        best = std::max(best, measureGemm(device, dtype, n, n, n));
    }
    return best;
}

bool beginsWithGss(const ModelConfig& model)
{
    for (const auto& stage : layerStages(model, 0))
        for (const auto& part : stage.parts)
            if (part == "gss") return true;
    return false;
}

/// Ways to do the same in turn: the convolutions of a GSS branch, otherwise just one.
std::vector<std::string> pathsOf(const BenchRequest& request)
{
    return request.mode == "gss" ? std::vector<std::string> { "auto", "chunked", "fft" }
                                 : std::vector<std::string> { "" };
}

/// FLOPs of a token of the whole model in this mode (models.md 11.2).
double flopsOf(const BenchRequest& request, const ModelCosts& costs, std::int64_t context)
{
    if (request.mode == "train") return 3 * costs.forwardFlopsPerToken;
    if (request.mode == "decode") return costs.decodeFlopsPerToken;
    if (request.mode == "prompt") // the vocabulary is asked after the last token alone
        return costs.forwardFlopsPerToken - costs.headFlops * (1 - 1 / double(context));
    return costs.forwardFlopsPerToken;
}

/// What the machine itself can do, measured once.
struct Yardsticks {
    double gemm = 0, read = 0; ///< FLOP/s, bytes/s
};

/// Nothing if `stop` was requested meanwhile.
std::optional<BenchRow> measure(const BenchRequest& request, const Preset& preset, const std::string& path,
    std::int64_t context, torch::Device device, Yardsticks& machine, const std::stop_token& stop)
{
    auto config = preset.config;
    config.training.context = context;
    if (!path.empty()) config.model.gssConvolution = path;
    const auto batch =
        request.mode == "decode" ? request.decodeBatch : std::max<std::int64_t>(1, request.batchTokens / context);
    const auto matrix = request.mode == "decode" && request.precision == "auto" && device.is_cpu()
        ? torch::kFloat
        : choosePrecision(request.precision, device, config.model, batch * context);
    useBlasThreads(matrix);
    const bool branch = request.mode == "gss";

    BenchRow row;
    row.preset = preset.name + (path.empty() ? "" : ", " + path);
    row.mode = request.mode;
    row.device = device.str();
    row.precision = precisionName(matrix);
    row.context = context;
    row.batch = batch;
    std::optional<std::vector<double>> rates;
    auto seen = context;
    {
        std::function<std::int64_t()> work;
        std::shared_ptr<Workload> whole;
        if (branch) {
            work = [w = std::make_shared<GssWorkload>(config, device, matrix, context, batch)] { return (*w)(); };
        } else {
            whole = std::make_shared<Workload>(request, config, device, matrix, context, batch);
            work = [whole] { return (*whole)(); };
        }
        rates = ratesOf(work, request.repeats, device, stop);
        row.peakBytes = std::max(peakBytes(device), whole ? whole->peakBytes() : 0);
        if (request.mode == "decode") row.stepBytes = whole->stepBytes(), seen = whole->tokensSeen();
        row.joulesPerToken = energyOf(work, device, stop);
    }
    if (!rates || stop.stop_requested()) return std::nullopt; // before the machine's own best is measured
    row.tokensPerSecond = (*rates)[rates->size() / 2];
    row.spread = (rates->back() - rates->front()) / row.tokensPerSecond;
    const auto whole = modelCosts(config.model, seen);
    const auto part = findPart("gss")->costs(config.model, { double(context) });
    row.parameters = branch ? part.parameters : whole.parameters;
    row.flopsPerSecond = row.tokensPerSecond * (branch ? 3 * part.flops : flopsOf(request, whole, context));
    if (request.mode == "decode") {
        if (machine.read == 0) machine.read = measureRead(device);
        row.readRate = machine.read;
        row.readShare = row.stepBytes * row.tokensPerSecond / double(batch) / machine.read;
    }
    if (machine.gemm == 0) machine.gemm = bestGemm(device);
    row.gemmShare = row.flopsPerSecond / machine.gemm;
    return row;
}

} // namespace

std::vector<BenchRow> runBench(
    const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop)
{
    const std::vector<std::string> modes(std::begin(benchModes), std::end(benchModes));
    if (std::find(modes.begin(), modes.end(), request.mode) == modes.end())
        throw ConfigError("mode", request.mode, "one of " + joinList(modes));
    if (request.repeats < 1) throw ConfigError("repeats", std::to_string(request.repeats), "at least 1");
    std::vector<const Preset*> chosen;
    for (const auto& name : request.presets) {
        chosen.push_back(&findPreset(name));
        if (request.mode == "gss" && !beginsWithGss(chosen.back()->config.model))
            throw ConfigError("presets", name, "for mode gss: those whose first layer holds a GSS branch");
    }
    const auto device = chooseDevice(request.device);
    useThreads(request.threads);
    Yardsticks machine;
    std::vector<BenchRow> rows;
    for (const auto context : request.contexts) {
        if (context < 2) throw ConfigError("contexts", std::to_string(context), "at least 2");
        for (const auto* preset : chosen) {
            for (const auto& path : pathsOf(request)) {
                if (stop.stop_requested()) return rows;
                const auto row = measure(request, *preset, path, context, device, machine, stop);
                if (!row) return rows;
                rows.push_back(*row);
                onRow(rows.back());
            }
        }
    }
    return rows;
}

} // namespace pha
