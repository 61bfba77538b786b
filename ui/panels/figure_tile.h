// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QFrame>

class QLabel;

namespace pha::ui {

/// One figure, large, with what it is above it and how it compares below.
class FigureTile : public QFrame {
    Q_OBJECT

public:
    FigureTile(const QString& title, const QString& tip, QWidget* parent);
    void set(const QString& value, const QString& detail, const char* detailRole = "small");
    QString value() const;

private:
    QLabel *value_, *detail_;
    QString title_;
};

} // namespace pha::ui
