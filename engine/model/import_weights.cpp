// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/model/import_weights.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/safetensors.h"

#include <fmt/format.h>

#include <optional>
#include <set>

namespace pha {

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

ImportReport importWeights(LanguageModel& model, const std::filesystem::path& file)
{
    const torch::NoGradGuard guard;
    const SafetensorsReader reader(file);
    ImportReport report;
    std::set<std::string> known;
    for (const auto& [name, weight] : namedWeights(model)) {
        known.insert(name);
        const auto found = reader.tensors().find(name);
        if (found == reader.tensors().end()) {
            report.absent.push_back(name);
            continue;
        }
        const auto type = floatingType(found->second.dtype);
        if (!type || found->second.shape != weight.sizes().vec()) {
            report.misshapen.push_back(name);
            continue;
        }
        auto values = torch::empty(weight.sizes(), *type);
        reader.read(found->second, values.data_ptr());
        weight.detach().copy_(values);
        report.taken.push_back(name);
    }
    for (const auto& [name, entry] : reader.tensors())
        if (!known.count(name)) report.unused.push_back(name);
    if (report.taken.empty())
        throw CheckpointError(file.string(), "none of its tensors has the name and the shape of one of this network's",
            "choose the preset that it belongs to; 'pha inspect' names the tensors of a run");
    return report;
}

} // namespace pha
