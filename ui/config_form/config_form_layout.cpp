// SPDX-License-Identifier: GPL-3.0-or-later
// ConfigForm: what it consists of.
#include "engine/data/corpus.h"
#include "ui/config_form/config_form.h"
#include "ui/config_form/form_section.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QComboBox>
#include <QEvent>
#include <QGridLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

QLabel* caption(const QString& text, QWidget* buddy)
{
    auto* label = new QLabel(text);
    label->setBuddy(buddy);
    setRole(label, "muted");
    return label;
}

/// What most people change comes first; the rest in the engine's order.
std::vector<std::string> sectionOrder()
{
    std::vector<std::string> order { "Length", "Optimiser", "Shape", "Mixing" };
    for (const auto& grouped : allFields())
        if (std::find(order.begin(), order.end(), grouped.field.section) == order.end())
            order.push_back(grouped.field.section);
    return order;
}

/// Never lower than its texts need at its width: for a layout's least height each of them has one line.
class WholeTexts : public QWidget {
protected:
    bool event(QEvent* event) override
    {
        if (event->type() == QEvent::Resize || event->type() == QEvent::LayoutRequest)
            setMinimumHeight(std::max(layout()->totalHeightForWidth(width()), layout()->totalMinimumSize().height()));
        return QWidget::event(event);
    }
};

/// Settings that stand in the header, or that nobody sets by hand.
bool hiddenField(const std::string& key) { return key == "data" || key == "vocabulary"; }

} // namespace

QWidget* ConfigForm::makeHeader()
{
    auto* header = new WholeTexts;
    presetCombo_ = new QComboBox;
    presetCombo_->setObjectName(QStringLiteral("presetCombo"));
    presetCombo_->setAccessibleName(tr("Preset"));
    presetCombo_->setToolTip(plainToolTip(tr("Model and recipe to start from")));
    presetCombo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    presetCombo_->setMinimumContentsLength(10);
    presetCombo_->setMaxVisibleItems(24);
    new WheelPassThrough(presetCombo_);
    for (const auto& preset : presets()) {
        presetCombo_->addItem(fromUtf8(preset.name));
        presetCombo_->setItemData(presetCombo_->count() - 1, plainToolTip(fromUtf8(preset.summary)), Qt::ToolTipRole);
    }
    presetSummary_ = new QLabel;
    presetSummary_->setObjectName(QStringLiteral("presetSummary"));
    presetSummary_->setTextFormat(Qt::PlainText);
    presetSummary_->setWordWrap(true);
    setRole(presetSummary_, "small");

    dataCombo_ = new QComboBox;
    dataCombo_->setObjectName(QStringLiteral("dataCombo"));
    dataCombo_->setAccessibleName(tr("Data"));
    dataCombo_->setEditable(true);
    dataCombo_->setInsertPolicy(QComboBox::NoInsert);
    dataCombo_->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    dataCombo_->setMinimumContentsLength(10);
    dataCombo_->setToolTip(plainToolTip(tr("A built-in corpus, or the path of a text file or folder")));
    dataCombo_->lineEdit()->setObjectName(QStringLiteral("field_data"));
    dataCombo_->lineEdit()->installEventFilter(new UndoPassThrough(dataCombo_));
    new WheelPassThrough(dataCombo_);
    for (const auto& corpus : builtinCorpora()) {
        dataCombo_->addItem(fromUtf8(corpus.name));
        dataCombo_->setItemData(dataCombo_->count() - 1, plainToolTip(fromUtf8(corpus.summary)), Qt::ToolTipRole);
    }
    auto* browseButton = new QToolButton;
    browseButton->setObjectName(QStringLiteral("browseData"));
    browseButton->setIcon(icon(QStringLiteral("folder")));
    browseButton->setAccessibleName(tr("Browse for a text file"));
    browseButton->setToolTip(plainToolTip(tr("Browse for a text file")));
    dataError_ = new QLabel;
    dataError_->setObjectName(QStringLiteral("error_data"));
    dataError_->setTextFormat(Qt::PlainText);
    dataError_->setWordWrap(true);
    setRole(dataError_, "error");

    nameEdit_ = new QLineEdit;
    nameEdit_->setObjectName(QStringLiteral("runNameField"));
    nameEdit_->setAccessibleName(tr("Name of the run"));
    nameEdit_->setMaxLength(120);
    nameEdit_->setToolTip(plainToolTip(tr("What the run is called in the list; empty takes the suggestion")));
    nameEdit_->installEventFilter(new UndoPassThrough(nameEdit_));

    auto* grid = new QGridLayout(header);
    grid->setContentsMargins(12, 10, 12, 10);
    grid->setHorizontalSpacing(8);
    grid->setVerticalSpacing(5);
    grid->addWidget(makeForkLine(), 5, 0, 1, 3);
    grid->addWidget(caption(tr("&Preset"), presetCombo_), 0, 0);
    grid->addWidget(presetCombo_, 0, 1, 1, 2);
    grid->addWidget(presetSummary_, 1, 1, 1, 2);
    grid->addWidget(caption(tr("&Data"), dataCombo_), 2, 0);
    grid->addWidget(dataCombo_, 2, 1);
    grid->addWidget(browseButton, 2, 2);
    grid->addWidget(dataError_, 3, 1, 1, 2);
    grid->addWidget(caption(tr("&Name"), nameEdit_), 4, 0);
    grid->addWidget(nameEdit_, 4, 1, 1, 2);
    grid->setColumnStretch(1, 1);

    connect(presetCombo_, &QComboBox::textActivated, this, [this](const QString& name) { draft_->setPreset(name); });
    connect(
        dataCombo_, &QComboBox::textActivated, this, [this](const QString& text) { draft_->setText("data", text); });
    connect(dataCombo_->lineEdit(), &QLineEdit::textEdited, this,
        [this](const QString& text) { draft_->setText("data", text); });
    connect(dataCombo_->lineEdit(), &QLineEdit::editingFinished, draft_, &ConfigDraft::endOfTyping);
    connect(browseButton, &QToolButton::clicked, this, &ConfigForm::browse);
    connect(nameEdit_, &QLineEdit::textEdited, this, [this](const QString& text) { draft_->setName(text); });
    connect(nameEdit_, &QLineEdit::editingFinished, draft_, &ConfigDraft::endOfTyping);
    return header;
}

QWidget* ConfigForm::makeForkLine()
{
    forkLine_ = new QWidget;
    forkLine_->setObjectName(QStringLiteral("forkLine"));
    forkLabel_ = new QLabel;
    forkLabel_->setObjectName(QStringLiteral("forkLabel"));
    forkLabel_->setTextFormat(Qt::PlainText);
    forkLabel_->setWordWrap(true);
    setRole(forkLabel_, "heading");
    auto* drop = new QPushButton(tr("Drop fork"));
    drop->setObjectName(QStringLiteral("dropFork"));
    drop->setToolTip(plainToolTip(tr("Makes it a run of its own from new weights, with the same settings")));
    auto* row = new QHBoxLayout(forkLine_);
    row->setContentsMargins(0, 2, 0, 0);
    row->setSpacing(8);
    row->addWidget(forkLabel_, 1);
    row->addWidget(drop);
    connect(drop, &QPushButton::clicked, draft_, &ConfigDraft::dropFork);
    return forkLine_;
}

void ConfigForm::makeSections(QWidget* into)
{
    settingSearch_ = new QLineEdit;
    settingSearch_->setObjectName(QStringLiteral("settingSearch"));
    settingSearch_->setPlaceholderText(tr("Find a setting"));
    settingSearch_->setAccessibleName(tr("Find a setting"));
    settingSearch_->setToolTip(plainToolTip(tr("Words of a setting's name or description")));
    settingSearch_->setClearButtonEnabled(true);
    settingSearch_->addAction(icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    noSetting_ = new QLabel(tr("No setting has these words. Clear the search to see all."));
    noSetting_->setObjectName(QStringLiteral("noSetting"));
    noSetting_->setWordWrap(true);
    noSetting_->hide();
    setRole(noSetting_, "muted");

    auto* layout = new QVBoxLayout(into);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(2);
    layout->addWidget(settingSearch_);
    layout->addSpacing(2);
    layout->addWidget(noSetting_);
    for (const auto& name : sectionOrder()) {
        std::vector<Field> fields;
        for (const auto& grouped : allFields())
            if (grouped.field.section == name && !hiddenField(grouped.field.name)) fields.push_back(grouped.field);
        if (fields.empty()) continue;
        auto* section = new FormSection(fromUtf8(name), std::move(fields), draft_);
        layout->addWidget(section);
        sections_.push_back(section);
    }
    layout->addStretch(1);
    sections_.front()->setOpen(true);
    connect(settingSearch_, &QLineEdit::textChanged, this, [this](const QString& text) {
        bool any = false;
        for (auto* section : sections_) any |= section->search(text.split(QLatin1Char(' '), Qt::SkipEmptyParts));
        noSetting_->setVisible(!any);
    });
}

QWidget* ConfigForm::makeFooter()
{
    auto* footer = new WholeTexts;
    costs_ = new CostBox;
    formError_ = new QLabel;
    formError_->setObjectName(QStringLiteral("formError"));
    formError_->setTextFormat(Qt::PlainText);
    formError_->setWordWrap(true);
    setRole(formError_, "error");
    const auto button = [](const QString& text, const QString& id, const QString& tip, const QString& sign) {
        auto* b = new QPushButton(text);
        b->setObjectName(id);
        b->setToolTip(plainToolTip(tip));
        if (!sign.isEmpty()) b->setIcon(icon(sign));
        return b;
    };
    startButton_ = button(tr("Start run"), QStringLiteral("startButton"),
        tr("Trains a new run with these settings (Ctrl+R)"), QStringLiteral("play"));
    startButton_->setIcon(iconOnAccent(QStringLiteral("play")));
    setRole(startButton_, "primary");
    queueButton_ = button(tr("Queue"), QStringLiteral("queueButton"),
        tr("Puts this run at the end of the queue: it starts by itself when nothing else trains (Ctrl+Shift+Q)"),
        {}); // words alone: with signs the three would make the panel wider than the rest of it needs
    severalButton_ = button(tr("Several\u2026"), QStringLiteral("severalButton"),
        tr("Queues runs that differ in one or two settings, each with several seeds (Ctrl+Alt+R)"), {});
    copyCommandButton_ = button(tr("Copy as command"), QStringLiteral("copyCommand"), {}, QStringLiteral("copy"));
    resetButton_ = button(tr("Reset"), QStringLiteral("resetForm"),
        tr("Back to the preset (can be undone with Ctrl+Z)"), QStringLiteral("undo"));
    auto* starts = new QHBoxLayout;
    starts->setSpacing(6);
    starts->addWidget(startButton_, 1);
    starts->addWidget(queueButton_);
    starts->addWidget(severalButton_);
    auto* buttons = new QHBoxLayout;
    buttons->setSpacing(6);
    buttons->addWidget(copyCommandButton_, 1);
    buttons->addWidget(resetButton_);
    auto* layout = new QVBoxLayout(footer);
    layout->setContentsMargins(12, 10, 12, 12);
    layout->setSpacing(8);
    layout->addWidget(costs_);
    layout->addWidget(formError_);
    layout->addLayout(starts);
    layout->addLayout(buttons);
    connect(startButton_, &QPushButton::clicked, this, &ConfigForm::requestStart);
    connect(queueButton_, &QPushButton::clicked, this, &ConfigForm::requestQueue);
    connect(severalButton_, &QPushButton::clicked, this, &ConfigForm::severalRequested);
    connect(copyCommandButton_, &QPushButton::clicked, this, &ConfigForm::copyCommand);
    connect(resetButton_, &QPushButton::clicked, draft_, &ConfigDraft::reset);
    return footer;
}

} // namespace pha::ui
