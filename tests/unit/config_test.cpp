// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/text.h"
#include "engine/config/config.h"
#include "engine/config/sampling.h"
#include "run_tools.h"
#include "tests/suite.h"

#include <QTest>

#include <clocale>
#include <cmath>
#include <functional>
#include <limits>
#include <locale>
#include <set>

using namespace pha;
using test::messageOf;

namespace {

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
QString q(const std::string& text) { return QString::fromStdString(text); }

struct GermanNumbers : std::numpunct<char> {
    char do_decimal_point() const override { return ','; }
    char do_thousands_sep() const override { return '.'; }
    std::string do_grouping() const override { return "\3"; }
};

} // namespace

class ConfigTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void everyDefaultReadsBackFromItsText();
    void fieldNamesAreUniqueAndDescribed();
    void refusesText_data();
    void refusesText();
    void refusesJson_data();
    void refusesJson();
    void acceptsText_data();
    void acceptsText();
    void failedSetChangesNothing();
    void unknownKeysNameTheNearest();
    void jsonRoundTrip();
    void fromJsonForms();
    void fromJsonRefuses_data();
    void fromJsonRefuses();
    void crossFieldRules_data();
    void crossFieldRules();
    void crossFieldRulesOnlyWhereUsed();
    void validateChecksFieldsOfStructs();
    void branchOrder();
    void samplingRules();
    void numbersIgnoreTheLocale();
    void errorsAreOneLine();
};

void ConfigTest::everyDefaultReadsBackFromItsText()
{
    const RunConfig defaults;
    QCOMPARE(defaults.toJson().at("model").size() + defaults.toJson().at("data").size()
            + defaults.toJson().at("training").size(),
        allFields().size());
    for (const auto& [group, field] : allFields()) {
        const auto value = defaults.get(field.name);
        const auto text = value.is_string() ? value.get<std::string>() : value.dump();
        RunConfig copy;
        copy.set(field.name, text);
        QVERIFY2(copy.get(field.name) == value, field.name.c_str());
        QVERIFY2(field.parse(text) == value, field.name.c_str());
        QVERIFY2(defaults.toJson().at(group).contains(field.name), field.name.c_str());
    }
    defaults.validate();
}

void ConfigTest::fieldNamesAreUniqueAndDescribed()
{
    std::set<std::string> names;
    for (const auto& [group, field] : allFields()) {
        QVERIFY2(names.insert(field.name).second, field.name.c_str());
        QVERIFY2(group == "model" || group == "data" || group == "training", group.c_str());
        QVERIFY2(!field.section.empty() && !field.label.empty() && field.help.back() == '.', field.name.c_str());
        QVERIFY2(field.minimum < field.maximum, field.name.c_str());
    }
}

void ConfigTest::refusesText_data()
{
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("expected"); ///< part of the message
    const auto row = [](const char* key, const char* text, const char* expected) {
        QTest::addRow("%s=%s", key, text) << key << text << expected;
    };
    row("steps", "1.5", "steps is 1.5; expected an integer of at least 1");
    row("steps", "abc", "steps is \"abc\"; expected an integer of at least 1");
    row("steps", "", "steps is \"\"; expected an integer");
    row("steps", "0", "steps is 0; expected an integer of at least 1");
    row("steps", "-3", "steps is -3; expected");
    row("steps", "12 13", "steps is \"12 13\"; expected");
    row("steps", "0x10", "steps is \"0x10\"; expected");
    row("steps", "1e308", "steps is 1e+308; expected");
    row("steps", "99999999999999999999", "steps is 1e+20; expected");
    row("steps", "9223372036854775807", "steps is 9223372036854775807; expected");
    row("steps", "nan", "steps is \"nan\"; expected");
    row("layers", "513", "layers is 513; expected an integer from 1 to 512");
    row("learning_rate", "nan", "learning_rate is \"nan\"; expected a number from 0 to 10");
    row("learning_rate", "inf", "learning_rate is \"inf\"; expected");
    row("learning_rate", "-inf", "learning_rate is \"-inf\"; expected");
    row("learning_rate", "1e308", "learning_rate is 1e+308; expected");
    row("learning_rate", "1e999", "learning_rate is \"1e999\"; expected");
    row("learning_rate", "-1e-9", "learning_rate is -1e-09; expected");
    row("learning_rate", "0,001", "learning_rate is \"0,001\"; expected");
    row("learning_rate", "1e-3x", "learning_rate is \"1e-3x\"; expected");
    row("learning_rate", "++1", "learning_rate is \"++1\"; expected");
    row("rope_base", "1", "rope_base is 1; expected a number from 1.0001 to 1000000000000");
    row("branch_norm_affine", "maybe", "branch_norm_affine is \"maybe\"; expected true or false");
    row("mix_mode", "softmx", "mix_mode is \"softmx\"; expected one of softplus, softmax");
    row("mix_mode", "", "mix_mode is \"\"; expected one of");
    row("sample_prompt", "\xff\xfe", "sample_prompt is \"\xEF\xBF\xBD\xEF\xBF\xBD\"; expected text in UTF-8");
}

void ConfigTest::refusesText()
{
    QFETCH(QString, key);
    QFETCH(QString, text);
    QFETCH(QString, expected);
    // QString cannot hold invalid UTF-8: that row comes as Latin-1 replacement characters.
    const auto bytes = text.contains(QChar::ReplacementCharacter) ? std::string("\xff\xfe") : text.toStdString();
    RunConfig config;
    const auto message = messageOf<ConfigError>([&] { config.set(key.toStdString(), bytes); });
    QVERIFY2(contains(message, expected.toStdString()), message.c_str());
}

void ConfigTest::refusesJson_data()
{
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("json");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* key, const char* json, const char* expected) {
        QTest::addRow("%s: %s", key, json) << key << json << expected;
    };
    row("steps", "1.5", "steps is 1.5; expected an integer");
    row("steps", "\"100\"", "steps is \"100\"; expected an integer");
    row("steps", "true", "steps is true; expected an integer");
    row("steps", "null", "steps is null; expected an integer");
    row("steps", "[1]", "steps is a JSON list; expected an integer");
    row("steps", "{\"a\":1}", "steps is a JSON object; expected an integer");
    row("steps", "18446744073709551615", "steps is 18446744073709551615; expected an integer");
    row("steps", "1e300", "steps is 1e+300; expected an integer");
    row("learning_rate", "\"1e-3\"", "learning_rate is \"1e-3\"; expected a number");
    row("learning_rate", "11", "learning_rate is 11; expected a number from 0 to 10");
    row("zero_init", "1", "zero_init is 1; expected true or false");
    row("zero_init", "\"true\"", "zero_init is \"true\"; expected true or false");
    row("mix_mode", "3", "mix_mode is 3; expected one of");
    row("prior", "[0.5,0.5]", "prior is a JSON list; expected text");
    row("sample_prompt", "\"a\\u0000b\"", "sample_prompt is \"a\\u0000b\"; expected text");
}

void ConfigTest::refusesJson()
{
    QFETCH(QString, key);
    QFETCH(QString, json);
    QFETCH(QString, expected);
    RunConfig config;
    const auto message =
        messageOf<ConfigError>([&] { config.setJson(key.toStdString(), Json::parse(json.toStdString())); });
    QVERIFY2(contains(message, expected.toStdString()), message.c_str());
}

void ConfigTest::acceptsText_data()
{
    QTest::addColumn<QString>("key");
    QTest::addColumn<QString>("text");
    QTest::addColumn<QString>("json");
    const auto row = [](const char* key, const char* text, const char* json) {
        QTest::addRow("%s=%s", key, text) << key << text << json;
    };
    row("steps", "1e4", "10000");
    row("steps", " 20 ", "20");
    row("steps", "+7", "7");
    row("steps", "10.0", "10");
    row("learning_rate", "1e-3", "0.001");
    row("learning_rate", ".5", "0.5");
    row("learning_rate", "0", "0.0");
    row("zero_init", "on", "true");
    row("zero_init", "no", "false");
    row("mix_mode", " token ", "\"token\"");
    row("sample_prompt", " two  blanks ", "\" two  blanks \"");
    row("data", "/tmp/\xC3\xA4.txt", "\"/tmp/\xC3\xA4.txt\"");
}

void ConfigTest::acceptsText()
{
    QFETCH(QString, key);
    QFETCH(QString, text);
    QFETCH(QString, json);
    RunConfig config;
    config.set(key.toStdString(), text.toStdString());
    QCOMPARE(q(config.get(key.toStdString()).dump()), json);
}

void ConfigTest::failedSetChangesNothing()
{
    RunConfig config;
    const auto before = config.toJson();
    QVERIFY(!messageOf<ConfigError>([&] { config.set("width", "1"); }).empty());
    QVERIFY(!messageOf<ConfigError>([&] { config.setJson("width", std::nan("")); }).empty());
    QVERIFY(contains(messageOf<ConfigError>([&] { config.setJson("clip", std::nan("")); }), "clip is nan"));
    QVERIFY(contains(messageOf<ConfigError>([&] { config.setJson("clip", INFINITY); }), "clip is inf"));
    QVERIFY(config.toJson() == before);
}

void ConfigTest::unknownKeysNameTheNearest()
{
    RunConfig config;
    const auto set = [&](const char* key) { return messageOf<ConfigError>([&] { config.set(key, "1"); }); };
    QCOMPARE(q(set("learnin_rate")),
        "learnin_rate is not a known key; expected a field's name (the nearest is learning_rate)");
    QVERIFY(contains(set("batchsize"), "nearest is batch_size"));
    QVERIFY(contains(set("querry_heads"), "nearest is query_heads"));
    QVERIFY(contains(set("Steps"), "nearest is steps"));
    QVERIFY(contains(set("preset"), "not a known key"));
    QVERIFY(contains(set(""), "\"\" is not a known key"));
    QVERIFY(contains(messageOf<ConfigError>([&] { config.setJson("widht", 1); }), "nearest is width"));
    QVERIFY(contains(messageOf<ConfigError>([&] { (void)config.get("dropuot"); }), "nearest is dropout"));
    QVERIFY(contains(messageOf<ConfigError>([] { (void)findPreset("pha-tinny"); }), "nearest is pha-tiny"));
    QCOMPARE(q(findPreset("pha-125m").config.preset), "pha-125m");
}

void ConfigTest::jsonRoundTrip()
{
    for (const auto& preset : presets()) {
        const auto text = preset.config.toJson().dump(2);
        const auto back = RunConfig::fromJson(parseJsonStrict(text, "test"), RunConfig());
        QCOMPARE(q(back.toJson().dump(2)), q(text));
        back.validate();
    }
    RunConfig odd;
    odd.training.learningRate = 0.1 + 0.2; // no short decimal form
    odd.training.epsilon = 1e-16;
    odd.training.seed = 8999999999999999;
    odd.training.samplePrompt = "\xE2\x80\x9EZeile\n\t\"zwei\"\xE2\x80\x9C";
    const auto back = RunConfig::fromJson(parseJsonStrict(odd.toJson().dump(), "test"), RunConfig());
    QVERIFY(back.training.learningRate == odd.training.learningRate);
    QVERIFY(back.training.epsilon == odd.training.epsilon);
    QVERIFY(back.training.seed == odd.training.seed);
    QVERIFY(back.training.samplePrompt == odd.training.samplePrompt);
}

void ConfigTest::fromJsonForms()
{
    RunConfig base;
    base.training.steps = 77;
    const auto flat = RunConfig::fromJson(Json::parse(R"({"width":64,"data":"x.txt","clip":2})"), base);
    QCOMPARE(flat.model.width, 64);
    QCOMPARE(q(flat.data.data), "x.txt");
    QCOMPARE(flat.training.clip, 2.0);
    QCOMPARE(flat.training.steps, 77); // absent: from base
    const auto grouped = RunConfig::fromJson(
        Json::parse(R"({"model":{"width":64},"data":{"data":"x.txt"},"training":{"steps":1e2}})"), base);
    QCOMPARE(grouped.model.width, 64);
    QCOMPARE(q(grouped.data.data), "x.txt");
    QCOMPARE(grouped.training.steps, 100);
    const auto run = RunConfig::fromJson(
        Json::parse(R"({"schema":1,"name":"n","created":"now","model":{"width":96},"environment":{}})"), base);
    QCOMPARE(run.model.width, 96);
}

void ConfigTest::fromJsonRefuses_data()
{
    QTest::addColumn<QString>("json");
    QTest::addColumn<QString>("expected");
    QTest::newRow("list") << "[]"
                          << "the configuration is array; expected a JSON object";
    QTest::newRow("text") << "\"width\""
                          << "expected a JSON object";
    QTest::newRow("unknown") << R"({"widht":1})"
                             << "widht is not a known key";
    QTest::newRow("unknown in group") << R"({"model":{"widht":1}})"
                                      << "nearest is width";
    QTest::newRow("unknown group") << R"({"modell":{"width":1}})"
                                   << "modell is not a known key";
    QTest::newRow("wrong group") << R"({"model":{"steps":5}})"
                                 << "steps is in model; expected it in training";
    QTest::newRow("twice") << R"({"model":{"width":64},"width":32})"
                           << "width is given twice; expected each key once";
    QTest::newRow("group as number") << R"({"model":5})"
                                     << "model is not a known key";
    QTest::newRow("run keys in a flat file") << R"({"schema":1,"width":64})"
                                             << "schema is not a known key";
    QTest::newRow("preset") << R"({"preset":1})"
                            << "preset is number; expected the name of a preset";
    QTest::newRow("hostile key") << R"({"a\nb\u001b[31m":1})"
                                 << R"("a\nb\u001b[31m" is not a known key)";
}

void ConfigTest::fromJsonRefuses()
{
    QFETCH(QString, json);
    QFETCH(QString, expected);
    const auto parsed = Json::parse(json.toStdString());
    const auto message = messageOf<ConfigError>([&] { (void)RunConfig::fromJson(parsed, RunConfig()); });
    QVERIFY2(contains(message, expected.toStdString()), message.c_str());
}

void ConfigTest::crossFieldRules_data()
{
    QTest::addColumn<QStringList>("settings");
    QTest::addColumn<QString>("expected");
    const auto row = [](const char* expected, const QStringList& settings) {
        QTest::newRow(qPrintable(settings.join(' '))) << settings << expected;
    };
    row("query_heads is 3; expected a number that divides the width 128", { "query_heads=3" });
    row("query_heads is 12; expected heads of even width", { "width=36", "query_heads=12" });
    row("kv_heads is 3; expected a number that divides the 4 query heads", { "kv_heads=3" });
    row("kv_heads is 8; expected", { "kv_heads=8" });
    row("gss_state is 31; expected an even number", { "gss_state=31" });
    row("branches is empty; expected some of gss, attention, h3, hedgehog, ffn", { "branches=" });
    row("branches is \"gss,conv\"; expected some of", { "branches=gss,conv" });
    row("branches is \"gss,gss\"; expected some of", { "branches=gss,gss" });
    row("branches is \"gss,\"; expected some of", { "branches=gss," });
    row("branches is \"GSS\"; expected some of", { "branches=GSS" });
    row("data is empty; expected", { "data= " });
    row("prior is \"a,b,c\"; expected numbers above 0", { "prior=a,b,c" });
    row("prior is \"0.5,0.5,0.5\"; expected numbers above 0 that add up to 1", { "prior=0.5,0.5,0.5" });
    row("prior is \"1,0,0\"; expected numbers above 0", { "prior=1,0,0" });
    row("prior is \"\"; expected numbers above 0", { "prior=" });
    row("prior is \"nan,0.5,0.5\"; expected numbers above 0", { "prior=nan,0.5,0.5" });
    row("prior is \"0.6,0.4\"; expected 3 numbers, one for each branch of gss, attention, ffn",
        { "prior=0.6,0.4", "prior_weight=0.1" });
    row("entropy_bonus is 0.01; expected 0", { "branches=gss", "entropy_bonus=0.01" });
    row("branch_dropout is 0.1; expected 0", { "branches=attention", "branch_dropout=0.1" });
    row("attention_cost is 0.1; expected 0", { "branches=gss,ffn", "attention_cost=0.1" });
    row("entropy_bonus is 0.01; expected 0, since the family mixes no branches",
        { "family=attention", "entropy_bonus=0.01" });
    row("prior is \"0.47,0.31,0.22\"; expected prior_weight 0, since the family mixes no branches",
        { "family=gss", "prior_weight=0.1" });
    row("eval_every is 0; expected at least 1 with the schedule plateau", { "schedule=plateau", "eval_every=0" });
    row("skip_data is \"8120\"; expected UPDATE+COUNT", { "skip_data=8120" });
    row("skip_data is \"0+1\"; expected", { "skip_data=0+1" });
    row("skip_data is \"9+0\"; expected", { "skip_data=9+0" });
    row("skip_data is \"9+1,9+2\"; expected UPDATE+COUNT, such as 8120+3, several in ascending",
        { "skip_data=9+1,9+2" });
    row("skip_data is \"9+1,\"; expected", { "skip_data=9+1," });
    row("attention_layers is \"1,9\"; expected different layers from 0 to 3", { "attention_layers=1,9" });
    row("attention_layers is \"1,1\"; expected different layers", { "attention_layers=1,1" });
    row("attention_layers is \"+1\"; expected different layers", { "attention_layers=+1" });
    row("attention_layers is \"one\"; expected different layers", { "attention_layers=one" });
    row("context is 256; expected at most the 128 learned positions", { "positions=learned", "max_positions=128" });
}

void ConfigTest::crossFieldRules()
{
    QFETCH(QStringList, settings);
    QFETCH(QString, expected);
    RunConfig config;
    for (const auto& setting : settings)
        config.set(setting.section('=', 0, 0).toStdString(), setting.section('=', 1).toStdString());
    const auto message = messageOf<ConfigError>([&] { config.validate(); });
    QVERIFY2(contains(message, expected.toStdString()), message.c_str());
}

void ConfigTest::crossFieldRulesOnlyWhereUsed()
{
    RunConfig config;
    config.set("branches", "gss,ffn");
    config.set("width", "100");
    config.set("query_heads", "8"); // no attention: heads do not matter
    config.validate();
    config.set("gss_state", "31");
    QVERIFY(!messageOf<ConfigError>([&] { config.validate(); }).empty());
    config.set("gss_kernel", "dss"); // counts complex states, not pairs
    config.validate();
    config.set("gss_kernel", "s4d");
    config.set("gss_kind", "gated_rec"); // has no such state
    config.validate();
    config.set("prior", "0.33,0.33,0.33"); // rounded, and of another number of branches while it is off
    config.validate();
}

void ConfigTest::validateChecksFieldsOfStructs()
{
    RunConfig config;
    config.model.queryHeads = 0; // would divide by zero later
    QVERIFY(contains(messageOf<ConfigError>([&] { config.validate(); }), "query_heads is 0"));
    QVERIFY(contains(messageOf<ConfigError>([&] { (void)modelCosts(config.model, 256); }), "query_heads is 0"));
    config.model.queryHeads = 4;
    config.training.dropout = std::numeric_limits<double>::quiet_NaN();
    QVERIFY(contains(messageOf<ConfigError>([&] { config.validate(); }), "dropout is nan"));
    config.training.dropout = 0;
    config.data.vocabSize = 1;
    QVERIFY(contains(messageOf<ConfigError>([&] { config.validate(); }), "vocab_size is 1"));
    config.data.vocabSize = 1000;
    config.training.samplePrompt = std::string(65'536, 'a');
    config.validate();
    config.training.samplePrompt += 'a'; // run.json has to be read again
    QVERIFY(contains(messageOf<ConfigError>([&] { config.validate(); }), "sample_prompt is a text of 65537 bytes"));
}

void ConfigTest::branchOrder()
{
    ModelConfig model;
    model.branches = " ffn , gss";
    QCOMPARE(q(joinList(model.branchList())), "gss, ffn");
    model.branches = "attention";
    QCOMPARE(q(joinList(model.branchList())), "attention");
}

void ConfigTest::samplingRules()
{
    Sampling().validate();
    const auto message = [](const std::function<void(Sampling&)>& change) {
        Sampling sampling;
        change(sampling);
        return messageOf<ConfigError>([&] { sampling.validate(); });
    };
    const double nan = std::nan("");
    QVERIFY(contains(message([](Sampling& s) { s.maxTokens = -1; }), "max_tokens is -1"));
    QVERIFY(contains(message([](Sampling& s) { s.temperature = -0.1; }), "temperature is -0.1"));
    QVERIFY(contains(message([=](Sampling& s) { s.temperature = nan; }), "temperature is nan"));
    QVERIFY(contains(message([](Sampling& s) { s.temperature = INFINITY; }), "temperature is inf"));
    QVERIFY(contains(message([](Sampling& s) { s.topK = -1; }), "top_k is -1"));
    QVERIFY(contains(message([](Sampling& s) { s.topP = 0; }), "top_p is 0"));
    QVERIFY(contains(message([](Sampling& s) { s.topP = 1.01; }), "top_p is 1.01"));
    QVERIFY(contains(message([=](Sampling& s) { s.topP = nan; }), "top_p is nan"));
    QVERIFY(contains(message([](Sampling& s) { s.repetitionPenalty = 0; }), "repetition_penalty is 0"));
}

void ConfigTest::numbersIgnoreTheLocale()
{
    // The C++ locale can always be made German; the C locale only where the system has one with a decimal comma.
    const std::string before = std::setlocale(LC_ALL, nullptr);
    const auto stream = std::locale::global(std::locale(std::locale::classic(), new GermanNumbers));
    const char* german = nullptr;
    for (const auto* name : { "de_DE.UTF-8", "de_DE.utf8", "de_DE", "fr_FR.UTF-8" })
        if (!german) german = std::setlocale(LC_ALL, name);
    RunConfig config;
    config.set("learning_rate", "0.25");
    const auto json = parseJsonStrict("{\"clip\":1.5}", "f");
    const auto text = config.toJson().dump() + exactNumber(1234567.5) + compactCount(1.5e6) + formatBytes(1536);
    const auto refused = messageOf<ConfigError>([&] { config.set("learning_rate", "0,25"); });
    std::locale::global(stream);
    std::setlocale(LC_ALL, before.c_str());
    if (!german) qInfo("no C locale with a decimal comma is installed: checked with the C++ locale only");
    QCOMPARE(config.training.learningRate, 0.25);
    QCOMPARE(json["clip"].get<double>(), 1.5);
    QVERIFY(contains(text, "\"learning_rate\":0.25"));
    QVERIFY2(text.ends_with("1234567.51.50 M1.50 KiB"), text.c_str());
    QVERIFY(contains(refused, "learning_rate is \"0,25\""));
}

void ConfigTest::errorsAreOneLine()
{
    RunConfig config;
    for (const std::string& hostile :
        { std::string("a\nb\r\x1b[31m\x7f\xC2\x9B"), std::string(5000, 'x'), std::string("\xff\n") }) {
        for (const auto& message : { messageOf<ConfigError>([&] { config.set(hostile, "1"); }),
                 messageOf<ConfigError>([&] { config.set("steps", hostile); }),
                 messageOf<ConfigError>([&] { (void)findPreset(hostile); }) }) {
            QVERIFY(!message.empty() && message.size() < 400);
            QVERIFY(message.find_first_of("\n\r\x1b\x7f") == std::string::npos);
            QVERIFY(!contains(message, "\xC2\x9B")); // a terminal takes it for ESC [
            QCOMPARE(QString::fromUtf8(message.c_str()).toUtf8(), QByteArray(message.c_str())); // valid UTF-8
        }
    }
}

PHA_TEST(ConfigTest)
#include "config_test.moc"
