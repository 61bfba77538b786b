// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/prepare.h"
#include "engine/data/text_input.h"
#include "engine/data/token_bins.h"

#include <algorithm>
#include <map>

namespace pha {

namespace fs = std::filesystem;

namespace {

struct BinName {
    std::string family; ///< of all shards of all splits: "fineweb_*.bin"
    std::optional<TextSplit> split;
};

BinName readName(const fs::path& path)
{
    auto [family, split] = familyOfName(path.filename().string());
    const auto end = family.size() - std::string_view(".bin").size();
    auto digits = end;
    while (digits > 0 && family[digits - 1] >= '0' && family[digits - 1] <= '9') --digits;
    if (digits < end && digits > 0 && family[digits - 1] == '_') family.erase(digits - 1, end - digits + 1);
    return { family, split };
}

bool isBin(const fs::path& path)
{
    std::error_code problem;
    return path.extension() == ".bin" && fs::is_regular_file(path, problem);
}

using BinFamilies = std::map<std::string, TokenBins>;

BinFamilies familiesIn(const fs::path& folder)
{
    BinFamilies families;
    std::error_code problem;
    for (const auto& entry : fs::directory_iterator(folder.empty() ? fs::path(".") : folder, problem)) {
        const auto path = folder / entry.path().filename();
        if (!isBin(path)) continue;
        const auto [family, split] = readName(path);
        if (split) families[family].files[std::size_t(*split)].push_back(path);
    }
    for (auto& [name, bins] : families) {
        bins.folder = folder;
        for (auto& files : bins.files) // shard 10 after shard 9
            std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
                const auto &left = a.native(), &right = b.native();
                return std::pair(left.size(), left) < std::pair(right.size(), right);
            });
    }
    std::erase_if(families, [](const auto& each) { return each.second.files[0].empty(); });
    return families;
}

std::optional<TokenBins> inFolder(const fs::path& folder)
{
    if (isPreparedCorpus(folder)) return {};
    auto families = familiesIn(folder);
    if (families.empty()) return {};
    const auto plain = families.find("*.bin"); // nanoGPT's train.bin
    if (plain == families.end() && families.size() > 1) {
        std::vector<std::string> names;
        for (const auto& [name, bins] : families) names.push_back(bins.files[0].front().filename().string());
        throw DataError(folder.string(), "holds the tokens of several corpora",
            "give the path of one of these files: " + joinList(names));
    }
    return std::move((plain == families.end() ? families.begin() : plain)->second);
}

} // namespace

std::optional<TokenBins> findTokenBins(const fs::path& path)
{
    std::error_code problem;
    if (fs::is_directory(path, problem)) return inFolder(path);
    if (!isBin(path)) return {};
    const auto [family, split] = readName(path);
    TokenBins bins;
    bins.folder = path.parent_path();
    if (split) {
        auto families = familiesIn(bins.folder);
        if (const auto found = families.find(family); found != families.end()) bins = std::move(found->second);
    }
    // A training file stands for itself; one that validates belongs to all that trains.
    if (split.value_or(TextSplit::Train) == TextSplit::Train || bins.files[0].empty()) bins.files[0] = { path };
    return bins;
}

} // namespace pha
