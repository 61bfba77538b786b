// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/course.h"

#include <QObject>
#include <QThreadPool>

#include <functional>

namespace pha::ui {

/// Reads what replays need, on a thread of its own: metrics files may be long. Lives on the GUI thread; so do its
/// signals.
class ReplayWork : public QObject {
    Q_OBJECT

public:
    explicit ReplayWork(QObject* parent = nullptr);
    ~ReplayWork() override;

    void read(const fs::path& run); ///< -> ready, failed
    bool reading() const { return reading_; }
    /// How far a replay went as the run that it repeats. -> compared
    void compare(const fs::path& of, const fs::path& replay);

Q_SIGNALS:
    void ready(const pha::Replay& replay);
    void failed(const QString& message);
    void compared(const fs::path& replay, const QString& result); ///< "150 updates, every loss the same"

private:
    using End = std::function<void(ReplayWork&)>;
    void start(const std::function<End()>& job);

    bool reading_ = false;
    QThreadPool thread_; ///< its end waits for the job
};

} // namespace pha::ui
