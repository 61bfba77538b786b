// SPDX-License-Identifier: GPL-3.0-or-later
// Whole runs of a network that trains in a second.
#pragma once

#include "engine/run/atomic_file.h"
#include "engine/train/trainer.h"
#include "tests/model/recorder.h"
#include "tests/model/run_tokenizer.h"

#include <QTemporaryDir>
#include <QtTest>

namespace pha::test {

inline RunConfig smallRun()
{
    RunConfig c;
    c.model.layers = 1;
    c.model.width = 32;
    c.model.queryHeads = 2;
    c.model.kvHeads = 1;
    c.model.gssExpand = 64;
    c.model.gssWidth = 8;
    c.model.gssState = 8;
    c.model.auxWidth = 24;
    c.model.mainWidth = 64;
    c.training.steps = 12;
    c.training.batchSize = 2;
    c.training.context = 48;
    c.training.warmupSteps = 2;
    c.training.dropout = 0.1; // the generator's state is part of what a resume restores
    c.training.evalEvery = 2;
    c.training.evalTokens = 300;
    c.training.saveEvery = 4;
    c.training.sampleEvery = 0;
    c.training.precision = "fp32";
    c.training.threads = 1;
    c.data.tokenizer = runTokenizer;
    return c;
}

/// A folder for runs, and a cache of its own beside them.
class SmallRuns {
public:
    SmallRuns()
    {
        if (!home_.isValid()) qFatal("no temporary folder");
        qputenv("XDG_CACHE_HOME", (home_.path() + "/cache").toUtf8());
    }
    fs::path folder(const std::string& name) const { return fs::path(home_.path().toStdString()) / name; }

    /// Trains a new run to its end, or to stop_after.
    fs::path train(const std::string& name, const RunConfig& config, Recorder* recorder = nullptr)
    {
        TrainingRequest request;
        request.config = config;
        request.directory = folder(name);
        return run(request, recorder);
    }
    /// Continues one from its newest checkpoint, or from `checkpoint`.
    fs::path resume(const std::string& name, const RunConfig& config, std::vector<std::string> overrides,
        Recorder* recorder = nullptr, const std::string& checkpoint = {})
    {
        TrainingRequest request;
        request.config = config;
        request.directory = folder(name);
        request.resume = true;
        request.overrides = std::move(overrides);
        if (!checkpoint.empty()) request.checkpoint = request.directory / "checkpoints" / checkpoint;
        return run(request, recorder);
    }
    fs::path run(const TrainingRequest& request, Recorder* recorder = nullptr)
    {
        Recorder nobody;
        auto& sink = recorder ? *recorder : nobody;
        Trainer trainer(request, sink, {});
        trainer.run(sink, {});
        return request.directory;
    }

private:
    QTemporaryDir home_;
};

} // namespace pha::test
