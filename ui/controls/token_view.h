// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/engine.h"
#include "ui/controls/token_tint.h"

#include <QPlainTextEdit>
#include <QVector>

#include <vector>

namespace pha::ui {

/// Text whose tokens can be pointed at. Colours are painted behind the visible tokens only and the document holds
/// nothing but plain text, so tens of thousands of tokens stay smooth and text from a network is never taken for
/// markup.
class TokenView : public QPlainTextEdit {
    Q_OBJECT

public:
    explicit TokenView(QWidget* parent = nullptr);

    const QVector<GeneratedToken>& tokens() const { return tokens_; }
    void setTokens(const QVector<GeneratedToken>& tokens); ///< and shows their end
    void append(const QVector<GeneratedToken>& batch); ///< one edit; follows the end if it was in sight
    void replace(int index, const GeneratedToken& token); ///< figures of a token whose text stays
    void clearTokens();
    QString text() const; ///< of all tokens, as the network wrote it

    const TokenTint& tint() const { return tint_; }
    void setTint(TintMode mode);
    /// Colours of its own for each token, instead of the tint's; an invalid one is none, an empty list the tint again.
    void setColours(const QVector<QColor>& colours);
    QColor colourOf(int index) const; ///< behind a token; invalid: none
    int current() const { return current_; } ///< -1: none
    void setCurrent(int index); ///< and scrolls there
    void setMark(int index); ///< a token set off from all before it; -1: none
    int mark() const { return mark_; }
    void reveal(int index); ///< scrolls there
    int tokenAt(const QPoint& point) const; ///< in the viewport; -1: none
    QRect tokenRect(int index) const; ///< its first line, in the viewport; empty if out of sight
    bool atEnd() const;

Q_SIGNALS:
    void hovered(int index); ///< -1: none
    void currentChanged(int index);
    void chosen(int index, bool byKeyboard); ///< clicked, or Enter on the current one

protected:
    bool event(QEvent* event) override;
    void paintEvent(QPaintEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void mouseMoveEvent(QMouseEvent* event) override;
    void mousePressEvent(QMouseEvent* event) override;
    void mouseReleaseEvent(QMouseEvent* event) override;
    void leaveEvent(QEvent* event) override;
    QMimeData* createMimeDataFromSelection() const override;

private:
    struct Span {
        int start = 0, end = 0; ///< document positions
    };
    QVector<QRectF> rects(int index) const; ///< one a line, in the viewport
    int tokenOf(int position) const;
    void hover(int index);
    int neighbour(int lines) const; ///< the token above or below the current one

    QVector<GeneratedToken> tokens_;
    std::vector<Span> spans_;
    std::vector<int> breaks_; ///< positions of line breaks that are not in the text
    int paragraph_ = 0; ///< characters since the last break
    int current_ = -1, hovered_ = -1, mark_ = -1;
    QPoint pressed_;
    TokenTint tint_;
    QVector<QColor> colours_;
};

/// Characters that cannot be seen, made visible: for one token, in quotes.
QString visibleToken(const std::string& text);

} // namespace pha::ui
