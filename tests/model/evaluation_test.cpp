// SPDX-License-Identifier: GPL-3.0-or-later
// Protocols of models.md 12 and what is reported beside the totals.
#include "engine/base/error.h"
#include "engine/eval/evaluator.h"
#include "engine/eval/loaded_model.h"
#include "engine/model/weights.h"
#include "tests/model/small_run.h"
#include "tests/poisoned_text.h"
#include "tests/suite.h"

#include <QtTest>

#include <cmath>

using namespace pha;
using namespace pha::test;

namespace {

Split numbers(int count, int vocabulary)
{
    Split split;
    split.name = "test";
    for (int i = 0; i < count; ++i) {
        split.tokens.push_back((i * i * 7 + i / 3) % vocabulary);
        split.words.push_back(i / 2 + 1);
        split.bytes.push_back(i * 3 + 3);
    }
    return split;
}

} // namespace

class EvaluationTest : public QObject {
    Q_OBJECT

    SmallRuns runs_;
    Recorder silent_;
    std::unique_ptr<LanguageModel> model_;
    const Split split_ = numbers(333, 50);

    Evaluation score(EvaluateOptions options, LanguageModel& model)
    {
        return evaluateSplit(model, {}, split_, options, silent_, {});
    }
    Evaluation score(const std::string& protocol, std::int64_t context, std::int64_t stride = 0)
    {
        EvaluateOptions options;
        options.protocol = protocol;
        options.context = context;
        options.stride = stride;
        options.byPosition = true;
        return score(options, *model_);
    }

private Q_SLOTS:
    void initTestCase()
    {
        auto config = smallRun().model;
        config.vocabulary = 50;
        model_ = std::make_unique<LanguageModel>(config, 1);
    }

    void aStrideOfTheContextIsTheDisjointProtocol()
    {
        const auto disjoint = score("disjoint", 64), strided = score("strided", 64, 64);
        QVERIFY(strided.figures.totalNll == disjoint.figures.totalNll); // bit for bit
        QVERIFY(score("strided", 64, 16).figures.totalNll != disjoint.figures.totalNll);
        QCOMPARE(score("", 64, 16).figures.protocol, std::string("strided"));
        QCOMPARE(score("", 64).figures.protocol, std::string("disjoint"));
        QCOMPARE(score("strided", 64).figures.stride, std::int64_t(32));
    }

    /// Whatever the stride: what each window's last tokens cost, one window after the other and all of its logits.
    void stridesScoreWhatIsNew()
    {
        const torch::NoGradGuard guard;
        const std::int64_t context = 64,
                           last = std::int64_t(split_.tokens.size()) - 1; // the last one is a target alone
        const auto all = torch::tensor(std::vector<std::int64_t>(split_.tokens.begin(), split_.tokens.end()));
        for (const std::int64_t stride : { 1, 16, 64 }) {
            double expected = 0;
            std::int64_t done = 0;
            for (std::int64_t begin = 0; done < last; begin += stride) {
                const auto length = std::min(context, last - begin), known = done - begin;
                const auto hidden = model_->forward(all.narrow(0, begin, length).unsqueeze(0), {});
                const auto said = torch::log_softmax(model_->logits(hidden, {})[0].to(torch::kDouble), -1);
                const auto cost = -said.gather(1, all.narrow(0, begin + 1, length).unsqueeze(1)).squeeze(1);
                expected += cost.narrow(0, known, length - known).sum().item<double>();
                done = begin + length;
            }
            const auto figures = score("strided", context, stride).figures;
            QCOMPARE(figures.tokens, last);
            QVERIFY2(std::abs(figures.totalNll / expected - 1) < 1e-6, std::to_string(stride).c_str());
        }
    }

    void statefulBlocksAreOneLongPass()
    {
        const auto blocks = score("stateful", 32), whole = score("disjoint", 1000), apart = score("disjoint", 32);
        QCOMPARE(blocks.figures.tokens, std::int64_t(332));
        QVERIFY2(std::abs(blocks.figures.totalNll / whole.figures.totalNll - 1) < 1e-5,
            std::to_string(blocks.figures.totalNll - whole.figures.totalNll).c_str());
        QVERIFY(std::abs(apart.figures.totalNll - whole.figures.totalNll) > 1e-3);
        QCOMPARE(blocks.positions.back().to, std::int64_t(512)); // up to 332 tokens before
    }

    void totalsDoNotDependOnTheBatch()
    {
        EvaluateOptions options;
        options.context = 16;
        std::vector<double> totals;
        for (const std::int64_t tokens : { 1, 16, 40, 100000 }) {
            options.batchTokens = tokens;
            totals.push_back(score(options, *model_).figures.totalNll);
        }
        for (const double total : totals) QVERIFY(std::abs(total / totals[0] - 1) < 1e-6);
    }

    /// Published perplexities a word divide by the words of the file, also by the first, which is not scored.
    void wordsAndBytesAreThoseOfTheText()
    {
        const auto whole = score("disjoint", 64).figures;
        QCOMPARE(whole.tokens, std::int64_t(332));
        QCOMPARE(whole.words, std::int64_t(167));
        QCOMPARE(whole.bytes, std::int64_t(999));
        QVERIFY(std::abs(std::log(whole.wordPerplexity) * 167 / whole.totalNll - 1) < 1e-12);
    }

    void positionsAddUp()
    {
        const auto result = score("disjoint", 64);
        QCOMPARE(result.positions.size(), std::size_t(7)); // [1,2) ... [64,128)
        double sum = 0;
        std::int64_t tokens = 0;
        for (const auto& bin : result.positions) {
            sum += bin.nll * double(bin.tokens);
            tokens += bin.tokens;
        }
        QCOMPARE(tokens, result.figures.tokens);
        QVERIFY(std::abs(sum / result.figures.totalNll - 1) < 1e-12);
        QCOMPARE(result.positions[0].tokens, std::int64_t(6)); // 5 full windows and one of 12
        QCOMPARE(result.positions[6].tokens, std::int64_t(5));
        for (const auto& bin : score("strided", 64, 8).positions)
            if (bin.from < 32) QVERIFY(bin.tokens <= bin.from); // only the first window has short contexts
    }

    void impossibleProtocolsAreRefused()
    {
        QVERIFY_EXCEPTION_THROWN(score("sliding", 64), ConfigError);
        QVERIFY_EXCEPTION_THROWN(score("stateful", 64, 32), ConfigError);
        QVERIFY_EXCEPTION_THROWN(score("disjoint", 64, 32), ConfigError);
        QVERIFY_EXCEPTION_THROWN(score("strided", 64, 65), ConfigError);
        QVERIFY_EXCEPTION_THROWN(score("disjoint", 0), ConfigError);
    }

    void aRunReportsDocumentsTextAndPrecision()
    {
        const auto run = runs_.train("run", smallRun());
        EvaluateOptions options;
        options.split = "test";
        options.maxTokens = 6000; // some stories, also where a token is a byte
        options.byDocument = true;
        const auto exact = loadNetwork(run, "cpu", "fp32")->evaluate(options, silent_, {});
        QCOMPARE(exact.precision, std::string("fp32"));
        QCOMPARE(exact.text, std::string("plain text"));
        QVERIFY(exact.documents.size() > 2); // stories
        double nll = 0;
        std::int64_t tokens = 0, words = 0, bytes = 0;
        for (const auto& document : exact.documents) {
            nll += document.totalNll;
            tokens += document.tokens;
            words += document.words;
            bytes += document.bytes;
            QVERIFY(!document.title.empty());
        }
        QCOMPARE(tokens, exact.figures.tokens);
        QCOMPARE(words, exact.figures.words);
        QCOMPARE(bytes, exact.figures.bytes);
        QVERIFY(std::abs(nll / exact.figures.totalNll - 1) < 1e-12);

        const auto coarse = loadNetwork(run, "cpu", "bf16")->evaluate(options, silent_, {});
        QCOMPARE(coarse.precision, std::string("bf16"));
        QVERIFY(coarse.figures.nll != exact.figures.nll);
        QVERIFY(std::abs(coarse.figures.nll - exact.figures.nll) < 0.02);
    }

    /// Its text is read and encoded before it is known how the mix weighs it, which may take minutes.
    void aReportCanBeStopped()
    {
        const auto text = runs_.folder("text.txt");
        writeFileAtomically(text, PoisonedText().text);
        auto config = smallRun();
        config.data.data = text.string();
        config.data.tokenizer = "bytes";
        config.training.steps = 1;
        const auto model = loadNetwork(runs_.train("text", config), "cpu", "fp32");
        const auto cache = qgetenv("XDG_CACHE_HOME");
        qputenv("XDG_CACHE_HOME", QByteArray::fromStdString(runs_.folder("empty cache").string()));
        std::stop_source stop;
        stop.request_stop();
        const auto stopped = model->inspect(silent_, stop.get_token());
        const auto whole = model->inspect(silent_, {});
        qputenv("XDG_CACHE_HOME", cache);
        QVERIFY(stopped.mixing.empty());
        QCOMPARE(stopped.parameters, whole.parameters);
        QVERIFY(!whole.mixing.empty());
    }

    void ablationMutesEveryBranch()
    {
        const auto model = loadNetwork(runs_.folder("run"), "cpu", "fp32");
        EvaluateOptions options;
        options.maxTokens = 400;
        std::size_t heard = 0;
        const auto result = model->ablate(options, [&](const AblationCell&) { ++heard; }, silent_, {});
        const auto layers = std::size_t(model->config().model.layers);
        QCOMPARE(result.cells.size(), (layers + 1) * 4); // gss, attention, ffn, main
        QCOMPARE(heard, result.cells.size());
        options.mix = { { -1, "attention", 0 } };
        QCOMPARE(result.cells[1].branch, std::string("attention"));
        QCOMPARE(result.cells[1].layer, std::int64_t(-1));
        QCOMPARE(result.cells[1].nll, model->evaluate(options, silent_, {}).figures.nll);
        QCOMPARE(result.cells[1].change, result.cells[1].nll - result.plain.figures.nll);
        std::stop_source stop;
        QVERIFY_EXCEPTION_THROWN(
            model->ablate(
                options, [&](const AblationCell&) { stop.request_stop(); }, silent_, stop.get_token()),
            Error);
    }
};

PHA_TEST(EvaluationTest)
#include "evaluation_test.moc"
