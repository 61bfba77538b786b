// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/look/theme.h"

#include "ui/look/studio_style.h"
#include "ui/look/style_sheet.h"

#include <QApplication>
#include <QEvent>
#include <QSettings>
#include <QStyle>
#include <QStyleHints>
#include <QWidget>

#include <algorithm>
#include <cmath>
#include <utility>

namespace pha::ui {

namespace {

constexpr auto modeKey = "theme/mode", textScaleKey = "theme/textScale";
const char* const modeNames[] = { "system", "light", "dark" };

/// Two places: as often smaller as it was made larger, text has its size again.
double withinLimits(double textScale) { return std::clamp(std::round(textScale * 100) / 100, 0.7, 2.5); }

} // namespace

Colours Theme::lightColours()
{
    Colours c;
    c.window = QColor(0xF3F4F6);
    c.surface = QColor(0xFFFFFF);
    c.raised = QColor(0xFFFFFF);
    c.border = QColor(0xD8DCE2);
    c.text = QColor(0x1B1F26);
    c.muted = QColor(0x59626E);
    c.accent = QColor(0x2D5FCC);
    c.onAccent = QColor(0xFFFFFF);
    c.good = QColor(0x1B7443);
    c.warning = QColor(0x8A5800);
    c.error = QColor(0xB3261E);
    c.plot = QColor(0xFFFFFF);
    c.grid = QColor(0xE7EAEE);
    c.train = QColor(0x2D5FCC);
    c.valid = QColor(0xC2500C);
    c.floor = QColor(0x1B7F5C);
    c.reference = QColor(0x78828F);
    c.marker = QColor(0x7B4BC4);
    c.gss = QColor(0x0072B2);
    c.attention = QColor(0xD55E00);
    c.ffn = QColor(0x00946B);
    return c;
}

Colours Theme::darkColours()
{
    Colours c;
    c.dark = true;
    c.window = QColor(0x14161A);
    c.surface = QColor(0x1C1F25);
    c.raised = QColor(0x262A32);
    c.border = QColor(0x353A44);
    c.text = QColor(0xE4E7EB);
    c.muted = QColor(0x9AA4B1);
    c.accent = QColor(0x7AA5FF);
    c.onAccent = QColor(0x0B1220);
    c.good = QColor(0x63CB90);
    c.warning = QColor(0xE4B455);
    c.error = QColor(0xFF8A80);
    c.plot = QColor(0x1C1F25);
    c.grid = QColor(0x2A2F38);
    c.train = QColor(0x7AA5FF);
    c.valid = QColor(0xFFAE66);
    c.floor = QColor(0x5CC9A0);
    c.reference = QColor(0x8A94A2);
    c.marker = QColor(0xC3A3FF);
    c.gss = QColor(0x56B4E9);
    c.attention = QColor(0xF28C38);
    c.ffn = QColor(0x35C49B);
    return c;
}

QColor Colours::branch(const QString& name) const
{
    if (name == QLatin1String("gss") || name == QLatin1String("h3")) return gss; // state spaces
    if (name == QLatin1String("attention") || name == QLatin1String("hedgehog")) return attention;
    if (name == QLatin1String("ffn")) return ffn;
    return reference;
}

QColor Colours::run(int index) const
{
    static constexpr QRgb light[] = { 0x2D5FCC, 0xC2500C, 0x0F766E, 0x9333EA, 0x97650A, 0xBE185D, 0x15803D, 0x0B6FA8,
        0x7C2D12, 0x475569 };
    static constexpr QRgb bright[] = { 0x7AA5FF, 0xFFAE66, 0x4FD1C5, 0xC9A0FF, 0xE8C15A, 0xFF8FC0, 0x7EDC96, 0x62C3F5,
        0xD9A38F, 0xB4C0D0 };
    const auto n = std::size(light);
    const auto i = std::size_t(std::max(index, 0)) % n;
    return QColor(dark ? bright[i] : light[i]);
}

QColor mixed(const QColor& under, const QColor& over, double share)
{
    const auto mix = [share](int a, int b) { return int(std::lround(a + (b - a) * share)); };
    return { mix(under.red(), over.red()), mix(under.green(), over.green()), mix(under.blue(), over.blue()) };
}

double contrast(const QColor& a, const QColor& b)
{
    const auto luminance = [](const QColor& c) {
        const auto linear = [](double v) { return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4); };
        return 0.2126 * linear(c.redF()) + 0.7152 * linear(c.greenF()) + 0.0722 * linear(c.blueF());
    };
    const double la = luminance(a), lb = luminance(b);
    return (std::max(la, lb) + 0.05) / (std::min(la, lb) + 0.05);
}

Theme& Theme::instance()
{
    // Never destroyed: widgets may ask for colours until the very end of main().
    static auto* const theme = new Theme;
    return *theme;
}

Theme::Theme()
    : colours_(lightColours())
{
}

bool Theme::systemIsDark() const
{
#if QT_VERSION >= QT_VERSION_CHECK(6, 5, 0)
    if (const auto scheme = QGuiApplication::styleHints()->colorScheme(); scheme != Qt::ColorScheme::Unknown)
        return scheme == Qt::ColorScheme::Dark;
#endif
    return systemDark_;
}

void Theme::apply()
{
    if (!applied_) {
        applied_ = true;
        // Qt before 6.5 has no word for it, but the palette that the desktop gave is dark on a dark desktop.
        systemDark_ = QGuiApplication::palette().color(QPalette::Window).lightness() < 128;
        basePointSize_ = QApplication::font().pointSizeF() > 0 ? QApplication::font().pointSizeF() : 10;
        QApplication::setStyle(new StudioStyle);
        const auto stored = QSettings().value(QLatin1String(modeKey)).toString();
        for (int i = 0; i < 3; ++i)
            if (stored == QLatin1String(modeNames[i])) mode_ = Mode(i);
        if (const double scale = QSettings().value(QLatin1String(textScaleKey)).toDouble(); scale > 0)
            textScale_ = withinLimits(scale);
#if QT_VERSION >= QT_VERSION_CHECK(6, 5, 0)
        connect(QGuiApplication::styleHints(), &QStyleHints::colorSchemeChanged, this, &Theme::refresh);
#endif
        qApp->installEventFilter(this);
    }
    refresh();
}

void Theme::setMode(Mode mode)
{
    mode_ = mode;
    QSettings().setValue(QLatin1String(modeKey), QLatin1String(modeNames[int(mode)]));
    refresh();
}

void Theme::setTextScale(double scale)
{
    textScale_ = withinLimits(scale);
    refresh();
}

void Theme::keepTextScale() const { QSettings().setValue(QLatin1String(textScaleKey), textScale_); }

void Theme::refresh()
{
    if (!applied_ || refreshing_) return;
    refreshing_ = true;
    const bool dark = mode_ == Mode::Dark || (mode_ == Mode::System && systemIsDark());
    colours_ = dark ? darkColours() : lightColours();
    auto font = QApplication::font();
    font.setPointSizeF(basePointSize_ * textScale_);
    if (const auto sheet = styleSheet(colours_, font.pointSizeF()); qApp->styleSheet() != sheet) {
        // Qt replaces a style sheet by polishing each widget once for every one of its parents, which takes half a
        // second; taking the old one off and putting the new one on polishes each just twice.
        qApp->setStyleSheet({});
        if (QApplication::font() != font) QApplication::setFont(font);
        QApplication::setPalette(palette(colours_));
        qApp->setStyleSheet(sheet);
    }
    refreshing_ = false;
    Q_EMIT changed();
}

bool Theme::eventFilter(QObject* watched, QEvent* event)
{
    // The desktop changed its palette while the program follows it: ours must win again.
    if (watched == qApp && event->type() == QEvent::ThemeChange && mode_ == Mode::System) refresh();
    return QObject::eventFilter(watched, event);
}

void fitToText(QWidget* widget, std::function<void()> fit)
{
    fit();
    QObject::connect(&Theme::instance(), &Theme::changed, widget, std::move(fit));
}

void enlargeText(QWidget* widget)
{
    fitToText(widget, [widget] {
        auto font = widget->font();
        font.setPointSizeF(QApplication::font().pointSizeF() * 1.12);
        widget->setFont(font);
    });
}

void setRole(QWidget* widget, const char* role)
{
    const QVariant value = QString::fromLatin1(role);
    if (widget->property("role") == value) return;
    widget->setProperty("role", value);
    if (!widget->testAttribute(Qt::WA_WState_Polished)) return; // the style will look at it when it is shown
    widget->style()->unpolish(widget);
    widget->style()->polish(widget);
}

} // namespace pha::ui
