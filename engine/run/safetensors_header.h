// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/header_scanner.h"
#include "engine/run/safetensors.h"

namespace pha {
/// Checks a header against the format and against a data section of `dataBytes`. Throws HeaderDefect.
void parseSafetensorsHeader(HeaderScanner& scanner, std::int64_t dataBytes, std::map<std::string, TensorEntry>& tensors,
    std::map<std::string, std::string>& metadata);
/// Elements times bytes per element; -1 if that does not fit 63 bits.
std::int64_t tensorBytes(const std::string& dtype, const std::vector<std::int64_t>& shape);
} // namespace pha
