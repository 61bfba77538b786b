// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/progress.h"

#include "app/pha/terminal.h"
#include "engine/base/text.h"
#include "engine/data/tokenizer.h"
#include "engine/run/metrics.h"
#include "engine/run/run_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace pha::cli {

using namespace std::chrono_literals;

namespace {

const char* stateName(RunState state)
{
    switch (state) {
    case RunState::Preparing:
        return "preparing";
    case RunState::Running:
        return "running";
    case RunState::Paused:
        return "paused";
    case RunState::Finished:
        return "finished";
    case RunState::Stopped:
        return "stopped";
    case RunState::Diverged:
        return "diverged";
    case RunState::Failed:
        return "failed";
    }
    return "unknown";
}

/// A gauge of what `columns` leave beside `text`; none where there is no room for it.
std::string withGauge(double share, const std::string& text, int columns)
{
    const int width = std::min(columns - int(text.size()) - 4, 30);
    if (width < 4) return text;
    const int full = std::clamp(int(share * width), 0, width);
    return fmt::format("[{:=<{}}{:<{}}] {}", "", full, "", width - full, text);
}

} // namespace

ProgressView::~ProgressView() { clearBar(); }

void ProgressView::setPlace(std::string place, std::function<double(double secondsPerStep)> secondsAfter)
{
    place_ = std::move(place);
    secondsAfter_ = std::move(secondsAfter);
}

void ProgressView::publish(const Event& event)
{
    if (json_ && !std::holds_alternative<ProgressEvent>(event)) {
        printJson(eventToJson(event));
        flushOutput();
    }
    std::visit([this](const auto& e) { show(e); }, event);
}

void ProgressView::clearBar()
{
    if (!barShown_) return;
    std::fputs("\r\x1b[K", stderr);
    barShown_ = false;
}

void ProgressView::line(const std::string& text)
{
    clearBar();
    note(harmless(text));
}

void ProgressView::bar(const std::string& text)
{
    // One column stays free, and bytes are at least columns: a bar that wraps could not be overwritten.
    auto cut = oneLine(text).substr(0, std::size_t(std::max(errorWidth() - 1, 10)));
    while (!cut.empty() && !validUtf8(cut)) cut.pop_back();
    std::fputs(("\r" + cut + "\x1b[K").c_str(), stderr);
    std::fflush(stderr);
    barShown_ = true;
}

bool ProgressView::due(Clock::duration interval)
{
    const auto now = Clock::now();
    if (now - shown_ < interval) return false;
    shown_ = now;
    return true;
}

std::string ProgressView::stepLine(const StepEvent& event) const
{
    const auto total = std::max(steps_, event.step);
    const auto elapsed = std::chrono::duration<double>(Clock::now() - started_).count();
    const double left = secondsPerStep_ * double(total - event.step);
    const auto figures = event.distillation ? fmt::format("distilling attention: cross entropy {}  floor {}",
                             figure(*event.distillation), figure(*event.distillationFloor))
                                            : fmt::format("loss {}  ppl {}  lr {:.2e}", figure(event.loss),
                                                figure(std::exp(event.loss)), event.learningRate);
    const bool known = secondsPerStep_ > 0 || event.step >= total; // the second update tells how long one takes
    return fmt::format("{}step {}/{}  {}  {} tok/s  {}<{}{}", place_.empty() ? "" : place_ + "  ", event.step, total,
        figures, withThousands(std::llround(event.tokensPerSecond)), clockText(elapsed), known ? clockText(left) : "?",
        wholeLeft(left));
}

/// Of all runs, once an update has told how fast this one is.
std::string ProgressView::wholeLeft(double left) const
{
    if (!secondsAfter_ || secondsPerStep_ <= 0) return {};
    return "  all " + clockText(left + secondsAfter_(secondsPerStep_)) + " left";
}

void ProgressView::show(const StepEvent& event)
{
    // Active time of the run, so that a suspended process or an evaluation does not poison the estimate.
    if (lastStep && event.seconds > stepSeconds_) {
        const double taken = event.seconds - stepSeconds_;
        secondsPerStep_ = secondsPerStep_ > 0 ? 0.95 * secondsPerStep_ + 0.05 * taken : taken;
    }
    stepSeconds_ = event.seconds;
    lastStep = event;
    if (!firstStep) firstStep = event;
    const bool again = std::exchange(skipped_, !event.applied);
    if (skipped_ && again)
        line(fmt::format("step {}: not finite, update skipped", event.step)); // the first is an alert
    const bool terminal = errorIsTerminal();
    if (!due(terminal ? 100ms : 10s)) return;
    if (terminal)
        bar(withGauge(double(event.step) / double(std::max(steps_, event.step)), stepLine(event), errorWidth()));
    else
        line(stepLine(event));
}

std::string gapText(double closed, const char* gap)
{
    return closed < 0 ? "worse than unigrams" : fmt::format("{:.1f} % of the {} closed", 100 * closed, gap);
}

void ProgressView::show(const EvalEvent& event)
{
    auto text = fmt::format(
        "eval at {}: {} loss {}  perplexity {}", event.step, event.split, figure(event.nll), figure(event.perplexity));
    if (event.floorNll) text += fmt::format(" (floor {})", figure(std::exp(*event.floorNll)));
    if (event.words > 0) text += "  per word " + figure(event.wordPerplexity);
    if (event.bytes > 0) text += "  bits per byte " + figure(event.bitsPerByte);
    if (!event.note.empty()) text += "  (" + oneLine(event.note) + ")";
    if (event.split == "valid" && !event.note.empty()) averages.push_back(event);
    if (isValidation(event)) {
        lastEval = event;
        if (const auto gap = gapClosed(references, event)) text += "  " + gapText(*gap, "gap");
    }
    line(text);
}

void ProgressView::show(const RecallEvent& event)
{
    if (event.bins.empty()) return;
    auto text =
        fmt::format("recall at {}: {:.1f} % (a guess: {:.1f} %)", event.step, 100 * event.accuracy, 100 * event.chance);
    if (event.exact) text += fmt::format("  whole examples: {:.1f} %", 100 * *event.exact);
    line(text);
}

void ProgressView::show(const HeadsEvent& event)
{
    auto text = fmt::format("heads at {}: in-context gain {:.3f} nats", event.step, event.gain());
    if (!event.strongest.empty()) {
        const auto& head = event.strongest.back();
        text += fmt::format("  induction {:.1f} % (L{} {} {})", 100 * head.share, head.layer, head.part, head.head);
    }
    line(text);
}

void ProgressView::show(const SampleEvent& event)
{
    lastSample = event;
    line(fmt::format("sample at {}: {}", event.step, oneLine(event.prompt + event.text)));
}

void ProgressView::show(const CheckpointEvent& event)
{
    saveProblem = event.problem;
    if (!event.problem.empty()) {
        line(fmt::format("pha: warning: no checkpoint at {}: {}", event.step, oneLine(event.problem)));
        return;
    }
    line(fmt::format("checkpoint {}{}", event.path, event.best ? " (best)" : ""));
}

void ProgressView::show(const StatusEvent& event)
{
    lastStatus = event;
    if ((event.state == RunState::Preparing || event.state == RunState::Running) && event.detail.empty()) return;
    if (event.state == RunState::Running) { // a state of its own needs no words
        line(fmt::format("pha: warning: step {}: {}", event.step, oneLine(event.detail)));
        return;
    }
    line(fmt::format("{} at step {}{}", stateName(event.state), event.step,
        event.detail.empty() ? "" : ": " + oneLine(event.detail)));
}

void ProgressView::show(const AlertEvent& event)
{
    line(fmt::format("pha: warning: step {}: {}", event.step, oneLine(event.message)));
}

void ProgressView::show(const CommandEvent& event) { line(fmt::format("{} {}", event.name, oneLine(event.value))); }

void ProgressView::show(const ReferenceEvent& event)
{
    references = event;
    auto text = fmt::format("reference lines, nats per token: uniform {:.3f}, unigram {:.3f}, bigram {:.3f}",
        event.uniform, event.unigram, event.bigram);
    if (event.floor) text += fmt::format(", floor {:.3f}", *event.floor);
    line(text);
}

void ProgressView::show(const ProgressEvent& event)
{
    const bool fresh = event.what != activity_;
    activity_ = event.what;
    if (fresh) activityStart_ = Clock::now(), activityFrom_ = event.done;
    if (!errorIsTerminal()) {
        if (fresh) line(event.what);
        return;
    }
    if (!fresh && !due(100ms)) return;
    if (event.total <= 0)
        bar(event.what);
    else
        bar(withGauge(event.done / event.total,
            fmt::format("{} {:.0f} %{}", event.what, 100 * event.done / event.total, rate(event)), errorWidth()));
}

/// ", 12.3 MiB/s, 1:02 left" once there is something to measure; the time alone for work without a unit.
std::string ProgressView::rate(const ProgressEvent& event) const
{
    const double seconds = std::chrono::duration<double>(Clock::now() - activityStart_).count();
    const double done = event.done - activityFrom_;
    if (event.unit.empty() || seconds < 1 || done <= 0) return {};
    const auto speed =
        event.unit == "bytes" ? formatBytes(done / seconds) : compactCount(done / seconds) + " " + event.unit;
    return fmt::format(", {}/s, {} left", speed, clockText((event.total - event.done) * seconds / done));
}

namespace {

/// Branches over the layers that mix, or all layers where none does, in the order in which they first occur: layers may
/// differ.
std::vector<std::string> columnsOf(const std::vector<LayerMix>& layers, bool mixed)
{
    std::vector<std::string> names;
    for (const auto& layer : layers)
        for (const auto& branch : layer.branches)
            if (layer.mixed == mixed && std::find(names.begin(), names.end(), branch.branch) == names.end())
                names.push_back(branch.branch);
    return names;
}

std::string percent(double share) { return std::isfinite(share) ? fmt::format("{:.1f} %", 100 * share) : "not finite"; }

/// Share that a branch has in a layer: of the weights or, in a network without a mix, of the stream. Empty: the layer
/// lacks it, or mixes nothing although the network does.
std::optional<double> shareOf(const LayerMix& layer, const std::string& branch, bool mixed)
{
    for (const auto& b : layer.branches)
        if (layer.mixed == mixed && b.branch == branch) return mixed ? b.normalised : b.contribution;
    return {};
}

} // namespace

std::string mixingTable(const std::vector<LayerMix>& layers)
{
    const bool mixed = anyMixed(layers);
    const auto columns = columnsOf(layers, mixed);
    if (columns.empty()) return {};
    std::vector<std::string> header { "layer" }, mean { "mean" };
    header.insert(header.end(), columns.begin(), columns.end());
    if (mixed) header.emplace_back("evenness");
    Table table(header);
    double evenness = 0, mixing = 0; // of the layers that mix
    for (std::size_t l = 0; l < layers.size(); ++l) {
        std::vector<std::string> row { std::to_string(l) };
        for (const auto& column : columns) {
            const auto share = shareOf(layers[l], column, mixed);
            row.push_back(share ? percent(*share) : "-");
        }
        if (mixed) row.push_back(layers[l].mixed ? fmt::format("{:.3f}", layers[l].entropy) : "-");
        if (layers[l].mixed) evenness += layers[l].entropy, ++mixing;
        table.add(row);
    }
    for (const auto& column : columns) { // over the layers that have it
        double sum = 0, count = 0;
        for (const auto& layer : layers)
            if (const auto share = shareOf(layer, column, mixed)) sum += *share, ++count;
        mean.push_back(percent(sum / count));
    }
    if (mixed) mean.push_back(fmt::format("{:.3f}", evenness / mixing));
    table.add(mean);
    const auto* title = mixed ? "Mixing weights\n"
                              : "What each part writes, as a share of the residual stream (this family has no mixing "
                                "weights)\n";
    return title + table.text();
}

} // namespace pha::cli
