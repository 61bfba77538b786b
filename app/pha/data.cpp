// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/data_work.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"
#include "app/pha/train_request.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/catalogue.h"
#include "engine/data/corpus.h"

#include <fmt/format.h>

#include <algorithm>

namespace pha::cli {

namespace {

std::string stateName(DownloadState state)
{
    return state == DownloadState::Present ? "downloaded" : state == DownloadState::Partial ? "partly" : "not here";
}

int list(bool json)
{
    auto documents = Json::array();
    Table table({ "name", "kind", "size", "state", "summary" });
    for (const auto& corpus : builtinCorpora()) {
        documents.push_back({ { "name", corpus.name }, { "kind", "built-in" }, { "summary", corpus.summary } });
        table.add({ corpus.name, "built-in", "", "ready", corpus.summary });
    }
    for (const auto& corpus : preparedCorpora()) {
        documents.push_back({ { "name", corpus.name }, { "kind", "prepared" }, { "bytes", corpus.card.bytes() },
            { "tokens", corpus.card.tokens() }, { "path", corpus.folder.string() } });
        table.add({ corpus.name, "prepared", formatBytes(double(corpus.card.bytes())), "ready",
            fmt::format("{} tokens from {}", withThousands(corpus.card.tokens()),
                oneLine(corpus.card.sources.empty() ? "" : corpus.card.sources.front())) });
    }
    for (const auto& entry : catalogue()) {
        const auto state = stateName(downloadState(entry));
        documents.push_back({ { "name", entry.name }, { "kind", "download" }, { "bytes", entry.bytes },
            { "state", state }, { "licence", entry.licence }, { "summary", entry.about },
            { "sha256", entry.sha256.empty() ? "unverified" : entry.sha256 }, { "addresses", entry.addresses },
            { "homepage", entry.homepage }, { "path", catalogueFile(entry).string() } });
        table.add({ entry.name, "download", formatBytes(double(entry.bytes)), state,
            entry.about + " Licence: " + entry.licence + "." });
    }
    if (json)
        printJson(documents);
    else
        print(table.text(outputWidth()));
    return 0;
}

/// Words and bytes are null where nobody knows them, or only those of a part of the split.
Json splitJson(const Corpus& corpus, std::size_t index)
{
    if (const auto* card = corpus.card()) {
        const auto& split = card->splits[index];
        return { { "documents", split.documents }, { "tokens", split.tokens }, { "words", split.words },
            { "bytes", split.bytes } };
    }
    const auto tokens = corpus.tokens(index);
    if (tokens == 0) return { { "tokens", 0 }, { "words", 0 }, { "bytes", 0 }, { "questions", 0 } };
    const auto& split = corpus.split(splitNames[index]);
    const bool known =
        tokens == std::int64_t(split.tokens.size()) && corpus.tokenizer()->kind() != Tokenizer::Kind::Ids;
    const auto sum = [&](const std::vector<std::int32_t>& sums) {
        return known ? Json(sums.empty() ? 0 : sums.back()) : Json();
    };
    return { { "tokens", tokens }, { "words", sum(split.words) }, { "bytes", sum(split.bytes) },
        { "questions", split.probes.size() } };
}

Json infoJson(const Corpus& corpus)
{
    Json splits = Json::object();
    for (std::size_t i = 0; i < splitNames.size(); ++i) splits[splitNames[i]] = splitJson(corpus, i);
    const auto& references = corpus.references();
    Json lines { { "uniform", references.uniform } };
    const bool counted = splits["train"]["tokens"] > 0 && splits["valid"]["tokens"] > 0;
    lines["unigram"] = counted ? Json(references.unigram) : Json();
    lines["bigram"] = counted ? Json(references.bigram) : Json();
    if (references.floor) lines["floor"] = *references.floor;
    Json document { { "description", corpus.description() }, { "tokenizer_size", corpus.tokenizer()->size() },
        { "splits", splits }, { "references", lines }, { "fingerprint", corpus.fingerprint() } };
    if (const auto* card = corpus.card()) {
        document["documents"] = card->documents();
        document["bytes"] = card->bytes();
        document["bytes_per_token"] = card->bytesPerToken();
        document["repairs"] = card->repairs.toJson();
        document["sources"] = card->sources;
        document["tokenizer"] = card->tokenizer;
    }
    return document;
}

void printInfo(const Corpus& corpus, const Json& document)
{
    printLine(fmt::format("{}, tokenizer of {} pieces\n", oneLine(corpus.description()), corpus.tokenizer()->size()));
    const auto* card = corpus.card();
    const auto& splits = document["splits"];
    std::vector<std::string> keys { "tokens", "words", "bytes" };
    const auto asks = [](const Json& split) { return split.value("questions", 0) > 0; };
    if (card) keys.insert(keys.begin(), "documents");
    if (std::any_of(splits.begin(), splits.end(), asks)) keys.insert(keys.begin(), "questions");
    auto heading = keys;
    std::replace(heading.begin(), heading.end(), std::string("documents"), std::string("documents or parts"));
    heading.insert(heading.begin(), "split");
    Table table(heading);
    for (const auto* name : splitNames) {
        std::vector<std::string> row { name };
        for (const auto& key : keys) {
            const auto& count = splits[name][key];
            row.push_back(count.is_null() ? "-" : withThousands(count.get<std::int64_t>()));
        }
        table.add(row);
    }
    print(table.text());
    if (card) {
        if (card->bytes() > 0)
            printLine(fmt::format("\n{:.3f} bytes a token; {}", card->bytesPerToken(),
                card->repairs.any() ? card->repairs.text() : "nothing had to be repaired"));
        if (!card->note.empty()) printLine(card->note);
    }
    if (document["references"]["unigram"].is_null()) return; // nothing to count pieces in, or to score
    const auto& references = corpus.references();
    printLine(fmt::format("\nnats per token of the validation split: uniform {:.3f}, unigram {:.3f}, bigram {:.3f}{}",
        references.uniform, references.unigram, references.bigram,
        references.floor ? fmt::format(", exact floor {:.3f}", *references.floor) : ""));
}

int info(const DataConfig& config, const std::vector<std::string>& given, bool json)
{
    config.validate();
    noteIdleData(config, given);
    StopOnSignal stop;
    ProgressView view(false);
    const auto corpus = Corpus::open(config, nullptr, view, stop.token());
    view.clearBar();
    const auto document = infoJson(*corpus);
    if (json)
        printJson(document);
    else
        printInfo(*corpus, document);
    return 0;
}

} // namespace

void addData(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("data", "Corpora: list, measure, prepare, download");
    command->require_subcommand(1);
    command->footer("Each has --help with an example, and --json.\n"
                    "Example: pha data prepare books/ --out corpora/books");
    auto json = std::make_shared<bool>(false);
    auto config = std::make_shared<DataConfig>();
    auto* listing = command->add_subcommand("list", "Built-in, prepared and downloadable corpora");
    listing->add_flag("--json", *json, "One JSON document");
    listing->footer("Example: pha data list");
    listing->callback([json, &program] { program.action = [json] { return list(*json); }; });
    auto* details = command->add_subcommand("info", "Sizes of the splits, repairs, reference lines, tokenizer");
    details->add_option("name", config->data, "Name of a corpus, or path of a text, a folder or a prepared corpus")
        ->required();
    details
        ->add_option("--tokenizer", config->tokenizer,
            "unigram or bpe, trained on the text; bytes; or a .model file or folder with GPT-2's files")
        ->type_name("KIND|PATH");
    addTextField(*details, config->textField);
    addInteger(*details, "--vocab-size", config->vocabSize, "Pieces of a tokenizer that is trained");
    addInteger(*details, "--data-seed", config->dataSeed, "Seed of procedural corpora");
    details->add_flag("--json", *json, "One JSON document");
    details->footer("Example: pha data info stories");
    details->callback([json, config, details, &program] {
        program.action = [json, config, details] {
            std::vector<std::string> given;
            for (std::string field : { "tokenizer", "text_field", "vocab_size", "data_seed" }) {
                auto option = "--" + field;
                std::replace(option.begin(), option.end(), '_', '-');
                if (details->count(option) > 0) given.push_back(std::move(field));
            }
            return info(*config, given, *json);
        };
    });
    addDataPrepare(*command, program);
    addDataDownload(*command, program);
}

} // namespace pha::cli
