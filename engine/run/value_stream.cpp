// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/value_stream.h"

#include "engine/run/float_bits.h"

#include <cstring>

namespace pha {

namespace {

template <class From, class Convert>
void widen(const std::vector<char>& bytes, std::int64_t count, double* out, Convert convert)
{
    for (std::int64_t i = 0; i < count; ++i) {
        From value;
        std::memcpy(&value, bytes.data() + std::size_t(i) * sizeof(From), sizeof(From));
        out[i] = double(convert(value));
    }
}

} // namespace

bool isFloating(const std::string& dtype)
{
    return dtype == "F32" || dtype == "F64" || dtype == "BF16" || dtype == "F16";
}

ValueStream::ValueStream(const SafetensorsReader& reader, const TensorEntry& entry)
    : reader_(reader)
    , entry_(entry)
    , bytes_(std::size_t(block * dtypeBytes(entry.dtype)))
    , values_(block)
{
}

const double* ValueStream::read(std::int64_t from, std::int64_t count)
{
    const auto width = dtypeBytes(entry_.dtype);
    reader_.read(entry_, from * width, count * width, bytes_.data());
    auto* out = values_.data();
    if (entry_.dtype == "F32") widen<float>(bytes_, count, out, [](float x) { return x; });
    if (entry_.dtype == "F64") widen<double>(bytes_, count, out, [](double x) { return x; });
    if (entry_.dtype == "BF16") widen<std::uint16_t>(bytes_, count, out, fromBfloat16);
    if (entry_.dtype == "F16") widen<std::uint16_t>(bytes_, count, out, fromHalf);
    return out;
}

} // namespace pha
