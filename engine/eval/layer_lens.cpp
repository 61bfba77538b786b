// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/eval/layer_lens.h"

#include "engine/base/stop.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace pha {

namespace {

constexpr std::int64_t piecesShown = 5;
constexpr std::int64_t rowsAtOnce = 64; // of V logits each: memory

/// Some rows of one layer: n positions whose next tokens are `next` (n), -1 where there is none.
void readRows(LensLayer& layer, const Tensor& here, const Tensor& end, const Tensor& next, const Tokenizer& tokenizer)
{
    const auto n = here.size(0), shown = std::min(piecesShown, here.size(1));
    const auto onCpu = [](const Tensor& x) { return x.to(torch::kCPU).contiguous(); };
    const auto known = next.clamp_min(0).unsqueeze(1);
    const auto came = here.gather(1, known);
    const auto share = here.exp();
    const auto rank = onCpu((here > came).sum(1) + 1), id = onCpu(next);
    const auto logarithm = onCpu(came.squeeze(1).to(torch::kDouble)), // of an unlikely token: no share in fp32
        probability = logarithm.exp(), entropy = onCpu(-(share * here).sum(1).to(torch::kDouble)),
               divergence = onCpu((end.exp() * (end - here)).sum(1).clamp_min(0).to(torch::kDouble));
    const auto [top, ids] = here.topk(shown, 1);
    const auto topShare = onCpu(top.exp().to(torch::kDouble)), topId = onCpu(ids);
    for (std::int64_t i = 0; i < n; ++i) {
        LensCell cell;
        if (id.data_ptr<std::int64_t>()[i] >= 0) {
            layer.nll -= logarithm.data_ptr<double>()[i]; // the sum; summarise() divides it
            cell.probability = probability.data_ptr<double>()[i];
            cell.rank = rank.data_ptr<std::int64_t>()[i];
        }
        cell.entropy = entropy.data_ptr<double>()[i];
        cell.divergence = divergence.data_ptr<double>()[i];
        for (std::int64_t k = 0; k < shown; ++k) {
            const auto piece = topId.data_ptr<std::int64_t>()[i * shown + k];
            std::int64_t repairs = 0;
            cell.top.push_back({ piece, repairUtf8(tokenizer.piece(std::int32_t(piece)), repairs),
                topShare.data_ptr<double>()[i * shown + k] });
        }
        layer.cells.push_back(std::move(cell));
    }
}

/// Means over the positions, once all layers are known.
void summarise(LensLayer& layer, const LensLayer& end)
{
    double agreed = 0;
    const auto T = layer.cells.size();
    for (std::size_t t = 0; t < T; ++t) {
        agreed += layer.cells[t].top.front().id == end.cells[t].top.front().id ? 1 : 0;
        layer.divergence += layer.cells[t].divergence / double(T);
    }
    layer.nll = T > 1 ? layer.nll / double(T - 1) : std::numeric_limits<double>::quiet_NaN(); // nothing came
    layer.agreement = agreed / double(T);
}

} // namespace

std::vector<LensLayer> readLens(const LanguageModel& model, const Tokenizer& tokenizer, const Watch& watch,
    const Tensor& ids, const Pass& pass, const std::stop_token& stop)
{
    const auto T = ids.size(0);
    const auto next = torch::constant_pad_nd(ids.narrow(0, 1, T - 1), { 0, 1 }, -1);
    std::vector<LensLayer> layers;
    for (std::int64_t layer = -1; layer < std::int64_t(watch.depths().size()) - 1; ++layer)
        layers.push_back({ layer, {} });
    for (std::int64_t first = 0; first < T; first += rowsAtOnce) {
        const auto n = std::min(rowsAtOnce, T - first);
        const auto says = [&](const Tensor& depth) {
            return torch::log_softmax(model.logits(depth.narrow(0, first, n), pass), -1);
        };
        const auto end = says(watch.depths().back());
        for (std::size_t i = 0; i < layers.size(); ++i) {
            throwIfStopped(stop, "the look inside");
            const auto here = i + 1 < layers.size() ? says(watch.depths()[i]) : end;
            readRows(layers[i], here, end, next.narrow(0, first, n), tokenizer);
        }
    }
    for (auto& layer : layers) summarise(layer, layers.back());
    return layers;
}

} // namespace pha
