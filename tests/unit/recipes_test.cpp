// SPDX-License-Identifier: GPL-3.0-or-later
// The experiments in resources/recipes: each is a whole, valid configuration.
#include "engine/base/json_text.h"
#include "engine/config/config.h"
#include "engine/config/conversion.h"
#include "run_tools.h"
#include "tests/suite.h"

#include <QtTest>

#include <algorithm>

using namespace pha;
using namespace pha::test;

class RecipesTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyRecipeIsWhole_data()
    {
        QTest::addColumn<QString>("file");
        for (const auto& entry : fs::directory_iterator(PHA_SOURCE_DIR "/resources/recipes"))
            QTest::newRow(entry.path().stem().c_str()) << QString::fromStdString(entry.path().string());
    }
    void everyRecipeIsWhole()
    {
        QFETCH(QString, file);
        const auto json = parseJsonStrict(readRaw(file.toStdString()), file.toStdString());
        for (const char* key : { "data", "tokenizer", "vocab_size" }) QVERIFY2(json["data"].contains(key), key);
        for (const char* key : { "steps", "batch_size", "context", "learning_rate", "schedule", "warmup_steps",
                 "weight_decay", "dropout", "clip", "precision", "seed", "eval_every", "average_keep", "average_take" })
            QVERIFY2(json["training"].contains(key), key);
        const auto config = RunConfig::fromJson(json, {});
        config.validate();
        const auto& preset = findPreset(config.preset).config;
        QCOMPARE(config.toJson()["model"], preset.toJson()["model"]); // the shape is the preset's
        QCOMPARE(config.data.vocabSize, config.model.vocabulary);
    }

    /// A converted model is trained as its own family is, whatever its teacher needed, but gently: it has learned
    /// already.
    void convertedModels()
    {
        for (const char* size : { "tiny", "small", "125m" }) {
            auto teacher = findPreset(std::string("transformer-") + size).config;
            teacher.training.learningRate = 0.5;
            teacher.training.warmupSteps = 777;
            teacher.training.stopAfter = teacher.training.averageKeep = 5;
            teacher.training.batchSize = 3;
            teacher.training.context = 99;
            teacher.training.seed = 8;
            auto expected = findPreset(std::string("hedgehog-") + size).config;
            expected.training.batchSize = 3;
            expected.training.context = 99;
            expected.training.seed = 8;
            expected.training.optimizer = "adamw";
            expected.training.learningRate = std::min(expected.training.learningRate, 6e-4);
            expected.training.warmupSteps = std::min<std::int64_t>(expected.training.warmupSteps, 20);
            auto made = expected;
            made.training = convertedTraining(teacher);
            QCOMPARE(made.toJson(), expected.toJson());
        }
    }

    void theyAreThePapersProtocols()
    {
        const auto read = [](const std::string& name) {
            const auto path = std::string(PHA_SOURCE_DIR "/resources/recipes/") + name + ".json";
            return RunConfig::fromJson(parseJsonStrict(readRaw(path), path), {});
        };
        const std::pair<const char*, double> wikitext[] = { { "wikitext103-pha-90m", 5e-4 },
            { "wikitext103-pha-125m", 4.5e-4 }, { "wikitext103-pha-180m", 4e-4 } };
        for (const auto& [name, rate] : wikitext) {
            const auto t = read(name).training;
            QCOMPARE(t.learningRate, rate);
            QCOMPARE(t.steps * t.batchSize * t.context / 117'920'140, std::int64_t(11)); // just short of 12 epochs
            QCOMPARE(t.evalEvery, t.steps / 12);
            QCOMPARE(t.schedule, std::string("plateau"));
            QCOMPARE(t.plateauFactor, 0.75);
            QCOMPARE(t.averageKeep, std::int64_t(5));
            QCOMPARE(t.averageTake, std::int64_t(3));
            QCOMPARE(t.dropout, 0.1);
            QCOMPARE(t.clip, 1.0);
        }
        const auto web = read("openwebtext-pha-125m").training;
        QCOMPARE(web.warmupSteps, std::int64_t(2000));
        QCOMPARE(web.schedule, std::string("cosine"));
        QCOMPARE(web.steps * web.batchSize * web.context / 9'035'582'198, std::int64_t(0)); // one epoch
    }
};

PHA_TEST(RecipesTest)
#include "recipes_test.moc"
