// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/piece_editor.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QHelpEvent>
#include <QToolTip>

#include <algorithm>

namespace pha::ui {

namespace {

/// Place in UTF-16 of each byte of the text, and of its end. Bytes inside a character have the place of its beginning.
std::vector<int> placesOf(const QString& text)
{
    std::vector<int> places;
    int place = 0;
    for (qsizetype i = 0; i < text.size(); ++i) {
        const bool pair = text[i].isHighSurrogate() && i + 1 < text.size() && text[i + 1].isLowSurrogate();
        const int units = pair ? 2 : 1;
        const auto bytes = pair ? 4 : text[i].unicode() < 0x80 ? 1 : text[i].unicode() < 0x800 ? 2 : 3;
        places.insert(places.end(), std::size_t(bytes), place);
        place += units;
        i += units - 1;
    }
    places.push_back(place);
    return places;
}

} // namespace

QString describePiece(const TextPiece& piece)
{
    const bool whole = validUtf8({ piece.bytes.constData(), std::size_t(piece.bytes.size()) });
    const auto text = whole ? visibleToken(piece.bytes.toStdString())
                            : QStringLiteral("<%1>").arg(QString::fromLatin1(piece.bytes.toHex(' ').toUpper()));
    return counted(piece.bytes.size(), PieceEditor::tr("%1  id %2, %3 byte"), PieceEditor::tr("%1  id %2, %3 bytes"))
        .arg(text, QString::number(piece.id), QString::number(piece.bytes.size()));
}

PieceEditor::PieceEditor(QWidget* parent)
    : QPlainTextEdit(parent)
{
    setTabChangesFocus(true);
    document()->setDocumentMargin(6);
    connect(&Theme::instance(), &Theme::changed, this, &PieceEditor::colour);
    connect(this, &QPlainTextEdit::cursorPositionChanged, this,
        [this] { Q_EMIT pieceChanged(pieceAt(textCursor().position())); });
    connect(this, &QPlainTextEdit::textChanged, this, [this] {
        if (toPlainText() != cut_.text) setExtraSelections({}); // those of the old text would be at wrong places
    });
}

void PieceEditor::clearPieces()
{
    cut_ = {};
    bounds_.clear();
    colour();
}

void PieceEditor::showPieces(const CutText& cut)
{
    if (cut.text != toPlainText().left(most)) return;
    cut_ = cut;
    const auto places = placesOf(cut_.text);
    bounds_ = { 0 };
    std::size_t at = 0;
    for (const auto& piece : cut_.pieces) {
        at = std::min(at + std::size_t(piece.bytes.size()), places.size() - 1);
        bounds_.push_back(places[at]);
    }
    colour();
    Q_EMIT pieceChanged(pieceAt(textCursor().position()));
}

void PieceEditor::colour()
{
    const auto& c = Theme::instance().colours();
    QList<QTextEdit::ExtraSelection> marks;
    if (cut_.text == toPlainText().left(most)) {
        for (std::size_t i = 0; i + 1 < bounds_.size(); ++i) {
            if (bounds_[i] == bounds_[i + 1]) continue;
            QTextEdit::ExtraSelection mark;
            mark.cursor = QTextCursor(document());
            mark.cursor.setPosition(bounds_[i]);
            mark.cursor.setPosition(bounds_[i + 1], QTextCursor::KeepAnchor);
            // Neighbours differ; four hues, so that one sees at a glance where a long word was cut.
            mark.format.setBackground(mixed(c.surface, c.run(int(i % 4)), c.dark ? 0.34 : 0.2));
            mark.format.setForeground(c.text);
            marks.append(mark);
        }
    }
    setExtraSelections(marks);
}

int PieceEditor::pieceAt(int position) const
{
    const auto after = std::upper_bound(bounds_.begin(), bounds_.end(), position);
    if (after == bounds_.begin() || after == bounds_.end()) return -1;
    return int(after - bounds_.begin()) - 1;
}

bool PieceEditor::event(QEvent* event)
{
    if (event->type() == QEvent::ToolTip) {
        const auto* help = static_cast<QHelpEvent*>(event);
        const int piece = pieceAt(cursorForPosition(viewport()->mapFrom(this, help->pos())).position());
        if (piece >= 0) {
            QToolTip::showText(help->globalPos(), plainToolTip(describePiece(cut_.pieces[piece])), this);
            return true;
        }
    }
    return QPlainTextEdit::event(event);
}

} // namespace pha::ui
