// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/run/metrics.h"
#include "engine/run/run_filter.h"
#include "engine/run/run_overview.h"
#include "run_fixtures.h"
#include "tests/suite.h"

#include <QTest>

#include <cmath>
#include <utility>

using namespace pha;
using namespace pha::test;

class RunFilterTest : public QObject {
    Q_OBJECT

private:
    RunAbout about_;
    RunConfig config_;
    RunFacts facts_;

    static std::string statusLine(RunState state) { return lineOf(StatusEvent { 0, state, {} }); }
    static std::string evalLine(double perplexity, const std::string& split = "valid")
    {
        EvalEvent eval;
        eval.split = split;
        eval.perplexity = perplexity;
        return lineOf(eval);
    }
    static std::string steps(std::int64_t from, std::int64_t to)
    {
        std::string lines;
        for (; from <= to; ++from) {
            StepEvent step;
            step.step = from;
            step.loss = 2.5;
            lines += lineOf(step);
        }
        return lines;
    }
    static void append(const fs::path& file, const std::string& text)
    {
        std::ofstream(file, std::ios::binary | std::ios::app) << text;
    }

private Q_SLOTS:
    void initTestCase()
    {
        about_.notes = "Is the rate too high? Gr\xc3\xb6\xc3\x9f"
                       "er, \xd0\x91\xd0\xb8\xd0\xb3";
        about_.tags = { "WT2", "paper" };
        config_.preset = "pha-tiny";
        config_.set("layers", "8");
        config_.set("learning_rate", "0.0015");
        config_.set("optimizer", "muon");
        facts_.name = "First try";
        facts_.state = "finished";
        facts_.created = "2026-01-31T12:00:00Z";
        facts_.parent = "mother";
        facts_.about = &about_;
        facts_.config = &config_;
        facts_.step = 380;
        facts_.loss = 2.5;
    }

    void finds_data()
    {
        QTest::addColumn<QByteArray>("search");
        QTest::addColumn<bool>("found");
        const auto row = [](const char* search, bool found) { QTest::newRow(search) << QByteArray(search) << found; };
        row("", true);
        row("   ", true);
        row("TRY first", true);
        row("try last", false);
        row("\"first try\"", true);
        row("\"try first\"", false);
        row("high", true);
        row("-high", false);
        row("-low", true);
        row("wt2", true);
        row("mother", true);
        row("stories", true); // the data
        row("GR\xc3\x96\xc3\x9f", true);
        row("\xd0\xb1\xd0\x98", true); // Cyrillic in other letters
        row("tag:wt2", true);
        row("tag:wt", true);
        row("tag=wt", false);
        row("tag=wt2", true);
        row("tag!=wt2", false);
        row("tag!=old", true);
        row("-tag:paper", false);
        row("tags:paper tag:wt2", true);
        row("preset:pha loss<3", true);
        row("preset:pha loss<2", false);
        row("preset=pha", false);
        row("loss<=2.5 loss>=2.5 loss=2.5 loss==2.5", true);
        row("loss!=2.5", false);
        row("loss>2.5", false);
        row("ppl<100", false); // not known
        row("-ppl<100", true);
        row("step>=380", true);
        row("layers=8", true);
        row("layers:8", true);
        row("layers<8", false);
        row("lr>1e-3", true);
        row("learning_rate=0.0015", true);
        row("optimizer:muon", true);
        row("optimizer!=muon", false);
        row("optimizer<muon", false);
        row("state:fin", true);
        row("state:run", false);
        row("created:2026-01", true);
        row("created>=2026-01-31", true);
        row("created>2026-01-31", false);
        row("created<2026-02", true);
        row("note:too", true);
        row("name:\"first t\"", true);
        row("parent=mother", true);
        row("-", true); // of pha-tiny
    }
    void finds()
    {
        QFETCH(const QByteArray, search);
        QFETCH(const bool, found);
        QCOMPARE(RunFilter::parse(search.toStdString()).matches(facts_), found);
    }

    void badOnesSayWhatIsWrong_data()
    {
        QTest::addColumn<QByteArray>("search");
        QTest::addColumn<QByteArray>("says");
        const auto row = [](const char* search, const char* says) {
            QTest::newRow(search) << QByteArray(search) << QByteArray(says);
        };
        row("loss<", "nothing stands after loss<");
        row("loss<x", "loss is compared with \"x\"");
        row("los<3", "the nearest is loss");
        row("<3", "nothing stands before <");
        row(":", "nothing stands before :");
        row("name<b", "use : or = or !=");
        row("a \"b", "quotation mark");
        row("a!b", "!=");
        row("zzzzzzzzzzz:1", "quotation marks");
    }
    void badOnesSayWhatIsWrong()
    {
        QFETCH(const QByteArray, search);
        QFETCH(const QByteArray, says);
        const auto message = messageOf([&] { RunFilter::parse(search.toStdString()); });
        QVERIFY2(message.find(says.toStdString()) != std::string::npos, message.c_str());
        QVERIFY(message.find('\n') == std::string::npos);
    }

    void everyTextIsAnsweredOrRefused()
    {
        // Not a single one may crash, and a refusal is an Error.
        const std::string letters = "ab\":=<>!- \xc3\xb6\xff"
                                    "9.";
        std::uint32_t state = 7;
        for (int n = 0; n < 20000; ++n) {
            std::string text;
            for (int length = n % 12; length > 0; --length)
                text += letters[(state = state * 1664525u + 1013904223u) % letters.size()];
            try {
                RunFilter::parse(text).matches(facts_);
                RunFilter::parse(text).matches({});
            } catch (const Error&) {
            }
        }
    }

    void overviewsHaveTheFacts()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        writeRaw(run.metricsFile(),
            "{\"type\":\"status\",\"step\":12,\"state\":\"running\"}\n{\"type\":\"step\",\"step\":12,\"loss\":2.25}"
            "\nhalf");
        AboutChange change;
        change.addTags = { "a" };
        changeAbout(run.root(), change);
        auto seen = readOverview(run.root());
        QCOMPARE(seen.name, std::string("My run"));
        QCOMPARE(seen.step, std::int64_t(12));
        QVERIFY(seen.interrupted);
        QVERIFY(RunFilter::parse("state=interrupted tag:a loss<3 step=12 \"my run\"").matches(seen.facts()));
        const auto copied = readOverview(makeRun(folder, "copy-7").root());
        QCOMPARE(copied.name, std::string("My run"));
        QVERIFY(RunFilter::parse("copy-7 \"my run\"").matches(copied.facts()));
        QVERIFY(!RunFilter::parse("copy-7").matches(seen.facts()));
        fs::remove_all(copied.directory);
        writeRaw(run.runFile(), "[");
        writeRaw(aboutFile(run.root()), "[");
        seen = readOverview(run.root());
        QCOMPARE(seen.state, RunState::Failed);
        QVERIFY(!seen.detail.empty() && !seen.aboutProblem.empty());
        QVERIFY(!RunFilter::parse("layers>0").matches(seen.facts()));
        QVERIFY(RunFilter::parse("run").matches(seen.facts()));
        QVERIFY(runsIn(pathOf(folder)) == std::vector<fs::path> { run.root() });
        QVERIFY(runsIn(pathOf(folder) / "none").empty());
    }

    /// Neither is taken for one that is not there.
    void whatIsClosedIsSaid()
    {
        QTemporaryDir folder;
        const auto root = pathOf(folder);
        const auto run = makeRun(folder), other = makeRun(folder, "zoo");
        fs::create_directory(root / "closed");
        for (const auto& path : { root, other.root() }) fs::permissions(path, fs::perms(0755));
        for (const auto& path : { run.root(), root / "closed" }) fs::permissions(path, fs::perms::none);
        const int status = inChildOfNobody(root, [&] {
            if (messageOf<DataError>([&] { runsIn(root / "closed"); }).find("cannot be listed: ") == std::string::npos)
                return 1;
            if (runsIn(root) != std::vector<fs::path> { root / "closed", run.root(), other.root() }) return 2;
            const auto seen = readOverview(run.root());
            return seen.state == RunState::Failed && seen.detail.find("cannot be opened: ") != std::string::npos ? 0
                                                                                                                 : 3;
        });
        for (const auto& path : { run.root(), root / "closed" }) fs::permissions(path, fs::perms::owner_all);
        if (exitedWith(status, 77)) QSKIP("root cannot become nobody here");
        QVERIFY2(exitedWith(status, 0), std::to_string(WEXITSTATUS(status)).c_str());
    }

    void aRunThatFinishesWhileItIsLookedAtIsNotInterrupted()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        writeRaw(run.metricsFile(), "{\"type\":\"status\",\"step\":12,\"state\":\"running\"}\n");
        faultHook = [](const char* operation, const fs::path& path) {
            if (std::string(operation) != "open" || path.filename() != ".lock") return 0; // its trainer lets go of it
            faultHook = nullptr;
            writeRaw(RunDirectory(path.parent_path()).metricsFile(),
                "{\"type\":\"status\",\"step\":12,\"state\":\"running\"}\n"
                "{\"type\":\"status\",\"step\":12,\"state\":\"finished\"}\n");
            return 0;
        };
        const auto seen = readOverview(run.root());
        QVERIFY(!std::exchange(faultHook, nullptr)); // it was called
        QCOMPARE(seen.state, RunState::Finished);
        QVERIFY(!seen.interrupted);
    }

    /// However many steps came after it.
    void theLastEvaluationIsFound()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        writeRaw(run.metricsFile(),
            statusLine(RunState::Running) + evalLine(40) + evalLine(20) + evalLine(70, "test") + steps(1, 30'000));
        QVERIFY(fs::file_size(run.metricsFile()) > std::uintmax_t(2) << 20);
        const auto seen = readOverview(run.root());
        QCOMPARE(seen.perplexity, 20.0);
        QCOMPARE(seen.step, std::int64_t(30'000));
        QVERIFY(RunFilter::parse("ppl<100").matches(seen.facts()));
    }

    /// A line may be longer than the parts that a file is read in.
    void linesOfAnyLengthStandBetween()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        for (const std::size_t length : { 65'000, 66'000, 1'114'000, 3'000'000 }) {
            const std::string sample =
                "{\"type\":\"sample\",\"step\":2,\"prompt\":\"\",\"text\":\"" + std::string(length, 'x');
            writeRaw(run.metricsFile(), evalLine(20) + steps(1, 1) + sample + "\"}\n\n" + steps(2, 3) + "{\"type\":");
            const auto seen = readOverview(run.root());
            QCOMPARE(seen.perplexity, 20.0);
            QCOMPARE(seen.step, std::int64_t(3));
        }
        writeRaw(run.metricsFile(), std::string(std::size_t(40) << 20, 'x')); // no line at all
        QVERIFY(std::isnan(readOverview(run.root()).perplexity));
    }

    void whatIsKnownIsNotSearchedAgain()
    {
        QTemporaryDir folder;
        const auto run = makeRun(folder);
        const auto file = run.metricsFile();
        const auto first = statusLine(RunState::Running) + evalLine(20) + steps(1, 20'000);
        writeRaw(file, first);
        MetricsEnd known;
        QCOMPARE(readOverview(run.root(), &known).perplexity, 20.0);
        // Another figure in its place: who looks there again sees it.
        writeRaw(file, statusLine(RunState::Running) + evalLine(30) + first.substr(first.find("{\"type\":\"step\"")));
        QCOMPARE(fs::file_size(file), std::uintmax_t(first.size()));
        append(file, steps(20'001, 20'002) + "{\"type\":\"ev");
        auto seen = readOverview(run.root(), &known);
        QCOMPARE(seen.perplexity, 20.0);
        QCOMPARE(seen.step, std::int64_t(20'002));
        QCOMPARE(readOverview(run.root(), &known).step, std::int64_t(20'002)); // nothing was added
        append(file, evalLine(10).substr(11));
        QCOMPARE(readOverview(run.root(), &known).perplexity, 10.0);
        // A resume cuts off what came after its checkpoint, and writes other lines.
        writeRaw(file, evalLine(50) + steps(1, 3));
        append(file, std::string(first.size(), '\n') + steps(4, 6));
        seen = readOverview(run.root(), &known);
        QCOMPARE(seen.perplexity, 50.0);
        QCOMPARE(seen.step, std::int64_t(6));
        fs::remove(file);
        QVERIFY(std::isnan(readOverview(run.root(), &known).perplexity));
    }
};

PHA_TEST(RunFilterTest)
#include "run_filter_test.moc"
