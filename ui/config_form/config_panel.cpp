// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/config_panel.h"

#include "ui/format.h"

#include <QSettings>
#include <QTabWidget>
#include <QVBoxLayout>

namespace pha::ui {

namespace {

constexpr auto draftGroup = "draft";

} // namespace

ConfigPanel::ConfigPanel(Dialogs* dialogs, QWidget* parent)
    : QWidget(parent)
    , form_(new ConfigForm(&draft_, dialogs))
    , frozen_(new FrozenConfig)
    , tabs_(new QTabWidget)
{
    setObjectName(QStringLiteral("configPanel"));
    tabs_->setObjectName(QStringLiteral("configTabs"));
    tabs_->setDocumentMode(true);
    tabs_->addTab(form_, tr("New run"));
    tabs_->addTab(frozen_, tr("Selected run"));
    tabs_->setTabToolTip(0, plainToolTip(tr("Set up and start a run (Ctrl+N)")));
    tabs_->setTabToolTip(
        1, plainToolTip(tr("The settings of the selected run; some can be changed while it trains (Ctrl+Shift+L)")));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addWidget(tabs_);

    loadDraft();
    saveTimer_.setSingleShot(true);
    saveTimer_.setInterval(500);
    connect(&saveTimer_, &QTimer::timeout, this, &ConfigPanel::saveDraft);
    connect(&draft_, &ConfigDraft::changedValues, &saveTimer_, qOverload<>(&QTimer::start));
    connect(frozen_, &FrozenConfig::cloneRequested, this, &ConfigPanel::cloneSession);
    connect(frozen_, &FrozenConfig::changeRequested, this, &ConfigPanel::changeRequested);
    connect(frozen_, &FrozenConfig::refused, this, &ConfigPanel::refused);
}

ConfigPanel::~ConfigPanel()
{
    if (saveTimer_.isActive()) saveDraft();
    delete tabs_; // the widgets in it use the draft, a member that goes before children do
}

void ConfigPanel::setSession(RunSession* session)
{
    session_ = session;
    frozen_->setSession(session);
}

void ConfigPanel::cloneSession()
{
    if (!session_ || !session_->problem().isEmpty()) return;
    draft_.clone(session_->file().config, tr("%1 copy").arg(session_->name()));
    showForm();
}

void ConfigPanel::forkSession(const fs::path& checkpoint)
{
    draft_.fork(fromPath(checkpoint));
    showForm();
}

void ConfigPanel::showForm()
{
    tabs_->setCurrentWidget(form_);
    form_->focusFirst();
}

void ConfigPanel::showRun() { tabs_->setCurrentWidget(frozen_); }

void ConfigPanel::editRun()
{
    showRun();
    frozen_->focusChangeable();
}

void ConfigPanel::saveDraft()
{
    QSettings settings;
    settings.beginGroup(QLatin1String(draftGroup));
    settings.remove(QString());
    const auto& values = draft_.values();
    settings.setValue(QStringLiteral("preset"), values.preset);
    settings.setValue(QStringLiteral("name"), values.name);
    settings.setValue(QStringLiteral("fork"), values.fork);
    for (const auto& [key, text] : values.overrides)
        settings.setValue(QStringLiteral("set/") + fromUtf8(key), fromUtf8(text));
}

void ConfigPanel::loadDraft()
{
    QSettings settings;
    settings.beginGroup(QLatin1String(draftGroup));
    DraftValues values;
    values.preset = settings.value(QStringLiteral("preset")).toString();
    values.name = settings.value(QStringLiteral("name")).toString();
    values.fork = settings.value(QStringLiteral("fork")).toString();
    settings.beginGroup(QStringLiteral("set"));
    for (const auto& key : settings.childKeys())
        values.overrides[key.toStdString()] = settings.value(key).toString().toStdString();
    if (!values.preset.isEmpty()) draft_.restore(values);
}

} // namespace pha::ui
