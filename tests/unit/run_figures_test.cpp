// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"
#include "engine/run/run_figures.h"
#include "tests/suite.h"

#include <QTemporaryDir>
#include <QTest>

#include <cmath>

using namespace pha;

class RunFiguresTest : public QObject {
    Q_OBJECT

private:
    static StepEvent step(std::int64_t n, double rate, std::int64_t bytes)
    {
        StepEvent e;
        e.step = n;
        e.tokens = 100 * n;
        e.loss = 5 - double(n);
        e.tokensPerSecond = rate;
        e.processBytes = bytes;
        return e;
    }
    static EvalEvent eval(std::int64_t n, double nll, const std::string& split = "valid", const std::string& note = {})
    {
        EvalEvent e;
        e.step = n;
        e.nll = nll;
        e.perplexity = std::exp(nll);
        e.split = split;
        e.note = note;
        return e;
    }
    static std::optional<double> value(const RunFigures& run, const std::string& name)
    {
        for (const auto& figure : comparedFigures())
            if (figure.name == name) return figure.value(run);
        throw std::logic_error("no figure " + name);
    }

private Q_SLOTS:
    void countsWhatTheRunReported()
    {
        RunFigures run("a", findPreset("pha-tiny").config);
        QVERIFY(!value(run, "steps") && !value(run, "best perplexity") && !value(run, "tokens/s (median)"));
        // One slow update must not decide the speed; the largest memory counts, not the last.
        for (const auto& e : { step(1, 10, 50), step(2, 300, 900), step(3, 200, 60) }) run.take(e);
        run.take(eval(2, 1.5));
        run.take(eval(3, 1.7));
        run.take(eval(3, 1.0, "test"));
        run.take(eval(3, 0.5, "valid", "gss muted"));
        QCOMPARE(*value(run, "steps"), 3.0);
        QCOMPARE(*value(run, "tokens"), 300.0);
        QCOMPARE(*value(run, "last loss"), 2.0);
        QCOMPARE(*value(run, "tokens/s (median)"), 200.0);
        QCOMPARE(*value(run, "tokens/s (median)"), 200.0); // asked again
        QCOMPARE(*value(run, "process memory"), 900.0);
        for (const auto& e : { step(4, 400, 60), step(5, 500, 60) }) run.take(e); // nor is it that of the first look
        QCOMPARE(*value(run, "tokens/s (median)"), 300.0);
        QCOMPARE(*value(run, "best perplexity"), std::exp(1.5));
        QCOMPARE(*value(run, "at step"), 2.0);
        QCOMPARE(*value(run, "parameters"), double(modelCosts(run.config.model, 256).parameters));
    }

    void energyIsKnownWhereADeviceTells()
    {
        RunFigures dark("a", findPreset("pha-tiny").config), metered = dark;
        for (std::int64_t n = 1; n <= 4; ++n) {
            auto e = step(n, 100, 50);
            e.seconds = 2 * double(n);
            dark.take(e);
            if (n >= 3) e.watts = n == 3 ? 300 : 500; // unknown at first
            metered.take(e);
        }
        QVERIFY(!dark.joulesPerToken());
        QCOMPARE(metered.joulesPerToken().value(), (300 * 2 + 500 * 2) / 200.);
        QCOMPARE(*value(metered, "mJ a token"), 8000.);
        QCOMPARE(figuresOf({ &dark }).size() + 1, figuresOf({ &dark, &metered }).size());
    }

    void differencesAreThoseOfTheConfiguration()
    {
        const auto config = findPreset("pha-tiny").config;
        RunFigures a("a", config), b("b", config), c("c", config);
        QVERIFY(differingKeys({ &a, &b }).empty());
        QVERIFY(differingKeys({}).empty());
        c.config.set("width", "96");
        c.config.set("data", "/tmp/x.txt");
        QCOMPARE(differingKeys({ &a, &b, &c }), (std::vector<std::string> { "width", "data" }));
        QCOMPARE(configText(c, "data"), std::string("/tmp/x.txt")); // without quotes
        QCOMPARE(configText(c, "width"), std::string("96"));
    }

    void readsARunDirectory()
    {
        QTemporaryDir folder;
        const RunDirectory directory(folder.filePath("run").toStdString());
        directory.create({ "named", "2026-01-01T12:00:00Z", findPreset("pha-tiny").config, Json::object() });
        {
            MetricsWriter out(directory.metricsFile());
            out.append(step(1, 10, 50));
            out.append(eval(1, 1.25));
        }
        const auto run = RunFigures::read(folder.filePath("run").toStdString());
        QCOMPARE(run.name, std::string("named"));
        QCOMPARE(*value(run, "best perplexity"), std::exp(1.25));
        QVERIFY_EXCEPTION_THROWN(RunFigures::read(folder.filePath("nothing").toStdString()), CheckpointError);
    }
};

PHA_TEST(RunFiguresTest)
#include "run_figures_test.moc"
