// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QVector>
#include <QWidget>

class QLabel;
class QProgressBar;

namespace pha::ui {

class RunSession;

/// The current run in one row: name and state, progress, and the figures that one looks for first. Figures that have no
/// room are left out, the least important first.
class RunHeader : public QWidget {
    Q_OBJECT

public:
    explicit RunHeader(QWidget* parent = nullptr);
    void showSession(const RunSession* session); ///< reads what it needs; null: no run

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    struct Figure {
        QWidget* box = nullptr;
        QLabel *label = nullptr, *value = nullptr;
        int keep = 0; ///< the larger, the later it goes
    };
    Figure& figure(const QString& name, const QString& label, const QString& tip, int keep);
    void set(int index, const QString& value);
    void arrange();
    void paintState(const RunSession* session);

    QLabel *name_ = nullptr, *state_ = nullptr;
    QProgressBar* progress_ = nullptr;
    QString fullName_, fullState_;
    bool any_ = false;
    QVector<Figure> figures_;
};

} // namespace pha::ui
