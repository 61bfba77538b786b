// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/corpus.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/catalogue.h"
#include "engine/data/corpus_kinds.h"
#include "engine/data/prepare.h"
#include "engine/data/token_bins.h"

#include <algorithm>
#include <filesystem>

namespace pha {

const std::vector<BuiltinCorpus>& builtinCorpora()
{
    static const auto& corpora = *new std::vector<BuiltinCorpus> {
        { "stories",
            "Simple English narratives written by a grammar. Facts are asked for later, and the entropy floor is "
            "exact." },
        { "mqar", "Multi-query associative recall: pairs of keys and values, then keys to answer with their values." },
        { "induction", "Induction head: which symbol came after the mark when it stood here before?" },
        { "copying", "Selective copying: symbols scattered among blanks, to be repeated in order at the end." },
    };
    return corpora;
}

bool isBuiltinCorpus(const std::string& data)
{
    const auto& list = builtinCorpora();
    return std::any_of(list.begin(), list.end(), [&](const BuiltinCorpus& c) { return c.name == data; });
}

namespace {

bool namesTokenizerFile(const std::string& tokenizer)
{
    static constexpr const char* kinds[] = { "auto", "unigram", "bpe", "bytes" };
    return std::count(std::begin(kinds), std::end(kinds), tokenizer) == 0;
}

[[noreturn]] void refuseUnknown(const std::string& data)
{
    const auto where = data.empty() ? std::string("data") : inQuotes(data);
    if (data.find_first_of("/.") != std::string::npos)
        throw DataError(where, "no such file or folder", "check the path, or use the built-in corpus stories");
    std::vector<std::string> names;
    for (const auto& corpus : builtinCorpora()) names.push_back(corpus.name);
    const auto builtin = joinList(names);
    for (const auto& entry : catalogue()) names.push_back(entry.name);
    for (const auto& corpus : preparedCorpora()) names.push_back(corpus.name);
    const auto nearest = nearestName(data, names);
    throw DataError(where, "neither a built-in corpus nor a file",
        (nearest.empty() ? "" : "did you mean " + nearest + "? ") + "built-in: " + builtin
            + "; or give the path of a text file");
}

} // namespace

void settleData(DataConfig& config)
{
    namespace files = std::filesystem;
    std::error_code error;
    auto& data = config.data;
    auto& tokenizer = config.tokenizer;
    if (!isBuiltinCorpus(data) && !findInCatalogue(data) && files::exists(data, error))
        data = files::absolute(data).string();
    if (namesTokenizerFile(tokenizer) && files::exists(tokenizer, error))
        tokenizer = files::absolute(tokenizer).string();
}

std::unique_ptr<Corpus> Corpus::open(const DataConfig& config, std::shared_ptr<const Tokenizer> tokenizer,
    EventSink& progress, const std::stop_token& stop)
{
    if (const auto task = findTask(config)) return openTask(*task, tokenizer);
    const bool chosen = !tokenizer; // by the configuration, not by a model that has one
    if (chosen) tokenizer = Tokenizer::given(config);
    if (tokenizer && tokenizer->kind() == Tokenizer::Kind::Symbols)
        throw DataError(inQuotes(config.data), "this model knows the symbols of a task, not text",
            "evaluate it on the task that it was trained on");
    if (config.data == "stories") {
        refuseNumbers(config.data, tokenizer.get());
        return openStories(config, std::move(tokenizer), progress, stop);
    }
    if (const auto path = resolveCorpus(config.data); !path.empty()) {
        if (auto own = chosen ? tokenizerOfTokens(path, config, tokenizer) : nullptr) tokenizer = std::move(own);
        return openText(path, config, std::move(tokenizer), progress, stop);
    }
    refuseUnknown(config.data);
}

std::shared_ptr<const Tokenizer> Corpus::knownTokenizer(const DataConfig& config)
{
    if (const auto task = findTask(config)) return openTask(*task, nullptr)->tokenizer();
    if (config.data == "stories") return Tokenizer::given(config);
    const auto path = resolveCorpus(config.data);
    if (path.empty()) refuseUnknown(config.data);
    return tokenizerOfText(path, config);
}

bool Corpus::fieldMatters(const DataConfig& config, const std::string& field)
{
    const auto task = findTask(config);
    if (field == "task_power" || field == "task_noise") return task && task->kind == Task::Kind::Mqar;
    if (field == "task_pairs") return task && task->kind != Task::Kind::Induction;
    if (field.starts_with("task_")) return task.has_value();
    const bool written = task || config.data == "stories";
    if (field == "data_seed") return written;
    if (field == "tokenizer") return !task;
    const bool ofTraining = field == "vocab_size" || field == "byte_fallback";
    if (task && (ofTraining || field == "text_field")) return false;
    const auto path = written ? std::filesystem::path() : resolveCorpus(config.data);
    if (!written && path.empty()) return true;
    if (field == "text_field") return !written && !isPreparedCorpus(path) && !findTokenBins(path);
    if (!ofTraining) return true;
    const auto known = knownTokenizer(config); // of numbers that nobody knows how to spell vocab_size is all there is
    return !known || (field == "vocab_size" && known->kind() == Tokenizer::Kind::Ids);
}

std::int64_t stateInteger(const Json& state, const std::string& key, std::int64_t most)
{
    const auto found = state.is_object() ? state.find(key) : state.end();
    if (!state.is_object() || found == state.end() || !found->is_number_integer() || *found < 0 || *found > most)
        throw CheckpointError(
            "data position", "its " + key + " is missing or out of range", "resume from another checkpoint");
    return found->get<std::int64_t>();
}

void checkState(const Json& state, const Json& expected)
{
    for (const auto& [key, value] : expected.items()) {
        const bool same = state.is_object() && state.contains(key) && state[key] == value;
        if (!same)
            throw CheckpointError("data position", "it was saved for another " + key,
                "resume with the data, batch size, context and seed of the run");
    }
}

void refuseNumbers(const std::string& data, const Tokenizer* tokenizer)
{
    if (tokenizer && tokenizer->kind() == Tokenizer::Kind::Ids)
        throw DataError(inQuotes(data), "this model knows the numbers of a token file, not text",
            "give a .bin file, or train with the tokenizer that the tokens were made with");
}

Json EpochPlace::save(Json identity, const char* key) const
{
    identity["epoch"] = epoch;
    identity[key] = at;
    return identity;
}

EpochPlace EpochPlace::restored(const Json& state, const Json& identity, const char* key, std::int64_t most)
{
    checkState(state, identity);
    return { stateInteger(state, "epoch", std::int64_t(1) << 40), stateInteger(state, key, most) };
}

} // namespace pha
