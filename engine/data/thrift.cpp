// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/thrift.h"

#include "engine/data/take_bytes.h"

namespace pha {

std::int64_t ThriftReader::integer()
{
    if (type_ == Type::I8) return std::int8_t(byte());
    if (type_ < Type::I16 || type_ > Type::I64) fail();
    return zigzag(number());
}

bool ThriftReader::boolean()
{
    if (type_ != Type::True && type_ != Type::False) fail();
    return !failed_ && type_ == Type::True; // a field's type is its value
}

std::string_view ThriftReader::binary()
{
    if (type_ != Type::Binary) fail();
    return take(number());
}

void ThriftReader::skip()
{
    switch (type_) {
    case Type::True:
    case Type::False:
        return;
    case Type::I8:
        take(1);
        return;
    case Type::I16:
    case Type::I32:
    case Type::I64:
        number();
        return;
    case Type::Double:
        take(8);
        return;
    case Type::Binary:
        binary();
        return;
    case Type::List:
    case Type::Set:
        list([this] { skip(); });
        return;
    case Type::Map:
        skipMap();
        return;
    case Type::Struct:
        structure([this](int) { skip(); });
        return;
    case Type::Uuid:
        take(16);
        return;
    case Type::Stop:
        break;
    }
    fail();
}

bool ThriftReader::enter(Type expected)
{
    constexpr int deepest = 32; // Parquet's structures and lists lie at most eight deep in each other
    if (type_ != expected || depth_ == deepest) fail();
    if (failed_) return false;
    ++depth_;
    return true;
}

bool ThriftReader::nextField(int& id)
{
    const auto header = byte();
    type_ = Type(header & 15);
    if (failed_ || type_ == Type::Stop) return false;
    id = header >> 4 ? id + (header >> 4) : int(std::int16_t(zigzag(number())));
    if (type_ > Type::Uuid) fail();
    return !failed_;
}

/// The number of elements, whose type becomes that of the next value.
std::size_t ThriftReader::listHeader()
{
    const auto header = byte();
    const auto count = header >> 4 == 15 ? number() : std::uint64_t(header >> 4);
    type_ = Type(header & 15);
    if (type_ == Type::True || type_ == Type::False) type_ = Type::I8; // in a list a truth value has a byte
    if (type_ > Type::Uuid || count > rest_.size()) fail(); // each takes a byte at least
    return failed_ ? 0 : std::size_t(count);
}

void ThriftReader::skipMap()
{
    if (!enter(Type::Map)) return;
    const auto count = number();
    const auto types = count > 0 ? byte() : std::uint8_t(0);
    if (count > rest_.size()) fail();
    for (auto left = count; left > 0 && !failed_; --left)
        for (const int type : { types >> 4, types & 15 }) {
            type_ = type == 1 || type == 2 ? Type::I8 : Type(type);
            skip();
        }
    --depth_;
}

std::uint64_t ThriftReader::number()
{
    const auto value = takeVarint(rest_);
    if (!value) fail();
    return failed_ ? 0 : *value;
}

std::uint8_t ThriftReader::byte()
{
    const auto one = take(1);
    return one.empty() ? std::uint8_t(0) : std::uint8_t(one.front());
}

std::string_view ThriftReader::take(std::uint64_t size)
{
    const auto taken = takeBytes(rest_, size);
    if (!taken) fail();
    return failed_ ? std::string_view() : *taken;
}

} // namespace pha
