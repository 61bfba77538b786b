// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QLabel>
#include <QString>

#include <functional>

class QFrame;
class QIODevice;
class QPushButton;
class QSplitter;
class QStackedWidget;
class QToolButton;
class QVBoxLayout;
class QWidget;

namespace pha::ui {

/// One line that ends in dots where the room does; the tool tip has all of it.
class ElidedLabel : public QLabel {
    Q_OBJECT

public:
    ElidedLabel(QWidget* parent, const QString& text, const char* role);

protected:
    void paintEvent(QPaintEvent* event) override;
};

/// What a panel says of its work, on as many lines as it takes; never wider than its place.
class MessageLabel : public QLabel {
    Q_OBJECT

public:
    /// `lines` are kept free for it, so that nothing jumps when it says something.
    MessageLabel(QWidget* parent, const char* name, int lines = 2);
    void say(const QString& text, const char* role = "small"); ///< role: "small", "good", "warning", "error"
    /// Saves what `write` writes, whole or not at all, and says so, or what was in the way.
    void save(const QString& path, const std::function<bool(QIODevice&)>& write);
    void save(const QString& path, const QByteArray& bytes);
    QSize minimumSizeHint() const override;

private:
    const int lines_;
};

/// The controls of the panels, made alike: each has an object name, a tool tip and a name for screen readers.
QPushButton* pushButton(
    QWidget* parent, const char* name, const QString& text, const QString& tip, const char* role = nullptr);
QToolButton* toolButton(
    QWidget* parent, const char* name, const QString& text, const QString& tip, bool checkable = false);
/// Plain text: what comes from files is never taken for markup.
QLabel* label(QWidget* parent, const QString& text, const char* role);
/// Plain, small text with room for `lines`, however many it has: what changes at every move of the pointer must not
/// move what is below it.
QLabel* steadyLabel(QWidget* parent, const char* name, int lines);
void sayWhole(QLabel* made, const QString& text); ///< the tool tip has what the room does not
/// The name before a control; its mnemonic goes there.
QLabel* caption(QWidget* parent, const QString& text, QWidget* control);
QVBoxLayout* card(QFrame* frame); ///< rounded, with a border and room inside
/// None of its parts can be dragged away.
QSplitter* splitter(Qt::Orientation orientation, QWidget* parent, const char* name, int handle = 10);
/// A page in the middle of a panel: a title and what to do next.
struct EmptyPage {
    QWidget* page;
    QLabel *title, *text;
};
EmptyPage emptyPage(QWidget* parent, const QString& title = {}, const QString& text = {});

} // namespace pha::ui
