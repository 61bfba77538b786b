// SPDX-License-Identifier: GPL-3.0-or-later
// One line of a metrics file. What reads as an event must write and read again as the same event, and the fast way for
// steps must agree with the full parser.
#include "engine/run/metrics.h"

#include <cstdint>
#include <cstdlib>

namespace {
std::string textOf(const pha::Event& event)
{
    return pha::eventToJson(event).dump(-1, ' ', false, pha::Json::error_handler_t::replace);
}
} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size)
{
    const std::string line(reinterpret_cast<const char*>(data), size);
    const auto result = pha::parseMetricsLine(line);
    if (!result.event) return 0;
    const auto text = textOf(*result.event);
    const auto again = pha::parseMetricsLine(text);
    if (again.damaged || !again.event || textOf(*again.event) != text) std::abort();
    const auto full = pha::parseMetricsLine(" " + line); // the blank keeps a line from the fast way
    if (!result.damaged && (full.damaged || !full.event || textOf(*full.event) != text)) std::abort();
    return 0;
}
