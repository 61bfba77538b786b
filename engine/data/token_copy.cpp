// SPDX-License-Identifier: GPL-3.0-or-later
#include "engine/base/disk_space.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/data/encoding.h"
#include "engine/data/piece_counter.h"
#include "engine/data/token_bins.h"

#include <algorithm>

namespace pha {

namespace {

constexpr std::uint64_t blockTokens = std::uint64_t(1) << 20;
constexpr const char* copyBeginsAnew = "start again when you like";
constexpr std::int64_t countedBytes = std::int64_t(1) << 30; ///< of a split with counts: they are 32 bits wide

class TokenCopier {
public:
    TokenCopier(WorkFolder& work, const OpenedBins& bins, EventSink& progress, const std::stop_token& stop)
        : work_(work)
        , bins_(bins)
        , progress_(progress)
        , stop_(stop)
        , mark_(documentMark(*bins.tokenizer))
        , row_(bins.tokenizer->size() <= 65536 ? TokenRow::Short : TokenRow::Long)
    {
        for (const auto& split : bins.splits) total_ += split.size();
    }

    CorpusCard run(CorpusCard card)
    {
        requireFree(work_.path(), "the token files", double(bins_.splits[0].size()) * double(row_));
        TokenFileWriter train(work_.path() / "train.bin", row_, 0);
        TokenFileWriter sample(work_.path() / "sample.bin", TokenRow::Counted, 0);
        TokenFileWriter valid(work_.path() / "valid.bin", TokenRow::Counted, 0);
        TokenFileWriter test(work_.path() / "test.bin", TokenRow::Counted, 0);
        card.splits[0] = copyTrain(train);
        count(0, sampledBinTokens, sample);
        for (const auto& [split, file] : { std::pair(1, &valid), std::pair(2, &test) }) {
            card.splits[std::size_t(split)] = count(std::size_t(split), evaluatedBinTokens, *file);
            if (bins_.splits[std::size_t(split)].size() > file->rows())
                card.note = std::string(card.note.empty() ? "" : card.note + "; ") + "its "
                    + splitNames[std::size_t(split)] + " split is the first " + compactCount(double(file->rows()))
                    + " of " + compactCount(double(bins_.splits[std::size_t(split)].size())) + " tokens";
        }
        return completeFolder(work_, { &train, &sample, &valid, &test }, std::move(card), bins_.fingerprint,
            *bins_.tokenizer, { progress_, stop_, copyBeginsAnew });
    }

private:
    /// The tokens of a split up to `most`, block by block, all of them known to the tokenizer.
    template <class Take> void read(std::size_t split, std::uint64_t most, Take&& take)
    {
        const auto& tokens = bins_.splits[split];
        std::vector<std::int32_t> ids;
        for (std::uint64_t at = 0, end = std::min(tokens.size(), most); at < end; at += ids.size()) {
            if (stop_.stop_requested()) throw Error("preparing " + bins_.name + " was stopped", copyBeginsAnew);
            ids.resize(std::size_t(std::min(end - at, blockTokens)));
            tokens.copy(at, std::span(ids));
            checkIds(ids, *bins_.tokenizer, bins_.name);
            take(ids);
            done_ += ids.size();
            progress_.publish(
                ProgressEvent { "copying tokens", double(std::min(done_, total_)), double(total_), "tokens" });
        }
    }

    SplitCard copyTrain(TokenFileWriter& train)
    {
        SplitCard card;
        PieceCounter counter(*bins_.tokenizer);
        read(0, UINT64_MAX, [&](const std::vector<std::int32_t>& ids) {
            for (const auto id : ids) counter.add(id);
            card.documents += std::count(ids.begin(), ids.end(), mark_);
            card.tokens += std::int64_t(ids.size());
            train.add(ids);
        });
        counter.finish();
        return finished(card, counter);
    }

    SplitCard count(std::size_t split, std::uint64_t most, TokenFileWriter& file)
    {
        SplitCard card;
        PieceCounter counter(*bins_.tokenizer);
        std::vector<CountedToken> rows; // the last one may still gain a word
        read(split, most, [&](const std::vector<std::int32_t>& ids) {
            for (const auto id : ids) {
                if (counter.bytes() > countedBytes) return;
                const auto ended = counter.add(id);
                if (!rows.empty()) rows.back().words += ended;
                rows.push_back({ id, std::int32_t(counter.words()), std::int32_t(counter.bytes()) });
                card.documents += id == mark_;
            }
        });
        if (counter.finish()) ++rows.back().words;
        file.add(rows);
        card.tokens = std::int64_t(rows.size());
        return finished(card, counter);
    }

    static SplitCard finished(SplitCard card, const PieceCounter& counter)
    {
        card.words = counter.words();
        card.bytes = counter.bytes();
        if (card.tokens > 0) card.documents = std::max<std::int64_t>(card.documents, 1);
        return card;
    }

    WorkFolder& work_;
    const OpenedBins& bins_;
    EventSink& progress_;
    std::stop_token stop_;
    std::int32_t mark_;
    TokenRow row_;
    std::uint64_t total_ = 0, done_ = 0;
};

} // namespace

CorpusCard copyTokens(
    WorkFolder& work, const OpenedBins& bins, CorpusCard card, EventSink& progress, const std::stop_token& stop)
{
    return TokenCopier(work, bins, progress, stop).run(std::move(card));
}

} // namespace pha
