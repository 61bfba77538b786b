// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace pha {

/// Throws Error if a limit on the process's addresses (ulimit -v) leaves no room for the buffers of a matrix product on
/// so many threads: OpenBLAS asks for them again and again, for ever, when it does not get them.
void requireProductBuffers(int threads);
/// The same before LibTorch is opened: OpenBLAS takes a buffer as soon as it is loaded. Also if the stack is limited
/// (ulimit -s) to less than LibTorch works with: it would crash without a word.
void requireLibraryRoom();

} // namespace pha
