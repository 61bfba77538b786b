// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/import_weights.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>

namespace pha {

namespace fs = std::filesystem;

namespace {

std::optional<torch::Dtype> floatingType(const std::string& name)
{
    if (name == "F32") return torch::kFloat;
    if (name == "F64") return torch::kDouble;
    if (name == "F16") return torch::kHalf;
    if (name == "BF16") return torch::kBFloat16;
    return std::nullopt;
}

/// At most five names: a line has to stay readable.
std::string shortList(const std::string& what, std::vector<std::string> names)
{
    if (names.empty()) return {};
    constexpr std::size_t most = 5;
    const auto more = names.size() > most ? fmt::format(" and {} more", names.size() - most) : std::string();
    names.resize(std::min(names.size(), most));
    for (auto& name : names) // a foreign file's names are foreign text
        if (name.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") != name.npos)
            name = inQuotes(name);
    return "; " + what + ": " + joinList(names) + more;
}

} // namespace

std::string ImportReport::text() const
{
    return fmt::format("{} of {} tensors", taken.size(), taken.size() + absent.size() + misshapen.size())
        + shortList("not in the file", absent) + shortList("another shape or type", misshapen)
        + shortList("not used", unused);
}

ImportReport importWeights(LanguageModel& model, const std::vector<fs::path>& files)
{
    const torch::NoGradGuard guard;
    struct Source {
        const SafetensorsReader* reader;
        const TensorEntry* entry;
    };
    std::vector<std::unique_ptr<SafetensorsReader>> readers;
    std::map<std::string, Source> sources;
    for (const auto& file : files) {
        const auto& reader = readers.emplace_back(std::make_unique<SafetensorsReader>(file));
        for (const auto& [name, entry] : reader->tensors())
            if (!sources.emplace(name, Source { reader.get(), &entry }).second)
                throw CheckpointError(file.string(), "has the tensor " + inQuotes(name) + ", as another file here has",
                    "leave the files of one model in the folder");
    }
    ImportReport report;
    for (const auto& [name, weight] : namedWeights(model)) {
        const auto found = sources.find(name);
        if (found == sources.end()) {
            report.absent.push_back(name);
            continue;
        }
        const auto [reader, entry] = found->second;
        sources.erase(found);
        const auto type = floatingType(entry->dtype);
        if (!type || entry->shape != weight.sizes().vec()) {
            report.misshapen.push_back(name);
            continue;
        }
        auto values = torch::empty(weight.sizes(), *type);
        reader->read(*entry, values.data_ptr());
        weight.detach().copy_(values);
        report.taken.push_back(name);
    }
    for (const auto& [name, source] : sources) report.unused.push_back(name);
    if (report.taken.empty())
        throw CheckpointError(files.front().string(),
            "none of its tensors has the name and the shape of one of this network's",
            "choose the preset that it belongs to; 'pha inspect RUN --weights' names the tensors of a run");
    return report;
}

} // namespace pha
