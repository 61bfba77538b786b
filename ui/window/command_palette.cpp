// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/command_palette.h"

#include "ui/look/theme.h"

#include <QApplication>
#include <QKeyEvent>
#include <QLineEdit>
#include <QListWidget>
#include <QVBoxLayout>

namespace pha::ui {

QString plainActionText(const QAction* action)
{
    auto text = action->text();
    text.remove(QLatin1Char('&')).remove(QChar(0x2026));
    return text;
}

CommandPalette::CommandPalette(QList<QAction*> actions, QWidget* window)
    : QFrame(window)
    , actions_(std::move(actions))
    , paletteSearch_(new QLineEdit)
    , paletteList_(new QListWidget)
{
    setObjectName(QStringLiteral("commandPalette"));
    setRole(this, "card");
    paletteSearch_->setObjectName(QStringLiteral("paletteSearch"));
    paletteSearch_->setPlaceholderText(tr("Type a command"));
    paletteSearch_->setAccessibleName(tr("Command"));
    paletteSearch_->setToolTip(tr("Words of a command's name; Up and Down choose, Enter runs it, Escape closes"));
    paletteList_->setObjectName(QStringLiteral("paletteList"));
    paletteList_->setAccessibleName(tr("Commands that match"));
    paletteList_->setToolTip(tr("Commands that have the words above"));
    paletteList_->setFocusPolicy(Qt::NoFocus);
    paletteList_->setIconSize(QSize(14, 14));
    paletteList_->setUniformItemSizes(true);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->addWidget(paletteSearch_);
    layout->addWidget(paletteList_);
    hide();
    paletteSearch_->installEventFilter(this);
    connect(paletteSearch_, &QLineEdit::textChanged, this, &CommandPalette::fill);
    connect(paletteSearch_, &QLineEdit::returnPressed, this, &CommandPalette::run);
    connect(paletteList_, &QListWidget::itemClicked, this, &CommandPalette::run);
}

void CommandPalette::open()
{
    before_ = QApplication::focusWidget();
    const int width = std::min(460, parentWidget()->width() - 40);
    setGeometry((parentWidget()->width() - width) / 2, 60, width, std::min(360, parentWidget()->height() - 100));
    paletteSearch_->clear();
    fill({});
    raise();
    show();
    paletteSearch_->setFocus();
}

void CommandPalette::fill(const QString& text)
{
    static const QIcon none = [] {
        QPixmap empty(14, 14); // keeps names without a sign in line with the others
        empty.fill(Qt::transparent);
        return QIcon(empty);
    }();
    const auto words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    paletteList_->clear();
    listed_.clear();
    for (auto* action : std::as_const(actions_)) {
        const auto name = plainActionText(action);
        if (!action->isEnabled() || action->isSeparator()) continue;
        if (!std::all_of(
                words.begin(), words.end(), [&](const QString& w) { return name.contains(w, Qt::CaseInsensitive); }))
            continue;
        const auto keys = action->shortcut().toString(QKeySequence::NativeText);
        auto* item = new QListWidgetItem(
            action->icon().isNull() ? none : action->icon(), keys.isEmpty() ? name : tr("%1   (%2)").arg(name, keys));
        item->setSizeHint(QSize(0, fontMetrics().height() + 10));
        paletteList_->addItem(item);
        listed_ << action;
    }
    if (listed_.isEmpty()) {
        auto* nothing = new QListWidgetItem(tr("No command has these words"));
        nothing->setFlags(Qt::NoItemFlags);
        paletteList_->addItem(nothing);
    }
    paletteList_->setCurrentRow(listed_.isEmpty() ? -1 : 0);
}

void CommandPalette::run()
{
    const int row = paletteList_->currentRow();
    hide();
    if (before_) before_->setFocus();
    if (row >= 0 && row < listed_.size()) listed_[row]->trigger();
}

bool CommandPalette::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::FocusOut) hide();
    if (event->type() == QEvent::ShortcutOverride && static_cast<QKeyEvent*>(event)->key() == Qt::Key_Escape) {
        event->accept(); // not the window's Escape
        return true;
    }
    if (event->type() == QEvent::KeyPress) {
        const int key = static_cast<QKeyEvent*>(event)->key();
        if (key == Qt::Key_Down || key == Qt::Key_Up || key == Qt::Key_PageDown || key == Qt::Key_PageUp) {
            QApplication::sendEvent(paletteList_, event);
            return true;
        }
        if (key == Qt::Key_Escape) {
            hide();
            if (before_) before_->setFocus();
            return true;
        }
    }
    return QFrame::eventFilter(watched, event);
}

} // namespace pha::ui
