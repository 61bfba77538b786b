// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/error_banner.h"

#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QAccessible>
#include <QClipboard>
#include <QFrame>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QResizeEvent>

namespace pha::ui {

ErrorBanner::ErrorBanner(QWidget* parent)
    : QWidget(parent)
    , text_(new QLabel)
{
    setObjectName(QStringLiteral("errorBanner"));
    auto* frame = new QFrame;
    setRole(frame, "errorBanner");
    text_->setObjectName(QStringLiteral("errorText"));
    text_->setTextFormat(Qt::PlainText);
    text_->setWordWrap(true);
    text_->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    text_->setAccessibleName(tr("Error"));
    const auto button = [](const QString& text, const QString& id, const QString& tip, const QString& sign) {
        auto* b = new QPushButton(icon(sign), text);
        b->setObjectName(id);
        b->setToolTip(plainToolTip(tip));
        b->setAccessibleName(tip);
        setRole(b, "flat");
        return b;
    };
    auto* copyButton =
        button(tr("Copy"), QStringLiteral("copyError"), tr("Copies the message"), QStringLiteral("copy"));
    auto* closeButton =
        button(QString(), QStringLiteral("closeError"), tr("Closes the message"), QStringLiteral("close"));
    auto* row = new QHBoxLayout(frame);
    row->setContentsMargins(12, 4, 6, 4);
    row->addWidget(text_, 1);
    row->addWidget(copyButton);
    row->addWidget(closeButton);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 2);
    outer->addWidget(frame);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    connect(copyButton, &QPushButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(text_->text()); });
    connect(closeButton, &QPushButton::clicked, this, &ErrorBanner::closed);
    connect(&Theme::instance(), &Theme::changed, this, &ErrorBanner::fitHeight, Qt::QueuedConnection); // once laid out
}

void ErrorBanner::showError(const QString& message)
{
    text_->setText(singleLine(message));
    fitHeight();
    Q_EMIT shown();
    QAccessibleEvent alert(text_, QAccessible::Alert);
    QAccessible::updateAccessibility(&alert);
}

/// As high as the wrapped text needs at this width: a tool bar would take the height of a narrow column.
void ErrorBanner::fitHeight()
{
    const int wanted = layout()->hasHeightForWidth() ? layout()->heightForWidth(std::max(width(), 300))
                                                     : layout()->sizeHint().height();
    setFixedHeight(std::max(wanted, layout()->minimumSize().height()));
}

void ErrorBanner::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    if (event->oldSize().width() != event->size().width()) fitHeight();
}

QString ErrorBanner::message() const { return text_->text(); }

} // namespace pha::ui
