// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/data/corpus.h"

#include <fmt/format.h>

namespace pha::cli {

namespace {

constexpr const char* splitNames[] = { "train", "valid", "test" };

int list(bool json)
{
    auto documents = Json::array();
    Table table({ "name", "summary" });
    for (const auto& corpus : builtinCorpora()) {
        documents.push_back({ { "name", corpus.name }, { "summary", corpus.summary } });
        table.add({ corpus.name, corpus.summary });
    }
    if (json)
        printJson(documents);
    else
        print(table.text());
    return 0;
}

Json splitJson(const Split& split)
{
    return { { "tokens", split.tokens.size() }, { "words", split.words.empty() ? 0 : split.words.back() },
        { "bytes", split.bytes.empty() ? 0 : split.bytes.back() }, { "questions", split.probes.size() } };
}

int info(const DataConfig& config, bool json)
{
    config.validate();
    StopOnSignal stop;
    ProgressView view(false);
    const auto corpus = Corpus::open(config, nullptr, view, stop.token());
    view.clearBar();
    Json splits = Json::object();
    for (const auto* name : splitNames) splits[name] = splitJson(corpus->split(name));
    const auto& references = corpus->references();
    if (json) {
        Json lines { { "uniform", references.uniform }, { "unigram", references.unigram },
            { "bigram", references.bigram } };
        if (references.floor) lines["floor"] = *references.floor;
        printJson({ { "description", corpus->description() }, { "tokenizer_size", corpus->tokenizer()->size() },
            { "splits", splits }, { "references", lines }, { "fingerprint", corpus->fingerprint() } });
        return 0;
    }
    printLine(fmt::format("{}, tokenizer of {} pieces\n", oneLine(corpus->description()), corpus->tokenizer()->size()));
    Table table({ "split", "tokens", "words", "bytes", "recall questions" });
    for (const auto& [name, split] : splits.items())
        table.add({ name, withThousands(split["tokens"].get<std::int64_t>()),
            withThousands(split["words"].get<std::int64_t>()), withThousands(split["bytes"].get<std::int64_t>()),
            withThousands(split["questions"].get<std::int64_t>()) });
    print(table.text());
    printLine(fmt::format("\nnats per token of the validation split: uniform {:.3f}, unigram {:.3f}, bigram {:.3f}{}",
        references.uniform, references.unigram, references.bigram,
        references.floor ? fmt::format(", exact floor {:.3f}", *references.floor) : ""));
    return 0;
}

} // namespace

void addData(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("data", "Corpora: list the built-in ones, measure one");
    command->require_subcommand(1);
    auto json = std::make_shared<bool>(false);
    auto config = std::make_shared<DataConfig>();
    auto* listing = command->add_subcommand("list", "Names of the built-in corpora");
    listing->add_flag("--json", *json, "One JSON document");
    listing->footer("Example: pha data list");
    listing->callback([json, &program] { program.action = [json] { return list(*json); }; });
    auto* details = command->add_subcommand("info", "Sizes of the splits, reference lines, tokenizer");
    details->add_option("name", config->data, "Built-in corpus or text file")->required();
    addInteger(*details, "--vocab-size", config->vocabSize, "Pieces of the tokenizer");
    addInteger(*details, "--data-seed", config->dataSeed, "Seed of procedural corpora");
    details->add_flag("--json", *json, "One JSON document");
    details->footer("Example: pha data info stories");
    details->callback([json, config, &program] { program.action = [json, config] { return info(*config, *json); }; });
}

} // namespace pha::cli
