// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/error.h"
#include "engine/data/child_process.h"
#include "engine/data/piece_library.h"
#include "engine/data/tokenizer_model.h"

#include <chrono>

namespace pha {

namespace {

constexpr ChildLimits limits { std::int64_t(1) << 30, 10 };
/// For a child that does nothing: a busy machine is no bad model. One that a sanitizer has stuck is made again.
constexpr auto patience = std::chrono::seconds(canForkWithThreads ? 300 : 20);
constexpr int attempts = canForkWithThreads ? 1 : 6;

/// 0 if sentencepiece can load the model and use it.
int tryModel(const std::string& model)
{
    const auto loaded = pieceLibrary().load(model);
    if (!loaded) return 1;
    std::string probe = "The quick brown fox, 1234!  \n\tGr\xC3\xBC\xC3\x9F"
                        "e \xE6\x97\xA5\xE6\x9C\xAC \xF0\x9F\x98\x80 ";
    probe.append(2000, 'a').append(" \xEF\xBD\xB1\xE2\x91\xA0");
    std::vector<int> ids;
    std::string text;
    return loaded->encode(probe, ids) && loaded->decode(ids, text) ? 0 : 1;
}

} // namespace

void tryTokenizerInChild(const std::string& model, const std::string& where)
{
    pieceLibrary(); // opened here: a child should not have to
    ChildOutcome outcome { ChildOutcome::End::Abandoned, 0, {} };
    for (int i = 0; i < attempts && outcome.end == ChildOutcome::End::Abandoned; ++i) {
        const auto end = std::chrono::steady_clock::now() + patience;
        outcome = runInChild(
            limits, [&](std::string&) { return tryModel(model); },
            [&] { return std::chrono::steady_clock::now() < end; });
    }
    if (outcome.end == ChildOutcome::End::OutOfTime || outcome.end == ChildOutcome::End::Abandoned)
        throw DataError(where, "the tokenizer model takes too long to load", "choose another sentencepiece model");
    if (outcome.end == ChildOutcome::End::Crashed)
        throw DataError(where, "the tokenizer model crashes sentencepiece", "choose another model");
    if (outcome.code != 0)
        throw DataError(where, "sentencepiece cannot read the tokenizer model", "choose another model");
}

} // namespace pha
