// SPDX-License-Identifier: GPL-3.0-or-later
// BranchMixer: the grid of layers and branches, and how keys move in it.
#include "ui/look/theme.h"
#include "ui/mixer/branch_mixer.h"
#include "ui/mixer/mix_cell.h"
#include "ui/mixer/mix_faders.h"

#include <QGridLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QScrollArea>
#include <QToolButton>

#include <algorithm>

namespace pha::ui {

void BranchMixer::build()
{
    heads_.clear();
    buttons_.clear();
    body_ = new QWidget;
    body_->setObjectName(QStringLiteral("mixGrid"));
    auto* grid = new QGridLayout(body_);
    grid->setContentsMargins(0, 0, 4, 0);
    grid->setHorizontalSpacing(5);
    grid->setVerticalSpacing(2);
    for (int b = 0; b < branches_.size(); ++b) {
        auto* label = new QLabel(branchLabel(branches_[b]), body_);
        setRole(label, "small");
        label->setAlignment(Qt::AlignCenter);
        grid->addWidget(label, 0, b + 1);
        grid->setColumnStretch(b + 1, 1);
    }
    for (int row = 0; row <= int(cells_.size()) && !cells_.empty(); ++row) {
        const auto place = row == 0 ? tr("all layers") : tr("layer %1").arg(row - 1);
        auto* head = new QToolButton(body_);
        head->setText(row == 0 ? tr("All") : QStringLiteral("L%1").arg(row - 1));
        head->setObjectName(row == 0 ? QStringLiteral("mixRow_all") : QStringLiteral("mixRow_%1").arg(row));
        head->setCheckable(true);
        head->setMinimumWidth(38);
        head->setToolTip(
            tr("The faders below set the weights in %1. Ctrl+click or Shift+click selects several layers.").arg(place));
        head->setAccessibleName(tr("Select %1 for the faders").arg(place));
        connect(head, &QToolButton::clicked, this, [this, row] { select(row); });
        grid->addWidget(head, row + 1, 0);
        heads_.push_back(head);
        std::vector<MixCell*> cells;
        for (int b = 0; b < branches_.size(); ++b) {
            auto* cell = new MixCell(branches_[b], place, body_);
            cell->setObjectName(
                (row == 0 ? QStringLiteral("mix_all_") : QStringLiteral("mix_%1_").arg(row)) + branches_[b]);
            connect(cell, &MixCell::clicked, this, [this, row, b](bool muted) { toggle(row, b, muted); });
            grid->addWidget(cell, row + 1, b + 1);
            cells.push_back(cell);
        }
        buttons_.push_back(cells);
        // One stop of the Tab key for the whole grid; arrows move inside it.
        head->setFocusPolicy(Qt::ClickFocus);
        head->installEventFilter(this);
        for (auto* cell : cells) {
            cell->setFocusPolicy(row == 0 && cell == cells.front() ? Qt::StrongFocus : Qt::ClickFocus);
            cell->installEventFilter(this);
        }
    }
    grid->setRowStretch(int(cells_.size()) + 2, 1);
    scroll_->setWidget(body_);
    const bool any = !cells_.empty();
    nothing_->setVisible(!any);
    scroll_->setVisible(any);
    faders_->setVisible(any);
    faders_->setBranches(branches_);
    const int shownRows = std::min(int(cells_.size()) + 2, 7);
    scroll_->setMinimumHeight(any ? shownRows * (fontMetrics().height() + 11) : 0);
    scroll_->setMaximumHeight(any ? std::max(scroll_->minimumHeight(), body_->sizeHint().height() + 4) : 0);
    refresh();
}

bool BranchMixer::eventFilter(QObject* watched, QEvent* event)
{
    auto* button = qobject_cast<QAbstractButton*>(watched);
    if (button && event->type() == QEvent::FocusIn) {
        for (const auto& row : buttons_)
            for (auto* cell : row) cell->setFocusPolicy(Qt::ClickFocus);
        for (auto* head : heads_) head->setFocusPolicy(Qt::ClickFocus);
        button->setFocusPolicy(Qt::StrongFocus);
        scroll_->ensureWidgetVisible(button, 0, 4);
    }
    if (button && event->type() == QEvent::KeyPress) {
        int row = -1, column = -1; // column 0: the row's head
        for (std::size_t r = 0; r < heads_.size(); ++r) {
            if (heads_[r] == button) row = int(r), column = 0;
            for (std::size_t b = 0; b < buttons_[r].size(); ++b)
                if (buttons_[r][b] == button) row = int(r), column = int(b) + 1;
        }
        const int key = static_cast<QKeyEvent*>(event)->key();
        const int down = key == Qt::Key_Down ? 1 : key == Qt::Key_Up ? -1 : 0;
        const int right = key == Qt::Key_Right ? 1 : key == Qt::Key_Left ? -1 : 0;
        if (row >= 0 && (down != 0 || right != 0)) {
            QAbstractButton* target = button;
            do { // past the cells of branches that a layer lacks
                row += down, column += right;
                if (row < 0 || row >= int(heads_.size()) || column < 0 || column > int(branches_.size())) return true;
                target = column == 0 ? static_cast<QAbstractButton*>(heads_[std::size_t(row)])
                                     : buttons_[std::size_t(row)][std::size_t(column) - 1];
            } while (!target->isEnabled());
            target->setFocus(Qt::OtherFocusReason);
            return true;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace pha::ui
