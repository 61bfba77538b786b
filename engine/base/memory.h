// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>

namespace pha {

/// Bytes of this machine's memory that programs may still take; 0 if nobody knows.
std::int64_t availableMemory();

} // namespace pha
