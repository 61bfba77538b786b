// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/header_scanner.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <limits>

namespace pha {

void appendUtf8(std::string& out, std::uint32_t c)
{
    const auto tail = [&](int shift) { out += static_cast<char>(0x80 | ((c >> shift) & 0x3f)); };
    if (c < 0x80) {
        out += static_cast<char>(c);
    } else if (c < 0x800) {
        out += static_cast<char>(0xc0 | (c >> 6));
        tail(0);
    } else if (c < 0x10000) {
        out += static_cast<char>(0xe0 | (c >> 12));
        tail(6), tail(0);
    } else {
        out += static_cast<char>(0xf0 | (c >> 18));
        tail(12), tail(6), tail(0);
    }
}

bool HeaderScanner::more()
{
    before_ += slice_.size();
    at_ = 0;
    slice_ = refill_();
    return !slice_.empty();
}

void HeaderScanner::fail(const std::string& what) const
{
    const auto subject = subject_ ? "tensor " + inQuotes(*subject_) + ", " : std::string();
    throw HeaderDefect(fmt::format("{} ({}byte {} of the header)", what, subject, position()));
}

void HeaderScanner::unexpected(const std::string& expected)
{
    const int c = peek();
    if (c < 0) fail("the header is cut off where " + expected + " should be");
    if (c == '{' || c == '[')
        fail("the header is nested too deep: it has a list or an object where " + expected + " should be");
    fail("the header has something else where " + expected + " should be");
}

int HeaderScanner::take()
{
    const int c = peek();
    if (c >= 0) ++at_;
    return c;
}

void HeaderScanner::skipSpace()
{
    for (int c = peek(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = peek()) ++at_;
}

void HeaderScanner::expect(char c, const char* meaning)
{
    skipSpace();
    if (peek() != static_cast<unsigned char>(c)) unexpected(meaning);
    ++at_;
    skipSpace();
}

std::string HeaderScanner::string(const char* meaning, std::size_t limit)
{
    if (peek() != '"') unexpected(meaning);
    ++at_;
    std::string out;
    for (;;) {
        const int c = peek();
        if (c < 0) fail("the header is cut off inside a string");
        if (c == '"') return ++at_, out;
        if (c < 0x20) fail("a string in the header has a bare control character");
        if (c == '\\') {
            ++at_;
            escape(out);
        } else if (c >= 0x80) {
            multiByte(out);
        } else {
            const auto start = at_;
            while (at_ < slice_.size() && slice_[at_] >= 0x20 && slice_[at_] != '"' && slice_[at_] != '\\') ++at_;
            out.append(slice_, start, at_ - start);
        }
        if (out.size() > limit) fail(fmt::format("{} is longer than {} bytes", meaning, limit));
    }
}

std::uint32_t HeaderScanner::codeUnit()
{
    std::uint32_t unit = 0;
    for (int i = 0; i < 4; ++i) {
        const int c = take();
        const int digit = c >= '0' && c <= '9'            ? c - '0'
            : (c | 32) >= 'a' && (c | 32) <= 'f' && c > 0 ? (c | 32) - 'a' + 10
                                                          : -1;
        if (digit < 0) fail("a string in the header has a broken \\u escape");
        unit = unit << 4 | static_cast<std::uint32_t>(digit);
    }
    return unit;
}

void HeaderScanner::escape(std::string& out)
{
    static constexpr std::string_view letters = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    const int c = take();
    if (c != 'u') {
        const auto index = c < 0 ? std::string_view::npos : letters.find(static_cast<char>(c));
        if (index == std::string_view::npos) fail("a string in the header has an unknown escape");
        out += meanings[index];
        return;
    }
    auto point = codeUnit();
    if (point >= 0xd800 && point < 0xdc00) {
        const bool pair = take() == '\\' && take() == 'u';
        const auto low = pair ? codeUnit() : 0;
        if (low < 0xdc00 || low > 0xdfff) fail("a string in the header has half a surrogate pair");
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    } else if (point >= 0xdc00 && point <= 0xdfff) {
        fail("a string in the header has half a surrogate pair");
    }
    appendUtf8(out, point);
}

void HeaderScanner::multiByte(std::string& out)
{
    const int lead = take();
    const int length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    std::uint32_t point = static_cast<std::uint32_t>(lead) & (0xffu >> (length + 1));
    bool good = lead >= 0xc2 && lead <= 0xf4;
    for (int i = 1; good && i < length; ++i) {
        const int c = peek();
        good = c >= 0x80 && c < 0xc0;
        if (good) point = point << 6 | (static_cast<std::uint32_t>(take()) & 0x3f);
    }
    static constexpr std::uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    if (!good || point < least[length] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        fail("a string in the header is not UTF-8");
    appendUtf8(out, point);
}

std::int64_t HeaderScanner::integer(const char* meaning)
{
    int c = peek();
    if (c == '-') fail(meaning + std::string(" is negative"));
    if (c < '0' || c > '9') unexpected(meaning + std::string(", a whole number,"));
    constexpr auto most = std::numeric_limits<std::int64_t>::max();
    std::int64_t value = 0;
    const bool leadingZero = c == '0';
    int digits = 0;
    for (; c >= '0' && c <= '9'; c = peek(), ++digits) {
        const int digit = take() - '0';
        if (value > (most - digit) / 10) fail(meaning + std::string(" is larger than 2^63-1"));
        value = value * 10 + digit;
    }
    if (c == '.' || c == 'e' || c == 'E') fail(meaning + std::string(" is not written as a whole number"));
    if (leadingZero && digits > 1) fail(meaning + std::string(" begins with a zero"));
    return value;
}

} // namespace pha
