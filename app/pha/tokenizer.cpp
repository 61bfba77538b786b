// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/progress.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/corpus.h"
#include "engine/data/tasks.h"
#include "engine/data/token_preview.h"
#include "engine/run/run_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace pha::cli {

namespace {

constexpr std::int64_t textLimit = 64 << 20;
constexpr std::size_t piecesShown = 20;

struct TokenizerOptions {
    DataConfig data;
    std::string tokenizer, out, text, file, ids;
    std::int64_t pieces = piecesShown;
    bool noByteFallback = false, pieceNames = false, json = false;
};

/// "bytes", or what `Tokenizer::load` takes: a file, a run, a folder with GPT-2's files.
std::shared_ptr<const Tokenizer> openTokenizer(const std::string& name)
{
    DataConfig config;
    config.tokenizer = name;
    if (auto tokenizer = Tokenizer::given(config)) return tokenizer;
    throw ConfigError("tokenizer", name, "bytes, a run, a .model file, or a folder with vocab.json and merges.txt");
}

/// The text of --text or --file ("-": standard input), exactly one of them.
std::string givenText(const TokenizerOptions& options, const CLI::App& command)
{
    const bool direct = command.count("--text") > 0, file = command.count("--file") > 0;
    if (direct == file)
        throw Error(direct ? "both --text and --file given" : "no text given", "use one of --text TEXT and --file FILE",
            ExitCode::Usage);
    if (direct) return options.text;
    return options.file == "-" ? readStandardInput(textLimit) : readFile(options.file, textLimit);
}

Json describe(const Tokenizer& tokenizer)
{
    static constexpr const char* kinds[] = { "sentencepiece", "gpt2", "bytes", "symbols", "ids", "characters" };
    return { { "kind", kinds[int(tokenizer.kind())] }, { "description", tokenizer.description() },
        { "pieces", tokenizer.size() }, { "fingerprint", tokenizer.fingerprint() } };
}

int train(const TokenizerOptions& options)
{
    auto config = options.data;
    config.byteFallback = !options.noByteFallback;
    config.validate();
    checkNewFile(options.out);
    StopOnSignal stop;
    ProgressView view(false);
    if (findTask(config))
        throw ConfigError("corpus", config.data, "a text or stories: synthetic tasks have symbols of their own");
    const auto trained = Corpus::trainTokenizer(config, view, stop.token());
    view.clearBar();
    writeFileAtomically(options.out, trained->model());
    auto json = describe(*trained);
    json["file"] = options.out;
    if (options.json)
        printJson(json);
    else
        printLine(fmt::format("{}\nfingerprint  {}\nwritten to   {}", trained->description(), trained->fingerprint(),
            oneLine(options.out)));
    return 0;
}

int encode(const TokenizerOptions& options, const CLI::App& command)
{
    const auto tokenizer = openTokenizer(options.tokenizer);
    const auto text = givenText(options, command);
    const auto preview = previewTokens(*tokenizer, text);
    if (options.json) {
        auto pieces = Json::array();
        for (const auto& p : preview.pieces)
            pieces.push_back({ { "id", p.id }, { "text", p.text }, { "begin", p.begin }, { "end", p.end } });
        printJson({ { "tokens", preview.tokens }, { "bytes", preview.bytes },
            { "bytes_per_token", preview.bytesPerToken() }, { "pieces", std::move(pieces) } });
        return 0;
    }
    std::string line;
    for (const auto& p : preview.pieces) {
        if (!line.empty()) line += ' ';
        line += std::to_string(p.id);
        if (options.pieceNames) line += ':' + inQuotes(p.text);
    }
    printLine(line);
    return 0;
}

int decode(const TokenizerOptions& options)
{
    const auto tokenizer = openTokenizer(options.tokenizer);
    auto text = options.ids == "-" ? readStandardInput(textLimit) : options.ids;
    for (auto& c : text)
        if (c == ',' || c == '\n' || c == '\t' || c == '\r') c = ' ';
    std::vector<std::int32_t> ids;
    for (const auto& part : splitList(text, ' ')) {
        if (part.empty()) continue;
        const auto id = parseInteger("id", part);
        checkRange("id", id, 0, tokenizer->size() - 1);
        ids.push_back(std::int32_t(id));
    }
    const auto bytes = tokenizer->decode(ids);
    if (options.json)
        printJson({ { "tokens", ids.size() }, { "bytes", bytes.size() }, { "text", bytes } });
    else
        print(outputIsTerminal() ? harmless(bytes) + "\n" : bytes);
    return 0;
}

int info(const TokenizerOptions& options, const CLI::App& command)
{
    checkRange("--pieces", options.pieces, 0, std::numeric_limits<std::int32_t>::max());
    const auto tokenizer = openTokenizer(options.tokenizer);
    auto json = describe(*tokenizer);
    const bool measured = command.count("--text") + command.count("--file") > 0;
    if (measured) {
        const auto preview = previewTokens(*tokenizer, givenText(options, command), 0);
        json["text"] = { { "bytes", preview.bytes }, { "tokens", preview.tokens },
            { "bytes_per_token", preview.bytesPerToken() } };
    }
    const auto shown = std::int32_t(std::min(options.pieces, tokenizer->size()));
    auto list = Json::array();
    Table table({ "id", "piece" });
    for (std::int32_t id = 0; id < shown; ++id) {
        const auto piece = readablePiece(tokenizer->piece(id));
        list.push_back({ { "id", id }, { "text", piece } });
        table.add({ std::to_string(id), inQuotes(piece) });
    }
    if (options.json) {
        json["list"] = std::move(list);
        printJson(json);
        return 0;
    }
    printLine(fmt::format("{}\nfingerprint  {}", tokenizer->description(), tokenizer->fingerprint()));
    if (measured)
        printLine(fmt::format("text         {} bytes, {} tokens, {:.3f} bytes per token",
            withThousands(json["text"]["bytes"].get<std::int64_t>()),
            withThousands(json["text"]["tokens"].get<std::int64_t>()), json["text"]["bytes_per_token"].get<double>()));
    if (shown > 0) print("\n" + table.text());
    return 0;
}

void addTextOptions(CLI::App& command, TokenizerOptions& options)
{
    command.add_option("--text", options.text, "The text itself");
    command.add_option("--file", options.file, "A file with the text; - reads standard input");
}

CLI::App* addVerb(
    CLI::App& tokenizer, TokenizerOptions& options, const char* name, const char* help, const char* footer)
{
    auto* command = tokenizer.add_subcommand(name, help);
    command->add_flag("--json", options.json, "One JSON document");
    command->footer(footer);
    return command;
}

void addTrainVerb(CLI::App& tokenizer, const std::shared_ptr<TokenizerOptions>& options, Program& program)
{
    auto* command = addVerb(tokenizer, *options, "train", "Train a sentencepiece model on a corpus",
        "Example: pha tokenizer train my-text.txt --kind bpe --vocab-size 8000 --out my.model");
    options->data.tokenizer = "unigram";
    command->add_option("corpus", options->data.data, "Built-in corpus, file (.txt, .jsonl, .parquet) or folder")
        ->required();
    command->add_option("--out", options->out, "The model file to write")->required();
    command->add_option("--kind", options->data.tokenizer, "Kind of model")
        ->check(CLI::IsMember({ "unigram", "bpe" }))
        ->capture_default_str();
    addTextField(*command, options->data.textField);
    addInteger(*command, "--vocab-size", options->data.vocabSize,
        "Pieces at most, learnt from 6 MiB, spread evenly over a longer text");
    command->add_flag(
        "--no-byte-fallback", options->noByteFallback, "Unknown characters are lost, not spelled as bytes");
    command->callback([options, &program] { program.action = [options] { return train(*options); }; });
}

} // namespace

void addTokenizer(CLI::App& root, Program& program)
{
    auto* tokenizer = root.add_subcommand("tokenizer", "Tokenizers: train one, encode, decode, look inside");
    tokenizer->require_subcommand(1);
    tokenizer->footer("Each has --help with an example, and --json.\n"
                      "Example: pha tokenizer train my-text.txt --kind bpe --vocab-size 8000 --out my.model");
    auto options = std::make_shared<TokenizerOptions>();
    addTrainVerb(*tokenizer, options, program);
    constexpr auto which = "bytes, a run, a .model file, or a folder with GPT-2's vocab.json and merges.txt";

    auto* encoding = addVerb(*tokenizer, *options, "encode", "Ids of a text",
        "Example: pha tokenizer encode runs/pha-tiny-stories --text 'Once upon a time' --pieces");
    encoding->add_option("tokenizer", options->tokenizer, which)->required();
    addTextOptions(*encoding, *options);
    encoding->add_flag("--pieces", options->pieceNames, "Show each id with its piece");
    encoding->callback([options, encoding, &program] {
        program.action = [options, encoding] { return encode(*options, *encoding); };
    });

    auto* decoding = addVerb(*tokenizer, *options, "decode", "Text of some ids, byte for byte",
        "Example: pha tokenizer decode my.model --ids 17,301,4");
    decoding->add_option("tokenizer", options->tokenizer, which)->required();
    decoding->add_option("--ids", options->ids, "Ids with commas or blanks between them; - reads standard input")
        ->required();
    decoding->callback([options, &program] { program.action = [options] { return decode(*options); }; });

    auto* details = addVerb(*tokenizer, *options, "info", "Kind, size, fingerprint, pieces, bytes per token of a text",
        "Example: pha tokenizer info my.model --file my-text.txt --pieces 100");
    details->add_option("tokenizer", options->tokenizer, which)->required();
    addTextOptions(*details, *options);
    addInteger(*details, "--pieces", options->pieces, "So many pieces are listed, from id 0");
    details->callback(
        [options, details, &program] { program.action = [options, details] { return info(*options, *details); }; });
}

} // namespace pha::cli
