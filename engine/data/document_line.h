// SPDX-License-Identifier: GPL-3.0-or-later
#pragma once

#include "engine/data/ordered_pool.h"
#include "engine/data/record_reader.h"

#include <functional>
#include <stop_token>
#include <utility>
#include <vector>

namespace pha {

/// Reads records on this thread, makes something of each on `threads` others, and hands the results to `consume` on
/// this one, in order, with the position behind them. What is under way at once has at most some 32 MB of records.
/// False if `stop` came first: everything consumed so far stands. Throws what the reader, `make` or `consume` throws.
template <class Made>
bool readDocuments(RecordReader& reader, int threads, const std::function<Made(int, TextRecord)>& make,
    const std::function<void(std::vector<Made>, const TextPosition&)>& consume, const std::stop_token& stop)
{
    constexpr std::size_t batchBytes = std::size_t(1) << 18, maxHeld = std::size_t(32) << 20;
    struct Lot {
        std::vector<TextRecord> records;
        TextPosition after;
        std::size_t bytes = 0;
    };
    struct Result {
        std::vector<Made> made;
        TextPosition after;
        std::size_t bytes = 0;
    };
    OrderedPool<Lot, Result> pool(threads, [&](int thread, Lot batch) {
        Result result { {}, batch.after, batch.bytes };
        result.made.reserve(batch.records.size());
        for (auto& record : batch.records) {
            if (stop.stop_requested()) break; // never consumed
            result.made.push_back(make(thread, std::move(record)));
        }
        return result;
    });
    std::size_t held = 0;
    for (bool more = true;;) {
        while (more && pool.size() < 2 * std::size_t(threads) + 1 && held < maxHeld && !stop.stop_requested()) {
            Lot batch;
            TextRecord record;
            while (batch.bytes < batchBytes && (more = reader.next(record))) {
                batch.bytes += record.bytes.size() + 1;
                batch.records.push_back(std::move(record));
            }
            batch.after = reader.position();
            held += batch.bytes;
            if (!batch.records.empty()) pool.submit(std::move(batch));
        }
        if (stop.stop_requested()) return false;
        if (pool.size() == 0) return true;
        auto result = pool.take();
        if (stop.stop_requested()) return false; // the result may be unfinished
        held -= result.bytes;
        consume(std::move(result.made), result.after);
    }
}

} // namespace pha
