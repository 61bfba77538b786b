// SPDX-License-Identifier: GPL-3.0-or-later
// A home of its own for each test of the window: no setting, run or cache of the user is read or written.
#pragma once

#include "fake_engine.h"
#include "patience.h"

#include <QCoreApplication>
#include <QSettings>
#include <QTemporaryDir>
#include <QtGlobal>

namespace pha::test {

class NullSink : public EventSink {
public:
    void publish(const Event&) override { }
};

class TestHome {
public:
    TestHome()
    {
        for (const char* name :
            { "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR" })
            qputenv(name, dir_.path().toUtf8());
        QSettings::setDefaultFormat(QSettings::IniFormat);
        QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, dir_.filePath(QStringLiteral("settings")));
        QCoreApplication::setOrganizationName(QStringLiteral("pha-test"));
        QCoreApplication::setApplicationName(QStringLiteral("pha-test"));
    }
    fs::path path() const { return dir_.path().toStdString(); }
    fs::path runs() const { return path() / "runs"; }

    /// A run on disk as the engine leaves it after training.
    fs::path train(const std::string& name, std::int64_t steps, FakeOptions options = {}, bool resume = false) const
    {
        options.stepsPerSecond = 0;
        FakeEngine engine(options);
        NullSink sink;
        const auto job = engine.openTraining(request(name, steps, resume), sink, {});
        try {
            job->run(sink, {});
        } catch (const Error&) {
            // What a crash would leave; the tests that ask for it look at the files.
        }
        return runs() / name;
    }
    TrainingRequest request(const std::string& name, std::int64_t steps, bool resume = false) const
    {
        fs::create_directories(runs());
        TrainingRequest r;
        r.config = presets().front().config;
        r.config.preset = presets().front().name;
        r.config.training.steps = steps;
        r.directory = runs() / name;
        r.name = name;
        r.resume = resume;
        return r;
    }

private:
    QTemporaryDir dir_;
};

} // namespace pha::test
