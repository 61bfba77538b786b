// SPDX-License-Identifier: GPL-3.0-or-later
// One panel of the window, for a run on disk and an engine whose networks do what a test says.
#pragma once

#include "tests/gui/fake_model.h"
#include "ui/look/theme.h"
#include "ui/session/run_session.h"

#include <QAbstractButton>
#include <QAbstractItemView>
#include <QCoreApplication>
#include <QLabel>
#include <QPushButton>
#include <QSettings>
#include <QStandardPaths>
#include <QTemporaryDir>

namespace pha::test {

/// A test is one, so that its functions have all this at hand.
template <class Panel> struct PanelFixture {
    QTemporaryDir folder_; ///< for the run, settings, and what a test writes
    RunConfig config_;
    fs::path run_ = folder_.filePath(QStringLiteral("run")).toStdString();
    std::unique_ptr<ScriptedEngine> engine_;
    std::shared_ptr<Script> script_;
    std::unique_ptr<ui::RunSession> session_;
    std::unique_ptr<Panel> panel_;

    PanelFixture()
    {
        QStandardPaths::setTestModeEnabled(true);
        QCoreApplication::setOrganizationName(QStringLiteral("pha-panel-test"));
        QSettings::setPath(QSettings::NativeFormat, QSettings::UserScope, folder_.path());
        ui::Theme::instance().apply();
        config_.training.steps = 40;
    }

    /// A new engine, and a panel on it that is given no run yet.
    void openPanel(int width, int height)
    {
        engine_ = std::make_unique<ScriptedEngine>();
        engine_->config = config_;
        script_ = engine_->script;
        panel_ = std::make_unique<Panel>(nullptr, [this]() -> Engine& { return *engine_; });
        panel_->resize(width, height);
        panel_->show();
    }
    /// Reads the run to its end.
    void openSession()
    {
        session_ = std::make_unique<ui::RunSession>(run_);
        QTRY_VERIFY(session_->modelSource().available);
        QTRY_VERIFY(!session_->history().mixing.empty() && !session_->loading());
    }
    void close()
    {
        panel_.reset();
        session_.reset();
    }

    template <class T> T* find(const char* name) const { return panel_->template findChild<T*>(QLatin1String(name)); }
    QPushButton* button(const char* name) const { return find<QPushButton>(name); }
    QLabel* label(const char* name) const { return find<QLabel>(name); }
    /// What the script holds of that kind: scripted(&Script::looks).
    template <class T> T scripted(T Script::*member) const
    {
        return script_->read([member](const Script& s) { return s.*member; });
    }
};

/// The first button below `parent` that people who cannot see it, or who do not know it, are told nothing of.
/// Empty: there is none. The buttons that Qt makes for itself do not count.
inline QString unnamedControl(const QWidget* parent)
{
    for (const auto* button : parent->findChildren<QAbstractButton*>()) {
        const auto* around = button->parentWidget();
        if (button->objectName().startsWith(QLatin1String("qt_")) || qobject_cast<const QAbstractItemView*>(around)
            || (around && around->inherits("QTabBar")))
            continue;
        if (button->objectName().isEmpty() || button->accessibleName().isEmpty() || button->toolTip().isEmpty())
            return QLatin1String(button->metaObject()->className()) + QLatin1Char(' ') + button->objectName();
    }
    return {};
}

} // namespace pha::test
