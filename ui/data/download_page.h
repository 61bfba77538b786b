// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/data/downloads.h"

#include <QWidget>

class QFormLayout;
class QLabel;
class QLineEdit;
class QProgressBar;
class QPushButton;

namespace pha::ui {

/// A public corpus that is not on the disk yet: what it is, what may be done with it, how large it is, and the ways to
/// get it. Shows; what its buttons do is up to others.
class DownloadPage : public QWidget {
    Q_OBJECT

public:
    explicit DownloadPage(QWidget* parent = nullptr);

    void display(const CatalogueEntry& entry, const Downloads::State& state);

Q_SIGNALS:
    void downloadRequested();
    void pauseRequested();
    void cancelRequested();

private:
    QWidget* buildAbout();
    QWidget* buildByHand();
    QLineEdit* placeLine(const char* name, const QString& what, const QString& tip);

    QLabel *title_, *about_, *size_, *licence_, *checksum_, *homepage_, *message_;
    QPushButton *download_, *pause_, *cancel_, *copyAddress_, *openFolder_;
    QProgressBar* bar_;
    QLineEdit *address_, *place_;
    QLabel* byHand_;
};

} // namespace pha::ui
