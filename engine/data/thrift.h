// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace pha {

/// Reads a structure in Thrift's compact protocol (thrift-compact-protocol.md in apache/thrift) from front to back, and
/// trusts nothing: after bytes that cannot be such a structure, or are too few, `failed` is true, every structure and
/// list is at its end and every value is 0. Sizes that it claims are never allocated.
class ThriftReader {
public:
    explicit ThriftReader(std::string_view bytes)
        : rest_(bytes)
    {
    }
    bool failed() const { return failed_; }
    std::string_view rest() const { return rest_; } ///< what is not read yet

    /// Calls `visit` with the number of each field, which has to take its value or skip() it.
    template <class Visit> void structure(Visit&& visit)
    {
        if (!enter(Type::Struct)) return;
        for (int id = 0; nextField(id);) visit(id);
        --depth_;
    }
    /// Calls `visit` for each element, which has to take its value or skip() it.
    template <class Visit> void list(Visit&& visit)
    {
        if (!enter(type_ == Type::Set ? Type::Set : Type::List)) return;
        auto left = listHeader();
        for (const auto element = type_; left > 0 && !failed_; --left) {
            type_ = element;
            visit();
        }
        --depth_;
    }
    std::int64_t integer(); ///< of 8 to 64 bits
    bool boolean();
    std::string_view binary(); ///< a part of the bytes that are read
    void skip();

private:
    enum class Type : std::uint8_t {
        Stop,
        True,
        False,
        I8,
        I16,
        I32,
        I64,
        Double,
        Binary,
        List,
        Set,
        Map,
        Struct,
        Uuid
    };

    bool enter(Type expected);
    bool nextField(int& id);
    std::size_t listHeader();
    void skipMap();
    std::uint64_t number();
    std::uint8_t byte();
    std::string_view take(std::uint64_t size);
    void fail() { failed_ = true; }

    std::string_view rest_;
    Type type_ = Type::Struct; ///< of the value that comes next
    int depth_ = 0;
    bool failed_ = false;
};

} // namespace pha
