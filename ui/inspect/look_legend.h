// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QColor>
#include <QVector>
#include <QWidget>

#include <functional>

namespace pha::ui {

/// What colours mean: a scale with its two ends, or a row of names with their colours.
class LookLegend : public QWidget {
    Q_OBJECT

public:
    struct Entry {
        QString text;
        QColor colour;
    };
    explicit LookLegend(QWidget* parent = nullptr);
    void setScale(const QString& low, const QString& high, const std::function<QColor(double)>& at);
    void setEntries(const QVector<Entry>& entries);
    void clear();
    QSize sizeHint() const override;
    int heightForWidth(int width) const override;
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;

private:
    QVector<QPoint> places(int width) const; ///< of the entries, line by line
    int entryWidth(const Entry& entry) const;
    QString low_, high_;
    QVector<QColor> scale_;
    QVector<Entry> entries_;
};

} // namespace pha::ui
