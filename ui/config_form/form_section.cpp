// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/form_section.h"

#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QPushButton>
#include <QVBoxLayout>

namespace pha::ui {

FormSection::FormSection(const QString& title, std::vector<Field> fields, ConfigDraft* draft, QWidget* parent)
    : QWidget(parent)
    , title_(title)
    , fields_(std::move(fields))
    , draft_(draft)
    , header_(new QPushButton(title))
    , body_(new QWidget)
    , rowsLayout_(new QVBoxLayout(body_))
{
    const auto id = slug(title);
    setObjectName(QStringLiteral("section_") + id);
    header_->setObjectName(QStringLiteral("sectionHeader_") + id);
    header_->setCheckable(true);
    header_->setIcon(icon(QStringLiteral("chevron-right")));
    header_->setIconSize(QSize(12, 12));
    header_->setAccessibleName(tr("Section %1").arg(title));
    header_->setToolTip(plainToolTip(tr("Show or hide the settings of this section")));
    setRole(header_, "section");
    body_->hide();
    rowsLayout_->setContentsMargins(6, 0, 0, 6);
    rowsLayout_->setSpacing(0);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    layout->addWidget(header_);
    layout->addWidget(body_);
    connect(header_, &QPushButton::toggled, this, [this](bool open) {
        if (open) build();
        body_->setVisible(open);
        header_->setIcon(icon(open ? QStringLiteral("chevron-down") : QStringLiteral("chevron-right")));
    });
    refresh();
}

bool FormSection::isOpen() const { return header_->isChecked(); }
void FormSection::setOpen(bool open) { header_->setChecked(open); }

void FormSection::build()
{
    if (!rows_.empty()) return;
    for (const auto& field : fields_) {
        auto* row = new FieldRow(field, draft_);
        rowsLayout_->addWidget(row);
        rows_.push_back(row);
    }
}

void FormSection::refresh()
{
    int changed = 0, wrong = 0;
    for (const auto& field : fields_) {
        changed += draft_->changed(field.name);
        wrong += !draft_->error(field.name).isEmpty();
    }
    header_->setText(wrong > 0 ? tr("%1  \u00b7  %2 to correct").arg(title_, formatCount(wrong))
            : changed > 0      ? tr("%1  \u00b7  %2 changed").arg(title_, formatCount(changed))
                               : title_);
    for (auto* row : rows_) row->refresh();
    if (wrong > 0 && !isOpen()) setOpen(true); // an error must be seen where it can be mended
}

bool FormSection::search(const QStringList& words)
{
    if (words.isEmpty()) {
        for (auto* row : rows_) row->show();
        if (searching_) setOpen(openBeforeSearch_);
        searching_ = false;
        show();
        return true;
    }
    if (!searching_) openBeforeSearch_ = isOpen();
    searching_ = true;
    std::vector<bool> matches;
    for (const auto& field : fields_) {
        const auto text = fromUtf8(field.name + ' ' + field.label + ' ' + field.help + ' ' + field.section);
        matches.push_back(std::all_of(
            words.begin(), words.end(), [&](const QString& w) { return text.contains(w, Qt::CaseInsensitive); }));
    }
    const bool any = std::find(matches.begin(), matches.end(), true) != matches.end();
    if (any) build(); // only what is shown: all settings at once take a fifth of a second
    for (std::size_t i = 0; i < rows_.size(); ++i) rows_[i]->setVisible(matches[i]);
    setOpen(any);
    setVisible(any);
    return any;
}

bool FormSection::reveal(const std::string& key)
{
    for (const auto& field : fields_) {
        if (field.name != key) continue;
        setOpen(true);
        for (auto* row : rows_)
            if (row->key() == key) row->focusEditor();
        return true;
    }
    return false;
}

} // namespace pha::ui
