// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/weight_pane.h"

#include "engine/config/parts.h"
#include "ui/controls/controls.h"
#include "ui/format.h"
#include "ui/inspect/look_figures.h"
#include "ui/inspect/weight_list.h"
#include "ui/inspect/weight_ridges.h"

#include <QCheckBox>
#include <QComboBox>
#include <QFrame>
#include <QHBoxLayout>
#include <QItemSelectionModel>
#include <QLabel>
#include <QStackedWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace pha::ui {

namespace {

const QString oddOnes = QStringLiteral("?"); ///< among the parts, of which none is called so

QComboBox* choice(QWidget* parent, const char* name, const QString& what, const QString& tip)
{
    auto* box = new QComboBox(parent);
    box->setObjectName(QLatin1String(name));
    box->setAccessibleName(what);
    box->setToolTip(plainToolTip(tip));
    box->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    box->setMinimumContentsLength(4); // the list is as narrow as the text that it takes the place of
    return box;
}

QString partName(const QString& part)
{
    if (part.isEmpty()) return WeightPane::tr("Other");
    if (part == QLatin1String("norms")) return WeightPane::tr("Norms");
    if (part == QLatin1String("mixing")) return WeightPane::tr("Mixing");
    return partTitle(part);
}

/// Whether a tensor is what a part of the layer writes into the stream with, and the part a branch of a mix.
bool writes(const TensorPlace& place, bool& branch)
{
    const auto* part = findPart(place.part);
    branch = part && part->branch;
    return part && (place.name == "output" || place.name == "down");
}

} // namespace

WeightPane::WeightPane(QWidget* panel)
    : QObject(panel)
{
    buildList(panel);
    buildPage(panel);
    connect(&history_, &WeightHistory::changed, this, &WeightPane::showMoments);
    connect(&history_, &WeightHistory::busyChanged, this, [this] {
        showState();
        showSummary();
    });
    connect(&history_, &WeightHistory::reading, this, [this](qint64 step, int number, int count) {
        message_->say(
            tr("Reading the checkpoint of step %1 (%2 of %3)\u2026").arg(formatCount(step)).arg(number).arg(count));
    });
    connect(&history_, &WeightHistory::failed, this, [this](const QString& text) { message_->say(text, "error"); });
    showState();
}

void WeightPane::buildList(QWidget* panel)
{
    auto* frame = new QFrame(panel);
    list_ = frame;
    auto* layout = card(frame);
    part_ = choice(frame, "weightsPart", tr("Part"),
        tr("Tensors of which part, or only those that are odd: not finite, all zero, silent rows, far outliers, "
           "unmoved."));
    layer_ = choice(frame, "weightsLayer", tr("Layer"),
        tr("Tensors of which layer. Choosing one shows side by side what its parts write with."));
    auto* head = new QHBoxLayout;
    head->addWidget(label(frame, tr("Tensors"), "heading"));
    head->addSpacing(8);
    head->addWidget(part_, 1);
    head->addWidget(layer_, 1);
    layout->addLayout(head);
    model_ = new WeightListModel(this);
    filter_ = new WeightFilter(model_);
    table_ = new WeightTable(frame);
    table_->setObjectName(QStringLiteral("weightsTable"));
    table_->setModels(filter_);
    pages_ = new QStackedWidget(frame);
    empty_ = label(frame, {}, "muted");
    empty_->setObjectName(QStringLiteral("weightsEmpty"));
    empty_->setAlignment(Qt::AlignCenter);
    empty_->setWordWrap(true);
    pages_->addWidget(empty_);
    pages_->addWidget(table_);
    layout->addWidget(pages_, 1);
    message_ = new MessageLabel(frame, "weightsMessage");
    layout->addWidget(message_);
    connect(part_, &QComboBox::currentIndexChanged, this, &WeightPane::filter);
    connect(layer_, &QComboBox::currentIndexChanged, this, &WeightPane::filter);
    connect(table_->selectionModel(), &QItemSelectionModel::selectionChanged, this, &WeightPane::showSelected);
}

void WeightPane::buildPage(QWidget* panel)
{
    page_ = new QWidget(panel);
    auto* layout = new QVBoxLayout(page_);
    layout->setContentsMargins(0, 8, 0, 0);
    layout->setSpacing(4);
    ridges_ = new WeightRidges(page_);
    logarithmic_ = new QCheckBox(tr("L&og counts"), page_);
    logarithmic_->setObjectName(QStringLiteral("weightsLog"));
    logarithmic_->setToolTip(plainToolTip(tr("Heights are logarithms of counts: tails of a few numbers can be seen.")));
    logarithmic_->setAccessibleName(tr("Logarithmic counts"));
    ridges_->addHeaderWidget(logarithmic_);
    layout->addWidget(ridges_, 1);
    readout_ = steadyLabel(page_, "weightsReadout", 2);
    layout->addWidget(readout_);
    connect(logarithmic_, &QCheckBox::toggled, ridges_, &WeightRidges::setLogarithmic);
    connect(ridges_, &WeightRidges::readingChanged, this, &WeightPane::showReading);
}

void WeightPane::setSession(RunSession* session)
{
    if (session_) disconnect(session_, nullptr, this, nullptr);
    session_ = session;
    seenStep_ = -1;
    message_->say({});
    history_.setRun(session ? session->directory() : std::filesystem::path(), session ? session->file().created : "");
    if (session) {
        connect(session, &RunSession::changed, this, &WeightPane::follow);
        connect(session, &RunSession::stateChanged, this, &WeightPane::follow);
    }
    showMoments();
    showSummary(); // of what was read when the run was shown before
    follow();
}

void WeightPane::setActive(bool active)
{
    active_ = active;
    follow();
}

void WeightPane::follow()
{
    if (!session_) return;
    if (history_.setRun(session_->directory(), session_->file().created)) {
        seenStep_ = -1; // its job has written run.json by now, or another run took its folder
        message_->say({});
    }
    if (!active_ || session_->savedStep() == seenStep_) return;
    seenStep_ = session_->savedStep();
    history_.refresh();
}

void WeightPane::showMoments()
{
    const auto& moments = history_.moments();
    const auto before = model_->rowCount();
    const bool first = before == 0;
    model_->setMoment(moments.empty() ? nullptr : &moments.back());
    if (first || model_->rowCount() != before) fillChoices();
    if (table_->selectionModel()->selectedRows().isEmpty()) selectFirst();
    showSelected();
}

void WeightPane::fillChoices()
{
    const QSignalBlocker quietPart(part_), quietLayer(layer_);
    part_->clear();
    layer_->clear();
    part_->addItem(tr("All parts"), QString());
    layer_->addItem(tr("All layers"), WeightFilter::everyLayer);
    int layers = 0;
    for (int row = 0; row < model_->rowCount(); ++row) {
        const auto place = tensorPlace(model_->tensor(row).name);
        if (const auto part = fromUtf8(place.part); !part.isEmpty() && part_->findData(part) < 0)
            part_->addItem(partName(part), part);
        layers = std::max(layers, place.layer + 1);
    }
    part_->addItem(tr("Only odd ones"), oddOnes);
    for (int layer = 0; layer < layers; ++layer) layer_->addItem(tr("Layer %1").arg(layer), layer);
    filter_->show({}, WeightFilter::everyLayer, false);
}

void WeightPane::filter()
{
    const auto part = part_->currentData().toString();
    const bool odd = part == oddOnes;
    filter_->show(odd ? QString() : part, layer_->currentData().toInt(), odd);
    selectFirst();
    showSelected();
}

/// What the branches of a layer write with, side by side: they do the same work. Else the first row.
void WeightPane::selectFirst()
{
    QItemSelection branches, all;
    const int layer = filter_->rowCount() > 0 ? std::max(0, layer_->currentData().toInt()) : 0;
    for (int row = 0; row < filter_->rowCount(); ++row) {
        const auto index = filter_->index(row, 0);
        const auto place = tensorPlace(model_->tensor(filter_->mapToSource(index).row()).name);
        bool branch = false;
        if (place.layer != layer || !writes(place, branch)) continue;
        all.select(index, index);
        if (branch) branches.select(index, index);
    }
    auto chosen = branches.size() > 1 ? branches : all;
    if (chosen.isEmpty() && filter_->rowCount() > 0) chosen.select(filter_->index(0, 0), filter_->index(0, 0));
    if (chosen.isEmpty()) return;
    const auto first = chosen.indexes().front();
    auto* selection = table_->selectionModel();
    selection->setCurrentIndex(first, QItemSelectionModel::NoUpdate);
    selection->select(chosen, QItemSelectionModel::ClearAndSelect | QItemSelectionModel::Rows);
    table_->scrollTo(first);
}

std::vector<std::string> WeightPane::selected() const
{
    auto rows = table_->selectionModel()->selectedRows();
    std::sort(rows.begin(), rows.end(), [](const QModelIndex& a, const QModelIndex& b) { return a.row() < b.row(); });
    std::vector<std::string> names;
    for (const auto& row : rows) names.push_back(model_->tensor(filter_->mapToSource(row).row()).name);
    return names;
}

void WeightPane::showSelected()
{
    ridges_->setTensors(history_.moments(), selected());
    showState();
}

QString WeightPane::advice() const
{
    if (!session_) return tr("Train a run or open one to see how its weights move.");
    if (!history_.moments().empty()) return {};
    if (history_.busy()) return tr("Reading the checkpoints\u2026");
    if (session_->savedStep() < 0)
        return tr("This run has no checkpoint yet. Start or resume its training: weights appear with the first one.");
    return tr("The weights of this run cannot be read.");
}

void WeightPane::showState()
{
    const auto nothing = advice();
    pages_->setCurrentIndex(nothing.isEmpty() ? 1 : 0);
    empty_->setText(nothing);
    for (auto* box : { part_, layer_ }) box->setEnabled(nothing.isEmpty());
    logarithmic_->setEnabled(nothing.isEmpty());
    const bool chosen = table_->selectionModel()->hasSelection();
    ridges_->setEmptyText(!nothing.isEmpty() ? nothing
            : chosen                         ? QString()
            : filter_->rowCount() == 0       ? tr("No tensor is so.")
                                             : tr("Select a tensor in the list; with Ctrl several."));
    showReading();
}

void WeightPane::showReading()
{
    const auto chosen = table_->selectionModel()->selectedRows().size();
    auto text = ridges_->reading();
    if (text.isEmpty() && chosen > WeightRidges::mostPanels)
        text = tr("The first %1 of %2 selected tensors are shown.").arg(WeightRidges::mostPanels).arg(chosen);
    else if (text.isEmpty() && chosen > 0 && !history_.moments().empty())
        text = history_.moments().size() == 1
            ? tr("One checkpoint so far; later ones come in front of it. Point at a ridge for its figures.")
            : tr("Checkpoints from the back to the front. Point at a ridge for its figures.");
    sayWhole(readout_, text);
}

/// What was read, once it has been.
void WeightPane::showSummary()
{
    const auto& moments = history_.moments();
    if (history_.busy() || moments.empty()) return;
    const auto& tensors = moments.back().figures->tensors;
    const auto odd = std::count_if(
        tensors.begin(), tensors.end(), [](const TensorFigures& tensor) { return !oddities(tensor).empty(); });
    auto words = moments.size() == 1 ? tr("Checkpoint of step %1").arg(formatCount(moments.back().step))
                                     : tr("%1 checkpoints, steps %2 to %3")
                                           .arg(formatCount(std::int64_t(moments.size())),
                                               formatCount(moments.front().step), formatCount(moments.back().step));
    if (const auto since = moments.back().since) words += tr(" \u00b7 change since %1").arg(formatCount(*since));
    if (odd > 0) words += tr(" \u00b7 %1 of %2 tensors odd").arg(odd).arg(tensors.size());
    message_->say(words);
}

void WeightPane::exportImage() { ridges_->askAndExport(QStringLiteral("png")); }

} // namespace pha::ui
