// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QString>

#include <functional>
#include <optional>

class QWidget;

namespace pha::ui {

/// Everything modal that the window may ask. Tests put their own answers in.
struct Dialogs {
    /// A question with one verb ("Delete") and Cancel, which is the default.
    std::function<bool(QWidget* parent, const QString& title, const QString& text, const QString& verb)> confirm;
    std::function<QString(QWidget* parent, const QString& title, const QString& filter)> openFile; ///< empty: cancelled
    /// Where to write; asks before it gives the name of a file that is there. Empty: cancelled.
    std::function<QString(QWidget* parent, const QString& title, const QString& filter, const QString& suggestion)>
        saveFile;
    std::function<QString(QWidget* parent, const QString& title)> openFolder; ///< empty: cancelled
    std::function<std::optional<double>(QWidget* parent, const QString& title, const QString& label, double value)>
        number;
    std::function<void(QWidget* parent, const QString& title, const QString& text)> inform;
    std::function<std::optional<QString>(const QString& path)> moveToTrash; ///< where it lies now; nothing: failed
    std::function<bool(const QString& inTrash, const QString& path)> putBack; ///< false: it lies where it lay

    static Dialogs real();
};

QString textFilter(); ///< for openFile: the names of files that hold texts

} // namespace pha::ui
