// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/sweep.h"
#include "engine/run/fork_point.h"

#include <QMap>
#include <QObject>
#include <QString>
#include <QStringList>
#include <QUndoStack>

#include <map>
#include <optional>
#include <string>

namespace pha::ui {

/// What the user has chosen so far: a preset and what differs from it, as typed. A value; undo keeps copies.
struct DraftValues {
    QString preset, name;
    QString
        fork; ///< checkpoint that the run goes on from, whose settings then stand in place of the preset's; or empty
    std::map<std::string, std::string> overrides; ///< by key; may hold text that is no valid value yet
    bool operator==(const DraftValues&) const = default;
};

/// The configuration that is being written for a new run, apart from any widget. Every edit can be undone.
class ConfigDraft : public QObject {
    Q_OBJECT

public:
    explicit ConfigDraft(QObject* parent = nullptr);

    const DraftValues& values() const { return values_; }
    QUndoStack& undoStack() { return undo_; }

    void setPreset(const QString& preset); ///< keeps data, seed and machine settings, drops the rest, a fork too
    void setText(const std::string& key, const QString& text); ///< typing in one field is one step of undo
    void resetField(const std::string& key);
    void reset(); ///< back to the preset
    void setName(const QString& name);
    void clone(const RunConfig& config, const QString& name); ///< the same run again, ready to be changed
    void fork(const QString& checkpoint); ///< goes on from there; of a run's folder: from its newest checkpoint
    void dropFork(); ///< a run from the beginning with the same settings
    const std::optional<ForkPoint>& forkPoint() const { return point_; }
    void restore(const DraftValues& values); ///< without a step of undo: at start-up
    void endOfTyping(); ///< the next edit is a step of its own

    QString text(const std::string& key) const;
    QString presetText(const std::string& key) const;
    bool changed(const std::string& key) const; ///< differs from the preset, or is no value at all
    QString error(
        const std::string& key) const; ///< "learning_rate is x; expected a number of at least 0", empty if fine
    QStringList errors() const; ///< of all fields and of their combination
    /// Empty while there are errors. Files are named by their whole paths, however they were typed.
    std::optional<RunConfig> config() const;
    /// The same with other values of some settings on top, one of them perhaps "preset". Throws ConfigError.
    RunConfig configWith(const SweepValues& values) const;
    QString command() const; ///< the `pha train` line that does the same
    QString suggestedName() const; ///< "pha-tiny-stories"

Q_SIGNALS:
    void changedValues();

private:
    class Edit;
    void apply(const DraftValues& values);
    void push(const DraftValues& next, const QString& what, const std::string& typingKey = {});
    void judge();
    void readFork();
    void judgeFork();

    QUndoStack undo_;
    DraftValues values_;
    const Preset* preset_;
    std::optional<ForkPoint> point_; ///< of values_.fork, if it can be read
    QString forkProblem_; ///< else why not
    RunConfig start_; ///< what the preset says for the data that are chosen, or the run that is forked
    std::map<std::string, QString> errors_;
    RunConfig best_; ///< what the texts say, with the preset's value where one is wrong
};

const Field& fieldOf(const std::string& key); ///< throws ConfigError
/// Folder-safe: letters, digits, dot, dash, underscore.
QString slug(const QString& text);

} // namespace pha::ui
