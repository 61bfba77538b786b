// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/field_row.h"

#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QGridLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QStyle>
#include <QToolButton>

namespace pha::ui {

bool UndoPassThrough::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::ShortcutOverride) {
        const auto* key = static_cast<QKeyEvent*>(event);
        if (key->matches(QKeySequence::Undo) || key->matches(QKeySequence::Redo)) {
            event->ignore();
            return true;
        }
    }
    return QObject::eventFilter(watched, event);
}

WheelPassThrough::WheelPassThrough(QComboBox* box)
    : QObject(box)
    , box_(box)
{
    box->setFocusPolicy(Qt::StrongFocus); // not by the wheel
    box->installEventFilter(this);
}

bool WheelPassThrough::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::Wheel && !box_->hasFocus()) {
        event->ignore();
        return true;
    }
    return QObject::eventFilter(watched, event);
}

FieldRow::FieldRow(const Field& field, ConfigDraft* draft, QWidget* parent)
    : QWidget(parent)
    , field_(field)
    , draft_(draft)
    , label_(new QLabel(fromUtf8(field.label)))
    , error_(new QLabel)
    , reset_(new QToolButton)
{
    const auto key = fromUtf8(field_.name);
    setObjectName(QStringLiteral("row_") + key);
    auto* editor = makeEditor();
    editor->setObjectName(QStringLiteral("field_") + key);
    editor->setAccessibleName(fromUtf8(field_.label));
    editor->setAccessibleDescription(fromUtf8(field_.help));
    const auto tip = plainToolTip(tr("%1\n%2: %3").arg(fromUtf8(field_.help), key, fromUtf8(field_.expectation())));
    editor->setToolTip(tip);

    label_->setTextFormat(Qt::PlainText);
    label_->setBuddy(editor);
    label_->setToolTip(tip);
    label_->setMinimumWidth(40);
    label_->setWordWrap(true);
    error_->setObjectName(QStringLiteral("error_") + key);
    error_->setTextFormat(Qt::PlainText);
    error_->setWordWrap(true);
    error_->hide();
    setRole(error_, "error");
    reset_->setObjectName(QStringLiteral("reset_") + key);
    reset_->setIcon(icon(QStringLiteral("undo")));
    reset_->setIconSize(QSize(12, 12));
    reset_->setFixedSize(20, 20);
    reset_->setAccessibleName(tr("Reset %1 to the preset's value").arg(fromUtf8(field_.label)));
    auto policy = reset_->sizePolicy();
    policy.setRetainSizeWhenHidden(true);
    reset_->setSizePolicy(policy);

    auto* grid = new QGridLayout(this);
    grid->setContentsMargins(4, 2, 0, 2);
    grid->setHorizontalSpacing(6);
    grid->setVerticalSpacing(2);
    grid->addWidget(label_, 0, 0);
    grid->addWidget(editor, 0, 1);
    grid->addWidget(reset_, 0, 2);
    grid->addWidget(error_, 1, 0, 1, 3);
    grid->setColumnStretch(0, 6);
    grid->setColumnStretch(1, 6);
    connect(reset_, &QToolButton::clicked, this, [this] { draft_->resetField(field_.name); });
    refresh();
}

QWidget* FieldRow::makeEditor()
{
    if (field_.kind == Field::Kind::Boolean) {
        check_ = new QCheckBox;
        connect(check_, &QCheckBox::toggled, this,
            [this](bool on) { draft_->setText(field_.name, on ? QStringLiteral("true") : QStringLiteral("false")); });
        return check_;
    }
    if (field_.kind == Field::Kind::Choice) {
        combo_ = new QComboBox;
        for (const auto& choice : field_.choices) combo_->addItem(fromUtf8(choice));
        combo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
        combo_->setMinimumContentsLength(6);
        new WheelPassThrough(combo_);
        connect(combo_, &QComboBox::textActivated, this,
            [this](const QString& text) { draft_->setText(field_.name, text); });
        return combo_;
    }
    edit_ = new QLineEdit;
    edit_->installEventFilter(new UndoPassThrough(edit_));
    edit_->setMinimumWidth(60);
    connect(edit_, &QLineEdit::textEdited, this,
        [this](const QString& text) { draft_->setText(field_.name, text.trimmed()); });
    connect(edit_, &QLineEdit::editingFinished, this, [this] {
        draft_->endOfTyping();
        refresh();
    });
    return edit_;
}

void FieldRow::refresh()
{
    const auto text = draft_->text(field_.name), error = draft_->error(field_.name);
    const bool changed = draft_->changed(field_.name);
    if (edit_ && edit_->text().trimmed() != text) edit_->setText(text);
    if (combo_) combo_->setCurrentText(text);
    if (check_) {
        const QSignalBlocker quiet(check_);
        check_->setChecked(text == QLatin1String("true"));
    }
    reset_->setVisible(changed);
    reset_->setToolTip(plainToolTip(tr("Back to the preset's value, %1").arg(draft_->presetText(field_.name))));
    setRole(label_, changed ? "heading" : "plain");
    error_->setText(error);
    error_->setVisible(!error.isEmpty());
    QWidget* editor = edit_ ? static_cast<QWidget*>(edit_) : combo_ ? static_cast<QWidget*>(combo_) : check_;
    if (editor->property("invalid").toBool() != !error.isEmpty()) {
        editor->setProperty("invalid", !error.isEmpty());
        editor->style()->unpolish(editor);
        editor->style()->polish(editor);
    }
}

void FieldRow::focusEditor()
{
    QWidget* editor = edit_ ? static_cast<QWidget*>(edit_) : combo_ ? static_cast<QWidget*>(combo_) : check_;
    editor->setFocus(Qt::OtherFocusReason);
}

} // namespace pha::ui
