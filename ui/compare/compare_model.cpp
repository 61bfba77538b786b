// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/compare_model.h"

#include "ui/controls/table_tools.h"
#include "ui/format.h"
#include "ui/look/theme.h"

#include <QFont>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

/// Column 0 names the rows, 1 is the baseline; then two for each further group.
int groupOf(int column) { return column <= 1 ? 0 : column / 2; }
bool isDelta(int column) { return column > 1 && column % 2 == 1; }

} // namespace

CompareModel::CompareModel(QObject* parent)
    : QAbstractTableModel(parent)
{
    makeRows();
}

bool CompareModel::setSessions(const QVector<RunSession*>& sessions, RunSession* baseline)
{
    QVector<RunSession*> order;
    if (baseline && sessions.contains(baseline)) order << baseline;
    for (auto* session : sessions)
        if (!order.contains(session)) order << session;
    beginResetModel();
    std::vector<Column> next;
    for (auto* session : std::as_const(order)) {
        const auto known =
            std::find_if(columns_.begin(), columns_.end(), [session](const Column& c) { return c.session == session; });
        if (known != columns_.end()) {
            next.push_back(std::move(*known));
        } else {
            next.emplace_back();
            next.back().session = session;
        }
    }
    columns_ = std::move(next);
    for (auto& column : columns_) take(column);
    makeGroups();
    makeRows();
    endResetModel();
    return behind();
}

void CompareModel::setGrouped(bool on)
{
    beginResetModel();
    grouped_ = on;
    makeGroups();
    makeRows();
    endResetModel();
}

void CompareModel::makeGroups()
{
    groups_.clear();
    if (grouped_) {
        groups_ = groupSeeds(runs());
        return;
    }
    for (const auto* run : runs()) groups_.push_back({ { run } });
}

QVector<QVector<RunSession*>> CompareModel::groups() const
{
    QVector<QVector<RunSession*>> all;
    for (const auto& group : groups_) {
        all.append(QVector<RunSession*>());
        for (const auto* run : group.runs)
            for (const auto& column : columns_)
                if (&column.figures == run && column.session) all.back() << column.session;
    }
    return all;
}

QString CompareModel::nameOf(int group) const { return nameOf(groups_[std::size_t(group)]); }

void CompareModel::setShowEqual(bool on)
{
    beginResetModel();
    showEqual_ = on;
    makeRows();
    endResetModel();
}

/// A run about to start knows what the form said; the engine then fills in what the text decides, as the vocabulary.
bool CompareModel::completed(const Column& column)
{
    return column.session && column.session->active()
        && column.figures.config.model.vocabulary != column.session->file().config.model.vocabulary;
}

/// Until the tokenizer is there nobody knows how many rows the embedding has: that of a run without an update may still
/// be trained.
bool CompareModel::settled(const RunSession& session)
{
    return !session.history().step.empty() || session.place() == RunSession::Place::Recording;
}

bool CompareModel::take(Column& column)
{
    if (!column.session) return false;
    const auto& history = column.session->history();
    const auto& file = column.session->file();
    bool grown = false;
    const bool back = history.step.size() < column.steps || history.evals.size() < column.evals
        || history.commands.size() < column.commands; // a recording
    if (back || history.generation != column.generation || column.figures.name.empty() || completed(column)
        || column.counted != settled(*column.session)) {
        column.generation = history.generation;
        column.counted = settled(*column.session);
        column.steps = column.evals = column.commands = 0;
        try {
            column.figures = RunFigures(column.session->name().toStdString(), file.config);
        } catch (const std::exception&) { // a shape that this version cannot count
            column.figures = RunFigures();
            column.figures.name = column.session->name().toStdString();
            column.figures.config = file.config;
        }
        if (!column.counted) column.figures.costs = {};
        column.figures.parent = RunParent::of(file);
        grown = true;
    }
    const auto steps = watched_ ? std::min(history.step.size(), column.steps + rowsAtOnce) : column.steps;
    const auto evals = watched_ ? history.evals.size() : column.evals;
    grown |= column.steps < steps || column.evals < evals;
    auto& nextEval = column.evals;
    for (auto& i = column.steps; i < steps; ++i) {
        for (; nextEval < evals && double(history.evals[nextEval].step) < history.step[i]; ++nextEval)
            column.figures.take(history.evals[nextEval]);
        StepEvent event;
        event.step = std::int64_t(history.step[i]);
        event.tokens = std::int64_t(history.tokens[i]);
        event.loss = history.loss[i];
        event.seconds = history.seconds[i];
        event.tokensPerSecond = history.tokensPerSecond[i];
        if (std::isfinite(history.watts[i])) event.watts = history.watts[i];
        event.processBytes = std::int64_t(history.processBytes[i]);
        event.deviceBytes = std::int64_t(history.deviceBytes[i]);
        column.figures.take(event);
    }
    if (steps == history.step.size())
        for (; nextEval < evals; ++nextEval) column.figures.take(history.evals[nextEval]);
    if (column.commands < history.commands.size()) column.figures.config = file.config; // as it stands now
    for (auto& i = column.commands; i < history.commands.size(); ++i) column.figures.take(history.commands[i]);
    if (const auto name = column.session->name().toStdString(); name != column.figures.name) {
        column.figures.name = name;
        grown = true;
    }
    return grown;
}

bool CompareModel::behind() const
{
    return watched_ && std::any_of(columns_.begin(), columns_.end(), [](const Column& column) {
        return column.session && column.steps < column.session->history().step.size();
    });
}

bool CompareModel::refresh()
{
    // The rows of settings differ too where a configuration was completed, and what few devices tell gets its row.
    bool others = std::any_of(columns_.begin(), columns_.end(), [](const auto& column) {
        return completed(column) || (column.session && column.commands < column.session->history().commands.size());
    });
    bool grown = false;
    for (auto& column : columns_) grown |= take(column);
    others |= grown && figuresOf(runs()).size() != figures_;
    if (others) {
        const auto before = groups();
        beginResetModel();
        makeGroups();
        makeRows();
        endResetModel();
        if (groups() != before) Q_EMIT groupsChanged();
        return behind();
    }
    if (grown && !columns_.empty()) {
        Q_EMIT dataChanged(index(0, 1), index(rowCount() - 1, columnCount() - 1));
        Q_EMIT headerDataChanged(Qt::Horizontal, 1, columnCount() - 1);
    }
    return behind();
}

void CompareModel::restyle()
{
    if (rowCount() > 0 && columnCount() > 0) Q_EMIT dataChanged(index(0, 0), index(rowCount() - 1, columnCount() - 1));
}

std::vector<const RunFigures*> CompareModel::runs() const
{
    std::vector<const RunFigures*> all;
    for (const auto& column : columns_) all.push_back(&column.figures);
    return all;
}

void CompareModel::makeRows()
{
    rows_.clear();
    differences_ = 0;
    if (columns_.empty()) return;
    rows_.push_back({ Row::Kind::Section, nullptr, {}, tr("Figures") });
    const auto figures = figuresOf(runs());
    figures_ = figures.size();
    for (const auto* figure : figures) rows_.push_back({ Row::Kind::Figure, figure, {}, fromUtf8(figure->name) });
    const auto keys = differingKeys(runs());
    differences_ = int(keys.size());
    const auto heading = columns_.size() < 2 ? tr("Settings")
        : differences_ == 0
        ? tr("Settings: all the same")
        : counted(differences_, tr("Settings: %1 differs"), tr("Settings: %1 differ")).arg(differences_);
    rows_.push_back({ Row::Kind::Section, nullptr, {}, heading });
    for (const auto& [group, field] : allFields())
        if (showEqual_ || std::find(keys.begin(), keys.end(), field.name) != keys.end())
            rows_.push_back({ Row::Kind::Key, nullptr, field.name, fromUtf8(field.name) });
}

bool CompareModel::isSection(int row) const
{
    return row >= 0 && row < int(rows_.size()) && rows_[std::size_t(row)].kind == Row::Kind::Section;
}

int CompareModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(rows_.size()); }

int CompareModel::columnCount(const QModelIndex& parent) const
{
    return parent.isValid() || groups_.empty() ? 0 : 2 * int(groups_.size());
}

QVariant CompareModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const auto& row = rows_[std::size_t(index.row())];
    const auto& c = Theme::instance().colours();
    const int at = index.column();
    if (role == Qt::FontRole && row.kind == Row::Kind::Section) {
        QFont bold;
        bold.setWeight(QFont::DemiBold);
        return bold;
    }
    if (role == Qt::TextAlignmentRole && at > 0) return int(Qt::AlignRight | Qt::AlignVCenter);
    if (at == 0) {
        if (role == Qt::DisplayRole) return row.label;
        if (role == Qt::ForegroundRole) return QBrush(row.kind == Row::Kind::Section ? c.text : c.muted);
        return {};
    }
    const auto& group = groups_[std::size_t(groupOf(at))];
    if (role == Qt::DisplayRole) return isDelta(at) ? deltaText(row, group) : cell(row, group);
    if (role == Qt::ToolTipRole && row.kind != Row::Kind::Section && !isDelta(at)) {
        if (group.runs.size() > 1) return plainToolTip(eachSeed(row, group));
        return row.kind == Row::Kind::Key ? plainToolTip(cell(row, group)) : QVariant();
    }
    if (role != Qt::ForegroundRole) return {};
    if (isDelta(at)) {
        const auto change = delta(row, group).value_or(0);
        const int better = row.kind == Row::Kind::Figure ? row.figure->better : 0;
        if (change == 0 || better == 0) return QBrush(c.muted);
        return QBrush(change * better > 0 ? c.good : c.error);
    }
    const bool differs = row.kind == Row::Kind::Key && at > 1 && cell(row, group) != cell(row, groups_.front());
    return QBrush(differs ? c.accent : c.text);
}

QVariant CompareModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section >= columnCount()) return {};
    if (role == Qt::TextAlignmentRole) return int((section == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (section == 0) return {};
    const auto& group = groups_[std::size_t(groupOf(section))];
    if (role == Qt::ToolTipRole) {
        const auto names = namesOf(group), base = namesOf(groups_.front());
        return plainToolTip(isDelta(section) ? tr("%1 against %2").arg(names, base)
                : section == 1               ? tr("%1, the baseline").arg(names)
                                             : names);
    }
    if (role != Qt::DisplayRole) return {};
    if (isDelta(section)) return tr("\u0394 baseline");
    auto name = shortened(fromUtf8(group.runs.size() == 1 ? group.runs.front()->name : group.name()));
    QStringList about;
    if (group.runs.size() > 1) about << tr("n = %1").arg(group.runs.size());
    if (section == 1 && groups_.size() > 1) about << tr("baseline");
    return about.isEmpty() ? name : QStringLiteral("%1 (%2)").arg(name, about.join(QStringLiteral(", ")));
}

} // namespace pha::ui
