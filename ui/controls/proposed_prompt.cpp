// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/proposed_prompt.h"

#include "ui/format.h"
#include "ui/session/run_session.h"

namespace pha::ui {

QString proposedPrompt(const RunSession& session)
{
    const auto chosen = fromUtf8(session.file().config.training.samplePrompt);
    const auto& samples = session.history().samples;
    return chosen.isEmpty() && !samples.empty() ? fromUtf8(samples.back().prompt) : chosen;
}

} // namespace pha::ui
