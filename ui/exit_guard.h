// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <functional>

namespace pha::ui {

/// When its display goes away (the X server was killed), Qt calls exit() in the middle of the event loop. That would
/// tear down the tables of LibTorch under threads that still compute with them. While a guard lives, exit() only says
/// farewell and then ends the process without a destructor. One at a time.
class ExitGuard {
public:
    explicit ExitGuard(std::function<void()> farewell); ///< called on the thread that calls exit()
    ~ExitGuard(); ///< from now on exit() is exit() again
    ExitGuard(const ExitGuard&) = delete;
    ExitGuard& operator=(const ExitGuard&) = delete;

    /// What is registered last runs first: to be called after each thing that has destructors of its own, such as a
    /// library, was loaded or built. Any thread.
    static void arm();

private:
    static void leave(int code, void*);
    std::function<void()> farewell_;
};

} // namespace pha::ui
