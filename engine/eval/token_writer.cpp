// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/token_writer.h"

#include "engine/eval/sampler.h"

#include <tuple>

namespace pha {

namespace {

/// Draws on a processor.
class ProcessorWriter final : public TokenWriter {
public:
    explicit ProcessorWriter(const TextStart& start)
        : read_(start.read)
        , state_(start.state)
        , device_(start.device)
        , logits_(start.logits)
        , sampler_(start.sampling)
        , seen_(start.prompt)
        , left_(start.tokens)
    {
    }
    WrittenToken next() override
    {
        if (mustRead_) read();
        row_ = row();
        WrittenToken token;
        std::tie(token.id, token.probability) = sampler_.draw(numbers(row_), seen_);
        token.logits = numbers(row_);
        token.stateBytes = state_.bytes();
        seen_.push_back(token.id);
        mustRead_ = --left_ > 0;
        // A card reads the token while it is described; a first step takes longer, and is not waited for.
        if (device_.is_cuda() && mustRead_ && !first_) read();
        first_ = false;
        return token;
    }

private:
    void read()
    {
        logits_ = read_(torch::full({ 1, 1 }, seen_.back(), torch::kLong).to(device_));
        mustRead_ = false;
    }
    /// The logits where a processor reads them: a card writes them into page-locked memory, the same for every token.
    Tensor row()
    {
        const auto all = logits_.reshape({ -1 });
        if (!all.is_cuda()) return all.to(torch::kFloat).contiguous();
        if (!place_.defined()) place_ = torch::empty(all.sizes(), torch::dtype(torch::kFloat).pinned_memory(true));
        return place_.copy_(all);
    }

    TokenReader& read_;
    const ModelState& state_;
    const torch::Device device_;
    Tensor logits_, row_, place_;
    Sampler sampler_;
    std::vector<std::int64_t> seen_; ///< of prompt and text
    std::int64_t left_;
    bool first_ = true, mustRead_ = false; ///< the last token has yet to be read
};

} // namespace

std::unique_ptr<TokenWriter> TokenWriter::make(const TextStart& start)
{
    auto writer = cardWriter(start);
    return writer ? std::move(writer) : std::make_unique<ProcessorWriter>(start);
}

} // namespace pha
