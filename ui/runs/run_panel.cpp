// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_panel.h"

#include "ui/format.h"
#include "ui/icons.h"
#include "ui/runs/run_delegate.h"
#include "ui/theme.h"

#include <QAction>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace pha::ui {

/// Every word of the search must occur somewhere in a row; what is going on comes first, then the newest.
class RunPanel::Filter : public QSortFilterProxyModel {
public:
    explicit Filter(QObject* parent)
        : QSortFilterProxyModel(parent)
    {
        setSortRole(RunListModel::SortRole);
        setDynamicSortFilter(true);
        sort(0, Qt::DescendingOrder);
    }
    void setWords(const QString& text)
    {
        words_ = text.split(QLatin1Char(' '), Qt::SkipEmptyParts);
        invalidateFilter();
    }

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override
    {
        if (words_.isEmpty()) return true;
        const auto text = sourceModel()->index(row, 0, parent).data(RunListModel::SearchRole).toString();
        return std::all_of(
            words_.begin(), words_.end(), [&](const QString& w) { return text.contains(w, Qt::CaseInsensitive); });
    }

private:
    QStringList words_;
};

RunPanel::RunPanel(RunListModel* model, QWidget* parent)
    : QWidget(parent)
    , model_(model)
    , filter_(new Filter(this))
    , runSearch_(new QLineEdit)
    , runList_(new QListView)
    , stack_(new QStackedWidget)
    , emptyLabel_(new QLabel)
    , countLabel_(new QLabel)
{
    setObjectName(QStringLiteral("runPanel"));
    filter_->setSourceModel(model);

    runSearch_->setObjectName(QStringLiteral("runSearch"));
    runSearch_->setPlaceholderText(tr("Search runs"));
    runSearch_->setAccessibleName(tr("Search runs"));
    runSearch_->setToolTip(plainToolTip(tr("Words of a name, preset, data set or state (Ctrl+F)")));
    runSearch_->setClearButtonEnabled(true);
    runSearch_->addAction(icon(QStringLiteral("search")), QLineEdit::LeadingPosition);

    runList_->setObjectName(QStringLiteral("runList"));
    runList_->setToolTip(
        tr("Selecting a run shows it everywhere; ticking it (H) adds it to the charts and the comparison"));
    runList_->setAccessibleName(tr("Runs"));
    runList_->setModel(filter_);
    runList_->setItemDelegate(new RunDelegate(runList_));
    runList_->setUniformItemSizes(true);
    runList_->setMouseTracking(true);
    runList_->setFrameShape(QFrame::NoFrame);
    runList_->setVerticalScrollMode(QAbstractItemView::ScrollPerPixel);
    runList_->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    runList_->setEditTriggers(QAbstractItemView::NoEditTriggers); // F2 is an action of the window
    runList_->setContextMenuPolicy(Qt::ActionsContextMenu);

    emptyLabel_->setObjectName(QStringLiteral("runsEmpty"));
    emptyLabel_->setTextFormat(Qt::PlainText);
    emptyLabel_->setWordWrap(true);
    emptyLabel_->setAlignment(Qt::AlignCenter);
    emptyLabel_->setMargin(18);
    setRole(emptyLabel_, "muted");
    countLabel_->setObjectName(QStringLiteral("runCount"));
    countLabel_->setTextFormat(Qt::PlainText);
    setRole(countLabel_, "small");

    stack_->addWidget(runList_);
    stack_->addWidget(emptyLabel_);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(6, 8, 6, 6);
    layout->setSpacing(6);
    layout->addWidget(runSearch_);
    layout->addWidget(stack_, 1);
    layout->addWidget(countLabel_);
    setFocusProxy(runList_);

    connect(runSearch_, &QLineEdit::textChanged, this, [this](const QString& text) {
        filter_->setWords(text);
        restoreSelection();
    });
    connect(runList_->selectionModel(), &QItemSelectionModel::currentChanged, this, [this](const QModelIndex& now) {
        if (now.isValid()) wanted_ = toPath(now.data(RunListModel::DirectoryRole).toString());
        Q_EMIT currentChanged();
    });
    connect(runList_, &QListView::doubleClicked, this, &RunPanel::activated);
    connect(runList_, &QListView::activated, this, &RunPanel::activated);
    connect(filter_, &QAbstractItemModel::rowsInserted, this, &RunPanel::restoreSelection);
    connect(filter_, &QAbstractItemModel::rowsRemoved, this, &RunPanel::updateEmptyState);
    connect(filter_, &QAbstractItemModel::modelReset, this, &RunPanel::updateEmptyState);
    connect(model_, &RunListModel::scanFinished, this, &RunPanel::updateEmptyState);
    connect(model_, &RunListModel::shownChanged, this, &RunPanel::updateEmptyState);
    updateEmptyState();
}

void RunPanel::setContextActions(const QList<QAction*>& actions) { runList_->addActions(actions); }

std::optional<fs::path> RunPanel::current() const
{
    const auto index = runList_->currentIndex();
    if (!index.isValid()) return std::nullopt;
    return toPath(index.data(RunListModel::DirectoryRole).toString());
}

void RunPanel::select(const fs::path& directory)
{
    wanted_ = directory;
    // A run that the search hides is still the one that was asked for.
    if (const int row = model_->rowOf(directory); row >= 0 && !filter_->mapFromSource(model_->index(row)).isValid())
        runSearch_->clear();
    restoreSelection();
}

void RunPanel::restoreSelection()
{
    updateEmptyState();
    if (!wanted_) return;
    const int row = model_->rowOf(*wanted_);
    const auto index = row < 0 ? QModelIndex() : filter_->mapFromSource(model_->index(row));
    if (!index.isValid() || index == runList_->currentIndex()) return;
    runList_->setCurrentIndex(index);
    runList_->scrollTo(index);
}

void RunPanel::renameCurrent()
{
    if (runList_->currentIndex().isValid()) runList_->edit(runList_->currentIndex());
}

void RunPanel::focusSearch()
{
    runSearch_->setFocus(Qt::ShortcutFocusReason);
    runSearch_->selectAll();
}

void RunPanel::updateEmptyState()
{
    const int all = model_->rowCount(), visible = filter_->rowCount();
    if (all == 0)
        emptyLabel_->setText(model_->scanned()
                ? tr("No runs yet.\nSet one up on the right and press Start (Ctrl+R), or choose Run the demo.")
                : tr("Looking for runs\u2026"));
    else
        emptyLabel_->setText(tr("No run matches \u201c%1\u201d.\nClear the search to see all %2.")
                                 .arg(runSearch_->text().trimmed(), formatCount(all)));
    stack_->setCurrentWidget(visible == 0 ? static_cast<QWidget*>(emptyLabel_) : runList_);
    const auto shown = model_->shown().size();
    const auto count = all == 1 ? tr("1 run") : tr("%1 runs").arg(formatCount(all));
    countLabel_->setText(shown > 0 ? tr("%1, %2 in the charts").arg(count, formatCount(shown))
                                   : tr("%1; tick runs to compare them").arg(count));
    countLabel_->setVisible(all > 0);
}

} // namespace pha::ui
