// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "ui/dialogs.h"

#include <QWidget>

#include <chrono>
#include <filesystem>
#include <memory>

namespace pha::ui {

/// Texts to train on: what is in them, the tokenizer that is trained on them, and how it cuts whatever one types. Files
/// and folders are dropped here or chosen; built-in corpora stand beside them.
class DataPanel : public QWidget {
    Q_OBJECT

public:
    explicit DataPanel(Dialogs* dialogs, QWidget* parent = nullptr);
    ~DataPanel() override;

    void add(const std::filesystem::path& text); ///< selects it and reads it
    void train(); ///< the tokenizer of the selected text
    void stop();
    QString selected() const; ///< as the configuration key `data` takes it
    bool shutDown(std::chrono::milliseconds patience); ///< as RunController::shutDown()

Q_SIGNALS:
    void useRequested(const QString& data, int vocabulary);

protected:
    bool event(QEvent* event) override;
    void keyPressEvent(QKeyEvent* event) override;
    void dragEnterEvent(QDragEnterEvent* event) override;
    void dropEvent(QDropEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;
    void showEvent(QShowEvent* event) override;

private:
    class Private;
    std::unique_ptr<Private> d_;
};

} // namespace pha::ui
