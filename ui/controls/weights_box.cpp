// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/controls/weights_box.h"

#include "engine/base/error.h"
#include "ui/format.h"

#include <QCoreApplication>
#include <QTimer>

#include <cmath>
#include <cstdlib>

namespace pha::ui {

namespace {

constexpr int deletedRole = Qt::UserRole + 1;

std::int64_t stepOf(const QString& checkpoint)
{
    bool fine = false;
    const auto step = checkpoint.section(QLatin1Char('-'), 1).toLongLong(&fine);
    return fine ? step : -1;
}

/// The checkpoints of a run, as one look at its folder finds them.
struct CheckpointsFound {
    fs::path run;
    fs::file_time_type time; ///< of their folder
    std::vector<std::string> names;
    std::optional<std::string> best, latest;
};

fs::file_time_type timeOfCheckpoints(const fs::path& run)
{
    std::error_code error; // a folder that is not there has no time
    return fs::last_write_time(RunDirectory(run).checkpoints(), error);
}

CheckpointsFound lookFor(const fs::path& run)
{
    CheckpointsFound found { run, timeOfCheckpoints(run), {}, {}, {} };
    try {
        const RunDirectory directory(run);
        found.names = directory.list();
        found.best = directory.pointer("best");
        found.latest = directory.pointer("latest");
    } catch (const std::exception&) {
        // A folder that cannot be read: the engine says so when the weights are wanted.
    }
    return found;
}

std::optional<CheckpointsFound>& lastLook()
{
    static std::optional<CheckpointsFound> last;
    return last;
}

/// All boxes of a window hear of another run, and of a change of it, one after the other. Each checkpoint is opened to
/// see whether it is whole, so one look does for all of them. It is forgotten as soon as they have heard of it.
const CheckpointsFound& sharedLook(const fs::path& run)
{
    auto& last = lastLook();
    if (last && last->run == run && last->time == timeOfCheckpoints(run)) return *last;
    if (!last) QTimer::singleShot(0, qApp, [] { lastLook().reset(); });
    return last.emplace(lookFor(run));
}

void addLayer(MixShape& shape, const QStringList& names)
{
    ++shape.layers;
    for (const auto& name : names)
        if (!shape.branches.contains(name)) shape.branches << name;
    shape.present.push_back(names);
}

} // namespace

WeightsBox::WeightsBox(QWidget* parent)
    : QComboBox(parent)
{
    setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    setMinimumContentsLength(14);
    setToolTip(tr(
        "Which weights are used. Live weights are copied between two steps of the training, which goes on meanwhile."));
    setAccessibleName(tr("Weights"));
    list();
}

void WeightsBox::setSession(RunSession* session)
{
    if (session_) disconnect(session_, nullptr, this, nullptr);
    session_ = session;
    if (session) connect(session, &RunSession::stateChanged, this, &WeightsBox::list);
    setCurrentIndex(0);
    list();
}

ModelSource WeightsBox::source() const
{
    if (!session_) return {};
    const auto checkpoint = currentData().toString();
    if (checkpoint.isEmpty()) return session_->modelSource();
    return { nullptr, RunDirectory(session_->directory()).checkpoints() / toPath(checkpoint),
        !currentData(deletedRole).toBool() };
}

QString WeightsBox::problem() const
{
    if (!currentData(deletedRole).toBool()) return {};
    return tr("The checkpoint of step %1 has been deleted: choose other weights, then press Ctrl+Enter.")
        .arg(formatCount(stepOf(currentData().toString())));
}

void WeightsBox::refresh()
{
    lastLook().reset();
    list();
}

void WeightsBox::list()
{
    const auto chosen = currentData().toString();
    const QSignalBlocker quiet(this);
    clear();
    const bool live = session_ && session_->modelSource().job;
    addItem(live ? tr("Live weights") : tr("Latest checkpoint"), QString());
    if (session_) {
        const auto& found = sharedLook(session_->directory());
        const auto add = [this](const QString& name, const QString& folder) { addItem(name, folder); };
        if (const auto& best = found.best; best && live)
            add(tr("Best: step %1").arg(formatCount(stepOf(fromUtf8(*best)))), fromUtf8(*best));
        if (found.best && !live) setItemText(0, tr("Best checkpoint"));
        if (const auto& latest = found.latest)
            add(tr("Latest: step %1").arg(formatCount(stepOf(fromUtf8(*latest)))), fromUtf8(*latest));
        for (auto name = found.names.rbegin(); name != found.names.rend(); ++name)
            add(tr("Step %1").arg(formatCount(stepOf(fromUtf8(*name)))), fromUtf8(*name));
    }
    int index = std::max(0, findData(chosen));
    if (index == 0 && !chosen.isEmpty()) { // never others than those that were chosen without a word
        addItem(tr("Step %1 (deleted)").arg(formatCount(stepOf(chosen))), chosen);
        index = count() - 1;
        setItemData(index, true, deletedRole);
    }
    setCurrentIndex(index);
}

void WeightsBox::showPopup()
{
    refresh();
    QComboBox::showPopup();
}

std::vector<LayerMix> WeightsBox::mixing() const
{
    if (!session_ || session_->history().mixing.empty()) return {};
    const auto& all = session_->history().mixing;
    auto chosen = currentData().toString();
    if (chosen.isEmpty() && !session_->modelSource().job) { // whichever checkpoint source() leads to
        try {
            chosen = fromPath(resolveCheckpoint(session_->directory()).filename());
        } catch (const Error&) {
            // None: what was reported last.
        }
    }
    const auto wanted = stepOf(chosen);
    const MixingEvent* nearest = &all.back();
    if (wanted >= 0) {
        for (const auto& event : all)
            if (std::abs(event.step - wanted) < std::abs(nearest->step - wanted)) nearest = &event;
    }
    return nearest->layers;
}

MixShape mixShape(const ModelConfig& model)
{
    MixShape shape;
    for (std::int64_t layer = 0; layer < model.layers; ++layer) {
        QStringList names;
        for (const auto& part : layerParts(model, layer)) names << fromUtf8(part);
        addLayer(shape, names);
    }
    return shape;
}

MixShape mixShape(const RunSession& session) { return mixShape(session.file().config.model); }

QString describeWeights(const WeightsInfo& weights)
{
    const auto step = formatCount(weights.step);
    return weights.live ? WeightsBox::tr("live weights at step %1").arg(step)
                        : WeightsBox::tr("checkpoint of step %1").arg(step);
}

} // namespace pha::ui
