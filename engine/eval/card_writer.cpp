// SPDX-License-Identifier: GPL-3.0-or-later
// A card that draws its tokens itself: it reads on while the processor still describes an earlier one.
#include "engine/eval/sampler.h"
#include "engine/eval/token_writer.h"

#if PHA_HAS_KERNELS

#include "engine/model/fused_detail.h"

#include <ATen/cuda/CUDAEvent.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>

#include <array>
#include <cstring>

namespace pha {

namespace {

/// Tokens are drawn up to `ahead` before they are asked for. What the processor wants of each comes to it on a stream
/// of its own, from a copy that the next step does not write over.
class CardWriter final : public TokenWriter {
public:
    explicit CardWriter(const TextStart& start)
        : read_(start.read)
        , state_(start.state)
        , sampling_(start.sampling)
        , uniform_(start.sampling.seed)
        , tokens_(start.tokens)
        , logits_(start.logits.to(start.device))
        , copies_(at::cuda::getStreamFromPool(false, start.device.index()))
    {
        const auto fp32 = torch::dtype(torch::kFloat);
        width_ = (logits_.numel() + 3) / 4 * 4;
        const auto place = width_ + std::int64_t(sizeof(kernels::DrawnToken) / sizeof(float));
        const auto here = torch::empty({ slotCount, place }, fp32.device(start.device)),
                   there = torch::empty({ slotCount, place }, fp32.pinned_memory(true));
        for (std::int64_t i = 0; i < slotCount; ++i) {
            slots_[std::size_t(i)].here = here.select(0, i);
            slots_[std::size_t(i)].there = there.select(0, i);
        }
        ids_ = torch::zeros({ 1, 1 }, torch::dtype(torch::kLong).device(start.device));
        room_ = torch::zeros({ kernels::drawRoom }, torch::dtype(torch::kByte).device(start.device));
    }
    /// What is under way still uses this memory and the model's.
    ~CardWriter() override
    {
        (void)cudaStreamSynchronize(at::cuda::getCurrentCUDAStream(copies_.device_index()).stream());
        (void)cudaStreamSynchronize(copies_.stream());
    }
    CardWriter(const CardWriter&) = delete;
    CardWriter& operator=(const CardWriter&) = delete;

    WrittenToken next() override
    {
        // A first step takes longer: the first token does not wait for it.
        const auto until = asked_ == 0 ? 1 : std::min(tokens_, asked_ + 1 + ahead);
        for (; begun_ < until; ++begun_) begin(slotOf(begun_));
        auto& slot = slotOf(asked_++);
        slot.arrived.synchronize();
        const float* row = slot.there.data_ptr<float>();
        kernels::DrawnToken drawn;
        std::memcpy(static_cast<void*>(&drawn), row + width_, sizeof drawn);
        if (drawn.id < 0) throw brokenLogits();
        return { drawn.id, drawn.probability, { row, std::size_t(logits_.numel()) }, slot.stateBytes };
    }

private:
    static constexpr std::int64_t ahead = 2, slotCount = ahead + 1;
    struct Slot {
        Tensor here, there; ///< a row of logits and the DrawnToken: on the card, in page-locked memory
        at::cuda::CUDAEvent drawn, arrived;
        std::int64_t stateBytes = 0;
    };
    Slot& slotOf(std::int64_t token) { return slots_[std::size_t(token % slotCount)]; }

    /// Has the next token drawn, after the step that its logits come from.
    void begin(Slot& slot)
    {
        if (begun_ > 0) {
            logits_ = read_(ids_);
            if (const auto place = read_.ids(); place.defined()) ids_ = place;
        }
        slot.stateBytes = state_.bytes();
        const auto row = logits_.reshape({ -1 }).to(torch::kFloat).contiguous();
        const bool greedy = sampling_.temperature == 0;
        kernels::Draw p;
        p.vocabulary = int(row.numel());
        p.logits = floats(row), p.copy = floats(slot.here);
        p.scale = greedy ? 0 : scaleOf(sampling_.temperature);
        p.most = sampling_.topK, p.share = sampling_.topP;
        p.x = greedy ? 0 : uniform_();
        p.id = ids_.data_ptr<std::int64_t>();
        p.drawn = reinterpret_cast<kernels::DrawnToken*>(p.copy + width_);
        p.room = raw(room_);
        kernels::draw(p, stream());
        slot.drawn.record();
        const c10::cuda::CUDAStreamGuard guard(copies_);
        slot.drawn.block(copies_);
        slot.there.copy_(slot.here, true);
        slot.arrived.record(copies_);
    }

    TokenReader& read_;
    const ModelState& state_;
    const Sampling sampling_;
    Uniform uniform_;
    const std::int64_t tokens_;
    std::int64_t begun_ = 0, asked_ = 0; ///< tokens
    std::int64_t width_ = 0; ///< of a row in its slot
    Tensor logits_, ids_, room_;
    std::array<Slot, slotCount> slots_;
    at::cuda::CUDAStream copies_;
};

} // namespace

std::unique_ptr<TokenWriter> cardWriter(const TextStart& start)
{
    if (!start.device.is_cuda() || start.sampling.repetitionPenalty != 1) return {};
    if (!kernels::drawFits(start.logits.numel())) return {};
    return std::make_unique<CardWriter>(start);
}

} // namespace pha

#else

namespace pha {
std::unique_ptr<TokenWriter> cardWriter(const TextStart&) { return {}; }
} // namespace pha

#endif
