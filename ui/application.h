// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QApplication>
#include <QElapsedTimer>

#include <filesystem>
#include <memory>
#include <vector>

namespace pha::ui {

class MainWindow;

/// What the command line asked for.
struct StudioOptions {
    bool demo = false;
    std::filesystem::path runsFolder; ///< empty: the one of the settings
    std::filesystem::path screenshots; ///< not empty: save pictures there and leave
    std::vector<std::filesystem::path> runs; ///< to open and show
    std::filesystem::path playBack; ///< not empty: a run to play back at once
    QString speed; ///< at which; empty: that of the settings
};

/// The program around the window: names, look, signals of the system, and the last catch of an exception.
class Application : public QApplication {
    Q_OBJECT

public:
    static void setNames(); ///< before the first object that reads settings
    Application(int& argc, char** argv);
    ~Application() override;

    /// Shows the window and works until it is closed. Returns the exit code: 0, or 130/143 after a signal.
    int run(const StudioOptions& options);

    bool notify(QObject* receiver, QEvent* event) override;
    /// Longest time that the GUI thread spent on one event since the last call, in milliseconds.
    double takeLongestTask();

Q_SIGNALS:
    void exceptionCaught(const QString& message);

private:
    void catchSignals();
    void signalled();

    std::unique_ptr<MainWindow> window_;
    QElapsedTimer clock_;
    qint64 longest_ = 0; ///< nanoseconds
    int depth_ = 0, exitCode_ = 0;
    bool asked_ = false; ///< a dialog or menu was open during the present task: its time is the user's
};

} // namespace pha::ui
