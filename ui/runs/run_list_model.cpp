// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_list_model.h"

#include "engine/base/text.h"
#include "ui/format.h"

#include <algorithm>

namespace pha::ui {

namespace {

constexpr int rescanInterval = 2000, pollInterval = 400; ///< milliseconds
constexpr int mostOpen = 16; ///< sessions that stay whoever needs them: going back to one is quick

/// How long a session is: updates, and weights of a layer.
std::size_t rowsIn(const RunHistory& history)
{
    const auto layers = history.mixing.empty() ? 0 : history.mixing.back().layers.size();
    return history.step.size() + history.mixing.size() * layers;
}

/// What a screen reader says of a row.
QString spoken(const RunSummary& s)
{
    QStringList parts { s.name, s.stateText, s.text() };
    if (!s.parent.isEmpty()) parts << s.parent;
    if (!s.about.tags.empty()) parts << RunListModel::tr("tags %1").arg(fromUtf8(joinList(s.about.tags)));
    if (s.about.archived) parts << RunListModel::tr("in the archive");
    return parts.join(QStringLiteral(", "));
}

} // namespace

RunListModel::RunListModel(QObject* parent)
    : QAbstractListModel(parent)
{
    connect(&scanner_, &RunScanner::found, this, &RunListModel::absorb);
    connect(&scanner_, &RunScanner::finished, this, &RunListModel::endScan);
    connect(&rescan_, &QTimer::timeout, this, &RunListModel::rescan);
    connect(&poll_, &QTimer::timeout, this, &RunListModel::pollSessions);
    writer_.setMaxThreadCount(1);
    rescan_.start(rescanInterval);
    poll_.start(pollInterval);
}

void RunListModel::setFolder(const fs::path& given)
{
    const auto folder = wholePath(given); // what the directories of runs are compared with
    if (folder == folder_) return;
    folder_ = folder;
    scanned_ = false;
    for (int row = rowCount() - 1; row >= 0; --row)
        if (!rows_[std::size_t(row)].session) removeRow(row);
    for (const auto& row : rows_) outside_.push_back(row.summary.directory);
    rescan();
}

void RunListModel::rescan() { scanner_.scan(folder_, outside_); }

RunSession* RunListModel::session(const fs::path& directory) const
{
    const int row = rowOf(directory);
    return row < 0 ? nullptr : rows_[std::size_t(row)].session;
}

RunSession* RunListModel::open(const fs::path& directory)
{
    std::erase(opened_, directory);
    opened_.push_back(directory);
    if (auto* existing = session(directory)) return existing;
    if (directory.parent_path() != folder_ && std::find(outside_.begin(), outside_.end(), directory) == outside_.end())
        outside_.push_back(directory);
    return adopt(new RunSession(directory, this));
}

RunSession* RunListModel::plan(const fs::path& directory, const RunFile& file)
{
    std::erase(opened_, directory);
    opened_.push_back(directory);
    return adopt(new RunSession(directory, file, this));
}

RunSession* RunListModel::adopt(RunSession* session)
{
    const auto directory = session->directory();
    int row = rowOf(directory);
    if (row < 0) {
        row = rowCount();
        beginInsertRows({}, row, row);
        rows_.push_back({ summarise(*session), session, false });
        auto& known = rows_.back().summary;
        try {
            known.about = readAbout(directory);
        } catch (const std::exception& error) {
            known.aboutProblem = errorLine(error);
        }
        index_[directory] = row;
        endInsertRows();
    } else {
        // The row stays as the scan left it until the session has read its file: no flicker from numbers to none and
        // back.
        rows_[std::size_t(row)].session = session;
    }
    connect(session, &RunSession::changed, this, [this, directory] { refresh(directory); });
    connect(session, &RunSession::stateChanged, this, [this, directory] { refresh(directory); });
    connect(session, &RunSession::stateChanged, this, [this, session] { writeHeldBack(session); });
    connect(session, &RunSession::failed, this, &RunListModel::failed);
    return session;
}

void RunListModel::refresh(const fs::path& directory)
{
    const int row = rowOf(directory);
    if (row < 0) return;
    auto& entry = rows_[std::size_t(row)];
    if (!entry.session || entry.session->loading()) return;
    auto summary = summarise(*entry.session);
    summary.about = std::move(entry.summary.about); // which the session does not know
    summary.aboutProblem = std::move(entry.summary.aboutProblem);
    entry.summary = std::move(summary);
    Q_EMIT dataChanged(index(row), index(row));
}

void RunListModel::forget(const fs::path& directory)
{
    std::erase(outside_, directory);
    if (const int row = rowOf(directory); row >= 0) removeRow(row);
}

void RunListModel::reopen(const fs::path& directory)
{
    const int row = rowOf(directory);
    if (row < 0) return;
    auto& entry = rows_[std::size_t(row)];
    if (entry.session) close(std::exchange(entry.session, nullptr));
    auto there = readSummary(directory);
    const auto about = std::exchange(there.about, entry.summary.about); // setAbout() says if it is another
    const auto problem = std::exchange(there.aboutProblem, entry.summary.aboutProblem);
    entry.summary = std::move(there);
    entry.onDisk = true;
    setAbout(row, about, problem);
    Q_EMIT dataChanged(index(row), index(row));
    open(directory);
    if (std::find(shown_.begin(), shown_.end(), directory) != shown_.end()) Q_EMIT shownChanged();
}

fs::path RunListModel::freeDirectory(const fs::path& parent, const std::string& name) const
{
    auto directory = freshRunDirectory(parent, name);
    std::error_code error;
    for (int n = 2; rowOf(directory) >= 0 || fs::exists(directory, error); ++n)
        directory = parent / (name + "-" + std::to_string(n));
    return directory;
}

void RunListModel::removeRow(int row)
{
    const auto directory = rows_[std::size_t(row)].summary.directory;
    auto* session = rows_[std::size_t(row)].session;
    const bool wasShown = std::erase(shown_, directory) > 0;
    beginRemoveRows({}, row, row);
    rows_.erase(rows_.begin() + row);
    index_.erase(directory);
    heldBack_.erase(directory);
    for (auto& [path, at] : index_)
        if (at > row) --at;
    endRemoveRows();
    if (session) close(session);
    if (wasShown) Q_EMIT shownChanged();
}

void RunListModel::close(RunSession* session)
{
    Q_EMIT sessionClosing(session);
    session->disconnect(this);
    session->deleteLater();
}

bool RunListModel::wanted(const Row& row) const
{
    const auto& s = *row.session;
    // What the disk does not know would be lost: a run that waits, and how one failed here.
    return !row.onDisk || s.active() || s.loading() || s.placeInQueue() > 0 || s.state() == RunState::Failed
        || std::find(shown_.begin(), shown_.end(), row.summary.directory) != shown_.end() || (inUse_ && inUse_(&s));
}

/// Each session keeps all that its run ever reported, and looks at its files: whoever walks through many runs would
/// have them all in memory.
void RunListModel::closeOld()
{
    int count = 0;
    std::size_t rows = 0;
    for (auto i = opened_.size(); i-- > 0;) {
        const int at = rowOf(opened_[i]);
        auto* row = at < 0 ? nullptr : &rows_[std::size_t(at)];
        if (row && row->session) {
            const bool recent = ++count <= mostOpen;
            if (wanted(*row)) continue;
            const auto own = rowsIn(row->session->history());
            if (recent && rows + own <= mostRows_) {
                rows += own;
                continue;
            }
        }
        opened_.erase(opened_.begin() + std::ptrdiff_t(i));
        if (row && row->session) close(std::exchange(row->session, nullptr));
    }
}

void RunListModel::absorb(const std::vector<RunSummary>& changed)
{
    std::vector<Row> fresh;
    for (const auto& summary : changed) {
        const int row = rowOf(summary.directory);
        if (row < 0) {
            if (summary.directory.parent_path() == folder_
                || std::find(outside_.begin(), outside_.end(), summary.directory) != outside_.end())
                fresh.push_back({ summary, nullptr, true });
        } else {
            auto& known = rows_[std::size_t(row)];
            const auto about = known.summary.about;
            const auto problem = known.summary.aboutProblem;
            if (!known.session) known.summary = summary;
            known.summary.about = about;
            known.summary.aboutProblem = problem;
            const bool unwritten = writing_.contains(summary.directory) || heldBack_.contains(summary.directory);
            setAbout(row, unwritten ? about : summary.about, summary.aboutProblem);
            Q_EMIT dataChanged(index(row), index(row));
        }
    }
    if (fresh.empty()) return;
    beginInsertRows({}, rowCount(), rowCount() + int(fresh.size()) - 1);
    for (auto& row : fresh) {
        index_[row.summary.directory] = rowCount();
        rows_.push_back(std::move(row));
    }
    endInsertRows();
}

void RunListModel::dropMissing(const std::set<fs::path>& present)
{
    for (int row = rowCount() - 1; row >= 0; --row) {
        auto& entry = rows_[std::size_t(row)];
        const auto& directory = entry.summary.directory;
        if (present.contains(directory)) {
            entry.onDisk = true;
            continue;
        }
        // The folder of a planned run may not be made yet; the curves of a ticked one are still worth looking at.
        const bool planned = entry.session && (!entry.onDisk || entry.session->place() == RunSession::Place::Here);
        if (!planned && std::find(shown_.begin(), shown_.end(), directory) == shown_.end()) removeRow(row);
    }
}

void RunListModel::endScan(const std::set<fs::path>& present, const QString& problem)
{
    if (problem.isEmpty()) dropMissing(present); // what cannot be listed may still be there
    const bool news = !scanned_ || problem != folderProblem_;
    scanned_ = true;
    folderProblem_ = problem;
    if (news) Q_EMIT scanFinished();
}

void RunListModel::pollSessions()
{
    closeOld(); // before the next look: one that reads its file stays
    for (const auto& row : rows_)
        if (row.session) row.session->poll();
}

int RunListModel::rowOf(const fs::path& directory) const
{
    const auto found = index_.find(directory);
    return found == index_.end() ? -1 : found->second;
}

QVector<RunSession*> RunListModel::shown() const
{
    QVector<RunSession*> sessions;
    for (const auto& directory : shown_)
        if (auto* s = session(directory)) sessions.push_back(s);
    return sessions;
}

void RunListModel::setShown(const fs::path& directory, bool shown)
{
    const bool now = std::find(shown_.begin(), shown_.end(), directory) != shown_.end();
    if (now == shown || (shown && rowOf(directory) < 0)) return;
    if (shown) {
        open(directory);
        shown_.push_back(directory);
    } else {
        std::erase(shown_, directory);
    }
    if (rowCount() > 0) Q_EMIT dataChanged(index(0), index(rowCount() - 1), { Qt::CheckStateRole, ColourRole });
    Q_EMIT shownChanged();
}

void RunListModel::setSharedColours(std::map<fs::path, int> colours)
{
    if (colours == sharedColours_) return;
    sharedColours_ = std::move(colours);
    if (rowCount() > 0) Q_EMIT dataChanged(index(0), index(rowCount() - 1), { ColourRole });
}

int RunListModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(rows_.size()); }

Qt::ItemFlags RunListModel::flags(const QModelIndex& index) const
{
    if (!index.isValid()) return {};
    return Qt::ItemIsEnabled | Qt::ItemIsSelectable | Qt::ItemIsUserCheckable | Qt::ItemIsEditable
        | Qt::ItemNeverHasChildren;
}

QStringList RunListModel::lines(const RunSummary& s)
{
    QStringList all { s.name, s.stateText, s.text(),
        tr("%1 on %2").arg(s.preset.isEmpty() ? tr("own shape") : s.preset, s.data), fromPath(s.directory) };
    if (!s.parent.isEmpty()) all.insert(1, s.parent);
    if (!s.about.notes.empty()) all << QString() << fromUtf8(s.about.notes);
    if (!s.about.tags.empty()) all << tr("Tags: %1").arg(fromUtf8(joinList(s.about.tags)));
    if (!s.aboutProblem.isEmpty()) all << s.aboutProblem;
    if (!s.unknown.isEmpty()) all << tr("run.json holds what this version does not know: %1").arg(s.unknown);
    return all;
}

QVariant RunListModel::data(const QModelIndex& index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return {};
    const auto& s = summary(index.row());
    const auto place = std::find(shown_.begin(), shown_.end(), s.directory);
    switch (role) {
    case Qt::DisplayRole:
    case Qt::EditRole:
        return s.name;
    case Qt::CheckStateRole:
        return place == shown_.end() ? Qt::Unchecked : Qt::Checked;
    case Qt::ToolTipRole:
        return plainToolTip(lines(s).join(QLatin1Char('\n')));
    case Qt::AccessibleTextRole:
        return spoken(s);
    case DirectoryRole:
        return fromPath(s.directory);
    case SummaryRole:
        return QVariant::fromValue(s);
    case ColourRole:
        if (place == shown_.end()) return -1;
        if (const auto shared = sharedColours_.find(s.directory); shared != sharedColours_.end()) return shared->second;
        return int(place - shown_.begin());
    // What is going on first, then what waits, then the newest; at the end what is put away.
    case SortRole:
        if (s.placeInQueue > 0) return QStringLiteral("2%1").arg(99999 - s.placeInQueue, 5, 10, QLatin1Char('0'));
        return QString::number(s.active() ? 3 : s.about.archived ? 0 : 1) + s.created + s.name;
    default:
        return {};
    }
}

bool RunListModel::setData(const QModelIndex& index, const QVariant& value, int role)
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid)) return false;
    const auto directory = summary(index.row()).directory;
    if (role == Qt::CheckStateRole) {
        setShown(directory, value.toInt() == Qt::Checked);
        return true;
    }
    if (role != Qt::EditRole || singleLine(value.toString()).isEmpty()) return false;
    // A row that is hidden while its name is being edited hands the name over in the midst of that: a filter above this
    // model must not hear of a second change before it is done with the first.
    const auto later = [this, directory, name = value.toString()] { rename(directory, name); };
    QMetaObject::invokeMethod(this, later, Qt::QueuedConnection);
    return true;
}

void RunListModel::rename(const fs::path& directory, const QString& name)
{
    const int row = rowOf(directory);
    if (row < 0) return;
    open(directory)->rename(name);
    rows_[std::size_t(row)].summary.name = open(directory)->name();
    Q_EMIT dataChanged(index(row), index(row));
}

} // namespace pha::ui
