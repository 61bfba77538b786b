// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/events.h"

#include <QObject>
#include <QTimer>

#include <functional>
#include <memory>
#include <mutex>
#include <variant>
#include <vector>

namespace pha::ui {

/// Carries events from the training thread to the GUI thread, a frame's worth at a time: never a signal per step, never
/// an event lost. Lives on the GUI thread; the training thread holds only the mailbox, which outlives the bridge if
/// need be.
class EventBridge : public QObject {
    Q_OBJECT

public:
    /// The end that the training thread sees. Any thread.
    class Mailbox : public EventSink {
    public:
        explicit Mailbox(EventBridge* bridge)
            : bridge_(bridge)
        {
        }
        void publish(const Event& event) override;
        /// Runs `action` on the GUI thread, after all events published before it and before all events after it.
        void call(std::function<void()> action);

    private:
        friend class EventBridge;
        using Item = std::variant<Event, std::function<void()>>;
        std::mutex mutex_;
        std::vector<Item> pending_;
        EventBridge* bridge_; ///< null once the bridge is gone
    };

    explicit EventBridge(QObject* parent = nullptr);
    ~EventBridge() override;
    const std::shared_ptr<Mailbox>& mailbox() const { return mailbox_; }
    void flush(); ///< delivers what is pending now

Q_SIGNALS:
    void batchReady(const std::vector<pha::Event>& batch);

private:
    std::shared_ptr<Mailbox> mailbox_;
    QTimer frame_;
};

} // namespace pha::ui
