// SPDX-License-Identifier: GPL-3.0-or-later
// What is said of an update that is not like the others. Its losses and gradients are still there when it is done, so
// nothing is computed again, and nothing at all while no alert is due.
#include "engine/base/error.h"
#include "engine/run/alerts.h"
#include "engine/train/autopsy.h"
#include "engine/train/trainer.h"

#include <fmt/format.h>

#include <cmath>

namespace pha {

std::optional<AlertEvent> Trainer::alertOf(const UpdateResult& result, bool distilling)
{
    AlertEvent alert;
    alert.step = step_;
    alert.loss = result.loss;
    alert.gradNorm = result.norm;
    alert.gradNormBefore = normBefore_;
    if (!result.finite()) {
        if (nonFinite_ > 1) return {}; // of several in a row the first tells
        alert.kind = "not_finite";
        alert.message = fmt::format(
            "the {} is not finite, so the update was skipped", std::isfinite(result.loss) ? "gradient" : "loss");
        return alert;
    }
    normBefore_ = result.norm;
    if (distilling) return {};
    const auto vocabulary = file_.config.model.vocabulary;
    const double knowsNothing = std::log(double(vocabulary));
    exploded_ = watch_.diverges(result.loss, knowsNothing);
    const auto early = watch_.explodesEarly(result.loss, 2 * knowsNothing);
    const auto loss = watch_.observe(result.loss);
    const auto norm = normWatch_.observe(std::log(std::max(result.norm, 1e-30)));
    if (step_ == 1 && !beginsWithGivenWeights() && farFromUniform(result.loss, vocabulary)) {
        alert.kind = "start";
        alert.message = fmt::format("the first loss of {:.3f} is far from ln V = {:.3f}, which a network that knows "
                                    "nothing has: {}",
            result.loss, knowsNothing,
            result.loss > knowsNothing ? "its weights begin too large"
                                       : "it sees what it is asked for, or tokens repeat");
    } else if (early && !beginsWithGivenWeights()) {
        alert.kind = "spike";
        alert.median = early;
        alert.message = fmt::format("the loss of {:.3f} is far above ln V = {:.3f}, which a network that knows nothing "
                                    "has: lower learning_rate",
            result.loss, knowsNothing);
    } else if (loss) {
        alert.kind = "spike";
        alert.median = loss->median;
        alert.deviations = loss->deviations;
        alert.message = fmt::format("a spike: loss {:.3f} stands {:.0f} deviations above the {:.3f} before it",
            result.loss, loss->deviations, loss->median);
    } else if (norm) {
        alert.kind = "gradient";
        alert.median = std::exp(norm->median);
        alert.deviations = norm->deviations;
        alert.message = fmt::format("the gradient's norm of {:.3g} is {:.0f} times that of the updates before",
            result.norm, result.norm / *alert.median);
    } else {
        return {};
    }
    return alert;
}

void Trainer::watchUpdate(const UpdateResult& result, const std::vector<Batch>& batches, bool distilling)
{
    auto alert = alertOf(result, distilling);
    if (!alert) return;
    if (alertLimit_.take(step_, config_.autopsies))
        examine(*alert, batches);
    else if (config_.autopsies > 0)
        alert->note = fmt::format("not examined: at most {} alerts of a run are, and one in {} updates",
            config_.autopsies, AlertLimit::spacing);
    emit(*alert);
    keepCheckpointBefore();
}

void Trainer::examine(AlertEvent& alert, const std::vector<Batch>& batches)
{
    alert.texts = costliestTexts(batches, team_->tokenLosses(batches), *corpus_->tokenizer(), *batches_);
    alert.gradients = gradientsByPart(model(), optimizer(), { alert.loss, alert.gradNorm });
    for (auto& gradient : alert.gradients)
        for (const auto& usual : usualGradients_)
            if (usual.layer == gradient.layer && usual.part == gradient.part) gradient.usual = usual.norm;
    if (!usualGradients_.empty()) alert.usualStep = usualStep_;
    if (alert.kind != "not_finite" || alert.texts.empty()) return;
    auto row = alert.texts.front().row; // the update was skipped: the weights are those that it had
    for (const auto& batch : batches) {
        if (row >= batch.rows) {
            row -= batch.rows;
            continue;
        }
        const auto begin = batch.ids.begin() + row * batch.context;
        Pass pass;
        pass.matrix = matrix_;
        alert.cause = firstNotFinite(model(), pass, { begin, begin + batch.context });
        return;
    }
}

/// A user who sees the alert in the morning still has it to fork from, however many came later.
void Trainer::keepCheckpointBefore()
{
    try {
        if (const auto checkpoint = checkpointBefore(run_, step_); !checkpoint.empty())
            run_.setPointer("before_alert", checkpoint);
    } catch (const Error&) { // the next one may be kept
    }
}

void Trainer::noteUsualGradients()
{
    if (config_.autopsies == 0 || nonFinite_ > 0 || !normBefore_) return;
    usualGradients_ = gradientsByPart(model(), optimizer(), { 0, *normBefore_ });
    usualStep_ = step_;
}

Json Trainer::alertState() const
{
    auto usual = Json::array();
    for (const auto& gradient : usualGradients_)
        usual.push_back({ { "layer", gradient.layer }, { "part", gradient.part }, { "norm", gradient.norm } });
    return { { "limit", alertLimit_.state() }, { "norms", normWatch_.state() }, { "not_finite", nonFinite_ },
        { "norm_before", normBefore_ ? Json(*normBefore_) : Json() }, { "usual", usual },
        { "usual_step", usualStep_ } };
}

/// An older checkpoint has less of it.
void Trainer::restoreUsual(const Json& alerts)
{
    normWatch_.restore(alerts.value("norms", Json()));
    if (const auto norm = alerts.value("norm_before", Json()); norm.is_number()) normBefore_ = norm.get<double>();
    for (const auto& item : alerts.value("usual", Json::array()))
        usualGradients_.push_back({ item.at("layer").get<std::int64_t>(), item.at("part").get<std::string>(),
            item.at("norm").get<double>(), {} });
    usualStep_ = alerts.value("usual_step", std::int64_t(0));
}

} // namespace pha
