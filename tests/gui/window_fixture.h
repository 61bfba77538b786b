// SPDX-License-Identifier: GPL-3.0-or-later
// The whole window with an engine that is none, in a home of its own, and dialogs that tests answer.
#pragma once

#include "test_home.h"
#include "ui/window/main_window.h"

#include <QAction>

#include <functional>
#include <memory>
#include <optional>
#include <vector>

namespace pha::test {

/// As the program does it, the style sheet last: every panel built under one is polished once for each of its parents.
std::unique_ptr<ui::MainWindow> makeWindow(ui::WindowParts parts);

struct WindowFixture {
    TestHome home;
    FakeEngine engine;
    std::vector<QString> questions;
    QStringList words; ///< all that dialogs were given to show
    bool answer = true;
    std::optional<double> number;
    std::function<void()> whileAsked; ///< what happens before a number or an answer is given
    double offered = 0; ///< by the dialog that asks for a number
    QString folder;
    std::unique_ptr<ui::MainWindow> window;

    explicit WindowFixture(FakeOptions options = {});
    void open();
    template <class T = QWidget> T* find(const char* name) const { return window->findChild<T*>(QLatin1String(name)); }
    QAction* action(const char* name) const { return find<QAction>(name); }
    ui::RunSession* session(const char* name) const { return window->runs().session(home.runs() / name); }
    /// A run that trains for as long as the test likes.
    void startLong();
};

} // namespace pha::test
