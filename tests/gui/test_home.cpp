// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/test_home.h"

#include "engine/config/families.h"

#include <QCoreApplication>
#include <QSettings>

namespace pha::test {

TestHome::TestHome()
{
    for (const char* name :
        { "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR" })
        qputenv(name, dir_.path().toUtf8());
    QSettings::setDefaultFormat(QSettings::IniFormat);
    QSettings::setPath(QSettings::IniFormat, QSettings::UserScope, dir_.filePath(QStringLiteral("settings")));
    QCoreApplication::setOrganizationName(QStringLiteral("pha-test"));
    QCoreApplication::setApplicationName(QStringLiteral("pha-test"));
}

fs::path TestHome::path() const { return dir_.path().toStdString(); }

fs::path TestHome::train(const std::string& name, std::int64_t steps, FakeOptions options, bool resume) const
{
    options.stepsPerSecond = 0;
    FakeEngine engine(options);
    SilentSink sink;
    const auto job = engine.openTraining(request(name, steps, resume), sink, {});
    try {
        job->run(sink, {});
    } catch (const Error&) {
        // What a crash would leave; the tests that ask for it look at the files.
    }
    return runs() / name;
}

TrainingRequest TestHome::request(const std::string& name, std::int64_t steps, bool resume) const
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

} // namespace pha::test
