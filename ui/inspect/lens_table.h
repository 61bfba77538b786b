// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/controls/token_tint.h"
#include "ui/inspect/look_figures.h"

#include <QTableWidget>

namespace pha::ui {

/// What the network would say after each layer (the logit lens): a column for each token that came, and one for what
/// comes next, a row for the embedding and each layer, in each cell the most probable piece.
class LensTable : public QTableWidget {
    Q_OBJECT

public:
    enum Tint { Probability, Sureness, Distance }; ///< what the colour of a cell shows
    explicit LensTable(QWidget* parent = nullptr);
    void setLook(const LookPtr& look); ///< null: empty
    void setTint(Tint tint);
    const TokenTint& colours() const { return colours_; }
    /// The column of a token of the text; the one behind the last is what comes next. The first token has none.
    void setToken(int token);
    int token() const { return currentColumn() + 1; } ///< 0: none
    QString reading() const; ///< what the current cell says, in words
    static QString csv(const InsideView& look);

Q_SIGNALS:
    void chosen(int token); ///< or another layer of it

protected:
    void changeEvent(QEvent* event) override;

private:
    void paintCells();
    void fitColumns();
    const LensCell& cellAt(int row, int column) const;
    bool came(int column) const; ///< there is a token there
    QString layerTitle(int row) const;

    LookPtr look_;
    TokenTint colours_;
    Tint tint_ = Probability;
};

} // namespace pha::ui
