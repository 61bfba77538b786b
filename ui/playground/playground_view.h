// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/controls.h"

#include <QCoreApplication>
#include <QWidget>

class QComboBox;
class QListWidget;
class QMenu;
class QPlainTextEdit;
class QPushButton;
class QSplitter;
class QStackedWidget;
class QTabWidget;
class QToolButton;

namespace pha::ui {

class BranchMixer;
class MessageLabel;
class SamplingForm;
class TintLegend;
class TokenPopup;
class TokenView;
class WeightsBox;

/// The widgets of the playground and where they are. What they do is the panel's business.
struct PlaygroundView {
    Q_DECLARE_TR_FUNCTIONS(PlaygroundView)
public:
    explicit PlaygroundView(QWidget* panel);

    QPlainTextEdit* prompt;
    QPushButton *generate, *stop, *carryOn, *prompts, *undo, *redo, *copy;
    QMenu* promptMenu;
    WeightsBox* weights;
    QComboBox* tint;
    TintLegend* legend;
    TokenView* text;
    QToolButton* compare; ///< a second network beside the first
    QWidget* side; ///< settings and earlier texts
    QSplitter* texts; ///< where the second one's text goes
    QLabel *figures, *parting;
    EmptyPage empty;
    MessageLabel* message;
    QStackedWidget* pages; ///< 0: what to do, 1: text
    QTabWidget* tabs;
    SamplingForm* sampling;
    BranchMixer* mixer;
    QLabel* historyEmpty; ///< says what will be in the list
    QListWidget* history;
    TokenPopup* popup;

private:
    QWidget* buildPrompt(QWidget* panel);
    QWidget* buildText(QWidget* panel);
    QWidget* buildSide(QWidget* panel);
};

} // namespace pha::ui
