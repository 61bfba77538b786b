// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/cost_chart.h"
#include "ui/work/model_worker.h"

#include <QObject>
#include <QPointer>
#include <QTimer>

#include <functional>
#include <memory>
#include <optional>

class QComboBox;
class QLabel;
class QPushButton;
class QTableWidget;
class QWidget;

namespace pha::ui {

class MessageLabel;
class WeightsBox;

/// What the parts of a network cost and are worth, what leaving some of them out would do, and the way to a run without
/// them. Two widgets, which the panel puts where it has room.
class CostPane : public QObject {
    Q_OBJECT

public:
    CostPane(QWidget* panel, std::function<Engine&()> engine);

    QWidget* list() const { return list_; }
    QWidget* page() const { return page_; }
    void setSession(RunSession* session); ///< null: no run. Stops what was going on for the old one
    void setActive(bool active); ///< it can be seen; else the network is not kept
    void measure();
    void stop();
    bool busy() const { return worker_.busy(); }
    bool settled() const { return !busy() && !soon_.isActive(); } ///< what is selected has been tried
    void exportImage();

Q_SIGNALS:
    /// A run is to go on from there without these parts: the value of pruned_branches.
    void pruneRequested(const std::filesystem::path& checkpoint, const QString& pruned);

private:
    void buildList(QWidget* panel);
    void buildPage(QWidget* panel);
    void connectWorker();
    void receive(const CostsPtr& costs);
    void fillTable();
    void takeFromTable();
    void takeFromChart();
    void selectionChanged(); ///< what is measured of the old one no longer counts
    void tryTogether();
    void prune();
    std::vector<PartPlace> chosen() const;
    std::filesystem::path checkpoint() const; ///< that the figures are of, or the newest one; empty: none
    void showState();
    void showTogether();
    QString predictedText() const;
    QString measuredText() const;

    QPointer<RunSession> session_;
    bool active_ = false;
    CostsPtr costs_;
    CostOptions options_; ///< of costs_
    ModelSource source_; ///< of costs_, without its job: that ends when the training does
    std::weak_ptr<TrainingJob> job_; ///< that source_ came with, if it still trains
    WeightsInfo weights_; ///< of costs_, or of those that are being measured
    std::optional<PruneTrial> trial_; ///< of what is selected
    QTimer soon_; ///< a selection is tried when it has stood for a moment
    QWidget *list_ = nullptr, *page_ = nullptr;
    WeightsBox* box_ = nullptr;
    QPushButton *measure_ = nullptr, *stop_ = nullptr, *prune_ = nullptr;
    QComboBox* axis_ = nullptr;
    QTableWidget* table_ = nullptr;
    QLabel *reading_ = nullptr, *predicted_ = nullptr, *measured_ = nullptr;
    MessageLabel* message_ = nullptr;
    CostChart* chart_ = nullptr;
    ModelWorker worker_; ///< last: stops before the rest goes
};

} // namespace pha::ui
