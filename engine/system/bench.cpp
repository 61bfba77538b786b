// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/system/bench.h"

#include "engine/base/error.h"
#include "engine/model/token_reader.h"
#include "engine/model/weights.h"
#include "engine/system/device.h"
#include "engine/train/optimizer.h"

#include <algorithm>
#include <chrono>
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
        if (mode_ == "train") optimizer_ = std::make_unique<Optimizer>(*model_, config.training);
        ids_ = torch::randint(config.model.vocabulary, { batch, context }, torch::kLong).to(device);
        targets_ = torch::randint(config.model.vocabulary, { batch, context }, torch::kLong).to(device);
    }

    std::int64_t operator()()
    {
        if (mode_ == "train") {
            Pass pass = pass_;
            pass.training = true;
            pass.recompute = recompute_;
            optimizer_->zeroGrad();
            (model_->lossSum(ids_, targets_, pass) / double(ids_.numel())).backward();
            const double norm = optimizer_->gradNorm();
            optimizer_->step(1e-4, 1e-2, norm > 1 ? 1 / norm : 1);
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
        for (std::int64_t i = 0; i < decodedTokens; ++i) next = (*reader_)(next).argmax(-1);
        next.sum().item<std::int64_t>();
        return decodedTokens * batch_;
    }

private:
    std::string mode_;
    bool recompute_;
    std::shared_ptr<LanguageModel> model_;
    std::unique_ptr<Optimizer> optimizer_;
    Pass pass_;
    Tensor ids_, targets_;
    ModelState state_;
    std::unique_ptr<TokenReader> reader_;
    std::int64_t batch_;
};

/// Nothing if `stop` was requested meanwhile: looked at between two repeats.
std::optional<BenchRow> measure(const BenchRequest& request, const Preset& preset, std::int64_t context,
    torch::Device device, double& gemm, const std::stop_token& stop)
{
    auto config = preset.config;
    config.training.context = context;
    const auto batch =
        request.mode == "decode" ? request.decodeBatch : std::max<std::int64_t>(1, request.batchTokens / context);
    const auto matrix = request.mode == "decode" && request.precision == "auto" && device.is_cpu()
        ? torch::kFloat
        : choosePrecision(request.precision, device, config.model, batch * context);
    useBlasThreads(matrix);
    const auto costs = modelCosts(config.model, context);

    BenchRow row;
    row.preset = preset.name;
    row.mode = request.mode;
    row.device = device.str();
    row.precision = precisionName(matrix);
    row.context = context;
    row.batch = batch;
    row.parameters = costs.parameters;
    std::vector<double> rates;
    {
        Workload work(request, config, device, matrix, context, batch);
        work(); // warms up caches, thread pools and kernel choices
        synchronize(device);
        resetPeakBytes(device);
        for (int i = 0; i < request.repeats; ++i) {
            if (stop.stop_requested()) return std::nullopt;
            const auto start = std::chrono::steady_clock::now();
            const auto tokens = work();
            synchronize(device);
            rates.push_back(
                double(tokens) / std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
        }
        row.peakBytes = peakBytes(device);
    }
    std::sort(rates.begin(), rates.end());
    row.tokensPerSecond = rates[rates.size() / 2];
    row.spread = (rates.back() - rates.front()) / row.tokensPerSecond;
    row.flopsPerSecond = row.tokensPerSecond * costs.forwardFlopsPerToken * (request.mode == "train" ? 3 : 1);
    if (gemm == 0) { // the machine's own best: a large square product in the faster precision
        for (const auto dtype : { torch::kFloat, torch::kBFloat16 }) {
            if (dtype == torch::kBFloat16 && device.is_cpu() && !describeMachine().bf16) continue; // takes a minute
            useBlasThreads(dtype);
            const std::int64_t n = device.is_cuda() ? 8192 : 2048;
            gemm = std::max(gemm, measureGemm(device, dtype, n, n, n));
        }
    }
    row.gemmShare = row.flopsPerSecond / gemm;
    return row;
}

} // namespace

std::vector<BenchRow> runBench(
    const BenchRequest& request, const std::function<void(const BenchRow&)>& onRow, std::stop_token stop)
{
    if (request.mode != "train" && request.mode != "forward" && request.mode != "prompt" && request.mode != "decode")
        throw ConfigError("mode", request.mode, "train, forward, prompt or decode");
    if (request.repeats < 1) throw ConfigError("repeats", std::to_string(request.repeats), "at least 1");
    std::vector<const Preset*> chosen;
    for (const auto& name : request.presets) chosen.push_back(&findPreset(name));
    const auto device = chooseDevice(request.device);
    useThreads(request.threads);
    double gemm = 0;
    std::vector<BenchRow> rows;
    for (const auto context : request.contexts) {
        if (context < 2) throw ConfigError("contexts", std::to_string(context), "at least 2");
        for (const auto* preset : chosen) {
            if (stop.stop_requested()) return rows;
            const auto row = measure(request, *preset, context, device, gemm, stop);
            if (!row) return rows;
            rows.push_back(*row);
            onRow(rows.back());
        }
    }
    return rows;
}

} // namespace pha
