// SPDX-License-Identifier: GPL-3.0-or-later
// Figures of weights against a direct computation on the numbers that were written.
#include "engine/run/safetensors.h"
#include "engine/run/weight_figures.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

using namespace pha;
using namespace pha::test;

namespace {

struct Quiet : EventSink {
    std::vector<ProgressEvent> told;
    void publish(const Event& event) override { told.push_back(std::get<ProgressEvent>(event)); }
};

std::vector<float> normal(std::size_t count, unsigned seed, float scale = 0.02F, float mean = 0)
{
    std::mt19937 random(seed);
    std::normal_distribution<float> draw(mean, scale);
    std::vector<float> values(count);
    for (auto& x : values) x = draw(random);
    return values;
}

template <class T>
TensorToWrite tensor(
    const char* name, const std::vector<T>& values, std::vector<std::int64_t> shape, const char* dtype = "F32")
{
    return { name, dtype, std::move(shape), values.data() };
}

/// The bin that the header of WeightHistogram gives a value.
int binOf(double x, double range)
{
    if (x == 0) return 128;
    const double width = range / 128;
    const auto j = int(std::floor(std::abs(x) / width));
    return x > 0 ? 128 + j : 127 - j;
}

std::vector<std::int64_t> counted(const std::vector<double>& values, double range)
{
    std::vector<std::int64_t> counts(256, 0);
    for (const double x : values)
        if (std::isfinite(x)) ++counts[std::size_t(binOf(x, range))];
    return counts;
}

std::int64_t numbersIn(const WeightHistogram& histogram)
{
    return std::accumulate(histogram.counts.begin(), histogram.counts.end(), std::int64_t(0));
}

bool near(double a, double b) { return std::abs(a - b) <= 1e-12 * std::max({ std::abs(a), std::abs(b), 1e-12 }); }

} // namespace

class WeightFiguresTest : public QObject {
    Q_OBJECT

    QTemporaryDir folder_;
    fs::path write(const char* name, const std::vector<TensorToWrite>& tensors)
    {
        auto path = pathOf(folder_) / name;
        writeSafetensors(path, tensors, {});
        return path;
    }
    static TensorFigures only(const fs::path& file, const fs::path& before = {})
    {
        Quiet quiet;
        auto all = readWeightFigures({ file, before }, quiet, {});
        return all.tensors.size() == 1 ? all.tensors.front() : TensorFigures();
    }

private Q_SLOTS:
    void theyAreThoseOfADirectComputation()
    {
        // More than one block, and a last one that is not full.
        const auto values = normal(41989, 7, 0.3F, 1.5F);
        const auto f = only(write("a", { tensor("a", values, { 199, 211 }) }));
        const std::vector<double> wide(values.begin(), values.end());
        long double sum = 0, squares = 0, spread = 0;
        for (const double x : wide) sum += (long double)(x), squares += (long double)(x) * (long double)(x);
        const auto mean = sum / (long double)(wide.size());
        for (const double x : wide) spread += ((long double)(x)-mean) * ((long double)(x)-mean);
        QCOMPARE(f.count, std::int64_t(wide.size()));
        QVERIFY(near(f.mean, double(mean)));
        QVERIFY(near(f.rms, double(std::sqrt(squares / (long double)(wide.size())))));
        QVERIFY(near(f.deviation, double(std::sqrt(spread / (long double)(wide.size())))));
        QCOMPARE(f.minimum, *std::min_element(wide.begin(), wide.end()));
        QCOMPARE(f.maximum, *std::max_element(wide.begin(), wide.end()));
        QCOMPARE(f.histogram.range, 4.0);
        QCOMPARE(f.histogram.counts, counted(wide, 4.0));
        QVERIFY(!f.change && !f.rmsBefore && f.zeros == 0 && f.notFinite == 0 && f.silentRows == 0);
        QVERIFY(oddities(f).empty());
        QCOMPARE(shapeText(f.shape), std::string("199 x 211"));
    }

    void aTinySpreadAroundOneIsNotLost()
    {
        std::vector<float> values(40000, 1.0F);
        for (std::size_t i = 0; i < values.size(); i += 2) values[i] = 1.0F + std::ldexp(1.0F, -20);
        const auto f = only(write("near", { tensor("near", values, { 40000 }) }));
        QVERIFY(near(f.deviation, std::ldexp(1.0, -21)));
    }

    void binsHaveTheEdgesThatAreSaid()
    {
        const auto width = 1.0 / 128;
        std::vector<double> edges { 0, -0.0, std::numeric_limits<double>::denorm_min(), 1e-30, -1e-30,
            std::nextafter(1.0, 0.0), -std::nextafter(1.0, 0.0) };
        for (int j = 0; j < 128; ++j)
            for (const double x : { j * width, std::nextafter((j + 1) * width, 0.0) })
                for (const double sign : { 1.0, -1.0 }) edges.push_back(sign * x);
        const auto f = only(write("edges", { tensor("edges", edges, { std::int64_t(edges.size()) }, "F64") }));
        QCOMPARE(f.histogram.range, 1.0);
        QCOMPARE(f.histogram.counts, counted(edges, 1.0));
        QCOMPARE(f.zeros, std::count(edges.begin(), edges.end(), 0.0));
    }

    void aLargestValueOnAPowerOfTwoHasABin()
    {
        for (const float most : { 1.0F, -0.25F, 6e-39F, std::numeric_limits<float>::max() }) {
            const std::vector<float> one { most };
            const auto f = only(write("power", { tensor("power", one, {}) }));
            QVERIFY(f.histogram.range > std::abs(double(most)));
            QCOMPARE(numbersIn(f.histogram), std::int64_t(1));
            QCOMPARE(f.histogram.counts, counted({ double(most) }, f.histogram.range));
            QCOMPARE(shapeText(f.shape), std::string("one"));
        }
    }

    void rangesCanBeLaidOverEachOther()
    {
        const auto values = normal(5000, 3);
        const std::vector<double> wide(values.begin(), values.end());
        const auto f = only(write("over", { tensor("over", values, { 5000 }) }));
        for (const double factor : { 1.0, 2.0, 16.0, 1024.0 })
            QCOMPARE(f.histogram.over(factor * f.histogram.range).counts, counted(wide, factor * f.histogram.range));
        const auto columns = f.histogram.columns(16);
        QCOMPARE(columns.size(), std::size_t(16));
        std::int64_t left = 0;
        for (int i = 0; i < 8; ++i) left += columns[std::size_t(i)];
        QCOMPARE(left, std::count_if(wide.begin(), wide.end(), [](double x) { return x < 0; }));
        const WeightHistogram nothing;
        QCOMPARE(numbersIn(nothing.over(2)), std::int64_t(0));
    }

    void otherFormatsMeanTheSameNumbers()
    {
        std::vector<std::uint16_t> all(65536);
        for (std::size_t i = 0; i < all.size(); ++i) all[i] = std::uint16_t(i);
        const auto brain = only(write("bf16", { tensor("bf16", all, { 256, 256 }, "BF16") }));
        QCOMPARE(brain.notFinite, std::int64_t(256)); // exponent 255: 128 of each sign
        QCOMPARE(brain.zeros, std::int64_t(2));
        QCOMPARE(brain.maximum, std::ldexp(255.0, 120));
        const auto half = only(write("f16", { tensor("f16", all, { 256, 256 }, "F16") }));
        QCOMPARE(half.notFinite, std::int64_t(2048));
        QCOMPARE(half.maximum, 65504.0);
        QCOMPARE(half.minimum, -65504.0);
        QCOMPARE(numbersIn(half.histogram), std::int64_t(65536 - 2048));
        const std::vector<std::uint16_t> small { 1, 0x8001, 0x3c00, 0xbc00 }; // 2^-24, 1
        const auto f = only(write("small", { tensor("small", small, { 4 }, "F16") }));
        QVERIFY(near(f.rms, std::sqrt((2 * std::ldexp(1.0, -48) + 2) / 4)));
        const std::vector<double> wide { 1.5, -2.5, 1e300, std::nan("") };
        const auto d = only(write("f64", { tensor("f64", wide, { 4 }, "F64") }));
        QCOMPARE(d.notFinite, std::int64_t(2));
        QCOMPARE(d.minimum, -2.5);
    }

    void howFarTheyMovedIsAShareOfTheNorm()
    {
        const auto before = normal(30000, 1), step = normal(30000, 2, 0.001F);
        auto now = before;
        for (std::size_t i = 0; i < now.size(); ++i) now[i] += step[i];
        const auto a = write("before", { tensor("w", before, { 100, 300 }) });
        const auto b = write("now", { tensor("w", now, { 100, 300 }) });
        double moved = 0, norm = 0;
        for (std::size_t i = 0; i < now.size(); ++i) {
            moved += std::pow(double(now[i]) - double(before[i]), 2);
            norm += std::pow(double(before[i]), 2);
        }
        const auto f = only(b, a);
        QVERIFY(f.change && near(*f.change, std::sqrt(moved / norm)));
        QVERIFY(f.rmsBefore && near(*f.rmsBefore, std::sqrt(norm / 30000)));
        QCOMPARE(oddities(only(a, a)), std::vector<std::string> { "unmoved" });
        // Another shape or name is another tensor.
        QVERIFY(!only(b, write("turned", { tensor("w", before, { 300, 100 }) })).change);
        QVERIFY(!only(b, write("named", { tensor("v", before, { 100, 300 }) })).rmsBefore);
    }

    void theEffectiveRankIsThatOfTheSingularValues()
    {
        const auto rankOf = [this](const std::vector<float>& values, std::int64_t height, std::int64_t width) {
            Quiet quiet;
            const auto file = write("rank", { tensor("rank", values, { height, width }) });
            return readWeightFigures({ file, {}, {}, true }, quiet, {}).tensors.front().rank;
        };
        std::vector<float> diagonal(240, 0.0F), outer(210);
        double squares = 0, fourth = 0;
        for (std::size_t i = 0; i < 12; ++i) { // its singular values are 1 ... 12
            const double value = double(i) + 1;
            diagonal[i * 20 + i] = float(value);
            squares += std::pow(value, 2), fourth += std::pow(value, 4);
        }
        QVERIFY(near(rankOf(diagonal, 12, 20).value_or(0), squares * squares / fourth));
        for (std::size_t i = 0; i < outer.size(); ++i) {
            const std::size_t row = i / 7, column = i % 7;
            outer[i] = float(row + 1) * float(column + 1);
        }
        QVERIFY(near(rankOf(outer, 30, 7).value_or(0), 1));
        const auto random = normal(60000, 9); // turned, it has the same
        std::vector<float> turned(random.size());
        for (std::size_t i = 0; i < random.size(); ++i) turned[i % 200 * 300 + i / 200] = random[i];
        const double rank = rankOf(random, 300, 200).value_or(0);
        QVERIFY(std::abs(rank / (300.0 * 200 / 500) - 1) < 0.02);
        QVERIFY(std::abs(rankOf(turned, 200, 300).value_or(0) / rank - 1) < 1e-9);
        QVERIFY(!rankOf(std::vector<float>(64, 0.0F), 8, 8));
        QVERIFY(!rankOf({ 1, 2, std::nanf(""), 4 }, 2, 2));
        QVERIFY(!rankOf(normal(1, 1), 1, 1));
        QVERIFY(!only(write("plain", { tensor("plain", random, { 300, 200 }) })).rank); // not asked for
    }

    void whatIsOddIsSaid()
    {
        const std::vector<float> zero(64, 0.0F), one(64, 1.0F);
        QCOMPARE(oddities(only(write("z", { tensor("z", zero, { 8, 8 }) }))), std::vector<std::string> { "all zero" });
        QCOMPARE(oddities(only(write("e", { tensor("e", one, { 8, 8 }) }))), std::vector<std::string> { "all equal" });
        QVERIFY(oddities(only(write("v", { tensor("v", one, { 64 }) }))).empty()); // gains begin like that
        auto broken = normal(640, 1);
        broken[3] = std::nanf(""), broken[4] = -std::numeric_limits<float>::infinity();
        const auto file = write("n", { tensor("n", broken, { 10, 64 }) });
        QCOMPARE(oddities(only(file)), std::vector<std::string> { "not finite: 2" });
        auto silent = normal(640, 1);
        std::fill(silent.begin() + 64, silent.begin() + 192, 1e-6F);
        silent[639] = 40;
        const auto f = only(write("s", { tensor("s", silent, { 10, 64 }) }));
        QCOMPARE(f.silentRows, std::int64_t(2));
        QCOMPARE(oddities(f), (std::vector<std::string> { "silent rows: 2 of 10", "largest 25 times the rms" }));
        const auto small = write("g0", { tensor("g", normal(100, 5, 0.01F), { 100 }) });
        const auto large = write("g1", { tensor("g", normal(100, 5, 0.04F), { 100 }) });
        QCOMPARE(oddities(only(large, small)), std::vector<std::string> { "rms 4.0 times as large" });
        QCOMPARE(oddities(only(small, large)), std::vector<std::string> { "rms 0.25 times as large" });
        QCOMPARE(only(write("none", { tensor("none", zero, { 0, 8 }) })).count, std::int64_t(0));
    }

    void theOrderIsTheFilesAndWholeNumbersAreLeftOut()
    {
        const auto values = normal(16, 1);
        const std::vector<std::int64_t> whole { 1, 2 };
        const auto file = write("order",
            { tensor("layers.10.gss.value", values, { 16 }), tensor("ids", whole, { 2 }, "I64"),
                tensor("layers.2.gss.value", values, { 16 }), tensor("embedding", values, { 16 }) });
        Quiet quiet;
        const auto all = readWeightFigures({ file }, quiet, {});
        QCOMPARE(all.others, std::int64_t(1));
        QCOMPARE(all.tensors.size(), std::size_t(3));
        QCOMPARE(all.tensors[0].name, std::string("layers.10.gss.value"));
        QCOMPARE(all.tensors[2].name, std::string("embedding"));
        QCOMPARE(quiet.told.back().done, quiet.told.back().total);
        const auto some =
            readWeightFigures({ file, {}, [](const std::string& name) { return name == "embedding"; } }, quiet, {});
        QCOMPARE(some.tensors.size(), std::size_t(1));
    }

    void itStopsAndSaysWhatIsWrong()
    {
        const auto file = write("stop", { tensor("a", normal(16, 1), { 16 }) });
        Quiet quiet;
        std::stop_source stop;
        stop.request_stop();
        QVERIFY(!messageOf([&] { readWeightFigures({ file }, quiet, stop.get_token()); }).empty());
        writeRaw(pathOf(folder_) / "lie", "\x10");
        QVERIFY(
            !messageOf<CheckpointError>([&] { readWeightFigures({ pathOf(folder_) / "lie" }, quiet, {}); }).empty());
    }

    void namesSayWhereATensorIs()
    {
        const auto at = [](const char* name) {
            const auto place = tensorPlace(name);
            return std::to_string(place.layer) + "/" + place.part + "/" + place.name;
        };
        QCOMPARE(at("layers.3.gss.value"), std::string("3/gss/value"));
        QCOMPARE(at("layers.12.mixing.norm_gss"), std::string("12/mixing/norm_gss"));
        QCOMPARE(at("layers.0.norm_in"), std::string("0/norms/norm_in"));
        QCOMPARE(at("embedding"), std::string("-1/embedding/embedding"));
        QCOMPARE(at("norm_out"), std::string("-1/norms/norm_out"));
        for (const char* foreign : { "model.layers.3.self_attn.q_proj.weight", "layers.x.gss.value", "layers.-1.a.b",
                 "layers.99999999999.a.b", "layers", "" })
            QCOMPARE(at(foreign), "-1//" + std::string(foreign));
    }

    void checkpointsOfARunAreListed()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        QVERIFY(savedWeights(run.root()).empty());
        publish(run, 20);
        publish(run, 3);
        const auto saved = savedWeights(run.root());
        QCOMPARE(saved.size(), std::size_t(2));
        QCOMPARE(saved[0].step, std::int64_t(3));
        QCOMPARE(saved[1].file, run.checkpoints() / "step-00000020" / "model.safetensors");
    }
};

PHA_TEST(WeightFiguresTest)
#include "weight_figures_test.moc"
