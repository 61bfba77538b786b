// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/data_work.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/catalogue.h"
#include "engine/data/download.h"
#include "engine/data/prepare.h"

#include <fmt/format.h>

#include <chrono>

namespace pha::cli {

namespace {

struct PrepareOptions {
    std::vector<std::string> sources;
    std::string out;
    DataConfig config;
    SplitShares shares;
    std::int64_t threads = 0;
    bool json = false;
};

int runPrepare(const PrepareOptions& options)
{
    options.config.validate();
    checkRange("--threads", options.threads, 0, 256);
    StopOnSignal stop;
    ProgressView view(false);
    PrepareRequest request;
    for (const auto& source : options.sources) request.sources.emplace_back(source);
    request.out = options.out;
    request.config = options.config;
    request.shares = options.shares;
    request.threads = int(options.threads);
    const auto begin = std::chrono::steady_clock::now();
    const auto card = prepareCorpus(request, view, stop.token());
    view.clearBar();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    if (options.json) {
        auto document = card.toJson();
        document["path"] = options.out;
        document["seconds"] = seconds;
        printJson(document);
        return 0;
    }
    Table table({ "split", "documents or parts", "tokens", "words", "bytes" });
    for (std::size_t i = 0; i < splitNames.size(); ++i) {
        const auto& split = card.splits[i];
        table.add({ splitNames[i], withThousands(split.documents), withThousands(split.tokens),
            withThousands(split.words), withThousands(split.bytes) });
    }
    print(table.text());
    if (card.bytes() > 0)
        printLine(fmt::format("\n{} in {}, {:.3f} bytes a token; {}", formatBytes(double(card.bytes())),
            formatDuration(seconds), card.bytesPerToken(),
            card.repairs.any() ? card.repairs.text() : "nothing had to be repaired"));
    else
        printLine(fmt::format(
            "\n{} tokens in {}; what they spell is not known", withThousands(card.tokens()), formatDuration(seconds)));
    if (!card.note.empty()) printLine(card.note);
    if (card.splits[0].tokens == 0 || card.splits[1].tokens == 0)
        printLine("nothing can be trained on it: that takes a training and a validation part (--valid-share)");
    else
        printLine("train on it with: pha train --preset pha-tiny --data " + quotedPath(options.out));
    return 0;
}

int runDownload(const std::string& name, bool json)
{
    const auto* entry = findInCatalogue(name);
    if (!entry) {
        std::vector<std::string> names;
        for (const auto& each : catalogue()) names.push_back(each.name);
        const auto nearest = nearestName(name, names);
        throw DataError(inQuotes(name), "is not in the catalogue",
            (nearest.empty() ? "" : "did you mean " + nearest + "? ") + "there are: " + joinList(names));
    }
    StopOnSignal stop;
    ProgressView view(false);
    if (!json)
        note(fmt::format("{}, {}, licence {}: {}", entry->title, formatBytes(double(entry->bytes)), entry->licence,
            entry->addresses.front()));
    const auto result = download(*entry, view, stop.token());
    view.clearBar();
    if (json) {
        printJson({ { "name", name }, { "path", result.file.string() }, { "bytes", result.bytes },
            { "sha256", result.sha256 }, { "verified", result.verified }, { "was_there", result.wasThere } });
        return 0;
    }
    printLine(fmt::format("{} {} ({}, {})", result.wasThere ? "already there:" : "downloaded to", result.file.string(),
        formatBytes(double(result.bytes)), result.verified ? "checksum verified" : "unverified: no checksum is known"));
    printLine("use it with: pha train --preset pha-tiny --data " + name);
    return 0;
}

} // namespace

void addDataPrepare(CLI::App& data, Program& program)
{
    auto options = std::make_shared<PrepareOptions>();
    auto* command = data.add_subcommand("prepare",
        "Turn texts of any size (.txt, .jsonl, .parquet, .gz, .zst, .xz, .zip, .tar, folders), or the .bin files of "
        "nanoGPT and llm.c, into token files to train on");
    addWords(*command, "paths", options->sources, "Text files and folders; or one folder of token files")->required();
    command
        ->add_option("--out", options->out,
            "Folder for the corpus; must not exist. Stopped or killed, the same "
            "command goes on")
        ->required();
    addTextField(*command, options->config.textField);
    command
        ->add_option("--tokenizer", options->config.tokenizer,
            "unigram or bpe, trained on the texts; bytes; or the path of one: a .model file, a folder with GPT-2's "
            "files, "
            "llm.c's gpt2_tokenizer.bin, nanoGPT's meta.pkl")
        ->type_name("KIND|PATH");
    addInteger(*command, "--vocab-size", options->config.vocabSize,
        "Pieces of a tokenizer that is trained; it learns from 6 MiB, spread evenly over a longer text");
    addNumber(*command, "--valid-share", options->shares.valid,
        "Share of the text that validates, at most 256 MiB; negative: 0.05, at most 4 MiB");
    addNumber(*command, "--test-share", options->shares.test, "Share of the text that tests, likewise");
    addInteger(*command, "--threads", options->threads, "Threads that encode; 0: one a core");
    command->add_flag("--json", options->json, "One JSON document");
    command->footer("Example: pha data prepare books/ --out corpora/books --vocab-size 8192");
    command->callback([options, command, &program] {
        takeWords(*command, options->sources);
        program.action = [options] { return runPrepare(*options); };
    });
}

void addDataDownload(CLI::App& data, Program& program)
{
    auto name = std::make_shared<std::string>();
    auto json = std::make_shared<bool>(false);
    auto* command =
        data.add_subcommand("download", "Download a public corpus of the catalogue; stopped, it goes on later");
    command->add_option("name", *name, "Name in 'pha data list'")->required();
    command->add_flag("--json", *json, "One JSON document");
    command->footer("Example: pha data download wikitext-2-raw");
    command->callback([name, json, &program] { program.action = [name, json] { return runDownload(*name, *json); }; });
}

} // namespace pha::cli
