// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include <QWidget>

class QLabel;
class QToolBar;

namespace pha::ui {

/// The last error in one line across the window: stays until it is closed, can be copied, never in the way.
class ErrorBanner : public QWidget {
    Q_OBJECT

public:
    explicit ErrorBanner(QWidget* parent = nullptr);
    void showError(const QString& message);
    QString message() const;

protected:
    void resizeEvent(QResizeEvent* event) override;

private:
    void fitHeight();

Q_SIGNALS:
    void shown();
    void closed();

private:
    QLabel* text_;
};

} // namespace pha::ui
