// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/figure_tile.h"

#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QGridLayout>
#include <QLabel>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

FigureTile::FigureTile(const QString& title, const QString& tip, QWidget* parent)
    : QFrame(parent)
    , value_(new QLabel(this))
    , detail_(new ElidedLabel(this, {}, "small"))
    , title_(title)
{
    setRole(this, "card");
    auto* heading = new QLabel(title, this);
    setRole(heading, "small");
    setRole(value_, "hero");
    value_->setTextInteractionFlags(Qt::TextSelectableByMouse);
    setMinimumWidth(fontMetrics().averageCharWidth() * 14 + 24);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(12, 7, 12, 7);
    layout->setSpacing(0);
    layout->addWidget(heading);
    layout->addWidget(value_);
    layout->addWidget(detail_);
    setToolTip(tip);
    set(QStringLiteral("\u2013"), {});
}

void FigureTile::set(const QString& value, const QString& detail, const char* detailRole)
{
    value_->setText(value);
    detail_->setText(detail);
    detail_->setToolTip(plainToolTip(detail));
    setRole(detail_, detailRole);
    setAccessibleName(QStringLiteral("%1: %2 %3").arg(title_, value, detail));
}

TileRow::TileRow(const QVector<FigureTile*>& tiles, QWidget* parent)
    : QWidget(parent)
    , tiles_(tiles)
    , grid_(new QGridLayout(this))
{
    grid_->setContentsMargins(0, 0, 0, 0);
    grid_->setSpacing(8);
    setSizePolicy(QSizePolicy::Expanding, QSizePolicy::Fixed);
    arrange(2);
}

int TileRow::widest() const
{
    int width = 0;
    for (const auto* tile : tiles_) width = std::max(width, tile->minimumSizeHint().width());
    return width;
}

QSize TileRow::minimumSizeHint() const
{
    return { 2 * widest() + grid_->horizontalSpacing(), QWidget::minimumSizeHint().height() };
}

void TileRow::arrange(int columns)
{
    if (columns == columns_) return;
    columns_ = columns;
    for (int i = 0; i < tiles_.size(); ++i) grid_->addWidget(tiles_[i], i / columns, i % columns);
    for (int i = 0; i < tiles_.size(); ++i) grid_->setColumnStretch(i, i < columns);
}

void TileRow::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    const int comfortable = std::max(widest(), fontMetrics().averageCharWidth() * 22 + 24); // 22 characters
    arrange(width() >= int(tiles_.size()) * comfortable ? int(tiles_.size()) : 2);
}

} // namespace pha::ui
