// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/runs/run_list_model.h"

#include <QWidget>

class QAction;
class QLabel;
class QLineEdit;
class QListView;
class QStackedWidget;

namespace pha::ui {

/// The list of runs with its search field. Selecting a run makes it the current one, ticking it adds its curves.
class RunPanel : public QWidget {
    Q_OBJECT

public:
    explicit RunPanel(RunListModel* model, QWidget* parent = nullptr);

    void setContextActions(const QList<QAction*>& actions); ///< of the menu; they act on the current run
    std::optional<fs::path> current() const;
    void select(const fs::path& directory); ///< also when the row appears only later
    void renameCurrent(); ///< opens the editor in the row
    void focusSearch();

Q_SIGNALS:
    void currentChanged(); ///< by the user or by select()
    void activated(); ///< double click or Enter on the current run

private:
    class Filter;
    void updateEmptyState();
    void restoreSelection();

    RunListModel* model_;
    Filter* filter_;
    QLineEdit* runSearch_;
    QListView* runList_;
    QStackedWidget* stack_;
    QLabel *emptyLabel_, *countLabel_;
    std::optional<fs::path> wanted_; ///< selected as soon as it is there
};

} // namespace pha::ui
