// SPDX-License-Identifier: GPL-3.0-or-later
// TensorBoard's file: TFRecords (length, masked CRC-32C, data, masked CRC-32C) of protocol buffer messages `Event`
// (tensorflow/core/util/event.proto, framework/summary.proto, framework/tensor.proto).
#include "engine/run/run_export.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/run/export_folder.h"
#include "engine/run/metrics.h"
#include "engine/run/run_directory.h"

#include <array>
#include <bit>
#include <cmath>
#include <ctime>
#include <optional>

namespace pha {

std::uint32_t crc32c(std::string_view bytes)
{
    static const auto table = [] {
        std::array<std::uint32_t, 256> rows {};
        for (std::uint32_t i = 0; i < 256; ++i) {
            rows[i] = i;
            for (int bit = 0; bit < 8; ++bit) rows[i] = rows[i] >> 1 ^ (rows[i] & 1 ? 0x82f63b78u : 0u);
        }
        return rows;
    }();
    std::uint32_t crc = ~0u;
    for (const char c : bytes) crc = crc >> 8 ^ table[(crc ^ std::uint8_t(c)) & 255];
    return ~crc;
}

namespace {

template <class Unsigned> void putFixed(std::string& out, Unsigned value) // little-endian
{
    for (std::size_t i = 0; i < sizeof value; ++i) out += char(value >> (8 * i) & 255);
}

/// A protocol buffer message in the making; field numbers come from the .proto files.
class Message {
public:
    Message& integer(int field, std::uint64_t value) { return tag(field, 0).varint(value); }
    Message& number(int field, double value)
    {
        tag(field, 1);
        putFixed(bytes_, std::bit_cast<std::uint64_t>(value));
        return *this;
    }
    Message& number(int field, float value)
    {
        tag(field, 5);
        putFixed(bytes_, std::bit_cast<std::uint32_t>(value));
        return *this;
    }
    Message& text(int field, std::string_view value)
    {
        tag(field, 2).varint(value.size());
        bytes_ += value;
        return *this;
    }
    Message& message(int field, const Message& value) { return text(field, value.bytes_); }
    const std::string& bytes() const { return bytes_; }

private:
    Message& tag(int field, int wire) { return varint(std::uint64_t(field) << 3 | std::uint64_t(wire)); }
    Message& varint(std::uint64_t value)
    {
        for (; value > 127; value >>= 7) bytes_ += char((value & 127) | 128);
        bytes_ += char(value);
        return *this;
    }
    std::string bytes_;
};

std::string record(const std::string& data)
{
    const auto masked = [](std::string_view bytes) {
        const auto crc = crc32c(bytes);
        return (crc >> 15 | crc << 17) + 0xa282ead8u;
    };
    std::string out;
    putFixed(out, std::uint64_t(data.size()));
    putFixed(out, masked(std::string_view(out).substr(0, 8)));
    out += data;
    putFixed(out, masked(data));
    return out;
}

std::int64_t secondsOf(const std::string& timestamp) ///< "2026-01-31T12:00:00Z"; 0 if it is none
{
    std::tm utc {};
    if (!::strptime(timestamp.c_str(), "%Y-%m-%dT%H:%M:%SZ", &utc)) return 0;
    return std::int64_t(::timegm(&utc));
}

class TensorBoardExport {
public:
    TensorBoardExport(const fs::path& file, std::int64_t started)
        : out_(file)
        , started_(double(started))
    {
        put(Message().number(1, started_).text(3, "brain.Event:2"));
    }

    void operator()(const StepEvent& e)
    {
        seconds_ = e.seconds;
        scalar(e.step, "loss/train", e.loss);
        if (e.distillation) scalar(e.step, "loss/distillation", *e.distillation);
        if (e.distillationFloor) scalar(e.step, "loss/distillation floor", *e.distillationFloor);
        scalar(e.step, "optimiser/learning_rate", e.learningRate);
        scalar(e.step, "optimiser/grad_norm", e.gradNorm);
        scalar(e.step, "speed/tokens_per_second", e.tokensPerSecond);
        scalar(e.step, "memory/process_bytes", double(e.processBytes));
        scalar(e.step, "memory/device_bytes", double(e.deviceBytes));
        if (e.coresBusy) scalar(e.step, "machine/cores_busy", *e.coresBusy);
        if (e.deviceUse) scalar(e.step, "machine/device_use", *e.deviceUse);
        if (e.watts) scalar(e.step, "machine/watts", *e.watts);
        if (e.celsius) scalar(e.step, "machine/celsius", *e.celsius);
    }
    void operator()(const EvalEvent& e)
    {
        const auto name = e.split + (e.note.empty() ? "" : " (" + e.note + ")");
        scalar(e.step, "loss/" + name, e.nll);
        scalar(e.step, "perplexity/" + name, e.perplexity);
        if (e.words > 0) scalar(e.step, "word_perplexity/" + name, e.wordPerplexity);
        if (e.bytes > 0) scalar(e.step, "bits_per_byte/" + name, e.bitsPerByte);
    }
    void operator()(const MixingEvent& e)
    {
        for (std::size_t layer = 0; layer < e.layers.size(); ++layer)
            for (const auto& b : e.layers[layer].branches)
                scalar(e.step, "mixing/layer " + std::to_string(layer) + "/" + b.branch, b.mean);
    }
    void operator()(const RecallEvent& e)
    {
        if (!e.bins.empty()) scalar(e.step, "recall/" + e.split, e.accuracy);
    }
    void operator()(const HeadsEvent& e)
    {
        scalar(e.step, "heads/in-context gain", e.gain());
        for (std::size_t kind = 0; kind < e.strongest.size(); ++kind)
            scalar(e.step, std::string("heads/strongest ") + headKinds[kind], e.strongest[kind].share);
    }
    void operator()(const TimeEvent& e)
    {
        scalar(e.step, "time/updates", e.updates);
        scalar(e.step, "time/data", e.data);
        scalar(e.step, "time/evaluation", e.evaluation);
        scalar(e.step, "time/samples", e.samples);
        scalar(e.step, "time/checkpoints", e.checkpoints);
        scalar(e.step, "time/monitoring", e.monitoring);
    }
    void operator()(const SampleEvent& e)
    {
        // A tensor of one string, which the text page shows: TensorProto { dtype 7, shape [1], string_val }.
        const auto shape = Message().message(2, Message().integer(1, 1));
        const auto tensor = Message().integer(1, 7).message(2, shape).text(8, e.prompt + e.text);
        const auto metadata = Message().message(1, Message().text(1, "text"));
        event(e.step, Message().text(1, "sample").message(8, tensor).message(9, metadata));
    }
    template <class Other> void operator()(const Other&) { }

    void commit() { out_.commit(); }

private:
    void scalar(std::int64_t step, const std::string& tag, double value)
    {
        event(step, Message().text(1, tag).number(2, float(value))); // Summary.Value { tag, simple_value }
    }
    void event(std::int64_t step, const Message& value) // Event { wall_time, step, summary { value } }
    {
        put(Message()
                .number(1, started_ + seconds_)
                .integer(2, std::uint64_t(step))
                .message(5, Message().message(1, value)));
    }
    void put(const Message& message)
    {
        const auto bytes = record(message.bytes());
        out_.write(bytes.data(), bytes.size());
    }
    AtomicFile out_;
    double started_, seconds_ = 0;
};

} // namespace

std::vector<fs::path> exportTensorBoard(const fs::path& run, const fs::path& folder, std::int64_t* badLines)
{
    const RunDirectory directory(run);
    const auto started = secondsOf(directory.read(RunUse::View).created);
    std::optional<ExportFolder> made;
    std::optional<TensorBoardExport> out; // goes before the folder
    const auto startOver = [&] {
        out.reset();
        made.reset();
    };
    const auto take = [&](const Event& event) {
        if (!made) {
            made.emplace(folder);
            out.emplace(made->add("events.out.tfevents." + std::to_string(started) + ".pha-studio"), started);
        }
        std::visit(*out, event);
    };
    forEachMetric(directory.metricsFile(), take, startOver, badLines);
    if (!made) throw DataError(run.string(), "has no metrics to export", "train it first");
    out->commit();
    return made->keep();
}

} // namespace pha
