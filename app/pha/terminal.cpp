// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/terminal.h"

#include "app/pha/signals.h"

#include <fmt/format.h>

#include <poll.h>
#include <stdio_ext.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace pha::cli {

namespace {

bool failed = false, readerGone = false;

void noteFailure()
{
    failed = true;
    readerGone |= errno == EPIPE;
}

struct Stream {
    std::FILE* file;
    int descriptor;
    std::atomic<bool> givenUp { false };
};
Stream standardOutput { stdout, STDOUT_FILENO }, standardError { stderr, STDERR_FILENO };

/// A pipe that takes anything at all takes so much at once, even with what is in the buffer of the stream.
constexpr std::size_t pieceBytes = PIPE_BUF / 2;

/// Waits for whoever reads. Once the process was told to stop no longer than a second: a reader that sleeps must keep
/// no training from its checkpoint. What is not written by then is dropped, as is all that follows.
bool takesMore(Stream& stream)
{
    constexpr int patience = 1000; // milliseconds
    pollfd writable { stream.descriptor, POLLOUT, 0 };
    while (!stream.givenUp) {
        const int ready = ::poll(&writable, 1, patience);
        if (ready > 0 || (ready < 0 && errno != EINTR)) return true; // what is wrong with it the write tells
        if (ready < 0 || StopOnSignal::received() == 0) continue;
        stream.givenUp = true;
        __fpurge(stream.file); // or the end of the process would wait for it
    }
    errno = ETIMEDOUT;
    return false;
}

bool put(Stream& stream, std::string_view text)
{
    for (; !text.empty(); text.remove_prefix(std::min(text.size(), pieceBytes))) {
        const auto piece = text.substr(0, pieceBytes);
        if (!takesMore(stream) || std::fwrite(piece.data(), 1, piece.size(), stream.file) != piece.size()) return false;
    }
    return true;
}

/// Columns that UTF-8 text takes; every character counts as one, which is right for all that tables hold.
std::size_t columns(const std::string& text)
{
    return std::size_t(
        std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

/// `text` in lines of at most `width` columns (longer words stand alone), each below the first begun by `indent`
/// blanks.
std::string wrapped(const std::string& text, std::size_t width, std::size_t indent)
{
    std::string out;
    std::size_t used = 0;
    for (std::size_t from = 0; from < text.size();) {
        const auto end = std::min(text.find(' ', from), text.size());
        const auto word = text.substr(from, end - from);
        if (used > 0 && used + 1 + columns(word) > width) {
            out += "\n" + std::string(indent, ' ');
            used = 0;
        }
        out += (used > 0 ? " " : "") + word;
        used += columns(word) + (used > 0 ? 1 : 0);
        from = end + 1;
    }
    return out;
}

bool looksNumeric(const std::string& cell)
{
    return !cell.empty()
        && (std::isdigit(static_cast<unsigned char>(cell[0]))
            || ((cell[0] == '-' || cell[0] == '+') && cell.size() > 1));
}

} // namespace

bool outputIsTerminal() { return isatty(STDOUT_FILENO) == 1; }

bool errorIsTerminal()
{
    const char* kind = std::getenv("TERM");
    return isatty(STDERR_FILENO) == 1 && !(kind && std::string_view(kind) == "dumb"); // an editor's window, for example
}

int errorWidth()
{
    winsize size {};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

std::size_t outputWidth()
{
    winsize size {};
    return outputIsTerminal() && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

void print(std::string_view text)
{
    if (!put(standardOutput, text)) noteFailure();
}

void printLine(std::string_view text)
{
    print(text);
    print("\n");
}

void printJson(const Json& json) { printLine(json.dump(-1, ' ', false, Json::error_handler_t::replace)); }

void flushOutput()
{
    if (!takesMore(standardOutput) || std::fflush(stdout) != 0) noteFailure();
}

bool outputFailed() { return failed; }
bool outputReaderGone() { return readerGone; }

void note(std::string_view text) { put(standardError, std::string(text) + "\n"); }

std::string harmless(std::string_view text)
{
    std::string out;
    out.reserve(text.size());
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto c = static_cast<unsigned char>(text[i]);
        if ((c < 0x20 && c != '\n' && c != '\t') || c == 0x7f) continue;
        // C1 controls are two bytes in UTF-8: C2 80 to C2 9F.
        if (c == 0xc2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xa0) {
            ++i;
            continue;
        }
        out += text[i];
    }
    return out;
}

std::string oneLine(std::string_view text)
{
    auto out = harmless(text);
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c == '\n' || c == '\t'; }, ' ');
    return out;
}

std::string quoted(const std::string& text)
{
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'')
            out += "'\\''";
        else
            out += c;
    }
    return out + "'";
}

std::string quotedPath(const std::filesystem::path& path)
{
    const auto text = path.string();
    return quoted(text.starts_with('-') ? "./" + text : text);
}

std::string clockText(double seconds)
{
    if (!std::isfinite(seconds) || seconds < 0) return "?";
    const auto all = std::int64_t(std::lround(std::min(seconds, 1e9)));
    const auto hours = all / 3600, minutes = all / 60 % 60, rest = all % 60;
    return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, rest) : fmt::format("{}:{:02}", minutes, rest);
}

std::string figure(double value) { return std::isfinite(value) ? fmt::format("{:.4g}", value) : "not finite"; }

Table::Table(std::vector<std::string> header) { rows_.push_back(std::move(header)); }

void Table::add(std::vector<std::string> row)
{
    row.resize(rows_.front().size());
    rows_.push_back(std::move(row));
}

std::string Table::text(std::size_t width) const
{
    const auto count = rows_.front().size();
    std::vector<std::size_t> widths(count, 0);
    std::vector<bool> right(count, rows_.size() > 1);
    for (std::size_t r = 0; r < rows_.size(); ++r)
        for (std::size_t c = 0; c < count; ++c) {
            widths[c] = std::max(widths[c], columns(rows_[r][c]));
            if (r > 0 && !rows_[r][c].empty() && !looksNumeric(rows_[r][c])) right[c] = false;
        }
    std::size_t before = 2 * (count - 1); // columns before the last one
    for (std::size_t c = 0; c + 1 < count; ++c) before += widths[c];
    constexpr std::size_t narrowest = 16;
    const bool wraps = !right[count - 1] && before + narrowest <= width && before + widths[count - 1] > width;
    if (wraps) widths[count - 1] = 0;
    std::string out;
    for (auto row : rows_) {
        if (wraps) row[count - 1] = wrapped(row[count - 1], width - before, before);
        std::string line;
        for (std::size_t c = 0; c < count; ++c) {
            const std::string pad(widths[c] - std::min(widths[c], columns(row[c])), ' ');
            line += fmt::format("{}{}{}", c > 0 ? "  " : "", right[c] ? pad : row[c], right[c] ? row[c] : pad);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

} // namespace pha::cli
