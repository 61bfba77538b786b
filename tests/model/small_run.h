// SPDX-License-Identifier: GPL-3.0-or-later
// Whole runs of a network that trains in a second.
#pragma once

#include "engine/base/atomic_file.h"
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

/// The bytes of a checkpoint's weights.
inline std::string weightsOf(const fs::path& run, const std::string& step)
{
    return readFile(run / "checkpoints" / step / "model.safetensors");
}

/// Where a run lies, and what the trainer says of its end.
struct Trained : fs::path {
    RunState state = RunState::Failed;
};

/// A folder for runs, and a cache of its own beside them.
class SmallRuns {
public:
    SmallRuns()
    {
        if (!home_.isValid()) qFatal("no temporary folder");
        qputenv("XDG_CACHE_HOME", (home_.path() + "/cache").toUtf8());
    }
    fs::path folder(const std::string& name) const { return fs::path(home_.path().toStdString()) / name; }
    /// For a new run.
    TrainingRequest request(const std::string& name, const RunConfig& config) const
    {
        TrainingRequest r;
        r.config = config;
        r.directory = folder(name);
        return r;
    }

    /// Trains a new run to its end, or to stop_after.
    Trained train(const std::string& name, const RunConfig& config, Recorder* recorder = nullptr)
    {
        return run(request(name, config), recorder);
    }
    /// Continues one from its newest checkpoint, or from `checkpoint`.
    Trained resume(const std::string& name, const RunConfig& config, std::vector<std::string> overrides,
        Recorder* recorder = nullptr, const std::string& checkpoint = {})
    {
        auto again = request(name, config);
        again.resume = true;
        again.overrides = std::move(overrides);
        if (!checkpoint.empty()) again.checkpoint = again.directory / "checkpoints" / checkpoint;
        return run(again, recorder);
    }
    Trained run(const TrainingRequest& asked, Recorder* recorder = nullptr)
    {
        Recorder nobody;
        auto& sink = recorder ? *recorder : nobody;
        Trainer trainer(asked, sink, {});
        const auto state = trainer.run(sink, {});
        return { asked.directory, state };
    }

private:
    QTemporaryDir home_;
};

} // namespace pha::test
