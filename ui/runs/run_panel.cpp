// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_panel.h"

#include "engine/base/error.h"
#include "ui/format.h"
#include "ui/look/icons.h"
#include "ui/look/theme.h"
#include "ui/runs/run_about_editor.h"
#include "ui/runs/run_delegate.h"

#include <QAction>
#include <QLabel>
#include <QLineEdit>
#include <QListView>
#include <QPushButton>
#include <QSortFilterProxyModel>
#include <QStackedWidget>
#include <QVBoxLayout>

namespace pha::ui {

/// What the search finds; what is going on comes first, then the newest, at the end the archive if it is open.
class RunPanel::Filter : public QSortFilterProxyModel {
public:
    Filter(const RunListModel* model, QObject* parent)
        : QSortFilterProxyModel(parent)
        , model_(model)
    {
        setSortRole(RunListModel::SortRole);
        setDynamicSortFilter(true);
        sort(0, Qt::DescendingOrder);
    }
    void setSearch(RunFilter search)
    {
        search_ = std::move(search);
        invalidateFilter();
    }
    bool searches() const { return !search_.empty(); }
    void setArchiveShown(bool shown)
    {
        archiveShown_ = shown;
        invalidateFilter();
    }
    bool found(const RunSummary& run) const { return search_.empty() || search_.matches(run.facts()); }
    /// What trains is in sight, wherever it was put.
    static bool putAway(const RunSummary& run) { return run.about.archived && !run.active(); }

protected:
    bool filterAcceptsRow(int row, const QModelIndex&) const override
    {
        const auto& run = model_->summary(row);
        return (archiveShown_ || !putAway(run)) && found(run);
    }

private:
    const RunListModel* model_;
    RunFilter search_;
    bool archiveShown_ = false;
};

RunPanel::RunPanel(RunListModel* model, QWidget* parent)
    : QWidget(parent)
    , model_(model)
    , filter_(new Filter(model, this))
    , runSearch_(new QLineEdit)
    , runList_(new QListView)
    , stack_(new QStackedWidget)
    , searchProblem_(new QLabel)
    , emptyLabel_(new QLabel)
    , countLabel_(new QLabel)
    , runArchive_(new QPushButton)
    , about_(new RunAboutEditor)
{
    setObjectName(QStringLiteral("runPanel"));
    filter_->setSourceModel(model);
    // Before the list hears of it, which then moves its current row to a neighbour.
    connect(filter_, &QAbstractItemModel::rowsAboutToBeRemoved, this, [this] { removing_ = true; });
    dress();
    stack_->addWidget(runList_);
    stack_->addWidget(emptyLabel_);
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(6, 8, 6, 6);
    layout->setSpacing(6);
    layout->addWidget(runSearch_);
    layout->addWidget(searchProblem_);
    layout->addWidget(stack_, 1);
    layout->addWidget(runArchive_);
    layout->addWidget(about_);
    layout->addWidget(countLabel_);
    about_->hide();
    setFocusProxy(runList_);
    connectAll();
    updateEmptyState();
    updateAbout();
}

void RunPanel::dress()
{
    runSearch_->setObjectName(QStringLiteral("runSearch"));
    runSearch_->setPlaceholderText(tr("Search runs"));
    runSearch_->setAccessibleName(tr("Search runs"));
    runSearch_->setToolTip(plainToolTip(tr("Words of a name, note, tag, preset or state, and terms such as tag:wt2 "
                                           "preset:pha loss<3 lr>0.001 layers=8 -tag:old (Ctrl+F)")));
    runSearch_->setClearButtonEnabled(true);
    runSearch_->addAction(icon(QStringLiteral("search")), QLineEdit::LeadingPosition);
    searchProblem_->setObjectName(QStringLiteral("runSearchProblem"));
    searchProblem_->setTextFormat(Qt::PlainText);
    searchProblem_->setWordWrap(true);
    searchProblem_->hide();
    setRole(searchProblem_, "error");

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

    runArchive_->setObjectName(QStringLiteral("runArchive"));
    runArchive_->setCheckable(true);
    runArchive_->setToolTip(plainToolTip(tr("Shows the runs that were put away, at the end of the list; Ctrl+Shift+A "
                                            "puts the selected one away or takes it back")));
    runArchive_->setIcon(icon(QStringLiteral("chevron-right")));
    runArchive_->setIconSize(QSize(12, 12));
    setRole(runArchive_, "section");

    emptyLabel_->setObjectName(QStringLiteral("runsEmpty"));
    emptyLabel_->setTextFormat(Qt::PlainText);
    emptyLabel_->setWordWrap(true);
    emptyLabel_->setAlignment(Qt::AlignCenter);
    emptyLabel_->setMargin(18);
    setRole(emptyLabel_, "muted");
    countLabel_->setObjectName(QStringLiteral("runCount"));
    countLabel_->setTextFormat(Qt::PlainText);
    setRole(countLabel_, "small");
}

void RunPanel::connectAll()
{
    connect(runSearch_, &QLineEdit::textChanged, this, &RunPanel::search);
    connect(runList_->selectionModel(), &QItemSelectionModel::currentChanged, this, &RunPanel::followList);
    connect(runList_, &QListView::doubleClicked, this, &RunPanel::activated);
    connect(runList_, &QListView::activated, this, &RunPanel::activated);
    connect(runArchive_, &QPushButton::toggled, this, [this](bool open) {
        runArchive_->setIcon(icon(open ? QStringLiteral("chevron-down") : QStringLiteral("chevron-right")));
        filter_->setArchiveShown(open);
        updateEmptyState();
        for (int row = 0; open && row < filter_->rowCount(); ++row) // the first of them, at the end of a long list
            if (const auto index = filter_->index(row, 0);
                Filter::putAway(model_->summary(filter_->mapToSource(index).row())))
                return runList_->scrollTo(index, QAbstractItemView::PositionAtCenter);
    });
    connect(about_, &RunAboutEditor::changed, model_, &RunListModel::changeAbout);
    connect(about_, &RunAboutEditor::closed, this, [this] {
        about_->hide();
        runList_->setFocus(Qt::OtherFocusReason);
    });
    connect(model_, &RunListModel::aboutNotWritten, about_, &RunAboutEditor::notWritten);
    connect(model_, &QAbstractItemModel::dataChanged, this, [this] {
        if (about_->isVisible()) updateAbout(); // its turn has come, or it has another name
    });
    connect(model_, &RunListModel::aboutChanged, this, [this](const fs::path& directory) {
        if (const int row = model_->rowOf(directory); row >= 0) about_->refresh(directory, model_->summary(row).about);
        updateEmptyState();
    });
    connect(filter_, &QAbstractItemModel::rowsInserted, this, &RunPanel::restoreSelection);
    connect(filter_, &QAbstractItemModel::rowsRemoved, this, [this] {
        if (hidden_) runList_->selectionModel()->clear(); // the neighbour is selected by nobody
        removing_ = false;
        updateEmptyState();
    });
    connect(model_, &QAbstractItemModel::rowsRemoved, this, [this] {
        updateEmptyState(); // the filter has told of it while the model still had the row
        if (!hidden_ || model_->rowOf(*hidden_) >= 0) return;
        hidden_.reset(); // it is gone, not hidden
        updateAbout();
        Q_EMIT currentChanged();
    });
    connect(filter_, &QAbstractItemModel::modelReset, this, &RunPanel::updateEmptyState);
    connect(model_, &RunListModel::scanFinished, this, &RunPanel::updateEmptyState);
    connect(model_, &RunListModel::shownChanged, this, &RunPanel::updateEmptyState);
}

void RunPanel::addAbove(QWidget* bar)
{
    static_cast<QVBoxLayout*>(layout())->insertWidget(layout()->indexOf(stack_), bar);
}

void RunPanel::setContextActions(const QList<QAction*>& actions) { runList_->addActions(actions); }

/// A search that cannot be understood, such as a half-typed "loss<", hides nothing.
void RunPanel::search(const QString& text)
{
    QString problem, advice;
    try {
        filter_->setSearch(RunFilter::parse(text.toStdString()));
    } catch (const Error& error) {
        problem = singleLine(fromUtf8(error.problem()));
        advice = singleLine(fromUtf8(error.advice()));
        filter_->setSearch({});
    }
    searchProblem_->setText(problem);
    searchProblem_->setToolTip(plainToolTip(advice));
    searchProblem_->setAccessibleDescription(advice);
    searchProblem_->setVisible(!problem.isEmpty());
    restoreSelection();
}

/// A row that the search takes out of sight leaves its run selected; the next one that is selected, or the end of the
/// search, ends that.
void RunPanel::followList(const QModelIndex& now, const QModelIndex& before)
{
    if (removing_ && !hidden_ && before.isValid()) {
        const auto directory = toPath(before.data(RunListModel::DirectoryRole).toString());
        const int row = model_->rowOf(directory);
        if (row >= 0 && !filter_->found(model_->summary(row))) wanted_ = hidden_ = directory;
    }
    if (removing_ && hidden_) return;
    hidden_.reset();
    if (now.isValid()) wanted_ = toPath(now.data(RunListModel::DirectoryRole).toString());
    updateAbout();
    Q_EMIT currentChanged();
}

std::optional<fs::path> RunPanel::current() const
{
    if (hidden_) return hidden_;
    const auto index = runList_->currentIndex();
    if (!index.isValid()) return std::nullopt;
    return toPath(index.data(RunListModel::DirectoryRole).toString());
}

QModelIndex RunPanel::indexOf(const fs::path& directory) const
{
    const int row = model_->rowOf(directory);
    return row < 0 ? QModelIndex() : filter_->mapFromSource(model_->index(row));
}

void RunPanel::select(const fs::path& directory)
{
    wanted_ = directory;
    // A run that the search or the archive hides is still the one that was asked for.
    if (const int row = model_->rowOf(directory); row >= 0) {
        if (!filter_->found(model_->summary(row))) runSearch_->clear();
        if (!indexOf(directory).isValid()) runArchive_->setChecked(true);
    }
    restoreSelection();
}

void RunPanel::restoreSelection()
{
    updateEmptyState();
    if (!wanted_) return;
    const auto index = indexOf(*wanted_);
    if (!index.isValid() || index == runList_->currentIndex()) return;
    runList_->setCurrentIndex(index);
    runList_->scrollTo(index);
}

void RunPanel::renameCurrent()
{
    if (hidden_) select(*hidden_); // its row is where the name is edited
    if (runList_->currentIndex().isValid()) runList_->edit(runList_->currentIndex());
}

void RunPanel::focusSearch()
{
    runSearch_->setFocus(Qt::ShortcutFocusReason);
    runSearch_->selectAll();
}

void RunPanel::editAbout()
{
    if (about_->isVisible() && about_->isAncestorOf(focusWidget())) {
        about_->hide();
        return runList_->setFocus(Qt::ShortcutFocusReason);
    }
    updateAbout();
    about_->edit();
}

void RunPanel::updateAbout()
{
    const auto run = current();
    const int row = run ? model_->rowOf(*run) : -1;
    if (row < 0) return about_->setRun(std::nullopt, {}, {});
    const auto& summary = model_->summary(row);
    about_->setRun(run, summary.name, summary.about, summary.placeInQueue > 0);
}

void RunPanel::updateArchive()
{
    int all = 0, found = 0;
    for (int row = 0; row < model_->rowCount(); ++row) {
        const auto& run = model_->summary(row);
        if (!Filter::putAway(run)) continue;
        ++all;
        found += filter_->found(run);
    }
    runArchive_->setVisible(all > 0);
    runArchive_->setText(filter_->searches() ? tr("Archive (%1 of %2)").arg(formatCount(found), formatCount(all))
                                             : tr("Archive (%1)").arg(formatCount(all)));
}

void RunPanel::updateEmptyState()
{
    updateArchive();
    const int all = model_->rowCount(), visible = filter_->rowCount();
    if (all == 0 && !model_->folderProblem().isEmpty())
        emptyLabel_->setText(tr("The folder of the runs cannot be shown.\n%1").arg(model_->folderProblem()));
    else if (all == 0)
        emptyLabel_->setText(model_->scanned()
                ? tr("No runs yet.\nSet one up on the right and press Start (Ctrl+R), or choose Run the demo.")
                : tr("Looking for runs\u2026"));
    else if (!filter_->searches())
        emptyLabel_->setText(tr("All runs are in the archive."));
    else
        emptyLabel_->setText(
            counted(all, tr("No run matches \u201c%1\u201d.\nClear the search to see the %2 there is."),
                tr("No run matches \u201c%1\u201d.\nClear the search to see all %2."))
                .arg(runSearch_->text().trimmed(), formatCount(all)));
    stack_->setCurrentWidget(visible == 0 ? static_cast<QWidget*>(emptyLabel_) : runList_);
    const auto shown = model_->shown().size();
    const auto count = all == 1 ? tr("1 run") : tr("%1 runs").arg(formatCount(all));
    countLabel_->setText(shown > 0 ? tr("%1, %2 ticked").arg(count, formatCount(shown))
                                   : tr("%1; tick runs to compare them").arg(count));
    countLabel_->setVisible(all > 0);
}

} // namespace pha::ui
