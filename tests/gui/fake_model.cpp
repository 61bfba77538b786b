// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/fake_model.h"

#include "tests/gui/fake_inside.h"

#include <algorithm>

namespace pha::test {

ScriptedModel::ScriptedModel(std::shared_ptr<Script> script, RunConfig config, std::int64_t step)
    : script_(std::move(script))
    , config_(std::move(config))
    , step_(step)
{
    script_->change([](Script& s) { ++s.models; });
}

ScriptedModel::~ScriptedModel()
{
    script_->change([](Script& s) { --s.models; });
}

ModelReport ScriptedModel::inspect(EventSink&, std::stop_token)
{
    script_->change([](Script& s) { ++s.inspections; });
    ModelReport r;
    r.config = config_;
    r.step = step_;
    r.mixing = fakeMixing(step_, config_).layers;
    return r;
}

Evaluation ScriptedModel::evaluate(const EvaluateOptions& options, EventSink& progress, std::stop_token stop)
{
    progress.publish(ProgressEvent { "evaluating", 1, 4, "windows" });
    std::unique_lock lock(script_->mutex);
    script_->evaluations.push_back(options);
    script_->changed.notify_all();
    script_->changed.wait(lock, stop, [&] { return script_->answers > 0; });
    if (stop.stop_requested()) throw Error("the evaluation was stopped", "start it again");
    if (!script_->evaluateError.empty()) throw Error(script_->evaluateError, "do something else");
    --script_->answers;
    Evaluation e;
    e.figures = fakeEval(step_, config_);
    e.figures.split = options.split;
    e.figures.context = options.context > 0 ? options.context : config_.training.context;
    e.figures.stride = options.stride > 0 ? options.stride : e.figures.context;
    if (options.maxTokens > 0) e.figures.tokens = options.maxTokens;
    for (const auto& m : options.mix) e.figures.nll += worth(m) * std::abs(1 - m.weight);
    e.figures.totalNll = e.figures.nll * double(e.figures.tokens);
    e.figures.perplexity = std::exp(e.figures.nll);
    e.figures.wordPerplexity = std::exp(e.figures.totalNll / double(e.figures.words));
    e.figures.bitsPerByte = e.figures.totalNll / double(e.figures.bytes) / std::log(2.0);
    if (options.recall) e.recall = fakeRecall(step_, options.split);
    e.data = "stories, seed 1";
    e.tokenizer = "1,024 pieces 5f3c9a";
    return e;
}

Ablation ScriptedModel::ablate(const EvaluateOptions& asked, const std::function<void(const AblationCell&)>& onCell,
    EventSink& progress, std::stop_token stop)
{
    return fakeAblation(*this, asked, onCell, progress, stop);
}

BranchCosts ScriptedModel::branchCosts(
    const CostOptions& asked, const std::function<void(const BranchCost&)>&, EventSink& progress, std::stop_token stop)
{
    return fakeCosts(*this, asked, progress, stop);
}

PruneTrial ScriptedModel::tryPruned(const CostOptions& asked, const BranchCosts& costs,
    const std::vector<PartPlace>& parts, EventSink& progress, std::stop_token stop)
{
    return fakeTrial(*this, asked, costs, parts, progress, stop);
}

double ScriptedModel::worth(const MixOverride& m)
{
    const std::uint64_t salt = m.branch == "gss" ? 11 : m.branch == "attention" ? 12 : 13;
    if (m.layer < 0) return 0.9 + 0.6 * noise(std::int64_t(salt), 3);
    return 0.05 + 0.09 * noise(m.layer, salt);
}

Generation ScriptedModel::generate(
    const GenerateOptions& options, const std::function<void(const GeneratedToken&)>& onToken, std::stop_token stop)
{
    {
        const std::lock_guard lock(script_->mutex);
        script_->generations.push_back(options);
        if (!script_->generateError.empty()) throw Error(script_->generateError, "do something else");
    }
    Generation g;
    g.promptIds = options.promptIds;
    if (g.promptIds.empty())
        for (std::int64_t id = 0, words = 1 + std::count(options.prompt.begin(), options.prompt.end(), ' '); id < words;
             ++id)
            g.promptIds.push_back(100 + id);
    const auto& m = config_.model;
    if (const auto given = std::int64_t(g.promptIds.size()); m.positions == "learned")
        g.promptIds.erase(g.promptIds.begin(),
            g.promptIds.begin() + given - tokensOfPrompt(given, m.maxPositions, options.sampling.maxTokens));
    for (const auto id : g.promptIds) {
        auto t = token(id);
        t.prompt = true;
        if (id == g.promptIds.front()) t.alternatives.clear();
        if (options.promptProbabilities) onToken(t);
    }
    for (std::int64_t n = 0; n < options.sampling.maxTokens; ++n) {
        {
            std::unique_lock lock(script_->mutex);
            const auto open = [&] { return script_->written < script_->allowed; };
            if (!script_->deaf) script_->changed.wait(lock, stop, open);
            if (!script_->deaf && stop.stop_requested()) break;
            if (script_->deaf && n > 2000) break;
            ++script_->written;
        }
        auto t = token(std::int64_t(g.promptIds.size()) + n);
        g.text += t.text;
        onToken(t);
        g.tokens.push_back(std::move(t));
    }
    g.firstTokenSeconds = 0.12;
    g.seconds = 1.3;
    g.tokensPerSecond = 148.2;
    g.stateBytes = 1'245'184;
    return g;
}

InsideView ScriptedModel::lookInside(const LookOptions& options, std::stop_token stop)
{
    std::unique_lock lock(script_->mutex);
    script_->looks.push_back(options);
    script_->changed.notify_all();
    script_->changed.wait(lock, stop, [&] { return script_->answers > 0; });
    if (stop.stop_requested()) throw Error("the look was stopped", "start it again");
    if (!script_->lookError.empty()) throw Error(script_->lookError, "do something else");
    std::vector<GeneratedToken> tokens;
    for (std::int64_t i = 0, n = 1 + std::count(options.text.begin(), options.text.end(), ' '); i < n; ++i) {
        tokens.push_back(token(i));
        tokens.back().prompt = true;
    }
    if (options.text.ends_with('\n')) tokens.emplace_back().text = "\n";
    auto view = fakeInside(config_, step_, std::move(tokens));
    view.note = script_->lookNote;
    return view;
}

HeadTest ScriptedModel::testHeads(std::stop_token stop)
{
    std::unique_lock lock(script_->mutex);
    ++script_->headTests;
    script_->changed.notify_all();
    script_->changed.wait(lock, stop, [&] { return script_->answers > 0; });
    if (stop.stop_requested()) throw Error("the test was stopped", "start it again");
    return fakeHeadTest(config_, step_);
}

GeneratedToken ScriptedModel::token(std::int64_t id)
{
    static const std::vector<std::string> words { " Mara", " took", " the", " copper", " key", " to", " the",
        " harbour", ".", " Later", " she", " gave", " it", " to", " Tomas", ",", " who", " hid", " it", " under",
        " the", " old", " boat", ".\n" };
    const auto word = [&](std::int64_t i) {
        return id >= 100 && i == id ? " w" + std::to_string(id) : words[std::size_t(i) % words.size()];
    };
    GeneratedToken t;
    t.id = id;
    t.text = word(id);
    t.probability = std::clamp(0.55 + 0.5 * noise(id, 5), 0.004, 0.999);
    t.sampledProbability = std::min(1.0, t.probability * 1.1);
    t.entropy = 1.2 + noise(id, 6);
    double rest = 1;
    const bool first = t.probability > 0.3;
    if (first) t.alternatives.push_back({ id, t.text, t.probability }), rest -= t.probability;
    for (std::int64_t i = 1; t.alternatives.size() < 10; ++i) {
        const double p = rest * 0.42;
        rest -= p;
        t.alternatives.push_back({ id + 1000 * i, word(id + i * 7), p });
    }
    std::sort(t.alternatives.begin(), t.alternatives.end(),
        [](const auto& a, const auto& b) { return a.probability > b.probability; });
    return t;
}

ScriptedJob::ScriptedJob(std::shared_ptr<Script> script, RunConfig config, fs::path directory)
    : script_(std::move(script))
    , config_(std::move(config))
    , directory_(std::move(directory))
{
}

std::shared_ptr<LoadedModel> ScriptedJob::snapshot(std::chrono::milliseconds)
{
    script_->change([](Script& s) { ++s.snapshots; });
    if (over) return nullptr;
    return std::make_shared<ScriptedModel>(script_, config_, script_->read([](const Script& s) { return s.step; }));
}

std::shared_ptr<LoadedModel> ScriptedEngine::load(const fs::path& path, const std::string&, const std::string&)
{
    script->change([&](Script& s) { s.loads.push_back(path); });
    const auto [error, step] = script->read([](const Script& s) { return std::pair(s.loadError, s.step); });
    if (!error.empty()) throw Error(error, "choose another checkpoint");
    return std::make_shared<ScriptedModel>(script, config, step);
}

void writeFakeRun(const fs::path& directory, RunConfig config, const std::string& name)
{
    SilentSink nowhere;
    FakeOptions fast;
    fast.stepsPerSecond = 0;
    FakeEngine engine(fast);
    engine.openTraining({ config, directory, name, false, {}, {} }, nowhere, {})->run(nowhere, {});
}

} // namespace pha::test
