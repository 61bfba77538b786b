// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/metrics.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <atomic>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>

using namespace pha;
using namespace pha::test;

namespace {

constexpr double notANumber = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();

Event stepAt(std::int64_t step)
{
    return StepEvent { step, step * 4096, double(step) * 0.1, 2.5, 1e-3, 0.7, 40000.5, 1 << 28, 1 << 20, true };
}
std::int64_t stepOf(const Event& event)
{
    const auto* e = std::get_if<StepEvent>(&event);
    return e ? e->step : -1;
}

/// One event of every type that has a line.
std::vector<Event> oneOfEach()
{
    return { stepAt(7),
        StepEvent { 8, 1, 0, 0.1 + 0.2, 5e-324, 1.7e308, -0.0, std::numeric_limits<std::int64_t>::max(), 0, false },
        StepEvent { 8, 1, 0, 1, 1, 1, 1, 1, 1, true, {}, {}, 1.875, 0.97, 412.25, 61 },
        MixingEvent { 9,
            { { { { "gss", 1.5, 0.1, 1, 2, 0.5, 3, 0.4 }, { "attention", 1, 0, 1, 1, 0.3, 2, 0.3 },
                    { "ffn", 0.5, 0, 0.5, 0.5, 0.2, 1, 0.3 } },
                  0.9 },
                { { { "gss", 1, 0, 1, 1, 1, 1, 1 } }, 0 } } },
        EvalEvent {
            10, "valid", 1.5, 1500, 1000, 700, 4000, std::exp(1.5), 9.1, 0.54, 256, 128, 1.25, 0.5, "muted 3:gss" },
        EvalEvent { 11, "test", 1.5, 1500, 1000, 700, 4000, 4.48, 9.1, 0.54, 256, 256, {}, 0, {}, "stateful" },
        RecallEvent { 12, "valid", { { 0, 8, 100, 90, 0.125 }, { 8, 16, 0, 0, 0.25 } }, 0.9, 0.125 },
        RecallEvent { 12, "test", {}, 0.5, 0.25, 0.375 },
        SampleEvent { 13, "Once \"upon\"\n", "a \\ time \xe2\x82\xac {\"type\":\"step\"}" },
        CheckpointEvent { 14, "step-00000014", true, {} },
        CheckpointEvent { 15, "step-00000015", false, "No space left on device" },
        StatusEvent { 16, RunState::Diverged, "loss" }, StatusEvent { 17, RunState::Preparing, {} },
        AlertEvent { 18, "spike", "a spike", 9.5, 20.25, 3.5, 12.5, 0.75, 10, "layer 3",
            { { 5, "tokens 7 to 9", 9.25, 2, 1, 3, { { " <b>", {} }, { "\xe2\x82\xac", 12.5 } } } },
            { { -1, "embedding", 2.5, {} }, { 0, "gss", 20.125, 0.5 } }, "so it is" },
        AlertEvent { 19, "not_finite", "the loss is not finite", std::nan(""), std::nan("") },
        CommandEvent { 18, "learning_rate", "0.001" }, ReferenceEvent { 8.3, 6.1, 4.9, 1.7 },
        ReferenceEvent { 8.3, 6.1, 4.9, {} },
        HeadsEvent { 20, 5.5, 4.25,
            { { 0.5, 0, "attention", 3, 2 }, { 0.25, 1, "hedgehog", 0, 0 }, { 0.125, 0, "attention", 1, 0 }, {},
                { 0.75, 2, "attention", 7, 1 } } },
        HeadsEvent { 21, 5.5, std::nan("") }, TimeEvent { 21, 80.5, 0.25, 9, 4, 1.5, 0.125, 1.5e11 },
        TimeEvent { 1, 0.5 },
        SampleEvent { 0, "Once", " <b>\xe2\x82\xac",
            { { " <b>", 0.0125, 6.1 }, { "", 1, 0 }, { "\xe2\x82\xac", 0.5, std::nan("") } }, -7 } };
}

} // namespace

class MetricsTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void roundTrip();
    void keysOfTheContract();
    void samplesMayTellOfTheirTokens();
    void layersWithoutAMixHaveNoWeights();
    void nonFinite();
    void fastLineEqualsFullParser();
    void damagedLines_data();
    void damagedLines();
    void tornTailArrivesLater();
    void powerCutAndForeignLineEnds();
    void followsShrinkReplaceAndRewrite();
    void readsInPortions();
    void handsEventsOutWhileItReads();
    void readsOnlyWhatIsWanted();
    void hugeLine();
    void refusesWhatIsNoFile();
    void writerDropsTornTail();
    void rewindKeepsCutRows();
    void fullDiskLeavesNoHalfLine();
    void lineOfALivingWriterIsNotTorn();
    void twoWritersMix();
    void killsLoseNothing();
};

void MetricsTest::roundTrip()
{
    for (const auto& event : oneOfEach()) {
        const auto json = eventToJson(event);
        const auto again = eventFromJson(Json::parse(json.dump()));
        QVERIFY2(again && again->index() == event.index(), json.dump().c_str());
        QCOMPARE(eventToJson(*again).dump(), json.dump());
        const auto line = parseMetricsLine(json.dump());
        QVERIFY(line.event && !line.damaged);
        QCOMPARE(eventToJson(*line.event).dump(), json.dump());
        // The text holds every member: none is lost on the way.
        if (const auto* step = std::get_if<StepEvent>(&event)) {
            const auto& got = std::get<StepEvent>(*line.event);
            QVERIFY(got.step == step->step && got.tokens == step->tokens && got.seconds == step->seconds
                && got.loss == step->loss);
            QVERIFY(got.learningRate == step->learningRate && got.gradNorm == step->gradNorm
                && got.tokensPerSecond == step->tokensPerSecond);
            QVERIFY(got.processBytes == step->processBytes && got.deviceBytes == step->deviceBytes
                && got.applied == step->applied);
            QVERIFY(got.coresBusy == step->coresBusy && got.deviceUse == step->deviceUse && got.watts == step->watts
                && got.celsius == step->celsius);
        }
    }
    QVERIFY(eventToJson(ProgressEvent { "x", 1, 2, "y" }).is_null());
    for (const auto state : { RunState::Preparing, RunState::Running, RunState::Paused, RunState::Finished,
             RunState::Stopped, RunState::Diverged, RunState::Failed }) {
        const auto again = eventFromJson(eventToJson(StatusEvent { 1, state, {} }));
        QVERIFY(again && std::get<StatusEvent>(*again).state == state);
    }
    QVERIFY(!eventFromJson(Json { { "type", "of tomorrow" }, { "step", 1 } }));
    QVERIFY(!eventFromJson(Json::array()));
    QVERIFY(!eventFromJson(Json { { "type", "step" }, { "step", 1 } })); // would be drawn as a loss of zero
}

void MetricsTest::keysOfTheContract()
{
    const auto keys = [](const Json& json) {
        std::string text;
        for (const auto& item : json.items()) text.append(text.empty() ? "" : " ").append(item.key());
        return text;
    };
    const auto events = oneOfEach();
    QCOMPARE(keys(eventToJson(events[0])),
        std::string("type step tokens seconds loss lr grad_norm tokens_per_second process_bytes device_bytes"));
    QVERIFY(eventToJson(events[1]).at("applied") == Json(false));
    const auto mixing = eventToJson(events[3]);
    QCOMPARE(keys(mixing.at("layers").at(0)), std::string("gss attention ffn entropy branches"));
    QVERIFY(mixing.at("layers").at(0).at("gss") == Json(1.5));
    QCOMPARE(keys(mixing.at("layers").at(0).at("branches").at("gss")), std::string("mean std min max eff rms contrib"));
    QCOMPARE(keys(eventToJson(events[4])),
        std::string("type step split nll total_nll tokens words bytes perplexity word_perplexity bits_per_byte context "
                    "stride floor_nll seconds protocol note"));
    QVERIFY(!eventToJson(events[5]).contains("floor_nll"));
    QCOMPARE(keys(eventToJson(events[8])), std::string("type step prompt text"));
    QVERIFY(eventToJson(events[11]).at("state") == Json("diverged"));
}

void MetricsTest::samplesMayTellOfTheirTokens()
{
    const auto whole = lineOf(oneOfEach().back());
    QVERIFY2(whole.find("\"seed\":-7,\"tokens\":[[\" <b>\",0.0125,6.1],[\"\",1.0,0.0],[") != whole.npos, whole.c_str());
    const auto read = [](const std::string& line) { return std::get<SampleEvent>(*parseMetricsLine(line).event); };
    const auto sample = read(whole.substr(0, whole.size() - 1));
    QCOMPARE(sample.seed.value_or(0), std::int64_t(-7));
    QCOMPARE(sample.tokens.size(), std::size_t(3));
    QCOMPARE(sample.tokens[0].text, std::string(" <b>"));
    QCOMPARE(sample.tokens[0].probability, 0.0125);
    QVERIFY(std::isnan(sample.tokens[2].entropy));
    const auto old = read(R"({"type":"sample","step":3,"prompt":"a","text":"b"})");
    QVERIFY(old.tokens.empty() && !old.seed && old.text == "b");
    QCOMPARE(read(R"({"type":"sample","step":3,"text":"b","tokens":[["b",0.5]]})").tokens.at(0).probability, 0.5);
    for (const auto* bad : { R"(["b"])", R"([["b"]])", R"([[1,2]])", R"([["b","c"]])", R"({"a":1})" })
        QVERIFY2(parseMetricsLine(std::string(R"({"type":"sample","step":3,"text":"b","tokens":)") + bad + "}").damaged,
            bad);
}

void MetricsTest::layersWithoutAMixHaveNoWeights()
{
    LayerMix layer;
    layer.mixed = false;
    for (const char* part : { "attention", "gss", "main" }) {
        BranchMix b;
        b.branch = part;
        b.outputRms = 0.25;
        b.contribution = 0.5 + double(layer.branches.size());
        layer.branches.push_back(b);
    }
    const auto json = eventToJson(MixingEvent { 3, { layer } });
    QCOMPARE(json.at("layers").at(0).dump(),
        std::string(R"({"mixed":false,"branches":{"attention":{"rms":0.25,"contrib":0.5},)"
                    R"("gss":{"rms":0.25,"contrib":1.5},"main":{"rms":0.25,"contrib":2.5}}})"));
    const auto back = eventFromJson(json);
    QVERIFY(back);
    const auto& read = std::get<MixingEvent>(*back).layers.at(0);
    QVERIFY(!read.mixed);
    QCOMPARE(read.branches.size(), std::size_t(3));
    QCOMPARE(read.branches[1].branch, std::string("gss"));
    QCOMPARE(read.branches[1].contribution, 1.5);
    QCOMPARE(read.branches[2].outputRms, 0.25);
    QVERIFY(eventToJson(*back) == json);
    QVERIFY(!eventFromJson(Json { { "type", "mixing" }, { "step", 1 },
        { "layers", Json::array({ Json { { "mixed", false }, { "branches", { { "gss", 1 } } } } }) } }));
}

void MetricsTest::nonFinite()
{
    for (const double bad : { notANumber, inf, -inf }) {
        const auto json = eventToJson(StepEvent { 3, 1, 1, bad, 1e-3, bad, 1, 1, 1, false });
        QVERIFY(json.at("loss").is_null() && json.at("grad_norm").is_null());
        QVERIFY(json.at("nonfinite") == Json(true));
        QVERIFY(json.at("lr") == Json(1e-3));
        const auto line = parseMetricsLine(json.dump());
        QVERIFY(line.event && std::isnan(std::get<StepEvent>(*line.event).loss)
            && !std::get<StepEvent>(*line.event).applied);
        const auto mixing = eventToJson(MixingEvent { 1, { { { { "gss", bad, 0, 0, 0, 0, 0, 0 } }, bad } } });
        QVERIFY(mixing.at("nonfinite") == Json(true));
        const auto again = eventFromJson(mixing);
        QVERIFY(again && std::isnan(std::get<MixingEvent>(*again).layers.at(0).branches.at(0).mean));
        QVERIFY(
            eventToJson(EvalEvent { 1, "valid", bad, bad, 1, 1, 1, bad, bad, bad, 1, 1, bad, 0, {} }).at("floor_nll")
            == Json(nullptr));
    }
    QVERIFY(!eventToJson(stepAt(1)).contains("nonfinite"));
}

void MetricsTest::fastLineEqualsFullParser()
{
    std::mt19937_64 random(20240607);
    for (int i = 0; i < 20000; ++i) {
        const auto any = [&] {
            const auto bits = random();
            double value = 0;
            std::memcpy(&value, &bits, sizeof value);
            return i % 3 == 0 ? value : double(std::int64_t(bits)) / 1e15;
        };
        const StepEvent e { std::int64_t(random() >> (random() % 64)), std::int64_t(random()), any(), any(), any(),
            any(), any(), std::int64_t(random()), -5, i % 2 == 0 };
        const auto line = eventToJson(e).dump();
        const auto fast = parseMetricsLine(line);
        const auto full = parseMetricsLine(std::string(" ") + line); // the blank keeps it from the fast way
        QVERIFY2(fast.event && full.event, line.c_str());
        QCOMPARE(eventToJson(*fast.event).dump(), line);
        QCOMPARE(eventToJson(*full.event).dump(), line);
    }
}

void MetricsTest::damagedLines_data()
{
    QTest::addColumn<QByteArray>("line");
    QTest::addColumn<bool>("damaged");
    QTest::addColumn<bool>("event");
    const auto row = [](const char* name, const QByteArray& line, bool damaged, bool event) {
        QTest::newRow(name) << line << damaged << event;
    };
    const QByteArray good = R"({"type":"step","step":1,"loss":2})";
    row("good", good, false, true);
    row("blank", "  ", false, false);
    row("carriage return", good + "\r", false, true);
    row("other type", R"({"type":"new","step":1})", false, false);
    row("no type", R"({"event":"resume","step":1})", false, false);
    row("no loss", R"({"type":"step","step":1})", true, false);
    row("no step", R"({"type":"step","loss":1})", true, false);
    row("number", "12", true, false);
    row("list", "[]", true, false);
    row("text", "step 1 loss 2", true, false);
    row("cut", good.left(20), true, false);
    row("cut before a good one", good.left(20) + good, true, true);
    row("zeros before a good one", QByteArray(4096, '\0') + good, true, true);
    row("only zeros", QByteArray(4096, '\0'), true, false);
    row("NaN", R"({"type":"step","step":1,"loss":NaN})", true, false);
    row("Infinity", R"({"type":"step","step":1,"loss":-Infinity})", true, false);
    row("inf", R"({"type":"step","step":1,"loss":inf})", true, false);
    row("hexadecimal", R"({"type":"step","step":0x1,"loss":1})", true, false);
    row("leading zero", R"({"type":"step","step":01,"loss":1})", true, false);
    row("bare point", R"({"type":"step","step":1,"loss":1.})", true, false);
    row("plus", R"({"type":"step","step":1,"loss":+1})", true, false);
    row("text loss", R"({"type":"step","step":1,"loss":"1"})", true, false);
    row("step 2^63", R"({"type":"step","step":9223372036854775808,"loss":1})", true, false);
    row("step 1e300", R"({"type":"step","step":1e300,"loss":1})", true, false);
    row("step 1.5", R"({"type":"step","step":1.5,"loss":1})", true, false);
    row("step 1e3", R"({"type":"step","step":1e3,"loss":1})", false, true);
    row("loss beyond double", R"({"type":"step","step":1,"loss":1e999})", true, false);
    row("comma at the end", R"({"type":"step","step":1,"loss":1,})", true, false);
    row("trailing text", good + "x", true, false);
    row("unknown member", R"({"type":"step","step":1,"loss":2,"extra":{"a":[1]}})", false, true);
    row("escaped key", R"({"type":"step","\u0073tep":1,"loss":2})", false, true);
    row("deep", QByteArray(R"({"type":"step","step":1,"loss":2,"x":)") + QByteArray(100000, '['), true, false);
    row("layers no list", R"({"type":"mixing","step":1,"layers":{}})", true, false);
    row("layer no object", R"({"type":"mixing","step":1,"layers":[1]})", true, false);
    row("branches no object", R"({"type":"mixing","step":1,"layers":[{"gss":1,"branches":3}]})", true, false);
    row("only weights", R"({"type":"mixing","step":1,"layers":[{"ffn":1,"gss":0.5,"entropy":1}]})", false, true);
    row("unknown state", R"({"type":"status","step":1,"state":"asleep"})", false, false);
    row("bins no list", R"({"type":"recall","step":1,"bins":"x"})", true, false);
    row("heads without a loss", R"({"type":"heads","step":1,"strongest":{}})", true, false);
    row("strongest no object", R"({"type":"heads","step":1,"first_nll":2,"second_nll":1,"strongest":[1]})", true,
        false);
    row("head no object", R"({"type":"heads","step":1,"first_nll":2,"second_nll":1,"strongest":{"self":1}})", true,
        false);
    row("one kind of head", R"({"type":"heads","step":1,"first_nll":2,"second_nll":1,"strongest":{"self":{}}})", false,
        true);
    row("invalid UTF-8", "{\"type\":\"sample\",\"step\":1,\"text\":\"\xff\"}", true, false);
}

void MetricsTest::damagedLines()
{
    QFETCH(QByteArray, line);
    QFETCH(bool, damaged);
    QFETCH(bool, event);
    const auto result = parseMetricsLine(std::string_view(line.constData(), std::size_t(line.size())));
    QCOMPARE(result.damaged, damaged);
    QCOMPARE(result.event.has_value(), event);
    if (const auto* mixing = result.event ? std::get_if<MixingEvent>(&*result.event) : nullptr)
        QCOMPARE(mixing->layers.at(0).branches.at(0).branch, std::string("gss")); // the display's order, not the file's
}

void MetricsTest::tornTailArrivesLater()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    MetricsReader reader(file);
    QVERIFY(reader.poll().empty()); // not there yet
    const auto line = lineOf(stepAt(1));
    std::string content;
    for (const char c : line) {
        content += c;
        writeRaw(file, content);
        const auto events = reader.poll();
        QCOMPARE(events.size(), std::size_t(c == '\n'));
    }
    writeRaw(file, content + lineOf(stepAt(2)) + "{\"type\":");
    QCOMPARE(reader.poll().size(), std::size_t(1));
    QCOMPARE(reader.badLines(), std::int64_t(0));
    QVERIFY(reader.atEnd());
    QVERIFY(!reader.restarted());
}

void MetricsTest::powerCutAndForeignLineEnds()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    auto crlf = lineOf(stepAt(1));
    crlf.back() = '\r';
    crlf += '\n';
    writeRaw(file,
        std::string("\xef\xbb\xbf") + crlf + "\n" + std::string(4096, '\0') + lineOf(stepAt(2)) + "broken\n"
            + std::string(100, '\0') + "\n" + lineOf(stepAt(3)));
    MetricsReader reader(file);
    const auto events = reader.poll();
    QCOMPARE(events.size(), std::size_t(3));
    for (int i = 0; i < 3; ++i) QCOMPARE(stepOf(events[std::size_t(i)]), std::int64_t(i + 1));
    QCOMPARE(reader.badLines(), std::int64_t(3));
}

void MetricsTest::followsShrinkReplaceAndRewrite()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    const auto rows = [](int from, int to) {
        std::string text;
        for (int i = from; i <= to; ++i) text += lineOf(stepAt(i));
        return text;
    };
    writeRaw(file, rows(1, 10));
    MetricsReader reader(file);
    QCOMPARE(reader.poll().size(), std::size_t(10));
    fs::resize_file(file, rows(1, 4).size()); // shorter
    QCOMPARE(reader.poll().size(), std::size_t(4));
    QVERIFY(reader.restarted());
    writeRaw(pathOf(folder) / "other", rows(1, 20)); // replaced
    fs::rename(pathOf(folder) / "other", file);
    QCOMPARE(reader.poll().size(), std::size_t(20));
    QVERIFY(reader.restarted());
    // Cut back and grown beyond the old end between two polls: same file, not shorter, other content.
    writeRaw(file, rows(1, 5) + rows(100, 130));
    QCOMPARE(reader.poll().size(), std::size_t(36));
    QVERIFY(reader.restarted());
    QVERIFY(reader.poll().empty());
    QVERIFY(!reader.restarted());
    fs::remove(file);
    QVERIFY(reader.poll().empty());
    writeRaw(file, rows(1, 2));
    QCOMPARE(reader.poll().size(), std::size_t(2));
    QVERIFY(reader.restarted());
}

void MetricsTest::readsInPortions()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    std::string text;
    for (int i = 1; i <= 450000; ++i)
        text.append("{\"type\":\"step\",\"step\":").append(std::to_string(i)).append(",\"loss\":1.5}\n");
    writeRaw(file, text);
    MetricsReader reader(file);
    std::int64_t last = 0;
    int polls = 0;
    do {
        const auto events = reader.poll();
        QVERIFY(events.size() <= 200000);
        for (const auto& e : events) QCOMPARE(stepOf(e), ++last);
        ++polls;
    } while (!reader.atEnd());
    QCOMPARE(last, std::int64_t(450000));
    QCOMPARE(polls, 3);
    QCOMPARE(readMetrics(file).size(), std::size_t(450000));
}

/// Nobody holds the whole of a course: what is rewound meanwhile has not been read yet.
void MetricsTest::handsEventsOutWhileItReads()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    std::string text;
    for (int i = 1; i <= 100'000; ++i)
        text.append("{\"type\":\"step\",\"step\":").append(std::to_string(i)).append(",\"loss\":1.5}\n");
    writeRaw(file, text + "broken\n");
    std::int64_t taken = 0, last = 0, starts = 0, bad = 0;
    const auto count = [&](const Event& event) {
        ++taken;
        last = stepOf(event);
    };
    forEachMetric(
        file, count, [&] { ++starts; }, &bad);
    QCOMPARE(taken, std::int64_t(100'000));
    QCOMPARE(last, std::int64_t(100'000));
    QCOMPARE(starts, std::int64_t(0));
    QCOMPARE(bad, std::int64_t(1));

    std::vector<std::int64_t> steps;
    const auto rewind = [&](const Event& event) {
        steps.push_back(stepOf(event));
        if (steps.back() == 20'000) writeRaw(file, lineOf(stepAt(7)) + lineOf(stepAt(8)));
    };
    const auto startOver = [&] {
        ++starts;
        steps.clear();
    };
    forEachMetric(file, rewind, startOver, &bad);
    QVERIFY(steps == (std::vector<std::int64_t> { 7, 8 }));
    QCOMPARE(starts, std::int64_t(1));
    QCOMPARE(bad, std::int64_t(0));
    forEachMetric(pathOf(folder) / "none", count, [] {});
    QCOMPARE(taken, std::int64_t(100'000));
}

void MetricsTest::readsOnlyWhatIsWanted()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    writeRaw(file,
        lineOf(stepAt(1)) + lineOf(CommandEvent { 1, "clip", "2", "1" }) + "broken\n"
            + lineOf(SampleEvent { 2, "\"type\":\"command\"", "\"command\"" })
            + "{\"type\": \"command\", \"step\": 3, \"name\": \"clip\", \"value\": \"3\"}\n" + lineOf(stepAt(4))
            + "{\"type\":\"command\"");
    std::vector<std::string> values;
    std::int64_t others = 0, bad = -1;
    const auto take = [&](const Event& event) {
        if (const auto* command = std::get_if<CommandEvent>(&event))
            values.push_back(command->value);
        else
            ++others;
    };
    forEachMetric(
        file, take, [] {}, &bad, "command");
    QVERIFY(values == (std::vector<std::string> { "2", "3" }));
    QCOMPARE(others, std::int64_t(0));
    QCOMPARE(bad, std::int64_t(0));
}

void MetricsTest::hugeLine()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    const auto sample = lineOf(SampleEvent { 2, "p", std::string(10 << 20, 'x') }); // long but legal
    writeRaw(file,
        lineOf(stepAt(1)) + std::string(40 << 20, 'x') + "\n" + sample + lineOf(stepAt(3))
            + std::string(30 << 20, 'y'));
    MetricsReader reader(file);
    const auto events = reader.poll();
    QCOMPARE(events.size(), std::size_t(3));
    QCOMPARE(std::get<SampleEvent>(events[1]).text.size(), std::size_t(10 << 20));
    QCOMPARE(reader.badLines(), std::int64_t(2));
    std::ofstream(file, std::ios::app) << "\n" << lineOf(stepAt(4));
    const auto more = reader.poll();
    QCOMPARE(more.size(), std::size_t(1));
    QCOMPARE(stepOf(more[0]), std::int64_t(4));
    QCOMPARE(reader.badLines(), std::int64_t(2));
}

void MetricsTest::refusesWhatIsNoFile()
{
    QTemporaryDir folder;
    const auto root = pathOf(folder);
    fs::create_directory(root / "folder");
    QCOMPARE(::mkfifo((root / "fifo").c_str(), 0600), 0);
    writeRaw(root / "victim", lineOf(stepAt(1)) + "no newline");
    fs::create_symlink(root / "victim", root / "link");
    fs::create_symlink("loop", root / "loop");
    for (const char* name : { "folder", "fifo", "link", "loop", "none/metrics.jsonl" }) {
        MetricsReader reader(root / name);
        QVERIFY(reader.poll().empty() && reader.atEnd());
        const auto message = messageOf<IoError>([&] { MetricsWriter writer(root / name); });
        QVERIFY2(message.find(name) != std::string::npos, name);
    }
    QCOMPARE(readRaw(root / "victim"), lineOf(stepAt(1)) + "no newline");
}

void MetricsTest::writerDropsTornTail()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    const auto whole = lineOf(stepAt(1)) + lineOf(stepAt(2));
    for (const auto& tail :
        { std::string(), lineOf(stepAt(3)).substr(0, 30), std::string(200000, 'x'), std::string(5000, '\0') }) {
        writeRaw(file, whole + tail);
        MetricsWriter writer(file);
        QCOMPARE(writer.offset(), std::int64_t(whole.size()));
        writer.append(stepAt(4));
        writer.append(ProgressEvent {});
        writer.sync();
        QCOMPARE(readRaw(file), whole + lineOf(stepAt(4)));
    }
    writeRaw(file, "only a torn line");
    MetricsWriter writer(file);
    QCOMPARE(writer.offset(), std::int64_t(0));
}

void MetricsTest::rewindKeepsCutRows()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    MetricsWriter writer(file);
    for (int i = 1; i <= 3; ++i) writer.append(stepAt(i));
    const auto offset = writer.offset();
    writer.rewind(offset);
    writer.rewind(offset + 1000);
    QCOMPARE(writer.offset(), offset);
    QVERIFY(!fs::exists(file.string() + ".rewound-1"));
    for (int i = 4; i <= 6; ++i) writer.append(stepAt(i));
    writer.rewind(offset);
    QCOMPARE(writer.offset(), offset);
    QCOMPARE(readRaw(file.string() + ".rewound-1"), lineOf(stepAt(4)) + lineOf(stepAt(5)) + lineOf(stepAt(6)));
    writer.append(stepAt(40));
    writer.rewind(offset + 5); // inside a line: that line goes as a whole
    QCOMPARE(readRaw(file.string() + ".rewound-2"), lineOf(stepAt(40)));
    writer.append(stepAt(41));
    QCOMPARE(readRaw(file), lineOf(stepAt(1)) + lineOf(stepAt(2)) + lineOf(stepAt(3)) + lineOf(stepAt(41)));
    writer.rewind(0);
    QCOMPARE(writer.offset(), std::int64_t(0));
}

void MetricsTest::fullDiskLeavesNoHalfLine()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    const auto size = lineOf(stepAt(1)).size();
    const int status = inChild([&] {
        ::signal(SIGXFSZ, SIG_IGN);
        MetricsWriter writer(file);
        writer.append(stepAt(1));
        rlimit limit {};
        ::getrlimit(RLIMIT_FSIZE, &limit);
        limit.rlim_cur = size + size / 2; // the second line fits by half
        ::setrlimit(RLIMIT_FSIZE, &limit);
        if (messageOf<IoError>([&] { writer.append(stepAt(2)); }).empty()) return 1;
        if (writer.offset() != std::int64_t(size)) return 2;
        limit.rlim_cur = limit.rlim_max;
        ::setrlimit(RLIMIT_FSIZE, &limit);
        writer.append(stepAt(3));
        return 0;
    });
    QVERIFY(exitedWith(status, 0));
    QCOMPARE(readRaw(file), lineOf(stepAt(1)) + lineOf(stepAt(3)));
    MetricsWriter writer(file);
    const Fault fault(1, ENOSPC);
    QVERIFY(!messageOf<IoError>([&] { writer.append(stepAt(4)); }).empty());
    QVERIFY(messageOf<IoError>([&] { writer.append(stepAt(5)); }).empty());
    QCOMPARE(readMetrics(file).size(), std::size_t(3));
}

void MetricsTest::lineOfALivingWriterIsNotTorn()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    const auto half = lineOf(stepAt(1)).substr(0, 30);
    {
        const MetricsWriter first(file);
        PosixFile(file, O_WRONLY | O_APPEND).write(half.data(), half.size()); // as far as its line has come
        const MetricsWriter second(file);
        QCOMPARE(readRaw(file), half);
    }
    const MetricsWriter alone(file);
    QCOMPARE(readRaw(file), std::string());
}

void MetricsTest::twoWritersMix()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    writeRaw(file, "");
    const auto other = ::fork();
    if (other == 0) {
        for (int i = 1; i <= 3000; ++i) MetricsWriter(file).append(stepAt(1000000 + i));
        ::_exit(0);
    }
    MetricsWriter writer(file);
    for (int i = 1; i <= 3000; ++i) writer.append(stepAt(i));
    int status = 0;
    ::waitpid(other, &status, 0);
    QVERIFY(exitedWith(status, 0));
    MetricsReader reader(file);
    std::int64_t first = 0, second = 1000000;
    for (const auto& e : reader.poll()) {
        auto& last = stepOf(e) > 1000000 ? second : first;
        QCOMPARE(stepOf(e), ++last);
    }
    QCOMPARE(first, std::int64_t(3000));
    QCOMPARE(second, std::int64_t(1003000));
    QCOMPARE(reader.badLines(), std::int64_t(0));
}

void MetricsTest::killsLoseNothing()
{
    QTemporaryDir folder;
    const auto file = pathOf(folder) / "metrics.jsonl";
    constexpr int kills = 500;
    auto* acknowledged = shared<std::atomic<std::int64_t>>(kills);
    QVERIFY(acknowledged != nullptr);
    std::minstd_rand random(7);
    for (int n = 0; n < kills; ++n) {
        const auto pid = ::fork();
        if (pid == 0) {
            MetricsWriter writer(file);
            for (std::int64_t i = 1;; ++i) {
                writer.append(stepAt(n * 1000000 + i));
                acknowledged[n].store(i);
            }
        }
        while (acknowledged[n].load() == 0) ::usleep(20);
        ::usleep(random() % 800);
        ::kill(pid, SIGKILL);
        int status = 0;
        ::waitpid(pid, &status, 0);
        QVERIFY(killed(status));
    }
    MetricsWriter repaired(file);
    std::vector<std::int64_t> found(kills, 0);
    MetricsReader reader(file);
    do {
        for (const auto& e : reader.poll()) {
            const auto step = stepOf(e);
            QCOMPARE(step % 1000000, ++found[std::size_t(step / 1000000)]); // in order, no gap, no duplicate
        }
    } while (!reader.atEnd());
    QCOMPARE(reader.badLines(), std::int64_t(0));
    std::int64_t lost = 0, rows = 0;
    for (int n = 0; n < kills; ++n) {
        const auto known = acknowledged[n].load();
        lost += std::max<std::int64_t>(0, known - found[std::size_t(n)]);
        rows += found[std::size_t(n)];
        QVERIFY(found[std::size_t(n)] <= known + 1);
    }
    QCOMPARE(lost, std::int64_t(0));
    qInfo("%d kills, %lld rows, none lost", kills, static_cast<long long>(rows));
    ::munmap(acknowledged, sizeof(*acknowledged) * kills);
}

PHA_TEST(MetricsTest)
#include "metrics_test.moc"
