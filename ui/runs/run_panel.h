// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/runs/run_list_model.h"

#include <QWidget>

class QAction;
class QLabel;
class QLineEdit;
class QListView;
class QPushButton;
class QStackedWidget;

namespace pha::ui {

class RunAboutEditor;

/// The list of runs with its search field. Selecting a run makes it the current one, ticking it adds its curves.
class RunPanel : public QWidget {
    Q_OBJECT

public:
    explicit RunPanel(RunListModel* model, QWidget* parent = nullptr);

    void setContextActions(const QList<QAction*>& actions); ///< of the menu; they act on the current run
    void addAbove(QWidget* bar); ///< between the search and the list
    std::optional<fs::path> current() const; ///< also when the search hides it
    void select(const fs::path& directory); ///< also when the row appears only later
    void renameCurrent(); ///< opens the editor in the row
    void focusSearch();
    void editAbout(); ///< notes and tags of the current run; again, it closes them

Q_SIGNALS:
    void currentChanged(); ///< by the user or by select()
    void activated(); ///< double click or Enter on the current run

private:
    class Filter;
    void dress();
    void connectAll();
    void search(const QString& text);
    void updateEmptyState();
    void updateArchive();
    void updateAbout();
    void restoreSelection();
    void followList(const QModelIndex& now, const QModelIndex& before); ///< its current row is another one
    QModelIndex indexOf(const fs::path& directory) const; ///< in the list as it is filtered; may be invalid

    RunListModel* model_;
    Filter* filter_;
    QLineEdit* runSearch_;
    QListView* runList_;
    QStackedWidget* stack_;
    QLabel *searchProblem_, *emptyLabel_, *countLabel_;
    QPushButton* runArchive_;
    RunAboutEditor* about_;
    std::optional<fs::path> wanted_; ///< selected as soon as it is there
    std::optional<fs::path> hidden_; ///< the selected run while the search hides its row; the list has none then
    bool removing_ = false; ///< rows are on their way out of the list
};

} // namespace pha::ui
