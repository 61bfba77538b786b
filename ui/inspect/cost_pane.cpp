// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/inspect/cost_pane.h"

#include "engine/base/error.h"
#include "engine/run/run_directory.h"
#include "ui/controls/controls.h"
#include "ui/controls/weights_box.h"
#include "ui/format.h"
#include "ui/inspect/look_figures.h"

#include <QComboBox>
#include <QItemSelectionModel>
#include <QPushButton>
#include <QSignalBlocker>
#include <QTableWidget>

#include <algorithm>
#include <utility>

namespace pha::ui {

namespace {
constexpr std::int64_t scoredTokens = 8192; ///< one evaluation for each part
constexpr int moment = 400; ///< ms
} // namespace

CostPane::CostPane(QWidget* panel, std::function<Engine&()> engine)
    : QObject(panel)
    , worker_(nullptr, std::move(engine))
{
    buildList(panel);
    buildPage(panel);
    soon_.setSingleShot(true);
    soon_.setInterval(moment);
    connect(&soon_, &QTimer::timeout, this, &CostPane::tryTogether);
    connect(measure_, &QPushButton::clicked, this, &CostPane::measure);
    connect(stop_, &QPushButton::clicked, this, &CostPane::stop);
    connect(prune_, &QPushButton::clicked, this, &CostPane::prune);
    connect(box_, &QComboBox::currentIndexChanged, this, &CostPane::showState);
    connect(axis_, &QComboBox::currentIndexChanged, this,
        [this](int index) { chart_->setAxis(CostAxis(std::max(0, index))); });
    connect(chart_, &CostChart::readingChanged, reading_, [this](const QString& text) { sayWhole(reading_, text); });
    connect(chart_, &CostChart::selectionChanged, this, &CostPane::takeFromChart);
    connect(table_, &QTableWidget::itemSelectionChanged, this, &CostPane::takeFromTable);
    connectWorker();
    showState();
}

void CostPane::connectWorker()
{
    connect(&worker_, &ModelWorker::busyChanged, this, &CostPane::showState);
    connect(&worker_, &ModelWorker::weightsReady, this, [this](const WeightsInfo& weights) {
        weights_ = weights;
        if (!weights.note.isEmpty()) message_->say(weights.note, "warning");
    });
    connect(&worker_, &ModelWorker::progress, this, [this](const ProgressEvent& e) {
        message_->say(e.total > 0 ? tr("%1: %2 of %3 %4")
                                        .arg(fromUtf8(e.what), formatCount(std::int64_t(e.done)),
                                            formatCount(std::int64_t(e.total)), fromUtf8(e.unit))
                                  : fromUtf8(e.what));
    });
    connect(&worker_, &ModelWorker::costed, this, &CostPane::receive);
    connect(&worker_, &ModelWorker::triedPruned, this, [this](const PruneTrial& trial) {
        trial_ = trial;
        message_->say(trial.obstacle.empty() ? QString() : fromUtf8(trial.obstacle), "warning");
        showState();
    });
    connect(&worker_, &ModelWorker::failed, this, [this](const QString& text) { message_->say(text, "error"); });
}

void CostPane::setSession(RunSession* session)
{
    if (session_) disconnect(session_, nullptr, this, nullptr);
    session_ = session;
    soon_.stop();
    const bool stopped = busy() && !costs_; // trying what is selected takes a moment only
    worker_.release();
    source_ = {};
    job_.reset();
    box_->setSession(session);
    message_->say({});
    receive(nullptr); // what was measured belongs to another network
    if (stopped)
        message_->say(
            tr("Another run was selected: measuring was stopped. Measure (Ctrl+Enter) begins anew with this run."),
            "warning");
    if (!session) return;
    connect(session, &RunSession::changed, this, &CostPane::showState);
    connect(session, &RunSession::stateChanged, this, &CostPane::showState);
}

void CostPane::setActive(bool active)
{
    if (active) box_->refresh();
    if (std::exchange(active_, active) && !active && !busy()) worker_.release();
}

void CostPane::measure()
{
    const auto source = box_->source();
    if (!source.available) return showState();
    if (busy()) return; // Ctrl+Enter once more is no reason to lose what has been done
    soon_.stop();
    receive(nullptr);
    options_ = {};
    options_.text.maxTokens = scoredTokens;
    source_ = source;
    // Kept with what was measured, it would keep the training alive, and with it the lock of the run.
    job_ = std::exchange(source_.job, nullptr);
    message_->say(tr("Getting the weights\u2026"));
    worker_.measureCosts(source, options_);
}

void CostPane::stop()
{
    soon_.stop();
    if (!busy()) return;
    worker_.stop();
    message_->say(tr("Stopped."));
}

void CostPane::receive(const CostsPtr& costs)
{
    costs_ = costs;
    trial_.reset();
    chart_->setCosts(costs);
    fillTable();
    sayWhole(reading_, {});
    if (costs)
        message_->say(
            tr("%1 \u00b7 a pass of %2 \u00d7 %3 tokens takes %4 ms on %5 in %6 \u00b7 perplexity %7 on %8 tokens")
                .arg(describeWeights(weights_), formatCount(costs->batch), formatCount(costs->context),
                    formatNumber(1e3 * costs->passSeconds, 3), fromUtf8(costs->device), fromUtf8(costs->precision),
                    formatNumber(costs->plain.figures.perplexity), formatCount(costs->plain.figures.tokens)));
    showState();
}

void CostPane::takeFromTable()
{
    std::vector<int> cells;
    for (const auto& row : table_->selectionModel()->selectedRows()) cells.push_back(row.row());
    std::sort(cells.begin(), cells.end());
    if (cells == chart_->selected()) return;
    chart_->setSelected(std::move(cells));
    selectionChanged();
}

void CostPane::takeFromChart()
{
    QItemSelection rows;
    for (const int cell : chart_->selected())
        rows.select(table_->model()->index(cell, 0), table_->model()->index(cell, table_->columnCount() - 1));
    {
        const QSignalBlocker quiet(table_); // the selection model itself is not blocked: rows are painted
        table_->selectionModel()->select(rows, QItemSelectionModel::ClearAndSelect);
    }
    if (!chart_->selected().empty()) table_->scrollToItem(table_->item(chart_->selected().front(), 0));
    selectionChanged();
}

void CostPane::selectionChanged()
{
    trial_.reset();
    if (busy()) worker_.stop(); // the old selection's figures are asked for by nobody
    soon_.stop();
    if (!chosen().empty()) soon_.start();
    showState();
}

std::vector<PartPlace> CostPane::chosen() const
{
    std::vector<PartPlace> places;
    for (const int cell : chart_->selected()) places.push_back(costs_->cells[std::size_t(cell)].place);
    return places;
}

void CostPane::tryTogether()
{
    if (!costs_ || chosen().empty()) return;
    message_->say(tr("Measuring without the selected parts\u2026"));
    auto source = source_;
    source.job = job_.lock();
    worker_.tryPruned(source, weights_, options_, costs_, chosen());
}

std::filesystem::path CostPane::checkpoint() const
{
    if (!session_) return {};
    const RunDirectory run(session_->directory());
    if (!weights_.live && !weights_.checkpoint.isEmpty())
        if (const auto folder = run.checkpoints() / weights_.checkpoint.toStdString(); std::filesystem::exists(folder))
            return folder;
    return session_->savedStep() >= 0 ? session_->directory() : std::filesystem::path();
}

void CostPane::prune()
{
    const auto from = checkpoint();
    if (!costs_ || chosen().empty() || from.empty()) return showState();
    const auto pruned = prunedField(session_->file().config.model, chosen());
    Q_EMIT pruneRequested(from, fromUtf8(pruned));
}

void CostPane::exportImage() { chart_->askAndExport(QStringLiteral("png")); }

} // namespace pha::ui
