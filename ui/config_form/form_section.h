// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/config_form/field_row.h"

#include <QWidget>

class QPushButton;
class QVBoxLayout;

namespace pha::ui {

/// A heading that opens and closes over the settings of one section. Its rows are made when it is first opened.
class FormSection : public QWidget {
    Q_OBJECT

public:
    FormSection(const QString& title, std::vector<Field> fields, ConfigDraft* draft, QWidget* parent = nullptr);

    const QString& title() const { return title_; }
    bool isOpen() const;
    void setOpen(bool open);
    void refresh(); ///< from the draft
    /// Shows only rows with all these words, opened; everything as it was for none. True: something is left.
    bool search(const QStringList& words);
    bool reveal(const std::string& key); ///< opens and focuses that setting; false if it is not in here

private:
    void build();

    const QString title_;
    const std::vector<Field> fields_;
    ConfigDraft* draft_;
    QPushButton* header_;
    QWidget* body_;
    QVBoxLayout* rowsLayout_;
    std::vector<FieldRow*> rows_;
    bool openBeforeSearch_ = false, searching_ = false;
};

} // namespace pha::ui
