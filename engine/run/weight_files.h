// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/tokenizer.h"

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace pha {

class SafetensorsReader;

/// The safetensors files that stand for `path`: itself, or those of a folder. None if it is a run, a checkpoint or
/// nothing that has weights, which readCheckpoint() knows.
std::vector<std::filesystem::path> weightFiles(const std::filesystem::path& path);

/// The tokenizer that a model file has in it, null if there is none. Throws CheckpointError, DataError.
std::shared_ptr<const Tokenizer> tokenizerIn(const SafetensorsReader& reader, const std::string& where);
/// The tokenizer that these weights were trained with: of a run, a checkpoint of one or a file of `pha average`. Null
/// if nobody knows it, as of weights of another program. Throws as weightFiles() and tokenizerIn().
std::shared_ptr<const Tokenizer> tokenizerOfWeights(const std::filesystem::path& path);

/// Whether a new run that begins with weights of this tokenizer reads its text with it: one would be trained otherwise,
/// in whatever way. Throws as Corpus::knownTokenizer().
bool comesWithWeights(const Tokenizer& tokenizer, const DataConfig& config);
/// Throws CheckpointError if `own`, of a run that begins with these weights, is another tokenizer than theirs that has
/// as many pieces: their embedding would be taken, and mean nothing. One of another size is not taken.
void requireTheirTokenizer(const std::filesystem::path& weights, const Tokenizer& theirs, const Tokenizer& own);

} // namespace pha
