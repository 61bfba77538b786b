// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/bench_rows.h"

#include <string_view>

namespace pha {

namespace {

/// Rows of earlier versions are without these.
bool isLater(std::string_view key)
{
    return key == "step_bytes" || key == "read_rate" || key == "read_share" || key == "joules_per_token";
}

/// The one list of fields.
template <class Row, class Visit> void fields(Row& row, Visit&& visit)
{
    visit("preset", row.preset);
    visit("mode", row.mode);
    visit("device", row.device);
    visit("precision", row.precision);
    visit("context", row.context);
    visit("batch", row.batch);
    visit("parameters", row.parameters);
    visit("tokens_per_second", row.tokensPerSecond);
    visit("spread", row.spread);
    visit("peak_bytes", row.peakBytes);
    visit("flops_per_second", row.flopsPerSecond);
    visit("gemm_share", row.gemmShare);
    visit("step_bytes", row.stepBytes);
    visit("read_rate", row.readRate);
    visit("read_share", row.readShare);
    visit("joules_per_token", row.joulesPerToken);
}

} // namespace

Json benchRowToJson(const BenchRow& row)
{
    Json json = Json::object();
    fields(row, [&](const char* key, const auto& value) { json[key] = value; });
    return json;
}

std::optional<BenchRow> benchRowFromJson(const Json& json)
{
    BenchRow row;
    bool whole = json.is_object();
    fields(row, [&](const char* key, auto& value) {
        using Value = std::remove_reference_t<decltype(value)>;
        const auto found = whole ? json.find(key) : json.end();
        if (whole && found == json.end() && isLater(key)) return;
        whole = whole && found != json.end()
            && (std::is_same_v<Value, std::string> ? found->is_string() : found->is_number());
        if (whole) value = found->template get<Value>();
    });
    return whole ? std::optional(row) : std::nullopt;
}

} // namespace pha
