// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/look/style_sheet.h"

namespace pha::ui {

namespace {

/// `{name}` stands for a colour or a size. Kept as one text: a style sheet reads best as a style sheet.
constexpr const char* sheet = R"(
QMainWindow, QDialog { background: {window}; }
QMainWindow::separator { background: {window}; width: 5px; height: 5px; }
QMainWindow::separator:hover { background: {accentSoft}; }
QToolTip { background: {raised}; color: {text}; border: 1px solid {border}; padding: 5px 7px; }

QMenuBar { background: {window}; padding: 2px 4px; }
QMenuBar::item { padding: 4px 9px; border-radius: 5px; background: transparent; }
QMenuBar::item:selected { background: {hover}; }
QMenu { background: {raised}; border: 1px solid {border}; padding: 5px; }
QMenu::item { padding: 5px 26px 5px 24px; border-radius: 5px; }
QMenu::item:selected { background: {accentSoft}; color: {text}; }
QMenu::item:disabled { color: {disabled}; }
QMenu::separator { height: 1px; background: {border}; margin: 5px 8px; }
QMenu::icon { padding-left: 6px; }
QToolBar { background: {window}; border: none; spacing: 4px; padding: 0px; }
QStatusBar { background: {window}; color: {muted}; }
QStatusBar::item { border: none; }

QDockWidget { color: {muted}; font-weight: 600; }
QDockWidget::title { background: {window}; padding: 6px 4px 5px 9px; text-align: left; }
QDockWidget > QWidget#dockBody { background: {surface}; border: 1px solid {border}; border-radius: 8px; }
QTabBar { background: transparent; qproperty-drawBase: 0; }
QMainWindow > QTabBar { qproperty-elideMode: ElideNone; qproperty-usesScrollButtons: true; }
QTabBar::tab { background: transparent; color: {muted}; padding: 6px 13px; border: none; border-bottom: 2px solid transparent; }
QTabBar::tab:selected { color: {text}; border-bottom: 2px solid {accent}; }
QTabBar::tab:hover:!selected { color: {text}; border-bottom: 2px solid {border}; }
QTabBar::tab:disabled { color: {disabled}; }
QTabWidget::pane { border: none; border-top: 1px solid {border}; }

QLabel { background: transparent; }
QLabel[role="title"] { font-size: {titleSize}pt; font-weight: 600; }
QLabel[role="heading"] { font-weight: 600; }
QLabel[role="muted"] { color: {muted}; }
QLabel[role="small"] { color: {muted}; font-size: {smallSize}pt; }
QLabel[role="metric"] { font-size: {metricSize}pt; font-weight: 600; }
QLabel[role="error"] { color: {error}; }
QLabel[role="warning"] { color: {warning}; }
QLabel[role="good"] { color: {good}; }
QLabel[role="hero"] { font-size: {heroSize}pt; font-weight: 600; }

QLabel[role="dockTitle"] { color: {muted}; font-weight: 600; }

QFrame[role="card"] { background: {surface}; border: 1px solid {border}; border-radius: 8px; }
QFrame[role="separator"] { background: {border}; border: none; max-height: 1px; min-height: 1px; }
QFrame[role="recording"] { background: {accentSoft}; border: 1px solid {accent}; border-radius: 7px; }
QFrame[role="errorBanner"] { background: {errorSoft}; border: 1px solid {error}; border-radius: 7px; }

QPushButton, QToolButton[role="button"] { background: {raised}; border: 1px solid {border}; border-radius: 6px; padding: 5px 12px; min-height: 16px; }
QPushButton:hover, QToolButton[role="button"]:hover { background: {hover}; }
QPushButton:pressed, QToolButton[role="button"]:pressed, QPushButton:checked { background: {accentSoft}; border-color: {accent}; }
QPushButton:focus, QToolButton[role="button"]:focus { border-color: {accent}; }
QPushButton:disabled, QToolButton[role="button"]:disabled { color: {disabled}; background: {window}; }
QPushButton[role="primary"] { background: {accent}; color: {onAccent}; border: 1px solid {accent}; font-weight: 600; }
QPushButton[role="primary"]:hover { background: {accentHover}; border-color: {accentHover}; }
QPushButton[role="primary"]:focus { border-color: {text}; }
QPushButton[role="primary"]:disabled { background: {hover}; color: {disabled}; border-color: {border}; }
QPushButton[role="hero"] { background: {accent}; color: {onAccent}; border: 1px solid {accent}; border-radius: 8px; font-weight: 600; font-size: {titleSize}pt; padding: 11px 26px; }
QPushButton[role="hero"]:hover { background: {accentHover}; }
QPushButton[role="hero"]:focus { border-color: {text}; }
QPushButton[role="flat"] { background: transparent; border: 1px solid transparent; padding: 4px 7px; }
QPushButton[role="flat"]:hover { background: {hover}; }
QPushButton[role="flat"]:focus { border-color: {accent}; }
QPushButton[role="section"] { background: transparent; border: 1px solid transparent; border-radius: 5px; text-align: left; padding: 5px 4px; font-weight: 600; }
QPushButton[role="section"]:hover { background: {hover}; }
QPushButton[role="section"]:focus { border-color: {accent}; }
QPushButton[role="section"]:checked { background: transparent; border-color: transparent; }
QToolButton { border: 1px solid transparent; border-radius: 6px; padding: 4px; background: transparent; }
QToolButton:hover { background: {hover}; }
QToolButton:checked { background: {accentSoft}; }
QToolButton:focus { border-color: {accent}; }

QLineEdit, QPlainTextEdit, QTextEdit, QAbstractSpinBox, QComboBox { background: {field}; border: 1px solid {border}; border-radius: 6px; padding: 3px 7px; min-height: 18px; selection-background-color: {accent}; selection-color: {onAccent}; }
QLineEdit:focus, QPlainTextEdit:focus, QTextEdit:focus, QAbstractSpinBox:focus, QComboBox:focus { border-color: {accent}; }
QTreeView QLineEdit, QTreeView QComboBox { padding: 0 3px; min-height: 0; border-radius: 3px; }
QLineEdit[invalid="true"], QComboBox[invalid="true"] { border-color: {error}; background: {errorSoft}; }
QLineEdit:disabled, QPlainTextEdit:disabled, QTextEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled { color: {disabled}; background: {window}; }
QAbstractSpinBox { padding-right: 2px; }
QComboBox { padding-right: 20px; }
QComboBox::drop-down { border: none; width: 18px; }
QComboBox::down-arrow, QAbstractSpinBox::down-arrow { image: none; width: 0px; height: 0px; border-left: 4px solid {field}; border-right: 4px solid {field}; border-top: 5px solid {muted}; }
QAbstractSpinBox::up-arrow { image: none; width: 0px; height: 0px; border-left: 4px solid {field}; border-right: 4px solid {field}; border-bottom: 5px solid {muted}; }
QAbstractSpinBox::up-button, QAbstractSpinBox::down-button { border: none; background: transparent; width: 16px; }
QComboBox QAbstractItemView { background: {raised}; border: 1px solid {border}; outline: none; padding: 3px; }
QComboBox QAbstractItemView::item { min-height: 22px; }

QAbstractItemView { background: {surface}; border: none; outline: none; selection-background-color: {accentSoft}; selection-color: {text}; alternate-background-color: {stripe}; }
QTreeView::item, QTableView::item, QListView::item { padding: 2px 4px; }
QTreeView::item:selected, QTableView::item:selected { background: {accentSoft}; color: {text}; }
QHeaderView { background: {surface}; }
QHeaderView::section { background: {surface}; color: {muted}; border: none; border-bottom: 1px solid {border}; padding: 5px 7px; font-weight: 600; }
QTableCornerButton::section { background: {surface}; border: none; }

QProgressBar { background: {track}; border: none; border-radius: 3px; max-height: 6px; min-height: 6px; }
QProgressBar::chunk { background: {accent}; border-radius: 3px; }
QProgressBar[role="warning"]::chunk { background: {warning}; }
QProgressBar[role="error"]::chunk { background: {error}; }

QScrollArea, QScrollArea > QWidget > QWidget { background: transparent; border: none; }
QScrollBar:vertical { background: transparent; width: 11px; margin: 2px; }
QScrollBar:horizontal { background: transparent; height: 11px; margin: 2px; }
QScrollBar::handle { background: {handle}; border-radius: 3px; }
QScrollBar::handle:vertical { min-height: 28px; }
QScrollBar::handle:horizontal { min-width: 28px; }
QScrollBar::handle:hover { background: {muted}; }
QScrollBar::add-line, QScrollBar::sub-line { width: 0; height: 0; }
QScrollBar::add-page, QScrollBar::sub-page { background: transparent; }
QAbstractScrollArea::corner { background: transparent; border: none; }
QSplitter::handle { background: transparent; }
QGroupBox { border: 1px solid {border}; border-radius: 8px; margin-top: 9px; padding: 8px; }
QGroupBox::title { subcontrol-origin: margin; left: 9px; padding: 0 4px; color: {muted}; }
)";

} // namespace

QString styleSheet(const Colours& c, double pointSize)
{
    const std::pair<const char*, QString> values[] = {
        { "{window}", c.window.name() },
        { "{surface}", c.surface.name() },
        { "{raised}", c.raised.name() },
        { "{border}", c.border.name() },
        { "{text}", c.text.name() },
        { "{muted}", c.muted.name() },
        { "{accent}", c.accent.name() },
        { "{onAccent}", c.onAccent.name() },
        { "{error}", c.error.name() },
        { "{warning}", c.warning.name() },
        { "{good}", c.good.name() },
        { "{field}", mixed(c.surface, c.dark ? QColor(Qt::black) : QColor(Qt::white), 0.25).name() },
        { "{hover}", mixed(c.surface, c.text, 0.07).name() },
        { "{stripe}", mixed(c.surface, c.text, 0.025).name() },
        { "{track}", mixed(c.surface, c.text, 0.11).name() },
        { "{handle}", mixed(c.surface, c.text, 0.24).name() },
        { "{disabled}", mixed(c.surface, c.text, 0.42).name() },
        { "{accentSoft}", mixed(c.surface, c.accent, c.dark ? 0.24 : 0.13).name() },
        { "{accentHover}", mixed(c.accent, c.dark ? QColor(Qt::white) : QColor(Qt::black), 0.14).name() },
        { "{errorSoft}", mixed(c.surface, c.error, 0.1).name() },
        { "{smallSize}", QString::number(pointSize * 0.88, 'f', 1) },
        { "{metricSize}", QString::number(pointSize * 1.25, 'f', 1) },
        { "{titleSize}", QString::number(pointSize * 1.2, 'f', 1) },
        { "{heroSize}", QString::number(pointSize * 2, 'f', 1) },
    };
    auto text = QString::fromLatin1(sheet);
    for (const auto& [key, value] : values) text.replace(QLatin1String(key), value);
    return text;
}

QPalette palette(const Colours& c)
{
    QPalette p;
    p.setColor(QPalette::Window, c.window);
    p.setColor(QPalette::WindowText, c.text);
    p.setColor(QPalette::Base, c.surface);
    p.setColor(QPalette::AlternateBase, mixed(c.surface, c.text, 0.025));
    p.setColor(QPalette::Text, c.text);
    p.setColor(QPalette::PlaceholderText, c.muted);
    p.setColor(QPalette::Button, c.raised);
    p.setColor(QPalette::ButtonText, c.text);
    p.setColor(QPalette::BrightText, c.error);
    p.setColor(QPalette::ToolTipBase, c.raised);
    p.setColor(QPalette::ToolTipText, c.text);
    p.setColor(QPalette::Highlight, c.accent);
    p.setColor(QPalette::HighlightedText, c.onAccent);
    p.setColor(QPalette::Link, c.accent);
    p.setColor(QPalette::LinkVisited, c.marker);
    p.setColor(QPalette::Light, mixed(c.raised, Qt::white, c.dark ? 0.06 : 0.5));
    p.setColor(QPalette::Midlight, mixed(c.raised, c.border, 0.5));
    p.setColor(QPalette::Mid, c.border);
    p.setColor(QPalette::Dark, mixed(c.border, c.text, 0.25));
    p.setColor(QPalette::Shadow, mixed(c.window, Qt::black, 0.5));
    const auto faded = mixed(c.surface, c.text, 0.42);
    for (const auto role : { QPalette::WindowText, QPalette::Text, QPalette::ButtonText })
        p.setColor(QPalette::Disabled, role, faded);
    return p;
}

} // namespace pha::ui
