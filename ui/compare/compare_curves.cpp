// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/compare/compare_curves.h"

#include <algorithm>
#include <cmath>

namespace pha::ui {

RunReader::RunReader(RunSession* session)
    : session_(session)
{
}

void RunReader::restart(XAxis axis)
{
    axis_ = axis;
    steps_ = evals_ = 0;
    if (!session_) return;
    generation_ = session_->history().generation;
    smoother_ = Smoother(smoothing, smoothingUnit(session_->file().config.training.steps));
}

bool RunReader::rewound() const
{
    if (!session_) return false;
    const auto& history = session_->history();
    return history.generation != generation_ || history.loss.size() < steps_ || history.evals.size() < evals_;
}

bool RunReader::read(std::size_t rows, Curve& loss, Curve& perplexity)
{
    if (!session_) return false;
    const auto& history = session_->history();
    const auto& x = axisColumn(history, axis_);
    for (const auto end = std::min(history.loss.size(), steps_ + rows); steps_ < end; ++steps_)
        loss.push_back({ x[steps_], smoother_.next(history.step[steps_], history.loss[steps_]) });
    for (; evals_ < history.evals.size(); ++evals_) {
        const auto& eval = history.evals[evals_];
        // An evaluation is placed by the update before it: wait until that has been read.
        if (axis_ != XAxis::Step && eval.step > 0 && (history.step.empty() || history.step.back() < double(eval.step)))
            break;
        if (isValidation(eval))
            perplexity.push_back({ placeOfStep(history, axis_, double(eval.step)), perplexityToShow(eval.nll) });
    }
    return steps_ < history.loss.size();
}

CompareCurves::CompareCurves(
    RunSession* session, int owner, bool strong, TimePlot* perplexity, TimePlot* loss, XAxis axis)
    : reader_(session)
    , perplexity_(perplexity)
    , loss_(loss)
{
    SeriesOptions options;
    options.name = session->name();
    options.owner = owner;
    options.colour = [owner](const Colours& c) { return c.run(owner); };
    options.style = SeriesStyle::Points;
    valid_ = perplexity->addSeries(options);
    options.style = strong ? SeriesStyle::Bold : SeriesStyle::Line;
    train_ = loss->addSeries(options);
    restart(axis);
}

void CompareCurves::restart(XAxis axis)
{
    axis_ = axis;
    perplexity_->clearPoints(valid_);
    loss_->clearPoints(train_);
    reader_.restart(axis);
}

bool CompareCurves::advance(std::size_t rows)
{
    if (reader_.rewound()) restart(axis_);
    Curve loss, perplexity;
    const bool more = reader_.read(rows, loss, perplexity);
    for (const auto& point : loss) loss_->append(train_, point.x, point.y);
    for (const auto& point : perplexity) perplexity_->append(valid_, point.x, point.y);
    return more;
}

} // namespace pha::ui
