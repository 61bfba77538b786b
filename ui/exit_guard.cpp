// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/exit_guard.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pha::ui {

namespace {
std::atomic<ExitGuard*> onGuard { nullptr };
} // namespace

ExitGuard::ExitGuard(std::function<void()> farewell)
    : farewell_(std::move(farewell))
{
    onGuard = this;
    arm();
}

ExitGuard::~ExitGuard() { onGuard = nullptr; }

void ExitGuard::arm() { on_exit(&ExitGuard::leave, nullptr); }

void ExitGuard::leave(int code, void*)
{
    auto* guard = onGuard.exchange(nullptr);
    if (!guard) return;
    guard->farewell_();
    std::fflush(nullptr);
    std::_Exit(code);
}

} // namespace pha::ui
