// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <string>

namespace pha {

struct ModelConfig;

/// Whether a field of the model changes anything in a network of this family with these other fields. Displays leave
/// the others out; files keep them, for whoever changes the family.
bool fieldMatters(const ModelConfig& model, const std::string& field);

} // namespace pha
