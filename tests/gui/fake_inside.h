// SPDX-License-Identifier: GPL-3.0-or-later
// A look inside whose every figure is known: attention of head h looks h + 1 tokens back, a state space forgets by
// halves, the parts take turns in pushing, and a layer more makes the token that comes as much more probable.
#pragma once

#include "engine/engine.h"

namespace pha::test {

/// Part p of layer l pushes token t by (p + 1) + l / 10 nats if it is its turn, and pulls by a tenth of that otherwise.
double fakePush(std::int64_t layer, std::size_t part, std::size_t parts, std::size_t token);
InsideView fakeInside(const RunConfig& config, std::int64_t step, std::vector<GeneratedToken> tokens);
/// All heads of the last layer are induction heads.
HeadTest fakeHeadTest(const RunConfig& config, std::int64_t step);

} // namespace pha::test
