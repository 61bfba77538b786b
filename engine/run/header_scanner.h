// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <cstdint>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

namespace pha {

/// What is wrong with a header, without the file's name.
class HeaderDefect : public std::runtime_error {
public:
    using std::runtime_error::runtime_error;
};

/// Reads the tokens of a strict subset of JSON from a stream in slices, so that a header of 100 MB costs no more memory
/// than a small one. Everything throws HeaderDefect.
class HeaderScanner {
public:
    /// Gives the next bytes, an empty view at the end. They stay valid until the next call.
    using Refill = std::function<std::string_view()>;
    explicit HeaderScanner(Refill refill)
        : refill_(std::move(refill))
    {
    }

    int peek() { return at_ < slice_.size() || more() ? static_cast<unsigned char>(slice_[at_]) : -1; }
    int take();
    std::uint64_t position() const { return before_ + at_; } ///< bytes taken so far
    void skipSpace(); ///< the four kinds of JSON
    void expect(char c, const char* meaning); ///< skips space on both sides
    /// A string of at most `limit` bytes of strict UTF-8.
    std::string string(const char* meaning, std::size_t limit);
    /// An exact whole number from 0 to 2^63-1: no sign, no fraction, no exponent, no leading zero.
    std::int64_t integer(const char* meaning);
    /// The tensor that is being read, for messages; null for none.
    void setSubject(const std::string* name) { subject_ = name; }
    [[noreturn]] void fail(const std::string& what) const; ///< adds the position and the tensor
    [[noreturn]] void unexpected(const std::string& expected); ///< says what kind of thing stands here instead

private:
    bool more();
    void escape(std::string& out);
    std::uint32_t codeUnit();
    void multiByte(std::string& out);

    Refill refill_;
    std::string_view slice_;
    std::size_t at_ = 0;
    std::uint64_t before_ = 0;
    const std::string* subject_ = nullptr;
};

void appendUtf8(std::string& out, std::uint32_t codePoint);

} // namespace pha
