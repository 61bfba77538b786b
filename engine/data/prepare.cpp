// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/prepare.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/json_text.h"
#include "engine/data/cache.h"
#include "engine/data/encoding.h"
#include "engine/data/token_bins.h"
#include "engine/run/run_directory.h"

#include <algorithm>

namespace pha {

namespace fs = std::filesystem;

namespace {

constexpr int cutting = 2; ///< raised when texts are cut, cleaned or divided in another way
constexpr const char* formatNames[] { "plain text", "JSON lines", "WikiText", "Parquet" }; ///< of TextKind
constexpr std::int64_t maxCard = std::int64_t(16) << 20;

/// Token files, if the one source is such.
std::optional<TokenBins> tokenBinsOf(const std::vector<fs::path>& sources)
{
    std::optional<TokenBins> found;
    for (const auto& source : sources) {
        found = findTokenBins(source);
        if (found && sources.size() > 1)
            throw DataError(
                source.string(), "holds tokens, which cannot be joined with other sources", "prepare each by itself");
    }
    return found;
}

std::vector<TextFile> binFiles(const TokenBins& bins)
{
    std::vector<TextFile> files;
    for (const auto& shards : bins.files)
        for (const auto& shard : shards) files.push_back(statFile(shard));
    for (auto& file : files) file.given = familyOfName(file.path.filename().string()).second;
    return files;
}

/// Everything that decides the result, so that only the same work is continued. `given`: null if one is trained.
Json identityOf(const std::vector<TextFile>& files, const PrepareRequest& request, const Tokenizer* given)
{
    auto list = Json::array();
    for (const auto& file : files)
        list.push_back({ file.path.string(), file.size, file.modified, file.given ? int(*file.given) : -1 });
    Json data;
    DataConfig::fields(request.config, [&](const auto& field, const auto& value) { data[field.name] = value; });
    Json identity { { "cutting", cutting }, { "files", list }, { "valid_share", request.shares.valid },
        { "test_share", request.shares.test }, { "config", data }, { "tokenizer", given ? given->fingerprint() : "" } };
    // Named where there is something to say, so that what earlier versions began goes on elsewhere.
    if (const auto version = given ? encodingVersion(*given) : std::string(); !version.empty())
        identity["encoding"] = version;
    if (joinsShards(files)) identity["shards"] = "joined";
    // Names of files need not be UTF-8, and the journal is.
    return Json::parse(identity.dump(-1, ' ', false, Json::error_handler_t::replace));
}

/// The folder by the name that can be given to it: of "DIR/", "DIR/." and a link that is "DIR".
fs::path folderOf(const fs::path& out)
{
    if (out.empty()) throw DataError("--out", "no folder was named", "give the folder for the prepared corpus");
    std::error_code problem;
    auto folder = fs::weakly_canonical(absolutePath(out), problem);
    if (problem) folder = wholePath(out);
    return folder.has_filename() ? folder : folder.parent_path();
}

[[noreturn]] void refuseThere(const PrepareRequest& request)
{
    throw DataError(request.out.string(), "exists already", "choose another folder, or remove this one");
}

void checkRequest(const PrepareRequest& request, const fs::path& out)
{
    if (!validUtf8(out.string())) // the setting data of a run could not name it
        throw ConfigError("the path of the corpus", out.string(), "text in UTF-8");
    std::error_code problem;
    const bool there = fs::exists(fs::symlink_status(out, problem));
    if (there && !(fs::is_directory(out, problem) && fs::is_empty(out, problem))) refuseThere(request);
    if (there && fs::equivalent(out, fs::current_path(problem), problem)) // would be replaced under one's feet
        throw DataError(request.out.string(), "is the working folder", "name another one, which need not exist");
    for (const auto share : { request.shares.valid, request.shares.test })
        if (share > 0.5)
            throw DataError("the share of a split", "is more than a half", "leave most of the text for training");
}

std::optional<Survey> knownSurvey(const WorkFolder& work)
{
    const auto known = work.part("survey");
    if (known.is_null()) return {};
    try {
        return Survey::fromJson(known);
    } catch (const Json::exception&) {
        return {}; // read again
    }
}

/// The survey and the tokenizer, from the journal if an earlier process came so far.
std::pair<Survey, std::shared_ptr<const Tokenizer>> begin(WorkFolder& work, const std::vector<TextFile>& files,
    const PrepareRequest& request, std::shared_ptr<const Tokenizer> tokenizer, int threads, EventSink& progress,
    const std::stop_token& stop)
{
    const auto model = work.path() / "tokenizer.model", sample = work.path() / WorkFolder::sampleName;
    auto survey = knownSurvey(work);
    if (!tokenizer && survey && fs::exists(model)) tokenizer = Tokenizer::load(model);
    if (!survey || (!tokenizer && !fs::exists(sample))) {
        survey = surveyTexts(files, request.shares, threads, progress, stop, {}, work.path());
        if (survey->rule.undivided()) refuseUndivided(files.front().path.string());
        if (!tokenizer) writeFileAtomically(sample, survey->sample);
        survey->sample = {};
        work.setPart("survey", survey->toJson());
    }
    if (!tokenizer)
        tokenizer = cachedTokenizer(
            "text-" + survey->fingerprint.substr(0, 32), request.config, [&] { return readFile(sample); }, progress,
            stop);
    if (!fs::exists(model)) writeFileAtomically(model, tokenizer->model());
    std::error_code gone;
    fs::remove(sample, gone);
    return { std::move(*survey), std::move(tokenizer) };
}

} // namespace

CorpusCard prepareCorpus(const PrepareRequest& request, EventSink& progress, const std::stop_token& stop)
{
    const auto out = folderOf(request.out);
    checkRequest(request, out);
    const auto bins = tokenBinsOf(request.sources);
    const auto files = bins ? binFiles(*bins) : findTexts(request.sources, request.config.textField);
    const auto given = request.tokenizer ? request.tokenizer : Tokenizer::given(request.config);
    auto partial = out;
    partial += ".partial";
    WorkFolder work(partial, identityOf(files, request, given.get()), false, stop);
    const int threads = request.threads > 0 ? std::min(request.threads, 256) : defaultThreads();
    CorpusCard card;
    card.name = out.filename().string();
    for (const auto& source : request.sources) card.sources.push_back(source.string());
    card.files = std::int64_t(files.size());
    try {
        if (bins) {
            const auto opened = openBins(*bins, request.config, given, request.shares.valid, request.shares.test);
            card = copyTokens(work, opened, std::move(card), progress, stop);
        } else {
            const auto [survey, tokenizer] = begin(work, files, request, given, threads, progress, stop);
            card = encodeTexts(work, { files, survey, tokenizer, card, threads }, progress, stop);
        }
    } catch (const Error& error) {
        // Unusable input leaves nothing to go on from, and copies are made anew; all else the same request goes on
        // with.
        if (bins || error.code() == ExitCode::Usage) work.discard();
        throw;
    }
    if (!work.publish(out)) refuseThere(request);
    return card;
}

bool isPreparedCorpus(const fs::path& folder)
{
    std::error_code problem;
    return fs::is_regular_file(folder / "corpus.json", problem);
}

CorpusCard readCorpusCard(const fs::path& folder)
{
    const auto file = folder / "corpus.json";
    return CorpusCard::fromJson(parseJsonStrict(readFile(file, maxCard), file.string()), file.string());
}

namespace {

/// Adds the lines of a text, cut where they are long.
void addLines(TextPreview& preview, std::string_view text, std::size_t lines)
{
    constexpr std::size_t longest = 300;
    for (std::size_t at = 0; at < text.size() && preview.lines.size() < lines;) {
        const auto end = std::min(text.find('\n', at), text.size());
        auto cut = std::min(end, at + longest);
        while (cut < end && (text[cut] & 0xC0) == 0x80) --cut; // whole characters
        preview.lines.emplace_back(text.substr(at, cut - at));
        at = end + 1;
    }
}

void previewBins(TextPreview& preview, const TokenBins& bins, std::size_t lines)
{
    DataConfig config;
    config.vocabSize = 1 << 16; // of numbers, if nobody knows what they spell
    const auto opened = openBins(bins, config, nullptr);
    std::vector<std::int32_t> ids(std::size_t(std::min<std::uint64_t>(opened.splits[0].size(), 4096)));
    opened.splits[0].copy(0, std::span(ids));
    std::int64_t repairs = 0;
    addLines(preview, repairUtf8(opened.tokenizer->decode(ids), repairs), lines);
    preview.format = opened.tokenizer->kind() == Tokenizer::Kind::Ids ? "tokens of unknown text"
                                                                      : "tokens, " + opened.tokenizer->description();
}

} // namespace

TextPreview previewTexts(const std::vector<fs::path>& sources, std::size_t lines, const std::string& textField)
{
    const auto bins = tokenBinsOf(sources);
    const auto files = bins ? binFiles(*bins) : findTexts(sources, textField);
    TextPreview preview;
    preview.files = std::int64_t(files.size());
    for (const auto& file : files) {
        preview.fileBytes += std::int64_t(file.size);
        const auto name = file.given ? std::string(splitNames[std::size_t(*file.given)]) : std::string();
        if (!name.empty() && std::find(preview.splits.begin(), preview.splits.end(), name) == preview.splits.end())
            preview.splits.push_back(name);
    }
    if (bins) {
        previewBins(preview, *bins, lines);
        return preview;
    }
    RecordReader reader(files, blockBytesFor(files), nullptr);
    TextRecord record;
    for (std::size_t read = 0; read < 64 && preview.lines.size() < lines && reader.next(record); ++read) {
        const auto kind = record.kind;
        preview.format = formatNames[std::size_t(kind)];
        preview.fields |= hasFields(kind);
        const auto document = makeDocument(std::move(record));
        preview.repairs.add(document.repairs);
        addLines(preview, document.text, lines);
    }
    return preview;
}

} // namespace pha
