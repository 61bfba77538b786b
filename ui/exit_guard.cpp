// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/exit_guard.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace pha::ui {

namespace {
std::atomic<ExitGuard*> active { nullptr };
} // namespace

ExitGuard::ExitGuard(std::function<void()> farewell)
    : farewell_(std::move(farewell))
{
    active = this;
    arm();
}

ExitGuard::~ExitGuard() { active = nullptr; }

void ExitGuard::arm() { on_exit(&ExitGuard::leave, nullptr); }

void ExitGuard::leave(int code, void*)
{
    auto* guard = active.exchange(nullptr);
    if (!guard) return;
    guard->farewell_();
    std::fflush(nullptr);
    std::_Exit(code);
}

} // namespace pha::ui
