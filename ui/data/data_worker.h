// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/config/config.h"
#include "engine/data/corpus_card.h"
#include "engine/data/tokenizer.h"
#include "ui/session/event_bridge.h"
#include "ui/work/worker_thread.h"

#include <QObject>
#include <QVector>

#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>

namespace pha::ui {

/// What a text is like, before anything is made of it.
struct TextLook {
    std::int64_t files = 0, bytes = 0, lines = 0, words = 0;
    bool fields = false; ///< of a file or more one field or column alone is the text
    bool counted = true; ///< false: so large that only the beginning was read; lines and words are not known
    std::int64_t repairs = 0; ///< runs of bytes that were no UTF-8
    QString beginning; ///< the first lines
};

/// A corpus that is ready to be trained on.
struct PreparedData {
    std::shared_ptr<const Tokenizer> tokenizer;
    QString description, sample; ///< sample: the first lines of the validation split
    std::int64_t train = 0, valid = 0, test = 0; ///< tokens
    double bytesPerToken = 0, tokensPerWord = 0; ///< on the validation split
    std::optional<CorpusCard> card; ///< of corpora made of texts
};

/// One piece of a text that was cut.
struct TextPiece {
    std::int32_t id = 0;
    QByteArray bytes; ///< what it adds to the text; may be part of a character
};
struct CutText {
    QString text;
    QVector<TextPiece> pieces; ///< their bytes are exactly those of `text`
};

/// Reads, prepares and cuts texts on threads of its own. A new order of a kind replaces the old one; nothing of the old
/// one arrives afterwards. GUI thread only; nothing waits but `shutDown()` and the destructor.
class DataWorker : public QObject {
    Q_OBJECT

public:
    explicit DataWorker(QObject* parent = nullptr);
    ~DataWorker() override; ///< as shutDown()

    bool busy() const { return busy_; }
    void look(const std::filesystem::path& text, const std::string& textField); ///< reads it once
    void prepare(const DataConfig& data); ///< trains the tokenizer, cuts the text; both are kept for the run
    void stop();
    void cut(std::shared_ptr<const Tokenizer> tokenizer, const QString& text); ///< quick; beside the others
    bool shutDown(std::chrono::milliseconds patience = std::chrono::seconds(5));

Q_SIGNALS:
    void busyChanged();
    void progress(const pha::ProgressEvent& event);
    void looked(const pha::ui::TextLook& look);
    void prepared(const pha::ui::PreparedData& data);
    void cutDone(const pha::ui::CutText& cut);
    void failed(const QString& message); ///< one line: what; what to do

private:
    using Work = std::function<std::function<void()>(EventSink& progress, const std::stop_token& stop)>;
    void begin(Work work); ///< runs on the thread; what it returns then runs here

    EventBridge bridge_;
    WorkerThread long_, short_; ///< typing does not wait for a tokenizer that is being trained
    std::stop_source stop_, cutStop_;
    bool busy_ = false;
};

} // namespace pha::ui
