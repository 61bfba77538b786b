// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/controls.h"

#include "ui/format.h"
#include "ui/look/theme.h"

#include <QFrame>
#include <QLabel>
#include <QPushButton>
#include <QSaveFile>
#include <QSplitter>
#include <QStylePainter>
#include <QToolButton>
#include <QVBoxLayout>

namespace pha::ui {

namespace {

template <class Button> Button* made(QWidget* parent, const char* name, const QString& text, const QString& tip)
{
    auto* button = new Button(parent);
    button->setText(text);
    button->setObjectName(QLatin1String(name));
    button->setToolTip(plainToolTip(tip));
    button->setAccessibleName(text.isEmpty() ? tip : QString(text).remove(QLatin1Char('&')));
    button->setAccessibleDescription(tip);
    return button;
}

} // namespace

ElidedLabel::ElidedLabel(QWidget* parent, const QString& text, const char* role)
    : QLabel(text, parent)
{
    setTextFormat(Qt::PlainText);
    setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    setRole(this, role);
}

void ElidedLabel::paintEvent(QPaintEvent*)
{
    const auto shown = fontMetrics().elidedText(text(), Qt::ElideRight, contentsRect().width());
    if (shown.size() < 4 && shown != text()) return; // "Li\u2026" says less than nothing
    QStylePainter painter(this);
    painter.drawItemText(contentsRect(), int(alignment()), palette(), isEnabled(), shown, foregroundRole());
}

QPushButton* pushButton(QWidget* parent, const char* name, const QString& text, const QString& tip, const char* role)
{
    auto* button = made<QPushButton>(parent, name, text, tip);
    if (role) setRole(button, role);
    return button;
}

QToolButton* toolButton(QWidget* parent, const char* name, const QString& text, const QString& tip, bool checkable)
{
    auto* button = made<QToolButton>(parent, name, text, tip);
    button->setCheckable(checkable);
    button->setFocusPolicy(Qt::StrongFocus);
    return button;
}

MessageLabel::MessageLabel(QWidget* parent, const char* name, int lines)
    : QLabel(parent)
    , lines_(lines)
{
    setObjectName(QLatin1String(name));
    setTextFormat(Qt::PlainText);
    setRole(this, "small");
    setWordWrap(true);
    setTextInteractionFlags(Qt::TextSelectableByMouse);
    setMinimumHeight(lines_ * fontMetrics().height());
}

void MessageLabel::say(const QString& text, const char* role)
{
    setRole(this, role);
    setText(text);
    setToolTip(plainToolTip(text));
}

void MessageLabel::save(const QString& path, const std::function<bool(QIODevice&)>& write)
{
    QSaveFile file(path);
    if (file.open(QIODevice::WriteOnly) && write(file) && file.commit())
        say(tr("Saved %1.").arg(path));
    else
        say(tr("%1 cannot be written: %2").arg(path, file.errorString()), "error");
}

void MessageLabel::save(const QString& path, const QByteArray& bytes)
{
    save(path, [&](QIODevice& file) { return file.write(bytes) == bytes.size(); });
}

/// A path has no place to break: it is cut, and the tool tip has it whole.
QSize MessageLabel::minimumSizeHint() const { return { 60, lines_ * fontMetrics().height() }; }

QLabel* label(QWidget* parent, const QString& text, const char* role)
{
    auto* made = new QLabel(text, parent);
    made->setTextFormat(Qt::PlainText);
    setRole(made, role);
    return made;
}

QLabel* steadyLabel(QWidget* parent, const char* name, int lines)
{
    auto* made = label(parent, {}, "small");
    made->setObjectName(QLatin1String(name));
    made->setWordWrap(true);
    made->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    made->setTextInteractionFlags(Qt::TextSelectableByMouse);
    fitToText(made, [made, lines] { made->setFixedHeight(lines * made->fontMetrics().lineSpacing() + 2); });
    return made;
}

void sayWhole(QLabel* made, const QString& text)
{
    made->setText(text);
    made->setToolTip(plainToolTip(text));
}

QLabel* caption(QWidget* parent, const QString& text, QWidget* control)
{
    auto* made = new QLabel(text, parent);
    made->setBuddy(control);
    setRole(made, "muted");
    return made;
}

QVBoxLayout* card(QFrame* frame)
{
    setRole(frame, "card");
    auto* layout = new QVBoxLayout(frame);
    layout->setContentsMargins(12, 10, 12, 10);
    layout->setSpacing(8);
    return layout;
}

QSplitter* splitter(Qt::Orientation orientation, QWidget* parent, const char* name, int handle)
{
    auto* bars = new QSplitter(orientation, parent);
    bars->setObjectName(QLatin1String(name));
    bars->setChildrenCollapsible(false);
    bars->setHandleWidth(handle);
    return bars;
}

EmptyPage emptyPage(QWidget* parent, const QString& title, const QString& text)
{
    auto* page = new QWidget(parent);
    const EmptyPage made { page, label(page, title, "title"), label(page, text, "muted") };
    auto* layout = new QVBoxLayout(page);
    layout->addStretch();
    for (auto* part : { made.title, made.text }) {
        part->setAlignment(Qt::AlignCenter);
        part->setWordWrap(true);
        layout->addWidget(part);
    }
    layout->addStretch();
    return made;
}

} // namespace pha::ui
