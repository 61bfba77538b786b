// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/data/data_worker.h"

#include <QPlainTextEdit>

namespace pha::ui {

/// Text that shows, while one types, how the tokenizer cuts it: each piece on a ground of its own.
class PieceEditor : public QPlainTextEdit {
    Q_OBJECT

public:
    explicit PieceEditor(QWidget* parent = nullptr);

    void showPieces(const CutText& cut); ///< of an older text: ignored
    void clearPieces();
    const CutText& pieces() const { return cut_; }
    int pieceAt(int position) const; ///< position in the text; -1: none
    /// Where each piece begins in the text, and where the last one ends. A piece inside a character has no width.
    const std::vector<int>& bounds() const { return bounds_; }

    static constexpr int most = 20'000; ///< characters that are cut

Q_SIGNALS:
    void pieceChanged(int index); ///< the cursor is in this one

protected:
    bool event(QEvent* event) override;

private:
    void colour();

    CutText cut_;
    std::vector<int> bounds_;
};

/// "A piece, id 312, 5 bytes": control characters and spaces made visible.
QString describePiece(const TextPiece& piece);

} // namespace pha::ui
