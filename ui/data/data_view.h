// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QCoreApplication>
#include <QWidget>

class QLabel;
class QListWidget;
class QPlainTextEdit;
class QProgressBar;
class QPushButton;
class QSpinBox;
class QTableWidget;
class QToolButton;

namespace pha::ui {

class FigureTile;
class PieceEditor;

/// The widgets of the data panel and where they are. What they do is the panel's business.
struct DataView {
    Q_DECLARE_TR_FUNCTIONS(DataView)
public:
    explicit DataView(QWidget* panel);
    void showMessage(const QString& text, const char* role);

    QListWidget* corpora;
    QToolButton *addFile, *addFolder, *remove;
    QLabel *title, *about, *message, *cutFigures, *piece;
    FigureTile *size, *words, *tokens, *ratio;
    QPlainTextEdit* beginning;
    QSpinBox* vocabulary;
    QPushButton *train, *stop, *use;
    QProgressBar* bar;
    PieceEditor* editor;
    QTableWidget* table;

private:
    QWidget* buildCorpora(QWidget* panel);
    QWidget* buildText(QWidget* panel);
    QWidget* buildTokenizer(QWidget* panel);
    QWidget* buildCut(QWidget* panel);
};

} // namespace pha::ui
