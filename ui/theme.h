// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QObject>
#include <QPalette>
#include <QString>

namespace pha::ui {

/// Colours by what they mean. One place for widgets and charts; two sets, light and dark, both with a contrast of at least
/// 4.5:1 for text and 3:1 for lines. Branch colours are told apart by people with colour vision deficiencies.
struct Colours {
    QColor window, surface, raised, border, text, muted, accent, onAccent, good, warning, error;
    QColor plot, grid, train, valid, floor, reference, marker; ///< charts
    QColor gss, attention, ffn; ///< branches
    QColor branch(const QString& name) const;
    QColor run(int index) const; ///< distinct colours for overlaid runs
    bool dark = false;
};

/// The program's look. `changed()` is emitted when the user or the system switches between light and dark.
class Theme : public QObject {
    Q_OBJECT

public:
    enum class Mode { System, Light, Dark };
    static Theme& instance();
    const Colours& colours() const { return colours_; }
    Mode mode() const { return mode_; }
    void setMode(Mode mode); ///< applies palette and style sheet to the application, stores the choice
    void apply(); ///< at start-up

Q_SIGNALS:
    void changed();

private:
    Theme();
    Mode mode_ = Mode::System;
    Colours colours_;
};

} // namespace pha::ui
