// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/panels/weights_box.h"

#include "engine/base/error.h"
#include "ui/format.h"

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
    refresh();
}

void WeightsBox::setSession(RunSession* session)
{
    if (session_) disconnect(session_, nullptr, this, nullptr);
    session_ = session;
    if (session) connect(session, &RunSession::stateChanged, this, &WeightsBox::refresh);
    setCurrentIndex(0);
    refresh();
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
    const auto chosen = currentData().toString();
    const QSignalBlocker quiet(this);
    clear();
    const bool live = session_ && session_->modelSource().job;
    addItem(live ? tr("Live weights") : tr("Latest checkpoint"), QString());
    if (session_) {
        const RunDirectory run(session_->directory());
        const auto add = [this](const QString& name, const QString& folder) { addItem(name, folder); };
        std::vector<std::string> names;
        try {
            names = run.list();
            const auto best = run.pointer("best");
            if (best && live) add(tr("Best: step %1").arg(formatCount(stepOf(fromUtf8(*best)))), fromUtf8(*best));
            if (best && !live) setItemText(0, tr("Best checkpoint"));
            if (const auto latest = run.pointer("latest"))
                add(tr("Latest: step %1").arg(formatCount(stepOf(fromUtf8(*latest)))), fromUtf8(*latest));
        } catch (const std::exception&) {
            // A folder that cannot be read: the engine says so when the weights are wanted.
        }
        for (auto name = names.rbegin(); name != names.rend(); ++name)
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
