// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/base/json.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

/// What the command writes: results on stdout, everything else on stderr.
namespace pha::cli {

bool outputIsTerminal();
bool errorIsTerminal(); ///< and one that can go back in a line
int errorWidth(); ///< columns of the terminal behind stderr, 80 if unknown
std::size_t outputWidth(); ///< columns of the terminal behind stdout, 0 if there is none

void print(std::string_view text); ///< stdout, kept in its buffer
void printLine(std::string_view text);
void printJson(const Json& json); ///< one line; invalid UTF-8 becomes U+FFFD
void flushOutput();
bool outputFailed(); ///< a write to stdout did not arrive (disk full, reader gone)
bool outputReaderGone(); ///< it did not because the other end of the pipe, as in `| head`, has read enough
void note(std::string_view text); ///< one line on stderr

/// Text of a model or a file as it may be shown: escape sequences and control characters (C0 but newline and tab, DEL,
/// C1) are dropped, so that no text can move the cursor, recolour or retitle a terminal.
std::string harmless(std::string_view text);
/// The same on one line: newlines and tabs become spaces.
std::string oneLine(std::string_view text);

/// As one word of a shell command, whatever is in it.
std::string quoted(const std::string& text);
/// The same of a file or folder, so that none is taken for an option: './-x'.
std::string quotedPath(const std::filesystem::path& path);

std::string clockText(double seconds); ///< "1:02:03", "2:03": of a length that does not jump while it counts
std::string figure(double value); ///< four significant digits, "not finite" where it is not

/// A table in plain text: columns padded to their widest cell, numbers to the right.
class Table {
public:
    explicit Table(std::vector<std::string> header);
    void add(std::vector<std::string> row);
    /// With `width` columns words of a last column of text that do not fit go on below.
    std::string text(std::size_t width = 0) const;

private:
    std::vector<std::vector<std::string>> rows_;
};

} // namespace pha::cli
