// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/token_reader.h"

#include "engine/model/fused_card.h"

#if PHA_HAS_KERNELS
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#endif

namespace pha {

#if PHA_HAS_KERNELS

/// What a captured step reads and writes at fixed addresses.
struct TokenReader::Graph {
    at::cuda::CUDAGraph graph;
    at::cuda::CUDAStream stream = at::cuda::getStreamFromPool();
    Tensor ids, logits;
    CardStep step;
    Rope table; ///< held: the model's own may be replaced by a longer one
    std::int64_t room = 0; ///< tokens that the caches hold
    bool captured = false;
};

namespace {

constexpr std::int64_t leastRoom = 1024;

/// Caches of at least `room` tokens; their content stays.
void reserve(ModelState& state, std::int64_t room)
{
    for (auto& layer : state.layers)
        for (auto& part : layer) {
            if (!part.keys.defined() || (part.keys.size(1) >= room && part.keys.is_contiguous())) continue;
            const auto grow = [&](const Tensor& old) {
                auto sizes = old.sizes().vec();
                sizes[1] = std::max(room, sizes[1]);
                auto larger = torch::zeros(sizes, old.options());
                larger.narrow(1, 0, part.filled).copy_(old.narrow(1, 0, part.filled));
                return larger;
            };
            part.keys = grow(part.keys);
            part.values = grow(part.values);
        }
}

} // namespace

TokenReader::~TokenReader() = default;

bool TokenReader::capturable(const Tensor& ids) const
{
    Pass pass = pass_;
    pass.cache = &model_.cache();
    return ids.is_cuda() && fusedPass(ids.to(torch::kFloat), pass) && (!pass.mix || pass.mix->empty())
        && state_.length > 0 && model_.stepsOnCard(pass);
}

Tensor TokenReader::step(const Tensor& given)
{
    if (!graph_ || state_.length >= graph_->room) { // the first step, or the caches are full
        graph_ = std::make_unique<Graph>();
        auto& g = *graph_;
        g.room = std::max(leastRoom, 2 * state_.length);
        reserve(state_, keyRoom(model_.config(), g.room));
        g.ids = given.clone();
        g.step.position = torch::full({ 1 }, state_.length, given.options());
        const auto& c = model_.config();
        g.table = model_.cache().rope(0, g.room, c.headWidth(), c.ropeBase, given.device());
    }
    auto& g = *graph_;
    if (given.data_ptr() != g.ids.data_ptr()) g.ids.copy_(given);
    const auto run = [&] {
        g.step.rope = { g.table.cosine.index_select(0, g.step.position),
            g.table.sine.index_select(0, g.step.position) };
        auto pass = pass_;
        pass.step = &g.step;
        const auto length = state_.length;
        g.logits = model_.logits(model_.forward(g.ids, pass, &state_), pass);
        state_.length = length;
        g.step.position.add_(1);
    };
    if (g.captured) {
        g.graph.replay();
    } else if (g.logits.defined()) { // the second step: everything that is made once has been made
        torch::cuda::synchronize();
        {
            const c10::cuda::CUDAStreamGuard guard(g.stream);
            g.graph.capture_begin({ 0, 0 }, cudaStreamCaptureModeThreadLocal);
            run();
            g.graph.capture_end();
        }
        g.captured = true;
        g.graph.replay();
    } else {
        run();
    }
    ++state_.length;
    for (auto& layer : state_.layers)
        for (auto& part : layer)
            if (part.keys.defined()) part.filled = keptKeys(model_.config(), state_.length);
    return g.logits;
}

#else

struct TokenReader::Graph {
    Tensor ids;
};
TokenReader::~TokenReader() = default;
bool TokenReader::capturable(const Tensor&) const { return false; }
Tensor TokenReader::step(const Tensor&) { return {}; }

#endif

TokenReader::TokenReader(LanguageModel& model, const Pass& pass, ModelState& state)
    : model_(model)
    , pass_(pass)
    , state_(state)
{
}

bool TokenReader::runs(const Tensor& ids)
{
    if (refused_ || state_.length == 0) return false;
    if (!runner_ && ids.is_cpu()) {
        runner_ = StepRunner::onProcessors(model_, pass_, state_, ids.size(0));
        trusted_ = true;
    } else if (!runner_) {
        Pass pass = pass_;
        pass.cache = &model_.cache();
        if (!card::fusedPass(model_.embedding(), pass)) return false;
        runner_ = StepRunner::make(model_, pass_, state_, ids.size(0), card::stepDevice());
    }
    refused_ = !runner_;
    return !refused_;
}

Tensor TokenReader::readFirst(const Tensor& ids)
{
    constexpr double most = 0.2; // some ten times what rounding to bf16 does
    auto aside = state_.clone();
    const auto plain = model_.logits(model_.forward(ids, pass_, &aside), pass_);
    const auto logits = runner_->read(ids);
    trusted_ = ((logits - plain).norm() <= most * plain.norm()).item<bool>(); // false for NaN too
    if (trusted_) return logits;
    runner_.reset();
    refused_ = true;
    state_ = std::move(aside);
    return plain;
}

Tensor TokenReader::read(const Tensor& ids)
{
    if (runs(ids)) return trusted_ ? runner_->read(ids) : readFirst(ids);
    if (capturable(ids)) return step(ids);
    return model_.logits(model_.forward(ids, pass_, &state_), pass_);
}

Tensor TokenReader::operator()(const Tensor& ids)
{
    const torch::NoGradGuard guard;
    return last_ = read(ids);
}

Tensor TokenReader::ids() const { return runner_ ? runner_->ids() : graph_ ? graph_->ids : Tensor(); }

Tensor TokenReader::best() const { return runner_ ? runner_->best() : last_.argmax(-1); }

} // namespace pha
