// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/progress.h"

#include "app/pha/terminal.h"
#include "engine/data/tokenizer.h"
#include "engine/run/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

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
    return fmt::format("step {}/{}  loss {}  ppl {}  lr {:.2e}  {} tok/s  {}<{}", event.step, total, figure(event.loss),
        figure(std::exp(event.loss)), event.learningRate, withThousands(std::llround(event.tokensPerSecond)),
        duration(elapsed), duration(secondsPerStep_ * double(total - event.step)));
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
    if (!event.applied) line(fmt::format("step {}: not finite, update skipped", event.step));
    const bool terminal = errorIsTerminal();
    if (!due(terminal ? 100ms : 10s)) return;
    if (terminal)
        bar(withGauge(double(event.step) / double(std::max(steps_, event.step)), stepLine(event), errorWidth()));
    else
        line(stepLine(event));
}

void ProgressView::show(const EvalEvent& event)
{
    auto text =
        fmt::format("eval at {}: {} loss {}  perplexity {}  per word {}  bits per byte {}", event.step, event.split,
            figure(event.nll), figure(event.perplexity), figure(event.wordPerplexity), figure(event.bitsPerByte));
    if (event.floorNll) text += fmt::format("  (floor {})", figure(std::exp(*event.floorNll)));
    if (event.split == "valid") {
        lastEval = event;
        if (const auto gap = gapClosed(references, event)) text += fmt::format("  {:.1f} % of the gap closed", *gap);
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

void ProgressView::show(const SampleEvent& event)
{
    lastSample = event;
    line(fmt::format("sample at {}: {}", event.step, oneLine(event.prompt + event.text)));
}

void ProgressView::show(const CheckpointEvent& event)
{
    if (!event.problem.empty()) {
        line(fmt::format("pha: warning: no checkpoint at {}: {}", event.step, oneLine(event.problem)));
        return;
    }
    lastCheckpoint = event.path;
    line(fmt::format("checkpoint {}{}", event.path, event.best ? " (best)" : ""));
}

void ProgressView::show(const StatusEvent& event)
{
    lastStatus = event;
    if (event.state == RunState::Preparing || event.state == RunState::Running) return;
    line(fmt::format("{} at step {}{}", stateName(event.state), event.step,
        event.detail.empty() ? "" : ": " + oneLine(event.detail)));
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
    if (!errorIsTerminal()) {
        if (fresh) line(event.what);
        return;
    }
    if (!fresh && !due(100ms)) return;
    if (event.total <= 0)
        bar(event.what);
    else
        bar(withGauge(event.done / event.total, fmt::format("{} {:.0f} %", event.what, 100 * event.done / event.total),
            errorWidth()));
}

std::optional<double> gapClosed(const std::optional<ReferenceEvent>& references, const EvalEvent& eval)
{
    if (!references || !references->floor) return {};
    const double gap = references->uniform - *references->floor;
    if (!(gap > 0) || !std::isfinite(eval.nll)) return {};
    return 100 * (references->uniform - eval.nll) / gap;
}

std::string mixingTable(const std::vector<LayerMix>& layers)
{
    if (layers.empty() || layers.front().branches.empty()) return {};
    std::vector<std::string> header { "layer" };
    for (const auto& branch : layers.front().branches) header.push_back(branch.branch);
    header.emplace_back("evenness");
    Table table(header);
    std::vector<double> sums(layers.front().branches.size() + 1, 0);
    for (std::size_t l = 0; l < layers.size(); ++l) {
        std::vector<std::string> row { std::to_string(l) };
        for (std::size_t b = 0; b < layers[l].branches.size() && b + 1 < sums.size(); ++b) {
            row.push_back(fmt::format("{:.1f} %", 100 * layers[l].branches[b].normalised));
            sums[b] += layers[l].branches[b].normalised;
        }
        sums.back() += layers[l].entropy;
        row.push_back(fmt::format("{:.3f}", layers[l].entropy));
        table.add(row);
    }
    std::vector<std::string> mean { "mean" };
    for (std::size_t b = 0; b + 1 < sums.size(); ++b)
        mean.push_back(fmt::format("{:.1f} %", 100 * sums[b] / double(layers.size())));
    mean.push_back(fmt::format("{:.3f}", sums.back() / double(layers.size())));
    table.add(mean);
    return table.text();
}

} // namespace pha::cli
