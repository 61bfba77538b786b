// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/run/run_about.h"

#include <QTimer>
#include <QWidget>

#include <optional>

class QLabel;
class QLineEdit;
class QPlainTextEdit;

namespace pha::ui {

/// Notes and tags of one run, below the list. There is nothing to confirm: what is typed is kept a moment later, and at
/// once when another run is chosen or the editor closes. Ctrl+Z takes typing back.
class RunAboutEditor : public QWidget {
    Q_OBJECT

public:
    explicit RunAboutEditor(QWidget* parent = nullptr);
    /// Shows what is said of a run; keeps first what was typed about the one before. Nothing: no run is chosen.
    /// Of one that waits nothing can be written: there is no folder for it.
    void setRun(const std::optional<std::filesystem::path>& run, const QString& name, const RunAbout& about,
        bool waits = false);
    /// What another program has written. Leaves alone what is being typed.
    void refresh(const std::filesystem::path& run, const RunAbout& about);
    /// What was typed could not be written: it stays in the fields, to be kept again.
    void notWritten(const std::filesystem::path& run, const RunAbout& there);
    void edit(); ///< shows it with the cursor in the notes
    void keep(); ///< what is typed, now

Q_SIGNALS:
    void changed(const std::filesystem::path& run, const pha::AboutChange& change);
    void closed();

protected:
    void hideEvent(QHideEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void fill(const RunAbout& about);
    AboutChange typed() const;

    QLabel *aboutTitle_, *aboutProblem_;
    QPlainTextEdit* aboutNotes_;
    QLineEdit* aboutTags_;
    QTimer later_;
    std::optional<std::filesystem::path> run_;
    RunAbout known_; ///< as it was shown or kept last
};

} // namespace pha::ui
