// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sweep.h"
#include "ui/config_form/config_draft.h"

#include <QDialog>
#include <QTimer>

#include <filesystem>
#include <functional>
#include <optional>

class QComboBox;
class QLabel;
class QLineEdit;
class QPlainTextEdit;
class QPushButton;
class QSpinBox;

namespace pha::ui {

/// Several runs from the settings of the form: one or two settings with lists of values, a number of seeds. Says what
/// would be queued while it is typed. The plan is that of `pha sweep`.
class SeveralRuns : public QDialog {
    Q_OBJECT

public:
    /// Takes the runs that are not there yet. Why it cannot, in one line, which the dialog shows; empty: it has them.
    using Queue = std::function<QString(const SweepPlan&)>;
    /// `name`: what the sweep is called at first. Runs that `folder` holds already are passed over.
    SeveralRuns(const DraftValues& form, const QString& name, std::filesystem::path folder, Queue toQueue,
        QWidget* parent = nullptr);
    ~SeveralRuns() override;

private:
    struct Axis {
        QComboBox* key = nullptr;
        QLineEdit* values = nullptr;
    };
    Axis makeAxis(int number);
    void proposeValues(const Axis& axis);
    void layOut();
    std::vector<SweepAxis> axes() const;
    void judge(); ///< plans, and says what comes of it
    void queue();
    void say(const QString& text, bool wrong);
    QString command() const;

    ConfigDraft draft_; ///< as the form was when this was opened
    std::filesystem::path folder_;
    Queue toQueue_;
    QLineEdit* severalName_;
    Axis first_, second_;
    QSpinBox* severalSeeds_;
    QPlainTextEdit* severalList_;
    QLabel* severalMessage_;
    QPushButton *queueRuns_, *copySweep_;
    QTimer soon_; ///< after the last letter
    std::optional<SweepPlan> plan_;
};

} // namespace pha::ui
