// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/session/event_bridge.h"

#include <QPointer>

namespace pha::ui {

void EventBridge::Mailbox::publish(const Event& event)
{
    const std::lock_guard lock(mutex_);
    if (!bridge_) return;
    pending_.emplace_back(event);
    // Only the first of a frame wakes the GUI thread. Under the lock, so that the bridge cannot go away in between.
    if (pending_.size() == 1)
        QMetaObject::invokeMethod(&bridge_->frame_, qOverload<>(&QTimer::start), Qt::QueuedConnection);
}

void EventBridge::Mailbox::call(std::function<void()> action)
{
    const std::lock_guard lock(mutex_);
    if (!bridge_) return;
    pending_.emplace_back(std::move(action));
    QMetaObject::invokeMethod(bridge_, &EventBridge::flush, Qt::QueuedConnection);
}

EventBridge::EventBridge(QObject* parent)
    : QObject(parent)
    , mailbox_(std::make_shared<Mailbox>(this))
{
    frame_.setSingleShot(true);
    frame_.setInterval(33);
    connect(&frame_, &QTimer::timeout, this, &EventBridge::flush);
}

EventBridge::~EventBridge()
{
    const std::lock_guard lock(mailbox_->mutex_);
    mailbox_->bridge_ = nullptr;
}

void EventBridge::flush()
{
    std::vector<Mailbox::Item> items;
    {
        const std::lock_guard lock(mailbox_->mutex_);
        items.swap(mailbox_->pending_);
    }
    const QPointer<EventBridge> alive(this);
    std::vector<Event> batch;
    const auto deliver = [&] {
        if (!batch.empty()) Q_EMIT batchReady(batch);
        batch.clear();
    };
    for (auto& item : items) {
        if (auto* event = std::get_if<Event>(&item)) {
            batch.push_back(std::move(*event));
            continue;
        }
        deliver();
        if (!alive) return;
        std::get<std::function<void()>>(item)();
        if (!alive) return;
    }
    deliver();
}

} // namespace pha::ui
