// SPDX-License-Identifier: GPL-3.0-or-later
// A token read as one piece. For a card all but the kernel: the model's description, the table of tasks and what keeps
// both up to date, with a processor that works the table off; `pha selftest` holds the kernel to the same. For
// processors the whole of it.
#include "engine/model/step_runner.h"
#include "engine/model/weights.h"
#include "step_interpreter.h"
#include "tests/model/numbers.h"
#include "tests/suite.h"

#include <QtTest>

using namespace pha;
using test::distance;

namespace {

ModelConfig small(const std::string& family)
{
    ModelConfig c;
    c.family = family;
    if (family == "pha-lean") c.branches = "gss,attention";
    c.vocabulary = 99; // no whole number of tiles
    c.layers = 2;
    c.width = 64;
    c.queryHeads = 4;
    c.kvHeads = 2;
    c.gssExpand = 80;
    c.gssWidth = 24;
    c.gssState = 12;
    c.auxWidth = 40;
    c.mainWidth = 72;
    return c;
}

struct Reading {
    std::int64_t batch = 1, prompt = 21, tokens = 4;
    int multiprocessors = 7;
    std::function<void(LanguageModel&, std::int64_t token)> between = [](LanguageModel&, std::int64_t) {};
    const std::vector<MixOverride>* mix = nullptr;
    bool processors = false; ///< as processors do it
};

/// A prompt that has been read: what follows can be read after it more than once.
class Prompt {
public:
    Prompt(const ModelConfig& config, torch::Dtype matrix, const Reading& how)
        : config_(config)
        , ids_(torch::arange(how.batch * (how.prompt + how.tokens), torch::kLong)
                   .mul(31)
                   .remainder(config.vocabulary)
                   .view({ how.batch, -1 }))
    {
        const torch::NoGradGuard guard;
        pass_.matrix = matrix;
        pass_.mix = how.mix;
        LanguageModel model(config, 7);
        state_ = model.freshState();
        model.forward(ids_.narrow(1, 0, how.prompt), pass_, &state_);
    }

    /// Logits of the tokens after it, one by one. With `table` by the table of a step, which that counts the tasks of.
    Tensor read(const Reading& how, test::StepInterpreter* table = nullptr) const
    {
        const torch::NoGradGuard guard;
        LanguageModel model(config_, 7); // anew: `between` may change it
        auto state = state_.clone();
        std::unique_ptr<StepRunner> runner;
        if (how.processors) {
            runner = StepRunner::onProcessors(model, pass_, state, how.batch);
            if (!runner) return {};
        } else if (table) {
            runner = StepRunner::make(model, pass_, state, how.batch, { how.multiprocessors, std::ref(*table) });
            if (!runner) return {};
        }
        std::vector<Tensor> rows;
        for (std::int64_t t = 0; t < how.tokens; ++t) {
            how.between(model, t);
            const auto token = ids_.narrow(1, how.prompt + t, 1);
            rows.push_back(
                runner ? runner->read(token).clone() : model.logits(model.forward(token, pass_, &state), pass_));
            if (runner) Q_ASSERT(torch::equal(runner->best(), rows.back().argmax(-1)));
        }
        return torch::cat(rows, 1).to(torch::kDouble);
    }

private:
    ModelConfig config_;
    Tensor ids_;
    Pass pass_;
    ModelState state_;
};

Tensor read(const ModelConfig& config, torch::Dtype matrix, const Reading& how, test::StepInterpreter* table = nullptr)
{
    return Prompt(config, matrix, how).read(how, table);
}

/// The error of the table in units of what bf16 costs the plain form.
double ratio(const ModelConfig& config, const Reading& how)
{
    test::StepInterpreter table;
    const Prompt prompt(config, torch::kBFloat16, how);
    const auto exact = read(config, torch::kFloat, how), plain = prompt.read(how), steps = prompt.read(how, &table);
    return steps.defined() ? distance(steps, exact) / std::max(5e-3, distance(plain, exact)) : 1e9;
}

} // namespace

class StepPlanTest : public QObject {
    Q_OBJECT
private Q_SLOTS:
    void readsLikeForward_data()
    {
        QTest::addColumn<int>("which");
        for (int i = 0; i < int(shapes().size()); ++i) QTest::newRow(shapes()[std::size_t(i)].first) << i;
    }
    void readsLikeForward()
    {
        QFETCH(int, which);
        const auto& config = shapes()[std::size_t(which)].second;
        for (const std::int64_t batch : { 1, 3 }) {
            Reading how;
            how.batch = batch;
            QVERIFY2(ratio(config, how) < 1.5, qPrintable(QString("batch %1: %2").arg(batch).arg(ratio(config, how))));
        }
    }
    void processorsReadLikeForward_data() { readsLikeForward_data(); }
    void processorsReadLikeForward()
    {
        QFETCH(int, which);
        const auto& config = shapes()[std::size_t(which)].second;
        const std::pair<std::int64_t, std::int64_t> sizes[] { { 1, 600 }, { 3, 257 }, { 8, 1 }, { 21, 6 } };
        for (const auto& [batch, prompt] : sizes) { // 600: in three pieces, 257: in two; after 6 a chunk of 8 ends
            Reading how;
            how.batch = batch;
            how.prompt = prompt;
            how.tokens = 3;
            const Prompt full(config, torch::kFloat, how), half(config, torch::kBFloat16, how);
            const auto exact = full.read(how), rounded = half.read(how);
            how.processors = true;
            const auto wide = full.read(how), narrow = half.read(how);
            QVERIFY(wide.defined() && narrow.defined());
            const auto row = [&](double error) {
                return qPrintable(QString("%1 texts after %2 tokens: %3").arg(batch).arg(prompt).arg(error));
            };
            QVERIFY2(distance(wide, exact) < 2e-5, row(distance(wide, exact)));
            const double cost = std::max(5e-3, distance(rounded, exact));
            QVERIFY2(distance(narrow, exact) < 1.5 * cost, row(distance(narrow, exact) / cost));
        }
    }
    void processorsDoNotDependOnTheirNumber()
    {
        const int before = at::get_num_threads();
        auto config = small("pha");
        config.width = 256, config.vocabulary = 40000; // worth several threads
        std::vector<Tensor> results;
        for (const int threads : { 1, 2, 3 }) {
            at::set_num_threads(threads);
            Reading how;
            how.prompt = 300;
            how.processors = true;
            results.push_back(read(config, torch::kFloat, how));
        }
        at::set_num_threads(before);
        QVERIFY(test::sameForThreads(results[0], results[1]) && test::sameForThreads(results[0], results[2]));
    }
    void splitsLongTextsAmongMultiprocessors()
    {
        for (const std::int64_t batch : { 1, 2 }) {
            Reading how;
            how.batch = batch;
            how.prompt = 700;
            how.tokens = 2;
            how.multiprocessors = 40;
            QVERIFY(ratio(small("attention"), how) < 1.5);
            test::StepInterpreter table;
            read(small("attention"), torch::kBFloat16, how, &table);
            auto chunks = small("attention"); // of which the second has begun
            chunks.attentionSpan = 500;
            QVERIFY(ratio(chunks, how) < 1.5);
            const auto heads = batch == 1 ? 4 : 2; // query heads apart, or with the keys that they share
            QCOMPARE(table.done[kernels::StepKind::Attend], int(2 * 2 * batch * heads * 4)); // steps, layers, parts
            QVERIFY(table.done[kernels::StepKind::Join] > 0);
        }
    }
    void seesWeightsThatChange()
    {
        Reading how;
        how.between = [](LanguageModel& model, std::int64_t token) {
            for (auto& [name, weight] : namedWeights(model)) {
                if (token == 1 && name.find("mixing.logits") != std::string::npos) weight[0] += 2;
                if (token == 2 && name.find("attention.output") != std::string::npos) weight *= -3;
                if (token == 3 && name == "embedding") weight.set_data(weight * 2);
            }
        };
        QVERIFY(ratio(small("pha"), how) < 1.5);
        auto processors = how;
        processors.processors = true;
        QVERIFY(distance(read(small("pha"), torch::kFloat, processors), read(small("pha"), torch::kFloat, how)) < 2e-5);
        const auto still = read(small("pha"), torch::kFloat, Reading()),
                   changed = read(small("pha"), torch::kFloat, how);
        QVERIFY(distance(changed.narrow(1, 1, 1), still.narrow(1, 1, 1)) > 0.05);
        QVERIFY(distance(changed.narrow(1, 2, 1), still.narrow(1, 2, 1)) > 0.05);
        QVERIFY(distance(changed.narrow(1, 3, 1), still.narrow(1, 3, 1)) > 0.05);
    }
    void takesTheUsersWeightsOfBranches()
    {
        std::vector<MixOverride> mix { { -1, "gss", 0 }, { 1, "main", 0.5 } };
        Reading how;
        how.mix = &mix;
        const auto muted = read(small("pha"), torch::kFloat, how);
        how.between = [&](LanguageModel&, std::int64_t token) {
            mix = { { -1, "gss", 0 }, { 1, "main", 0.5 } };
            if (token == 2) mix = { { 0, "attention", 2 } };
        };
        QVERIFY(ratio(small("pha"), how) < 1.5);
        const auto changed = read(small("pha"), torch::kFloat, how);
        how.processors = true;
        QVERIFY(distance(read(small("pha"), torch::kFloat, how), changed) < 2e-5);
        QVERIFY(torch::equal(changed.narrow(1, 0, 2), muted.narrow(1, 0, 2)));
        QVERIFY(distance(changed.narrow(1, 2, 1), muted.narrow(1, 2, 1)) > 0.05);
    }
    void leavesOtherFormsAlone()
    {
        test::StepInterpreter table;
        auto token = small("pha"), wide = small("attention"), post = small("pha"), hidden = small("attention");
        token.mixMode = "token";
        wide.width = 60; // heads of 15
        wide.queryHeads = 5;
        wide.kvHeads = 1;
        wide.queryHeads = 3;
        post.residualMode = "deepnorm_post";
        hidden.mainWidth = 4104;
        for (const auto& config : { token, wide, post, hidden })
            QVERIFY(!read(config, torch::kBFloat16, Reading(), &table).defined());
        QVERIFY(!read(small("pha"), torch::kFloat, Reading(), &table).defined());
    }

private:
    static const std::vector<std::pair<const char*, ModelConfig>>& shapes()
    {
        static const auto all = [] {
            std::vector<std::pair<const char*, ModelConfig>> list;
            const auto add = [&](const char* name, const char* family, auto&& change) {
                auto c = small(family);
                change(c);
                list.emplace_back(name, c);
            };
            add("pha", "pha", [](auto&) {});
            add("pha dss, sigmoid, scaled residual", "pha", [](auto& c) {
                c.gssKernel = "dss";
                c.mixMode = "sigmoid";
                c.residualMode = "prenorm_scaled";
            });
            add("pha fixed, literal residual", "pha", [](auto& c) {
                c.mixMode = "fixed";
                c.residualMode = "prenorm_alpha_literal";
            });
            add("pha, branches of several parts", "pha", [](auto& c) {
                c.gssExpand = 1600;
                c.auxWidth = 776;
                c.mainWidth = 2304;
            });
            add("pha, parts pruned", "pha", [](auto& c) { c.prunedBranches = "0:attention,1:gss,1:main"; });
            add("pha fixed, all of a layer pruned", "pha", [](auto& c) {
                c.mixMode = "fixed";
                c.prunedBranches = "0:gss,1:gss,1:attention,1:ffn,1:main";
            });
            add("pha-lean softmax, qknorm", "pha-lean", [](auto& c) {
                c.mixMode = "softmax";
                c.qkMode = "qknorm";
            });
            add("attention, one key head", "attention", [](auto& c) { c.kvHeads = 1; });
            add("transformer", "transformer", [](auto& c) {
                c.qkMode = "dot";
                c.ffnKind = "gelu";
                c.kvHeads = 4;
                c.embeddingScale = "one";
            });
            add("transformer without positions, gelu_tanh", "transformer", [](auto& c) {
                c.positions = "none";
                c.ffnKind = "gelu_tanh";
            });
            add("transformer relu2", "transformer", [](auto& c) { c.ffnKind = "relu2"; });
            add("gss", "gss", [](auto&) {});
            add("gss-hybrid, chunks of 8", "gss-hybrid", [](auto& c) { c.attentionSpan = 8; });
            add("attention, chunks of 301 in two pieces", "attention", [](auto& c) { c.attentionSpan = 301; });
            return list;
        }();
        return all;
    }
};

PHA_TEST(StepPlanTest)
#include "step_plan_test.moc"
