// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

namespace pha {

/// Takes the places of standard streams that were closed before the program began. Otherwise the next files that are
/// opened get their numbers, and what is printed ends up in a run or a pipe of the program's own. For the start of
/// main.
void occupyClosedStreams();

} // namespace pha
