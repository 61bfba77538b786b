// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/runs/run_summary.h"

#include "engine/run/fork_point.h"
#include "ui/format.h"

#include <QCoreApplication>

#include <algorithm>
#include <cmath>
#include <unistd.h>

namespace pha::ui {

namespace {

QString tr(const char* text) { return QCoreApplication::translate("pha::ui::RunSummary", text); }

QString parentText(const std::optional<RunParent>& parent)
{
    return parent ? tr("from %1 at step %2").arg(singleLine(fromUtf8(parent->name)), formatCount(parent->step))
                  : QString();
}

void fillFromFile(RunSummary& s, const RunFile& file)
{
    s.preset = fromUtf8(file.config.preset);
    s.data = fromUtf8(file.config.data.data);
    s.created = fromUtf8(file.created);
    s.config = std::make_shared<const RunConfig>(file.config);
    s.steps = file.config.training.steps;
    s.parent = parentText(RunParent::of(file));
    s.unknown = fromUtf8(file.unknown());
}

} // namespace

bool RunSummary::active() const { return isActive(state); }

QString RunSummary::text() const
{
    QStringList parts;
    // States that name their step need no second word about it.
    if (state == RunState::Running) parts << tr("%1/%2").arg(formatCount(step), formatCount(steps));
    if (std::isfinite(loss)) parts << tr("loss %1").arg(formatFixed(loss, 3));
    if (std::isfinite(perplexity)) parts << tr("ppl %1").arg(formatFixed(perplexity, perplexity < 100 ? 2 : 1));
    if (state == RunState::Running && std::isfinite(tokensPerSecond))
        parts << tr("%1 tok/s").arg(formatCompact(tokensPerSecond));
    if (state == RunState::Finished) parts << counted(step, tr("%1 step"), tr("%1 steps")).arg(formatCount(step));
    return parts.join(QStringLiteral(" \u00b7 "));
}

RunSummary readSummary(const fs::path& directory, MetricsEnd* known)
{
    const auto run = readOverview(directory, known);
    RunSummary s;
    s.directory = directory;
    s.name = singleLine(fromUtf8(run.name));
    if (s.name.isEmpty()) s.name = singleLine(fromPath(directory.filename()));
    s.created = fromUtf8(run.created);
    s.config = run.config;
    if (run.config) {
        s.preset = fromUtf8(run.config->preset);
        s.data = fromUtf8(run.config->data.data);
    }
    s.parent = parentText(run.parent);
    s.unknown = fromUtf8(run.unknown);
    s.about = run.about;
    s.aboutProblem = singleLine(fromUtf8(run.aboutProblem));
    s.state = run.state;
    s.interrupted = run.interrupted;
    s.place = run.holder != 0 && run.holder != int(getpid()) ? RunSession::Place::Elsewhere : RunSession::Place::Disk;
    s.step = run.step;
    s.steps = run.steps;
    s.loss = run.loss;
    s.perplexity = run.perplexity;
    s.tokensPerSecond = run.tokensPerSecond;
    if (s.active() && s.steps > 0) s.share = std::clamp(double(s.step) / double(s.steps), 0.0, 1.0);
    s.stateText = RunSession::describe(s.state, s.place, s.step, s.interrupted, singleLine(fromUtf8(run.detail)));
    return s;
}

RunSummary summarise(const RunSession& session)
{
    RunSummary s;
    s.directory = session.directory();
    fillFromFile(s, session.file());
    s.name = session.name();
    s.state = session.state();
    s.stateText = session.stateText();
    s.place = session.place();
    s.interrupted = session.interrupted();
    s.placeInQueue = session.placeInQueue();
    const auto& h = session.history();
    if (!h.step.empty()) {
        s.step = session.step();
        s.loss = h.loss.back();
        s.tokensPerSecond = h.tokensPerSecond.back();
    }
    for (auto eval = h.evals.rbegin(); eval != h.evals.rend(); ++eval) {
        if (!isValidation(*eval)) continue;
        s.perplexity = eval->perplexity;
        break;
    }
    s.secondsLeft = session.secondsLeft();
    if (const auto p = session.progress(); s.state == RunState::Preparing) {
        s.share = p.total > 0 ? std::clamp(p.done / p.total, 0.0, 1.0) : 0;
    } else if (s.active() && s.steps > 0) {
        s.share = std::clamp(double(s.step) / double(s.steps), 0.0, 1.0);
    }
    return s;
}

RunFacts RunSummary::facts() const
{
    RunFacts f;
    f.name = name.toStdString();
    f.state = placeInQueue > 0 ? "waiting" : stateWord(state, interrupted);
    f.created = created.toStdString();
    f.parent = parent.toStdString();
    f.more = stateText.toStdString() + "\n" + directory.filename().string();
    f.about = &about;
    f.config = config.get();
    f.step = double(step);
    f.loss = loss;
    f.perplexity = perplexity;
    f.tokensPerSecond = tokensPerSecond;
    return f;
}

RunStamp stampOf(const fs::path& directory)
{
    RunStamp stamp;
    std::error_code ignored; // a file that is not there has the stamp of nothing
    const RunDirectory run(directory);
    stamp.size = fs::file_size(run.metricsFile(), ignored);
    stamp.metrics = fs::last_write_time(run.metricsFile(), ignored);
    stamp.run = fs::last_write_time(run.runFile(), ignored);
    stamp.about = fs::last_write_time(aboutFile(directory), ignored);
    try {
        stamp.holder = RunLock::holder(directory);
    } catch (const std::exception&) {
        stamp.holder = 0; // unreadable lock: treated as free, opening the run says what is wrong
    }
    return stamp;
}

} // namespace pha::ui
