// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/session/run_session.h"

#include <QPointer>
#include <QWidget>

class QCheckBox;
class QLabel;
class QPushButton;
class QStackedWidget;
class QStandardItemModel;
class QTreeView;

namespace pha::ui {

/// The settings of a run, how they came about, and where they leave its preset. While this window trains it, those that
/// a running run takes over are edited here; each change is asked for, and shown once the run has made it.
class FrozenConfig : public QWidget {
    Q_OBJECT

public:
    explicit FrozenConfig(QWidget* parent = nullptr);
    void setSession(RunSession* session); ///< null: no run is selected
    void focusChangeable(); ///< where the keyboard edits what can be changed now

Q_SIGNALS:
    void cloneRequested();
    void changeRequested(const std::string& key, const pha::Json& value);
    void refused(const QString& message); ///< one line: what; what is expected

private:
    void refresh();
    void fill(); ///< at once, or when the value that is being typed is done
    void fillNow();
    bool typing() const;
    bool changeable(const std::string& key) const; ///< the run takes another value over now
    QString changesOf(const std::string& key) const; ///< "at update 120: 0.001 -> 0.0005", a line each
    void change(const QString& key, const QString& text);
    void goTo(const QString& key);

    QPointer<RunSession> session_;
    Json filled_; ///< the configuration that the tree shows
    std::size_t commands_ = 0; ///< that it knows of
    bool putOff_ = false; ///< the tree is filled anew when its editor closes
    bool live_ = false; ///< the run trains in this window
    QStackedWidget* stack_;
    QLabel *title_, *subtitle_, *hint_;
    QCheckBox* onlyDifferences_;
    QTreeView* tree_;
    QStandardItemModel* model_;
    QPushButton* cloneButton_;
};

} // namespace pha::ui
