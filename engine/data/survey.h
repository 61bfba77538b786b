// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/document.h"
#include "engine/events.h"

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>
#include <vector>

namespace pha {

/// Shares of the text that validate and test. Negative: 5 % each, at most 4 MB.
struct SplitShares {
    double valid = -1, test = -1;
};

/// What a survey keeps within. Others than these are for tests.
struct SurveyLimits {
    std::uint64_t evaluated = std::uint64_t(256) << 20; ///< bytes of a split that is held in memory
    std::size_t keys = std::size_t(1) << 20; ///< of documents that may validate or test
};

/// Which split a document belongs to. Decided by its own content, so that equal documents are in the same split
/// wherever they stand, and so that nothing has to be remembered.
struct SplitRule {
    static constexpr std::uint64_t everyKey = ~std::uint64_t(0);

    std::uint64_t validBelow = 0, testBelow = 0; ///< keys under the first validate, those under the second test
    bool validGiven = false, testGiven = false; ///< whole files belong to that split

    TextSplit of(const Document& document) const
    {
        if (document.given && (*document.given != TextSplit::Train)) return *document.given;
        return document.key < validBelow ? TextSplit::Valid
            : document.key < testBelow   ? TextSplit::Test
                                         : TextSplit::Train;
    }
    /// Too short to be divided: nothing of it trains, and all of it is for an evaluation.
    bool undivided() const { return validBelow == 0 && testBelow == everyKey; }
};

/// What one reading of the texts tells.
struct Survey {
    std::string fingerprint; ///< SHA-256 over the digests of all documents and the rule
    std::string chain; ///< the part of it that reading the same documents again must reproduce
    std::int64_t bytes = 0, documents = 0; ///< as text, duplicates counted
    TextRepairs repairs;
    SplitRule rule;
    std::string sample; ///< some megabytes of training documents, spread evenly, for the tokenizer

    Json toJson() const; ///< without the sample
    static Survey fromJson(const Json& json); ///< throws Json::exception
};

/// Says why JSON lines gave no text at all. Throws DataError.
[[noreturn]] void refuseRecords(const std::vector<TextFile>& files);

/// Reads all texts once, on all cores, in bounded memory: the keys of documents lie in a file without a name in
/// `folder`, or with the temporary files. Throws DataError (not text); Error when stopped.
Survey surveyTexts(const std::vector<TextFile>& files, const SplitShares& shares, int threads, EventSink& progress,
    const std::stop_token& stop, const SurveyLimits& limits = {}, const std::filesystem::path& folder = {});

/// Throws DataError: `where` cannot be trained on, because it is too short to be divided.
[[noreturn]] void refuseUndivided(const std::string& where);

/// The digest of everything up to and including a document.
std::string chainDigest(const std::string& before, const Document& document);

/// Threads to use if the user names none: one a core, at most 64.
int defaultThreads();

} // namespace pha
