// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

class QAction;
class QLabel;

namespace pha::ui {

/// Stands above the list of runs while any wait: how many, whether they are on hold, and what can be done about it.
class QueueBar : public QFrame {
    Q_OBJECT

public:
    QueueBar(const QList<QAction*>& actions, QWidget* parent = nullptr);
    void setQueue(int waiting, bool held); ///< hidden without any

private:
    QLabel* queueLabel_;
};

} // namespace pha::ui
