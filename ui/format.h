// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include <cstdint>
#include <exception>
#include <filesystem>
#include <string>

namespace pha::ui {

/// How figures read everywhere in the window: point as decimal mark, comma between thousands, whatever the locale says,
/// so that a screenshot, a file and the terminal agree. NaN and infinity give an en dash.
QString formatCount(std::int64_t value); ///< "12,345"
QString formatCompact(double value); ///< "950", "18.2k", "1.31M", "2.4G"
QString formatNumber(double value, int significant = 4); ///< "3.412", "0.0003", "1e-08"
QString formatFixed(double value, int decimals); ///< "3.41"
QString formatBytes(double bytes); ///< "410 MiB", "1.20 GiB", as the command line writes them
QString formatDuration(double seconds); ///< "48 s", "6 min 12 s", "2 h 5 min", as the command line writes them
QString formatPercent(double share); ///< 0.714 -> "71 %"
/// The wording for that number of things, both translated; the number itself is their argument. "%n" would need a
/// translator to choose.
QString counted(std::int64_t count, const QString& one, const QString& many);

/// Text from files and the engine is UTF-8, paths are bytes: both ways without loss of what can be shown.
QString fromUtf8(const std::string& text);
QString fromPath(const std::filesystem::path& path);
std::filesystem::path toPath(const QString& text);

/// A tool tip that shows `text` as it is, wrapped: Qt would take anything that looks like HTML for HTML.
QString plainToolTip(const QString& text);
/// One line: line breaks and other control characters become spaces.
QString singleLine(QString text);
/// What an exception says, as one line of bounded length: an Error of ours whole, since a name in it may hold line
/// ends; of another the first line, since LibTorch appends a stack trace.
QString errorLine(const std::exception& error);
/// A name that fits a heading or a list: dots stand for the middle of a long one.
QString shortened(const QString& name);
/// Quotes for a POSIX shell where that is needed.
QString shellQuoted(const QString& text);

} // namespace pha::ui
