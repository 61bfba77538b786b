// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/cache.h"
#include "engine/data/catalogue.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/encoding.h"
#include "engine/data/prepare.h"
#include "engine/data/token_bins.h"
#include "engine/data/token_corpus.h"
#include "engine/data/tokenizer_model.h"

#include <cstdlib>
#include <unistd.h>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr std::int64_t maxSurvey = std::int64_t(1) << 20;

/// A folder that vanishes with this object, for machines without a place for a cache. What is mapped stays readable.
class TemporaryFolder {
public:
    TemporaryFolder()
    {
        std::error_code problem;
        auto name = (fs::temp_directory_path(problem) / "pha-studio-XXXXXX").string();
        if (problem || !::mkdtemp(name.data()))
            throw IoError(name, "cannot be created, and there is no place for a cache");
        path_ = name;
    }
    ~TemporaryFolder()
    {
        std::error_code problem;
        fs::remove_all(path_, problem);
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

/// The survey of files whose names, sizes and times have not changed since it was made; else a fresh one.
class Surveys {
public:
    Surveys(const std::vector<TextFile>& files, const fs::path& cache)
        : files_(files)
        , cache_(cache)
    {
        std::string identity = "2\n"; // 1 counted copies of documents and knew no times of change
        // Not of the usual one, so that surveys of earlier versions are known still.
        if (files.front().textField != usualTextField) identity += "field " + files.front().textField + "\n";
        if (joinsShards(files)) identity += "shards joined\n";
        for (const auto& file : files)
            identity += fs::absolute(file.path).string() + '\0' + std::to_string(file.size) + " "
                + std::to_string(file.modified) + " " + std::to_string(file.changed)
                + (file.given ? splitNames[std::size_t(*file.given)] : "") + "\n";
        if (!cache.empty()) file_ = cache / ("survey-" + sha256Hex(identity).substr(0, 32) + ".json");
    }

    std::optional<Survey> known() const
    {
        std::error_code problem;
        if (file_.empty() || !fs::exists(file_, problem)) return {};
        try {
            return Survey::fromJson(parseJsonStrict(readFile(file_, maxSurvey), file_.string()));
        } catch (const Json::exception&) {
            return {};
        } catch (const Error&) {
            return {};
        }
    }

    Survey fresh(EventSink& progress, const std::stop_token& stop) const
    {
        auto survey = surveyTexts(files_, {}, defaultThreads(), progress, stop, {}, cache_);
        // A short text is read in no time, and a refusal to train on it leaves nothing behind.
        if (file_.empty() || survey.rule.undivided()) return survey;
        try {
            writeFileAtomically(file_, survey.toJson().dump());
        } catch (const IoError&) {
            // The next start reads the text once more.
        }
        return survey;
    }

private:
    const std::vector<TextFile>& files_;
    fs::path cache_, file_;
};

class TextOpener {
public:
    TextOpener(const fs::path& path, const DataConfig& config, EventSink& progress, const std::stop_token& stop)
        : path_(path)
        , config_(config)
        , progress_(progress)
        , stop_(stop)
        , files_(findTexts({ path }, config.textField))
    {
        shown_ = path.filename().string();
        if (shown_.empty()) shown_ = path.parent_path().filename().string(); // "folder/"
    }

    /// Reads the text, or knows it from before; trains the tokenizer, or knows it from before.
    std::shared_ptr<const Tokenizer> usualTokenizer()
    {
        readSurvey();
        if (survey_.rule.undivided()) refuseUndivided(files_.front().path.string());
        const auto sample = [&] {
            if (survey_.sample.empty()) survey_ = Surveys(files_, cacheFolder()).fresh(progress_, stop_);
            return std::move(survey_.sample);
        };
        return cachedTokenizer("text-" + key(), config_, sample, progress_, stop_);
    }

    std::unique_ptr<Corpus> open(const std::shared_ptr<const Tokenizer>& given)
    {
        auto tokenizer = given;
        if (tokenizer)
            readSurvey();
        else
            tokenizer = usualTokenizer();
        survey_.sample = {};
        try {
            return encoded(tokenizer);
        } catch (const DataError&) {
            if (!fromBefore_) throw;
        }
        trustSurvey_ = false; // perhaps the text is another one now, of the same size and time
        return open(given);
    }

private:
    std::unique_ptr<Corpus> encoded(const std::shared_ptr<const Tokenizer>& tokenizer)
    {
        const auto cache = cacheFolder();
        if (!cache.empty()) {
            try {
                const auto version = encodingVersion(*tokenizer);
                return encodeInto(cache
                        / ("corpus-" + key() + "-" + tokenizer->fingerprint().substr(0, 32)
                            + (version.empty() ? "" : "-" + version)),
                    tokenizer);
            } catch (const IoError&) {
                // No room or no permission there; perhaps there is some for temporary files.
            }
        }
        const TemporaryFolder temporary;
        return encodeInto(temporary.path() / "corpus", tokenizer);
    }

    std::string key() const { return survey_.fingerprint.substr(0, 32); } ///< of what is kept about the text

    void readSurvey()
    {
        const Surveys surveys(files_, cacheFolder());
        auto known = trustSurvey_ ? surveys.known() : std::nullopt;
        fromBefore_ = known.has_value();
        survey_ = known ? std::move(*known) : surveys.fresh(progress_, stop_);
    }

    std::unique_ptr<Corpus> encodeInto(const fs::path& folder, const std::shared_ptr<const Tokenizer>& tokenizer)
    {
        CorpusCard card;
        card.name = shown_;
        card.sources = { path_.string() };
        card.files = std::int64_t(files_.size());
        card.repairs = survey_.repairs;
        bool damaged = false;
        for (int attempt = 0;; ++attempt) {
            if (isPreparedCorpus(folder)) {
                try {
                    return openPrepared(folder, shown_, tokenizer, true, survey_.rule.undivided(), &card);
                } catch (const DataError&) {
                    if (attempt > 1) throw;
                    damaged = true;
                }
            }
            auto partial = folder;
            partial += ".partial";
            Json identity { { "text", survey_.chain }, { "fingerprint", survey_.fingerprint },
                { "tokenizer", tokenizer->fingerprint() }, { "files", files_.size() } };
            if (const auto version = encodingVersion(*tokenizer); !version.empty()) identity["encoding"] = version;
            WorkFolder work(partial, identity, true, stop_);
            // Another process may have published it while this one waited. Only the holder of the lock removes
            // anything.
            if (isPreparedCorpus(folder) && !damaged) {
                work.discard();
                continue;
            }
            std::error_code problem;
            fs::remove_all(folder, problem);
            damaged = false;
            try {
                encodeTexts(work, { files_, survey_, tokenizer, card, defaultThreads() }, progress_, stop_);
            } catch (const DataError&) {
                work.discard();
                throw;
            } catch (const IoError&) {
                work.discard(); // a full disk gets its room back
                throw;
            }
            work.publish(folder);
        }
    }

    fs::path path_;
    DataConfig config_;
    EventSink& progress_;
    std::stop_token stop_;
    std::vector<TextFile> files_;
    Survey survey_;
    bool trustSurvey_ = true, fromBefore_ = false; ///< fromBefore_: survey_ was made by an earlier process
    std::string shown_;
};

} // namespace

std::unique_ptr<Corpus> openText(const fs::path& path, const DataConfig& config,
    std::shared_ptr<const Tokenizer> tokenizer, EventSink& progress, const std::stop_token& stop)
{
    if (isPreparedCorpus(path)) {
        if (stop.stop_requested())
            throw Error("opening " + path.string() + " was stopped", "start again when you like");
        return openPrepared(path,
            path.has_filename() ? path.filename().string() : path.parent_path().filename().string(),
            std::move(tokenizer));
    }
    if (const auto bins = findTokenBins(path)) return openTokenBins(*bins, config, std::move(tokenizer));
    refuseNumbers(config.data, tokenizer.get());
    return TextOpener(path, config, progress, stop).open(std::move(tokenizer));
}

namespace {

[[noreturn]] void refuseTokenizer(const DataConfig& config, const Tokenizer& own, const fs::path& where)
{
    throw ConfigError("tokenizer", inQuotes(config.tokenizer),
        "auto, since the tokens of " + where.string() + " are those of another one (" + own.description()
            + "); for this one give their text");
}

} // namespace

void requireKind(const DataConfig& config, const Tokenizer& own, const fs::path& where)
{
    const bool bpe = config.tokenizer == "bpe";
    if (!bpe && config.tokenizer != "unigram") return;
    const bool trained = own.kind() == Tokenizer::Kind::SentencePiece;
    if (!trained || scanTokenizerModel(own.model(), where.string()).modelType != (bpe ? 2 : 1))
        refuseTokenizer(config, own, where);
}

std::shared_ptr<const Tokenizer> tokenizerOfTokens(
    const fs::path& path, const DataConfig& config, const std::shared_ptr<const Tokenizer>& given)
{
    if (isPreparedCorpus(path)) {
        std::shared_ptr<const Tokenizer> own = Tokenizer::load(path / "tokenizer.model");
        if (given && given->fingerprint() != own->fingerprint()) refuseTokenizer(config, *own, path);
        requireKind(config, *own, path);
        return own;
    }
    if (const auto bins = findTokenBins(path)) return given ? given : tokenizerOfBins(*bins, config);
    return nullptr;
}

std::shared_ptr<const Tokenizer> tokenizerOfText(const fs::path& path, const DataConfig& config)
{
    auto given = Tokenizer::given(config);
    if (auto own = tokenizerOfTokens(path, config, given)) return own;
    findTexts({ path }); // throws if there is none that can be read
    return given;
}

std::shared_ptr<const Tokenizer> Corpus::trainTokenizer(
    const DataConfig& config, EventSink& progress, const std::stop_token& stop)
{
    const auto path = config.data == "stories" ? fs::path() : resolveCorpus(config.data);
    if (path.empty()) return open(config, nullptr, progress, stop)->tokenizer();
    if (isPreparedCorpus(path) || findTokenBins(path))
        throw DataError(path.string(), "holds tokens, not a text that a tokenizer could learn from",
            "give the text that the tokens were made from");
    return TextOpener(path, config, progress, stop).usualTokenizer();
}

} // namespace pha
