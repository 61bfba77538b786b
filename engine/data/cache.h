// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace pha {

/// $XDG_CACHE_HOME/pha-studio or ~/.cache/pha-studio, created if need be. Empty if there is no place for it: everything
/// works without a cache, only slower.
std::filesystem::path cacheFolder();

/// The tokenizer of this recipe kept under `key`, or one that is trained on `sample()` and kept. A damaged or absent
/// file is trained anew.
std::shared_ptr<const Tokenizer> cachedTokenizer(const std::string& key, const TokenizerRecipe& recipe,
    const std::function<std::string()>& sample, EventSink& progress, const std::stop_token& stop);

} // namespace pha
