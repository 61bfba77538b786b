// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <utility>

/// What the names of files, and of members of archives, say about the texts in them.
namespace pha {

enum class TextSplit : std::uint8_t { Train, Valid, Test };

std::string unpackedName(const std::string& name); ///< the last part without ".gz", ".zst" or ".xz", in small letters
bool isTextName(const std::string& name); ///< what folders and archives are searched for
bool isTableName(const std::string& name); ///< of a Parquet file that is not packed
bool isWikiTextName(const std::string& name);
/// True for "validation-00000-of-00001.parquet" and "validation/0000.parquet": nobody calls a text so that is no split.
bool isShardName(const std::string& name);

/// "Wiki.train.raw" -> "wiki.*.raw" and train; "train-00001-of-00004.parquet", as Hugging Face numbers shards, ->
/// "*.parquet" and train; "train/0000.parquet", as it lays out what it has converted, the same. Told by the name alone;
/// null for names without a split.
std::pair<std::string, std::optional<TextSplit>> familyOfName(const std::string& name);

/// Lets names give splits only where they mean it: WikiText's own names and shards of what is evaluated, also alone, or
/// a train file with its like beside it.
class TextFamilies {
public:
    void add(const std::string& name);
    std::optional<TextSplit> given(const std::string& name) const; ///< once all names were added

private:
    std::set<std::pair<std::string, TextSplit>> seen_;
};

} // namespace pha
