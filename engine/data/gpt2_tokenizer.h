// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/gpt2_tables.h"
#include "engine/data/tokenizer.h"

namespace pha {

/// Byte pair encoding as GPT-2 does it: any bytes come back. `<|endoftext|>` in a text becomes its one id.
std::unique_ptr<Tokenizer> gpt2Tokenizer(Gpt2Tables tables);

} // namespace pha
