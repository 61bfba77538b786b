// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/utf8.h"

namespace pha {

Utf8Step stepUtf8(std::string_view bytes)
{
    const auto at = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
    const unsigned char first = at(0);
    if (first < 0x80) return { 1, true, false };
    const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
    if (first < 0xC2 || first > 0xF4) return { 1, false, false };
    // The second byte's range excludes overlong forms, surrogates and what lies beyond U+10FFFF.
    const unsigned char low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
    for (std::size_t i = 1; i < length; ++i) {
        if (i == bytes.size()) return { i, false, true };
        if (at(i) < (i == 1 ? low : 0x80) || at(i) > (i == 1 ? high : 0xBF)) return { i, false, false };
    }
    return { length, true, false };
}

std::string repairUtf8(std::string_view bytes, std::int64_t& repairs)
{
    std::string text;
    text.reserve(bytes.size());
    for (std::size_t at = 0; at < bytes.size();) {
        const auto step = stepUtf8(bytes.substr(at));
        text += step.valid ? bytes.substr(at, step.length) : replacementCharacter;
        repairs += !step.valid;
        at += step.length;
    }
    return text;
}

bool validUtf8(std::string_view bytes)
{
    for (std::size_t at = 0; at < bytes.size();) {
        const auto step = stepUtf8(bytes.substr(at));
        if (!step.valid) return false;
        at += step.length;
    }
    return true;
}

std::string TextDecoder::push(std::string_view bytes)
{
    held_ += bytes;
    std::string text;
    std::size_t at = 0;
    while (at < held_.size()) {
        const auto step = stepUtf8(std::string_view(held_).substr(at));
        if (step.unfinished) break;
        text += step.valid ? std::string_view(held_).substr(at, step.length) : replacementCharacter;
        at += step.length;
    }
    held_.erase(0, at);
    return text;
}

std::string TextDecoder::flush()
{
    std::int64_t repairs = 0;
    auto text = repairUtf8(held_, repairs);
    held_.clear();
    return text;
}

} // namespace pha
