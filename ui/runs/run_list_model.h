// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/runs/run_scanner.h"
#include "ui/runs/run_summary.h"

#include <QAbstractListModel>
#include <QThreadPool>
#include <QTimer>
#include <QVector>

#include <functional>
#include <map>
#include <set>
#include <utility>
#include <vector>

namespace pha::ui {

/// All runs that the window knows: those of the runs folder, found in the background, and those opened from elsewhere.
/// A row costs some hundred bytes; its session, which holds the curves, is made when it is first selected or shown. The
/// last ones stay, unless they are long; of older ones those that are ticked, train, wait or are in use.
class RunListModel : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role { DirectoryRole = Qt::UserRole + 1, SummaryRole, ColourRole, SortRole };

    explicit RunListModel(QObject* parent = nullptr);

    void setFolder(const fs::path& folder); ///< forgets the runs of the old one, keeps those that are open
    const fs::path& folder() const { return folder_; }
    void rescan();
    bool scanned() const { return scanned_; } ///< the first look at the folder is over
    const QString& folderProblem() const { return folderProblem_; } ///< why it cannot be listed; empty: it can

    RunSession* open(
        const fs::path& directory); ///< the session, made if need be; the row is added if it is not there yet
    RunSession* session(const fs::path& directory) const; ///< null if it has not been opened
    RunSession* plan(const fs::path& directory, const RunFile& file); ///< a run about to start
    void forget(const fs::path& directory); ///< removes the row and the session
    void reopen(const fs::path& directory); ///< shows what is on the disk in place of what was planned there
    /// For a new run: neither on the disk nor in the list, where one may wait or be about to make its folder.
    fs::path freeDirectory(const fs::path& parent, const std::string& name) const;
    /// Tells of sessions that somebody works with, besides those that this list knows of; they stay open.
    void setInUse(std::function<bool(const RunSession*)> inUse) { inUse_ = std::move(inUse); }

    /// Of the sessions that nobody needs the newest stay while their updates and mixing weights are no more than this.
    void setMostRows(std::size_t rows) { mostRows_ = rows; }

    /// Shows it at once and writes it on another thread, one change after the other. Of a run that has no folder yet
    /// when its job has made it.
    void changeAbout(const fs::path& directory, const AboutChange& change);

    int rowOf(const fs::path& directory) const; ///< -1: not in the list
    const RunSummary& summary(int row) const { return rows_[std::size_t(row)].summary; }
    QVector<RunSession*> shown() const; ///< ticked ones, in the order of their ticks: the colours of the charts
    void setShown(const fs::path& directory, bool shown);
    void setSharedColours(std::map<fs::path, int> colours); ///< of runs that are drawn as one with another

    int rowCount(const QModelIndex& parent = {}) const override;
    QVariant data(const QModelIndex& index, int role) const override;
    bool setData(const QModelIndex& index, const QVariant& value, int role) override;
    Qt::ItemFlags flags(const QModelIndex& index) const override;

Q_SIGNALS:
    void shownChanged();
    void scanFinished();
    void aboutChanged(const fs::path& directory); ///< notes, tags or archive, by the user or by another program
    /// What was shown of it is not kept: `there` is. Before aboutChanged().
    void aboutNotWritten(const fs::path& directory, const pha::RunAbout& there);
    void failed(const QString& message);
    void sessionClosing(pha::ui::RunSession* session); ///< about to be deleted

private:
    struct Row {
        RunSummary summary;
        RunSession* session = nullptr;
        bool onDisk = false; ///< a look at the disk has found it
    };
    static QStringList lines(const RunSummary& s); ///< of the tool tip
    void setAbout(int row, const RunAbout& about, const QString& problem);
    void rename(const fs::path& directory, const QString& name);
    void writeAbout(const fs::path& directory, const AboutChange& change);
    void writeHeldBack(const RunSession* session);
    void aboutWritten(const fs::path& directory, const RunAbout& about, const QString& problem);
    void absorb(const std::vector<RunSummary>& changed);
    void endScan(const std::set<fs::path>& present, const QString& problem);
    void dropMissing(const std::set<fs::path>& present);
    RunSession* adopt(RunSession* session);
    void refresh(const fs::path& directory);
    void pollSessions();
    void closeOld();
    bool wanted(const Row& row) const; ///< its session cannot be closed
    void close(RunSession* session);
    void removeRow(int row);

    RunScanner scanner_;
    QTimer rescan_, poll_;
    fs::path folder_;
    std::vector<Row> rows_;
    std::map<fs::path, int> index_; ///< row by directory
    std::vector<fs::path> shown_, outside_; ///< outside_: opened from other folders
    std::vector<fs::path> opened_; ///< with a session, the one that was asked for last at the end
    std::function<bool(const RunSession*)> inUse_;
    std::size_t mostRows_ = 5'000'000; ///< about a gigabyte
    std::map<fs::path, int> sharedColours_;
    bool scanned_ = false;
    QString folderProblem_;
    std::map<fs::path, int> writing_; ///< changes of about.json under way: what a look at the disk finds may be older
    std::map<fs::path, std::vector<AboutChange>> heldBack_; ///< of runs that have no folder yet
    QThreadPool writer_; ///< of one thread; its end waits for what is still to be written
};

} // namespace pha::ui

Q_DECLARE_METATYPE(pha::ui::RunSummary)
