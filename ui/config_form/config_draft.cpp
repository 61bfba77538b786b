// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/config_form/config_draft.h"

#include "engine/base/error.h"
#include "engine/data/corpus.h"
#include "engine/data/tasks.h"
#include "ui/format.h"

#include <QUndoCommand>

#include <filesystem>

namespace pha::ui {

namespace {

/// Belongs to the machine or the question, not to the shape: survives a change of preset.
bool outlivesPreset(const std::string& key)
{
    for (const char* kept :
        { "data", "text_field", "data_seed", "seed", "device", "devices", "precision", "threads", "sample_prompt" })
        if (key == kept) return true;
    return false;
}

/// A file or folder as a word of a command, never one that looks like an option.
QString shellPath(const QString& path)
{
    return shellQuoted(path.startsWith(QLatin1Char('-')) ? QStringLiteral("./") + path : path);
}

} // namespace

const Field& fieldOf(const std::string& key)
{
    for (const auto& grouped : allFields())
        if (grouped.field.name == key) return grouped.field;
    throw ConfigError(key, "", "a configuration key");
}

QString slug(const QString& text)
{
    QString out;
    for (const auto c : text.trimmed()) {
        const bool safe = c.unicode() < 128 && (c.isLetterOrNumber() || QStringLiteral("._-").contains(c));
        out += safe ? c : QLatin1Char('-');
    }
    while (out.startsWith(QLatin1Char('.')) || out.startsWith(QLatin1Char('-'))) out.remove(0, 1);
    return out.left(80);
}

/// One step of undo: the whole draft before and after. Successive edits of one field by typing are one step.
class ConfigDraft::Edit : public QUndoCommand {
public:
    Edit(ConfigDraft* draft, DraftValues after, const QString& what, std::string typingKey)
        : QUndoCommand(what)
        , draft_(draft)
        , before_(draft->values_)
        , after_(std::move(after))
        , typingKey_(std::move(typingKey))
    {
    }
    void undo() override { draft_->apply(before_); }
    void redo() override { draft_->apply(after_); }
    int id() const override { return typingKey_.empty() ? -1 : 1; }
    bool mergeWith(const QUndoCommand* other) override
    {
        const auto* next = static_cast<const Edit*>(other);
        if (sealed || next->typingKey_ != typingKey_) return false;
        after_ = next->after_;
        return true;
    }
    bool sealed = false;

private:
    ConfigDraft* draft_;
    DraftValues before_, after_;
    std::string typingKey_;
};

ConfigDraft::ConfigDraft(QObject* parent)
    : QObject(parent)
    , preset_(&presets().front())
{
    undo_.setUndoLimit(200);
    values_.preset = fromUtf8(preset_->name);
    judge();
}

void ConfigDraft::apply(const DraftValues& values)
{
    values_ = values;
    for (const auto& preset : presets())
        if (fromUtf8(preset.name) == values_.preset) preset_ = &preset;
    values_.preset = fromUtf8(preset_->name); // an unknown name falls back to the last one that was known
    readFork();
    judge();
    Q_EMIT changedValues();
}

void ConfigDraft::push(const DraftValues& next, const QString& what, const std::string& typingKey)
{
    if (next == values_) return;
    undo_.push(new Edit(this, next, what, typingKey));
}

void ConfigDraft::endOfTyping()
{
    if (undo_.index() == 0) return;
    // QUndoStack hands out commands as const; sealing one changes nothing that it undoes.
    const_cast<Edit*>(static_cast<const Edit*>(undo_.command(undo_.index() - 1)))->sealed = true;
}

void ConfigDraft::setPreset(const QString& preset)
{
    auto next = values_;
    next.preset = preset;
    next.fork.clear();
    std::erase_if(next.overrides, [](const auto& entry) { return !outlivesPreset(entry.first); });
    push(next, tr("change of preset"));
}

void ConfigDraft::setText(const std::string& key, const QString& text)
{
    auto next = values_;
    if (text == presetText(key)) {
        next.overrides.erase(key);
    } else {
        next.overrides[key] = text.toStdString();
    }
    push(next, tr("change of %1").arg(fromUtf8(key)), key);
}

void ConfigDraft::resetField(const std::string& key)
{
    auto next = values_;
    next.overrides.erase(key);
    push(next, tr("reset of %1").arg(fromUtf8(key)));
}

void ConfigDraft::reset()
{
    if (!values_.fork.isEmpty()) return fork(values_.fork); // as it began: with more steps than are done
    auto next = values_;
    next.overrides.clear();
    next.name.clear();
    push(next, tr("reset"));
}

void ConfigDraft::setName(const QString& name)
{
    auto next = values_;
    next.name = name;
    push(next, tr("change of the name"), "name");
}

void ConfigDraft::clone(const RunConfig& config, const QString& name)
{
    DraftValues next;
    next.preset = values_.preset;
    next.name = name;
    const Preset* preset = preset_;
    for (const auto& known : presets())
        if (known.name == config.preset) preset = &known;
    next.preset = fromUtf8(preset->name);
    const auto start = startingPoint(*preset, config.data.data);
    for (const auto& grouped : allFields()) {
        const auto& key = grouped.field.name;
        // The vocabulary follows from the tokenizer, and stop_after was about one process.
        if (key == "vocabulary" || key == "stop_after") continue;
        if (const auto value = config.get(key); value != start.get(key)) next.overrides[key] = settingText(value);
    }
    push(next, tr("clone"));
}

void ConfigDraft::fork(const QString& checkpoint)
{
    DraftValues next;
    next.preset = values_.preset;
    next.fork = checkpoint;
    try {
        const auto point = readForkPoint(toPath(checkpoint));
        next.fork = fromPath(point.checkpoint); // of a run that goes on, the newest one will be another
        for (const auto& known : presets())
            if (known.name == point.config.preset) next.preset = fromUtf8(known.name);
        const auto& steps = point.config.training.steps;
        if (steps <= point.parent.step) next.overrides["steps"] = std::to_string(2 * point.parent.step);
    } catch (const std::exception&) {
        // Said beside the form, where it can be dropped.
    }
    push(next, tr("fork"));
}

void ConfigDraft::dropFork()
{
    if (point_) return clone(best_, values_.name);
    auto next = values_;
    next.fork.clear();
    push(next, tr("fork"));
}

void ConfigDraft::readFork()
{
    point_.reset();
    forkProblem_.clear();
    if (values_.fork.isEmpty()) return;
    try {
        point_ = readForkPoint(toPath(values_.fork));
    } catch (const std::exception& error) {
        forkProblem_ = errorLine(error);
    }
}

void ConfigDraft::judgeFork()
{
    if (!point_) {
        errors_[""] = forkProblem_;
        return;
    }
    for (const auto& key : changedFields(point_->config, best_))
        if (!freeInFork(key))
            errors_[key] = tr("A fork goes on with the weights, optimiser and tokens of its run: this stays %1.")
                               .arg(presetText(key));
    if (const auto done = point_->parent.step; best_.training.steps <= done)
        errors_["steps"] = counted(done, tr("More than the %1 step that is done where the fork begins."),
            tr("More than the %1 steps that are done where the fork begins."))
                               .arg(formatCount(done));
}

void ConfigDraft::restore(const DraftValues& values)
{
    auto known = values;
    std::erase_if(known.overrides, [](const auto& entry) {
        const auto& fields = allFields();
        return std::none_of(fields.begin(), fields.end(), [&](const auto& f) { return f.field.name == entry.first; });
    });
    apply(known);
    undo_.clear();
}

QString ConfigDraft::presetText(const std::string& key) const { return fromUtf8(settingText(start_.get(key))); }

QString ConfigDraft::text(const std::string& key) const
{
    const auto found = values_.overrides.find(key);
    return found == values_.overrides.end() ? presetText(key) : fromUtf8(found->second);
}

bool ConfigDraft::changed(const std::string& key) const
{
    return errors_.contains(key) ? values_.overrides.contains(key) : best_.get(key) != start_.get(key);
}

/// Works out errors and the configuration from the texts.
void ConfigDraft::judge()
{
    errors_.clear();
    const auto data = values_.overrides.find("data");
    start_ = point_ ? point_->config
                    : startingPoint(*preset_, data == values_.overrides.end() ? std::string() : data->second);
    best_ = start_;
    for (const auto& [key, text] : values_.overrides) {
        try {
            const auto value = fieldOf(key).parse(text);
            fieldOf(key).check(value);
            best_.setJson(key, value);
        } catch (const std::exception& error) {
            errors_[key] = errorLine(error);
        }
    }
    if (!values_.fork.isEmpty()) judgeFork();
    if (!errors_.empty()) return;
    try {
        best_.validate();
    } catch (const ConfigError& error) {
        errors_[error.field()] = errorLine(error);
    } catch (const std::exception& error) {
        errors_[""] = errorLine(error);
    }
}

QString ConfigDraft::error(const std::string& key) const
{
    const auto found = errors_.find(key);
    return found == errors_.end() ? QString() : found->second;
}

QStringList ConfigDraft::errors() const
{
    QStringList all;
    for (const auto& [key, text] : errors_) all << text;
    return all;
}

std::optional<RunConfig> ConfigDraft::config() const
{
    if (!errors_.empty()) return std::nullopt;
    auto config = best_;
    settleData(config.data);
    if (!point_) return config;
    // A fork has the tokenizer of its run, by the same name; and a text that is named as there is no change.
    const auto& before = point_->config.data;
    if (best_.data.data == before.data) config.data.data = before.data;
    if (best_.data.tokenizer == before.tokenizer) config.data.tokenizer = before.tokenizer;
    return config;
}

RunConfig ConfigDraft::configWith(const SweepValues& values) const
{
    auto settings = values_.overrides;
    const auto* preset = preset_;
    for (const auto& [key, value] : values)
        if (key == "preset")
            preset = &findPreset(value);
        else
            settings[key] = value;
    const auto data = settings.find("data"); // which decide what the preset's recipe is
    auto config = startingPoint(*preset, data == settings.end() ? std::string() : data->second);
    for (const auto& [key, text] : settings) config.set(key, text);
    settleData(config.data);
    return config;
}

QString ConfigDraft::command() const
{
    QStringList words { QStringLiteral("pha"), QStringLiteral("train"), QStringLiteral("--preset"),
        shellQuoted(values_.preset), QStringLiteral("--data"), shellPath(text("data")) };
    if (!values_.fork.isEmpty()) words = { words[0], words[1], QStringLiteral("--fork"), shellPath(values_.fork) };
    for (const auto& grouped : allFields()) { // in display order, as the form shows them
        const auto& key = grouped.field.name;
        if ((key == "data" && values_.fork.isEmpty()) || !changed(key)) continue;
        words << QStringLiteral("--set") << shellQuoted(fromUtf8(key) + QLatin1Char('=') + text(key));
    }
    return words.join(QLatin1Char(' '));
}

QString ConfigDraft::suggestedName() const
{
    if (point_) return slug(tr("%1-from-%2").arg(fromUtf8(point_->parent.name)).arg(qlonglong(point_->parent.step)));
    const auto data = fromPath(std::filesystem::path(text("data").toStdString()).filename().stem());
    return slug(values_.preset + QLatin1Char('-') + (data.isEmpty() ? QStringLiteral("run") : data));
}

} // namespace pha::ui
