// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/config_form/config_draft.h"

#include <QWidget>

class QCheckBox;
class QComboBox;
class QLabel;
class QLineEdit;
class QToolButton;

namespace pha::ui {

/// One setting: its name, an editor that fits its kind, a way back to the preset's value, and what is wrong with it.
class FieldRow : public QWidget {
    Q_OBJECT

public:
    FieldRow(const Field& field, ConfigDraft* draft, QWidget* parent = nullptr);

    const std::string& key() const { return field_.name; }
    void refresh(); ///< from the draft
    void focusEditor();

private:
    QWidget* makeEditor();

    const Field field_;
    ConfigDraft* draft_;
    QLabel *label_, *error_;
    QToolButton* reset_;
    QLineEdit* edit_ = nullptr;
    QComboBox* combo_ = nullptr;
    QCheckBox* check_ = nullptr;
};

/// Leaves undo and redo to the form: a line edit would only undo its own typing.
class UndoPassThrough : public QObject {
public:
    using QObject::QObject;
    bool eventFilter(QObject* watched, QEvent* event) override;
};

/// Leaves the wheel to the form unless its box has the focus: scrolling over the form must not change what happens to
/// lie under the pointer.
class WheelPassThrough : public QObject {
public:
    explicit WheelPassThrough(QComboBox* box);
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    QComboBox* box_;
};

} // namespace pha::ui
