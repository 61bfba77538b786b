// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/data/survey.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/data/document_line.h"
#include "engine/data/key_set.h"

#include <algorithm>
#include <thread>

namespace pha {

namespace {

constexpr std::uint64_t ownEvaluation = std::uint64_t(4) << 20; ///< bytes of a split that nobody asked to be larger
constexpr std::size_t sampleBytes = std::size_t(6) << 20;
constexpr double ownShare = 0.05;

using Keys = std::vector<std::pair<std::uint64_t, std::uint64_t>>; ///< with the bytes of their documents, sorted

/// The documents with the smallest keys, as many as two splits can need: a random sample that any order of reading
/// gives alike, in bounded memory.
class SmallestKeys {
public:
    SmallestKeys(std::uint64_t bytes, std::size_t most)
        : wanted_(bytes)
        , most_(most)
    {
    }
    void add(std::uint64_t key, std::uint64_t bytes)
    {
        if (full_ && key > heap_.front().first) return;
        heap_.emplace_back(key, bytes);
        std::push_heap(heap_.begin(), heap_.end());
        held_ += bytes;
        while (heap_.size() > 4 && (held_ - heap_.front().second > wanted_ || heap_.size() > most_)) {
            tooMany_ |= held_ - heap_.front().second <= wanted_;
            held_ -= heap_.front().second;
            std::pop_heap(heap_.begin(), heap_.end());
            heap_.pop_back();
            full_ = true;
        }
    }
    bool full() const { return full_; } ///< there are more documents than these
    bool tooMany() const { return tooMany_; } ///< short ones, so that these may be less than two splits need
    Keys sorted()
    {
        std::sort(heap_.begin(), heap_.end());
        return std::move(heap_);
    }

private:
    std::uint64_t wanted_, held_ = 0;
    std::size_t most_;
    bool full_ = false, tooMany_ = false;
    Keys heap_;
};

/// Bytes of all documents by the first bits of their keys: coarse, and any number of documents takes the same memory.
class KeyRanges {
public:
    void add(std::uint64_t key, std::uint64_t bytes) { bytes_[std::size_t(key >> shift)] += bytes; }
    /// Each range as if it were one document.
    Keys sorted() const
    {
        Keys keys;
        for (std::uint64_t i = 0; i < bytes_.size(); ++i)
            keys.emplace_back(std::min(((i + 1) << shift) - 1, SplitRule::everyKey - 1), bytes_[std::size_t(i)]);
        return keys;
    }

private:
    static constexpr int shift = 48;
    std::vector<std::uint64_t> bytes_ = std::vector<std::uint64_t>(std::size_t(1) << (64 - shift));
};

/// Texts with the largest keys, of some megabytes together.
class LargestTexts {
public:
    void add(std::uint64_t key, std::string text)
    {
        if (full_ && key < heap_.front().first) return;
        held_ += text.size();
        heap_.emplace_back(key, std::move(text));
        std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
        while (held_ - heap_.front().second.size() > sampleBytes) {
            held_ -= heap_.front().second.size();
            std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
            heap_.pop_back();
            full_ = true;
        }
    }
    void clear() { *this = {}; }
    /// Those with keys from `least` up; all if there are none.
    std::string joined(std::uint64_t least)
    {
        std::sort(heap_.begin(), heap_.end());
        std::string text;
        for (const auto& [key, each] : heap_)
            if (key >= least) text += each;
        if (text.empty())
            for (const auto& [key, each] : heap_) text += each;
        return text;
    }

private:
    std::size_t held_ = 0;
    bool full_ = false;
    std::vector<std::pair<std::uint64_t, std::string>> heap_;
};

/// Throws DataError if a text is an array of objects, and so no JSON lines: one object at most is a line by itself.
void refuseArrays(const std::vector<TextFile>& files)
{
    TextWalker walker(files, nullptr);
    while (walker.next()) {
        if (walker.kind() != TextKind::Lines) continue;
        auto head = walker.bytes().head();
        if (head.starts_with(byteOrderMark)) head.remove_prefix(byteOrderMark.size());
        head = trim(head);
        if (!head.starts_with('[')) continue;
        const auto first = trim(head.substr(1));
        if (first.starts_with('{'))
            throw DataError(walker.bytes().where(), "is one JSON array", "write one object a line: jq -c '.[]' FILE");
    }
}

class Surveyor {
public:
    Surveyor(const std::vector<TextFile>& files, const SplitShares& shares, const SurveyLimits& limits,
        const std::filesystem::path& folder)
        : files_(files)
        , where_(files.front().path.string())
        , shares_(shares)
        , limits_(limits)
        , folder_(folder)
        , keys_(2 * std::max(limit(shares.valid), limit(shares.test)), limits.keys)
    {
    }

    void add(Document document)
    {
        survey_.repairs.add(document.repairs);
        if (document.text.empty()) return;
        ++survey_.documents;
        survey_.bytes += std::int64_t(document.text.size());
        survey_.chain = chainDigest(survey_.chain, document);
        control_ += document.control;
        if (!words_) words_ = document.text.find_first_not_of(" \t\n\v\f\r") != std::string::npos;
        const bool trains = !document.given || document.given == TextSplit::Train;
        survey_.rule.validGiven |= document.given == TextSplit::Valid;
        survey_.rule.testGiven |= document.given == TextSplit::Test;
        // Of documents that come again only the first one is encoded, so it alone counts.
        const bool counts = !document.whole || isNew(document.key);
        if (trains && counts) {
            if (!seenTrain_) sample_.clear();
            seenTrain_ = true;
            trainBytes_ += document.text.size();
            keys_.add(document.key, document.text.size());
            ranges_.add(document.key, document.text.size());
        }
        if (counts && trains == seenTrain_) sample_.add(document.key, std::move(document.text));
    }

    Survey finish()
    {
        check();
        divide();
        survey_.sample = sample_.joined(survey_.rule.testBelow);
        survey_.fingerprint = sha256Hex(survey_.chain + " " + std::to_string(survey_.rule.validBelow) + " "
            + std::to_string(survey_.rule.testBelow));
        return std::move(survey_);
    }

private:
    std::uint64_t limit(double share) const { return share < 0 ? ownEvaluation : limits_.evaluated; }

    bool isNew(std::uint64_t key)
    {
        if (!seen_ && !folder_.empty()) {
            try {
                seen_.emplace(folder_);
            } catch (const IoError&) {
                // Perhaps there is room for temporary files.
            }
        }
        std::error_code problem;
        if (!seen_) seen_.emplace(std::filesystem::temp_directory_path(problem));
        return seen_->insert(key);
    }

    void check() const
    {
        const auto& repairs = survey_.repairs;
        const auto left = repairs.badRecords + repairs.longRecords;
        if (left > 10 * survey_.documents) refuseArrays(files_);
        if (survey_.bytes == 0 && left > 0) refuseRecords(files_);
        if (survey_.bytes == 0)
            throw DataError(where_, "is empty", "give a text: some words to evaluate, a few kilobytes to train on");
        if (control_ > survey_.bytes / 50 || repairs.invalidUtf8 > survey_.bytes / 10)
            throw DataError(where_, "does not look like text", "unpack or convert it to plain UTF-8 text first");
        if (!words_) throw DataError(where_, "has nothing but blanks and line ends", "give a text with words");
    }

    void divide()
    {
        auto& rule = survey_.rule;
        if (!seenTrain_) return; // validation and test files alone: something to evaluate with
        const auto target = [&](double share, bool given) {
            const double wanted = double(trainBytes_) * (share < 0 ? ownShare : share);
            return given ? 0.0 : std::min(wanted, double(limit(share)));
        };
        const double valid = target(shares_.valid, rule.validGiven), test = target(shares_.test, rule.testGiven);
        auto keys = keys_.sorted();
        std::size_t at = 0;
        const auto cut = [&] {
            at = 0;
            rule.validBelow = take(keys, at, valid);
            rule.testBelow = std::max(rule.validBelow, take(keys, at, test));
        };
        cut();
        if (at == keys.size() && keys_.tooMany()) { // there were more documents than keys, and these did not suffice
            keys = ranges_.sorted();
            cut();
        }
        const bool all = at < keys.size() || keys_.full() || (valid <= 0 && test <= 0);
        if (!all) rule.validBelow = 0, rule.testBelow = SplitRule::everyKey;
    }

    /// The key below which documents from `at` on have about that many bytes, and never more than a split may have;
    /// equal keys, which are one document, stay together.
    std::uint64_t take(const Keys& keys, std::size_t& at, double wanted) const
    {
        double taken = 0;
        std::uint64_t below = 0;
        while (wanted > 0 && at < keys.size() && (below == 0 || taken + double(keys[at].second) / 2 < wanted)
            && taken + double(keys[at].second) <= double(limits_.evaluated)) {
            below = keys[at].first + 1;
            while (at < keys.size() && keys[at].first < below) taken += double(keys[at++].second);
        }
        return below;
    }

    const std::vector<TextFile>& files_;
    std::string where_;
    SplitShares shares_;
    SurveyLimits limits_;
    std::filesystem::path folder_;
    std::optional<KeySet> seen_; ///< documents so far, once there is one
    SmallestKeys keys_;
    KeyRanges ranges_;
    LargestTexts sample_;
    Survey survey_;
    std::int64_t control_ = 0;
    std::uint64_t trainBytes_ = 0;
    bool words_ = false, seenTrain_ = false;
};

} // namespace

void refuseRecords(const std::vector<TextFile>& files)
{
    const auto& wanted = files.front().textField;
    RecordReader reader(files, blockBytesFor(files), nullptr);
    for (TextRecord record; reader.next(record);) {
        const auto names = record.kind == TextKind::Lines ? fieldsOf(record) : std::vector<std::string>();
        if (names.empty()) continue;
        if (std::count(names.begin(), names.end(), wanted) > 0) break; // of another type
        throwWithoutField(files[reader.position().file].path.string(), "field", wanted, names);
    }
    throw DataError(files.front().path.string(), "has no records with a text in " + inQuotes(wanted),
        "give JSON objects, one a line, or a table, or name another field: --text-field NAME, of a run --set "
        "text_field=NAME");
}

Json Survey::toJson() const
{
    return { { "fingerprint", fingerprint }, { "chain", chain }, { "bytes", bytes }, { "documents", documents },
        { "repairs", repairs.toJson() }, { "valid_below", rule.validBelow }, { "test_below", rule.testBelow },
        { "valid_given", rule.validGiven }, { "test_given", rule.testGiven } };
}

Survey Survey::fromJson(const Json& json)
{
    Survey survey;
    survey.fingerprint = json.at("fingerprint").get<std::string>();
    survey.chain = json.at("chain").get<std::string>();
    survey.bytes = json.at("bytes").get<std::int64_t>();
    survey.documents = json.at("documents").get<std::int64_t>();
    survey.repairs = TextRepairs::fromJson(json.at("repairs"));
    survey.rule = { json.at("valid_below").get<std::uint64_t>(), json.at("test_below").get<std::uint64_t>(),
        json.at("valid_given").get<bool>(), json.at("test_given").get<bool>() };
    return survey;
}

void refuseUndivided(const std::string& where)
{
    throw DataError(where, "is too short to keep a part for validation and one for test",
        "give a longer text to train on: several different paragraphs or lines, at least 2 KB");
}

std::string chainDigest(const std::string& before, const Document& document)
{
    return sha256Hex(before + document.digest + (document.given ? splitNames[std::size_t(*document.given)] : ""));
}

int defaultThreads() { return std::clamp(int(std::thread::hardware_concurrency()), 1, 64); }

Survey surveyTexts(const std::vector<TextFile>& files, const SplitShares& shares, int threads, EventSink& progress,
    const std::stop_token& stop, const SurveyLimits& limits, const std::filesystem::path& folder)
{
    std::uint64_t total = 0;
    for (const auto& file : files) total += file.size;
    const auto where = files.front().path.string();
    std::atomic<std::uint64_t> taken { 0 };
    RecordReader reader(files, blockBytesFor(files), &taken);
    Surveyor surveyor(files, shares, limits, folder);
    const auto consume = [&](std::vector<Document> documents, const TextPosition&) {
        for (auto& document : documents) surveyor.add(std::move(document));
        progress.publish(
            ProgressEvent { "reading text", double(std::min(taken.load(), total)), double(total), "bytes" });
    };
    const auto make = [](int, TextRecord record) { return makeDocument(std::move(record)); };
    if (!readDocuments<Document>(reader, threads, make, consume, stop))
        throw Error("reading " + where + " was stopped", "start again when you like");
    return surveyor.finish();
}

} // namespace pha
