// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

namespace pha::ui {

class RunSession;

/// A text that fits the run, for who has not typed one: the prompt of its samples. Empty if it has none yet.
QString proposedPrompt(const RunSession& session);

} // namespace pha::ui
