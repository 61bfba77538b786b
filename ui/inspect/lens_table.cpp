// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/lens_table.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/token_view.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QEvent>
#include <QHeaderView>

#include <algorithm>

namespace pha::ui {

namespace {

constexpr int lettersOfAColumn = 10;

/// The most probable pieces, best first.
QString pieces(const LensCell& cell, const QString& between)
{
    QStringList list;
    for (const auto& said : cell.top)
        list << LensTable::tr("\u201c%1\u201d %2").arg(visibleToken(said.text), sharePercent(said.probability));
    return list.join(between);
}

} // namespace

LensTable::LensTable(QWidget* parent)
    : QTableWidget(parent)
{
    styleTable(this);
    makeCopyable(this);
    setSelectionBehavior(QAbstractItemView::SelectItems);
    setSelectionMode(QAbstractItemView::SingleSelection);
    setHorizontalScrollMode(QAbstractItemView::ScrollPerPixel);
    setCornerButtonEnabled(false);
    verticalHeader()->show();
    verticalHeader()->setDefaultAlignment(Qt::AlignRight | Qt::AlignVCenter);
    verticalHeader()->setSectionsClickable(false);
    verticalHeader()->setHighlightSections(false);
    setAccessibleName(tr("What the network would say after each layer"));
    setToolTip(tr("Above: the token that came. Below it, layer by layer: the piece that the network would have thought "
                  "most probable there if it ended after that layer. Bold: it is the token that came. Beside each "
                  "layer: the mean loss over the text."));
    connect(&Theme::instance(), &Theme::changed, this, [this] { paintCells(); });
    connect(this, &QTableWidget::currentCellChanged, this, [this](int row, int column) {
        if (row >= 0 && column >= 0) Q_EMIT chosen(column + 1);
    });
}

bool LensTable::came(int column) const { return std::size_t(column) + 1 < look_->tokens.size(); }

const LensCell& LensTable::cellAt(int row, int column) const
{
    return look_->lens[std::size_t(row)].cells[std::size_t(column)];
}

QString LensTable::layerTitle(int row) const
{
    const auto layer = look_->lens[std::size_t(row)].layer;
    return layer < 0 ? partTitle(QStringLiteral("embedding")) : QStringLiteral("L%1").arg(layer);
}

void LensTable::setLook(const LookPtr& look)
{
    const QSignalBlocker quiet(this); // what was chosen belongs to another text
    look_ = look;
    clear();
    const bool any = look && !look->lens.empty();
    setRowCount(any ? int(look->lens.size()) : 0);
    setColumnCount(any ? int(look->tokens.size()) : 0);
    for (int column = 0; column < columnCount(); ++column) {
        auto* head =
            new QTableWidgetItem(came(column) ? visibleToken(look->tokens[std::size_t(column) + 1].text) : tr("next"));
        head->setToolTip(plainToolTip(
            came(column) ? tr("Token %1, which came").arg(column + 2) : tr("What comes after the text is not known")));
        head->setTextAlignment(Qt::AlignLeft | Qt::AlignVCenter);
        setHorizontalHeaderItem(column, head);
    }
    const auto scored = any ? std::int64_t(look->tokens.size()) - 1 : 0;
    for (int row = 0; row < rowCount(); ++row) {
        const auto& lens = look->lens[std::size_t(row)];
        const auto loss = formatFixed(lens.nll, 2);
        auto* head = new QTableWidgetItem(
            lens.layer < 0 ? tr("Emb.  %1").arg(loss) : QStringLiteral("%1  %2").arg(layerTitle(row), loss));
        head->setToolTip(plainToolTip(counted(scored,
            tr("After %1: mean loss %2 nats over the %3 token that came; its most probable "
               "piece is that of the whole network %4 of the time; %5 nats from what that says"),
            tr("After %1: mean loss %2 nats over the %3 tokens that came; its most probable "
               "piece is that of the whole network %4 of the time; %5 nats from what that says"))
                                          .arg(layerTitle(row), formatFixed(lens.nll, 3), formatCount(scored),
                                              sharePercent(lens.agreement), formatFixed(lens.divergence, 3))));
        setVerticalHeaderItem(row, head);
        for (int column = 0; column < columnCount(); ++column) {
            const auto& best = cellAt(row, column).top.front();
            auto* cell = new QTableWidgetItem(visibleToken(best.text));
            if (came(column) && best.id == look->tokens[std::size_t(column) + 1].id) {
                auto bold = font();
                bold.setBold(true);
                cell->setFont(bold);
            }
            const QString line(QLatin1Char('\n'));
            cell->setToolTip(
                plainToolTip(tr("After %1:").arg(layerTitle(row)) + line + pieces(cellAt(row, column), line)));
            setItem(row, column, cell);
        }
    }
    fitColumns();
    paintCells();
}

void LensTable::fitColumns()
{
    horizontalHeader()->setDefaultSectionSize(
        fontMetrics().averageCharWidth() * lettersOfAColumn + 16); // as many beside each other as can be read
}

void LensTable::changeEvent(QEvent* event)
{
    QTableWidget::changeEvent(event);
    if (event->type() == QEvent::FontChange) fitColumns();
}

void LensTable::setTint(Tint tint)
{
    tint_ = tint;
    paintCells();
}

void LensTable::setToken(int token)
{
    const QSignalBlocker quiet(this);
    const int column = token - 1;
    if (column == currentColumn()) return;
    if (column < 0 || column >= columnCount()) return setCurrentItem(nullptr);
    setCurrentCell(currentRow() < 0 ? rowCount() - 1 : currentRow(), column);
}

void LensTable::paintCells()
{
    colours_.setMode(tint_ == Probability ? TintMode::Probability
            : tint_ == Sureness           ? TintMode::Entropy
                                          : TintMode::Surprise);
    for (int row = 0; row < rowCount(); ++row) {
        for (int column = 0; column < columnCount(); ++column) {
            const auto& cell = cellAt(row, column);
            const double share = tint_ == Probability ? cell.probability
                : tint_ == Sureness                   ? cell.entropy / TokenTint::entropyEnd
                                                      : cell.divergence / TokenTint::surpriseEnd;
            const bool any = tint_ != Probability || came(column);
            item(row, column)->setBackground(any ? QBrush(colours_.at(share)) : QBrush());
        }
    }
}

QString LensTable::reading() const
{
    const int row = currentRow(), column = currentColumn();
    if (!look_ || row < 0 || column < 0) return {};
    const auto& cell = cellAt(row, column);
    auto text = tr("After %1: %2.").arg(layerTitle(row), pieces(cell, QStringLiteral(", ")));
    if (came(column))
        text += QLatin1Char(' ')
            + tr("The token that came, \u201c%1\u201d, is number %2 with %3.")
                  .arg(visibleToken(look_->tokens[std::size_t(column) + 1].text), formatCount(cell.rank),
                      sharePercent(cell.probability));
    const auto& end = cellAt(rowCount() - 1, column).top.front();
    int first = rowCount() - 1;
    while (first > 0 && cellAt(first - 1, column).top.front().id == end.id) --first;
    text += QLatin1Char(' ')
        + (first + 1 < rowCount() ? tr("What the network says at last, \u201c%1\u201d, leads from %2 on.")
                                  : tr("What the network says at last, \u201c%1\u201d, leads only after %2."))
              .arg(visibleToken(end.text), layerTitle(first));
    return text;
}

QString LensTable::csv(const InsideView& look)
{
    auto out = csvLine({ QStringLiteral("layer"), QStringLiteral("position"), QStringLiteral("token_that_came"),
        QStringLiteral("probability"), QStringLiteral("rank"), QStringLiteral("entropy"), QStringLiteral("divergence"),
        QStringLiteral("best"), QStringLiteral("best_probability") });
    for (const auto& lens : look.lens) {
        for (std::size_t t = 0; t < lens.cells.size(); ++t) {
            const auto& cell = lens.cells[t];
            const bool came = t + 1 < look.tokens.size();
            const auto number = [](double x) { return QString::number(x, 'g', 9); };
            out += csvLine({ lens.layer < 0 ? QString() : QString::number(lens.layer), QString::number(t + 1),
                came ? fromUtf8(look.tokens[t + 1].text) : QString(), came ? number(cell.probability) : QString(),
                came ? QString::number(cell.rank) : QString(), number(cell.entropy), number(cell.divergence),
                fromUtf8(cell.top.front().text), number(cell.top.front().probability) });
        }
    }
    return out;
}

} // namespace pha::ui
