// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/catalogue.h"
#include "ui/data/downloads.h"
#include "ui/dialogs.h"

#include <QWidget>

#include <chrono>
#include <filesystem>
#include <memory>
#include <vector>

namespace pha::ui {

/// What the panel works with; tests put in their own.
struct DataParts {
    std::vector<CatalogueEntry> catalogue = pha::catalogue();
    Downloads::Fetch fetch; ///< empty: the engine's
};

/// Texts to train on: what is in them, the tokenizer that is trained on them, and how it cuts whatever one types. Files
/// and folders are dropped here or chosen; built-in and prepared corpora stand beside them, and public ones that are
/// downloaded when one asks for it.
class DataPanel : public QWidget {
    Q_OBJECT

public:
    explicit DataPanel(Dialogs* dialogs, QWidget* parent = nullptr, DataParts parts = {});
    ~DataPanel() override;

    void add(const std::filesystem::path& text); ///< selects it and reads it
    bool choose(const QString& wanted); ///< a corpus of the list; false: it is not there
    void run(); ///< trains the tokenizer of the selected text, or downloads the selected corpus
    void stop(); ///< pauses a download
    bool busy() const; ///< with the selected text, or its download
    QString selected() const; ///< as the configuration key `data` takes it
    bool shutDown(std::chrono::milliseconds patience); ///< as RunController::shutDown()

Q_SIGNALS:
    void useRequested(const QString& data, int vocabulary, const QString& textField);

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
