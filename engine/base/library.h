// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace pha {

/// Opens a library that lies beside this one, with local symbols, and returns what its factory function makes. The
/// library is never closed. `ownSymbolsFirst`: what it brings along wins over what the process has loaded already (not
/// for libraries that use iostreams: a second C++ runtime would break them). Throws Error naming the file and the
/// loader's reason.
void* openPart(const std::string& file, const char* factory, bool ownSymbolsFirst);

} // namespace pha
