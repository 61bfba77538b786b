// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/queue_bar.h"

#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QAction>
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>

namespace pha::ui {

QueueBar::QueueBar(const QList<QAction*>& actions, QWidget* parent)
    : QFrame(parent)
    , queueLabel_(new ElidedLabel(this, {}, "muted"))
{
    setObjectName(QStringLiteral("queueBar"));
    queueLabel_->setObjectName(QStringLiteral("queueLabel"));
    auto* layout = new QHBoxLayout(this);
    layout->setContentsMargins(6, 0, 0, 0);
    layout->setSpacing(2);
    layout->addWidget(queueLabel_, 1);
    for (auto* action : actions) {
        auto* button = new QToolButton;
        button->setObjectName(action->objectName() + QStringLiteral("Button"));
        button->setDefaultAction(action);
        button->setToolButtonStyle(Qt::ToolButtonIconOnly);
        button->setAutoRaise(true);
        button->setFocusPolicy(Qt::TabFocus);
        button->setAccessibleName(action->text().remove(QLatin1Char('&')));
        layout->addWidget(button);
    }
    hide();
}

void QueueBar::setQueue(int waiting, bool held)
{
    const auto count = formatCount(waiting);
    queueLabel_->setText(held ? tr("%1 on hold").arg(count) : tr("%1 waiting").arg(count));
    queueLabel_->setToolTip(plainToolTip(held ? tr("Waiting runs start when the hold is released (Ctrl+Shift+H).")
                                              : tr("The next one starts by itself when nothing else trains.")));
    setRole(queueLabel_, held ? "warning" : "muted");
    setVisible(waiting > 0);
}

} // namespace pha::ui
