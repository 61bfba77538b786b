// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/dock_title.h"

#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QDockWidget>
#include <QHBoxLayout>
#include <QLabel>
#include <QToolButton>

namespace pha::ui {

DockTitle::DockTitle(QDockWidget* dock)
    : QWidget(dock)
{
    auto* title = new QLabel(dock->windowTitle());
    setRole(title, "dockTitle");
    auto* closeButton = new QToolButton;
    closeButton->setObjectName(dock->objectName() + QStringLiteral("Close"));
    closeButton->setIcon(icon(QStringLiteral("close")));
    closeButton->setIconSize(QSize(10, 10));
    closeButton->setFixedSize(20, 20);
    closeButton->setFocusPolicy(Qt::NoFocus); // the View menu is the way of the keyboard
    closeButton->setAccessibleName(tr("Close %1").arg(dock->windowTitle()));
    closeButton->setToolTip(plainToolTip(tr("Closes this panel; View, Panels brings it back")));
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 4, 2, 3);
    row->addWidget(title, 1);
    row->addWidget(closeButton);
    connect(closeButton, &QToolButton::clicked, dock, &QWidget::close);
}

} // namespace pha::ui
