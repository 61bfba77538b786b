// SPDX-License-Identifier: GPL-3.0-or-later
#include "ui/data/data_worker.h"

#include "engine/data/corpus.h"
#include "engine/data/document.h"
#include "engine/data/prepare.h"
#include "engine/data/record_reader.h"
#include "engine/data/survey.h"
#include "engine/data/token_bins.h"
#include "ui/format.h"

#include <algorithm>
#include <atomic>

namespace pha::ui {

namespace {

constexpr std::size_t beginningBytes = 6000;
constexpr std::int64_t mostCounted = 400'000'000; ///< bytes; larger texts would keep the disk busy for minutes

void count(const std::string& text, TextLook& look)
{
    bool inWord = false;
    for (const char c : text) {
        const bool space = c == ' ' || c == '\n' || c == '\t' || c == '\r';
        look.lines += c == '\n';
        look.words += !space && !inWord;
        inWord = !space;
    }
}

/// Whole lines, and whole characters if the first line has no end.
QString wholeLines(const std::string& text, std::size_t most)
{
    auto part = text.substr(0, most);
    if (part.size() < text.size())
        if (const auto end = part.rfind('\n'); end != std::string::npos) part.resize(end);
    TextDecoder decoder;
    return fromUtf8(decoder.push(part)); // holds an unfinished character back
}

/// Reads the text once, document by document, in little memory; of a very large one the beginning alone.
TextLook lookAt(
    const std::filesystem::path& path, const std::string& textField, EventSink& progress, const std::stop_token& stop)
{
    TextLook look;
    if (findTokenBins(path)) { // tokens, which a tokenizer beside them spells
        const auto preview = previewTexts({ path }, 60);
        look.files = preview.files;
        look.bytes = preview.fileBytes;
        look.counted = false;
        for (const auto& line : preview.lines) look.beginning += fromUtf8(line) + QLatin1Char('\n');
        return look;
    }
    const auto files = findTexts({ path }, textField);
    look.files = std::int64_t(files.size());
    for (const auto& file : files) look.bytes += std::int64_t(file.size);
    if (look.bytes > mostCounted) {
        look.counted = false;
        const auto preview = previewTexts({ path }, 60, textField);
        look.fields = preview.fields;
        for (const auto& line : preview.lines) look.beginning += fromUtf8(line) + QLatin1Char('\n');
        if (look.fields && look.beginning.isEmpty()) refuseRecords(files);
        return look;
    }
    std::atomic<std::uint64_t> taken { 0 };
    RecordReader reader(files, blockBytesFor(files), &taken);
    std::string first;
    for (TextRecord record; !stop.stop_requested() && reader.next(record);) {
        look.fields |= hasFields(record.kind);
        const auto document = makeDocument(std::move(record));
        look.repairs += document.repairs.invalidUtf8;
        if (first.size() < beginningBytes) first += document.text.substr(0, beginningBytes);
        count(document.text, look);
        progress.publish(ProgressEvent { "counting words", double(taken), double(look.bytes), "bytes" });
    }
    if (look.fields && first.empty() && !stop.stop_requested()) refuseRecords(files);
    look.beginning = wholeLines(first, beginningBytes);
    return look;
}

PreparedData prepareCorpus(const DataConfig& config, EventSink& progress, const std::stop_token& stop)
{
    const auto corpus = Corpus::open(config, nullptr, progress, stop);
    PreparedData data;
    data.tokenizer = corpus->tokenizer();
    data.description = fromUtf8(corpus->description());
    if (corpus->card()) data.card = *corpus->card();
    data.train = corpus->tokens(0);
    data.test = corpus->tokens(2);
    const auto& valid = corpus->split("valid");
    data.valid = std::int64_t(valid.tokens.size());
    const auto last = [](const std::vector<std::int32_t>& sums) { return sums.empty() ? 0.0 : double(sums.back()); };
    if (data.valid > 0) data.bytesPerToken = last(valid.bytes) / double(data.valid);
    if (last(valid.words) > 0) data.tokensPerWord = double(data.valid) / last(valid.words);
    const auto head = std::min<std::size_t>(valid.tokens.size(), 600);
    data.sample = wholeLines(
        data.tokenizer->decode({ valid.tokens.begin(), valid.tokens.begin() + std::ptrdiff_t(head) }), beginningBytes);
    return data;
}

CutText cutText(const Tokenizer& tokenizer, const QString& text)
{
    CutText cut { text, {} };
    qsizetype bytes = 0;
    for (const auto id : tokenizer.encode(text.toStdString())) {
        cut.pieces.append({ id, QByteArray::fromStdString(tokenizer.piece(id)) });
        bytes += cut.pieces.last().bytes.size();
    }
    // Inside a text a word's piece brings its space along; at the very beginning there is none.
    if (!cut.pieces.isEmpty() && bytes == text.toUtf8().size() + 1) cut.pieces.first().bytes.remove(0, 1);
    return cut;
}

} // namespace

DataWorker::DataWorker(QObject* parent)
    : QObject(parent)
{
    connect(&bridge_, &EventBridge::batchReady, this, [this](const std::vector<Event>& batch) {
        const auto* last = std::get_if<ProgressEvent>(&batch.back());
        if (busy_ && last) Q_EMIT progress(*last);
    });
}

DataWorker::~DataWorker() { shutDown(); }

void DataWorker::begin(Work work)
{
    if (long_.down()) return;
    stop_.request_stop();
    stop_ = {};
    const bool was = std::exchange(busy_, true);
    // `this` is only touched inside mailbox calls, which the mailbox drops once the bridge, and so this object, is
    // gone.
    long_.post([work = std::move(work), mailbox = bridge_.mailbox(), stop = stop_.get_token(), this] {
        std::function<void()> answer;
        const auto error = failureOf(
            [&] {
                if (!stop.stop_requested()) answer = work(*mailbox, stop);
            },
            tr("there is not enough memory for this text; use a part of it"));
        mailbox->call([this, stop, answer, error] {
            if (stop.stop_requested()) return; // stopped or replaced: whoever did that has said so
            busy_ = false;
            Q_EMIT busyChanged();
            if (!error.isEmpty())
                Q_EMIT failed(error);
            else if (answer)
                answer();
        });
    });
    if (!was) Q_EMIT busyChanged();
}

void DataWorker::look(const std::filesystem::path& text, const std::string& textField)
{
    begin([this, text, textField](EventSink& sink, const std::stop_token& stop) -> std::function<void()> {
        return [this, found = lookAt(text, textField, sink, stop)] { Q_EMIT looked(found); };
    });
}

void DataWorker::prepare(const DataConfig& data)
{
    begin([this, data](EventSink& sink, const std::stop_token& stop) -> std::function<void()> {
        return [this, made = prepareCorpus(data, sink, stop)] { Q_EMIT prepared(made); };
    });
}

void DataWorker::stop()
{
    if (!busy_) return;
    stop_.request_stop();
    busy_ = false;
    Q_EMIT busyChanged();
}

void DataWorker::cut(std::shared_ptr<const Tokenizer> tokenizer, const QString& text)
{
    cutStop_.request_stop();
    cutStop_ = {};
    if (short_.down() || !tokenizer) return;
    short_.post(
        [tokenizer = std::move(tokenizer), text, mailbox = bridge_.mailbox(), stop = cutStop_.get_token(), this] {
            if (stop.stop_requested()) return; // typed on
            CutText cut;
            if (!failureOf([&] { cut = cutText(*tokenizer, text); }).isEmpty())
                return; // nothing a user could do: the text is valid UTF-8 and the tokenizer has cut others
            mailbox->call([this, stop, cut = std::move(cut)] {
                if (!stop.stop_requested()) Q_EMIT cutDone(cut);
            });
        });
}

bool DataWorker::shutDown(std::chrono::milliseconds patience)
{
    stop_.request_stop();
    cutStop_.request_stop();
    const bool clean = short_.end(patience);
    return long_.end(patience) && clean;
}

} // namespace pha::ui
