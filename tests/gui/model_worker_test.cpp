// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/fake_model.h"
#include "tests/suite.h"
#include "ui/work/model_worker.h"

#include <QTemporaryDir>
#include <QTest>

using namespace pha;
using namespace pha::test;
using namespace pha::ui;

/// Writes down everything that a worker says, in order.
struct Listener {
    explicit Listener(ModelWorker& worker)
    {
        const auto at = [&](auto signal, auto act) { QObject::connect(&worker, signal, &worker, act); };
        at(&ModelWorker::weightsReady, [this](const WeightsInfo& w) { weights = w, order << "weights"; });
        at(&ModelWorker::tokens,
            [this](const QVector<GeneratedToken>& batch) { tokens << batch, ++batches, order << "tokens"; });
        at(&ModelWorker::generated, [this](const Generation& g) { generations.push_back(g), order << "generated"; });
        at(&ModelWorker::evaluated,
            [this](int i, const Evaluation& e) { evaluations.emplace_back(i, e), order << "evaluated"; });
        at(&ModelWorker::inspected, [this](const ModelReport&) { ++reports, order << "inspected"; });
        at(&ModelWorker::failed, [this](const QString& text) { errors << text, order << "failed"; });
        at(&ModelWorker::busyChanged, [this](bool busy) { order << (busy ? "busy" : "idle"); });
        at(&ModelWorker::progress, [this] { ++progress; });
    }
    QStringList order, errors;
    QVector<GeneratedToken> tokens;
    std::vector<Generation> generations;
    std::vector<std::pair<int, Evaluation>> evaluations;
    WeightsInfo weights;
    int batches = 0, reports = 0, progress = 0;
};

class ModelWorkerTest : public QObject {
    Q_OBJECT

private Q_SLOTS:
    void init()
    {
        engine_ = std::make_unique<ScriptedEngine>();
        script_ = engine_->script;
    }

    void tokensArriveInOrderAndBeforeTheEnd()
    {
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.generate(disk(), words(500));
        QVERIFY(worker.busy());
        QTRY_VERIFY(!worker.busy());
        QCOMPARE(heard.tokens.size(), qsizetype(502)); // two of the prompt
        for (int i = 0; i < 500; ++i) QCOMPARE(heard.tokens[i + 2].id, std::int64_t(i + 2));
        QVERIFY2(heard.batches < 100, "tokens are not gathered by frame");
        QCOMPARE(heard.order.first(), QStringLiteral("busy"));
        QCOMPARE(heard.order.at(1), QStringLiteral("weights"));
        QCOMPARE(heard.order.mid(heard.order.size() - 2), QStringList({ "generated", "idle" }));
        QCOMPARE(heard.weights.step, std::int64_t(1000));
        QVERIFY(!heard.weights.live);
    }

    void nothingArrivesAfterStop()
    {
        script_->change([](Script& s) { s.allowed = 3; });
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.generate(disk(), words(500));
        QTRY_COMPARE(heard.tokens.size(), qsizetype(5));
        worker.stop();
        QVERIFY(!worker.busy());
        script_->change([](Script& s) { s.allowed = 1 << 30; });
        worker.evaluate(disk(), { EvaluateOptions {} }); // when this has been answered, the old job is over
        QTRY_COMPARE(heard.reports, 1);
        QCOMPARE(heard.tokens.size(), qsizetype(5));
        QVERIFY(heard.generations.empty());
    }

    void aReceiverMayStopInTheMiddleOfABatch()
    {
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        connect(&worker, &ModelWorker::weightsReady, &worker, [&worker] { worker.stop(); });
        worker.generate(disk(), words(50));
        QTRY_VERIFY(heard.order.contains("weights"));
        QTRY_VERIFY(!worker.busy());
        QVERIFY(heard.tokens.isEmpty());
        QVERIFY(heard.generations.empty());
    }

    void aNewJobReplacesTheOldOne()
    {
        script_->change([](Script& s) { s.allowed = 2; });
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.generate(disk(), words(500));
        QTRY_COMPARE(heard.tokens.size(), qsizetype(4));
        worker.evaluate(disk(), { EvaluateOptions {} });
        QVERIFY(worker.busy());
        QTRY_COMPARE(heard.evaluations.size(), std::size_t(1));
        QTRY_VERIFY(!worker.busy());
        QVERIFY(heard.generations.empty());
        QCOMPARE(heard.order.count("busy"), 1); // it never stopped being busy
    }

    void aLookIsSharedAndANewOneReplacesIt()
    {
        script_->change([](Script& s) { s.answers = 0; });
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        std::vector<std::shared_ptr<const InsideView>> looks;
        connect(&worker, &ModelWorker::looked, &worker, [&looks](const auto& view) { looks.push_back(view); });
        LookOptions options;
        options.text = "one two";
        worker.look(disk(), options);
        QTRY_COMPARE(script_->read([](const Script& s) { return s.looks.size(); }), std::size_t(1));
        options.text = "one two three";
        worker.look(disk(), options);
        script_->change([](Script& s) { s.answers = 10; });
        QTRY_VERIFY(!worker.busy());
        QCOMPARE(looks.size(), std::size_t(1));
        QCOMPARE(looks.front()->tokens.size(), std::size_t(3));
        QCOMPARE(looks.front().use_count(), 1L); // no copy is kept anywhere
        QVERIFY(heard.errors.isEmpty()); // nobody asked to hear that the first one was stopped
    }

    void onlyTheLastOfManyJobsIsAnswered()
    {
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        for (int i = 0; i < 200; ++i) worker.generate(disk(), words(1 + i));
        QTRY_VERIFY(!worker.busy());
        QCOMPARE(heard.generations.size(), std::size_t(1));
        QCOMPARE(heard.generations.front().tokens.size(), std::size_t(200));
    }

    void errorsAreOneLineAndDoNotEndTheWorker()
    {
        script_->change([](Script& s) { s.loadError = "the file of a\nrun is cut off"; });
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.generate(disk(), words(5));
        QTRY_COMPARE(heard.errors.size(), 1);
        QCOMPARE(heard.errors.front(), QStringLiteral("the file of a run is cut off; choose another checkpoint"));
        QTRY_VERIFY(!worker.busy());
        script_->change([](Script& s) { s.loadError.clear(), s.generateError = "the prompt is empty"; });
        worker.generate(disk(), words(5));
        QTRY_COMPARE(heard.errors.size(), 2);
        QCOMPARE(heard.errors.back(), QStringLiteral("the prompt is empty; do something else"));
        script_->change([](Script& s) { s.generateError.clear(); });
        worker.generate(disk(), words(5));
        QTRY_COMPARE(heard.generations.size(), std::size_t(1));
    }

    void anEngineThatCannotBeOpenedIsAnError()
    {
        ModelWorker worker(
            nullptr, []() -> Engine& { throw Error("libpha_engine.so cannot be opened", "reinstall PHA Studio"); });
        Listener heard(worker);
        worker.evaluate(disk(), { EvaluateOptions {} });
        QTRY_COMPARE(heard.errors.size(), 1);
        QCOMPARE(heard.errors.front(), QStringLiteral("libpha_engine.so cannot be opened; reinstall PHA Studio"));
        QTRY_VERIFY(!worker.busy());
    }

    void theEngineIsOpenedOnTheWorkersThread()
    {
        std::atomic<QThread*> where { nullptr };
        ModelWorker worker(nullptr, [&]() -> Engine& {
            where = QThread::currentThread();
            return *engine_;
        });
        Listener heard(worker);
        worker.evaluate(disk(), { EvaluateOptions {} });
        QTRY_COMPARE(heard.reports, 1);
        QVERIFY(where && where != QThread::currentThread());
    }

    void liveWeightsComeFromTheTraining()
    {
        const auto job = std::make_shared<ScriptedJob>(script_, engine_->config, fs::path("/nowhere"));
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        script_->change([](Script& s) { s.step = 77; });
        worker.generate({ job, "/nowhere", true }, words(3));
        QTRY_COMPARE(heard.generations.size(), std::size_t(1));
        QVERIFY(heard.weights.live);
        QCOMPARE(heard.weights.step, std::int64_t(77));
        QCOMPARE(script_->read([](const Script& s) { return s.loads.size(); }), std::size_t(0));
        script_->change([](Script& s) { s.step = 78; });
        worker.generate({ job, "/nowhere", true }, words(3));
        QTRY_COMPARE(heard.weights.step, std::int64_t(78));
        QTRY_VERIFY(!worker.busy());
        QCOMPARE(script_->read([](const Script& s) { return s.models; }), 1); // the copy of step 77 is gone
        QTRY_COMPARE(job.use_count(), long(1)); // the worker does not keep the training alive
    }

    void aTrainingThatEndedFallsBackToItsNewestCheckpoint()
    {
        QTemporaryDir folder;
        const fs::path run = folder.filePath("run").toStdString();
        writeFakeRun(run, small(), "run");
        const auto job = std::make_shared<ScriptedJob>(script_, engine_->config, run);
        job->over = true;
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.generate({ job, run, true }, words(3));
        QTRY_COMPARE(heard.generations.size(), std::size_t(1));
        QVERIFY(!heard.weights.live);
        QVERIFY(!heard.weights.note.isEmpty());
        QCOMPARE(script_->read([](const Script& s) { return s.loads.back(); }), run / "checkpoints" / "step-00000020");
    }

    void aTrainingWithoutWeightsOrCheckpointSaysSo()
    {
        QTemporaryDir folder;
        const auto job = std::make_shared<ScriptedJob>(script_, engine_->config, fs::path(folder.path().toStdString()));
        job->over = true;
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.evaluate({ job, {}, true }, { EvaluateOptions {} });
        QTRY_COMPARE(heard.errors.size(), 1);
        QVERIFY(heard.errors.front().contains("no checkpoint"));
        QVERIFY(!heard.errors.front().contains('\n'));
    }

    void theNetworkIsKeptUntilItsFileChanges()
    {
        QTemporaryDir folder;
        const fs::path run = folder.filePath("run").toStdString();
        writeFakeRun(run, small(), "run");
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        const auto loads = [this] { return script_->read([](const Script& s) { return s.loads.size(); }); };
        for (int i = 0; i < 2; ++i) {
            worker.generate({ nullptr, run, true }, words(3));
            QTRY_VERIFY(!worker.busy());
        }
        QCOMPARE(loads(), std::size_t(1));
        const auto checkpoint = resolveCheckpoint(run);
        fs::last_write_time(checkpoint, fs::last_write_time(checkpoint) + std::chrono::seconds(5));
        worker.generate({ nullptr, run, true }, words(3));
        QTRY_VERIFY(!worker.busy());
        QCOMPARE(loads(), std::size_t(2));
        QCOMPARE(script_->read([](const Script& s) { return s.models; }), 1);
        worker.release();
        QVERIFY(!worker.busy());
        QTRY_COMPARE(script_->read([](const Script& s) { return s.models; }), 0);
    }

    void evaluationsAreAnsweredInOrderAndRemembered()
    {
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        EvaluateOptions plain, muted;
        muted.mix = { { 1, "gss", 0 } };
        worker.evaluate(disk(), { plain, muted, plain });
        QTRY_VERIFY(!worker.busy());
        QCOMPARE(heard.evaluations.size(), std::size_t(3));
        for (int i = 0; i < 3; ++i) QCOMPARE(heard.evaluations[std::size_t(i)].first, i);
        const auto asked = script_->read([](const Script& s) { return s.evaluations; });
        QCOMPARE(asked.size(), std::size_t(2)); // the third has the answer of the first
        QVERIFY(asked[0].mix.empty());
        QCOMPARE(asked[1].mix.size(), std::size_t(1));
        QCOMPARE(heard.reports, 1);
        QVERIFY(heard.progress > 0);
    }

    void aStoppedEvaluationIsNotRemembered()
    {
        script_->change([](Script& s) { s.answers = 0; });
        ModelWorker worker(nullptr, open());
        Listener heard(worker);
        worker.evaluate(disk(), { EvaluateOptions {} });
        QTRY_COMPARE(script_->read([](const Script& s) { return s.evaluations.size(); }), std::size_t(1));
        worker.stop();
        script_->change([](Script& s) { s.answers = 10; });
        worker.evaluate(disk(), { EvaluateOptions {} });
        QTRY_COMPARE(heard.evaluations.size(), std::size_t(1));
        QVERIFY(heard.errors.isEmpty());
        QCOMPARE(script_->read([](const Script& s) { return s.evaluations.size(); }), std::size_t(2));
    }

    void canBeDestroyedWhileBusy()
    {
        for (const bool deaf : { false, true }) {
            script_->change([&](Script& s) { s.allowed = deaf ? 1 << 30 : s.written + 1, s.deaf = deaf; });
            auto worker = std::make_unique<ModelWorker>(nullptr, open());
            worker->generate(disk(), words(20000));
            const auto before = script_->read([](const Script& s) { return s.written; });
            QTRY_VERIFY(script_->read([](const Script& s) { return s.written; }) > before - 1);
            worker.reset();
            QCOMPARE(script_->read([](const Script& s) { return s.models; }), 0);
        }
    }

    void canBeDestroyedBeforeItBegan()
    {
        for (int i = 0; i < 50; ++i) {
            ModelWorker worker(nullptr, open());
            worker.generate(disk(), words(10));
        }
        QCOMPARE(script_->read([](const Script& s) { return s.models; }), 0);
    }

private:
    ModelWorker::OpenEngine open()
    {
        return [this]() -> Engine& { return *engine_; };
    }
    static ModelSource disk() { return { nullptr, "/nowhere/checkpoint", true }; }
    static GenerateOptions words(std::int64_t n)
    {
        GenerateOptions o;
        o.promptIds = { 0, 1 };
        o.promptProbabilities = true;
        o.sampling.maxTokens = n;
        return o;
    }
    static RunConfig small()
    {
        RunConfig c;
        c.training.steps = 20;
        c.training.saveEvery = 10;
        return c;
    }
    std::unique_ptr<ScriptedEngine> engine_;
    std::shared_ptr<Script> script_;
};

PHA_TEST(ModelWorkerTest)
#include "model_worker_test.moc"
