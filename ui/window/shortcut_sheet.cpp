// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/window/shortcut_sheet.h"

#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/window/command_palette.h"
#include "ui/window/key_field.h"
#include "ui/window/shortcuts.h"

#include <QAction>
#include <QDialogButtonBox>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

enum { Command, Keys };

QString keyText(const QAction* action)
{
    return QKeySequence::listToString(action->shortcuts(), QKeySequence::NativeText);
}

} // namespace

ShortcutSheet::ShortcutSheet(QList<QAction*> actions, QWidget* parent)
    : QDialog(parent)
    , actions_(std::move(actions))
    , search_(new QLineEdit)
    , list_(new QTreeWidget)
    , name_(new QLabel)
    , message_(new QLabel)
    , keys_(new KeyField)
    , assign_(button(tr("&Assign"), QStringLiteral("shortcutAssign"), tr("Gives the command these keys")))
    , none_(button(tr("&None"), QStringLiteral("shortcutNone"), tr("Takes its keys from the command")))
    , usual_(button(tr("&Usual keys"), QStringLiteral("shortcutUsual"), tr("Gives the command its usual keys again")))
    , all_(button(
          tr("A&ll as at first"), QStringLiteral("shortcutResetAll"), tr("Gives all commands their usual keys again")))
{
    setObjectName(QStringLiteral("shortcutSheet"));
    setWindowTitle(tr("Keyboard shortcuts"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(560, 560);
    build();
    fill();
    connect(search_, &QLineEdit::textChanged, this, &ShortcutSheet::search);
    connect(list_, &QTreeWidget::currentItemChanged, this, &ShortcutSheet::choose);
    connect(list_, &QTreeWidget::itemActivated, this, [this] { keys_->setFocus(Qt::OtherFocusReason); });
    connect(keys_, &KeyField::keysChanged, this, &ShortcutSheet::judge);
    connect(keys_, &QLineEdit::returnPressed, assign_, &QPushButton::click);
    connect(assign_, &QPushButton::clicked, this, &ShortcutSheet::assign);
    connect(none_, &QPushButton::clicked, this, [this] {
        keys_->setKeys({});
        assign();
    });
    connect(usual_, &QPushButton::clicked, this, [this] {
        shortcuts::reset(chosen());
        choose();
    });
    connect(all_, &QPushButton::clicked, this, &ShortcutSheet::resetAll);
    list_->setCurrentItem(list_->topLevelItem(0));
}

QPushButton* ShortcutSheet::button(const QString& text, const QString& id, const QString& tip)
{
    auto* b = new QPushButton(text);
    b->setObjectName(id);
    b->setToolTip(plainToolTip(tip));
    b->setAutoDefault(false);
    return b;
}

void ShortcutSheet::build()
{
    search_->setObjectName(QStringLiteral("shortcutSearch"));
    search_->setPlaceholderText(tr("Find a command or keys"));
    search_->setAccessibleName(search_->placeholderText());
    search_->setToolTip(plainToolTip(tr("Words of a command's name, or keys such as Ctrl+R")));
    search_->setClearButtonEnabled(true);
    list_->setObjectName(QStringLiteral("shortcutList"));
    list_->setAccessibleName(tr("Commands and their keys"));
    list_->setToolTip(plainToolTip(tr("Enter goes to the keys of the chosen command; other keys than usual are bold")));
    list_->setHeaderLabels({ tr("Command"), tr("Keys") });
    list_->setRootIsDecorated(false);
    list_->setUniformRowHeights(true);
    list_->header()->setStretchLastSection(false);
    list_->header()->setSectionResizeMode(Command, QHeaderView::Stretch);
    list_->header()->setSectionResizeMode(Keys, QHeaderView::ResizeToContents);
    name_->setObjectName(QStringLiteral("shortcutName"));
    name_->setTextFormat(Qt::PlainText);
    setRole(name_, "heading");
    keys_->setObjectName(QStringLiteral("shortcutKeys"));
    keys_->setAccessibleName(tr("New keys"));
    keys_->setToolTip(plainToolTip(tr("Press the keys that the command shall have")));
    message_->setObjectName(QStringLiteral("shortcutMessage"));
    message_->setTextFormat(Qt::PlainText);
    message_->setWordWrap(true);
    message_->setMinimumHeight(2 * message_->fontMetrics().height()); // nothing moves when it speaks
    message_->setAlignment(Qt::AlignTop);
    auto* row = new QHBoxLayout;
    row->addWidget(keys_, 1);
    for (auto* b : { assign_, none_, usual_ }) row->addWidget(b);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Close);
    auto* close = buttons->button(QDialogButtonBox::Close);
    close->setObjectName(QStringLiteral("shortcutClose"));
    close->setToolTip(plainToolTip(tr("Closes the sheet (Esc)")));
    close->setAutoDefault(false);
    buttons->addButton(all_, QDialogButtonBox::ResetRole);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    auto* layout = new QVBoxLayout(this);
    layout->addWidget(search_);
    layout->addWidget(list_, 1);
    layout->addWidget(name_);
    layout->addLayout(row);
    layout->addWidget(message_);
    layout->addWidget(buttons);
}

void ShortcutSheet::fill()
{
    for (int i = 0; i < actions_.size(); ++i) {
        auto* row = new QTreeWidgetItem(list_);
        row->setData(Command, Qt::UserRole, i);
        row->setSizeHint(Command, QSize(0, fontMetrics().height() + 9));
        refresh(row);
        row->setToolTip(Command, plainToolTip(actions_[i]->statusTip()));
    }
}

void ShortcutSheet::refresh(QTreeWidgetItem* row)
{
    const auto* action = actions_[row->data(Command, Qt::UserRole).toInt()];
    row->setText(Command, plainActionText(action));
    row->setText(Keys, keyText(action));
    auto font = row->font(Command);
    font.setBold(!shortcuts::isUsual(action));
    row->setFont(Keys, font);
}

void ShortcutSheet::search(const QString& text)
{
    const auto words = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
    for (int i = 0; i < list_->topLevelItemCount(); ++i) {
        auto* row = list_->topLevelItem(i);
        const auto all = row->text(Command) + QLatin1Char(' ') + row->text(Keys);
        row->setHidden(!std::all_of(
            words.begin(), words.end(), [&](const QString& word) { return all.contains(word, Qt::CaseInsensitive); }));
    }
}

QAction* ShortcutSheet::chosen() const
{
    const auto* row = list_->currentItem();
    return row ? actions_[row->data(Command, Qt::UserRole).toInt()] : nullptr;
}

/// Shows the chosen command as it is now, and all the others, of which one may have lost its keys.
void ShortcutSheet::choose()
{
    for (int i = 0; i < list_->topLevelItemCount(); ++i) refresh(list_->topLevelItem(i));
    const auto* action = chosen();
    name_->setText(action ? plainActionText(action) : QString());
    keys_->setKeys(action ? action->shortcut() : QKeySequence());
    judge();
}

/// What is to be said of the keys in the field, and whether they can be assigned.
void ShortcutSheet::judge()
{
    const auto* action = chosen();
    const auto keys = keys_->keys();
    const auto text = keys.toString(QKeySequence::NativeText);
    const auto refused = shortcuts::refusal(keys);
    const auto* owner = shortcuts::owner(actions_, keys, action);
    setRole(message_, refused.isEmpty() ? owner ? "warning" : "muted" : "error");
    message_->setText(!refused.isEmpty() ? tr("%1 %2; choose other keys.").arg(text, refused)
            : owner
            ? tr("%1 is the key of \u201c%2\u201d; Assign takes it from there.").arg(text, plainActionText(owner))
            : tr("Hints elsewhere in the window name the usual keys."));
    const bool changed = action && !keys.isEmpty() && !action->shortcuts().contains(keys);
    assign_->setEnabled(changed && refused.isEmpty());
    none_->setEnabled(action && !action->shortcuts().isEmpty());
    usual_->setEnabled(action && !shortcuts::isUsual(action));
    all_->setEnabled(!std::all_of(actions_.begin(), actions_.end(), shortcuts::isUsual));
}

void ShortcutSheet::assign()
{
    auto* action = chosen();
    if (!action) return;
    const auto keys = keys_->keys();
    if (auto* owner = shortcuts::owner(actions_, keys, action)) shortcuts::take(owner, keys);
    shortcuts::assign(action, keys);
    choose();
}

void ShortcutSheet::resetAll()
{
    for (auto* action : actions_) shortcuts::reset(action);
    choose();
}

} // namespace pha::ui
