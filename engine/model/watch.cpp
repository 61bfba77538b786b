// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/watch.h"

#include <algorithm>

namespace pha {

namespace {

constexpr const char* normBiases = "norms";

Tensor wide(const Tensor& x) { return x.scalar_type() == torch::kDouble ? x : x.to(torch::kFloat); }

Tensor positions(std::int64_t count, const Tensor& like)
{
    return torch::arange(count, torch::dtype(torch::kLong).device(like.device()));
}

} // namespace

void Watch::begin(const Tensor& embedding)
{
    write(-1, "embedding", embedding);
    joined_ = writes_.size();
}

void Watch::write(std::int64_t layer, const std::string& part, const Tensor& x)
{
    const auto written = wide(x.squeeze(0));
    writes_.push_back({ layer, part, written, written });
}

void Watch::join(double kept, double added)
{
    for (std::size_t i = 0; i < writes_.size(); ++i)
        if (const double by = i < joined_ ? kept : added; by != 1) writes_[i].x = writes_[i].x * by;
    joined_ = writes_.size();
}

void Watch::pass(const std::function<Tensor(const Tensor&)>& linear, const Tensor& bias)
{
    for (auto& write : writes_) write.x = linear(write.x);
    if (!bias.defined()) return;
    const auto at =
        std::find_if(writes_.begin(), writes_.end(), [](const Write& write) { return write.part == normBiases; });
    if (at == writes_.end())
        write(-1, normBiases, bias.expand_as(writes_.front().x).unsqueeze(0));
    else
        at->x = at->x + bias;
    joined_ = writes_.size();
}

void Watch::depth(std::int64_t layer, const Tensor& stream, const Tensor& normed)
{
    depths_.push_back(normed.squeeze(0));
    keep({ layer, {}, false, stream });
}

void Watch::keep(Values values)
{
    if (!keepsValues) return;
    values.x = wide(values.x.squeeze(0));
    values_.push_back(std::move(values));
}

void Watch::show(const Tensor& parts)
{
    const auto lower = parts.tril();
    maps_.push_back({ layer_, part_, lower / lower.sum(-1, true).clamp_min(1e-30), 0, {} });
}

void Watch::softmax(const Tensor& q, const Tensor& k, std::int64_t span)
{
    const auto T = q.size(1), group = q.size(2) / k.size(2);
    const auto byHead = [](const Tensor& x) { return wide(x).squeeze(0).transpose(0, 1); }; // (H,T,dh)
    const auto scores = torch::bmm(byHead(q), byHead(k).repeat_interleave(group, 0).transpose(1, 2)); // (Hq,T,T)
    const auto t = positions(T, q);
    auto hidden = t.unsqueeze(0) > t.unsqueeze(1);
    if (span > 0) {
        const auto chunk = torch::floor_divide(t, span);
        hidden = hidden.logical_or(chunk.unsqueeze(0) != chunk.unsqueeze(1));
    }
    show(torch::softmax(scores.masked_fill(hidden, -INFINITY), -1));
    maps_.back().span = span;
}

void Watch::features(const Tensor& q, const Tensor& k) { show(torch::bmm(wide(q), wide(k).transpose(1, 2))); }

void Watch::stateSpace(const DiagonalSsm& ssm, const Tensor& skip, const Tensor& u)
{
    if (attentionAlone) return;
    const auto T = u.size(1);
    auto kernel = ssmKernel(ssm, T); // (h,T)
    kernel = kernel + torch::constant_pad_nd(skip.unsqueeze(1), { 0, T - 1 });
    const auto byLag = torch::mm(u.abs().sum(0), kernel.abs()); // (T,T): token s, lag l
    const auto t = positions(T, u);
    const auto lag = (t.unsqueeze(1) - t.unsqueeze(0)).clamp_min(0); // (t,s)
    show(byLag.t().gather(0, lag).unsqueeze(0));
    maps_.back().halfLives = halfLives(ssm);
}

void Watch::recurrence(const Tensor& a, const Tensor& b)
{
    if (attentionAlone) return;
    const auto T = a.size(1);
    const auto decay = a.squeeze(0).clamp_min(1e-30).log().cumsum(0), size = b.squeeze(0).abs(); // (T,C)
    std::vector<Tensor> rows;
    for (std::int64_t t = 0; t < T; ++t) {
        const auto left = (decay[t] - decay.narrow(0, 0, t + 1)).exp(); // of what came in at s
        rows.push_back(torch::constant_pad_nd((left * size.narrow(0, 0, t + 1)).sum(1), { 0, T - 1 - t }));
    }
    show(torch::stack(rows).unsqueeze(0));
}

} // namespace pha
