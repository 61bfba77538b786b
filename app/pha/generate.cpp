// SPDX-License-Identifier: GPL-3.0-or-later
#include "app/pha/command.h"
#include "app/pha/mix_options.h"
#include "app/pha/signals.h"
#include "app/pha/terminal.h"

#include "engine/base/atomic_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/engine.h"

#include <fmt/format.h>

#include <csignal>
#include <limits>

namespace pha::cli {

namespace {

constexpr std::int64_t promptLimit = 64 << 20;

struct WriteOptions : DeviceOptions {
    std::string target, prompt, promptFile;
    Sampling sampling;
    std::int64_t seed = std::int64_t(Sampling().seed);
    MixOptions mix;
    bool json = false;
};

std::string prompt(const WriteOptions& options, const CLI::App& command)
{
    const bool direct = command.count("--prompt") > 0, file = command.count("--prompt-file") > 0;
    if (direct == file)
        throw Error(direct ? "both --prompt and --prompt-file given" : "no prompt given",
            "use one of --prompt TEXT and --prompt-file FILE", ExitCode::Usage);
    if (direct) return options.prompt;
    return options.promptFile == "-" ? readStandardInput(promptLimit) : readFile(options.promptFile, promptLimit);
}

Json toJson(const GeneratedToken& token)
{
    Json json { { "id", token.id }, { "text", token.text }, { "probability", token.probability },
        { "sampled_probability", token.sampledProbability }, { "entropy", token.entropy }, { "prompt", token.prompt } };
    json["alternatives"] = Json::array();
    for (const auto& other : token.alternatives)
        json["alternatives"].push_back(
            { { "id", other.id }, { "text", other.text }, { "probability", other.probability } });
    return json;
}

Json toJson(const Generation& result, const GenerateOptions& options, std::int64_t step)
{
    Json json { { "step", step }, { "prompt", options.prompt }, { "prompt_ids", result.promptIds },
        { "text", result.text }, { "seed", options.sampling.seed }, { "temperature", options.sampling.temperature },
        { "top_k", options.sampling.topK }, { "top_p", options.sampling.topP },
        { "repetition_penalty", options.sampling.repetitionPenalty }, { "seconds", result.seconds },
        { "first_token_seconds", result.firstTokenSeconds }, { "tokens_per_second", result.tokensPerSecond },
        { "state_bytes", result.stateBytes }, { "note", result.note } };
    json["tokens"] = Json::array();
    for (const auto& token : result.tokens) json["tokens"].push_back(toJson(token));
    return json;
}

int generate(const WriteOptions& options, const CLI::App& command)
{
    auto sampling = options.sampling;
    checkRange("--seed", options.seed, 0, std::numeric_limits<std::int64_t>::max());
    sampling.seed = std::uint64_t(options.seed);
    sampling.validate();
    options.mix.check();
    GenerateOptions request;
    request.prompt = prompt(options, command);
    request.sampling = sampling;
    StopOnSignal stop;
    const auto model = options.load(options.target);
    request.mix = options.mix.resolve(model->config().model);
    const bool terminal = outputIsTerminal();
    const auto show = [&](const GeneratedToken& token) {
        if (options.json || token.prompt) return;
        print(terminal ? harmless(token.text) : token.text);
        flushOutput();
        if (outputFailed()) stop.requestStop(); // nobody reads any more
    };
    const auto result = model->generate(request, show, stop.token());
    if (options.json)
        printJson(toJson(result, request, model->step()));
    else
        printLine("");
    flushOutput();
    if (!result.note.empty()) note("pha: note: " + oneLine(result.note));
    note(fmt::format("{} tokens, {:.1f} tokens/s, first after {:.0f} ms, state {}", result.tokens.size(),
        result.tokensPerSecond, 1000 * result.firstTokenSeconds, formatBytes(double(result.stateBytes))));
    return StopOnSignal::received() ? 128 + StopOnSignal::received() : 0;
}

} // namespace

void addGenerate(CLI::App& root, Program& program)
{
    auto* command = root.add_subcommand("generate", "Let a model continue a text; streams to standard output");
    auto options = std::make_shared<WriteOptions>();
    auto& sampling = options->sampling;
    command->add_option("target", options->target, "Run directory or checkpoint")->required();
    command->add_option("--prompt", options->prompt, "Text to continue");
    command->add_option("--prompt-file", options->promptFile, "File with the text to continue; - reads standard input");
    addInteger(*command, "--max-tokens", sampling.maxTokens, "Tokens to write at most");
    addNumber(*command, "--temperature", sampling.temperature, "0 takes the most probable token always");
    addInteger(*command, "--top-k", sampling.topK, "Draw among the k most probable tokens; 0 = all");
    addNumber(*command, "--top-p", sampling.topP, "Draw among the most probable tokens that sum to p; 1 = all");
    addNumber(*command, "--repetition-penalty", sampling.repetitionPenalty, "Makes seen tokens less probable; 1 = off");
    addInteger(*command, "--seed", options->seed, "The same seed writes the same text");
    options->mix.add(*command);
    options->addDevice(*command);
    options->precision.clear();
    options->addPrecision(*command);
    command->get_option("--precision")->default_str("fp32, on a card bf16");
    command->add_flag("--json", options->json, "One JSON document with every token's probability");
    command->footer("Example: pha generate runs/pha-tiny-stories --prompt 'Once' --max-tokens 100 --temperature 0.7");
    command->callback(
        [options, command, &program] { program.action = [options, command] { return generate(*options, *command); }; });
}

} // namespace pha::cli
