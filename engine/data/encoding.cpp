// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/encoding.h"

#include "engine/base/atomic_file.h"
#include "engine/base/disk_space.h"
#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/stop.h"
#include "engine/base/text.h"
#include "engine/data/document_line.h"
#include "engine/data/key_set.h"
#include "engine/data/split_text.h"
#include "engine/data/token_file.h"
#include "engine/data/tokenizer_model.h"

#include <atomic>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t sampleTokens = std::uint64_t(1) << 18; ///< of training text that can be evaluated
constexpr const char* encodingGoesOn = "the same command goes on from here";
constexpr std::int64_t journalBytes = std::int64_t(64) << 20; ///< of text that a killed process may have to repeat

struct Encoded {
    Document document; ///< its text only while the sample of training text grows
    TextSplit split = TextSplit::Train;
    std::int64_t surveyed = 0; ///< bytes of the text, as the survey counted them
    std::int64_t bytes = 0; ///< of what is encoded
    std::vector<std::int32_t> tokens;
    std::vector<CountedToken> counted; ///< of an evaluation split; counts begin at 0
};

std::vector<CountedToken> countTokens(const Document& document, const Tokenizer& tokenizer, std::int32_t mark)
{
    Split split;
    appendText(split, document.text, tokenizer, !document.open);
    std::vector<CountedToken> rows;
    rows.reserve(split.tokens.size() + 1);
    for (std::size_t i = 0; i < split.tokens.size(); ++i)
        rows.push_back({ split.tokens[i], split.words[i], split.bytes[i] });
    if (document.ends && mark >= 0 && !rows.empty()) rows.push_back({ mark, rows.back().words, rows.back().bytes });
    return rows;
}

/// Where a mark says that a document ends, no line ends have to.
void removeAdded(Document& document)
{
    document.text.resize(document.text.size() - std::size_t(document.added));
    document.added = 0;
    document.words = countWords(document.text, false);
}

/// Everything that decides what is still to be done; the journal's "state".
struct EncodingState {
    TextPosition position;
    std::string chain;
    std::array<SplitCard, 3> splits;
    SplitCard sample;
    TextRepairs repairs;
    std::int64_t keys = 0;
    std::int64_t taken = 0; ///< bytes of all documents so far as the survey counted them, with the duplicates
    bool marked = false; ///< a mark ends some of the documents
    /// Rows of the documentFiles. None once a document was no record, or of an earlier version.
    std::optional<std::array<std::int64_t, 3>> begins { std::array<std::int64_t, 3> {} };

    Json toJson() const
    {
        CorpusCard card;
        card.splits = splits;
        card.repairs = repairs;
        return { { "file", position.file }, { "text", position.text }, { "offset", position.offset },
            { "chain", chain }, { "card", card.toJson() }, { "keys", keys }, { "taken", taken }, { "marked", marked },
            { "begins", begins ? Json(*begins) : Json() },
            { "sample", { sample.tokens, sample.words, sample.bytes } } };
    }
    static EncodingState fromJson(const Json& json)
    {
        EncodingState state;
        state.position = { json.at("file").get<std::size_t>(), json.at("text").get<std::size_t>(),
            json.at("offset").get<std::uint64_t>() };
        state.chain = json.at("chain").get<std::string>();
        const auto card = CorpusCard::fromJson(json.at("card"), "work.json");
        state.splits = card.splits;
        state.repairs = card.repairs;
        state.keys = json.at("keys").get<std::int64_t>();
        state.taken = json.value("taken", state.bytes()); // earlier versions counted no duplicates
        state.marked = json.value("marked", false);
        state.begins.reset();
        if (const auto begins = json.value("begins", Json()); !begins.is_null())
            state.begins = begins.get<std::array<std::int64_t, 3>>();
        const auto& sample = json.at("sample");
        state.sample.tokens = sample.at(0).get<std::int64_t>();
        state.sample.words = sample.at(1).get<std::int64_t>();
        state.sample.bytes = sample.at(2).get<std::int64_t>();
        return state;
    }
    std::int64_t bytes() const { return splits[0].bytes + splits[1].bytes + splits[2].bytes; }
};

class Encoder {
public:
    Encoder(WorkFolder& work, EncodingTask task, EventSink& progress)
        : work_(work)
        , task_(std::move(task))
        , progress_(progress)
        , state_(savedState(work))
        , row_(task_.tokenizer->size() <= 65536 ? TokenRow::Short : TokenRow::Long)
        , train_(work.path() / "train.bin", row_, std::uint64_t(state_.splits[0].tokens))
        , valid_(work.path() / "valid.bin", TokenRow::Counted, std::uint64_t(state_.splits[1].tokens))
        , test_(work.path() / "test.bin", TokenRow::Counted, std::uint64_t(state_.splits[2].tokens))
        , sample_(work.path() / "sample.bin", TokenRow::Counted, std::uint64_t(state_.sample.tokens))
        , begins_ { beginsWriter(0), beginsWriter(1), beginsWriter(2) }
        , keys_(work.path() / "keys.bin", state_.keys)
        , sampleOpen_(std::uint64_t(state_.sample.tokens) < sampleTokens)
    {
        // A tokenizer has one fast lane; each thread gets its own. The model has been tried when it was loaded.
        trustTokenizer(task_.tokenizer->fingerprint());
        tokenizers_.push_back(task_.tokenizer);
        while (int(tokenizers_.size()) < task_.threads)
            tokenizers_.push_back(Tokenizer::fromModel(task_.tokenizer->model(), "the tokenizer"));
    }

    CorpusCard run(const std::stop_token& stop)
    {
        RecordReader reader(task_.files, blockBytesFor(task_.files), nullptr);
        const auto& position = state_.position;
        if (position.file + position.text + position.offset > 0) reader.seek(position);
        const auto make = [this](int thread, TextRecord record) { return encode(thread, std::move(record)); };
        const auto consume = [this](std::vector<Encoded> documents, const TextPosition& after) {
            whole_ = false;
            for (auto& document : documents) write(std::move(document));
            state_.position = after;
            whole_ = true;
            checkRoom();
            if (state_.taken - journalled_ >= journalBytes) save();
            progress_.publish(
                ProgressEvent { "encoding text", double(state_.taken), double(task_.survey.bytes), "bytes" });
        };
        try {
            if (!readDocuments<Encoded>(reader, task_.threads, make, consume, stop)) {
                save();
                throw Error("preparing " + task_.card.name + " was stopped", encodingGoesOn);
            }
        } catch (const IoError&) {
            if (whole_) save(); // a text that cannot be read now perhaps can be later
            throw;
        }
        return finish(stop);
    }

private:
    static EncodingState savedState(const WorkFolder& work)
    {
        const auto json = work.part("state");
        if (json.is_null()) return {};
        try {
            return EncodingState::fromJson(json);
        } catch (const Json::exception&) {
            throw DataError(work.path().string(), "its work.json is damaged", "remove the folder and start again");
        }
    }

    TokenFileWriter beginsWriter(std::size_t split) const
    {
        const auto rows = state_.begins ? (*state_.begins)[split] : 0;
        return { work_.path() / documentFiles[split], TokenRow::Long, std::uint64_t(rows) };
    }

    Encoded encode(int thread, TextRecord record) const
    {
        const auto& tokenizer = *tokenizers_[std::size_t(thread)];
        Encoded made { makeDocument(std::move(record)), {}, 0, 0, {}, {} };
        auto& document = made.document;
        made.surveyed = std::int64_t(document.text.size());
        made.split = task_.survey.rule.of(document);
        if (document.ends && mark_ >= 0) removeAdded(document);
        made.bytes = std::int64_t(document.text.size());
        if (made.split != TextSplit::Train)
            made.counted = countTokens(document, tokenizer, mark_);
        else if (made.tokens = tokenizer.encode(document.text); document.ends && mark_ >= 0)
            made.tokens.push_back(mark_);
        if (made.split != TextSplit::Train || !sampleOpen_) document.text = {};
        return made;
    }

    /// Whether what is still to be written will fit, as far as what was written tells: an hour before it does not.
    void checkRoom()
    {
        const auto taken = state_.taken - before_;
        if (taken < checkAt_) return;
        checkAt_ = taken + std::min(taken, journalBytes);
        const auto rest = double(std::max<std::int64_t>(task_.survey.bytes - state_.taken, 0));
        try {
            requireFree(work_.path(), "the rest of the token files", double(written_) / double(taken) * rest);
        } catch (const IoError&) {
            save(); // the same command goes on from here when there is room
            throw;
        }
    }

    void write(Encoded made)
    {
        auto& document = made.document;
        state_.repairs.add(document.repairs);
        state_.taken += made.surveyed;
        if (made.bytes == 0) return;
        state_.chain = chainDigest(state_.chain, document);
        const bool evaluated = task_.survey.rule.undivided() || (document.given && *document.given != TextSplit::Train);
        if (document.whole && !keys_.insert(document.key) && !evaluated) {
            ++state_.repairs.duplicates;
            return;
        }
        state_.marked |= document.ends && mark_ >= 0;
        if (!document.record) state_.begins.reset();
        auto& split = state_.splits[std::size_t(made.split)];
        if (made.split == TextSplit::Train) {
            train_.add(made.tokens);
            written_ += std::int64_t(made.tokens.size()) * std::int64_t(row_);
            if (sampleOpen_) growSample(document);
            split.tokens += std::int64_t(made.tokens.size());
        } else {
            // Of files that were given to it: what a survey takes for it is less.
            if (split.bytes + made.bytes > std::int64_t(SurveyLimits().evaluated))
                throw DataError(task_.card.name,
                    std::string("its ") + splitNames[std::size_t(made.split)] + " text is larger than 256 MiB",
                    "shorten the validation and test texts");
            shift(made.counted, split);
            auto& file = made.split == TextSplit::Valid ? valid_ : test_;
            addBegin(std::size_t(made.split), file);
            file.add(made.counted);
            split.tokens += std::int64_t(made.counted.size());
            written_ += std::int64_t(made.counted.size()) * std::int64_t(TokenRow::Counted);
        }
        ++split.documents;
        split.words += document.words;
        split.bytes += made.bytes;
    }

    static void shift(std::vector<CountedToken>& rows, const SplitCard& before)
    {
        for (auto& row : rows) row.words += std::int32_t(before.words), row.bytes += std::int32_t(before.bytes);
    }

    /// A document begins behind what the file of a split holds.
    void addBegin(std::size_t split, const TokenFileWriter& file)
    {
        if (state_.begins) begins_[split].add(std::vector { std::int32_t(file.rows()) });
    }

    /// The beginning of the training text, counted, so that it can be evaluated.
    void growSample(const Document& document)
    {
        auto rows = countTokens(document, *task_.tokenizer, mark_);
        shift(rows, state_.sample);
        addBegin(0, sample_);
        sample_.add(rows);
        state_.sample.tokens += std::int64_t(rows.size());
        state_.sample.words += document.words;
        state_.sample.bytes += std::int64_t(document.text.size());
        sampleOpen_ = std::uint64_t(state_.sample.tokens) < sampleTokens;
    }

    void save()
    {
        whole_ = false; // what fails here must not be tried again
        for (auto* file : { &train_, &valid_, &test_, &sample_ }) file->sync();
        for (auto& file : begins_) file.sync();
        for (std::size_t i = 0; state_.begins && i < begins_.size(); ++i)
            (*state_.begins)[i] = std::int64_t(begins_[i].rows());
        state_.keys = keys_.sync();
        work_.setPart("state", state_.toJson());
        journalled_ = state_.taken;
        whole_ = true;
    }

    CorpusCard finish(const std::stop_token& stop)
    {
        if (state_.chain != task_.survey.chain)
            throw DataError(
                task_.card.sources.front(), "changed while it was read", "wait until it is complete and try again");
        save();
        auto& card = task_.card;
        card.splits = state_.splits;
        card.repairs = state_.repairs;
        // Of a text without marks, such as WikiText, the tokens are what they always were.
        auto fingerprint = task_.survey.fingerprint;
        if (state_.marked) fingerprint = sha256Hex(fingerprint + " " + encodingVersion(*task_.tokenizer));
        std::vector<TokenFileWriter*> files { &train_, &valid_, &test_, &sample_ };
        for (std::size_t i = 0; i < begins_.size(); ++i) {
            std::error_code gone;
            if (state_.begins)
                files.push_back(&begins_[i]);
            else
                fs::remove(work_.path() / documentFiles[i], gone);
        }
        return completeFolder(
            work_, files, std::move(card), fingerprint, *task_.tokenizer, { progress_, stop, encodingGoesOn });
    }

    WorkFolder& work_;
    EncodingTask task_;
    EventSink& progress_;
    EncodingState state_;
    const std::int32_t mark_ = documentMark(*task_.tokenizer);
    TokenRow row_;
    TokenFileWriter train_, valid_, test_, sample_;
    std::array<TokenFileWriter, 3> begins_; ///< the documentFiles
    KeySet keys_;
    std::atomic<bool> sampleOpen_;
    bool whole_ = true; ///< what is written ends where the position is, and can be saved
    const std::int64_t before_ = state_.taken; ///< by earlier processes
    std::int64_t journalled_ = before_;
    std::int64_t written_ = 0; ///< bytes of tokens that this process made of what it took
    std::int64_t checkAt_ = std::int64_t(1) << 20;
    std::vector<std::shared_ptr<const Tokenizer>> tokenizers_;
};

} // namespace

std::int32_t documentMark(const Tokenizer& tokenizer)
{
    for (std::int32_t id = 0; tokenizer.kind() == Tokenizer::Kind::Gpt2 && id < tokenizer.size(); ++id)
        if (tokenizer.piece(id) == "<|endoftext|>") return id;
    return -1;
}

std::string encodingVersion(const Tokenizer& tokenizer) { return documentMark(tokenizer) >= 0 ? "marks1" : ""; }

CorpusCard encodeTexts(WorkFolder& work, EncodingTask task, EventSink& progress, const std::stop_token& stop)
{
    return Encoder(work, std::move(task), progress).run(stop);
}

CorpusCard completeFolder(const WorkFolder& work, const std::vector<TokenFileWriter*>& files, CorpusCard card,
    const std::string& fingerprint, const Tokenizer& tokenizer, const Completion& how)
{
    std::uint64_t total = 0, done = 0;
    for (const auto* file : files) total += file->bytes();
    const auto read = [&](std::uint64_t bytes) {
        done += bytes;
        how.progress.publish(ProgressEvent { "checking the token files", double(done), double(total), "bytes" });
        throwIfStopped(how.stop, ("preparing " + card.name).c_str(), how.afterStop);
    };
    read(0);
    const TokenFileKey key { fingerprint, tokenizer.fingerprint() };
    for (auto* file : files) file->finish(key, read);
    card.fingerprint = key.text;
    card.tokenizer = key.tokenizer;
    card.pieces = tokenizer.size();
    writeFileAtomically(work.path() / "tokenizer.model", tokenizer.model());
    writeFileAtomically(
        work.path() / "corpus.json", card.toJson().dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
    return card;
}

} // namespace pha
