// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/data_view.h"

#include "ui/controls/controls.h"
#include "ui/controls/figure_tile.h"
#include "ui/controls/folding_splitter.h"
#include "ui/controls/table_tools.h"
#include "ui/data/corpus_list.h"
#include "ui/data/download_page.h"
#include "ui/data/piece_editor.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"

#include <QFrame>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QProgressBar>
#include <QPushButton>
#include <QSpinBox>
#include <QSplitter>
#include <QStackedWidget>
#include <QTableWidget>
#include <QToolButton>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

DataView::DataView(QWidget* panel, std::vector<CatalogueEntry> catalogue)
{
    auto* layout = new QHBoxLayout(panel);
    layout->setContentsMargins(10, 10, 10, 10);
    auto* split = new FoldingSplitter(panel, "dataSplitter");
    split->addWidget(buildCorpora(split, std::move(catalogue)));
    pages = new QStackedWidget(split);
    auto* rows = splitter(Qt::Vertical, pages, "dataRows");
    rows->addWidget(buildText(rows));
    rows->addWidget(buildCut(rows));
    rows->setStretchFactor(0, 5);
    rows->setStretchFactor(1, 4);
    pages->addWidget(rows);
    pages->addWidget(download = new DownloadPage(pages));
    split->addWidget(pages);
    split->setStretchFactor(1, 1);
    split->setWidths({ 220, 760 });
    layout->addWidget(split);
}

QWidget* DataView::buildCorpora(QWidget* panel, std::vector<CatalogueEntry> catalogue)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    corpora = new CorpusList(std::move(catalogue), frame);
    corpora->setObjectName(QStringLiteral("dataCorpora"));
    corpora->setAccessibleName(tr("Corpora"));
    corpora->setToolTip(tr("Your own texts, prepared and built-in corpora, and public ones to download"));
    corpora->setMinimumHeight(90);
    corpora->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff); // long names end in dots
    addFile = toolButton(frame, "dataAddFile", tr("Add file\u2026"),
        tr("Add a file to the list: plain text, JSON lines or Parquet, packed or not"));
    addFolder =
        toolButton(frame, "dataAddFolder", tr("Add folder\u2026"), tr("Add a folder with such files to the list"));
    remove = toolButton(frame, "dataRemove", tr("Remove"), tr("Take the text off the list; the file stays"));
    for (auto* b : { addFile, addFolder, remove }) {
        setRole(b, "button");
        b->setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    }
    auto* drop = label(frame, tr("Or drop a text file or a folder anywhere here."), "small");
    drop->setWordWrap(true);
    layout->addWidget(label(frame, tr("Texts"), "heading"));
    layout->addWidget(corpora, 1);
    layout->addWidget(drop);
    for (auto* b : { addFile, addFolder, remove }) layout->addWidget(b);
    frame->setMinimumWidth(180);
    return frame;
}

QWidget* DataView::buildText(QWidget* panel)
{
    auto* box = new QWidget(panel);
    auto* layout = new QVBoxLayout(box);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(8);
    size = new FigureTile(tr("Size"), tr("Bytes of the text, and lines"), box);
    words = new FigureTile(tr("Words"), tr("Stretches between spaces, and how many bytes they have on average"), box);
    tokens = new FigureTile(tr("Tokens"), tr("Pieces of the training split, once the tokenizer is trained"), box);
    ratio = new FigureTile(
        tr("Bytes per token"), tr("On the validation split. More means shorter sequences for the same text."), box);

    auto* frame = new QFrame(box);
    auto* inner = card(frame);
    title = new ElidedLabel(frame, {}, "heading");
    title->setObjectName(QStringLiteral("dataTitle"));
    about = label(frame, {}, "small");
    about->setObjectName(QStringLiteral("dataAbout"));
    about->setWordWrap(true);
    beginning = new QPlainTextEdit(frame);
    beginning->setObjectName(QStringLiteral("dataBeginning"));
    beginning->setAccessibleName(tr("Beginning of the text"));
    beginning->setToolTip(tr("The first lines, as training reads them"));
    beginning->setReadOnly(true);
    beginning->setTabChangesFocus(true);
    beginning->setMinimumHeight(60);
    check = pushButton(frame, "dataCheck", tr("Chec&k file"),
        tr("Read the downloaded file and compare its size and SHA-256 with the catalogue"), "flat");
    field = new QLineEdit(frame);
    field->setObjectName(QStringLiteral("dataField"));
    field->setAccessibleName(tr("Text field"));
    field->setToolTip(
        tr("The field of JSON lines, or the column of a Parquet file, that holds the text. Enter reads it."));
    field->setMaximumWidth(field->fontMetrics().averageCharWidth() * 18);
    fieldCaption = caption(frame, tr("Text fie&ld"), field);
    auto* head = new QHBoxLayout;
    head->addWidget(title, 1);
    head->addWidget(fieldCaption);
    head->addWidget(field);
    head->addWidget(check);
    inner->addLayout(head);
    inner->addWidget(about);
    inner->addWidget(beginning, 1);
    layout->addWidget(new TileRow({ size, words, tokens, ratio }, box));
    layout->addWidget(frame, 1);
    layout->addWidget(buildTokenizer(box));
    return box;
}

QWidget* DataView::buildTokenizer(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    vocabulary = new QSpinBox(frame);
    vocabulary->setObjectName(QStringLiteral("dataVocabulary"));
    vocabulary->setAccessibleName(tr("Pieces of the tokenizer"));
    vocabulary->setToolTip(tr("How many pieces the tokenizer has: the vocabulary of the network"));
    vocabulary->setRange(512, 1 << 17);
    vocabulary->setSingleStep(1024);
    vocabulary->setGroupSeparatorShown(true);
    train = pushButton(frame, "dataTrain", tr("&Train tokenizer"),
        tr("Trains a tokenizer on this text and cuts the text with it (Ctrl+Enter). Both are kept for the run."),
        "primary");
    train->setIcon(iconOnAccent(QStringLiteral("play")));
    stop = pushButton(frame, "dataStop", tr("&Stop"), tr("Stop reading or training (Esc)"));
    stop->setIcon(icon(QStringLiteral("stop")));
    use = pushButton(
        frame, "dataUse", tr("&Use in new run"), tr("Puts this text and the size of the tokenizer into the form"));
    use->setIcon(icon(QStringLiteral("plus")));
    bar = new QProgressBar(frame);
    bar->setObjectName(QStringLiteral("dataProgress"));
    bar->setAccessibleName(tr("Progress"));
    bar->setTextVisible(false);
    auto policy = bar->sizePolicy();
    policy.setRetainSizeWhenHidden(true); // nothing jumps
    bar->setSizePolicy(policy);
    message = new MessageLabel(frame, "dataMessage");
    auto* line = new QHBoxLayout;
    line->addWidget(caption(frame, tr("&Vocabulary"), vocabulary));
    line->addWidget(vocabulary);
    line->addWidget(train);
    line->addWidget(stop);
    line->addStretch(1);
    auto* last = new QHBoxLayout;
    last->addWidget(message, 1);
    last->addWidget(use);
    layout->addLayout(line);
    layout->addWidget(bar);
    layout->addLayout(last);
    return frame;
}

QWidget* DataView::buildCut(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    auto* layout = card(frame);
    auto* head = new QHBoxLayout;
    cutFigures = new ElidedLabel(frame, {}, "small");
    cutFigures->setObjectName(QStringLiteral("dataCutFigures"));
    cutFigures->setAlignment(Qt::AlignRight | Qt::AlignVCenter);
    head->addWidget(label(frame, tr("How a text is cut"), "heading"));
    head->addWidget(cutFigures, 1);
    auto* split = splitter(Qt::Horizontal, frame, "dataCutSplitter", 8);
    editor = new PieceEditor(split);
    editor->setObjectName(QStringLiteral("dataEditor"));
    editor->setAccessibleName(tr("Text to cut"));
    editor->setToolTip(tr("Type: each piece of the tokenizer stands on a ground of its own"));
    editor->setMinimumSize(160, 70);
    table = new QTableWidget(0, 4, split);
    table->setObjectName(QStringLiteral("dataPieces"));
    table->setAccessibleName(tr("Pieces of the text"));
    table->setToolTip(tr("The pieces in order, with their numbers and bytes"));
    styleTable(table);
    makeCopyable(table);
    table->setHorizontalHeaderLabels({ tr("#"), tr("Piece"), tr("Id"), tr("Bytes") });
    for (const int column : { 0, 2, 3 })
        table->horizontalHeaderItem(column)->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
    table->horizontalHeaderItem(1)->setTextAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    table->horizontalHeader()->setSectionResizeMode(1, QHeaderView::Stretch);
    for (const int column : { 0, 2, 3 })
        table->horizontalHeader()->setSectionResizeMode(column, QHeaderView::ResizeToContents);
    table->setMinimumWidth(table->fontMetrics().averageCharWidth() * 36);
    split->addWidget(editor);
    split->addWidget(table);
    split->setStretchFactor(0, 3);
    split->setStretchFactor(1, 2);
    layout->addLayout(head);
    layout->addWidget(split, 1);
    piece = label(frame, {}, "small");
    piece->setObjectName(QStringLiteral("dataPiece"));
    layout->addWidget(piece);
    return frame;
}

} // namespace pha::ui
