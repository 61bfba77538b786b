// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/text_names.h"

#include <algorithm>
#include <cstring>

namespace pha {

namespace {

std::string lower(std::string text)
{
    std::transform(text.begin(), text.end(), text.begin(),
        [](unsigned char c) { return char(c >= 'A' && c <= 'Z' ? c + 32 : c); });
    return text;
}

std::string baseName(const std::string& name) { return name.substr(name.rfind('/') + 1); }

/// Takes out "-00001-of-00004", with the sixteen digits of a checksum that may stand behind it.
std::string withoutShard(std::string base)
{
    const auto pass = [&base](std::size_t at, const char* digits) {
        return std::min(base.find_first_not_of(digits, at), base.size());
    };
    for (auto dash = base.find('-'); dash != base.npos; dash = base.find('-', dash + 1)) {
        const auto of = pass(dash + 1, "0123456789");
        if (of == dash + 1 || base.compare(of, 4, "-of-") != 0) continue;
        auto end = pass(of + 4, "0123456789");
        if (end == of + 4) continue;
        if (end < base.size() && base[end] == '-' && pass(end + 1, "0123456789abcdef") == end + 17) end += 17;
        return base.erase(dash, end - dash);
    }
    return base;
}

/// With the slash.
std::string folder(const std::string& name)
{
    const auto slash = name.rfind('/');
    return slash == name.npos ? std::string() : name.substr(0, slash + 1);
}

/// "Wiki.train.raw" -> "Wiki.*.raw" and train: the first word between points, lines and dashes that names a split.
std::pair<std::string, std::optional<TextSplit>> splitWord(std::string base)
{
    for (std::size_t begin = 0; begin <= base.size();) {
        const auto end = std::min(base.find_first_of("._-", begin), base.size());
        const auto word = base.substr(begin, end - begin);
        std::optional<TextSplit> split;
        if (word == "train") split = TextSplit::Train;
        if (word == "valid" || word == "validation" || word == "val" || word == "dev") split = TextSplit::Valid;
        if (word == "test") split = TextSplit::Test;
        if (split) return { base.replace(begin, end - begin, "*"), split };
        begin = end + 1;
    }
    return { std::move(base), {} };
}

/// "test/0000.parquet": the folder is the split, and the name only counts.
bool isNumbered(const std::string& name)
{
    const auto base = unpackedName(name);
    const auto digits = base.find_first_not_of("0123456789");
    return digits > 0 && digits != base.npos && base.compare(digits, base.npos, ".parquet") == 0;
}

} // namespace

std::string unpackedName(const std::string& name)
{
    auto base = lower(baseName(name));
    for (const char* ending : { ".gz", ".zst", ".xz" })
        if (base.ends_with(ending)) return base.substr(0, base.size() - std::strlen(ending));
    return base;
}

bool isTextName(const std::string& name)
{
    const auto base = lower(baseName(name)), inner = unpackedName(name);
    if (base.starts_with('.') || name.find("__MACOSX") != name.npos) return false;
    for (const char* ending :
        { ".txt", ".text", ".raw", ".tokens", ".jsonl", ".ndjson", ".parquet", ".tar", ".tgz", ".zip" })
        if (inner.ends_with(ending)) return true;
    return inner != base && inner.find('.') == inner.npos; // "part_00.xz"
}

bool isTableName(const std::string& name) { return lower(baseName(name)).ends_with(".parquet"); }

std::pair<std::string, std::optional<TextSplit>> familyOfName(const std::string& name)
{
    if (!isNumbered(name)) return splitWord(withoutShard(unpackedName(name)));
    const auto above = folder(name);
    return { "*.parquet",
        above.empty() ? std::nullopt : splitWord(lower(baseName(above.substr(0, above.size() - 1)))).second };
}

bool isWikiTextName(const std::string& name)
{
    const auto pattern = familyOfName(name).first;
    return pattern == "wiki.*.raw" || pattern == "wiki.*.tokens" || pattern == "wiki.*.txt";
}

bool isShardName(const std::string& name)
{
    return isNumbered(name) || withoutShard(unpackedName(name)) != unpackedName(name);
}

void TextFamilies::add(const std::string& name)
{
    const auto [pattern, split] = familyOfName(name);
    if (split) seen_.insert({ folder(name) + pattern, *split });
}

std::optional<TextSplit> TextFamilies::given(const std::string& name) const
{
    const auto [pattern, split] = familyOfName(name);
    if (!split || (*split != TextSplit::Train && (isShardName(name) || isWikiTextName(name)))) return split;
    const auto has = [&](TextSplit other) { return seen_.contains({ folder(name) + pattern, other }); };
    return has(TextSplit::Train) && (has(TextSplit::Valid) || has(TextSplit::Test)) ? split : std::nullopt;
}

} // namespace pha
