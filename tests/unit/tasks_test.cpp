// SPDX-License-Identifier: GPL-3.0-or-later
// Synthetic tasks: built exactly as published, the same everywhere, no example in two splits, batches that go on.
#include "engine/base/error.h"
#include "engine/data/corpus.h"
#include "engine/data/tasks.h"
#include "engine/data/tokenizer.h"
#include "tests/suite.h"

#include <QTest>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <set>

using namespace pha;

namespace {

DataConfig configOf(const std::string& name, std::int64_t length = 0, std::int64_t pairs = 0, std::int64_t symbols = 0)
{
    DataConfig config;
    config.data = name;
    config.taskLength = length;
    config.taskPairs = pairs;
    config.taskSymbols = symbols;
    return config;
}

std::unique_ptr<Corpus> open(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer = nullptr)
{
    SilentSink sink;
    return Corpus::open(config, std::move(tokenizer), sink, {});
}

/// Ids that stand before `index`, latest first.
std::int64_t lastBefore(const TaskExample& example, std::int64_t index, std::int32_t id)
{
    while (--index >= 0 && example.ids[std::size_t(index)] != id) { }
    return index;
}

} // namespace

class TasksTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void sizesHaveGoodDefaults()
    {
        QVERIFY(!findTask(configOf("stories")));
        const auto mqar = *findTask(configOf("mqar"));
        QCOMPARE(mqar.description(), std::string("mqar 1, V 512, T 64, K 4, seed 1"));
        QCOMPARE(mqar.exampleLength(), std::int64_t(64));
        const auto induction = *findTask(configOf("induction"));
        QCOMPARE(induction.description(), std::string("induction 2, V 20, T 30, seed 1"));
        QCOMPARE(induction.exampleLength(), std::int64_t(31));
        const auto copying = *findTask(configOf("copying"));
        QCOMPARE(copying.description(), std::string("copying 1, V 16, T 256, K 8, seed 1"));
        QCOMPARE(copying.exampleLength(), std::int64_t(264));
        RunConfig run;
        run.data = configOf("copying");
        settleTaskShape(run);
        QCOMPARE(run.model.vocabulary, std::int64_t(16));
        QCOMPARE(run.training.context, std::int64_t(264));
    }

    void impossibleSizesAreRefused_data()
    {
        QTest::addColumn<QString>("task");
        QTest::addColumn<int>("length");
        QTest::addColumn<int>("pairs");
        QTest::addColumn<int>("symbols");
        QTest::addColumn<QString>("field");
        QTest::newRow("odd length") << "mqar" << 63 << 4 << 512 << "task_length";
        QTest::newRow("too many pairs") << "mqar" << 64 << 17 << 512 << "task_pairs";
        QTest::newRow("too few symbols") << "mqar" << 64 << 4 << 64 << "task_symbols";
        QTest::newRow("one symbol of text") << "induction" << 1 << 0 << 20 << "task_length";
        QTest::newRow("two questions") << "induction" << 30 << 2 << 20 << "task_pairs";
        QTest::newRow("marks alone") << "induction" << 30 << 0 << 3 << "task_symbols";
        QTest::newRow("more than fit") << "copying" << 8 << 9 << 16 << "task_pairs";
        QTest::newRow("blank and mark alone") << "copying" << 8 << 4 << 3 << "task_symbols";
    }
    void impossibleSizesAreRefused()
    {
        QFETCH(QString, task);
        QFETCH(int, length);
        QFETCH(int, pairs);
        QFETCH(int, symbols);
        QFETCH(QString, field);
        try {
            findTask(configOf(task.toStdString(), length, pairs, symbols));
            QFAIL("accepted");
        } catch (const ConfigError& error) {
            QCOMPARE(QString::fromStdString(error.field()), field);
        }
    }

    /// Six examples exist; some splits get none.
    void tinyTasksAreRefused() { QVERIFY_THROWS_EXCEPTION(DataError, open(configOf("mqar", 4, 1, 5))); }

    /// models.md 13.1: pairs first, each key once more in an even slot, its value the target there.
    void mqar()
    {
        const auto task = *findTask(configOf("mqar", 64, 4, 512));
        std::map<std::int64_t, int> slots;
        for (std::uint64_t i = 0; i < 2000; ++i) {
            const auto e = writeExample(task, "train", i);
            QCOMPARE(e.ids.size(), std::size_t(64));
            std::map<std::int32_t, std::int32_t> pairs;
            for (std::size_t k = 0; k < 4; ++k) {
                const auto key = e.ids[2 * k], value = e.ids[2 * k + 1];
                QVERIFY(key >= 1 && key < 256 && value >= 256 && value < 512);
                QVERIFY(pairs.emplace(key, value).second);
            }
            std::set<std::int32_t> asked;
            for (std::size_t t = 0; t < 64; ++t) {
                if (e.targets[t] == -100) {
                    QVERIFY(t < 8 || e.ids[t] == 0);
                    continue;
                }
                QVERIFY(t >= 8 && t % 2 == 0);
                QCOMPARE(e.targets[t], pairs.at(e.ids[t]));
                QVERIFY(asked.insert(e.ids[t]).second);
            }
            QCOMPARE(asked.size(), std::size_t(4));
            QCOMPARE(e.answers.size(), std::size_t(4));
            for (const auto& answer : e.answers) {
                const auto target = e.targets[std::size_t(answer.index)];
                QCOMPARE(answer.distance, answer.index - lastBefore(e, answer.index, target));
                ++slots[(answer.index - 8) / 2];
            }
        }
        // The first slot is the likeliest by far: 1 - prod (1 - p) for p of about 1 / (1 + 1/2 + ... 1/28) = 0.25.
        QVERIFY2(slots[0] > 1200 && slots[0] < 1600, qPrintable(QString::number(slots[0])));
        QVERIFY(slots[1] < slots[0] && slots[4] < slots[1] && slots[27] > 0);
    }

    /// The slots are drawn one after the other: the first pair's place follows p(s) ~ (s+1)^(a-1) exactly.
    void queriesGatherByThePowerLaw()
    {
        auto config = configOf("mqar", 16, 2, 64);
        config.taskPower = 0.25;
        const auto task = *findTask(config);
        std::array<int, 6> slots {};
        constexpr int count = 20'000;
        for (std::uint64_t i = 0; i < count; ++i) {
            const auto e = writeExample(task, "train", i);
            const auto* at = std::find(e.ids.data() + 4, e.ids.data() + 16, e.ids[0]);
            ++slots[std::size_t(at - e.ids.data() - 4) / 2];
        }
        double total = 0;
        for (int s = 0; s < 6; ++s) total += std::pow(s + 1, -0.75);
        for (int s = 0; s < 6; ++s) {
            const double expected = count * std::pow(s + 1, -0.75) / total;
            QVERIFY2(std::abs(slots[std::size_t(s)] - expected) < 4 * std::sqrt(expected),
                qPrintable(QString("slot %1: %2, expected %3").arg(s).arg(slots[std::size_t(s)]).arg(expected)));
        }
    }

    void noiseFillsTheRest()
    {
        auto config = configOf("mqar", 64, 4, 512);
        config.taskNoise = true;
        const auto e = writeExample(*findTask(config), "train", 3);
        QVERIFY(std::count(e.ids.begin(), e.ids.end(), 0) < 4);
        QCOMPARE(std::count_if(e.targets.begin(), e.targets.end(), [](auto t) { return t >= 0; }), std::ptrdiff_t(4));
    }

    /// models.md 13.2.
    void induction()
    {
        const auto task = *findTask(configOf("induction"));
        std::set<std::int64_t> distances;
        for (std::uint64_t i = 0; i < 1000; ++i) {
            const auto e = writeExample(task, "valid", i);
            QCOMPARE(e.ids.size(), std::size_t(31));
            QCOMPARE(std::count(e.ids.begin(), e.ids.end(), 1), std::ptrdiff_t(2));
            QCOMPARE(e.ids[30], 1);
            const auto place = lastBefore(e, 30, 1);
            QVERIFY(std::all_of(e.targets.begin(), e.targets.end() - 1, [](auto t) { return t == -100; }));
            QCOMPARE(e.targets[30], e.ids[std::size_t(place) + 1]);
            QVERIFY(e.targets[30] >= 2 && e.targets[30] < 20);
            QCOMPARE(e.answers.size(), std::size_t(1));
            QCOMPARE(e.answers[0].distance, 29 - place);
            QVERIFY(std::equal(e.ids.begin() + 1, e.ids.end(), e.lessons.begin())); // every next symbol is trained
            QCOMPARE(e.lessons.size(), e.ids.size());
            QCOMPARE(e.lessons[30], e.targets[30]);
            distances.insert(e.answers[0].distance);
        }
        QCOMPARE(*distances.begin(), std::int64_t(1));
        QCOMPARE(distances.size(), std::size_t(29));
    }

    /// models.md 13.3.
    void copying()
    {
        const auto task = *findTask(configOf("copying"));
        for (std::uint64_t i = 0; i < 500; ++i) {
            const auto e = writeExample(task, "test", i);
            std::vector<std::int32_t> symbols, targets;
            for (std::size_t t = 0; t < 256; ++t) {
                QCOMPARE(e.targets[t], -100);
                QVERIFY(e.ids[t] >= 0 && e.ids[t] < 15);
                if (e.ids[t] > 0) symbols.push_back(e.ids[t]);
            }
            for (std::size_t t = 256; t < 264; ++t) {
                QCOMPARE(e.ids[t], 15);
                targets.push_back(e.targets[t]);
            }
            QCOMPARE(symbols.size(), std::size_t(8));
            QVERIFY(targets == symbols);
            QVERIFY(e.lessons == e.targets);
            for (const auto& a : e.answers)
                QCOMPARE(e.ids[std::size_t(a.index - a.distance)], e.targets[std::size_t(a.index)]);
        }
    }

    void examplesAreTheSameEverywhere()
    {
        const auto names = Tokenizer::symbols(findTask(configOf("mqar", 16, 2, 32))->symbolNames());
        const auto e = writeExample(*findTask(configOf("mqar", 16, 2, 32)), "train", 7);
        QCOMPARE(names->decode(e.ids), std::string("k2 v18 k7 v25 k2 · · · · · · · k7 · · ·"));
        auto other = configOf("mqar", 16, 2, 32);
        other.dataSeed = 2;
        QVERIFY(writeExample(*findTask(other), "train", 7).ids != e.ids);
    }

    /// Not only by number: the same symbols never stand in two splits, even where there are few.
    void splitsAreDisjoint()
    {
        for (const auto& config :
            { configOf("mqar", 8, 1, 10), configOf("induction", 4, 0, 6), configOf("copying", 6, 2, 5) }) {
            const auto task = *findTask(config);
            std::map<std::vector<std::int32_t>, std::set<std::string>> seen;
            for (const char* split : { "train", "valid", "test" })
                for (std::uint64_t i = 0; i < 400; ++i) seen[writeExample(task, split, i).ids].insert(split);
            for (const auto& [ids, splits] : seen) QCOMPARE(splits.size(), std::size_t(1));
        }
    }

    void corpusHasHonestFigures()
    {
        const auto corpus = open(configOf("mqar"));
        QCOMPARE(corpus->exampleLength(), std::int64_t(64));
        QCOMPARE(corpus->tokenizer()->size(), std::int64_t(512));
        const auto& references = corpus->references();
        QCOMPARE(references.uniform, std::log(512.0));
        QCOMPARE(references.unigram, std::log(256.0));
        QCOMPARE(references.floor.value(), 0.0);
        const auto& split = corpus->split("test");
        QCOMPARE(split.tokens.size(), std::size_t(3000 * 64));
        QCOMPARE(split.targets.size(), split.tokens.size());
        QCOMPARE(split.example, std::int64_t(64));
        QCOMPARE(split.words.back(), 12'000);
        QCOMPARE(split.words.size(), split.tokens.size());
        QCOMPARE(split.bytes.back(), 60'000); // " v301"
        QCOMPARE(split.probes.size(), std::size_t(12'000));
        for (const auto& probe : split.probes) {
            QVERIFY(split.targets[std::size_t(probe.index)] >= 256);
            QCOMPARE(probe.chance, 0.25);
        }
        QVERIFY(std::is_sorted(
            split.probes.begin(), split.probes.end(), [](const auto& a, const auto& b) { return a.index < b.index; }));
        const auto prompt = corpus->samplePrompt();
        QVERIFY2(prompt.starts_with('k') && prompt.find(" v") == prompt.find(' '), prompt.c_str());
        QCOMPARE(corpus->sampleTokens(), std::int64_t(1));
        QVERIFY_THROWS_EXCEPTION(DataError, corpus->split("dev"));
        QVERIFY_THROWS_EXCEPTION(DataError, corpus->batches(4, 32, 1));
        QVERIFY_THROWS_EXCEPTION(DataError, corpus->batches(0, 64, 1));
    }

    void batchesContinue_data()
    {
        QTest::addColumn<int>("examples");
        QTest::newRow("endless") << 0;
        QTest::newRow("training set") << 10;
    }
    void batchesContinue()
    {
        QFETCH(int, examples);
        auto config = configOf("induction");
        config.taskExamples = examples;
        const auto corpus = open(config);
        auto first = corpus->batches(4, 31, 5);
        std::vector<std::vector<std::int64_t>> all;
        Json state;
        for (int i = 0; i < 12; ++i) {
            if (i == 7) state = first->state();
            const auto batch = first->next();
            QCOMPARE(batch.ids.size(), std::size_t(4 * 31));
            all.push_back(batch.ids);
        }
        auto second = corpus->batches(4, 31, 5);
        second->restore(state);
        for (std::size_t i = 7; i < 12; ++i) QVERIFY(second->next().ids == all[i]);
        std::set<std::vector<std::int64_t>> different;
        for (const auto& ids : all)
            for (std::size_t r = 0; r < 4; ++r)
                different.emplace(ids.begin() + std::ptrdiff_t(31 * r), ids.begin() + std::ptrdiff_t(31 * (r + 1)));
        QCOMPARE(different.size(), std::size_t(examples > 0 ? examples : 48));
        QVERIFY(corpus->batches(4, 31, 6)->next().ids != all[0]);
        QVERIFY_THROWS_EXCEPTION(CheckpointError, corpus->batches(4, 31, 6)->restore(state));
        QVERIFY_THROWS_EXCEPTION(CheckpointError, open(configOf("mqar"))->batches(4, 64, 5)->restore(state));
        state["example"] = -1;
        QVERIFY_THROWS_EXCEPTION(CheckpointError, second->restore(state));
    }

    void tasksBringTheirRecipe()
    {
        const auto& preset = findPreset("pha-tiny");
        QVERIFY(startingPoint(preset, "stories").toJson() == startingPoint(preset, "a/file.txt").toJson());
        QCOMPARE(startingPoint(preset, "stories").training.batchSize, preset.config.training.batchSize);
        const auto recall = startingPoint(preset, "mqar").training, head = startingPoint(preset, "induction").training;
        QCOMPARE(recall.batchSize, std::int64_t(64));
        QCOMPARE(recall.muonLearningRate, preset.config.training.muonLearningRate);
        QCOMPARE(head.muonLearningRate, 0.002);
        QCOMPARE(startingPoint(preset, "copying").training.batchSize, std::int64_t(16));
    }

    void symbolsReadAndWrite()
    {
        const auto corpus = open(configOf("mqar"));
        const auto& tokenizer = *corpus->tokenizer();
        QVERIFY(tokenizer.kind() == Tokenizer::Kind::Symbols);
        QCOMPARE(tokenizer.decode({ 17, 301, 0, 0, 17 }), std::string("k17 v301 \xC2\xB7 \xC2\xB7 k17"));
        QVERIFY((tokenizer.encode(" k17 v301\n\xC2\xB7\t k17 ") == std::vector<std::int32_t> { 17, 301, 0, 17 }));
        QVERIFY((tokenizer.encode("Once k17") == std::vector<std::int32_t> { 0, 17 }));
        QVERIFY(tokenizer.encode(" \n").empty());
        QCOMPARE(tokenizer.piece(600), std::string("\xEF\xBF\xBD"));
        const auto again = Tokenizer::fromModel(tokenizer.model(), "a run");
        QCOMPARE(again->fingerprint(), tokenizer.fingerprint());
        QCOMPARE(open(configOf("induction"))->tokenizer()->decode({ 1, 0, 2, 19 }), std::string("=> \xC2\xB7 s2 s19"));
        QCOMPARE(open(configOf("copying"))->tokenizer()->decode({ 1, 14, 15 }), std::string("s1 s14 ?"));
    }

    void damagedSymbolsAreRefused()
    {
        for (const std::string bad : { "", "a\n", "a\na\n", "a\nb", "a\n\nb\n", "a\nb c\n", "a\n\xFF\n", "a\nb\r\n" })
            QVERIFY_THROWS_EXCEPTION(DataError, Tokenizer::fromModel("pha-symbols 1\n" + bad, "a run"));
        QVERIFY_THROWS_EXCEPTION(
            DataError, Tokenizer::fromModel("pha-symbols 1\na\n" + std::string(65, 'b') + "\n", "a run"));
    }

    void fieldsThatMatter()
    {
        const auto matters = [](const char* data, const char* field) {
            return Corpus::fieldMatters(configOf(data), field);
        };
        for (const auto* field : { "data", "task_length", "task_pairs", "task_power", "task_noise", "data_seed" })
            QVERIFY2(matters("mqar", field), field);
        for (const auto* field : { "task_pairs", "task_power", "task_noise", "tokenizer", "vocab_size", "text_field" })
            QVERIFY2(!matters("induction", field), field);
        for (const auto* field : { "tokenizer", "vocab_size", "byte_fallback", "data_seed", "layers" })
            QVERIFY2(matters("stories", field), field);
        for (const auto* field : { "task_length", "task_examples", "text_field" })
            QVERIFY2(!matters("stories", field), field);
        auto bytes = configOf("stories");
        bytes.tokenizer = "bytes";
        QVERIFY(!Corpus::fieldMatters(bytes, "vocab_size"));
        QVERIFY(matters("neither/here", "vocab_size")); // who opens it says what is wrong
    }

    void symbolsAndTextDoNotMix()
    {
        const std::shared_ptr<const Tokenizer> symbols = open(configOf("mqar"))->tokenizer();
        QVERIFY_THROWS_EXCEPTION(DataError, open(configOf("stories"), symbols));
        QVERIFY_THROWS_EXCEPTION(DataError, open(configOf("induction"), symbols));
        QVERIFY(open(configOf("mqar", 128, 8), symbols) != nullptr); // longer examples of the same symbols
    }
};

PHA_TEST(TasksTest)
#include "tasks_test.moc"
