// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/evaluate/evaluations_model.h"

#include "ui/controls/table_tools.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/look/theme.h"
#include "ui/mixer/branch_mixer.h"

#include <algorithm>

namespace pha::ui {

namespace {

struct Heading {
    const char* csv;
    const char* name;
    const char* tip;
};
#define PHA_TEXT(text) QT_TRANSLATE_NOOP("pha::ui::EvaluationsModel", text)
constexpr Heading headings[EvaluationsModel::ColumnCount] = {
    { "step", PHA_TEXT("Step"), PHA_TEXT("Updates that the weights have seen.") },
    { "split", PHA_TEXT("Split"), PHA_TEXT("Part of the corpus that was scored.") },
    { "nats_per_token", PHA_TEXT("Nats/token"), PHA_TEXT("Mean cross entropy.") },
    { "delta_nats", PHA_TEXT("\u0394 nats"),
        PHA_TEXT(
            "Change of the cross entropy against the same weights with nothing muted or set. Above zero: worse.") },
    { "perplexity", PHA_TEXT("PPL/token"), PHA_TEXT("Perplexity per token. Depends on the tokenizer.") },
    { "delta_perplexity", PHA_TEXT("\u0394 PPL"),
        PHA_TEXT("Change of the perplexity per token against the same weights with nothing muted or set.") },
    { "word_perplexity", PHA_TEXT("PPL/word"),
        PHA_TEXT("Perplexity per word of the original text. Comparable between tokenizers.") },
    { "bits_per_byte", PHA_TEXT("Bits/byte"),
        PHA_TEXT("Bits per byte of the original text. Comparable between tokenizers.") },
    { "gap_nats", PHA_TEXT("Gap"), PHA_TEXT("Nats per token above the floor.") },
    { "note", PHA_TEXT("Note"), PHA_TEXT("Muted branches and weights that were set.") },
    { "floor_nats", PHA_TEXT("Floor"),
        PHA_TEXT("Exact entropy of these tokens under the generator of the corpus: no model can be better.") },
    { "tokens", PHA_TEXT("Tokens"), PHA_TEXT("Scored tokens.") },
    { "context", PHA_TEXT("Context"), PHA_TEXT("Tokens in a window.") },
    { "stride", PHA_TEXT("Stride"),
        PHA_TEXT("Tokens between the starts of two windows. As large as the context: disjoint windows.") },
    { "seconds", PHA_TEXT("Time"), PHA_TEXT("How long the evaluation took.") },
    { "weights", PHA_TEXT("Weights"), PHA_TEXT("Copied from the running training, or read from a checkpoint.") },
};
#undef PHA_TEXT

QString signedNumber(double value, int decimals)
{
    return (value > 0 ? QStringLiteral("+") : QString()) + formatFixed(value, decimals);
}

int alignment(int column)
{
    using Model = EvaluationsModel;
    const bool words = column == Model::Weights || column == Model::SplitName || column == Model::Note;
    return int(Qt::AlignVCenter) | int(words ? Qt::AlignLeft : Qt::AlignRight);
}

bool sameMix(const std::vector<MixOverride>& a, const std::vector<MixOverride>& b)
{
    const auto equal = [](const MixOverride& x, const MixOverride& y) {
        return x.layer == y.layer && x.branch == y.branch && x.weight == y.weight;
    };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), equal);
}

} // namespace

bool EvaluationRow::sameAs(const EvaluationRow& other) const
{
    const auto &a = evaluation.figures, &b = other.evaluation.figures;
    return weights.sameAs(other.weights) && a.split == b.split && a.context == b.context && a.stride == b.stride
        && a.tokens == b.tokens && a.totalNll == b.totalNll && sameMix(mix, other.mix);
}

const std::vector<EvaluationRow>& EvaluationsModel::rows() const
{
    static const std::vector<EvaluationRow> none;
    const auto found = all_.find(run_);
    return found == all_.end() ? none : found->second;
}

void EvaluationsModel::setRun(const QString& run)
{
    if (run == run_) return;
    beginResetModel();
    run_ = run;
    endResetModel();
}

int EvaluationsModel::add(const EvaluationRow& row)
{
    auto& list = all_[run_];
    const auto known = std::find_if(list.begin(), list.end(), [&](const EvaluationRow& r) { return r.sameAs(row); });
    if (known != list.end()) return int(known - list.begin());
    beginInsertRows({}, 0, 0);
    list.insert(list.begin(), row);
    endInsertRows();
    return 0;
}

void EvaluationsModel::clear()
{
    beginResetModel();
    all_.erase(run_);
    endResetModel();
}

QString EvaluationsModel::csv() const
{
    QStringList cells;
    for (const auto& heading : headings) cells << QLatin1String(heading.csv);
    auto out = csvLine(cells << QStringLiteral("data") << QStringLiteral("tokenizer"));
    for (const auto& row : rows()) {
        cells.clear();
        for (int c = 0; c < ColumnCount; ++c) {
            const auto v = value(row, c);
            cells << (v.userType() == QMetaType::Double ? QString::number(v.toDouble(), 'g', 12) : v.toString());
        }
        out += csvLine(cells << fromUtf8(row.evaluation.data) << fromUtf8(row.evaluation.tokenizer));
    }
    return out;
}

int EvaluationsModel::rowCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(rows().size()); }
int EvaluationsModel::columnCount(const QModelIndex& parent) const { return parent.isValid() ? 0 : int(ColumnCount); }

QVariant EvaluationsModel::value(const EvaluationRow& row, int column)
{
    const auto& f = row.evaluation.figures;
    const auto optional = [](const std::optional<double>& v) { return v ? QVariant(*v) : QVariant(); };
    switch (column) {
    case Step:
        return qlonglong(row.weights.step);
    case Weights:
        return row.weights.live ? tr("live") : tr("checkpoint");
    case SplitName:
        return fromUtf8(f.split);
    case Context:
        return qlonglong(f.context);
    case Stride:
        return qlonglong(f.stride > 0 ? f.stride : f.context);
    case Tokens:
        return qlonglong(f.tokens);
    case Nats:
        return f.nll;
    case DeltaNats:
        return optional(row.deltaNats);
    case Perplexity:
        return f.perplexity;
    case DeltaPerplexity:
        return optional(row.deltaPerplexity);
    case WordPerplexity:
        return f.words > 0 ? QVariant(f.wordPerplexity) : QVariant();
    case BitsPerByte:
        return f.bytes > 0 ? QVariant(f.bitsPerByte) : QVariant();
    case Floor:
        return optional(f.floorNll);
    case Gap:
        return f.floorNll ? QVariant(f.nll - *f.floorNll) : QVariant();
    case Seconds:
        return f.seconds;
    case Note:
        return f.note.empty() ? describeMix(row.mix) : fromUtf8(f.note);
    default:
        return {};
    }
}

QString EvaluationsModel::text(const EvaluationRow& row, int column)
{
    const auto v = value(row, column);
    if (!v.isValid()) return QStringLiteral("\u2013");
    switch (column) {
    case Step:
    case Context:
    case Tokens:
        return formatCount(v.toLongLong());
    case Stride:
        return row.evaluation.figures.stride == 0 || row.evaluation.figures.stride == row.evaluation.figures.context
            ? tr("disjoint")
            : formatCount(v.toLongLong());
    case Nats:
    case Floor:
    case BitsPerByte:
        return formatFixed(v.toDouble(), 4);
    case Gap:
        return signedNumber(v.toDouble(), 4);
    case DeltaNats:
        return signedNumber(v.toDouble(), 4);
    case Perplexity:
    case WordPerplexity:
        return formatNumber(v.toDouble(), 5);
    case DeltaPerplexity:
        return signedNumber(v.toDouble(), 2);
    case Seconds:
        return formatDuration(v.toDouble());
    default:
        return v.toString();
    }
}

QVariant EvaluationsModel::data(const QModelIndex& index, int role) const
{
    if (!index.isValid() || index.row() >= rowCount()) return {};
    const auto& row = rows()[std::size_t(index.row())];
    const int column = index.column();
    switch (role) {
    case Qt::DisplayRole:
        return text(row, column);
    case SortRole:
        return value(row, column);
    case Qt::TextAlignmentRole:
        return alignment(column);
    case Qt::ToolTipRole:
        return plainToolTip(
            tr("%1, tokenizer %2, %3")
                .arg(fromUtf8(row.evaluation.data), fromUtf8(row.evaluation.tokenizer), describeWeights(row.weights)));
    case Qt::ForegroundRole: {
        const auto& c = Theme::instance().colours();
        const bool delta = (column == DeltaNats || column == DeltaPerplexity) && row.deltaNats;
        if (delta) return *row.deltaNats > 0 ? c.error : *row.deltaNats < 0 ? c.good : c.muted;
        return column == Note ? QVariant(c.muted) : QVariant();
    }
    default:
        return {};
    }
}

QVariant EvaluationsModel::headerData(int section, Qt::Orientation orientation, int role) const
{
    if (orientation != Qt::Horizontal || section < 0 || section >= ColumnCount) return {};
    if (role == Qt::DisplayRole) return tr(headings[section].name);
    if (role == Qt::ToolTipRole) return tr(headings[section].tip);
    if (role == Qt::TextAlignmentRole) return alignment(section);
    return {};
}

} // namespace pha::ui
