// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/config_form.h"

#include "engine/data/corpus.h"
#include "ui/config_form/form_section.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QAction>
#include <QClipboard>
#include <QComboBox>
#include <QGridLayout>
#include <QGuiApplication>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QToolButton>
#include <QVBoxLayout>

namespace pha::ui {

ConfigForm::ConfigForm(ConfigDraft* draft, Dialogs* dialogs, QWidget* parent)
    : QWidget(parent)
    , draft_(draft)
    , dialogs_(dialogs)
{
    setObjectName(QStringLiteral("configForm"));
    auto* scroll = new QScrollArea;
    scroll->setObjectName(QStringLiteral("configScroll"));
    scroll->setWidgetResizable(true);
    scroll->setFrameShape(QFrame::NoFrame);
    scroll->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    scroll->setFocusPolicy(Qt::NoFocus);
    auto* inside = new QWidget;
    inside->setObjectName(QStringLiteral("configInside"));
    makeSections(inside);
    scroll->setWidget(inside);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    const auto separator = [&] {
        auto* line = new QFrame;
        setRole(line, "separator");
        layout->addWidget(line);
    };
    layout->addWidget(makeHeader());
    separator();
    layout->addWidget(scroll, 1);
    separator();
    layout->addWidget(makeFooter());

    for (const bool undo : { true, false }) {
        auto* action = undo ? draft_->undoStack().createUndoAction(this, tr("Undo"))
                            : draft_->undoStack().createRedoAction(this, tr("Redo"));
        action->setObjectName(undo ? QStringLiteral("undoAction") : QStringLiteral("redoAction"));
        action->setShortcuts(undo ? QKeySequence::Undo : QKeySequence::Redo);
        action->setShortcutContext(Qt::WidgetWithChildrenShortcut);
        addAction(action);
    }
    connect(draft_, &ConfigDraft::changedValues, this, &ConfigForm::refresh);
    connect(&times_, &RunTimes::answered, this, [this](const RunOutlook& planned) {
        planned_ = planned;
        showCosts();
        refreshStart(); // it may need more memory than was known before
    });
    connect(&memoryTimer_, &QTimer::timeout, this, [this] {
        if (isVisible()) showCosts();
    });
    memoryTimer_.start(5000);
    refresh();
}

void ConfigForm::setEngineInfo(const EngineInfo& info)
{
    engine_ = info;
    refresh();
}

void ConfigForm::setBlocked(const QString& reason, const QString& whole)
{
    blocked_ = reason;
    blockedWhole_ = whole;
    refreshStart();
}

QString ConfigForm::runName() const
{
    const auto typed = singleLine(draft_->values().name);
    return typed.isEmpty() ? draft_->suggestedName() : typed;
}

void ConfigForm::focusFirst() { presetCombo_->setFocus(Qt::OtherFocusReason); }

void ConfigForm::browse()
{
    const auto file = dialogs_->openFile(this, tr("Text to train on"), textFilter());
    if (file.isEmpty()) return;
    draft_->endOfTyping();
    draft_->setText("data", file);
    draft_->endOfTyping();
}

void ConfigForm::refresh()
{
    const auto& values = draft_->values();
    presetCombo_->setCurrentText(values.preset);
    presetSummary_->setText(fromUtf8(findPreset(values.preset.toStdString()).summary));
    if (dataCombo_->currentText() != draft_->text("data")) dataCombo_->setEditText(draft_->text("data"));
    dataError_->setText(draft_->error("data"));
    dataError_->setVisible(!draft_->error("data").isEmpty());
    if (nameEdit_->text() != values.name) nameEdit_->setText(values.name);
    nameEdit_->setPlaceholderText(draft_->suggestedName());
    for (auto* section : sections_) section->refresh();
    refreshFork();
    refreshCosts();
    copyCommandButton_->setToolTip(plainToolTip(draft_->command()));
    resetButton_->setEnabled(!values.overrides.empty() || !values.name.isEmpty());
    refreshStart();
}

void ConfigForm::refreshFork()
{
    const auto& path = draft_->values().fork;
    const auto& point = draft_->forkPoint();
    forkLine_->setVisible(!path.isEmpty());
    const auto says = [&point](const QString& name) {
        return point ? tr("Forks %1 at step %2").arg(name, formatCount(point->parent.step))
                     : tr("Forks a run that cannot be read");
    };
    const auto name = point ? singleLine(fromUtf8(point->parent.name)) : QString();
    forkLabel_->setText(says(shortened(name)));
    forkLabel_->setToolTip(plainToolTip(says(name) + QLatin1Char('\n')
        + tr(
            "The new run goes on from %1 with its weights, optimiser and place in the data. The run itself stays as it "
            "is. Settings that are not marked as changed are those of that run.")
              .arg(path)));
    const auto start = path.isEmpty() ? tr("Start run") : tr("Start fork");
    if (startButton_->text() != start) startButton_->setText(start);
}

void ConfigForm::refreshCosts()
{
    if (const auto config = draft_->config()) times_.ask(*config);
    showCosts(); // by what was known before: the answer comes in a moment
}

void ConfigForm::showCosts()
{
    const auto config = draft_->config();
    const bool same = config && planned_.data == config->data; // else a run with other data was looked at
    costs_->setCosts(config ? std::optional(estimateCosts(*config, engine_, planned_.basis,
                         same ? planned_.vocabulary : std::nullopt, draft_->forkPoint()))
                            : std::nullopt);
}

void ConfigForm::refreshStart()
{
    const auto errors = draft_->errors();
    const auto general = draft_->error("");
    QString text = general;
    if (text.isEmpty() && !errors.isEmpty()) text = tr("Correct what is marked above before the start.");
    if (text.isEmpty()) text = blocked_;
    const bool wrong = !errors.isEmpty();
    if (text.isEmpty() && !costs_->fits())
        text = tr("Needs more memory than is free: a smaller batch size or context takes less.");
    setRole(formError_, wrong ? "error" : blocked_.isEmpty() ? "warning" : "muted");
    formError_->setText(text);
    formError_->setToolTip(plainToolTip(text == blocked_ ? blockedWhole_ : QString()));
    formError_->setVisible(!text.isEmpty());
    startButton_->setEnabled(!wrong && blocked_.isEmpty());
    queueButton_->setEnabled(!wrong);
    severalButton_->setEnabled(!wrong && draft_->values().fork.isEmpty());
}

void ConfigForm::requestStart()
{
    if (const auto config = draft_->config(); config && blocked_.isEmpty()) {
        Q_EMIT startRequested(*config, runName(), draft_->values().fork);
        return;
    }
    refuse();
}

void ConfigForm::requestQueue()
{
    if (const auto config = draft_->config())
        Q_EMIT queueRequested(*config, runName(), draft_->values().fork);
    else
        refuse();
}

void ConfigForm::refuse()
{
    Q_EMIT refused();
    for (const auto& grouped : allFields()) {
        if (draft_->error(grouped.field.name).isEmpty()) continue;
        if (grouped.field.name == "data") return dataCombo_->setFocus(Qt::OtherFocusReason);
        settingSearch_->clear(); // it may be for others
        for (auto* section : sections_)
            if (section->reveal(grouped.field.name)) return;
    }
}

void ConfigForm::copyCommand()
{
    QGuiApplication::clipboard()->setText(draft_->command());
    Q_EMIT commandCopied(draft_->command());
}

} // namespace pha::ui
