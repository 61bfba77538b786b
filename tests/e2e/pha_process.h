// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QByteArray>
#include <QDir>
#include <QDirIterator>
#include <QFile>
#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QProcessEnvironment>
#include <QStringList>
#include <QTemporaryDir>
#include <QtTest>

#include <csignal>
#include <memory>

/// `pha` as a user meets it: a process with a home of its own, arguments, streams and an exit code.
namespace pha::e2e {

struct Result {
    int code = -1; ///< exit code; 128 + signal if a signal ended it
    QByteArray out, err;
    QJsonObject json() const { return QJsonDocument::fromJson(out).object(); }
    QJsonArray jsonArray() const { return QJsonDocument::fromJson(out).array(); }
    /// One JSON object a line, in order; a line that is none becomes an empty object.
    QList<QJsonObject> jsonLines() const
    {
        QList<QJsonObject> list;
        for (const auto& line : out.split('\n'))
            if (!line.isEmpty()) list.append(QJsonDocument::fromJson(line).object());
        return list;
    }
};

class Home {
public:
    QString path(const QString& name = {}) const { return name.isEmpty() ? folder_.path() : folder_.filePath(name); }
    QString write(const QString& name, const QByteArray& content) const
    {
        QFile file(path(name));
        if (!file.open(QIODevice::WriteOnly) || file.write(content) != content.size())
            qFatal("cannot write %s", qPrintable(name));
        return path(name);
    }

    /// `folder`: where the process works, if not at home. `program`: what starts pha, if not the test itself.
    std::unique_ptr<QProcess> start(
        const QStringList& arguments, const QString& folder = {}, const QString& program = PHA_BIN_DIR "/pha") const
    {
        auto process = std::make_unique<QProcess>();
        auto environment = QProcessEnvironment::systemEnvironment();
        environment.insert("HOME", path());
        environment.insert("XDG_DATA_HOME", path("share"));
        environment.insert("XDG_CACHE_HOME", path("cache"));
        environment.insert("XDG_CONFIG_HOME", path("config"));
        environment.insert("OMP_NUM_THREADS", "1");
        environment.insert("OPENBLAS_NUM_THREADS", "1");
        process->setProcessEnvironment(environment);
        process->setWorkingDirectory(folder.isEmpty() ? path() : folder);
        process->start(program, arguments);
        if (!process->waitForStarted(patience_)) qFatal("pha does not start: %s", qPrintable(process->errorString()));
        return process;
    }

    static Result finish(QProcess& process)
    {
        // A process whose end was noticed while it was read from is not waited for.
        if (process.state() != QProcess::NotRunning && !process.waitForFinished(patience_)) {
            process.kill();
            process.waitForFinished(patience_);
            return { -1, "", "pha does not end" };
        }
        Result result { process.exitCode(), process.readAllStandardOutput(), process.readAllStandardError() };
        if (process.exitStatus() == QProcess::CrashExit) result.code = 128 + process.exitCode();
        return result;
    }

    Result run(const QStringList& arguments, const QByteArray& input = {}, const QString& folder = {}) const
    {
        const auto process = start(arguments, folder);
        process->write(input);
        process->closeWriteChannel();
        return finish(*process);
    }

private:
    /// Milliseconds; what takes the longest here takes 5 seconds. Below the limit of Qt Test, so that no process stays.
    static constexpr int patience_ = 240'000;
    QTemporaryDir folder_;
};

/// Options of a network and a run so small that an update takes a millisecond.
inline QStringList smallRun(const QStringList& more = {})
{
    QStringList arguments { "train", "--preset", "pha-tiny", "--data", "stories", "--threads", "1", "--precision",
        "fp32" };
    for (const auto* setting : { "layers=1", "width=32", "query_heads=2", "gss_expand=32", "gss_width=8", "gss_state=8",
             "aux_width=16", "main_width=32", "vocab_size=512", "context=32", "batch_size=2", "eval_tokens=256" })
        arguments << "--set" << setting;
    return arguments + more;
}

inline QByteArray manyLines()
{
    QByteArray text;
    for (int i = 0; i < 3000; ++i)
        text += "Line " + QByteArray::number(i * 7 % 1000) + " tells of red kites and a green hill.\n";
    return text;
}

/// smallRun() on a text in `home`: less to count for reference lines, which every new run does, than in the stories.
inline QStringList smallTextRun(const Home& home, const QStringList& more = {})
{
    const QString name = "lines.txt";
    if (!QFile::exists(home.path(name))) home.write(name, manyLines());
    auto arguments = smallRun(more);
    arguments.replace(arguments.indexOf("stories"), home.path(name));
    return arguments;
}

/// One line `pha: error: WHAT; WHAT TO DO`, nothing else on stderr.
inline bool isOneErrorLine(const QByteArray& err)
{
    return err.startsWith("pha: error: ") && err.count('\n') == 1 && err.endsWith('\n') && err.contains("; ")
        && !err.contains('\x1b');
}

inline QByteArray content(const QString& path)
{
    QFile file(path);
    return file.open(QIODevice::ReadOnly) ? file.readAll() : QByteArray();
}

/// Objects of a run's metrics.jsonl of one type.
inline QList<QJsonObject> metrics(const QString& run, const QString& type)
{
    QList<QJsonObject> list;
    for (const auto& line : content(run + "/metrics.jsonl").split('\n'))
        if (const auto object = QJsonDocument::fromJson(line).object(); object["type"] == type) list.append(object);
    return list;
}

/// What a process leaves that dies right before its last line.
inline void cutLastMetric(const QString& run)
{
    auto lines = content(run + "/metrics.jsonl");
    lines.truncate(lines.lastIndexOf('\n', -2) + 1);
    QFile file(run + "/metrics.jsonl");
    if (!file.open(QIODevice::WriteOnly) || file.write(lines) != lines.size()) qFatal("cannot write metrics.jsonl");
}

/// Names of everything below a folder, hidden things too.
inline QStringList tree(const QString& folder)
{
    QStringList names;
    QDirIterator it(folder, QDir::AllEntries | QDir::Hidden | QDir::NoDotAndDotDot, QDirIterator::Subdirectories);
    while (it.hasNext()) names << QDir(folder).relativeFilePath(it.next());
    names.sort();
    return names;
}

} // namespace pha::e2e
