// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/train/captured_update.h"

#include "engine/model/device_cache.h"
#include "engine/torch/device.h"

#if PHA_HAS_CUDA
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include <mutex>
#endif

namespace pha {

#if PHA_HAS_CUDA

struct CapturedUpdate::Graph {
    at::cuda::CUDAGraph graph;
    at::cuda::CUDAStream stream = at::cuda::getStreamFromPool();
    std::vector<Tensor> inputs; ///< where the graph reads them
    Tensor result;
    Rope tables; ///< held: the model's own may be replaced by longer ones
    bool captured = false, replayed = false;
    std::int64_t peak = 0;
};

CapturedUpdate::~CapturedUpdate() = default;

bool CapturedUpdate::replays() const { return graph_ && graph_->replayed; }
std::int64_t CapturedUpdate::peakBytes() const { return replays() ? graph_->peak : 0; }

Tensor CapturedUpdate::capture(const Work& work)
{
    auto& g = *graph_;
    const auto mine = [&] { // the first time: everything that is made once is made on this stream
        const c10::cuda::CUDAStreamGuard guard(g.stream);
        return work(g.inputs);
    };
    torch::cuda::synchronize();
    if (!g.result.defined()) {
        g.result = mine();
        g.stream.synchronize();
        return g.result;
    }
    c10::cuda::CUDACachingAllocator::emptyCache(); // a graph has memory of its own
    model_.cache().forgetCopies(); // they have to be made in the graph, whoever has asked for them meanwhile
    resetPeakBytes(device_);
    if (agree_) agree_(true); // emptying concerns all cards, and none of them may be capturing
    bool begun = false;
    try {
        const c10::cuda::CUDAStreamGuard guard(g.stream);
        g.graph.capture_begin({ 0, 0 }, cudaStreamCaptureModeThreadLocal);
        begun = true;
        g.result = work(g.inputs);
        begun = false;
        g.graph.capture_end();
        g.captured = true;
    } catch (const std::exception&) { // something in it waits for the card
        const c10::cuda::CUDAStreamGuard guard(g.stream);
        try {
            if (begun) g.graph.capture_end();
        } catch (const std::exception&) { // says the same once more
        }
        (void)cudaGetLastError();
    }
    model_.cache().forgetCopies();
    if (agree_) g.captured = agree_(g.captured);
    if (!g.captured) {
        // The allocator goes on asking a graph that never ended, so it is never destroyed.
        static std::mutex mutex;
        static auto& failed = *new std::vector<std::unique_ptr<Graph>>;
        const std::lock_guard lock(mutex);
        failed.push_back(std::move(graph_));
        forbid();
        return {};
    }
    g.tables = model_.cache().tables();
    g.peak = pha::peakBytes(device_);
    return g.result;
}

Tensor CapturedUpdate::operator()(const std::vector<Tensor>& inputs, const Work& work)
{
    if (refused_ || !device_.is_cuda()) return once(inputs, work);
    const auto same = [](const Tensor& a, const Tensor& b) { return a.sizes() == b.sizes(); };
    if (!graph_ || !std::equal(inputs.begin(), inputs.end(), graph_->inputs.begin(), graph_->inputs.end(), same)) {
        graph_ = std::make_unique<Graph>();
        for (const auto& input : inputs) graph_->inputs.push_back(torch::empty_like(input, device_));
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) graph_->inputs[i].copy_(inputs[i]);
    if (!graph_->captured) {
        const auto result = capture(work);
        if (!result.defined()) return once(inputs, work);
        if (!graph_->captured) return result;
    }
    graph_->graph.replay();
    graph_->replayed = true;
    for (const auto& w : model_.parameters()) w.unsafeGetTensorImpl()->bump_version(); // copies of it are stale
    return graph_->result;
}

#else

struct CapturedUpdate::Graph { };
CapturedUpdate::~CapturedUpdate() = default;
bool CapturedUpdate::replays() const { return false; }
std::int64_t CapturedUpdate::peakBytes() const { return 0; }
Tensor CapturedUpdate::operator()(const std::vector<Tensor>& inputs, const Work& work) { return once(inputs, work); }

#endif

CapturedUpdate::CapturedUpdate(LanguageModel& model)
    : model_(model)
    , device_(model.embedding().device())
{
}

void CapturedUpdate::forget() { graph_.reset(); }

Tensor CapturedUpdate::once(const std::vector<Tensor>& inputs, const Work& work)
{
    graph_.reset();
    std::vector<Tensor> there;
    for (const auto& input : inputs) there.push_back(input.to(device_));
    return work(there);
}

Tensor plainUpdate(LanguageModel& model, Optimizer& optimizer, const Pass& pass, const std::vector<Tensor>& inputs,
    const std::function<Tensor()>& regulariser, const Sum& sum)
{
    optimizer.zeroGrad();
    if (pass.tokenLosses) pass.tokenLosses->clear();
    const auto& numbers = inputs.back();
    Tensor loss;
    for (std::size_t i = 0; i + 1 < inputs.size(); i += 2) {
        auto part = model.lossSum(inputs[i], inputs[i + 1], pass) / numbers[0];
        loss = loss.defined() ? loss + part.detach() : part.detach();
        if (regulariser) part = part + regulariser();
        part.backward();
    }
    if (sum) {
        auto all = optimizer.gradients();
        all.push_back(loss);
        sum(all);
    }
    return optimizer.apply(loss, numbers);
}

} // namespace pha
