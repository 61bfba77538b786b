// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/token_view.h"

#include "ui/format.h"
#include "ui/look/theme.h"

#include <QKeyEvent>
#include <QMimeData>
#include <QPainter>
#include <QScrollBar>
#include <QTextBlock>
#include <QTextLayout>

#include <algorithm>

namespace pha::ui {

namespace {

/// A paragraph is laid out as a whole at every change. One without an end would make each token dearer than the last.
constexpr int longestParagraph = 3000;

/// One document position for each UTF-16 unit: what the document would swallow or join is replaced.
QString documentText(const std::string& bytes)
{
    auto text = QString::fromUtf8(bytes.data(), qsizetype(bytes.size()));
    for (auto& ch : text) {
        const auto u = ch.unicode();
        if (u == 0x2028 || u == 0x2029)
            ch = QLatin1Char('\n');
        else if (u == 0xFFFC || (u >= 0xFDD0 && u <= 0xFDD1))
            ch = QChar(0xFFFD);
        else if (u == 0x7F)
            ch = QChar(0x2421);
        else if (u < 0x20 && u != '\n' && u != '\t')
            ch = QChar(0x2400 + u);
    }
    return text;
}

} // namespace

QString visibleToken(const std::string& text)
{
    auto shown = documentText(text);
    shown.replace(QLatin1Char('\n'), QChar(0x21B5)).replace(QLatin1Char('\t'), QChar(0x21E5));
    if (shown.startsWith(QLatin1Char(' '))) shown[0] = QChar(0x2423);
    if (shown.endsWith(QLatin1Char(' '))) shown[shown.size() - 1] = QChar(0x2423);
    return shown.isEmpty() ? TokenView::tr("(part of a character)") : shown;
}

TokenView::TokenView(QWidget* parent)
    : QPlainTextEdit(parent)
{
    setReadOnly(true);
    setUndoRedoEnabled(false);
    setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    setCursorWidth(0); // the current token has an outline instead
    setMouseTracking(true);
    viewport()->setMouseTracking(true);
    setLineWrapMode(QPlainTextEdit::WidgetWidth);
    setWordWrapMode(QTextOption::WrapAtWordBoundaryOrAnywhere);
    document()->setDocumentMargin(8);
    setAccessibleName(tr("Text of the network"));
    connect(&Theme::instance(), &Theme::changed, this, [this] {
        tint_.rebuild();
        viewport()->update();
    });
    connect(verticalScrollBar(), &QScrollBar::valueChanged, this, [this] { hover(-1); });
}

void TokenView::setTint(TintMode mode)
{
    tint_.setMode(mode);
    viewport()->update();
}

void TokenView::setColours(const QVector<QColor>& colours)
{
    colours_ = colours;
    viewport()->update();
}

QColor TokenView::colourOf(int index) const
{
    return colours_.isEmpty() ? tint_.colour(tokens_[index]) : colours_.value(index);
}

void TokenView::clearTokens()
{
    hover(-1);
    current_ = mark_ = -1;
    tokens_.clear();
    spans_.clear();
    breaks_.clear();
    colours_.clear();
    paragraph_ = 0;
    clear();
}

void TokenView::setTokens(const QVector<GeneratedToken>& tokens)
{
    const auto kept = tokens; // may be a reference to our own
    clearTokens();
    append(kept);
    verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

void TokenView::append(const QVector<GeneratedToken>& batch)
{
    if (batch.isEmpty()) return;
    const bool follow = atEnd();
    int end = spans_.empty() ? 0 : spans_.back().end;
    QString text;
    for (const auto& token : batch) {
        const auto piece = documentText(token.text);
        if (const auto newline = piece.lastIndexOf(QLatin1Char('\n')); newline >= 0)
            paragraph_ = int(piece.size() - newline - 1);
        else
            paragraph_ += int(piece.size());
        const bool wordBegins = piece.startsWith(QLatin1Char(' '));
        if (paragraph_ > longestParagraph && (wordBegins || paragraph_ > 2 * longestParagraph)) {
            breaks_.push_back(end++);
            text += QLatin1Char('\n');
            paragraph_ = int(piece.size());
        }
        spans_.push_back({ end, end + int(piece.size()) });
        end = spans_.back().end;
        text += piece;
    }
    tokens_.append(batch);
    QTextCursor edit(document());
    edit.movePosition(QTextCursor::End);
    edit.insertText(text);
    if (follow) verticalScrollBar()->setValue(verticalScrollBar()->maximum());
}

void TokenView::replace(int index, const GeneratedToken& token)
{
    tokens_[index] = token;
    viewport()->update();
}

QString TokenView::text() const
{
    std::string all;
    for (const auto& token : tokens_) all += token.text;
    return fromUtf8(all);
}

bool TokenView::atEnd() const { return verticalScrollBar()->value() >= verticalScrollBar()->maximum() - 1; }

int TokenView::tokenOf(int position) const
{
    const auto after =
        std::upper_bound(spans_.begin(), spans_.end(), position, [](int p, const Span& s) { return p < s.end; });
    return after != spans_.end() && after->start <= position ? int(after - spans_.begin()) : -1;
}

QVector<QRectF> TokenView::rects(int index) const
{
    QVector<QRectF> out;
    const auto span = spans_[std::size_t(index)];
    for (auto block = document()->findBlock(span.start); block.isValid() && block.position() <= span.end;
         block = block.next()) {
        const auto* layout = block.layout();
        if (!block.isVisible() || layout->lineCount() == 0) continue;
        const auto origin = blockBoundingGeometry(block).translated(contentOffset()).topLeft();
        const int from = std::max(span.start - block.position(), 0);
        const int to = std::min(span.end - block.position(), block.length()); // the break itself counts as one
        const auto firstLine = layout->lineForTextPosition(from);
        for (int l = firstLine.isValid() ? firstLine.lineNumber() : 0; l < layout->lineCount(); ++l) {
            const auto line = layout->lineAt(l);
            if (line.textStart() > to) break;
            const int a = std::max(from, line.textStart()), b = std::min(to, line.textStart() + line.textLength());
            const bool last = l + 1 == layout->lineCount();
            const bool endsHere = last && to > block.length() - 1 && from <= block.length() - 1; // holds the line break
            if (a >= b && !endsHere && !(from == to && a == b)) continue;
            const double x1 = line.cursorToX(std::min(a, line.textStart() + line.textLength()));
            double x2 = b > a ? line.cursorToX(b) : x1;
            if (endsHere || x2 == x1) x2 += 6;
            out << QRectF(std::min(x1, x2), line.y(), std::abs(x2 - x1), line.height()).translated(origin);
        }
    }
    return out;
}

QRect TokenView::tokenRect(int index) const
{
    if (index < 0 || index >= int(spans_.size())) return {};
    for (const auto& r : rects(index))
        if (viewport()->rect().intersects(r.toAlignedRect())) return r.toAlignedRect();
    return {};
}

int TokenView::tokenAt(const QPoint& point) const
{
    const int position = cursorForPosition(point).position();
    for (const int p : { position, position - 1 }) {
        const int index = tokenOf(p);
        if (index < 0) continue;
        for (const auto& r : rects(index))
            if (r.contains(point)) return index;
    }
    return -1;
}

void TokenView::paintEvent(QPaintEvent* event)
{
    const auto& c = Theme::instance().colours();
    QPainter p(viewport());
    p.setRenderHint(QPainter::Antialiasing);
    p.setPen(Qt::NoPen);
    const auto begin = firstVisibleBlock();
    if (begin.isValid() && !spans_.empty()) {
        auto first = std::lower_bound(
            spans_.begin(), spans_.end(), begin.position(), [](const Span& s, int at) { return s.end < at; });
        for (; first != spans_.end(); ++first) {
            const int index = int(first - spans_.begin());
            const auto boxes = rects(index);
            if (!boxes.isEmpty() && boxes.front().top() > event->rect().bottom()) break;
            const auto& token = tokens_[index];
            const auto fill = colourOf(index);
            for (const auto& box : boxes) {
                const auto inner = box.adjusted(0.5, 1, -0.5, -1);
                if (fill.isValid()) {
                    p.setBrush(fill);
                    p.drawRoundedRect(inner, 2.5, 2.5);
                }
                if (token.prompt) { // a line below marks what was given
                    p.setBrush(c.reference);
                    p.drawRect(QRectF(inner.left(), inner.bottom() - 0.5, inner.width(), 1));
                }
                if (index == mark_) {
                    p.setBrush(Qt::NoBrush);
                    p.setPen(QPen(c.warning, 2));
                    p.drawRoundedRect(inner, 2.5, 2.5);
                    p.fillRect(QRectF(box.left() - 1.5, box.top() - 1, 3, box.height() + 2), c.warning);
                    p.setPen(Qt::NoPen);
                }
                if (index == hovered_ || index == current_) {
                    p.setBrush(Qt::NoBrush);
                    p.setPen(QPen(index == current_ ? c.accent : c.text, index == current_ ? 2 : 1));
                    p.drawRoundedRect(inner, 2.5, 2.5);
                    p.setPen(Qt::NoPen);
                }
            }
        }
    }
    p.end();
    QPlainTextEdit::paintEvent(event);
}

void TokenView::setCurrent(int index)
{
    index = tokens_.isEmpty() ? -1 : std::clamp(index, -1, int(tokens_.size()) - 1);
    if (index == current_) return;
    current_ = index;
    if (index >= 0) {
        auto cursor = textCursor();
        cursor.setPosition(spans_[std::size_t(index)].start);
        setTextCursor(cursor); // scrolls, and is where screen readers read
    }
    viewport()->update();
    Q_EMIT currentChanged(index);
}

void TokenView::setMark(int index)
{
    if (index == mark_) return;
    mark_ = index;
    viewport()->update();
}

void TokenView::reveal(int index)
{
    if (index < 0 || index >= int(spans_.size())) return;
    auto cursor = textCursor();
    cursor.setPosition(spans_[std::size_t(index)].start);
    setTextCursor(cursor);
    ensureCursorVisible();
}

QMimeData* TokenView::createMimeDataFromSelection() const
{
    const auto cursor = textCursor();
    QString text;
    const auto selected = cursor.selectedText();
    for (qsizetype i = 0; i < selected.size(); ++i) {
        const bool separator = selected[i] == QChar::ParagraphSeparator;
        if (separator && std::binary_search(breaks_.begin(), breaks_.end(), cursor.selectionStart() + int(i))) continue;
        text += separator ? QChar(QLatin1Char('\n')) : selected[i];
    }
    auto* copied = new QMimeData;
    copied->setText(text);
    return copied;
}

} // namespace pha::ui
