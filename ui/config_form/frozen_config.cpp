// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/frozen_config.h"

#include "engine/base/error.h"
#include "engine/run/course.h"
#include "ui/config_form/config_draft.h"
#include "ui/config_form/setting_delegate.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QCheckBox>
#include <QHeaderView>
#include <QLabel>
#include <QPushButton>
#include <QScrollBar>
#include <QShortcut>
#include <QStackedWidget>
#include <QStandardItemModel>
#include <QTreeView>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

const Preset* presetOf(const RunConfig& config)
{
    for (const auto& preset : presets())
        if (preset.name == config.preset) return &preset;
    return nullptr;
}

Json shownOf(const RunFile& file) { return { file.config.toJson(), file.environment }; }

QStandardItem* cell(const QString& text, const QString& tip = {})
{
    auto* item = new QStandardItem(singleLine(text));
    item->setEditable(false);
    item->setToolTip(plainToolTip(tip.isEmpty() ? text : tip));
    return item;
}

} // namespace

FrozenConfig::FrozenConfig(QWidget* parent)
    : QWidget(parent)
    , stack_(new QStackedWidget)
    , title_(new QLabel)
    , subtitle_(new QLabel)
    , hint_(new QLabel(tr("It trains here: double click a setting in bold, or press Enter, to change it from the next "
                          "update on.")))
    , onlyDifferences_(new QCheckBox(tr("Only what differs from the preset")))
    , tree_(new QTreeView)
    , model_(new QStandardItemModel(this))
    , cloneButton_(new QPushButton(tr("Clone into a new run")))
{
    setObjectName(QStringLiteral("frozenConfig"));
    title_->setObjectName(QStringLiteral("frozenTitle"));
    title_->setTextFormat(Qt::PlainText);
    title_->setWordWrap(true);
    setRole(title_, "heading");
    subtitle_->setObjectName(QStringLiteral("frozenSubtitle"));
    subtitle_->setTextFormat(Qt::PlainText);
    subtitle_->setWordWrap(true);
    setRole(subtitle_, "small");
    hint_->setObjectName(QStringLiteral("frozenHint"));
    hint_->setWordWrap(true);
    setRole(hint_, "small");
    hint_->hide();
    onlyDifferences_->setObjectName(QStringLiteral("onlyDifferences"));
    onlyDifferences_->setToolTip(plainToolTip(tr("Hides settings that have the preset's value")));
    tree_->setObjectName(QStringLiteral("frozenTree"));
    tree_->setToolTip(tr("The settings of the selected run as they stand now"));
    tree_->setAccessibleName(tr("Configuration of the run"));
    tree_->setModel(model_);
    tree_->setFrameShape(QFrame::NoFrame);
    tree_->setUniformRowHeights(true);
    tree_->setIndentation(12);
    tree_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    tree_->header()->setStretchLastSection(false); // it has a mode that stretches; with both it would never shrink
    tree_->setSelectionMode(QAbstractItemView::ContiguousSelection);
    tree_->setEditTriggers(QAbstractItemView::NoEditTriggers); // of which F2 shows another panel
    const auto edit = [this](const QModelIndex& index) {
        const auto value = index.siblingAtColumn(1);
        if (value.flags() & Qt::ItemIsEditable) tree_->edit(value);
    };
    connect(tree_, &QTreeView::doubleClicked, this, edit);
    connect(new QShortcut(Qt::Key_Return, tree_, nullptr, nullptr, Qt::WidgetShortcut), &QShortcut::activated, this,
        [this, edit] { edit(tree_->currentIndex()); });
    auto* delegate = new SettingDelegate(this);
    tree_->setItemDelegateForColumn(1, delegate);
    connect(delegate, &SettingDelegate::edited, this, &FrozenConfig::change);
    const auto afterTyping = [this] {
        if (putOff_) fill();
    };
    connect(delegate, &SettingDelegate::closeEditor, this, afterTyping, Qt::QueuedConnection); // when it is gone
    cloneButton_->setObjectName(QStringLiteral("cloneButton"));
    cloneButton_->setIcon(icon(QStringLiteral("clone")));
    cloneButton_->setToolTip(
        plainToolTip(tr("Copies these settings into the form, ready to be changed (Ctrl+Shift+R)")));

    auto* page = new QWidget;
    auto* layout = new QVBoxLayout(page);
    layout->setContentsMargins(12, 10, 12, 12);
    layout->setSpacing(6);
    layout->addWidget(title_);
    layout->addWidget(subtitle_);
    layout->addWidget(hint_);
    layout->addWidget(onlyDifferences_);
    layout->addWidget(tree_, 1);
    layout->addWidget(cloneButton_);
    auto* empty =
        new QLabel(tr("No run is selected.\nSelect one on the left to see the settings it was started with."));
    empty->setObjectName(QStringLiteral("frozenEmpty"));
    empty->setAlignment(Qt::AlignCenter);
    empty->setWordWrap(true);
    empty->setMargin(18);
    setRole(empty, "muted");
    stack_->addWidget(empty);
    stack_->addWidget(page);
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    outer->addWidget(stack_);
    connect(onlyDifferences_, &QCheckBox::toggled, this, &FrozenConfig::fill);
    connect(cloneButton_, &QPushButton::clicked, this, &FrozenConfig::cloneRequested);
    connect(&Theme::instance(), &Theme::changed, this, &FrozenConfig::fill);
}

void FrozenConfig::setSession(RunSession* session)
{
    if (session == session_) return;
    if (session_) session_->disconnect(this);
    session_ = session;
    if (session) connect(session, &RunSession::stateChanged, this, &FrozenConfig::refresh);
    stack_->setCurrentIndex(session ? 1 : 0);
    live_ = false;
    hint_->hide();
    fillNow();
    refresh();
}

void FrozenConfig::refresh()
{
    if (!session_) return;
    const auto& file = session_->file();
    title_->setText(session_->name());
    auto created = singleLine(fromUtf8(file.created)).replace(QLatin1Char('T'), QLatin1Char(' '));
    QStringList parts;
    if (!file.config.preset.empty()) parts << tr("from preset %1").arg(fromUtf8(file.config.preset));
    if (!created.isEmpty()) parts << tr("started %1").arg(created.replace(QLatin1Char('Z'), QLatin1String(" UTC")));
    for (const char* machine : { "card", "processor" })
        if (const auto found = file.environment.find(machine); found != file.environment.end() && found->is_string()) {
            parts << tr("on %1").arg(singleLine(fromUtf8(found->get<std::string>())));
            break;
        }
    subtitle_->setText(session_->problem().isEmpty() ? parts.join(QStringLiteral("  \u00b7  ")) : session_->problem());
    cloneButton_->setEnabled(session_->problem().isEmpty());
    // The engine fills in what the form left open, the vocabulary above all, once it has read the text.
    const auto state = session_->state();
    const bool live = session_->job() && (state == RunState::Running || state == RunState::Paused);
    if (live == live_ && shownOf(file) == filled_ && commands_ == session_->history().commands.size()) return;
    live_ = live;
    hint_->setVisible(live);
    fill();
}

bool FrozenConfig::changeable(const std::string& key) const { return live_ && changesWhileTraining(key); }

QString FrozenConfig::changesOf(const std::string& key) const
{
    QStringList lines;
    for (const auto& command : session_->history().commands)
        if (const auto change = settingChange(command); change && change->key == key)
            lines << (change->was.empty() ? tr("after update %1: %2").arg(change->step).arg(fromUtf8(change->value))
                                          : tr("after update %1: %2 \u2192 %3")
                                                .arg(change->step)
                                                .arg(fromUtf8(change->was), fromUtf8(change->value)));
    return lines.join(QLatin1Char('\n'));
}

void FrozenConfig::change(const QString& key, const QString& text)
{
    if (!session_) return;
    const auto name = key.toStdString();
    try {
        const auto value = fieldOf(name).parse(text.toStdString());
        withChange(session_->file().config, name, value, session_->step());
        Q_EMIT changeRequested(name, value);
    } catch (const Error& error) {
        Q_EMIT refused(errorLine(error));
    }
}

void FrozenConfig::goTo(const QString& key)
{
    const auto all =
        model_->match(model_->index(0, 0), SettingDelegate::Key, key, 1, Qt::MatchExactly | Qt::MatchRecursive);
    if (!all.isEmpty()) tree_->setCurrentIndex(all.front().siblingAtColumn(1));
}

void FrozenConfig::focusChangeable()
{
    goTo(QStringLiteral("learning_rate"));
    tree_->scrollTo(tree_->currentIndex(), QAbstractItemView::PositionAtCenter);
    tree_->setFocus();
}

bool FrozenConfig::typing() const
{
    const auto editors = tree_->findChildren<QWidget*>(QStringLiteral("settingEditor"));
    return std::any_of(editors.begin(), editors.end(), [](const QWidget* editor) { return !editor->isHidden(); });
}

void FrozenConfig::fill()
{
    putOff_ = typing(); // its editor would go with the rows, and with it what has been typed
    if (!putOff_) fillNow();
}

void FrozenConfig::fillNow()
{
    putOff_ = false;
    const auto place = tree_->currentIndex().siblingAtColumn(0).data(SettingDelegate::Key).toString();
    const int scrolled = tree_->verticalScrollBar()->value();
    model_->clear();
    filled_ = session_ ? shownOf(session_->file()) : Json();
    commands_ = session_ ? session_->history().commands.size() : 0;
    if (!session_ || !session_->problem().isEmpty()) return;
    const auto& file = session_->file();
    const auto* preset = presetOf(file.config);
    onlyDifferences_->setEnabled(preset);
    model_->setHorizontalHeaderLabels({ tr("Setting"), tr("Value") });
    const auto& colours = Theme::instance().colours();
    std::map<std::string, QStandardItem*> sections;
    for (const auto& grouped : allFields()) {
        const auto& field = grouped.field;
        const auto value = file.config.get(field.name);
        // The tokenizer decides the vocabulary, so it differs from the preset without anybody's doing.
        const bool differs = preset && field.name != "vocabulary" && preset->config.get(field.name) != value;
        if (onlyDifferences_->isChecked() && preset && !differs) continue;
        auto& section = sections[field.section];
        if (!section) {
            section = cell(fromUtf8(field.section));
            auto font = tree_->font();
            font.setWeight(QFont::DemiBold);
            section->setFont(font);
            model_->appendRow(section);
        }
        const auto tip = tr("%1\n%2").arg(fromUtf8(field.name), fromUtf8(field.help));
        const auto now = fromUtf8(settingText(value));
        auto text = differs
            ? QStringLiteral("%1 \u2192 %2").arg(fromUtf8(settingText(preset->config.get(field.name))), now)
            : now;
        auto valueTip = differs ? tr("%1\npreset \u2192 this run").arg(text) : text;
        if (const auto changes = changesOf(field.name); !changes.isEmpty()) {
            valueTip += QLatin1Char('\n') + changes;
            text = tr("%1 (changed)").arg(now); // what stands now is seen in a narrow panel too
        }
        const QList<QStandardItem*> row { cell(fromUtf8(field.label), tip), cell(text, valueTip) };
        if (differs)
            for (auto* item : row) item->setForeground(colours.accent);
        row[0]->setData(fromUtf8(field.name), SettingDelegate::Key);
        if (changeable(field.name)) {
            auto bold = tree_->font();
            bold.setWeight(QFont::DemiBold);
            row[1]->setFont(bold);
            row[1]->setEditable(true);
            row[1]->setData(fromUtf8(field.name), SettingDelegate::Key);
            row[1]->setData(fromUtf8(settingText(value)), SettingDelegate::Value);
        }
        section->appendRow(row);
    }
    if (model_->rowCount() == 0) model_->appendRow(cell(tr("Nothing: this is the preset")));
    const auto environment = file.environment.is_object() ? file.environment : Json::object();
    if (!environment.empty() && !onlyDifferences_->isChecked()) {
        auto* section = cell(tr("Environment"));
        for (const auto& [key, value] : environment.items())
            section->appendRow({ cell(fromUtf8(key)), cell(fromUtf8(settingText(value))) });
        model_->appendRow(section);
    }
    tree_->expandAll();
    tree_->header()->setSectionResizeMode(1, QHeaderView::Stretch); // clear() has forgotten it
    tree_->resizeColumnToContents(0);
    tree_->setColumnWidth(0, std::min(tree_->columnWidth(0), fontMetrics().averageCharWidth() * 32));
    for (int row = 0; row < model_->rowCount(); ++row) tree_->setFirstColumnSpanned(row, {}, true);
    goTo(place);
    tree_->verticalScrollBar()->setValue(scrolled);
}

} // namespace pha::ui
