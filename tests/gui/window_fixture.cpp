// SPDX-License-Identifier: GPL-3.0-or-later
#include "tests/gui/window_fixture.h"

#include "engine/config/families.h"
#include "ui/bench/bench_panel.h"
#include "ui/compare/compare_panel.h"
#include "ui/config_form/config_panel.h"
#include "ui/evaluate/evaluate_panel.h"
#include "ui/look/theme.h"

#include <QTest>

namespace pha::test {

std::unique_ptr<ui::MainWindow> makeWindow(ui::WindowParts parts)
{
    const bool styled = !qApp->styleSheet().isEmpty();
    qApp->setStyleSheet({});
    auto window = std::make_unique<ui::MainWindow>(std::move(parts));
    if (styled) ui::Theme::instance().apply();
    return window;
}

WindowFixture::WindowFixture(FakeOptions options)
    : engine(std::move(options))
{
    fs::create_directories(home.runs());
    open();
}

void WindowFixture::open()
{
    window.reset();
    ui::WindowParts parts;
    parts.engine = [this]() -> Engine& { return engine; };
    parts.runsFolder = home.runs();
    parts.dialogs.confirm = [this](QWidget*, const QString& title, const QString& text, const QString& verb) {
        words << title << text << verb;
        if (whileAsked) whileAsked();
        return questions.push_back(text), answer;
    };
    parts.dialogs.inform = [this](QWidget*, const QString& title, const QString& text) {
        words << title << text;
        questions.push_back(text);
    };
    parts.dialogs.number = [this](QWidget*, const QString& title, const QString& label, double value) {
        words << title << label;
        offered = value;
        if (whileAsked) whileAsked();
        return number;
    };
    parts.dialogs.openFolder = [this](QWidget*, const QString& title) { return words << title, folder; };
    parts.dialogs.openFile = [this](QWidget*, const QString& title, const QString& filter) {
        return words << title << filter, QString();
    };
    parts.dialogs.saveFile = [this](QWidget*, const QString& title, const QString& filter, const QString&) {
        return words << title << filter, QString();
    };
    const auto trash = home.path() / "trash";
    parts.dialogs.moveToTrash = [trash](const QString& path) -> std::optional<QString> {
        fs::create_directories(trash);
        const auto place = trash / fs::path(path.toStdString()).filename();
        std::error_code problem;
        fs::rename(path.toStdString(), place, problem);
        if (problem) return std::nullopt;
        return QString::fromStdString(place.string());
    };
    parts.dialogs.putBack = ui::Dialogs::real().putBack;
    window = makeWindow(std::move(parts));
    const auto nowhere = [](QWidget*) { return QString(); };
    window->findChild<ui::ComparePanel*>()->askForFile = nowhere;
    window->findChild<ui::BenchPanel*>()->askForFile = nowhere;
    window->findChild<ui::EvaluatePanel*>()->askForFile = nowhere;
    window->show();
    QVERIFY(QTest::qWaitForWindowExposed(window.get(), patience));
}

void WindowFixture::startLong()
{
    auto config = presets().front().config;
    config.training.steps = 100000000;
    Q_EMIT find<ui::ConfigForm>("configForm")->startRequested(config, QStringLiteral("long"));
    QTRY_VERIFY(session("long") && session("long")->step() > 3);
}

} // namespace pha::test
