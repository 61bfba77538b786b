// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_filter.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace pha {
namespace {

using Compare = RunFilter::Compare;
using Term = RunFilter::Term;

constexpr std::array textKeys { "name", "notes", "tag", "preset", "data", "state", "created", "parent" };
constexpr std::array numberKeys { "step", "loss", "perplexity", "tokens_per_second" };
/// Short forms that people type.
constexpr std::pair<const char*, const char*> otherNames[] = { { "tags", "tag" }, { "note", "notes" },
    { "ppl", "perplexity" }, { "speed", "tokens_per_second" }, { "lr", "learning_rate" }, { "from", "parent" },
    { "date", "created" } };

/// Small letters: ASCII, Latin-1, Greek and Cyrillic, which have them 32 (Cyrillic also 80) places further on.
std::string folded(std::string_view text)
{
    std::string small(text);
    for (std::size_t i = 0; i < small.size(); ++i) {
        const auto first = static_cast<unsigned char>(small[i]);
        if (first >= 'A' && first <= 'Z') small[i] = char(first + 32);
        if ((first & 0xE0) != 0xC0 || i + 1 == small.size()) continue;
        int code = (first & 0x1F) << 6 | (static_cast<unsigned char>(small[i + 1]) & 0x3F);
        const auto within = [&](int from, int to) { return code >= from && code <= to; };
        if ((within(0xC0, 0xDE) && code != 0xD7) || within(0x391, 0x3A9) || within(0x410, 0x42F))
            code += 32;
        else if (within(0x400, 0x40F))
            code += 80;
        small[i] = char(0xC0 | code >> 6);
        small[++i] = char(0x80 | (code & 0x3F));
    }
    return small;
}

Error refusal(const std::string& what, const std::string& advice) { return { what, advice, ExitCode::Usage }; }

/// One term as it was typed, without its quotation marks. `sign`: where the first comparison outside of them stands.
struct RawTerm {
    std::string text;
    std::size_t sign = std::string::npos;
    bool negated = false;
};

std::vector<RawTerm> splitTerms(std::string_view text)
{
    std::vector<RawTerm> terms;
    std::size_t at = 0;
    const auto isSpace = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
    for (;;) {
        while (at < text.size() && isSpace(text[at])) ++at;
        if (at == text.size()) return terms;
        RawTerm term;
        if (text[at] == '-' && at + 1 < text.size() && !isSpace(text[at + 1])) {
            term.negated = true;
            ++at;
        }
        bool quoted = false;
        for (; at < text.size() && (quoted || !isSpace(text[at])); ++at) {
            const char c = text[at];
            if (c == '"') {
                quoted = !quoted;
                continue;
            }
            if (!quoted && term.sign == std::string::npos && std::string_view(":=<>!").find(c) != std::string::npos)
                term.sign = term.text.size();
            term.text += c;
        }
        if (quoted) throw refusal("a quotation mark is not closed", "close it, or leave it out");
        if (!term.text.empty()) terms.push_back(std::move(term));
    }
}

bool isSetting(const std::string& key)
{
    const auto& fields = allFields();
    return std::any_of(fields.begin(), fields.end(), [&](const GroupedField& f) { return f.field.name == key; });
}

template <class List> bool contains(const List& list, const std::string& key)
{
    return std::find(list.begin(), list.end(), key) != list.end();
}

/// The key that a word before a comparison means. Throws Error.
std::string keyOf(const std::string& word)
{
    auto key = folded(word);
    for (const auto& [other, meant] : otherNames)
        if (key == other) key = meant;
    if (contains(textKeys, key) || contains(numberKeys, key) || isSetting(key)) return key;
    std::vector<std::string> known(textKeys.begin(), textKeys.end());
    known.insert(known.end(), numberKeys.begin(), numberKeys.end());
    for (const auto& f : allFields()) known.push_back(f.field.name);
    const auto nearest = nearestName(key, known);
    throw refusal("runs have no " + inQuotes(word),
        (nearest.empty() ? std::string("use name, notes, tag, preset, data, state, created, step, loss, perplexity or "
                                       "the name of a setting")
                         : "the nearest is " + nearest)
            + ", or put words to look for into quotation marks");
}

std::pair<Compare, std::size_t> signAt(std::string_view text)
{
    constexpr std::pair<std::string_view, Compare> signs[] = { { "!=", Compare::Unequal }, { "<=", Compare::LessEqual },
        { ">=", Compare::GreaterEqual }, { "==", Compare::Equal }, { "<", Compare::Less }, { ">", Compare::Greater },
        { "=", Compare::Equal }, { ":", Compare::Begins } };
    for (const auto& [sign, compare] : signs)
        if (text.starts_with(sign)) return { compare, sign.size() };
    throw refusal("a lone ! compares nothing", "use != for what is different");
}

bool orders(Compare compare) { return compare >= Compare::Less; }

Term termOf(const RawTerm& raw)
{
    Term term;
    term.negated = raw.negated;
    if (raw.sign == std::string::npos) {
        term.value = folded(raw.text);
        return term;
    }
    const auto word = raw.text.substr(0, raw.sign);
    const auto [compare, length] = signAt(std::string_view(raw.text).substr(raw.sign));
    const auto sign = raw.text.substr(raw.sign, length);
    if (word.empty())
        throw refusal("nothing stands before " + sign, "say what is compared, as in loss<3, or use quotation marks");
    term.compare = compare;
    term.key = keyOf(word);
    term.value = folded(std::string_view(raw.text).substr(raw.sign + length));
    if (term.value.empty())
        throw refusal("nothing stands after " + word + sign, "say what it is compared with, as in loss<3 or tag:paper");
    if (const auto number = parseNumber(term.value)) term.number = *number;
    if (contains(numberKeys, term.key) && std::isnan(term.number))
        throw refusal(word + " is compared with " + inQuotes(term.value), "give a number");
    if (contains(textKeys, term.key) && orders(compare) && term.key != "created")
        throw refusal(word + " is a text, which is not less or more than another", "use : or = or !=");
    return term;
}

bool ordered(Compare compare, auto a, auto b)
{
    switch (compare) {
    case Compare::Less:
        return a < b;
    case Compare::LessEqual:
        return a <= b;
    case Compare::Greater:
        return a > b;
    case Compare::GreaterEqual:
        return a >= b;
    case Compare::Unequal:
        return a != b;
    default:
        return a == b;
    }
}

bool textHolds(const Term& term, const std::string& text)
{
    const auto value = folded(text);
    switch (term.compare) {
    case Compare::Begins:
        return value.starts_with(term.value);
    case Compare::Equal:
        return value == term.value;
    case Compare::Unequal:
        return value != term.value;
    default: // times: what the search leaves open is not compared
        return ordered(
            term.compare, std::string_view(value).substr(0, term.value.size()), std::string_view(term.value));
    }
}

bool numberHolds(const Term& term, double value)
{
    return !std::isnan(value) && !std::isnan(term.number) && ordered(term.compare, value, term.number);
}

bool tagHolds(const Term& term, const std::vector<std::string>& tags)
{
    auto one = term;
    if (term.compare == Compare::Unequal) one.compare = Compare::Equal;
    const bool found = std::any_of(tags.begin(), tags.end(), [&](const auto& tag) { return textHolds(one, tag); });
    return found != (term.compare == Compare::Unequal);
}

bool settingHolds(const Term& term, const RunConfig& config)
{
    const auto value = config.get(term.key);
    if (value.is_number()) return numberHolds(term, value.get<double>());
    if (orders(term.compare)) return false;
    return textHolds(term, value.is_string() ? value.get<std::string>() : value.dump());
}

bool keyHolds(const Term& term, const RunFacts& run)
{
    static const RunAbout nothing;
    const auto& about = run.about ? *run.about : nothing;
    const auto& key = term.key;
    if (key == "step") return numberHolds(term, run.step);
    if (key == "loss") return numberHolds(term, run.loss);
    if (key == "perplexity") return numberHolds(term, run.perplexity);
    if (key == "tokens_per_second") return numberHolds(term, run.tokensPerSecond);
    if (key == "name") return textHolds(term, run.name);
    if (key == "state") return textHolds(term, run.state);
    if (key == "created") return textHolds(term, run.created);
    if (key == "parent") return textHolds(term, run.parent);
    if (key == "tag") return tagHolds(term, about.tags);
    if (key == "notes") // the beginning of a note says little: a word of it is meant
        return term.compare == Compare::Begins ? folded(about.notes).find(term.value) != std::string::npos
                                               : textHolds(term, about.notes);
    if (!run.config) return false;
    if (key == "preset") return textHolds(term, run.config->preset);
    return settingHolds(term, *run.config);
}

/// Everything that a word is looked for in.
std::string textOf(const RunFacts& run)
{
    std::vector<std::string> parts { run.name, run.state, run.parent, run.more };
    if (run.config) parts.insert(parts.end(), { run.config->preset, run.config->data.data });
    if (run.about) {
        parts.push_back(run.about->notes);
        parts.insert(parts.end(), run.about->tags.begin(), run.about->tags.end());
    }
    return folded(joinList(parts, "\n"));
}

} // namespace

RunFilter RunFilter::parse(std::string_view text)
{
    RunFilter filter;
    for (const auto& raw : splitTerms(text)) filter.terms_.push_back(termOf(raw));
    return filter;
}

bool RunFilter::matches(const RunFacts& run) const
{
    std::optional<std::string> text;
    return std::all_of(terms_.begin(), terms_.end(), [&](const Term& term) {
        if (!term.key.empty()) return keyHolds(term, run) != term.negated;
        if (!text) text = textOf(run);
        return (text->find(term.value) != std::string::npos) != term.negated;
    });
}

} // namespace pha
