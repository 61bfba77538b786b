// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/playground/token_popup.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QApplication>
#include <QHeaderView>
#include <QKeyEvent>
#include <QLabel>
#include <QPainter>
#include <QTableWidget>
#include <QVBoxLayout>

#include <cmath>

namespace pha::ui {

namespace {

QString percent(double p)
{
    if (p >= 0.9995) return QStringLiteral("100 %");
    return p >= 0.001 ? formatFixed(100 * p, 1) + QStringLiteral(" %") : QStringLiteral("<0.1 %");
}

} // namespace

TokenPopup::TokenPopup(QWidget* parent)
    : QFrame(parent)
    , title_(new QLabel(this))
    , figures_(new QLabel(this))
    , hint_(new QLabel(this))
    , list_(new QTableWidget(0, 2, this))
{
    setObjectName(QStringLiteral("tokenPopup"));
    setAccessibleName(tr("Alternatives of a token"));
    for (auto* label : { title_, figures_, hint_ }) label->setTextFormat(Qt::PlainText);
    title_->setObjectName(QStringLiteral("tokenPopupTitle"));
    figures_->setObjectName(QStringLiteral("tokenPopupFigures"));
    setRole(title_, "title");
    setRole(figures_, "muted");
    setRole(hint_, "small");
    styleTable(list_);
    list_->setObjectName(QStringLiteral("tokenAlternatives"));
    list_->setAccessibleName(tr("Most probable tokens; Enter continues from the selected one"));
    list_->setToolTip(tr("Click, or press Enter, to write on from this token instead."));
    list_->setSelectionMode(QAbstractItemView::SingleSelection);
    list_->horizontalHeader()->hide();
    list_->horizontalHeader()->setSectionResizeMode(0, QHeaderView::Stretch);
    list_->horizontalHeader()->setSectionResizeMode(1, QHeaderView::Fixed);
    list_->setColumnWidth(1, fontMetrics().horizontalAdvance(QStringLiteral("<0.1 % ")) + 26);
    fitToText(list_, [this] { list_->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 6); });
    list_->setItemDelegateForColumn(0, new BarDelegate(list_));
    list_->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    list_->setCursor(Qt::PointingHandCursor);
    list_->setMouseTracking(true);
    list_->installEventFilter(this);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(12, 10, 12, 10);
    layout->setSpacing(4);
    layout->addWidget(title_);
    layout->addWidget(figures_);
    layout->addWidget(list_);
    layout->addWidget(hint_);
    connect(list_, &QTableWidget::cellClicked, this, [this](int row) { choose(row); });
    connect(list_, &QTableWidget::cellEntered, list_, &QTableWidget::selectRow);
    hide();
}

void TokenPopup::showToken(int index, const GeneratedToken& token, const QRect& near)
{
    index_ = index;
    token_ = token;
    title_->setText(visibleToken(token.text));
    if (token.alternatives.empty()) {
        figures_->setText(tr("id %1 - the first token: nothing predicted it").arg(token.id));
    } else {
        const auto id = QString::number(token.id), probability = percent(token.probability);
        auto text = token.prompt
            ? tr("id %1, probability %2").arg(id, probability)
            : tr("id %1, probability %2, as sampled %3").arg(id, probability, percent(token.sampledProbability));
        text += QLatin1Char('\n')
            + tr("surprise %1 nats, entropy %2 nats")
                  .arg(formatFixed(-std::log(std::max(token.probability, 1e-12)), 2), formatFixed(token.entropy, 2));
        figures_->setText(text);
    }
    const int rows = int(token.alternatives.size());
    list_->setRowCount(rows);
    double best = 1e-9;
    for (const auto& a : token.alternatives) best = std::max(best, a.probability);
    for (int r = 0; r < rows; ++r) {
        const auto& a = token.alternatives[std::size_t(r)];
        auto* text = new QTableWidgetItem(visibleToken(a.text));
        text->setData(BarDelegate::Share, a.probability);
        auto* p = new QTableWidgetItem(percent(a.probability));
        p->setTextAlignment(Qt::AlignRight | Qt::AlignVCenter);
        if (a.id == token.id) {
            auto bold = list_->font();
            bold.setBold(true);
            text->setFont(bold);
            p->setFont(bold);
        }
        text->setToolTip(plainToolTip(tr("id %1: write on from here").arg(a.id)));
        list_->setItem(r, 0, text);
        list_->setItem(r, 1, p);
    }
    list_->setVisible(rows > 0);
    list_->setFixedHeight(rows * list_->verticalHeader()->defaultSectionSize() + 2);
    list_->clearSelection();
    hint_->setText(pinned_ ? tr("Enter or click: write on from that token. Esc: close.")
                           : tr("Click a row to write on from that token."));
    hint_->setVisible(rows > 0);
    const auto edges = layout()->contentsMargins();
    setFixedWidth(std::max(
        fontMetrics().averageCharWidth() * 46 + 40, figures_->sizeHint().width() + edges.left() + edges.right()));
    adjustSize();
    const auto room = parentWidget()->rect().adjusted(6, 6, -6, -6);
    int x = std::min(near.left() - 12, room.right() - width());
    int y = near.bottom() + 2;
    if (y + height() > room.bottom() && near.top() - height() - 2 >= room.top()) y = near.top() - height() - 2;
    move(std::max(room.left(), x), std::max(room.top(), std::min(y, room.bottom() - height())));
    raise();
    show();
}

void TokenPopup::setPinned(bool pinned, bool takeFocus)
{
    pinned_ = pinned;
    if (!pinned || !isVisible()) return;
    hint_->setText(tr("Enter or click: write on from that token. Esc: close."));
    if (!takeFocus || list_->rowCount() == 0) return;
    list_->setFocus(Qt::OtherFocusReason);
    list_->setCurrentCell(0, 0);
}

void TokenPopup::dismiss()
{
    if (isHidden()) return; // not isVisible(): the panel around it may have gone out of sight first
    const bool focused = list_->hasFocus();
    pinned_ = false;
    index_ = -1;
    hide();
    Q_EMIT dismissed(focused);
}

void TokenPopup::choose(int row)
{
    if (row < 0 || row >= int(token_.alternatives.size())) return;
    const int index = index_;
    const auto alternative = token_.alternatives[std::size_t(row)];
    dismiss();
    Q_EMIT chosen(index, alternative);
}

bool TokenPopup::eventFilter(QObject* watched, QEvent* event)
{
    const bool key = event->type() == QEvent::KeyPress || event->type() == QEvent::ShortcutOverride;
    if (watched == list_ && key) {
        const auto* press = static_cast<QKeyEvent*>(event);
        const bool enter = (press->key() == Qt::Key_Return || press->key() == Qt::Key_Enter)
            && !(press->modifiers() & Qt::ControlModifier);
        if (enter || press->key() == Qt::Key_Escape) {
            event->accept();
            if (event->type() == QEvent::KeyPress) enter ? choose(list_->currentRow()) : dismiss();
            return true;
        }
    }
    if (event->type() == QEvent::MouseButtonPress && watched->isWidgetType()) { // any widget: see showEvent()
        // Not by the widget: a press that a part of this leaves goes on to the panel.
        const auto at = static_cast<QMouseEvent*>(event)->globalPosition().toPoint();
        const auto inside = [at](
                                const QWidget* area) { return area && area->rect().contains(area->mapFromGlobal(at)); };
        if (!inside(this) && !inside(text_)) dismiss();
    }
    return QFrame::eventFilter(watched, event);
}

/// While it is there, presses outside close it: it may lie over what they are meant for.
void TokenPopup::showEvent(QShowEvent* event)
{
    QFrame::showEvent(event);
    qApp->installEventFilter(this);
}

void TokenPopup::hideEvent(QHideEvent* event)
{
    QFrame::hideEvent(event);
    qApp->removeEventFilter(this);
}

void TokenPopup::enterEvent(QEnterEvent* event)
{
    QFrame::enterEvent(event);
    Q_EMIT entered();
}

void TokenPopup::leaveEvent(QEvent* event)
{
    QFrame::leaveEvent(event);
    Q_EMIT left();
}

void TokenPopup::paintEvent(QPaintEvent*)
{
    const auto& c = Theme::instance().colours();
    QPainter p(this);
    p.setRenderHint(QPainter::Antialiasing);
    p.fillRect(rect(), c.surface);
    p.setPen(QPen(pinned_ ? c.accent : c.muted, 1));
    p.drawRect(QRectF(rect()).adjusted(0.5, 0.5, -0.5, -0.5));
}

} // namespace pha::ui
