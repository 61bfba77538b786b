// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QObject>
#include <QStringList>
#include <QThreadPool>

#include <filesystem>
#include <functional>
#include <stop_token>

namespace pha {
class EventSink;
}

namespace pha::ui {

/// Packs runs into capsules and unpacks them, on a thread of its own, one after the other. Lives on the GUI thread; so
/// do its signals. Whatever is under way when it goes leaves nothing behind.
class CapsuleWork : public QObject {
    Q_OBJECT

public:
    explicit CapsuleWork(QObject* parent = nullptr);
    ~CapsuleWork() override;

    void unpack(const std::filesystem::path& file, const std::filesystem::path& runs);
    void pack(const std::filesystem::path& run, const std::filesystem::path& file, bool replace);
    void stop(); ///< all that is under way or waits
    bool busy() const { return !jobs_.empty(); }
    QString doing() const { return jobs_.value(0); } ///< "Unpacking demo.pha"; empty: nothing

    static bool isCapsule(const std::filesystem::path& file); ///< by its name

Q_SIGNALS:
    void progressed(const QString& text); ///< "Unpacking demo.pha, 45 %", some times a second
    void unpacked(const std::filesystem::path& run);
    void packed(const std::filesystem::path& file);
    void stopped();
    void failed(const QString& message);

private:
    /// Does its work on the other thread; what it returns is done here afterwards.
    using Job = std::function<std::function<void(CapsuleWork&)>(EventSink& progress, const std::stop_token& stop)>;
    void start(const QString& what, const Job& job);

    std::stop_source stop_;
    QStringList jobs_; ///< what is under way, and what waits behind it
    QThreadPool thread_; ///< its end waits for the job
};

} // namespace pha::ui
