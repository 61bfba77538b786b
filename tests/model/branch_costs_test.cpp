// SPDX-License-Identifier: GPL-3.0-or-later
// What the parts of a network cost and are worth, and networks without some of them.
#include "engine/base/error.h"
#include "engine/config/parts.h"
#include "engine/eval/branch_costs.h"
#include "engine/eval/loaded_model.h"
#include "engine/model/step_runner.h"
#include "engine/model/weights.h"
#include "tests/model/family_variants.h"
#include "tests/model/small_run.h"
#include "tests/suite.h"

using namespace pha;
using namespace pha::test;

namespace {

/// Some parts of a network that can go: from a stage of several one, and whole stages where the stream passes them.
std::vector<PartPlace> someParts(const ModelConfig& model)
{
    const bool whole = model.residualMode == "prenorm" || model.residualMode == "prenorm_scaled";
    std::vector<PartPlace> parts;
    const auto first = layerStages(model, 0).front();
    if (whole || first.parts.size() > 1) parts.push_back({ 0, first.parts.front() });
    if (first.parts.size() > 2) parts.push_back({ 0, first.parts.back() });
    if (whole)
        for (const auto& part : layerParts(model, 1)) parts.push_back({ 1, part }); // nothing of it is left
    const auto last = layerParts(model, 2);
    if (whole && last.size() > 1) parts.push_back({ 2, last.back() });
    return parts;
}

std::vector<MixOverride> muted(const std::vector<PartPlace>& parts)
{
    std::vector<MixOverride> mix;
    for (const auto& place : parts) mix.push_back({ place.layer, place.part, 0 });
    return mix;
}

std::int64_t numbersIn(const LanguageModel& model)
{
    std::int64_t count = 0;
    for (const auto& [name, weight] : namedWeights(model)) count += weight.numel();
    return count;
}

/// Token by token after a prompt, as text is written; by `runner` if it makes one.
Tensor written(LanguageModel& model, const Pass& pass, const Tensor& ids, bool byRunner)
{
    auto state = model.freshState();
    model.forward(ids.narrow(1, 0, 5), pass, &state);
    const auto runner = byRunner ? StepRunner::onProcessors(model, pass, state, ids.size(0)) : nullptr;
    std::vector<Tensor> rows;
    for (std::int64_t t = 5; t < ids.size(1); ++t) {
        const auto token = ids.narrow(1, t, 1);
        rows.push_back(runner ? runner->read(token).clone() : model.logits(model.forward(token, pass, &state), pass));
    }
    return torch::cat(rows, 1);
}

} // namespace

class BranchCostsTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;

    static RunConfig twoLayers()
    {
        auto config = smallRun();
        config.model.layers = 2;
        config.training.dropout = 0;
        config.training.emaDecay = 0.9;
        config.training.averageKeep = 3;
        return config;
    }
    fs::path fork(
        const std::string& name, const fs::path& from, const std::string& pruned, Recorder* recorder = nullptr)
    {
        TrainingRequest request;
        request.config = readForkPoint(from).config;
        request.config.training.steps += 4;
        request.config.model.prunedBranches = pruned;
        request.directory = runs_.folder(name);
        request.forkFrom = from;
        return runs_.run(request, recorder);
    }

private Q_SLOTS:
    void initTestCase() { runs_.train("parent", twoLayers()); }

    void attentionThatIsGoneCostsNothing()
    {
        const auto course = [&](const std::string& pruned, const std::string& cost) {
            TrainingRequest request;
            request.config = readForkPoint(runs_.folder("parent")).config;
            request.config.training.steps += 4;
            request.config.model.prunedBranches = pruned;
            request.config.set("attention_cost", cost);
            request.directory = runs_.folder(cost + " " + std::to_string(pruned.size()));
            request.forkFrom = runs_.folder("parent");
            Recorder recorder;
            runs_.run(request, &recorder);
            std::vector<double> losses;
            for (const auto& step : recorder.all<StepEvent>()) losses.push_back(step.loss);
            return losses;
        };
        const auto nowhere = course("0:attention,1:attention", "0.001");
        QCOMPARE(nowhere.size(), std::size_t(4));
        QVERIFY(course("0:attention,1:attention", "5") == nowhere);
        QVERIFY(course("0:attention", "5") != course("0:attention", "0.001")); // the other layer has it still
    }

    void prunedIsExactlyMuted_data() { addVariants(); }
    void prunedIsExactlyMuted()
    {
        QFETCH(int, index);
        const auto config = variants()[std::size_t(index)].second;
        const auto parts = someParts(config);
        if (parts.empty()) return; // one part a stage, in a stream that every stage norms
        const torch::NoGradGuard guard;
        LanguageModel whole(config, 7);
        disturb(whole);
        const auto pruned = prunedModel(whole, parts);
        QVERIFY(numbersIn(*pruned) < numbersIn(whole));
        QCOMPARE(numbersIn(*pruned), modelCosts(pruned->config(), 32).parameters);
        QVERIFY(modelCosts(pruned->config(), 32).forwardFlopsPerToken < modelCosts(config, 32).forwardFlopsPerToken);
        const auto mix = muted(parts);
        const auto ids = someIds(2, 12);
        useFusedKernels(false);
        Pass pass, mute;
        mute.mix = &mix;
        const auto plain = pruned->forward(ids, pass);
        QVERIFY(torch::equal(plain, whole.forward(ids, mute)));
        QVERIFY(torch::equal(written(*pruned, pass, ids, false), written(whole, mute, ids, false)));
        useFusedKernels(true);
        // Its loops are compiled for each number of branches: which sums and products are rounded together differs.
        const double close = 1e-5 * largest(plain);
        QVERIFY(largest(pruned->forward(ids, pass) - whole.forward(ids, mute)) < close);
        QVERIFY(largest(written(*pruned, pass, ids, false) - written(whole, mute, ids, false)) < 3 * close);
        QVERIFY(largest(written(*pruned, pass, ids, true) - written(whole, mute, ids, false)) < 3 * close);
    }

    void theOthersLearnAsIfItWereMuted()
    {
        const auto config = small("pha");
        LanguageModel whole(config, 7);
        const std::vector<PartPlace> parts { { 1, "attention" }, { 2, "main" } };
        const auto pruned = prunedModel(whole, parts);
        const auto mix = muted(parts);
        Pass pass, mute;
        mute.mix = &mix;
        const auto ids = someIds(2, 12);
        pruned->lossSum(ids, ids, pass).backward();
        std::map<std::string, Tensor> gradients;
        for (const auto& [name, weight] : namedWeights(*pruned))
            if (weight.grad().defined()) gradients[name] = weight.grad().clone();
        whole.lossSum(ids, ids, mute).backward();
        int compared = 0;
        for (const auto& [name, weight] : namedWeights(whole))
            if (gradients.count(name) && ++compared)
                QVERIFY2(largest(gradients[name] - weight.grad()) < 1e-5, name.c_str());
        QVERIFY(compared > 20);
        // The drop of a branch in training takes one that is there.
        Pass drops;
        drops.training = true, drops.branchDropout = 0.5;
        QVERIFY(std::isfinite(pruned->lossSum(ids, ids, drops).item<double>()));
    }

    void figuresAreThoseFoundByHand()
    {
        const auto model = loadNetwork(runs_.folder("parent"), "cpu", "fp32");
        CostOptions options;
        options.repeats = 2;
        options.text.maxTokens = 200;
        std::size_t told = 0;
        Recorder recorder;
        const auto costs = model->branchCosts(options, [&](const BranchCost&) { ++told; }, recorder, {});
        QCOMPARE(costs.cells.size(), std::size_t(8));
        QCOMPARE(told, costs.cells.size());
        QCOMPARE(costs.context, std::int64_t(48));
        QVERIFY(!recorder.all<ProgressEvent>().empty());
        double parts = 0;
        auto text = options.text;
        for (const auto& cell : costs.cells) {
            text.mix = { { cell.place.layer, cell.place.part, 0 } };
            QCOMPARE(cell.nll, model->evaluate(text, recorder, {}).figures.nll);
            QCOMPARE(cell.change, cell.nll - costs.plain.figures.nll);
            const double rise = std::exp(cell.nll) - costs.plain.figures.perplexity; // of two near numbers
            QVERIFY(std::abs(costs.perplexityChange(cell.change) - rise) < 1e-11 * costs.plain.figures.perplexity);
            const auto counted = findPart(cell.place.part)->costs(model->config().model, { 48, 1 });
            QCOMPARE(cell.flopsPerToken, counted.flops);
            QCOMPARE(cell.parameters, counted.parameters);
            QCOMPARE(cell.weightBytes, 4.0 * double(counted.parameters));
            QVERIFY(cell.seconds > 0 && cell.spread >= 0);
            parts += cell.seconds;
        }
        QVERIFY(costs.passSeconds > 0 && parts > 0);
        QCOMPARE(costs.cells[0].place, (PartPlace { 0, "gss" }));
        QVERIFY(costs.cells[1].cacheBytes > 0 && costs.cells[2].cacheBytes == 0);

        const std::vector<PartPlace> chosen { { 0, "attention" }, { 1, "main" } };
        const auto trial = model->tryPruned(options, costs, chosen, recorder, {});
        text.mix = muted(chosen);
        QCOMPARE(trial.nll, model->evaluate(text, recorder, {}).figures.nll);
        QVERIFY(trial.obstacle.empty() && trial.prunedSeconds > 0 && trial.passSeconds > 0);
        QVERIFY(std::abs(trial.predictedSeconds + costs.cells[1].seconds + costs.cells[7].seconds - costs.passSeconds)
            < 1e-9);
        std::vector<PartPlace> all;
        for (const auto& cell : costs.cells) all.push_back(cell.place);
        QVERIFY(!model->tryPruned(options, costs, all, recorder, {}).obstacle.empty());
        std::stop_source stop;
        stop.request_stop();
        QVERIFY_EXCEPTION_THROWN(model->branchCosts(
                                     options, [](const BranchCost&) {}, recorder, stop.get_token()),
            Error);
    }

    void aForkGoesOnWithoutThem()
    {
        const auto parent = runs_.folder("parent");
        EvaluateOptions text;
        text.maxTokens = 400;
        text.mix = muted({ { 0, "attention" }, { 1, "main" } });
        Recorder recorder;
        const auto expected = loadNetwork(parent, "cpu", "fp32")->evaluate(text, recorder, {}).figures.nll;

        const auto pruned = fork("pruned", parent, "0:attention,1:main", &recorder);
        QVERIFY(
            recorder.all<CommandEvent>().front().value.find("pruned_branches=0:attention,1:main") != std::string::npos);
        auto model = loadNetwork(pruned / "checkpoints/step-00000016", "cpu", "fp32");
        QCOMPARE(model->config().model.prunedBranches, std::string("0:attention,1:main"));
        const auto report = model->inspect(recorder, {});
        QCOMPARE(report.parameters, modelCosts(report.config.model, 48).parameters);
        QVERIFY(report.parameters < modelCosts(twoLayers().model, 48).parameters);
        QCOMPARE(report.mixing[0].branches.size(), std::size_t(2));
        QCOMPARE(report.mixing[1].branches.size(), std::size_t(3));
        text.mix.clear();
        QVERIFY(std::isfinite(model->evaluate(text, recorder, {}).figures.nll));
        GenerateOptions few;
        few.sampling.maxTokens = 5;
        QCOMPARE(model->generate(few, [](const GeneratedToken&) {}, {}).tokens.size(), std::size_t(5));

        // Before the first update it is the parent with these parts muted.
        auto whole = readModel(parent / "checkpoints/step-00000012/model.safetensors");
        const auto cut = prunedModel(*whole, { { 0, "attention" }, { 1, "main" } });
        const auto file = runs_.folder("cut.safetensors");
        writeModel(file, *cut, 12);
        NetworkModel same(readModel(file), RunDirectory(parent).read().config, 12,
            Tokenizer::load(RunDirectory(parent).tokenizerFile()), nullptr, torch::kFloat);
        QVERIFY(std::abs(same.evaluate(text, recorder, {}).figures.nll - expected) < 1e-5);
    }

    void aPrunedRunIsResumedAndForkedAgain()
    {
        const auto pruned = runs_.folder("pruned");
        auto config = RunDirectory(pruned).read().config;
        config.training.steps = 20;
        runs_.resume("pruned", config, { "steps" });
        QVERIFY(fs::exists(pruned / "checkpoints/step-00000020/ema.safetensors"));
        const auto more = fork("more", pruned, "0:gss,0:attention,1:main");
        QCOMPARE(RunDirectory(more).read().config.model.prunedBranches, std::string("0:gss,0:attention,1:main"));
        QVERIFY_EXCEPTION_THROWN(fork("back", pruned, "0:attention"), ConfigError);
        QVERIFY_EXCEPTION_THROWN(fork("none", pruned, "0:attention,1:main,2:gss"), ConfigError);
    }
};

PHA_TEST(BranchCostsTest)
#include "branch_costs_test.moc"
