// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/config/field.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <algorithm>
#include <cmath>

namespace pha {

namespace {

Field described(Field::Kind kind, std::string name, std::string section, std::string label, std::string help)
{
    Field field;
    field.kind = kind;
    field.name = std::move(name);
    field.section = std::move(section);
    field.label = std::move(label);
    field.help = std::move(help);
    return field;
}

/// A JSON value as an error shows it: JSON itself writes NaN as null, which would mislead.
std::string shown(const Json& value)
{
    if (value.is_string()) return inQuotes(value.get<std::string>());
    if (value.is_number_float()) return exactNumber(value.get<double>());
    if (value.is_structured()) return value.is_object() ? "a JSON object" : "a JSON list";
    return value.dump();
}

bool inRange(double value, const Field& field)
{
    return std::isfinite(value) && value >= field.minimum && value <= field.maximum;
}

/// Later code writes text back as JSON and hands it to the system as a path: neither takes every byte.
bool usableText(const Json& value)
{
    if (value.get_ref<const std::string&>().find('\0') != std::string::npos) return false;
    try {
        (void)value.dump();
        return true;
    } catch (const Json::type_error&) { // invalid UTF-8
        return false;
    }
}

} // namespace

Field Field::integer(
    std::string name, std::string section, std::string label, std::string help, double minimum, double maximum)
{
    auto field = number(std::move(name), std::move(section), std::move(label), std::move(help), minimum, maximum);
    field.kind = Kind::Integer;
    return field;
}

Field Field::number(
    std::string name, std::string section, std::string label, std::string help, double minimum, double maximum)
{
    auto field = described(Kind::Number, std::move(name), std::move(section), std::move(label), std::move(help));
    field.minimum = minimum;
    field.maximum = maximum;
    return field;
}

Field Field::boolean(std::string name, std::string section, std::string label, std::string help)
{
    return described(Kind::Boolean, std::move(name), std::move(section), std::move(label), std::move(help));
}

Field Field::choice(
    std::string name, std::string section, std::string label, std::string help, std::vector<std::string> choices)
{
    auto field = described(Kind::Choice, std::move(name), std::move(section), std::move(label), std::move(help));
    field.choices = std::move(choices);
    return field;
}

Field Field::text(std::string name, std::string section, std::string label, std::string help)
{
    return described(Kind::Text, std::move(name), std::move(section), std::move(label), std::move(help));
}

void Field::check(const Json& value) const
{
    const auto accepted = [&] {
        switch (kind) {
        case Kind::Integer: {
            if (!value.is_number()) return false;
            const double number = value.get<double>();
            return inRange(number, *this) && number == std::floor(number);
        }
        case Kind::Number:
            return value.is_number() && inRange(value.get<double>(), *this);
        case Kind::Boolean:
            return value.is_boolean();
        case Kind::Choice:
            return value.is_string() && std::count(choices.begin(), choices.end(), value.get<std::string>()) > 0;
        case Kind::Text:
            return value.is_string() && usableText(value);
        }
        return false;
    };
    if (accepted()) return;
    // The largest integer is only worth a word to whoever has gone beyond it.
    const bool beyond = kind == Kind::Integer && value.is_number() && value.get<double>() > maximum;
    throw ConfigError(name, shown(value),
        beyond ? "an integer from " + exactNumber(minimum) + " to " + exactNumber(maximum) : expectation());
}

Json Field::parse(const std::string& text) const
{
    const std::string word(trim(text));
    Json value = text; // what does not read as this kind stays text, which check() refuses
    if (kind == Kind::Integer) {
        if (const auto integer = parseInteger(word))
            value = *integer;
        else if (const auto number = parseNumber(word))
            value = *number;
    } else if (kind == Kind::Number) {
        if (const auto number = parseNumber(word)) value = *number;
    } else if (kind == Kind::Boolean) {
        if (word == "true" || word == "1" || word == "on" || word == "yes") value = true;
        if (word == "false" || word == "0" || word == "off" || word == "no") value = false;
    } else if (kind == Kind::Choice) {
        value = word;
    }
    check(value);
    return value;
}

std::string Field::expectation() const
{
    switch (kind) {
    case Kind::Boolean:
        return "true or false";
    case Kind::Choice:
        return "one of " + joinList(choices);
    case Kind::Text:
        return "text in UTF-8";
    case Kind::Integer:
    case Kind::Number:
        break;
    }
    const std::string what = kind == Kind::Integer ? "an integer" : "a number";
    const bool bounded = maximum < (kind == Kind::Integer ? 9e15 : std::numeric_limits<double>::max());
    if (bounded) return what + " from " + exactNumber(minimum) + " to " + exactNumber(maximum);
    return what + " of at least " + exactNumber(minimum);
}

} // namespace pha
