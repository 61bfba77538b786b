// SPDX-License-Identifier: GPL-3.0-or-later
// What a look inside shows, against the same things found another way.
#include "engine/base/error.h"
#include "engine/eval/activation_figures.h"
#include "engine/model/watch.h"
#include "engine/torch/cpu_allocator.h"
#include "tests/model/drawn_network.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>
#include <numeric>
#include <optional>

using namespace pha;
using namespace pha::test;

namespace {

Tensor normal(const std::vector<std::int64_t>& sizes) { return torch::randn(sizes, torch::kDouble); }

/// |parts| (T,T), rows made to sum to one.
Tensor rowsOfOne(const Tensor& parts) { return parts / parts.sum(-1, true); }

/// Parts that read along the text, in the order of a layer.
std::vector<std::string> readers(const ModelConfig& config, std::int64_t layer)
{
    std::vector<std::string> names;
    for (const auto& part : layerParts(config, layer))
        if (part != "ffn" && part != "main") names.push_back(part);
    return names;
}

/// The same network without what comes after the first layers.
ModelConfig firstLayers(ModelConfig config, std::int64_t layers)
{
    config.layers = layers;
    std::string attention;
    for (const auto& at : QString::fromStdString(config.attentionLayers).split(',', Qt::SkipEmptyParts))
        if (at.toInt() < layers) attention += (attention.empty() ? "" : ",") + at.toStdString();
    config.attentionLayers = attention;
    return config;
}

/// The layers that both networks have consist of the same parts.
bool sameLayers(const ModelConfig& a, const ModelConfig& b)
{
    for (std::int64_t layer = 0; layer < std::min(a.layers, b.layers); ++layer)
        if (layerParts(a, layer) != layerParts(b, layer)) return false;
    return true;
}

} // namespace

class LookInsideTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void initTestCase()
    {
        installCpuAllocator();
        torch::manual_seed(5);
        at::set_num_threads(1);
    }

    /// All that was written sums to what the head reads, whatever the residual form, the mix and the norms; and being
    /// watched changes nothing.
    void writesSumToTheStream_data() { addVariants(); }
    void writesSumToTheStream()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        LanguageModel model(config, 7);
        disturb(model);
        model.to(torch::kDouble);
        const auto ids = someIds(1, 31);
        Watch watch;
        Pass pass;
        pass.watch = &watch;
        const auto plain = model.forward(ids, {}), watched = model.forward(ids, pass);
        QVERIFY(largest(plain - watched) < 1e-12);
        Tensor sum = torch::zeros_like(plain[0]);
        std::size_t parts = 1; // the embedding
        for (std::int64_t layer = 0; layer < config.layers; ++layer) parts += layerParts(config, layer).size();
        for (const auto& write : watch.writes()) sum += write.x;
        QVERIFY(largest(sum - watched[0]) < 1e-10);
        QCOMPARE(watch.writes().size(), parts + (config.normKind == "layernorm" ? 1 : 0));
    }

    void rowsAreShares_data() { addVariants(); }
    void rowsAreShares()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        LanguageModel model(config, 7);
        disturb(model);
        Watch watch;
        Pass pass;
        pass.watch = &watch;
        model.forward(someIds(1, 31), pass);
        std::size_t at = 0;
        for (std::int64_t layer = 0; layer < config.layers; ++layer)
            for (const auto& part : readers(config, layer)) {
                const auto& map = watch.maps().at(at++);
                QCOMPARE(map.layer, layer);
                QCOMPARE(map.part, part);
                const bool heads = part == "attention" || part == "hedgehog";
                QCOMPARE(map.shares.size(0), heads ? config.queryHeads : 1);
                QVERIFY(map.shares.min().item<float>() >= 0);
                QVERIFY(largest(map.shares.triu(1)) == 0);
                QVERIFY(largest(map.shares.sum(-1) - 1) < 1e-5);
            }
        QCOMPARE(watch.maps().size(), at);
    }

    /// Values in these shares are what attention writes.
    void sharesOfValuesAreTheOutput_data() { addVariants(); }
    void sharesOfValuesAreTheOutput()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        const auto names = readers(config, 0);
        const auto T = 23, dh = int(config.headWidth());
        for (const auto& name : names) {
            if (name != "attention" && name != "hedgehog") continue;
            const auto branch = makeBranch(name, config);
            branch->to(torch::kDouble);
            std::map<std::string, Tensor> w;
            for (auto& p : branch->named_parameters()) w[p.key()] = p.value().normal_(0, 0.4);
            const auto u = normal({ 1, T, config.width });
            Watch watch;
            Pass pass;
            pass.watch = &watch;
            branch->forward(u, pass, 0, nullptr);
            const auto shares = watch.maps().at(0).shares;
            auto v = at::linear(u[0], w["value"], w["value_bias"]).view({ T, config.kvHeads, dh }).transpose(0, 1);
            v = v.repeat_interleave(config.queryHeads / config.kvHeads, 0); // (Hq,T,dh)
            const auto mixed = torch::bmm(shares, v).transpose(0, 1).reshape({ T, config.queryHeads * dh });
            const auto expected = at::linear(mixed, w["output"], w["output_bias"]);
            QVERIFY(largest(branch->forward(u, {}, 0, nullptr)[0] - expected) < 1e-9);
        }
    }

    /// A state space asked token by token: only the token at s is not zero, and the outputs are what comes of it.
    void stateSpacesAnswerEachTokenByItself()
    {
        const torch::NoGradGuard guard;
        const std::int64_t T = 17, h = 5, P = 4, rows = 2;
        const auto angle = normal({ h, P });
        const auto size = 1 - 0.2 * torch::rand({ h, P }, torch::kDouble);
        const DiagonalSsm ssm { { size * angle.cos(), size * angle.sin() }, { normal({ h, P }), normal({ h, P }) } };
        const auto skip = normal({ h }), u = normal({ rows, T, h });
        Watch watch;
        watch.stateSpace(ssm, skip, u);
        auto expected = torch::zeros({ T, T }, torch::kDouble);
        for (std::int64_t s = 0; s < T; ++s) {
            SsmState state { torch::zeros({ rows, h, P }, torch::kDouble),
                torch::zeros({ rows, h, P }, torch::kDouble) };
            for (std::int64_t t = s; t < T; ++t) {
                const auto in = t == s ? u.select(1, s) : torch::zeros({ rows, h }, torch::kDouble);
                expected[t][s] = (ssmStep(ssm, in, state) + skip * in).abs().sum();
            }
        }
        QVERIFY(largest(watch.maps().at(0).shares[0] - rowsOfOne(expected)) < 1e-9);
    }

    void recurrencesAnswerEachTokenByItself()
    {
        const torch::NoGradGuard guard;
        const std::int64_t T = 17, C = 5;
        const auto a = torch::rand({ 1, T, C }, torch::kDouble), b = normal({ 1, T, C });
        Watch watch;
        watch.recurrence(a, b);
        auto expected = torch::zeros({ T, T }, torch::kDouble);
        for (std::int64_t s = 0; s < T; ++s) {
            auto only = torch::zeros_like(b);
            only.select(1, s).copy_(b.select(1, s));
            expected.select(1, s).copy_(gatedScan(a, only, torch::zeros({ 1, C }, torch::kDouble))[0].abs().sum(1));
        }
        QVERIFY(largest(watch.maps().at(0).shares[0] - rowsOfOne(expected)) < 1e-9);
    }

    /// Pushes of a token sum to its logit over the mean of all; probabilities are the model's.
    void pushesSumToTheLogit_data() { addVariants(); }
    void pushesSumToTheLogit()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        const auto model = drawn(config);
        const auto ids = someIds(1, 29)[0];
        const auto view = network(model).lookInside({ textOf(ids), 256, {} }, {});
        const auto logits = model->logits(model->forward(ids.unsqueeze(0), {}), {})[0];
        QCOMPARE(view.step, 12);
        QCOMPARE(view.tokens.size(), std::size_t(29));
        for (std::int64_t t = 1; t < 29; ++t) {
            const auto row = logits[t - 1];
            const auto id = ids[t].item<std::int64_t>();
            double sum = 0;
            for (const auto& push : view.pushes) sum += double(push.nats.at(std::size_t(t)));
            QVERIFY(std::abs(sum - (row[id] - row.mean()).item<double>()) < 1e-3);
            const auto& token = view.tokens[std::size_t(t)];
            QCOMPARE(token.id, id);
            QVERIFY(std::abs(token.probability - torch::softmax(row, 0)[id].item<double>()) < 1e-5);
        }
        for (const auto& push : view.pushes) QCOMPARE(push.nats[0], 0.0f);
    }

    /// After layer l: what a network says that has no layers beyond it.
    void lensIsAShorterNetwork_data() { addVariants(); }
    void lensIsAShorterNetwork()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        const auto model = drawn(config);
        const std::int64_t T = 19;
        const auto ids = someIds(1, T)[0];
        const auto view = network(model).lookInside({ textOf(ids), 256, {} }, {});
        QCOMPARE(view.lens.size(), std::size_t(config.layers + 1));
        const auto whole = torch::log_softmax(model->logits(model->forward(ids.unsqueeze(0), {}), {})[0], -1);
        for (std::int64_t layer = -1; layer < config.layers; ++layer) {
            const auto shorter = firstLayers(config, layer + 1);
            const auto& lens = view.lens.at(std::size_t(layer + 1));
            QCOMPARE(lens.layer, layer);
            QCOMPARE(lens.cells.size(), std::size_t(T));
            auto said = whole;
            if (layer + 1 < config.layers) {
                // Where the residual's weights depend on the depth, or layers differ by it, there is no shorter
                // network.
                if (layer < 0 || config.residualMode != "prenorm" || !sameLayers(config, shorter)) continue;
                LanguageModel network(shorter, 7);
                const auto parameters = model->named_parameters();
                for (auto& p : network.named_parameters()) p.value().copy_(parameters[p.key()]);
                said = torch::log_softmax(network.logits(network.forward(ids.unsqueeze(0), {}), {})[0], -1);
            }
            double nll = 0, agreed = 0, divergence = 0;
            for (std::int64_t t = 0; t < T; ++t) {
                const auto& cell = lens.cells[std::size_t(t)];
                const auto row = said[t].to(torch::kDouble), end = whole[t].to(torch::kDouble);
                const auto order = std::get<1>(row.sort(0, true));
                if (t + 1 < T) {
                    const auto id = ids[t + 1].item<std::int64_t>();
                    QVERIFY(std::abs(cell.probability - row[id].exp().item<double>()) < 1e-5);
                    QVERIFY(std::abs((row[order[cell.rank - 1]] - row[id]).item<double>()) < 1e-4); // but for ties
                    nll -= row[id].item<double>() / double(T - 1);
                } else {
                    QCOMPARE(cell.rank, 0);
                    QCOMPARE(cell.probability, 0.0);
                }
                QCOMPARE(cell.top.size(), std::size_t(5));
                for (std::int64_t k = 0; k < 5; ++k) {
                    const auto& best = cell.top[std::size_t(k)];
                    QCOMPARE(best.text, words()->piece(std::int32_t(best.id)));
                    QVERIFY(std::abs((row[order[k]] - row[best.id]).item<double>()) < 1e-4);
                    QVERIFY(std::abs(best.probability - row[order[k]].exp().item<double>()) < 1e-5);
                }
                QVERIFY(std::abs(cell.entropy + (row * row.exp()).sum().item<double>()) < 1e-4);
                const double far = ((end - row) * end.exp()).sum().item<double>();
                QVERIFY(std::abs(cell.divergence - far) < 1e-4);
                divergence += far / double(T);
                agreed += cell.top[0].id == view.lens.back().cells[std::size_t(t)].top[0].id ? 1 : 0;
            }
            QVERIFY(std::abs(lens.nll - nll) < 1e-4);
            QVERIFY(std::abs(lens.divergence - divergence) < 1e-4);
            QCOMPARE(lens.agreement, agreed / double(T));
        }
        const auto& end = view.lens.back();
        QCOMPARE(end.agreement, 1.0);
        for (std::size_t t = 1; t < std::size_t(T); ++t)
            QVERIFY(std::abs(end.cells[t - 1].probability - view.tokens[t].probability) < 1e-5);
    }

    /// Tokens that cost hundreds of nats have no share in fp32, and count as what they cost all the same.
    void lensCountsWhatHasNoShare()
    {
        const torch::NoGradGuard guard;
        const auto model = drawn(small("transformer"));
        model->named_parameters()["norm_out"].mul_(3000);
        const std::int64_t T = 19;
        const auto ids = someIds(1, T)[0];
        const auto hidden = model->forward(ids.unsqueeze(0), {})[0];
        const auto scores =
            scoreTokens(hidden.narrow(0, 0, T - 1), model->embedding(), ids.narrow(0, 1, T - 1), torch::kFloat);
        QVERIFY(scores.nll.max().item<double>() > 110);
        const auto view = network(model).lookInside({ textOf(ids), 256, {} }, {});
        const double mean = scores.nll.to(torch::kDouble).mean().item<double>();
        QVERIFY2(std::abs(view.lens.back().nll / mean - 1) < 1e-4,
            qPrintable(QStringLiteral("%1 and %2").arg(view.lens.back().nll).arg(mean)));
    }

    /// The means of the maps, by loops over all their numbers.
    void reachIsTheMeanOfTheMaps()
    {
        auto model = network(drawn(small("pha")));
        const auto view = model.lookInside({ textOf(someIds(1, 21)[0]), 256, {} }, {});
        QCOMPARE(view.reach.size(), view.maps.size());
        for (std::size_t i = 0; i < view.maps.size(); ++i) {
            const auto& map = view.maps[i];
            std::vector<double> shares(6); // 0, 1, 2-3, 4-7, 8-15, 16-20
            double distance = 0;
            std::size_t at = 0;
            for (std::int64_t h = 0; h < map.heads; ++h)
                for (std::int64_t t = 0; t < map.tokens; ++t)
                    for (std::int64_t s = 0; s < map.tokens; ++s, ++at) {
                        const double share = double(map.weights[at]) / double(map.heads * map.tokens);
                        if (s > t) continue;
                        distance += share * double(t - s);
                        shares[t == s ? 0 : 1 + std::size_t(std::log2(double(t - s)))] += share;
                    }
            QCOMPARE(at, map.weights.size());
            const auto& reach = view.reach[i];
            QCOMPARE(reach.part, map.part);
            QCOMPARE(reach.shares.size(), shares.size());
            for (std::size_t bin = 0; bin < shares.size(); ++bin)
                QVERIFY(std::abs(reach.shares[bin] - shares[bin]) < 1e-5);
            QVERIFY(std::abs(reach.meanDistance - distance) < 1e-4);
        }
    }

    /// What every part puts out, as a pass says that records its mix; the stream, as the last norm leaves it.
    void activationsAreThoseOfTheRecord_data() { addVariants(); }
    void activationsAreThoseOfTheRecord()
    {
        const torch::NoGradGuard guard;
        const auto config = chosen();
        const auto model = drawn(config);
        const auto ids = someIds(1, 19)[0];
        const auto view = network(model).lookInside({ textOf(ids), 256, {} }, {});
        std::vector<LayerMix> record;
        Pass pass;
        pass.record = &record;
        model->forward(ids.unsqueeze(0), pass);
        const auto* at = view.activations.data();
        const auto* const end = at + view.activations.size();
        QVERIFY(at->part.empty() && at->layer == -1 && !at->alike);
        if (config.positions != "learned") {
            const double rows = model->embedding().index_select(0, ids).square().mean().sqrt().item<double>();
            const double scale = config.embeddingScale == "sqrt_width" ? std::sqrt(double(config.width)) : 1;
            QVERIFY(std::abs(at->rms - rows * scale) < 1e-5 * at->rms);
        }
        ++at;
        for (std::int64_t layer = 0; layer < config.layers; ++layer) {
            std::size_t found = 0;
            for (; at < end && !at->part.empty(); ++at) {
                QCOMPARE(at->layer, layer);
                QCOMPARE(
                    std::accumulate(at->histogram.begin(), at->histogram.end(), std::int64_t(0)), 19 * at->channels);
                if (at->hidden) continue;
                ++found;
                QCOMPARE(at->channels, config.width);
                double recorded = 0;
                for (const auto& branch : record.at(std::size_t(layer)).branches)
                    if (branch.branch == at->part) recorded = branch.outputRms;
                if (config.branchList().empty() || at->part != "main") // which stands behind a mix and is not in it
                    QVERIFY2(std::abs(at->rms - recorded) < 1e-5 * recorded, at->part.c_str());
                QCOMPARE(at->alike.has_value(), layerParts(config, layer).size() > 1);
                if (at->alike) QVERIFY(std::abs(*at->alike) < 1);
            }
            QCOMPARE(found, layerParts(config, layer).size());
            QVERIFY(at < end && at->layer == layer && !at->alike);
            ++at;
        }
        QVERIFY(at == end);
    }

    /// What parts add is as alike as it was, whatever the last norm makes of the sum.
    void theLastNormMakesNothingAlike_data() { addVariants(); }
    void theLastNormMakesNothingAlike()
    {
        const torch::NoGradGuard guard;
        const auto model = drawn(chosen());
        const auto text = textOf(someIds(1, 19)[0]);
        const auto alike = [&] {
            std::vector<std::optional<double>> all;
            for (const auto& figures : network(model).lookInside({ text, 256, {} }, {}).activations)
                all.push_back(figures.alike);
            return all;
        };
        const auto before = alike();
        model->named_parameters()["norm_out"].mul_(torch::linspace(-3, 3, model->config().width));
        const auto after = alike();
        QCOMPARE(after.size(), before.size());
        for (std::size_t i = 0; i < before.size(); ++i) {
            QCOMPARE(after[i].has_value(), before[i].has_value());
            if (before[i]) QVERIFY2(std::abs(*after[i] - *before[i]) < 1e-9, std::to_string(i).c_str());
        }
    }

    /// Numbers of which everything is known.
    void activationsAreCounted()
    {
        const std::int64_t T = 8, C = 10;
        auto x = torch::ones({ 1, T, C }, torch::kDouble);
        x.select(1, 0).neg_(); // half the mass of token 0 to the other side
        x.select(2, 3).mul_(1e-3); // silent
        x.select(2, 4).mul_(10); // outlying
        x.index_put_({ 0, 5, 7 }, -40.0);
        x.index_put_({ 0, 6, 8 }, std::nan(""));
        Watch watch;
        watch.keepsValues = true;
        watch.enter(2, "gss");
        watch.output(x);
        watch.output(torch::zeros({ 1, T, C }, torch::kDouble));
        const auto own = torch::tensor({ 1.0, 0.0 }, torch::kDouble).expand({ 1, T, 2 });
        watch.begin(torch::zeros({ 1, T, 2 }, torch::kDouble));
        watch.write(2, "gss", own);
        watch.write(2, "ffn", torch::tensor({ 1.0, 1.0 }, torch::kDouble).expand({ 1, T, 2 }));
        watch.write(3, "gss", own * 5); // of another layer
        const auto all = readActivations(watch);
        QCOMPARE(all.size(), std::size_t(2));
        const auto& figures = all[0];
        const auto seen = x.flatten().masked_select(torch::isfinite(x.flatten()));
        const double square = seen.square().mean().item<double>();
        QCOMPARE(figures.notFinite, 1);
        QVERIFY(std::abs(figures.rms - std::sqrt(square)) < 1e-12);
        QVERIFY(std::abs(figures.kurtosis - seen.pow(4).mean().item<double>() / (square * square)) < 1e-9);
        QCOMPARE(figures.largest, -40.0);
        QCOMPARE(figures.largestToken, 5);
        QCOMPARE(figures.largestChannel, 7);
        QCOMPARE(figures.silent, 1);
        QCOMPARE(figures.outliers, 2); // channel 4 at every token, channel 7 by one number
        QVERIFY(figures.alike && std::abs(*figures.alike - std::sqrt(0.5)) < 1e-12);
        const auto& bins = figures.histogram;
        QCOMPARE(std::accumulate(bins.begin(), bins.end(), std::int64_t(0)), T * C - 1);
        QCOMPARE(bins.front(), 0);
        const auto bin = [&](double value) { return bins[std::size_t(32 + std::floor(4 * value / figures.rms))]; };
        QCOMPARE(bin(-40.0), 1);
        QCOMPARE(bin(10.0), T - 1);
        QCOMPARE(bin(-1.0), C - 1); // and what is silent at token 0
        QCOMPARE(all[1].silent, C);
        QCOMPARE(all[1].histogram[32], T * C);
    }

    void mutedPartsPushNothing()
    {
        auto model = network(drawn(small("pha")));
        const auto view = model.lookInside({ textOf(someIds(1, 21)[0]), 256, { { 1, "gss", 0 } } }, {});
        for (const auto& push : view.pushes) {
            float most = 0;
            for (const auto nats : push.nats) most = std::max(most, std::abs(nats));
            QCOMPARE(most == 0, push.layer == 1 && push.part == "gss");
        }
    }

    void limits()
    {
        auto config = small("transformer");
        config.positions = "learned";
        config.maxPositions = 16;
        auto model = network(drawn(config));
        const auto text = textOf(someIds(1, 21)[0]);
        const auto look = [&](const std::string& what, std::int64_t most) {
            return model.lookInside({ what, most, {} }, {});
        };
        QCOMPARE(look(text, 5).tokens.size(), std::size_t(5));
        QCOMPARE(QString::fromStdString(look(text, 5).note), QString("only the first 5 of 21 tokens are looked at"));
        QCOMPARE(look(text, 256).tokens.size(), std::size_t(16)); // as many positions as it has learned
        const auto one = look("w3", 256);
        QCOMPARE(one.tokens.size(), std::size_t(1));
        QCOMPARE(one.maps.at(0).weights.at(0), 1.0f);
        QVERIFY(std::isnan(one.lens.at(0).nll)); // nothing came after it
        QVERIFY_THROWS_EXCEPTION(ConfigError, look("", 256));
        QVERIFY_THROWS_EXCEPTION(ConfigError, look(text, 0));
        QVERIFY_THROWS_EXCEPTION(ConfigError, look(text, 5000));
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_THROWS_EXCEPTION(Error, model.lookInside({ text, 256, {} }, stop.get_token()));
    }
};

PHA_TEST(LookInsideTest)
#include "look_inside_test.moc"
