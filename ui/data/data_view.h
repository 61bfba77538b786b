// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/catalogue.h"

#include <QCoreApplication>
#include <QWidget>

#include <vector>

class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QProgressBar;
class QPushButton;
class QSpinBox;
class QStackedWidget;
class QTableWidget;
class QToolButton;

namespace pha::ui {

class CorpusList;
class DownloadPage;
class FigureTile;
class MessageLabel;
class PieceEditor;

/// The widgets of the data panel and where they are. What they do is the panel's business.
struct DataView {
    Q_DECLARE_TR_FUNCTIONS(DataView)
public:
    DataView(QWidget* panel, std::vector<CatalogueEntry> catalogue);

    CorpusList* corpora;
    QStackedWidget* pages; ///< 0: a text and its tokenizer, 1: a corpus that can be downloaded
    DownloadPage* download;
    QToolButton *addFile, *addFolder, *remove;
    QLabel *title, *about, *cutFigures, *piece;
    MessageLabel* message;
    FigureTile *size, *words, *tokens, *ratio;
    QPlainTextEdit* beginning;
    QLineEdit* field; ///< of JSON lines and tables
    QLabel* fieldCaption;
    QSpinBox* vocabulary;
    QPushButton *train, *stop, *use, *check;
    QProgressBar* bar;
    PieceEditor* editor;
    QTableWidget* table;

private:
    QWidget* buildCorpora(QWidget* panel, std::vector<CatalogueEntry> catalogue);
    QWidget* buildText(QWidget* panel);
    QWidget* buildTokenizer(QWidget* panel);
    QWidget* buildCut(QWidget* panel);
};

} // namespace pha::ui
