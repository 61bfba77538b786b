// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/run_session.h"

#include <QPointer>
#include <QWidget>

class QCheckBox;
class QLabel;
class QPushButton;
class QStackedWidget;
class QStandardItemModel;
class QTreeView;

namespace pha::ui {

/// The configuration that a run was started with, which nothing changes any more, and where it leaves its preset.
class FrozenConfig : public QWidget {
    Q_OBJECT

public:
    explicit FrozenConfig(QWidget* parent = nullptr);
    void setSession(RunSession* session); ///< null: no run is selected

Q_SIGNALS:
    void cloneRequested();

private:
    void refresh();
    void fill();

    QPointer<RunSession> session_;
    Json filled_; ///< the configuration that the tree shows
    QStackedWidget* stack_;
    QLabel *title_, *subtitle_;
    QCheckBox* onlyDifferences_;
    QTreeView* tree_;
    QStandardItemModel* model_;
    QPushButton* cloneButton_;
};

} // namespace pha::ui
