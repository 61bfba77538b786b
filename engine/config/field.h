// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace pha {

/// What a configuration field is called, means and accepts. One list of these feeds JSON, `--set`, `--help`, the form
/// in the window and the README: adding a field is one line in `fields()` of its struct.
struct Field {
    enum class Kind { Integer, Number, Boolean, Choice, Text };

    std::string name; ///< snake_case, unique over all three structs
    std::string section; ///< heading in the form: "Shape", "Mixing", "Optimiser", ...
    std::string label; ///< the field's usual name: "Query heads"
    std::string help; ///< one or two sentences: the tooltip
    Kind kind = Kind::Text;
    double minimum = -std::numeric_limits<double>::infinity(), maximum = std::numeric_limits<double>::infinity();
    std::vector<std::string> choices;

    static Field integer(std::string name, std::string section, std::string label, std::string help, double minimum,
        double maximum = 9e15);
    static Field number(std::string name, std::string section, std::string label, std::string help, double minimum,
        double maximum = std::numeric_limits<double>::max());
    static Field boolean(std::string name, std::string section, std::string label, std::string help);
    static Field choice(
        std::string name, std::string section, std::string label, std::string help, std::vector<std::string> choices);
    static Field text(std::string name, std::string section, std::string label, std::string help);

    /// Checks a JSON value against kind, range and choices. Throws ConfigError naming field, value and expectation.
    void check(const Json& value) const;
    /// Reads "1e-3", "true", "softplus" as this field's type. Throws ConfigError.
    Json parse(const std::string& text) const;
    /// "an integer of at least 1", "one of softplus, softmax".
    std::string expectation() const;
};

} // namespace pha
