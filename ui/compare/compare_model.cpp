// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/compare_model.h"

#include "ui/format.h"
#include "ui/panels/table_tools.h"
#include "ui/theme.h"

#include <QFont>

#include <algorithm>
#include <cmath>

namespace pha::ui {

namespace {

using Kind = ComparedFigure::Kind;

/// Numbers below each other: the zeros at the end stay. Small ones have their own digits.
QString aligned(double value, int digits)
{
    const double size = std::abs(value);
    if (!(size >= 0.1 && size < 1e5)) return formatNumber(value, digits);
    const int whole = size < 1 ? 1 : int(std::log10(size)) + 1;
    return QString::number(value, 'f', std::max(0, digits - whole));
}

QString figureText(Kind kind, double value, int digits)
{
    switch (kind) {
    case Kind::Count:
        return formatCount(std::int64_t(value));
    case Kind::Number:
        return aligned(value, digits);
    case Kind::Rate:
        return formatCompact(value);
    case Kind::Bytes:
        return formatBytes(value);
    }
    return {};
}

/// Column 0 names the rows, 1 is the baseline; then two for each further run.
int runOf(int column) { return column <= 1 ? 0 : column / 2; }
bool isDelta(int column) { return column > 1 && column % 2 == 1; }

const QString unknown = QStringLiteral("\u2013");

} // namespace

CompareModel::CompareModel(QObject* parent)
    : QAbstractTableModel(parent)
{
    makeRows();
}

void CompareModel::setSessions(const QVector<RunSession*>& sessions, RunSession* baseline)
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
    makeRows();
    endResetModel();
}

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

bool CompareModel::take(Column& column)
{
    if (!column.session) return false;
    const auto& history = column.session->history();
    const auto& file = column.session->file();
    bool grown = false;
    if (history.generation != column.generation || column.figures.name.empty() || completed(column)) {
        column.generation = history.generation;
        column.steps = column.evals = 0;
        try {
            column.figures = RunFigures(column.session->name().toStdString(), file.config);
        } catch (const std::exception&) { // a shape that this version cannot count
            column.figures = RunFigures();
            column.figures.name = column.session->name().toStdString();
            column.figures.config = file.config;
        }
        grown = true;
    }
    grown |= column.steps < history.step.size() || column.evals < history.evals.size();
    for (auto& i = column.steps; i < history.step.size(); ++i) {
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
    for (auto& i = column.evals; i < history.evals.size(); ++i) column.figures.take(history.evals[i]);
    if (const auto name = column.session->name().toStdString(); name != column.figures.name) {
        column.figures.name = name;
        grown = true;
    }
    return grown;
}

void CompareModel::refresh()
{
    // The rows of settings differ too where a configuration was completed, and what few devices tell gets its row.
    bool others = std::any_of(columns_.begin(), columns_.end(), [](const auto& column) { return completed(column); });
    bool grown = false;
    for (auto& column : columns_) grown |= take(column);
    others |= grown && figuresOf(runs()).size() != figures_;
    if (others) {
        beginResetModel();
        makeRows();
        endResetModel();
        return;
    }
    if (!grown || columns_.empty()) return;
    Q_EMIT dataChanged(index(0, 1), index(rowCount() - 1, columnCount() - 1));
    Q_EMIT headerDataChanged(Qt::Horizontal, 1, columnCount() - 1);
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
        : differences_ == 0                  ? tr("Settings: all the same")
                                             : tr("Settings: %n differ", nullptr, differences_);
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
    return parent.isValid() || columns_.empty() ? 0 : 2 * int(columns_.size());
}

QString CompareModel::cell(const Row& row, const Column& column, bool exact) const
{
    if (row.kind == Row::Kind::Section) return {};
    if (row.kind == Row::Kind::Key) return singleLine(fromUtf8(configText(column.figures, row.key)));
    const auto& figure = *row.figure;
    const auto value = figure.value(column.figures);
    if (!value) return exact ? QString() : unknown;
    return exact ? QString::number(*value, 'g', 17) : figureText(figure.kind, *value, 5);
}

std::optional<double> CompareModel::delta(const Row& row, const Column& column) const
{
    if (row.kind != Row::Kind::Figure) return {};
    const auto& figure = *row.figure;
    const auto own = figure.value(column.figures), base = figure.value(columns_.front().figures);
    if (!own || !base || !std::isfinite(*own) || !std::isfinite(*base)) return {};
    return *own - *base;
}

QString CompareModel::deltaText(const Row& row, const Column& column) const
{
    const auto change = delta(row, column);
    if (!change) return row.kind == Row::Kind::Figure ? unknown : QString();
    if (*change == 0) return QStringLiteral("=");
    const auto sign = *change > 0 ? QStringLiteral("+") : QString(QChar(0x2212));
    const auto kind = row.figure->kind;
    const auto size = figureText(kind, std::abs(*change), 3);
    const double base = *row.figure->value(columns_.front().figures);
    if (base == 0 || kind == Kind::Count) return sign + size;
    return QStringLiteral("%1%2 (%1%3 %)").arg(sign, size, QString::number(std::abs(*change / base) * 100, 'f', 1));
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
    const auto& column = columns_[std::size_t(runOf(at))];
    if (role == Qt::DisplayRole) return isDelta(at) ? deltaText(row, column) : cell(row, column, false);
    if (role == Qt::ToolTipRole && row.kind == Row::Kind::Key) return plainToolTip(cell(row, column, false));
    if (role != Qt::ForegroundRole) return {};
    if (isDelta(at)) {
        const auto change = delta(row, column).value_or(0);
        const int better = row.kind == Row::Kind::Figure ? row.figure->better : 0;
        if (change == 0 || better == 0) return QBrush(c.muted);
        return QBrush(change * better > 0 ? c.good : c.error);
    }
    const bool differs =
        row.kind == Row::Kind::Key && at > 1 && cell(row, column, false) != cell(row, columns_.front(), false);
    return QBrush(differs ? c.accent : c.text);
}

QVariant CompareModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section >= columnCount()) return {};
    if (role == Qt::TextAlignmentRole) return int((section == 0 ? Qt::AlignLeft : Qt::AlignRight) | Qt::AlignVCenter);
    if (section == 0) return {};
    const auto name = fromUtf8(columns_[std::size_t(runOf(section))].figures.name);
    const auto base = fromUtf8(columns_.front().figures.name);
    if (role == Qt::ToolTipRole)
        return plainToolTip(isDelta(section) ? tr("%1 against %2").arg(name, base)
                : section == 1               ? tr("%1, the baseline").arg(name)
                                             : name);
    if (role != Qt::DisplayRole) return {};
    if (isDelta(section)) return tr("\u0394 baseline");
    return section == 1 && columns_.size() > 1 ? tr("%1 (baseline)").arg(shortened(name)) : shortened(name);
}

QString CompareModel::csv() const
{
    QStringList head { tr("row") };
    for (const auto& column : columns_) head << fromUtf8(column.figures.name);
    auto out = csvLine(head);
    for (const auto& row : rows_) {
        if (row.kind == Row::Kind::Section) continue;
        QStringList cells { row.label };
        for (const auto& column : columns_) cells << cell(row, column, true);
        out += csvLine(cells);
    }
    return out;
}

} // namespace pha::ui
