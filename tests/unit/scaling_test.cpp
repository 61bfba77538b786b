// SPDX-License-Identifier: GPL-3.0-or-later
// Curves of loss against training compute, and what they say of larger runs.
#include "engine/base/error.h"
#include "engine/run/scaling.h"
#include "tests/suite.h"

#include <QTest>

#include <cmath>
#include <deque>
#include <random>
#include <tuple>

using namespace pha;

namespace {

using Points = std::vector<std::pair<double, double>>;

double truth(double flops) { return 2.5 + 1.4 * std::pow(flops / 1e17, -0.22); }

/// Five sizes, two seeds each, off by some `noise`.
Points drawn(double noise, std::uint32_t seed)
{
    std::mt19937 random(seed);
    std::normal_distribution<double> error(0, noise);
    Points points;
    for (const double flops : { 1e15, 6e15, 3e16, 1.2e17, 5e17 })
        for (int i = 0; i < 2; ++i)
            points.emplace_back(flops, truth(flops) * std::exp(noise > 0 ? error(random) : 0.0));
    return points;
}

} // namespace

class ScalingTest : public QObject {
    Q_OBJECT

private:
    std::deque<RunFigures> runs_;

    struct Run {
        std::string family = "pha";
        std::int64_t steps = 100, seed = 1;
        double loss = 4;
        std::int64_t tokens = 1000, bytes = 4000; ///< of the evaluation
    };
    const RunFigures* add(const Run& run)
    {
        RunConfig config = findPreset(run.family + "-tiny").config;
        config.training.steps = run.steps;
        config.training.seed = run.seed;
        auto& figures = runs_.emplace_back(run.family + "-" + std::to_string(run.steps), config);
        EvalEvent eval;
        eval.step = run.steps;
        eval.split = "valid";
        eval.nll = run.loss;
        eval.tokens = run.tokens;
        eval.bytes = run.bytes;
        eval.bitsPerByte = run.loss * double(run.tokens) / double(std::max<std::int64_t>(1, run.bytes)) / std::log(2.0);
        figures.take(eval);
        StepEvent step;
        step.step = run.steps;
        step.tokens = run.steps * 2048;
        figures.take(step);
        return &figures;
    }
    std::vector<const RunFigures*> all() const
    {
        std::vector<const RunFigures*> pointers;
        for (const auto& run : runs_) pointers.push_back(&run);
        return pointers;
    }

private Q_SLOTS:
    void init() { runs_.clear(); }

    void aLawIsFoundAgain()
    {
        const auto law = ScalingLaw::fit(drawn(0, 1));
        QVERIFY(law);
        QVERIFY2(std::abs(law->floor - 2.5) < 1e-4, qPrintable(QString::number(law->floor, 'g', 12)));
        QVERIFY2(std::abs(law->exponent - 0.22) < 1e-4, qPrintable(QString::number(law->exponent, 'g', 12)));
        QVERIFY(law->misfit < 1e-6);
        for (const double flops : { 1e15, 1e17, 1e20 }) {
            QVERIFY(std::abs(law->loss(flops) / truth(flops) - 1) < 1e-4);
            QVERIFY(std::abs(law->flops(law->loss(flops)) / flops - 1) < 1e-6);
        }
        QVERIFY(std::isinf(law->flops(law->floor)));
        const auto [low, high] = law->interval(1e19);
        QVERIFY(high - low < 1e-2); // nothing is open
    }

    /// The true loss lies where nine of ten should, between the points and ten times beyond.
    void intervalsKeepTheirWord()
    {
        for (const double flops : { 3e16, 5e18 }) {
            int inside = 0, fitted = 0;
            double width = 0;
            for (std::uint32_t seed = 1; seed <= 400; ++seed) {
                const auto law = ScalingLaw::fit(drawn(0.01, seed));
                if (!law) continue;
                ++fitted;
                const auto [low, high] = law->interval(flops);
                QVERIFY(low <= law->loss(flops) && law->loss(flops) <= high);
                inside += low <= truth(flops) && truth(flops) <= high;
                width += (high - low) / 400;
            }
            QCOMPARE(fitted, 400);
            QVERIFY2(inside > 0.86 * fitted && inside < 0.94 * fitted, qPrintable(QString::number(inside)));
            QVERIFY2(width < (flops < 1e17 ? 0.1 : 0.5), qPrintable(QString::number(width)));
        }
    }

    /// So far from the runs that a curve is at its floor, the interval is that of the floors which the points leave
    /// open: found here by trying curves out.
    void farFromTheRunsTheFloorDecides()
    {
        const Points points { { 2e10, 3.598 }, { 5e10, 3.013 }, { 1e11, 2.806 }, { 3e11, 2.619 }, { 8e11, 2.564 },
            { 1.4e12, 2.529 } };
        const auto law = ScalingLaw::fit(points);
        QVERIFY(law);
        const auto misfit = [&](double floor, double exponent, double height) {
            double sum = 0;
            for (const auto& [flops, loss] : points)
                sum +=
                    std::pow(std::log(loss / (floor + std::exp(height - exponent * std::log(flops / law->center)))), 2);
            return sum;
        };
        const auto best = [&](double floor) { // of all exponents and heights
            double least = 1e9;
            for (double exponent = 0.01; exponent < 6; exponent *= 1.05) {
                double from = -12, to = 3; // golden section
                while (to - from > 1e-6) {
                    const double a = from + 0.382 * (to - from), b = from + 0.618 * (to - from);
                    (misfit(floor, exponent, a) < misfit(floor, exponent, b) ? to : from) =
                        misfit(floor, exponent, a) < misfit(floor, exponent, b) ? b : a;
                }
                least = std::min(least, misfit(floor, exponent, from));
            }
            return least;
        };
        const double t = 2.353, allowed = law->misfit * law->misfit * (3 + t * t); // three degrees of freedom
        double low = 1e9, high = 0;
        for (double floor = 0; floor < 2.529; floor += 0.004)
            if (best(floor) <= allowed) low = std::min(low, floor), high = std::max(high, floor);
        QVERIFY(high > law->floor + 0.01 && low < law->floor - 0.01);
        for (const double flops : { 1e20, 1e30, 1e60 }) {
            const auto [from, to] = law->interval(flops);
            const auto text = QString("%1: %2 to %3, not %4 to %5").arg(flops).arg(from).arg(to).arg(low).arg(high);
            QVERIFY2(std::abs(from - low) < 0.005 && std::abs(to - high) < 0.005, qPrintable(text));
        }
    }

    void theIntervalGrowsBeyondTheRuns()
    {
        const auto law = ScalingLaw::fit(drawn(0.005, 7));
        double before = 0;
        for (const double flops : { 1e17, 1e18, 1e19, 1e20 }) {
            const auto [low, high] = law->interval(flops);
            QVERIFY(high - low > before);
            before = high - low;
        }
    }

    void tooLittleForACurve()
    {
        QVERIFY(!ScalingLaw::fit({}));
        QVERIFY(!ScalingLaw::fit({ { 1e15, 4 }, { 1e16, 3.5 }, { 1e17, 3.2 } })); // nothing left over
        QVERIFY(!ScalingLaw::fit({ { 1e15, 4 }, { 1e15, 4.1 }, { 1e17, 3.2 }, { 1e17, 3.3 } })); // two sizes
        QVERIFY(!ScalingLaw::fit({ { 1e15, 3 }, { 1e16, 3.1 }, { 1e17, 3.2 }, { 1e18, 3.3 } })); // it does not fall
        QVERIFY(!ScalingLaw::fit({ { 0, 4 }, { 1e16, 3.1 }, { 1e17, 3 }, { 1e18, 2.9 } }));
        QVERIFY(!ScalingLaw::fit({ { 1e15, 4 }, { 1e16, std::nan("") }, { 1e17, 3 }, { 1e18, 2.9 } }));
    }

    void groupsAndTheirFlops()
    {
        for (const std::int64_t steps : { 100, 200, 400, 800 }) {
            add({ "pha", steps, 1, 2 + 400.0 / double(steps) });
            add({ "transformer", steps, 1, 2.2 + 400.0 / double(steps) });
        }
        const auto study = studyScaling(all());
        QCOMPARE(study.groups.size(), std::size_t(2));
        QCOMPARE(study.groups[0].name, std::string("pha"));
        QVERIFY(!study.perByte);
        const auto& point = study.groups[0].points[1];
        const auto costs = modelCosts(point.run->config.model, point.run->config.training.context);
        QCOMPARE(point.flops, 3 * costs.forwardFlopsPerToken * 200 * 2048);
        QVERIFY(study.groups[0].law && study.groups[1].law);
        const auto common = study.common();
        QVERIFY(common);
        QVERIFY(common->first >= study.groups[0].points.front().flops
            && common->second <= study.groups[0].points.back().flops);
        const auto bySteps = studyScaling(all(), "steps");
        QCOMPARE(bySteps.groups.size(), std::size_t(4));
        QVERIFY(!bySteps.groups[0].law);
        QVERIFY_THROWS_EXCEPTION(ConfigError, studyScaling(all(), "no_such_key"));
    }

    /// Where the batch grows, half of the updates are not half of the tokens.
    void flopsAreThoseUntilTheBestEvaluation()
    {
        auto& run = runs_.emplace_back("overfits", findPreset("pha-tiny").config);
        StepEvent step;
        EvalEvent eval;
        eval.split = "valid";
        for (const auto& [number, tokens, loss] :
            { std::tuple(100, 1000, 4.0), std::tuple(200, 3000, 3.0), std::tuple(400, 100000, 3.5) }) {
            step.step = eval.step = number;
            step.tokens = tokens;
            eval.nll = loss;
            run.take(step);
            run.take(eval);
        }
        const auto study = studyScaling(all());
        QCOMPARE(study.groups.at(0).points.at(0).flops, 3 * run.costs.forwardFlopsPerToken * 3000);
    }

    /// By the mean of its seeds: a lucky one does not save a setting, an unlucky one does not damn it.
    void whatOthersBeatDoesNotCount()
    {
        for (const std::int64_t steps : { 100, 200, 400, 800 })
            for (const std::int64_t seed : { 1, 2 })
                add({ "pha", steps, seed,
                    (steps == 400 ? 5.0 : 2 + 400.0 / double(steps)) + (seed == 2 ? 0.3 : -0.3) });
        const auto study = studyScaling(all());
        for (const auto& point : study.groups[0].points)
            QCOMPARE(point.beaten, point.run->config.training.steps == 400);
        QVERIFY(study.groups[0].law);
    }

    void lossesOfDifferentTokens()
    {
        add({ "pha", 100, 1, 4, 1000, 4000 });
        add({ "pha", 200, 1, 3, 2000, 4000 }); // another tokenizer
        const auto study = studyScaling(all());
        QVERIFY(study.perByte);
        QCOMPARE(study.groups[0].points[0].loss, 4 * 1000 / 4000.0 / std::log(2.0));
        add({ "pha", 400, 1, 3, 2000, 5000 }); // another text
        QVERIFY_THROWS_EXCEPTION(Error, studyScaling(all()));
    }

    void runsWithoutAnEvaluation()
    {
        runs_.emplace_back("new", findPreset("pha-tiny").config);
        add({});
        const auto study = studyScaling(all());
        QCOMPARE(study.left, std::vector<std::string>({ "new" }));
        QCOMPARE(study.groups.size(), std::size_t(1));
        QVERIFY(studyScaling({}).groups.empty());
    }
};

PHA_TEST(ScalingTest)
#include "scaling_test.moc"
