// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QObject>
#include <QPalette>
#include <QString>

#include <functional>

namespace pha::ui {

/// Colours by what they mean. One place for widgets and charts; two sets, light and dark, both with a contrast of at
/// least 4.5:1 for text and 3:1 for lines. Branch colours are told apart by people with colour vision deficiencies.
struct Colours {
    QColor window, surface, raised, border, text, muted, accent, onAccent, good, warning, error;
    QColor plot, grid, train, valid, floor, reference, marker; ///< charts
    QColor gss, attention, ffn; ///< branches
    QColor branch(const QString& name) const;
    QColor run(int index) const; ///< distinct colours for overlaid runs
    bool dark = false;
};

/// `share` of `over` on `under`, opaque.
QColor mixed(const QColor& under, const QColor& over, double share);
/// Contrast of two opaque colours as WCAG defines it, 1 to 21.
double contrast(const QColor& a, const QColor& b);

/// The program's look. `changed()` is emitted when the user or the system switches between light and dark.
///
/// Widgets get their look from the style sheet by the dynamic property "role". Labels: "title", "heading", "muted",
/// "metric", "error", "warning", "mono". Buttons: "primary", "flat". Frames: "card", "separator".
class Theme : public QObject {
    Q_OBJECT

public:
    enum class Mode { System, Light, Dark };
    static Theme& instance();
    const Colours& colours() const { return colours_; }
    Mode mode() const { return mode_; }
    void setMode(Mode mode); ///< applies palette and style sheet to the application, stores the choice
    void apply(); ///< at start-up
    /// Text size relative to the system's: 1 is normal, presentations use more. Applied at once.
    double textScale() const { return textScale_; }
    void setTextScale(double scale);
    void keepTextScale() const; ///< stores it for the next start
    static Colours lightColours();
    static Colours darkColours();

Q_SIGNALS:
    void changed();

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    Theme();
    void refresh();
    bool systemIsDark() const;

    Mode mode_ = Mode::System;
    Colours colours_;
    double textScale_ = 1, basePointSize_ = 0;
    bool systemDark_ = false, applied_ = false, refreshing_ = false;
};

/// Does `fit` now and whenever theme or text size have changed: for sizes that are counted in letters or lines.
void fitToText(QWidget* widget, std::function<void()> fit);
/// What networks write and read is a little larger than the rest, also after another text size was chosen.
void enlargeText(QWidget* widget);

/// Sets the "role" property that the style sheet looks at, also when the widget has been shown already.
void setRole(QWidget* widget, const char* role);

} // namespace pha::ui
