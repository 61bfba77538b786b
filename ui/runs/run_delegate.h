// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/runs/run_summary.h"

#include <QStyledItemDelegate>

namespace pha::ui {

/// Paints a row of the run list: tick in the colour of the run's curves, sign of its state, name, figures, progress.
class RunDelegate : public QStyledItemDelegate {
    Q_OBJECT

public:
    using QStyledItemDelegate::QStyledItemDelegate;

    void paint(QPainter* painter, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QSize sizeHint(const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    void setEditorData(QWidget* editor, const QModelIndex& index) const override;
    void updateEditorGeometry(
        QWidget* editor, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    QWidget* createEditor(QWidget* parent, const QStyleOptionViewItem& option, const QModelIndex& index) const override;
    bool editorEvent(QEvent* event, QAbstractItemModel* model, const QStyleOptionViewItem& option,
        const QModelIndex& index) override;

    /// What a row says: the name cut to its place, the time that is left if it fits beside it, else before the figures.
    struct Words {
        QString name, time, figures;
    };
    static Words words(const RunSummary& run, const QStyleOptionViewItem& option);

private:
    struct Places;
    static Places places(const QStyleOptionViewItem& option);
};

void paintWaitingGlyph(QPainter* painter, const QRectF& box); ///< a clock: the run waits for its turn
/// The sign of a state: told apart by shape as well as by colour. Also used by the run bar.
void paintStateGlyph(QPainter* painter, const QRectF& box, RunState state, bool interrupted);
QColor stateColour(RunState state, bool interrupted);

} // namespace pha::ui
