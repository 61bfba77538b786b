// SPDX-License-Identifier: GPL-3.0-or-later
// Films of a training: which figures belong to a sample, and the page that any browser shows.
#include "engine/base/error.h"
#include "engine/run/film.h"
#include "engine/run/metrics.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTemporaryDir>
#include <QXmlStreamReader>
#include <QtTest>

#include <cmath>

using namespace pha;
using namespace pha::test;

namespace {

SampleEvent sampleAt(std::int64_t step, const std::string& text = " upon a time")
{
    return { step, "Once", text, { { text, 0.25, 1.5 } }, 7 };
}
EvalEvent evalAt(std::int64_t step, double nll, const std::string& note = {})
{
    EvalEvent e;
    e.step = step;
    e.split = "valid";
    e.nll = nll;
    e.perplexity = std::exp(nll);
    e.note = note;
    return e;
}
MixingEvent mixingAt(std::int64_t step, double share)
{
    BranchMix gss, attention;
    gss.branch = "gss";
    gss.normalised = share;
    attention.branch = "attention";
    attention.normalised = 1 - share;
    return { step, { { { gss, attention }, 0.9 } } };
}

/// A run of 40 updates with a sample before the first and then every 20.
struct Rows {
    std::vector<SampleEvent> samples { sampleAt(0), sampleAt(20), sampleAt(40) };
    std::vector<EvalEvent> evals { evalAt(10, 3), evalAt(20, 2, "muted all:gss"), evalAt(30, 1) };
    std::vector<MixingEvent> mixing { mixingAt(1, 0.5), mixingAt(20, 0.25), mixingAt(40, 0.75) };
    std::vector<double> step, loss;
    Rows()
    {
        for (int i = 1; i <= 40; ++i) step.push_back(i), loss.push_back(5 - 0.1 * i);
    }
    FilmRows view() const { return { samples, evals, mixing, step, loss }; }
};

int count(const std::string& text, const std::string& part)
{
    return int(QByteArray::fromStdString(text).count(QByteArray::fromStdString(part)));
}

/// The page without what XML does not know: the doctype, elements without an end, attributes without a value.
QByteArray asXml(std::string page)
{
    auto bytes = QByteArray::fromStdString(page);
    bytes.replace("<!DOCTYPE html>\n", "");
    for (const auto* bare : { " hidden", " selected" })
        bytes.replace(QByteArray(bare) + ">", ">").replace(QByteArray(bare) + " ", " ");
    for (const QByteArray element : { "<meta ", "<input " })
        for (auto at = bytes.indexOf(element); at >= 0; at = bytes.indexOf(element, at + 1))
            bytes.insert(bytes.indexOf('>', at), '/');
    const auto script = bytes.indexOf("<script>");
    return bytes.replace("<script>", "<script><![CDATA[").replace("</script>", script < 0 ? "" : "]]></script>");
}

} // namespace

class FilmTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void aFrameHasWhatWasKnownThen()
    {
        const Rows rows;
        const auto first = filmFrame(rows.view(), 0), second = filmFrame(rows.view(), 1),
                   third = filmFrame(rows.view(), 2);
        QCOMPARE(first.sample->step, std::int64_t(0));
        QVERIFY(!first.valid);
        QCOMPARE(first.mixing->step, std::int64_t(1)); // the nearest that there is
        QCOMPARE(first.loss.value_or(0), 4.9); // of the weights before the first update
        QCOMPARE(second.valid->step, std::int64_t(10)); // a muted network is not the run's
        QCOMPARE(second.mixing->step, std::int64_t(20));
        QCOMPARE(second.loss.value_or(0), 5 - 0.1 * 20);
        QCOMPARE(third.valid->step, std::int64_t(30));
        const std::vector<SampleEvent> alone { sampleAt(3) };
        const auto bare = filmFrame({ alone, {}, {}, {}, {} }, 0);
        QVERIFY(!bare.mixing && !bare.valid && !bare.loss);
        QVERIFY(std::abs(meanSurprise(alone[0]).value_or(0) - std::log(4.0)) < 1e-12);
        QVERIFY(!meanSurprise(SampleEvent { 1, "a", "b" }));
    }

    void thePageHasAllFrames()
    {
        Rows rows;
        rows.samples[1] = { 20, "Once", " of an older run" };
        const auto page = filmPage("My run", rows.view());
        QCOMPARE(count(page, "<section class=\"frame\""), 3);
        for (const auto* part : { "data-step=\"0\"", "data-step=\"20\"", "data-step=\"40\"", " of an older run",
                 "max=\"2\" value=\"2\"", "gss 25 %", "attention 75 %", "perplexity 20.09 (of step 10)", "seed 7",
                 "<title>My run</title>", "25.0 %, surprise 1.39 nats" })
            QVERIFY2(page.find(part) != page.npos, part);
    }

    void aPerplexityThatIsHugeIsShort()
    {
        Rows rows;
        rows.evals = { evalAt(10, 600) }; // 261 digits
        QVERIFY(filmPage("a", rows.view()).find("validation 600.000, perplexity 3.77e+260 (of step 10)")
            != std::string::npos);
    }

    void aLayerThatLostItsMixHasNoBar()
    {
        Rows rows;
        BranchMix rest;
        rest.branch = "main";
        rest.contribution = 4; // would make all other bars short
        for (auto& event : rows.mixing) {
            LayerMix lost;
            lost.mixed = false;
            lost.branches = { rest };
            event.layers.insert(event.layers.begin(), lost);
        }
        const auto page = filmPage("a", rows.view());
        QCOMPARE(count(page, "Mixing weights, share of each branch in its layer"), 3);
        QCOMPARE(count(page, "<span>L0</span>"), 3);
        QCOMPARE(count(page, "main 400 %"), 0);
        QVERIFY(page.find("width: 25.00%") != page.npos);
    }

    void thePageIsWellFormed()
    {
        const Rows rows;
        const std::vector<SampleEvent> bare { { 1, "", "" } };
        for (const auto& page : { filmPage("a", rows.view()), filmPage("", { bare, {}, {}, {}, {} }) }) {
            QXmlStreamReader reader(asXml(page));
            while (!reader.atEnd()) reader.readNext();
            QVERIFY2(!reader.hasError(), qPrintable(reader.errorString()));
            for (const auto* outside : { "http:", "https:", "src=", "href=", "@import", "url(" })
                QVERIFY2(page.find(outside) == page.npos, outside); // opens offline, and loads nothing
        }
    }

    void textsAreOnlyText()
    {
        Rows rows;
        const std::string evil = "</p><script>alert('1')</script>&amp;\x01\x7f\"<img src=x onerror=alert(1)>";
        rows.samples[0].prompt = evil;
        rows.samples[1] = sampleAt(20, evil);
        rows.samples[2] = { 40, "Once", evil };
        rows.mixing[0].layers[0].branches[0].branch = evil;
        const auto page = filmPage(evil, rows.view());
        QCOMPARE(count(page, "<script"), 1); // its own
        QCOMPARE(count(page, "</script"), 1);
        QCOMPARE(count(page, "<img"), 0);
        QVERIFY(page.find('\x01') == page.npos && page.find('\x7f') == page.npos);
        const std::string shown =
            "&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;amp;\xE2\x90\x81\xE2\x90\xA1"
            "&quot;&lt;img src=x onerror=alert(1)&gt;";
        QVERIFY(count(page, shown) >= 5);
        QXmlStreamReader reader(asXml(page));
        while (!reader.atEnd()) reader.readNext();
        QVERIFY2(!reader.hasError(), qPrintable(reader.errorString()));
    }

    void numbersThatAreNoneDoNoHarm()
    {
        Rows rows;
        const double nan = std::nan("");
        rows.samples[0].tokens[0] = { "x", nan, nan };
        rows.loss.assign(40, nan);
        rows.evals[0].nll = rows.evals[0].perplexity = nan;
        rows.mixing[0].layers[0].branches[0].normalised = nan;
        const auto page = filmPage("a", rows.view());
        QCOMPARE(count(page, "<section"), 3);
        QVERIFY(page.find("nan") == page.npos && page.find("inf") == page.npos);
        QVERIFY(filmTable(rows.view()).find("nan") == std::string::npos);
    }

    void theTableIsExact()
    {
        Rows rows;
        rows.samples = { sampleAt(20, " a, \"b\"\nc"), { 40, "Once", "d" } };
        rows.samples[0].tokens[0].probability = 1;
        rows.evals[2].perplexity = 2.5;
        rows.evals[0].perplexity = 20;
        rows.loss[19] = 3.25, rows.loss[39] = 1;
        QCOMPARE(filmTable(rows.view()),
            std::string("step,loss,valid_nll,valid_perplexity,surprise,seed,prompt,text\r\n"
                        "20,3.25,3,20,0,7,Once,\" a, \"\"b\"\"\nc\"\r\n40,1,1,2.5,,,Once,d\r\n"));
    }

    void runsAreExported()
    {
        QTemporaryDir home;
        const auto run = makeRun(home);
        QVERIFY_EXCEPTION_THROWN(exportFilm(run.root(), run.root() / "film"), DataError); // no samples
        QVERIFY(!fs::exists(run.root() / "film"));
        MetricsWriter metrics(run.metricsFile());
        metrics.append(sampleAt(0));
        metrics.append(StepEvent { 1, 96, 0.5, 4.25 });
        metrics.append(sampleAt(1));
        const auto files = exportFilm(run.root(), run.root() / "film");
        QCOMPARE(files.size(), std::size_t(2));
        const auto page = readRaw(files[0]);
        QCOMPARE(count(page, "<section"), 2);
        QVERIFY(page.find("<title>My run</title>") != page.npos);
        QVERIFY(readRaw(files[1]).starts_with("step,loss,"));
        QVERIFY_EXCEPTION_THROWN(exportFilm(home.path().toStdString(), run.root() / "x"), CheckpointError);
    }
};

PHA_TEST(FilmTest)
#include "film_test.moc"
