// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/inspect/weight_history.h"
#include "ui/session/run_session.h"

#include <QObject>
#include <QPointer>

class QCheckBox;
class QComboBox;
class QLabel;
class QStackedWidget;
class QWidget;

namespace pha::ui {

class MessageLabel;
class WeightFilter;
class WeightListModel;
class WeightRidges;
class WeightTable;

/// The weights of a run's checkpoints: a list of tensors, and how those that are selected are distributed over the
/// course of the training. Two widgets, which the panel puts where it has room.
class WeightPane : public QObject {
    Q_OBJECT

public:
    explicit WeightPane(QWidget* panel);

    QWidget* list() const { return list_; }
    QWidget* page() const { return page_; }
    void setSession(RunSession* session); ///< null: no run
    void setActive(bool active); ///< it can be seen; else nothing is read
    void exportImage();
    bool busy() const { return history_.busy(); }

private:
    void buildList(QWidget* panel);
    void buildPage(QWidget* panel);
    void follow(); ///< reads checkpoints that have come
    void showMoments();
    void fillChoices();
    void filter();
    void selectFirst();
    void showSelected();
    void showState();
    void showReading();
    void showSummary();
    std::vector<std::string> selected() const; ///< in the order of the rows
    QString advice() const; ///< why there is nothing; empty: there is

    QPointer<RunSession> session_;
    std::int64_t seenStep_ = -1; ///< of the newest checkpoint when it was looked for
    bool active_ = false;
    QWidget *list_ = nullptr, *page_ = nullptr;
    QComboBox *part_ = nullptr, *layer_ = nullptr;
    QStackedWidget* pages_ = nullptr;
    QLabel *empty_ = nullptr, *readout_ = nullptr;
    MessageLabel* message_ = nullptr;
    QCheckBox* logarithmic_ = nullptr;
    WeightTable* table_ = nullptr;
    WeightListModel* model_ = nullptr;
    WeightFilter* filter_ = nullptr;
    WeightRidges* ridges_ = nullptr;
    WeightHistory history_; ///< last: stops before the rest goes
};

} // namespace pha::ui
