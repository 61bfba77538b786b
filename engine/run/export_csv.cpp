// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/run/run_export.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/run/export_folder.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

namespace pha {

namespace {

constexpr std::size_t heldText = std::size_t(1) << 20; ///< of a table whose rows have not been written yet

/// One file in the making.
class Csv {
public:
    Csv(const char* name, const std::vector<std::string>& header)
        : name_(name)
    {
        row(header);
        empty_ = true;
    }
    void row(const std::vector<std::string>& cells)
    {
        text_ += csvRow(cells);
        empty_ = false;
    }
    /// Writes rows once there are many.
    void spill(const fs::path& folder)
    {
        if (text_.size() >= heldText) put(folder / name_);
    }
    void finish(ExportFolder& folder)
    {
        if (empty_) return;
        put(folder.add(name_));
        out_->commit();
    }

private:
    void put(const fs::path& file)
    {
        if (!out_) out_.emplace(file);
        out_->write(text_.data(), text_.size());
        text_.clear();
    }

    std::string name_, text_;
    std::optional<AtomicFile> out_; ///< once rows have been written
    bool empty_ = true;
};

std::string cell(double value) { return std::isfinite(value) ? exactNumber(value) : std::string(); }
std::string cell(std::int64_t value) { return std::to_string(value); }
std::string cell(const std::optional<double>& value) { return value ? cell(*value) : std::string(); }

std::vector<std::string> headColumns()
{
    std::vector<std::string> all { "step", "first_nll", "second_nll" };
    for (std::string kind : headKinds) {
        std::replace(kind.begin(), kind.end(), ' ', '_');
        for (const char* figure : { "", "_head", "_named" }) all.push_back(kind + figure);
    }
    return all;
}

class CsvExport {
public:
    explicit CsvExport(const fs::path& folder)
        : path_(folder)
        , folder_(folder)
    {
    }

    void operator()(const StepEvent& e)
    {
        steps_.row({ cell(e.step), cell(e.tokens), cell(e.seconds), cell(e.loss), cell(e.learningRate),
            cell(e.gradNorm), cell(e.tokensPerSecond), cell(e.processBytes), cell(e.deviceBytes), e.applied ? "1" : "0",
            cell(e.coresBusy), cell(e.deviceUse), cell(e.watts), cell(e.celsius) });
        if (e.distillation) distillation_.row({ cell(e.step), cell(e.distillation), cell(e.distillationFloor) });
    }
    void operator()(const EvalEvent& e)
    {
        evals_.row({ cell(e.step), e.split, cell(e.nll), cell(e.totalNll), cell(e.tokens), cell(e.words), cell(e.bytes),
            cell(e.perplexity), e.words > 0 ? cell(e.wordPerplexity) : "", e.bytes > 0 ? cell(e.bitsPerByte) : "",
            cell(e.context), cell(e.stride), e.protocol, cell(e.floorNll), e.note });
    }
    void operator()(const MixingEvent& e)
    {
        for (std::size_t layer = 0; layer < e.layers.size(); ++layer)
            for (const auto& b : e.layers[layer].branches)
                mixing_.row({ cell(e.step), std::to_string(layer), b.branch, cell(b.mean), cell(b.deviation),
                    cell(b.minimum), cell(b.maximum), cell(b.normalised), cell(b.outputRms), cell(b.contribution),
                    cell(e.layers[layer].entropy) });
    }
    void operator()(const RecallEvent& e)
    {
        for (const auto& bin : e.bins)
            recall_.row({ cell(e.step), e.split, cell(bin.distanceFrom), cell(bin.distanceTo), cell(bin.count),
                cell(bin.correct), cell(bin.chance) });
    }
    void operator()(const HeadsEvent& e)
    {
        std::vector<std::string> row { cell(e.step), cell(e.firstNll), cell(e.secondNll) };
        for (std::size_t kind = 0; kind < headKinds.size(); ++kind) {
            const auto head = kind < e.strongest.size() ? e.strongest[kind] : StrongestHead();
            const bool any = !head.part.empty();
            row.push_back(any ? cell(head.share) : "");
            row.push_back(any ? fmt::format("L{} {} {}", head.layer, head.part, head.head) : "");
            row.push_back(any ? cell(head.named) : "");
        }
        heads_.row(row);
    }
    void operator()(const TimeEvent& e)
    {
        time_.row({ cell(e.step), cell(e.updates), cell(e.data), cell(e.evaluation), cell(e.samples),
            cell(e.checkpoints), cell(e.monitoring), cell(e.gemm) });
    }
    void operator()(const SampleEvent& e) { samples_.row({ cell(e.step), e.prompt, e.text }); }
    void operator()(const AlertEvent& e)
    {
        alerts_.row({ cell(e.step), e.kind, e.message, cell(e.loss), cell(e.median), cell(e.deviations),
            cell(e.gradNorm), cell(e.gradNormBefore), e.cause, e.texts.empty() ? "" : e.texts.front().place });
    }
    template <class Other> void operator()(const Other&) { }

    void take(const Event& event)
    {
        std::visit(*this, event);
        for (auto* csv : all()) csv->spill(path_);
    }
    std::vector<fs::path> finish()
    {
        for (auto* csv : all()) csv->finish(folder_);
        return folder_.keep();
    }

private:
    std::array<Csv*, 9> all()
    {
        return { &steps_, &distillation_, &evals_, &mixing_, &recall_, &heads_, &time_, &samples_, &alerts_ };
    }

    fs::path path_;
    ExportFolder folder_; ///< goes after what is written in it
    Csv steps_ { "steps.csv",
        { "step", "tokens", "seconds", "loss", "lr", "grad_norm", "tokens_per_second", "process_bytes", "device_bytes",
            "applied", "cores_busy", "device_use", "watts", "celsius" } };
    Csv distillation_ { "distillation.csv", { "step", "distillation", "distillation_floor" } };
    Csv evals_ { "evaluations.csv",
        { "step", "split", "nll", "total_nll", "tokens", "words", "bytes", "perplexity", "word_perplexity",
            "bits_per_byte", "context", "stride", "protocol", "floor_nll", "note" } };
    Csv mixing_ { "mixing.csv",
        { "step", "layer", "branch", "mean", "std", "min", "max", "eff", "rms", "contrib", "entropy" } };
    Csv recall_ { "recall.csv", { "step", "split", "from", "to", "count", "correct", "chance" } };
    Csv heads_ { "heads.csv", headColumns() };
    Csv time_ { "time.csv",
        { "step", "updates", "data", "evaluation", "samples", "checkpoints", "monitoring", "gemm" } };
    Csv samples_ { "samples.csv", { "step", "prompt", "text" } };
    Csv alerts_ { "alerts.csv",
        { "step", "kind", "message", "loss", "median", "deviations", "grad_norm", "grad_norm_before", "cause",
            "worst_text" } };
};

} // namespace

std::string csvCell(const std::string& cell)
{
    if (cell.find_first_of(",\"\r\n") == std::string::npos) return cell;
    std::string quoted = "\"";
    for (const char c : cell) quoted.append(c == '"' ? 2 : 1, c);
    return quoted + '"';
}

std::string csvRow(const std::vector<std::string>& cells)
{
    std::string row;
    for (std::size_t i = 0; i < cells.size(); ++i) row += (i > 0 ? "," : "") + csvCell(cells[i]);
    return row + "\r\n";
}

std::vector<fs::path> exportCsv(const fs::path& run, const fs::path& folder, std::int64_t* badLines)
{
    const RunDirectory directory(run);
    (void)directory.read(RunUse::View); // what is no run is refused before a folder is made
    std::optional<CsvExport> csv;
    const auto take = [&](const Event& event) {
        if (!csv) csv.emplace(folder);
        csv->take(event);
    };
    forEachMetric(
        directory.metricsFile(), take, [&] { csv.reset(); }, badLines);
    if (!csv) throw DataError(run.string(), "has no metrics to export", "train it first");
    return csv->finish();
}

} // namespace pha
